//! Events per sliding window: the document's `RateLimiter` (GAT-49), an exact log of what was accepted.

use std::collections::VecDeque;

/// The moments of what was accepted within the window. 8 bytes, and a log on the heap while there is something in it:
/// 4 bytes for each, never for more than the limit (rounded up to a power of two).
///
/// Milliseconds are those of a clock that never goes back; a moment before one seen already is read as that one.
#[derive(Clone, Debug, Default)]
pub struct SlidingWindow(Option<Box<Log>>);

#[derive(Clone, Debug)]
struct Log {
    /// A moment that no entry is later than, and none 2³² ms or more before.
    latest: u64,
    /// The low 32 bits of each moment, oldest first.
    taken: VecDeque<u32>,
}

impl Log {
    fn age(&self, taken: u32, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.latest) + u64::from((self.latest as u32).wrapping_sub(taken))
    }

    fn forget(&mut self, window_ms: u64, now_ms: u64) {
        while self.taken.front().is_some_and(|oldest| self.age(*oldest, now_ms) >= window_ms) {
            self.taken.pop_front();
        }
    }
}

impl SlidingWindow {
    /// Takes one of `limit` places, free again once `window_ms` have passed.
    ///
    /// `false`: none is left, and nothing was taken. A limit of 0 means none, and nothing is logged. A window of 2³² ms
    /// (49 days) or more is read as one of 2³² - 1.
    pub fn try_take(&mut self, limit: u32, window_ms: u64, now_ms: u64) -> bool {
        if limit == 0 {
            return true;
        }
        self.expire(window_ms, now_ms);
        let log = self.0.get_or_insert_with(|| Log { latest: 0, taken: VecDeque::new() }.into());
        let free = log.taken.len() < limit as usize;
        if free {
            log.latest = log.latest.max(now_ms);
            log.taken.push_back(log.latest as u32);
        }
        free
    }

    /// Undoes the newest [`try_take`](Self::try_take) that is still in the window: what was refused for another reason
    /// does not count. Nothing happens when there is none.
    pub fn give_back(&mut self) {
        if let Some(log) = &mut self.0 {
            log.taken.pop_back();
        }
        self.free();
    }

    /// Forgets what has left the window, and the memory of it. [`try_take`](Self::try_take) does so by itself; this is
    /// for holders who are silent.
    pub fn expire(&mut self, window_ms: u64, now_ms: u64) {
        if let Some(log) = &mut self.0 {
            log.forget(window_ms.min(u64::from(u32::MAX)), now_ms);
        }
        self.free();
    }

    /// Whether nothing is logged. What left the window since the last call of another method still is.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn free(&mut self) {
        if self.0.as_ref().is_some_and(|log| log.taken.is_empty()) {
            self.0 = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taken(window: &mut SlidingWindow, tries: u32, limit: u32, now: u64) -> u32 {
        (0..tries).map(|_| u32::from(window.try_take(limit, 60_000, now))).sum()
    }

    #[test]
    fn n_pass_and_n_plus_1_does_not_until_the_oldest_leaves() {
        let mut window = SlidingWindow::default();
        assert_eq!(taken(&mut window, 59, 60, 1000), 59);
        assert_eq!(taken(&mut window, 2, 60, 31_000), 1);
        assert_eq!(taken(&mut window, 5, 60, 60_999), 0);
        assert_eq!(taken(&mut window, 60, 60, 61_000), 59);
        assert_eq!(taken(&mut window, 5, 60, 90_999), 0);
        assert_eq!(taken(&mut window, 5, 60, 91_000), 1);
    }

    #[test]
    fn refused_ones_do_not_count() {
        let mut window = SlidingWindow::default();
        assert_eq!(taken(&mut window, 1, 1, 0), 1);
        for now in (1000..60_000).step_by(1000) {
            assert_eq!(taken(&mut window, 3, 1, now), 0, "{now}");
        }
        assert_eq!(taken(&mut window, 1, 1, 60_000), 1);
    }

    #[test]
    fn no_limit_logs_nothing() {
        let mut window = SlidingWindow::default();
        assert_eq!(taken(&mut window, 1000, 0, 0), 1000);
        assert!(window.is_empty());
    }

    #[test]
    fn the_newest_is_given_back_and_then_it_is_empty() {
        let mut window = SlidingWindow::default();
        window.give_back();
        assert_eq!(taken(&mut window, 1, 2, 0) + taken(&mut window, 1, 2, 30_000), 2);
        window.give_back();
        assert_eq!(taken(&mut window, 2, 2, 59_999), 1);
        assert_eq!(taken(&mut window, 2, 2, 60_000), 1);
        window.give_back();
        window.give_back();
        assert!(window.is_empty());
        window.give_back();
        assert_eq!(taken(&mut window, 3, 2, 60_000), 2);
    }

    #[test]
    fn memory_is_bounded_by_the_limit_and_goes_with_the_last_entry() {
        assert!(size_of::<SlidingWindow>() <= 32);
        let mut window = SlidingWindow::default();
        for now in 0..10_000 {
            window.try_take(100, 150, now);
            let log = window.0.as_ref().expect("there is one");
            assert!(log.taken.len() <= 100 && log.taken.capacity() <= 128);
        }
        window.expire(150, 10_000);
        assert!(!window.is_empty());
        window.expire(150, 20_000);
        assert!(window.is_empty());
    }

    #[test]
    fn extremes() {
        const AGE: u64 = 1 << 32;
        let mut window = SlidingWindow::default();
        // Low bits that wrap, and long silences.
        assert!(window.try_take(1, 10, AGE - 5) && !window.try_take(1, 10, AGE + 4));
        assert!(window.try_take(1, 10, AGE + 5) && window.try_take(1, 10, 5 * AGE + 5));
        assert!(window.try_take(1, u64::MAX, 6 * AGE + 5) && !window.try_take(1, u64::MAX, 7 * AGE + 3));
        assert!(window.try_take(1, u64::MAX, 7 * AGE + 4));
        assert!(window.try_take(1, 0, 7 * AGE + 4), "nothing stays in a window of nothing");
        assert!(window.try_take(2, 10, u64::MAX) && window.try_take(2, 10, u64::MAX));
        assert!(!window.try_take(2, 10, 0), "time does not go back");
    }

    proptest! {
        /// The document's way: a list of all moments, filtered each time.
        #[test]
        fn agrees_with_the_documents_list(
            steps in proptest::collection::vec((0u64..40, 0u8..8), 0..300),
            limit in 1u32..8,
            period in 1u64..100,
            start in prop_oneof![Just(0), Just(u64::from(u32::MAX) - 500), any::<u32>().prop_map(u64::from)],
        ) {
            let (mut window, mut list, mut now) = (SlidingWindow::default(), Vec::new(), start);
            for (step, what) in steps {
                now += step;
                if what == 0 {
                    window.give_back();
                    list.pop();
                    continue;
                }
                list.retain(|at| now - at < period);
                let expected = list.len() < limit as usize;
                if expected {
                    list.push(now);
                }
                prop_assert_eq!(window.try_take(limit, period, now), expected);
                prop_assert_eq!(window.is_empty(), list.is_empty());
            }
        }
    }
}
