//! The thread that writes: takes what all shards handed over, makes one commit of it, and says what became of it.
//!
//! Nobody waits on purpose: while one commit is on its way to the disk, the next batch gathers. What has to be done
//! besides (throwing away what is over, making messages searchable) is done in small steps when nothing waits, or
//! between two batches when it has waited long enough. While there is no end of requests each of these chores has a
//! small share of the time, and what is left of it waits: the [`agenda`](super::agenda) says when.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Acquire};
use std::time::{Duration, Instant};

use crossbeam::sync::Parker;
use tracing::{error, info};

use super::agenda::{Agenda, PROBE_MS};
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
        let clock = Clock::start();
        let (first, batch, complaint) = (0, Vec::new(), None);
        // What a server before this one left undone is found by the first steps.
        let agenda = Agenda::new();
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
            let now = self.health.now_ms();
            let rest = next.saturating_sub(now);
            if !wrote && rest > 0 {
                let began = Instant::now();
                parker.park_timeout(Duration::from_millis(rest));
                self.agenda.rested(began.elapsed());
            }
            self.agenda.look_back(now);
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

    /// Does one step of each chore that is due.
    fn tend(&mut self, now: u64) {
        if self.agenda.place.is_due(now) {
            self.step(now, S::place);
            self.agenda.place.is_done();
        }
        if self.agenda.trim_at <= now {
            let (began, wall) = (Instant::now(), self.clock.now().unix_ms);
            match self.step(now, |store| store.trim(wall)) {
                Some(true) => self.agenda.trimmed(self.health.now_ms(), began.elapsed()),
                _ => {
                    self.agenda.is_trimmed(self.health.now_ms());
                    self.health.file_bytes.set(self.store.disk_bytes());
                }
            }
        }
        if self.agenda.indexes(now) {
            let began = Instant::now();
            match self.step(now, S::index) {
                Some(true) => self.agenda.indexed(self.health.now_ms(), began.elapsed()),
                _ => self.agenda.index.is_done(),
            }
        }
    }

    /// One step; what it answered, `None` when it failed.
    fn step<T>(&mut self, now: u64, step: impl FnOnce(&mut S) -> Result<T, StoreError>) -> Option<T> {
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
