//! A shard's way to the store: what does not fit waits here, in order, and the shard takes no more commands.

use std::collections::VecDeque;
use std::fmt;

use crate::fanout::Inquiry;
use crate::model::{Answer, Query, Record, Ticket};
use crate::store::Client;

/// Commands of one shard that wait for the store, beyond which it takes no more: a slow store slows those who write.
const AWAITED_MAX: usize = 2048;

/// One shard's end of a store.
pub trait Keeper: fmt::Debug {
    /// Hands over changes that are made all or not at all.
    ///
    /// # Errors
    /// Gives them back when too many requests are under way.
    fn write(&mut self, ticket: Ticket, records: Vec<Record>) -> Result<(), Vec<Record>>;
    /// Asks.
    ///
    /// # Errors
    /// As [`Keeper::write`].
    fn read(&mut self, ticket: Ticket, query: Query) -> Result<(), Query>;
    /// The next answer. Writes are answered in their order.
    fn next(&mut self) -> Option<(Ticket, Answer)>;
    /// What was handed over since the last call is to be looked at.
    fn kick(&mut self);
}

impl Keeper for Client {
    fn write(&mut self, ticket: Ticket, records: Vec<Record>) -> Result<(), Vec<Record>> {
        Client::write(self, ticket, records)
    }

    fn read(&mut self, ticket: Ticket, query: Query) -> Result<(), Query> {
        Client::read(self, ticket, query)
    }

    fn next(&mut self) -> Option<(Ticket, Answer)> {
        Client::next(self)
    }

    fn kick(&mut self) {
        Client::kick(self);
    }
}

/// The store as the shard sees it.
#[derive(Debug)]
pub struct Ledger {
    /// `None`: there is no store.
    keeper: Option<Box<dyn Keeper>>,
    /// What it would not take yet.
    waiting: VecDeque<Inquiry>,
}

impl Ledger {
    pub fn new(keeper: Option<Box<dyn Keeper>>) -> Self {
        Self { keeper, waiting: VecDeque::new() }
    }

    /// Whether no more is to be asked of it for now. `awaited`: commands that wait at homes.
    pub fn is_full(&self, awaited: usize) -> bool {
        awaited >= AWAITED_MAX || !self.waiting.is_empty()
    }

    pub fn hand_over(&mut self, inquiry: Inquiry) {
        self.waiting.push_back(inquiry);
        self.push();
    }

    /// Hands over what waits, as far as it is taken.
    pub fn push(&mut self) {
        let Some(keeper) = &mut self.keeper else { return self.waiting.clear() };
        while let Some(inquiry) = self.waiting.pop_front() {
            let refused = match inquiry {
                Inquiry::Write(ticket, records) => {
                    keeper.write(ticket, records).map_err(|records| Inquiry::Write(ticket, records))
                }
                Inquiry::Read(ticket, query) => {
                    keeper.read(ticket, query).map_err(|query| Inquiry::Read(ticket, query))
                }
            };
            if let Err(inquiry) = refused {
                return self.waiting.push_front(inquiry);
            }
        }
    }

    pub fn next(&mut self) -> Option<(Ticket, Answer)> {
        self.keeper.as_mut()?.next()
    }

    /// At the end of a turn.
    pub fn kick(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            keeper.kick();
        }
    }
}
