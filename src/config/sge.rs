//! `[sge]`: the document's variables in lower case, and what it leaves open.

use std::time::Duration;

use super::bound::Limit;
use super::key::section;
use super::limits;

section! {
    /// The SGE dialect.
    "sge" => Sge {
        /// Open connections; the next one is refused.
        ws_max_connections: Limit => limits::SGE_MAX_CONNECTIONS, env "WS_MAX_CONNECTIONS";
        /// How long a message may take to arrive, and a first credential to be sent.
        ws_message_timeout: Option<Duration> => limits::SGE_MESSAGE_TIMEOUT, env "WS_MESSAGE_TIMEOUT";
        /// Time between two Pings to a client.
        ws_heartbeat_interval: Option<Duration> => limits::SGE_HEARTBEAT_INTERVAL, env "WS_HEARTBEAT_INTERVAL";
        /// Size of a message; a longer one closes the connection with 1009.
        ws_max_message_size: Limit => limits::SGE_MAX_MESSAGE_SIZE, env "WS_MAX_MESSAGE_SIZE";
        /// Open connections of a user.
        max_connections_per_user: Limit => limits::PER_PRINCIPAL_CONNECTIONS;
        /// Open connections of a service, that is of an API key.
        max_connections_per_service: Limit => limits::PER_PRINCIPAL_CONNECTIONS;
        /// Whether an upgrade without a credential is refused with 401 where one is needed; otherwise it may
        /// come as the first message.
        require_token_at_upgrade: bool = false;
        /// Messages of a user in `time_window`, sliding; the next one gets the error "Rate limit exceeded".
        max_messages: Limit => limits::MAX_MESSAGES;
        /// The window of `max_messages`.
        time_window: Duration => limits::TIME_WINDOW;
        /// Whose users, channels and presence these are; dialects of one realm share them.
        realm: String = "sge".into();
        /// Accepted as in the other dialects, without effect: SGE tells it to those who subscribed to the user or have it on their roster.
        presence_broadcast: bool = true;
        /// Accepted, without effect, like `presence_broadcast`.
        presence_broadcast_limit: Limit => limits::PRESENCE_BROADCAST_LIMIT;
    }
}
