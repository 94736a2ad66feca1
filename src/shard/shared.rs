//! What all shards read and none changes: rules, keys, the extensions, the clock.

use std::sync::Arc;

use crate::access::Policy;
use crate::auth::Credentials;
use crate::channel::HomeLimits;
use crate::clock::Clock;
use crate::conn::{Holder, Rules};
use crate::extension::Extensions;
use crate::fanout::Speaker;
use crate::limit::Holders;
use crate::model::{ChannelName, Dialect};
use crate::telemetry::Registry;

/// Made once at boot.
#[derive(Debug)]
pub struct Shared {
    pub shards: usize,
    /// Drawn at boot; places channels on shards.
    pub seed: u64,
    pub clock: Clock,
    /// By [`Dialect::index`].
    pub rules: Vec<Rules>,
    /// Who may do what.
    pub access: Arc<Policy>,
    pub homes: HomeLimits,
    pub credentials: Credentials,
    /// Connections of each user, service and tenant; asked when one comes and goes, never on a message's way.
    pub holders: Arc<Holders<Holder>>,
    pub extensions: Extensions,
    /// All shards' figures; what one shard knows of the others without asking.
    pub registry: Registry,
    /// Entries of one command lane.
    pub command_lane: usize,
    /// Entries of one delivery lane.
    pub delivery_lane: usize,
    /// Connections that one shard may hold; sizes the bounds of its backlogs.
    pub connections_max: usize,
    /// Sockets of a shard that may be in their HTTP phase at once; one more is closed.
    pub pending_max: usize,
    /// Bytes that may wait for one connection; beyond them it is closed as too slow. 0: no limit.
    pub outbox_bytes: usize,
    /// Waiting frames that leave in one vectored write.
    pub flush_frames: usize,
    /// Bytes of the buffer into which a shard reads.
    pub read_buffer: usize,
    /// Messages shorter than this many bytes are not compressed.
    pub deflate_min: usize,
}

impl Shared {
    pub fn rules(&self, dialect: Dialect) -> &Rules {
        &self.rules[dialect.index()]
    }

    /// The home of a channel.
    pub fn home(&self, name: &ChannelName) -> usize {
        name.home(self.seed, self.shards)
    }

    /// Which dialects speak in which realm.
    pub fn speakers(&self) -> Vec<Speaker> {
        let spoken = self.rules.iter().filter(|r| r.dialect != Dialect::Echo);
        spoken
            .map(|r| Speaker { realm: r.realm, dialect: r.dialect, presence: r.presence_broadcast })
            .collect()
    }
}
