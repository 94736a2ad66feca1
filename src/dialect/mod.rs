//! The wire languages: pure translators between the bytes of a frame and the core's words. No IO, no clock.

pub mod aegisx;
mod escape;
mod fields;
pub mod gator;
#[cfg(test)]
mod json_strategy;
pub mod nexus;
mod object;
pub(crate) mod raw;
mod request;
mod saying;
mod scratch;
pub mod sge;
pub mod tusk;

use bytes::BytesMut;

pub use fields::Fields;
pub use request::{Heard, Order, Reader, Request, Speech};
pub use saying::{About, Aside, Saying, Stats};
pub use scratch::{JsonScratch, KEEP_MAX_BYTES};

use crate::model::{Address, Code, Dialect, Event, Refusal, Since};

/// Bytes of a channel's name, a user's id or a room's password. Names are repeated in every frame, and
/// 256 bytes are more than any document shows. Longer: refused, [`Code::TooLarge`].
pub const MAX_NAME_BYTES: usize = 256;

/// Bytes of what a client calls its message. Homes remember it for a while, and 128 are enough for three UUIDs. Longer:
/// refused, [`Code::TooLarge`].
pub const MAX_REQUEST_BYTES: usize = 128;

/// Items of a list in one message: users asked for, mentions, types of notifications, groups of a contact.
/// More: refused, [`Code::TooLarge`].
pub const MAX_ITEMS: usize = 100;

/// Characters of an unknown type that are said back.
const MAX_KIND_CHARS: usize = 64;

/// What is no message of the dialect's form.
pub const MALFORMED: Refusal = Refusal::new(Code::Malformed, "Invalid message format");

/// How much a message may have. 0 means no limit in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Tusk's, in bytes.
    pub tusk: tusk::Limits,
    /// Unicode code points of a message's content, in dialects that count them (GAT-50, NEX-74).
    pub max_content: usize,
}

/// Reads one text message. `text` is clobbered: strings are unescaped in place, and the request borrows them.
/// `original` is a buffer of the caller's for dialects that relay JSON as it was; what is in it is overwritten.
///
/// Refusals leave the connection as it is; their text is what the client is told. A lone surrogate escape
/// (`\ud800`), an integer beyond 64 bits or nesting deeper than 64 levels is malformed, though `JSON.parse`
/// takes them.
pub fn decode<'a>(
    dialect: Dialect,
    text: &'a mut [u8],
    original: &'a mut Vec<u8>,
    scratch: &mut JsonScratch,
    limits: &Limits,
) -> Heard<'a> {
    match dialect {
        Dialect::Sge => sge::decode(text, original, scratch),
        Dialect::Nexus => nexus::decode(text, original, scratch, limits.max_content).into(),
        Dialect::Gator => gator::decode(text, scratch, limits.max_content).into(),
        Dialect::Aegisx => aegisx::decode(text, original, scratch).into(),
        Dialect::Tusk => tusk::decode(text, scratch, &limits.tusk).into(),
        Dialect::Echo => Err(MALFORMED).into(),
    }
}

/// Appends the text of `event` as `dialect` says it, with its number in its channel if there is one to be told. A frame
/// that an extension made stays as it is.
///
/// `false`: this dialect has no words for it, and nothing was written.
pub fn encode_event(dialect: Dialect, event: &Event, seq: Option<u64>, out: &mut BytesMut) -> bool {
    match (dialect, event) {
        (_, Event::Custom { dialect: of, json }) => {
            if *of == dialect {
                out.extend_from_slice(json.as_bytes());
            }
            *of == dialect
        }
        (Dialect::Sge, event) => sge::encode_event(event, seq, out),
        (Dialect::Nexus, event) => nexus::encode_event(event, seq, out),
        (Dialect::Gator, event) => gator::encode_event(event, seq, out),
        (Dialect::Aegisx, event) => aegisx::encode_event(event, seq, out),
        (Dialect::Tusk, event) => tusk::encode_event(event, seq, out),
        // It repeats what clients say and tells them nothing of its own.
        (Dialect::Echo, _) => false,
    }
}

/// Appends what one connection is told, as `dialect` says it.
///
/// `false`: this dialect has no words for it, and nothing was written.
pub fn encode_saying(dialect: Dialect, saying: &Saying<'_>, aside: &Aside<'_>, out: &mut BytesMut) -> bool {
    match dialect {
        Dialect::Sge => sge::encode_saying(saying, aside, out),
        Dialect::Nexus => nexus::encode_saying(saying, aside, out),
        Dialect::Gator => gator::encode_saying(saying, aside, out),
        Dialect::Aegisx => aegisx::encode_saying(saying, aside, out),
        Dialect::Tusk => tusk::encode_saying(saying, aside, out),
        Dialect::Echo => false,
    }
}

/// The member of a message that says what kind it is.
pub const fn discriminator(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Nexus => "event_type",
        _ => "type",
    }
}

/// What a client of AegisX calls a channel, whole.
pub fn aegisx_name(place: Address<'_>) -> String {
    match place {
        Address::Public(id) => format!("public:{id}"),
        Address::Tenant(name) | Address::Notifications(name) => name.to_owned(),
        other => other.channel().map_or_else(String::new, |(_, id)| id.to_owned()),
    }
}

/// The refusal of a kind that nobody handles.
pub fn unknown_type(kind: &str) -> Refusal {
    let shown: String = kind.chars().take(MAX_KIND_CHARS).collect();
    Refusal::with(Code::UnknownType, format!("Unknown message type: {shown}"))
}

/// A name of a channel or user in a field; empty counts as absent.
///
/// # Errors
/// It is no string, or longer than [`MAX_NAME_BYTES`].
pub(crate) fn name<'a>(message: Fields<'_, 'a>, field: &str) -> Result<Option<&'a str>, Refusal> {
    match message.text(field)?.filter(|name| !name.is_empty()) {
        Some(name) if name.len() > MAX_NAME_BYTES => Err(too_long(field, name.len())),
        name => Ok(name),
    }
}

/// The same of a field that must be there.
pub(crate) fn required_name<'a>(message: Fields<'_, 'a>, field: &str) -> Result<&'a str, Refusal> {
    name(message, field)?.ok_or_else(|| fields::must_be(field, "a non-empty string"))
}

/// The refusal of a field that is longer than [`MAX_NAME_BYTES`].
pub(crate) fn too_long(field: &str, len: usize) -> Refusal {
    longer_than(field, len, MAX_NAME_BYTES)
}

fn longer_than(field: &str, len: usize, max: usize) -> Refusal {
    let said = format!("Field \"{field}\" has {len} bytes, at most {max} are allowed");
    Refusal::with(Code::TooLarge, said)
}

/// From where a client wants to be told what it missed.
///
/// # Errors
/// It is no string. A string that is no position is [`Since::Unreadable`] and no error: an older server may have given
/// it out, and whoever shows it joins and is told that something is missing.
fn since(message: Fields<'_, '_>) -> Result<Option<Since>, Refusal> {
    Ok(message.text("since")?.map(Since::parse))
}

/// What a client calls its message; empty counts as absent.
///
/// # Errors
/// It is no string, or longer than [`MAX_REQUEST_BYTES`].
fn request<'a>(message: Fields<'_, 'a>, field: &str) -> Result<Option<&'a str>, Refusal> {
    match message.text(field)?.filter(|name| !name.is_empty()) {
        Some(name) if name.len() > MAX_REQUEST_BYTES => {
            Err(longer_than(field, name.len(), MAX_REQUEST_BYTES))
        }
        name => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cause, MessageId, Presence, Status};

    fn presence() -> Event {
        let user = "u".into();
        let presence = Presence { user, status: Status::Online, message: None, location: None, at_ms: 0 };
        Event::Presence { presence, cause: Cause::Came }
    }

    #[test]
    fn echo_has_no_words_and_writes_nothing() {
        let mut out = BytesMut::from("before");
        let aside = Aside { tag: None, user: "", at_ms: 0 };
        let saying = Saying::Delivered { id: MessageId::random(1), room: None, at_ms: 0 };
        assert!(!encode_event(Dialect::Echo, &presence(), Some(1), &mut out));
        assert!(!encode_saying(Dialect::Echo, &saying, &aside, &mut out));
        assert_eq!(&out[..], b"before");
    }

    #[test]
    fn a_frame_made_for_one_dialect_is_told_to_no_other() {
        let event = Event::Custom { dialect: Dialect::Gator, json: "{}".into() };
        for (dialect, seq) in Dialect::ALL.into_iter().flat_map(|d| [(d, None), (d, Some(1))]) {
            let mut out = BytesMut::new();
            let said = encode_event(dialect, &event, seq, &mut out);
            assert_eq!((said, out.len()), if dialect == Dialect::Gator { (true, 2) } else { (false, 0) });
        }
    }
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod words_tests;
