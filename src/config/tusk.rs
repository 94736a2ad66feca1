//! `[tusk]`: the document's Configuration Reference key for key, and what it leaves open.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::Value;

use super::bound::{Bound, Limit};
use super::key::section;
use super::limits;
use super::origin::AllowedOrigin;
use super::secret::MASK;
use super::setting::{Refused, Setting};
use super::source::Raw;

section! {
    /// The Tusk dialect: the document's own configuration reference, then what the document leaves open.
    "tusk" => Tusk {
        /// Address to listen on when no listener is given and this or `port` is.
        host: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        /// Port to listen on when no listener is given and this or `host` is; 0 lets the kernel choose.
        port: u16 => limits::TUSK_PORT;
        /// Open connections; the next one is answered with 503.
        max_connections: Limit => limits::TUSK_MAX_CONNECTIONS;
        /// Time between two Pings to a client.
        heartbeat_interval: Option<Duration> => limits::TUSK_HEARTBEAT_INTERVAL;
        /// Messages of a connection in a fixed window of 60 s; the next one gets the error "Rate limit
        /// exceeded" and is dropped. Heartbeats have a budget of their own.
        message_rate_limit: Limit => limits::TUSK_MESSAGE_RATE_LIMIT;
        /// The document's switch for TLS, which this version does not serve: enabled, the start is refused.
        ssl_enabled: bool = false;
        /// File of the certificate; needed when `ssl_enabled`.
        ssl_cert: Option<PathBuf> = None;
        /// File of the private key; needed when `ssl_enabled`.
        ssl_key: Option<PathBuf> = None;
        /// Members of a room; the next `join_room` gets an error.
        max_room_members: Limit => limits::TUSK_MAX_ROOM_MEMBERS;
        /// Rooms of a user; the next `join_room` gets an error.
        max_rooms_per_user: Limit => limits::TUSK_MAX_ROOMS_PER_USER;
        /// Whether permessage-deflate is accepted when a client offers it.
        enable_compression: bool = true;
        /// First size of the buffer that keeps the beginning of a message cut by the network; longer messages
        /// make it grow.
        buffer_size: usize => limits::TUSK_BUFFER_SIZE;
        /// How long an HTTP connection may idle between two requests.
        keep_alive_timeout: Option<Duration> => limits::TUSK_KEEP_ALIVE_TIMEOUT;
        /// Whether an upgrade from a page of another origin is answered with 403. Requests without an origin
        /// and pages of the same host pass.
        enable_origin_check: bool = true;
        /// The origins that pass.
        allowed_origins: Vec<AllowedOrigin> = vec![AllowedOrigin::Exactly("https://yourdomain.com".into())];
        /// Whether `message_rate_limit` is enforced.
        enable_rate_limiting: bool = true;
        /// Size of a frame, not counting an allowance of 256 bytes for the envelope; `auth` frames may have
        /// 8192 bytes. A longer one gets the error "Invalid message format".
        max_message_size: Limit => limits::TUSK_MAX_MESSAGE_SIZE;
        /// Open connections of one address (of one /64 network with IPv6); the next one is answered with 429.
        max_connections_per_ip: Limit => limits::TUSK_MAX_CONNECTIONS_PER_IP;
        /// How long a connection may stay unauthenticated where a credential is needed; then it is closed.
        connection_timeout: Option<Duration> => limits::TUSK_CONNECTION_TIMEOUT;
        /// How long a connection may send nothing, Pongs counting as something; then it is closed.
        idle_timeout: Option<Duration> => limits::TUSK_IDLE_TIMEOUT;
        /// Bytes of the field `message`, after escaping; a longer one gets an error that names both numbers.
        message_max_length: Limit => limits::TUSK_MESSAGE_MAX_LENGTH;
        /// Tokens that are accepted as they are, each with its user:
        /// `{ "test-token" = { id = "1", username = "test", roles = ["member"] } }`.
        static_tokens: StaticTokens = StaticTokens::default();
        /// Whether joining and broadcasting need an accepted `auth` in open mode too.
        require_auth: bool = false;
        /// Whether a connection is greeted with `welcome`.
        welcome: bool = false;
        /// Whose users, channels and presence these are; dialects of one realm share them.
        realm: String = "tusk".into();
        /// Whether a change of presence is announced to the whole realm.
        presence_broadcast: bool = true;
        /// Users online beyond whom that announcement narrows to those who share a room.
        presence_broadcast_limit: Limit => limits::PRESENCE_BROADCAST_LIMIT;
        /// How long messages to a connection are gathered into one `batch`.
        batch_window: Option<Duration> => limits::TUSK_BATCH_WINDOW;
    }
}

/// The user a static token stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticUser {
    /// Its id.
    pub id: String,
    /// Its name; absent: the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Its roles.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// Tokens that are accepted as they are. The tokens are secrets: neither `Debug` nor errors show them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct StaticTokens(BTreeMap<String, StaticUser>);

impl StaticTokens {
    /// Every token with its user. Compare in constant time.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &StaticUser)> {
        self.0.iter().map(|(token, user)| (token.as_str(), user))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn masked(&self) -> impl Iterator<Item = (String, &StaticUser)> {
        self.0.values().enumerate().map(|(n, user)| (format!("{MASK}{}", n + 1), user))
    }
}

impl fmt::Debug for StaticTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.masked()).finish()
    }
}

impl Setting for StaticTokens {
    const KIND: &'static str = "table of users";
    const SECRET: bool = true;

    fn allowed(_: Option<&Bound>) -> String {
        "a table of TOKEN = { id = \"…\", username = \"…\", roles = [\"…\"] }".into()
    }

    fn read(raw: &Raw, _: Option<&Bound>) -> Result<Self, Refused> {
        let entries = raw.table().ok_or(Refused::NotAllowed)?.iter().enumerate();
        let read = |(n, (token, value)): (usize, (&String, &Value))| match value.clone().try_into() {
            Ok(StaticUser { id, .. }) if token.is_empty() || id.is_empty() => {
                Err(Refused::Because(format!("in entry {} the token or the id is empty", n + 1)))
            }
            Ok(user) => Ok((token.clone(), user)),
            Err(error) => Err(Refused::Because(format!("entry {}: {}", n + 1, error.message()))),
        };
        entries.map(read).collect::<Result<_, _>>().map(StaticTokens)
    }

    fn show(&self) -> Option<Value> {
        let entries = self.masked().map(|(mask, user)| Some((mask, Value::try_from(user).ok()?)));
        Some(Value::Table(entries.collect::<Option<_>>()?))
    }
}
