//! What is kept of what happened: the changes a command has the store make, and what the store answers.
//!
//! A request is a few records that are made all or not at all. Homes write them in the core's words; how they
//! become rows is the store's business.

use std::sync::Arc;

use super::{ChannelName, Contact, Event, MessageId, Presence, Priority, RoomSettings};

/// The number of a request to the store. Each shard counts its own, from 1.
pub type Ticket = u64;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The next event of a channel, which the store numbers. At most one in a request. `request`: what its sender
    /// calls it, in that channel; seen before, the whole request is not done again.
    Append { channel: ChannelName, event: Event, request: Option<Arc<str>> },
    /// A message of the channel reads so now (`None`: it was taken back), if it is there and `by` said it; if not,
    /// nothing of the request is done.
    Amend { channel: ChannelName, message: MessageId, by: Arc<str>, text: Option<Box<str>> },
    /// A user has read that message and all before it, if the message is there; if not, nothing of the request is
    /// done. Of each user the newest is kept.
    Receipt { channel: ChannelName, receipt: Receipt },
    /// Something waits for a user.
    Queue { user: ChannelName, waiting: Box<Waiting> },
    /// What has these ids waits no more.
    Unqueue { user: ChannelName, ids: Vec<MessageId> },
    /// This is known of a channel; what was known of that kind and name before is replaced.
    Know { channel: ChannelName, fact: Fact },
    /// This is known no more.
    Forget { channel: ChannelName, key: FactKey },
}

/// Who has read how far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub user: Arc<str>,
    pub message: MessageId,
    pub at_ms: u64,
}

/// Something that waits for a user; known by its event's id ([`Event::id`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub event: Event,
    /// Its number in the channel it belongs to; 0: that of what the same request appends before it, if it does.
    pub seq: u64,
    /// Written by another home for this user's; that one has not taken it in yet.
    pub transit: bool,
    pub priority: Priority,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
}

/// What is known of a channel across restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A room that was made by hand.
    Room { settings: RoomSettings, creator: Option<Arc<str>> },
    /// A user's contact.
    Contact(Contact),
    /// A conversation a user is one of, also while it is away.
    Standing(Arc<str>),
    /// How a user was, newest first.
    Presence(Vec<Presence>),
}

/// Which fact is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactKey {
    Room,
    Contact(Arc<str>),
    Standing(Arc<str>),
    Presence,
}

impl Fact {
    pub fn key(&self) -> FactKey {
        match self {
            Self::Room { .. } => FactKey::Room,
            Self::Contact(contact) => FactKey::Contact(contact.user.clone()),
            Self::Standing(room) => FactKey::Standing(room.clone()),
            Self::Presence(_) => FactKey::Presence,
        }
    }
}

/// What the store says of a request to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it is durable. `seq`: the number of what was appended; 0: nothing was.
    Done { seq: u64 },
    /// Nothing was done: what was to be appended is there, under that number and id.
    Again { seq: u64, message: MessageId },
    /// Nothing was done: there is no such message.
    NoMessage,
    /// Nothing was done: somebody else said it.
    NotTheAuthor,
    /// Nothing was done: the store cannot write.
    Failed,
}

/// What is asked of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// A channel's events behind a number.
    Log(LogQuery),
    /// All that is known of a channel: a user's facts, or a room's, with those who are one of the conversation as
    /// [`Fact::Standing`] of their names.
    Facts(ChannelName),
    /// Messages in these channels with all of these words, the newest first; at most so many.
    Search { channels: Vec<ChannelName>, words: Box<str>, limit: usize },
}

/// Which part of a channel's log is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    pub channel: ChannelName,
    pub after: u64,
    /// Only messages of and for that user.
    pub with: Option<Arc<str>>,
    /// Messages alone, as they read now; else all events.
    pub messages: bool,
    /// At most so many, from the oldest on; 0: none, only how far the log goes.
    pub limit: usize,
    /// At most so many bytes of text and data, but one event in any case.
    pub bytes: usize,
    /// At most so many receipts, the newest ones.
    pub receipts: usize,
}

/// A part of a channel's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The highest number given out in the channel; 0: none.
    pub head: u64,
    /// From this number on, all that was appended is there still; one beyond `head` when nothing is.
    pub first: u64,
    /// Numbers and events, in order.
    pub events: Vec<(u64, Event)>,
    /// There are more.
    pub more: bool,
    /// Who has read how far; of each user the newest.
    pub receipts: Vec<Receipt>,
}

/// One message that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub channel: ChannelName,
    pub seq: u64,
    pub event: Event,
}

/// An answer of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Written(Outcome),
    Page(Page),
    Found(Vec<Found>),
    Facts(Vec<Fact>),
    /// The store cannot read.
    Unreadable,
}

/// What a home finds when it begins: something kept for one of its channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    Fact(Fact),
    Waiting(Waiting),
}
