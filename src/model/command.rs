//! What a client or a REST call asks a channel's home to do.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    ChannelId, ChannelName, Contact, Detail, Dialect, Event, Except, Message, MessageId, Notification,
    Principal, RealmId, ReplyTo, RoomSettings, Showing, Since, Variant, Wording,
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
    /// What the client calls this request, as JSON; its answer says it back (SGE-10).
    pub tag: Option<Arc<str>>,
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
        manner: JoinManner,
        username: Option<Arc<str>>,
        /// What came after it is told first.
        since: Option<Since>,
        /// It is one already, and only asks where things are.
        again: bool,
    },
    /// Stop being one. Sent for every membership when a connection ends (`quiet`: nobody waits for an answer).
    Leave {
        variant: Variant,
        quiet: bool,
        username: Option<Arc<str>>,
    },
    /// Say something; `member` is the sender's own shard's word for it.
    Publish {
        /// For whom, if not for the asker: only a service may.
        from: Option<Arc<str>>,
        text: Box<str>,
        detail: Option<Box<Detail>>,
        member: bool,
        echo: Echo,
        /// Whether the sender is told that somebody else heard it (NEX-23).
        confirm: bool,
        /// What the sender calls it: said twice, it is heard once.
        request: Option<Arc<str>>,
    },
    /// Somebody writes, or stopped. Counts as stopped after so many milliseconds.
    Typing {
        on: bool,
        /// As in [`Op::Publish`].
        from: Option<Arc<str>>,
        username: Option<Arc<str>>,
        for_ms: u64,
    },
    /// The asker has read that message.
    Read {
        message: MessageId,
    },
    /// The author gives that message another text.
    Edit {
        message: MessageId,
        text: Box<str>,
    },
    /// The author takes that message back.
    Delete {
        message: MessageId,
    },
    /// Hand a ready event to all members but those left out.
    Announce {
        event: Event,
        except: Except,
    },
    /// Hand a ready event to everybody of a realm: of one tenant, or of all.
    AnnounceAll {
        realm: RealmId,
        tenant: Option<Arc<str>>,
        event: Event,
    },
    /// Make a room that stays when it is empty.
    CreateRoom {
        settings: RoomSettings,
    },
    DescribeRoom,
    /// The asker is one of the conversation no more, present or not.
    Forsake,
    /// The asking connection, a member, speaks for another user now; `None`: before, it was a guest.
    Rename {
        from: Option<Arc<str>>,
    },
    /// Who is in a room.
    ListMembers,
    /// Asks whether the shard is there.
    Probe,
    ListRooms {
        realm: RealmId,
        tenant: Arc<str>,
    },
    /// Users of a realm's tenant: those online, or, when some are named, what is known of each of them.
    ListUsers {
        realm: RealmId,
        tenant: Arc<str>,
        of: Option<Arc<[Arc<str>]>>,
    },
    /// The receiving shard's connections of a dialect, by tenant and by channel (AEG-18).
    CountConnections {
        dialect: Dialect,
    },
    /// End the connection of that id, if it is on the receiving shard (AEG-03).
    Disconnect {
        connection: Uuid,
    },
    /// A device of the user is there; `rooms` are those it is in already.
    Attach {
        variant: Variant,
        rooms: Vec<Arc<str>>,
        /// As in [`Op::Join`].
        since: Option<Since>,
    },
    /// What waited has been written to the device's socket.
    Settle,
    /// Where in the user's channel things are; the client calls it so.
    Locate {
        wording: Wording,
    },
    /// What a channel's log has.
    History(Box<HistoryQuery>),
    /// Messages in the user's own conversations that have all of these words, the newest first.
    Search {
        words: Box<str>,
        limit: usize,
    },
    /// A device is gone, and with it its claims.
    Detach {
        variant: Variant,
        rooms: Vec<Arc<str>>,
    },
    /// Take one of the user's places in rooms, before joining one.
    Claim {
        room: Arc<str>,
        manner: JoinManner,
    },
    /// Give it back. `for_good`: the user is no longer one of the conversation, on whichever device.
    Release {
        room: Arc<str>,
        for_good: bool,
    },
    /// Take one message of the user's sliding window, before saying something.
    Grant {
        limit: u32,
        window_ms: u64,
    },
    /// A message that was granted was not said after all.
    GiveBack,
    SetPresence {
        showing: Showing,
    },
    /// How the user was, newest first (SGE-48).
    PresenceHistory,
    /// A message for the user whose channel this is.
    SendDirect {
        text: Box<str>,
        detail: Option<Box<Detail>>,
        /// As in [`Op::Publish`].
        request: Option<Arc<str>>,
    },
    /// A message from the user whose channel this is to another one: its own devices hear it first, in the
    /// order of all that they hear (SGE-23), and its home has it sent on.
    SendFrom {
        to: Arc<str>,
        text: Box<str>,
        detail: Option<Box<Detail>>,
        /// As in [`Op::Publish`].
        request: Option<Arc<str>>,
    },
    /// A message that its sender's home has sent on, and that waits in the store till this one has it.
    Receive {
        message: Box<Message>,
    },
    /// Something a room said while the user was away: kept, or told if it is back. It waits in the store.
    Keep {
        event: Arc<Event>,
        /// Its number in the room.
        seq: u64,
        /// As in [`super::Waiting`], in milliseconds since 1970.
        since_ms: u64,
        /// The message whose sender is to be told when it arrives.
        confirm: Option<(MessageId, Arc<str>)>,
    },
    /// Tell the user something.
    Notify {
        notification: Arc<Notification>,
        /// It waits in the store till the user's home has it.
        transit: bool,
    },
    NotificationRead {
        id: MessageId,
    },
    /// `None`: all.
    NotificationClear {
        id: Option<MessageId>,
    },
    /// The user has that message.
    Acknowledge {
        id: MessageId,
    },
    RosterGet,
    RosterUpdate {
        contact: Contact,
    },
    RosterRemove {
        user: Arc<str>,
    },
}

/// Which part of what was said somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Behind this number.
    pub after: u64,
    /// In a user's channel: only what was said to and by that user.
    pub with: Option<Arc<str>>,
    /// At most so many messages.
    pub limit: usize,
}

/// How somebody becomes a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinManner {
    /// The others are told (T1).
    Open,
    /// By speaking: nobody is told, and the user stays one of the conversation when it is away (NEX-26).
    Standing,
    /// Nobody is told.
    Quiet,
}

/// Whether the one who speaks hears it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// As one of the members, if it is one (T4).
    Member,
    /// Also when it is none (ruling G7).
    Always,
    /// Not on the connection it speaks over (AEG-49).
    Never,
}
