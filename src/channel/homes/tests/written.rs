//! What homes write: each verb's records, what comes of them, and what waits no more.

use super::stored::{all_done, assert_no_lines, contact, done, durable, request, unqueued, user_message};
use super::*;
use crate::model::{Fact, FactKey, Kept, Message, Notification, Priority, Receipt, Waiting};

fn user(id: &str) -> ChannelName {
    place(Kind::User, id)
}

fn to(id: &str) -> Target {
    named(Kind::User, id)
}

/// What waits for somebody, as it is written.
fn waiting(user: &str, event: Event, transit: bool) -> Record {
    let (priority, since_ms) = (Priority::Normal, NOW.unix_ms);
    let waiting = Box::new(Waiting { event, seq: 0, transit, priority, since_ms });
    Record::Queue { user: place(Kind::User, user), waiting }
}

fn append(channel: ChannelName, event: Event) -> Record {
    Record::Append { channel, event, request: None }
}

/// One of the conversation `c` who is away.
fn stand_and_go(homes: &mut Homes, user: &str) -> Heard {
    let claim = Op::Claim { room: "c".into(), manner: JoinManner::Standing };
    let claimed = act(homes, to(user), me(user, 1), claim);
    enter(homes, "c", user, 1, JoinManner::Standing);
    act(homes, named(Kind::Room, "c"), me(user, 1), leaving(true));
    claimed
}

fn mentioning(text: &str, mentions: &[&str]) -> Op {
    let mentions = mentions.iter().map(|m| Arc::from(*m)).collect();
    Op::Publish {
        from: None,
        text: text.into(),
        detail: Some(Box::new(Detail { mentions, ..Detail::default() })),
        member: true,
        echo: Echo::Member,
        confirm: false,
        request: None,
    }
}

#[test]
fn a_message_is_written_with_what_waits_for_the_absent_and_the_mentioned() {
    let mut homes = durable(|_| ());
    join(&mut homes, "c", 9, None);
    stand_and_go(&mut homes, "bob");
    let asked = act(&mut homes, named(Kind::Room, "c"), me("ann", 0), mentioning("hi", &["bob", "cid"]));
    let (ticket, records) = request(&asked);
    let told = done(&mut homes, ticket, 5);
    let event = told.events[0].event.clone();
    let [(_, keep), (_, notify)] = &told.errands[..] else { panic!("{told:?}") };
    let Op::Keep { event: kept, seq: 5, since_ms, .. } = &keep.op else { panic!("{keep:?}") };
    assert_eq!((&**kept, *since_ms, &keep.target), (&event, NOW.unix_ms, &to("bob")));
    let Op::Notify { notification, transit: true } = &notify.op else { panic!("{notify:?}") };
    let wanted = [
        append(place(Kind::Room, "c"), event.clone()),
        waiting("bob", event.clone(), true),
        waiting("cid", Event::Notification(notification.clone()), true),
    ];
    assert_eq!(records, wanted, "first what is numbered; and both homes mean the same");
    // Bob's home keeps it without another word to the store; cid's makes it its own.
    let kept = act(&mut homes, keep.target.clone(), keep.origin.clone(), keep.op.clone());
    assert!(kept.written.is_empty());
    let asked = act(&mut homes, notify.target.clone(), notify.origin.clone(), notify.op.clone());
    let event = Event::Notification(notification.clone());
    assert_eq!(request(&asked).1, [append(user("cid"), event.clone()), waiting("cid", event, false)]);
    done(&mut homes, request(&asked).0, 1);
    assert_eq!(homes.held(), 2);
    assert_no_lines(&homes);
}

#[test]
fn a_direct_message_goes_from_home_to_home_and_is_never_nowhere() {
    let mut homes = durable(|_| ());
    attach_as(&mut homes, Dialect::Sge, "ann", 0);
    let op = Op::SendFrom { to: "bob".into(), text: "x".into(), detail: None, request: None };
    let asked = act(&mut homes, to("ann"), me("ann", 0), op);
    assert!(asked.is_silent());
    let (ticket, records) = request(&asked);
    let told = done(&mut homes, ticket, 3);
    let event = told.events[0].event.clone();
    assert_eq!(told.numbers, [Some(3)], "the sender's devices hear it in their own order");
    assert_eq!(records, [append(user("ann"), event.clone()), waiting("bob", event.clone(), true)]);
    let [(_, errand)] = &told.errands[..] else { panic!("{told:?}") };
    let receive =
        |homes: &mut Homes| act(homes, errand.target.clone(), errand.origin.clone(), errand.op.clone());
    attach_as(&mut homes, Dialect::Sge, "bob", 1);
    let asked = receive(&mut homes);
    assert_eq!(request(&asked).1, [append(user("bob"), event.clone()), waiting("bob", event.clone(), false)]);
    let told = done(&mut homes, request(&asked).0, 8);
    assert_eq!((told.events[0].event.clone(), told.numbers[0]), (event.clone(), Some(8)));
    assert_eq!(unqueued(&told), [event.id().expect("an id")], "it is told and waits no more");
    detach_as(&mut homes, Dialect::Sge, "bob", 1);
    let asked = receive(&mut homes);
    let told = done(&mut homes, request(&asked).0, 9);
    assert_eq!((unqueued(&told), homes.held()), (vec![], 1), "nobody is there");
    let op = Op::SendFrom { to: "ann".into(), text: "note".into(), detail: None, request: None };
    let asked = act(&mut homes, to("ann"), me("ann", 0), op);
    let [Record::Queue { waiting, .. }] = request(&asked).1 else { panic!("{asked:?}") };
    assert!(waiting.transit, "to oneself it is numbered when it is received");
    let told = done(&mut homes, request(&asked).0, 0);
    assert_eq!((told.events.len(), told.errands.len()), (0, 1));
    assert_no_lines(&homes);
}

#[test]
fn what_is_amended_is_asked_of_the_store_and_read_receipts_are_facts() {
    let mut homes = durable(|_| ());
    join(&mut homes, "c", 9, None);
    let room = || named(Kind::Room, "c");
    let asked = act(&mut homes, room(), me("ann", 0), saying("old", true));
    let said = all_done(&mut homes, asked, 1);
    let (message, by) = (message_id(&said), Arc::<str>::from("ann"));
    let channel = || place(Kind::Room, "c");
    let edit = act(&mut homes, room(), me("ann", 0), Op::Edit { message, text: "new".into() });
    let told = done(&mut homes, request(&edit).0, 2);
    let event = told.events[0].event.clone();
    assert!(matches!(&event, Event::Edited { text, .. } if &**text == "new"));
    let amend = |text: Option<&str>| Record::Amend {
        channel: channel(),
        message,
        by: by.clone(),
        text: text.map(Into::into),
    };
    assert_eq!(request(&edit).1, [amend(Some("new")), append(channel(), event)]);
    assert_eq!(told.numbers, [Some(2)]);
    let read = act(&mut homes, room(), me("bob", 1), Op::Read { message });
    let receipt = Receipt { user: "bob".into(), message, at_ms: NOW.unix_ms };
    assert_eq!(request(&read).1, [Record::Receipt { channel: channel(), receipt }]);
    assert_eq!(done(&mut homes, request(&read).0, 0).numbers, [None], "it has no place in the order");
    let other = act(&mut homes, room(), me("bob", 1), Op::Delete { message });
    assert_eq!((refused(&other), other.written.len()), (Code::Forbidden, 0), "known without a disk");
    let delete = act(&mut homes, room(), me("ann", 0), Op::Delete { message });
    let told = done(&mut homes, request(&delete).0, 3);
    assert_eq!(request(&delete).1, [amend(None), append(channel(), told.events[0].event.clone())]);
    let history = crate::model::HistoryQuery { after: 0, with: None, limit: 9 };
    let heard = act(&mut homes, room(), me("ann", 0), Op::History(Box::new(history)));
    assert_eq!(
        heard.answer(),
        &Reply::History { events: vec![], next: None },
        "from memory, as it reads now"
    );
    assert_no_lines(&homes);
}

#[test]
fn who_is_one_of_a_conversation_is_written_once_and_forgotten_once() {
    let mut homes = durable(|_| ());
    let know = |heard: &Heard| heard.written.clone();
    let fact = Fact::Standing("c".into());
    let claimed = stand_and_go(&mut homes, "bob");
    assert_eq!(know(&claimed), [(0, vec![Record::Know { channel: user("bob"), fact }])]);
    assert_eq!(claimed.replies.len(), 1, "nobody waits for it");
    assert!(know(&stand_and_go(&mut homes, "bob")).is_empty());
    let release = || Op::Release { room: "c".into(), for_good: true };
    act(&mut homes, to("bob"), me("bob", 1), Op::Release { room: "c".into(), for_good: false });
    let gone = act(&mut homes, to("bob"), me("bob", 1), release());
    let key = FactKey::Standing("c".into());
    assert_eq!(know(&gone), [(0, vec![Record::Forget { channel: user("bob"), key }])]);
    assert!(know(&act(&mut homes, to("bob"), me("bob", 1), release())).is_empty());
}

#[test]
fn topics_write_what_they_remember_and_nothing_else() {
    let mut homes = durable(|_| ());
    let topic = || named(Kind::Topic, "t");
    let announce = |event| Op::Announce { event, except: Except::Nobody };
    let said = act(&mut homes, topic(), me("ann", 0), saying("x", true));
    let told = done(&mut homes, request(&said).0, 4);
    assert_eq!(request(&said).1, [append(place(Kind::Topic, "t"), told.events[0].event.clone())]);
    let event = Event::Notification(notification(7));
    let told = act(&mut homes, topic(), me("ann", 0), announce(event.clone()));
    assert_eq!(request(&told).1, [append(place(Kind::Topic, "t"), event)]);
    done(&mut homes, request(&told).0, 5);
    join_topic(&mut homes);
    let custom = Event::Custom { dialect: Dialect::Tusk, json: "{}".into() };
    let told = act(&mut homes, topic(), me("ann", 0), announce(custom));
    assert_eq!((told.written.len(), told.numbers), (0, vec![None]));
    assert_no_lines(&homes);
}

fn join_topic(homes: &mut Homes) {
    act(homes, named(Kind::Topic, "t"), origin(9, None), joining(VARIANT, JoinManner::Quiet, None));
}

fn notification(id: u128) -> Arc<Notification> {
    Arc::new(Notification {
        id: MessageId::random(id),
        title: "t".into(),
        text: format!("{id}").into(),
        level: "info".into(),
        priority: Priority::Normal,
        channel: None,
        about: None,
        at_ms: NOW.unix_ms,
    })
}

/// Something waits for bob.
fn mail(homes: &mut Homes, text: &str, seq: u64) -> MessageId {
    let asked = direct(homes, "bob", text);
    let sent = all_done(homes, asked, seq);
    match sent.replies[0].1 {
        Reply::Sent { id, .. } => id,
        _ => panic!("{sent:?}"),
    }
}

#[test]
fn what_waited_leaves_the_queue_when_it_is_written_to_a_device_and_not_before() {
    let mut homes = durable(|_| ());
    let ids = [mail(&mut homes, "a", 1), mail(&mut homes, "b", 2)];
    let came = attach(&mut homes, "bob", 1);
    assert_eq!((handed(&came), unqueued(&came)), (vec!["a", "b"], vec![]));
    let went = detach(&mut homes, "bob", 1);
    assert_eq!(unqueued(&went), [], "it went before it had them");
    assert_eq!(handed(&attach(&mut homes, "bob", 2)), ["a", "b"]);
    assert_eq!(unqueued(&written_to(&mut homes, "bob", 2)), ids);
    assert_eq!(unqueued(&written_to(&mut homes, "bob", 2)), [], "once");
    assert_eq!(homes.held(), 0);
}

#[test]
fn what_is_acknowledged_gives_way_or_is_cleared_leaves_the_queue() {
    let mut homes = durable(|limits| limits.realms[0].queue = 2);
    let a = mail(&mut homes, "a", 1);
    let b = mail(&mut homes, "b", 2);
    let asked = direct(&mut homes, "bob", "c");
    assert_eq!(unqueued(&all_done(&mut homes, asked, 3)), [a], "the oldest gives way");
    attach(&mut homes, "bob", 1);
    let ack = |homes: &mut Homes, id| act(homes, to("bob"), me("bob", 1), Op::Acknowledge { id });
    assert_eq!(unqueued(&ack(&mut homes, b)), [b]);
    assert_eq!(unqueued(&ack(&mut homes, b)), [], "it waited no more");
    assert_eq!(unqueued(&written_to(&mut homes, "bob", 1)), [], "the other one is to be acknowledged");
    detach(&mut homes, "bob", 1);
    let d = mail(&mut homes, "d", 4);
    let e = mail(&mut homes, "e", 5);
    attach(&mut homes, "bob", 2);
    let over = unqueued(&written_to(&mut homes, "bob", 2));
    assert_eq!(over.len(), 1, "of three that were not acknowledged two are kept: {over:?}");
    assert!(over[0] != d && over[0] != e);
    assert_eq!(homes.held(), 2);
    assert_eq!(unqueued(&ack(&mut homes, d)), [d]);
}

#[test]
fn notifications_that_are_cleared_wait_no_more() {
    let mut homes = durable(|_| ());
    for n in [1, 2, 3] {
        let op = Op::Notify { notification: notification(n), transit: false };
        let asked = act(&mut homes, to("bob"), me("ann", 0), op);
        let event = Event::Notification(notification(n));
        assert_eq!(request(&asked).1, [append(user("bob"), event.clone()), waiting("bob", event, false)]);
        all_done(&mut homes, asked, n as u64);
    }
    let clear = |homes: &mut Homes, id, seq| {
        let asked = act(homes, to("bob"), me("bob", 1), Op::NotificationClear { id });
        let event = Event::NotificationCleared { id, at_ms: NOW.unix_ms };
        assert_eq!(request(&asked).1, [append(user("bob"), event)]);
        unqueued(&all_done(homes, asked, seq))
    };
    assert_eq!(clear(&mut homes, Some(MessageId::random(2)), 4), [MessageId::random(2)]);
    assert_eq!(clear(&mut homes, None, 5), [MessageId::random(1), MessageId::random(3)]);
    assert_eq!(homes.held(), 0);
}

#[test]
fn who_is_there_has_nothing_queued() {
    let mut homes = durable(|_| ());
    attach_as(&mut homes, Dialect::Sge, "bob", 1);
    let asked = direct(&mut homes, "bob", "x");
    assert_eq!(request(&asked).1.len(), 1);
    assert_eq!(unqueued(&all_done(&mut homes, asked, 1)), []);
    let op = Op::Notify { notification: notification(1), transit: false };
    let asked = act(&mut homes, to("bob"), me("ann", 0), op);
    assert_eq!(request(&asked).1.len(), 1);
    let told = all_done(&mut homes, asked, 2);
    assert_eq!((unqueued(&told), told.answer()), (vec![], &Reply::Notified { delivered: true }));
    // What came from another home does wait, till it is told.
    let op = Op::Notify { notification: notification(2), transit: true };
    let asked = act(&mut homes, to("bob"), me("ann", 0), op);
    assert_eq!(unqueued(&all_done(&mut homes, asked, 3)), [MessageId::random(2)]);
    assert_no_lines(&homes);
}

fn kept(id: u128, event: Event, seq: u64, transit: bool, priority: Priority) -> (ChannelName, Kept) {
    let since_ms = NOW.unix_ms - 1000 + id as u64;
    (user("bob"), Kept::Waiting(Waiting { event, seq, transit, priority, since_ms }))
}

fn room_message(id: u128) -> Event {
    let Event::Direct(message) = user_message("c", id) else { unreachable!() };
    Event::Message(Message { kind: Kind::Room, ..message })
}

#[test]
fn what_was_kept_is_there_again_and_what_was_in_transit_is_taken_in() {
    let mut homes = durable(|_| ());
    let settings = RoomSettings { moderated: true, public: false, ..RoomSettings::default() };
    let was = crate::model::Presence {
        user: "bob".into(),
        status: Status::Busy,
        message: Some("at work".into()),
        location: None,
        at_ms: 77,
    };
    let facts = [
        (place(Kind::Room, "made"), Fact::Room { settings, creator: Some("ann".into()) }),
        (place(Kind::Room, "c"), Fact::Standing("bob".into())),
        (user("bob"), Fact::Standing("c".into())),
        (user("bob"), Fact::Contact(contact("ann"))),
        (user("bob"), Fact::Presence(vec![was.clone(), was.clone()])),
    ];
    let mut all: Vec<_> = facts.into_iter().map(|(name, fact)| (name, Kept::Fact(fact))).collect();
    all.extend([
        kept(1, user_message("bob", 1), 4, false, Priority::Normal),
        kept(2, Event::Notification(notification(2)), 5, false, Priority::Urgent),
        kept(3, room_message(3), 9, true, Priority::Normal),
        kept(4, user_message("bob", 4), 0, true, Priority::Normal),
    ]);
    let mut heard = Heard::default();
    homes.restore(all, NOW, &mut heard);
    assert_eq!((homes.rooms(), homes.held()), (2, 3));
    let (ticket, records) = request(&heard);
    let event = user_message("bob", 4);
    assert_eq!(records, [append(user("bob"), event.clone()), waiting("bob", event, false)]);
    let taken = done(&mut homes, ticket, 6);
    assert!(taken.events.is_empty() && taken.replies.iter().all(|(to, _)| to.connection().is_none()));
    assert_eq!(homes.held(), 4);
    let history = act(&mut homes, to("bob"), me("ann", 0), Op::PresenceHistory);
    assert_eq!(history.answer(), &Reply::Presences(vec![was]));
    let roster = act(&mut homes, to("bob"), me("bob", 1), Op::RosterGet);
    assert_eq!(roster.answer(), &Reply::Roster(vec![contact("ann")]));
    let said = act(&mut homes, named(Kind::Room, "c"), me("ann", 0), saying("x", true));
    assert_eq!(request(&said).1.len(), 2, "bob is one of it and away");
    written(&mut homes, request(&said).0);
    let shy = act(&mut homes, named(Kind::Room, "made"), me("eve", 3), saying("x", true));
    assert_eq!((refused(&shy), homes.users_online()), (Code::Forbidden, 0));
    let came = attach_as(&mut homes, Dialect::Sge, "bob", 1);
    let Some((_, Reply::Handed { items, .. })) =
        came.replies.iter().find(|(_, r)| matches!(r, Reply::Handed { .. }))
    else {
        panic!("{came:?}")
    };
    let got: Vec<_> = items.iter().map(|(seq, event)| (*seq, text_of(event))).collect();
    assert_eq!(got, [(5, "2"), (4, "1"), (9, "3"), (6, "4")], "the urgent first, else as they came");
    assert_eq!(unqueued(&written_to(&mut homes, "bob", 1)), [2, 1, 3, 4].map(MessageId::random));
}

/// The store refuses; what was asked for is over.
fn written(homes: &mut Homes, ticket: Ticket) {
    super::stored::written(homes, ticket, crate::model::Outcome::Failed);
}

#[test]
fn what_no_longer_fits_after_a_restart_leaves_the_store() {
    let mut homes = durable(|limits| limits.realms[0].queue = 2);
    let all = [1, 2, 3].map(|id| kept(id, user_message("bob", id), id as u64, false, Priority::Normal));
    let mut heard = Heard::default();
    homes.restore(all, NOW, &mut heard);
    assert_eq!((unqueued(&heard), homes.held()), (vec![MessageId::random(1)], 2));
    assert_eq!(handed(&attach(&mut homes, "bob", 1)), ["2", "3"]);
}

#[test]
fn presence_is_written_soon_and_once_however_often_it_changed() {
    let mut homes = durable(|_| ());
    let turn =
        |homes: &mut Homes, now_ms, user: &str, n, op| act_at(homes, now_ms, to(user), me(user, n), op);
    let variant = VARIANT;
    for (user, n) in [("ann", 0), ("bob", 1)] {
        turn(&mut homes, 10_000, user, n, Op::Attach { variant, rooms: vec![], since: None });
    }
    for n in 0..50 {
        for (user, n) in [("ann", (0, n)), ("bob", (1, n))] {
            turn(&mut homes, 10_001 + n.1, user, n.0, showing(Status::Away));
        }
    }
    assert_eq!((homes.unsaved.len(), homes.next_ms()), (2, Some(10_500)));
    let expire = |homes: &mut Homes, mono_ms| {
        let mut heard = Heard::default();
        let expired = homes.expire(Now { mono_ms, ..NOW }, &mut heard);
        (expired, heard.written)
    };
    assert_eq!(expire(&mut homes, 10_499), (false, vec![]));
    let (expired, written) = expire(&mut homes, 10_500);
    assert!(expired);
    let facts: Vec<_> = written
        .iter()
        .map(|(ticket, records)| match &records[..] {
            [Record::Know { channel, fact: Fact::Presence(account) }] => {
                (*ticket, &*channel.id, account[0].status, account.len())
            }
            _ => panic!("{records:?}"),
        })
        .collect();
    assert_eq!(facts, [(0, "ann", Status::Away, 51), (0, "bob", Status::Away, 51)]);
    assert_eq!((homes.next_ms(), expire(&mut homes, 20_000)), (None, (false, vec![])));
    turn(&mut homes, 20_000, "ann", 0, Op::Detach { variant, rooms: vec![] });
    assert_eq!(homes.next_ms(), Some(20_500));
    let mut heard = Heard::default();
    homes.save_presences(&mut heard);
    assert_eq!((heard.written.len(), homes.next_ms()), (1, None), "at the shard's end at once");
}
