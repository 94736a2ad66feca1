//! Sends one publisher's messages, in closed or open loop, and waits until they have arrived.

use std::sync::Arc;

use futures_util::SinkExt;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::clock::nanos;
use crate::connection::Sink;
use crate::flight::Flight;
use crate::pacing::{Pacing, Schedule};
use crate::payload::Stamp;
use crate::run::{Phase, Run};
use crate::tally::SharedTally;
use crate::tusk;

/// Most messages handed over before a flush: what is overdue must not wait for what is due later.
const BATCH: u64 = 256;

/// A publisher before its first message.
pub struct Publisher {
    run: Arc<Run>,
    id: u32,
    room: String,
    sink: Sink,
    tally: SharedTally,
    /// The payload under construction, kept for its memory.
    text: String,
}

impl Publisher {
    /// Publisher `id`, which publishes in the room its connection is in.
    pub fn new(run: Arc<Run>, id: u32, sink: Sink, tally: SharedTally) -> Publisher {
        let room = run.plan.shape.room(id).map(|room| run.plan.room_name(room)).unwrap_or_default();
        Publisher { run, id, room, sink, tally, text: String::new() }
    }

    /// Waits for the start, publishes, and gives the writing half back.
    pub async fn publish(mut self) -> Sink {
        if self.run.reaches(Phase::Publish).await == Phase::Publish {
            let outcome = match self.run.plan.pacing {
                Pacing::Window(window) => self.closed_loop(u64::from(window)).await,
                Pacing::Rate(rate) => {
                    let start_ns = self.run.start_ns();
                    self.open_loop(Schedule::new(start_ns, rate, self.run.plan.shape.publishers)).await
                }
            };
            self.finish(outcome).await;
        }
        self.run.published.report(true);
        self.sink
    }

    fn flight(&self) -> &Flight {
        self.run.flight(self.id)
    }

    async fn closed_loop(&mut self, window: u64) -> Result<(), String> {
        while self.run.clock.now_ns() < self.run.span.end_ns() {
            for _ in 0..window.saturating_sub(self.flight().in_flight()).min(BATCH) {
                self.feed(self.run.clock.now_ns()).await?;
            }
            self.flush().await?;
            if !self.flight().falls_to(window - 1, self.run.plan.timeout).await {
                return Err("publish: the window did not come back in time".into());
            }
        }
        Ok(())
    }

    async fn open_loop(&mut self, schedule: Schedule) -> Result<(), String> {
        let mut next = 0;
        loop {
            let end_ns = self.run.span.end_ns();
            let due_ns = schedule.publisher_due_ns(self.id, next);
            if due_ns >= end_ns {
                return Ok(());
            }
            if self.run.clock.now_ns() < due_ns {
                self.flight().woken().await;
                continue;
            }
            let sent = self.send_due(&schedule, &mut next, end_ns).await;
            // What is overdue at the end is still sent, so that its latency counts, but not for ever.
            let too_late = self.run.clock.now_ns() > end_ns.saturating_add(nanos(self.run.plan.timeout));
            if sent.is_err() || too_late {
                self.tally.lock().unsent += schedule.remaining(self.id, next, self.run.span.end_ns());
                return sent;
            }
        }
    }

    /// Sends the messages from number `next` on that are due by now, a batch at most.
    async fn send_due(&mut self, schedule: &Schedule, next: &mut u64, end_ns: u64) -> Result<(), String> {
        for _ in 0..BATCH {
            let (due_ns, now_ns) = (schedule.publisher_due_ns(self.id, *next), self.run.clock.now_ns());
            if due_ns > now_ns || due_ns >= end_ns {
                break;
            }
            if self.run.span.holds(due_ns) {
                self.tally.lock().send_lag.saturating_record(now_ns - due_ns);
            }
            *next += 1;
            self.feed(due_ns).await?;
        }
        self.flush().await
    }

    async fn feed(&mut self, due_ns: u64) -> Result<(), String> {
        let stamp = Stamp { run: self.run.id, publisher: self.id, seq: self.flight().sent(), due_ns };
        stamp.encode(self.run.plan.size, &mut self.text);
        let message = Message::text(tusk::broadcast(&self.room, &self.text));
        self.flight().count_sent();
        self.tally.lock().sent += 1;
        self.within_time(async |sink| sink.feed(message).await).await
    }

    async fn flush(&mut self) -> Result<(), String> {
        self.within_time(async |sink| sink.flush().await).await
    }

    async fn within_time<E: std::fmt::Display>(
        &mut self,
        step: impl AsyncFnOnce(&mut Sink) -> Result<(), E>,
    ) -> Result<(), String> {
        match timeout(self.run.plan.timeout, step(&mut self.sink)).await {
            Ok(written) => written.map_err(|error| format!("publish: {error}")),
            Err(_) => Err("publish: the server did not read in time".into()),
        }
    }

    /// Waits until all messages have arrived, or the time for that is over, and reports what went wrong.
    async fn finish(&mut self, outcome: Result<(), String>) {
        let outcome = match outcome {
            Ok(()) if self.flight().falls_to(0, self.run.plan.timeout).await => return,
            Ok(()) => "publish: the last messages did not arrive in time".into(),
            Err(reason) => reason,
        };
        self.tally.lock().error(outcome);
    }
}
