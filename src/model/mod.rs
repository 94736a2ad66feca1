//! The core's own words. No dialect's wire shapes, no IO, no clock.

mod address;
mod channel;
mod close;
mod command;
mod dialect;
mod event;
mod glob;
mod key;
mod message;
mod notification;
mod position;
mod presence;
mod principal;
mod record;
mod refusal;
mod reply;
mod room;
mod roster;

pub use address::{Address, Wording};
pub use channel::{ChannelName, Kind, RealmId};
pub use close::CloseReason;
pub use command::{Command, Echo, HistoryQuery, JoinManner, Op, Origin, Target};
pub use dialect::{Dialect, Variant};
pub use event::{Event, Except, Typing};
pub use glob::{Glob, GlobTooLong};
pub use key::{ChannelId, ConnKey, MessageId};
pub use message::{Detail, Manner, Message, Verbatim};
pub use notification::{Notification, Priority};
pub use position::{Epoch, Position, Since};
pub use presence::{Cause, Presence, Showing, Status};
pub use principal::Principal;
pub use record::{
    Answer, Fact, FactKey, Found, Kept, LogQuery, Outcome, Page, Query, Receipt, Record, Ticket, Waiting,
};
pub use refusal::{Code, Refusal};
pub use reply::{Begun, Follow, Reply, ReplyTo};
pub use room::{RoomInfo, RoomSettings};
pub use roster::Contact;
