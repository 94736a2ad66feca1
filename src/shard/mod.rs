//! One pinned event loop: its connections, its share of the homes, its lanes, its wheel.
//!
//! [`Core`] is the whole state and does no IO of its own: a simulation runs many of them without a socket.
//! The rest of the folder puts one on a thread: the loop, the tasks that read sockets, the flush.

mod backend;
mod core;
mod deliver;
mod door;
mod entry;
mod event_loop;
mod flush;
mod gather;
mod identity;
mod inbound;
mod journal;
mod ledger;
mod lifecycle;
mod reader;
mod request;
mod shared;
mod speak;
mod steps;
mod wake;
mod wheel;

pub use self::core::{Core, PersonaCall};
pub use self::door::{Door, Mount};
pub use self::entry::Entry;
pub use self::event_loop::{Control, Launch, run};
pub use self::ledger::Keeper;
pub use self::shared::Shared;
pub use self::wake::EventFd;
pub use self::wheel::Wheel;
