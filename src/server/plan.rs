//! What the configuration means for the parts of the server: each key is read here and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use crate::access::{Grants, Policy, Rule, Someone, Verb};
use crate::api::Site;
use crate::auth::{Credentials, StaticToken, Verifier};
use crate::channel::HomeLimits;
use crate::clock::Clock;
use crate::config::{self, AllowedOrigin, AuthMode, Config, Limit, limits};
use crate::conn::{Budget, Rules, Times};
use crate::dialect::tusk;
use crate::extension::Extensions;
use crate::model::{Dialect, RealmId};
use crate::net::{Gate, HttpLimits, OriginPolicy, SocketOptions};
use crate::shard::{Door, Mount, Shared};
use crate::telemetry::Registry;
use crate::ws;

/// How long the peer may take to answer a Close frame before TCP is ended anyway.
const CLOSING: Duration = Duration::from_secs(2);

/// First size of the buffer for a message of an `echo` listener that is not whole.
const ECHO_RESERVE: usize = 8192;

fn count(limit: Limit) -> usize {
    limit.cap().map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX))
}

fn small(limit: Limit) -> u32 {
    count(limit).try_into().unwrap_or(u32::MAX)
}

fn ms(duration: Option<Duration>) -> u64 {
    duration.map_or(0, |d| d.as_millis() as u64)
}

/// The immutable part that all shards share.
pub fn shared(
    config: &Config,
    shards: usize,
    seed: u64,
    registry: Registry,
    extensions: Extensions,
) -> Shared {
    let tusk = &config.tusk;
    Shared {
        shards,
        seed,
        clock: Clock::start(),
        rules: vec![tusk_rules(config), echo_rules(config)],
        access: access(config),
        homes: HomeLimits {
            max_room_members: count(tusk.max_room_members),
            max_rooms_per_user: count(tusk.max_rooms_per_user),
            direct_queue: count(config.limits.offline_messages),
            direct_queue_total: count(config.limits.offline_messages_total),
            presence_broadcast: tusk.presence_broadcast,
            presence_broadcast_limit: count(tusk.presence_broadcast_limit),
        },
        credentials: credentials(config),
        extensions,
        registry,
        command_lane: config.limits.command_lane,
        delivery_lane: config.limits.delivery_lane,
        connections_max: count(config.limits.max_connections).max(count(tusk.max_connections)),
        pending_max: config.limits.max_pending,
        outbox_bytes: config.limits.outbox_bytes,
        flush_frames: config.limits.flush_frames,
        read_buffer: config.limits.read_buffer_bytes,
        deflate_min: config.limits.compress_min_bytes,
    }
}

fn credentials(config: &Config) -> Credentials {
    let auth = &config.auth;
    let secret = auth.jwt_secret.as_ref().map(config::Secret::expose);
    let static_tokens = config.tusk.static_tokens.iter().map(|(token, user)| StaticToken {
        token: token.to_owned(),
        id: user.id.clone(),
        username: user.username.clone(),
        roles: user.roles.clone(),
        permissions: None,
    });
    Credentials {
        verifier: Verifier::new(secret, auth.audience.as_deref(), auth.issuer.as_deref())
            .with_keys(&config.keyring.verifying),
        static_tokens: static_tokens.collect(),
        api_keys: config.keyring.api_keys.iter().cloned().collect(),
        open: config.auth_mode() == AuthMode::Open,
    }
}

/// The access rules; those of dialects that are not served would be asked by nobody.
fn access(config: &Config) -> Policy {
    let rules = config.access.0.iter().filter_map(|rule| {
        let dialect = match rule.dialect {
            Some(dialect) => Some(served(dialect)?),
            None => None,
        };
        Some(Rule {
            dialect,
            channel: rule.channel.clone(),
            who: rule.who.as_ref().map(|who| who.iter().map(someone).collect()),
            allow: grants(&rule.allow),
            otherwise: grants(&rule.otherwise),
        })
    });
    Policy::new(rules.collect(), config.auth_mode() == AuthMode::Open)
}

fn someone(who: &config::Who) -> Someone {
    match who {
        config::Who::Role(role) => Someone::Role(role.as_str().into()),
        config::Who::User(user) => Someone::User(user.as_str().into()),
    }
}

fn grants(actions: &[config::Action]) -> Grants {
    let verb = |action: &config::Action| match action {
        config::Action::Subscribe => Verb::Subscribe,
        config::Action::Publish => Verb::Publish,
        config::Action::Manage => Verb::Manage,
    };
    actions.iter().map(verb).collect()
}

/// Realms by name: dialects that name the same one share it.
fn realm(config: &Config, dialect: Dialect) -> RealmId {
    let name = |dialect: Dialect| match dialect {
        Dialect::Tusk => config.tusk.realm.as_str(),
        Dialect::Echo => Dialect::Echo.name(),
    };
    let first = Dialect::ALL.into_iter().find(|other| name(*other) == name(dialect)).unwrap_or(dialect);
    RealmId(first.index() as u8)
}

fn tusk_rules(config: &Config) -> Rules {
    let tusk = &config.tusk;
    let required = config.auth_mode() == AuthMode::Required;
    let period = limits::TUSK_RATE_WINDOW.as_secs() as u32;
    let limited = |limit: u32| if tusk.enable_rate_limiting { limit } else { 0 };
    // Without a limit on messages there is none on heartbeats either: who lifts one wants no throttle.
    let pings =
        if tusk.message_rate_limit.cap().is_none() { 0 } else { limits::TUSK_PINGS_PER_WINDOW as u32 };
    Rules {
        dialect: Dialect::Tusk,
        realm: realm(config, Dialect::Tusk),
        require_auth: required || tusk.require_auth,
        messages: Budget { limit: limited(small(tusk.message_rate_limit)), period },
        pings: Budget { limit: limited(pings), period },
        max_rooms_per_user: count(tusk.max_rooms_per_user),
        sizes: tusk::Limits::new(count(tusk.max_message_size), count(tusk.message_max_length)),
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
        welcome: tusk.welcome,
        batch_window: ms(tusk.batch_window),
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

fn echo_rules(config: &Config) -> Rules {
    Rules {
        dialect: Dialect::Echo,
        realm: realm(config, Dialect::Echo),
        require_auth: false,
        messages: Budget::default(),
        pings: Budget::default(),
        max_rooms_per_user: 0,
        sizes: tusk::Limits::default(),
        // For diagnosis: the largest message of the conformance suite passes.
        frames: ws::Limits {
            max_message: limits::ECHO_MESSAGE_BYTES as usize,
            deflate: false,
            reserve: ECHO_RESERVE,
        },
        times: times(config),
        welcome: false,
        batch_window: 0,
    }
}

/// What is decided before there is a connection.
pub fn door(config: &Config, registry: Registry) -> Door {
    let server = &config.server;
    let http = HttpLimits {
        header_timeout: server.header_timeout,
        keep_alive: server.http_keep_alive.unwrap_or_default(),
        max_header_bytes: server.max_header_bytes,
    };
    let tusk = &config.tusk;
    let tusk_http = HttpLimits { keep_alive: tusk.keep_alive_timeout.unwrap_or_default(), ..http };
    let gate = Gate::new(
        count(config.limits.max_connections),
        count(tusk.max_connections),
        count(tusk.max_connections_per_ip),
    );
    let rest_origins = origins(&server.allowed_origins);
    let echo = Mount {
        dialect: Dialect::Echo,
        gate: gate.sibling(0, 0),
        origins: rest_origins.clone(),
        deflate: false,
        http,
    };
    let tusk_mount = Mount {
        dialect: Dialect::Tusk,
        gate,
        origins: if tusk.enable_origin_check { origins(&tusk.allowed_origins) } else { OriginPolicy::Any },
        deflate: tusk.enable_compression,
        http: tusk_http,
    };
    Door {
        mounts: vec![tusk_mount, echo],
        trusted_proxies: server.trusted_proxies.clone(),
        rest_origins,
        ws_auth: served(server.ws_auth),
        // All share the socket: the shorter of their times is kept.
        http: HttpLimits { keep_alive: shorter(http.keep_alive, tusk_http.keep_alive), ..http },
        site: site(config, registry),
    }
}

/// The shorter of two times, of which zero is none.
fn shorter(a: Duration, b: Duration) -> Duration {
    if a.is_zero() || (!b.is_zero() && b < a) { b } else { a }
}

/// The dialect in the core's words, where this build serves it.
pub fn served(dialect: config::Dialect) -> Option<Dialect> {
    Dialect::ALL.into_iter().find(|d| d.name() == dialect.to_string())
}

fn site(config: &Config, registry: Registry) -> Site {
    Site {
        registry,
        access: access(config),
        require_auth: tusk_rules(config).require_auth,
        tusk: realm(config, Dialect::Tusk),
        max_body_bytes: config.server.max_body_bytes,
        body_timeout: config.server.header_timeout,
        served: vec![Dialect::Tusk.name()],
    }
}

fn origins(allowed: &[AllowedOrigin]) -> OriginPolicy {
    let mut listed = Vec::new();
    for origin in allowed {
        match origin {
            AllowedOrigin::Any => return OriginPolicy::Any,
            AllowedOrigin::Exactly(origin) => listed.push(origin.clone()),
        }
    }
    OriginPolicy::Only(listed)
}

/// The options of listening sockets.
pub fn socket_options(config: &Config) -> SocketOptions {
    let server = &config.server;
    SocketOptions {
        backlog: server.backlog,
        nodelay: server.tcp_nodelay,
        user_timeout: server.tcp_user_timeout,
        keepalive: server.tcp_keepalive,
    }
}

/// The door, shared.
pub fn shared_door(config: &Config, registry: Registry) -> Arc<Door> {
    Arc::new(door(config, registry))
}
