//! A store from its opening to its end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Release};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crossbeam::sync::Parker;

use super::client::{Desk, Waker};
use super::codec::{self, Codec};
use super::reader::Reader;
use super::rows::Store;
use super::sqlite::Sqlite;
use super::writer::Writer;
use super::{Client, Health, Options, StoreError};
use crate::lane::{Bell, Notify};
use crate::model::{ChannelName, Epoch, Kept};

/// A store that is open and not running yet: what is kept can be read in peace.
#[derive(Debug)]
pub struct Opened {
    store: Sqlite,
    codec: Codec,
    pending: usize,
}

impl Opened {
    /// Opens the store of a folder, and makes it where there is none.
    ///
    /// # Errors
    /// Another server has it open, it is no store or one of a newer version, or the disk fails.
    pub fn open(options: Options) -> Result<Self, StoreError> {
        let store = Sqlite::open(&options)?;
        Ok(Self { store, codec: Codec::new(options.realms), pending: options.pending })
    }

    /// The life of the numbers it gives out.
    pub fn epoch(&self) -> Epoch {
        self.store.epoch()
    }

    /// Tells all facts and all that waits; of each channel, what waits in the order in which it came. What belongs to
    /// realms that are not configured is left out.
    ///
    /// # Errors
    /// Something cannot be read.
    pub fn snapshot(&self, mut each: impl FnMut(ChannelName, Kept)) -> Result<(), StoreError> {
        self.store.snapshot(&mut |owner, row| {
            let Some(channel) = self.codec.channel(&owner) else { return Ok(()) };
            let kept = codec::kept(&owner, &row).map_err(|error| StoreError::Damaged {
                path: self.store.path().to_owned(),
                what: format!("something kept for {:?}: {error}", owner.name),
            })?;
            each(channel, kept);
            Ok(())
        })
    }

    /// Starts its threads. `shards`: what wakes each shard when it has answers. There is a client for each.
    ///
    /// # Errors
    /// A thread cannot be started, or the reader's connection cannot be opened.
    pub fn start(self, shards: Vec<Box<dyn Notify>>) -> io::Result<(Running, Vec<Client>)> {
        let start = Instant::now();
        let desks: Vec<_> =
            shards.into_iter().map(|shard| Arc::new(Desk::new(self.pending, shard))).collect();
        let health = Arc::new(Health::new(desks.clone(), start));
        let (writer_parker, reader_parker) = (Parker::new(), Parker::new());
        let bell = |parker: &Parker| Arc::new(Bell::new(Waker(parker.unparker().clone())));
        let (writer_bell, reader_bell) = (bell(&writer_parker), bell(&reader_parker));
        let (stop_writer, stop_reader) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let client = |desk: &Arc<Desk>| {
            Client::new(desk.clone(), writer_bell.clone(), reader_bell.clone(), self.epoch(), start)
        };
        let clients = desks.iter().map(client).collect();
        let path = self.store.path().to_owned();
        let reader =
            Reader::open(path, self.codec.clone(), desks.clone(), reader_bell.clone(), stop_reader.clone())
                .map_err(io::Error::other)?;
        let writer = Writer::new(
            self.store,
            self.codec,
            desks,
            writer_bell.clone(),
            health.clone(),
            stop_writer.clone(),
        );
        // Made before the threads, so that those that have begun end if a later one cannot.
        let mut running = Running { health, threads: Vec::new() };
        let named = |name: &str| thread::Builder::new().name(name.into());
        let thread = named("store-reader").spawn(move || reader.run(&reader_parker))?;
        running.threads.push(Thread { thread, stop: stop_reader, bell: reader_bell });
        let thread = named("store-writer").spawn(move || writer.run(&writer_parker))?;
        running.threads.push(Thread { thread, stop: stop_writer, bell: writer_bell });
        Ok((running, clients))
    }
}

#[derive(Debug)]
struct Thread {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    bell: Arc<Bell<Waker>>,
}

/// The store's threads. Dropped, they end as by [`Running::stop`].
#[derive(Debug)]
pub struct Running {
    health: Arc<Health>,
    /// The reader first: the last connection to be closed is the one that can put the files in order.
    threads: Vec<Thread>,
}

impl Running {
    /// How it is.
    pub fn health(&self) -> Arc<Health> {
        self.health.clone()
    }

    /// Commits all that was handed over, answers it, and ends.
    pub fn stop(self) {}
}

impl Drop for Running {
    fn drop(&mut self) {
        for Thread { thread, stop, bell } in self.threads.drain(..) {
            stop.store(true, Release);
            bell.notifier().notify();
            // It answers for its requests by itself; a panic beyond them was reported where it happened.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
