//! When the writer does what it does besides commits, and how much of its time that may take.
//!
//! All moments are milliseconds of [`Health::now_ms`](super::Health), handed in. While requests never end, a chore that
//! has more to do rests between two steps for a multiple of what the last one took. Requests have become few, or none
//! came for a moment: there is room, and chores catch up.

use std::time::Duration;

/// Without a request for so long, nobody is kept waiting by a step.
const QUIET_MS: u64 = 50;
/// After so long rows get their places, however many requests there are.
const UNPLACED_MS: u64 = 250;
/// And are made searchable, as far as there is time.
const UNSEARCHABLE_MS: u64 = 1_000;
/// Between two looks for what is over, while there are requests, and while there are none.
const TRIM_MS: u64 = 1_000;
const TRIM_IDLE_MS: u64 = 10_000;
/// What is over goes with half of the time when it has waited for so long: the file has to end somewhere.
const TRIM_LATE_MS: u64 = 30_000;
/// Between two attempts to write, when the last failed and nobody asks.
pub const PROBE_MS: u64 = 1_000;

/// How long the writer's leisure is looked at.
const LOOK_MS: u64 = 250;
/// A step is followed by so many times its length without one: when the writer slept for more than half of the last
/// look, and when it did not. Two chores with 4 % each are less than a tenth.
const REST_ROOM: u32 = 3;
const REST_BUSY: u32 = 24;
const REST_LATE: u32 = 1;

/// Something that is to be done about rows some time after they were written.
#[derive(Clone, Copy, Debug)]
pub struct Chore {
    patience: u64,
    /// The oldest row it is about, and the newest.
    rows: Option<(u64, u64)>,
    /// Not before then, unless it is quiet.
    rests_until: u64,
}

impl Chore {
    fn new(patience: u64) -> Self {
        Self { patience, rows: Some((0, 0)), rests_until: 0 }
    }

    pub fn wrote(&mut self, now: u64) {
        let since = self.rows.map_or(now, |(since, _)| since);
        self.rows = Some((since, now));
    }

    fn due_at(&self) -> u64 {
        let due =
            |(since, last): (u64, u64)| (last + QUIET_MS).min((since + self.patience).max(self.rests_until));
        self.rows.map_or(u64::MAX, due)
    }

    pub fn is_due(&self, now: u64) -> bool {
        self.due_at() <= now
    }

    /// There is nothing left.
    pub fn is_done(&mut self) {
        self.rows = None;
    }
}

/// What is to be done when.
#[derive(Debug)]
pub struct Agenda {
    pub place: Chore,
    pub index: Chore,
    pub trim_at: u64,
    /// Since when what is over has been going.
    trims_since: Option<u64>,
    /// The last request.
    wrote_at: u64,
    pub probe_at: u64,
    /// The present look: when it began, and how long the writer slept since.
    look: (u64, Duration),
    has_room: bool,
}

impl Agenda {
    pub fn new() -> Self {
        Self {
            place: Chore::new(UNPLACED_MS),
            index: Chore::new(UNSEARCHABLE_MS),
            trim_at: 0,
            trims_since: None,
            wrote_at: 0,
            probe_at: 0,
            look: (0, Duration::ZERO),
            has_room: true,
        }
    }

    pub fn wrote(&mut self, now: u64) {
        self.place.wrote(now);
        self.index.wrote(now);
        self.wrote_at = now;
        if self.trims_since.is_none() {
            self.trim_at = self.trim_at.min(now + TRIM_MS);
        }
    }

    /// Whether the index is to go on. When it is quiet, what is over goes first: it need not be indexed any more.
    pub fn indexes(&self, now: u64) -> bool {
        let quiet = now >= self.wrote_at + QUIET_MS;
        self.index.is_due(now) && !(quiet && self.trims_since.is_some())
    }

    /// When there is something to do next, if nobody asks for anything.
    pub fn next(&self, faulty: bool) -> u64 {
        if faulty {
            return self.probe_at;
        }
        // What is over may go first.
        let index = self.index.due_at().max(if self.trims_since.is_some() { self.trim_at } else { 0 });
        self.place.due_at().min(index).min(self.trim_at)
    }

    /// The writer slept, for want of requests.
    pub fn rested(&mut self, took: Duration) {
        self.look.1 += took;
    }

    /// Sees now and then whether there is room.
    pub fn look_back(&mut self, now: u64) {
        let (began, slept) = self.look;
        if now >= began + LOOK_MS {
            self.has_room = slept.as_millis() as u64 * 2 > now - began;
            self.look = (now, Duration::ZERO);
        }
    }

    /// A step of the index took so long, and there is more.
    pub fn indexed(&mut self, now: u64, took: Duration) {
        self.index.rests_until = now + self.rest(took);
    }

    /// A step of throwing away took so long, and there is more.
    pub fn trimmed(&mut self, now: u64, took: Duration) {
        let since = *self.trims_since.get_or_insert(now);
        let rest = match now - since {
            TRIM_LATE_MS.. => took.as_millis() as u64 * u64::from(REST_LATE),
            _ if now >= self.wrote_at + QUIET_MS => 0,
            _ => self.rest(took),
        };
        self.trim_at = now + rest;
    }

    /// Nothing is over any more.
    pub fn is_trimmed(&mut self, now: u64) {
        self.trims_since = None;
        self.trim_at = now + TRIM_IDLE_MS;
    }

    fn rest(&self, took: Duration) -> u64 {
        (took * if self.has_room { REST_ROOM } else { REST_BUSY }).as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agenda() -> Agenda {
        let mut agenda = Agenda { trim_at: u64::MAX, ..Agenda::new() };
        agenda.place.is_done();
        agenda.index.is_done();
        agenda
    }

    #[test]
    fn chores_wait_for_quiet_but_not_for_ever() {
        let mut agenda = agenda();
        assert_eq!(agenda.next(false), u64::MAX);
        agenda.wrote(1_000);
        assert_eq!(agenda.next(false), 1_050);
        agenda.wrote(1_040);
        assert_eq!(agenda.next(false), 1_090);
        for now in (1_060..3_000).step_by(20) {
            agenda.wrote(now);
        }
        assert_eq!((agenda.next(false), agenda.index.due_at()), (1_250, 2_000));
        agenda.place.is_done();
        assert_eq!(agenda.next(false), 2_000);
        agenda.probe_at = 7;
        assert_eq!(agenda.next(true), 7);
    }

    #[test]
    fn chores_take_less_than_a_tenth_of_a_busy_writers_time() {
        let mut agenda = agenda();
        let (mut now, mut at_it) = (10_000, 0);
        let mut trim_at = 0;
        while now < 30_000 {
            agenda.wrote(now);
            agenda.look_back(now);
            if agenda.index.is_due(now) {
                (now, at_it) = (now + 4, at_it + 4);
                agenda.indexed(now, Duration::from_millis(4));
            }
            if trim_at <= now {
                (now, at_it) = (now + 6, at_it + 6);
                agenda.trimmed(now, Duration::from_millis(6));
                trim_at = agenda.trim_at;
            }
            now += 1;
        }
        assert!((1_000..2_000).contains(&at_it), "{at_it} of 20000 ms");
    }

    #[test]
    fn chores_catch_up_when_there_is_room_and_at_once_when_it_is_quiet() {
        let mut agenda = agenda();
        let step = Duration::from_millis(10);
        agenda.wrote(0);
        agenda.look_back(LOOK_MS);
        agenda.wrote(2_000);
        agenda.indexed(2_000, step);
        assert_eq!(agenda.index.due_at(), 2_050, "quiet comes before the end of the rest");
        agenda.wrote(2_200);
        assert_eq!(agenda.index.due_at(), 2_240);
        agenda.rested(Duration::from_millis(1_200));
        agenda.look_back(2_250);
        agenda.wrote(2_250);
        agenda.indexed(2_250, step);
        assert_eq!(agenda.index.due_at(), 2_280);
        agenda.trimmed(2_299, step);
        assert_eq!(agenda.trim_at, 2_329);
        agenda.trimmed(2_300, step);
        assert_eq!(agenda.trim_at, 2_300, "nobody waits");
        assert!(agenda.index.is_due(2_300) && !agenda.indexes(2_300), "what is over goes first");
        agenda.is_trimmed(2_310);
        assert!(agenda.indexes(2_310));
    }

    #[test]
    fn what_is_over_for_too_long_goes_with_half_of_the_time() {
        let mut agenda = agenda();
        let step = Duration::from_millis(10);
        agenda.look_back(LOOK_MS);
        agenda.trimmed(1_000, step);
        agenda.wrote(30_999);
        agenda.trimmed(30_999, step);
        assert_eq!(agenda.trim_at, 31_239);
        agenda.wrote(31_000);
        assert_eq!(agenda.trim_at, 31_239, "a round that goes on has its own times");
        agenda.trimmed(31_000, step);
        assert_eq!(agenda.trim_at, 31_010);
        agenda.is_trimmed(31_020);
        agenda.wrote(31_030);
        assert_eq!(agenda.trim_at, 32_030);
    }
}
