//! Everything that can be kept comes back as it was, and damaged bytes come back as an error.

use proptest::prelude::*;

use super::*;
use crate::model::{
    Contact, Detail, Dialect, Manner, Presence, Priority, Receipt, RoomSettings, Status, Typing, Verbatim,
};

/// Texts with all that is dear to databases and formats.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-zA-Z0-9 ]{0,20}",
        any::<String>(),
        Just("\0'\"%_\u{1F600}".to_owned())
    ]
}

fn arc() -> impl Strategy<Value = Arc<str>> {
    text().prop_map(Into::into)
}

fn boxed() -> impl Strategy<Value = Box<str>> {
    text().prop_map(Into::into)
}

/// Names of which several are the owner's own.
fn name() -> impl Strategy<Value = Arc<str>> {
    prop_oneof![Just(Arc::from("owner")), arc()]
}

fn uuid() -> impl Strategy<Value = MessageId> {
    any::<u128>().prop_map(|bits| MessageId(Uuid::from_u128(bits)))
}

fn one<T: Mirrored + std::fmt::Debug>() -> impl Strategy<Value = T> {
    (0..T::ALL.len()).prop_map(|n| T::ALL[n])
}

use super::super::body::Mirrored;
use proptest::collection::vec;
use proptest::option::of;

prop_compose! {
    fn message()(
        id in uuid(), kind in one::<Kind>(), place in name(), from in name(), connection in of(any::<u128>()),
        text in boxed(), at_ms in any::<u64>(), manner in one::<Manner>(),
        detail in of((of((one::<Dialect>(), boxed())), vec(arc(), 0..3))),
    ) -> Message {
        let detail = detail.map(|(verbatim, mentions)| Box::new(Detail {
            manner, verbatim: verbatim.map(|(dialect, json)| Verbatim { dialect, json }), mentions,
        }));
        Message { id, kind, place, from, connection: connection.map(Uuid::from_u128), text, detail, at_ms }
    }
}

prop_compose! {
    fn notification()(
        id in uuid(), title in boxed(), text in boxed(), level in boxed(), priority in one::<Priority>(),
        channel in of(arc()), about in of((arc(), uuid())), at_ms in any::<u64>(),
    ) -> Arc<Notification> {
        Arc::new(Notification { id, title, text, level, priority, channel, about, at_ms })
    }
}

fn events() -> impl Strategy<Value = Event> {
    let about = || (name(), uuid(), arc(), any::<u64>());
    prop_oneof![
        message().prop_map(Event::Message),
        message().prop_map(Event::Direct),
        notification().prop_map(Event::Notification),
        (uuid(), any::<u64>()).prop_map(|(id, at_ms)| Event::NotificationRead { id, at_ms }),
        (of(uuid()), any::<u64>()).prop_map(|(id, at_ms)| Event::NotificationCleared { id, at_ms }),
        (about(), boxed()).prop_map(|((room, message, user, at_ms), text)| Event::Edited {
            room,
            message,
            user,
            text,
            at_ms
        }),
        about().prop_map(|(room, message, user, at_ms)| Event::Deleted { room, message, user, at_ms }),
        about().prop_map(|(room, message, user, at_ms)| Event::Read { room, message, user, at_ms }),
        (one::<Dialect>(), boxed()).prop_map(|(dialect, json)| Event::Custom { dialect, json }),
    ]
}

prop_compose! {
    fn presence()(user in arc(), status in one::<Status>(), message in of(arc()), location in of(arc()), at_ms in any::<u64>())
        -> Presence {
        Presence { user, status, message, location, at_ms }
    }
}

fn facts() -> impl Strategy<Value = Fact> {
    let room = (any::<usize>(), any::<bool>(), any::<bool>(), of(arc()), of(arc()));
    prop_oneof![
        room.prop_map(|(max_members, public, moderated, password, creator)| Fact::Room {
            settings: RoomSettings { max_members, public, moderated, password },
            creator
        }),
        (arc(), of(boxed()), vec(boxed(), 0..3)).prop_map(|(user, name, groups)| Fact::Contact(Contact {
            user,
            name,
            groups
        })),
        arc().prop_map(Fact::Standing),
        vec(presence(), 0..3).prop_map(Fact::Presence),
    ]
}

fn codec() -> Codec {
    Codec::new(["first", "second", "first"].map(Box::from).to_vec())
}

fn channel(realm: u8, kind: Kind) -> ChannelName {
    ChannelName { realm: RealmId(realm), tenant: "tenant".into(), kind, id: "owner".into() }
}

fn user() -> ChannelName {
    channel(0, Kind::User)
}

fn is_refusal(result: Result<Event, BadBytes>) -> bool {
    result.is_err()
}

proptest! {
    #[test]
    fn every_event_that_is_kept_comes_back(event in events(), kind in one::<Kind>()) {
        let (codec, channel) = (codec(), channel(0, kind));
        let owner = codec.owner(&channel).expect("a realm");
        let row = row(&owner, &event, 77).expect("it can be kept");
        prop_assert_eq!(super::event(&owner, &row), Ok(event));
    }

    #[test]
    fn what_waits_comes_back(
        event in events(), seq in any::<u64>(), transit in any::<bool>(), priority in one::<Priority>(),
        since_ms in any::<u64>(),
    ) {
        let (codec, user) = (codec(), user());
        let waiting = Waiting { event, seq, transit, priority, since_ms };
        let record = Record::Queue { user: user.clone(), waiting: Box::new(waiting.clone()) };
        let change = codec.change(&record, 0);
        match (change, waiting.event.id()) {
            (Ok(Change::Queue { owner, item }), Some(id)) => {
                prop_assert_eq!(item.id, super::id(id));
                prop_assert_eq!(codec.channel(&owner), Some(user));
                prop_assert_eq!(kept(&owner, &KeptRow::Item(item.into_owned())), Ok(Kept::Waiting(waiting)));
            }
            (refusal, None) => prop_assert_eq!(refusal, Err(Unstorable::NoId)),
            other => prop_assert!(false, "{:?}", other),
        };
    }

    #[test]
    fn facts_come_back_under_their_keys(fact in facts()) {
        let (codec, channel) = (codec(), user());
        let know = Record::Know { channel: channel.clone(), fact: fact.clone() };
        let forget = Record::Forget { channel, key: fact.key() };
        let (put, remove) = (codec.change(&know, 0), codec.change(&forget, 0));
        let (Ok(Change::Put { owner, kind, key, bytes }), Ok(Change::Remove { kind: other, key: same, .. })) = (put, remove)
        else { panic!("a fact is put and removed") };
        prop_assert_eq!((kind, key), (other, same));
        for end in 0..bytes.len() {
            let cut = KeptRow::Fact { kind, key: key.into(), bytes: bytes[..end].to_vec() };
            prop_assert!(kept(&owner, &cut).is_err());
        }
        prop_assert_eq!(kept(&owner, &KeptRow::Fact { kind, key: key.into(), bytes }), Ok(Kept::Fact(fact)));
    }

    #[test]
    fn a_body_cut_off_anywhere_is_an_error(event in events()) {
        let (codec, channel) = (codec(), user());
        let owner = codec.owner(&channel).expect("a realm");
        let whole = row(&owner, &event, 0).expect("it can be kept");
        for end in 0..whole.body.len() {
            let cut = Row { body: whole.body[..end].into(), ..whole.clone() };
            prop_assert!(is_refusal(super::event(&owner, &cut)), "{} of {}", end, whole.body.len());
        }
        if !whole.body.is_empty() {
            let longer = Row { body: [&*whole.body, &[0]].concat().into(), ..whole };
            prop_assert!(is_refusal(super::event(&owner, &longer)), "nothing may follow");
        }
    }

    /// Neither a panic nor an allocation that the bytes do not pay for, which would end the test.
    #[test]
    fn hostile_bytes_are_read_in_peace(what in any::<u8>(), bytes in vec(any::<u8>(), 0..80), known in any::<bool>()) {
        let mut bytes = bytes;
        if known {
            bytes.insert(0, 1);
        }
        let (codec, channel) = (codec(), user());
        let owner = codec.owner(&channel).expect("a realm");
        let row = Row {
            what: what % 12, id: None, sender: None, peer: None, at_ms: 0, text: "".into(), body: bytes.clone().into(),
        };
        let _ = super::event(&owner, &row);
        let _ = kept(&owner, &KeptRow::Fact { kind: 0, key: "".into(), bytes });
    }
}

#[test]
fn lengths_that_lie_allocate_nothing() {
    // The kind of fact with a list, and a length of 2^63.
    let mut bytes = vec![1, 3];
    bytes.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
    assert!(decode::<FactBody>(&bytes).is_err());
    assert!(matches!(decode::<FactBody>(&[2, 3, 0]), Err(BadBytes::Format(2))));
}

#[test]
fn what_is_stored_today_is_read_for_ever() {
    let message = Message {
        id: message_id([7; 16]),
        kind: Kind::Room,
        place: "owner".into(),
        from: "ann".into(),
        connection: None,
        text: "hello".into(),
        detail: Some(Box::new(Detail {
            manner: Manner::Persona,
            verbatim: Some(Verbatim { dialect: Dialect::Tusk, json: "{}".into() }),
            mentions: vec!["ben".into()],
        })),
        at_ms: 9,
    };
    let (codec, room) = (codec(), channel(1, Kind::Room));
    let owner = codec.owner(&room).expect("a realm");
    let event = Event::Message(message);
    let stored = row(&owner, &event, 0).expect("a message");
    assert_eq!(&*stored.body, b"\x01\x00\x00\x00\x01\x02\x01\x04\x02{}\x01\x03ben");
    assert_eq!((stored.what, &*stored.text, stored.at_ms), (1, "hello", 9));
}

#[test]
fn realms_are_kept_by_name() {
    let codec = codec();
    let (first, again) = (channel(0, Kind::Room), channel(2, Kind::Room));
    assert_eq!(codec.owner(&first), codec.owner(&again));
    let owner = codec.owner(&again).expect("a realm");
    assert_eq!(codec.channel(&owner), Some(first), "the first place counts");
    assert_eq!(codec.owner(&channel(3, Kind::Room)), Err(Unstorable::Realm(3)));
    assert_eq!(codec.channel(&Owner { realm: "gone", ..owner }), None);
    assert_eq!(codec.channel(&Owner { kind: 9, ..owner }), None);
}

#[test]
fn a_direct_messages_peer_is_the_other_one() {
    let (codec, user) = (codec(), user());
    let owner = codec.owner(&user).expect("a realm");
    let direct = |from: &str, place: &str| {
        Event::Direct(Message {
            id: message_id([0; 16]),
            kind: Kind::User,
            place: place.into(),
            from: from.into(),
            connection: None,
            text: "".into(),
            detail: None,
            at_ms: 0,
        })
    };
    for event in [direct("owner", "ben"), direct("ben", "owner")] {
        assert_eq!(row(&owner, &event, 0).expect("a message").peer.as_deref(), Some("ben"));
    }
    let room = Owner { kind: 0, ..owner };
    assert_eq!(row(&room, &direct("ben", "ann"), 0).expect("a message").peer, None);
}

#[test]
fn what_is_not_kept_is_refused() {
    let (codec, user) = (codec(), user());
    let owner = codec.owner(&user).expect("a realm");
    let typing = Typing { room: None, to: "a".into(), user: "b".into(), username: None, on: true, at_ms: 0 };
    assert_eq!(row(&owner, &Event::Typing(typing), 0), Err(Unstorable::Event));
    let status = Event::StatusChanged { user: "a".into(), status: Status::Away, at_ms: 0 };
    let record = Record::Append { channel: user.clone(), event: status, request: None };
    assert_eq!(codec.change(&record, 0), Err(Unstorable::Event));
    let receipt = Receipt { user: "a".into(), message: message_id([1; 16]), at_ms: 3 };
    let record = Record::Receipt { channel: channel(200, Kind::Room), receipt };
    assert_eq!(codec.change(&record, 0), Err(Unstorable::Realm(200)));
}
