//! The text of a Tusk message: decoded or refused within its limits, and an object exactly where serde_json sees one.
//!
//! Input: two bytes of `max_message_size`, two of `message_max_length`; the rest is the message.
#![no_main]

mod parsers;

use lanecast::dialect::tusk::{self, Limits};
use lanecast::dialect::{JsonScratch, MAX_NAME_BYTES, Request};
use lanecast::model::{Address, Code};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

use parsers::{check_words, differs_by_design};

/// The slow way to count.
fn html_len(text: &str) -> usize {
    let escaped = |c: char| match c {
        '&' => 5,
        '<' | '>' => 4,
        '"' | '\'' => 6,
        c => c.len_utf8(),
    };
    text.chars().map(escaped).sum()
}

fn fits(len: usize, limit: usize) -> bool {
    limit == 0 || len <= limit
}

/// What was accepted is within the limits.
fn check(request: &Request<'_>, frame: usize, limits: &Limits) {
    let frame_limit = match request {
        Request::Authenticate { .. } => limits.max_auth_frame,
        _ => limits.max_frame,
    };
    assert!(fits(frame, frame_limit));
    let (name, text) = match request {
        Request::Publish { place: Address::Room(room), speech } => (*room, Some(&*speech.text)),
        Request::Direct { to, speech } => (*to, Some(&*speech.text)),
        Request::Join { place: Address::Room(room), .. }
        | Request::Leave { place: Address::Room(room), .. } => (*room, None),
        Request::CreateRoom { room, .. } => (*room, None),
        Request::Join { .. } | Request::Leave { .. } | Request::Publish { .. } => {
            panic!("Tusk knows rooms and nothing else: {request:?}")
        }
        _ => return,
    };
    assert!((1..=MAX_NAME_BYTES).contains(&name.len()));
    assert!(text.is_none_or(|text: &str| !text.is_empty() && fits(html_len(text), limits.max_text)));
}

fuzz_target!(|data: &[u8]| {
    let [a, b, c, d, message @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(message) else { return };
    let size = |low, high| usize::from(u16::from_le_bytes([low, high]));
    let limits = Limits::new(size(*a, *b), size(*c, *d));
    let mut scratch = JsonScratch::new();
    let mut bytes = message.to_vec();
    let first = tusk::decode(&mut bytes, &mut scratch, &limits);
    if let Ok(request) = &first {
        check(request, text.len(), &limits);
    }
    // Whatever was read before, the same message has the same outcome.
    let mut bytes = message.to_vec();
    assert_eq!(first, tusk::decode(&mut bytes, &mut scratch, &limits));
    // Without limits on the frame, "malformed" means: no JSON object, or none with a type.
    let mut bytes = message.to_vec();
    let unlimited =
        tusk::decode(&mut bytes, &mut scratch, &Limits { max_frame: 0, max_auth_frame: 0, max_text: 0 });
    let value: Option<Value> = serde_json::from_str(text).ok();
    if let (Some(value), Ok(request), false) = (&value, &first, differs_by_design(text)) {
        check_words(request, &value["id"], &value["since"]);
    }
    let typed = value
        .as_ref()
        .and_then(Value::as_object)
        .is_some_and(|o| o.get("type").is_some_and(Value::is_string));
    if !differs_by_design(text) {
        assert_eq!(
            typed,
            !matches!(&unlimited, Err(r) if r.code == Code::Malformed),
            "{text:?}: {unlimited:?}"
        );
    }
});
