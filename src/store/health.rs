//! How the store is: whether it can write, and its figures.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::client::Desk;
use crate::telemetry::metric::{BOUNDS, Counter, Gauge, Histogram, Scale};

/// A request that waits for longer means that the disk hangs.
const PATIENCE: Duration = Duration::from_secs(5);

/// From a commit into memory to one that waits for a disk in trouble.
#[derive(Debug, Default)]
pub struct Commits;

impl Scale for Commits {
    const BOUNDS_US: [u64; BOUNDS] =
        [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 2_500_000];
}

/// What the writer's thread says of itself. Whoever asks reads atomics; the text of a fault lies behind a lock that
/// is touched while there is one.
#[derive(Debug)]
pub struct Health {
    /// Commits that were durable.
    pub commits: Counter,
    /// Changes in them.
    pub rows: Counter,
    /// Commits that failed.
    pub failed: Counter,
    /// How long commits took, those that failed too.
    pub seconds: Histogram<Commits>,
    /// Bytes of the database and its log on disk.
    pub file_bytes: Gauge,
    /// When the oldest request of the work at hand was handed over, in milliseconds since `start`, plus one; 0: the
    /// writer has nothing to do.
    busy_since: AtomicU64,
    faulty: AtomicBool,
    reason: Mutex<Option<String>>,
    start: Instant,
    desks: Vec<Arc<Desk>>,
}

impl Health {
    pub(super) fn new(desks: Vec<Arc<Desk>>, start: Instant) -> Self {
        Self {
            commits: Counter::default(),
            rows: Counter::default(),
            failed: Counter::default(),
            seconds: Histogram::default(),
            file_bytes: Gauge::default(),
            busy_since: AtomicU64::new(0),
            faulty: AtomicBool::new(false),
            reason: Mutex::new(None),
            start,
            desks,
        }
    }

    /// Why what has to be durable should be refused now; `None`: it need not be.
    pub fn fault(&self) -> Option<String> {
        if self.faulty.load(Relaxed) {
            let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
            return Some(reason.clone().unwrap_or_else(|| "the last commit failed".into()));
        }
        let since = self.busy_since.load(Relaxed).checked_sub(1)?;
        let waited = self.start.elapsed().saturating_sub(Duration::from_millis(since));
        (waited > PATIENCE).then(|| format!("the disk has been at work for {} s", waited.as_secs()))
    }

    /// Requests that wait for one of the two threads.
    pub fn waiting(&self) -> usize {
        self.desks.iter().map(|desk| desk.writes.len() + desk.reads.len()).sum()
    }

    /// Milliseconds on the clock that requests are stamped with.
    pub(super) fn now_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    /// The writer is at work on what was handed over then.
    pub(super) fn busy(&self, since_ms: u64) {
        self.busy_since.store(since_ms + 1, Relaxed);
    }

    pub(super) fn idle(&self) {
        self.busy_since.store(0, Relaxed);
    }

    pub(super) fn is_faulty(&self) -> bool {
        self.faulty.load(Relaxed)
    }

    /// The last commit failed; whether that is news.
    pub(super) fn fell_ill(&self, why: &str) -> bool {
        let mut reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        let news = reason.as_deref() != Some(why);
        if news {
            *reason = Some(why.to_owned());
        }
        self.faulty.store(true, Relaxed);
        news
    }

    /// The last commit went well; whether that is news.
    pub(super) fn is_well(&self) -> bool {
        if !self.is_faulty() {
            return false;
        }
        self.faulty.store(false, Relaxed);
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).take();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_commit_is_a_fault_until_one_succeeds_and_is_news_once() {
        let health = Health::new(Vec::new(), Instant::now());
        assert_eq!(health.fault(), None);
        assert!(health.fell_ill("disk full") && !health.fell_ill("disk full") && health.fell_ill("gone"));
        assert_eq!(health.fault().as_deref(), Some("gone"));
        assert!(health.is_well() && !health.is_well());
        assert_eq!(health.fault(), None);
        assert!(health.fell_ill("gone"), "it is news again");
    }

    #[test]
    fn a_request_that_waits_too_long_is_a_fault() {
        let ago = Instant::now().checked_sub(Duration::from_secs(60)).expect("the machine runs for longer");
        let health = Health::new(Vec::new(), ago);
        health.busy(56_000);
        assert_eq!(health.fault(), None);
        health.busy(54_000);
        assert!(health.fault().is_some_and(|why| why.contains("for 6 s")));
        health.idle();
        assert_eq!(health.fault(), None);
    }
}
