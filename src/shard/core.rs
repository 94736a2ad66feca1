//! The state of one shard and the turns it takes.
//!
//! Everything here is touched by one thread. What comes in: text of connections, commands and deliveries
//! from lanes, time. What goes out: frames in outboxes, commands and deliveries in lanes. The rules of the
//! lanes (see [`crate::lane`]) are kept here: deliveries are always handled and send nothing; a command is
//! applied only while no delivery of this shard waits; a connection is not read while a command of its
//! waits.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use bytes::BytesMut;
use slab::Slab;
use tokio::sync::oneshot;

use super::ledger::{Keeper, Ledger};
use super::shared::Shared;
use super::wheel::Wheel;
use crate::channel::{Homes, Outlet};
use crate::clock::Now;
use crate::conn::{Conn, OutboxPool};
use crate::dialect::JsonScratch;
use crate::fanout::{Delivery, Dispatch, Membership};
use crate::lane::{Backlog, Notify, Port};
use crate::model::{ChannelName, CloseReason, Command, ConnKey, Dialect, Kept, Op, RealmId, Reply, Target};
use crate::telemetry::{LaneClass, Writer};

/// Commands handled in one turn before sockets are looked at again.
const COMMANDS_PER_TURN: usize = 256;
/// Answers of the store heard in one turn, for the same reason as with deliveries: each is a message to a channel.
const ANSWERS_PER_TURN: usize = 256;
/// Deliveries handled in one turn before what they queued is let go. One costs up to a frame per connection of
/// the shard, so without a bound outboxes would run over that no flush could have emptied.
const DELIVERIES_PER_TURN: usize = 64;

/// A command lane's place among those that hold a connection; there are at most as many shards as bits.
fn lane_bit(to: usize) -> u64 {
    1 << (to % u64::BITS as usize)
}

/// A REST call that waits for its answer.
#[derive(Debug)]
pub(super) struct Call {
    pub generation: u32,
    pub answer: oneshot::Sender<Reply>,
}

/// A message that a persona is to answer (GAT-09).
#[derive(Debug)]
pub struct PersonaCall {
    pub key: ConnKey,
    /// The conversation, with its realm and tenant.
    pub room: ChannelName,
    pub persona: Arc<str>,
    /// Who asked.
    pub user: Arc<str>,
    pub text: Box<str>,
}

/// One shard.
#[derive(Debug)]
pub struct Core<N: Notify> {
    pub(super) index: u16,
    /// Counted without atomics: it is handed around within the shard all the time.
    #[allow(clippy::redundant_allocation)] // Clones without atomics are what it is for.
    pub(super) shared: Rc<Arc<Shared>>,
    /// Milliseconds for which a batch is gathered.
    pub(super) batch_window: u64,
    pub(super) port: Port<Command, Delivery, N>,
    pub(super) commands: Backlog<Command>,
    pub(super) deliveries: Backlog<Delivery>,
    pub(super) homes: Homes,
    pub(super) dispatch: Dispatch,
    pub(super) ledger: Ledger,
    pub(super) membership: Membership,
    pub(super) conns: Slab<Conn>,
    /// How many connections each slab place has held.
    pub(super) generations: Vec<u16>,
    pub(super) pool: OutboxPool,
    pub(super) calls: Slab<Call>,
    pub(super) calls_made: u32,
    /// Places whose outbox is to be flushed at the end of the turn.
    pub(super) dirty: Vec<u32>,
    /// Places whose outbox ran over in this turn; closed at its end, never in the middle of a walk.
    pub(super) overflowing: Vec<ConnKey>,
    /// Connections to which all has been written that waited for their users.
    pub(super) settled: Vec<ConnKey>,
    /// Places that an administrator ended; closed at the end of the turn.
    pub(super) disconnecting: Vec<ConnKey>,
    /// Connections whose awaited answer has come; their next step is taken outside of delivering.
    pub(super) resumed: Vec<ConnKey>,
    /// By target shard: connections that are not read until its command lane has room.
    pub(super) held_by_lane: Vec<Vec<ConnKey>>,
    /// Commands that homes ask this shard to send on; sent outside of delivering.
    pub(super) errands: VecDeque<(Option<ConnKey>, Command)>,
    /// Connections that are not read until this shard's deliveries are out.
    pub(super) held_by_deliveries: Vec<ConnKey>,
    pub(super) wheel: Wheel,
    /// Connections whose frames are gathered, with the moment their batch leaves; in that order.
    pub(super) batches: VecDeque<(u64, ConnKey)>,
    /// The name of who has none.
    pub(super) nobody: Arc<str>,
    pub(super) json: Option<Box<JsonScratch>>,
    /// Draws the ids of what REST makes.
    pub(super) dice: fastrand::Rng,
    /// A message as it came, for dialects that relay parts of it unchanged.
    pub(super) original: Vec<u8>,
    /// Personas that are to be asked, by whoever can wait for their answers.
    pub(super) persona_calls: Vec<PersonaCall>,
    pub(super) scratch: BytesMut,
    /// Shared with what this thread alone runs besides.
    pub(super) counters: Rc<Writer>,
    pub(super) now: Now,
    /// Whether `now` was read in this turn.
    fresh: bool,
    turn_began_us: u64,
    /// Data messages read in this turn.
    pub(super) messages_of_turn: u64,
    turn_due: bool,
    /// At the end of the last turn the store did not keep up.
    was_full: bool,
    turn_waker: Option<Waker>,
}

impl<N: Notify> Core<N> {
    /// `keeper`: the store, where there is one.
    pub fn new(
        port: Port<Command, Delivery, N>,
        shared: Arc<Shared>,
        counters: Writer,
        keeper: Option<Box<dyn Keeper>>,
    ) -> Self {
        let (index, shards) = (port.shard(), port.shards());
        let now = shared.clock.now();
        // One request at most waits per connection, and its leaving when it ends: a room each and its user.
        let rooms = shared.rules.iter().map(|r| r.max_rooms_per_user).max().unwrap_or(0).max(64);
        let bound = shared.connections_max.max(1024) * (rooms + 2);
        Self {
            index: index as u16,
            commands: Backlog::new(shards, bound),
            deliveries: Backlog::new(shards, bound.saturating_mul(shards)),
            homes: Homes::new(index as u16, shared.homes.clone()),
            dispatch: Dispatch::new(
                index as u16,
                shards as u16,
                shared.speakers(),
                shared.deflate_min,
                shared.homes.durable,
            ),
            ledger: Ledger::new(keeper),
            membership: Membership::default(),
            conns: Slab::new(),
            generations: Vec::new(),
            pool: OutboxPool::default(),
            calls: Slab::new(),
            calls_made: 0,
            dirty: Vec::new(),
            overflowing: Vec::new(),
            settled: Vec::new(),
            disconnecting: Vec::new(),
            resumed: Vec::new(),
            errands: VecDeque::new(),
            held_by_lane: (0..shards).map(|_| Vec::new()).collect(),
            held_by_deliveries: Vec::new(),
            wheel: Wheel::new(now.mono_ms),
            batches: VecDeque::new(),
            nobody: "".into(),
            json: Some(Box::default()),
            dice: fastrand::Rng::with_seed(shared.seed.rotate_left(index as u32 + 1)),
            original: Vec::new(),
            persona_calls: Vec::new(),
            scratch: BytesMut::new(),
            counters: Rc::new(counters),
            now,
            fresh: false,
            turn_began_us: 0,
            messages_of_turn: 0,
            turn_due: false,
            was_full: false,
            turn_waker: None,
            batch_window: shared.rules.iter().map(|r| r.batch_window).max().unwrap_or(0),
            port,
            shared: Rc::new(shared),
        }
    }

    pub fn index(&self) -> u16 {
        self.index
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub fn counters(&self) -> &Rc<Writer> {
        &self.counters
    }

    /// Connections in the slab, those on their way out included.
    pub fn connections(&self) -> usize {
        self.conns.len()
    }

    /// Commands and deliveries that wait for room in a lane.
    pub fn waiting(&self) -> (usize, usize) {
        (self.commands.total(), self.deliveries.total())
    }

    /// Channels with a local member.
    pub fn channels(&self) -> usize {
        self.membership.channels()
    }

    pub fn conn(&self, key: ConnKey) -> Option<&Conn> {
        self.conns.get(key.index as usize).filter(|c| c.key == key)
    }

    /// Takes what waits for a connection, for simulations that stand in for its socket.
    pub fn take_frames(&mut self, key: ConnKey) -> Vec<crate::fanout::Frame> {
        let Some(conn) = self.conns.get_mut(key.index as usize).filter(|c| c.key == key) else {
            return Vec::new();
        };
        let frames = conn.outbox.drain(&mut self.pool);
        if std::mem::take(&mut conn.settles) {
            self.settled.push(key);
            self.touch();
        }
        frames
    }

    pub(super) fn conn_mut(&mut self, key: ConnKey) -> Option<&mut Conn> {
        self.conns.get_mut(key.index as usize).filter(|c| c.key == key)
    }

    /// Begins a turn, or goes on with it: from here on there is an end of the turn to come.
    pub(super) fn touch(&mut self) {
        if !self.fresh {
            (self.now, self.turn_began_us) = self.shared.clock.read();
            self.fresh = true;
        }
        if !self.turn_due {
            self.turn_due = true;
            if let Some(waker) = &self.turn_waker {
                waker.wake_by_ref();
            }
        }
    }

    /// Takes the personas that are to be asked.
    pub(super) fn take_persona_calls(&mut self) -> Vec<PersonaCall> {
        std::mem::take(&mut self.persona_calls)
    }

    /// For simulations: what time it is until the next turn.
    pub fn set_now(&mut self, now: Now) {
        self.now = now;
        self.fresh = true;
    }

    /// Whether something was done that wants the end of a turn; if not, `waker` is woken when it is.
    pub fn turn_is_due(&mut self, waker: &Waker) -> bool {
        if !self.turn_waker.as_ref().is_some_and(|w| w.will_wake(waker)) {
            self.turn_waker = Some(waker.clone());
        }
        self.turn_due
    }

    /// Handles what came in by lane. Returns whether there is more, for another turn.
    pub fn pump(&mut self) -> bool {
        self.touch();
        self.port.answer();
        let mut delivered = 0;
        while delivered < DELIVERIES_PER_TURN {
            let Some((_, delivery)) = self.port.next_delivery() else { break };
            self.deliver(delivery);
            delivered += 1;
        }
        self.drain_backlogs();
        let heard = self.hear_store();
        let mut handled = 0;
        while handled < COMMANDS_PER_TURN && self.takes_commands() {
            let Some((_, command)) = self.port.next_command() else { break };
            self.apply(command);
            handled += 1;
        }
        self.settle();
        handled == COMMANDS_PER_TURN || delivered == DELIVERIES_PER_TURN || heard == ANSWERS_PER_TURN
    }

    /// Whether a command may be applied: nothing of this shard waits to be delivered, and the store keeps up.
    fn takes_commands(&self) -> bool {
        self.deliveries.total() == 0 && !self.ledger.is_full(self.homes.awaited())
    }

    /// Takes what the store has answered. Like a command it leads to deliveries, and so waits for those before it.
    /// Returns how many answers it were.
    fn hear_store(&mut self) -> usize {
        let mut heard = 0;
        while heard < ANSWERS_PER_TURN && self.deliveries.total() == 0 {
            let Some((ticket, answer)) = self.ledger.next() else { break };
            self.homes.stored(ticket, answer, &mut self.dispatch);
            self.hand_out();
            heard += 1;
        }
        self.ledger.push();
        heard
    }

    /// Tells homes of connections to which all that waited for their users has been written.
    fn say_settled(&mut self) {
        for key in std::mem::take(&mut self.settled) {
            self.ask_inbox(key, Op::Settle);
        }
    }

    /// Begins with what the store had kept of channels at home here.
    pub fn restore(&mut self, kept: Vec<(ChannelName, Kept)>) {
        self.touch();
        self.homes.restore(kept, self.now, &mut self.dispatch);
        self.hand_out();
    }

    /// At the shard's end: what is written down late is written down now. Whether all of it is with the store.
    pub fn write_down(&mut self) -> bool {
        self.touch();
        self.homes.save_presences(&mut self.dispatch);
        self.hand_out();
        self.hear_store();
        self.ledger.kick();
        !self.ledger.is_full(0)
    }

    /// Ends the turn: closes what ran over, hands waiting entries to lanes and wakes their shards once, then
    /// lets the outboxes go.
    pub fn end_turn(&mut self) {
        self.touch();
        let waited = self.deliveries.total() > 0;
        let was_full = self.was_full;
        self.say_settled();
        self.tell_presences();
        self.drain_backlogs();
        self.settle();
        while let Some(key) = self.overflowing.pop() {
            self.close(key, CloseReason::SlowBytes);
            self.settle();
        }
        while let Some(key) = self.disconnecting.pop() {
            self.close(key, CloseReason::Disconnected);
            self.settle();
        }
        if (waited && self.deliveries.total() == 0) || (was_full && self.takes_commands()) {
            // Commands that were left in their lanes meanwhile may be handled again.
            self.port.bell().ring();
        }
        self.port.ring_bells();
        self.was_full = self.ledger.is_full(self.homes.awaited());
        self.ledger.kick();
        self.flush();
        self.report();
        self.fresh = false;
        self.turn_due = false;
        if !self.settled.is_empty() {
            // Their homes are told in the next turn.
            self.touch();
        }
    }

    /// Brings the gauges up to date.
    fn report(&mut self) {
        let counters = &self.counters;
        counters.turns.inc();
        let busy = self.shared.clock.micros().saturating_sub(self.turn_began_us);
        counters.turn_busy.observe_us(busy);
        // All that were read in this turn left, or had their effect, with its one flush (NEX-91, GAT-59).
        counters.message_latency.observe_many(busy, std::mem::take(&mut self.messages_of_turn));
        counters.rooms.set(self.homes.rooms() as u64);
        counters.users_online.set(self.homes.users_online() as u64);
        counters.queued_direct.set(self.homes.held() as u64);
        let updates = self.homes.presence_updates() - counters.presence_updates.get();
        counters.presence_updates.add(updates);
        for dialect in Dialect::ALL {
            let (channels, users) = self.homes.with(dialect);
            counters.channels.of(dialect).set(channels as u64);
            counters.users.of(dialect).set(users as u64);
            let realm = self.shared.rules(dialect).realm;
            counters.realm_users.of(dialect).set(self.homes.users_online_in(realm) as u64);
            counters.realm_rooms.of(dialect).set(self.homes.rooms_in(realm) as u64);
        }
        let encoded = self.dispatch.encoded() - counters.events_encoded.get();
        counters.events_encoded.add(encoded);
        counters.backlog.of(LaneClass::Command).set(self.commands.total() as u64);
        counters.backlog.of(LaneClass::Delivery).set(self.deliveries.total() as u64);
    }

    /// Tells every change of presence of this turn, once per user. Who is online on other shards is read only
    /// when there is one, because others write it.
    fn tell_presences(&mut self) {
        if self.deliveries.total() > 0 || !self.homes.has_untold() {
            // No event before those that wait are out; a later turn tells these.
            return;
        }
        let (shared, counters) = (&self.shared, &self.counters);
        let elsewhere = |realm: RealmId| {
            let Some(of) = Dialect::ALL.into_iter().find(|d| shared.rules(*d).realm == realm) else {
                return 0;
            };
            let all = shared.registry.realm_users(of) as usize;
            let known = counters.realm_users.of(of).get() as usize;
            all.saturating_sub(known)
        };
        self.homes.settle(elsewhere, &mut self.dispatch);
        self.hand_out();
    }

    /// Applies a command whose home this shard is, and hands out what it leads to.
    pub(super) fn apply(&mut self, command: Command) {
        match self.own(&command.op) {
            Some(reply) => self.dispatch.reply(command.origin.reply_to, command.origin.tag, reply),
            None => self.homes.apply(command, self.now, &mut self.dispatch),
        }
        self.hand_out();
    }

    /// What is asked of the shard's connections and not of a home.
    fn own(&mut self, op: &Op) -> Option<Reply> {
        match op {
            Op::CountConnections { dialect } => Some(self.count_connections(*dialect)),
            Op::Disconnect { connection } => {
                let seed = self.shared.seed;
                let of_them = |c: &Conn| c.variant.dialect == Dialect::Aegisx && c.is_open();
                let meant = self.conns.iter().find(|(_, c)| of_them(c) && c.key.uuid(seed) == *connection);
                self.disconnecting.extend(meant.map(|(_, c)| c.key));
                Some(Reply::Done)
            }
            _ => None,
        }
    }

    /// A walk over all connections: only administrators ask for it.
    fn count_connections(&self, dialect: Dialect) -> Reply {
        let mut by_tenant: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        let mut by_channel: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        for (_, conn) in self.conns.iter().filter(|(_, c)| c.variant.dialect == dialect && c.is_open()) {
            if let Some(who) = &conn.who {
                *by_tenant.entry(who.tenant.clone()).or_default() += 1;
            }
            for joined in conn.rooms.iter().filter(|j| !j.leaving) {
                let name = crate::dialect::aegisx_name(joined.wording.of(&joined.name));
                *by_channel.entry(name.into()).or_default() += 1;
            }
        }
        Reply::Counts {
            by_tenant: by_tenant.into_iter().collect(),
            by_channel: by_channel.into_iter().collect(),
        }
    }

    /// Delivers what homes have told the outlet.
    pub(super) fn hand_out(&mut self) {
        while let Some((to, delivery)) = self.dispatch.next_remote() {
            self.counters.deliveries_sent.inc();
            let port = &mut self.port;
            if !self.deliveries.push_or_keep(to as usize, delivery, |to, d| port.try_delivery(to, d)) {
                self.counters.lane_full.of(LaneClass::Delivery).inc();
            }
        }
        while let Some(delivery) = self.dispatch.next_local() {
            self.deliver(delivery);
        }
        while let Some(inquiry) = self.dispatch.next_inquiry() {
            self.ledger.hand_over(inquiry);
        }
    }

    /// Sends a command to its home: a plain call when that is here and nothing of this shard waits to be
    /// delivered. `from` is not read on while the command waits.
    pub(super) fn send(&mut self, to: usize, command: Command, from: Option<ConnKey>) {
        let here = to == self.index as usize;
        if here && self.takes_commands() && self.commands.is_empty(to) {
            self.counters.commands_local.inc();
            return self.apply(command);
        }
        let port = &mut self.port;
        // There is no lane to oneself: what waits for this shard is taken by `drain_backlogs`.
        let push = |to, command| if here { Err(command) } else { port.try_command(to, command) };
        if self.commands.push_or_keep(to, command, push) {
            return self.counters.commands_sent.inc();
        }
        self.counters.lane_full.of(LaneClass::Command).inc();
        let lane = lane_bit(to);
        if let Some(conn) = from.and_then(|key| self.conn_mut(key)).filter(|c| c.held_by_lanes & lane == 0) {
            conn.held_by_lanes |= lane;
            let key = conn.key;
            self.counters.paused_reads.inc();
            self.held_by_lane[to].push(key);
        }
    }

    /// Hands what waits to lanes that have room again, and reads those on who waited for it.
    fn drain_backlogs(&mut self) {
        let (port, here) = (&mut self.port, self.index as usize);
        self.deliveries.drain(|to, delivery| port.try_delivery(to, delivery));
        self.commands.drain(|to, c| if to == here { Err(c) } else { port.try_command(to, c) });
        while self.takes_commands() {
            let Some(command) = self.commands.pop(here) else { break };
            self.counters.commands_local.inc();
            self.apply(command);
        }
        for to in 0..self.held_by_lane.len() {
            if !self.commands.is_empty(to) {
                continue;
            }
            for key in std::mem::take(&mut self.held_by_lane[to]) {
                self.let_go(key, |conn| conn.held_by_lanes &= !lane_bit(to));
            }
        }
        if self.deliveries.total() == 0 {
            for key in std::mem::take(&mut self.held_by_deliveries) {
                self.let_go(key, |conn| conn.held_by_deliveries = false);
            }
        }
    }

    /// Takes away one thing that held a connection; it is read on when nothing else does.
    pub(super) fn let_go(&mut self, key: ConnKey, release: impl FnOnce(&mut Conn)) {
        let Some(conn) = self.conn_mut(key) else { return };
        release(conn);
        if !conn.is_paused() {
            conn.wake();
        }
    }

    /// Sends on what a home could not. Whoever said it is not read on while it waits.
    fn run_errand(&mut self, from: Option<ConnKey>, command: Command) {
        if let Target::Named(name) = &command.target {
            let home = self.shared.home(name);
            self.send(home, command, from);
        }
    }

    /// Takes the next step of every connection whose answer has come.
    pub(super) fn settle(&mut self) {
        loop {
            if let Some(key) = self.resumed.pop() {
                self.step(key);
            } else if let Some((from, command)) = self.errands.pop_front() {
                self.run_errand(from, command);
            } else {
                break;
            }
        }
    }
}
