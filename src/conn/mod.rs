//! One connection: its state in the shard's slab, its rules, its outbox, and what time does to it.

mod agenda;
mod outbox;
mod pace;
mod rules;
mod state;

pub use agenda::{Agenda, Gathered, Gathering, Joining, Step, Wait};
pub use outbox::{Outbox, OutboxPool, Push};
pub use pace::{Due, Pace, Times};
pub use rules::{Budget, Greeting, Rules, Window};
pub use state::{Conn, Holder, Joined, Peer, Phase, Resume};
