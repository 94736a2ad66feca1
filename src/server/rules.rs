//! What each dialect's section of the configuration means for its connections and its realm.

use std::sync::Arc;
use std::time::Duration;

use super::plan::count;
use crate::channel::RealmLimits;
use crate::config::{AuthMode, Config, Limit, TenantStatus, limits};
use crate::conn::{Budget, Greeting, Rules, Times, Window};
use crate::dialect::{self, tusk};
use crate::model::{Dialect, RealmId};
use crate::ws;

/// How long the peer may take to answer a Close frame before TCP is ended anyway.
const CLOSING: Duration = Duration::from_secs(2);

/// First size of the buffer for a message that is not whole.
const RESERVE: usize = 8192;

fn small(limit: Limit) -> u32 {
    count(limit).try_into().unwrap_or(u32::MAX)
}

fn ms(duration: Option<Duration>) -> u64 {
    duration.map_or(0, |d| d.as_millis() as u64)
}

/// The rules of a dialect.
pub fn of(config: &Config, dialect: Dialect) -> Rules {
    match dialect {
        Dialect::Sge => sge(config),
        Dialect::Nexus => nexus(config),
        Dialect::Gator => gator(config),
        Dialect::Aegisx => aegisx(config),
        Dialect::Tusk => tusk(config),
        Dialect::Echo => echo(config),
    }
}

/// Realms by name: dialects that name the same one share it.
pub fn realm(config: &Config, dialect: Dialect) -> RealmId {
    let first =
        Dialect::ALL.into_iter().find(|other| realm_name(config, *other) == realm_name(config, dialect));
    RealmId(first.unwrap_or(dialect).index() as u8)
}

fn realm_name(config: &Config, dialect: Dialect) -> &str {
    match dialect {
        Dialect::Sge => &config.sge.realm,
        Dialect::Nexus => &config.nexus.realm,
        Dialect::Gator => &config.gator.realm,
        Dialect::Aegisx => &config.aegisx.realm,
        Dialect::Tusk => &config.tusk.realm,
        Dialect::Echo => Dialect::Echo.name(),
    }
}

/// The names of the realms, by [`RealmId`].
pub fn realm_names(config: &Config) -> Vec<Box<str>> {
    Dialect::ALL.into_iter().map(|dialect| realm_name(config, dialect).into()).collect()
}

/// Whether another dialect names the same realm.
fn is_shared(config: &Config, dialect: Dialect) -> bool {
    let of = realm(config, dialect);
    Dialect::ALL.into_iter().any(|other| other != dialect && realm(config, other) == of)
}

/// What holds in a realm: the numbers of the dialects that speak in it; where several have one, the smaller.
pub fn realm_limits(config: &Config, id: RealmId) -> RealmLimits {
    let speaks = |dialect| realm(config, dialect) == id;
    let broadcast = [
        (Dialect::Nexus, config.nexus.presence_broadcast_limit),
        (Dialect::Gator, config.gator.presence_broadcast_limit),
        (Dialect::Tusk, config.tusk.presence_broadcast_limit),
    ];
    let broadcast = broadcast.into_iter().filter(|(dialect, _)| speaks(*dialect)).map(|(_, n)| count(n));
    let tusk = |limit: Limit| if speaks(Dialect::Tusk) { count(limit) } else { 0 };
    let dialects = Dialect::ALL.into_iter().filter(|dialect| speaks(*dialect));
    let spoken = dialects.map(|dialect| self::of(config, dialect));
    let (queue, ttl) = match speaks(Dialect::Nexus) {
        true => (config.nexus.max_queue_size, config.nexus.queue_ttl),
        false => (config.limits.offline_messages, config.limits.offline_ttl),
    };
    RealmLimits {
        max_room_members: tusk(config.tusk.max_room_members),
        max_rooms_per_user: match speaks(Dialect::Tusk) {
            true => count(config.tusk.max_rooms_per_user),
            false => count(config.limits.channels_per_user),
        },
        queue: count(queue),
        queue_ttl: ms(ttl),
        presence_broadcast_limit: broadcast.filter(|n| *n != 0).min().unwrap_or(0),
        message_cache: if speaks(Dialect::Nexus) { cache(config.nexus.max_cache_size) } else { 0 },
        contacts: count(config.limits.contacts_per_user),
        presence_broadcast: spoken.clone().any(|rules| rules.presence_broadcast),
        own_presence: spoken.clone().any(|rules| rules.own_presence),
        window: spoken.map(|rules| rules.window.length).max().unwrap_or(0),
        shows_connections: speaks(Dialect::Aegisx),
    }
}

/// 0 means no limit in the configuration, and no cache at home.
fn cache(limit: Limit) -> usize {
    limit.cap().map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX))
}

fn required(config: &Config) -> bool {
    config.auth_mode() == AuthMode::Required
}

/// What most dialects have in common.
fn plain(config: &Config, dialect: Dialect) -> Rules {
    Rules {
        dialect,
        realm: realm(config, dialect),
        shared: is_shared(config, dialect),
        require_auth: required(config),
        messages: Budget { limit: limits::REQUESTS_PER_MINUTE, period: 60 },
        pings: Budget { limit: limits::REQUESTS_PER_MINUTE, period: 60 },
        window: Window::default(),
        max_per_user: 0,
        max_per_service: 0,
        max_per_tenant: 0,
        max_rooms_per_user: count(config.limits.channels_per_user),
        sizes: dialect::Limits::default(),
        frames: ws::Limits { max_message: config.limits.max_message_bytes, deflate: false, reserve: RESERVE },
        times: times(config),
        greeting: Greeting::Nothing,
        own_presence: false,
        presence_broadcast: false,
        typing: ms(Some(config.gator.typing_timeout)),
        token_at_upgrade: true,
        public_per_tenant: false,
        tenants: None,
        batch_window: 0,
    }
}

fn window(limit: Limit, length: Duration) -> Window {
    Window { limit: small(limit), length: ms(Some(length)) }
}

/// Frames of at most so many bytes; 0 means as many as the largest limit allows.
fn frames(limit: Limit) -> ws::Limits {
    let max = match count(limit) {
        0 => limits::ECHO_MESSAGE_BYTES as usize,
        max => max,
    };
    ws::Limits { max_message: max, deflate: false, reserve: RESERVE }
}

fn sge(config: &Config) -> Rules {
    let sge = &config.sge;
    let timeout = ms(sge.ws_message_timeout);
    let heartbeat = ms(sge.ws_heartbeat_interval);
    Rules {
        window: window(sge.max_messages, sge.time_window),
        max_per_user: count(sge.max_connections_per_user),
        max_per_service: count(sge.max_connections_per_service),
        frames: frames(sge.ws_max_message_size),
        times: Times {
            heartbeat,
            // Two Pings missed (ruling S16).
            idle: heartbeat * 5 / 2,
            auth: timeout,
            incomplete: timeout,
            outbox_age: shorter(timeout, ms(Some(config.limits.outbox_age))),
            ..times(config)
        },
        token_at_upgrade: sge.require_token_at_upgrade,
        ..plain(config, Dialect::Sge)
    }
}

fn nexus(config: &Config) -> Rules {
    let nexus = &config.nexus;
    let heartbeat = if nexus.enable_auto_ping { ms(nexus.websocket_heartbeat_interval) } else { 0 };
    Rules {
        window: window(nexus.max_messages, nexus.time_window),
        max_per_user: count(nexus.max_connections_per_user),
        sizes: dialect::Limits { max_content: count(nexus.max_content_length), ..Default::default() },
        frames: frames(nexus.max_message_bytes),
        times: Times { heartbeat, idle: ms(nexus.websocket_heartbeat_timeout), ..times(config) },
        greeting: Greeting::Welcome,
        presence_broadcast: nexus.presence_broadcast,
        ..plain(config, Dialect::Nexus)
    }
}

fn gator(config: &Config) -> Rules {
    let gator = &config.gator;
    let heartbeat = limits::GATOR_HEARTBEAT.as_millis() as u64;
    Rules {
        window: window(gator.max_messages, gator.time_window),
        max_per_user: count(gator.max_connections_per_user),
        sizes: dialect::Limits { max_content: limits::GATOR_CONTENT_LENGTH, ..Default::default() },
        // Whoever answers Pings stays (ruling G14).
        times: Times { heartbeat, idle: heartbeat * 5 / 2, ..times(config) },
        greeting: Greeting::Online,
        presence_broadcast: gator.presence_broadcast,
        ..plain(config, Dialect::Gator)
    }
}

fn aegisx(config: &Config) -> Rules {
    let aegisx = &config.aegisx;
    let tenants = aegisx.tenants.as_ref().map(|tenants| {
        let active = tenants.iter().filter(|(_, status)| *status == TenantStatus::Active);
        active.map(|(tenant, _)| tenant.into()).collect::<Arc<[Box<str>]>>()
    });
    let sweep = ms(Some(aegisx.cleanup_interval));
    Rules {
        window: window(aegisx.max_messages, aegisx.time_window),
        max_per_user: count(aegisx.max_connections_per_user),
        max_per_tenant: count(aegisx.max_connections_per_tenant),
        frames: frames(aegisx.max_payload),
        times: Times {
            // Browsers cannot Ping: the server does, and their Pongs count (ruling A2).
            heartbeat: sweep,
            idle: ms(aegisx.idle_timeout),
            inactive: ms(aegisx.inactive_threshold),
            sweep,
            ..times(config)
        },
        greeting: Greeting::Welcome,
        public_per_tenant: aegisx.public_per_tenant,
        tenants,
        ..plain(config, Dialect::Aegisx)
    }
}

/// The shorter of two times, of which 0 is none.
fn shorter(a: u64, b: u64) -> u64 {
    if a == 0 || (b != 0 && b < a) { b } else { a }
}

fn tusk(config: &Config) -> Rules {
    let tusk = &config.tusk;
    let required = required(config);
    let period = limits::TUSK_RATE_WINDOW.as_secs() as u32;
    let limited = |limit: u32| if tusk.enable_rate_limiting { limit } else { 0 };
    // Without a limit on messages there is none on heartbeats either: who lifts one wants no throttle.
    let pings =
        if tusk.message_rate_limit.cap().is_none() { 0 } else { limits::TUSK_PINGS_PER_WINDOW as u32 };
    Rules {
        require_auth: required || tusk.require_auth,
        messages: Budget { limit: limited(small(tusk.message_rate_limit)), period },
        pings: Budget { limit: limited(pings), period },
        max_rooms_per_user: count(tusk.max_rooms_per_user),
        sizes: dialect::Limits {
            tusk: tusk::Limits::new(count(tusk.max_message_size), count(tusk.message_max_length)),
            max_content: 0,
        },
        frames: ws::Limits {
            max_message: config.limits.max_message_bytes,
            deflate: false,
            reserve: tusk.buffer_size,
        },
        times: Times {
            heartbeat: ms(tusk.heartbeat_interval),
            idle: ms(tusk.idle_timeout),
            auth: ms(tusk.connection_timeout),
            ..times(config)
        },
        greeting: if tusk.welcome { Greeting::Welcome } else { Greeting::Nothing },
        own_presence: true,
        presence_broadcast: tusk.presence_broadcast,
        batch_window: ms(tusk.batch_window),
        ..plain(config, Dialect::Tusk)
    }
}

fn times(config: &Config) -> Times {
    Times {
        incomplete: ms(Some(config.server.header_timeout)),
        outbox_age: ms(Some(config.limits.outbox_age)),
        closing: ms(Some(CLOSING)),
        ..Times::default()
    }
}

fn echo(config: &Config) -> Rules {
    Rules {
        require_auth: false,
        messages: Budget::default(),
        pings: Budget::default(),
        max_rooms_per_user: 0,
        // For diagnosis: the largest message of the conformance suite passes.
        frames: ws::Limits {
            max_message: limits::ECHO_MESSAGE_BYTES as usize,
            deflate: false,
            reserve: RESERVE,
        },
        ..plain(config, Dialect::Echo)
    }
}
