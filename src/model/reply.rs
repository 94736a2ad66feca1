//! What the one who asked is told: an event addressed to one connection or one REST call.

use std::sync::Arc;

use super::{ChannelId, ConnKey, Event, MessageId, Refusal, RoomInfo};

/// Where a reply goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplyTo {
    Connection(ConnKey),
    /// A REST call waiting on a shard.
    Call {
        shard: u16,
        ticket: u32,
        generation: u32,
    },
}

impl ReplyTo {
    /// The shard on which the one who asked lives.
    pub fn shard(self) -> u16 {
        match self {
            Self::Connection(key) => key.shard,
            Self::Call { shard, .. } => shard,
        }
    }

    /// The asking connection, if it was one.
    pub fn connection(self) -> Option<ConnKey> {
        match self {
            Self::Connection(key) => Some(key),
            Self::Call { .. } => None,
        }
    }
}

/// Answers, one kind per verb that has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Joined {
        channel: ChannelId,
        room: Arc<str>,
    },
    Left {
        room: Arc<str>,
    },
    /// The user's channel knows this device now; `over` are rooms for which the user has no place left.
    Attached {
        channel: ChannelId,
        over: Vec<Arc<str>>,
    },
    Claimed {
        room: Arc<str>,
    },
    /// The room exists now; `created` is false when it did before and nothing was changed.
    Room {
        info: RoomInfo,
        created: bool,
    },
    Rooms(Vec<RoomInfo>),
    /// The message is on its way, or waits for the user's next connection.
    Sent {
        to: Arc<str>,
        id: MessageId,
        queued: bool,
    },
    /// A message sent earlier has reached its user.
    Delivered {
        id: MessageId,
    },
    /// Nothing was done; the connection goes on.
    Refused(Refusal),
    /// The same for a verb whose answer the connection waits for (join, claim): told apart, because an
    /// answer to something it did not wait for may come in between.
    Denied(Refusal),
    /// The connection is to tell this to its rooms and its own user: too many are online to tell all.
    TellRooms {
        event: Box<Event>,
    },
    /// Done, and the dialect has nothing to say about it.
    Done,
}
