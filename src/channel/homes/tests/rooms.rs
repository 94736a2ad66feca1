//! Rooms: places in them, who may enter and speak, and what becomes of what was said.

use super::*;

#[test]
fn the_last_place_is_given_and_the_next_is_refused() {
    let mut homes = Homes::new(0, limits());
    for n in 0..3 {
        assert!(matches!(join(&mut homes, "r", n, None).answer(), Reply::Joined { .. }));
    }
    assert_eq!(refused(&join(&mut homes, "r", 3, None)), Code::LimitReached);
    act(&mut homes, named(Kind::Room, "r"), origin(0, None), leaving(false));
    assert!(matches!(join(&mut homes, "r", 3, None).answer(), Reply::Joined { .. }));
}

#[test]
fn a_users_joining_is_told_to_those_who_were_there_and_the_room_ends_with_its_last_member() {
    let mut homes = Homes::new(0, limits());
    assert!(join(&mut homes, "r", 0, None).events.is_empty(), "a guest is nobody's user");
    let second = enter(&mut homes, "r", "u", 1, JoinManner::Open);
    let (room, user, at_ms) = ("r".into(), "u".into(), NOW.unix_ms);
    let event = Event::Joined { room, user, username: None, at_ms };
    assert_eq!(second.events, [Told { of: 1, except: Except::Nobody, event }]);
    assert_eq!(homes.rooms(), 1);
    for n in 0..2 {
        let left = act(&mut homes, named(Kind::Room, "r"), origin(n, None), leaving(true));
        assert!(left.replies.is_empty());
    }
    assert_eq!(homes.rooms(), 0);
    assert!(homes.names.is_empty());
}

#[test]
fn who_joins_quietly_or_by_speaking_is_not_announced() {
    let mut homes = homes(|_| ());
    join(&mut homes, "r", 0, None);
    for (n, manner) in [(1, JoinManner::Quiet), (2, JoinManner::Standing)] {
        assert!(enter(&mut homes, "r", "u", n, manner).events.is_empty(), "{manner:?}");
    }
}

#[test]
fn who_left_by_itself_is_answered_first_and_the_others_hear_of_it() {
    let mut homes = homes(|_| ());
    join(&mut homes, "r", 0, None);
    enter(&mut homes, "r", "u", 1, JoinManner::Open);
    let left = act(&mut homes, named(Kind::Room, "r"), me("u", 1), leaving(false));
    assert!(matches!(left.answer(), Reply::Left { kind: Kind::Room, .. }));
    assert!(matches!(&left.events[..], [Told { of: 1, event: Event::Left { .. }, .. }]), "{left:?}");
    let again = act(&mut homes, named(Kind::Room, "r"), origin(0, None), leaving(false));
    assert!(again.events.is_empty(), "a guest is nobody's user");
}

#[test]
fn a_late_command_with_an_old_id_reaches_nobody() {
    let mut homes = Homes::new(0, limits());
    let Reply::Joined { channel, .. } = *join(&mut homes, "a", 0, None).answer() else { panic!() };
    act(&mut homes, Target::Known(channel), origin(0, None), leaving(true));
    join(&mut homes, "b", 1, None);
    let heard = act(&mut homes, Target::Known(channel), origin(0, None), saying("late", true));
    assert!(heard.is_silent());
}

fn create(homes: &mut Homes, room: &str, settings: RoomSettings) -> Heard {
    let who = Some(principal("root", &["admin"]));
    act(homes, named(Kind::Room, room), origin(99, who), Op::CreateRoom { settings })
}

fn listed(homes: &mut Homes, who: Origin) -> Vec<String> {
    let list = Op::ListRooms { realm: REALM, tenant: "default".into() };
    let heard = act(homes, Target::Shard, who, list);
    let Reply::Rooms(rooms) = heard.answer() else { panic!("{heard:?}") };
    rooms.iter().map(|r| r.name.to_string()).collect()
}

#[test]
fn passwords_privacy_and_moderation_are_enforced() {
    let mut homes = Homes::new(0, limits());
    create(&mut homes, "locked", RoomSettings { password: Some("pw".into()), ..Default::default() });
    assert_eq!(refused(&join(&mut homes, "locked", 0, None)), Code::Forbidden);
    assert_eq!(refused(&join(&mut homes, "locked", 0, Some("px"))), Code::Forbidden);
    assert!(matches!(join(&mut homes, "locked", 0, Some("pw")).answer(), Reply::Joined { .. }));

    create(&mut homes, "hidden", RoomSettings { public: false, ..Default::default() });
    assert_eq!(refused(&join(&mut homes, "hidden", 0, None)), Code::Forbidden);
    assert_eq!(listed(&mut homes, origin(0, None)), ["locked"]);
    let mut all = listed(&mut homes, me("root", 0));
    all.sort();
    assert_eq!(all, ["hidden", "locked"], "its creator sees it");
    for asked in [Op::DescribeRoom, Op::ListMembers] {
        let hidden = || named(Kind::Room, "hidden");
        assert_eq!(refused(&act(&mut homes, hidden(), origin(0, None), asked.clone())), Code::NotFound);
        let seen = act(&mut homes, hidden(), me("root", 0), asked);
        assert!(!matches!(seen.answer(), Reply::Refused(_)), "{seen:?}");
    }

    create(&mut homes, "stage", RoomSettings { moderated: true, ..Default::default() });
    join(&mut homes, "stage", 0, None);
    let stage = || named(Kind::Room, "stage");
    assert_eq!(refused(&act(&mut homes, stage(), origin(0, None), saying("x", true))), Code::Forbidden);
    let moderator = origin(1, Some(principal("m", &["moderator"])));
    assert_eq!(act(&mut homes, stage(), moderator, saying("x", true)).events.len(), 1);
    for closed in ["locked", "hidden", "stage"] {
        let outsider = act(&mut homes, named(Kind::Room, closed), me("o", 5), saying("x", false));
        assert_eq!(refused(&outsider), Code::Forbidden, "{closed}: who is not in it does not speak in it");
    }
}

#[test]
fn a_second_creation_changes_nothing_and_says_so() {
    let mut homes = Homes::new(0, limits());
    let first = create(&mut homes, "r", RoomSettings { max_members: 2, ..Default::default() });
    assert!(matches!(first.answer(), Reply::Room { created: true, .. }));
    let second = create(&mut homes, "r", RoomSettings { max_members: 1, ..Default::default() });
    let Reply::Room { info, created: false } = second.answer() else { panic!("{second:?}") };
    assert_eq!(info.max_members, 2);
}

#[test]
fn the_sender_hears_itself_as_its_dialect_wants_it() {
    let mut homes = homes(|_| ());
    join(&mut homes, "r", 0, None);
    let say = |echo, member| Op::Publish {
        from: None,
        text: "x".into(),
        detail: None,
        member,
        echo,
        confirm: false,
        request: None,
    };
    for (echo, member, except, answers) in [
        (Echo::Member, true, Except::Nobody, 0),
        (Echo::Member, false, Except::Nobody, 0),
        (Echo::Always, true, Except::Nobody, 0),
        (Echo::Always, false, Except::Nobody, 1),
        (Echo::Never, true, Except::Connection(key(4)), 0),
        (Echo::Never, false, Except::Connection(key(4)), 0),
    ] {
        let heard = act(&mut homes, named(Kind::Room, "r"), me("u", 4), say(echo, member));
        assert_eq!(heard.events[0].except, except, "{echo:?} {member}");
        let own = |(to, reply): &(ReplyTo, Reply)| {
            let Reply::Heard { event, .. } = reply else { panic!("{reply:?}") };
            *to == ReplyTo::Connection(key(4)) && **event == heard.events[0].event
        };
        assert!(heard.replies.iter().all(own));
        assert_eq!(heard.replies.len(), answers, "{echo:?} {member}");
    }
}

#[test]
fn topics_hear_what_is_said_and_nobodys_coming() {
    let mut homes = homes(|_| ());
    let topic = || named(Kind::Topic, "t");
    let joined = act(&mut homes, topic(), me("a", 0), joining(VARIANT, JoinManner::Quiet, None));
    assert!(matches!(joined.answer(), Reply::Joined { kind: Kind::Topic, .. }));
    assert!(joined.events.is_empty());
    let op = Op::Publish {
        from: None,
        text: "x".into(),
        detail: None,
        member: true,
        echo: Echo::Never,
        confirm: false,
        request: None,
    };
    let said = act(&mut homes, topic(), me("a", 0), op);
    assert_eq!((texts(&said), &said.events[0].except), (vec!["x"], &Except::Connection(key(0))));
    let Reply::Left { kind: Kind::Topic, .. } = act(&mut homes, topic(), me("a", 0), leaving(false)).answer()
    else {
        panic!()
    };
    assert!(homes.names.is_empty());
}

fn amend(homes: &mut Homes, who: &str, op: Op) -> Heard {
    act(homes, named(Kind::Room, "r"), me(who, 3), op)
}

#[test]
fn only_the_author_changes_a_message() {
    let mut homes = homes(|realm| realm.message_cache = 2);
    join(&mut homes, "r", 0, None);
    let message = message_id(&act(&mut homes, named(Kind::Room, "r"), me("ann", 1), saying("x", true)));
    let edit = || Op::Edit { message, text: "y".into() };
    assert_eq!(refused(&amend(&mut homes, "bob", edit())), Code::Forbidden);
    assert_eq!(refused(&amend(&mut homes, "bob", Op::Delete { message })), Code::Forbidden);
    let edited = amend(&mut homes, "ann", edit());
    let Event::Edited { text, message: m, .. } = &edited.events[0].event else { panic!("{edited:?}") };
    assert_eq!((&**text, *m), ("y", message));
    let read = amend(&mut homes, "bob", Op::Read { message });
    assert!(matches!(&read.events[0].event, Event::Read { user, .. } if **user == *"bob"));
    assert_eq!(read.events[0].except, Except::Connection(key(3)), "who reads knows");
    let deleted = amend(&mut homes, "ann", Op::Delete { message });
    assert!(matches!(deleted.events[0].event, Event::Deleted { .. }));
    for op in [edit(), Op::Delete { message }, Op::Read { message }] {
        assert_eq!(refused(&amend(&mut homes, "ann", op)), Code::NotFound, "it was taken back");
    }
}

#[test]
fn only_the_newest_messages_can_be_changed() {
    let mut homes = homes(|realm| realm.message_cache = 2);
    join(&mut homes, "r", 0, None);
    let mut say = || message_id(&act(&mut homes, named(Kind::Room, "r"), me("ann", 1), saying("x", true)));
    let messages = [say(), say(), say()];
    let edit = |message| Op::Edit { message, text: "y".into() };
    assert_eq!(refused(&amend(&mut homes, "ann", edit(messages[0]))), Code::NotFound);
    for message in &messages[1..] {
        assert_eq!(amend(&mut homes, "ann", edit(*message)).events.len(), 1);
    }
    let nowhere = act(&mut homes, named(Kind::Room, "no"), me("ann", 1), edit(messages[2]));
    assert_eq!(refused(&nowhere), Code::NotFound);
}

#[test]
fn without_a_cache_no_message_can_be_changed() {
    let mut homes = homes(|_| ());
    join(&mut homes, "r", 0, None);
    let message = message_id(&act(&mut homes, named(Kind::Room, "r"), me("ann", 1), saying("x", true)));
    assert_eq!(refused(&amend(&mut homes, "ann", Op::Delete { message })), Code::NotFound);
}

#[test]
fn messages_have_ids_of_their_own_and_show_the_connection_where_the_realm_does() {
    let mut homes = homes(|realm| realm.shows_connections = true);
    join(&mut homes, "r", 0, None);
    let mut say = |n| {
        let heard = act(&mut homes, named(Kind::Room, "r"), me("ann", n), saying("x", true));
        let Event::Message(message) = heard.events[0].event.clone() else { panic!() };
        (message.id, message.connection)
    };
    let (first, second) = (say(1), say(2));
    assert_ne!(first.0, second.0);
    assert_eq!((first.1, second.1), (Some(key(1).uuid(0)), Some(key(2).uuid(0))));
}

#[test]
fn a_listing_of_members_names_each_user_once_and_no_guest() {
    let mut homes = homes(|_| ());
    join(&mut homes, "r", 0, None);
    for (n, user) in [(1, "b"), (2, "a"), (3, "b")] {
        enter(&mut homes, "r", user, n, JoinManner::Quiet);
    }
    let heard = act(&mut homes, named(Kind::Room, "r"), me("x", 9), Op::ListMembers);
    let users = ["a", "b"].map(Arc::from).to_vec();
    assert_eq!(*heard.answer(), Reply::Members { users, total: 2 });
    let nowhere = act(&mut homes, named(Kind::Room, "no"), me("x", 9), Op::ListMembers);
    assert_eq!(refused(&nowhere), Code::NotFound);
}

#[test]
fn announcements_reach_members_and_only_calls_are_told_whether_somebody_heard() {
    let mut homes = homes(|_| ());
    join(&mut homes, "r", 0, None);
    let event = Event::Custom { dialect: Dialect::Tusk, json: "{}".into() };
    let announce = || Op::Announce { event: event.clone(), except: Except::User("u".into()) };
    let by_connection = act(&mut homes, named(Kind::Room, "r"), me("u", 1), announce());
    assert_eq!(by_connection.events[0].except, Except::User("u".into()));
    assert!(by_connection.replies.is_empty());
    let reply_to = ReplyTo::Call { shard: 0, ticket: 1, generation: 1 };
    for (room, delivered) in [("r", true), ("nobody is in it", false)] {
        let call = Origin { reply_to, tag: Some("7".into()), ..me("u", 1) };
        let heard = act(&mut homes, named(Kind::Room, room), call, announce());
        assert_eq!((heard.answer(), &heard.tags[0]), (&Reply::Notified { delivered }, &Some("7".into())));
    }
}
