//! From events and sayings to the text of a frame. Everything is appended; nothing is overwritten.
//!
//! Chat messages, rooms' broadcasts and notifications are said twice, flat and within `data`: the document shows no
//! frame of the server's, and clients written for either form find theirs (ruling N3). All else is flat.

use bytes::BytesMut;

use crate::dialect::object::{Object, key};
use crate::dialect::{Aside, Saying};
use crate::model::{
    Address, Cause, Dialect, Event, Kind, Manner, Message, MessageId, Notification, Presence, Status, Typing,
};

/// Appends an event, with its number if it is to be told. `false`: NEXUS has no words for it, and nothing was written.
pub fn encode_event(event: &Event, seq: Option<u64>, out: &mut BytesMut) -> bool {
    let frame = match event {
        Event::Message(m) if m.kind == Kind::Room => match m.manner() {
            Manner::Broadcast => broadcast(m, out),
            Manner::Talk | Manner::Persona => chat(m, out),
        },
        Event::Joined { room, user, username, at_ms } => {
            membership("room.join", room, user, username.as_deref(), *at_ms, out)
        }
        Event::Left { room, user, username, at_ms } => {
            membership("room.leave", room, user, username.as_deref(), *at_ms, out)
        }
        Event::Presence { presence, cause } => self::presence(presence, *cause, out),
        Event::StatusChanged { user, status, at_ms } => {
            short_presence(presence_event(*status), user, *status, *at_ms, out)
        }
        Event::Typing(Typing { room: Some(room), user, username, on, at_ms, .. }) => {
            let frame =
                begin("chat.typing", out).name(key!("conversation_id"), room).name(key!("user_id"), user);
            let frame = optional_username(frame, username.as_deref()).flag(key!("is_typing"), *on);
            frame.iso_millis(key!("timestamp"), *at_ms)
        }
        Event::Read { room, message, user, at_ms } => {
            let frame = about_message("chat.read", room, *message, user, out);
            frame.iso_millis(key!("read_at"), *at_ms).iso_millis(key!("timestamp"), *at_ms)
        }
        Event::Edited { room, message, user, text, at_ms } => {
            let frame = about_message("chat.edit", room, *message, user, out).name(key!("sender_id"), user);
            let frame = frame.name(key!("content"), text).iso_millis(key!("edited_at"), *at_ms);
            frame.iso_millis(key!("timestamp"), *at_ms)
        }
        Event::Deleted { room, message, user, at_ms } => {
            let frame = about_message("chat.delete", room, *message, user, out).name(key!("sender_id"), user);
            frame.iso_millis(key!("deleted_at"), *at_ms).iso_millis(key!("timestamp"), *at_ms)
        }
        Event::Notification(n) => notification(n, out),
        Event::NotificationRead { id, at_ms } => {
            let frame = begin("notification.read", out).word(key!("notification_id"), id);
            frame.iso_millis(key!("timestamp"), *at_ms)
        }
        Event::NotificationCleared { id, at_ms } => {
            let frame = begin("notification.clear", out);
            let frame = match id {
                Some(id) => frame.word(key!("notification_id"), id),
                None => frame.raw(key!("notification_id"), "null"),
            };
            frame.iso_millis(key!("timestamp"), *at_ms)
        }
        // A private message of another dialect: here people meet in conversations.
        Event::Message(_) | Event::Direct(_) | Event::Typing(_) | Event::Custom { .. } => return false,
    };
    frame.seq(seq).end();
    true
}

/// Appends what one connection is told. `false`: NEXUS says nothing to it, and nothing was written.
pub fn encode_saying(saying: &Saying<'_>, aside: &Aside<'_>, out: &mut BytesMut) -> bool {
    let frame = match *saying {
        Saying::Welcome { connection, user, position } => {
            let frame = begin("system.message", out).name(key!("message"), "Connected to NEXUS");
            let frame = frame.name(key!("user_id"), user).word(key!("connection_id"), connection);
            frame.position(position)
        }
        Saying::Ping => begin("ping", out),
        Saying::Pong => begin("pong", out),
        Saying::Joined { place: Address::Room(room), position } => {
            let frame = begin("room.join", out).name(key!("room_id"), room);
            own(frame, aside).word(key!("status"), "joined").position(position)
        }
        Saying::Gap { place, position } => {
            let (key, id) = match place {
                Address::Room(room) => (key!("room_id"), room),
                Address::Conversation(conversation) => (key!("conversation_id"), conversation),
                Address::Inbox(user) | Address::Chat(user) => (key!("user_id"), user),
                _ => return false,
            };
            begin("system.gap", out).name(key, id).position(position)
        }
        // One who joined by speaking leaves with the only word there is.
        Saying::Left(Address::Room(room) | Address::Conversation(room)) => {
            let frame = begin("room.leave", out).name(key!("room_id"), room);
            own(frame, aside).word(key!("status"), "left")
        }
        Saying::Delivered { id, room: Some(room), at_ms } => {
            let frame = begin("chat.delivered", out).word(key!("message_id"), id);
            frame.name(key!("conversation_id"), room).iso_millis(key!("delivered_at"), at_ms)
        }
        Saying::Refused { refusal, .. } => {
            let frame = begin("error", out).name(key!("message"), &refusal.text);
            frame.word(key!("code"), refusal.code.name())
        }
        // A conversation is joined by speaking, and the echo says so (ruling N2).
        _ => return false,
    };
    frame.iso_millis(key!("timestamp"), aside.at_ms).end();
    true
}

/// The members of the room hear it of the user, and so does the user.
fn own<'o>(frame: Object<'o>, aside: &Aside<'_>) -> Object<'o> {
    if aside.user.is_empty() { frame } else { frame.name(key!("user_id"), aside.user) }
}

fn begin<'o>(kind: &'static str, out: &'o mut BytesMut) -> Object<'o> {
    Object::begin(key!(first "event_type"), kind, out)
}

fn optional_username<'o>(frame: Object<'o>, username: Option<&str>) -> Object<'o> {
    match username {
        Some(username) => frame.name(key!("username"), username),
        None => frame,
    }
}

fn chat<'o>(m: &Message, out: &'o mut BytesMut) -> Object<'o> {
    // One growth at most unless much is escaped: 448 bytes are the rest of the frame.
    let relayed = m.verbatim(Dialect::Nexus).map_or(0, str::len);
    out.reserve(m.from.len() + 2 * (m.place.len() + m.text.len() + relayed) + 448);
    let frame = chat_words(begin("chat.message", out).word(key!("message_id"), m.id), m);
    let frame = frame.name(key!("sender_id"), &m.from).iso_millis(key!("timestamp"), m.at_ms);
    chat_words(frame.open(key!("data")).word(key!(first "message_id"), m.id), m).close()
}

fn chat_words<'o>(frame: Object<'o>, m: &Message) -> Object<'o> {
    let frame = frame.name(key!("conversation_id"), &m.place).name(key!("content"), &m.text);
    let frame = match m.verbatim(Dialect::Nexus) {
        Some(members) => frame.members(members),
        None => {
            let mentions = m.detail.as_deref().map_or(&[][..], |detail| &detail.mentions);
            let frame = frame.word(key!("content_type"), "text").names(key!("mentions"), mentions);
            frame.raw(key!("attachments"), "[]")
        }
    };
    if m.manner() == Manner::Persona { frame.flag(key!("is_ai"), true) } else { frame }
}

fn broadcast<'o>(m: &Message, out: &'o mut BytesMut) -> Object<'o> {
    let frame = broadcast_words(begin("room.broadcast", out).word(key!("message_id"), m.id), m);
    let frame = frame.name(key!("sender_id"), &m.from).name(key!("user_id"), &m.from);
    let frame = frame.iso_millis(key!("timestamp"), m.at_ms).open(key!("data"));
    broadcast_words(frame.word(key!(first "message_id"), m.id), m).close()
}

fn broadcast_words<'o>(frame: Object<'o>, m: &Message) -> Object<'o> {
    let frame = frame.name(key!("room_id"), &m.place);
    match m.verbatim(Dialect::Nexus) {
        Some(members) => frame.members(members),
        None => frame.name(key!("message"), &m.text).name(key!("content"), &m.text),
    }
}

fn membership<'o>(
    kind: &'static str,
    room: &str,
    user: &str,
    username: Option<&str>,
    at_ms: u64,
    out: &'o mut BytesMut,
) -> Object<'o> {
    let frame = begin(kind, out).name(key!("room_id"), room).name(key!("user_id"), user);
    optional_username(frame, username).iso_millis(key!("timestamp"), at_ms)
}

fn presence<'o>(presence: &Presence, cause: Cause, out: &'o mut BytesMut) -> Object<'o> {
    let Presence { user, status, at_ms, .. } = presence;
    match cause {
        Cause::Came => short_presence("presence.online", user, *status, *at_ms, out),
        Cause::Went => short_presence("presence.offline", user, *status, *at_ms, out),
        Cause::Said { .. } => {
            let frame = begin("presence.update", out).name(key!("user_id"), user);
            let frame = frame.word(key!("status"), status.as_str());
            let frame = frame.name_or_null(key!("status_message"), presence.message.as_deref());
            let frame = frame.name_or_null(key!("location"), presence.location.as_deref());
            frame.iso_millis(key!("timestamp"), *at_ms)
        }
    }
}

fn short_presence<'o>(
    kind: &'static str,
    user: &str,
    status: Status,
    at_ms: u64,
    out: &'o mut BytesMut,
) -> Object<'o> {
    let frame = begin(kind, out).name(key!("user_id"), user).word(key!("status"), status.as_str());
    frame.iso_millis(key!("timestamp"), at_ms)
}

const fn presence_event(status: Status) -> &'static str {
    match status {
        Status::Online => "presence.online",
        Status::Away => "presence.away",
        Status::Busy => "presence.busy",
        Status::Offline => "presence.offline",
    }
}

fn about_message<'o>(
    kind: &'static str,
    room: &str,
    message: MessageId,
    user: &str,
    out: &'o mut BytesMut,
) -> Object<'o> {
    let frame = begin(kind, out).name(key!("conversation_id"), room);
    frame.word(key!("message_id"), message).name(key!("user_id"), user)
}

fn notification<'o>(n: &Notification, out: &'o mut BytesMut) -> Object<'o> {
    let frame = notification_words(begin("notification", out).word(key!("notification_id"), n.id), n);
    let frame = frame.iso_millis(key!("timestamp"), n.at_ms).open(key!("data"));
    notification_words(frame.word(key!(first "notification_id"), n.id), n).close()
}

fn notification_words<'o>(frame: Object<'o>, n: &Notification) -> Object<'o> {
    let frame = frame.word(key!("id"), n.id).name(key!("title"), &n.title).name(key!("message"), &n.text);
    let frame = frame.name(key!("notification_type"), &n.level);
    let frame = frame.word(key!("priority"), n.priority.as_str());
    match &n.about {
        Some((conversation, message)) => {
            frame.name(key!("conversation_id"), conversation).word(key!("message_id"), message)
        }
        None => frame,
    }
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
