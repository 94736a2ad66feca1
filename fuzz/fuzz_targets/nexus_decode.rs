//! The text of a NEXUS message: decoded or refused within its limits, an object exactly where serde_json sees one, and
//! what is relayed of it says what serde_json reads in it.
//!
//! Input: two bytes of `max_content_length`; the rest is the message.
#![no_main]

mod parsers;

use bytes::BytesMut;
use lanecast::dialect::{JsonScratch, MALFORMED, MAX_ITEMS, MAX_NAME_BYTES, Request, Speech, nexus};
use lanecast::model::{Address, Detail, Dialect, Event, Kind, Manner, Message, MessageId, Refusal, Verbatim};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

use parsers::{check_words, differs_by_design};

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
}

fn place_fits(place: Address) -> bool {
    matches!(place, Address::Room(id) | Address::Conversation(id) if is_name(id))
}

/// What was accepted is within the limits.
fn check(request: &Request<'_>, max: usize) {
    let text_fits = |text: &str| !text.is_empty() && (max == 0 || text.chars().count() <= max);
    let fits = match request {
        Request::Join { place, username, .. } | Request::Leave { place, username } => {
            place_fits(*place) && username.is_none_or(is_name)
        }
        Request::Publish { place, speech } => {
            let mentions =
                speech.mentions.len() <= MAX_ITEMS && speech.mentions.iter().all(|user| is_name(user));
            place_fits(*place) && text_fits(&speech.text) && mentions && speech.from.is_none()
        }
        Request::Typing { username, .. } => username.is_none_or(is_name),
        Request::SetPresence { message, location, .. } => {
            message.is_none_or(is_name) && location.is_none_or(is_name)
        }
        Request::Edit { place, text, .. } => place_fits(*place) && text_fits(text),
        Request::Read { place, .. } | Request::Delete { place, .. } => place_fits(*place),
        _ => true,
    };
    assert!(fits, "{request:?}");
}

/// What the others receive is what was sent, and what was missing; flat and within `data`.
fn check_relay(speech: &Speech<'_>, place: &str, sent: &Value) {
    let verbatim = speech.verbatim.clone().map(|json| Verbatim { dialect: Dialect::Nexus, json });
    let detail = Detail { manner: speech.manner, verbatim, mentions: vec![] };
    let message = Message {
        id: MessageId::random(1),
        kind: Kind::Room,
        place: place.into(),
        from: "me".into(),
        connection: None,
        text: (*speech.text).into(),
        detail: Some(Box::new(detail)),
        at_ms: 0,
    };
    let mut out = BytesMut::new();
    assert!(nexus::encode_event(&Event::Message(message), None, &mut out));
    let frame: Value = serde_json::from_slice(&out).expect("a frame is JSON");
    let or = |field: &str, default: Value| match &sent[field] {
        Value::Null => default,
        Value::String(empty) if empty.is_empty() => default,
        value => value.clone(),
    };
    let want = match speech.manner {
        Manner::Broadcast => {
            let (message, content) =
                (or("message", sent["content"].clone()), or("content", sent["message"].clone()));
            vec![
                ("room_id", json!(place)),
                ("message", message),
                ("content", content),
                ("username", or("username", Value::Null)),
            ]
        }
        _ => vec![
            ("conversation_id", json!(place)),
            ("content", sent["content"].clone()),
            ("content_type", or("content_type", json!("text"))),
            ("mentions", or("mentions", json!([]))),
            ("attachments", or("attachments", json!([]))),
        ],
    };
    for (field, value) in want {
        assert_eq!(frame[field], value, "{field}");
        assert_eq!(frame["data"][field], value, "{field}");
    }
}

fn compare(request: &Result<Request<'_>, Refusal>, text: &str) {
    let value: Option<Value> = serde_json::from_str(text).ok().filter(Value::is_object);
    assert_eq!(value.is_none(), *request == Err(MALFORMED), "{text:?}: {request:?}");
    let (Some(value), Ok(request)) = (value, request) else { return };
    check_words(request, &value["message_id"], &value["since"]);
    if let Request::Publish { place, speech } = request {
        let (_, place) = place.channel().expect("a room or a conversation");
        check_relay(speech, place, &value);
    }
}

fuzz_target!(|data: &[u8]| {
    let [a, b, message @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(message) else { return };
    let max = usize::from(u16::from_le_bytes([*a, *b]));
    let (mut scratch, mut original) = (JsonScratch::new(), Vec::new());
    let mut bytes = message.to_vec();
    let first = nexus::decode(&mut bytes, &mut original, &mut scratch, max);
    if let Ok(request) = &first {
        check(request, max);
    }
    // Whatever was read before, the same message has the same outcome.
    let (mut bytes, mut original) = (message.to_vec(), b"{\"event_type\":\"ping\"}".to_vec());
    assert_eq!(first, nexus::decode(&mut bytes, &mut original, &mut scratch, max));
    if !differs_by_design(text) {
        compare(&first, text);
    }
});
