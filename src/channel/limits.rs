//! The numbers that homes enforce. From the configuration; 0 means none where a limit may be off.

use super::log::ReplayLimits;
use crate::model::Epoch;

/// What holds for all realms of a shard, and for each.
#[derive(Clone, Debug)]
pub struct HomeLimits {
    /// By number of the realm.
    pub realms: Vec<RealmLimits>,
    /// Messages kept for all absent users of one shard; one more is refused.
    pub queue_total: usize,
    /// Absent users of one shard who are remembered: when they were last seen, their contacts, their
    /// conversations. The one who went first is forgotten first.
    pub known_users: usize,
    /// Drawn at boot; gives connections the ids that clients see.
    pub seed: u64,
    /// Whether what must last waits for a store; if not, all there is is in memory.
    pub durable: bool,
    /// The life of the numbers that are given out.
    pub epoch: Epoch,
    /// Events of one channel that are in memory, the newest ones.
    pub log_events: usize,
    /// Bytes of the events of all channels of one shard that are in memory.
    pub log_total: usize,
    pub replay: ReplayLimits,
}

/// The numbers of one realm: those of the dialects that speak in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealmLimits {
    /// Connections in one room (TUS-32).
    pub max_room_members: usize,
    /// Rooms of one user over all its devices (TUS-33).
    pub max_rooms_per_user: usize,
    /// Messages kept for one absent user, the newest ones (NEX-78).
    pub queue: usize,
    /// Milliseconds for which one is kept (NEX-79).
    pub queue_ttl: u64,
    /// Users online in the process beyond whom a change of presence is told only in the user's rooms.
    pub presence_broadcast_limit: usize,
    /// Messages of a room that can be edited, taken back and read, the newest ones (NEX-81). 0: none, not all.
    pub message_cache: usize,
    /// Entries of one user's roster.
    pub contacts: usize,
    /// Whether a dialect of the realm tells others of changes of presence.
    pub presence_broadcast: bool,
    /// Whether a dialect of the realm tells users of their own (TUS-17).
    pub own_presence: bool,
    /// The longest sliding window of the realm, in milliseconds.
    pub window: u64,
    /// Whether a dialect of the realm shows the connection a message came over.
    pub shows_connections: bool,
}

impl Default for HomeLimits {
    fn default() -> Self {
        Self {
            realms: Vec::new(),
            queue_total: 0,
            known_users: 0,
            seed: 0,
            durable: false,
            epoch: Epoch(0),
            log_events: 100,
            log_total: 1 << 20,
            replay: ReplayLimits { events: 1000, bytes: 1 << 20 },
        }
    }
}
