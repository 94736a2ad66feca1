//! The lines that the life of a connection leaves in the log, as its dialect's document has them.

use std::fmt::Display;

use tracing::info;

use super::core::Core;
use crate::lane::Notify;
use crate::model::{CloseReason, ConnKey, Dialect, Principal};

/// Logs an event of a connection of that dialect at that level, those of NEXUS under their own target (NEX-88). One
/// that is of no dialect yet is an `Option`.
macro_rules! journal {
    ($level:ident, $dialect:expr, $($line:tt)+) => {
        match Option::<$crate::model::Dialect>::from($dialect) {
            Some($crate::model::Dialect::Nexus) => {
                tracing::$level!(target: $crate::telemetry::nexus::TARGET, $($line)+)
            }
            _ => tracing::$level!($($line)+),
        }
    };
}
pub(super) use journal;

/// The lines of the AegisX document's server (AEG-73).
impl<N: Notify> Core<N> {
    pub(super) fn log_opened(&self, key: ConnKey) {
        let Some(conn) = self.conn(key).filter(|c| c.variant.dialect == Dialect::Aegisx && c.is_open())
        else {
            return;
        };
        let id = key.uuid(self.shared.seed);
        let tenant = conn.who.as_ref().map_or(Principal::DEFAULT_TENANT, |w| &w.tenant);
        info!("Connection {id} added for tenant {tenant}");
        info!("WebSocket connection established: {id}");
    }

    pub(super) fn log_closed(&self, key: ConnKey, dialect: Dialect, reason: CloseReason) {
        if dialect != Dialect::Aegisx || reason == CloseReason::AuthenticationFailed {
            return;
        }
        let id = key.uuid(self.shared.seed);
        if reason == CloseReason::Inactive {
            info!("Removing inactive connection {id}");
        }
        info!("Connection {id} removed");
        info!("WebSocket connection closed: {id}");
    }

    /// Its socket takes nothing any more.
    pub(super) fn log_unsent(&self, key: ConnKey, dialect: Dialect, error: impl Display) {
        if dialect == Dialect::Aegisx {
            info!("Failed to send message to {}: {error}", key.uuid(self.shared.seed));
        }
    }

    /// TCP ended in an error, or what came was no WebSocket.
    pub(super) fn log_failed(&self, key: ConnKey, dialect: Dialect, error: impl Display) {
        if dialect == Dialect::Aegisx {
            info!("WebSocket error for {}: {error}", key.uuid(self.shared.seed));
        }
    }
}
