//! Which CPU each shard's thread stays on.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The CPUs this process may use, in order.
pub fn allowed_cpus() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(None) else { return Vec::new() };
    (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect()
}

/// Keeps the calling thread on one CPU.
///
/// # Errors
/// The system refuses, as some sandboxes do; the thread runs on unpinned.
pub fn pin_to(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_stays_where_it_is_put() {
        let cpus = allowed_cpus();
        let cpu = *cpus.last().expect("at least the one this runs on");
        std::thread::spawn(move || {
            pin_to(cpu).expect("one's own CPU is allowed");
            assert_eq!(allowed_cpus(), [cpu]);
        })
        .join()
        .expect("the thread is well");
    }
}
