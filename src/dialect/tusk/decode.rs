//! From the text of a message to a request.
//!
//! The sentences are those of the document's own server where it has one (ruling T1); others name the field.

use crate::dialect::escape::{HTML_GROWTH_MAX, html_len};
use crate::dialect::fields::{Fields, must_be};
use crate::dialect::{
    JsonScratch, MALFORMED, MAX_NAME_BYTES, Request, Speech, name, request, since, too_long,
};
use crate::model::{Address, Code, MessageId, Refusal, RoomSettings, Status};

const ROOM_REQUIRED: Refusal = Refusal::new(Code::InvalidField, "Room name required");
const ROOM_AND_MESSAGE_REQUIRED: Refusal = Refusal::new(Code::InvalidField, "Room and message required");
const TARGET_AND_MESSAGE_REQUIRED: Refusal =
    Refusal::new(Code::InvalidField, "Target user ID and message required");

/// How much a message may have. 0 means none in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a frame that is not `auth` (TUS-60). Longer: "Invalid message format".
    pub max_frame: usize,
    /// Bytes of an `auth` frame: tokens are longer than chat (ruling T6). Longer: the same.
    pub max_auth_frame: usize,
    /// Bytes of a message's text after the escaping of HTML (TUS-70, ruling T8). Longer: [`Code::TooLarge`].
    pub max_text: usize,
}

impl Limits {
    /// What a frame may have besides its text, so that the longest legal text fits (ruling T6).
    pub const ENVELOPE: usize = 256;

    /// From the document's `max_message_size` and `message_max_length`, in bytes; 0: none.
    pub const fn new(max_message_size: usize, message_max_length: usize) -> Self {
        let max_frame =
            if max_message_size == 0 { 0 } else { max_message_size.saturating_add(Self::ENVELOPE) };
        Self { max_frame, max_auth_frame: 8192, max_text: message_max_length }
    }

    /// Whether a frame of that length is too long whatever it says; then it is not even parsed.
    const fn refuse_unread(self, len: usize) -> bool {
        exceeds(len, self.max_frame) && exceeds(len, self.max_auth_frame)
    }
}

/// The document's: 1024 bytes a frame, 1000 its text.
impl Default for Limits {
    fn default() -> Self {
        Self::new(1024, 1000)
    }
}

const fn exceeds(value: usize, limit: usize) -> bool {
    limit != 0 && value > limit
}

/// Reads one message. `text` is clobbered: strings are unescaped in place, and the request borrows them.
///
/// Allocates nothing once `scratch` is warm, unless the message is refused or makes a room. Refusals leave
/// the connection as it is; their text is what the client is told. A lone surrogate escape (`\ud800`),
/// an integer beyond 64 bits or nesting deeper than 64 levels is malformed, though `JSON.parse` takes them.
pub fn decode<'a>(
    text: &'a mut [u8],
    scratch: &mut JsonScratch,
    limits: &Limits,
) -> Result<Request<'a>, Refusal> {
    let len = text.len();
    if limits.refuse_unread(len) {
        return Err(MALFORMED);
    }
    scratch.read_object(text, |message| read(message, len, limits)).unwrap_or(Err(MALFORMED))
}

fn read<'a>(message: Fields<'_, 'a>, len: usize, limits: &Limits) -> Result<Request<'a>, Refusal> {
    let Ok(Some(kind)) = message.text("type") else { return Err(MALFORMED) };
    let limit = if kind == "auth" { limits.max_auth_frame } else { limits.max_frame };
    if exceeds(len, limit) {
        return Err(MALFORMED);
    }
    match kind {
        "broadcast" => publish(message, limits),
        "private_message" => direct(message, limits),
        "ping" => Ok(Request::Ping),
        "ack" => acknowledge(message),
        "presence" => presence(message),
        "join_room" => join(message),
        "leave_room" => {
            let room = name(message, "room")?.ok_or(ROOM_REQUIRED)?;
            Ok(Request::Leave { place: Address::Room(room), username: None })
        }
        "auth" => Ok(Request::Authenticate { token: message.text("token")?.unwrap_or_default() }),
        "create_room" => create_room(message),
        kind => Ok(Request::Custom { kind }),
    }
}

fn publish<'a>(message: Fields<'_, 'a>, limits: &Limits) -> Result<Request<'a>, Refusal> {
    match (name(message, "room")?, body(message, limits)?) {
        (Some(room), Some(text)) => {
            Ok(Request::Publish { place: Address::Room(room), speech: speech(message, text)? })
        }
        _ => Err(ROOM_AND_MESSAGE_REQUIRED),
    }
}

fn direct<'a>(message: Fields<'_, 'a>, limits: &Limits) -> Result<Request<'a>, Refusal> {
    match (name(message, "to")?, body(message, limits)?) {
        (Some(to), Some(text)) => Ok(Request::Direct { to, speech: speech(message, text)? }),
        _ => Err(TARGET_AND_MESSAGE_REQUIRED),
    }
}

fn speech<'a>(message: Fields<'_, 'a>, text: &'a str) -> Result<Speech<'a>, Refusal> {
    Ok(Speech { request: request(message, "id")?, ..Speech::plain(text) })
}

fn join<'a>(message: Fields<'_, 'a>) -> Result<Request<'a>, Refusal> {
    let room = name(message, "room")?.ok_or(ROOM_REQUIRED)?;
    let (password, since) = (message.text("password")?, since(message)?);
    Ok(Request::Join { place: Address::Room(room), password, username: None, since })
}

fn acknowledge<'a>(message: Fields<'_, 'a>) -> Result<Request<'a>, Refusal> {
    let id = message.text("id")?.and_then(MessageId::parse);
    id.map(Request::Acknowledge).ok_or_else(|| must_be("id", "the id of a message"))
}

fn presence<'a>(message: Fields<'_, 'a>) -> Result<Request<'a>, Refusal> {
    let status = message.text("status")?.map_or(Some(Status::Online), Status::parse);
    let words = "one of online, away, busy, offline";
    let status = status.ok_or_else(|| must_be("status", words))?;
    Ok(Request::SetPresence { user: None, status: Some(status), message: None, location: None })
}

/// The settings stand in an object of their own or beside the name; the object's count more.
fn create_room<'a>(message: Fields<'_, 'a>) -> Result<Request<'a>, Refusal> {
    let room = match name(message, "room")? {
        Some(room) => room,
        None => name(message, "name")?.ok_or(ROOM_REQUIRED)?,
    };
    let mut settings = RoomSettings::default();
    for place in [Some(message), message.object("settings")?].into_iter().flatten() {
        settings.max_members = place.count("max_members")?.unwrap_or(settings.max_members);
        settings.public = place.flag("public")?.unwrap_or(settings.public);
        settings.moderated = place.flag("moderated")?.unwrap_or(settings.moderated);
        if let Some(password) = place.text("password")? {
            settings.password = Some(new_password(password)?.into());
        }
    }
    Ok(Request::CreateRoom { room, settings })
}

/// An empty password is more likely a slip than a wish, and would look like protection.
fn new_password(password: &str) -> Result<&str, Refusal> {
    match password.len() {
        0 => Err(must_be("password", "null or a non-empty string")),
        1..=MAX_NAME_BYTES => Ok(password),
        len => Err(too_long("password", len)),
    }
}

/// The text of a message; empty counts as absent.
fn body<'a>(message: Fields<'_, 'a>, limits: &Limits) -> Result<Option<&'a str>, Refusal> {
    let text = message.text("message")?.filter(|text| !text.is_empty());
    let raw = text.map_or(0, str::len);
    if !exceeds(raw.saturating_mul(HTML_GROWTH_MAX), limits.max_text) {
        // Fits however it is escaped: most messages need no counting.
        return Ok(text);
    }
    let len = text.map_or(0, html_len);
    if exceeds(len, limits.max_text) {
        let said = format!(
            "Field \"message\" has {len} bytes after HTML escaping, at most {} are allowed",
            limits.max_text
        );
        return Err(Refusal::with(Code::TooLarge, said));
    }
    Ok(text)
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
