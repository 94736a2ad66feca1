//! Every frame, read back by an independent parser and compared whole: no key more, none less.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::{ChannelId, Code, MessageId, RealmId, Refusal, RoomInfo, Status};

const AT_MS: u64 = 1_700_000_000_999;
const AT: u64 = 1_700_000_000;
/// Needs escaping wherever it stands.
const ODD: &str = "a\"b\\<c>&'\n\u{1}é😀";
const ODD_HTML: &str = "a&quot;b\\&lt;c&gt;&amp;&#039;\n\u{1}é😀";

fn written(write: impl FnOnce(&mut BytesMut)) -> Value {
    let mut out = BytesMut::from("before");
    write(&mut out);
    assert_eq!(&out[..6], b"before");
    serde_json::from_slice(&out[6..]).unwrap()
}

fn event(event: &Event) -> Value {
    written(|out| assert!(encode_event(event, out)))
}

fn reply(reply: &Reply) -> Value {
    written(|out| assert!(encode_reply(reply, out)))
}

fn odd() -> Arc<str> {
    ODD.into()
}

#[test]
fn events() {
    let message = Event::Message { room: odd(), from: odd(), text: ODD.into(), at_ms: AT_MS };
    let expected =
        json!({"type": "room_message", "room": ODD, "message": ODD_HTML, "from": ODD, "timestamp": AT});
    assert_eq!(event(&message), expected);

    let joined = Event::Joined { room: odd(), user: odd() };
    assert_eq!(event(&joined), json!({"type": "user_joined", "room": ODD, "userId": ODD}));
    let left = Event::Left { room: odd(), user: odd() };
    assert_eq!(event(&left), json!({"type": "user_left", "room": ODD, "userId": ODD}));

    for status in [Status::Online, Status::Away, Status::Busy, Status::Offline] {
        let presence = Event::Presence { user: odd(), status, at_ms: AT_MS };
        let expected =
            json!({"type": "presence_update", "userId": ODD, "status": status.as_str(), "timestamp": AT});
        assert_eq!(event(&presence), expected);
    }

    let direct = Event::Direct { id: MessageId(0x2a), from: odd(), text: ODD.into(), at_ms: AT_MS };
    let expected =
        json!({"type": "private_message", "id": "m2a", "from": ODD, "message": ODD_HTML, "timestamp": AT});
    assert_eq!(event(&direct), expected);
}

#[test]
fn an_extensions_frame_is_copied_as_it_is_and_only_its_own_dialects() {
    let json = r#"{ "type":"custom_response", "data":"Action processed" }"#;
    let mut out = BytesMut::new();
    assert!(encode_event(&Event::Custom { dialect: Dialect::Tusk, json: json.into() }, &mut out));
    assert_eq!(&out[..], json.as_bytes());
    out.clear();
    assert!(!encode_event(&Event::Custom { dialect: Dialect::Echo, json: json.into() }, &mut out));
    assert!(out.is_empty());
}

#[test]
fn replies() {
    let channel = ChannelId { home: 0, generation: 0, index: 0 };
    let room = odd();
    let joined = Reply::Joined { channel, room: room.clone() };
    assert_eq!(reply(&joined), json!({"type": "room_joined", "room": ODD}));
    assert_eq!(reply(&Reply::Left { room }), json!({"type": "room_left", "room": ODD}));

    let sent = |queued| Reply::Sent { to: odd(), id: MessageId(255), queued };
    assert_eq!(reply(&sent(false)), json!({"type": "message_sent", "to": ODD, "id": "mff"}));
    assert_eq!(reply(&sent(true)), json!({"type": "message_sent", "to": ODD, "id": "mff", "queued": true}));
    let delivered = Reply::Delivered { id: MessageId(255) };
    assert_eq!(reply(&delivered), json!({"type": "message_delivered", "id": "mff"}));

    let refused = Reply::Refused(Refusal::with(Code::Forbidden, ODD.into()));
    assert_eq!(reply(&refused), json!({"type": "error", "message": ODD}));
    let rate = Reply::Refused(Refusal::new(Code::RateLimited, "Rate limit exceeded"));
    assert_eq!(reply(&rate), json!({"type": "error", "message": "Rate limit exceeded"}));

    let info = RoomInfo {
        name: odd(),
        member_count: 0,
        max_members: 50,
        public: true,
        moderated: false,
        has_password: true,
    };
    let created = Reply::Room { info: info.clone(), created: true };
    assert_eq!(reply(&created), json!({"type": "room_created", "room": ODD}));
    let there = Reply::Room { info: info.clone(), created: false };
    assert_eq!(reply(&there), json!({"type": "error", "message": "Room already exists"}));

    for silent in [
        Reply::Attached { channel, over: vec![] },
        Reply::Claimed { room: odd() },
        Reply::Rooms(vec![info]),
        Reply::Done,
    ] {
        let mut out = BytesMut::new();
        assert!(!encode_reply(&silent, &mut out) && out.is_empty(), "{silent:?}");
    }
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
    }
}

#[test]
fn frames_of_the_connection_itself() {
    assert_eq!(written(auth_failed), json!({"type": "auth_failed", "message": "Invalid token"}));
    assert_eq!(written(|out| pong(AT, out)), json!({"type": "pong", "timestamp": AT}));
    assert_eq!(written(|out| error(ODD, out)), json!({"type": "error", "message": ODD}));
    let key = ConnKey { shard: 1, generation: 2, index: 3 };
    let expected = json!({"type": "welcome", "connectionId": "1000200000003", "timestamp": AT});
    assert_eq!(written(|out| welcome(key, AT, out)), expected);
}

#[test]
fn auth_success_shows_what_the_credential_has() {
    let user = |user: Value| json!({"type": "auth_success", "user": user});
    let full = user(json!({"id": ODD, "username": "Jo \"x\"", "roles": ["user", "m\"od"]}));
    assert_eq!(written(|out| auth_success(&principal(), out)), full);

    let bare = Principal { username: None, roles: vec![], ..principal() };
    let expected = user(json!({"id": ODD, "username": ODD, "roles": []}));
    assert_eq!(written(|out| auth_success(&bare, out)), expected);

    for permissions in [vec![], vec!["create_room".to_string(), "x".into()]] {
        let with = Principal { permissions: Some(permissions.clone()), ..bare.clone() };
        let expected = user(json!({"id": ODD, "username": ODD, "roles": [], "permissions": permissions}));
        assert_eq!(written(|out| auth_success(&with, out)), expected);
    }
}

#[test]
fn a_batch_keeps_its_payloads_and_their_order() {
    let payloads: Vec<BytesMut> = (0..3).map(|n| frame(|out| pong(n, out))).collect();
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
    let message = Event::Message { room: "r".into(), from: "admin".into(), text: "Hi".into(), at_ms: 5999 };
    let got = frame(|out| assert!(encode_event(&message, out)));
    assert_eq!(
        &got[..],
        br#"{"type":"room_message","room":"r","message":"Hi","from":"admin","timestamp":5}"#
    );
}

proptest! {
    #[test]
    fn any_names_and_text_read_back(room: String, from: String, text: String, at_ms: u64) {
        let message = Event::Message { room: room.as_str().into(), from: from.as_str().into(), text: text.clone().into(), at_ms };
        let got = event(&message);
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#039;");
        let expected = json!({"type": "room_message", "room": room, "message": escaped, "from": from, "timestamp": at_ms / 1000});
        prop_assert_eq!(got, expected);
    }
}
