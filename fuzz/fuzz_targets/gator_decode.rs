//! The text of a Gator message: decoded or refused within its limits, and an object exactly where serde_json sees one.
//!
//! Input: two bytes of the limit on content, in code points; the rest is the message.
#![no_main]

mod parsers;

use lanecast::dialect::{JsonScratch, MAX_ITEMS, MAX_NAME_BYTES, Reader, Request, gator};
use lanecast::model::{Address, Code};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

use parsers::{check_words, differs_by_design};

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&text.len())
}

/// What was accepted is within the limits, and is what the other parser reads.
fn check(request: &Request<'_>, max: usize, value: Option<&Value>) {
    if let Some(value) = value {
        check_words(request, &value["message_id"], &value["since"]);
    }
    let place = match request {
        Request::Publish { place, speech } => {
            let text = &*speech.text;
            assert!(max == 0 || text.chars().count() <= max);
            assert!(!text.trim().is_empty() && !text.contains('\0'));
            assert!(speech.persona.is_none_or(is_name));
            assert!(value.is_none_or(|value| value["content"] == text));
            place
        }
        Request::Typing { to: Reader::Channel(place), .. } => place,
        Request::Join { place, .. } | Request::Leave { place, .. } => place,
        Request::AskOnline { users } => {
            return assert!(users.len() <= MAX_ITEMS && users.iter().all(|user| is_name(user)));
        }
        Request::Custom { kind } => return assert!(value.is_none_or(|value| value["type"] == *kind)),
        other => panic!("no message of Gator: {other:?}"),
    };
    let Address::Conversation(id) = place else { panic!("no conversation: {place:?}") };
    assert!(is_name(id));
    assert!(value.is_none_or(|value| value["conversation_id"] == *id));
}

fuzz_target!(|data: &[u8]| {
    let [low, high, message @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(message) else { return };
    let max = usize::from(u16::from_le_bytes([*low, *high]));
    let mut scratch = JsonScratch::new();
    let mut bytes = message.to_vec();
    let first = gator::decode(&mut bytes, &mut scratch, max);
    let value: Option<Value> = serde_json::from_str(text).ok();
    if let Ok(request) = &first {
        check(request, max, value.as_ref());
    }
    // Whatever was read before, the same message has the same outcome.
    let mut bytes = message.to_vec();
    assert_eq!(first, gator::decode(&mut bytes, &mut scratch, max));
    // "Malformed" means: no JSON object.
    if !differs_by_design(text) {
        let object = value.is_some_and(|value| value.is_object());
        assert_eq!(object, !matches!(&first, Err(r) if r.code == Code::Malformed), "{text:?}: {first:?}");
    }
});
