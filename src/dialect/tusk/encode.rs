//! From events and replies to the text of a frame. Everything is appended; nothing is overwritten.
//!
//! Only the text of messages is HTML-escaped, here and nowhere else, so that it happens once (ruling T7).

use bytes::BytesMut;

use crate::dialect::object::{Object, key};
use crate::dialect::{Aside, Saying};
use crate::model::{Address, Event, Kind, Message, Principal};

/// Appends an event, with its number if it is to be told. `false`: Tusk has no words for it, and nothing was written.
pub fn encode_event(event: &Event, seq: Option<u64>, out: &mut BytesMut) -> bool {
    let frame = match event {
        Event::Message(m) if m.kind == Kind::Room => room_message(m, out),
        Event::Joined { room, user, .. } => membership("user_joined", room, user, out),
        Event::Left { room, user, .. } => membership("user_left", room, user, out),
        Event::Presence { presence, .. } => {
            let frame = Object::typed("presence_update", out)
                .name(key!("userId"), &presence.user)
                .name(key!("status"), presence.status.as_str());
            frame.number(key!("timestamp"), presence.at_ms / 1000)
        }
        Event::Direct(m) => {
            let frame = Object::typed("private_message", out).word(key!("id"), m.id);
            frame
                .name(key!("from"), &m.from)
                .html(key!("message"), &m.text)
                .number(key!("timestamp"), m.at_ms / 1000)
        }
        _ => return false,
    };
    frame.seq(seq).end();
    true
}

/// Appends what one connection is told. `false`: Tusk says nothing to it, and nothing was written.
pub fn encode_saying(saying: &Saying<'_>, aside: &Aside<'_>, out: &mut BytesMut) -> bool {
    let now = aside.at_ms / 1000;
    let frame = match *saying {
        Saying::Joined { place: Address::Room(room), position } => {
            Object::typed("room_joined", out).name(key!("room"), room).position(position)
        }
        Saying::Left(Address::Room(room)) => Object::typed("room_left", out).name(key!("room"), room),
        Saying::Gap { place: Address::Room(room), position } => {
            let frame = Object::typed("gap", out).name(key!("room"), room).position(position);
            frame.number(key!("timestamp"), now)
        }
        Saying::Gap { place: Address::Inbox(_) | Address::Chat(_), position } => {
            Object::typed("gap", out).position(position).number(key!("timestamp"), now)
        }
        Saying::RoomCreated { room } => Object::typed("room_created", out).name(key!("room"), room),
        // The document's createRoom answers false (TUS-24).
        Saying::RoomExists => error("Room already exists", out),
        Saying::Sent { to, id, queued } => {
            let frame = Object::typed("message_sent", out).name(key!("to"), to).word(key!("id"), id);
            if queued { frame.flag(key!("queued"), true) } else { frame }
        }
        Saying::Delivered { id, room: None, .. } => {
            Object::typed("message_delivered", out).word(key!("id"), id)
        }
        Saying::Welcome { connection, position, .. } => {
            let frame = Object::typed("welcome", out).word(key!("connectionId"), connection);
            frame.number(key!("timestamp"), now).position(position)
        }
        Saying::AuthSuccess { who, position } => auth_success(who, out).position(position),
        Saying::AuthFailed => Object::typed("auth_failed", out).name(key!("message"), "Invalid token"),
        Saying::Pong => Object::typed("pong", out).number(key!("timestamp"), now),
        Saying::Refused { refusal, .. } => error(&refusal.text, out),
        _ => return false,
    };
    frame.end();
    true
}

fn room_message<'o>(m: &Message, out: &'o mut BytesMut) -> Object<'o> {
    // One growth at most unless much is escaped: 128 bytes are the rest of the frame.
    out.reserve(m.place.len() + m.from.len() + m.text.len() + 128);
    Object::typed("room_message", out)
        .name(key!("room"), &m.place)
        .html(key!("message"), &m.text)
        .name(key!("from"), &m.from)
        .number(key!("timestamp"), m.at_ms / 1000)
}

fn membership<'o>(kind: &'static str, room: &str, user: &str, out: &'o mut BytesMut) -> Object<'o> {
    Object::typed(kind, out).name(key!("room"), room).name(key!("userId"), user)
}

/// Begins `error`: type and message and nothing else (TUS-23).
fn error<'o>(text: &str, out: &'o mut BytesMut) -> Object<'o> {
    Object::typed("error", out).name(key!("message"), text)
}

/// Begins `auth_success` (TUS-07). A credential without a username shows the user's id;
/// `permissions` is there only if the credential had it (ruling T14).
fn auth_success<'o>(principal: &Principal, out: &'o mut BytesMut) -> Object<'o> {
    let username = principal.username.as_ref().unwrap_or(&principal.user);
    let frame = Object::typed("auth_success", out).open(key!("user")).name(key!(first "id"), &principal.user);
    let frame = frame.name(key!("username"), username).names(key!("roles"), &principal.roles);
    match &principal.permissions {
        Some(permissions) => frame.names(key!("permissions"), permissions).close(),
        None => frame.close(),
    }
}

/// Appends `batch` (TUS-64), around payloads that are JSON already, in their order.
pub fn batch<'p>(payloads: impl IntoIterator<Item = &'p [u8]>, at_secs: u64, out: &mut BytesMut) {
    let payloads = payloads.into_iter();
    Object::typed("batch", out)
        .list(key!("messages"), payloads, |p, out| out.extend_from_slice(p))
        .number(key!("timestamp"), at_secs)
        .end();
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
