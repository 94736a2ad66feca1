//! Who may do what: the one decision, for sockets and REST alike, of every dialect.
//!
//! What only the channel's home can know (its password, its settings, its members) the home decides, after
//! this; everything that follows from the principal and the configuration is decided here ([`Policy::admit`]).
//! It is pure, made once at boot and the same on every shard.
//!
//! In this order, and the first that has something to say decides:
//!
//! 1. What is built in, and no rule can open: where credentials are demanded nobody does anything without
//!    one; an inbox is its user's alone; a guest makes no channels, unless it sits at the machine itself.
//!    Tenants need no rule: they are part of every channel's name, so a rule holds in each of them by itself.
//! 2. The first [`Rule`] whose dialect and channel match. What it does not list is refused, also to members.
//!    To somebody with the role `admin` no rule refuses anything.
//! 3. Where none matches: everybody subscribes and publishes, and making a channel takes the role `admin` or
//!    the permission `create_room`.
//!
//! What leaves a handler of another crate (an effect) is the server's own word and not decided on; the message
//! that called the handler was.

mod admission;
mod rule;

pub use admission::{Action, Asker, Channel, Policy};
pub use rule::{Grants, Rule, Someone, Verb};
