//! The ends of one class's lanes that one shard holds: a sender to every other shard, a receiver from every
//! other shard, and the counters of the senders.

use crossbeam::utils::CachePadded;

use super::ring::{Receiver, Sender, ring};

/// How many items are taken from one source before the next is asked, if it has as many.
///
/// One cache line of indices is fetched per batch rather than per item, and no source waits for more than
/// this many items of each other.
pub const BATCH: usize = 16;

/// What a lane carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Work, to the shard that does it.
    Command,
    /// What came of it, to the shard that passes it on to connections.
    Delivery,
}

/// What has passed through one lane, as its sender saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneStats {
    /// What it carries.
    pub class: Class,
    /// The shard that the lane leads to.
    pub to: usize,
    /// Items accepted since the start.
    pub pushes: u64,
    /// Items given back because the lane was full, since the start; an item counts each time it is tried.
    pub refusals: u64,
    /// Items in the lane now.
    pub depth: usize,
    /// The most items seen in the lane. Seen at each refusal, and at the end of each turn that pushed.
    pub high_water: usize,
    /// Items that fit in.
    pub capacity: usize,
}

pub(super) struct Ends<T> {
    /// By target; none to oneself. Padded, since all shards' ends are allocated side by side at the start.
    outgoing: Vec<Option<CachePadded<Outgoing<T>>>>,
    /// By target: pushed to since the last bells.
    pushed: Vec<bool>,
    /// All other shards', in order.
    incoming: Vec<CachePadded<Incoming<T>>>,
    /// By place in `incoming`: popped from since the last bells.
    popped: Vec<bool>,
    /// The place in `incoming` that is asked next, and how many more items it may give.
    turn: usize,
    left: usize,
}

struct Outgoing<T> {
    sender: Sender<T>,
    pushes: u64,
    refusals: u64,
    high_water: usize,
}

struct Incoming<T> {
    from: usize,
    receiver: Receiver<T>,
}

impl<T> Ends<T> {
    /// The ends of all shards, with a ring of `capacity` between each ordered pair.
    pub(super) fn connect(shards: usize, capacity: usize) -> Vec<Self> {
        let mut all: Vec<Self> = (0..shards).map(|_| Self::unconnected(shards)).collect();
        for from in 0..shards {
            for to in (0..shards).filter(|&to| to != from) {
                let (sender, receiver) = ring(capacity);
                let outgoing = Outgoing { sender, pushes: 0, refusals: 0, high_water: 0 };
                all[from].outgoing[to] = Some(CachePadded::new(outgoing));
                all[to].incoming.push(CachePadded::new(Incoming { from, receiver }));
            }
        }
        all
    }

    fn unconnected(shards: usize) -> Self {
        Self {
            outgoing: (0..shards).map(|_| None).collect(),
            pushed: vec![false; shards],
            incoming: Vec::with_capacity(shards),
            popped: vec![false; shards],
            turn: 0,
            left: BATCH,
        }
    }

    /// Appends `item` to the lane to shard `to`, or gives it back: the lane is full, or there is none.
    #[inline]
    pub(super) fn try_push(&mut self, to: usize, item: T) -> Result<(), T> {
        let Some(lane) = self.outgoing.get_mut(to).and_then(Option::as_mut) else {
            debug_assert!(false, "no lane leads to shard {to}: it is this one or does not exist");
            return Err(item);
        };
        match lane.sender.try_push(item) {
            Ok(()) => {
                lane.pushes += 1;
                self.pushed[to] = true;
                Ok(())
            }
            Err(item) => {
                lane.refusals += 1;
                lane.high_water = lane.sender.capacity();
                Err(item)
            }
        }
    }

    /// The next item and the shard it came from: sources in turn, [`BATCH`] items of each at most.
    #[inline]
    pub(super) fn next(&mut self) -> Option<(usize, T)> {
        // One step more than there are sources: the one whose batch is over is asked again after the others.
        for _ in 0..=self.incoming.len() {
            if self.left == 0 {
                self.turn = if self.turn + 1 < self.incoming.len() { self.turn + 1 } else { 0 };
                self.left = BATCH;
            }
            let lane = self.incoming.get_mut(self.turn)?;
            if let Some(item) = lane.receiver.pop() {
                self.left -= 1;
                self.popped[self.turn] = true;
                return Some((lane.from, item));
            }
            self.left = 0;
        }
        None
    }

    /// Marks in `due` the shards that have something to learn since the last call: an item was pushed to
    /// them, or the lane that refused them has room.
    pub(super) fn mark_due(&mut self, due: &mut [bool]) {
        for (to, lane) in self.outgoing.iter_mut().enumerate() {
            if std::mem::take(&mut self.pushed[to])
                && let Some(lane) = lane
            {
                lane.high_water = lane.high_water.max(lane.sender.len());
                due[to] = true;
            }
        }
        for (place, lane) in self.incoming.iter_mut().enumerate() {
            if std::mem::take(&mut self.popped[place]) && lane.receiver.take_starved() {
                due[lane.from] = true;
            }
        }
    }

    /// The counters of the lanes that leave this shard; `class` is for the caller to know.
    pub(super) fn stats(&self, class: Class) -> impl Iterator<Item = LaneStats> + '_ {
        self.outgoing.iter().enumerate().filter_map(move |(to, lane)| {
            let lane = lane.as_ref()?;
            Some(LaneStats {
                class,
                to,
                pushes: lane.pushes,
                refusals: lane.refusals,
                depth: lane.sender.len(),
                high_water: lane.high_water,
                capacity: lane.sender.capacity(),
            })
        })
    }
}
