//! What a dialect's section of the configuration means for its connections. Made once at boot, immutable.

use std::sync::Arc;

use super::Times;
use crate::dialect;
use crate::model::{Dialect, RealmId};
use crate::ws;

/// How often something may happen, in fixed windows (TUS-71); a limit of 0 means as often as one likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    pub limit: u32,
    /// Seconds; windows begin at whole multiples of it.
    pub period: u32,
}

/// So many in any span of that length (GAT-49); a limit of 0 means as often as one likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    pub limit: u32,
    /// Milliseconds.
    pub length: u64,
}

/// What a connection is told first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    Nothing,
    /// That it is welcome: at once.
    Welcome,
    /// Who is online: when all shards have said (GAT-17). Everything else waits for it.
    Online,
}

/// The rules of one dialect.
#[derive(Clone, Debug)]
pub struct Rules {
    pub dialect: Dialect,
    pub realm: RealmId,
    /// Whether other dialects share it.
    pub shared: bool,
    /// Nothing but authentication and heartbeats before a credential was accepted.
    pub require_auth: bool,
    pub messages: Budget,
    /// Heartbeats have their own budget, so that a storm of them cannot starve the talk (T10).
    pub pings: Budget,
    /// Messages of one user over all its devices, sliding (GAT-49).
    pub window: Window,
    /// Connections of one user, of one service, of one tenant; 0: no limit.
    pub max_per_user: usize,
    pub max_per_service: usize,
    pub max_per_tenant: usize,
    /// Rooms of one user, and of one guest; 0: no limit.
    pub max_rooms_per_user: usize,
    /// Sizes of decoded messages.
    pub sizes: dialect::Limits,
    /// Sizes of frames, and whether compression may be negotiated.
    pub frames: ws::Limits,
    pub times: Times,
    /// The first words to a new connection.
    pub greeting: Greeting,
    /// Whether those who are the user themselves hear of its presence (TUS-17, G5).
    pub own_presence: bool,
    /// Whether everybody is told of a change of presence.
    pub presence_broadcast: bool,
    /// Milliseconds for which somebody is believed to write.
    pub typing: u64,
    /// Whether an upgrade without a credential is refused where one is needed (SGE-67).
    pub token_at_upgrade: bool,
    /// Whether each tenant has public channels of its own (ruling A10).
    pub public_per_tenant: bool,
    /// Tenants whose users may come in; `None`: all (AEG-34).
    pub tenants: Option<Arc<[Box<str>]>>,
    /// Milliseconds over which waiting messages are gathered into one `batch` (TUS-64); 0: they are not.
    pub batch_window: u64,
}
