//! Machines that answer in a persona's name (GAT-09): each shard asks one chat completion service, so many requests
//! at a time, and leaves it alone while it fails (TUS-41).
//!
//! A shard makes its [`Personas`] once, from [`PersonaRules`] that boot made of the configuration. When a message
//! names a persona, the message itself is delivered first; then the shard spawns a task on its own thread, which
//! asks and publishes what comes of it:
//!
//! ```text
//! spawn_local(async move {
//!     match shard.personas.ask(&persona, &sender, &text).await {
//!         Ok(answer) => say `answer` in the conversation: from the persona, `Manner::Persona`,
//!         Err(error) => an error frame with `error.to_string()`, to the sender's connection if it is still there,
//!     }
//! });
//! ```
//!
//! The conversation goes on meanwhile. No more tasks are at work than requests may be under way and wait; those
//! beyond end at their first poll. Dropping the task gives the request up, and that is held against nobody.

mod breaker;
mod client;
mod completion;
mod error;
mod personas;
mod queue;
mod rules;
#[cfg(test)]
mod stub;
mod trust;

pub use error::PersonaError;
pub use personas::Personas;
pub use rules::PersonaRules;
