//! Which document's words a connection speaks.

use std::fmt;

/// The wire languages this build serves, and `echo` for diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Dialect {
    Sge,
    Nexus,
    Gator,
    Aegisx,
    Tusk,
    Echo,
}

impl Dialect {
    /// Every dialect, in the order of [`Dialect::index`].
    pub const ALL: [Self; 6] = [Self::Sge, Self::Nexus, Self::Gator, Self::Aegisx, Self::Tusk, Self::Echo];

    /// The name in flags, configuration and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sge => "sge",
            Self::Nexus => "nexus",
            Self::Gator => "gator",
            Self::Aegisx => "aegisx",
            Self::Tusk => "tusk",
            Self::Echo => "echo",
        }
    }

    /// The dialect of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// A dense small number.
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One encoding of an event: a dialect, compressed or not, with the event's number or without. An event is encoded
/// at most once per variant that has subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Variant {
    pub dialect: Dialect,
    pub deflate: bool,
    /// Whether it says where in its channel an event stands.
    pub numbered: bool,
}
