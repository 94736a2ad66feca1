//! Lanecast: a sharded real-time WebSocket server.
//!
//! The binary `lanecast` is a thin shell around this library, and a program of your own can be another: add message
//! types and middleware to a [`server::Server`] (see [`extension`]) and start it. What another program relies on is
//! [`config::Config`], [`server`] and [`extension`]; the other modules are open so that tests, simulations, fuzz
//! targets and benches can reach them, and may change with any version.
//!
//! # The modules, in the order of a message's way
//!
//! | module | what it does with a message |
//! |---|---|
//! | [`net`] | listens, speaks HTTP/1 until the upgrade, counts who comes in |
//! | [`ws`] | finds frames and messages in the bytes (RFC 6455, RFC 7692) |
//! | [`dialect`] | text to request; later, event or reply to text |
//! | [`conn`] | the connection it came from: its rules, its outbox, its deadlines |
//! | [`limit`], [`auth`], [`access`] | how often; on whose behalf; whether they may |
//! | [`extension`] | what another crate adds: middleware and handlers |
//! | [`shard`] | carries it: one event loop with its connections, homes and timers |
//! | [`lane`] | takes the command to another shard, and brings back what came of it |
//! | [`channel`] | applies the command at the channel's home: rooms, users, presence |
//! | [`fanout`] | encodes the event once, sends it once per shard, walks the members |
//! | [`persona`] | has a machine answer it, where it asks for that |
//! | [`store`] | keeps it on disk, numbered, and reads it back |
//!
//! Around them: [`model`] has the words all of them use, [`clock`] the time, [`config`] what the operator chose,
//! [`telemetry`] what the operator sees, [`api`] the same commands by REST, [`server`] boot and drain, [`cli`] the
//! command line. Which module may import which is checked by `tests/tidy`; `docs/ARCHITECTURE.md` walks a message
//! through the functions and has the invariants.

pub mod access;
pub mod api;
pub mod auth;
pub mod channel;
pub mod cli;
pub mod clock;
pub mod config;
pub mod conn;
pub mod dialect;
pub mod extension;
pub mod fanout;
pub mod lane;
pub mod limit;
pub mod model;
pub mod net;
pub mod persona;
pub mod server;
pub mod shard;
pub mod store;
pub mod telemetry;
pub mod ws;
