//! Lanecast.
pub mod clock;
pub mod config;
pub mod lane;
pub mod model;
pub mod telemetry;
pub mod ws;
