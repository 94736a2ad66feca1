//! Takes a run through its phases: connect all, publish or hold, close all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::connection;
use crate::interrupt::Interrupt;
use crate::pacing::{Metronome, Pacing, Schedule};
use crate::process::{Cpu, Probe};
use crate::run::{Phase, Run};
use crate::tally::Tally;
use crate::workers::Worker;

/// What came out of a run.
#[derive(Debug)]
pub struct Outcome {
    pub tally: Tally,
    /// All connections were made and joined.
    pub complete: bool,
    /// SIGINT ended it early.
    pub interrupted: bool,
    /// Connections that were made and joined.
    pub connected: u32,
    /// From the first SYN to the end of the last setup.
    pub connecting: Duration,
    /// How long was measured; zero if the run did not get there.
    pub measured: Duration,
    /// The server's CPU time in the measured span.
    pub cpu: Option<Cpu>,
    /// The server's memory before the first connection and at the end of the run, in bytes.
    pub memory: Option<(u64, u64)>,
}

/// Runs the plan on the workers. Errors: the server's process cannot be read before the start. If it ends
/// later, that is an error in the tally, and what was measured until then is kept.
pub async fn drive(
    run: &Arc<Run>,
    workers: &[Worker],
    probe: Option<&Probe>,
    interrupt: &Interrupt,
) -> Result<Outcome, String> {
    let before = probe.map(Probe::pss_bytes).transpose()?;
    let begun_ns = run.clock.now_ns();
    let mut connections = connect_all(run, workers);
    interrupt.or(run.connected.complete(!run.plan.tolerant)).await;
    let (complete, connected) = (run.connected.all_done(), run.connected.done());
    // A storm has nothing to hold: its connections join no room.
    let cpu =
        if complete && run.plan.shape.rooms > 0 { measure(run, probe, interrupt).await } else { Ok(None) };
    let after = probe.map(Probe::pss_bytes).transpose();
    run.enter(Phase::Close);
    while connections.join_next().await.is_some() {}

    let mut tally = Tally::new();
    workers.iter().for_each(|worker| tally.merge(&worker.tally.lock()));
    let cpu = cpu.unwrap_or_else(|reason| {
        tally.error(reason);
        None
    });
    let after = after.unwrap_or_else(|reason| {
        tally.error(reason);
        None
    });
    let measured_ns = if run.start_ns() == 0 { 0 } else { run.span.end_ns() - run.span.start_ns() };
    Ok(Outcome {
        complete,
        interrupted: interrupt.came(),
        connected,
        connecting: Duration::from_nanos(tally.last_setup_ns.saturating_sub(begun_ns)),
        measured: Duration::from_nanos(measured_ns),
        cpu,
        memory: before.zip(after),
        tally,
    })
}

fn connect_all(run: &Arc<Run>, workers: &[Worker]) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    for (index, worker) in (0..run.plan.shape.connections).zip(workers.iter().cycle()) {
        let life = connection::live(Arc::clone(run), index, worker.tally.clone());
        connections.spawn_on(life, &worker.runtime);
    }
    connections
}

/// Publishes, or holds if nobody does, for warm-up and measured span; then waits for what is under way.
/// SIGINT cuts it short. Gives the server's CPU time in the span. Errors: the server's process cannot be
/// read, or a thread not be started.
async fn measure(
    run: &Arc<Run>,
    probe: Option<&Probe>,
    interrupt: &Interrupt,
) -> Result<Option<Cpu>, String> {
    run.start_publishing();
    let metronome = start_metronome(run);
    if metronome.is_err() {
        run.cut();
    }
    let cpu = || probe.map(Probe::cpu).transpose();
    interrupt.or(sleep_until(run.clock.instant(run.span.start_ns()))).await;
    let first = cpu();
    interrupt.or(sleep_until(run.clock.instant(run.span.end_ns()))).await;
    let last = cpu();
    run.cut();
    // Every publisher gives up by its own limits, so this ends.
    run.published.complete(false).await;
    // Drops the metronome, which ends its thread.
    metronome?;
    Ok(last?.zip(first?).map(|(last, first)| last.since(first)))
}

fn start_metronome(run: &Arc<Run>) -> Result<Option<Metronome>, String> {
    match run.plan.pacing {
        Pacing::Rate(rate) if run.plan.shape.publishers > 0 => {
            let schedule = Schedule::new(run.start_ns(), rate, run.plan.shape.publishers);
            Metronome::start(Arc::clone(run), schedule)
                .map(Some)
                .map_err(|error| format!("metronome: {error}"))
        }
        _ => Ok(None),
    }
}

async fn sleep_until(instant: Instant) {
    tokio::time::sleep_until(instant.into()).await;
}
