//! From the text of a message to a request, and what the client calls it. Refusals name the field that is wrong.

use std::borrow::Cow;

use super::relay;
use crate::dialect::fields::{Fields, must_be};
use crate::dialect::{
    Heard, JsonScratch, MALFORMED, MAX_NAME_BYTES, Reader, Request, Speech, name, raw, request,
    required_name, since, too_long,
};
use crate::model::{Address, Contact, Refusal, Status};

/// Reads one message. `text` is clobbered: strings are unescaped in place, and the request borrows them; what is
/// relayed as it was written is read from `original`, which is overwritten with a copy.
///
/// The tag is the message's `id` as JSON: a string of at most [`MAX_NAME_BYTES`] or a whole number of 64 bits.
/// Names are at most as long. What is no JSON object is [`MALFORMED`], and has no tag.
pub fn decode<'a>(text: &'a mut [u8], original: &'a mut Vec<u8>, scratch: &mut JsonScratch) -> Heard<'a> {
    original.clear();
    original.extend_from_slice(text);
    let Ok(json) = simdutf8::basic::from_utf8(original) else { return Err(MALFORMED).into() };
    let heard = scratch.read_object(text, |message| match tag(message, json) {
        Ok(tag) => Heard { tag, request: read(message, json) },
        Err(refusal) => Err(refusal).into(),
    });
    heard.unwrap_or_else(|| Err(MALFORMED).into())
}

fn tag(message: Fields<'_, '_>, json: &str) -> Result<Option<Box<str>>, Refusal> {
    if !message.has("id") {
        return Ok(None);
    }
    let raw = raw::member(json, "id").unwrap_or_default();
    let is_integer = raw.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
    match message.text("id") {
        Ok(Some(text)) if text.len() > MAX_NAME_BYTES => Err(too_long("id", text.len())),
        Err(_) if !is_integer => Err(must_be("id", "a string or a whole number")),
        _ => Ok(Some(raw.into())),
    }
}

fn read<'a>(message: Fields<'_, 'a>, json: &str) -> Result<Request<'a>, Refusal> {
    let kind = message.text("type")?.ok_or_else(|| must_be("type", "a string"))?;
    let (fields, json) = match message.object("payload") {
        Ok(Some(payload)) => (payload, raw::member(json, "payload").unwrap_or(json)),
        _ => (message, json),
    };
    match kind {
        "ChatMessage" => chat(fields, json),
        "Typing" => typing(fields),
        "PresenceUpdate" => presence(fields),
        "Subscribe" => {
            let (place, since) = (place(fields)?, since(fields)?);
            Ok(Request::Join { place, password: None, username: None, since })
        }
        "Unsubscribe" => Ok(Request::Leave { place: place(fields)?, username: None }),
        "Ping" => Ok(Request::Ping),
        "Auth" => Ok(Request::Authenticate { token: fields.text("token")?.unwrap_or_default() }),
        "RosterGet" => Ok(Request::RosterGet),
        "RosterUpdate" => contact(fields).map(Request::RosterUpdate),
        "RosterRemove" => Ok(Request::RosterRemove { user: required_name(fields, "user_id")? }),
        kind => Ok(Request::Custom { kind }),
    }
}

fn place<'a>(fields: Fields<'_, 'a>) -> Result<Address<'a>, Refusal> {
    required_name(fields, "channel").map(address)
}

/// The channel of that name: the document's types, and names without a type (ruling S13).
pub fn address(channel: &str) -> Address<'_> {
    match channel.split_once(':') {
        None if channel == "system" => Address::System,
        None => Address::Named(channel),
        Some((_, "")) => Address::Foreign(channel),
        Some(("user", user)) => Address::Inbox(user),
        Some(("chat", user)) => Address::Chat(user),
        Some(("presence", user)) => Address::Presence(user),
        Some(("group", group)) => Address::Group(group),
        Some(_) => Address::Foreign(channel),
    }
}

fn chat<'a>(fields: Fields<'_, 'a>, json: &str) -> Result<Request<'a>, Refusal> {
    let inner = fields.object("message")?.ok_or_else(|| must_be("message", "an object"))?;
    let to = required_name(inner, "to")?;
    let text = inner.text("message")?.filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| must_be("message", "a non-empty string"))?;
    let from = name(inner, "from")?;
    let is_direct = match inner.text("message_type")? {
        None | Some("chat") => true,
        Some("groupchat" | "muc") => false,
        Some(_) => return Err(must_be("message_type", "one of chat, groupchat, muc")),
    };
    // Senders may add members of their own (SGE-52), and an id that is no string is one of these.
    let request = match inner.string("id") {
        Some(_) => request(inner, "id")?,
        None => None,
    };
    let raw = raw::member(json, "message").unwrap_or_default();
    let verbatim = Some(relay::keep(raw)?);
    let speech = Speech { text: Cow::Borrowed(text), from, request, verbatim, ..Speech::default() };
    Ok(match is_direct {
        true => Request::Direct { to, speech },
        false => Request::Publish { place: Address::Group(to), speech },
    })
}

fn typing<'a>(fields: Fields<'_, 'a>) -> Result<Request<'a>, Refusal> {
    let to = required_name(fields, "to")?;
    let group = to.strip_prefix("group:").filter(|group| !group.is_empty());
    let to = group.map_or(Reader::User(to), |group| Reader::Channel(Address::Group(group)));
    let on = fields.flag("typing")?.ok_or_else(|| must_be("typing", "true or false"))?;
    Ok(Request::Typing { to, from: name(fields, "from")?, username: None, on })
}

/// The words beside the status have another name in the REST form (ruling S5); both are read.
fn presence<'a>(fields: Fields<'_, 'a>) -> Result<Request<'a>, Refusal> {
    let status = fields.text("status")?.and_then(Status::parse);
    let status = status.ok_or_else(|| must_be("status", "one of online, away, busy, offline"))?;
    let message = name(fields, if fields.has("status_message") { "status_message" } else { "message" })?;
    let user = name(fields, "user_id")?;
    Ok(Request::SetPresence { user, status: Some(status), message, location: None })
}

fn contact(fields: Fields<'_, '_>) -> Result<Contact, Refusal> {
    let contact = fields.object("contact")?.ok_or_else(|| must_be("contact", "an object"))?;
    let groups = contact.names("groups")?.unwrap_or_default();
    Ok(Contact {
        user: required_name(contact, "user_id")?.into(),
        name: name(contact, "name")?.map(Into::into),
        groups: groups.into_iter().map(Into::into).collect(),
    })
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
