//! Lanecast.
pub mod channel;
pub mod clock;
pub mod config;
pub mod lane;
pub mod model;
pub mod ws;
