//! A shard's end of the store: requests out, answers back, nothing that blocks.
//!
//! Three bounded queues lie between a shard and the store's threads. The number of requests under way is counted
//! here, so the queue of answers cannot overflow: each request has its place in it from the beginning.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crossbeam::queue::ArrayQueue;
use crossbeam::sync::Unparker;

use crate::lane::{Bell, Notify};
use crate::model::{Answer, Epoch, Query, Record, Ticket};

/// A request to write, and when it was handed over, in milliseconds of the store's own clock.
#[derive(Debug)]
pub(super) struct Write {
    pub ticket: Ticket,
    pub records: Vec<Record>,
    pub at_ms: u64,
}

/// The queues of one shard.
pub(super) struct Desk {
    pub writes: ArrayQueue<Write>,
    pub reads: ArrayQueue<(Ticket, Query)>,
    answers: ArrayQueue<(Ticket, Answer)>,
    shard: Box<dyn Notify>,
}

impl Desk {
    pub fn new(pending: usize, shard: Box<dyn Notify>) -> Self {
        let pending = pending.max(1);
        Self {
            writes: ArrayQueue::new(pending),
            reads: ArrayQueue::new(pending),
            answers: ArrayQueue::new(pending),
            shard,
        }
    }

    /// Gives an answer; the shard hears of it by [`Desk::ring`].
    pub fn answer(&self, ticket: Ticket, answer: Answer) {
        let full = self.answers.push((ticket, answer)).is_err();
        debug_assert!(!full, "every request has its place among the answers");
    }

    /// Wakes the shard, once for a batch of answers.
    pub fn ring(&self) {
        self.shard.notify();
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("writes", &self.writes.len()).finish_non_exhaustive()
    }
}

/// Ends the sleep of one of the store's threads.
#[derive(Debug)]
pub(super) struct Waker(pub Unparker);

impl Notify for Waker {
    fn notify(&self) {
        self.0.unpark();
    }
}

/// One shard's end. What it wrote is answered in the order in which it was handed over; answers to questions come
/// when they come.
#[derive(Debug)]
pub struct Client {
    desk: Arc<Desk>,
    writer: Arc<Bell<Waker>>,
    reader: Arc<Bell<Waker>>,
    epoch: Epoch,
    /// The zero of [`Write::at_ms`].
    start: Instant,
    under_way: usize,
    pending: usize,
    /// Something was handed over since the last [`Client::kick`].
    wrote: bool,
    asked: bool,
}

impl Client {
    pub(super) fn new(
        desk: Arc<Desk>,
        writer: Arc<Bell<Waker>>,
        reader: Arc<Bell<Waker>>,
        epoch: Epoch,
        start: Instant,
    ) -> Self {
        let pending = desk.writes.capacity();
        Self { desk, writer, reader, epoch, start, under_way: 0, pending, wrote: false, asked: false }
    }

    /// Hands over changes that are made all or not at all; the answer is [`Answer::Written`].
    ///
    /// # Errors
    /// Gives them back when too many requests are under way: there is room again after an answer.
    pub fn write(&mut self, ticket: Ticket, records: Vec<Record>) -> Result<(), Vec<Record>> {
        if self.under_way == self.pending {
            return Err(records);
        }
        let at_ms = self.start.elapsed().as_millis() as u64;
        self.desk.writes.push(Write { ticket, records, at_ms }).map_err(|write| write.records)?;
        self.under_way += 1;
        self.wrote = true;
        Ok(())
    }

    /// Asks; the answer is [`Answer::Page`], [`Answer::Found`] or [`Answer::Unreadable`], and knows at least what
    /// was answered as written before.
    ///
    /// # Errors
    /// As [`Client::write`].
    pub fn read(&mut self, ticket: Ticket, query: Query) -> Result<(), Query> {
        if self.under_way == self.pending {
            return Err(query);
        }
        self.desk.reads.push((ticket, query)).map_err(|(_, query)| query)?;
        self.under_way += 1;
        self.asked = true;
        Ok(())
    }

    /// The next answer that has come; `None`: none is there yet.
    #[expect(clippy::should_implement_trait, reason = "it is no iterator: after `None` more may come")]
    pub fn next(&mut self) -> Option<(Ticket, Answer)> {
        let answer = self.desk.answers.pop()?;
        self.under_way -= 1;
        Some(answer)
    }

    /// Wakes the store if something was handed over since the last time. To be called once a turn.
    pub fn kick(&mut self) {
        if std::mem::take(&mut self.wrote) {
            self.writer.ring();
        }
        if std::mem::take(&mut self.asked) {
            self.reader.ring();
        }
    }

    /// Requests without an answer yet.
    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// The life of the numbers that the store gives out.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
}
