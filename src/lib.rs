//! Lanecast: a sharded real-time WebSocket server.

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
pub mod server;
pub mod shard;
pub mod telemetry;
pub mod ws;
