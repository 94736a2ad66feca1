//! Users: devices, what waits for them, places in rooms, contacts, the window of messages.

use super::*;
use crate::model::{Contact, Follow, Notification, Priority};

#[test]
fn the_newest_messages_wait_for_the_first_device_and_their_sender_hears_of_it() {
    let mut homes = Homes::new(0, limits());
    for text in ["a", "b", "c"] {
        assert!(matches!(direct(&mut homes, "u", text).answer(), Reply::Sent { queued: true, .. }));
    }
    assert_eq!(homes.held(), 2);
    let came = attach(&mut homes, "u", 0);
    assert_eq!(handed(&came), ["b", "c"]);
    assert_eq!(handed(&attach(&mut homes, "u", 1)), [""; 0], "a second device gets nothing twice");
    assert_eq!(homes.held(), 2);
    let written = written_to(&mut homes, "u", 0);
    assert_eq!(written.replies.iter().filter(|(_, r)| matches!(r, Reply::Delivered { .. })).count(), 2);
    assert_eq!(homes.held(), 0);
}

#[test]
fn messages_for_the_absent_are_bounded_over_all_users() {
    let mut homes = Homes::new(0, limits());
    for user in ["a", "b", "c"] {
        direct(&mut homes, user, "x");
    }
    assert_eq!(refused(&direct(&mut homes, "d", "x")), Code::Unavailable);
    assert_eq!(homes.names.len(), 3);
    attach(&mut homes, "e", 0);
    assert!(matches!(direct(&mut homes, "e", "x").replies[0].1, Reply::Sent { queued: false, .. }));
}

#[test]
fn who_acknowledges_is_sent_again_only_what_was_not_acknowledged() {
    let mut homes = Homes::new(0, limits());
    attach(&mut homes, "u", 0);
    let id_of = |heard: Heard| match heard.replies[0].1 {
        Reply::Sent { id, .. } => id,
        _ => panic!(),
    };
    let first = id_of(direct(&mut homes, "u", "one"));
    act(&mut homes, named(Kind::User, "u"), me("u", 0), Op::Acknowledge { id: first });
    let second = id_of(direct(&mut homes, "u", "two"));
    direct(&mut homes, "u", "three");
    act(&mut homes, named(Kind::User, "u"), me("u", 0), Op::Acknowledge { id: second });
    detach(&mut homes, "u", 0);
    assert_eq!(handed(&attach(&mut homes, "u", 1)), ["three"]);
}

/// Who reads an answer has read the question: the sender's home tells it first and has it sent on.
#[test]
fn the_senders_devices_hear_a_message_before_it_is_sent_on() {
    let mut homes = homes(|_| ());
    attach(&mut homes, "ann", 0);
    let send = |to: &str| {
        let op = Op::SendFrom { to: to.into(), text: "x".into(), detail: None, request: None };
        Command { target: named(Kind::User, "ann"), origin: me("ann", 0), op }
    };
    let mut heard = Heard::default();
    homes.apply(send("ben"), NOW, &mut heard);
    let Event::Direct(echo) = &heard.events[0].event else { panic!("{heard:?}") };
    let [(0, Command { target, op: Op::Receive { message }, .. })] = &heard.errands[..] else {
        panic!("{heard:?}")
    };
    assert_eq!(*target, named(Kind::User, "ben"));
    assert_eq!((&**message, &*echo.place), (echo, "ben"));
    let heard = act(&mut homes, target.clone(), me("ann", 0), Op::Receive { message: message.clone() });
    assert!(matches!(heard.answer(), Reply::Sent { queued: true, .. }), "{heard:?}");
    let mut heard = Heard::default();
    homes.apply(send("ann"), NOW, &mut heard);
    assert!(heard.events.is_empty() && heard.errands.len() == 1, "who writes to itself hears it once");
}

fn claim(homes: &mut Homes, n: u32, room: &str) -> Heard {
    let op = Op::Claim { room: room.into(), manner: JoinManner::Open };
    act(homes, named(Kind::User, "u"), me("u", n), op)
}

#[test]
fn places_in_rooms_are_counted_over_devices() {
    let mut homes = Homes::new(0, limits());
    attach(&mut homes, "u", 0);
    let release = |homes: &mut Homes, n| {
        act(homes, named(Kind::User, "u"), me("u", n), Op::Release { room: "a".into(), for_good: false });
    };
    for (n, room) in [(0, "a"), (1, "b"), (1, "a")] {
        assert!(matches!(claim(&mut homes, n, room).answer(), Reply::Claimed { .. }));
    }
    assert_eq!(refused(&claim(&mut homes, 0, "c")), Code::LimitReached);
    release(&mut homes, 0);
    assert_eq!(refused(&claim(&mut homes, 0, "c")), Code::LimitReached);
    release(&mut homes, 1);
    assert!(matches!(claim(&mut homes, 0, "c").answer(), Reply::Claimed { .. }));
}

#[test]
fn conversations_count_as_places_also_while_no_device_is_in_them() {
    let mut homes = Homes::new(0, limits());
    attach(&mut homes, "u", 0);
    let stand = Op::Claim { room: "s".into(), manner: JoinManner::Standing };
    act(&mut homes, named(Kind::User, "u"), me("u", 0), stand);
    let release = |for_good| Op::Release { room: "s".into(), for_good };
    act(&mut homes, named(Kind::User, "u"), me("u", 0), release(false));
    assert!(matches!(claim(&mut homes, 0, "a").answer(), Reply::Claimed { .. }));
    assert_eq!(refused(&claim(&mut homes, 0, "b")), Code::LimitReached);
    assert!(matches!(claim(&mut homes, 0, "s").answer(), Reply::Claimed { .. }), "it has that one");
    act(&mut homes, named(Kind::User, "u"), me("u", 0), release(true));
    assert!(matches!(claim(&mut homes, 0, "b").answer(), Reply::Claimed { .. }));
}

#[test]
fn a_device_that_is_in_too_many_rooms_already_is_told_which() {
    let mut homes = Homes::new(0, limits());
    let rooms = ["a", "b", "c"].map(Arc::from).to_vec();
    let heard = act(
        &mut homes,
        named(Kind::User, "u"),
        me("u", 0),
        Op::Attach { variant: VARIANT, rooms, since: None },
    );
    let Reply::Attached { over, .. } = &heard.replies[0].1 else { panic!("{heard:?}") };
    assert_eq!(over[..], [Arc::from("c")]);
}

#[test]
fn a_users_window_is_one_over_all_its_devices_and_slides() {
    let mut homes = homes(|_| ());
    attach(&mut homes, "u", 0);
    attach(&mut homes, "u", 1);
    let grant = |homes: &mut Homes, now_ms, n| {
        let op = Op::Grant { limit: 3, window_ms: 100 };
        match act_at(homes, now_ms, named(Kind::User, "u"), me("u", n), op).answer() {
            Reply::Granted => true,
            Reply::Denied(refusal) => {
                assert_eq!(refusal.code, Code::RateLimited);
                false
            }
            other => panic!("{other:?}"),
        }
    };
    let given: Vec<_> = [(0, 0), (50, 1), (60, 0), (70, 1), (99, 0), (100, 1), (101, 0)]
        .map(|(now, n)| grant(&mut homes, 1000 + now, n))
        .to_vec();
    assert_eq!(given, [true, true, true, false, false, true, false]);
    detach(&mut homes, "u", 0);
    assert!(!grant(&mut homes, 1102, 1), "a device that goes takes nothing with it");
}

fn notification(n: u128, priority: Priority) -> Arc<Notification> {
    Arc::new(Notification {
        id: MessageId::random(n),
        title: "t".into(),
        text: n.to_string().into(),
        level: "info".into(),
        priority,
        channel: None,
        about: None,
        at_ms: NOW.unix_ms,
    })
}

fn notify(homes: &mut Homes, now_ms: u64, n: u128, priority: Priority) -> bool {
    let op = Op::Notify { notification: notification(n, priority), transit: false };
    match act_at(homes, now_ms, named(Kind::User, "u"), me("server", 8), op).answer() {
        Reply::Notified { delivered } => *delivered,
        other => panic!("{other:?}"),
    }
}

#[test]
fn notifications_wait_the_most_urgent_first_and_no_longer_than_they_may() {
    let mut homes = homes(|realm| realm.queue_ttl = 1000);
    for (n, priority) in (0..).zip([Priority::Low, Priority::Normal, Priority::Urgent, Priority::Normal]) {
        assert!(!notify(&mut homes, 1000 + n as u64, n, priority));
    }
    assert_eq!(homes.held(), 4);
    let variant = Variant { dialect: Dialect::Nexus, deflate: false, numbered: false };
    let op = Op::Attach { variant, rooms: vec![], since: None };
    let came = act_at(&mut homes, 2001, named(Kind::User, "u"), me("u", 0), op);
    assert_eq!(handed(&came), ["2", "3"], "those of a whole second ago are gone");
    written_to(&mut homes, "u", 0);
    assert_eq!(homes.held(), 0);
    assert!(notify(&mut homes, 2002, 5, Priority::Low));
}

#[test]
fn waiting_notifications_are_cleared_one_or_all_and_messages_stay() {
    let mut homes = homes(|_| ());
    for n in 0..3 {
        notify(&mut homes, 0, n, Priority::Normal);
    }
    direct(&mut homes, "u", "x");
    let clear = |id| Op::NotificationClear { id };
    act(&mut homes, named(Kind::User, "u"), me("u", 0), clear(Some(MessageId::random(1))));
    assert_eq!(homes.held(), 3);
    act(&mut homes, named(Kind::User, "u"), me("u", 0), clear(None));
    assert_eq!(homes.held(), 1);
    assert_eq!(handed(&attach(&mut homes, "u", 0)), ["x"]);
}

#[test]
fn what_one_device_has_seen_or_cleared_the_others_hear() {
    let mut homes = homes(|_| ());
    attach(&mut homes, "u", 0);
    attach(&mut homes, "u", 1);
    let id = MessageId::random(1);
    for op in [Op::NotificationRead { id }, Op::NotificationClear { id: Some(id) }] {
        let heard = act(&mut homes, named(Kind::User, "u"), me("u", 1), op);
        assert_eq!((heard.events[0].of, &heard.events[0].except), (2, &Except::Connection(key(1))));
        assert!(heard.replies.is_empty());
    }
}

fn contact(user: &str) -> Contact {
    Contact { user: user.into(), name: None, groups: Vec::new() }
}

fn update(homes: &mut Homes, contact: Contact) -> Heard {
    act(homes, named(Kind::User, "u"), me("u", 0), Op::RosterUpdate { contact })
}

fn roster(heard: &Heard) -> Vec<&str> {
    let Reply::Roster(contacts) = heard.answer() else { panic!("{heard:?}") };
    contacts.iter().map(|c| &*c.user).collect()
}

#[test]
fn contacts_are_kept_within_their_limit_and_followed_by_all_devices() {
    let mut homes = Homes::new(0, limits());
    attach_as(&mut homes, Dialect::Sge, "u", 0);
    attach_as(&mut homes, Dialect::Sge, "u", 1);
    let first = update(&mut homes, contact("a"));
    assert_eq!((roster(&first), &first.follows[..]), (vec!["a"], &[(2, "a".into(), true)][..]));
    let renamed = update(&mut homes, Contact { name: Some("A".into()), ..contact("a") });
    assert_eq!((roster(&renamed), renamed.follows.len()), (vec!["a"], 0));
    assert_eq!(roster(&update(&mut homes, contact("b"))), ["a", "b"]);
    assert_eq!(refused(&update(&mut homes, contact("c"))), Code::LimitReached);
    assert_eq!(roster(&update(&mut homes, contact("b"))), ["a", "b"], "no more of them than before");
    let remove = |user: &str| Op::RosterRemove { user: user.into() };
    let removed = act(&mut homes, named(Kind::User, "u"), me("u", 0), remove("a"));
    assert_eq!((roster(&removed), &removed.follows[..]), (vec!["b"], &[(2, "a".into(), false)][..]));
    let again = act(&mut homes, named(Kind::User, "u"), me("u", 0), remove("a"));
    assert_eq!((roster(&again), again.follows.len()), (vec!["b"], 0));
}

#[test]
fn a_later_device_follows_what_its_user_does_where_its_dialect_has_that() {
    let mut homes = homes(|_| ());
    attach_as(&mut homes, Dialect::Sge, "u", 0);
    update(&mut homes, contact("a"));
    detach_as(&mut homes, Dialect::Sge, "u", 0);
    for (n, dialect, wanted) in [
        (1, Dialect::Sge, vec![Follow::Presence("a".into())]),
        (2, Dialect::Tusk, vec![]),
        (3, Dialect::Nexus, vec![]),
    ] {
        let came = attach_as(&mut homes, dialect, "u", n);
        let Reply::Attached { follow, .. } = &came.replies[0].1 else { panic!("{came:?}") };
        assert_eq!(*follow, wanted, "{dialect}");
    }
    let listed = act(&mut homes, named(Kind::User, "u"), me("u", 1), Op::RosterGet);
    assert_eq!(roster(&listed), ["a"]);
    let nobody = act(&mut homes, named(Kind::User, "nobody"), me("u", 1), Op::RosterGet);
    assert_eq!(roster(&nobody), [""; 0]);
}
