//! What the server tells of itself: numbers for a scrape, figures of the process, lines for a log.

pub mod counters;
pub mod label;
pub mod log;
pub mod metric;
pub mod nexus;
pub mod process;
pub mod prometheus;

pub use counters::{Registry, ShardCounters, Writer};
pub use label::{CircuitState, Label, LaneClass, PersonaOutcome, StatusClass, UpgradeRefusal};
