//! Something said, in a channel or to a user.

use std::sync::Arc;

use uuid::Uuid;

use super::{Dialect, Kind, MessageId};

/// A message as its home has numbered it. Text is as it was sent: what a dialect has to escape, its encoder
/// escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: MessageId,
    /// Of the channel it was said in; [`Kind::User`]: it is for one user.
    pub kind: Kind,
    /// The id of that channel, or the user it is for.
    pub place: Arc<str>,
    /// Who said it; empty for somebody without a name (AEG-33).
    pub from: Arc<str>,
    /// The connection it came over, where a dialect of the realm shows it (AEG-48).
    pub connection: Option<Uuid>,
    pub text: Box<str>,
    /// What only few messages have.
    pub detail: Option<Box<Detail>>,
    pub at_ms: u64,
}

impl Message {
    pub fn manner(&self) -> Manner {
        self.detail.as_ref().map_or(Manner::Talk, |d| d.manner)
    }

    /// What the sender's dialect said in its own form, if that is this dialect.
    pub fn verbatim(&self, dialect: Dialect) -> Option<&str> {
        let verbatim = self.detail.as_ref()?.verbatim.as_ref()?;
        (verbatim.dialect == dialect).then_some(&*verbatim.json)
    }
}

/// What a message may have besides its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    pub manner: Manner,
    pub verbatim: Option<Verbatim>,
    /// Users who are to hear of it also if they are not there.
    pub mentions: Vec<Arc<str>>,
}

/// How something is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// One of the conversation speaks.
    #[default]
    Talk,
    /// Announced to those in a room (NEX-51).
    Broadcast,
    /// A machine answers in a persona's name (GAT-09).
    Persona,
}

/// JSON that a client sent and that members of the same dialect receive as it was; others are given the text.
///
/// In AegisX it is a whole value; in NEXUS members of an object, without its braces; in SGE the one or the other,
/// as whether something was missing. Only the dialect's own encoder reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verbatim {
    pub dialect: Dialect,
    pub json: Box<str>,
}
