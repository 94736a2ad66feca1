//! The text of an SGE message: decoded or refused within its limits, an object exactly where serde_json sees one, and
//! what is relayed of it says what serde_json reads in it.
#![no_main]

mod parsers;

use bytes::BytesMut;
use lanecast::dialect::{
    Heard, JsonScratch, MALFORMED, MAX_ITEMS, MAX_NAME_BYTES, Reader, Request, Speech, sge,
};
use lanecast::model::{Address, Detail, Dialect, Event, Kind, Message, MessageId, Verbatim};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

use parsers::{check_words, differs_by_design};

const AT_MS: u64 = 1_732_147_200_123;

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
}

fn place_fits(place: Address) -> bool {
    place == Address::System
        || match place {
            Address::Foreign(name) => is_name(name),
            place => place.channel().is_some_and(|(_, id)| is_name(id)),
        }
}

/// What was accepted is within the limits.
fn check(request: &Request<'_>) {
    let fits = match request {
        Request::Join { place, .. } | Request::Leave { place, .. } => place_fits(*place),
        Request::Publish { place, speech } => {
            place_fits(*place) && speech.from.is_none_or(is_name) && !speech.text.is_empty()
        }
        Request::Direct { to, speech } => {
            is_name(to) && speech.from.is_none_or(is_name) && !speech.text.is_empty()
        }
        Request::Typing { to, from, .. } => {
            let to = match *to {
                Reader::User(user) => is_name(user),
                Reader::Channel(place) => place_fits(place),
            };
            to && from.is_none_or(is_name)
        }
        Request::SetPresence { user, message, .. } => user.is_none_or(is_name) && message.is_none_or(is_name),
        Request::RosterUpdate(contact) => {
            let groups = contact.groups.iter().all(|group| is_name(group));
            is_name(&contact.user)
                && contact.name.as_deref().is_none_or(is_name)
                && groups
                && contact.groups.len() <= MAX_ITEMS
        }
        Request::RosterRemove { user } => is_name(user),
        _ => true,
    };
    assert!(fits, "{request:?}");
}

/// What others receive is what was sent, and what was missing.
fn check_relay(speech: &Speech<'_>, sent: &Value) {
    let from = speech.from.unwrap_or("me");
    let verbatim = speech.verbatim.clone().map(|json| Verbatim { dialect: Dialect::Sge, json });
    let message = Message {
        id: MessageId::random(1),
        kind: Kind::Room,
        place: "elsewhere".into(),
        from: from.into(),
        connection: None,
        text: "another text".into(),
        detail: Some(Box::new(Detail { verbatim, ..Detail::default() })),
        at_ms: AT_MS,
    };
    let mut out = BytesMut::new();
    assert!(sge::encode_event(&Event::Message(message), None, &mut out));
    let frame: Value = serde_json::from_slice(&out).expect("a frame is JSON");
    let mut want = sent.clone();
    want["from"] = from.into();
    if !want["timestamp"].is_number() {
        want["timestamp"] = AT_MS.into();
    }
    if want["message_type"].is_null() {
        want["message_type"] = "chat".into();
    }
    assert_eq!(frame["message"], want);
    assert_eq!(want["message"], *speech.text);
}

fn compare(heard: &Heard<'_>, text: &str) {
    let value: Option<Value> = serde_json::from_str(text).ok().filter(Value::is_object);
    assert_eq!(value.is_none(), heard.request == Err(MALFORMED), "{text:?}: {heard:?}");
    let Some(value) = value else { return };
    if let Some(tag) = &heard.tag {
        assert_eq!(serde_json::from_str::<Value>(tag).ok().as_ref(), Some(&value["id"]));
    }
    let fields = if value["payload"].is_object() { &value["payload"] } else { &value };
    if let Ok(request) = &heard.request {
        check_words(request, &fields["message"]["id"], &fields["since"]);
    }
    if let Ok(Request::Publish { speech, .. } | Request::Direct { speech, .. }) = &heard.request {
        check_relay(speech, &fields["message"]);
    }
}

fuzz_target!(|text: &str| {
    let (mut scratch, mut original) = (JsonScratch::new(), Vec::new());
    let mut bytes = text.as_bytes().to_vec();
    let first = sge::decode(&mut bytes, &mut original, &mut scratch);
    assert!(first.tag.as_ref().is_none_or(|tag| tag.len() <= 2 + 6 * MAX_NAME_BYTES));
    if let Ok(request) = &first.request {
        check(request);
    }
    // Whatever was read before, the same message has the same outcome.
    let (mut bytes, mut original) = (text.as_bytes().to_vec(), b"{\"type\":\"Ping\"}".to_vec());
    assert_eq!(first, sge::decode(&mut bytes, &mut original, &mut scratch));
    if !differs_by_design(text) {
        compare(&first, text);
    }
});
