//! Why a connection ends, with the close code its client sees (RFC 6455 section 7.4).

/// Each cause has one code, one reason text and one label; the table is the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CloseReason {
    /// The client sent a Close frame.
    ClientClosed,
    /// TCP ended without one.
    ClientGone,
    /// The client broke the protocol; the code is the violation's own.
    Violation,
    /// A message above the hard limit.
    TooBig,
    /// Nothing came for longer than the idle timeout.
    Idle,
    /// Nobody authenticated in time.
    AuthTimeout,
    /// The credential ended.
    Expired,
    /// The outbox is over its limit in bytes.
    SlowBytes,
    /// The oldest waiting frame is over its limit in age.
    SlowAge,
    /// A frame or message was begun and not ended in time.
    IncompleteTimeout,
    /// The client has sent nothing for longer than the dialect's threshold (AEG-20).
    Inactive,
    /// The credential was no good; said after the upgrade (GAT-03).
    InvalidToken,
    /// The same in AegisX's words (AEG-29).
    AuthenticationFailed,
    /// The user, service or tenant has as many connections as it may (GAT-48).
    TooManyConnections,
    /// The client said that it goes (NEX-14).
    Goodbye,
    /// An administrator ended it (AEG-03).
    Disconnected,
    /// The server goes down; clients come back elsewhere or later.
    Drain,
}

impl CloseReason {
    /// Every cause, in the order of its number.
    pub const ALL: [Self; 17] = [
        Self::ClientClosed,
        Self::ClientGone,
        Self::Violation,
        Self::TooBig,
        Self::Idle,
        Self::AuthTimeout,
        Self::Expired,
        Self::SlowBytes,
        Self::SlowAge,
        Self::IncompleteTimeout,
        Self::Inactive,
        Self::InvalidToken,
        Self::AuthenticationFailed,
        Self::TooManyConnections,
        Self::Goodbye,
        Self::Disconnected,
        Self::Drain,
    ];

    /// The code and the reason text of the server's Close frame.
    pub const fn frame(self) -> (u16, &'static str) {
        match self {
            Self::ClientClosed | Self::ClientGone => (1000, ""),
            Self::Violation => (1002, "protocol violation"),
            Self::TooBig => (1009, "message too big"),
            Self::Idle => (1001, "idle timeout"),
            Self::AuthTimeout => (1008, "authentication timeout"),
            Self::Expired => (1008, "credential expired"),
            Self::SlowBytes | Self::SlowAge => (1013, "too slow: reconnect"),
            Self::IncompleteTimeout => (1008, "message not completed in time"),
            Self::Inactive => (1001, "inactive"),
            Self::InvalidToken => (1008, "Invalid token"),
            Self::AuthenticationFailed => (1000, "Authentication failed"),
            Self::TooManyConnections => (1008, "Too many connections"),
            Self::Goodbye => (1000, ""),
            Self::Disconnected => (1008, "disconnected by an administrator"),
            Self::Drain => (1012, "server restarts: reconnect"),
        }
    }

    /// The label in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientClosed => "client_closed",
            Self::ClientGone => "client_gone",
            Self::Violation => "violation",
            Self::TooBig => "too_big",
            Self::Idle => "idle",
            Self::AuthTimeout => "auth_timeout",
            Self::Expired => "expired",
            Self::SlowBytes => "slow_bytes",
            Self::SlowAge => "slow_age",
            Self::IncompleteTimeout => "incomplete_timeout",
            Self::Inactive => "inactive",
            Self::InvalidToken => "invalid_token",
            Self::AuthenticationFailed => "authentication_failed",
            Self::TooManyConnections => "too_many_connections",
            Self::Goodbye => "goodbye",
            Self::Disconnected => "disconnected",
            Self::Drain => "drain",
        }
    }
}
