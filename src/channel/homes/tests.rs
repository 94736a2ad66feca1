//! Homes without sockets: who is let in, who hears what, and what is left when all are gone.

use super::*;
use crate::model::Kind;
use crate::model::{ConnKey, Dialect, Event, ReplyTo, Status, Variant};

const VARIANT: Variant = Variant { dialect: Dialect::Tusk, deflate: false };
const NOW: Now = Now { mono_ms: 5_000, unix_ms: 1_700_000_000_000 };

#[derive(Debug, Default)]
struct Heard {
    replies: Vec<(ReplyTo, Reply)>,
    events: Vec<(usize, Option<ConnKey>, Event)>,
    realm: Vec<Event>,
}

impl Outlet for Heard {
    fn reply(&mut self, to: ReplyTo, reply: Reply) {
        self.replies.push((to, reply));
    }
    fn publish(
        &mut self,
        _: ChannelId,
        interest: &crate::channel::Interest,
        exclude: Option<ConnKey>,
        e: &Event,
    ) {
        self.events.push((interest.total(), exclude, e.clone()));
    }
    fn announce(&mut self, _: RealmId, _: &Arc<str>, event: &Event) {
        self.realm.push(event.clone());
    }
}

fn limits() -> HomeLimits {
    HomeLimits {
        max_room_members: 3,
        max_rooms_per_user: 2,
        direct_queue: 2,
        direct_queue_total: 3,
        presence_broadcast: true,
        presence_broadcast_limit: 2,
    }
}

fn principal(user: &str, roles: &[&str]) -> Arc<Principal> {
    Arc::new(Principal {
        realm: RealmId(0),
        tenant: "default".into(),
        user: user.into(),
        username: None,
        roles: roles.iter().map(ToString::to_string).collect(),
        permissions: None,
        verified: true,
        expires: None,
    })
}

fn origin(n: u32, who: Option<Arc<Principal>>) -> Origin {
    Origin {
        reply_to: ReplyTo::Connection(ConnKey { shard: 0, generation: 0, index: n }),
        user: who.as_ref().map_or_else(|| format!("guest-{n}").into(), |p| p.user.clone()),
        principal: who,
    }
}

fn named(kind: Kind, id: &str) -> Target {
    Target::Named(ChannelName { realm: RealmId(0), tenant: "default".into(), kind, id: id.into() })
}

fn act(homes: &mut Homes, target: Target, origin: Origin, op: Op) -> Heard {
    let mut heard = Heard::default();
    homes.apply(Command { target, origin, op }, NOW, homes.users_online(), &mut heard);
    heard
}

fn join(homes: &mut Homes, room: &str, n: u32, password: Option<&str>) -> Heard {
    let op = Op::Join { variant: VARIANT, password: password.map(Into::into) };
    act(homes, named(Kind::Room, room), origin(n, None), op)
}

fn create(homes: &mut Homes, room: &str, settings: RoomSettings) -> Heard {
    let who = Some(principal("root", &["admin"]));
    act(homes, named(Kind::Room, room), origin(99, who), Op::CreateRoom { settings })
}

fn refused(heard: &Heard) -> Code {
    match &heard.replies[..] {
        [(_, Reply::Refused(refusal) | Reply::Denied(refusal))] => refusal.code,
        other => panic!("not one refusal: {other:?}"),
    }
}

#[test]
fn the_last_place_is_given_and_the_next_is_refused() {
    let mut homes = Homes::new(0, limits());
    for n in 0..3 {
        assert!(matches!(join(&mut homes, "r", n, None).replies[0].1, Reply::Joined { .. }));
    }
    assert_eq!(refused(&join(&mut homes, "r", 3, None)), Code::LimitReached);
    let leave = Op::Leave { variant: VARIANT, quiet: false };
    act(&mut homes, named(Kind::Room, "r"), origin(0, None), leave);
    assert!(matches!(join(&mut homes, "r", 3, None).replies[0].1, Reply::Joined { .. }));
}

#[test]
fn a_users_joining_is_told_to_those_who_were_there_and_the_room_ends_with_its_last_member() {
    let mut homes = Homes::new(0, limits());
    assert!(join(&mut homes, "r", 0, None).events.is_empty(), "a guest is nobody's user");
    let op = Op::Join { variant: VARIANT, password: None };
    let second = act(&mut homes, named(Kind::Room, "r"), origin(1, Some(principal("u", &[]))), op);
    assert_eq!(second.events, vec![(1, None, Event::Joined { room: "r".into(), user: "u".into() })]);
    assert_eq!(homes.rooms(), 1);
    for n in 0..2 {
        let leave = Op::Leave { variant: VARIANT, quiet: true };
        assert!(act(&mut homes, named(Kind::Room, "r"), origin(n, None), leave).replies.is_empty());
    }
    assert_eq!(homes.rooms(), 0);
    assert!(homes.names.is_empty());
}

#[test]
fn a_late_command_with_an_old_id_reaches_nobody() {
    let mut homes = Homes::new(0, limits());
    let Reply::Joined { channel, .. } = join(&mut homes, "a", 0, None).replies[0].1 else { panic!() };
    let leave = Op::Leave { variant: VARIANT, quiet: true };
    act(&mut homes, Target::Known(channel), origin(0, None), leave);
    join(&mut homes, "b", 1, None);
    let late = Op::Publish { text: "late".into(), member: true };
    let heard = act(&mut homes, Target::Known(channel), origin(0, None), late);
    assert!(heard.events.is_empty() && heard.replies.is_empty());
}

#[test]
fn passwords_privacy_and_moderation_are_enforced() {
    let mut homes = Homes::new(0, limits());
    create(&mut homes, "locked", RoomSettings { password: Some("pw".into()), ..Default::default() });
    assert_eq!(refused(&join(&mut homes, "locked", 0, None)), Code::Forbidden);
    assert_eq!(refused(&join(&mut homes, "locked", 0, Some("px"))), Code::Forbidden);
    assert!(matches!(join(&mut homes, "locked", 0, Some("pw")).replies[0].1, Reply::Joined { .. }));

    create(&mut homes, "hidden", RoomSettings { public: false, ..Default::default() });
    assert_eq!(refused(&join(&mut homes, "hidden", 0, None)), Code::Forbidden);
    let list = Op::ListRooms { realm: RealmId(0), tenant: "default".into() };
    let Reply::Rooms(rooms) = &act(&mut homes, Target::Shard, origin(0, None), list).replies[0].1.clone()
    else {
        panic!()
    };
    assert_eq!(rooms.iter().map(|r| &*r.name).collect::<Vec<_>>(), ["locked"]);

    create(&mut homes, "stage", RoomSettings { moderated: true, ..Default::default() });
    join(&mut homes, "stage", 0, None);
    let say = |member| Op::Publish { text: "x".into(), member };
    assert_eq!(
        refused(&act(&mut homes, named(Kind::Room, "stage"), origin(0, None), say(true))),
        Code::Forbidden
    );
    let moderator = origin(1, Some(principal("m", &["moderator"])));
    assert_eq!(act(&mut homes, named(Kind::Room, "stage"), moderator, say(true)).events.len(), 1);
}

#[test]
fn a_second_creation_changes_nothing_and_says_so() {
    let mut homes = Homes::new(0, limits());
    let first = create(&mut homes, "r", RoomSettings { max_members: 2, ..Default::default() });
    assert!(matches!(first.replies[0].1, Reply::Room { created: true, .. }));
    let second = create(&mut homes, "r", RoomSettings { max_members: 1, ..Default::default() });
    let Reply::Room { info, created: false } = &second.replies[0].1 else { panic!("{second:?}") };
    assert_eq!(info.max_members, 2);
}

fn attach(homes: &mut Homes, user: &str, n: u32) -> Heard {
    let op = Op::Attach { variant: VARIANT, rooms: vec![] };
    act(homes, named(Kind::User, user), origin(n, Some(principal(user, &[]))), op)
}

fn detach(homes: &mut Homes, user: &str, n: u32) -> Heard {
    let op = Op::Detach { variant: VARIANT, rooms: vec![] };
    act(homes, named(Kind::User, user), origin(n, Some(principal(user, &[]))), op)
}

fn statuses(heard: &Heard) -> Vec<Status> {
    let status = |e: &Event| match e {
        Event::Presence { status, .. } => *status,
        other => panic!("{other:?}"),
    };
    heard.realm.iter().map(status).collect()
}

#[test]
fn a_user_is_offline_only_with_the_last_device() {
    let mut homes = Homes::new(0, limits());
    assert_eq!(statuses(&attach(&mut homes, "u", 0)), [Status::Online]);
    attach(&mut homes, "u", 1);
    assert_eq!(homes.users_online(), 1);
    assert_eq!(statuses(&detach(&mut homes, "u", 0)), []);
    assert_eq!(statuses(&detach(&mut homes, "u", 1)), [Status::Offline]);
    assert_eq!((homes.users_online(), homes.names.len()), (0, 0));
}

fn direct(homes: &mut Homes, to: &str, text: &str) -> Heard {
    let op = Op::SendDirect { text: text.into() };
    act(homes, named(Kind::User, to), origin(7, Some(principal("sender", &[]))), op)
}

fn texts(heard: &Heard) -> Vec<&str> {
    let text = |(_, _, e): &'_ (usize, Option<ConnKey>, Event)| match e {
        Event::Direct { .. } => true,
        other => panic!("{other:?}"),
    };
    assert!(heard.events.iter().all(text));
    heard
        .events
        .iter()
        .map(|(_, _, e)| if let Event::Direct { text, .. } = e { &**text } else { "" })
        .collect()
}

#[test]
fn the_newest_messages_wait_for_the_first_device_and_their_sender_hears_of_it() {
    let mut homes = Homes::new(0, limits());
    for text in ["a", "b", "c"] {
        assert!(matches!(direct(&mut homes, "u", text).replies[0].1, Reply::Sent { queued: true, .. }));
    }
    assert_eq!(homes.held(), 2);
    let came = attach(&mut homes, "u", 0);
    assert_eq!(texts(&came), ["b", "c"]);
    assert_eq!(came.replies.iter().filter(|(_, r)| matches!(r, Reply::Delivered { .. })).count(), 2);
    assert_eq!(texts(&attach(&mut homes, "u", 1)), [""; 0]);
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
}

#[test]
fn who_acknowledges_is_sent_again_only_what_was_not_acknowledged() {
    let mut homes = Homes::new(0, limits());
    attach(&mut homes, "u", 0);
    let id_of = |heard: Heard| match heard.replies[0].1 {
        Reply::Sent { id, .. } => id,
        _ => panic!(),
    };
    let me = || origin(0, Some(principal("u", &[])));
    let first = id_of(direct(&mut homes, "u", "one"));
    act(&mut homes, named(Kind::User, "u"), me(), Op::Acknowledge { id: first });
    let second = id_of(direct(&mut homes, "u", "two"));
    direct(&mut homes, "u", "three");
    act(&mut homes, named(Kind::User, "u"), me(), Op::Acknowledge { id: second });
    detach(&mut homes, "u", 0);
    assert_eq!(texts(&attach(&mut homes, "u", 1)), ["three"]);
}

#[test]
fn places_in_rooms_are_counted_over_devices() {
    let mut homes = Homes::new(0, limits());
    attach(&mut homes, "u", 0);
    let me = |n| origin(n, Some(principal("u", &[])));
    let claim = |homes: &mut Homes, n, room: &str| {
        act(homes, named(Kind::User, "u"), me(n), Op::Claim { room: room.into() })
    };
    for (n, room) in [(0, "a"), (1, "b"), (1, "a")] {
        assert!(matches!(claim(&mut homes, n, room).replies[0].1, Reply::Claimed { .. }));
    }
    assert_eq!(refused(&claim(&mut homes, 0, "c")), Code::LimitReached);
    act(&mut homes, named(Kind::User, "u"), me(0), Op::Release { room: "a".into() });
    assert_eq!(refused(&claim(&mut homes, 0, "c")), Code::LimitReached);
    act(&mut homes, named(Kind::User, "u"), me(1), Op::Release { room: "a".into() });
    assert!(matches!(claim(&mut homes, 0, "c").replies[0].1, Reply::Claimed { .. }));
}

#[test]
fn beyond_the_limit_presence_is_told_to_rooms_and_not_to_the_realm() {
    let mut homes = Homes::new(0, limits());
    for (n, user) in (0..).zip(["a", "b", "c"]) {
        assert_eq!(statuses(&attach(&mut homes, user, n)), [Status::Online]);
    }
    let me = origin(0, Some(principal("a", &[])));
    let heard = act(&mut homes, named(Kind::User, "a"), me, Op::SetPresence { status: Status::Busy });
    assert!(heard.realm.is_empty());
    let Reply::TellRooms { event } = &heard.replies[0].1 else { panic!("{heard:?}") };
    assert!(matches!(**event, Event::Presence { status: Status::Busy, .. }));
}
