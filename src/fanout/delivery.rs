//! What a delivery lane carries: one entry per interested shard, never per connection.

use std::sync::Arc;

use super::Frames;
use crate::model::{ChannelId, Command, ConnKey, Event, Except, RealmId, Reply, ReplyTo};

/// Handled to the end when it arrives: handling one sends nothing on any lane.
#[derive(Debug)]
pub enum Delivery {
    /// An event for the local members of a channel.
    Fanout { channel: ChannelId, except: Except, feed: Feed, frames: Frames },
    /// An event for every local connection of a realm, or of one tenant of it. `about`: the user it tells of.
    Realm { realm: RealmId, tenant: Option<Arc<str>>, about: Option<Arc<str>>, feed: Feed, frames: Frames },
    /// An answer for one connection or REST call.
    Reply { to: ReplyTo, tag: Option<Arc<str>>, reply: Reply },
    /// A command that the shard sends on when it delivers no more; `from` is not read on while it waits.
    Errand { from: Option<ConnKey>, command: Box<Command> },
    /// The local devices in a user's channel begin to watch that user's presence, or end it.
    Follow { channel: ChannelId, user: Arc<str>, on: bool },
}

/// What a connection may have chosen not to hear of what is for its user (SGE-15): one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feed(u8);

impl Feed {
    /// What nobody is asked about.
    pub const ALWAYS: Self = Self(0);
    /// What is said to and by the user.
    pub const CHAT: Self = Self(1);
    /// What the user is told.
    pub const INBOX: Self = Self(2);
    /// What everybody is told.
    pub const SYSTEM: Self = Self(4);

    /// The feed an event for one user belongs to.
    pub fn of(event: &Event) -> Self {
        match event {
            Event::Direct(_) => Self::CHAT,
            Event::Notification(_) => Self::INBOX,
            _ => Self::ALWAYS,
        }
    }

    pub fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub fn remove(&mut self, other: Self) {
        self.0 &= !other.0;
    }

    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}
