//! One connection: its state in the shard's slab, what it may do, its outbox, and what time does to it.

mod admission;
mod outbox;
mod pace;
mod rules;
mod state;

pub use admission::{Action, admit};
pub use outbox::{Outbox, OutboxPool, Push};
pub use pace::{Due, Pace, Times};
pub use rules::{Budget, Rules};
pub use state::{Conn, Joined, Peer, Phase, Wait};
