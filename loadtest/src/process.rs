//! What Linux says in /proc about the server's processes and about this one.

use std::fs;

/// CPU time of the server; ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    pub user_ns: u64,
    pub system_ns: u64,
}

impl Cpu {
    pub fn total_ns(&self) -> u64 {
        self.user_ns + self.system_ns
    }

    /// What was spent since `earlier`.
    pub fn since(&self, earlier: Cpu) -> Cpu {
        Cpu {
            user_ns: self.user_ns.saturating_sub(earlier.user_ns),
            system_ns: self.system_ns.saturating_sub(earlier.system_ns),
        }
    }
}

/// Reads the server's processes, all added up.
#[derive(Clone, Debug)]
pub struct Probe {
    pids: Vec<u32>,
    tick_ns: u64,
}

impl Probe {
    /// Of these processes. Errors: one does not exist or may not be read by this user.
    pub fn new(pids: &[u32]) -> Result<Probe, String> {
        let probe = Probe { pids: pids.to_vec(), tick_ns: tick_ns() };
        probe.cpu()?;
        probe.pss_bytes()?;
        Ok(probe)
    }

    /// User and system time so far, of all threads; a clock tick (10 ms) exact.
    pub fn cpu(&self) -> Result<Cpu, String> {
        let mut sum = Cpu::default();
        for pid in &self.pids {
            let path = format!("/proc/{pid}/stat");
            let (user, system) = ticks(&read(&path)?).ok_or_else(|| format!("{path}: not understood"))?;
            sum.user_ns += user * self.tick_ns;
            sum.system_ns += system * self.tick_ns;
        }
        Ok(sum)
    }

    /// Memory now: proportional set size, so pages shared by processes count once; bytes.
    pub fn pss_bytes(&self) -> Result<u64, String> {
        let mut sum = 0;
        for pid in &self.pids {
            let path = format!("/proc/{pid}/smaps_rollup");
            sum += pss(&read(&path)?).ok_or_else(|| format!("{path}: no line `Pss:`"))?;
        }
        Ok(sum)
    }
}

/// How many files this process may have open; `None` if that is unknown or unlimited.
pub fn open_files_limit() -> Option<u64> {
    files_limit(&read("/proc/self/limits").ok()?)
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

/// utime and stime, fields 14 and 15 of proc_pid_stat(5). The name in field 2 may hold spaces and parentheses.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn pss(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

fn files_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Length of a clock tick, from the vector the kernel hands every process (AT_CLKTCK of getauxval(3)).
fn tick_ns() -> u64 {
    const AT_CLKTCK: usize = 17;
    const WORD: usize = size_of::<usize>();
    let word = |bytes: &[u8]| bytes.try_into().map(usize::from_ne_bytes).unwrap_or(0);
    let per_second = fs::read("/proc/self/auxv")
        .unwrap_or_default()
        .chunks_exact(2 * WORD)
        .find(|pair| word(&pair[..WORD]) == AT_CLKTCK)
        .map_or(0, |pair| word(&pair[WORD..]) as u64);
    // 100 on every Linux of today, should the vector be hidden.
    1_000_000_000 / if per_second == 0 { 100 } else { per_second }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_times_behind_a_hostile_process_name() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 111 222 0 0 20 0 1 0 100";
        assert_eq!(ticks(stat), Some((111, 222)));
        let (head, _) = stat.split_at(stat.find("222").expect("there"));
        for end in 0..head.len() {
            assert_eq!(ticks(&head[..end]), None, "truncated at {end}");
        }
    }

    #[test]
    fn finds_memory_and_limits() {
        assert_eq!(
            pss("00400000-7fff ---p 0 00:00 0 [rollup]\nRss: 9 kB\nPss:      1234 kB\n"),
            Some(1234 * 1024)
        );
        assert_eq!(pss("Pss_Anon: 5 kB\n"), None);
        assert_eq!(files_limit("Limit Soft Hard\nMax open files   20000   30000   files\n"), Some(20000));
        assert_eq!(files_limit("Max open files   unlimited   unlimited   files\n"), None);
    }

    #[test]
    fn reads_this_process_and_refuses_one_that_is_not_there() {
        let probe = Probe::new(&[std::process::id()]).expect("own process");
        assert!(probe.pss_bytes().expect("readable") > 0);
        assert!((1_000..=1_000_000_000).contains(&probe.tick_ns));
        let one = probe.pss_bytes().expect("readable");
        let twice = Probe::new(&[std::process::id(); 2]).expect("own process").pss_bytes().expect("readable");
        assert!(twice > one + one / 2, "processes are added up");
        assert!(Probe::new(&[u32::MAX]).expect_err("no such process").contains("4294967295"));
    }
}
