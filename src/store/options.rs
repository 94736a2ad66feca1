//! How a store is to be kept.

use std::path::PathBuf;

use crate::config;
pub use crate::config::Synchronous;

/// Everything a store has to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data folder; made when it is not there.
    pub folder: PathBuf,
    /// When a commit counts as durable. [`Synchronous::Full`] waits for the disk, so that what was told survives a
    /// power cut. [`Synchronous::Normal`] leaves it to the kernel: it survives the end of the process, kill -9 too,
    /// but a power cut may take the last seconds, and the epoch is a new one after it.
    pub synchronous: Synchronous,
    /// The names of the realms, by [`RealmId`](crate::model::RealmId); where one stands twice, its first place
    /// counts. What is kept of other realms stays as it is.
    pub realms: Vec<Box<str>>,
    pub history: Retention,
    /// How long something waits for a user, in milliseconds; 0: for ever.
    pub queue_ttl_ms: u64,
    /// Among how many of a channel's newest messages one can be amended or read.
    pub amendable: usize,
    /// Whether messages are indexed for search.
    pub search: bool,
    /// Requests that one shard may have under way.
    pub pending: usize,
}

/// How much is kept of a channel; `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Events; 0: they are numbered and not kept.
    pub count: Option<u64>,
    /// Bytes of their texts and data.
    pub bytes: Option<u64>,
    pub age_ms: Option<u64>,
}

/// Requests under way for each shard, if nobody says otherwise: several batches, and a few MiB at most.
pub const PENDING: usize = 4096;

impl Options {
    /// What `[store]` says; the rest as it is for most.
    pub fn new(folder: PathBuf, realms: Vec<Box<str>>, store: &config::Store) -> Self {
        Self {
            folder,
            synchronous: store.synchronous,
            realms,
            history: Retention {
                count: Some(store.history_count),
                bytes: store.history_bytes.cap(),
                age_ms: store.history_age.map(|age| age.as_millis() as u64),
            },
            queue_ttl_ms: 0,
            amendable: 1000,
            search: store.search,
            pending: PENDING,
        }
    }
}
