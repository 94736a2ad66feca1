//! Starting and ending the shards.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;
use tracing::warn;

use super::keeping::{self, Keeping};
use super::report::{self, Report};
use super::signals::{self, Ended};
use super::{affinity, plan};
use crate::config::{Config, ConfigError};
use crate::extension::{Extensions, Handler, Middleware};
use crate::lane::{Bell, mesh};
use crate::model::Dialect;
use crate::net;
use crate::persona::PersonaRules;
use crate::shard::{self, Control, Door, EventFd, Keeper, Launch};
use crate::store::{Running as Store, StoreError};
use crate::telemetry::Registry;

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot set up shard {shard}: {source}")]
    Shard { shard: usize, source: io::Error },
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("no random numbers from the system: {0}")]
    Random(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot start the store's threads: {0}")]
    StoreThreads(io::Error),
}

/// A server that is configured and not started; then one that runs.
#[derive(Debug)]
pub struct Server {
    config: Config,
    extensions: Extensions,
}

/// The shards of a running server.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    controls: Vec<flume::Sender<Control>>,
    ended: flume::Receiver<Ended>,
    threads: Vec<JoinHandle<io::Result<()>>>,
    door: Arc<Door>,
    drain: Duration,
    /// Where Gator is served.
    report: Option<Report>,
    /// Ends after the shards: what they have handed over is kept.
    store: Option<Store>,
}

impl Server {
    pub fn new(config: Config) -> Self {
        Self { config, extensions: Extensions::default() }
    }

    /// Adds a middleware behind those added before (TUS-39).
    #[must_use]
    pub fn middleware(mut self, middleware: impl Middleware + 'static) -> Self {
        self.extensions.add_middleware(middleware);
        self
    }

    /// Handles messages of that type (TUS-40).
    #[must_use]
    pub fn handler(mut self, kind: impl Into<String>, handler: impl Handler + 'static) -> Self {
        self.extensions.add_handler(kind, handler);
        self
    }

    /// Binds every listener and starts every shard.
    ///
    /// # Errors
    /// What could not be had; nothing is left running then.
    pub fn start(self) -> Result<Running, StartError> {
        let Self { config, extensions } = self;
        let shards = config.shards();
        let personas = Arc::new(PersonaRules::new(&config)?);
        say_what_is_not_served(&config);
        let (addresses, listeners) = bind_all(&config, shards)?;
        let seed = random_seed()?;
        let (registry, writers) = Registry::new(shards);
        let keeping = Keeping::open(&config, random_seed()?)?;
        let life = plan::Life { durable: keeping.is_durable(), epoch: keeping.epoch };
        let shared = Arc::new(plan::shared(&config, shards, seed, registry.clone(), extensions, life));
        let dealt = keeping.deal(&shared)?;
        let report = plan::serves(&config, Dialect::Gator).then(|| Report::new(registry, report::EVERY));
        let setup = |shard, source| StartError::Shard { shard, source };
        let mut bells = Vec::new();
        let mut wakes = Vec::new();
        for shard in 0..shards {
            let bell = EventFd::new().map_err(|e| setup(shard, e))?;
            wakes.push(bell.try_clone().map_err(|e| setup(shard, e))?);
            bells.push(Arc::new(Bell::new(bell)));
        }
        let (store, clients) = keeping.start(&bells)?;
        let view = keeping::view_of(store.as_ref().map(Store::health));
        let door = Arc::new(plan::door(&config, &shared, view));
        let ports = mesh(bells, shared.command_lane, shared.delivery_lane);
        let cpus = if config.server.pin { affinity::allowed_cpus() } else { Vec::new() };
        let (end, ended) = flume::bounded(shards);
        let (mut controls, mut threads) = (Vec::new(), Vec::new());
        let parts =
            ports.into_iter().zip(wakes).zip(writers).zip(listeners).zip(clients.into_iter().zip(dealt));
        for (shard, ((((port, bell), counters), listeners), (client, kept))) in parts.enumerate() {
            let (control, receiver) = flume::bounded(2);
            let launch = Launch {
                port,
                bell,
                shared: shared.clone(),
                door: door.clone(),
                counters,
                listeners,
                control: receiver,
                personas: personas.clone(),
                keeper: client.map(|client| Box::new(client) as Box<dyn Keeper + Send>),
                kept,
            };
            let cpu = (!cpus.is_empty()).then(|| cpus[shard % cpus.len()]);
            let thread = spawn(shard, cpu, launch, end.clone()).map_err(|e| setup(shard, e))?;
            controls.push(control);
            threads.push(thread);
        }
        let drain = config.server.drain_seconds;
        Ok(Running { addresses, controls, ended, threads, door, drain, report, store })
    }
}

fn say_what_is_not_served(config: &Config) {
    for warning in config.warnings() {
        warn!("{warning}");
    }
    for variable in config.unserved() {
        warn!(variable, "set, but not served by this version");
    }
}

fn random_seed() -> Result<u64, StartError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|e| StartError::Random(e.to_string()))?;
    Ok(u64::from_ne_bytes(bytes))
}

type Listeners = Vec<(TcpListener, Option<Dialect>)>;

/// Every listener once per shard: the addresses, and each shard's sockets.
fn bind_all(config: &Config, shards: usize) -> Result<(Vec<SocketAddr>, Vec<Listeners>), StartError> {
    let options = plan::socket_options(config);
    let mut addresses = Vec::new();
    let mut by_shard: Vec<Listeners> = (0..shards).map(|_| Vec::new()).collect();
    for listen in &config.server.listen {
        let mut address = listen.addr;
        let refused = |source| StartError::Listen { address: listen.addr, source };
        if address.port() != 0 {
            net::probe(address).map_err(refused)?;
        }
        for sockets in &mut by_shard {
            let socket = net::bind(address, &options).map_err(refused)?;
            // The first one may have let the kernel choose the port.
            address = socket.local_addr().map_err(refused)?;
            sockets.push((socket, listen.dialect));
        }
        addresses.push(address);
    }
    Ok((addresses, by_shard))
}

fn spawn(
    shard: usize,
    cpu: Option<usize>,
    launch: Launch,
    end: flume::Sender<Ended>,
) -> io::Result<JoinHandle<io::Result<()>>> {
    std::thread::Builder::new().name(format!("shard-{shard}")).spawn(move || {
        if let Some(cpu) = cpu
            && let Err(error) = affinity::pin_to(cpu)
        {
            warn!(shard, cpu, %error, "cannot pin the thread; going on without");
        }
        // Dropped last, also by a panic: whoever watches learns that the shard is gone.
        let _farewell = Farewell { shard, end };
        shard::run(launch)
    })
}

/// Says that a shard's thread is at its end.
struct Farewell {
    shard: usize,
    end: flume::Sender<Ended>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        // Nobody watches when the server is used as a library without signals.
        let _ = self.end.try_send(Ended { shard: self.shard });
    }
}

impl Running {
    /// What is listened on, in the order of the configuration, with the ports the kernel chose.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Lets nobody in any more and closes everybody within that time.
    pub fn drain(&self, over: Duration) {
        self.door.shut();
        for control in &self.controls {
            // One that has ended needs no telling.
            let _ = control.try_send(Control::Drain(over));
        }
    }

    /// Says `ready` when SIGTERM and SIGINT are heard, then waits for one, then for the end.
    ///
    /// # Errors
    /// A shard failed.
    pub fn until_signal(mut self, ready: impl FnOnce(&[SocketAddr])) -> io::Result<()> {
        signals::watch(
            || ready(&self.addresses),
            &self.controls,
            &self.ended,
            self.drain,
            || self.door.shut(),
            self.report.take(),
        )?;
        self.join()
    }

    /// Waits until every shard has ended.
    ///
    /// # Errors
    /// A shard failed.
    pub fn join(self) -> io::Result<()> {
        for thread in self.threads {
            thread.join().map_err(|_| io::Error::other("a shard's thread panicked"))??;
        }
        if let Some(store) = self.store {
            store.stop();
        }
        Ok(())
    }
}
