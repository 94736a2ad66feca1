//! What one seed decides before the first step: how many shards, how small the lanes, which limits hold.

use std::sync::Arc;

use lanecast::access::Policy;
use lanecast::auth::{Credentials, Verifier};
use lanecast::channel::{HomeLimits, RealmLimits, ReplayLimits};
use lanecast::clock::Clock;
use lanecast::conn::{Budget, Greeting, Rules, Times, Window};
use lanecast::dialect;
use lanecast::extension::Extensions;
use lanecast::limit::Holders;
use lanecast::model::{ChannelName, Dialect, Kind, Principal, RealmId};
use lanecast::shard::Shared;
use lanecast::telemetry::Registry;
use lanecast::ws;

use crate::dice::Dice;

/// Rooms in which somebody is from the beginning to the end: their order is known at every step.
pub const WATCHED_ROOMS: [&str; 2] = ["o0", "o1"];
/// Rooms that come and go with their members.
pub const WILD_ROOMS: [&str; 3] = ["w0", "w1", "w2"];
/// Users with one device from the beginning to the end.
pub const KEPT_USERS: [&str; 2] = ["k0", "k1"];
/// Users that come and go: what is sent to them meanwhile waits.
pub const AWAY_USERS: [&str; 3] = ["a0", "a1", "a2"];

/// All dialects meet in one realm.
pub const REALM: RealmId = RealmId(0);

/// How often the scheduler chooses which kind of action, when there is a choice.
#[derive(Clone, Copy, Debug)]
pub struct Habit {
    pub feed: usize,
    pub pump: usize,
    pub turn: usize,
    pub read: usize,
    pub store: usize,
}

/// The frame of one run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub shards: usize,
    pub command_lane: usize,
    pub delivery_lane: usize,
    pub outbox_bytes: usize,
    pub max_rooms_per_user: usize,
    pub max_room_members: usize,
    pub direct_queue: usize,
    /// Absent users that one shard remembers.
    pub known_users: usize,
    pub presence_broadcast: bool,
    /// Users online beyond whom only their rooms hear of their presence.
    pub presence_limit: usize,
    pub idle_ms: u64,
    pub batch_ms: u64,
    /// Visitors at once.
    pub visitors: usize,
    /// Of a hundred of them, those who speak another dialect than Tusk.
    pub foreigners: usize,
    /// Whether clients show themselves as offline while they are there.
    pub hides: bool,
    pub habit: Habit,
    pub place_seed: u64,
    /// Whether there is a store; at times it cannot write, and it takes so many requests of a shard.
    pub durable: bool,
    pub falters: bool,
    pub pending: usize,
    /// Events of a channel in memory, and how many one is told that it missed.
    pub log_events: usize,
    pub replay_events: usize,
}

impl Plan {
    pub fn roll(dice: &mut Dice) -> Self {
        Self {
            shards: dice.between(2, 8),
            command_lane: dice.between(1, 4),
            delivery_lane: dice.between(1, 4),
            outbox_bytes: dice.pick(&[0, 12_000, 12_000]),
            max_rooms_per_user: dice.pick(&[0, 2, 3]),
            max_room_members: dice.pick(&[0, 0, 5]),
            direct_queue: dice.pick(&[2, 4, 1000]),
            known_users: dice.pick(&[1, 3, 1000]),
            presence_broadcast: dice.percent(50),
            presence_limit: dice.pick(&[0, 0, 4]),
            idle_ms: dice.pick(&[0, 0, 20_000]),
            batch_ms: dice.pick(&[0, 0, 0, 30]),
            visitors: dice.between(4, 24),
            foreigners: dice.pick(&[0, 40, 40, 90]),
            hides: dice.percent(30),
            habit: Habit {
                feed: dice.pick(&[4, 12, 30]),
                pump: dice.pick(&[1, 4, 12]),
                turn: dice.pick(&[1, 4, 12]),
                read: dice.pick(&[1, 4, 8]),
                store: dice.pick(&[1, 4, 12]),
            },
            place_seed: dice.next(),
            durable: dice.percent(60),
            falters: dice.percent(50),
            pending: dice.pick(&[2, 8, 4096]),
            log_events: dice.pick(&[0, 3, 100]),
            replay_events: dice.pick(&[5, 1000]),
        }
    }

    pub fn shared(&self, registry: Registry) -> Arc<Shared> {
        let rules = |dialect| Rules {
            dialect,
            realm: REALM,
            shared: true,
            require_auth: false,
            messages: Budget::default(),
            pings: Budget::default(),
            // Never exhausted; but whoever has one asks for each message first.
            window: Window { limit: if dialect == Dialect::Gator { u32::MAX } else { 0 }, length: 1000 },
            max_per_user: 0,
            max_per_service: 0,
            max_per_tenant: 0,
            max_rooms_per_user: self.max_rooms_per_user,
            sizes: dialect::Limits::default(),
            frames: ws::Limits { max_message: 1 << 16, deflate: false, reserve: 0 },
            times: self.times(),
            greeting: match dialect {
                Dialect::Gator => Greeting::Online,
                Dialect::Sge => Greeting::Nothing,
                _ => Greeting::Welcome,
            },
            own_presence: dialect == Dialect::Tusk,
            presence_broadcast: self.presence_broadcast,
            typing: 3500,
            token_at_upgrade: false,
            public_per_tenant: false,
            tenants: None,
            // A batch is a word of one dialect.
            batch_window: if dialect == Dialect::Tusk { self.batch_ms } else { 0 },
        };
        Arc::new(Shared {
            shards: self.shards,
            seed: self.place_seed,
            clock: Clock::start(),
            rules: Dialect::ALL.into_iter().map(rules).collect(),
            access: Policy::default().into(),
            homes: self.homes(),
            credentials: Credentials {
                api_keys: Vec::new(),
                verifier: Verifier::new(None, None, None),
                static_tokens: Vec::new(),
                open: true,
            },
            holders: Holders::new(),
            extensions: Extensions::default(),
            registry,
            pending_max: 64,
            command_lane: self.command_lane,
            delivery_lane: self.delivery_lane,
            connections_max: 64,
            outbox_bytes: self.outbox_bytes,
            flush_frames: 64,
            read_buffer: 4096,
            // Never reached: compressing connections are counted apart and get the plain frames.
            deflate_min: usize::MAX,
        })
    }

    fn homes(&self) -> HomeLimits {
        let realm = RealmLimits {
            max_room_members: self.max_room_members,
            max_rooms_per_user: self.max_rooms_per_user,
            queue: self.direct_queue,
            presence_broadcast_limit: self.presence_limit,
            message_cache: 4,
            shows_connections: true,
            ..RealmLimits::default()
        };
        HomeLimits {
            realms: vec![realm],
            queue_total: 0,
            known_users: self.known_users,
            seed: self.place_seed,
            durable: self.durable,
            log_events: self.log_events,
            replay: ReplayLimits { events: self.replay_events, bytes: 1 << 20 },
            ..HomeLimits::default()
        }
    }

    fn times(&self) -> Times {
        Times { heartbeat: self.idle_ms / 3, idle: self.idle_ms, closing: 2000, ..Times::default() }
    }

    /// Entries that may wait for a lane: of each connection that ever lived at once one request of two
    /// commands and its leaving, and, while a shard rests, those of connections that followed it.
    pub fn backlog_bound(&self) -> usize {
        let rooms = WATCHED_ROOMS.len() + WILD_ROOMS.len();
        (self.visitors + 16) * (rooms + 4) * self.shards
    }
}

/// The full name of a room or user of the simulation.
pub fn channel(kind: Kind, id: &str) -> ChannelName {
    ChannelName { realm: REALM, tenant: Principal::DEFAULT_TENANT.into(), kind, id: id.into() }
}

/// The name under which the witness knows a user's channel.
pub fn inbox(user: &str) -> String {
    format!("inbox {user}")
}
