//! Every bound of the server: unit, default, range, reason and memory cost, and the section `[limits]`.
//!
//! Invariants: a default outside its range does not compile, nor do defaults that contradict each other (the
//! constant block at the end); what is configured is held to the same relations by `rules`.

use std::time::Duration;

use super::bound::{Bound, Limit, Unit};
use super::key::section;

section! {
    /// Bounds of every connection, shard and lane, whatever the dialect.
    "limits" => Limits {
        /// Size of a message in dialects without a number of their own; a longer one closes its connection with 1009.
        max_message_bytes: usize => MAX_MESSAGE_BYTES, flag "max-message-bytes";
        /// Buffer into which a shard reads, one for all its connections.
        read_buffer_bytes: usize => READ_BUFFER_BYTES, flag "read-buffer-bytes";
        /// Frames that may wait for a connection's socket; one more and the connection is closed with 1013.
        outbox_bytes: usize => OUTBOX_BYTES, flag "outbox-bytes";
        /// How long a connection's socket may take nothing while frames wait; then it is closed with 1013.
        outbox_age: Duration => OUTBOX_AGE, flag "outbox-age";
        /// Commands that may wait from one shard to another; a full lane stops the reading of the sockets that
        /// fill it, and nothing is dropped.
        command_lane: usize => COMMAND_LANE, flag "command-lane";
        /// Deliveries that may wait from one shard to another; a full lane makes its sender wait.
        delivery_lane: usize => DELIVERY_LANE, flag "delivery-lane";
        /// Open connections of the process; the next one is answered with 503.
        max_connections: Limit => MAX_CONNECTIONS, flag "max-connections";
        /// Sockets of a shard that have not been upgraded to a connection, HTTP clients among them; the next one
        /// is closed.
        max_pending: usize => MAX_PENDING, flag "max-pending";
        /// Frames that leave in one system call.
        flush_frames: usize => FLUSH_FRAMES, flag "flush-frames";
        /// Size from which a message is compressed for the connections that asked for it; a shorter one is sent
        /// to them as it is.
        compress_min_bytes: usize => COMPRESS_MIN_BYTES, flag "compress-min-bytes";
        /// Private messages kept for a user who is away, the newest ones; an older one gives way.
        offline_messages: Limit => OFFLINE_MESSAGES, flag "offline-messages";
        /// Private messages that a shard keeps for all users who are away; the next one is refused.
        offline_messages_total: Limit => OFFLINE_MESSAGES_TOTAL, flag "offline-messages-total";
        /// How long one is kept, where the dialect has no number of its own.
        offline_ttl: Option<Duration> => OFFLINE_TTL, flag "offline-ttl";
        /// Users who are away and still remembered by a shard: when they were last seen, their contacts and
        /// conversations. The one who went first is forgotten first; with a store, till it comes back.
        known_users: Limit => KNOWN_USERS, flag "known-users";
        /// Events of one channel in memory, the newest ones: who comes back is told of them without the disk.
        history_memory_events: Limit => HISTORY_MEMORY_EVENTS;
        /// Bytes of the events of all channels of one shard in memory; beyond them the oldest are dropped.
        history_memory_bytes: usize => HISTORY_MEMORY_BYTES;
        /// Events told to one who comes back and says where it stopped; who missed more is told of a gap.
        replay_events: Limit => REPLAY_EVENTS;
        /// Channels of a user, and of a connection, where the dialect has no number of its own; one more is
        /// refused.
        channels_per_user: Limit => CHANNELS_PER_USER, flag "channels-per-user";
        /// Contacts on a user's roster; one more is refused.
        contacts_per_user: Limit => CONTACTS_PER_USER, flag "contacts-per-user";
    }
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// A year in milliseconds: no duration but a history's is longer.
const YEAR: u64 = 365 * DAY;
const DAY: u64 = 24 * 3600 * SECOND;
const SECOND: u64 = 1000;
/// The longest time between two beats: an hour.
const HOUR: u64 = 3600 * SECOND;
/// Most of anything that is counted: beyond it a number is a typing error.
const MANY: u64 = 1_000_000_000;

const fn bytes(default: u64, min: u64, max: u64, why: &'static str) -> Bound {
    Bound::new(Unit::Bytes, default, min, max, why)
}

const fn time(default: u64, min: u64, max: u64, why: &'static str) -> Bound {
    Bound::new(Unit::Seconds, default, min, max, why)
}

const fn count(things: &'static str, default: u64, min: u64, max: u64, why: &'static str) -> Bound {
    Bound::new(Unit::Count(things), default, min, max, why)
}

// ---- The process and its sockets ---------------------------------------------------------------

/// Event-loop threads.
pub const SHARDS: Bound = count("threads", 0, 1, 64, "one event loop saturates one CPU")
    .costing("per shard one read buffer and, to every other shard, two lanes");
/// Pending connections of a listener.
pub const BACKLOG: Bound = count(
    "connections",
    4096,
    1,
    65_535,
    "a storm of 5,000 reconnecting clients overflows the usual 1,024 and waits a second for its second SYN",
)
.costing("kernel memory, only while connections wait; the kernel caps it at net.core.somaxconn");
/// Unacknowledged bytes on a socket.
pub const TCP_USER_TIMEOUT: Bound = time(
    30 * SECOND,
    SECOND,
    DAY,
    "a vanished peer is found in half a minute instead of a quarter of an hour",
);
/// Silence before a keepalive probe; the kernel takes at most 32,767 s.
pub const TCP_KEEPALIVE: Bound =
    time(60 * SECOND, SECOND, 32_767 * SECOND, "finds peers that vanished while nothing was sent");
/// A request's head in time.
pub const HEADER_TIMEOUT: Bound =
    time(10 * SECOND, 100, HOUR, "slow mobile links need seconds; who needs more holds sockets on purpose");
/// A request's head in bytes; hyper takes no less than 8 KiB.
pub const MAX_HEADER_BYTES: Bound =
    bytes(16 * KIB, 8 * KIB, MIB, "cookies and a JWT fit, and hyper takes no smaller bound than 8192")
        .costing("per connection, until its head is read");
/// A request's body.
pub const MAX_BODY_BYTES: Bound =
    bytes(MIB, KIB, 64 * MIB, "the largest message of any document").costing("per request, until answered");
/// An idle HTTP connection.
pub const HTTP_KEEP_ALIVE: Bound = time(300 * SECOND, 100, DAY, "the Tusk document's keep_alive_timeout");
/// The drain.
pub const DRAIN_SECONDS: Bound =
    time(5 * SECOND, 0, HOUR, "spreads the reconnects, and ends before orchestrators lose patience (10 s)");

// ---- Every connection, shard and lane ----------------------------------------------------------

/// A message.
pub const MAX_MESSAGE_BYTES: Bound = bytes(
    64 * KIB,
    8 * KIB,
    64 * MIB,
    "the SGE document's size, and 64 times Tusk's; AUTH_FRAME_BYTES must fit",
)
.costing("per connection, while a message is incomplete");
/// The read buffer of a shard.
pub const READ_BUFFER_BYTES: Bound =
    bytes(64 * KIB, 4 * KIB, 16 * MIB, "one read takes what a socket's default receive window held")
        .costing("per shard, not per connection");
/// The outbox of a connection in bytes.
pub const OUTBOX_BYTES: Bound = bytes(
    MIB,
    8 * KIB + FRAME_HEADER_BYTES,
    1024 * MIB,
    "a second of a busy channel for a client that stalls",
)
.costing("per connection that does not read; frames are shared by all who wait for them");
/// The outbox of a connection in time.
pub const OUTBOX_AGE: Bound =
    time(10 * SECOND, 100, HOUR, "older than this a real-time message is better recovered by position");
/// A command lane.
pub const COMMAND_LANE: Bound = count("commands", 1024, 2, 1 << 20, "a turn of the loop of a busy shard")
    .costing("per pair of shards and direction, one slot of a cache line or two each");
/// A delivery lane.
pub const DELIVERY_LANE: Bound = count(
    "deliveries",
    4096,
    2,
    1 << 20,
    "several events come of one command, so it is longer than a command lane",
)
.costing("per pair of shards and direction, one slot of a cache line or two each");
/// Connections of the process.
pub const MAX_CONNECTIONS: Bound =
    count("connections", 0, 1, MANY, "file descriptors and the dialects' own limits bound it")
        .costing("about 1 KiB per idle connection, and the kernel's socket");
/// Sockets in their HTTP phase.
pub const MAX_PENDING: Bound = count(
    "sockets",
    8192,
    1,
    MANY,
    "a storm of reconnecting clients passes, a crowd of silent sockets does not",
)
.costing("about 4 KiB each until they are upgraded or cut off");
/// Frames per system call.
pub const FLUSH_FRAMES: Bound = count("frames", 64, 1, 64, "beyond it a call gains nothing")
    .costing("16 bytes of stack per frame, per flush");

/// The shortest message that is compressed.
pub const COMPRESS_MIN_BYTES: Bound =
    bytes(256, 1, MIB, "a shorter message gains less than the time it costs: the dictionary starts empty");
/// Private messages of one absent user.
pub const OFFLINE_MESSAGES: Bound = count("messages", 100, 1, 10_000, "the documents' queue of 100")
    .costing("the message and some 100 bytes each, per user with messages waiting");
/// Private messages of all absent users of a shard.
pub const OFFLINE_MESSAGES_TOTAL: Bound =
    count("messages", 100_000, 1, MANY, "names cost nothing, so their number must")
        .costing("the message and some 100 bytes each, per shard");

/// The time of a private message of an absent user.
pub const OFFLINE_TTL: Bound = time(7 * DAY, 10, YEAR, "a week away is a holiday");
/// Absent users a shard remembers.
pub const KNOWN_USERS: Bound = count("users", 100_000, 1, MANY, "names cost nothing, so their number must")
    .costing("some 400 bytes each, and their contacts and conversations, per shard");
/// Channels of one user.
pub const CHANNELS_PER_USER: Bound =
    count("channels", 1000, 1, MANY, "more than people follow, and no way to fill the memory")
        .costing("per connection and channel some 60 bytes, and the channel's own");
/// Contacts of one user.
pub const CONTACTS_PER_USER: Bound = count("contacts", 500, 1, MANY, "each device watches each of them")
    .costing("per contact its name and groups, and a place in a list per device");

/// Events of one channel in memory.
pub const HISTORY_MEMORY_EVENTS: Bound =
    count("events", 64, 1, 100_000, "a reconnecting client has missed fewer; older ones come from the store")
        .costing("the text and some 300 bytes each, per channel with traffic, within the shard's bytes");
/// Events of all channels of a shard in memory.
pub const HISTORY_MEMORY_BYTES: Bound = bytes(
    64 * MIB,
    64 * KIB,
    64 * 1024 * MIB,
    "a thousand busy channels' newest; without a store it is all there is",
)
.costing("per shard");
/// Events told to one who comes back.
pub const REPLAY_EVENTS: Bound =
    count("events", 1000, 1, 100_000, "who missed more asks for the history, page by page")
        .costing("half of an outbox at most, while they are written");

// ---- Bounds that nobody configures -------------------------------------------------------------

/// The longest header of a frame a server sends.
pub const FRAME_HEADER_BYTES: u64 = 10;
/// A message of an `echo` listener, which is for diagnosis: the largest of the conformance suite.
pub const ECHO_MESSAGE_BYTES: u64 = 16 * MIB;
/// What a Tusk frame may have beyond `max_message_size`: type, room and quotes around a message.
pub const TUSK_ENVELOPE_BYTES: u64 = 256;
/// Size of a Tusk `auth` frame: a JWT with roles and permissions.
pub const TUSK_AUTH_FRAME_BYTES: u64 = 8 * KIB;
/// The window of Tusk's `message_rate_limit`, fixed and not sliding, as the document's limiter counts.
pub const TUSK_RATE_WINDOW: Duration = Duration::from_secs(60);
/// Tusk `ping` messages of a connection in [`TUSK_RATE_WINDOW`]: apart from the others, since the document's
/// client doubles its pings every 30 s and must not starve its own messages.
pub const TUSK_PINGS_PER_WINDOW: u64 = 100;
/// The longest body in which a persona's answer may come.
pub const PERSONA_BODY_BYTES: usize = MIB as usize;
/// The longest answer of a persona in code points.
pub const PERSONA_ANSWER_CHARS: usize = 5000;

/// Messages of a connection in a minute, of whichever kind, in dialects whose own limit is for what is said; and
/// as many heartbeats. More than clients send, and an end to floods of joins and presences.
pub const REQUESTS_PER_MINUTE: u32 = 12_000;

// ---- Shared by dialects ------------------------------------------------------------------------

/// Connections of a user, a service or a tenant where the document names no number.
pub const PER_PRINCIPAL_CONNECTIONS: Bound = count("connections", 0, 1, MANY, "the document names no number");
/// Messages in a window where the document names no number.
pub const MAX_MESSAGES: Bound =
    count("messages", 6000, 1, MANY, "100 a second: far above people, below what floods a room")
        .costing("per active user, two counters");
/// The window of a rate limit.
pub const TIME_WINDOW: Bound = time(60 * SECOND, 10, DAY, "the usual unit of such limits");
/// Users online for a realm-wide announcement.
pub const PRESENCE_BROADCAST_LIMIT: Bound =
    count("users", 500, 1, MANY, "announcing everyone to everyone costs the square of this");

// ---- The store ---------------------------------------------------------------------------------

/// Events of a channel on disk.
pub const HISTORY_COUNT: Bound = count(
    "events",
    10_000,
    0,
    MANY,
    "months of a conversation, or what a busy room says in a night: whoever comes back in the morning misses none",
)
.costing("disk, not memory: about 300 bytes an event, twice that when it can be searched");
/// The same in bytes.
pub const HISTORY_BYTES: Bound = bytes(
    64 * MIB,
    KIB,
    1024 * 1024 * MIB,
    "6 KiB an event: only a channel that passes files on comes near it",
)
.costing("disk, per channel with traffic");
/// The same in time.
pub const HISTORY_AGE: Bound =
    time(30 * DAY, SECOND, 100 * YEAR, "who was away for longer starts anew").costing("disk");

// ---- SGE ---------------------------------------------------------------------------------------

/// SGE-63.
pub const SGE_MAX_CONNECTIONS: Bound = count("connections", 10_000, 1, MANY, "the document's");
/// SGE-64.
pub const SGE_MESSAGE_TIMEOUT: Bound = time(30 * SECOND, 10, DAY, "the document's");
/// SGE-65.
pub const SGE_HEARTBEAT_INTERVAL: Bound = time(30 * SECOND, 10, HOUR, "the document's");
/// SGE-66.
pub const SGE_MAX_MESSAGE_SIZE: Bound = bytes(64 * KIB, 1, 64 * MIB, "the document's");

// ---- NEXUS -------------------------------------------------------------------------------------

/// NEX-95.
pub const NEXUS_HEARTBEAT_INTERVAL: Bound = time(30 * SECOND, 10, HOUR, "the document's");
/// NEX-96.
pub const NEXUS_HEARTBEAT_TIMEOUT: Bound = time(60 * SECOND, 10, DAY, "the document's");
/// NEX-97.
pub const NEXUS_MAX_QUEUE_SIZE: Bound =
    count("messages", 100, 1, MANY, "the document's").costing("per user who is offline and written to");
/// NEX-98.
pub const NEXUS_MAX_CACHE_SIZE: Bound =
    count("messages", 1000, 1, MANY, "the document's").costing("per channel with traffic");
/// NEX-82.
pub const NEXUS_MAX_OPERATION_HISTORY: Bound =
    count("operations", 1000, 1, MANY, "the document's").costing("per document in use");
/// NEX-79.
pub const NEXUS_QUEUE_TTL: Bound =
    time(7 * DAY, 10, YEAR, "a week away is a holiday; the document names no number");
/// A NEXUS frame.
pub const NEXUS_MAX_MESSAGE_BYTES: Bound = bytes(MIB, 1, 64 * MIB, "documents are edited in large pieces");
/// NEX-74.
pub const NEXUS_MAX_CONTENT_LENGTH: Bound =
    count("code points", 65_536, 1, MANY, "the document names no number");

// ---- Gator -------------------------------------------------------------------------------------

/// GAT-47.
pub const GATOR_CONNECTIONS_PER_USER: Bound = count("connections", 5, 1, MANY, "the document's");
/// GAT-49.
pub const GATOR_MAX_MESSAGES: Bound =
    count("messages", 60, 1, MANY, "one a second; the document names no number")
        .costing("per active user, one time stamp each");
/// Code points of a message's content (GAT-50).
pub const GATOR_CONTENT_LENGTH: usize = 5000;
/// Between two Pings to a Gator client: half of what the shortest of the usual proxies allows (ruling G14).
pub const GATOR_HEARTBEAT: Duration = Duration::from_secs(30);
/// GAT-25: the client's own 3 s and a grace.
pub const GATOR_TYPING_TIMEOUT: Bound = time(3_500, 10, HOUR, "the client's own 3 s and some grace");
/// GAT-09.
pub const PERSONA_TIMEOUT: Bound = time(
    30 * SECOND,
    10,
    HOUR,
    "a model writes a long answer in less, and a conversation has gone on by then",
);
/// GAT-09.
pub const PERSONA_CONCURRENCY: Bound =
    count("requests", 16, 1, 4096, "model services answer in seconds and limit their clients")
        .costing("per shard a connection each, and up to 1 MiB while an answer arrives");
/// GAT-09.
pub const PERSONA_QUEUE: Bound =
    count("messages", 64, 0, 65_536, "four rounds of the requests under way: who came later would wait long")
        .costing("per shard, a message each");
/// TUS-41.
pub const PERSONA_FAILURES: Bound =
    count("failures", 5, 1, 1000, "an accident or two pass, a service that is down is noticed soon");
/// TUS-41.
pub const PERSONA_REST: Bound =
    time(30 * SECOND, 10, HOUR, "services restart in about that, and one request in it burdens none");

// ---- AegisX ------------------------------------------------------------------------------------

/// AEG-04.
pub const AEGISX_MAX_PAYLOAD: Bound = bytes(MIB, 1, 64 * MIB, "the document's");
/// AEG-05.
pub const AEGISX_IDLE_TIMEOUT: Bound = time(120 * SECOND, 10, DAY, "the document's");
/// AEG-20.
pub const AEGISX_INACTIVE_THRESHOLD: Bound = time(300 * SECOND, 10, DAY, "the document's");
/// The sweep that looks for it.
pub const AEGISX_CLEANUP_INTERVAL: Bound = time(30 * SECOND, 10, HOUR, "the document's");

// ---- Tusk --------------------------------------------------------------------------------------

/// TUS-47.
pub const TUSK_PORT: Bound = Bound::new(Unit::Count("as a port"), 8080, 0, 65_535, "the document's");
/// TUS-48.
pub const TUSK_MAX_CONNECTIONS: Bound = count("connections", 1000, 1, MANY, "the document's");
/// TUS-49.
pub const TUSK_HEARTBEAT_INTERVAL: Bound = time(30 * SECOND, 10, HOUR, "the document's");
/// TUS-50.
pub const TUSK_MESSAGE_RATE_LIMIT: Bound =
    count("messages", 100, 1, MANY, "the document's").costing("per connection, one counter");
/// TUS-32.
pub const TUSK_MAX_ROOM_MEMBERS: Bound = count("members", 1000, 1, MANY, "the document's");
/// TUS-33.
pub const TUSK_MAX_ROOMS_PER_USER: Bound =
    count("rooms", 50, 1, MANY, "the document's").costing("per connection, one entry for each room joined");
/// TUS-55.
pub const TUSK_BUFFER_SIZE: Bound =
    bytes(8 * KIB, 1, 64 * MIB, "the document's").costing("per connection, while a message is incomplete");
/// TUS-56.
pub const TUSK_KEEP_ALIVE_TIMEOUT: Bound = time(300 * SECOND, 10, DAY, "the document's");
/// TUS-60.
pub const TUSK_MAX_MESSAGE_SIZE: Bound = bytes(KIB, 1, 64 * MIB, "the document's");
/// TUS-61.
pub const TUSK_MAX_CONNECTIONS_PER_IP: Bound =
    count("connections", 100, 1, MANY, "the document's").costing("one counter per address with connections");
/// TUS-62.
pub const TUSK_CONNECTION_TIMEOUT: Bound = time(300 * SECOND, 10, DAY, "the document's");
/// TUS-63.
pub const TUSK_IDLE_TIMEOUT: Bound = time(60 * SECOND, 10, DAY, "the document's");
/// TUS-70.
pub const TUSK_MESSAGE_MAX_LENGTH: Bound = bytes(1000, 1, 64 * MIB, "the document's");
/// TUS-64.
pub const TUSK_BATCH_WINDOW: Bound =
    time(0, 1, 10 * SECOND, "a latency that only bursts repay: off by default");

/// What must hold between the defaults.
const _: () = {
    assert!(
        OUTBOX_BYTES.default >= MAX_MESSAGE_BYTES.default + FRAME_HEADER_BYTES,
        "an outbox holds a message"
    );
    assert!(TUSK_MAX_MESSAGE_SIZE.default + TUSK_ENVELOPE_BYTES <= MAX_MESSAGE_BYTES.default);
    assert!(TUSK_AUTH_FRAME_BYTES <= MAX_MESSAGE_BYTES.min, "an auth frame fits under every hard cap");
    assert!(TUSK_MESSAGE_MAX_LENGTH.default <= TUSK_MAX_MESSAGE_SIZE.default);
    assert!(TUSK_HEARTBEAT_INTERVAL.default < TUSK_IDLE_TIMEOUT.default, "an answered Ping comes in time");
    assert!(NEXUS_HEARTBEAT_INTERVAL.default < NEXUS_HEARTBEAT_TIMEOUT.default);
    assert!(COMMAND_LANE.default <= DELIVERY_LANE.default, "a command makes a delivery or more");
    assert!(FLUSH_FRAMES.max <= 1024, "IOV_MAX");
    assert!(MAX_HEADER_BYTES.min >= 8192, "hyper refuses a smaller buffer");
};
