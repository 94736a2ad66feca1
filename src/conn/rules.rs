//! What a dialect's section of the configuration means for its connections. Made once at boot, immutable.

use super::Times;
use crate::dialect::tusk;
use crate::model::{Dialect, RealmId};
use crate::ws;

/// How often something may happen, in fixed windows (TUS-71); a limit of 0 means as often as one likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    pub limit: u32,
    /// Seconds; windows begin at whole multiples of it.
    pub period: u32,
}

/// The rules of one dialect.
#[derive(Clone, Debug)]
pub struct Rules {
    pub dialect: Dialect,
    pub realm: RealmId,
    /// Nothing but authentication and heartbeats before a credential was accepted.
    pub require_auth: bool,
    pub messages: Budget,
    /// Heartbeats have their own budget, so that a storm of them cannot starve the talk (T10).
    pub pings: Budget,
    /// Rooms of one user, and of one guest; 0: no limit.
    pub max_rooms_per_user: usize,
    /// Sizes of decoded messages.
    pub sizes: tusk::Limits,
    /// Sizes of frames, and whether compression may be negotiated.
    pub frames: ws::Limits,
    pub times: Times,
    /// Whether a connection is greeted.
    pub welcome: bool,
    /// Milliseconds over which waiting messages are gathered into one `batch` (TUS-64); 0: they are not.
    pub batch_window: u64,
}
