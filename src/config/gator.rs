//! `[gator]`: the numbers of the document's production section, and what it leaves open.

use std::time::Duration;

use super::base_url::BaseUrl;
use super::bound::Limit;
use super::key::section;
use super::limits;
use super::secret::Secret;

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
        /// Base URL of a chat completion service that speaks for personas: it is asked at `/chat/completions` under
        /// it. Absent: a message to a persona gets an error. What a message asks is sent there with its sender's id.
        persona_url: Option<BaseUrl> = None;
        /// What the service wants to see as `Authorization: Bearer`; visible ASCII. Absent: nothing is shown.
        persona_api_key: Option<Secret> = None, env "PERSONA_API_KEY";
        /// How long the service may take from the request to the end of its answer; as long a message may wait for
        /// its turn before it. Then the sender gets an error.
        persona_timeout: Duration => limits::PERSONA_TIMEOUT;
        /// Requests to the service under way at once, per shard; the next one waits.
        persona_concurrency: usize => limits::PERSONA_CONCURRENCY;
        /// Messages to personas that wait for their turn, per shard; the sender of the next one gets an error.
        persona_queue: usize => limits::PERSONA_QUEUE;
        /// Failed requests in a row, per shard, after which the service is left alone for `persona_rest`.
        persona_failures: u32 => limits::PERSONA_FAILURES;
        /// How long the service is left alone: senders get an error at once. After it one request is let through, and
        /// by its outcome all are again, or it rests once more.
        persona_rest: Duration => limits::PERSONA_REST;
        /// Whose users, channels and presence these are; dialects of one realm share them.
        realm: String = "gator".into();
        /// Whether a change of presence is announced to the whole realm.
        presence_broadcast: bool = true;
        /// Users online beyond whom that announcement narrows to those who share a conversation.
        presence_broadcast_limit: Limit => limits::PRESENCE_BROADCAST_LIMIT;
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigError};

    const KEY: &str = "sk-never-to-be-seen";

    fn read(lines: &str) -> Result<Config, ConfigError> {
        Config::from_toml(&format!("[gator]\n{lines}"))
    }

    #[test]
    fn a_bad_number_for_personas_is_named_with_what_is_allowed() {
        for (line, words) in [
            ("persona_url = 7", "must be a URL such as https://api.example/v1"),
            ("persona_timeout = 0", "from 0.01 to 3600 seconds"),
            ("persona_concurrency = 0", "from 1 to 4096 requests"),
            ("persona_queue = 65537", "from 0 to 65536 messages"),
            ("persona_failures = 0", "from 1 to 1000 failures"),
            ("persona_rest = 3601", "from 0.01 to 3600 seconds"),
        ] {
            let error = read(line).expect_err(line);
            assert_eq!(
                Some(&*error.key),
                line.split(' ').next().map(|key| format!("gator.{key}")).as_deref()
            );
            assert!(error.problem.contains(words), "{error}");
        }
    }

    #[test]
    fn a_refused_url_is_not_repeated_since_it_may_hold_credentials() {
        for url in [format!("https://user:{KEY}@api.example"), format!("https://api.example?key={KEY}")] {
            let error = read(&format!("persona_url = \"{url}\"")).expect_err("no base URL").to_string();
            assert!(error.starts_with("gator.persona_url (lanecast.toml:2): must not h"), "{error}");
            assert!(!error.contains(KEY), "{error}");
        }
    }

    #[test]
    fn an_api_key_must_fit_a_header() {
        assert!(read("persona_api_key = \"sk-1~!\"").is_ok());
        for key in ["two words", "two\\nlines", "schl\u{fc}ssel"] {
            let error = read(&format!("persona_api_key = \"{key}\"")).expect_err(key).to_string();
            assert!(
                error.starts_with("gator.persona_api_key (lanecast.toml:2): must be visible ASCII"),
                "{error}"
            );
            assert!(!error.contains(key), "{error}");
        }
    }

    #[test]
    fn an_api_key_is_worth_a_warning_without_a_safe_way_to_its_endpoint() {
        let warnings = |url: &str| {
            let lines = format!("persona_url = \"{url}\"\npersona_api_key = \"{KEY}\"");
            read(&lines).expect("a configuration").warnings()
        };
        assert!(warnings("https://api.example/v1").is_empty() && warnings("http://[::1]:80/v1").is_empty());
        for (url, doubt) in [
            ("http://api.example/v1", "gator.persona_url is not https"),
            ("", "no effect without gator.persona_url"),
        ] {
            let warnings = warnings(url);
            assert!(warnings.len() == 1 && warnings[0].contains(doubt), "{warnings:?}");
        }
    }
}
