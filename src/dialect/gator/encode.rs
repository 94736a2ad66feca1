//! From events and sayings to the text of a frame. Everything is appended; nothing is overwritten.

use bytes::BytesMut;

use crate::dialect::object::{Object, key};
use crate::dialect::{Aside, Saying};
use crate::model::{Address, Cause, Event, Kind, Manner, Message, Status, Typing};

/// Appends an event, with its number if it is to be told; that of a message stands beside its id. `false`: Gator has no
/// words for it, and nothing was written.
pub fn encode_event(event: &Event, seq: Option<u64>, out: &mut BytesMut) -> bool {
    let frame = match event {
        Event::Message(m) if m.kind == Kind::Room => {
            new_message(m, seq, out);
            return true;
        }
        Event::Typing(Typing { room: Some(room), user, on, at_ms, .. }) => {
            let frame = Object::typed("typing_indicator", out).name(key!("conversation_id"), room);
            let frame = frame.name(key!("user_id"), user).flag(key!("is_typing"), *on);
            frame.iso_seconds(key!("timestamp"), *at_ms)
        }
        Event::Presence { presence, cause } => {
            let Some(online) = online(*cause, presence.status) else { return false };
            let frame = Object::typed("presence_update", out).name(key!("user_id"), &presence.user);
            frame.flag(key!("online"), online).iso_seconds(key!("timestamp"), presence.at_ms)
        }
        _ => return false,
    };
    frame.seq(seq).end();
    true
}

/// Appends what one connection is told. `false`: Gator says nothing to it, and nothing was written.
pub fn encode_saying(saying: &Saying<'_>, aside: &Aside<'_>, out: &mut BytesMut) -> bool {
    let frame = match *saying {
        Saying::Online { users, total, position } => {
            let frame = Object::typed("online_users", out).names(key!("users"), users);
            let frame = if total > users.len() {
                frame.flag(key!("truncated"), true).number(key!("total"), total as u64)
            } else {
                frame
            };
            frame.position(position)
        }
        Saying::Joined { place: Address::Conversation(id), position } => {
            let frame = Object::typed("conversation_joined", out).name(key!("conversation_id"), id);
            frame.position(position)
        }
        Saying::Gap { place: Address::Conversation(id), position } => {
            Object::typed("gap", out).name(key!("conversation_id"), id).position(position)
        }
        Saying::Gap { place: Address::Inbox(_) | Address::Chat(_), position } => {
            Object::typed("gap", out).position(position)
        }
        // The document has no answer to a leave, and its clients ignore types they do not know (ruling G4).
        Saying::Left(Address::Conversation(id)) => {
            Object::typed("conversation_left", out).name(key!("conversation_id"), id)
        }
        Saying::Refused { refusal, .. } => Object::typed("error", out).name(key!("message"), &refusal.text),
        _ => return false,
    };
    frame.iso_seconds(key!("timestamp"), aside.at_ms).end();
    true
}

/// Appends `new_message` (GAT-13). A message is told when it is said: both timestamps are the same.
fn new_message(m: &Message, seq: Option<u64>, out: &mut BytesMut) {
    // One growth at most unless much is escaped: 256 bytes are the rest of the frame.
    out.reserve(m.place.len() + m.from.len() + m.text.len() + 256);
    let frame = Object::typed("new_message", out).name(key!("conversation_id"), &m.place);
    let frame = frame.open(key!("message")).word(key!(first "id"), m.id).name(key!("sender_id"), &m.from);
    let frame = frame.name(key!("content"), &m.text).iso_seconds(key!("timestamp"), m.at_ms);
    let frame = frame.flag(key!("is_ai"), m.manner() == Manner::Persona).seq(seq).close();
    frame.iso_seconds(key!("timestamp"), m.at_ms).end();
}

/// What others are told; `None`: nothing, since Gator knows only who is there and who is not.
fn online(cause: Cause, status: Status) -> Option<bool> {
    match cause {
        Cause::Came => Some(true),
        Cause::Went => Some(false),
        Cause::Said { changed } => changed.then_some(status != Status::Offline),
    }
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
