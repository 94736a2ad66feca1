//! One connection: its state in the shard's slab, its rules, its outbox, and what time does to it.

mod outbox;
mod pace;
mod rules;
mod state;

pub use outbox::{Outbox, OutboxPool, Push};
pub use pace::{Due, Pace, Times};
pub use rules::{Budget, Rules};
pub use state::{Conn, Joined, Peer, Phase, Wait};
