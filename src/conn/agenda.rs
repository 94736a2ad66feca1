//! What a connection waits for, and what it does next: work that needs answers from homes, step by step.
//!
//! While there is any, nothing more is read from its socket, so a connection's messages take effect in their
//! order, and what one message can lead to is bounded by its own steps.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::model::{ChannelName, Contact, JoinManner, Op, Presence, Since, Wording};

/// The steps that follow, the next one first.
pub type Agenda = VecDeque<Step>;

/// One step.
#[derive(Debug)]
pub enum Step {
    /// Become a member, unless it is one.
    Join(Joining),
    /// Watch a contact no more, unless the client asked for it.
    Unfollow { user: Arc<str> },
    /// Be one of that conversation no more, on whichever device.
    Forsake { room: Arc<str> },
    /// Give a granted message back.
    GiveBack,
    /// Take one message of the user's window; without one the next `else_skip` steps are not taken.
    Grant { else_skip: usize, tag: Option<Arc<str>> },
    /// Send a command to that channel: as a member, if it is one.
    Send { name: ChannelName, op: Box<Op>, tag: Option<Arc<str>> },
    /// Ask all shards, and say the answer.
    Gather(Gathering),
    /// Say where its user's channel is, which the client calls so.
    Locate { wording: Wording, tag: Option<Arc<str>> },
    /// Say that notifications of these types come from now on.
    SayNotifications { types: Arc<[Arc<str>]> },
    /// Have a persona answer (GAT-09).
    AskPersona { persona: Arc<str>, room: Arc<str>, text: Box<str> },
}

/// The answer a connection waits for.
#[derive(Debug)]
pub enum Wait {
    /// For its user's channel to know it.
    Attach,
    /// It knows the device; these rooms are more than the user may be in, and are left next.
    Over { rooms: Vec<Arc<str>> },
    /// For a place among its user's rooms.
    Claim(Joining),
    /// It has the place: join comes next.
    Claimed(Joining),
    /// For the room to let it in.
    Join { joining: Joining, claimed: bool },
    /// For the channel it is in already to say where it is.
    Rejoin(Joining),
    /// The room did not: the place is given back next.
    GiveBack { room: Arc<str> },
    /// For a message of the user's window.
    Grant { else_skip: usize, tag: Option<Arc<str>> },
    /// For the answers of shards.
    Gather(Gathered),
    /// For the place its user's channel is at.
    Locate { tag: Option<Arc<str>> },
}

/// A channel that a connection wants to be in.
#[derive(Debug)]
pub struct Joining {
    pub id: Arc<str>,
    /// How the client calls it, and so of which kind it is.
    pub wording: Wording,
    pub password: Option<Arc<str>>,
    pub manner: JoinManner,
    pub username: Option<Arc<str>>,
    /// Where it stopped, if it says so.
    pub since: Option<Since>,
    /// Whether the client is told.
    pub tell: bool,
    /// Steps that are not taken when it may not.
    pub else_skip: usize,
    pub tag: Option<Arc<str>>,
}

impl Joining {
    /// One that the client did not ask for and is not told of.
    pub fn quietly(id: Arc<str>, wording: Wording) -> Self {
        Self {
            id,
            wording,
            password: None,
            manner: JoinManner::Quiet,
            username: None,
            since: None,
            tell: false,
            else_skip: 0,
            tag: None,
        }
    }
}

/// What is gathered from all shards, and for what.
#[derive(Debug)]
pub enum Gathering {
    /// Who is online, for the greeting (GAT-17).
    Greeting,
    /// Which of these are online (GAT-12).
    Among(Arc<[Arc<str>]>),
    /// How the contacts are (SGE-38).
    Roster { contacts: Vec<Contact>, tag: Option<Arc<str>> },
    /// Connections by tenant and channel (AEG-18).
    Stats,
}

/// What has come of it so far.
#[derive(Debug)]
pub struct Gathered {
    pub what: Gathering,
    /// Answers still to come.
    pub left: usize,
    pub users: Vec<Presence>,
    pub total: usize,
    pub by_channel: Vec<(Arc<str>, usize)>,
    pub by_tenant: Vec<(Arc<str>, usize)>,
}
