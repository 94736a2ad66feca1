//! What homes want of the store, on its way there.

use crate::model::{Query, Record, Ticket};

/// One request; the answer comes back under its ticket.
#[derive(Debug)]
pub enum Inquiry {
    Write(Ticket, Vec<Record>),
    Read(Ticket, Query),
}
