//! The dialects, and which of them this build serves.

use super::word::Word;

/// A protocol that clients speak. Each but [`Dialect::Echo`] is one of the five source documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// XMPP-inspired presence and messaging.
    Sge,
    /// Conversations, documents, notifications and rooms.
    Nexus,
    /// Conversations with typing and personas.
    Gator,
    /// Tenants, channels and administrators.
    Aegisx,
    /// Rooms, private messages and presence.
    Tusk,
    /// Every message comes back with its opcode: for diagnosis, through the real reader and writer.
    Echo,
}

/// What this build serves. Sections of other dialects are read and checked, and then said to have no effect.
pub const SERVED: &[Dialect] =
    &[Dialect::Sge, Dialect::Nexus, Dialect::Gator, Dialect::Aegisx, Dialect::Tusk, Dialect::Echo];

impl Dialect {
    /// Whether this build serves it.
    pub fn served(self) -> bool {
        SERVED.contains(&self)
    }
}

impl Word for Dialect {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("sge", Dialect::Sge),
        ("nexus", Dialect::Nexus),
        ("gator", Dialect::Gator),
        ("aegisx", Dialect::Aegisx),
        ("tusk", Dialect::Tusk),
        ("echo", Dialect::Echo),
    ];
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}
