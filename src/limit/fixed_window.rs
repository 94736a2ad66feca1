//! Events per fixed window: the document's `RateLimiter` (TUS-71), one small counter per holder.

/// A count that starts anew when the number of the window, `floor(now / period)`, rises. 8 bytes.
///
/// Invariant: the number never falls. A clock that goes back finds the window it left, with what was taken from it;
/// so no to and fro of the clock grants more. The price is that after a jump ahead and back the count stays until
/// time has caught up: hand in seconds that do not jump (those of the boot plus the monotonic ones since).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FixedWindow {
    /// Numbers beyond 32 bits are held back at the last one: with seconds for windows, in the year 2106.
    window: u32,
    count: u32,
}

impl FixedWindow {
    /// Takes one of `limit` places in the window of `period_secs` seconds that `now_secs` is in.
    ///
    /// `false`: none is left, and nothing was taken. A limit of 0 means none, and does not count; a period of 0 is
    /// read as 1 second.
    pub fn try_take(&mut self, limit: u32, period_secs: u32, now_secs: u64) -> bool {
        if limit == 0 {
            return true;
        }
        let window = u32::try_from(now_secs / u64::from(period_secs.max(1))).unwrap_or(u32::MAX);
        if window > self.window {
            *self = Self { window, count: 0 };
        }
        let free = self.count < limit;
        self.count += u32::from(free);
        free
    }

    /// Undoes one [`try_take`](Self::try_take): what was refused for another reason does not count. Meant for the same
    /// turn of the loop; later it gives back a place of the newest window. Never below none taken.
    pub fn give_back(&mut self) {
        self.count = self.count.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taken(window: &mut FixedWindow, tries: u32, limit: u32, now: u64) -> u32 {
        (0..tries).map(|_| u32::from(window.try_take(limit, 60, now))).sum()
    }

    #[test]
    fn n_pass_and_n_plus_1_does_not_until_the_window_ends() {
        let mut window = FixedWindow::default();
        assert_eq!(taken(&mut window, 101, 100, 120), 100);
        assert_eq!(taken(&mut window, 5, 100, 179), 0);
        assert_eq!(taken(&mut window, 101, 100, 180), 100);
        assert_eq!(taken(&mut window, 101, 100, 60 * 1_000_000), 100);
    }

    #[test]
    fn no_limit_does_not_count() {
        let mut window = FixedWindow::default();
        assert_eq!(taken(&mut window, 1000, 0, 0), 1000);
        assert_eq!(taken(&mut window, 6, 5, 0), 5);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let mut window = FixedWindow::default();
        window.give_back();
        assert_eq!(taken(&mut window, 6, 5, 0), 5);
        window.give_back();
        assert_eq!(taken(&mut window, 6, 5, 0), 1);
    }

    #[test]
    fn a_clock_going_back_and_forth_grants_nothing() {
        let mut window = FixedWindow::default();
        assert_eq!(taken(&mut window, 6, 5, 600), 5);
        for now in [599, 600, 0, 659, 540, 600] {
            assert_eq!(taken(&mut window, 6, 5, now), 0, "{now}");
        }
        assert_eq!(taken(&mut window, 6, 5, 660), 5);
    }

    #[test]
    fn extremes() {
        let mut window = FixedWindow::default();
        assert!(window.try_take(1, 0, u64::MAX) && !window.try_take(1, 0, u64::MAX));
        assert!(window.try_take(u32::MAX, u32::MAX, 0));
        assert_eq!(size_of::<FixedWindow>(), 8);
    }

    proptest! {
        /// The slow way: a table of all windows, as the document has it; equal while time does not go back.
        #[test]
        fn agrees_with_the_documents_table(steps in proptest::collection::vec(0u64..30, 0..200), limit in 1u32..8, period in 1u32..50) {
            let (mut window, mut table, mut now) = (FixedWindow::default(), std::collections::HashMap::new(), 0);
            for step in steps {
                now += step;
                let count: &mut u32 = table.entry(now / u64::from(period)).or_default();
                let expected = *count < limit;
                *count += u32::from(expected);
                prop_assert_eq!(window.try_take(limit, period, now), expected);
            }
        }

        /// However the clock jumps, never more than the limit for each new window on the way up.
        #[test]
        fn jumps_grant_at_most_one_window_per_rise(times in proptest::collection::vec(0u64..500, 1..300), limit in 1u32..5) {
            let mut window = FixedWindow::default();
            let granted = times.iter().filter(|now| window.try_take(limit, 10, **now)).count();
            let mut highest = 0;
            let rises = 1 + times.iter().filter(|now| { let w = **now / 10; let up = w > highest; highest = highest.max(w); up }).count();
            prop_assert!(granted <= rises * limit as usize);
        }
    }
}
