//! What the one who asked is told: an event addressed to one connection or one REST call.

use std::sync::Arc;

use super::{
    ChannelId, ConnKey, Contact, Event, Found, Kind, MessageId, Position, Presence, Refusal, RoomInfo,
    Wording,
};

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
    /// Nobody waits; what the command leads to is done by that shard.
    Nobody {
        shard: u16,
    },
}

impl ReplyTo {
    /// The shard on which the one who asked lives.
    pub fn shard(self) -> u16 {
        match self {
            Self::Connection(key) => key.shard,
            Self::Call { shard, .. } | Self::Nobody { shard } => shard,
        }
    }

    /// The asking connection, if it was one.
    pub fn connection(self) -> Option<ConnKey> {
        match self {
            Self::Connection(key) => Some(key),
            Self::Call { .. } | Self::Nobody { .. } => None,
        }
    }
}

/// Answers, one kind per verb that has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Joined {
        channel: ChannelId,
        kind: Kind,
        id: Arc<str>,
        begun: Option<Box<Begun>>,
    },
    Left {
        kind: Kind,
        id: Arc<str>,
    },
    /// The user's channel knows this device now; `over` are rooms for which the user has no place left,
    /// `follow` are channels that the device becomes a member of by itself.
    Attached {
        channel: ChannelId,
        over: Vec<Arc<str>>,
        follow: Vec<Follow>,
        begun: Option<Box<Begun>>,
    },
    /// What waited for the user of that channel, with numbers (0: none). Its home wants to know when it is written.
    Handed {
        channel: ChannelId,
        items: Vec<(u64, Arc<Event>)>,
    },
    Located {
        wording: Wording,
        position: Option<Position>,
    },
    /// Messages of a log and their numbers, in order. `next`: behind it there is more.
    History {
        events: Vec<(u64, Arc<Event>)>,
        next: Option<u64>,
    },
    Found(Vec<Found>),
    Claimed {
        room: Arc<str>,
    },
    /// The window had room for one message more.
    Granted,
    /// The room exists now; `created` is false when it did before and nothing was changed.
    Room {
        info: RoomInfo,
        created: bool,
    },
    Rooms(Vec<RoomInfo>),
    /// Who is in a room, each once; `total` says how many when not all are named.
    Members {
        users: Vec<Arc<str>>,
        total: usize,
    },
    /// Users that one shard knows; `total` says how many are online when not all are named.
    Users {
        users: Vec<Presence>,
        total: usize,
    },
    /// One shard's connections; channels by their names in AegisX, which alone asks.
    Counts {
        by_tenant: Vec<(Arc<str>, usize)>,
        by_channel: Vec<(Arc<str>, usize)>,
    },
    /// The message is on its way, or waits for the user's next connection.
    Sent {
        to: Arc<str>,
        id: MessageId,
        queued: bool,
    },
    /// A message sent earlier has reached its user, or somebody in the `room` it was said in.
    Delivered {
        id: MessageId,
        room: Option<Arc<str>>,
        at_ms: u64,
    },
    /// The user was told at once, or will be when it comes.
    Notified {
        delivered: bool,
    },
    /// What one has said oneself, where one is not a member.
    Heard {
        event: Arc<Event>,
        seq: u64,
    },
    Presences(Vec<Presence>),
    Roster(Vec<Contact>),
    /// Nothing was done; the connection goes on.
    Refused(Refusal),
    /// The same for a verb whose answer the connection waits for (join, claim, grant): told apart, because an
    /// answer to something it did not wait for may come in between.
    Denied(Refusal),
    /// Done, and the dialect has nothing to say about it.
    Done,
}

/// Where in a channel's order somebody begins to hear it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The last event before; `None` where events have no numbers.
    pub position: Option<Position>,
    /// It asked for what it missed, and that cannot be had.
    pub gap: bool,
    /// What it missed, in order.
    pub missed: Vec<(u64, Arc<Event>)>,
}

/// A channel that a device follows because its user does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Follow {
    /// A conversation its user is one of.
    Room(Arc<str>),
    /// How a contact of its user is.
    Presence(Arc<str>),
}
