//! What a delivery lane carries: one entry per interested shard, never per connection.

use std::sync::Arc;

use super::Frames;
use crate::model::{ChannelId, ConnKey, RealmId, Reply, ReplyTo};

/// Handled to the end when it arrives: handling one sends nothing on any lane.
#[derive(Debug)]
pub enum Delivery {
    /// An event for the local members of a channel.
    Fanout { channel: ChannelId, exclude: Option<ConnKey>, frames: Frames },
    /// An event for every local connection of a realm's tenant.
    Realm { realm: RealmId, tenant: Arc<str>, frames: Frames },
    /// An answer for one connection or REST call.
    Reply { to: ReplyTo, reply: Reply },
}
