//! How a connection comes and goes.

use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::net::tcp::OwnedWriteHalf;

use super::core::Core;
use super::entry::Entry;
use super::journal::journal;
use super::wheel::TICK_MS;
use crate::conn::{Conn, Due, Greeting, Pace, Peer, Phase};
use crate::dialect::{Saying, tusk};
use crate::lane::Notify;
use crate::model::{CloseReason, ConnKey, Kind, Op, Target, Variant};
use crate::ws::frame;

impl<N: Notify> Core<N> {
    /// Takes in an upgraded connection. `socket` is `None` in a simulation.
    pub fn open(
        &mut self,
        variant: Variant,
        socket: Option<OwnedWriteHalf>,
        peer: Peer,
        entry: Entry,
    ) -> ConnKey {
        self.touch();
        let index = self.conns.vacant_key();
        if self.generations.len() <= index {
            self.generations.resize(index + 1, 0);
        }
        let key = ConnKey { shard: self.index, generation: self.generations[index], index: index as u32 };
        let mut conn = Conn::new(key, variant, socket, peer);
        let shared = self.shared.clone();
        let rules = shared.rules(variant.dialect);
        let now = self.now.mono_ms.max(1);
        conn.batching = rules.batch_window > 0;
        conn.pace = Pace { opened: now, heard: now, awaits_auth: rules.require_auth, ..Pace::default() };
        let of = variant.dialect;
        let user = match &entry {
            Entry::Known { who, .. } => &*who.user,
            Entry::Guest | Entry::Refused(_) => "",
        };
        journal!(info, of, conn = %key, dialect = %of, ip = %conn.peer.address, user, "connection opened");
        self.conns.insert(conn);
        self.counters.connections_open.of(variant.dialect).inc();
        self.counters.connections_accepted.inc();
        shared.extensions.opened(&self.peer_of(key));
        self.look_at(key);
        match entry {
            Entry::Guest if rules.greeting == Greeting::Welcome => self.welcome(key),
            Entry::Guest => {}
            Entry::Known { who, administers } => {
                if let Some(conn) = self.conn_mut(key) {
                    conn.administers = administers;
                }
                self.introduce(key, who);
            }
            Entry::Refused(reason) => self.close(key, reason),
        }
        self.log_opened(key);
        self.settle();
        key
    }

    /// Whether the connection waits for nothing any more: its user's home knows it, and it has joined what its
    /// user is one of.
    pub(super) fn poll_ready(&mut self, key: ConnKey, cx: &Context<'_>) -> Poll<()> {
        let Some(conn) = self.conn_mut(key).filter(|c| c.is_paused()) else { return Poll::Ready(()) };
        conn.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The socket of a connection that was opened before its upgrade was answered: what waits goes out.
    pub(super) fn hand_over(&mut self, key: ConnKey, socket: OwnedWriteHalf) {
        self.touch();
        let Some(conn) = self.conn_mut(key) else { return };
        conn.socket = Some(socket);
        if !conn.outbox.is_empty() && !conn.ungreeted {
            self.flush_later(key);
        }
    }

    /// Begins to close from this side: a Close frame, then the end of TCP when the peer has answered.
    pub fn close(&mut self, key: ConnKey, reason: CloseReason) {
        let (code, text) = reason.frame();
        self.finish(key, reason, frame::close(code, text));
    }

    /// The peer sent a Close frame: it is answered, and TCP ends when the answer is out.
    pub fn closed_by_peer(&mut self, key: ConnKey, code: Option<u16>) {
        self.finish(key, CloseReason::ClientClosed, frame::close_reply(code));
        let Some(conn) = self.conn_mut(key) else { return };
        conn.peer_closed = true;
        self.flush_later(key);
    }

    /// The peer broke the protocol: it is told how, and then nothing more, and it is not listened to.
    pub fn shun(&mut self, key: ConnKey, reason: CloseReason, code: u16, text: &str) {
        self.finish(key, reason, frame::close(code, text));
        let Some(conn) = self.conn_mut(key) else { return };
        conn.shunned = true;
        self.flush_later(key);
    }

    pub(super) fn flush_later(&mut self, key: ConnKey) {
        let Some(conn) = self.conn_mut(key).filter(|c| !c.dirty) else { return };
        conn.dirty = true;
        self.dirty.push(key.index);
    }

    fn finish(&mut self, key: ConnKey, reason: CloseReason, frame: bytes::Bytes) {
        self.touch();
        if self.conn(key).is_some_and(|conn| conn.settles) {
            self.flush_one(key);
        }
        let now = self.now.mono_ms;
        let Some(conn) = self.conns.get_mut(key.index as usize).filter(|c| c.key == key && c.is_open())
        else {
            return;
        };
        conn.phase = Phase::Closing(reason);
        conn.ungreeted = false;
        conn.pace.closing_since = now.max(1);
        // What was handed over and is not written now goes to another device, and so not to this one.
        let withdrawn = std::mem::take(&mut conn.settles);
        if withdrawn {
            conn.outbox.clear_unsent(&mut self.pool);
        }
        if matches!(reason, CloseReason::SlowBytes | CloseReason::SlowAge) {
            // It will not read what waits; only what keeps the stream readable is left.
            let dropped = conn.outbox.clear_unsent(&mut self.pool);
            let (of, why) = (conn.variant.dialect, reason.name());
            journal!(warn, of, conn = %key, reason = why, dropped_frames = dropped, "subscriber too slow");
        }
        conn.outbox.push_unbounded(Rc::new(frame), &mut self.pool);
        // One that gathers a batch is marked already, but would not be flushed for a while.
        let gathers = std::mem::take(&mut conn.batching) && conn.dirty;
        conn.dirty &= !gathers;
        conn.wake();
        self.flush_later(key);
        if self.conn(key).is_some_and(|c| c.wait.is_none()) {
            self.detach(key);
        }
        self.look_at(key);
    }

    /// Takes the connection out of every channel and tells their homes.
    pub(super) fn detach(&mut self, key: ConnKey) {
        let Some(conn) = self.conn_mut(key) else { return };
        let variant = conn.variant;
        let rooms = std::mem::take(&mut conn.rooms);
        conn.agenda = None;
        let held = rooms.iter().filter(|r| r.kind() == Kind::Room && !r.leaving);
        let names = held.map(|r| r.name.clone()).collect();
        for room in rooms {
            self.leave_locally(room.channel, room.place);
            if room.leaving {
                // Its home knows already.
                continue;
            }
            let variant = Variant { numbered: room.numbered, ..variant };
            let op = Op::Leave { variant, quiet: true, username: None };
            self.ask(key, room.channel.home as usize, Target::Known(room.channel), op, None);
        }
        self.detach_user(key, names);
    }

    /// Takes the connection from its user's devices.
    pub(super) fn detach_user(&mut self, key: ConnKey, rooms: Vec<std::sync::Arc<str>>) {
        let noted = self.settled.iter().position(|settled| *settled == key);
        if let Some(at) = noted {
            self.settled.swap_remove(at);
        }
        let Some(conn) = self.conn_mut(key) else { return };
        // One that goes on as somebody else has it in its outbox.
        let has_it = std::mem::take(&mut conn.settles) && conn.is_open();
        if noted.is_some() || has_it {
            self.ask_inbox(key, Op::Settle);
        }
        let Some(conn) = self.conn_mut(key) else { return };
        let variant = conn.variant;
        if let Some(inbox) = conn.inbox.take() {
            self.leave_locally(inbox.channel, inbox.place);
            let variant = Variant { numbered: inbox.numbered, ..variant };
            let op = Op::Detach { variant, rooms };
            self.ask(key, inbox.channel.home as usize, Target::Known(inbox.channel), op, None);
        }
    }

    /// Takes a member out of the local list, and tells the one that moves into its place.
    pub(super) fn leave_locally(&mut self, channel: crate::model::ChannelId, place: u32) {
        let Some(moved) = self.membership.remove(channel, place) else { return };
        let Some(conn) = self.conns.get_mut(moved as usize) else { return };
        let memberships = conn.rooms.iter_mut().chain(conn.inbox.as_mut());
        if let Some(joined) = memberships.into_iter().find(|j| j.channel == channel) {
            joined.place = place;
        }
    }

    /// TCP has ended, or its reader has. The connection is gone, whatever it was doing.
    pub fn remove(&mut self, key: ConnKey, reason: CloseReason) {
        self.touch();
        // What is still to be said goes out if the socket takes it: the peer may only have ended its side.
        self.flush_one(key);
        let Some(conn) = self.conn_mut(key).filter(|c| c.phase != Phase::Gone) else { return };
        let reason = if let Phase::Closing(why) = conn.phase { why } else { reason };
        let was_open = conn.is_open();
        conn.phase = Phase::Gone;
        conn.socket = None;
        conn.waker = None;
        conn.peer.place = None;
        conn.peer.holdings.clear();
        let (variant, opened, waits) = (conn.variant, conn.pace.opened, conn.wait.is_some());
        let duration_ms = self.now.mono_ms.saturating_sub(opened);
        let (of, why) = (variant.dialect, reason.name());
        journal!(info, of, conn = %key, dialect = %of, reason = why, duration_ms, "connection closed");
        self.log_closed(key, variant.dialect, reason);
        self.shared.clone().extensions.closed(&self.peer_of(key), reason);
        self.counters.connections_open.of(variant.dialect).dec();
        self.counters.connections_closed.of(reason).inc();
        self.counters.connection_duration.observe_us(duration_ms.saturating_mul(1000));
        if waits {
            // The answer under way may make it a member; only then can it be taken apart.
            return;
        }
        if was_open {
            self.detach(key);
        }
        self.free(key);
    }

    pub(super) fn free(&mut self, key: ConnKey) {
        if self.conn(key).is_some() {
            self.conns.remove(key.index as usize);
            let generation = &mut self.generations[key.index as usize];
            *generation = generation.wrapping_add(1);
        }
    }

    /// Sees what is due for a connection, does it, and comes back when the next thing is.
    pub(super) fn look_at(&mut self, key: ConnKey) {
        let now = self.now.mono_ms;
        let shared = self.shared.clone();
        let Some(conn) = self.conn_mut(key) else { return };
        let times = &shared.rules(conn.variant.dialect).times;
        let next = match conn.pace.due(now, times) {
            Due::Later(next) => next,
            Due::Ping(next) => {
                conn.pace.pinged = now;
                self.tell(key, &Saying::Ping, None);
                self.push(key, Rc::new(frame::ping(b"")));
                next
            }
            Due::Close(reason) => return self.close(key, reason),
            Due::Drop => {
                conn.drop_socket();
                None
            }
        };
        if let Some(next) = next {
            self.look_again(key, next);
        }
    }

    /// Puts the connection into the wheel, unless it is looked at before then anyway. A later plan's entry
    /// becomes stale.
    pub(super) fn look_again(&mut self, key: ConnKey, at_ms: u64) {
        let planned = self.conn(key).map_or(0, |c| c.next_tick * TICK_MS);
        if planned != 0 && planned <= at_ms {
            return;
        }
        let tick = self.wheel.insert((key.index, key.generation), at_ms, self.now.mono_ms);
        if let Some(conn) = self.conn_mut(key) {
            conn.next_tick = tick;
        }
    }

    /// Lets time pass: whatever is due by `now` happens.
    pub fn tick(&mut self) {
        self.touch();
        let now = self.now.mono_ms;
        let mut due = Vec::new();
        self.wheel.take_due(now, |tick, entry| due.push((tick, entry)));
        self.counters.wheel_ticks.inc();
        for (tick, (index, generation)) in due {
            let Some(conn) = self.conns.get_mut(index as usize) else { continue };
            // A pause of the process takes entries out by rounds: later than planned counts too.
            if conn.key.generation == generation && conn.next_tick != 0 && conn.next_tick <= tick {
                conn.next_tick = 0;
                let key = conn.key;
                self.look_at(key);
            }
        }
        while self.deliveries.total() == 0 && self.homes.expire(self.now, &mut self.dispatch) {
            self.hand_out();
        }
        while self.batches.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = self.batches.pop_front() else { break };
            self.gather_batch(key);
        }
        self.settle();
    }

    /// When [`Core::tick`] wants to be called next, in milliseconds; `None`: nothing is to come.
    pub fn next_tick_ms(&self) -> Option<u64> {
        let batch = self.batches.front().map(|(at, _)| *at);
        // What homes have to tell waits like all else until the deliveries are out.
        let homes = self.homes.next_ms().filter(|_| self.deliveries.total() == 0);
        [self.wheel.next_ms(), batch, homes].into_iter().flatten().min()
    }

    /// Makes one `batch` of what was gathered for a connection, and has it flushed (TUS-64).
    fn gather_batch(&mut self, key: ConnKey) {
        let unix = self.now.unix_secs();
        let Some(conn) = self.conns.get_mut(key.index as usize).filter(|c| c.key == key) else { return };
        if conn.outbox.frames() > 1 && conn.outbox.head_is_whole() {
            let frames = conn.outbox.drain(&mut self.pool);
            for joined in join_text_frames(frames, unix, &mut self.scratch) {
                conn.outbox.push_unbounded(joined, &mut self.pool);
            }
        }
        self.dirty.push(key.index);
    }

    /// Closes everybody, for a drain.
    pub fn open_keys(&self) -> Vec<ConnKey> {
        self.conns.iter().filter(|(_, c)| c.is_open()).map(|(_, c)| c.key).collect()
    }
}

/// Runs of text frames become one `batch` each; a control frame keeps its place between them.
fn join_text_frames(
    frames: Vec<crate::fanout::Frame>,
    unix: u64,
    scratch: &mut bytes::BytesMut,
) -> Vec<crate::fanout::Frame> {
    const TEXT: u8 = 0x81;
    let mut out = Vec::new();
    for run in frames.chunk_by(|a, b| a[0] == TEXT && b[0] == TEXT) {
        if run.len() < 2 {
            out.extend(run.iter().cloned());
            continue;
        }
        let payloads: Vec<_> = run.iter().map(|f| frame::payload_of(f)).collect();
        out.push(Rc::new(frame::text_frame(scratch, |text| {
            tusk::batch(payloads.iter().map(|p| &p[..]), unix, text);
        })));
    }
    out
}
