//! Boot: from a configuration to running shards, and from a signal to their end.

mod affinity;
mod boot;
mod keeping;
mod plan;
mod report;
mod rules;
mod signals;

pub use boot::{Running, Server, StartError};
pub use plan::log_rules;
