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
        /// Whether messages are indexed, so that they can be searched by their words.
        search: bool = true;
    }
}
