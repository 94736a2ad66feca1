//! Why the store cannot do something, in words for an operator.

use std::io;
use std::path::{Path, PathBuf};

/// What went wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{}: another server has this folder open", .0.display())]
    Locked(PathBuf),
    #[error("{} is no store of lanecast: {why}", path.display())]
    Foreign { path: PathBuf, why: String },
    #[error("{} was written by a newer lanecast: its schema is version {found}, this one knows up to {known}", path.display())]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    #[error("{} is damaged: {what}; `lanecast check-store` lists it all", path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("what is stored does not decode: {0}")]
    Bytes(#[from] BadBytes),
    #[error("it cannot be stored: {0}")]
    Unstorable(#[from] Unstorable),
    #[error("database: {0}")]
    Sql(#[from] rusqlite::Error),
    #[error("{}: {error}", path.display())]
    Open { path: PathBuf, error: rusqlite::Error },
    #[error("the work on a request ended in a panic")]
    Panic,
}

/// Why a record cannot be stored: an error of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unstorable {
    #[error("no realm has the number {0}")]
    Realm(u8),
    #[error("an event of that kind is not kept")]
    Event,
    #[error("what waits for a user needs an id")]
    NoId,
}

/// Stored bytes that say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBytes {
    #[error("its format {0} is not known")]
    Format(u8),
    #[error("it is cut off or garbled")]
    Garbled,
    #[error("kind {0} is not known")]
    Kind(u8),
    #[error("it has no id")]
    NoId,
}

impl StoreError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, error }
    }

    /// The same of a file that is being opened: it is named, and what SQLite says of it is said in our words.
    pub(super) fn opening(self, path: &Path) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let Self::Sql(error) = self else { return self };
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(NotADatabase) => Self::Foreign { path, why: "it is no SQLite database".into() },
            Some(DatabaseCorrupt) => Self::Damaged { path, what: error.to_string() },
            _ => Self::Open { path, error },
        }
    }

    /// Whether the connection should be thrown away: what it believes of the file may not be so.
    pub(super) fn spoils_connection(&self) -> bool {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseCorrupt, FileLockingProtocolFailed, NotADatabase, SystemIoFailure,
        };
        match self {
            Self::Sql(error) => matches!(
                error.sqlite_error_code(),
                Some(
                    SystemIoFailure | DatabaseCorrupt | NotADatabase | CannotOpen | FileLockingProtocolFailed
                )
            ),
            Self::Panic | Self::Io { .. } => true,
            _ => false,
        }
    }
}
