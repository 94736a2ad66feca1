//! What the system tells the process: SIGTERM and SIGINT drain it, a second one ends it at once.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use crate::shard::Control;

/// Hears SIGTERM and SIGINT. From when it exists neither ends the process by itself, so have it before anybody
/// is told that the server is ready.
#[derive(Debug)]
pub struct Signals {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Starts to listen.
    ///
    /// # Errors
    /// Signals cannot be received.
    pub fn listen() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let (terminate, interrupt) = {
            let _inside = runtime.enter();
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        Ok(Self { runtime, terminate, interrupt })
    }

    /// Passes signals on until every shard has ended.
    pub(super) fn watch(
        self,
        shards: &[flume::Sender<Control>],
        ended: &flume::Receiver<()>,
        drain: Duration,
        shut: impl Fn(),
    ) {
        let Self { runtime, mut terminate, mut interrupt } = self;
        runtime.block_on(async {
            let mut draining = false;
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    // All senders are gone: no shard is left.
                    _ = ended.recv_async() => return,
                }
                let word = if draining { Control::Stop } else { Control::Drain(drain) };
                info!(second = draining, "told to end");
                draining = true;
                shut();
                for shard in shards {
                    // A shard that has ended needs no telling.
                    let _ = shard.try_send(word);
                }
            }
        });
    }
}
