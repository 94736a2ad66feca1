//! What found its lane full and waits for room, in order, for each target shard.
//!
//! Invariants: the items of one target leave in the order they came, and a newer one never overtakes one
//! that waits. The shard that owns a backlog makes no new items of its class while it is not empty (the
//! rules stand in the [module's description](super)), so it never holds more than one step of work made.

use std::collections::VecDeque;

/// Items of one class that wait for room in their lanes.
#[derive(Debug)]
pub struct Backlog<T> {
    /// By target.
    queues: Vec<VecDeque<T>>,
    total: usize,
    bound: usize,
    over_bound: u64,
    high_water: usize,
}

impl<T> Backlog<T> {
    /// An empty backlog for `targets` shards.
    ///
    /// `bound` is in items over all targets: the most that one step of the owner's work can make. The rules
    /// keep the backlog within it; an item above it is a mistake of the program, which a debug build
    /// refuses by panicking. A release build keeps the item (to lose it would break an order) and counts it
    /// in [`over_bound`](Self::over_bound). No memory is taken before the first item waits.
    pub fn new(targets: usize, bound: usize) -> Self {
        let queues = (0..targets).map(|_| VecDeque::new()).collect();
        Self { queues, total: 0, bound, over_bound: 0, high_water: 0 }
    }

    /// Pushes `item` with `push`, or keeps it: behind those that wait for shard `to`, or because `push`
    /// gave it back. Says whether it went out.
    ///
    /// # Panics
    /// When `to` is not one of the targets.
    pub fn push_or_keep(&mut self, to: usize, item: T, push: impl FnOnce(usize, T) -> Result<(), T>) -> bool {
        let item = if self.queues[to].is_empty() {
            match push(to, item) {
                Ok(()) => return true,
                Err(item) => item,
            }
        } else {
            item
        };
        self.keep(to, item);
        false
    }

    /// Queues `item` for shard `to` without trying to push it.
    ///
    /// # Panics
    /// When `to` is not one of the targets.
    pub fn keep(&mut self, to: usize, item: T) {
        self.queues[to].push_back(item);
        self.total += 1;
        self.high_water = self.high_water.max(self.total);
        if self.total > self.bound {
            self.over_bound += 1;
            debug_assert!(false, "backlog of {} items is above its bound of {}", self.total, self.bound);
        }
    }

    /// Pushes what waits with `push`, each target's items in order and until its first refusal. Says how
    /// many went out.
    pub fn drain(&mut self, mut push: impl FnMut(usize, T) -> Result<(), T>) -> usize {
        let before = self.total;
        if before == 0 {
            return 0;
        }
        for (to, queue) in self.queues.iter_mut().enumerate() {
            while let Some(item) = queue.pop_front() {
                // Before the push, so that the count stays true if it panics.
                self.total -= 1;
                if let Err(item) = push(to, item) {
                    queue.push_front(item);
                    self.total += 1;
                    break;
                }
            }
        }
        before - self.total
    }

    /// Takes the oldest item that waits for shard `to`: what waits for oneself takes no lane.
    pub fn pop(&mut self, to: usize) -> Option<T> {
        let item = self.queues.get_mut(to)?.pop_front()?;
        self.total -= 1;
        Some(item)
    }

    /// Whether nothing waits for shard `to`. True for a shard that is not one of the targets.
    pub fn is_empty(&self, to: usize) -> bool {
        self.queues.get(to).is_none_or(VecDeque::is_empty)
    }

    /// The items that wait, over all targets.
    pub fn total(&self) -> usize {
        self.total
    }

    /// The most items that ever waited at once.
    pub fn high_water(&self) -> usize {
        self.high_water
    }

    /// How many items were kept above the bound: 0 in a correct program.
    pub fn over_bound(&self) -> u64 {
        self.over_bound
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lanes that take `room[to]` more items.
    struct Lanes {
        room: Vec<usize>,
        passed: Vec<Vec<u32>>,
    }

    impl Lanes {
        fn new(room: &[usize]) -> Self {
            Self { room: room.to_vec(), passed: vec![Vec::new(); room.len()] }
        }

        fn push(&mut self, to: usize, item: u32) -> Result<(), u32> {
            if self.room[to] == 0 {
                return Err(item);
            }
            self.room[to] -= 1;
            self.passed[to].push(item);
            Ok(())
        }
    }

    #[test]
    fn a_new_item_queues_behind_those_that_wait() {
        let (mut backlog, mut lanes) = (Backlog::new(2, 8), Lanes::new(&[1, 9]));
        assert!(backlog.push_or_keep(0, 1, |to, item| lanes.push(to, item)));
        assert!(!backlog.push_or_keep(0, 2, |to, item| lanes.push(to, item)));
        lanes.room[0] = 9;
        assert!(!backlog.push_or_keep(0, 3, |_, _| panic!("must not overtake")));
        assert!(backlog.push_or_keep(1, 4, |to, item| lanes.push(to, item)), "other targets go on");
        assert_eq!((backlog.is_empty(0), backlog.is_empty(1), backlog.is_empty(2)), (false, true, true));
        assert_eq!(backlog.drain(|to, item| lanes.push(to, item)), 2);
        assert_eq!(lanes.passed, [vec![1, 2, 3], vec![4]]);
        assert_eq!((backlog.total(), backlog.high_water(), backlog.over_bound()), (0, 2, 0));
    }

    #[test]
    fn drain_stops_at_the_first_refusal_of_each_target() {
        let (mut backlog, mut lanes) = (Backlog::new(3, 9), Lanes::new(&[1, 0, 3]));
        for item in 0..9 {
            backlog.keep(item as usize % 3, item);
        }
        assert_eq!(backlog.drain(|to, item| lanes.push(to, item)), 4);
        assert_eq!(lanes.passed, [vec![0], vec![], vec![2, 5, 8]]);
        assert_eq!((backlog.pop(1), backlog.pop(2), backlog.pop(3)), (Some(1), None, None));
        assert_eq!(backlog.total(), 4);
    }

    #[cfg(debug_assertions)]
    #[test]
    #[should_panic(expected = "backlog of 3 items is above its bound of 2")]
    fn one_above_the_bound_is_a_mistake() {
        let mut backlog = Backlog::new(2, 2);
        for item in 0..3 {
            assert_eq!(backlog.over_bound(), 0, "the bound itself is fine");
            backlog.keep(item % 2, item);
        }
    }

    #[cfg(not(debug_assertions))]
    #[test]
    fn one_above_the_bound_is_kept_and_counted() {
        let mut backlog = Backlog::new(2, 2);
        for item in 0..3 {
            assert_eq!(backlog.over_bound(), 0, "the bound itself is fine");
            backlog.keep(item % 2, item);
        }
        assert_eq!((backlog.total(), backlog.over_bound()), (3, 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever room comes and goes, each target gets its items in the order they were made.
        #[test]
        fn order_is_kept(steps in prop::collection::vec((0_usize..3, any::<bool>(), 0_usize..4), 0..200)) {
            let (mut backlog, mut lanes) = (Backlog::new(3, 200), Lanes::new(&[0; 3]));
            let mut made = vec![Vec::new(); 3];
            for (number, (to, make, room)) in steps.into_iter().enumerate() {
                if make {
                    made[to].push(number as u32);
                    backlog.push_or_keep(to, number as u32, |to, item| lanes.push(to, item));
                } else {
                    lanes.room[to] += room;
                    backlog.drain(|to, item| lanes.push(to, item));
                }
                let waiting: usize = (0..3).map(|to| made[to].len() - lanes.passed[to].len()).sum();
                prop_assert_eq!(backlog.total(), waiting);
                for (to, (made, passed)) in made.iter().zip(&lanes.passed).enumerate() {
                    prop_assert!(made.starts_with(passed));
                    prop_assert_eq!(backlog.is_empty(to), made.len() == passed.len());
                }
            }
        }
    }
}
