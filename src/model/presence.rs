//! What others are told of a user's availability.

use std::sync::Arc;

/// The four states all dialects agree on (TUS-20, SGE-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Actively connected.
    Online,
    /// Connected but inactive.
    Away,
    /// Connected but busy.
    Busy,
    /// Disconnected, or connected and not to be seen.
    Offline,
}

impl Status {
    /// The lower-case word of the documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Away => "away",
            Self::Busy => "busy",
            Self::Offline => "offline",
        }
    }

    /// Reads exactly the four words; letter case matters.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Online, Self::Away, Self::Busy, Self::Offline].into_iter().find(|s| s.as_str() == text)
    }
}

/// What a user shows of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    pub user: Arc<str>,
    pub status: Status,
    /// The user's own words for it (SGE-12, NEX-48).
    pub message: Option<Arc<str>>,
    pub location: Option<Arc<str>>,
    /// When it last changed; for one who is offline, when it was last seen. Milliseconds since 1970.
    pub at_ms: u64,
}

/// Why a presence is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The first device came (NEX-44).
    Came,
    /// The last device went (NEX-45).
    Went,
    /// The user said so; `changed`: the status is another one than before (ruling N12).
    Said { changed: bool },
}

/// What a client says of its user. `None` for a status leaves it as it is; the others are replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Showing {
    pub status: Option<Status>,
    pub message: Option<Arc<str>>,
    pub location: Option<Arc<str>>,
}
