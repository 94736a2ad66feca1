//! What a client or a REST call asks a channel's home to do.

use std::sync::Arc;

use super::{
    ChannelId, ChannelName, ConnKey, Event, MessageId, Principal, ReplyTo, RoomSettings, Status, Variant,
};

/// Which channel is meant: a member knows its place, everybody else its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Known(ChannelId),
    Named(ChannelName),
    /// Every channel of the receiving shard (listings).
    Shard,
}

/// Who asks, and where the answer goes.
#[derive(Clone, Debug)]
pub struct Origin {
    pub reply_to: ReplyTo,
    /// The name others are shown.
    pub user: Arc<str>,
    /// `None` for a guest.
    pub principal: Option<Arc<Principal>>,
}

/// One request to one home.
#[derive(Clone, Debug)]
pub struct Command {
    pub target: Target,
    pub origin: Origin,
    pub op: Op,
}

/// The verbs. Each is answered by at most one [`super::Reply`] and any number of events.
#[derive(Clone, Debug)]
pub enum Op {
    /// Become a member. The connection waits for the answer before it goes on.
    Join {
        variant: Variant,
        password: Option<Arc<str>>,
    },
    /// Stop being one. Sent for every membership when a connection ends (`quiet`: nobody waits for an answer).
    Leave {
        variant: Variant,
        quiet: bool,
    },
    /// Say something; `member` is the sender's own shard's word for it.
    Publish {
        text: Box<str>,
        member: bool,
    },
    /// Hand a ready event to all members but the one excluded (extensions).
    Announce {
        event: Event,
        exclude: Option<ConnKey>,
    },
    /// Make a room that stays when it is empty.
    CreateRoom {
        settings: RoomSettings,
    },
    DescribeRoom,
    /// Asks whether the shard is there.
    Probe,
    ListRooms {
        realm: super::RealmId,
        tenant: Arc<str>,
    },
    /// A device of the user is there; `rooms` are those it is in already.
    Attach {
        variant: Variant,
        rooms: Vec<Arc<str>>,
    },
    /// A device is gone, and with it its claims.
    Detach {
        variant: Variant,
        rooms: Vec<Arc<str>>,
    },
    /// Take one of the user's places in rooms, before joining one.
    Claim {
        room: Arc<str>,
    },
    /// Give it back.
    Release {
        room: Arc<str>,
    },
    SetPresence {
        status: Status,
    },
    /// A message for the user whose channel this is.
    SendDirect {
        text: Box<str>,
    },
    /// The user has that message.
    Acknowledge {
        id: MessageId,
    },
}
