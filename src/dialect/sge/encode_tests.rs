//! Every frame, read back by an independent parser and compared whole: no key more, none less.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::dialect::{About, Stats};
use crate::model::{
    Cause, Code, Detail, Epoch, Manner, MessageId, Position, Principal, Priority, RealmId, Refusal, Verbatim,
};

const AT_MS: u64 = 1_700_000_000_999;
const AT: u64 = 1_700_000_000;
/// Needs escaping wherever it stands.
const ODD: &str = "a\"b\\<c>&'\n\u{1}é😀";

fn written(write: impl FnOnce(&mut BytesMut) -> bool) -> Option<Value> {
    let mut out = BytesMut::from("before");
    let said = write(&mut out);
    assert_eq!(&out[..6], b"before");
    assert_eq!(said, out.len() > 6, "what has no words writes nothing");
    said.then(|| serde_json::from_slice(&out[6..]).expect("JSON"))
}

/// What is said with a number is the same and the number.
fn event(event: &Event) -> Option<Value> {
    let said = |seq| written(|out| encode_event(event, seq, out));
    let plain = said(None);
    for seq in [0, 7, u64::MAX] {
        let want = plain.clone().map(|mut frame| {
            frame["seq"] = seq.into();
            frame
        });
        assert_eq!(said(Some(seq)), want);
    }
    plain
}

/// What is said with a tag is the same and the tag.
fn saying(saying: &Saying) -> Option<Value> {
    let said = |tag| written(|out| encode_saying(saying, &Aside { tag, user: "", at_ms: AT_MS }, out));
    let untagged = said(None);
    for (tag, value) in [("\"m\\\"1\"", json!("m\"1")), ("-7", json!(-7))] {
        let want = untagged.clone().map(|mut frame| {
            frame["id"] = value;
            frame
        });
        assert_eq!(said(Some(tag)), want);
    }
    untagged
}

fn odd() -> Arc<str> {
    ODD.into()
}

fn id() -> MessageId {
    MessageId::random(7)
}

fn message(kind: Kind, verbatim: Option<Verbatim>) -> Message {
    let detail = Some(Box::new(Detail { verbatim, mentions: vec![odd()], ..Detail::default() }));
    Message {
        id: id(),
        kind,
        place: odd(),
        from: odd(),
        connection: None,
        text: ODD.into(),
        detail,
        at_ms: AT_MS,
    }
}

#[test]
fn messages_made_from_text() {
    let frame = |kind: &str| {
        Some(
            json!({"type": "ChatMessage", "message": {"from": ODD, "to": ODD, "message": ODD, "timestamp": AT_MS,
            "message_type": kind}}),
        )
    };
    assert_eq!(event(&Event::Direct(message(Kind::User, None))), frame("chat"));
    assert_eq!(event(&Event::Message(message(Kind::Room, None))), frame("groupchat"));
    let foreign = Verbatim { dialect: Dialect::Nexus, json: "\"x\":1".into() };
    assert_eq!(event(&Event::Message(message(Kind::Room, Some(foreign)))), frame("groupchat"));
    for manner in [Manner::Broadcast, Manner::Persona] {
        let mut said = message(Kind::Room, None);
        said.detail.as_mut().unwrap().manner = manner;
        assert_eq!(event(&Event::Message(said)), frame("groupchat"));
    }
    let mut bare = message(Kind::Room, None);
    bare.detail = None;
    assert_eq!(event(&Event::Message(bare)), frame("groupchat"));
}

#[test]
fn a_relayed_message_is_not_touched() {
    let json = r#"{"from":"a","to":"b", "message":"\u0041","timestamp":1.0,"message_type":"chat","x":[ ]}"#;
    for made in [Event::Direct as fn(Message) -> Event, Event::Message] {
        let verbatim = Verbatim { dialect: Dialect::Sge, json: json.into() };
        let mut out = BytesMut::new();
        assert!(encode_event(&made(message(Kind::Room, Some(verbatim))), None, &mut out));
        assert_eq!(&out[..], format!(r#"{{"type":"ChatMessage","message":{json}}}"#).as_bytes());
    }
}

#[test]
fn a_number_stands_behind_the_message() {
    let m = Message { place: "g".into(), from: "a".into(), text: "x".into(), ..message(Kind::Room, None) };
    let mut out = BytesMut::new();
    assert!(encode_event(&Event::Message(m), Some(u64::MAX), &mut out));
    let want = r#"{"type":"ChatMessage","message":{"from":"a","to":"g","message":"x","message_type":"groupchat","timestamp":1700000000999},"seq":18446744073709551615}"#;
    assert_eq!(&out[..], want.as_bytes());
    let relayed = Verbatim { dialect: Dialect::Sge, json: r#"{"seq":"theirs"}"#.into() };
    out.clear();
    assert!(encode_event(&Event::Direct(message(Kind::User, Some(relayed))), Some(1), &mut out));
    assert_eq!(&out[..], br#"{"type":"ChatMessage","message":{"seq":"theirs"},"seq":1}"#);
}

#[test]
fn typing_to_a_user_and_in_a_group() {
    for on in [true, false] {
        let typing = |room| {
            let username = Some(odd());
            event(&Event::Typing(Typing { room, to: "u2".into(), user: odd(), username, on, at_ms: AT_MS }))
        };
        assert_eq!(typing(None), Some(json!({"type": "Typing", "from": ODD, "to": "u2", "typing": on})));
        let group = format!("group:{ODD}");
        assert_eq!(
            typing(Some(odd())),
            Some(json!({"type": "Typing", "from": ODD, "to": group, "typing": on}))
        );
    }
}

#[test]
fn presence_whatever_the_cause() {
    for status in [Status::Online, Status::Away, Status::Busy, Status::Offline] {
        for message in [None, Some(odd())] {
            let frame = json!({"type": "PresenceStatus", "user_id": ODD, "status": status.as_str(),
                "status_message": message.as_deref(), "timestamp": AT});
            for cause in
                [Cause::Came, Cause::Went, Cause::Said { changed: true }, Cause::Said { changed: false }]
            {
                let location = Some(odd());
                let presence =
                    Presence { user: odd(), status, message: message.clone(), location, at_ms: AT_MS };
                assert_eq!(event(&Event::Presence { presence, cause }), Some(frame.clone()));
            }
        }
    }
}

#[test]
fn notifications_with_and_without_a_channel() {
    for channel in [None, Some(odd())] {
        let mut frame =
            json!({"type": "Notification", "title": ODD, "message": ODD, "level": ODD, "timestamp": AT});
        if channel.is_some() {
            frame["channel"] = ODD.into();
        }
        let (title, text, level, about) = (ODD.into(), ODD.into(), ODD.into(), Some((odd(), id())));
        let priority = Priority::Urgent;
        let n = Notification { id: id(), title, text, level, priority, channel, about, at_ms: AT_MS };
        assert_eq!(event(&Event::Notification(Arc::new(n))), Some(frame));
    }
}

#[test]
fn events_without_words_write_nothing() {
    for kind in [Kind::Topic, Kind::User, Kind::Presence] {
        assert_eq!(event(&Event::Message(message(kind, None))), None);
    }
    let (room, user, username, at_ms) = (odd(), odd(), None, AT_MS);
    for silent in [
        Event::Joined { room: room.clone(), user: user.clone(), username: username.clone(), at_ms },
        Event::Left { room: room.clone(), user: user.clone(), username, at_ms },
        Event::StatusChanged { user: user.clone(), status: Status::Away, at_ms },
        Event::Read { room: room.clone(), message: id(), user: user.clone(), at_ms },
        Event::Edited { room: room.clone(), message: id(), user: user.clone(), text: ODD.into(), at_ms },
        Event::Deleted { room, message: id(), user, at_ms },
        Event::NotificationRead { id: id(), at_ms },
        Event::NotificationCleared { id: None, at_ms },
    ] {
        assert_eq!(event(&silent), None, "{silent:?}");
    }
}

#[test]
fn a_channel_is_named_as_its_subscriber_names_it() {
    for (place, channel) in [
        (Address::Inbox(ODD), format!("user:{ODD}")),
        (Address::Chat(ODD), format!("chat:{ODD}")),
        (Address::Presence(ODD), format!("presence:{ODD}")),
        (Address::Group(ODD), format!("group:{ODD}")),
        (Address::Room(ODD), format!("group:{ODD}")),
        (Address::Conversation(ODD), format!("group:{ODD}")),
        (Address::Public(ODD), format!("group:{ODD}")),
        (Address::System, "system".into()),
        (Address::Named(ODD), ODD.into()),
        (Address::Tenant(ODD), ODD.into()),
        (Address::Notifications(ODD), ODD.into()),
        (Address::Foreign(ODD), ODD.into()),
    ] {
        assert_eq!(
            saying(&Saying::Joined { place, position: None }),
            Some(json!({"type": "Subscribed", "channel": channel}))
        );
        assert_eq!(saying(&Saying::Left(place)), Some(json!({"type": "Unsubscribed", "channel": channel})));
        let position = Position { epoch: Epoch(0xab), seq: 7 };
        let stands = |kind: &str| {
            Some(json!({"type": kind, "channel": channel, "epoch": "00000000000000ab", "seq": 7}))
        };
        assert_eq!(saying(&Saying::Joined { place, position: Some(position) }), stands("Subscribed"));
        assert_eq!(saying(&Saying::Gap { place, position: Some(position) }), stands("Gap"));
    }
}

#[test]
fn sayings() {
    assert_eq!(saying(&Saying::Pong), Some(json!({"type": "Pong"})));
    let principal = Principal {
        realm: RealmId(0),
        tenant: "secret-tenant".into(),
        user: odd(),
        username: Some("Jo".into()),
        roles: vec!["user".into()],
        permissions: None,
        verified: true,
        expires: Some(AT),
        service: false,
    };
    assert_eq!(
        saying(&Saying::AuthSuccess { who: &principal, position: None }),
        Some(json!({"type": "Authenticated", "user_id": ODD}))
    );
    let position = Some(Position { epoch: Epoch(u64::MAX), seq: u64::MAX });
    assert_eq!(
        saying(&Saying::AuthSuccess { who: &principal, position }),
        Some(json!({"type": "Authenticated", "user_id": ODD, "epoch": "ffffffffffffffff", "seq": u64::MAX}))
    );
    assert_eq!(saying(&Saying::AuthFailed), Some(json!({"type": "Error", "message": "Invalid token"})));
    let refusal = Refusal::with(Code::Forbidden, ODD.into());
    for about in [About::Join, About::Publish, About::Other] {
        let error = Some(json!({"type": "Error", "message": ODD}));
        assert_eq!(saying(&Saying::Refused { about, refusal: &refusal }), error);
    }
}

#[test]
fn rosters() {
    assert_eq!(saying(&Saying::Roster(&[])), Some(json!({"type": "Roster", "contacts": []})));
    let full = Contact { user: odd(), name: Some(ODD.into()), groups: vec![ODD.into(), "work".into()] };
    let bare = Contact { user: "b".into(), name: None, groups: vec![] };
    let want = json!({"type": "Roster", "contacts": [
        {"user_id": ODD, "name": ODD, "groups": [ODD, "work"], "status": "busy"},
        {"user_id": "b", "name": null, "groups": [], "status": "offline"}]});
    assert_eq!(saying(&Saying::Roster(&[(full, Status::Busy), (bare, Status::Offline)])), Some(want));
}

#[test]
fn sayings_without_words_write_nothing() {
    for silent in [
        Saying::Welcome { connection: Uuid::from_u128(1), user: "u", position: None },
        Saying::Online { users: &[odd()], total: 1, position: None },
        Saying::Ping,
        Saying::RoomCreated { room: "r" },
        Saying::RoomExists,
        Saying::NotificationsSubscribed { types: &[odd()] },
        Saying::Sent { to: "u", id: id(), queued: true },
        Saying::Delivered { id: id(), room: None, at_ms: 0 },
        Saying::Delivered { id: id(), room: Some("r"), at_ms: 0 },
        Saying::Stats(&Stats::default()),
    ] {
        assert_eq!(saying(&silent), None, "{silent:?}");
    }
}

#[test]
fn a_gap_key_for_key_with_the_tag_of_what_was_asked() {
    let gap =
        Saying::Gap { place: Address::Group("g"), position: Some(Position { epoch: Epoch(1), seq: 0 }) };
    let mut out = BytesMut::new();
    assert!(encode_saying(&gap, &Aside { tag: Some("5"), user: "", at_ms: AT_MS }, &mut out));
    assert_eq!(&out[..], br#"{"type":"Gap","channel":"group:g","epoch":"0000000000000001","seq":0,"id":5}"#);
}

proptest! {
    #[test]
    fn any_names_and_text_read_back(place: String, from: String, text: String, at_ms: u64) {
        let m = Message { place: place.as_str().into(), from: from.as_str().into(), text: text.as_str().into(), at_ms,
            ..message(Kind::Room, None) };
        let inner = json!({"from": from, "to": place, "message": text, "timestamp": at_ms,
            "message_type": "groupchat"});
        prop_assert_eq!(event(&Event::Message(m)), Some(json!({"type": "ChatMessage", "message": inner})));
    }
}
