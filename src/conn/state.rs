//! What a shard knows of one connection.
//!
//! Small on purpose: ten thousand of these lie in one slab. What only few connections need is boxed.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::Waker;

use tokio::net::tcp::OwnedWriteHalf;

use super::agenda::{Agenda, Wait};
use super::{Outbox, Pace};
use crate::fanout::Feed;
use crate::limit::{FixedWindow, Holding, SlidingWindow};
use crate::model::{
    Address, ChannelId, CloseReason, ConnKey, Dialect, Kind, Position, Principal, Since, Variant, Wording,
};
use crate::net::Place;

/// One membership of a connection.
#[derive(Debug)]
pub struct Joined {
    pub channel: ChannelId,
    pub name: Arc<str>,
    /// How the client calls it.
    pub wording: Wording,
    /// Its place in the channel's local list.
    pub place: u32,
    /// Its client wants it; of what the client did not ask for it is told nothing.
    pub asked: bool,
    /// Its user's roster wants it (SGE-38).
    pub followed: bool,
    /// It hears the numbers of what is said here.
    pub numbered: bool,
    /// The number of the last event before it came, where it hears numbers.
    pub from: u64,
    /// It has asked to leave. Until its home answers, it hears what was said before.
    pub leaving: bool,
}

impl Joined {
    pub fn kind(&self) -> Kind {
        self.wording.kind()
    }
}

/// Where a connection is on its way from open to gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Open,
    /// The Close frame is queued; nothing more is read but the peer's Close.
    Closing(CloseReason),
    /// The task that reads it has ended; the slab place waits for an answer still under way.
    Gone,
}

/// Whose connections are counted: a tenant's, or one user's of it.
pub type Holder = (Dialect, Arc<str>, Option<Arc<str>>);

/// Where a connection comes from; kept for its end.
#[derive(Debug)]
pub struct Peer {
    /// The client's address; behind a trusted proxy, the one the proxy names.
    pub address: IpAddr,
    /// Its place among the connections of that address and of the dialect; given back when dropped.
    pub place: Option<Place>,
    /// The same among those of its user and of its tenant.
    pub holdings: Vec<Holding<Holder>>,
    /// The sliding window of one who has no user to share it with.
    pub window: SlidingWindow,
    /// For who recovers, or hears numbers.
    pub resume: Option<Box<Resume>>,
}

/// Where somebody is in its user's channel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resume {
    /// Where it says it stopped, until that is asked.
    pub since: Option<Since>,
    /// Where the channel was when it came, until that is said.
    pub position: Option<Position>,
    /// It waits for that to be welcomed.
    pub unwelcomed: bool,
}

/// One connection of the slab.
#[derive(Debug)]
pub struct Conn {
    pub key: ConnKey,
    pub variant: Variant,
    pub phase: Phase,
    /// On the shard's list of outboxes to flush.
    pub dirty: bool,
    /// The peer's Close frame was seen: TCP ends when the outbox is empty.
    pub peer_closed: bool,
    /// The peer broke the protocol: sending ends when the outbox is empty, and what it still says is thrown away.
    pub shunned: bool,
    /// Nothing more is to be had of the socket.
    pub dropped: bool,
    /// What waits is gathered for a while into one `batch` (TUS-64).
    pub batching: bool,
    /// Reading stopped: until these command lanes have room, a bit for each target shard.
    pub held_by_lanes: u64,
    /// Reading stopped: until this shard's deliveries are out.
    pub held_by_deliveries: bool,
    /// Its outbox ran over in this turn; what else comes for it is not queued.
    pub overflowed: bool,
    pub outbox: Outbox,
    /// `None` in a simulation, and once TCP has ended.
    pub socket: Option<OwnedWriteHalf>,
    /// Wakes the task that reads the socket.
    pub waker: Option<Waker>,
    pub who: Option<Arc<Principal>>,
    /// The name of one who is nobody's, made when it is first needed.
    guest: Option<Arc<str>>,
    /// The channel of its user, where it hears what is for that user alone.
    pub inbox: Option<Joined>,
    pub rooms: Vec<Joined>,
    pub wait: Option<Box<Wait>>,
    /// What it does next; while there is something, nothing more is read from its socket.
    pub agenda: Option<Box<Agenda>>,
    /// Its home wants to know when all that waits for it has been written.
    pub settles: bool,
    /// The greeting is not said yet: all else waits behind it.
    pub ungreeted: bool,
    /// It came in by the administrators' way (AEG-02).
    pub administers: bool,
    /// What of its user's channel it chose not to hear.
    pub deaf: Feed,
    pub messages: FixedWindow,
    pub pings: FixedWindow,
    pub pace: Pace,
    /// The wheel's tick at which this connection is looked at next; other entries of it are stale.
    pub next_tick: u64,
    pub peer: Box<Peer>,
}

impl Conn {
    pub fn new(key: ConnKey, variant: Variant, socket: Option<OwnedWriteHalf>, peer: Peer) -> Self {
        Self {
            key,
            variant,
            phase: Phase::Open,
            dirty: false,
            peer_closed: false,
            shunned: false,
            dropped: false,
            batching: false,
            held_by_lanes: 0,
            held_by_deliveries: false,
            overflowed: false,
            outbox: Outbox::default(),
            socket,
            waker: None,
            who: None,
            guest: None,
            inbox: None,
            rooms: Vec::new(),
            wait: None,
            agenda: None,
            settles: false,
            ungreeted: false,
            administers: false,
            deaf: Feed::ALWAYS,
            messages: FixedWindow::default(),
            pings: FixedWindow::default(),
            pace: Pace::default(),
            next_tick: 0,
            peer: Box::new(peer),
        }
    }

    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether nothing is read from it for now. One that is closing is read on, so that its Close is seen.
    pub fn is_paused(&self) -> bool {
        let waits = self.wait.is_some() || self.agenda.is_some();
        self.is_open() && (waits || self.held_by_lanes != 0 || self.held_by_deliveries)
    }

    /// The name others see.
    pub fn name(&mut self) -> Arc<str> {
        let guest = || format!("{}{}", Principal::GUEST_PREFIX, self.key).into();
        match &self.who {
            Some(who) => who.user.clone(),
            None => self.guest.get_or_insert_with(guest).clone(),
        }
    }

    /// The membership of that channel.
    pub fn member_of(&self, place: Address<'_>) -> Option<&Joined> {
        let (kind, id) = place.channel()?;
        self.rooms.iter().find(|j| j.kind() == kind && *j.name == *id && !j.leaving)
    }

    /// The names of the rooms it is in to stay.
    pub fn room_names(&self) -> Vec<Arc<str>> {
        let rooms = self.rooms.iter().filter(|j| j.kind() == Kind::Room && !j.leaving);
        rooms.map(|j| j.name.clone()).collect()
    }

    /// Whether it speaks for a user, whose devices share one home.
    pub fn has_user(&self) -> bool {
        self.who.as_ref().is_some_and(|who| !who.user.is_empty())
    }

    /// Notes what it does next, behind what it does already.
    pub fn plan(&mut self, steps: impl IntoIterator<Item = super::agenda::Step>) {
        self.agenda.get_or_insert_default().extend(steps);
    }

    /// Passes over steps that only made sense if the one before was done.
    pub fn skip(&mut self, steps: usize) {
        if let Some(agenda) = &mut self.agenda {
            agenda.drain(..steps.min(agenda.len()));
        }
    }

    /// TCP ends here and now; the task that reads it notices.
    pub fn drop_socket(&mut self) {
        self.socket = None;
        self.dropped = true;
        self.wake();
    }

    /// Whether nothing more is to be read from it.
    pub fn is_over(&self) -> bool {
        self.dropped || (self.socket.is_none() && self.peer_closed)
    }

    /// Lets the task that reads the socket go on.
    pub fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten thousand of these lie in one slab: a field more is a decision.
    #[test]
    fn a_connection_stays_small() {
        assert!(size_of::<Conn>() <= 336, "{} bytes", size_of::<Conn>());
    }
}
