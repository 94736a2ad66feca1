//! From events and replies to the text of a frame. Everything is appended; nothing is overwritten.
//!
//! Only the text of messages is HTML-escaped, here and nowhere else, so that it happens once (ruling T7).

use bytes::BytesMut;

use super::escape::{html, json};
use crate::model::{ConnKey, Dialect, Event, Principal, Reply};

/// A key with its punctuation, so that it is copied in one piece. Keys are ours and need no escape.
macro_rules! key {
    ($key:literal) => {
        concat!(",\"", $key, "\":")
    };
}

/// Appends an event. `false`: Tusk has no words for it, and nothing was written.
pub fn encode_event(event: &Event, out: &mut BytesMut) -> bool {
    match event {
        Event::Message { room, from, text, at_ms } => room_message(room, from, text, *at_ms, out),
        Event::Joined { room, user } => membership("user_joined", room, user, out),
        Event::Left { room, user } => membership("user_left", room, user, out),
        Event::Presence { user, status, at_ms } => {
            let frame = Frame::begin("presence_update", out)
                .name(key!("userId"), user)
                .name(key!("status"), status.as_str());
            frame.at(at_ms / 1000).end();
        }
        Event::Direct { id, from, text, at_ms } => {
            let frame = Frame::begin("private_message", out).word(key!("id"), id).name(key!("from"), from);
            frame.message(text).at(at_ms / 1000).end();
        }
        Event::Custom { dialect: Dialect::Tusk, json } => out.extend_from_slice(json.as_bytes()),
        Event::Custom { .. } => return false,
    }
    true
}

/// Appends a reply. `false`: Tusk says nothing to it, and nothing was written.
pub fn encode_reply(reply: &Reply, out: &mut BytesMut) -> bool {
    match reply {
        Reply::Joined { room, .. } => Frame::begin("room_joined", out).name(key!("room"), room).end(),
        Reply::Left { room } => Frame::begin("room_left", out).name(key!("room"), room).end(),
        Reply::Room { info, created: true } => {
            Frame::begin("room_created", out).name(key!("room"), &info.name).end()
        }
        // The document's createRoom answers false (TUS-24).
        Reply::Room { created: false, .. } => error("Room already exists", out),
        Reply::Sent { to, id, queued } => {
            let frame = Frame::begin("message_sent", out).name(key!("to"), to).word(key!("id"), id);
            if *queued { frame.yes(key!("queued")).end() } else { frame.end() }
        }
        Reply::Delivered { id } => Frame::begin("message_delivered", out).word(key!("id"), id).end(),
        Reply::Refused(refusal) | Reply::Denied(refusal) => error(&refusal.text, out),
        Reply::TellRooms { .. }
        | Reply::Attached { .. }
        | Reply::Claimed { .. }
        | Reply::Rooms(_)
        | Reply::Done => return false,
    }
    true
}

fn room_message(room: &str, from: &str, text: &str, at_ms: u64, out: &mut BytesMut) {
    // One growth at most unless much is escaped: 96 bytes are the rest of the frame.
    out.reserve(room.len() + from.len() + text.len() + 96);
    Frame::begin("room_message", out)
        .name(key!("room"), room)
        .message(text)
        .name(key!("from"), from)
        .at(at_ms / 1000)
        .end();
}

fn membership(kind: &'static str, room: &str, user: &str, out: &mut BytesMut) {
    Frame::begin(kind, out).name(key!("room"), room).name(key!("userId"), user).end();
}

/// Appends `error`: type and message and nothing else (TUS-23).
pub fn error(text: &str, out: &mut BytesMut) {
    Frame::begin("error", out).name(key!("message"), text).end();
}

/// Appends `auth_success` (TUS-07). A credential without a username shows the user's id;
/// `permissions` is there only if the credential had it (ruling T14).
pub fn auth_success(principal: &Principal, out: &mut BytesMut) {
    let username = principal.username.as_ref().unwrap_or(&principal.user);
    let frame = Frame::begin("auth_success", out).name(",\"user\":{\"id\":", &principal.user);
    let frame = frame.name(key!("username"), username).names(key!("roles"), &principal.roles);
    match &principal.permissions {
        Some(permissions) => frame.names(key!("permissions"), permissions).close().end(),
        None => frame.close().end(),
    }
}

/// Appends `auth_failed` (TUS-08).
pub fn auth_failed(out: &mut BytesMut) {
    Frame::begin("auth_failed", out).name(key!("message"), "Invalid token").end();
}

/// Appends `pong` (TUS-22). Seconds since 1970.
pub fn pong(at_secs: u64, out: &mut BytesMut) {
    Frame::begin("pong", out).at(at_secs).end();
}

/// Appends `welcome` (ruling T2). The id is a string: it has more bits than a JavaScript number.
pub fn welcome(connection: ConnKey, at_secs: u64, out: &mut BytesMut) {
    Frame::begin("welcome", out).word(key!("connectionId"), connection).at(at_secs).end();
}

/// Appends `batch` (TUS-64), around payloads that are JSON already, in their order.
pub fn batch<'p>(payloads: impl IntoIterator<Item = &'p [u8]>, at_secs: u64, out: &mut BytesMut) {
    let frame = Frame::begin("batch", out).key(key!("messages"));
    frame.0.extend_from_slice(b"[");
    for (n, payload) in payloads.into_iter().enumerate() {
        if n > 0 {
            frame.0.extend_from_slice(b",");
        }
        frame.0.extend_from_slice(payload);
    }
    frame.0.extend_from_slice(b"]");
    frame.at(at_secs).end();
}

/// An object being written. Keys come from `key!`.
struct Frame<'o>(&'o mut BytesMut);

impl<'o> Frame<'o> {
    fn begin(kind: &'static str, out: &'o mut BytesMut) -> Self {
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\"");
        Self(out)
    }

    fn key(self, key: &'static str) -> Self {
        self.0.extend_from_slice(key.as_bytes());
        self
    }

    fn quoted(self, write: impl FnOnce(&mut BytesMut)) -> Self {
        self.0.extend_from_slice(b"\"");
        write(self.0);
        self.0.extend_from_slice(b"\"");
        self
    }

    /// A string that is shown as it is.
    fn name(self, key: &'static str, value: &str) -> Self {
        self.key(key).quoted(|out| json(value, out))
    }

    /// The text of a message.
    fn message(self, text: &str) -> Self {
        self.key(key!("message")).quoted(|out| html(text, out))
    }

    /// Something whose text has only letters and digits.
    fn word(self, key: &'static str, value: impl std::fmt::Display) -> Self {
        use std::fmt::Write;
        self.key(key).quoted(|out| write!(out, "{value}").expect("a BytesMut grows"))
    }

    fn names(self, key: &'static str, values: &[String]) -> Self {
        let mut frame = self.key(key);
        frame.0.extend_from_slice(b"[");
        for (n, value) in values.iter().enumerate() {
            if n > 0 {
                frame.0.extend_from_slice(b",");
            }
            frame = frame.quoted(|out| json(value, out));
        }
        frame.0.extend_from_slice(b"]");
        frame
    }

    fn yes(self, key: &'static str) -> Self {
        let frame = self.key(key);
        frame.0.extend_from_slice(b"true");
        frame
    }

    fn at(self, secs: u64) -> Self {
        let frame = self.key(key!("timestamp"));
        frame.0.extend_from_slice(itoa::Buffer::new().format(secs).as_bytes());
        frame
    }

    /// The end of an object within this one.
    fn close(self) -> Self {
        self.0.extend_from_slice(b"}");
        self
    }

    fn end(self) {
        self.0.extend_from_slice(b"}");
    }
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
