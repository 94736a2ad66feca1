//! The writer's turns, one by one, over a store that fails when it is told to.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crossbeam::sync::Unparker;

use super::super::client::Client;
use super::super::oracle::Oracle;
use super::super::rows::{Hit, LogAsk, LogPage, Owner, ReceiptRow, Visitor};
use super::super::scratch::Scratch;
use super::*;
use crate::lane::Notify;
use crate::model::{ChannelName, Dialect, Epoch, Kind, RealmId, Status, Ticket};

/// What the store is to do next.
const WELL: usize = 0;
const FAIL: usize = 1;
const PANIC: usize = 2;

struct Moody {
    store: Oracle,
    mood: Arc<AtomicUsize>,
    /// Transactions of each commit.
    commits: Arc<std::sync::Mutex<Vec<usize>>>,
}

impl Store for Moody {
    fn commit(&mut self, batch: &[Transaction]) -> Result<Vec<Done>, StoreError> {
        match self.mood.load(Relaxed) {
            WELL => {
                self.commits.lock().expect("no panic with it").push(batch.len());
                self.store.commit(batch)
            }
            FAIL => Err(StoreError::Exists("the disk's end".into())),
            _ => panic!("on purpose"),
        }
    }

    fn log(&self, ask: &LogAsk) -> Result<LogPage, StoreError> {
        self.store.log(ask)
    }

    fn search(&self, owners: &[Owner], words: &str, limit: usize) -> Result<Vec<Hit>, StoreError> {
        self.store.search(owners, words, limit)
    }

    fn receipts(&self, owner: &Owner) -> Result<Vec<ReceiptRow>, StoreError> {
        self.store.receipts(owner)
    }

    fn snapshot(&self, each: &mut Visitor) -> Result<(), StoreError> {
        self.store.snapshot(each)
    }

    fn place(&mut self) -> Result<(), StoreError> {
        self.store.place()
    }

    fn trim(&mut self, now_ms: u64) -> Result<bool, StoreError> {
        self.store.trim(now_ms)
    }

    fn index(&mut self) -> Result<bool, StoreError> {
        self.store.index()
    }

    fn disk_bytes(&self) -> u64 {
        4096
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[derive(Default)]
struct Rings(AtomicUsize);

struct Ringing(Arc<Rings>);

impl Notify for Ringing {
    fn notify(&self) {
        self.0.0.fetch_add(1, Relaxed);
    }
}

struct Stage {
    writer: Writer<Moody>,
    clients: Vec<Client>,
    mood: Arc<AtomicUsize>,
    commits: Arc<std::sync::Mutex<Vec<usize>>>,
    rings: Arc<Rings>,
}

fn unparker() -> Unparker {
    Parker::new().unparker().clone()
}

fn stage(shards: usize, pending: usize) -> Stage {
    let scratch = Scratch::new();
    let options = scratch.options();
    let rings = Arc::new(Rings::default());
    let desks: Vec<_> =
        (0..shards).map(|_| Arc::new(Desk::new(pending, Box::new(Ringing(rings.clone()))))).collect();
    let start = Instant::now();
    let health = Arc::new(Health::new(desks.clone(), start));
    let bell = Arc::new(Bell::new(Waker(unparker())));
    let client = |desk: &Arc<Desk>| Client::new(desk.clone(), bell.clone(), bell.clone(), Epoch(1), start);
    let clients = desks.iter().map(client).collect();
    let (mood, commits) = (Arc::new(AtomicUsize::new(WELL)), Arc::default());
    let store = Moody { store: Oracle::new(&options), mood: mood.clone(), commits: Arc::clone(&commits) };
    let stop = Arc::new(AtomicBool::new(false));
    let writer = Writer::new(store, Codec::new(options.realms), desks, bell, health, stop);
    Stage { writer, clients, mood, commits, rings }
}

fn room() -> ChannelName {
    ChannelName { realm: RealmId(0), tenant: "default".into(), kind: Kind::Room, id: "room".into() }
}

fn append() -> Vec<Record> {
    let event = Event::Custom { dialect: Dialect::Sge, json: "{}".into() };
    vec![Record::Append { channel: room(), event, request: None }]
}

fn answers(client: &mut Client) -> Vec<(Ticket, Outcome)> {
    let mut answers = Vec::new();
    while let Some((ticket, answer)) = client.next() {
        let Answer::Written(outcome) = answer else { panic!("{answer:?}") };
        answers.push((ticket, outcome));
    }
    answers
}

#[test]
fn one_commit_takes_what_all_shards_handed_over_and_wakes_each_once() {
    let Stage { mut writer, mut clients, commits, rings, .. } = stage(3, 8);
    for client in &mut clients[..2] {
        for ticket in 1..=3 {
            client.write(ticket, append()).expect("there is room");
        }
    }
    assert!(writer.turn() && !writer.turn());
    assert_eq!(*commits.lock().expect("no panic with it"), [6]);
    assert_eq!(rings.0.load(Relaxed), 2, "the third has nothing to hear");
    let mut numbers = Vec::new();
    for client in &mut clients[..2] {
        let (tickets, outcomes): (Vec<_>, Vec<_>) = answers(client).into_iter().unzip();
        assert_eq!(tickets, [1, 2, 3], "in their order");
        numbers.extend(outcomes.into_iter().map(|outcome| match outcome {
            Outcome::Done { seq } => seq,
            other => panic!("{other:?}"),
        }));
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    assert_eq!((writer.health.commits.get(), writer.health.rows.get()), (1, 6));
}

#[test]
fn a_shard_has_as_many_requests_under_way_as_it_may_and_not_one_more() {
    let Stage { mut writer, mut clients, .. } = stage(1, 2);
    let client = &mut clients[0];
    client.write(1, append()).expect("there is room");
    client.write(2, append()).expect("there is room");
    assert_eq!(client.write(3, append()), Err(append()), "given back as it was");
    assert!(writer.turn());
    assert!(client.write(3, append()).is_err(), "its answers lie there still");
    assert!(client.next().is_some());
    client.write(3, append()).expect("there is room again");
    assert!(client.write(4, append()).is_err());
}

#[test]
fn a_batch_has_a_bound_and_every_shard_its_share() {
    let Stage { mut writer, mut clients, commits, .. } = stage(2, 2 * BATCH_CHANGES);
    for ticket in 0..=BATCH_CHANGES as u64 {
        clients[0].write(ticket, append()).expect("there is room");
    }
    clients[1].write(1, append()).expect("there is room");
    assert!(writer.turn());
    assert_eq!(answers(&mut clients[1]).len(), 1, "whoever asks much waits, not its neighbour");
    assert!(writer.turn() && !writer.turn());
    assert_eq!(*commits.lock().expect("no panic with it"), [BATCH_CHANGES, 2]);
}

#[test]
fn a_failed_commit_is_told_to_all_of_its_batch_and_the_next_one_heals() {
    let Stage { mut writer, mut clients, mood, .. } = stage(1, 8);
    let client = &mut clients[0];
    for (bad, why) in [(FAIL, "disk's end"), (PANIC, "panic")] {
        mood.store(bad, Relaxed);
        client.write(1, append()).expect("there is room");
        client.write(2, append()).expect("there is room");
        assert!(writer.turn());
        assert_eq!(answers(client), [(1, Outcome::Failed), (2, Outcome::Failed)]);
        assert!(writer.health.fault().is_some_and(|fault| fault.contains(why)));
    }
    assert_eq!((writer.health.failed.get(), writer.health.commits.get()), (2, 0));
    mood.store(WELL, Relaxed);
    client.write(3, append()).expect("there is room");
    assert!(writer.turn());
    assert_eq!(answers(client), [(3, Outcome::Done { seq: 1 })]);
    assert_eq!(writer.health.fault(), None);
}

#[test]
fn what_cannot_be_stored_is_refused_alone() {
    let Stage { mut writer, mut clients, .. } = stage(1, 8);
    let client = &mut clients[0];
    let status = Event::StatusChanged { user: "a".into(), status: Status::Away, at_ms: 0 };
    let strange = ChannelName { realm: RealmId(77), ..room() };
    client.write(1, append()).expect("there is room");
    client
        .write(2, vec![Record::Append { channel: room(), event: status, request: None }])
        .expect("there is room");
    client.write(3, vec![Record::Unqueue { user: strange, ids: vec![] }]).expect("there is room");
    client.write(4, append()).expect("there is room");
    client.write(5, vec![]).expect("there is room");
    assert!(writer.turn());
    let outcomes = answers(client);
    assert_eq!(
        outcomes,
        [
            (1, Outcome::Done { seq: 1 }),
            (2, Outcome::Failed),
            (3, Outcome::Failed),
            (4, Outcome::Done { seq: 2 }),
            (5, Outcome::Done { seq: 0 }),
        ]
    );
    assert_eq!(writer.health.fault(), None, "the store is well");
}
