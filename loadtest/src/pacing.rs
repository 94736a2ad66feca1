//! When messages are due.
//!
//! Closed loop: as soon as the window has room. Open loop: message n of all publishers is due at
//! `start + n / rate`, whatever the server does, and latency counts from then: a stalled server cannot
//! make the client send less and so hide the stall.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::run::Run;

/// What holds publishers back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pacing {
    /// Closed loop: so many messages of each publisher are not yet at all members.
    Window(u32),
    /// Open loop: messages per second of all publishers together.
    Rate(f64),
}

impl Pacing {
    /// The window of a closed loop.
    pub fn window(self) -> Option<u32> {
        if let Pacing::Window(window) = self { Some(window) } else { None }
    }
}

/// Due times of all messages of an open loop. Publishers take turns, so their messages interleave evenly.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    start_ns: u64,
    interval_ns: f64,
    publishers: u64,
}

impl Schedule {
    /// `rate`: messages per second of all `publishers` together, more than 0.
    pub fn new(start_ns: u64, rate: f64, publishers: u32) -> Schedule {
        Schedule { start_ns, interval_ns: 1e9 / rate, publishers: u64::from(publishers) }
    }

    /// Due time of the run's message `n`. Computed from `n`, not summed up, so errors do not add up.
    pub fn due_ns(&self, n: u64) -> u64 {
        self.start_ns.saturating_add((n as f64 * self.interval_ns) as u64)
    }

    /// Due time of message `seq` of publisher `publisher`.
    pub fn publisher_due_ns(&self, publisher: u32, seq: u64) -> u64 {
        self.due_ns(seq * self.publishers + u64::from(publisher))
    }

    /// How many messages of `publisher` from number `seq` on are due before `end_ns`.
    pub fn remaining(&self, publisher: u32, seq: u64, end_ns: u64) -> u64 {
        let per_turn = self.interval_ns * self.publishers as f64;
        let guess = (end_ns.saturating_sub(self.publisher_due_ns(publisher, seq)) as f64 / per_turn) as u64;
        // Rounding can put the guess off by one either way.
        (guess.saturating_sub(1)..=guess + 2)
            .find(|count| self.publisher_due_ns(publisher, seq + count) >= end_ns)
            .unwrap_or(guess)
    }
}

/// Wakes each publisher when its message is due, from a thread of its own: the runtime's timers round up
/// to a millisecond, which would show up as latency. Dropping it ends the thread.
#[derive(Debug)]
pub struct Metronome {
    _stop: SyncSender<()>,
}

impl Metronome {
    pub fn start(run: Arc<Run>, schedule: Schedule) -> std::io::Result<Metronome> {
        let (stop, stopped) = sync_channel(0);
        std::thread::Builder::new().name("metronome".into()).spawn(move || tick(&run, schedule, &stopped))?;
        Ok(Metronome { _stop: stop })
    }
}

fn tick(run: &Run, schedule: Schedule, stopped: &Receiver<()>) {
    for n in 0.. {
        let due_ns = schedule.due_ns(n);
        if due_ns >= run.span.end_ns() {
            return;
        }
        let wait = run.clock.instant(due_ns).saturating_duration_since(Instant::now());
        // Ends early when the metronome was dropped; a due time in the past needs no system call.
        if !wait.is_zero() && !slept(stopped, wait) {
            return;
        }
        run.flight((n % run.flights.len() as u64) as u32).wake();
    }
}

fn slept(stopped: &Receiver<()>, wait: Duration) -> bool {
    stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishers_take_turns_at_an_even_distance() {
        let schedule = Schedule::new(1_000, 1_000.0, 2);
        let due: Vec<u64> = (0..4).map(|n| schedule.due_ns(n)).collect();
        assert_eq!(due, [1_000, 1_001_000, 2_001_000, 3_001_000]);
        assert_eq!(schedule.publisher_due_ns(0, 1), 2_001_000);
        assert_eq!(schedule.publisher_due_ns(1, 1), 3_001_000);
    }

    #[test]
    fn an_interval_that_is_no_whole_nanosecond_does_not_drift() {
        let schedule = Schedule::new(0, 3.0, 1);
        assert_eq!(schedule.due_ns(1), 333_333_333);
        assert_eq!(schedule.due_ns(3 * 3_600), 3_600_000_000_000);
    }

    #[test]
    fn slow_rates_and_far_numbers_do_not_overflow() {
        assert_eq!(Schedule::new(5, 0.1, 1).due_ns(1), 10_000_000_005);
        assert_eq!(Schedule::new(5, 0.1, 1).due_ns(u64::MAX), u64::MAX);
    }

    #[test]
    fn remaining_agrees_with_counting() {
        for rate in [0.7, 3.0, 1_000.0, 33_333.3] {
            for publishers in [1, 2, 7] {
                let schedule = Schedule::new(123, rate, publishers);
                let end_ns = 123 + 2_000_000_000;
                for publisher in 0..publishers {
                    for seq in [0, 1, 5] {
                        let counted =
                            (seq..).take_while(|&s| schedule.publisher_due_ns(publisher, s) < end_ns).count();
                        let computed = schedule.remaining(publisher, seq, end_ns);
                        assert_eq!(
                            computed, counted as u64,
                            "{rate}/s, {publisher} of {publishers}, from {seq}"
                        );
                    }
                }
            }
        }
    }
}
