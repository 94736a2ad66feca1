//! Every frame, read back by an independent parser and compared whole: no key more, none less.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::dialect::{About, Stats};
use crate::model::{
    Cause, Code, Dialect, Epoch, MessageId, Position, Presence, RealmId, Refusal, Status, Typing,
};

const AT_MS: u64 = 1_700_000_000_999;
const AT: u64 = 1_700_000_000;
/// Needs escaping wherever it stands.
const ODD: &str = "a\"b\\<c>&'\n\u{1}é😀";
const ODD_HTML: &str = "a&quot;b\\&lt;c&gt;&amp;&#039;\n\u{1}é😀";
const ID: &str = "0000002a-0000-4000-8000-00000000002b";

fn id() -> MessageId {
    MessageId::random((0x2a << 96) | 0x2b)
}

fn written(write: impl FnOnce(&mut BytesMut)) -> Value {
    let mut out = BytesMut::from("before");
    write(&mut out);
    assert_eq!(&out[..6], b"before");
    serde_json::from_slice(&out[6..]).unwrap()
}

/// What is said with a number is the same and the number.
fn event(event: &Event) -> Value {
    let said = |seq| written(|out| assert!(encode_event(event, seq, out)));
    let plain = said(None);
    for seq in [0, 7, u64::MAX] {
        let mut want = plain.clone();
        want["seq"] = seq.into();
        assert_eq!(said(Some(seq)), want);
    }
    plain
}

/// The tag is for other dialects.
const ASIDE: Aside<'_> = Aside { tag: Some("7"), user: "", at_ms: AT_MS };

fn saying(saying: &Saying<'_>) -> Value {
    written(|out| assert!(encode_saying(saying, &ASIDE, out)))
}

const POSITION: Position = Position { epoch: Epoch(0xab), seq: 7 };

fn odd() -> Arc<str> {
    ODD.into()
}

fn message(kind: Kind, text: &str) -> Message {
    Message {
        id: id(),
        kind,
        place: odd(),
        from: odd(),
        connection: None,
        text: text.into(),
        detail: None,
        at_ms: AT_MS,
    }
}

#[test]
fn events() {
    let expected =
        json!({"type": "room_message", "room": ODD, "message": ODD_HTML, "from": ODD, "timestamp": AT});
    assert_eq!(event(&Event::Message(message(Kind::Room, ODD))), expected);

    let (room, user, username, at_ms) = (odd(), odd(), Some(odd()), AT_MS);
    let joined = Event::Joined { room: room.clone(), user: user.clone(), username: username.clone(), at_ms };
    assert_eq!(event(&joined), json!({"type": "user_joined", "room": ODD, "userId": ODD}));
    let left = Event::Left { room, user, username, at_ms };
    assert_eq!(event(&left), json!({"type": "user_left", "room": ODD, "userId": ODD}));

    for status in [Status::Online, Status::Away, Status::Busy, Status::Offline] {
        for cause in [Cause::Came, Cause::Went, Cause::Said { changed: true }] {
            let presence =
                Presence { user: odd(), status, message: Some(odd()), location: Some(odd()), at_ms: AT_MS };
            let expected =
                json!({"type": "presence_update", "userId": ODD, "status": status.as_str(), "timestamp": AT});
            assert_eq!(event(&Event::Presence { presence, cause }), expected);
        }
    }

    let expected =
        json!({"type": "private_message", "id": ID, "from": ODD, "message": ODD_HTML, "timestamp": AT});
    assert_eq!(event(&Event::Direct(message(Kind::User, ODD))), expected);
}

#[test]
fn what_the_document_does_not_have_is_not_said() {
    let (room, user, message_id, at_ms) = (odd(), odd(), id(), AT_MS);
    let typing = Typing { room: Some(odd()), to: odd(), user: odd(), username: None, on: true, at_ms: AT_MS };
    for event in [
        Event::Message(message(Kind::Topic, "x")),
        Event::StatusChanged { user: odd(), status: Status::Away, at_ms },
        Event::Typing(typing),
        Event::Read { room: room.clone(), message: message_id, user: user.clone(), at_ms },
        Event::Edited {
            room: room.clone(),
            message: message_id,
            user: user.clone(),
            text: "x".into(),
            at_ms,
        },
        Event::Deleted { room, message: message_id, user, at_ms },
        Event::NotificationRead { id: message_id, at_ms },
        Event::NotificationCleared { id: None, at_ms },
    ] {
        let mut out = BytesMut::new();
        assert!(!encode_event(&event, None, &mut out) && out.is_empty(), "{event:?}");
        assert!(!encode_event(&event, Some(1), &mut out) && out.is_empty(), "{event:?}");
    }
    for silent in [
        Saying::Online { users: &[], total: 0, position: None },
        Saying::Ping,
        Saying::Joined { place: Address::Group(ODD), position: None },
        Saying::Left(Address::System),
        Saying::Gap { place: Address::Group(ODD), position: Some(POSITION) },
        Saying::Gap { place: Address::Conversation(ODD), position: Some(POSITION) },
        Saying::Gap { place: Address::System, position: Some(POSITION) },
        Saying::NotificationsSubscribed { types: &[] },
        Saying::Delivered { id: id(), room: Some(ODD), at_ms },
        Saying::Roster(&[]),
        Saying::Stats(&Stats::default()),
    ] {
        let mut out = BytesMut::new();
        assert!(!encode_saying(&silent, &ASIDE, &mut out) && out.is_empty(), "{silent:?}");
    }
}

#[test]
fn an_extensions_frame_is_copied_as_it_is_and_only_its_own_dialects() {
    let json = r#"{ "type":"custom_response", "data":"Action processed" }"#;
    let mut out = BytesMut::new();
    let mut said = |of| {
        out.clear();
        let custom = Event::Custom { dialect: of, json: json.into() };
        crate::dialect::encode_event(Dialect::Tusk, &custom, Some(1), &mut out)
    };
    assert!(!said(Dialect::Echo));
    assert!(said(Dialect::Tusk));
    assert_eq!(&out[..], json.as_bytes());
}

#[test]
fn answers() {
    let room = Address::Room(ODD);
    assert_eq!(
        saying(&Saying::Joined { place: room, position: None }),
        json!({"type": "room_joined", "room": ODD})
    );
    assert_eq!(saying(&Saying::Left(room)), json!({"type": "room_left", "room": ODD}));

    let sent = |queued| Saying::Sent { to: ODD, id: id(), queued };
    assert_eq!(saying(&sent(false)), json!({"type": "message_sent", "to": ODD, "id": ID}));
    assert_eq!(saying(&sent(true)), json!({"type": "message_sent", "to": ODD, "id": ID, "queued": true}));
    let delivered = Saying::Delivered { id: id(), room: None, at_ms: AT_MS };
    assert_eq!(saying(&delivered), json!({"type": "message_delivered", "id": ID}));

    for about in [About::Join, About::Publish, About::Other] {
        let refused = |refusal: &Refusal| saying(&Saying::Refused { about, refusal });
        let odd = Refusal::with(Code::Forbidden, ODD.into());
        assert_eq!(refused(&odd), json!({"type": "error", "message": ODD}));
        let rate = Refusal::new(Code::RateLimited, "Rate limit exceeded");
        assert_eq!(refused(&rate), json!({"type": "error", "message": "Rate limit exceeded"}));
    }
    assert_eq!(saying(&Saying::RoomCreated { room: ODD }), json!({"type": "room_created", "room": ODD}));
    assert_eq!(saying(&Saying::RoomExists), json!({"type": "error", "message": "Room already exists"}));
}

fn principal() -> Principal {
    Principal {
        realm: RealmId(0),
        tenant: "secret-tenant".into(),
        user: odd(),
        username: Some("Jo \"x\"".into()),
        roles: vec!["user".into(), "m\"od".into()],
        permissions: None,
        verified: true,
        expires: Some(AT),
        service: false,
    }
}

#[test]
fn frames_of_the_connection_itself() {
    assert_eq!(saying(&Saying::AuthFailed), json!({"type": "auth_failed", "message": "Invalid token"}));
    assert_eq!(saying(&Saying::Pong), json!({"type": "pong", "timestamp": AT}));
    let welcome = Saying::Welcome { connection: id().0, user: "u", position: None };
    assert_eq!(saying(&welcome), json!({"type": "welcome", "connectionId": ID, "timestamp": AT}));
}

#[test]
fn auth_success_shows_what_the_credential_has() {
    let user = |user: Value| json!({"type": "auth_success", "user": user});
    let full = user(json!({"id": ODD, "username": "Jo \"x\"", "roles": ["user", "m\"od"]}));
    assert_eq!(saying(&Saying::AuthSuccess { who: &principal(), position: None }), full);

    let bare = Principal { username: None, roles: vec![], ..principal() };
    let expected = user(json!({"id": ODD, "username": ODD, "roles": []}));
    assert_eq!(saying(&Saying::AuthSuccess { who: &bare, position: None }), expected);

    for permissions in [vec![], vec!["create_room".to_string(), "x".into()]] {
        let with = Principal { permissions: Some(permissions.clone()), ..bare.clone() };
        let expected = user(json!({"id": ODD, "username": ODD, "roles": [], "permissions": permissions}));
        assert_eq!(saying(&Saying::AuthSuccess { who: &with, position: None }), expected);
    }
}

#[test]
fn positions_and_gaps() {
    let with = |mut frame: Value| {
        (frame["epoch"], frame["seq"]) = ("00000000000000ab".into(), 7.into());
        frame
    };
    let (position, place) = (Some(POSITION), Address::Room(ODD));
    let joined = json!({"type": "room_joined", "room": ODD});
    assert_eq!(saying(&Saying::Joined { place, position }), with(joined));
    let welcome = json!({"type": "welcome", "connectionId": ID, "timestamp": AT});
    assert_eq!(saying(&Saying::Welcome { connection: id().0, user: "u", position }), with(welcome));
    let bare = Principal { username: None, roles: vec![], ..principal() };
    let user = json!({"id": ODD, "username": ODD, "roles": []});
    let success = saying(&Saying::AuthSuccess { who: &bare, position });
    assert_eq!(success, with(json!({"type": "auth_success", "user": user})));
    let gap = json!({"type": "gap", "room": ODD, "timestamp": AT});
    assert_eq!(saying(&Saying::Gap { place, position: Some(POSITION) }), with(gap));
    for place in [Address::Inbox("u"), Address::Chat("u")] {
        let gap = json!({"type": "gap", "timestamp": AT});
        assert_eq!(saying(&Saying::Gap { place, position: Some(POSITION) }), with(gap));
    }
}

#[test]
fn a_batch_keeps_its_payloads_and_their_order() {
    let payloads: Vec<BytesMut> = (0..3)
        .map(|n| {
            frame(|out| {
                assert!(encode_saying(&Saying::Pong, &Aside { tag: None, user: "", at_ms: n * 1000 }, out))
            })
        })
        .collect();
    let got = written(|out| batch(payloads.iter().map(|p| &p[..]), AT, out));
    let messages = json!([{"type": "pong", "timestamp": 0}, {"type": "pong", "timestamp": 1}, {"type": "pong", "timestamp": 2}]);
    assert_eq!(got, json!({"type": "batch", "messages": messages, "timestamp": AT}));
    let none = written(|out| batch([], AT, out));
    assert_eq!(none, json!({"type": "batch", "messages": [], "timestamp": AT}));
}

fn frame(write: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    write(&mut out);
    out
}

#[test]
fn the_document_shows_the_key_order() {
    let message =
        Message { place: "r".into(), from: "admin".into(), at_ms: 5999, ..message(Kind::Room, "Hi") };
    let got = frame(|out| assert!(encode_event(&Event::Message(message), None, out)));
    assert_eq!(
        &got[..],
        br#"{"type":"room_message","room":"r","message":"Hi","from":"admin","timestamp":5}"#
    );
}

#[test]
fn a_number_stands_behind_the_documents_keys() {
    let message =
        Message { place: "r".into(), from: "admin".into(), at_ms: 5999, ..message(Kind::Room, "Hi") };
    let got = frame(|out| assert!(encode_event(&Event::Message(message), Some(u64::MAX), out)));
    let want = r#"{"type":"room_message","room":"r","message":"Hi","from":"admin","timestamp":5,"seq":18446744073709551615}"#;
    assert_eq!(&got[..], want.as_bytes());
    let gap = Saying::Gap { place: Address::Room("r"), position: Some(POSITION) };
    let got = frame(|out| assert!(encode_saying(&gap, &ASIDE, out)));
    let want = r#"{"type":"gap","room":"r","epoch":"00000000000000ab","seq":7,"timestamp":1700000000}"#;
    assert_eq!(&got[..], want.as_bytes());
}

proptest! {
    #[test]
    fn any_names_and_text_read_back(room: String, from: String, text: String, at_ms: u64) {
        let (place, from_) = (room.as_str().into(), from.as_str().into());
        let got = event(&Event::Message(Message { place, from: from_, at_ms, ..message(Kind::Room, &text) }));
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#039;");
        let expected = json!({"type": "room_message", "room": room, "message": escaped, "from": from, "timestamp": at_ms / 1000});
        prop_assert_eq!(got, expected);
    }
}
