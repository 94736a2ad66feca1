//! The store of a run: an obvious one in memory, which takes its time, fails in bursts, and answers each shard in the
//! order in which that one wrote. What is not kicked it does not look at, as the real one.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use lanecast::model::{
    Answer, ChannelName, Event, Fact, Kind, LogQuery, MessageId, Outcome, Page, Query, Record, Status, Ticket,
};
use lanecast::shard::Keeper;

use crate::dice::Dice;
use crate::fault::Fault;
use crate::plan::inbox;

/// What all shards of a run write to.
#[derive(Debug, Default)]
pub struct Depot {
    desks: Vec<Desk>,
    /// By the name that the checks use.
    logs: BTreeMap<String, Log>,
    /// What waits, by user.
    queues: BTreeMap<String, BTreeSet<MessageId>>,
    /// All that ever waited.
    queued: BTreeSet<MessageId>,
    /// What is known of each channel.
    facts: BTreeMap<String, Vec<Fact>>,
    /// How each user was last written to be.
    presences: BTreeMap<String, Status>,
    /// What is there no more, and was not taken out because that failed; users whose presence was not written.
    lost: BTreeSet<MessageId>,
    stale: BTreeSet<String>,
    /// Writing fails, and so may reading.
    pub failing: bool,
    /// Questions that were not answered.
    pub unread: usize,
    pub fault: Option<Fault>,
}

#[derive(Debug, Default)]
struct Log {
    head: u64,
    events: BTreeMap<u64, Event>,
    /// By our number of a message: its place.
    places: BTreeMap<u32, u64>,
}

/// One shard's queues.
#[derive(Debug, Default)]
struct Desk {
    fresh: Vec<Request>,
    writes: VecDeque<(Ticket, Vec<Record>)>,
    reads: VecDeque<(Ticket, Query)>,
    answers: VecDeque<(Ticket, Answer)>,
    under_way: usize,
    pending: usize,
}

#[derive(Debug)]
enum Request {
    Write(Ticket, Vec<Record>),
    Read(Ticket, Query),
}

/// One shard's end.
#[derive(Debug)]
struct Clerk {
    depot: Rc<RefCell<Depot>>,
    shard: usize,
}

impl Keeper for Clerk {
    fn write(&mut self, ticket: Ticket, records: Vec<Record>) -> Result<(), Vec<Record>> {
        let desk = &mut self.depot.borrow_mut().desks[self.shard];
        if desk.under_way >= desk.pending {
            return Err(records);
        }
        desk.under_way += 1;
        desk.fresh.push(Request::Write(ticket, records));
        Ok(())
    }

    fn read(&mut self, ticket: Ticket, query: Query) -> Result<(), Query> {
        let desk = &mut self.depot.borrow_mut().desks[self.shard];
        if desk.under_way >= desk.pending {
            return Err(query);
        }
        desk.under_way += 1;
        desk.fresh.push(Request::Read(ticket, query));
        Ok(())
    }

    fn next(&mut self) -> Option<(Ticket, Answer)> {
        let desk = &mut self.depot.borrow_mut().desks[self.shard];
        let answer = desk.answers.pop_front()?;
        desk.under_way -= 1;
        Some(answer)
    }

    fn kick(&mut self) {
        let desk = &mut self.depot.borrow_mut().desks[self.shard];
        for request in desk.fresh.drain(..) {
            match request {
                Request::Write(ticket, records) => desk.writes.push_back((ticket, records)),
                Request::Read(ticket, query) => desk.reads.push_back((ticket, query)),
            }
        }
    }
}

/// The name of a channel in the checks.
fn name_of(channel: &ChannelName) -> String {
    match channel.kind {
        Kind::User => inbox(&channel.id),
        _ => channel.id.to_string(),
    }
}

/// The number that a message's text begins with.
fn number_of(event: &Event) -> Option<u32> {
    match event {
        Event::Message(message) | Event::Direct(message) => message.text.split(' ').next()?.parse().ok(),
        _ => None,
    }
}

impl Depot {
    /// A store and the shards' ends of it. `pending`: requests that a shard may have under way.
    pub fn open(
        shards: usize,
        pending: usize,
        fault: Option<Fault>,
    ) -> (Rc<RefCell<Self>>, Vec<Box<dyn Keeper>>) {
        let desks = (0..shards).map(|_| Desk { pending, ..Desk::default() }).collect();
        let depot = Rc::new(RefCell::new(Self { desks, fault, ..Self::default() }));
        let clerk = |shard| Box::new(Clerk { depot: depot.clone(), shard }) as Box<dyn Keeper>;
        let clerks = (0..shards).map(clerk).collect();
        (depot, clerks)
    }

    /// Whether a shard has asked for something.
    pub fn has_work(&self, shard: usize) -> bool {
        let desk = &self.desks[shard];
        !desk.writes.is_empty() || !desk.reads.is_empty()
    }

    /// Does some of what a shard has asked for. Returns the numbers of the messages that it did not take.
    pub fn work(&mut self, shard: usize, dice: &mut Dice) -> Vec<u32> {
        let mut refused = Vec::new();
        let desk = &mut self.desks[shard];
        if !desk.reads.is_empty() && (desk.writes.is_empty() || dice.percent(50)) {
            // Questions are answered when they are.
            let at = dice.below(desk.reads.len());
            if let Some((ticket, query)) = desk.reads.remove(at) {
                // What is refused because nothing is known of a channel is no refusal that is counted here.
                let fails = self.failing && matches!(query, Query::Log(_)) && dice.percent(50);
                let answer = if fails { Answer::Unreadable } else { self.read(&query) };
                self.unread += usize::from(fails);
                self.desks[shard].answers.push_back((ticket, answer));
            }
            return refused;
        }
        let batch = dice.between(1, desk.writes.len());
        let batch: Vec<_> = desk.writes.drain(..batch).collect();
        // It is made at once or not at all.
        let fails = self.failing && dice.percent(70);
        for (ticket, records) in batch {
            let outcome = match fails {
                true => self.refuse(&records, &mut refused),
                false => self.write(records, dice),
            };
            self.desks[shard].answers.push_back((ticket, Answer::Written(outcome)));
        }
        refused
    }

    fn refuse(&mut self, records: &[Record], refused: &mut Vec<u32>) -> Outcome {
        for record in records {
            match record {
                Record::Append { event, .. } => refused.extend(number_of(event)),
                Record::Unqueue { ids, .. } => self.lost.extend(ids),
                Record::Know { channel, fact: Fact::Presence(_) } => {
                    self.stale.insert(channel.id.to_string());
                }
                _ => {}
            }
        }
        Outcome::Failed
    }

    fn write(&mut self, records: Vec<Record>, dice: &mut Dice) -> Outcome {
        let mut seq = 0;
        for record in records {
            match record {
                Record::Append { channel, event, .. } => seq = self.append(&channel, event, dice),
                Record::Queue { user, waiting } => {
                    let id = waiting.event.id().expect("what waits has an id");
                    self.queued.insert(id);
                    self.queues.entry(user.id.to_string()).or_default().insert(id);
                }
                Record::Unqueue { user, ids } => {
                    let queue = self.queues.entry(user.id.to_string()).or_default();
                    queue.retain(|id| !ids.contains(id));
                }
                Record::Know { channel, fact } => {
                    if let Fact::Presence(account) = &fact {
                        self.stale.remove(&*channel.id);
                        self.presences.insert(channel.id.to_string(), account[0].status);
                    }
                    let facts = self.facts.entry(name_of(&channel)).or_default();
                    facts.retain(|known| known.key() != fact.key());
                    facts.push(fact);
                }
                Record::Forget { channel, key } => {
                    let facts = self.facts.entry(name_of(&channel)).or_default();
                    facts.retain(|known| known.key() != key);
                }
                // Nobody here edits or reads.
                Record::Amend { .. } | Record::Receipt { .. } => return Outcome::NoMessage,
            }
        }
        Outcome::Done { seq }
    }

    fn append(&mut self, channel: &ChannelName, event: Event, dice: &mut Dice) -> u64 {
        let log = self.logs.entry(name_of(channel)).or_default();
        let fault = self.fault.filter(|_| log.head > 3 && dice.percent(10));
        if fault != Some(Fault::NumberTwice) {
            log.head += 1;
        }
        if fault != Some(Fault::NotKept) {
            log.places.extend(number_of(&event).map(|number| (number, log.head)));
            log.events.insert(log.head, event);
        }
        log.head
    }

    fn read(&self, query: &Query) -> Answer {
        let LogQuery { channel, after, limit, .. } = match query {
            Query::Log(query) => query,
            Query::Facts(channel) => {
                return Answer::Facts(self.facts.get(&name_of(channel)).cloned().unwrap_or_default());
            }
            Query::Search { .. } => return Answer::Found(Vec::new()),
        };
        let none = Log::default();
        let log = self.logs.get(&name_of(channel)).unwrap_or(&none);
        let mut found = log.events.range(after.saturating_add(1)..).map(|(seq, event)| (*seq, event.clone()));
        let events = found.by_ref().take(*limit).collect();
        let more = *limit > 0 && found.next().is_some();
        Answer::Page(Page { head: log.head, first: 1, events, more, receipts: Vec::new() })
    }

    /// Whether that message is kept, and under that number if one was told.
    pub fn has(&self, channel: &str, number: u32, seq: Option<u64>) -> bool {
        let place = self.logs.get(channel).and_then(|log| log.places.get(&number));
        place.is_some_and(|place| seq.is_none_or(|seq| seq == *place))
    }

    /// Whether that ever waited for somebody.
    pub fn has_queued(&self, id: MessageId) -> bool {
        self.queued.contains(&id)
    }

    /// When all is quiet: nothing is asked, and nobody has an answer to take.
    pub fn is_idle(&self) -> bool {
        self.desks.iter().all(|desk| desk.under_way == 0)
    }

    /// When everybody has come for what waited and has gone: what would be found by the next start.
    pub fn all_forgotten(&self) -> Result<(), String> {
        for (user, queue) in &self.queues {
            if let Some(id) = queue.iter().find(|id| !self.lost.contains(id)) {
                return Err(format!("the store still has {id} wait for {user}"));
            }
        }
        let there =
            |(user, status): &(&String, &Status)| **status != Status::Offline && !self.stale.contains(*user);
        match self.presences.iter().find(there) {
            Some((user, status)) => Err(format!("the store has {user}, who is gone, as {status:?}")),
            None => Ok(()),
        }
    }
}
