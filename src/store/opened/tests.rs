//! The whole store: threads, clients, restarts.

use std::time::Duration;

use uuid::Uuid;

use super::super::scratch::Scratch;
use super::super::{Options, Retention};
use super::*;
use crate::model::{
    Answer, Contact, Event, Fact, FactKey, Kind, LogQuery, Message, MessageId, Outcome, Page, Priority,
    Query, RealmId, Receipt, Record, Ticket, Waiting,
};

/// A shard: its client, and what wakes it.
struct Shard {
    client: Client,
    parker: Parker,
}

struct Wake(crossbeam::sync::Unparker);

impl Notify for Wake {
    fn notify(&self) {
        self.0.unpark();
    }
}

impl Shard {
    /// The next answer, for which it sleeps.
    fn next(&mut self) -> (Ticket, Answer) {
        let began = Instant::now();
        self.client.kick();
        loop {
            if let Some(answer) = self.client.next() {
                return answer;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "no answer");
            self.parker.park_timeout(Duration::from_secs(20));
        }
    }

    fn write(&mut self, records: Vec<Record>) -> Outcome {
        self.client.write(1, records).expect("there is room");
        match self.next() {
            (1, Answer::Written(outcome)) => outcome,
            other => panic!("{other:?}"),
        }
    }

    fn log(&mut self, query: LogQuery) -> Page {
        self.client.read(2, Query::Log(query)).expect("there is room");
        match self.next() {
            (2, Answer::Page(page)) => page,
            other => panic!("{other:?}"),
        }
    }
}

fn start(options: Options, shards: usize) -> (Running, Vec<Shard>) {
    let parkers: Vec<_> = (0..shards).map(|_| Parker::new()).collect();
    let wake = |parker: &Parker| Box::new(Wake(parker.unparker().clone())) as Box<dyn Notify>;
    let opened = Opened::open(options).expect("a store");
    let (running, clients) = opened.start(parkers.iter().map(wake).collect()).expect("threads");
    let shards = clients.into_iter().zip(parkers).map(|(client, parker)| Shard { client, parker }).collect();
    (running, shards)
}

fn name(kind: Kind, id: &str) -> ChannelName {
    ChannelName { realm: RealmId(0), tenant: "default".into(), kind, id: id.into() }
}

fn id(number: u128) -> MessageId {
    MessageId(Uuid::from_u128(number))
}

fn message(number: u128, kind: Kind, place: &str, from: &str, text: &str) -> Message {
    Message {
        id: id(number),
        kind,
        place: place.into(),
        from: from.into(),
        connection: None,
        text: text.into(),
        detail: None,
        at_ms: 1_000,
    }
}

fn said(number: u128, text: &str) -> Vec<Record> {
    let event = Event::Message(message(number, Kind::Room, "room", "ann", text));
    vec![Record::Append {
        channel: name(Kind::Room, "room"),
        event,
        request: Some(format!("r{number}").into()),
    }]
}

fn all(channel: ChannelName) -> LogQuery {
    LogQuery { channel, after: 0, with: None, messages: false, limit: 100, bytes: usize::MAX, receipts: 10 }
}

#[test]
fn what_was_written_is_read_back_and_outlives_the_server() {
    let scratch = Scratch::new();
    let (running, mut shards) = start(scratch.options(), 2);
    let epoch = shards[0].client.epoch();
    assert_eq!(shards[0].write(said(1, "one")), Outcome::Done { seq: 1 });
    assert_eq!(shards[1].write(said(2, "two")), Outcome::Done { seq: 2 });
    assert_eq!(shards[1].write(said(1, "one")), Outcome::Again { seq: 1, message: id(1) });
    let room = || name(Kind::Room, "room");
    let amend = |by: &str| {
        vec![Record::Amend { channel: room(), message: id(1), by: by.into(), text: Some("uno".into()) }]
    };
    assert_eq!(shards[0].write(amend("ben")), Outcome::NotTheAuthor);
    assert_eq!(shards[0].write(amend("ann")), Outcome::Done { seq: 0 });
    let receipt = |number| Receipt { user: "ben".into(), message: id(number), at_ms: 5 };
    let read = |number| vec![Record::Receipt { channel: room(), receipt: receipt(number) }];
    assert_eq!(shards[0].write(read(9)), Outcome::NoMessage);
    assert_eq!(shards[0].write(read(2)), Outcome::Done { seq: 0 });
    let page = shards[1].log(all(room()));
    running.stop();

    let (_running, mut shards) = start(scratch.options(), 1);
    assert_eq!(shards[0].client.epoch(), epoch);
    let events = vec![
        (1, Event::Message(message(1, Kind::Room, "room", "ann", "uno"))),
        (2, Event::Message(message(2, Kind::Room, "room", "ann", "two"))),
    ];
    assert_eq!(page, Page { head: 2, first: 1, events, receipts: vec![receipt(2)], ..Page::default() });
    assert_eq!(shards[0].log(all(room())), page);
    assert_eq!(shards[0].write(said(3, "three")), Outcome::Done { seq: 3 });
}

#[test]
fn a_home_finds_again_what_waited_and_what_was_known() {
    let scratch = Scratch::new();
    let user = || name(Kind::User, "ben");
    let waiting = |number: u128, transit| Waiting {
        event: Event::Direct(message(number, Kind::User, "ben", "ann", "psst")),
        seq: 4,
        transit,
        priority: Priority::High,
        since_ms: 6,
    };
    let queue = |waiting| Record::Queue { user: user(), waiting: Box::new(waiting) };
    let know = |fact| Record::Know { channel: user(), fact };
    let contact = Fact::Contact(Contact { user: "ann".into(), name: None, groups: vec!["work".into()] });
    let standing = Fact::Standing("hall".into());
    {
        let (_running, mut shards) = start(scratch.options(), 1);
        let shard = &mut shards[0];
        let elsewhere = ChannelName { realm: RealmId(1), ..user() };
        let records = vec![
            queue(waiting(1, true)),
            queue(waiting(2, false)),
            queue(waiting(3, false)),
            know(contact.clone()),
            know(standing.clone()),
            Record::Know { channel: elsewhere, fact: Fact::Standing("their hall".into()) },
        ];
        assert_eq!(shard.write(records), Outcome::Done { seq: 0 });
        let records = vec![
            queue(waiting(1, false)),
            Record::Unqueue { user: user(), ids: vec![id(2)] },
            Record::Forget { channel: user(), key: FactKey::Standing("hall".into()) },
        ];
        assert_eq!(shard.write(records), Outcome::Done { seq: 0 });
    }
    let kept = |realms: &[&str]| {
        let realms = realms.iter().map(|realm| Box::from(*realm)).collect();
        let opened = Opened::open(Options { realms, ..scratch.options() }).expect("the same store");
        let mut kept = Vec::new();
        opened.snapshot(|channel, found| kept.push((channel, found))).expect("readable");
        kept
    };
    let mine = [
        (user(), Kept::Fact(contact)),
        (user(), Kept::Waiting(waiting(1, false))),
        (user(), Kept::Waiting(waiting(3, false))),
    ];
    assert_eq!(kept(&["sge"]), mine, "the other realm is not configured now");
    assert_eq!(kept(&["sge", "nexus"]).len(), 4, "and was left alone");
}

#[test]
fn everything_handed_over_before_the_end_is_committed_and_answered() {
    let scratch = Scratch::new();
    let (running, mut shards) = start(scratch.options(), 2);
    for number in 0..50 {
        for (at, shard) in shards.iter_mut().enumerate() {
            shard
                .client
                .write(number, said(1 + u128::from(number) * 2 + at as u128, "x"))
                .expect("there is room");
        }
    }
    running.stop();
    for shard in &mut shards {
        for number in 0..50 {
            let (ticket, answer) = shard.client.next().expect("it is answered");
            assert!(
                ticket == number && matches!(answer, Answer::Written(Outcome::Done { .. })),
                "{answer:?}"
            );
        }
    }
    let (_running, mut shards) = start(scratch.options(), 1);
    assert_eq!(shards[0].log(LogQuery { limit: 0, ..all(name(Kind::Room, "room")) }).head, 100);
}

#[test]
fn those_who_write_meanwhile_share_a_commit() {
    let scratch = Scratch::new();
    let (running, mut shards) = start(Options { pending: 1024, ..scratch.options() }, 1);
    for number in 0..1024 {
        shards[0].client.write(number, said(u128::from(number) + 1, "x")).expect("there is room");
    }
    for number in 0..1024 {
        assert_eq!(shards[0].next().0, number, "in their order");
    }
    assert!(running.health().commits.get() < 20, "{}", running.health().commits.get());
    assert_eq!((running.health().rows.get(), running.health().waiting()), (1024, 0));
    assert_eq!(running.health().fault(), None);
}

#[test]
fn messages_can_be_found_soon_after_they_were_said() {
    let scratch = Scratch::new();
    let (_running, mut shards) = start(scratch.options(), 1);
    let shard = &mut shards[0];
    shard.write(said(1, "the quick brown fox"));
    shard.write(said(2, "a lazy dog"));
    let query = || Query::Search {
        channels: vec![name(Kind::Room, "other"), name(Kind::Room, "room")],
        words: "FOX quick".into(),
        limit: 5,
    };
    let began = Instant::now();
    loop {
        shard.client.read(7, query()).expect("there is room");
        let (7, Answer::Found(found)) = shard.next() else { panic!("it can be searched") };
        if let [found] = &*found {
            assert_eq!((found.seq, &found.channel), (1, &name(Kind::Room, "room")));
            assert_eq!(
                found.event,
                Event::Message(message(1, Kind::Room, "room", "ann", "the quick brown fox"))
            );
            break;
        }
        assert!(found.is_empty() && began.elapsed() < Duration::from_secs(20));
        shard.parker.park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn what_is_over_goes_by_itself() {
    let scratch = Scratch::new();
    let history = Retention { count: Some(3), ..Retention::default() };
    let (_running, mut shards) = start(Options { history, ..scratch.options() }, 1);
    for number in 1..=10 {
        shards[0].write(said(number, "x"));
    }
    let began = Instant::now();
    loop {
        let page = shards[0].log(all(name(Kind::Room, "room")));
        if page.first == 8 {
            assert_eq!((page.head, page.events.len()), (10, 3));
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{page:?}");
        shards[0].parker.park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn a_question_of_no_realm_is_unreadable_and_the_next_one_is_not() {
    let scratch = Scratch::new();
    let (_running, mut shards) = start(scratch.options(), 1);
    let strange = ChannelName { realm: RealmId(9), ..name(Kind::Room, "room") };
    shards[0].client.read(3, Query::Log(all(strange))).expect("there is room");
    assert_eq!(shards[0].next(), (3, Answer::Unreadable));
    assert_eq!(shards[0].log(all(name(Kind::Room, "none"))), Page { first: 1, ..Page::default() });
}

#[test]
fn a_conversation_of_two_is_read_out_of_a_users_log() {
    let scratch = Scratch::new();
    let (_running, mut shards) = start(scratch.options(), 1);
    let direct = |number, place: &str, from: &str| {
        let event = Event::Direct(message(number, Kind::User, place, from, "x"));
        vec![Record::Append { channel: name(Kind::User, "ben"), event, request: None }]
    };
    for (number, place, from) in [(1, "ben", "ann"), (2, "ann", "ben"), (3, "ben", "eve"), (4, "ben", "ann")]
    {
        shards[0].write(direct(number, place, from));
    }
    let page = shards[0].log(LogQuery { with: Some("ann".into()), limit: 2, ..all(name(Kind::User, "ben")) });
    assert_eq!(page.events.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2]);
    assert!(page.more && page.head == 4);
}
