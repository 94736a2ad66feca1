//! What the process costs its host, read from `/proc/self`.
//!
//! On a host without `/proc` memory reads as 0 and the rest as `None`: figures are missing, nothing fails.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident now (`VmRSS`).
    pub resident: u64,
    /// The most that ever was (`VmHWM`).
    pub peak: u64,
}

/// Memory now. Costs one read of a file in `/proc`, some ten microseconds.
pub fn memory() -> Memory {
    fs::read_to_string("/proc/self/status").map_or_else(|_| Memory::default(), |text| parse_memory(&text))
}

/// Processor time and start, both in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// Processor time of all threads, user and system.
    pub cpu: f64,
    /// When the process started, in seconds after the host did.
    pub start_after_boot: f64,
}

/// Processor time and start; resolution is one clock tick of the kernel's interface, commonly 10 ms.
pub fn times() -> Option<Times> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    parse_times(&stat, rustix::param::clock_ticks_per_second() as f64)
}

/// When the process started, in seconds since 1970.
pub fn start_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let boot = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse::<f64>().ok()?;
    Some(boot + times()?.start_after_boot)
}

/// Whole seconds since the process started (TUS-65 `uptime`).
pub fn uptime() -> Option<u64> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    let host = text.split_ascii_whitespace().next()?.parse::<f64>().ok()?;
    // A float below zero becomes 0.
    Some((host - times()?.start_after_boot) as u64)
}

/// File descriptors open now, without the one that counts them.
pub fn open_fds() -> Option<u64> {
    Some((fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1))
}

/// Resident memory for those who ask often: read at most once per second of the caller's clock.
#[derive(Debug)]
pub struct ResidentCache {
    /// The second of the last read; `u64::MAX` before the first.
    second: AtomicU64,
    bytes: AtomicU64,
}

impl ResidentCache {
    pub const fn new() -> Self {
        Self { second: AtomicU64::new(u64::MAX), bytes: AtomicU64::new(0) }
    }

    /// Resident bytes at that second. Two threads may both read anew; neither waits for the other, and
    /// the loser of that race shows the figure of the second before.
    pub fn at(&self, second: u64) -> u64 {
        if self.second.swap(second, Relaxed) != second {
            self.bytes.store(memory().resident, Relaxed);
        }
        self.bytes.load(Relaxed)
    }
}

impl Default for ResidentCache {
    fn default() -> Self {
        Self::new()
    }
}

fn parse_memory(status: &str) -> Memory {
    let bytes = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        kib.unwrap_or(0).saturating_mul(1024)
    };
    Memory { resident: bytes("VmRSS:"), peak: bytes("VmHWM:") }
}

/// Fields 14, 15 and 22 of proc_pid_stat(5). The second field is the program's name in brackets and may
/// itself hold spaces and brackets, so counting starts behind the last one.
fn parse_times(stat: &str, ticks_per_second: f64) -> Option<Times> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let seconds =
        |number: usize| Some(fields.get(number - 3)?.parse::<u64>().ok()? as f64 / ticks_per_second);
    Some(Times { cpu: seconds(14)? + seconds(15)?, start_after_boot: seconds(22)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "7 (a ) b) S 1 1 1 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 1 0 135144 3133440 387";

    #[test]
    fn memory_is_read_in_bytes() {
        let text = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1732 kB\n";
        assert_eq!(parse_memory(text), Memory { resident: 1732 * 1024, peak: 2048 * 1024 });
    }

    #[test]
    fn a_status_without_figures_reads_as_zero() {
        for text in
            ["", "VmRSS:", "VmRSS:\t kB", "VmRSS:\t-1 kB", "VmRSS: 5 MB", "VmRSS: 99999999999999999999 kB"]
        {
            assert_eq!(parse_memory(text), Memory::default(), "{text:?}");
        }
    }

    #[test]
    fn times_are_found_behind_a_name_with_brackets() {
        assert_eq!(parse_times(STAT, 100.0), Some(Times { cpu: 2.0, start_after_boot: 1351.44 }));
    }

    #[test]
    fn a_stat_cut_short_is_none_and_never_a_panic() {
        let needed = STAT.find(" 3133440").expect("the field after the start time");
        for end in 0..STAT.len() {
            let times = parse_times(&STAT[..end], 100.0);
            assert_eq!(times.is_some(), end > needed - "135144".len(), "cut at {end}");
        }
    }

    #[test]
    fn the_process_that_runs_this_has_figures() {
        let memory = memory();
        assert!(memory.resident > 0 && memory.peak >= memory.resident);
        assert!(open_fds().is_some_and(|n| n > 0));
        assert!(times().is_some_and(|t| t.cpu >= 0.0 && t.start_after_boot > 0.0));
        assert!(start_time().is_some_and(|t| t > 0.0));
        assert!(uptime().is_some_and(|s| s < 24 * 3600));
    }

    #[test]
    fn the_cache_reads_once_per_second() {
        let cache = ResidentCache::new();
        assert!(cache.at(5) > 0);
        cache.bytes.store(1, Relaxed);
        assert_eq!(cache.at(5), 1);
        assert!(cache.at(6) > 1);
    }
}
