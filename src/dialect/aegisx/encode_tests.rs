//! Every frame, read back by an independent parser and compared whole: no key more, none less.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::dialect::json_strategy::any_json;
use crate::dialect::{JsonScratch, Request, unknown_type};
use crate::model::{Cause, Detail, Epoch, Manner, MessageId, Presence, Priority, Status, Typing, Verbatim};

const AT_MS: u64 = 1_736_937_000_009;
const AT: &str = "2025-01-15T10:30:00.009Z";
/// Needs escaping wherever it stands.
const ODD: &str = "a\"b\\<c>&'\n\u{1}é😀\u{2028}";
const ASIDE: Aside<'_> = Aside { tag: Some("7"), user: "", at_ms: AT_MS };
const CONNECTION: Uuid = Uuid::from_u128(0x2a);
const CONNECTION_ID: &str = "00000000-0000-0000-0000-00000000002a";

fn text(write: impl FnOnce(&mut BytesMut) -> bool) -> Option<String> {
    let mut out = BytesMut::from("before");
    let said = write(&mut out);
    assert_eq!(&out[..6], b"before");
    assert_eq!(said, out.len() > 6, "words and nothing written, or the reverse");
    said.then(|| String::from_utf8(out[6..].to_vec()).unwrap())
}

/// Every frame has exactly these two members (AEG-70).
fn typed(text: Option<String>) -> Option<(String, Value)> {
    let frame: Value = serde_json::from_str(&text?).unwrap();
    assert_eq!(frame.as_object().unwrap().keys().collect::<Vec<_>>(), ["data", "type"]);
    Some((frame["type"].as_str().unwrap().to_owned(), frame["data"].clone()))
}

/// What is said with a number is the same and the number.
fn event(event: &Event) -> Option<(String, Value)> {
    let said = |seq| typed(text(|out| encode_event(event, seq, out)));
    let plain = said(None);
    for seq in [0, 7, u64::MAX] {
        let want = plain.clone().map(|(kind, mut data)| {
            data["seq"] = seq.into();
            (kind, data)
        });
        assert_eq!(said(Some(seq)), want);
    }
    plain
}

fn saying(saying: &Saying<'_>) -> Option<(String, Value)> {
    typed(text(|out| encode_saying(saying, &ASIDE, out)))
}

fn frame(kind: &str, data: Value) -> Option<(String, Value)> {
    Some((kind.to_owned(), data))
}

fn message(kind: Kind, place: &str, from: &str, text: &str) -> Message {
    Message {
        id: MessageId(Uuid::nil()),
        kind,
        place: place.into(),
        from: from.into(),
        connection: Some(CONNECTION),
        text: text.into(),
        detail: None,
        at_ms: AT_MS,
    }
}

fn with(message: Message, manner: Manner, verbatim: Option<(Dialect, &str)>) -> Event {
    let verbatim = verbatim.map(|(dialect, json)| Verbatim { dialect, json: json.into() });
    let detail = Detail { manner, verbatim, mentions: vec!["u".into()] };
    Event::Message(Message { detail: Some(Box::new(detail)), ..message })
}

#[test]
fn the_documents_channel_message_key_for_key() {
    let m = message(Kind::Topic, "tenant:t1:general", "u1", "hi");
    let expected = format!(
        r#"{{"type":"channel_message","data":{{"channel":"tenant:t1:general","message":"hi","sender":{{"id":"u1","connectionId":"{CONNECTION_ID}"}},"timestamp":"{AT}"}}}}"#
    );
    assert_eq!(text(|out| encode_event(&Event::Message(m), None, out)), Some(expected));
}

#[test]
fn a_number_stands_in_data() {
    let m = with(
        message(Kind::Room, "c", "u", "x"),
        Manner::Talk,
        Some((Dialect::Aegisx, r#"{"seq":"theirs"}"#)),
    );
    let expected = format!(
        r#"{{"type":"channel_message","data":{{"channel":"public:c","message":{{"seq":"theirs"}},"sender":{{"id":"u","connectionId":"{CONNECTION_ID}"}},"timestamp":"{AT}","seq":18446744073709551615}}}}"#
    );
    assert_eq!(text(|out| encode_event(&m, Some(u64::MAX), out)), Some(expected));
}

#[test]
fn a_room_is_a_public_channel_and_a_topic_has_its_whole_name() {
    let sender = json!({"id": ODD, "connectionId": CONNECTION_ID});
    for (kind, channel) in [(Kind::Room, format!("public:{ODD}")), (Kind::Topic, ODD.to_owned())] {
        let data = json!({"channel": channel, "message": ODD, "sender": sender, "timestamp": AT});
        let expected = frame("channel_message", data);
        assert_eq!(event(&Event::Message(message(kind, ODD, ODD, ODD))), expected);
        for manner in [Manner::Talk, Manner::Broadcast, Manner::Persona] {
            assert_eq!(event(&with(message(kind, ODD, ODD, ODD), manner, None)), expected);
        }
    }
}

#[test]
fn a_sender_may_have_no_name_and_no_connection() {
    let sender = |m: Message| event(&Event::Message(m)).unwrap().1["sender"].clone();
    let m = message(Kind::Room, "c", "", "x");
    assert_eq!(sender(m.clone()), json!({"id": null, "connectionId": CONNECTION_ID}));
    assert_eq!(sender(Message { connection: None, ..m }), json!({"id": null, "connectionId": null}));
}

#[test]
fn json_of_this_dialect_is_told_byte_for_byte_and_of_others_its_text() {
    for json in [r#"{ "a" : [1, 2.50] }"#, "null", "0", "false", "[]"] {
        let m = with(
            message(Kind::Topic, "tenant:t1", "u", "compact"),
            Manner::Talk,
            Some((Dialect::Aegisx, json)),
        );
        let told = text(|out| encode_event(&m, None, out)).unwrap();
        assert!(told.contains(&format!(r#","message":{json},"sender":"#)), "{told}");
    }
    let m = with(message(Kind::Room, "c", "u", "text"), Manner::Talk, Some((Dialect::Sge, "{}")));
    assert_eq!(event(&m).unwrap().1["message"], "text");
}

fn notification_of(level: &str) -> Event {
    Event::Notification(Arc::new(Notification {
        id: MessageId(Uuid::nil()),
        title: ODD.into(),
        text: ODD.into(),
        level: level.into(),
        priority: Priority::Urgent,
        channel: Some("c".into()),
        about: None,
        at_ms: AT_MS,
    }))
}

#[test]
fn notifications() {
    for level in ["info", ODD] {
        let data = json!({"type": level, "title": ODD, "message": ODD, "timestamp": AT});
        assert_eq!(event(&notification_of(level)), frame("notification", data));
    }
}

#[test]
fn there_are_no_words_for_other_events() {
    let (room, user, id): (Arc<str>, Arc<str>, _) = ("r".into(), "u".into(), MessageId(Uuid::nil()));
    let presence =
        Presence { user: user.clone(), status: Status::Online, message: None, location: None, at_ms: AT_MS };
    let typing = Typing {
        room: Some(room.clone()),
        to: "".into(),
        user: user.clone(),
        username: None,
        on: true,
        at_ms: AT_MS,
    };
    for silent in [
        Event::Message(message(Kind::User, "c", "u", "x")),
        Event::Message(message(Kind::Presence, "c", "u", "x")),
        Event::Direct(message(Kind::User, "c", "u", "x")),
        Event::Joined { room: room.clone(), user: user.clone(), username: None, at_ms: AT_MS },
        Event::Left { room: room.clone(), user: user.clone(), username: None, at_ms: AT_MS },
        Event::Presence { presence, cause: Cause::Came },
        Event::StatusChanged { user: user.clone(), status: Status::Away, at_ms: AT_MS },
        Event::Typing(typing),
        Event::Read { room: room.clone(), message: id, user: user.clone(), at_ms: AT_MS },
        Event::Edited { room: room.clone(), message: id, user: user.clone(), text: "x".into(), at_ms: AT_MS },
        Event::Deleted { room, message: id, user, at_ms: AT_MS },
        Event::NotificationRead { id, at_ms: AT_MS },
        Event::NotificationCleared { id: None, at_ms: AT_MS },
    ] {
        assert_eq!(event(&silent), None, "{silent:?}");
    }
}

#[test]
fn greeting_and_pong() {
    let data = json!({"connectionId": CONNECTION_ID, "timestamp": AT});
    let welcome = Saying::Welcome { connection: CONNECTION, user: "u", position: None };
    assert_eq!(saying(&welcome), frame("connection", data));
    assert_eq!(saying(&Saying::Pong), frame("pong", json!({"timestamp": AT})));
}

#[test]
fn channels_joined_and_left_by_their_whole_name() {
    for (place, name) in [
        (Address::Public(ODD), format!("public:{ODD}")),
        (Address::Tenant(ODD), ODD.into()),
        (Address::Notifications("notifications:t1:u:all"), "notifications:t1:u:all".into()),
        (Address::Foreign("general"), "general".into()),
    ] {
        let data = json!({"channel": name});
        assert_eq!(saying(&Saying::Joined { place, position: None }), frame("channel_joined", data.clone()));
        assert_eq!(saying(&Saying::Left(place)), frame("channel_left", data));
    }
    for place in [Address::Room("r"), Address::Conversation("r"), Address::Chat("u"), Address::System] {
        assert_eq!(saying(&Saying::Joined { place, position: None }), None);
        assert_eq!(saying(&Saying::Left(place)), None);
    }
}

#[test]
fn positions_and_gaps() {
    let position = Position { epoch: Epoch(0xab), seq: 7 };
    let stands = |kind: &str, mut data: Value| {
        (data["epoch"], data["seq"]) = ("00000000000000ab".into(), 7.into());
        frame(kind, data)
    };
    let data = json!({"connectionId": CONNECTION_ID, "timestamp": AT});
    let welcome = Saying::Welcome { connection: CONNECTION, user: "u", position: Some(position) };
    assert_eq!(saying(&welcome), stands("connection", data));
    for (place, name) in [
        (Address::Public(ODD), format!("public:{ODD}")),
        (Address::Tenant(ODD), ODD.into()),
        (Address::Notifications("notifications:t1:u:all"), "notifications:t1:u:all".into()),
    ] {
        let data = json!({"channel": name});
        let joined = Saying::Joined { place, position: Some(position) };
        assert_eq!(saying(&joined), stands("channel_joined", data.clone()));
        assert_eq!(saying(&Saying::Gap { place, position: Some(position) }), stands("gap", data));
    }
    for place in [Address::Inbox("u"), Address::Chat("u")] {
        let expected = r#"{"type":"gap","data":{"epoch":"00000000000000ab","seq":7}}"#;
        let gap = Saying::Gap { place, position: Some(position) };
        assert_eq!(text(|out| encode_saying(&gap, &ASIDE, out)).as_deref(), Some(expected));
    }
    let gap = Saying::Gap { place: Address::Public("c"), position: Some(position) };
    let expected = r#"{"type":"gap","data":{"channel":"public:c","epoch":"00000000000000ab","seq":7}}"#;
    assert_eq!(text(|out| encode_saying(&gap, &ASIDE, out)).as_deref(), Some(expected));
    for place in [Address::Room("r"), Address::Conversation("r"), Address::Group("r"), Address::System] {
        assert_eq!(saying(&Saying::Gap { place, position: Some(position) }), None);
    }
}

#[test]
fn subscribed_types_are_said_back() {
    for types in [vec![], vec![Arc::from("all")], vec![Arc::from("status_updated"), Arc::from(ODD)]] {
        let said = types.iter().map(|t| &**t).collect::<Vec<&str>>();
        let expected = frame("notifications_subscribed", json!({"types": said}));
        assert_eq!(saying(&Saying::NotificationsSubscribed { types: &types }), expected);
    }
}

#[test]
fn figures() {
    let none = json!({"total": 0, "byTenant": {}, "byChannel": {}});
    assert_eq!(saying(&Saying::Stats(&Stats::default())), frame("stats", none));
    let stats = Stats {
        total: 3,
        by_tenant: vec![("t1".into(), 2), (ODD.into(), 1)],
        by_channel: vec![("tenant:t1:g".into(), 1), ("public:p".into(), 2)],
    };
    let data =
        json!({"total": 3, "byTenant": {"t1": 2, ODD: 1}, "byChannel": {"tenant:t1:g": 1, "public:p": 2}});
    assert_eq!(saying(&Saying::Stats(&stats)), frame("stats", data));
}

#[test]
fn each_refusal_has_the_documents_sentence_or_its_own() {
    let own = "own sentence";
    for code in Code::ALL {
        let denied = matches!(code, Code::Forbidden | Code::Unauthenticated);
        let failed = matches!(code, Code::LimitReached | Code::Unavailable);
        let join = match (denied, failed) {
            (true, _) => "Access denied to channel",
            (_, true) => "Failed to join channel",
            _ => own,
        };
        let publish = if denied { "Permission denied" } else { own };
        for (about, said) in [(About::Join, join), (About::Publish, publish), (About::Other, own)] {
            let refusal = &Refusal::new(code, own);
            let expected = frame("error", json!({"error": said}));
            assert_eq!(saying(&Saying::Refused { about, refusal }), expected, "{about:?} {code:?}");
        }
    }
    let refusal = &unknown_type(ODD);
    let expected = frame("error", json!({"error": format!("Unknown message type: {ODD}")}));
    assert_eq!(saying(&Saying::Refused { about: About::Other, refusal }), expected);
}

#[test]
fn there_are_no_words_for_other_sayings() {
    let id = MessageId(Uuid::nil());
    for silent in [
        Saying::Online { users: &[], total: 0, position: None },
        Saying::AuthFailed,
        Saying::Ping,
        Saying::RoomCreated { room: "r" },
        Saying::RoomExists,
        Saying::Sent { to: "u", id, queued: true },
        Saying::Delivered { id, room: None, at_ms: 0 },
        Saying::Roster(&[]),
    ] {
        assert_eq!(saying(&silent), None, "{silent:?}");
    }
}

/// Whether this test's own reader makes of its text what it is.
fn reads_alike(value: &Value) -> bool {
    serde_json::from_str::<Value>(&value.to_string()).is_ok_and(|read| read == *value)
}

proptest! {
    #[test]
    fn what_is_sent_is_what_is_received(channel in "\\PC{1,60}", from: String, sent in any_json().prop_filter("its last digit is rounded by its reader", reads_alike)) {
        let data = json!({"channel": format!("public:{channel}"), "message": sent});
        let mut bytes = json!({"type": "send_message", "data": data}).to_string().into_bytes();
        let mut original = Vec::new();
        let heard = crate::dialect::aegisx::decode(&mut bytes, &mut original, &mut JsonScratch::new());
        let Ok(Request::Publish { place: Address::Public(place), speech }) = heard else {
            panic!("{heard:?}");
        };
        let verbatim = speech.verbatim.as_deref().map(|json| (Dialect::Aegisx, json));
        let told = with(message(Kind::Room, place, &from, &speech.text), Manner::Talk, verbatim);
        let id = if from.is_empty() { Value::Null } else { from.into() };
        let data = json!({"channel": format!("public:{channel}"), "message": sent,
            "sender": {"id": id, "connectionId": CONNECTION_ID}, "timestamp": AT});
        prop_assert_eq!(event(&told), frame("channel_message", data));
    }
}
