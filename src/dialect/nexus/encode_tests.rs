//! Every frame, read back by an independent parser and compared whole: no key more, none less.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::dialect::{About, JsonScratch, Request, Stats};
use crate::model::{Code, Detail, Epoch, Position, Priority, Refusal, Verbatim};

const AT_MS: u64 = 1_736_937_000_009;
const AT: &str = "2025-01-15T10:30:00.009Z";
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

fn saying(saying: &Saying) -> Option<Value> {
    written(|out| encode_saying(saying, &Aside { tag: Some("\"ignored\""), user: "", at_ms: AT_MS }, out))
}

fn odd() -> Arc<str> {
    ODD.into()
}

fn id() -> MessageId {
    MessageId::random(7)
}

fn message(kind: Kind, manner: Manner, verbatim: Option<&str>) -> Message {
    let verbatim = verbatim.map(|json| Verbatim { dialect: Dialect::Nexus, json: json.into() });
    let detail = Detail { manner, verbatim, mentions: vec![odd()] };
    let (place, from, text) = (odd(), odd(), ODD.into());
    Message {
        id: id(),
        kind,
        place,
        from,
        connection: None,
        text,
        detail: Some(Box::new(detail)),
        at_ms: AT_MS,
    }
}

#[test]
fn a_chat_message_flat_and_in_data() {
    let words = json!({"message_id": id().to_string(), "conversation_id": ODD, "content": ODD,
        "content_type": "text", "mentions": [ODD], "attachments": []});
    let frame = |words: &Value| {
        let mut frame = words.clone();
        frame["data"] = words.clone();
        for (key, value) in [("event_type", "chat.message"), ("sender_id", ODD), ("timestamp", AT)] {
            frame[key] = value.into();
        }
        frame
    };
    let built = Event::Message(message(Kind::Room, Manner::Talk, None));
    assert_eq!(event(&built), Some(frame(&words)));

    let mut persona = words.clone();
    persona["is_ai"] = true.into();
    let built = Event::Message(message(Kind::Room, Manner::Persona, None));
    assert_eq!(event(&built), Some(frame(&persona)));

    let mut plain = message(Kind::Room, Manner::Talk, None);
    plain.detail = None;
    let mut unmentioned = words.clone();
    unmentioned["mentions"] = json!([]);
    assert_eq!(event(&Event::Message(plain)), Some(frame(&unmentioned)));

    let mut relayed = words.clone();
    relayed["content_type"] = "image".into();
    relayed["attachments"] = json!([{"url": "u"}]);
    let json = r#""content_type":"image","mentions":["a\"b\\<c>&'\n\u0001é😀"],"attachments":[{"url":"u"}]"#;
    let built = Event::Message(message(Kind::Room, Manner::Talk, Some(json)));
    assert_eq!(event(&built), Some(frame(&relayed)));
}

#[test]
fn a_broadcast_flat_and_in_data() {
    let frame = |words: Value| {
        let mut frame = words.clone();
        frame["data"] = words;
        for (key, value) in
            [("event_type", "room.broadcast"), ("sender_id", ODD), ("user_id", ODD), ("timestamp", AT)]
        {
            frame[key] = value.into();
        }
        frame
    };
    let built = json!({"message_id": id().to_string(), "room_id": ODD, "message": ODD, "content": ODD});
    let said = Event::Message(message(Kind::Room, Manner::Broadcast, None));
    assert_eq!(event(&said), Some(frame(built)));
    let json = r#""message":"m","content":"c","username":"John Doe""#;
    let relayed = json!({"message_id": id().to_string(), "room_id": ODD, "message": "m", "content": "c",
        "username": "John Doe"});
    let said = Event::Message(message(Kind::Room, Manner::Broadcast, Some(json)));
    assert_eq!(event(&said), Some(frame(relayed)));
}

#[test]
fn a_number_stands_at_the_top_and_not_in_data() {
    let plain = Message { detail: None, place: "c".into(), ..message(Kind::Room, Manner::Talk, None) };
    for event in [
        Event::Message(plain),
        Event::Message(message(Kind::Room, Manner::Broadcast, None)),
        Event::Deleted { room: odd(), message: id(), user: odd(), at_ms: AT_MS },
    ] {
        let said = |seq| {
            let mut out = BytesMut::new();
            assert!(encode_event(&event, seq, &mut out));
            String::from_utf8(out.to_vec()).unwrap()
        };
        let (plain, numbered) = (said(None), said(Some(u64::MAX)));
        assert_eq!(numbered, format!("{},\"seq\":18446744073709551615}}", &plain[..plain.len() - 1]));
    }
}

#[test]
fn what_another_dialect_relays_is_not_repeated() {
    let mut said = message(Kind::Room, Manner::Talk, Some("x"));
    said.detail.as_mut().unwrap().verbatim.as_mut().unwrap().dialect = Dialect::Sge;
    assert_eq!(event(&Event::Message(said)).unwrap()["content"], ODD);
}

#[test]
fn who_comes_and_goes() {
    for username in [None, Some(odd())] {
        for kind in ["room.join", "room.leave"] {
            let (room, user, username) = (odd(), odd(), username.clone());
            let mut frame = json!({"event_type": kind, "room_id": ODD, "user_id": ODD, "timestamp": AT});
            if username.is_some() {
                frame["username"] = ODD.into();
            }
            let built = match kind {
                "room.join" => Event::Joined { room, user, username, at_ms: AT_MS },
                _ => Event::Left { room, user, username, at_ms: AT_MS },
            };
            assert_eq!(event(&built), Some(frame));
        }
    }
}

#[test]
fn presence_events() {
    for status in [Status::Online, Status::Away, Status::Busy, Status::Offline] {
        let short = |kind: &str| {
            Some(json!({"event_type": kind, "user_id": ODD, "status": status.as_str(), "timestamp": AT}))
        };
        let shown = |cause, message: Option<Arc<str>>| {
            let location = message.clone();
            let presence = Presence { user: odd(), status, message, location, at_ms: AT_MS };
            event(&Event::Presence { presence, cause })
        };
        assert_eq!(shown(Cause::Came, Some(odd())), short("presence.online"));
        assert_eq!(shown(Cause::Went, None), short("presence.offline"));
        for (changed, message) in [(true, Some(odd())), (false, None)] {
            let words = message.as_deref();
            let frame = json!({"event_type": "presence.update", "user_id": ODD, "status": status.as_str(),
                "status_message": words, "location": words, "timestamp": AT});
            assert_eq!(shown(Cause::Said { changed }, message.clone()), Some(frame));
        }
        let changed = Event::StatusChanged { user: odd(), status, at_ms: AT_MS };
        assert_eq!(event(&changed), short(&format!("presence.{}", status.as_str())));
    }
}

#[test]
fn what_happens_to_messages() {
    let base = |kind: &str| {
        json!({"event_type": kind, "conversation_id": ODD, "message_id": id().to_string(), "user_id": ODD,
            "timestamp": AT})
    };
    let mut read = base("chat.read");
    read["read_at"] = AT.into();
    let (room, user, message, at_ms) = (odd(), odd(), id(), AT_MS);
    assert_eq!(event(&Event::Read { room, message, user, at_ms }), Some(read));

    let mut edit = base("chat.edit");
    for (key, value) in [("sender_id", ODD), ("content", ODD), ("edited_at", AT)] {
        edit[key] = value.into();
    }
    let edited = Event::Edited { room: odd(), message, user: odd(), text: ODD.into(), at_ms };
    assert_eq!(event(&edited), Some(edit));

    let mut delete = base("chat.delete");
    for (key, value) in [("sender_id", ODD), ("deleted_at", AT)] {
        delete[key] = value.into();
    }
    assert_eq!(event(&Event::Deleted { room: odd(), message, user: odd(), at_ms }), Some(delete));
}

fn typing(room: Option<Arc<str>>, username: Option<Arc<str>>, on: bool) -> Event {
    Event::Typing(Typing { room, to: odd(), user: odd(), username, on, at_ms: AT_MS })
}

#[test]
fn typing_in_a_conversation() {
    for on in [true, false] {
        let mut frame = json!({"event_type": "chat.typing", "conversation_id": ODD, "user_id": ODD, "is_typing": on,
            "timestamp": AT});
        assert_eq!(event(&typing(Some(odd()), None, on)), Some(frame.clone()));
        frame["username"] = ODD.into();
        assert_eq!(event(&typing(Some(odd()), Some(odd()), on)), Some(frame));
    }
}

#[test]
fn notifications() {
    for priority in Priority::ALL {
        for about in [None, Some((odd(), MessageId::random(9)))] {
            let nid = id().to_string();
            let mut words = json!({"notification_id": nid, "id": nid, "title": ODD, "message": ODD,
                "notification_type": ODD, "priority": priority.as_str()});
            if let Some((conversation, message)) = &about {
                words["conversation_id"] = (**conversation).into();
                words["message_id"] = message.to_string().into();
            }
            let mut frame = words.clone();
            frame["data"] = words;
            frame["event_type"] = "notification".into();
            frame["timestamp"] = AT.into();
            let (title, text, level, channel) = (ODD.into(), ODD.into(), ODD.into(), Some(odd()));
            let n = Notification { id: id(), title, text, level, priority, channel, about, at_ms: AT_MS };
            assert_eq!(event(&Event::Notification(Arc::new(n))), Some(frame));
        }
    }
    let frame =
        |kind: &str, id: Value| Some(json!({"event_type": kind, "notification_id": id, "timestamp": AT}));
    let read = Event::NotificationRead { id: id(), at_ms: AT_MS };
    assert_eq!(event(&read), frame("notification.read", id().to_string().into()));
    let one = Event::NotificationCleared { id: Some(id()), at_ms: AT_MS };
    assert_eq!(event(&one), frame("notification.clear", id().to_string().into()));
    let all = Event::NotificationCleared { id: None, at_ms: AT_MS };
    assert_eq!(event(&all), frame("notification.clear", Value::Null));
}

#[test]
fn events_without_words_write_nothing() {
    for kind in [Kind::Topic, Kind::User, Kind::Presence] {
        for manner in [Manner::Talk, Manner::Broadcast, Manner::Persona] {
            assert_eq!(event(&Event::Message(message(kind, manner, None))), None);
        }
    }
    assert_eq!(event(&Event::Direct(message(Kind::User, Manner::Talk, None))), None);
    assert_eq!(event(&typing(None, None, true)), None);
}

#[test]
fn sayings() {
    let connection = Uuid::from_u128(9);
    let welcome = json!({"event_type": "system.message", "message": "Connected to NEXUS", "user_id": ODD,
        "connection_id": connection.to_string(), "timestamp": AT});
    assert_eq!(saying(&Saying::Welcome { connection, user: ODD, position: None }), Some(welcome));
    assert_eq!(saying(&Saying::Ping), Some(json!({"event_type": "ping", "timestamp": AT})));
    assert_eq!(saying(&Saying::Pong), Some(json!({"event_type": "pong", "timestamp": AT})));
    let room = |kind: &str, status: &str| {
        Some(json!({"event_type": kind, "room_id": ODD, "status": status, "timestamp": AT}))
    };
    assert_eq!(
        saying(&Saying::Joined { place: Address::Room(ODD), position: None }),
        room("room.join", "joined")
    );
    for place in [Address::Room(ODD), Address::Conversation(ODD)] {
        assert_eq!(saying(&Saying::Left(place)), room("room.leave", "left"));
    }
    let delivered = json!({"event_type": "chat.delivered", "message_id": id().to_string(), "conversation_id": ODD,
        "delivered_at": "1970-01-01T00:00:00.001Z", "timestamp": AT});
    assert_eq!(saying(&Saying::Delivered { id: id(), room: Some(ODD), at_ms: 1 }), Some(delivered));
    for code in Code::ALL {
        let refusal = Refusal::with(code, ODD.into());
        let error = json!({"event_type": "error", "message": ODD, "code": code.name(), "timestamp": AT});
        for about in [About::Join, About::Publish, About::Other] {
            assert_eq!(saying(&Saying::Refused { about, refusal: &refusal }), Some(error.clone()));
        }
    }
}

#[test]
fn positions_and_gaps() {
    let position = Position { epoch: Epoch(0xab), seq: 7 };
    let with = |mut frame: Value| {
        (frame["epoch"], frame["seq"], frame["timestamp"]) = ("00000000000000ab".into(), 7.into(), AT.into());
        Some(frame)
    };
    let connection = Uuid::from_u128(9);
    let welcome = json!({"event_type": "system.message", "message": "Connected to NEXUS", "user_id": ODD,
        "connection_id": connection.to_string()});
    let said = Saying::Welcome { connection, user: ODD, position: Some(position) };
    assert_eq!(saying(&said), with(welcome));
    let joined = json!({"event_type": "room.join", "room_id": ODD, "status": "joined"});
    let said = Saying::Joined { place: Address::Room(ODD), position: Some(position) };
    assert_eq!(saying(&said), with(joined));
    for (place, key) in [
        (Address::Room(ODD), "room_id"),
        (Address::Conversation(ODD), "conversation_id"),
        (Address::Inbox(ODD), "user_id"),
        (Address::Chat(ODD), "user_id"),
    ] {
        let gap = json!({"event_type": "system.gap", key: ODD});
        assert_eq!(saying(&Saying::Gap { place, position: Some(position) }), with(gap));
    }
    let mut out = BytesMut::new();
    let gap = Saying::Gap { place: Address::Room("r"), position: Some(position) };
    assert!(encode_saying(&gap, &Aside { tag: None, user: "", at_ms: AT_MS }, &mut out));
    let want = r#"{"event_type":"system.gap","room_id":"r","epoch":"00000000000000ab","seq":7,"timestamp":"2025-01-15T10:30:00.009Z"}"#;
    assert_eq!(&out[..], want.as_bytes());
}

#[test]
fn sayings_without_words_write_nothing() {
    let position = Position { epoch: Epoch(1), seq: 1 };
    for silent in [
        Saying::Joined { place: Address::Conversation("c"), position: Some(position) },
        Saying::Online { users: &[odd()], total: 1, position: Some(position) },
        Saying::Gap { place: Address::Public("c"), position: Some(position) },
        Saying::Gap { place: Address::Group("c"), position: Some(position) },
        Saying::Gap { place: Address::Presence("u"), position: Some(position) },
        Saying::Gap { place: Address::System, position: Some(position) },
        Saying::Gap { place: Address::Foreign("c"), position: Some(position) },
        Saying::Online { users: &[odd()], total: 1, position: None },
        Saying::AuthFailed,
        Saying::Joined { place: Address::Conversation("c"), position: None },
        Saying::RoomCreated { room: "r" },
        Saying::RoomExists,
        Saying::NotificationsSubscribed { types: &[odd()] },
        Saying::Sent { to: "u", id: id(), queued: true },
        Saying::Delivered { id: id(), room: None, at_ms: 0 },
        Saying::Roster(&[]),
        Saying::Stats(&Stats::default()),
    ] {
        assert_eq!(saying(&silent), None, "{silent:?}");
    }
}

/// What a member receives of what another one sends.
fn relayed(sent: &Value) -> Value {
    let mut text = sent.to_string().into_bytes();
    let mut original = Vec::new();
    let request = crate::dialect::nexus::decode(&mut text, &mut original, &mut JsonScratch::new(), 0);
    let Ok(Request::Publish { place, speech }) = request else { panic!("{request:?}") };
    let (kind, place) = place.channel().expect("a channel");
    let verbatim = speech.verbatim.map(|json| Verbatim { dialect: Dialect::Nexus, json });
    let detail = Some(Box::new(Detail { manner: speech.manner, verbatim, mentions: vec![] }));
    let (text, from) = (speech.text.into(), "me".into());
    let m =
        Message { id: id(), kind, place: place.into(), from, connection: None, text, detail, at_ms: AT_MS };
    event(&Event::Message(m)).expect("words")
}

#[test]
fn what_is_sent_is_received_flat_and_in_data() {
    for sent in [
        json!({"event_type": "chat.message", "conversation_id": "conv_123", "content": "Hello everyone!",
            "content_type": "text", "mentions": ["user456"], "attachments": []}),
        json!({"event_type": "room.broadcast", "room_id": "r", "message": "m", "content": "c", "username": "John Doe"}),
    ] {
        let got = relayed(&sent);
        for (key, value) in sent.as_object().unwrap() {
            assert_eq!(&got[key], value, "{key}");
            assert!(key == "event_type" || &got["data"][key] == value, "{key}");
        }
    }
}

proptest! {
    #[test]
    fn any_text_reaches_the_others_as_it_was_sent(
        place in "\\PC{1,60}",
        text in any::<String>().prop_filter("not empty", |text| !text.is_empty()),
        names in proptest::collection::vec("\\PC{1,20}", 0..5),
    ) {
        let sent = json!({"event_type": "chat.message", "conversation_id": place, "content": text,
            "content_type": "text", "mentions": names, "attachments": [text, {"x": names}]});
        let got = relayed(&sent);
        for (key, value) in sent.as_object().unwrap() {
            prop_assert_eq!(&got[key], value);
        }
        let sent = json!({"event_type": "room.broadcast", "room_id": place, "message": text});
        let got = relayed(&sent);
        for key in ["message", "content"] {
            prop_assert_eq!(&got[key], &sent["message"]);
            prop_assert_eq!(&got["data"][key], &sent["message"]);
        }
    }
}
