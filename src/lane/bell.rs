//! One wake-up per batch: a flag before a costly notification.
//!
//! Producers push first and then [`ring`](Bell::ring); the owner, in this order,
//! 1. resets what woke it (reads its eventfd),
//! 2. [`answer`](Bell::answer)s,
//! 3. drains every queue that the bell stands for,
//! 4. sleeps until notified.
//!
//! Then no push is missed. Every ring and every answer is one atomic exchange of the flag, so they stand
//! in one order, and each of them happens before the ones after it. A ring that stands before an answer
//! has its push seen by the drain behind that answer. A ring that stands after the owner's last answer is
//! either the first, and notifies, or follows the first, which did. Step 1 after step 2 would break it: the
//! owner would swallow a notification whose flag it leaves up, and nobody would notify again.

use std::fmt;
use std::sync::atomic::Ordering::AcqRel;

use crossbeam::utils::CachePadded;

use super::sync::AtomicBool;

/// Wakes one thread, whichever thread calls.
///
/// A notification is remembered: when it comes while the owner is awake, the owner's next sleep ends at
/// once. Several may count as one. It must not block (an eventfd in non-blocking mode, an unpark).
pub trait Notify: Send + Sync {
    /// Ends the owner's sleep, the present one or the next.
    fn notify(&self);
}

/// A notifier that is used once per batch rather than once per push.
pub struct Bell<N> {
    /// Somebody rang since the last answer, and has notified or is about to.
    pending: CachePadded<AtomicBool>,
    notifier: N,
}

impl<N: Notify> Bell<N> {
    /// A bell that nobody has rung.
    pub fn new(notifier: N) -> Self {
        Self { pending: CachePadded::new(AtomicBool::new(false)), notifier }
    }

    /// Tells the owner that something was pushed. To be called after the push, by any thread.
    ///
    /// Costs one atomic exchange; notifies only if nobody rang since the owner's last answer.
    pub fn ring(&self) {
        // An exchange, even when the flag is up: it is what orders this thread's push before the answer.
        if !self.pending.swap(true, AcqRel) {
            self.notifier.notify();
        }
    }

    /// Says that the owner is about to drain. To be called by the owner alone, after it reset the notifier
    /// and before it drains.
    pub fn answer(&self) {
        self.pending.swap(false, AcqRel);
    }

    /// What the bell notifies with: the owner sleeps on it.
    pub fn notifier(&self) -> &N {
        &self.notifier
    }
}

impl<N> fmt::Debug for Bell<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Notify for Count {
        fn notify(&self) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn rings_before_an_answer_notify_once() {
        let bell = Bell::new(Count::default());
        for _ in 0..3 {
            bell.ring();
        }
        assert_eq!(bell.notifier().0.load(Relaxed), 1);
        bell.answer();
        assert_eq!(bell.notifier().0.load(Relaxed), 1, "an answer notifies nobody");
        bell.ring();
        assert_eq!(bell.notifier().0.load(Relaxed), 2);
    }
}
