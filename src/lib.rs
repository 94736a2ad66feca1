//! Lanecast.
pub mod auth;
pub mod clock;
pub mod config;
pub mod dialect;
pub mod lane;
pub mod limit;
pub mod model;
pub mod ws;
