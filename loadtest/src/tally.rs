//! What one client thread counts; the threads' tallies are merged at the end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;

/// Longest time a histogram tells apart; longer ones count as this one.
const MAX_NS: u64 = 2 * 3600 * 1_000_000_000;
/// Different error texts kept; the rest is only counted.
const MAX_REASONS: usize = 8;

/// Counters and histograms of one thread.
#[derive(Clone, Debug)]
pub struct Tally {
    /// From when a message was due to when a member had it, for messages due in the measured span; ns.
    pub latency: Histogram<u64>,
    /// From the first SYN to the upgraded connection; ns.
    pub setup: Histogram<u64>,
    /// How much later than due the client itself sent, in open loop; ns.
    pub send_lag: Histogram<u64>,
    /// Clock at the end of the last setup; ns.
    pub last_setup_ns: u64,
    /// Messages handed to sockets.
    pub sent: u64,
    /// Messages of an open loop that were due and could not be sent in time.
    pub unsent: u64,
    /// First arrivals of a message at a member, from the first to the last.
    pub deliveries: u64,
    /// Those of them that arrived in the measured span.
    pub measured: u64,
    pub lost: u64,
    pub doubled: u64,
    pub disordered: u64,
    /// Messages in a room where their publisher does not publish.
    pub misrouted: u64,
    /// Messages of other clients in our rooms; no fault.
    pub foreign: u64,
    pub errors: u64,
    /// How often each of the first [`MAX_REASONS`] error texts occurred.
    pub reasons: BTreeMap<String, u64>,
}

impl Tally {
    pub fn new() -> Tally {
        let histogram =
            || Histogram::new_with_bounds(1, MAX_NS, 3).expect("1 <= MAX_NS / 2 and 3 digits are valid");
        Tally {
            latency: histogram(),
            setup: histogram(),
            send_lag: histogram(),
            last_setup_ns: 0,
            sent: 0,
            unsent: 0,
            deliveries: 0,
            measured: 0,
            lost: 0,
            doubled: 0,
            disordered: 0,
            misrouted: 0,
            foreign: 0,
            errors: 0,
            reasons: BTreeMap::new(),
        }
    }

    /// Counts an error and keeps its text if there is room.
    pub fn error(&mut self, reason: impl Into<String>) {
        self.errors += 1;
        self.reason(reason.into(), 1);
    }

    fn reason(&mut self, reason: String, times: u64) {
        if self.reasons.len() < MAX_REASONS || self.reasons.contains_key(&reason) {
            *self.reasons.entry(reason).or_default() += times;
        }
    }

    /// Adds another thread's figures.
    pub fn merge(&mut self, other: &Tally) {
        for (mine, theirs) in [
            (&mut self.latency, &other.latency),
            (&mut self.setup, &other.setup),
            (&mut self.send_lag, &other.send_lag),
        ] {
            mine.add(theirs).expect("histograms of the same bounds");
        }
        self.last_setup_ns = self.last_setup_ns.max(other.last_setup_ns);
        for (mine, theirs) in [
            (&mut self.sent, other.sent),
            (&mut self.unsent, other.unsent),
            (&mut self.deliveries, other.deliveries),
            (&mut self.measured, other.measured),
            (&mut self.lost, other.lost),
            (&mut self.doubled, other.doubled),
            (&mut self.disordered, other.disordered),
            (&mut self.misrouted, other.misrouted),
            (&mut self.foreign, other.foreign),
            (&mut self.errors, other.errors),
        ] {
            *mine += theirs;
        }
        for (reason, times) in &other.reasons {
            self.reason(reason.clone(), *times);
        }
    }
}

/// A thread's tally, shared by the connections of that thread; only the progress bar looks in from outside,
/// so the lock is free nearly always.
#[derive(Clone, Debug)]
pub struct SharedTally(Arc<Mutex<Tally>>);

impl SharedTally {
    pub fn new() -> SharedTally {
        SharedTally(Arc::new(Mutex::new(Tally::new())))
    }

    pub fn lock(&self) -> MutexGuard<'_, Tally> {
        // Counters stay usable whatever panicked beside them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_adds_counts_and_samples() {
        let (mut one, mut two) = (Tally::new(), Tally::new());
        one.lost = 1;
        one.latency.saturating_record(10);
        one.error("refused");
        two.lost = 2;
        two.last_setup_ns = 7;
        two.latency.saturating_record(30);
        two.error("refused");
        two.error("reset");
        one.merge(&two);
        assert_eq!((one.lost, one.errors, one.last_setup_ns, one.latency.len()), (3, 3, 7, 2));
        assert_eq!((one.reasons["refused"], one.reasons["reset"]), (2, 1));
    }

    #[test]
    fn keeps_a_bounded_number_of_reasons() {
        let mut tally = Tally::new();
        for n in 0..100 {
            tally.error(format!("reason {n}"));
        }
        assert_eq!((tally.errors, tally.reasons.len()), (100, MAX_REASONS));
    }
}
