//! What one publisher has under way: which of its messages have not yet reached all members.
//!
//! A message is in flight until its last copy has settled; each copy settles once, by arriving or by being
//! overtaken. Copies are counted in as many slots as messages may be in flight, message n in slot
//! `n % slots`. Receivers that get messages in order finish them in order, so no two unfinished messages
//! share a slot. Where a server mixes up the order, or with one slot (open loop), two may: then single
//! messages finish early or late, but all are finished exactly when all copies have settled.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// Shared by a publisher and the receivers of its room, on whatever threads they run.
#[derive(Debug)]
pub struct Flight {
    members: u64,
    sent: AtomicU64,
    /// Copies that have settled, by slot; never reset, a multiple of `members` when nothing is unfinished.
    copies: Box<[AtomicU64]>,
    finished: AtomicU64,
    wake_at: AtomicU64,
    wake: Notify,
}

impl Flight {
    /// Of a publisher that has at most `slots` messages under way to `members` receivers; both at least 1.
    pub fn new(members: u32, slots: u32) -> Flight {
        Flight {
            members: u64::from(members),
            sent: AtomicU64::new(0),
            copies: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            finished: AtomicU64::new(0),
            wake_at: AtomicU64::new(u64::MAX),
            wake: Notify::new(),
        }
    }

    /// Messages handed to the socket.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// Counts one more message; called before it is written, so no receiver can be ahead of it.
    pub fn count_sent(&self) {
        self.sent.fetch_add(1, Ordering::SeqCst);
    }

    /// Called by a receiver for its copies of `count` messages from number `first` on.
    pub fn settle(&self, first: u64, count: u64) {
        for seq in first..first + count {
            let slot = &self.copies[(seq % self.copies.len() as u64) as usize];
            if (slot.fetch_add(1, Ordering::SeqCst) + 1).is_multiple_of(self.members) {
                self.finish_one();
            }
        }
    }

    fn finish_one(&self) {
        let finished = self.finished.fetch_add(1, Ordering::SeqCst) + 1;
        // The waiter stores `wake_at` before it looks at `finished`: one of both sees the other.
        if finished >= self.wake_at.load(Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    /// Messages not yet at all members.
    pub fn in_flight(&self) -> u64 {
        self.sent() - self.finished.load(Ordering::SeqCst)
    }

    /// Waits until at most `messages` are in flight; false if that took longer than `limit`.
    pub async fn falls_to(&self, messages: u64, limit: Duration) -> bool {
        let target = self.sent().saturating_sub(messages);
        self.wake_at.store(target, Ordering::SeqCst);
        let fallen = async {
            while self.finished.load(Ordering::SeqCst) < target {
                self.wake.notified().await;
            }
        };
        let in_time = tokio::time::timeout(limit, fallen).await.is_ok();
        self.wake_at.store(u64::MAX, Ordering::SeqCst);
        in_time
    }

    /// Wakes the publisher to look at the clock again.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Until somebody wakes the publisher; may return at once for an earlier wake.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("runtime").block_on(future)
    }

    fn after_sending(messages: u32, members: u32, slots: u32) -> Flight {
        let flight = Flight::new(members, slots);
        (0..messages).for_each(|_| flight.count_sent());
        flight
    }

    #[test]
    fn a_message_is_in_flight_until_its_last_copy_settled() {
        let flight = after_sending(2, 3, 2);
        assert_eq!(flight.in_flight(), 2);
        // Two members have both messages, the third has none.
        flight.settle(0, 2);
        flight.settle(0, 2);
        assert_eq!(flight.in_flight(), 2);
        flight.settle(0, 1);
        assert_eq!(flight.in_flight(), 1);
        flight.settle(1, 1);
        assert_eq!(flight.in_flight(), 0);
    }

    #[test]
    fn one_slot_finishes_all_when_all_copies_settled() {
        let flight = after_sending(100, 3, 1);
        for seq in 0..99 {
            (0..3).for_each(|_| flight.settle(seq, 1));
        }
        flight.settle(99, 1);
        flight.settle(99, 1);
        assert_eq!(flight.in_flight(), 1);
        flight.settle(99, 1);
        assert_eq!(flight.in_flight(), 0);
    }

    #[test]
    fn waits_for_exactly_the_copies_it_needs() {
        let flight = after_sending(2, 2, 2);
        let short = Duration::from_millis(5);
        assert!(run(flight.falls_to(2, short)), "nothing to wait for");
        assert!(!run(flight.falls_to(1, short)), "two copies missing");
        flight.settle(0, 1);
        flight.settle(1, 1);
        assert!(!run(flight.falls_to(1, short)), "the other member's copy missing");
        flight.settle(0, 1);
        assert!(run(flight.falls_to(1, short)));
        assert!(!run(flight.falls_to(0, short)));
    }

    #[test]
    fn a_settled_copy_wakes_a_waiting_publisher() {
        let flight = after_sending(1, 1, 1);
        let long = Duration::from_secs(60);
        let (fallen, ()) =
            run(async { tokio::join!(flight.falls_to(0, long), async { flight.settle(0, 1) }) });
        assert!(fallen);
    }
}
