//! One timer wheel per shard: a connection costs an entry of eight bytes and no timer of its own.
//!
//! Entries are keys with a tick; whoever takes one out decides whether it still counts. Ticks are coarse
//! ([`TICK_MS`]): heartbeats and timeouts are late by at most one.

/// Milliseconds of one tick. Finer than any configured duration needs to be, and coarse enough that ten
/// thousand connections wake a shard at most sixteen times a second.
pub const TICK_MS: u64 = 64;

/// Slots of the wheel: 65 s ahead. What is due later waits in the last slot and is put in again.
const SLOTS: usize = 1024;

/// What a slot holds: a place in the slab and its generation.
pub type Entry = (u32, u16);

/// A hashed wheel.
#[derive(Debug)]
pub struct Wheel {
    slots: Vec<Vec<Entry>>,
    /// The tick that was taken out last.
    at: u64,
    /// No entry comes out before this tick.
    next: u64,
    entries: usize,
}

impl Wheel {
    /// A wheel that starts at that moment.
    pub fn new(now_ms: u64) -> Self {
        let slots = (0..SLOTS).map(|_| Vec::new()).collect();
        Self { slots, at: now_ms / TICK_MS, next: u64::MAX, entries: 0 }
    }

    /// Puts an entry in and returns the tick at which it comes out: the first one not before `due_ms`.
    pub fn insert(&mut self, entry: Entry, due_ms: u64, now_ms: u64) -> u64 {
        if self.entries == 0 {
            // Nobody turned it while it was empty.
            self.at = self.at.max(now_ms / TICK_MS);
        }
        let tick = due_ms.div_ceil(TICK_MS).clamp(self.at + 1, self.at + SLOTS as u64 - 1);
        self.slots[tick as usize % SLOTS].push(entry);
        self.entries += 1;
        self.next = self.next.min(tick);
        tick
    }

    /// Takes out all that is due by `now_ms`, each with its tick.
    pub fn take_due(&mut self, now_ms: u64, mut take: impl FnMut(u64, Entry)) {
        let now = now_ms / TICK_MS;
        // More than one round behind: every slot is due once.
        let first = self.at.max(now.saturating_sub(SLOTS as u64)) + 1;
        for tick in first..=now {
            let mut slot = std::mem::take(&mut self.slots[tick as usize % SLOTS]);
            self.entries -= slot.len();
            slot.drain(..).for_each(|entry| take(tick, entry));
            if slot.capacity() <= 64 {
                self.slots[tick as usize % SLOTS] = slot;
            }
        }
        self.at = self.at.max(now);
        if self.next <= self.at {
            let ahead = (1..=SLOTS as u64).find(|d| !self.slots[(self.at + d) as usize % SLOTS].is_empty());
            self.next = ahead.map_or(u64::MAX, |d| self.at + d);
        }
    }

    /// When the next entry comes out, in milliseconds; `None`: there is none, and nobody need wake.
    pub fn next_ms(&self) -> Option<u64> {
        (self.entries > 0).then(|| self.next * TICK_MS)
    }

    pub fn len(&self) -> usize {
        self.entries
    }

    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_wheel_wakes_nobody() {
        let mut wheel = Wheel::new(5000);
        assert_eq!(wheel.next_ms(), None);
        wheel.insert((1, 0), 6000, 5000);
        let at = wheel.next_ms().expect("one entry");
        assert!((6000..6000 + TICK_MS).contains(&at));
        let mut seen = Vec::new();
        wheel.take_due(at, |_, e| seen.push(e));
        assert_eq!((seen, wheel.next_ms()), (vec![(1, 0)], None));
    }

    #[test]
    fn a_wheel_that_stood_still_forgets_nothing() {
        let mut wheel = Wheel::new(0);
        let late = 10 * SLOTS as u64 * TICK_MS;
        let tick = wheel.insert((1, 0), late + 1000, late);
        assert!(tick * TICK_MS >= late + 1000);
        let mut seen = Vec::new();
        // A pause of the whole process: many rounds are taken at once.
        wheel.take_due(late * 3, |_, e| seen.push(e));
        assert_eq!((seen, wheel.is_empty()), (vec![(1, 0)], true));
    }

    proptest! {
        /// Never early, never later than a tick (within the wheel's reach), never lost.
        #[test]
        fn entries_come_out_when_due(
            start in 0u64..1_000_000,
            delays in proptest::collection::vec(0u64..60_000, 1..50),
            steps in proptest::collection::vec(1u64..20_000, 1..60),
        ) {
            let mut wheel = Wheel::new(start);
            for (n, delay) in delays.iter().enumerate() {
                wheel.insert((n as u32, 0), start + delay, start);
            }
            let mut now = start;
            let mut out = vec![None; delays.len()];
            for step in steps {
                let before = now;
                now += step;
                wheel.take_due(now, |_, (n, _)| out[n as usize] = Some((before, now)));
            }
            for (n, seen) in out.iter().enumerate() {
                let due = start + delays[n];
                match seen {
                    Some((before, at)) => {
                        prop_assert!(*at >= due);
                        prop_assert!(*before < due + 2 * TICK_MS);
                    }
                    None => prop_assert!(now < due + 2 * TICK_MS),
                }
            }
        }
    }
}
