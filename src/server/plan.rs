//! What the configuration means for the parts of the server: each key is read here and nowhere else.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::rules;
use crate::access::{Grants, Policy, Rule, Someone, Verb};
use crate::api::{Site, StoreView};
use crate::auth::{Credentials, StaticToken, Verifier};
use crate::channel::{HomeLimits, ReplayLimits};
use crate::clock::Clock;
use crate::config::{self, AllowedOrigin, AuthMode, Config, DataDir, Limit, LogFormat};
use crate::extension::Extensions;
use crate::limit::Holders;
use crate::model::{Dialect, Epoch, RealmId};
use crate::net::{Gate, HttpLimits, OriginPolicy, SocketOptions};
use crate::shard::{Door, Mount, Shared};
use crate::telemetry::{Registry, log};

/// 0 where a limit is off.
pub(super) fn count(limit: Limit) -> usize {
    limit.cap().map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX))
}

/// What is logged, how, and where besides stderr.
pub fn log_rules(config: &Config) -> log::Rules {
    let format = match config.server.log_format {
        LogFormat::Human => log::Format::Human,
        LogFormat::Json => log::Format::Json,
    };
    log::Rules { level: config.server.log_level.into(), format, nexus_file: nexus_file(config) }
}

/// In the data folder; `None` where there is none, where it is switched off, or where no NEXUS is served (NEX-88).
fn nexus_file(config: &Config) -> Option<PathBuf> {
    let DataDir::Folder(folder) = &config.store.data_dir else { return None };
    let file = config.nexus.log_file.as_ref()?;
    serves(config, Dialect::Nexus).then(|| folder.join(file))
}

/// Whether a socket lets that dialect in, its own or one that all share.
pub fn serves(config: &Config, dialect: Dialect) -> bool {
    config.server.listen.iter().any(|l| l.dialect.is_none_or(|d| d == dialect))
}

/// What the store means for the homes.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// Whether there is one.
    pub durable: bool,
    pub epoch: Epoch,
}

/// Events of a channel in memory: no more than are kept at all.
fn log_events(config: &Config) -> usize {
    let kept = usize::try_from(config.store.history_count).unwrap_or(usize::MAX);
    count(config.limits.history_memory_events).min(kept)
}

/// The longest time for which a realm keeps something for those who are away, in milliseconds; 0: for ever.
pub fn queue_ttl(config: &Config) -> u64 {
    let of = |n| rules::realm_limits(config, RealmId(n as u8)).queue_ttl;
    let all: Vec<u64> = (0..Dialect::ALL.len()).map(of).collect();
    if all.contains(&0) { 0 } else { all.into_iter().max().unwrap_or_default() }
}

/// Among how many of a channel's newest messages one can be amended or read.
pub fn amendable(config: &Config) -> usize {
    let of = |n| rules::realm_limits(config, RealmId(n as u8)).message_cache;
    (0..Dialect::ALL.len()).map(of).max().unwrap_or_default()
}

/// The immutable part that all shards share.
pub fn shared(
    config: &Config,
    shards: usize,
    seed: u64,
    registry: Registry,
    extensions: Extensions,
    life: Life,
) -> Shared {
    let dialects = [config.sge.ws_max_connections, config.tusk.max_connections].map(count);
    Shared {
        shards,
        seed,
        clock: Clock::start(),
        rules: Dialect::ALL.into_iter().map(|dialect| rules::of(config, dialect)).collect(),
        access: Arc::new(access(config)),
        homes: HomeLimits {
            realms: (0..Dialect::ALL.len()).map(|n| rules::realm_limits(config, RealmId(n as u8))).collect(),
            queue_total: count(config.limits.offline_messages_total),
            known_users: count(config.limits.known_users),
            seed,
            durable: life.durable,
            epoch: life.epoch,
            log_events: log_events(config),
            log_total: config.limits.history_memory_bytes,
            replay: ReplayLimits {
                events: count(config.limits.replay_events),
                // All of it goes into one outbox at once.
                bytes: config.limits.outbox_bytes / 2,
            },
        },
        credentials: credentials(config),
        holders: Holders::new(),
        extensions,
        registry,
        command_lane: config.limits.command_lane,
        delivery_lane: config.limits.delivery_lane,
        connections_max: dialects.into_iter().fold(count(config.limits.max_connections), usize::max),
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

/// The access rules.
fn access(config: &Config) -> Policy {
    let rules = config.access.0.iter().map(|rule| Rule {
        dialect: rule.dialect,
        channel: rule.channel.clone(),
        who: rule.who.as_ref().map(|who| who.iter().map(someone).collect()),
        allow: grants(&rule.allow),
        otherwise: grants(&rule.otherwise),
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

/// What is decided before there is a connection.
pub fn door(config: &Config, shared: &Shared, store: Box<dyn StoreView>) -> Door {
    let server = &config.server;
    let http = HttpLimits {
        header_timeout: server.header_timeout,
        keep_alive: server.http_keep_alive.unwrap_or_default(),
        max_header_bytes: server.max_header_bytes,
    };
    let tusk = &config.tusk;
    let tusk_http = HttpLimits { keep_alive: tusk.keep_alive_timeout.unwrap_or_default(), ..http };
    let tusk_gate = Gate::new(
        count(config.limits.max_connections),
        count(tusk.max_connections),
        count(tusk.max_connections_per_ip),
    );
    let rest_origins = origins(&server.allowed_origins);
    let mount = |dialect: Dialect| {
        let max = if dialect == Dialect::Sge { count(config.sge.ws_max_connections) } else { 0 };
        Mount {
            dialect,
            gate: tusk_gate.sibling(max, 0),
            origins: rest_origins.clone(),
            deflate: dialect != Dialect::Echo && config.tusk.enable_compression,
            http,
        }
    };
    let mut mounts: Vec<_> =
        Dialect::ALL.into_iter().filter(|dialect| *dialect != Dialect::Tusk).map(mount).collect();
    mounts.push(Mount {
        dialect: Dialect::Tusk,
        gate: tusk_gate,
        origins: if tusk.enable_origin_check { origins(&tusk.allowed_origins) } else { OriginPolicy::Any },
        deflate: tusk.enable_compression,
        http: tusk_http,
    });
    Door {
        mounts,
        trusted_proxies: server.trusted_proxies.clone(),
        rest_origins,
        ws_auth: server.ws_auth,
        // All share the socket: the shorter of their times is kept.
        http: HttpLimits { keep_alive: shorter(http.keep_alive, tusk_http.keep_alive), ..http },
        site: site(config, shared, store),
    }
}

/// The shorter of two times, of which zero is none.
fn shorter(a: Duration, b: Duration) -> Duration {
    if a.is_zero() || (!b.is_zero() && b < a) { b } else { a }
}

fn site(config: &Config, shared: &Shared, store: Box<dyn StoreView>) -> Site {
    Site {
        store,
        registry: shared.registry.clone(),
        access: shared.access.clone(),
        realms: Dialect::ALL.map(|dialect| shared.rules(dialect).realm),
        require_auth: Dialect::ALL.map(|dialect| shared.rules(dialect).require_auth),
        public_per_tenant: config.aegisx.public_per_tenant,
        shared: Dialect::ALL.map(|dialect| shared.rules(dialect).shared),
        max_body_bytes: config.server.max_body_bytes,
        body_timeout: config.server.header_timeout,
        served: Dialect::ALL.into_iter().filter(|d| serves(config, *d)).collect(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(dialects: &[Option<Dialect>]) -> Config {
        let mut config = Config::default();
        let addr = config.server.listen[0].addr;
        config.server.listen =
            dialects.iter().map(|dialect| config::Listen { addr, dialect: *dialect }).collect();
        config.store.data_dir = DataDir::Folder("data".into());
        config
    }

    #[test]
    fn a_dialect_is_served_on_its_own_socket_and_on_a_shared_one() {
        let (own, other) = (Some(Dialect::Nexus), Some(Dialect::Gator));
        assert!(serves(&listening(&[other, own]), Dialect::Nexus));
        assert!(serves(&listening(&[None]), Dialect::Nexus));
        assert!(!serves(&listening(&[other]), Dialect::Nexus));
    }

    #[test]
    fn the_log_of_nexus_is_kept_in_the_data_folder_where_both_are() {
        let config = listening(&[None]);
        assert_eq!(log_rules(&config).nexus_file, Some("data/nexus.log".into()));
        let mut nowhere = config.clone();
        nowhere.store.data_dir = DataDir::None;
        assert_eq!(log_rules(&nowhere).nexus_file, None);
        let mut switched_off = config;
        switched_off.nexus.log_file = None;
        assert_eq!(log_rules(&switched_off).nexus_file, None);
        let not_served = listening(&[Some(Dialect::Tusk)]);
        assert_eq!(log_rules(&not_served).nexus_file, None);
    }
}
