//! Lanecast.
pub mod cli;
pub mod config;
pub mod lane;
pub mod ws;
