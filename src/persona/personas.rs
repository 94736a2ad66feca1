//! A shard's way to its personas: waits for a turn, asks if the circuit lets it, and keeps the books.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::{debug, info, warn};

use super::breaker::Breaker;
use super::client::{Client, Fault};
use super::completion::Question;
use super::error::PersonaError;
use super::queue::Queue;
use super::rules::PersonaRules;
use crate::telemetry::{CircuitState, Label, PersonaOutcome, Writer};

/// All personas of a shard. Cheap to clone: a clone is the same queue, circuit and connections.
///
/// It stays on the thread of its shard, and is used within that thread's runtime, which needs IO and time. Its clock
/// is the runtime's.
#[derive(Clone, Debug)]
pub struct Personas(Option<Rc<Desk>>);

/// What there is only with an endpoint.
#[derive(Debug)]
struct Desk {
    client: Client,
    queue: Queue,
    breaker: Breaker,
    timeout: Duration,
    /// From here the breaker's time counts.
    start: Instant,
    /// What the gauge shows.
    shown: Cell<CircuitState>,
    counters: Rc<Writer>,
}

impl Personas {
    /// Those of one shard, which counts with `counters`. Opens no connection.
    pub fn new(rules: &PersonaRules, counters: Rc<Writer>) -> Self {
        let desk = rules.endpoint.as_ref().map(|endpoint| {
            counters.persona_circuit.of(CircuitState::Closed).set(1);
            Rc::new(Desk {
                client: Client::new(endpoint, rules.concurrency),
                queue: Queue::new(rules.concurrency, rules.queue),
                breaker: Breaker::new(rules.breaker),
                timeout: rules.timeout,
                start: Instant::now(),
                shown: Cell::new(CircuitState::Closed),
                counters,
            })
        });
        Personas(desk)
    }

    /// What `persona` answers to the `text` of `user`: 1 to 5000 code points, not only blanks. The wait for a turn
    /// and the exchange each take `persona_timeout` at most. Dropping the future gives the question up (GAT-09).
    ///
    /// # Errors
    /// As [`PersonaError`] says. Without an endpoint, with a full queue or an open circuit, at once.
    pub async fn ask(&self, persona: &str, user: &str, text: &str) -> Result<String, PersonaError> {
        let desk = self.0.as_ref().ok_or(PersonaError::NotConfigured)?;
        let answer = desk.ask(Question { persona, user, text }).await;
        let outcome = match &answer {
            Ok(_) => Some(PersonaOutcome::Answered),
            Err(error) => error.outcome(),
        };
        if let Some(outcome) = outcome {
            desk.counters.persona_requests.of(outcome).inc();
        }
        answer
    }
}

impl Desk {
    async fn ask(&self, question: Question<'_>) -> Result<String, PersonaError> {
        // Before the queue, so that nobody waits for a refusal; and after it, since much may have happened.
        if self.breaker.refuses(self.now_ms()) {
            return Err(PersonaError::Unavailable);
        }
        let turn = timeout(self.timeout, self.queue.enter()).await;
        let _place = turn.map_err(|_| PersonaError::TimedOut)?.map_err(|_| PersonaError::Busy)?;
        // Dropped after the pass, it shows what became of the circuit, also when the question is given up.
        let _shown = Showing(self);
        let pass = self.breaker.try_pass(self.now_ms()).ok_or(PersonaError::Unavailable)?;
        self.show(None);
        let answer = timeout(self.timeout, self.client.ask(question)).await;
        match answer.unwrap_or(Err(Fault::TimedOut)) {
            Ok(answer) => {
                pass.succeeded();
                Ok(answer)
            }
            Err(fault) => {
                debug!(%fault, "no answer from the persona endpoint");
                if fault.is_endpoints() {
                    pass.failed(self.now_ms());
                    self.show(Some(fault));
                } else {
                    pass.succeeded();
                }
                Err(if fault == Fault::TimedOut { PersonaError::TimedOut } else { PersonaError::Failed })
            }
        }
    }

    fn now_ms(&self) -> u64 {
        self.start.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
    }

    /// Brings gauge and log up to the circuit's state, after the fault that may have changed it.
    fn show(&self, fault: Option<Fault>) {
        let state = self.breaker.state();
        if self.shown.replace(state) == state {
            return;
        }
        for each in CircuitState::ALL {
            self.counters.persona_circuit.of(*each).set(u64::from(*each == state));
        }
        match (state, fault) {
            (CircuitState::Closed, _) => info!("the persona endpoint answers again"),
            (CircuitState::HalfOpen, _) => info!("the persona endpoint is tried again"),
            (CircuitState::Open, Some(fault)) => {
                warn!(%fault, "the persona endpoint is left alone for a while")
            }
            (CircuitState::Open, None) => info!("the trial of the persona endpoint was given up"),
        }
    }
}

/// Shows the circuit's state when it is dropped.
struct Showing<'a>(&'a Desk);

impl Drop for Showing<'_> {
    fn drop(&mut self) {
        self.0.show(None);
    }
}

#[cfg(test)]
#[path = "personas_tests.rs"]
mod tests;
