//! `[nexus]`: the document's variables in lower case, and what it leaves open.

use std::path::PathBuf;
use std::time::Duration;

use super::bound::Limit;
use super::key::section;
use super::limits;

section! {
    /// The NEXUS dialect.
    "nexus" => Nexus {
        /// Time between two pings to a client.
        websocket_heartbeat_interval: Option<Duration> => limits::NEXUS_HEARTBEAT_INTERVAL,
            env "WEBSOCKET_HEARTBEAT_INTERVAL" "WEBSOCKET_HEARTBEAT";
        /// How long a client may send nothing; then it is closed.
        websocket_heartbeat_timeout: Option<Duration> => limits::NEXUS_HEARTBEAT_TIMEOUT,
            env "WEBSOCKET_HEARTBEAT_TIMEOUT";
        /// Whether the server pings by itself.
        enable_auto_ping: bool = true;
        /// Messages kept for a user who is offline; the oldest give way.
        max_queue_size: Limit => limits::NEXUS_MAX_QUEUE_SIZE, env "MAX_QUEUE_SIZE";
        /// Messages kept in memory, for edits and reads; the oldest give way.
        max_cache_size: Limit => limits::NEXUS_MAX_CACHE_SIZE, env "MAX_CACHE_SIZE";
        /// Operations remembered of a document; an edit based on an older version conflicts.
        max_operation_history: Limit => limits::NEXUS_MAX_OPERATION_HISTORY;
        /// Open connections of a user.
        max_connections_per_user: Limit => limits::PER_PRINCIPAL_CONNECTIONS, env "MAX_CONNECTIONS_PER_USER";
        /// How long a queued message is kept.
        queue_ttl: Option<Duration> => limits::NEXUS_QUEUE_TTL;
        /// Size of a frame; a longer one closes the connection with 1009.
        max_message_bytes: Limit => limits::NEXUS_MAX_MESSAGE_BYTES;
        /// Code points of a message's content; a longer one gets an error.
        max_content_length: Limit => limits::NEXUS_MAX_CONTENT_LENGTH;
        /// Log file in the document's format, in the data folder; empty: none.
        log_file: Option<PathBuf> = Some("nexus.log".into());
        /// Messages of a user in `time_window`, sliding; the next one gets the error "Rate limit exceeded".
        max_messages: Limit => limits::MAX_MESSAGES;
        /// The window of `max_messages`.
        time_window: Duration => limits::TIME_WINDOW;
        /// Whose users, channels and presence these are; dialects of one realm share them.
        realm: String = "nexus".into();
        /// Whether a change of presence is announced to the whole realm.
        presence_broadcast: bool = true;
        /// Users online beyond whom that announcement narrows to those who share a room.
        presence_broadcast_limit: Limit => limits::PRESENCE_BROADCAST_LIMIT;
    }
}
