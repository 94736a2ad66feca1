//! What one connection is told in answer, in the core's words; each dialect has its own for it, or none.

use std::sync::Arc;

use uuid::Uuid;

use crate::model::{Address, Contact, MessageId, Position, Principal, Refusal, Status};

/// What every saying may need besides its own words.
#[derive(Clone, Copy, Debug)]
pub struct Aside<'a> {
    /// What the client called its message, as JSON; said back (SGE-10).
    pub tag: Option<&'a str>,
    /// Whose connection it is; empty: nobody's.
    pub user: &'a str,
    /// The present, in milliseconds since 1970.
    pub at_ms: u64,
}

/// Something told to one connection and nobody else.
///
/// A `position` is that of the user's own channel or of the one that is joined. It is there on connections that want
/// positions; the others get the frames of their document and nothing more.
#[derive(Clone, Debug)]
pub enum Saying<'a> {
    /// The first words to a new connection.
    Welcome {
        connection: Uuid,
        user: &'a str,
        position: Option<Position>,
    },
    /// Who is online; where the dialect greets with it, these are the first words. `total`: how many there
    /// are, when they are more than those named.
    Online {
        users: &'a [Arc<str>],
        total: usize,
        position: Option<Position>,
    },
    AuthSuccess {
        who: &'a Principal,
        position: Option<Position>,
    },
    AuthFailed,
    /// The server's heartbeat, in dialects that have one in words.
    Ping,
    Pong,
    Joined {
        place: Address<'a>,
        position: Option<Position>,
    },
    Left(Address<'a>),
    /// What was missed there cannot be told: the channel goes on from that position, as far as that is known.
    Gap {
        place: Address<'a>,
        position: Option<Position>,
    },
    RoomCreated {
        room: &'a str,
    },
    RoomExists,
    NotificationsSubscribed {
        types: &'a [Arc<str>],
    },
    /// A message is on its way to a user, or waits for it.
    Sent {
        to: &'a str,
        id: MessageId,
        queued: bool,
    },
    /// It has arrived.
    Delivered {
        id: MessageId,
        room: Option<&'a str>,
        at_ms: u64,
    },
    /// The user's contacts, each with how it is.
    Roster(&'a [(Contact, Status)]),
    Stats(&'a Stats),
    /// Nothing was done.
    Refused {
        about: About,
        refusal: &'a Refusal,
    },
}

/// What was refused, as far as dialects have different words for it (AEG-43, AEG-44, AEG-47).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Join,
    Publish,
    Other,
}

/// How many connections there are, in all, by tenant and by channel (AEG-18). Without those that have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub total: usize,
    pub by_tenant: Vec<(Arc<str>, usize)>,
    /// By the channel's name in AegisX, which alone has words for figures.
    pub by_channel: Vec<(Arc<str>, usize)>,
}
