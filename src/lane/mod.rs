//! What crosses shards: bounded lock-free lanes, one per ordered pair of shards and class.
//!
//! A shard is one thread with its own state. It sends to another by pushing into the lane between the two
//! and, once per turn, ringing the other's bell; what it sends to itself is a plain call. From the bottom:
//! a [`ring()`] is one lane, a [`Bell`] one wake-up per batch, a [`mesh()`] all of it for N shards, seen by
//! each as its [`Port`], and a [`Backlog`] keeps what found its lane full.
//!
//! # Rules
//!
//! There are two classes. A *command* asks a shard for work, a *delivery* brings what came of it.
//!
//! 1. Deliveries are always drained, and handling one sends nothing on any lane. What it causes (a
//!    connection found dead has memberships to give up) is noted and comes in as work from a socket does.
//! 2. A shard handles a command, its own or another's, only while its delivery backlog is empty. A command
//!    may make deliveries; it makes no commands.
//! 3. A shard reads its sockets only while its command backlog is empty. A command to itself that rule 2
//!    holds back waits in that backlog too, in the place of its own shard.
//!
//! A turn of a shard is then: reset the notifier; [`answer`](Port::answer); handle the deliveries; drain both
//! backlogs; handle commands while the delivery backlog is empty; read sockets while the command backlog is
//! empty; [`ring_bells`](Port::ring_bells). It sleeps only when each of these found nothing more or is held
//! back by its rule: what holds it back ends with a bell. One that stopped because it had done enough takes
//! another turn instead.
//!
//! # Why this cannot deadlock
//!
//! A full lane is a wait for the shard that drains it, so follow the waits. Deliveries wait for room in no
//! lane (rule 1), so every delivery lane is drained in every turn of its receiver, which is woken when
//! something was pushed. So every refused delivery finds room, and its sender, marked as starved, is told.
//! So every delivery backlog empties, whatever commands and sockets do. Then commands are handled again
//! (rule 2), so every command lane gets room, by the same argument one step up, and every command backlog
//! empties. Then sockets are read again (rule 3). Sockets wait for commands, commands for deliveries,
//! deliveries for nothing: no cycle. When a shard stops reading its sockets, TCP tells the publishers;
//! nothing is dropped between shards.
//!
//! # Bounds
//!
//! N shards with lanes of `cap_c` commands and `cap_d` deliveries cost
//! `N * (N - 1) * (cap_c * size_of::<C>() + cap_d * size_of::<D>())` bytes, all of it at the start, and for
//! each lane about 900 bytes of indices and counters on cache lines of their own. Capacities count rounded
//! up to powers of two. Larger lanes even out longer bursts; no capacity is needed for progress, the rules
//! hold with 1. A backlog holds what one step of work makes at most: the deliveries of one command,
//! or the commands of one read.
//!
//! A lane does not know whether its other end still lives: after a shard is gone, lanes to it fill, and lanes
//! from it fall silent. Ending together is the server's affair.

mod backlog;
mod bell;
mod ends;
mod mesh;
mod ring;
mod sync;

#[cfg(test)]
mod rules;

pub use backlog::Backlog;
pub use bell::{Bell, Notify};
pub use ends::{BATCH, Class, LaneStats};
pub use mesh::{Port, mesh};
pub use ring::{CAPACITY_MAX, Receiver, Sender, ring};
