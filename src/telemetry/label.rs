//! The labels that split a number: fixed small sets, so the count of time series is known at compile time.

use crate::model::{CloseReason, Code, Dialect};

/// A closed set of label values. Values are ASCII words, so they need no escaping anywhere.
pub trait Label: Copy + 'static {
    /// The label's name in the exposition.
    const KEY: &'static str;
    /// Every value, in the order of [`Label::index`].
    const ALL: &'static [Self];
    /// The value's name in the exposition.
    fn name(self) -> &'static str;
    /// The value's place in [`Label::ALL`].
    fn index(self) -> usize;
}

impl Label for Dialect {
    const KEY: &'static str = "dialect";
    const ALL: &'static [Self] = &Dialect::ALL;

    fn name(self) -> &'static str {
        Dialect::name(self)
    }

    fn index(self) -> usize {
        Dialect::index(self)
    }
}

impl Label for CloseReason {
    const KEY: &'static str = "reason";
    const ALL: &'static [Self] = &CloseReason::ALL;

    fn name(self) -> &'static str {
        CloseReason::name(self)
    }

    fn index(self) -> usize {
        self as usize
    }
}

impl Label for Code {
    const KEY: &'static str = "code";
    const ALL: &'static [Self] = &Code::ALL;

    fn name(self) -> &'static str {
        Code::name(self)
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// Why a request to upgrade was turned away before there was a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum UpgradeRefusal {
    /// The page it comes from may not connect.
    Origin,
    /// Its address has as many connections as it may have.
    AddressLimit,
    /// The process has as many connections as it may have.
    TotalLimit,
    /// No handshake of RFC 6455 section 4.2.1.
    BadRequest,
    /// Its user, service or tenant has as many connections as it may have.
    PrincipalLimit,
    /// It needs a credential, or its credential is no good.
    Credential,
    /// The server goes down.
    Draining,
}

impl Label for UpgradeRefusal {
    const KEY: &'static str = "cause";
    const ALL: &'static [Self] = &[
        Self::Origin,
        Self::AddressLimit,
        Self::TotalLimit,
        Self::BadRequest,
        Self::PrincipalLimit,
        Self::Credential,
        Self::Draining,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::AddressLimit => "address_limit",
            Self::TotalLimit => "total_limit",
            Self::BadRequest => "bad_request",
            Self::PrincipalLimit => "principal_limit",
            Self::Credential => "credential",
            Self::Draining => "draining",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// The two classes of lanes between shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LaneClass {
    /// Work on its way to a channel's home.
    Command,
    /// Frames and replies on their way to connections.
    Delivery,
}

impl Label for LaneClass {
    const KEY: &'static str = "class";
    const ALL: &'static [Self] = &[Self::Command, Self::Delivery];

    fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Delivery => "delivery",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// The first digit of an HTTP status (RFC 9110 section 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum StatusClass {
    Informational,
    Success,
    Redirection,
    ClientError,
    ServerError,
}

impl StatusClass {
    /// The class of a status; a number outside 100 to 499 is the server's own fault.
    pub const fn of(status: u16) -> Self {
        match status {
            100..=199 => Self::Informational,
            200..=299 => Self::Success,
            300..=399 => Self::Redirection,
            400..=499 => Self::ClientError,
            _ => Self::ServerError,
        }
    }
}

impl Label for StatusClass {
    const KEY: &'static str = "class";
    const ALL: &'static [Self] =
        &[Self::Informational, Self::Success, Self::Redirection, Self::ClientError, Self::ServerError];

    fn name(self) -> &'static str {
        match self {
            Self::Informational => "1xx",
            Self::Success => "2xx",
            Self::Redirection => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// What became of a message to a persona.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PersonaOutcome {
    /// The persona's words came.
    Answered,
    /// The endpoint could not be reached, or said nothing that can be used.
    Failed,
    /// Its time was over.
    TimedOut,
    /// Too many wait already.
    RefusedBusy,
    /// The circuit is open.
    RefusedOpen,
}

impl Label for PersonaOutcome {
    const KEY: &'static str = "outcome";
    const ALL: &'static [Self] =
        &[Self::Answered, Self::Failed, Self::TimedOut, Self::RefusedBusy, Self::RefusedOpen];

    fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::RefusedBusy => "refused_busy",
            Self::RefusedOpen => "refused_open",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// What a circuit breaker does with requests (TUS-41).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CircuitState {
    /// It lets them through.
    Closed,
    /// It refuses them.
    Open,
    /// One is on trial, the others are refused.
    HalfOpen,
}

impl Label for CircuitState {
    const KEY: &'static str = "state";
    const ALL: &'static [Self] = &[Self::Closed, Self::Open, Self::HalfOpen];

    fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Index and place agree, names differ, and nothing needs escaping.
    fn check<L: Label>() {
        let mut names = Vec::new();
        for (place, label) in L::ALL.iter().enumerate() {
            assert_eq!(label.index(), place, "{}", label.name());
            names.push(label.name());
        }
        for word in names.iter().chain([&L::KEY]) {
            assert!(!word.is_empty());
            assert!(
                word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                "{word}"
            );
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), L::ALL.len());
    }

    #[test]
    fn every_set_is_dense_distinct_and_plain() {
        check::<Dialect>();
        check::<CloseReason>();
        check::<Code>();
        check::<UpgradeRefusal>();
        check::<LaneClass>();
        check::<StatusClass>();
        check::<PersonaOutcome>();
        check::<CircuitState>();
    }

    #[test]
    fn a_status_belongs_to_its_hundred() {
        for (status, name) in
            [(100, "1xx"), (199, "1xx"), (200, "2xx"), (399, "3xx"), (400, "4xx"), (499, "4xx"), (500, "5xx")]
        {
            assert_eq!(StatusClass::of(status).name(), name);
        }
        assert_eq!(StatusClass::of(0), StatusClass::ServerError);
        assert_eq!(StatusClass::of(u16::MAX), StatusClass::ServerError);
    }
}
