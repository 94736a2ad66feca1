//! `[gator]`: the numbers of the document's production section, and what it leaves open.

use std::time::Duration;

use super::bound::Limit;
use super::key::section;
use super::limits;

section! {
    /// The Gator dialect.
    "gator" => Gator {
        /// Open connections of a user; the next one is closed with 1008 "Too many connections".
        max_connections_per_user: Limit => limits::GATOR_CONNECTIONS_PER_USER;
        /// Messages of a user in `time_window`, sliding; the next one gets the error "Rate limit exceeded".
        max_messages: Limit => limits::GATOR_MAX_MESSAGES;
        /// The window of `max_messages`.
        time_window: Duration => limits::TIME_WINDOW;
        /// How long after its last `typing_start` a user counts as typing.
        typing_timeout: Duration => limits::GATOR_TYPING_TIMEOUT;
        /// Base URL of a chat completion service that speaks for personas; absent: there is none.
        persona_url: Option<String> = None;
        /// Whose users, channels and presence these are; dialects of one realm share them.
        realm: String = "gator".into();
        /// Whether a change of presence is announced to the whole realm.
        presence_broadcast: bool = true;
        /// Users online beyond whom that announcement narrows to those who share a conversation.
        presence_broadcast_limit: Limit => limits::PRESENCE_BROADCAST_LIMIT;
    }
}
