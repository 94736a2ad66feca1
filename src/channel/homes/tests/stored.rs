//! Homes with a store: what waits for it, what does not, and in which order all of it is told.

use super::*;
use crate::model::{Answer, Outcome};

/// With a store, and without limits but those that a test sets.
pub fn durable(set: impl FnOnce(&mut HomeLimits)) -> Homes {
    let mut limits = HomeLimits {
        realms: vec![RealmLimits { message_cache: 2, ..RealmLimits::default() }],
        durable: true,
        ..HomeLimits::default()
    };
    set(&mut limits);
    Homes::new(0, limits)
}

/// The store answers.
pub fn answer(homes: &mut Homes, ticket: Ticket, answer: Answer) -> Heard {
    let mut heard = Heard::default();
    homes.stored(ticket, answer, &mut heard);
    homes.settle(|_| 0, &mut heard);
    heard
}

pub fn written(homes: &mut Homes, ticket: Ticket, outcome: Outcome) -> Heard {
    answer(homes, ticket, Answer::Written(outcome))
}

pub fn done(homes: &mut Homes, ticket: Ticket, seq: u64) -> Heard {
    written(homes, ticket, Outcome::Done { seq })
}

/// The one request to write whose answer is waited for.
pub fn request(heard: &Heard) -> (Ticket, &[Record]) {
    let awaited: Vec<_> = heard.written.iter().filter(|(ticket, _)| *ticket != 0).collect();
    match awaited[..] {
        [(ticket, records)] => (*ticket, records),
        _ => panic!("not one request: {heard:?}"),
    }
}

/// What is said to wait no more.
pub fn unqueued(heard: &Heard) -> Vec<MessageId> {
    let mut all = Vec::new();
    for (ticket, records) in &heard.written {
        for record in records {
            if let Record::Unqueue { ids, .. } = record {
                assert_eq!(*ticket, 0, "nobody waits for it");
                all.extend(ids);
            }
        }
    }
    all
}

/// Carries a command out with a store that takes everything, under these numbers.
pub fn all_done(homes: &mut Homes, mut heard: Heard, seq: u64) -> Heard {
    let (ticket, _) = request(&heard);
    let told = done(homes, ticket, seq);
    heard.replies.extend(told.replies);
    heard.events.extend(told.events);
    heard.numbers.extend(told.numbers);
    heard.errands.extend(told.errands);
    heard.written.extend(told.written);
    heard
}

/// Nothing waits, and nothing is asked.
pub fn assert_no_lines(homes: &Homes) {
    assert!(homes.lines.is_empty() && homes.tickets.is_empty(), "{:?} {:?}", homes.lines, homes.tickets);
    assert_eq!(homes.awaited(), 0);
}

fn room() -> Target {
    named(Kind::Room, "r")
}

fn say(homes: &mut Homes, text: &str) -> Heard {
    act(homes, room(), me("ann", 0), saying(text, true))
}

fn write_to(homes: &mut Homes, to: &str, text: &str) -> Heard {
    direct(homes, to, text)
}

#[test]
fn nothing_is_told_before_it_is_durable_and_then_it_is_what_was_written_under_the_stores_number() {
    let mut homes = durable(|_| ());
    join(&mut homes, "r", 9, None);
    let asked = say(&mut homes, "hi");
    assert!(asked.is_silent(), "{asked:?}");
    let (ticket, records) = request(&asked);
    let told = done(&mut homes, ticket, 41);
    assert_eq!((texts(&told), &told.numbers[..]), (vec!["hi"], &[Some(41)][..]));
    let event = told.events[0].event.clone();
    assert_eq!(records, [Record::Append { channel: place(Kind::Room, "r"), event, request: None }]);
    assert_no_lines(&homes);
    assert!(answer(&mut homes, ticket, Answer::Written(Outcome::Failed)).is_silent(), "said once");
}

#[test]
fn many_are_under_way_at_once_and_told_in_their_order_whatever_the_order_of_the_answers() {
    let mut homes = durable(|_| ());
    join(&mut homes, "r", 9, None);
    let tickets: Vec<_> = ["a", "b", "c", "d"].map(|text| request(&say(&mut homes, text)).0).to_vec();
    assert_eq!((tickets.len(), homes.awaited()), (4, 4), "all of them are asked for");
    assert!(done(&mut homes, tickets[1], 2).is_silent());
    assert!(done(&mut homes, tickets[2], 3).is_silent());
    let told = done(&mut homes, tickets[0], 1);
    assert_eq!(texts(&told), ["a", "b", "c"]);
    assert_eq!(told.numbers, [Some(1), Some(2), Some(3)]);
    assert_eq!(homes.awaited(), 1);
    assert_eq!(done(&mut homes, tickets[3], 7).numbers, [Some(7)], "numbers are the store's");
    assert_no_lines(&homes);
}

#[test]
fn who_comes_and_goes_keeps_its_place_between_messages() {
    let mut homes = durable(|_| ());
    join(&mut homes, "r", 9, None);
    let a = say(&mut homes, "a");
    assert!(join(&mut homes, "r", 8, None).is_silent(), "it comes behind a");
    let b = say(&mut homes, "b");
    assert!(b.written.is_empty(), "who hears it is not known yet");
    assert!(act(&mut homes, room(), origin(9, None), leaving(false)).is_silent());
    let c = say(&mut homes, "c");
    assert!(c.written.is_empty());
    assert_eq!(homes.awaited(), 5);
    let told = done(&mut homes, request(&a).0, 1);
    assert_eq!(told.events.iter().map(|told| told.of).collect::<Vec<_>>(), [1], "a is for one");
    assert!(matches!(told.answer(), Reply::Joined { .. }));
    let told = done(&mut homes, request(&told).0, 2);
    assert_eq!(told.events.iter().map(|told| told.of).collect::<Vec<_>>(), [2], "b for two");
    assert!(matches!(told.answer(), Reply::Left { .. }));
    let told = done(&mut homes, request(&told).0, 3);
    assert_eq!((texts(&told), told.events[0].of), (vec!["c"], 1));
    assert_no_lines(&homes);
}

#[test]
fn a_device_that_comes_or_goes_keeps_its_place_between_messages() {
    let mut homes = durable(|_| ());
    let waits = write_to(&mut homes, "bob", "a");
    assert!(attach(&mut homes, "bob", 1).replies.is_empty());
    let told = done(&mut homes, request(&waits).0, 1);
    assert!(matches!(told.replies[0].1, Reply::Sent { queued: true, .. }), "nobody was there");
    assert_eq!(handed(&told), ["a"], "and then it was");
    let heard = write_to(&mut homes, "bob", "b");
    assert_eq!(request(&heard).1.len(), 1, "who is there needs no queue");
    assert!(detach(&mut homes, "bob", 1).is_silent());
    let told = done(&mut homes, request(&heard).0, 2);
    assert_eq!((texts(&told), &told.numbers[..]), (vec!["b"], &[Some(2)][..]));
    assert_eq!(homes.held(), 1, "a was not written to the device that went");
    assert_eq!(homes.users_online(), 0);
    assert_no_lines(&homes);
}

#[test]
fn what_is_ephemeral_waits_for_no_disk() {
    let mut homes = durable(|_| ());
    join(&mut homes, "r", 9, None);
    attach(&mut homes, "bob", 1);
    let (said, mail) = (say(&mut homes, "a"), write_to(&mut homes, "bob", "x"));
    let typing = || Op::Typing { on: true, from: None, username: None, for_ms: 100 };
    assert_eq!(act(&mut homes, room(), me("ann", 0), typing()).events.len(), 1);
    let bob = || named(Kind::User, "bob");
    assert_eq!(act(&mut homes, bob(), me("sender", 7), typing()).events.len(), 1);
    assert!(!act(&mut homes, bob(), me("bob", 1), showing(Status::Busy)).realm.is_empty());
    for op in [Op::DescribeRoom, Op::ListMembers] {
        assert_eq!(act(&mut homes, room(), me("ann", 0), op).replies.len(), 1);
    }
    let claim = Op::Claim { room: "r".into(), manner: JoinManner::Open };
    for op in [claim, Op::Grant { limit: 1, window_ms: 1 }, Op::PresenceHistory] {
        assert_eq!(act(&mut homes, bob(), me("bob", 1), op).replies.len(), 1);
    }
    let told = done(&mut homes, request(&said).0, 1);
    assert_eq!(told.events.len(), 2, "who has spoken writes no more: {told:?}");
    assert_eq!(done(&mut homes, request(&mail).0, 1).events.len(), 2);
    assert_no_lines(&homes);
}

/// A refusal is told to whoever asked and to nobody else; the one behind it goes on.
#[test]
fn what_is_refused_is_told_to_its_sender_alone_and_changes_nothing() {
    let mut homes = durable(|_| ());
    join(&mut homes, "r", 9, None);
    let edit = |id| Op::Edit { message: MessageId::random(id), text: "new".into() };
    let cases = [
        (saying("lost", true), Outcome::Failed, Code::Unavailable),
        (edit(7), Outcome::NoMessage, Code::NotFound),
        (edit(8), Outcome::NotTheAuthor, Code::Forbidden),
        (edit(9), Outcome::Failed, Code::Unavailable),
        (Op::Read { message: MessageId::random(7) }, Outcome::NoMessage, Code::NotFound),
        (Op::Delete { message: MessageId::random(7) }, Outcome::NotTheAuthor, Code::Forbidden),
    ];
    for (op, outcome, code) in cases {
        let asked = act(&mut homes, room(), me("ann", 0), op);
        let behind = say(&mut homes, "behind");
        let told = written(&mut homes, request(&asked).0, outcome);
        assert_eq!((told.replies[0].0, refused(&told)), (ReplyTo::Connection(key(0)), code));
        assert!(told.events.is_empty() && told.errands.is_empty() && told.written.is_empty(), "{told:?}");
        assert_eq!(texts(&done(&mut homes, request(&behind).0, 1)), ["behind"]);
        assert_no_lines(&homes);
    }
    let mail = write_to(&mut homes, "bob", "x");
    let told = written(&mut homes, request(&mail).0, Outcome::Failed);
    assert_eq!((refused(&told), homes.held()), (Code::Unavailable, 0));
    assert!(!homes.names.contains_key(&place(Kind::User, "bob")), "nothing of it is left");
}

#[test]
fn what_was_said_before_is_told_again_to_its_sender_alone() {
    let mut homes = durable(|_| ());
    join(&mut homes, "r", 9, None);
    let again = Outcome::Again { seq: 3, message: MessageId::random(77) };
    let mut op = saying("twice", true);
    if let Op::Publish { request, .. } = &mut op {
        *request = Some("mine".into());
    }
    let asked = act(&mut homes, room(), me("ann", 0), op);
    let (ticket, records) = request(&asked);
    let [Record::Append { request: Some(name), .. }] = records else { panic!("{records:?}") };
    assert_eq!(&**name, "ann\0mine", "another one may call its message so too");
    let told = written(&mut homes, ticket, again.clone());
    let Reply::Heard { event, seq: 3 } = told.answer() else { panic!("{told:?}") };
    assert_eq!((event.id(), text_of(event)), (Some(MessageId::random(77)), "twice"));
    assert!(told.events.is_empty() && told.errands.is_empty());
    let op = Op::SendDirect { text: "x".into(), detail: None, request: Some("mine".into()) };
    let mail = act(&mut homes, named(Kind::User, "bob"), me("ann", 0), op);
    let told = written(&mut homes, request(&mail).0, again);
    let sent = Reply::Sent { to: "bob".into(), id: MessageId::random(77), queued: false };
    assert_eq!((told.answer(), homes.held()), (&sent, 0), "it has it or will have it by the first one");
    assert_no_lines(&homes);
}

#[test]
fn a_channel_is_not_removed_while_something_waits_in_it() {
    let mut homes = durable(|_| ());
    join(&mut homes, "r", 9, None);
    let said = say(&mut homes, "a");
    act(&mut homes, room(), origin(9, None), leaving(true));
    assert_eq!(homes.rooms(), 1);
    assert_eq!(texts(&done(&mut homes, request(&said).0, 1)), ["a"]);
    assert_eq!(homes.rooms(), 0, "then it goes");
    let mail = write_to(&mut homes, "bob", "x");
    homes.limits = Rc::new(HomeLimits { known_users: 1, ..(*homes.limits).clone() });
    for user in ["bob", "eve", "fay"] {
        attach(&mut homes, user, 2);
        detach(&mut homes, user, 2);
        homes.save_presences(&mut Heard::default());
    }
    assert!(homes.names.contains_key(&place(Kind::User, "bob")), "{:?}", homes.names);
    let told = done(&mut homes, request(&mail).0, 1);
    assert!(matches!(told.replies[0].1, Reply::Sent { queued: true, .. }));
    assert_eq!(homes.held(), 1);
    assert_no_lines(&homes);
}

/// The turn looks at all whose presence it tells, and takes away who is over.
#[test]
fn the_end_of_a_turn_does_not_take_a_user_from_what_waits() {
    let mut homes = durable(|_| ());
    let to = || named(Kind::User, "bob");
    let op = || Op::SendDirect { text: "x".into(), detail: None, request: None };
    let mail = apply(&mut homes, 1, to(), me("ann", 0), op());
    let user = homes.names[&place(Kind::User, "bob")];
    homes.user_mut(user).expect("bob").untold = true;
    homes.untold.push((user, homes.slots[user as usize].generation));
    settle(&mut homes);
    join(&mut homes, "new", 9, None);
    assert!(matches!(done(&mut homes, request(&mail).0, 1).answer(), Reply::Sent { queued: true, .. }));
}

#[test]
fn what_stands_behind_a_question_counts_as_waiting_too() {
    let mut homes = durable(|_| ());
    let query = crate::model::HistoryQuery { after: 0, with: None, limit: 5 };
    let asked = act(&mut homes, room(), me("ann", 0), Op::History(Box::new(query)));
    let [(ticket, _)] = asked.asked[..] else { panic!("{asked:?}") };
    for n in 0..10 {
        assert!(say(&mut homes, &n.to_string()).written.is_empty());
    }
    assert_eq!((homes.awaited(), homes.tickets.len()), (11, 1));
    let page = crate::model::Page { first: 1, ..Default::default() };
    let told = answer(&mut homes, ticket, Answer::Page(page));
    assert!(matches!(told.answer(), Reply::History { .. }));
    let tickets: Vec<_> = told.written.iter().map(|(ticket, _)| *ticket).collect();
    assert_eq!((tickets.len(), homes.awaited()), (10, 10), "now all are asked for");
    for (n, ticket) in (0..).zip(tickets) {
        assert_eq!(homes.rooms(), 1);
        done(&mut homes, ticket, n + 1);
    }
    assert_eq!(homes.rooms(), 0, "nobody was ever in it");
    assert_no_lines(&homes);
}

#[test]
fn a_room_made_by_hand_is_there_when_it_is_durable() {
    let mut homes = durable(|_| ());
    let settings = RoomSettings { max_members: 5, ..RoomSettings::default() };
    let create = |settings: &RoomSettings| Op::CreateRoom { settings: settings.clone() };
    let first = act(&mut homes, room(), me("ann", 0), create(&settings));
    let fact = crate::model::Fact::Room { settings: settings.clone(), creator: Some("ann".into()) };
    let (ticket, records) = request(&first);
    assert_eq!(records, [Record::Know { channel: place(Kind::Room, "r"), fact }]);
    assert_eq!(refused(&act(&mut homes, room(), me("x", 3), Op::DescribeRoom)), Code::NotFound);
    let list = Op::ListRooms { realm: REALM, tenant: "default".into() };
    assert_eq!(act(&mut homes, Target::Shard, me("x", 3), list).answer(), &Reply::Rooms(vec![]));
    let second = act(&mut homes, room(), me("bob", 1), create(&RoomSettings::default()));
    assert!(second.is_silent() && second.written.is_empty(), "it depends on what becomes of the first");
    let told = done(&mut homes, ticket, 0);
    let answers: Vec<_> = told.replies.iter().map(|(to, reply)| (*to, reply)).collect();
    let [(to, Reply::Room { created: true, info }), (_, Reply::Room { created: false, .. })] = answers[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!((to, info.max_members), (ReplyTo::Connection(key(0)), 5));
    assert!(told.written.is_empty());
    assert_no_lines(&homes);
}

#[test]
fn a_room_that_could_not_be_kept_was_never_there_and_the_next_one_makes_it() {
    let mut homes = durable(|_| ());
    let create = || Op::CreateRoom { settings: RoomSettings { moderated: true, ..RoomSettings::default() } };
    let first = act(&mut homes, room(), me("ann", 0), create());
    let second = act(&mut homes, room(), me("bob", 1), create());
    assert!(second.written.is_empty());
    let told = written(&mut homes, request(&first).0, Outcome::Failed);
    assert_eq!(refused(&told), Code::Unavailable);
    let told = written(&mut homes, request(&told).0, Outcome::Failed);
    assert_eq!(refused(&told), Code::Unavailable);
    assert_eq!(homes.rooms(), 0);
    assert!(say(&mut homes, "x").replies.is_empty(), "by no rules of a room that is not there");
    let stands = act(&mut homes, named(Kind::Room, "s"), me("ann", 0), saying("x", true));
    let third = act(&mut homes, named(Kind::Room, "s"), me("ann", 0), create());
    let told = done(&mut homes, request(&stands).0, 1);
    assert!(third.is_silent() && told.replies.is_empty());
    let made = done(&mut homes, request(&told).0, 0);
    assert!(matches!(made.answer(), Reply::Room { created: true, .. }), "a word in it made no room");
}

#[test]
fn contacts_are_decided_one_by_one() {
    let mut homes = durable(|limits| limits.realms[0].contacts = 1);
    let to = || named(Kind::User, "ann");
    let update = |user: &str| Op::RosterUpdate { contact: contact(user) };
    let first = act(&mut homes, to(), me("ann", 0), update("bob"));
    let second = act(&mut homes, to(), me("ann", 0), update("cid"));
    let get = act(&mut homes, to(), me("ann", 0), Op::RosterGet);
    assert!(second.written.is_empty() && get.is_silent());
    let (ticket, records) = request(&first);
    let fact = crate::model::Fact::Contact(contact("bob"));
    assert_eq!(records, [Record::Know { channel: place(Kind::User, "ann"), fact }]);
    let told = done(&mut homes, ticket, 0);
    let [(_, Reply::Roster(one)), (_, Reply::Refused(_)), (_, Reply::Roster(got))] = &told.replies[..] else {
        panic!("{told:?}")
    };
    assert_eq!((one, got), (&vec![contact("bob")], &vec![contact("bob")]));
    assert!(told.written.is_empty(), "what is refused is not written");
    let gone = act(&mut homes, to(), me("ann", 0), Op::RosterRemove { user: "bob".into() });
    let (ticket, records) = request(&gone);
    let key = crate::model::FactKey::Contact("bob".into());
    assert_eq!(records, [Record::Forget { channel: place(Kind::User, "ann"), key }]);
    assert_eq!(done(&mut homes, ticket, 0).answer(), &Reply::Roster(vec![]));
    assert_no_lines(&homes);
}

pub fn contact(user: &str) -> crate::model::Contact {
    crate::model::Contact { user: user.into(), name: None, groups: vec![] }
}

#[test]
fn what_the_store_has_taken_is_not_refused_for_want_of_room() {
    let mut homes = durable(|limits| limits.queue_total = 1);
    let asked = ["bob", "cid"].map(|to| write_to(&mut homes, to, "x"));
    for heard in asked {
        let told = done(&mut homes, request(&heard).0, 1);
        assert!(matches!(told.answer(), Reply::Sent { queued: true, .. }));
    }
    assert_eq!(homes.held(), 2);
    let third = write_to(&mut homes, "dan", "x");
    assert_eq!((refused(&third), third.written.len()), (Code::Unavailable, 0));
    assert!(!homes.names.contains_key(&place(Kind::User, "dan")));
    // What another home has written as in transit is not to come later, if its sender is told that it will not.
    let Event::Direct(message) = user_message("eve", 5) else { unreachable!() };
    let op = Op::Receive { message: Box::new(message) };
    let heard = act(&mut homes, named(Kind::User, "eve"), me("ann", 0), op);
    assert_eq!((refused(&heard), unqueued(&heard)), (Code::Unavailable, vec![MessageId::random(5)]));
    assert_no_lines(&homes);
}

#[test]
fn what_is_on_its_way_from_another_home_is_taken_in_when_the_store_can_write_again() {
    let mut homes = durable(|_| ());
    let Event::Direct(message) = user_message("bob", 5) else { unreachable!() };
    let op = Op::Receive { message: Box::new(message) };
    let heard = act(&mut homes, named(Kind::User, "bob"), me("ann", 0), op);
    let told = written(&mut homes, request(&heard).0, Outcome::Failed);
    assert!(told.is_silent(), "its sender was told that it is sent: {told:?}");
    let due = homes.next_ms().expect("it is tried again");
    assert!(!homes.expire(Now { mono_ms: due - 1, ..NOW }, &mut Heard::default()));
    let mut again = Heard::default();
    assert!(homes.expire(Now { mono_ms: due, ..NOW }, &mut again));
    let told = done(&mut homes, request(&again).0, 1);
    assert!(matches!(told.answer(), Reply::Sent { queued: true, .. }));
    assert_eq!((homes.held(), homes.next_ms()), (1, None));
    assert_no_lines(&homes);
}

/// A message to that user.
pub fn user_message(to: &str, id: u128) -> Event {
    Event::Direct(crate::model::Message {
        id: MessageId::random(id),
        kind: Kind::User,
        place: to.into(),
        from: "ann".into(),
        connection: None,
        text: format!("{id}").into(),
        detail: None,
        at_ms: NOW.unix_ms,
    })
}

#[test]
fn asking_ahead_stops_at_what_may_change_the_channel() {
    let mut homes = durable(|_| ());
    join(&mut homes, "r", 9, None);
    let first = say(&mut homes, "a");
    let read = |since| Op::Join {
        variant: Variant { numbered: true, ..VARIANT },
        password: None,
        manner: JoinManner::Quiet,
        username: None,
        since,
        again: false,
    };
    act(&mut homes, room(), origin(8, None), read(None));
    for text in ["b", "c"] {
        assert!(say(&mut homes, text).written.is_empty());
    }
    act(&mut homes, room(), origin(8, None), leaving(false));
    assert!(say(&mut homes, "d").written.is_empty());
    let told = done(&mut homes, request(&first).0, 1);
    assert!(matches!(told.answer(), Reply::Joined { .. }), "it is known where it begins");
    assert_eq!(told.written.len(), 2, "b and c, and not d");
    let tickets: Vec<_> = told.written.iter().map(|(ticket, _)| *ticket).collect();
    assert_eq!(done(&mut homes, tickets[0], 2).numbers, [Some(2)]);
    let told = done(&mut homes, tickets[1], 3);
    let last = request(&told).0;
    assert_eq!(done(&mut homes, last, 4).numbers, [Some(4)]);
    assert_no_lines(&homes);
}
