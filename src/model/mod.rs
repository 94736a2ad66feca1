//! The core's own words. No dialect's wire shapes, no IO, no clock.

mod channel;
mod close;
mod command;
mod dialect;
mod event;
mod glob;
mod key;
mod presence;
mod principal;
mod refusal;
mod reply;
mod room;

pub use channel::{ChannelName, Kind, RealmId};
pub use close::CloseReason;
pub use command::{Command, Op, Origin, Target};
pub use dialect::{Dialect, Variant};
pub use event::Event;
pub use glob::{Glob, GlobTooLong};
pub use key::{ChannelId, ConnKey, MessageId};
pub use presence::Status;
pub use principal::Principal;
pub use refusal::{Code, Refusal};
pub use reply::{Reply, ReplyTo};
pub use room::{RoomInfo, RoomSettings};
