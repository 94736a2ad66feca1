//! Lanecast.
pub mod config;
pub mod lane;
pub mod ws;
