//! `[store]`: where durable things are kept.

use std::path::PathBuf;

use toml::Value;

use super::bound::Bound;
use super::key::section;
use super::setting::{Refused, Setting};
use super::source::Raw;

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

section! {
    /// Where durable things are kept.
    "store" => Store {
        /// Folder of the embedded store; `none` keeps nothing. This version has no store: it keeps everything in
        /// memory, and writes at most the log of NEXUS.
        data_dir: DataDir = DataDir::Folder("./lanecast-data".into()), flag "data-dir";
    }
}
