//! What is kept of those who are gone, and that nothing else is.

use proptest::prelude::*;

use super::*;
use crate::model::{Answer, Contact, Fact, Outcome};

fn remembering(known_users: usize) -> Homes {
    let limits = HomeLimits { known_users, ..HomeLimits::default() };
    Homes::new(0, HomeLimits { realms: vec![RealmLimits::default()], ..limits })
}

fn known(homes: &mut Homes) -> Vec<String> {
    let of: Vec<Arc<str>> = ["a", "b", "c", "d"].map(Arc::from).to_vec();
    let op = Op::ListUsers { realm: REALM, tenant: "default".into(), of: Some(of.into()) };
    let heard = act(homes, Target::Shard, me("x", 9), op);
    let Reply::Users { users, .. } = heard.answer() else { panic!("{heard:?}") };
    users.iter().map(|u| u.user.to_string()).collect()
}

fn visit(homes: &mut Homes, user: &str) {
    attach(homes, user, 0);
    detach(homes, user, 0);
}

#[test]
fn the_one_who_went_first_is_forgotten_first() {
    let mut homes = remembering(2);
    for user in ["a", "b"] {
        visit(&mut homes, user);
    }
    assert_eq!(known(&mut homes), ["a", "b"]);
    visit(&mut homes, "c");
    assert_eq!(known(&mut homes), ["b", "c"]);
}

#[test]
fn who_was_here_again_went_last() {
    let mut homes = remembering(2);
    for user in ["a", "b", "a", "c"] {
        visit(&mut homes, user);
    }
    assert_eq!(known(&mut homes), ["a", "c"]);
}

#[test]
fn those_who_are_here_take_no_place_among_those_who_are_remembered() {
    let mut homes = remembering(2);
    for user in ["a", "b"] {
        visit(&mut homes, user);
    }
    attach(&mut homes, "a", 0);
    visit(&mut homes, "c");
    assert_eq!(known(&mut homes), ["a", "b", "c"]);
    detach(&mut homes, "a", 0);
    assert_eq!(known(&mut homes), ["a", "c"]);
}

#[test]
fn who_comes_and_goes_all_day_is_listed_once() {
    let mut homes = remembering(100);
    for _ in 0..1000 {
        visit(&mut homes, "a");
    }
    assert!(homes.away.len() <= 2, "{}", homes.away.len());
}

#[test]
fn contacts_are_remembered_and_forgotten_with_their_user() {
    let mut homes = remembering(1);
    let contact = Contact { user: "b".into(), name: None, groups: vec![] };
    act(&mut homes, named(Kind::User, "a"), me("a", 0), Op::RosterUpdate { contact });
    let roster = |homes: &mut Homes| {
        let heard = act(homes, named(Kind::User, "a"), me("a", 0), Op::RosterGet);
        let Reply::Roster(contacts) = heard.answer() else { panic!("{heard:?}") };
        contacts.len()
    };
    assert_eq!(roster(&mut homes), 1);
    visit(&mut homes, "c");
    assert_eq!(roster(&mut homes), 0);
}

#[test]
fn who_is_forgotten_keeps_the_messages_that_wait() {
    let mut homes = remembering(1);
    visit(&mut homes, "a");
    direct(&mut homes, "a", "x");
    visit(&mut homes, "b");
    assert_eq!(known(&mut homes), ["a", "b"], "somebody with messages is not gone for good");
    assert_eq!(handed(&attach(&mut homes, "a", 0)), ["x"]);
}

/// Somebody speaks in a conversation and its connection ends.
fn speak_and_go(homes: &mut Homes, room: &str, user: &str) {
    enter(homes, room, user, 0, JoinManner::Standing);
    act(homes, named(Kind::Room, room), me(user, 0), leaving(true));
}

#[test]
fn conversations_of_which_all_are_away_are_forgotten_like_users() {
    let mut homes = remembering(2);
    for room in ["a", "b", "a", "c"] {
        speak_and_go(&mut homes, room, "u");
    }
    assert_eq!(homes.rooms(), 2);
    let there = |room: &str| homes.names.contains_key(&place(Kind::Room, room));
    assert_eq!(["a", "b", "c"].map(there), [true, false, true], "the one left first went first");
    visit(&mut homes, "u");
    assert_eq!(homes.rooms(), 1, "they share the places of users");
}

#[test]
fn a_conversation_that_its_last_one_forsakes_is_none_of_the_absent() {
    let mut homes = remembering(2);
    speak_and_go(&mut homes, "a", "u");
    assert_eq!((homes.rooms(), homes.away.len()), (1, 1));
    act(&mut homes, named(Kind::Room, "a"), me("u", 0), Op::Forsake);
    assert_eq!((homes.rooms(), homes.away.len()), (0, 0));
}

#[test]
fn a_conversation_that_somebody_is_in_is_not_forgotten() {
    let mut homes = remembering(1);
    speak_and_go(&mut homes, "a", "u");
    join(&mut homes, "a", 5, None);
    for room in ["b", "c"] {
        speak_and_go(&mut homes, room, "u");
    }
    let heard = act(&mut homes, named(Kind::Room, "a"), me("v", 1), saying("x", true));
    assert_eq!(heard.errands.len(), 1, "who is away is still one of it");
    act(&mut homes, named(Kind::Room, "a"), origin(5, None), leaving(true));
    assert_eq!(homes.rooms(), 1);
}

#[test]
fn a_user_leaves_a_conversation_with_the_last_of_its_devices() {
    let mut homes = remembering(2);
    join(&mut homes, "a", 5, None);
    for n in [0, 1] {
        enter(&mut homes, "a", "u", n, JoinManner::Standing);
    }
    let mut left = |n| act(&mut homes, named(Kind::Room, "a"), me("u", n), leaving(false)).events.len();
    assert_eq!([left(0), left(1)], [0, 1]);
    assert!(act(&mut homes, named(Kind::Room, "a"), me("v", 2), saying("x", true)).errands.is_empty());
}

#[test]
fn figures_by_dialect_rise_and_fall_with_their_connections() {
    let mut homes = remembering(1);
    let variant = |dialect, deflate| Variant { dialect, deflate, numbered: false };
    let join = |v| joining(v, JoinManner::Quiet, None);
    let leave = |variant| Op::Leave { variant, quiet: true, username: None };
    let mix = [variant(Dialect::Tusk, false), variant(Dialect::Tusk, true), variant(Dialect::Gator, false)];
    let channels = [named(Kind::Room, "r"), named(Kind::Topic, "t"), named(Kind::Presence, "u")];
    for (n, v) in (0..).zip(mix) {
        for channel in &channels {
            act(&mut homes, channel.clone(), me("u", n), join(v));
        }
        attach_as(&mut homes, v.dialect, "u", n);
    }
    let with = |homes: &Homes| Dialect::ALL.map(|d| homes.with(d));
    let mut wanted = Dialect::ALL.map(|_| (0, 0));
    wanted[Dialect::Tusk.index()] = (3, 1);
    wanted[Dialect::Gator.index()] = (3, 1);
    assert_eq!(with(&homes), wanted);
    for (n, v) in (0..).zip(mix) {
        for channel in &channels {
            act(&mut homes, channel.clone(), me("u", n), leave(v));
        }
        detach_as(&mut homes, v.dialect, "u", n);
    }
    assert_eq!(with(&homes), Dialect::ALL.map(|_| (0, 0)));
}

/// Nothing but remembered users.
fn assert_bare(homes: &mut Homes, known: usize) {
    let mut heard = Heard::default();
    while homes.expire(Now { mono_ms: u64::MAX, ..NOW }, &mut heard) {}
    assert!(heard.is_silent(), "{heard:?}");
    assert_eq!((homes.rooms(), homes.users_online(), homes.held()), (0, 0, 0));
    assert_eq!((homes.next_ms(), homes.untold.len()), (None, 0));
    assert!(homes.names.keys().all(|name| name.kind == Kind::User), "{:?}", homes.names);
    assert!(homes.names.len() <= known && homes.away.len() <= known, "{:?}", homes.names);
    assert_eq!(homes.free.len() + homes.names.len(), homes.slots.len());
    assert_eq!(Dialect::ALL.map(|d| homes.with(d)), Dialect::ALL.map(|_| (0, 0)));
}

/// What a connection may do, by number.
fn step(
    homes: &mut Homes,
    conns: &mut [Option<Vec<&'static str>>],
    n: usize,
    what: usize,
    room: &'static str,
) {
    let (user, index) = (["a", "b", "c"][n % 3], n as u32);
    let dialect = [Dialect::Tusk, Dialect::Nexus, Dialect::Sge, Dialect::Gator][n % 4];
    let variant = Variant { dialect, deflate: false, numbered: false };
    let room_of = || named(Kind::Room, room);
    let Some(rooms) = &mut conns[n] else {
        attach_as(homes, dialect, user, index);
        conns[n] = Some(vec![]);
        return;
    };
    let manner = [JoinManner::Open, JoinManner::Quiet, JoinManner::Standing][what % 3];
    match what {
        0..=3 if !rooms.contains(&room) => {
            let claim = Op::Claim { room: room.into(), manner };
            act(homes, named(Kind::User, user), me(user, index), claim);
            act(homes, room_of(), me(user, index), joining(variant, manner, None));
            rooms.push(room);
        }
        4 | 5 if rooms.contains(&room) => {
            rooms.retain(|r| *r != room);
            act(homes, room_of(), me(user, index), Op::Leave { variant, quiet: false, username: None });
            let release = Op::Release { room: room.into(), for_good: true };
            act(homes, named(Kind::User, user), me(user, index), release);
        }
        6 => {
            let heard = act(homes, room_of(), me(user, index), saying("x", rooms.contains(&room)));
            run_errands(homes, heard.errands);
        }
        7 => {
            let op = Op::Typing { on: n.is_multiple_of(2), from: None, username: None, for_ms: 100 };
            act(homes, room_of(), me(user, index), op);
        }
        8 => drop(act(homes, named(Kind::User, user), me(user, index), showing(Status::Busy))),
        9 => drop(direct(homes, ["a", "b", "c"][what % 3], "x")),
        10 => end(homes, conns, n),
        _ => {}
    }
}

fn end(homes: &mut Homes, conns: &mut [Option<Vec<&'static str>>], n: usize) {
    let Some(rooms) = conns[n].take() else { return };
    let (user, index) = (["a", "b", "c"][n % 3], n as u32);
    let dialect = [Dialect::Tusk, Dialect::Nexus, Dialect::Sge, Dialect::Gator][n % 4];
    let variant = Variant { dialect, deflate: false, numbered: false };
    for room in &rooms {
        let leave = Op::Leave { variant, quiet: true, username: None };
        act(homes, named(Kind::Room, room), me(user, index), leave);
    }
    let rooms = rooms.into_iter().map(Arc::from).collect();
    act(homes, named(Kind::User, user), me(user, index), Op::Detach { variant, rooms });
}

proptest! {
    /// Whatever they did: when all have taken their mail, left their conversations and gone, nothing is left
    /// but those who are remembered.
    #[test]
    fn nothing_is_left_when_all_are_gone(
        steps in proptest::collection::vec((0usize..8, 0usize..11, 0usize..2), 0..120),
        known in 1usize..4,
    ) {
        let mut homes = remembering(known);
        let mut conns: Vec<Option<Vec<&'static str>>> = vec![None; 8];
        for (n, what, room) in steps {
            step(&mut homes, &mut conns, n, what, ["r", "s"][room]);
        }
        for n in 0..8 {
            end(&mut homes, &mut conns, n);
        }
        // Who stands in a conversation is one of it until it says otherwise.
        for (n, user) in (0..).zip(["a", "b", "c"]) {
            attach(&mut homes, user, n);
            written_to(&mut homes, user, n);
            for room in ["r", "s"] {
                enter(&mut homes, room, user, n, JoinManner::Quiet);
                act(&mut homes, named(Kind::Room, room), me(user, n), leaving(false));
                let release = Op::Release { room: room.into(), for_good: true };
                act(&mut homes, named(Kind::User, user), me(user, n), release);
            }
            detach(&mut homes, user, n);
        }
        assert_bare(&mut homes, known);
    }
}

/// What was forgotten here is known to the store: it is asked before anything is done.
#[test]
fn the_store_is_asked_of_those_who_were_forgotten() {
    let limits = HomeLimits { known_users: 1, durable: true, ..HomeLimits::default() };
    let mut homes = Homes::new(0, HomeLimits { realms: vec![RealmLimits::default()], ..limits });
    let contact = || Contact { user: "b".into(), name: None, groups: vec![] };
    let ask = |homes: &mut Homes, user: &str, op| act(homes, named(Kind::User, user), me(user, 0), op);
    for user in ["a", "c"] {
        let written = ask(&mut homes, user, Op::RosterUpdate { contact: contact() });
        assert!(written.replies.is_empty(), "not before it is durable");
        let [(ticket, _)] = written.written[..] else { panic!("{written:?}") };
        homes.stored(ticket, Answer::Written(Outcome::Done { seq: 0 }), &mut Heard::default());
    }
    assert!(homes.forgotten, "one of them gave way");
    let asked = ask(&mut homes, "a", Op::RosterGet);
    let [(ticket, Query::Facts(name))] = &asked.asked[..] else { panic!("{asked:?}") };
    assert_eq!((*name == place(Kind::User, "a"), asked.replies.len()), (true, 0));
    let behind = ask(&mut homes, "a", Op::PresenceHistory);
    assert!(behind.is_silent() && behind.asked.is_empty(), "it is asked once: {behind:?}");
    let mut told = Heard::default();
    homes.stored(*ticket, Answer::Facts(vec![Fact::Contact(contact())]), &mut told);
    let rosters = told.replies.iter().filter(|(_, reply)| *reply == Reply::Roster(vec![contact()])).count();
    assert_eq!((rosters, told.replies.len()), (1, 2), "{told:?}");
    assert_eq!(homes.awaited(), 0);
}
