//! Presence: told once per user and turn, to everybody or to the user's rooms, and to those who watch.

use super::*;
use crate::model::Showing;

/// What everybody was told of presence, each with its cause.
fn causes(heard: &Heard) -> Vec<(Status, Cause)> {
    let cause = |(_, e): &(Option<Arc<str>>, Event)| match e {
        Event::Presence { presence, cause } => Some((presence.status, *cause)),
        Event::StatusChanged { .. } => None,
        other => panic!("{other:?}"),
    };
    heard.realm.iter().filter_map(cause).collect()
}

fn statuses(heard: &Heard) -> Vec<Status> {
    causes(heard).into_iter().map(|(status, _)| status).collect()
}

fn set(homes: &mut Homes, user: &str, op: Op) -> Heard {
    apply(homes, NOW.mono_ms, named(Kind::User, user), me(user, 0), op)
}

fn device(op: fn(Variant) -> Op) -> Op {
    op(VARIANT)
}

fn coming(variant: Variant) -> Op {
    Op::Attach { variant, rooms: vec![], since: None }
}

fn going(variant: Variant) -> Op {
    Op::Detach { variant, rooms: vec![] }
}

#[test]
fn a_user_is_offline_only_with_the_last_device() {
    let mut homes = Homes::new(0, HomeLimits { known_users: 0, ..limits() });
    assert_eq!(statuses(&attach(&mut homes, "u", 0)), [Status::Online]);
    attach(&mut homes, "u", 1);
    assert_eq!(homes.users_online(), 1);
    assert_eq!(statuses(&detach(&mut homes, "u", 0)), []);
    assert_eq!(causes(&detach(&mut homes, "u", 1)), [(Status::Offline, Cause::Went)]);
    assert_eq!(homes.users_online(), 0);
}

#[test]
fn an_announcement_says_whom_it_is_about() {
    let mut homes = homes(|_| ());
    let came = attach(&mut homes, "u", 0);
    assert_eq!(came.realm[0].0.as_deref(), Some("u"));
}

#[test]
fn nothing_is_told_before_the_turn_ends() {
    let mut homes = homes(|_| ());
    assert!(set(&mut homes, "u", device(coming)).realm.is_empty());
    assert_eq!(causes(&settle(&mut homes)), [(Status::Online, Cause::Came)]);
    assert!(settle(&mut homes).is_silent(), "and it is told once");
}

#[test]
fn many_changes_of_a_turn_are_told_as_one() {
    let mut homes = homes(|_| ());
    attach(&mut homes, "u", 0);
    attach(&mut homes, "v", 1);
    for status in [Status::Away, Status::Busy, Status::Online, Status::Away] {
        for user in ["u", "v"] {
            assert!(set(&mut homes, user, showing(status)).is_silent());
        }
    }
    let told = settle(&mut homes);
    let said = (Status::Away, Cause::Said { changed: true });
    assert_eq!(causes(&told), [said, said], "once each");
    assert_eq!(told.realm.len(), 4, "each followed by the change of status");
    assert_eq!(homes.presence_updates(), 8);
}

#[test]
fn who_says_the_same_again_is_told_of_without_a_change() {
    let mut homes = homes(|_| ());
    attach(&mut homes, "u", 0);
    let message: Option<Arc<str>> = Some("lunch".into());
    let op = Op::SetPresence { showing: Showing { status: None, message: message.clone(), location: None } };
    set(&mut homes, "u", op);
    let told = settle(&mut homes);
    assert_eq!(causes(&told), [(Status::Online, Cause::Said { changed: false })]);
    assert_eq!(told.realm.len(), 1);
    let Event::Presence { presence, .. } = &told.realm[0].1 else { panic!() };
    assert_eq!(presence.message, message);
}

#[test]
fn one_who_is_back_in_the_same_turn_was_never_gone() {
    let mut homes = homes(|_| ());
    attach(&mut homes, "u", 0);
    for op in [going, coming] {
        set(&mut homes, "u", device(op));
    }
    assert!(settle(&mut homes).is_silent());
    assert_eq!(homes.users_online(), 1);
}

#[test]
fn one_who_comes_and_goes_in_one_turn_was_never_there() {
    let mut homes = homes(|_| ());
    for op in [coming, going] {
        set(&mut homes, "u", device(op));
    }
    assert!(settle(&mut homes).is_silent());
    assert_eq!(homes.users_online(), 0);
}

#[test]
fn beyond_the_limit_presence_is_told_to_rooms_and_not_to_the_realm() {
    let mut homes = Homes::new(0, limits());
    for (n, user) in (0..).zip(["a", "b"]) {
        assert_eq!(statuses(&attach(&mut homes, user, n)), [Status::Online]);
    }
    let claim = |room: &str| Op::Claim { room: room.into(), manner: JoinManner::Open };
    set(&mut homes, "a", claim("r"));
    set(&mut homes, "a", claim("s"));
    // The limit holds for what is told at the end of a turn, so for the third one's coming too.
    let came = attach(&mut homes, "c", 2);
    assert!(came.realm.is_empty() && came.errands.is_empty(), "it is in no room yet: {came:?}");
    set(&mut homes, "a", showing(Status::Away));
    let heard = settle(&mut homes);
    let told: Vec<_> = heard.errands.iter().map(|(_, c)| (c.target.clone(), c.op.clone())).collect();
    assert!(heard.realm.is_empty() && told.len() == 4, "{heard:?}");
    for (n, (target, op)) in told.iter().enumerate() {
        assert_eq!(*target, named(Kind::Room, ["r", "s"][n % 2]));
        let Op::Announce { event, .. } = op else { panic!("{op:?}") };
        assert_eq!(matches!(event, Event::StatusChanged { status: Status::Away, .. }), n >= 2, "{event:?}");
    }
    attach(&mut homes, "d", 3);
    let went = detach(&mut homes, "a", 0);
    let rooms: Vec<_> = went.errands.iter().map(|(_, c)| c.target.clone()).collect();
    assert_eq!(rooms, [named(Kind::Room, "r"), named(Kind::Room, "s")], "those it was in hear that it went");
}

#[test]
fn where_nobody_is_told_rooms_are_not_either() {
    let mut homes = homes(|realm| {
        realm.presence_broadcast_limit = 1;
        realm.presence_broadcast = false;
    });
    attach(&mut homes, "a", 0);
    attach(&mut homes, "b", 1);
    set(&mut homes, "a", Op::Claim { room: "r".into(), manner: JoinManner::Open });
    set(&mut homes, "a", showing(Status::Away));
    assert!(settle(&mut homes).errands.is_empty());
}

fn watch(homes: &mut Homes, user: &str, n: u32) {
    let op = joining(VARIANT, JoinManner::Quiet, None);
    act(homes, named(Kind::Presence, user), me("watcher", n), op);
}

#[test]
fn those_who_watch_a_user_hear_of_it_however_many_are_online() {
    for limit in [0, 1] {
        let mut homes = homes(|realm| realm.presence_broadcast_limit = limit);
        watch(&mut homes, "u", 5);
        watch(&mut homes, "u", 6);
        attach(&mut homes, "other", 1);
        let came = attach(&mut homes, "u", 0);
        assert!(matches!(
            &came.events[..],
            [Told { of: 2, event: Event::Presence { cause: Cause::Came, .. }, .. }]
        ));
        assert_eq!(came.realm.len(), usize::from(limit == 0));
        act(&mut homes, named(Kind::Presence, "u"), me("watcher", 5), leaving(true));
        assert_eq!(detach(&mut homes, "u", 0).events[0].of, 1);
        act(&mut homes, named(Kind::Presence, "u"), me("watcher", 6), leaving(true));
        assert!(attach(&mut homes, "u", 0).events.is_empty());
    }
}

#[test]
fn who_hides_is_not_counted_as_online() {
    let mut homes = homes(|_| ());
    attach(&mut homes, "u", 0);
    act(&mut homes, named(Kind::User, "u"), me("u", 0), showing(Status::Offline));
    assert_eq!((homes.users_online(), online(&mut homes).0.len()), (0, 0));
    act(&mut homes, named(Kind::User, "u"), me("u", 0), showing(Status::Busy));
    assert_eq!(homes.users_online(), 1);
}

/// The users online by name, and how many there are.
fn online(homes: &mut Homes) -> (Vec<String>, usize) {
    users(homes, None)
}

fn users(homes: &mut Homes, of: Option<&[&str]>) -> (Vec<String>, usize) {
    let of = of.map(|of| of.iter().map(|u| Arc::from(*u)).collect());
    let op = Op::ListUsers { realm: REALM, tenant: "default".into(), of };
    let heard = act(homes, Target::Shard, me("x", 9), op);
    let Reply::Users { users, total } = heard.answer() else { panic!("{heard:?}") };
    let mut names: Vec<_> = users.iter().map(|u| u.user.to_string()).collect();
    names.sort();
    (names, *total)
}

#[test]
fn the_directory_lists_those_online_in_the_tenant() {
    let mut homes = homes(|_| ());
    for (n, user) in (0..).zip(["a", "b", "c", "d"]) {
        attach(&mut homes, user, n);
    }
    detach(&mut homes, "a", 0);
    act(&mut homes, named(Kind::User, "c"), me("c", 2), showing(Status::Offline));
    assert_eq!(online(&mut homes), (vec!["b".into(), "d".into()], 2));
    let elsewhere = Op::ListUsers { realm: REALM, tenant: "other".into(), of: None };
    let heard = act(&mut homes, Target::Shard, me("x", 9), elsewhere);
    assert_eq!(*heard.answer(), Reply::Users { users: vec![], total: 0 });
    assert_eq!(users(&mut homes, Some(&["a", "d", "nobody"])), (vec!["a".into(), "d".into()], 2));
}

#[test]
fn a_listing_names_a_thousand_and_says_how_many_there_are() {
    let mut homes = homes(|_| ());
    for n in 0..=LISTED_MAX as u32 {
        attach(&mut homes, &format!("u{n}"), n);
        let (listed, total) = online(&mut homes);
        assert_eq!(total, n as usize + 1);
        assert_eq!(listed.len(), total.min(LISTED_MAX));
    }
}

#[test]
fn one_who_is_only_written_to_is_not_known() {
    let mut homes = homes(|_| ());
    direct(&mut homes, "u", "x");
    assert_eq!(users(&mut homes, Some(&["u"])).1, 0);
}

#[test]
fn history_is_the_users_own_words() {
    let mut homes = homes(|_| ());
    attach(&mut homes, "u", 0);
    for status in [Status::Away, Status::Busy] {
        act(&mut homes, named(Kind::User, "u"), me("u", 0), showing(status));
    }
    let heard = act(&mut homes, named(Kind::User, "u"), me("x", 1), Op::PresenceHistory);
    let Reply::Presences(history) = heard.answer() else { panic!("{heard:?}") };
    assert_eq!(history.iter().map(|p| p.status).collect::<Vec<_>>(), [Status::Busy, Status::Away]);
    let nobody = act(&mut homes, named(Kind::User, "nobody"), me("x", 1), Op::PresenceHistory);
    assert_eq!(*nobody.answer(), Reply::Presences(vec![]));
}
