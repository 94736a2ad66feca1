//! From one event to many connections: encoded once, sent once per shard, walked once per channel.
//!
//! [`Dispatch`] runs on the home's shard and turns what a channel tells its outlet into deliveries.
//! [`Membership`] runs on every shard and knows which of its connections receive a channel.

mod delivery;
mod dispatch;
mod frames;
mod inquiry;
mod membership;

pub use delivery::{Delivery, Feed};
pub use dispatch::{Dispatch, Speaker};
pub use frames::{Frame, Frames, LocalFrames};
pub use inquiry::Inquiry;
pub use membership::{Member, Membership};
