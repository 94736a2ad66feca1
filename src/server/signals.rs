//! What the system tells the process: SIGTERM and SIGINT drain it, a second one ends it at once. SIGXFSZ ends nothing.

use std::io;
use std::time::Duration;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};

use super::report::Report;
use crate::shard::Control;

/// A shard's thread is at its end, for whatever reason.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    pub shard: usize,
}

/// Waits for signals and passes them on, until every shard has ended. `ready` is called when signals are
/// heard: whoever is told so may send one at once. Meanwhile it makes the report.
///
/// # Errors
/// Signals cannot be received.
pub fn watch(
    ready: impl FnOnce(),
    shards: &[flume::Sender<Control>],
    ended: &flume::Receiver<Ended>,
    drain: Duration,
    shut: impl Fn(),
    report: Option<Report>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _reporting = report.map(|report| runtime.spawn(report.run()));
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        // A write beyond the file size limit is to fail like one to a full disk; unheard, the signal ends the process.
        let _too_large = signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))?;
        ready();
        let mut told = false;
        loop {
            let word = tokio::select! {
                _ = terminate.recv() => if told { Control::Stop } else { Control::Drain(drain) },
                _ = interrupt.recv() => if told { Control::Stop } else { Control::Drain(drain) },
                end = ended.recv_async() => match end {
                    Ok(Ended { shard }) if !told => {
                        // Its rooms would never answer again: better none than a part.
                        error!(shard, "a shard ended unasked; ending all");
                        Control::Stop
                    }
                    Ok(_) => continue,
                    // All senders are gone: no shard is left.
                    Err(_) => return Ok(()),
                },
            };
            info!(at_once = matches!(word, Control::Stop), "told to end");
            told = true;
            shut();
            for shard in shards {
                // A shard that has ended needs no telling.
                let _ = shard.try_send(word);
            }
        }
    })
}
