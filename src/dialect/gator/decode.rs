//! From the text of a message to a request.
//!
//! Two sentences are the document's; the others name the field. Members that a message does not have are ignored.

use crate::dialect::fields::{Fields, must_be};
use crate::dialect::{JsonScratch, MALFORMED, Reader, Request, Speech, name, request, since};
use crate::model::{Address, Code, Refusal};

const TOO_LONG: Refusal = Refusal::new(Code::TooLarge, "Message too long");
const EMPTY: Refusal = Refusal::new(Code::InvalidField, "Message cannot be empty");

/// Reads one message. `text` is clobbered: strings are unescaped in place, and the request borrows them.
///
/// `max_content`: Unicode code points of a message's content, before trimming (GAT-50, ruling G12); 0 means no
/// limit. Allocates nothing once `scratch` is warm, unless the message is refused or asks who is online.
///
/// # Errors
/// It is no JSON object, a field is missing, of the wrong type or beyond its limit, or the content is longer
/// than `max_content`, blank (GAT-51) or contains a NUL (GAT-54).
pub fn decode<'a>(
    text: &'a mut [u8],
    scratch: &mut JsonScratch,
    max_content: usize,
) -> Result<Request<'a>, Refusal> {
    scratch.read_object(text, |message| read(message, max_content)).unwrap_or(Err(MALFORMED))
}

fn read<'a>(message: Fields<'_, 'a>, max_content: usize) -> Result<Request<'a>, Refusal> {
    match message.text("type")?.ok_or_else(|| must_be("type", "a string"))? {
        "send_message" => publish(message, max_content),
        "typing_start" => typing(message, true),
        "typing_stop" => typing(message, false),
        "get_online_status" => {
            let users = message.names("user_ids")?;
            Ok(Request::AskOnline { users: users.ok_or_else(|| must_be("user_ids", "an array of strings"))? })
        }
        "join_conversation" => {
            let (place, since) = (conversation(message)?, since(message)?);
            Ok(Request::Join { place, password: None, username: None, since })
        }
        "leave_conversation" => Ok(Request::Leave { place: conversation(message)?, username: None }),
        kind => Ok(Request::Custom { kind }),
    }
}

fn conversation<'a>(message: Fields<'_, 'a>) -> Result<Address<'a>, Refusal> {
    let id = name(message, "conversation_id")?;
    id.map(Address::Conversation).ok_or_else(|| must_be("conversation_id", "a non-empty string"))
}

fn typing<'a>(message: Fields<'_, 'a>, on: bool) -> Result<Request<'a>, Refusal> {
    let to = Reader::Channel(conversation(message)?);
    Ok(Request::Typing { to, from: None, username: None, on })
}

/// The document's own client sends a `persona_id` of `null` when it means none (ruling G8).
fn publish<'a>(message: Fields<'_, 'a>, max_content: usize) -> Result<Request<'a>, Refusal> {
    let place = conversation(message)?;
    let content = content(message, max_content)?;
    let persona = name(message, "persona_id")?;
    let request = request(message, "message_id")?;
    Ok(Request::Publish { place, speech: Speech { persona, request, ..Speech::plain(content) } })
}

/// The content as it was sent, untrimmed (ruling G12).
fn content<'a>(message: Fields<'_, 'a>, max: usize) -> Result<&'a str, Refusal> {
    let content = message.text("content")?.ok_or_else(|| must_be("content", "a string"))?;
    // A text of so few bytes has no more characters: most messages need no counting.
    if max != 0 && content.len() > max && content.chars().count() > max {
        return Err(TOO_LONG);
    }
    if content.chars().all(is_blank) {
        return Err(EMPTY);
    }
    if content.contains('\0') {
        return Err(must_be("content", "without NUL characters"));
    }
    Ok(content)
}

/// What the document's `v.strip()` takes off: Python counts four separators of ASCII as white space.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
