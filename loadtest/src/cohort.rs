//! A known number of tasks that each report once: done, or failed.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;

/// Counts reports; one task waits for them.
#[derive(Debug)]
pub struct Cohort {
    expected: u32,
    done: AtomicU32,
    failed: AtomicU32,
    changed: Notify,
}

impl Cohort {
    pub fn of(expected: u32) -> Cohort {
        Cohort { expected, done: AtomicU32::new(0), failed: AtomicU32::new(0), changed: Notify::new() }
    }

    pub fn report(&self, success: bool) {
        let count = if success { &self.done } else { &self.failed };
        count.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_one();
    }

    pub fn done(&self) -> u32 {
        self.done.load(Ordering::SeqCst)
    }

    /// All have reported success.
    pub fn all_done(&self) -> bool {
        self.done() == self.expected
    }

    fn failed(&self) -> u32 {
        self.failed.load(Ordering::SeqCst)
    }

    /// Waits for all reports, or only until the first failure if `stop_at_failure`.
    pub async fn complete(&self, stop_at_failure: bool) {
        while self.done() + self.failed() < self.expected && !(stop_at_failure && self.failed() > 0) {
            self.changed.notified().await;
        }
    }
}
