//! What subscribers are told.

use std::sync::Arc;

use super::{Cause, ConnKey, Dialect, Message, MessageId, Notification, Presence, Status};

/// Something that happened in a channel or a realm. A dialect that has no words for one is told nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody spoke in a channel.
    Message(Message),
    /// A message for one user, whichever device.
    Direct(Message),
    /// Somebody became a member. `username` is what they call themselves.
    Joined { room: Arc<str>, user: Arc<str>, username: Option<Arc<str>>, at_ms: u64 },
    /// A member is gone.
    Left { room: Arc<str>, user: Arc<str>, username: Option<Arc<str>>, at_ms: u64 },
    /// A user's availability changed.
    Presence { presence: Presence, cause: Cause },
    /// Follows [`Event::Presence`] when the user itself chose another status (ruling N12).
    StatusChanged { user: Arc<str>, status: Status, at_ms: u64 },
    /// Somebody writes, or stopped. `room`: those in it are told; `None`: the user `to` is.
    Typing(Typing),
    /// A member has read a message.
    Read { room: Arc<str>, message: MessageId, user: Arc<str>, at_ms: u64 },
    /// The author gave a message another text.
    Edited { room: Arc<str>, message: MessageId, user: Arc<str>, text: Box<str>, at_ms: u64 },
    /// The author took a message back.
    Deleted { room: Arc<str>, message: MessageId, user: Arc<str>, at_ms: u64 },
    /// A user, or everybody, is told something.
    Notification(Arc<Notification>),
    /// A user has seen a notification on one of its devices.
    NotificationRead { id: MessageId, at_ms: u64 },
    /// A user threw away one notification, or all.
    NotificationCleared { id: Option<MessageId>, at_ms: u64 },
    /// A frame made for one dialect; the others have no words for it.
    Custom { dialect: Dialect, json: Box<str> },
}

impl Event {
    /// What has an id of its own: messages and notifications.
    pub fn id(&self) -> Option<MessageId> {
        match self {
            Self::Message(m) | Self::Direct(m) => Some(m.id),
            Self::Notification(n) => Some(n.id),
            _ => None,
        }
    }

    /// The dialects that have words for it, a bit each by [`Dialect::index`]: what is for one user waits until a
    /// device is there that can say it. Exact for what may wait so; all dialects for the rest, which does not.
    pub fn said_by(&self) -> u8 {
        const fn bits(dialects: &[Dialect]) -> u8 {
            let (mut mask, mut n) = (0, 0);
            while n < dialects.len() {
                mask |= 1 << dialects[n].index();
                n += 1;
            }
            mask
        }
        match self {
            Self::Direct(_) => const { bits(&[Dialect::Sge, Dialect::Tusk]) },
            Self::Notification(_) => const { bits(&[Dialect::Sge, Dialect::Nexus, Dialect::Aegisx]) },
            Self::Custom { dialect, .. } => 1 << dialect.index(),
            _ => u8::MAX,
        }
    }
}

/// What is told of somebody who writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typing {
    /// The room it is written in; `None`: it is written to `to`.
    pub room: Option<Arc<str>>,
    /// The user it is written to; empty in a room.
    pub to: Arc<str>,
    pub user: Arc<str>,
    pub username: Option<Arc<str>>,
    pub on: bool,
    pub at_ms: u64,
}

/// Who of those that an event is for is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Except {
    Nobody,
    Connection(ConnKey),
    /// All connections of that user.
    User(Arc<str>),
    /// Connections that are in the topic of that id: they hear it there (ruling A5).
    Listeners(Arc<str>),
}
