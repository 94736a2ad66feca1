//! From events and sayings to the text of a frame: always flat, since the document's client reads them so (ruling
//! S1). Everything is appended; nothing is overwritten.

use std::borrow::Cow;

use bytes::BytesMut;

use super::relay;
use crate::dialect::object::{Object, key};
use crate::dialect::{Aside, Saying};
use crate::model::{Address, Contact, Dialect, Event, Kind, Message, Notification, Presence, Status, Typing};

/// Appends an event, with its number if it is to be told. `false`: SGE has no words for it, and nothing was written.
pub fn encode_event(event: &Event, seq: Option<u64>, out: &mut BytesMut) -> bool {
    let frame = match event {
        Event::Direct(m) => chat(m, "chat", out),
        Event::Message(m) if m.kind == Kind::Room => chat(m, "groupchat", out),
        Event::Typing(t) => typing(t, out),
        Event::Presence { presence, .. } => {
            let Presence { user, status, message, at_ms, .. } = presence;
            let frame = Object::typed("PresenceStatus", out).name(key!("user_id"), user);
            let frame = frame.word(key!("status"), status.as_str());
            let frame = frame.name_or_null(key!("status_message"), message.as_deref());
            frame.number(key!("timestamp"), at_ms / 1000)
        }
        Event::Notification(n) => notification(n, out),
        _ => return false,
    };
    frame.seq(seq).end();
    true
}

/// Appends what one connection is told, with the tag of what it said. `false`: SGE says nothing to it, and nothing
/// was written.
pub fn encode_saying(saying: &Saying<'_>, aside: &Aside<'_>, out: &mut BytesMut) -> bool {
    let frame = match *saying {
        Saying::Joined { place, position } => {
            Object::typed("Subscribed", out).name(key!("channel"), &channel(place)).position(position)
        }
        Saying::Gap { place, position } => {
            Object::typed("Gap", out).name(key!("channel"), &channel(place)).position(position)
        }
        Saying::Left(place) => Object::typed("Unsubscribed", out).name(key!("channel"), &channel(place)),
        Saying::Pong => Object::typed("Pong", out),
        Saying::AuthSuccess { who, position } => {
            Object::typed("Authenticated", out).name(key!("user_id"), &who.user).position(position)
        }
        Saying::AuthFailed => Object::typed("Error", out).word(key!("message"), "Invalid token"),
        Saying::Roster(contacts) => Object::typed("Roster", out).list(key!("contacts"), contacts, contact),
        Saying::Refused { refusal, .. } => Object::typed("Error", out).name(key!("message"), &refusal.text),
        // The document's client waits for no greeting and no receipt (rulings S3 and S4).
        _ => return false,
    };
    match aside.tag {
        Some(tag) => frame.raw(key!("id"), tag).end(),
        None => frame.end(),
    }
    true
}

fn chat<'o>(m: &Message, kind: &'static str, out: &'o mut BytesMut) -> Object<'o> {
    // One growth at most unless much is escaped: 160 bytes are the rest of the frame.
    let relayed = m.verbatim(Dialect::Sge).map_or(m.place.len() + m.text.len(), str::len);
    out.reserve(m.from.len() + relayed + 160);
    relay::write(m, kind, Object::typed("ChatMessage", out))
}

fn typing<'o>(t: &Typing, out: &'o mut BytesMut) -> Object<'o> {
    let to = t.room.as_deref().map_or(Cow::Borrowed(&*t.to), |room| channel(Address::Group(room)));
    let frame = Object::typed("Typing", out).name(key!("from"), &t.user).name(key!("to"), &to);
    frame.flag(key!("typing"), t.on)
}

fn notification<'o>(n: &Notification, out: &'o mut BytesMut) -> Object<'o> {
    let frame = Object::typed("Notification", out).name(key!("title"), &n.title);
    let frame = frame.name(key!("message"), &n.text).name(key!("level"), &n.level);
    let frame = match &n.channel {
        Some(channel) => frame.name(key!("channel"), channel),
        None => frame,
    };
    frame.number(key!("timestamp"), n.at_ms / 1000)
}

/// Appends one entry of a roster.
fn contact((contact, status): &(Contact, Status), out: &mut BytesMut) {
    let entry =
        Object::begin(key!(first "status"), status.as_str(), out).name(key!("user_id"), &contact.user);
    entry.name_or_null(key!("name"), contact.name.as_deref()).names(key!("groups"), &contact.groups).end();
}

/// The name that clients have for a channel, type and all.
fn channel(place: Address<'_>) -> Cow<'_, str> {
    let (kind, id) = match place {
        Address::Inbox(id) => ("user", id),
        Address::Chat(id) => ("chat", id),
        Address::Presence(id) => ("presence", id),
        Address::Group(id) | Address::Room(id) | Address::Conversation(id) | Address::Public(id) => {
            ("group", id)
        }
        Address::System => return Cow::Borrowed("system"),
        Address::Named(id) | Address::Tenant(id) | Address::Notifications(id) | Address::Foreign(id) => {
            return Cow::Borrowed(id);
        }
    };
    Cow::Owned(format!("{kind}:{id}"))
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
