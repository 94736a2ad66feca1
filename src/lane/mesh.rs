//! All lanes between N shards: one ring for each ordered pair and class, and one bell for each shard.
//!
//! A [`Port`] is one shard's side of it and belongs to that shard's thread alone. What a shard sends to
//! itself takes no lane: it is a plain call.

use std::fmt;

use super::bell::{Bell, Notify};
use super::ends::{Class, Ends, LaneStats};
use super::sync::Arc;

/// Connects `bells.len()` shards and hands out their ports, in order of shard.
///
/// Capacities are in items per lane and rounded as by [`ring`](super::ring()); the rule for choosing
/// them and the memory they cost stand in the [module's description](super).
///
/// # Panics
/// When a capacity is above [`CAPACITY_MAX`](super::CAPACITY_MAX).
pub fn mesh<C, D, N: Notify>(
    bells: Vec<Arc<Bell<N>>>,
    command_capacity: usize,
    delivery_capacity: usize,
) -> Vec<Port<C, D, N>> {
    let shards = bells.len();
    let commands = Ends::connect(shards, command_capacity);
    let deliveries = Ends::connect(shards, delivery_capacity);
    let port = |(shard, (commands, deliveries))| Port {
        shard,
        bells: bells.clone(),
        commands,
        deliveries,
        due: vec![false; shards],
    };
    commands.into_iter().zip(deliveries).enumerate().map(port).collect()
}

/// One shard's side of the mesh.
pub struct Port<C, D, N> {
    shard: usize,
    bells: Vec<Arc<Bell<N>>>,
    commands: Ends<C>,
    deliveries: Ends<D>,
    /// By shard: to be rung. All false between two calls of `ring_bells`.
    due: Vec<bool>,
}

impl<C, D, N: Notify> Port<C, D, N> {
    /// The shard that this port belongs to, 0 to `shards() - 1`.
    pub fn shard(&self) -> usize {
        self.shard
    }

    /// How many shards the mesh connects.
    pub fn shards(&self) -> usize {
        self.bells.len()
    }

    /// Sends a command to shard `to`, or gives it back when that lane is full: the caller keeps it (see
    /// [`Backlog`](super::Backlog)) and is woken when there is room. Wakes nobody before
    /// [`ring_bells`](Self::ring_bells). `to` must be another shard of the mesh.
    #[inline]
    pub fn try_command(&mut self, to: usize, command: C) -> Result<(), C> {
        self.commands.try_push(to, command)
    }

    /// Sends a delivery to shard `to`, or gives it back when that lane is full; as
    /// [`try_command`](Self::try_command) otherwise.
    #[inline]
    pub fn try_delivery(&mut self, to: usize, delivery: D) -> Result<(), D> {
        self.deliveries.try_push(to, delivery)
    }

    /// The next command and the shard that sent it. In order per source; sources take turns after
    /// [`BATCH`](super::BATCH) items. Not to be called while a delivery of this shard waits for room.
    #[inline]
    pub fn next_command(&mut self) -> Option<(usize, C)> {
        self.commands.next()
    }

    /// The next delivery and the shard that sent it, in the same order. Handling it must send nothing.
    #[inline]
    pub fn next_delivery(&mut self) -> Option<(usize, D)> {
        self.deliveries.next()
    }

    /// Rings, once each, every shard that was pushed to since the last call, and every shard that was
    /// refused and now has room. To be called at the end of a turn, always before sleeping.
    pub fn ring_bells(&mut self) {
        self.commands.mark_due(&mut self.due);
        self.deliveries.mark_due(&mut self.due);
        for (due, bell) in self.due.iter_mut().zip(&self.bells) {
            if std::mem::take(due) {
                bell.ring();
            }
        }
    }

    /// Answers this shard's own bell. To be called at the start of a turn, after resetting the notifier
    /// and before the first `next_…`.
    pub fn answer(&self) {
        self.bell().answer();
    }

    /// This shard's own bell, for sleeping on its notifier and for others who wake this shard.
    pub fn bell(&self) -> &Arc<Bell<N>> {
        &self.bells[self.shard]
    }

    /// What has passed through the lanes that leave this shard, commands first, each in order of target.
    pub fn stats(&self) -> impl Iterator<Item = LaneStats> + '_ {
        self.commands.stats(Class::Command).chain(self.deliveries.stats(Class::Delivery))
    }
}

impl<C, D, N> fmt::Debug for Port<C, D, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("shard", &self.shard).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::super::ends::BATCH;
    use super::*;

    /// Counts how often it was notified.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Notify for Count {
        fn notify(&self) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    type TestPort = Port<u32, u32, Count>;

    fn ports(shards: usize, capacity: usize) -> Vec<TestPort> {
        mesh((0..shards).map(|_| Arc::new(Bell::new(Count::default()))).collect(), capacity, capacity)
    }

    fn notified(port: &TestPort) -> usize {
        port.bell().notifier().0.load(Relaxed)
    }

    #[test]
    fn every_pair_and_class_has_its_own_lane() {
        let mut ports = ports(4, 4);
        for (from, port) in ports.iter_mut().enumerate() {
            assert_eq!((port.shard(), port.shards()), (from, 4));
            for to in (0..4).filter(|&to| to != from) {
                let name = (10 * from + to) as u32;
                port.try_command(to, name).unwrap();
                port.try_delivery(to, 100 + name).unwrap();
            }
        }
        for (to, port) in ports.iter_mut().enumerate() {
            let commands: Vec<_> = std::iter::from_fn(|| port.next_command()).collect();
            let deliveries: Vec<_> = std::iter::from_fn(|| port.next_delivery()).collect();
            let sources = || (0..4).filter(|&from| from != to);
            assert_eq!(commands, sources().map(|from| (from, (10 * from + to) as u32)).collect::<Vec<_>>());
            assert_eq!(
                deliveries,
                sources().map(|from| (from, (100 + 10 * from + to) as u32)).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn a_lone_shard_has_no_lanes() {
        let mut ports = ports(1, 4);
        assert_eq!((ports[0].next_command(), ports[0].next_delivery()), (None, None));
        ports[0].ring_bells();
        assert_eq!((notified(&ports[0]), ports[0].stats().count()), (0, 0));
        assert!(mesh::<u32, u32, Count>(Vec::new(), 1, 1).is_empty());
    }

    #[cfg(debug_assertions)]
    #[test]
    #[should_panic(expected = "no lane leads to shard 1")]
    fn a_lane_to_oneself_is_a_mistake() {
        let _ = ports(2, 4)[1].try_command(1, 7);
    }

    #[cfg(not(debug_assertions))]
    #[test]
    fn a_lane_to_oneself_or_nobody_gives_the_item_back() {
        let mut ports = ports(2, 4);
        assert_eq!((ports[1].try_command(1, 7), ports[1].try_delivery(2, 8)), (Err(7), Err(8)));
    }

    #[test]
    fn sources_take_turns_by_batches_and_keep_their_order() {
        let mut ports = ports(3, 64);
        for number in 0..40 {
            ports[0].try_delivery(2, number).unwrap();
            ports[1].try_delivery(2, number).unwrap();
        }
        let got: Vec<_> = std::iter::from_fn(|| ports[2].next_delivery()).collect();
        let batches: Vec<(usize, usize)> =
            got.chunk_by(|a, b| a.0 == b.0).map(|batch| (batch[0].0, batch.len())).collect();
        assert_eq!(batches, [(0, BATCH), (1, BATCH), (0, BATCH), (1, BATCH), (0, 8), (1, 8)]);
        for source in 0..2 {
            let numbers = got.iter().filter(|(from, _)| *from == source).map(|(_, number)| *number);
            assert!(numbers.eq(0..40), "source {source}");
        }
    }

    #[test]
    fn a_source_that_never_stops_does_not_starve_another() {
        let mut ports = ports(3, 64);
        ports[1].try_delivery(2, 0).unwrap();
        for number in 0..=BATCH {
            let _ = ports[0].try_delivery(2, number as u32);
        }
        let before = (0..).take_while(|_| {
            let (from, _) = ports[2].next_delivery().expect("source 0 always has one");
            ports[0].try_delivery(2, 0).unwrap();
            from != 1
        });
        assert!(before.count() <= BATCH);
    }

    #[test]
    fn bells_are_rung_once_for_those_pushed_to() {
        let mut ports = ports(3, 8);
        for number in 0..3 {
            ports[0].try_command(1, number).unwrap();
            ports[0].try_delivery(1, number).unwrap();
        }
        assert_eq!(notified(&ports[1]), 0, "not before the end of the turn");
        ports[0].ring_bells();
        ports[0].ring_bells();
        assert_eq!(ports.iter().map(notified).collect::<Vec<_>>(), [0, 1, 0]);
        ports[1].answer();
        ports[0].ring_bells();
        assert_eq!(notified(&ports[1]), 1, "nothing was pushed since");
    }

    #[test]
    fn a_refused_shard_is_rung_when_there_is_room() {
        let mut ports = ports(2, 1);
        ports[0].try_command(1, 1).unwrap();
        assert_eq!(ports[0].try_command(1, 2), Err(2));
        ports[1].ring_bells();
        assert_eq!(notified(&ports[0]), 0, "no room yet");
        assert_eq!(ports[1].next_command(), Some((0, 1)));
        ports[1].ring_bells();
        assert_eq!(notified(&ports[0]), 1);
        ports[0].answer();
        assert_eq!(ports[0].try_command(1, 2), Ok(()));
        assert_eq!(ports[1].next_command(), Some((0, 2)));
        ports[1].ring_bells();
        assert_eq!(notified(&ports[0]), 1, "nobody waits");
    }

    #[test]
    fn counters_tell_pushes_refusals_and_high_water() {
        let mut ports = ports(2, 4);
        for number in 0..3 {
            ports[0].try_command(1, number).unwrap();
        }
        ports[0].ring_bells();
        ports[1].next_command();
        let lane = |port: &TestPort, class| port.stats().find(|lane| lane.class == class).unwrap();
        let expected = LaneStats {
            class: Class::Command,
            to: 1,
            pushes: 3,
            refusals: 0,
            depth: 2,
            high_water: 3,
            capacity: 4,
        };
        assert_eq!(lane(&ports[0], Class::Command), expected);
        for number in 0..3 {
            let _ = ports[0].try_command(1, number);
        }
        let expected = LaneStats { pushes: 5, refusals: 1, depth: 4, high_water: 4, ..expected };
        assert_eq!(lane(&ports[0], Class::Command), expected);
        let untouched =
            LaneStats { class: Class::Delivery, pushes: 0, refusals: 0, depth: 0, high_water: 0, ..expected };
        assert_eq!(lane(&ports[0], Class::Delivery), untouched);
    }
}
