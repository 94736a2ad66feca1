//! The thread that writes: takes what all shards handed over, makes one commit of it, and says what became of it.
//!
//! Nobody waits on purpose: while one commit is on its way to the disk, the next batch gathers. What has to be done
//! besides (throwing away what is over, making messages searchable) is done in small steps when nothing waits, or
//! between two batches when it has waited long enough.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Acquire};
use std::time::{Duration, Instant};

use crossbeam::sync::Parker;
use tracing::{error, info};

use super::client::{Desk, Waker, Write};
use super::codec::{self, Codec};
use super::rows::{Done, Store, Transaction};
use super::{Health, StoreError};
use crate::clock::Clock;
use crate::lane::Bell;
use crate::model::{Answer, Event, Outcome, Record};

/// Changes of one commit: beyond them the wait for the disk is shared by enough.
const BATCH_CHANGES: usize = 4096;
/// Bytes of one commit, more or less: it is in memory twice until it is written.
const BATCH_BYTES: usize = 4 << 20;

/// Without a request for so long, what was written is made searchable.
const QUIET_MS: u64 = 50;
/// After so long it is made so, however many requests there are.
const UNSEARCHABLE_MS: u64 = 1_000;
/// Between two looks for what is over, while there are requests, and while there are none.
const TRIM_MS: u64 = 1_000;
const TRIM_IDLE_MS: u64 = 10_000;
/// Between two attempts to write, when the last failed and nobody asks.
const PROBE_MS: u64 = 1_000;

/// When what is to be done, in milliseconds of [`Health::now_ms`].
#[derive(Debug, Default)]
struct Agenda {
    trim_at: u64,
    index: Option<Unindexed>,
    probe_at: u64,
}

/// There are rows that are not searchable yet.
#[derive(Clone, Copy, Debug)]
struct Unindexed {
    /// The oldest of them.
    since: u64,
    /// The newest.
    last: u64,
}

impl Unindexed {
    fn due_at(self) -> u64 {
        (self.last + QUIET_MS).min(self.since + UNSEARCHABLE_MS)
    }
}

impl Agenda {
    fn wrote(&mut self, now: u64) {
        let since = self.index.map_or(now, |index| index.since);
        self.index = Some(Unindexed { since, last: now });
        self.trim_at = self.trim_at.min(now + TRIM_MS);
    }

    /// When there is something to do next, if nobody asks for anything.
    fn next(&self, faulty: bool) -> u64 {
        if faulty {
            return self.probe_at;
        }
        self.index.map_or(self.trim_at, |index| index.due_at().min(self.trim_at))
    }
}

/// Everything of the thread.
#[derive(Debug)]
pub(super) struct Writer<S> {
    store: S,
    codec: Codec,
    desks: Vec<Arc<Desk>>,
    bell: Arc<Bell<Waker>>,
    health: Arc<Health>,
    stop: Arc<AtomicBool>,
    clock: Clock,
    agenda: Agenda,
    /// The shard whose turn it is to be first.
    first: usize,
    batch: Vec<(usize, Write)>,
    /// What was complained of last.
    complaint: Option<String>,
}

impl<S: Store> Writer<S> {
    pub fn new(
        store: S,
        codec: Codec,
        desks: Vec<Arc<Desk>>,
        bell: Arc<Bell<Waker>>,
        health: Arc<Health>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        // What a server before this one left undone is found by the first steps.
        let agenda = Agenda { index: Some(Unindexed { since: 0, last: 0 }), ..Agenda::default() };
        let clock = Clock::start();
        let (first, batch, complaint) = (0, Vec::new(), None);
        Self { store, codec, desks, bell, health, stop, clock, agenda, first, batch, complaint }
    }

    /// Goes on until it is told to stop and all that was handed over before is answered.
    pub fn run(mut self, parker: &Parker) {
        self.health.file_bytes.set(self.store.disk_bytes());
        loop {
            self.bell.answer();
            let stopping = self.stop.load(Acquire);
            let wrote = self.turn();
            if !wrote && stopping {
                break;
            }
            let now = self.health.now_ms();
            if !wrote && self.health.is_faulty() && now >= self.agenda.probe_at {
                self.commit(&[]);
            }
            if !stopping && !self.health.is_faulty() {
                self.tend(now);
            }
            let next = self.agenda.next(self.health.is_faulty());
            let rest = next.saturating_sub(self.health.now_ms());
            if !wrote && rest > 0 {
                parker.park_timeout(Duration::from_millis(rest));
            }
        }
        if let Err(error) = self.store.finish() {
            error!(%error, "the store's files could not be put in order at the end; the next start will do it");
        }
    }

    /// One batch; whether there was anything.
    fn turn(&mut self) -> bool {
        let mut batch = std::mem::take(&mut self.batch);
        self.gather(&mut batch);
        let Some(oldest) = batch.iter().map(|(_, write)| write.at_ms).min() else {
            self.batch = batch;
            return false;
        };
        self.health.busy(oldest);
        let outcomes = self.written(&batch);
        let mut told = vec![false; self.desks.len()];
        for ((desk, write), outcome) in batch.drain(..).zip(outcomes) {
            self.desks[desk].answer(write.ticket, Answer::Written(outcome));
            told[desk] = true;
        }
        for (desk, told) in self.desks.iter().zip(told) {
            if told {
                desk.ring();
            }
        }
        self.health.idle();
        self.batch = batch;
        true
    }

    /// Takes requests from all desks in turn, each desk's in order, up to the bounds of a batch.
    fn gather(&mut self, batch: &mut Vec<(usize, Write)>) {
        let (mut changes, mut bytes) = (0, 0);
        self.first = (self.first + 1) % self.desks.len().max(1);
        let mut empty = 0;
        let mut at = self.first;
        while empty < self.desks.len() && changes < BATCH_CHANGES && bytes < BATCH_BYTES {
            match self.desks[at].writes.pop() {
                Some(write) => {
                    empty = 0;
                    changes += write.records.len().max(1);
                    bytes += write.records.iter().map(weight).sum::<usize>();
                    batch.push((at, write));
                }
                None => empty += 1,
            }
            at = (at + 1) % self.desks.len();
        }
    }

    /// What becomes of each request of a batch.
    fn written(&mut self, batch: &[(usize, Write)]) -> Vec<Outcome> {
        let now_ms = self.clock.now().unix_ms;
        let codec = self.codec.clone();
        let mut transactions = Vec::with_capacity(batch.len());
        let mut storable = Vec::with_capacity(batch.len());
        for (_, write) in batch {
            let changes: Result<Transaction, _> =
                write.records.iter().map(|record| codec.change(record, now_ms)).collect();
            match changes {
                Ok(changes) => {
                    storable.push(true);
                    transactions.push(changes);
                }
                Err(error) => {
                    storable.push(false);
                    self.complain("a request that cannot be stored was refused", &error);
                }
            }
        }
        let mut done = self.commit(&transactions).into_iter().flatten();
        let outcome = |storable: bool| match storable.then(|| done.next()).flatten() {
            Some(done) => outcome(done),
            None => Outcome::Failed,
        };
        storable.into_iter().map(outcome).collect()
    }

    /// Logs what is wrong but no reason to refuse anything; once, until it is something else.
    fn complain(&mut self, what: &str, error: &dyn std::error::Error) {
        let complaint = format!("{what}: {error}");
        if self.complaint.as_ref() != Some(&complaint) {
            error!("{complaint}");
            self.complaint = Some(complaint);
        }
    }

    /// Commits, and notes how it went; `None`: nothing was done.
    fn commit(&mut self, transactions: &[Transaction]) -> Option<Vec<Done>> {
        let begun = Instant::now();
        let result = guarded(|| self.store.commit(transactions));
        self.health.seconds.observe_us(begun.elapsed().as_micros() as u64);
        let now = self.health.now_ms();
        match result {
            Ok(done) => {
                self.health.commits.inc();
                self.health.rows.add(transactions.iter().map(Vec::len).sum::<usize>() as u64);
                if self.health.is_well() {
                    info!("the store can write again");
                }
                self.agenda.wrote(now);
                Some(done)
            }
            Err(error) => {
                self.failed(&error, now);
                None
            }
        }
    }

    fn failed(&mut self, error: &StoreError, now: u64) {
        self.health.failed.inc();
        if self.health.fell_ill(&error.to_string()) {
            error!(%error, "the store cannot write: what has to be durable is refused");
        }
        self.agenda.probe_at = now + PROBE_MS;
    }

    /// Does one step of what is due.
    fn tend(&mut self, now: u64) {
        if self.agenda.index.is_some_and(|index| index.due_at() <= now) {
            match self.step(now, S::index) {
                Some(true) => {}
                _ => self.agenda.index = None,
            }
        }
        if self.agenda.trim_at <= now {
            let wall = self.clock.now().unix_ms;
            match self.step(now, |store| store.trim(wall)) {
                Some(true) => {}
                _ => {
                    self.agenda.trim_at = now + TRIM_IDLE_MS;
                    self.health.file_bytes.set(self.store.disk_bytes());
                }
            }
        }
    }

    /// One step; whether there is more, `None` when it failed.
    fn step(&mut self, now: u64, step: impl FnOnce(&mut S) -> Result<bool, StoreError>) -> Option<bool> {
        self.health.busy(now);
        let result = guarded(|| step(&mut self.store));
        self.health.idle();
        let what = "the store's upkeep failed and is tried again";
        result.inspect_err(|error| self.complain(what, error)).ok()
    }
}

/// Work of the store that ends in an error at worst. After a panic the store makes its connection anew.
fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(StoreError::Panic))
}

fn outcome(done: Done) -> Outcome {
    match done {
        Done::All { seq } => Outcome::Done { seq },
        Done::Again { seq, id } => Outcome::Again { seq, message: codec::message_id(id) },
        Done::NoMessage => Outcome::NoMessage,
        Done::NotTheSender => Outcome::NotTheAuthor,
    }
}

/// About how many bytes a record is.
fn weight(record: &Record) -> usize {
    const REST: usize = 128;
    let text = match record {
        Record::Append { event, .. } => event_weight(event),
        Record::Queue { waiting, .. } => event_weight(&waiting.event),
        Record::Amend { text, .. } => text.as_ref().map_or(0, |text| text.len()),
        _ => 0,
    };
    REST + text
}

fn event_weight(event: &Event) -> usize {
    match event {
        Event::Message(m) | Event::Direct(m) => {
            let verbatim = m.detail.as_ref().and_then(|detail| detail.verbatim.as_ref());
            m.text.len() + verbatim.map_or(0, |verbatim| verbatim.json.len())
        }
        Event::Edited { text, .. } => text.len(),
        Event::Custom { json, .. } => json.len(),
        Event::Notification(n) => n.text.len() + n.title.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
