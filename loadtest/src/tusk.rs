//! The Tusk dialect as a client speaks it: text frames out, typed frames in.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{json, value::RawValue};

/// An incoming frame, as far as a load test cares.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A message published in a room the connection is in.
    RoomMessage(Cow<'a, str>),
    /// The answer to a join: the room's name.
    Joined(Cow<'a, str>),
    /// The server refused something; its own words.
    Refused(Cow<'a, str>),
    /// Anything else, such as the news that somebody joined.
    Other,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    room: Option<&'a RawValue>,
}

/// Reads one text frame. Errors: text that is no JSON object with a string `type`, or a field that the
/// type needs and that is absent or no string.
pub fn parse(text: &str) -> serde_json::Result<Incoming<'_>> {
    let frame: Frame<'_> = serde_json::from_str(text)?;
    Ok(match &*frame.kind {
        "room_message" => Incoming::RoomMessage(string(frame.message)?),
        "room_joined" => Incoming::Joined(string(frame.room)?),
        // Servers differ in where they put the reason: show it if it is where it usually is.
        "error" | "auth_failed" => Incoming::Refused(string(frame.message).unwrap_or(Cow::Borrowed(text))),
        _ => Incoming::Other,
    })
}

fn string(raw: Option<&RawValue>) -> serde_json::Result<Cow<'_, str>> {
    let raw = raw.map_or("null", RawValue::get);
    match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => Ok(Cow::Borrowed(plain)),
        _ => serde_json::from_str(raw).map(Cow::Owned),
    }
}

/// `auth` with a token.
pub fn auth(token: &str) -> String {
    json!({ "type": "auth", "token": token }).to_string()
}

/// `join_room`.
pub fn join(room: &str) -> String {
    json!({ "type": "join_room", "room": room }).to_string()
}

/// `broadcast` of a payload to a room. Neither may hold a character that JSON escapes; room names are
/// checked when the arguments are parsed, payloads have none by construction.
pub fn broadcast(room: &str, payload: &str) -> String {
    format!(r#"{{"type":"broadcast","room":"{room}","message":"{payload}"}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_room_message_with_and_without_escapes() {
        let plain = r#"{"type":"room_message","message":"1.2.3.4.x","from":"u","timestamp":1,"room":"r0"}"#;
        assert_eq!(parse(plain).expect("valid"), Incoming::RoomMessage("1.2.3.4.x".into()));
        let escaped = r#"{"message":"\u0031\"","type":"room_message"}"#;
        assert_eq!(parse(escaped).expect("valid"), Incoming::RoomMessage("1\"".into()));
    }

    #[test]
    fn reads_answers_and_passes_over_the_rest() {
        assert_eq!(
            parse(r#"{"type":"room_joined","room":"r1"}"#).expect("valid"),
            Incoming::Joined("r1".into())
        );
        let refused = parse(r#"{"type":"error","message":"Room full"}"#).expect("valid");
        assert_eq!(refused, Incoming::Refused("Room full".into()));
        let elsewhere = r#"{"type":"error","error":{"code":1}}"#;
        assert_eq!(parse(elsewhere).expect("valid"), Incoming::Refused(elsewhere.into()));
        let news = r#"{"type":"user_joined","room":7,"message":{"any":[1]}}"#;
        assert_eq!(parse(news).expect("valid"), Incoming::Other);
    }

    #[test]
    fn refuses_broken_frames_at_every_truncation() {
        let good = r#"{"type":"room_message","message":"é"}"#;
        for end in (0..good.len()).filter(|&end| good.is_char_boundary(end)) {
            assert!(parse(&good[..end]).is_err(), "truncated at {end}");
        }
        for bad in ["[]", r#"{"type":1}"#, r#"{"type":"room_message"}"#, r#"{"type":"room_joined","room":5}"#]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn writes_json_that_says_what_was_asked() {
        let broadcast: serde_json::Value = serde_json::from_str(&broadcast("r3", "1.2.x")).expect("JSON");
        assert_eq!(broadcast, json!({ "type": "broadcast", "room": "r3", "message": "1.2.x" }));
        let auth: serde_json::Value = serde_json::from_str(&auth("a\"b")).expect("JSON");
        assert_eq!(auth, json!({ "type": "auth", "token": "a\"b" }));
        assert_eq!(join("r0"), json!({ "type": "join_room", "room": "r0" }).to_string());
    }
}
