//! The table of everything a shard counts, and the registry a scrape reads it from.
//!
//! A number is declared once, in the table: its field, its kind, its label, its name and its help.
//! Adding one is adding a line. Only a shard's [`Writer`] can change a number, and it cannot be shared
//! between threads, so every cell has the one writer that its plain load and store rely on.

use std::cell;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use super::label::{CircuitState, Label, LaneClass, PersonaOutcome, StatusClass, UpgradeRefusal};
use super::metric::{Cell, Counter, Gauge, Histogram, Labelled, Turns, Visits};
use crate::model::{CloseReason, Code, Dialect};

/// How a number behaves, in Prometheus' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One line of the table, as the exposition needs it.
#[derive(Debug)]
pub struct Family {
    /// Without the prefix of the project.
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    cell: fn(&ShardCounters) -> &dyn Cell,
}

impl Family {
    /// This family's cell in one shard's struct.
    pub fn cell<'a>(&self, counters: &'a ShardCounters) -> &'a dyn Cell {
        (self.cell)(counters)
    }
}

macro_rules! cell_type {
    ($metric:ident) => { $metric };
    ($metric:ident by $label:ident) => { Labelled<$metric, $label, { <$label as Label>::ALL.len() }> };
    ($metric:ident over $scale:ident) => { $metric<$scale> };
}

macro_rules! counters {
    (
        besides { $($besides:ident: $number:ident, $what:literal;)* }
        $($field:ident: $metric:ident $($how:ident $of:ident)? = $name:literal, $help:literal;)*
    ) => {
        /// What one shard counts. Starts on a cache line of its own, so that no shard's counting
        /// slows another's; 128 bytes, because processors fetch lines in pairs.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub struct ShardCounters {
            $(#[doc = $help] pub $field: cell_type!($metric $($how $of)?),)*
            $(#[doc = $what] pub $besides: cell_type!($number),)*
        }

        /// The table, in the order of the exposition.
        pub const FAMILIES: &[Family] = &[
            $(Family { name: $name, help: $help, kind: Kind::$metric, cell: |counters| &counters.$field },)*
        ];
    };
}

counters! {
    // The exposition has it in sum only, under a name of the SGE document.
    besides {
        presence_updates: Counter, "Changes of presence that users have made.";
    }

    connections_open: Gauge by Dialect = "connections_open", "Connections open now.";
    connections_accepted: Counter = "connections_accepted_total", "Connections upgraded to WebSocket.";
    connections_closed: Counter by CloseReason = "connections_closed_total", "Connections ended, by cause.";
    connection_duration: Histogram over Visits = "connection_duration_seconds", "How long connections were there, counted when they end.";
    upgrades_refused: Counter by UpgradeRefusal = "upgrades_refused_total", "Requests to upgrade that were turned away.";
    sockets_refused: Counter = "sockets_refused_total", "Sockets closed at once, because too many were not upgraded yet.";
    messages_received: Counter by Dialect = "messages_received_total", "Complete data messages read from connections.";
    message_latency: Histogram over Turns = "message_latency_seconds", "From the start of the turn that read a data message to the end of that turn's flush, once per message.";
    messages_refused: Counter by Code = "message_errors_total", "Messages answered by an error, by cause.";
    deliveries: Counter = "deliveries_total", "Frames queued to connections.";
    frames_sent: Counter = "frames_sent_total", "Frames written to sockets completely.";
    bytes_received: Counter = "received_bytes_total", "Bytes read from sockets of connections.";
    bytes_sent: Counter = "sent_bytes_total", "Bytes written to sockets of connections.";
    write_calls: Counter = "write_calls_total", "System calls that wrote to sockets of connections.";
    events_encoded: Counter = "events_encoded_total", "Frames made: at most one per event and variant.";
    rooms: Gauge = "rooms", "Rooms whose home this shard is.";
    realm_users: Gauge by Dialect = "realm_users_online", "Users online in the realm of the dialect, whose home this shard is.";
    realm_rooms: Gauge by Dialect = "realm_rooms", "Rooms in the realm of the dialect, whose home this shard is.";
    users_online: Gauge = "users_online", "Users with a connection who do not show as offline, whose home this shard is.";
    channels: Gauge by Dialect = "channels", "Channels with a connection of the dialect, whose home this shard is.";
    users: Gauge by Dialect = "users", "Users with a connection of the dialect, whose home this shard is.";
    commands_local: Counter = "commands_local_total", "Commands whose home was the shard that read them.";
    commands_sent: Counter = "commands_sent_total", "Commands sent to another shard.";
    deliveries_sent: Counter = "deliveries_sent_total", "Lane entries with frames or replies sent to another shard.";
    lane_full: Counter by LaneClass = "lane_full_total", "Entries that had to wait because their lane was full.";
    backlog: Gauge by LaneClass = "backlog_entries", "Entries waiting for room in a lane.";
    paused_reads: Counter = "paused_reads_total", "Times a connection was no longer read because its command lane was full.";
    turns: Counter = "turns_total", "Turns of the event loop.";
    turn_busy: Histogram over Turns = "turn_busy_seconds", "Time a turn of the event loop worked, without its wait.";
    queued_direct: Gauge = "queued_direct_messages", "Private messages that wait for their user to connect.";
    wheel_ticks: Counter = "wheel_ticks_total", "Ticks of the timer wheel.";
    http_requests: Counter by StatusClass = "http_requests_total", "HTTP requests answered, by class of status.";
    persona_requests: Counter by PersonaOutcome = "persona_requests_total", "Messages to personas, by what became of them.";
    persona_circuit: Gauge by CircuitState = "persona_circuit_state", "1 for the state of the circuit to the persona endpoint; all 0 without one.";
}

/// The right to change one shard's numbers. Goes to the shard's thread at boot and stays there.
///
/// It can be sent to another thread:
///
/// ```
/// let (_, mut writers) = lanecast::telemetry::Registry::new(1);
/// let writer = writers.pop().unwrap();
/// std::thread::scope(|scope| {
///     scope.spawn(move || writer.turns.inc());
/// });
/// ```
///
/// but neither copied nor shared between threads:
///
/// ```compile_fail,E0277
/// let (_, writers) = lanecast::telemetry::Registry::new(1);
/// std::thread::scope(|scope| {
///     scope.spawn(|| writers[0].turns.inc());
/// });
/// ```
#[derive(Debug)]
pub struct Writer {
    counters: Arc<ShardCounters>,
    not_sync: PhantomData<cell::Cell<()>>,
}

impl Deref for Writer {
    type Target = ShardCounters;

    fn deref(&self) -> &ShardCounters {
        &self.counters
    }
}

/// All shards' numbers, for those who read. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry {
    shards: Arc<[Arc<ShardCounters>]>,
}

impl Registry {
    /// Numbers for so many shards, all at zero, and one writer for each in the order of the shards.
    pub fn new(shards: usize) -> (Self, Vec<Writer>) {
        let shards: Arc<[_]> = (0..shards).map(|_| Arc::new(ShardCounters::default())).collect();
        let writers = shards.iter().map(|c| Writer { counters: c.clone(), not_sync: PhantomData }).collect();
        (Self { shards }, writers)
    }

    /// Connections open on all shards (TUS-65 `total_connections`).
    pub fn connections(&self) -> u64 {
        self.sum(|c| c.connections_open.cells().iter().map(Gauge::get).sum())
    }

    /// Connections of one dialect open on all shards.
    pub fn connections_of(&self, dialect: Dialect) -> u64 {
        self.sum(|c| c.connections_open.of(dialect).get())
    }

    /// Rooms on all shards (TUS-65 `total_rooms`).
    pub fn rooms(&self) -> u64 {
        self.sum(|c| c.rooms.get())
    }

    /// Users online in the realm of a dialect.
    pub fn realm_users(&self, dialect: Dialect) -> u64 {
        self.sum(|c| c.realm_users.of(dialect).get())
    }

    /// Rooms in the realm of a dialect.
    pub fn realm_rooms(&self, dialect: Dialect) -> u64 {
        self.sum(|c| c.realm_rooms.of(dialect).get())
    }

    /// Users with a connection who do not show as offline (TUS-65 `online_users`).
    pub fn users_online(&self) -> u64 {
        self.sum(|c| c.users_online.get())
    }

    /// Channels with a connection of that dialect, inboxes not counted (SGE-32 `channels_active`).
    pub fn channels_of(&self, dialect: Dialect) -> u64 {
        self.sum(|c| c.channels.of(dialect).get())
    }

    /// Users with a connection of that dialect (NEX-54).
    pub fn users_of(&self, dialect: Dialect) -> u64 {
        self.sum(|c| c.users.of(dialect).get())
    }

    /// Messages read from connections, of all dialects.
    pub fn messages_received(&self) -> u64 {
        self.sum(|c| c.messages_received.cells().iter().map(Counter::get).sum())
    }

    /// Messages answered by an error, of all dialects.
    pub fn messages_refused(&self) -> u64 {
        self.sum(|c| c.messages_refused.cells().iter().map(Counter::get).sum())
    }

    /// Frames queued to connections, of all dialects.
    pub fn deliveries(&self) -> u64 {
        self.sum(|c| c.deliveries.get())
    }

    /// Changes of presence that users have made (SGE-56).
    pub fn presence_updates(&self) -> u64 {
        self.sum(|c| c.presence_updates.get())
    }

    /// Connections closed because their outbox was over a limit.
    pub fn slow_closed(&self) -> u64 {
        let slow = [CloseReason::SlowBytes, CloseReason::SlowAge];
        self.sum(|c| slow.iter().map(|reason| c.connections_closed.of(*reason).get()).sum())
    }

    /// Each shard's struct in order, for the exposition.
    pub(super) fn shards(&self) -> impl Iterator<Item = &ShardCounters> {
        self.shards.iter().map(Arc::as_ref)
    }

    fn sum(&self, value: impl Fn(&ShardCounters) -> u64) -> u64 {
        self.shards().map(value).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_never_share_a_cache_line() {
        assert_eq!(align_of::<ShardCounters>(), 128);
        let (registry, _writers) = Registry::new(3);
        assert!(registry.shards().all(|c| std::ptr::from_ref(c).addr() % 128 == 0));
    }

    #[test]
    fn sums_are_over_all_shards() {
        let (registry, writers) = Registry::new(3);
        for (n, writer) in (1..).zip(&writers) {
            writer.connections_open.of(Dialect::Tusk).set(n);
            writer.connections_open.of(Dialect::Echo).set(10);
            writer.rooms.set(n * 2);
            writer.users_online.set(n * 3);
            writer.channels.of(Dialect::Sge).set(n * 4);
            writer.users.of(Dialect::Nexus).set(n * 5);
            writer.deliveries.add(n * 6);
            writer.messages_received.of(Dialect::Tusk).inc();
            writer.messages_received.of(Dialect::Sge).add(n);
            writer.presence_updates.add(n * 7);
            writer.messages_refused.of(Code::Forbidden).inc();
            writer.messages_refused.of(Code::NotFound).inc();
            writer.connections_closed.of(CloseReason::SlowAge).inc();
            writer.connections_closed.of(CloseReason::SlowBytes).inc();
            writer.connections_closed.of(CloseReason::Drain).inc();
        }
        assert_eq!(registry.connections(), 36);
        assert_eq!(registry.connections_of(Dialect::Tusk), 6);
        assert_eq!(registry.rooms(), 12);
        assert_eq!(registry.users_online(), 18);
        assert_eq!((registry.channels_of(Dialect::Sge), registry.channels_of(Dialect::Nexus)), (24, 0));
        assert_eq!((registry.users_of(Dialect::Nexus), registry.users_of(Dialect::Sge)), (30, 0));
        assert_eq!((registry.deliveries(), registry.messages_received()), (36, 9));
        assert_eq!(registry.presence_updates(), 42);
        assert_eq!(registry.messages_refused(), 6);
        assert_eq!(registry.slow_closed(), 6);
    }

    #[test]
    fn another_thread_reads_what_the_writer_wrote() {
        let (registry, mut writers) = Registry::new(1);
        let writer = writers.pop().expect("one shard");
        let thread = std::thread::spawn(move || {
            for _ in 0..1000 {
                writer.rooms.inc();
            }
        });
        thread.join().expect("the writer ends");
        assert_eq!(registry.rooms(), 1000);
    }

    #[test]
    fn names_follow_the_conventions() {
        let mut names: Vec<_> = FAMILIES.iter().map(|f| f.name).collect();
        for family in FAMILIES {
            let plain = family.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(plain, "{}", family.name);
            assert_eq!(family.name.ends_with("_total"), family.kind == Kind::Counter, "{}", family.name);
            assert!(!family.help.contains(['\\', '\n']) && family.help.ends_with('.'), "{}", family.name);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FAMILIES.len());
    }
}
