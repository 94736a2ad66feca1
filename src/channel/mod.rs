//! Channels at home: the part of the server that numbers, remembers, admits and answers.
//!
//! A [`Homes`] holds every channel whose home is one shard. It does no IO, reads no clock and owns no
//! thread: `apply(command, now)` changes its state and tells an [`Outlet`] who is to hear what.

mod homes;
mod interest;
mod room;
mod user;

pub use homes::{HomeLimits, Homes};
pub use interest::Interest;
pub use user::too_many_rooms;

use std::sync::Arc;

use crate::clock::Now;
use crate::model::{ChannelId, ConnKey, Event, Origin, RealmId, Reply, ReplyTo};

/// What every verb is told besides its own words.
#[derive(Clone, Copy, Debug)]
struct Ask<'a> {
    /// The channel that is asked.
    id: ChannelId,
    origin: &'a Origin,
    now: Now,
    /// Users online on all shards, as far as this one knows.
    online: usize,
    limits: &'a HomeLimits,
}

/// Where a channel's answers and events go. Called in the order in which things happened; an outlet
/// that keeps that order per shard gives every subscriber the channel's one order.
pub trait Outlet {
    /// An answer for one connection or one REST call.
    fn reply(&mut self, to: ReplyTo, reply: Reply);
    /// An event for everybody counted in `interest`, but not for `exclude`.
    fn publish(&mut self, channel: ChannelId, interest: &Interest, exclude: Option<ConnKey>, event: &Event);
    /// An event for every connection of a realm's tenant, members of anything or not.
    fn announce(&mut self, realm: RealmId, tenant: &Arc<str>, event: &Event);
}
