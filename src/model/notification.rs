//! What a user is told outside of conversations.

use std::sync::Arc;

use super::MessageId;

/// One notification (SGE-35, NEX-38).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    pub id: MessageId,
    pub title: Box<str>,
    pub text: Box<str>,
    /// NEXUS `notification_type`, SGE `level`: `info`, `success`, `warning`, `error`, `alert`.
    pub level: Box<str>,
    pub priority: Priority,
    /// The SGE channel it was sent to, if it was one (ruling S13).
    pub channel: Option<Arc<str>>,
    /// The conversation that somebody was mentioned in, and the message (NEX-19).
    pub about: Option<(Arc<str>, MessageId)>,
    pub at_ms: u64,
}

/// Which of those that wait come first (NEX-42). In rising order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    Low,
    #[default]
    Normal,
    High,
    Urgent,
}

impl Priority {
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Urgent];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }

    /// Reads exactly the four words.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == text)
    }
}
