//! Conversations: who stays one of them while it is away, who is mentioned, and who writes.

use super::*;
use crate::model::{Follow, Typing};

fn speaking(confirm: bool, mentions: &[&str]) -> Op {
    let mentions: Vec<Arc<str>> = mentions.iter().map(|m| Arc::from(*m)).collect();
    let detail = (!mentions.is_empty()).then(|| Box::new(Detail { mentions, ..Detail::default() }));
    Op::Publish {
        from: None,
        text: "hi".into(),
        detail,
        member: true,
        echo: Echo::Member,
        confirm,
        request: None,
    }
}

fn say(homes: &mut Homes, user: &str, n: u32, op: Op) -> Heard {
    act(homes, named(Kind::Room, "c"), me(user, n), op)
}

/// One of the conversation, with a device, as its own shard goes about it.
fn stand(homes: &mut Homes, user: &str, n: u32) {
    attach_as(homes, Dialect::Nexus, user, n);
    let claim = Op::Claim { room: "c".into(), manner: JoinManner::Standing };
    act(homes, named(Kind::User, user), me(user, n), claim);
    enter(homes, "c", user, n, JoinManner::Standing);
}

/// Its connection ends.
fn go(homes: &mut Homes, user: &str, n: u32) {
    act(homes, named(Kind::Room, "c"), me(user, n), leaving(true));
    let variant = Variant { dialect: Dialect::Nexus, deflate: false, numbered: false };
    let op = Op::Detach { variant, rooms: vec!["c".into()] };
    act(homes, named(Kind::User, user), me(user, n), op);
}

#[test]
fn a_message_that_others_hear_is_confirmed_at_once_and_with_its_room() {
    let mut homes = homes(|_| ());
    stand(&mut homes, "ann", 0);
    assert!(say(&mut homes, "ann", 0, speaking(true, &[])).replies.is_empty(), "nobody else is there");
    stand(&mut homes, "bob", 1);
    let heard = say(&mut homes, "ann", 0, speaking(true, &[]));
    let id = message_id(&heard);
    let delivered = Reply::Delivered { id, room: Some("c".into()), at_ms: NOW.unix_ms };
    assert_eq!(heard.replies, [(ReplyTo::Connection(key(0)), delivered)]);
    assert!(heard.errands.is_empty());
    assert!(say(&mut homes, "ann", 0, speaking(false, &[])).replies.is_empty(), "nobody asked");
}

#[test]
fn one_who_is_away_gets_the_message_when_it_comes_and_only_then_it_is_confirmed() {
    let mut homes = homes(|_| ());
    stand(&mut homes, "ann", 0);
    stand(&mut homes, "bob", 1);
    go(&mut homes, "bob", 1);
    let mut heard = say(&mut homes, "ann", 0, speaking(true, &[]));
    assert!(heard.replies.is_empty());
    let id = message_id(&heard);
    let [(0, Command { target, op: Op::Keep { confirm, .. }, .. })] = &heard.errands[..] else {
        panic!("{heard:?}")
    };
    assert_eq!(*target, named(Kind::User, "bob"));
    assert_eq!(*confirm, Some((id, "c".into())));
    let kept = run_errands(&mut homes, std::mem::take(&mut heard.errands));
    assert!(kept.iter().all(Heard::is_silent));
    assert_eq!(homes.held(), 1);
    let back = attach_as(&mut homes, Dialect::Nexus, "bob", 2);
    assert_eq!(handed(&back), ["hi"]);
    let delivered = Reply::Delivered { id, room: Some("c".into()), at_ms: NOW.unix_ms };
    assert_eq!(homes.held(), 1, "it is on its way");
    let arrived = written_to(&mut homes, "bob", 2);
    assert_eq!(arrived.replies, [(ReplyTo::Connection(key(0)), delivered)]);
    let Reply::Attached { follow, .. } = &back.replies[0].1 else { panic!("{back:?}") };
    assert_eq!(*follow, [Follow::Room("c".into())]);
    assert_eq!(homes.held(), 0);
}

#[test]
fn one_message_is_confirmed_once_for_each_who_was_away_or_once_for_those_who_heard_it() {
    let mut homes = homes(|_| ());
    for (n, user) in (0..).zip(["ann", "bob", "cid"]) {
        stand(&mut homes, user, n);
    }
    go(&mut homes, "cid", 2);
    let heard = say(&mut homes, "ann", 0, speaking(true, &[]));
    assert_eq!(heard.replies.len(), 1, "bob heard it");
    let [(_, Command { op: Op::Keep { confirm: None, .. }, origin, .. })] = &heard.errands[..] else {
        panic!("{heard:?}")
    };
    assert_eq!(origin.reply_to, ReplyTo::Nobody { shard: 0 }, "it is told once");
}

#[test]
fn one_who_is_back_before_the_errand_hears_it_at_once() {
    let mut homes = homes(|_| ());
    stand(&mut homes, "ann", 0);
    stand(&mut homes, "bob", 1);
    go(&mut homes, "bob", 1);
    let heard = say(&mut homes, "ann", 0, speaking(true, &[]));
    attach_as(&mut homes, Dialect::Nexus, "bob", 2);
    let kept = run_errands(&mut homes, heard.errands);
    assert_eq!(texts(&kept[0]), ["hi"]);
    assert!(matches!(kept[0].answer(), Reply::Delivered { room: Some(_), .. }));
}

#[test]
fn who_leaves_by_itself_is_one_of_the_conversation_no_more() {
    let mut homes = homes(|_| ());
    stand(&mut homes, "ann", 0);
    stand(&mut homes, "bob", 1);
    let left = act(&mut homes, named(Kind::Room, "c"), me("bob", 1), leaving(false));
    assert!(matches!(left.events[0].event, Event::Left { .. }));
    let release = Op::Release { room: "c".into(), for_good: true };
    act(&mut homes, named(Kind::User, "bob"), me("bob", 1), release);
    assert!(say(&mut homes, "ann", 0, speaking(true, &[])).errands.is_empty());
    detach_as(&mut homes, Dialect::Nexus, "bob", 1);
    let back = attach_as(&mut homes, Dialect::Nexus, "bob", 2);
    assert!(matches!(back.answer(), Reply::Attached { follow, .. } if follow.is_empty()));
}

#[test]
fn a_connection_that_ends_is_not_told_of_while_its_user_stays_one_of_the_conversation() {
    let mut homes = homes(|_| ());
    join(&mut homes, "c", 9, None);
    enter(&mut homes, "c", "bob", 1, JoinManner::Standing);
    enter(&mut homes, "c", "ann", 2, JoinManner::Open);
    let ended = |homes: &mut Homes, user, n| {
        act(homes, named(Kind::Room, "c"), me(user, n), leaving(true)).events.len()
    };
    assert_eq!(ended(&mut homes, "bob", 1), 0);
    assert_eq!(ended(&mut homes, "ann", 2), 1, "a member of a room is gone with its connection");
}

#[test]
fn more_than_a_shard_keeps_for_the_absent_is_not_kept_and_the_sender_is_told_nothing() {
    let realms = vec![RealmLimits::default()];
    let mut homes = Homes::new(0, HomeLimits { realms, queue_total: 1, ..HomeLimits::default() });
    stand(&mut homes, "ann", 0);
    stand(&mut homes, "bob", 1);
    go(&mut homes, "bob", 1);
    for _ in 0..2 {
        let heard = say(&mut homes, "ann", 0, speaking(true, &[]));
        assert!(
            run_errands(&mut homes, heard.errands)[0].is_silent(),
            "it was heard by those who were there"
        );
    }
    assert_eq!(homes.held(), 1);
}

#[test]
fn mail_that_nobody_came_for_makes_room_when_its_time_is_over() {
    let realms = vec![RealmLimits { queue_ttl: 1000, ..RealmLimits::default() }];
    let mut homes = Homes::new(0, HomeLimits { realms, queue_total: 1, ..HomeLimits::default() });
    let mail = |to: &str| Command {
        target: named(Kind::User, to),
        origin: me("ann", 0),
        op: Op::SendDirect { text: "x".into(), detail: None, request: None },
    };
    let mut send = |to: &str, mono_ms: u64| {
        let mut heard = Heard::default();
        homes.apply(mail(to), Now { mono_ms, unix_ms: mono_ms }, &mut heard);
        matches!(heard.answer(), Reply::Sent { .. })
    };
    assert!(send("bob", 100_000));
    assert!(!send("eve", 100_900), "it is full, and was just swept");
    assert!(!send("eve", 102_000), "a sweep is not repeated at once");
    assert!(send("eve", 111_000));
}

#[test]
fn those_mentioned_are_told_where_and_not_what_if_they_are_not_in_it() {
    let mut homes = homes(|_| ());
    stand(&mut homes, "ann", 0);
    stand(&mut homes, "bob", 1);
    go(&mut homes, "bob", 1);
    let heard = say(&mut homes, "ann", 0, speaking(false, &["ann", "bob", "cid"]));
    let about = Some(("c".into(), message_id(&heard)));
    let [(_, keep), (0, Command { target, origin, op: Op::Notify { notification, transit: true } })] =
        &heard.errands[..]
    else {
        panic!("{heard:?}")
    };
    assert!(matches!(keep.op, Op::Keep { .. }), "bob is one of it");
    assert_eq!(*target, named(Kind::User, "cid"));
    assert_eq!(origin.reply_to, ReplyTo::Nobody { shard: 0 });
    assert_eq!((&notification.about, &*notification.title), (&about, "ann mentioned you"));
    assert!(!notification.text.contains("hi"));
    assert_ne!(notification.id, message_id(&heard));
}

fn typing_ms(homes: &mut Homes, now_ms: u64, user: &str, on: bool) -> Vec<(Arc<str>, bool, Except)> {
    let op = Op::Typing { on, from: None, username: None, for_ms: 3500 };
    writers(&act_at(homes, now_ms, named(Kind::Room, "c"), me(user, 0), op))
}

fn writers(heard: &Heard) -> Vec<(Arc<str>, bool, Except)> {
    let writer = |told: &Told| match &told.event {
        Event::Typing(Typing { user, on, .. }) => Some((user.clone(), *on, told.except.clone())),
        _ => None,
    };
    heard.events.iter().filter_map(writer).collect()
}

fn told(user: &str, on: bool) -> Vec<(Arc<str>, bool, Except)> {
    vec![(user.into(), on, Except::User(user.into()))]
}

fn expire(homes: &mut Homes, mono_ms: u64) -> Heard {
    let mut heard = Heard::default();
    homes.expire(Now { mono_ms, ..NOW }, &mut heard);
    heard
}

#[test]
fn somebody_who_writes_is_believed_for_a_while() {
    let mut homes = homes(|_| ());
    join(&mut homes, "c", 9, None);
    assert_eq!(homes.next_ms(), None);
    assert_eq!(typing_ms(&mut homes, 1000, "ann", true), told("ann", true));
    assert_eq!(homes.next_ms(), Some(4500));
    assert_eq!(typing_ms(&mut homes, 1500, "ann", true), [], "everybody knows");
    assert!(expire(&mut homes, 4499).is_silent());
    assert!(expire(&mut homes, 4500).is_silent(), "it went on meanwhile");
    assert_eq!(homes.next_ms(), Some(5000));
    assert_eq!(writers(&expire(&mut homes, 5000)), told("ann", false));
    assert_eq!(homes.next_ms(), None);
    assert_eq!(typing_ms(&mut homes, 5001, "ann", false), [], "everybody knows");
}

#[test]
fn two_writers_end_each_at_its_own_time() {
    let mut homes = homes(|_| ());
    join(&mut homes, "c", 9, None);
    typing_ms(&mut homes, 1000, "ann", true);
    typing_ms(&mut homes, 2000, "bob", true);
    assert_eq!(homes.timers.len(), 1, "one timer for all");
    assert_eq!(writers(&expire(&mut homes, 4500)), told("ann", false));
    assert_eq!(homes.next_ms(), Some(5500));
    assert_eq!(writers(&expire(&mut homes, 6000)), told("bob", false));
}

#[test]
fn who_has_spoken_left_or_stopped_writes_no_more() {
    let mut homes = homes(|_| ());
    join(&mut homes, "c", 9, None);
    let room = || named(Kind::Room, "c");
    for op in
        [saying("x", true), Op::Typing { on: false, from: None, username: None, for_ms: 0 }, leaving(true)]
    {
        enter(&mut homes, "c", "ann", 0, JoinManner::Quiet);
        typing_ms(&mut homes, NOW.mono_ms, "ann", true);
        assert_eq!(writers(&act(&mut homes, room(), me("ann", 0), op.clone())), told("ann", false), "{op:?}");
    }
    assert!(expire(&mut homes, u64::MAX).is_silent());
}

#[test]
fn who_writes_to_a_user_is_told_to_its_devices_until_it_sends_or_stops() {
    let mut homes = homes(|_| ());
    attach(&mut homes, "bob", 1);
    let write = |homes: &mut Homes, on| {
        let op = Op::Typing { on, from: None, username: Some("A.".into()), for_ms: 100 };
        let heard = act(homes, named(Kind::User, "bob"), me("sender", 0), op);
        writers(&heard).into_iter().map(|(user, on, _)| (user.to_string(), on)).collect::<Vec<_>>()
    };
    let wrote = |on| vec![("sender".to_owned(), on)];
    assert_eq!(write(&mut homes, true), wrote(true));
    assert_eq!(write(&mut homes, false), wrote(false));
    write(&mut homes, true);
    let sent = direct(&mut homes, "bob", "x");
    assert_eq!(writers(&sent).iter().map(|(_, on, _)| *on).collect::<Vec<_>>(), [false]);
    write(&mut homes, true);
    let Event::Typing(typing) = &expire(&mut homes, NOW.mono_ms + 100).events[0].event.clone() else {
        panic!()
    };
    assert_eq!((typing.on, &*typing.to, typing.room.as_ref()), (false, "bob", None));
    let op = Op::Typing { on: true, from: None, username: None, for_ms: 100 };
    assert!(act(&mut homes, named(Kind::User, "nobody"), me("x", 0), op).is_silent());
}
