//! The store of a server: opened before the shards are, and what it has kept dealt out to their homes.

use std::sync::Arc;

use tracing::info;

use super::boot::StartError;
use super::{plan, rules};
use crate::api::{NoStore, StoreView};
use crate::config::{Config, DataDir};
use crate::lane::{Bell, Notify};
use crate::model::{ChannelName, Epoch, Fact, Kept, Kind};
use crate::shard::{EventFd, Shared};
use crate::store::{Client, Health, Opened, Options, Running};
use crate::telemetry::prometheus;

/// A store that is open, or none.
#[derive(Debug)]
pub struct Keeping {
    opened: Option<Opened>,
    /// Without a store numbers live as long as the process.
    pub epoch: Epoch,
}

/// Wakes a shard that has answers to read.
#[derive(Debug)]
struct Answers(Arc<Bell<EventFd>>);

impl Notify for Answers {
    fn notify(&self) {
        self.0.ring();
    }
}

impl Keeping {
    /// Opens the store that the configuration names. `seed`: drawn at boot.
    pub fn open(config: &Config, seed: u64) -> Result<Self, StartError> {
        let DataDir::Folder(folder) = &config.store.data_dir else {
            return Ok(Self { opened: None, epoch: Epoch(seed) });
        };
        let mut options = Options::new(folder.clone(), rules::realm_names(config), &config.store);
        options.queue_ttl_ms = plan::queue_ttl(config);
        options.amendable = plan::amendable(config);
        let opened = Opened::open(options)?;
        let epoch = opened.epoch();
        info!(data_dir = %folder.display(), %epoch, "store opened");
        Ok(Self { opened: Some(opened), epoch })
    }

    pub fn is_durable(&self) -> bool {
        self.opened.is_some()
    }

    /// What is kept of the channels of each shard. A conversation's home is told who stands in it.
    pub fn deal(&self, shared: &Shared) -> Result<Vec<Vec<(ChannelName, Kept)>>, StartError> {
        let mut dealt: Vec<Vec<_>> = (0..shared.shards).map(|_| Vec::new()).collect();
        let Some(opened) = &self.opened else { return Ok(dealt) };
        opened.snapshot(|name, kept| {
            if let Kept::Fact(Fact::Standing(room)) = &kept {
                let room = ChannelName { kind: Kind::Room, id: room.clone(), ..name.clone() };
                let home = shared.home(&room);
                dealt[home].push((room, Kept::Fact(Fact::Standing(name.id.clone()))));
            }
            dealt[shared.home(&name)].push((name, kept));
        })?;
        Ok(dealt)
    }

    /// Starts the store's threads: a client for each shard, or none.
    pub fn start(
        self,
        bells: &[Arc<Bell<EventFd>>],
    ) -> Result<(Option<Running>, Vec<Option<Client>>), StartError> {
        let Some(opened) = self.opened else { return Ok((None, bells.iter().map(|_| None).collect())) };
        let wakers = bells.iter().map(|bell| Box::new(Answers(bell.clone())) as Box<dyn Notify>);
        let (running, clients) = opened.start(wakers.collect()).map_err(StartError::StoreThreads)?;
        Ok((Some(running), clients.into_iter().map(Some).collect()))
    }
}

/// What operators see of it.
pub fn view_of(health: Option<Arc<Health>>) -> Box<dyn StoreView> {
    match health {
        Some(health) => Box::new(View(health)),
        None => Box::new(NoStore),
    }
}

struct View(Arc<Health>);

impl StoreView for View {
    fn fault(&self) -> Option<String> {
        self.0.fault()
    }

    fn figures(&self) -> String {
        let health = &self.0;
        let mut text = String::new();
        let mut add = |name, kind, help, n| prometheus::add_number(&mut text, name, kind, help, n);
        add("store_commits_total", "counter", "Commits that were durable.", health.commits.get());
        add("store_rows_total", "counter", "Changes in those commits.", health.rows.get());
        add("store_commits_failed_total", "counter", "Commits that failed.", health.failed.get());
        let waiting = health.waiting() as u64;
        add(
            "store_requests_waiting",
            "gauge",
            "Requests that no thread of the store has taken up yet.",
            waiting,
        );
        add("store_bytes", "gauge", "Bytes of the database and its log on disk.", health.file_bytes.get());
        let ready = u64::from(health.fault().is_none());
        add("store_up", "gauge", "1 while what must last is accepted, 0 while it is refused.", ready);
        let seconds = health.seconds.distribution();
        prometheus::add_histogram(&mut text, "store_commit_seconds", "How long commits took.", &seconds);
        text
    }
}
