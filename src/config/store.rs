//! `[store]`: where durable things are kept.

use std::path::PathBuf;
use std::time::Duration;

use toml::Value;

use super::bound::{Bound, Limit};
use super::key::section;
use super::limits;
use super::setting::{Refused, Setting};
use super::source::Raw;
use super::word::Word;

/// The folder of the embedded store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDir {
    /// Nothing is kept.
    None,
    /// This folder, made when it is not there.
    Folder(PathBuf),
}

impl Setting for DataDir {
    const KIND: &'static str = "path";

    fn allowed(_: Option<&Bound>) -> String {
        "the path of a folder, or none".into()
    }

    fn read(raw: &Raw, _: Option<&Bound>) -> Result<Self, Refused> {
        match raw.string() {
            None | Some("") => Err(Refused::NotAllowed),
            Some("none") => Ok(DataDir::None),
            Some(path) => Ok(DataDir::Folder(path.into())),
        }
    }

    fn show(&self) -> Option<Value> {
        Some(Value::String(match self {
            DataDir::None => "none".into(),
            DataDir::Folder(path) => path.display().to_string(),
        }))
    }
}

/// When a commit counts as durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// When the disk has it: it survives a power cut. A commit waits for the disk.
    Full,
    /// When the kernel has it: it survives the end of the process, kill -9 too, but a power cut may take the last
    /// seconds. A commit waits for no disk.
    Normal,
}

impl Word for Synchronous {
    const WORDS: &'static [(&'static str, Self)] =
        &[("full", Synchronous::Full), ("normal", Synchronous::Normal)];
}

section! {
    /// Where durable things are kept, and for how long.
    "store" => Store {
        /// Folder of the embedded store; `none` keeps nothing.
        data_dir: DataDir = DataDir::Folder("./lanecast-data".into()), flag "data-dir";
        /// When what was said counts as kept: `full` when the disk has it, so that it survives a power cut;
        /// `normal` when the kernel has it, so that it survives the end of the process, kill -9 too, but a power
        /// cut may take the last seconds.
        synchronous: Synchronous = Synchronous::Full, flag "synchronous";
        /// Messages and other events kept of a channel, the newest ones; with 0 they are numbered and not kept.
        history_count: u64 => limits::HISTORY_COUNT, flag "history-count";
        /// Bytes kept of a channel's messages and other events; the oldest give way.
        history_bytes: Limit => limits::HISTORY_BYTES, flag "history-bytes";
        /// How long a message or another event is kept.
        history_age: Option<Duration> => limits::HISTORY_AGE, flag "history-age";
        /// Whether messages are indexed, so that they can be searched by their words: new ones within a second
        /// or so, and later while there is no end of writing.
        search: bool = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(toml: &str) -> Result<Store, String> {
        Config::from_toml(&format!("[store]\n{toml}"))
            .map(|config| config.store)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_kept_by_default_is_durable_and_searchable_and_has_an_end() {
        let store = Config::default().store;
        assert_eq!((store.synchronous, store.search), (Synchronous::Full, true));
        assert_eq!((store.history_count, store.history_bytes), (10_000, Limit::new(64 << 20)));
        assert_eq!(store.history_age, Some(Duration::from_secs(30 * 24 * 3600)));
    }

    #[test]
    fn nothing_and_everything_can_be_kept() {
        let store = read("synchronous = 'Normal'\nhistory_count = 0\nhistory_bytes = 0\nhistory_age = 0")
            .expect("allowed");
        assert_eq!((store.synchronous, store.history_count), (Synchronous::Normal, 0));
        assert_eq!((store.history_bytes, store.history_age), (Limit::NONE, None));
        assert!(read("history_count = 1000000000").is_ok());
    }

    #[test]
    fn what_is_not_allowed_is_named_with_what_is() {
        for (toml, words) in [
            ("synchronous = 'off'", ["store.synchronous", "full, normal"]),
            ("history_count = -1", ["store.history_count", "from 0 to"]),
            ("history_count = 1000000001", ["store.history_count", "1000000000"]),
            ("history_bytes = 1023", ["store.history_bytes", "or 0 for no limit"]),
            ("history_age = 0.5", ["store.history_age", "from 1 to"]),
            ("search = 'yes please'", ["store.search", "true"]),
        ] {
            let error = read(toml).expect_err(toml);
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        }
    }
}
