//! Clients that are there when the server is killed, and the books they keep of what they were told.

mod away;
mod channel;
mod roster;
mod talker;
mod wire;
mod words;
mod world;

pub use world::{Fate, World};
