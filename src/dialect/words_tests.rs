//! Whatever happens, each dialect says it as one JSON object with no key twice, or says nothing at all.

use std::collections::HashSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::model::{
    Address, Cause, Contact, Detail, Epoch, Kind, Manner, Message, MessageId, Notification, Position,
    Presence, Principal, Priority, RealmId, Status, Typing, Verbatim,
};

/// The last millisecond of the year 9999: later ones have no text in RFC 3339.
const LATEST_MS: u64 = 253_402_300_799_999;

const SERVED: [Dialect; 5] = [Dialect::Sge, Dialect::Nexus, Dialect::Gator, Dialect::Aegisx, Dialect::Tusk];

/// What was written, as text; checks that it is JSON, an object, with a kind and without repeated keys.
fn check(dialect: Dialect, write: impl FnOnce(&mut BytesMut) -> bool) -> Result<(), TestCaseError> {
    let mut out = BytesMut::from("before");
    let said = write(&mut out);
    prop_assert_eq!(&out[..6], b"before");
    if !said {
        prop_assert_eq!(out.len(), 6, "{} has no words and wrote", dialect);
        return Ok(());
    }
    let text = std::str::from_utf8(&out[6..]).map_err(|e| TestCaseError::fail(e.to_string()))?;
    let value: Result<Value, _> = serde_json::from_str(text);
    prop_assert!(value.is_ok(), "{}: {}", dialect, text);
    let kind = &value.unwrap()[discriminator(dialect)];
    prop_assert!(kind.is_string(), "{}: {}", dialect, text);
    no_key_twice(text)?;
    for within in raw::named(text, ["data", "message"]).into_iter().flatten().filter(|w| w.starts_with('{')) {
        no_key_twice(within)?;
    }
    Ok(())
}

fn no_key_twice(object: &str) -> Result<(), TestCaseError> {
    let mut keys = HashSet::new();
    for member in raw::members(object) {
        prop_assert!(keys.insert(member.key), "{} twice: {}", member.key, object);
    }
    Ok(())
}

/// The object of a frame in which a dialect says numbers.
fn numbered(dialect: Dialect, frame: &mut Value) -> &mut Value {
    match dialect {
        Dialect::Aegisx => &mut frame["data"],
        Dialect::Gator if frame["type"] == "new_message" => &mut frame["message"],
        _ => frame,
    }
}

fn text() -> impl Strategy<Value = Arc<str>> {
    prop_oneof![any::<String>(), "[\"\\\\<&'\\x00-\\x1f é😀]{0,20}"].prop_map(Arc::from)
}

fn short() -> impl Strategy<Value = String> {
    "[a-z\"\\\\<é😀\n]{1,20}"
}

fn some_json() -> impl Strategy<Value = Value> {
    (any::<String>(), any::<i64>())
        .prop_map(|(text, n)| json!({"k": text, "n": [n, null, {"message": text}]}))
}

fn at_ms() -> impl Strategy<Value = u64> {
    0..=LATEST_MS
}

fn id() -> impl Strategy<Value = MessageId> {
    any::<u128>().prop_map(MessageId::random)
}

fn status() -> impl Strategy<Value = Status> {
    select(vec![Status::Online, Status::Away, Status::Busy, Status::Offline])
}

/// What clients of each dialect send, with that text and that JSON where the dialect lets them choose.
fn spoken(text: &str, extra: &Value) -> Vec<(Dialect, Value)> {
    vec![
        (
            Dialect::Sge,
            json!({"type": "ChatMessage", "message": {"from": text, "to": text, "message": text,
            "timestamp": 1.5, "message_type": "muc", "extra": extra}}),
        ),
        (
            Dialect::Sge,
            json!({"type": "ChatMessage", "message": {"to": text, "message": text, "extra": extra}}),
        ),
        (
            Dialect::Nexus,
            json!({"event_type": "chat.message", "conversation_id": text, "content": text,
            "content_type": text, "mentions": [text], "attachments": [extra], "extra": extra}),
        ),
        (
            Dialect::Nexus,
            json!({"event_type": "room.broadcast", "room_id": text, "message": text, "username": text}),
        ),
        (
            Dialect::Gator,
            json!({"type": "send_message", "conversation_id": text, "content": text, "extra": extra}),
        ),
        (Dialect::Aegisx, json!({"type": "send_message", "data": {"channel": "public:x", "message": extra}})),
        (Dialect::Tusk, json!({"type": "broadcast", "room": text, "message": text})),
    ]
}

/// How clients of each dialect join a place, and where they say since when.
fn joins() -> [(Dialect, Address<'static>, Value, &'static str); 5] {
    let sge = json!({"type": "Subscribe", "channel": "group:g", "since": ""});
    let nexus = json!({"event_type": "room.join", "room_id": "r", "since": ""});
    let gator = json!({"type": "join_conversation", "conversation_id": "c", "since": ""});
    let aegisx = json!({"type": "join_channel", "data": {"channel": "public:p", "since": ""}});
    let tusk = json!({"type": "join_room", "room": "r", "since": ""});
    [
        (Dialect::Sge, Address::Group("g"), sge, "/since"),
        (Dialect::Nexus, Address::Room("r"), nexus, "/since"),
        (Dialect::Gator, Address::Conversation("c"), gator, "/since"),
        (Dialect::Aegisx, Address::Public("p"), aegisx, "/data/since"),
        (Dialect::Tusk, Address::Room("r"), tusk, "/since"),
    ]
}

/// What the core makes of it.
fn detail_of(dialect: Dialect, message: &Value) -> Option<(Box<str>, Detail)> {
    let (mut text, mut original) = (message.to_string().into_bytes(), Vec::new());
    let heard = decode(dialect, &mut text, &mut original, &mut JsonScratch::new(), &Limits::default());
    let (Ok(Request::Publish { speech, .. }) | Ok(Request::Direct { speech, .. })) = heard.request else {
        return None;
    };
    let verbatim = speech.verbatim.map(|json| Verbatim { dialect, json });
    let mentions = speech.mentions.into_iter().map(Arc::from).collect();
    Some((speech.text.into(), Detail { manner: speech.manner, verbatim, mentions }))
}

fn message() -> impl Strategy<Value = Message> {
    let kind = select(vec![Kind::Room, Kind::Topic, Kind::User, Kind::Presence]);
    let speech = (short(), some_json(), any::<prop::sample::Index>(), any::<bool>());
    let manner = select(vec![Manner::Talk, Manner::Broadcast, Manner::Persona]);
    (id(), kind, text(), text(), option::of(any::<u128>()), speech, manner, at_ms()).prop_map(
        |(id, kind, place, from, connection, (text, extra, which, plain), manner, at_ms)| {
            let (dialect, sent) = spoken(&text, &extra).swap_remove(which.index(7));
            let (text, detail) = match detail_of(dialect, &sent).filter(|_| !plain) {
                Some((text, detail)) => (text, Some(detail)),
                None if plain => (text.into(), None),
                None => (text.into(), Some(Detail { manner, mentions: vec![from.clone()], verbatim: None })),
            };
            let (connection, detail) = (connection.map(Uuid::from_u128), detail.map(Box::new));
            Message { id, kind, place, from, connection, text, detail, at_ms }
        },
    )
}

fn notification() -> impl Strategy<Value = Event> {
    let priority = select(Priority::ALL.to_vec());
    let about = option::of((text(), id()));
    (id(), text(), text(), text(), priority, option::of(text()), about, at_ms()).prop_map(
        |(id, title, said, level, priority, channel, about, at_ms)| {
            let (title, text, level) = ((*title).into(), (*said).into(), (*level).into());
            Event::Notification(Arc::new(Notification {
                id,
                title,
                text,
                level,
                priority,
                channel,
                about,
                at_ms,
            }))
        },
    )
}

fn presence() -> impl Strategy<Value = Event> {
    let cause =
        select(vec![Cause::Came, Cause::Went, Cause::Said { changed: true }, Cause::Said { changed: false }]);
    (text(), status(), option::of(text()), option::of(text()), at_ms(), cause).prop_map(
        |(user, status, message, location, at_ms, cause)| Event::Presence {
            presence: Presence { user, status, message, location, at_ms },
            cause,
        },
    )
}

/// Of every kind but `Custom`, which carries its own JSON.
fn event() -> impl Strategy<Value = Event> {
    let member = || (text(), text(), option::of(text()), at_ms());
    let about = || (text(), id(), text(), at_ms());
    prop_oneof![
        4 => message().prop_map(Event::Message),
        2 => message().prop_map(Event::Direct),
        1 => member().prop_map(|(room, user, username, at_ms)| Event::Joined { room, user, username, at_ms }),
        1 => member().prop_map(|(room, user, username, at_ms)| Event::Left { room, user, username, at_ms }),
        2 => presence(),
        1 => (text(), status(), at_ms())
            .prop_map(|(user, status, at_ms)| Event::StatusChanged { user, status, at_ms }),
        1 => (option::of(text()), text(), text(), option::of(text()), any::<bool>(), at_ms()).prop_map(
            |(room, to, user, username, on, at_ms)| Event::Typing(Typing { room, to, user, username, on, at_ms }),
        ),
        1 => about().prop_map(|(room, message, user, at_ms)| Event::Read { room, message, user, at_ms }),
        1 => (about(), text()).prop_map(|((room, message, user, at_ms), text)| Event::Edited {
            room, message, user, text: (*text).into(), at_ms
        }),
        1 => about().prop_map(|(room, message, user, at_ms)| Event::Deleted { room, message, user, at_ms }),
        2 => notification(),
        1 => (id(), at_ms()).prop_map(|(id, at_ms)| Event::NotificationRead { id, at_ms }),
        1 => (option::of(id()), at_ms()).prop_map(|(id, at_ms)| Event::NotificationCleared { id, at_ms }),
    ]
}

fn each_place(id: &str) -> [Address<'_>; 12] {
    [
        Address::Room(id),
        Address::Conversation(id),
        Address::Group(id),
        Address::Public(id),
        Address::Tenant(id),
        Address::Notifications(id),
        Address::Named(id),
        Address::Inbox(id),
        Address::Chat(id),
        Address::Presence(id),
        Address::System,
        Address::Foreign(id),
    ]
}

fn principal(text: &Arc<str>, more: bool) -> Principal {
    Principal {
        realm: RealmId(0),
        tenant: text.clone(),
        user: text.clone(),
        username: more.then(|| text.clone()),
        roles: vec![text.to_string()],
        permissions: more.then(|| vec![text.to_string()]),
        verified: more,
        expires: None,
        service: false,
    }
}

/// One of every kind, at least.
fn says_everything(texts: &[Arc<str>], bits: u128, at_ms: u64, more: bool) -> Result<(), TestCaseError> {
    let (text, id) = (&texts[0], MessageId::random(bits));
    let principal = principal(text, more);
    let refusal = Refusal::with(Code::ALL[bits as usize % Code::ALL.len()], text.to_string());
    let groups = texts.iter().map(|text| (**text).into()).collect();
    let contact = Contact { user: text.clone(), name: more.then(|| (**text).into()), groups };
    let roster = [(contact.clone(), Status::Away), (contact, Status::Offline)];
    let counts: Vec<_> = texts.iter().map(|text| (text.clone(), bits as usize)).collect();
    let stats = Stats { total: bits as usize, by_tenant: counts.clone(), by_channel: counts };
    let gap = Position { epoch: Epoch((bits >> 64) as u64), seq: bits as u64 };
    let position = more.then_some(gap);
    let mut sayings = vec![
        Saying::Welcome { connection: Uuid::from_u128(bits), user: text, position },
        Saying::Online { users: texts, total: bits as usize, position },
        Saying::AuthSuccess { who: &principal, position },
        Saying::AuthFailed,
        Saying::Ping,
        Saying::Pong,
        Saying::RoomCreated { room: text },
        Saying::RoomExists,
        Saying::NotificationsSubscribed { types: texts },
        Saying::Sent { to: text, id, queued: more },
        Saying::Delivered { id, room: more.then_some(&**text), at_ms },
        Saying::Roster(&roster),
        Saying::Stats(&stats),
    ];
    let refused =
        [About::Join, About::Publish, About::Other].map(|about| Saying::Refused { about, refusal: &refusal });
    sayings.extend(refused);
    sayings.extend(each_place(text).map(|place| Saying::Joined { place, position }));
    sayings.extend(each_place(text).map(|place| Saying::Gap { place, position: Some(gap) }));
    sayings.extend(each_place(text).map(Saying::Left));
    let tag = Value::from(&**text).to_string();
    for saying in &sayings {
        for dialect in SERVED {
            let aside = Aside { tag: more.then_some(&tag), user: "", at_ms };
            check(dialect, |out| encode_saying(dialect, saying, &aside, out))?;
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_event_is_json_or_nothing_in_each_dialect(event in event()) {
        for dialect in SERVED {
            check(dialect, |out| encode_event(dialect, &event, None, out))?;
        }
    }

    #[test]
    fn an_event_with_its_number_is_the_same_event_and_the_number(event in event(), seq: u64) {
        for dialect in SERVED {
            check(dialect, |out| encode_event(dialect, &event, Some(seq), out))?;
            let said = |seq| {
                let mut out = BytesMut::new();
                encode_event(dialect, &event, seq, &mut out).then(|| serde_json::from_slice::<Value>(&out).expect("JSON"))
            };
            let told = said(Some(seq)).map(|mut frame| {
                let number = numbered(dialect, &mut frame).as_object_mut().and_then(|object| object.remove("seq"));
                (frame, number)
            });
            prop_assert_eq!(told, said(None).map(|frame| (frame, Some(seq.into()))), "{}", dialect);
        }
    }

    #[test]
    fn a_position_that_was_told_is_read_where_it_is_shown(epoch: u64, seq: u64) {
        let position = Position { epoch: Epoch(epoch), seq };
        for (dialect, place, join, member) in joins() {
            for saying in [Saying::Joined { place, position: Some(position) }, Saying::Gap { place, position: Some(position) }] {
                let mut out = BytesMut::new();
                let said = encode_saying(dialect, &saying, &Aside { tag: None, user: "", at_ms: 0 }, &mut out);
                prop_assert!(said, "{}", dialect);
                let mut frame: Value = serde_json::from_slice(&out).expect("JSON");
                let told = numbered(dialect, &mut frame);
                let since = format!("{}:{}", told["epoch"].as_str().expect("a string"), told["seq"]);
                let mut message = join.clone();
                *message.pointer_mut(member).expect("it is there") = since.into();
                let (mut text, mut original) = (message.to_string().into_bytes(), Vec::new());
                let heard = decode(dialect, &mut text, &mut original, &mut JsonScratch::new(), &Limits::default());
                let Ok(Request::Join { place: meant, since, .. }) = heard.request else { panic!("{message}") };
                prop_assert_eq!((meant, since), (place, Some(Since::At(position))));
            }
        }
    }

    #[test]
    fn every_saying_is_json_or_nothing_in_each_dialect(
        texts in vec(text(), 1..4),
        bits: u128,
        at_ms in at_ms(),
        more: bool,
    ) {
        says_everything(&texts, bits, at_ms, more)?;
    }

    #[test]
    fn a_message_has_the_name_that_its_sender_gave_it(name in "(?s).{0,70}", text in short(), extra in some_json()) {
        // What is blank is refused whatever it is called.
        for (dialect, sent) in spoken(&format!("x{text}"), &extra) {
            let (within, member) = match dialect {
                Dialect::Sge => ("/message", "id"),
                Dialect::Aegisx => ("/data", "id"),
                Dialect::Tusk => ("", "id"),
                _ => ("", "message_id"),
            };
            let mut named = sent.clone();
            named.pointer_mut(within).expect("an object")[member] = name.as_str().into();
            let (mut bytes, mut original) = (named.to_string().into_bytes(), Vec::new());
            let heard = decode(dialect, &mut bytes, &mut original, &mut JsonScratch::new(), &Limits::default());
            match heard.request {
                Ok(Request::Publish { speech, .. } | Request::Direct { speech, .. }) => {
                    prop_assert!(name.len() <= MAX_REQUEST_BYTES);
                    prop_assert_eq!(speech.request.unwrap_or_default(), &name);
                }
                other => {
                    prop_assert!(name.len() > MAX_REQUEST_BYTES, "{:?}", other);
                    prop_assert_eq!(other.map_err(|refusal| refusal.code), Err(Code::TooLarge));
                }
            }
            // Others receive the same, but for SGE, where the whole object is relayed.
            let (was, is) = (detail_of(dialect, &sent), detail_of(dialect, &named));
            if dialect == Dialect::Sge {
                let relayed = is.and_then(|(_, detail)| detail.verbatim).map(|verbatim| verbatim.json);
                prop_assert!(relayed.is_none_or(|json| json.contains(&json!(name).to_string())), "{}", named);
            } else if name.len() <= MAX_REQUEST_BYTES {
                prop_assert_eq!(is, was);
            }
        }
    }

    #[test]
    fn what_is_said_in_one_dialect_is_heard_in_the_others(text in short(), extra in some_json()) {
        for (dialect, sent) in spoken(&text, &extra) {
            let Some((said, detail)) = detail_of(dialect, &sent) else { continue };
            if dialect != Dialect::Aegisx {
                prop_assert_eq!(&*said, &text);
            }
            let (id, place, from) = (MessageId::random(1), "plaza".into(), "me".into());
            let detail = Some(Box::new(detail));
            let (kind, text) = (Kind::Room, said.clone());
            let m = Message { id, kind, place, from, connection: None, text, detail, at_ms: 0 };
            for (hearer, path) in [(Dialect::Sge, "/message/message"), (Dialect::Nexus, "/content")] {
                let mut out = BytesMut::new();
                prop_assert!(encode_event(hearer, &Event::Message(m.clone()), None, &mut out));
                let frame: Value = serde_json::from_slice(&out).expect("JSON");
                prop_assert_eq!(frame.pointer(path), Some(&Value::from(&*said)));
            }
        }
    }
}
