//! From the text of a message to a request. Refusals name the field that is wrong (NEX-72).

use std::borrow::Cow;

use crate::dialect::fields::{Fields, must_be};
use crate::dialect::{
    JsonScratch, MALFORMED, Reader, Request, Speech, name, raw, request, required_name, since,
};
use crate::model::{Address, Code, Manner, MessageId, Refusal, Status};

const NO_DOCUMENTS: Refusal = Refusal::new(Code::Unavailable, "Collaborative documents are not served yet");

/// Reads one message. `text` is clobbered: strings are unescaped in place, and the request borrows them; what is
/// relayed as it was written is read from `original`, which is overwritten with a copy.
///
/// `max_content`: Unicode code points of a message's content (NEX-74); 0: no limit. Longer:
/// [`Code::TooLarge`].
///
/// # Errors
/// What is no JSON object is [`MALFORMED`]. A field that is missing, of the wrong type or out of range is
/// [`Code::InvalidField`], an id that the server never gave out [`Code::NotFound`].
pub fn decode<'a>(
    text: &'a mut [u8],
    original: &'a mut Vec<u8>,
    scratch: &mut JsonScratch,
    max_content: usize,
) -> Result<Request<'a>, Refusal> {
    original.clear();
    original.extend_from_slice(text);
    let Ok(json) = simdutf8::basic::from_utf8(original) else { return Err(MALFORMED) };
    scratch.read_object(text, |message| read(message, json, max_content)).unwrap_or(Err(MALFORMED))
}

fn read<'a>(message: Fields<'_, 'a>, json: &str, max_content: usize) -> Result<Request<'a>, Refusal> {
    let kind = message.text("event_type")?.ok_or_else(|| must_be("event_type", "a string"))?;
    match kind {
        "chat.message" => chat(message, json, max_content),
        "room.broadcast" => broadcast(message, json, max_content),
        "chat.typing" => typing(message),
        "chat.read" => Ok(Request::Read { place: conversation(message)?, message: said(message)? }),
        "chat.edit" => {
            let (place, id) = (conversation(message)?, said(message)?);
            let text = required_content(message, max_content)?;
            Ok(Request::Edit { place, message: id, text })
        }
        "chat.delete" => Ok(Request::Delete { place: conversation(message)?, message: said(message)? }),
        "room.join" => {
            let (place, username) = (room(message)?, name(message, "username")?);
            Ok(Request::Join { place, password: None, username, since: since(message)? })
        }
        "room.leave" => Ok(Request::Leave { place: room(message)?, username: name(message, "username")? }),
        "presence.update" => presence_update(message),
        "presence.online" => presence(message, Some(Status::Online)),
        "presence.away" => presence(message, Some(Status::Away)),
        "presence.busy" => presence(message, Some(Status::Busy)),
        "presence.offline" => presence(message, Some(Status::Offline)),
        "ping" => Ok(Request::Ping),
        "pong" => Ok(Request::Pong),
        "disconnect" => Ok(Request::Goodbye),
        "notification.read" => {
            let id =
                notification(message)?.ok_or_else(|| must_be("notification_id", "a non-empty string"))?;
            Ok(Request::NotificationRead { id })
        }
        "notification.clear" => Ok(Request::NotificationClear { id: notification(message)? }),
        kind if kind.starts_with("doc.") => Err(NO_DOCUMENTS),
        kind => Ok(Request::Custom { kind }),
    }
}

fn conversation<'a>(message: Fields<'_, 'a>) -> Result<Address<'a>, Refusal> {
    required_name(message, "conversation_id").map(Address::Conversation)
}

fn room<'a>(message: Fields<'_, 'a>) -> Result<Address<'a>, Refusal> {
    required_name(message, "room_id").map(Address::Room)
}

/// Which message is meant.
fn said(message: Fields<'_, '_>) -> Result<MessageId, Refusal> {
    let id = required_name(message, "message_id")?;
    MessageId::parse(id).ok_or(Refusal::new(Code::NotFound, "Message not found"))
}

fn notification(message: Fields<'_, '_>) -> Result<Option<MessageId>, Refusal> {
    let id = name(message, "notification_id")?.map(MessageId::parse);
    id.map(|id| id.ok_or(Refusal::new(Code::NotFound, "Notification not found"))).transpose()
}

fn chat<'a>(message: Fields<'_, 'a>, json: &str, max_content: usize) -> Result<Request<'a>, Refusal> {
    let place = conversation(message)?;
    let text = Cow::Borrowed(required_content(message, max_content)?);
    let kind = name(message, "content_type")?;
    let mentions = message.names("mentions")?.unwrap_or_default();
    let attachments = message.items("attachments")?.unwrap_or_default();
    let request = request(message, "message_id")?;
    // What most messages have besides their words is what the server says of those that have nothing.
    let is_plain = kind.is_none_or(|kind| kind == "text") && mentions.is_empty() && attachments == 0;
    let verbatim = (!is_plain).then(|| {
        let [given, mentioned, attached] = raw::named(json, ["content_type", "mentions", "attachments"]);
        let kind = given.filter(|_| kind.is_some()).unwrap_or("\"text\"");
        let [mentioned, attached] =
            [mentioned, attached].map(|list| list.filter(|l| l.starts_with('[')).unwrap_or("[]"));
        format!("\"content_type\":{kind},\"mentions\":{mentioned},\"attachments\":{attached}").into()
    });
    Ok(Request::Publish { place, speech: Speech { text, mentions, request, verbatim, ..Speech::default() } })
}

/// The document does not say which field has the words (ruling N9): one that is missing says what the other does.
fn broadcast<'a>(message: Fields<'_, 'a>, json: &str, max_content: usize) -> Result<Request<'a>, Refusal> {
    let place = room(message)?;
    let words = content(message, "message", max_content)?;
    let others = content(message, "content", max_content)?;
    let text = words.or(others).ok_or_else(|| must_be("message", "a non-empty string"))?;
    let given = name(message, "username")?;
    let [message_as, content_as, username] = raw::named(json, ["message", "content", "username"]);
    let first = if words.is_some() { message_as } else { content_as }.unwrap_or_default();
    let second = if others.is_some() { content_as } else { message_as }.unwrap_or_default();
    let mut verbatim = format!("\"message\":{first},\"content\":{second}");
    if let Some(username) = username.filter(|_| given.is_some()) {
        verbatim += ",\"username\":";
        verbatim += username;
    }
    let speech = Speech {
        text: Cow::Borrowed(text),
        manner: Manner::Broadcast,
        request: request(message, "message_id")?,
        verbatim: Some(verbatim.into()),
        ..Speech::default()
    };
    Ok(Request::Publish { place, speech })
}

fn typing<'a>(message: Fields<'_, 'a>) -> Result<Request<'a>, Refusal> {
    let to = Reader::Channel(conversation(message)?);
    let on = message.flag("is_typing")?.ok_or_else(|| must_be("is_typing", "true or false"))?;
    Ok(Request::Typing { to, from: None, username: name(message, "username")?, on })
}

fn presence_update<'a>(message: Fields<'_, 'a>) -> Result<Request<'a>, Refusal> {
    let words = "one of online, offline, away, busy";
    let status = match message.text("status")? {
        Some(status) => Some(Status::parse(status).ok_or_else(|| must_be("status", words))?),
        None if message.has("status_message") || message.has("location") => None,
        None => return Err(must_be("status", words)),
    };
    presence(message, status)
}

fn presence<'a>(message: Fields<'_, 'a>, status: Option<Status>) -> Result<Request<'a>, Refusal> {
    let location = name(message, "location")?;
    Ok(Request::SetPresence { user: None, status, message: name(message, "status_message")?, location })
}

fn required_content<'a>(message: Fields<'_, 'a>, max: usize) -> Result<&'a str, Refusal> {
    content(message, "content", max)?.ok_or_else(|| must_be("content", "a non-empty string"))
}

/// Text of at most `max` code points; empty counts as absent.
fn content<'a>(message: Fields<'_, 'a>, field: &str, max: usize) -> Result<Option<&'a str>, Refusal> {
    let text = message.text(field)?.filter(|text| !text.is_empty());
    // No text has more code points than bytes: most need no counting.
    let count = text.filter(|text| max != 0 && text.len() > max).map_or(0, |text| text.chars().count());
    if count > max {
        let said = format!("Field \"{field}\" has {count} characters, at most {max} are allowed");
        return Err(Refusal::with(Code::TooLarge, said));
    }
    Ok(text)
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
