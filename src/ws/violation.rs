//! A breach of the protocol by the peer: the close code to answer with, and why.

use std::fmt;

use super::CloseCode;

/// What a peer did wrong. The connection is over: send a close frame with this code and reason, then hang up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// 1002 (protocol), 1007 (the data is not what its type says) or 1009 (too big); RFC 6455 section 7.4.1.
    pub code: CloseCode,
    /// A sentence for the close frame and the log, at most 123 bytes.
    pub reason: &'static str,
}

impl Violation {
    pub(super) const fn protocol(reason: &'static str) -> Self {
        Self { code: CloseCode::Protocol, reason }
    }

    pub(super) const fn invalid(reason: &'static str) -> Self {
        Self { code: CloseCode::Invalid, reason }
    }

    pub(super) const fn too_big() -> Self {
        Self { code: CloseCode::Size, reason: "message too big" }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason, self.code)
    }
}

impl std::error::Error for Violation {}
