//! What subscribers are told.

use std::sync::Arc;

use super::{Dialect, MessageId, Status};

/// Something that happened in a channel or a realm. Text is as it was sent: what a dialect has to
/// escape, its encoder escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody spoke in a room.
    Message { room: Arc<str>, from: Arc<str>, text: Box<str>, at_ms: u64 },
    /// Somebody became a member.
    Joined { room: Arc<str>, user: Arc<str> },
    /// A member is gone.
    Left { room: Arc<str>, user: Arc<str> },
    /// A user's availability changed.
    Presence { user: Arc<str>, status: Status, at_ms: u64 },
    /// A message for one user, whichever device.
    Direct { id: MessageId, from: Arc<str>, text: Box<str>, at_ms: u64 },
    /// A frame that an extension made for one dialect; the others have no words for it.
    Custom { dialect: Dialect, json: Box<str> },
}
