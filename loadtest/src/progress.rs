//! The progress bar on stderr; nothing where stderr is no terminal.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

use crate::run::{Phase, Run};
use crate::tally::SharedTally;

/// Often enough to look alive, seldom enough to cost nothing.
const PERIOD: Duration = Duration::from_millis(200);

/// Shows how far the run is until dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    task: JoinHandle<()>,
}

impl Progress {
    /// Must be called in a runtime. indicatif itself stays silent where stderr is no terminal.
    pub fn show(run: Arc<Run>, tallies: Vec<SharedTally>) -> Progress {
        let bar = ProgressBar::new(1);
        let template = "{msg:12} [{bar:40}] {prefix}";
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        let task = tokio::spawn(draw(bar.clone(), run, tallies));
        Progress { bar, task }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.task.abort();
        self.bar.finish_and_clear();
    }
}

async fn draw(bar: ProgressBar, run: Arc<Run>, tallies: Vec<SharedTally>) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let phase = *run.phase.borrow();
        let (label, done, all) = match phase {
            Phase::Connect => {
                ("connecting", u64::from(run.connected.done()), u64::from(run.plan.shape.connections))
            }
            Phase::Publish => {
                let start_ns = run.start_ns();
                let all_ns = run.span.end_ns().saturating_sub(start_ns);
                let done_ns = run.clock.now_ns().saturating_sub(start_ns).min(all_ns);
                (if done_ns < all_ns { "running" } else { "settling" }, done_ns, all_ns)
            }
            Phase::Close => ("closing", 1, 1),
        };
        bar.set_message(label);
        bar.set_length(all);
        bar.set_position(done);
        bar.set_prefix(counts(&tallies));
    }
}

fn counts(tallies: &[SharedTally]) -> String {
    let (mut sent, mut deliveries, mut errors) = (0, 0, 0);
    for tally in tallies {
        let tally = tally.lock();
        sent += tally.sent;
        deliveries += tally.deliveries;
        errors += tally.errors;
    }
    format!("{sent} sent, {deliveries} delivered, {errors} errors")
}
