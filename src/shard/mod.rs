//! One pinned event loop: its connections, its share of the homes, its lanes, its wheel.
//!
//! [`Core`] is the whole state and does no IO of its own: a simulation runs many of them without a socket.
//! The rest of the folder puts one on a thread: the loop, the tasks that read sockets, the flush.

mod core;
mod deliver;
mod flush;
mod inbound;
mod lifecycle;
mod request;
mod shared;
mod steps;
mod wheel;

pub use self::core::Core;
pub use self::flush::Flushed;
pub use self::shared::Shared;
pub use self::wheel::Wheel;
