//! Why a persona stays silent, in words for whoever wrote to it.

use thiserror::Error;

use crate::telemetry::PersonaOutcome;

/// Why there is no answer. The texts are for the sender and tell nothing of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PersonaError {
    /// `persona_url` is not set.
    #[error("No persona endpoint is configured")]
    NotConfigured,
    /// `persona_queue` messages wait already.
    #[error("Too many messages wait for an answer, try again later")]
    Busy,
    /// `persona_timeout` is over, waiting for a turn or for the answer.
    #[error("The persona did not answer in time")]
    TimedOut,
    /// The circuit is open, or half-open with somebody else on trial.
    #[error("The persona is not available at the moment")]
    Unavailable,
    /// The endpoint cannot be reached, or its answer cannot be used.
    #[error("The persona could not answer")]
    Failed,
}

impl PersonaError {
    /// What it counts as; `None`: nobody was to be asked.
    pub fn outcome(self) -> Option<PersonaOutcome> {
        match self {
            Self::NotConfigured => None,
            Self::Busy => Some(PersonaOutcome::RefusedBusy),
            Self::TimedOut => Some(PersonaOutcome::TimedOut),
            Self::Unavailable => Some(PersonaOutcome::RefusedOpen),
            Self::Failed => Some(PersonaOutcome::Failed),
        }
    }
}
