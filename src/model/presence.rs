//! What others are told of a user's availability.

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
