//! Every frame, read back by an independent parser and compared whole: no key more, none less.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::dialect::{About, Stats};
use crate::model::{
    Code, Detail, Dialect, Epoch, MessageId, Notification, Position, Presence, Priority, Refusal, Verbatim,
};

/// 2025-01-15T10:30:00.999Z: what is below a second is cut, not rounded.
const AT_MS: u64 = 1_736_937_000_999;
const AT: &str = "2025-01-15T10:30:00Z";
/// Needs escaping wherever it stands.
const ODD: &str = "a\"b\\<c>&'\n\u{1}é😀\u{2028}";
const ASIDE: Aside<'_> = Aside { tag: Some("7"), user: "", at_ms: AT_MS };

fn text(write: impl FnOnce(&mut BytesMut) -> bool) -> Option<String> {
    let mut out = BytesMut::from("before");
    let said = write(&mut out);
    assert_eq!(&out[..6], b"before");
    assert_eq!(said, out.len() > 6, "words and nothing written, or the reverse");
    said.then(|| String::from_utf8(out[6..].to_vec()).unwrap())
}

/// What is said with a number is the same and the number, beside the id of what has one.
fn event(event: &Event) -> Option<Value> {
    let said = |seq| -> Option<Value> {
        text(|out| encode_event(event, seq, out)).map(|text| serde_json::from_str(&text).unwrap())
    };
    let plain = said(None);
    for seq in [0, 7, u64::MAX] {
        let want = plain.clone().map(|mut frame| {
            match frame["type"] == "new_message" {
                true => frame["message"]["seq"] = seq.into(),
                false => frame["seq"] = seq.into(),
            }
            frame
        });
        assert_eq!(said(Some(seq)), want);
    }
    plain
}

fn saying(saying: &Saying<'_>) -> Option<Value> {
    text(|out| encode_saying(saying, &ASIDE, out)).map(|text| serde_json::from_str(&text).unwrap())
}

fn message(kind: Kind, place: &str, from: &str, text: &str) -> Message {
    Message {
        id: MessageId(Uuid::from_u128(0x2a)),
        kind,
        place: place.into(),
        from: from.into(),
        connection: Some(Uuid::nil()),
        text: text.into(),
        detail: None,
        at_ms: AT_MS,
    }
}

fn presence(status: Status, cause: Cause) -> Event {
    let presence = Presence {
        user: ODD.into(),
        status,
        message: Some("m".into()),
        location: Some("l".into()),
        at_ms: AT_MS,
    };
    Event::Presence { presence, cause }
}

fn typing(room: Option<Arc<str>>, on: bool) -> Event {
    let username = Some("name".into());
    Event::Typing(Typing { room, to: "".into(), user: ODD.into(), username, on, at_ms: AT_MS })
}

#[test]
fn the_documents_new_message_key_for_key() {
    let m = message(Kind::Room, "conversation-uuid", "user-uuid", "Message text");
    let inner = r#"{"id":"00000000-0000-0000-0000-00000000002a","sender_id":"user-uuid","content":"Message text","timestamp":"2025-01-15T10:30:00Z","is_ai":false}"#;
    let expected = format!(
        r#"{{"type":"new_message","conversation_id":"conversation-uuid","message":{inner},"timestamp":"2025-01-15T10:30:00Z"}}"#
    );
    assert_eq!(text(|out| encode_event(&Event::Message(m), None, out)), Some(expected));
}

#[test]
fn a_number_stands_in_the_message() {
    let m = message(Kind::Room, "c", "u", "x");
    let inner = r#"{"id":"00000000-0000-0000-0000-00000000002a","sender_id":"u","content":"x","timestamp":"2025-01-15T10:30:00Z","is_ai":false,"seq":18446744073709551615}"#;
    let expected = format!(
        r#"{{"type":"new_message","conversation_id":"c","message":{inner},"timestamp":"2025-01-15T10:30:00Z"}}"#
    );
    assert_eq!(text(|out| encode_event(&Event::Message(m), Some(u64::MAX), out)), Some(expected));
}

#[test]
fn only_a_persona_is_a_machine() {
    let of = |manner, verbatim| {
        let detail = Detail { manner, verbatim, mentions: vec!["u".into()] };
        Event::Message(Message { detail: Some(Box::new(detail)), ..message(Kind::Room, ODD, ODD, ODD) })
    };
    let raw = || Some(Verbatim { dialect: Dialect::Aegisx, json: "{}".into() });
    for (manner, is_ai) in [(Manner::Talk, false), (Manner::Broadcast, false), (Manner::Persona, true)] {
        let inner = json!({"id": "00000000-0000-0000-0000-00000000002a", "sender_id": ODD, "content": ODD,
            "timestamp": AT, "is_ai": is_ai});
        let expected =
            json!({"type": "new_message", "conversation_id": ODD, "message": inner, "timestamp": AT});
        assert_eq!(event(&of(manner, None)).as_ref(), Some(&expected));
        assert_eq!(event(&of(manner, raw())).as_ref(), Some(&expected));
    }
}

#[test]
fn typing_is_told_in_its_conversation() {
    for on in [true, false] {
        let expected = json!({"type": "typing_indicator", "conversation_id": "conversation-uuid", "user_id": ODD,
            "is_typing": on, "timestamp": AT});
        assert_eq!(event(&typing(Some("conversation-uuid".into()), on)), Some(expected));
        assert_eq!(event(&typing(None, on)), None);
    }
}

#[test]
fn presence_is_there_or_not() {
    let all = [Status::Online, Status::Away, Status::Busy, Status::Offline];
    for status in all {
        let told = |cause| event(&presence(status, cause));
        let frame = |online: bool| {
            Some(json!({"type": "presence_update", "user_id": ODD, "online": online, "timestamp": AT}))
        };
        assert_eq!(told(Cause::Came), frame(true));
        assert_eq!(told(Cause::Went), frame(false));
        assert_eq!(told(Cause::Said { changed: true }), frame(status != Status::Offline));
        assert_eq!(told(Cause::Said { changed: false }), None);
    }
}

#[test]
fn there_are_no_words_for_other_events() {
    let (room, user, id): (Arc<str>, Arc<str>, _) = ("r".into(), "u".into(), MessageId(Uuid::nil()));
    let notification = Notification {
        id,
        title: "t".into(),
        text: "x".into(),
        level: "info".into(),
        priority: Priority::Normal,
        channel: None,
        about: None,
        at_ms: AT_MS,
    };
    for silent in [
        Event::Message(message(Kind::Topic, "c", "u", "x")),
        Event::Message(message(Kind::User, "c", "u", "x")),
        Event::Direct(message(Kind::User, "c", "u", "x")),
        Event::Joined { room: room.clone(), user: user.clone(), username: None, at_ms: AT_MS },
        Event::Left { room: room.clone(), user: user.clone(), username: None, at_ms: AT_MS },
        Event::StatusChanged { user: user.clone(), status: Status::Away, at_ms: AT_MS },
        Event::Read { room: room.clone(), message: id, user: user.clone(), at_ms: AT_MS },
        Event::Edited { room: room.clone(), message: id, user: user.clone(), text: "x".into(), at_ms: AT_MS },
        Event::Deleted { room, message: id, user, at_ms: AT_MS },
        Event::Notification(Arc::new(notification)),
        Event::NotificationRead { id, at_ms: AT_MS },
        Event::NotificationCleared { id: None, at_ms: AT_MS },
    ] {
        assert_eq!(event(&silent), None, "{silent:?}");
    }
}

#[test]
fn who_is_online_and_how_many_more() {
    let users: [Arc<str>; 3] = ["user1-uuid".into(), "user2-uuid".into(), "user3-uuid".into()];
    let told = |users, total| {
        text(|out| encode_saying(&Saying::Online { users, total, position: None }, &ASIDE, out)).unwrap()
    };
    assert_eq!(
        told(&users, 3),
        r#"{"type":"online_users","users":["user1-uuid","user2-uuid","user3-uuid"],"timestamp":"2025-01-15T10:30:00Z"}"#
    );
    assert_eq!(told(&[], 0), r#"{"type":"online_users","users":[],"timestamp":"2025-01-15T10:30:00Z"}"#);
    let odd = [Arc::from(ODD)];
    let more =
        json!({"type": "online_users", "users": [ODD], "truncated": true, "total": 2, "timestamp": AT});
    assert_eq!(saying(&Saying::Online { users: &odd, total: 2, position: None }), Some(more));
}

#[test]
fn positions_and_gaps() {
    let position = Position { epoch: Epoch(0xab), seq: 7 };
    let with = |mut frame: Value| {
        (frame["epoch"], frame["seq"], frame["timestamp"]) = ("00000000000000ab".into(), 7.into(), AT.into());
        Some(frame)
    };
    let odd = [Arc::from(ODD)];
    for (total, more) in [(1, json!({})), (2, json!({"truncated": true, "total": 2}))] {
        let mut frame = json!({"type": "online_users", "users": [ODD]});
        frame.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let said = Saying::Online { users: &odd, total, position: Some(position) };
        assert_eq!(saying(&said), with(frame));
    }
    let place = Address::Conversation(ODD);
    let joined = json!({"type": "conversation_joined", "conversation_id": ODD});
    assert_eq!(saying(&Saying::Joined { place, position: Some(position) }), with(joined));
    let gap = json!({"type": "gap", "conversation_id": ODD});
    assert_eq!(saying(&Saying::Gap { place, position: Some(position) }), with(gap));
    for place in [Address::Inbox("u"), Address::Chat("u")] {
        assert_eq!(saying(&Saying::Gap { place, position: Some(position) }), with(json!({"type": "gap"})));
    }
    let gap = Saying::Gap { place: Address::Conversation("c"), position: Some(position) };
    let expected = r#"{"type":"gap","conversation_id":"c","epoch":"00000000000000ab","seq":7,"timestamp":"2025-01-15T10:30:00Z"}"#;
    assert_eq!(text(|out| encode_saying(&gap, &ASIDE, out)).as_deref(), Some(expected));
}

#[test]
fn acknowledgements_and_refusals() {
    let place = Address::Conversation(ODD);
    let joined = json!({"type": "conversation_joined", "conversation_id": ODD, "timestamp": AT});
    assert_eq!(saying(&Saying::Joined { place, position: None }), Some(joined));
    let left = json!({"type": "conversation_left", "conversation_id": ODD, "timestamp": AT});
    assert_eq!(saying(&Saying::Left(place)), Some(left));
    for code in Code::ALL {
        for about in [About::Join, About::Publish, About::Other] {
            let refusal = &Refusal::with(code, ODD.into());
            let expected = json!({"type": "error", "message": ODD, "timestamp": AT});
            assert_eq!(saying(&Saying::Refused { about, refusal }), Some(expected));
        }
    }
}

#[test]
fn there_are_no_words_for_other_sayings() {
    let (stats, id) = (Stats::default(), MessageId(Uuid::nil()));
    let position = Position { epoch: Epoch(1), seq: 1 };
    for silent in [
        Saying::Gap { place: Address::Room("r"), position: Some(position) },
        Saying::Gap { place: Address::Public("r"), position: Some(position) },
        Saying::Gap { place: Address::Foreign("r"), position: Some(position) },
        Saying::Gap { place: Address::System, position: Some(position) },
        Saying::Welcome { connection: Uuid::nil(), user: "u", position: None },
        Saying::AuthFailed,
        Saying::Ping,
        Saying::Pong,
        Saying::Joined { place: Address::Room("r"), position: None },
        Saying::Left(Address::Public("r")),
        Saying::Joined { place: Address::Foreign("r"), position: None },
        Saying::RoomCreated { room: "r" },
        Saying::RoomExists,
        Saying::NotificationsSubscribed { types: &[] },
        Saying::Sent { to: "u", id, queued: true },
        Saying::Delivered { id, room: None, at_ms: 0 },
        Saying::Roster(&[]),
        Saying::Stats(&stats),
    ] {
        assert_eq!(saying(&silent), None, "{silent:?}");
    }
}

proptest! {
    #[test]
    fn what_is_decoded_is_told_as_it_was(id in "\\PC{1,60}", content in "(?s)x.{0,200}", from: String) {
        let sent = json!({"type": "send_message", "conversation_id": id, "content": content}).to_string();
        let mut sent = sent.into_bytes();
        let heard = crate::dialect::gator::decode(&mut sent, &mut crate::dialect::JsonScratch::new(), 0);
        let Ok(crate::dialect::Request::Publish { place: Address::Conversation(place), speech }) = heard else {
            prop_assert!(content.contains('\0'));
            return Ok(());
        };
        let told = event(&Event::Message(message(Kind::Room, place, &from, &speech.text))).unwrap();
        prop_assert_eq!(&told["conversation_id"], &json!(id));
        prop_assert_eq!(&told["message"]["content"], &json!(content));
        prop_assert_eq!(&told["message"]["sender_id"], &json!(from));
    }
}
