//! What outlives the process: each channel's log, what waits for users, what is known of them.
//!
//! Shards hand [`Record`](crate::model::Record)s to a [`Client`] and go on; one thread writes what all of them handed
//! over, as many requests as there are in one commit, and tells them when it is durable. Another thread reads, with
//! a connection of its own, so that neither waits for the other. What a record means in rows is the codec's; rows
//! and bytes are all that a [`Store`](rows::Store) knows.
//!
//! The files of a data folder: `lanecast.db` (SQLite, with `-wal` and `-shm` while it is open), `lanecast.mark` (how
//! many commits were told), `lock` (held by the server that has it open).

mod agenda;
mod backup;
mod body;
mod check;
mod client;
mod codec;
mod error;
mod folder;
mod heads;
mod health;
mod mark;
mod opened;
mod options;
#[cfg(test)]
mod oracle;
mod place;
mod reader;
mod reading;
pub mod rows;
mod schema;
#[cfg(test)]
mod scratch;
pub mod sqlite;
mod trim;
mod words;
mod writer;

pub use backup::{Report, backup};
pub use check::{CheckReport, check};
pub use client::Client;
pub use error::{BadBytes, StoreError, Unstorable};
pub use health::{Commits, Health};
pub use opened::{Opened, Running};
pub use options::{Options, PENDING, Retention, Synchronous};
