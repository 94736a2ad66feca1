//! A store from its opening to its end.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::{Client, Health, Options, StoreError};
use crate::lane::Notify;
use crate::model::{ChannelName, Epoch, Kept};

/// A store that is open and not running yet: what is kept can be read in peace.
#[derive(Debug)]
pub struct Opened {
    epoch: Epoch,
}

impl Opened {
    /// Opens the store of a folder, and makes it where there is none.
    ///
    /// # Errors
    /// Another server has it open, it is no store or one of a newer version, or the disk fails.
    pub fn open(options: Options) -> Result<Self, StoreError> {
        Err(StoreError::Foreign { path: options.folder, why: "not built yet".into() })
    }

    /// The life of the numbers it gives out.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Tells all facts and all that waits, channel by channel; what waits in the order in which it came.
    ///
    /// # Errors
    /// Something cannot be read.
    pub fn snapshot(&self, _each: impl FnMut(ChannelName, Kept)) -> Result<(), StoreError> {
        Ok(())
    }

    /// Starts its threads. `shards`: what wakes each shard when it has answers. There is a client for each.
    ///
    /// # Errors
    /// A thread cannot be started, or the second connection cannot be opened.
    pub fn start(self, _shards: Vec<Box<dyn Notify>>) -> io::Result<(Running, Vec<Client>)> {
        Ok((Running { health: Arc::new(Health::new(Vec::new(), Instant::now())) }, Vec::new()))
    }
}

/// The store's threads. Dropped, they end as by [`Running::stop`].
#[derive(Debug)]
pub struct Running {
    health: Arc<Health>,
}

impl Running {
    /// How it is.
    pub fn health(&self) -> Arc<Health> {
        self.health.clone()
    }

    /// Commits all that was handed over, answers it, and ends.
    pub fn stop(self) {}
}
