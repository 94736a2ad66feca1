//! What the system tells the process: SIGTERM and SIGINT drain it, a second one ends it at once.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::shard::Control;

/// Waits for signals and passes them on, until every shard has ended. `ready` is called when signals are
/// heard: whoever is told so may send one at once.
///
/// # Errors
/// Signals cannot be received.
pub fn watch(
    ready: impl FnOnce(),
    shards: &[flume::Sender<Control>],
    ended: &flume::Receiver<()>,
    drain: Duration,
    shut: impl Fn(),
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        ready();
        let mut draining = false;
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                // All senders are gone: no shard is left.
                _ = ended.recv_async() => return Ok(()),
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
    })
}
