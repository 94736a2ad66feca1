//! Where the parser of messages and serde_json, which fuzz targets hold it against, need not agree.

use lanecast::dialect::{MAX_REQUEST_BYTES, Request};
use lanecast::model::{Position, Since};
use serde_json::Value;

/// What a client calls its message, and since when it joins, are what the other parser reads there.
pub fn check_words(request: &Request<'_>, name: &Value, since: &Value) {
    match request {
        Request::Publish { speech, .. } | Request::Direct { speech, .. } => {
            assert_eq!(speech.request, name.as_str().filter(|name| !name.is_empty()));
            assert!(speech.request.is_none_or(|name| name.len() <= MAX_REQUEST_BYTES));
        }
        Request::Join { since: heard, .. } => match (heard, since.as_str()) {
            (None, None) => {}
            (Some(Since::At(position)), Some(text)) => assert_eq!(Position::parse(text), Some(*position)),
            (Some(Since::Unreadable), Some(text)) => assert_eq!(Position::parse(text), None),
            other => panic!("{other:?}"),
        },
        _ => {}
    }
}

/// Where the two parsers differ by design: nesting beyond 64 levels, and numbers of extreme size.
pub fn differs_by_design(text: &str) -> bool {
    let brackets = text.bytes().filter(|b| matches!(b, b'[' | b'{')).count();
    let is_number = |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+');
    let exponent =
        text.bytes().zip(text.bytes().skip(1)).any(|(a, b)| a.is_ascii_digit() && matches!(b, b'e' | b'E'));
    brackets > 64 || exponent || text.as_bytes().windows(17).any(|w| w.iter().all(is_number))
}
