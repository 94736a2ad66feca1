//! Load generator for WebSocket room servers: joins rooms, publishes, checks every delivery, measures.
//!
//! It shares no code with the server it ships with, so that it can bear witness against it. All five
//! scenarios are shapes (`scenario`) of one engine (`engine`); a connection's life is in `connection`, a
//! publisher's in `publisher`.

mod args;
mod checker;
mod client;
mod clock;
mod cohort;
mod connection;
mod engine;
mod flight;
mod interrupt;
mod pacing;
mod payload;
mod process;
mod progress;
mod publisher;
mod report;
mod run;
mod scenario;
mod tally;
mod threshold;
mod tusk;
mod workers;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use clap::Parser;

use crate::args::Args;
use crate::client::Endpoint;
use crate::interrupt::Interrupt;
use crate::process::Probe;
use crate::progress::Progress;
use crate::report::Report;
use crate::run::{Plan, Run};
use crate::scenario::{Scenario, Shape};
use crate::workers::Worker;

/// Wrong usage, the same code that clap uses.
const USAGE: u8 = 2;
/// Files this process needs besides its connections: standard streams, runtimes, /proc.
const OTHER_FILES: u64 = 32;

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("runtime: {error}")),
    };
    match runtime.block_on(load(&args)) {
        Ok(code) => ExitCode::from(code),
        Err(reason) => failed(&reason),
    }
}

fn failed(reason: &str) -> ExitCode {
    eprintln!("error: {reason}");
    ExitCode::from(USAGE)
}

/// Runs what the arguments ask for, prints the report and gives the exit code.
async fn load(args: &Args) -> Result<u8, String> {
    let plan = plan(args).await?;
    args.check_asserts(plan.shape.publishers)?;
    check_open_files(plan.shape, args.pace.threads)?;
    let pids = &args.target.server_pid;
    let probe = if pids.is_empty() { None } else { Some(Probe::new(pids)?) };
    let interrupt = Interrupt::listen().map_err(|error| format!("SIGINT: {error}"))?;
    let workers = Worker::start(args.pace.threads).map_err(|error| format!("--threads: {error}"))?;
    let run = Arc::new(Run::new(plan, run_id()));
    let tallies = workers.iter().map(|worker| worker.tally.clone()).collect();
    let progress = (!args.output.json).then(|| Progress::show(Arc::clone(&run), tallies));
    let outcome = engine::drive(&run, &workers, probe.as_ref(), &interrupt).await;
    drop(progress);
    let outcome = outcome?;
    let report = Report::new(args.scenario.name(), &run.plan, &outcome, &args.output.asserts);
    if args.output.json {
        println!("{}", report.json())
    } else {
        print!("{}", report.table())
    }
    Ok(report.exit_code())
}

async fn plan(args: &Args) -> Result<Plan, String> {
    let (target, pace) = (&args.target, &args.pace);
    let shape = args.scenario.shape()?;
    Ok(Plan {
        shape,
        tolerant: matches!(args.scenario, Scenario::Storm { .. }),
        endpoint: Endpoint::resolve(&target.target, &target.path, target.sources, target.allow_remote)
            .await?,
        token: target.token.clone(),
        room_prefix: target.room_prefix.clone(),
        parallel: target.parallel,
        pacing: pace.pacing(shape.publishers)?,
        size: pace.size as usize,
        secs: pace.secs,
        warmup: pace.warmup,
        timeout: pace.timeout,
    })
}

/// Better said at once than as a thousand failed connects.
fn check_open_files(shape: Shape, threads: u32) -> Result<(), String> {
    // Each runtime has an epoll, an eventfd and a signal pipe.
    let needed = u64::from(shape.connections) + OTHER_FILES + 4 * u64::from(threads);
    match process::open_files_limit() {
        Some(limit) if limit < needed => {
            Err(format!("needs {needed} open files, the limit is {limit}; `ulimit -n {needed}` raises it"))
        }
        _ => Ok(()),
    }
}

/// Differs from the numbers of other runs near in time, on this machine.
fn run_id() -> u32 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (since.as_micros() as u32) ^ std::process::id().rotate_left(16)
}
