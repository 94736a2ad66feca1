//! The two middlewares the Tusk document names (TUS-39).

use tracing::debug;

use super::{Message, Middleware, Peer, Verdict};
use crate::model::CloseReason;

/// Lets nothing but `auth` and `ping` pass before authentication. The configuration's `require_auth` does the
/// same without a pipeline; this one can stand behind other middleware.
#[derive(Clone, Copy, Debug, Default)]
pub struct AuthenticationMiddleware;

impl Middleware for AuthenticationMiddleware {
    fn message(&self, peer: &Peer<'_>, message: &Message<'_>) -> Verdict {
        if peer.user.is_some() || matches!(message.kind, "auth" | "ping") {
            Verdict::Continue
        } else {
            Verdict::Refuse("Authentication required".into())
        }
    }
}

/// Writes a line for every connection and message at level `debug`: who and what type, never the content.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoggingMiddleware;

impl Middleware for LoggingMiddleware {
    fn opened(&self, peer: &Peer<'_>) {
        debug!(conn = %peer.connection, "middleware saw connection");
    }

    fn message(&self, peer: &Peer<'_>, message: &Message<'_>) -> Verdict {
        debug!(conn = %peer.connection, user = peer.user, kind = message.kind, "middleware saw message");
        Verdict::Continue
    }

    fn closed(&self, peer: &Peer<'_>, reason: CloseReason) {
        debug!(conn = %peer.connection, reason = reason.name(), "middleware saw end");
    }
}
