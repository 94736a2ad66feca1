//! The thread that reads, with a connection of its own: it waits for no writer, and none waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Acquire};

use crossbeam::sync::Parker;
use rusqlite::Connection;
use tracing::{error, info};

use super::client::{Desk, Waker};
use super::codec::{self, Codec};
use super::rows::{LogAsk, Owner, ReceiptRow};
use super::{StoreError, reading};
use crate::lane::Bell;
use crate::model::{Answer, ChannelName, Fact, Found, Kept, Kind, LogQuery, MessageId, Page, Query, Receipt};

/// Users of one conversation who are told of; a home keeps no more.
const STANDING_MAX: usize = 1000;

/// Answers before the shards are woken.
const BATCH: usize = 64;

/// Everything of the thread.
#[derive(Debug)]
pub(super) struct Reader {
    path: PathBuf,
    /// `None`: the last one failed.
    conn: Option<Connection>,
    codec: Codec,
    desks: Vec<Arc<Desk>>,
    bell: Arc<Bell<Waker>>,
    stop: Arc<AtomicBool>,
    fault: Option<String>,
}

impl Reader {
    pub fn open(
        path: PathBuf,
        codec: Codec,
        desks: Vec<Arc<Desk>>,
        bell: Arc<Bell<Waker>>,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, StoreError> {
        let conn = Some(reading::open_read_only(&path)?);
        Ok(Self { path, conn, codec, desks, bell, stop, fault: None })
    }

    /// Goes on until it is told to stop and all that was asked before is answered.
    pub fn run(mut self, parker: &Parker) {
        loop {
            self.bell.answer();
            let stopping = self.stop.load(Acquire);
            if self.turn() {
                continue;
            }
            if stopping {
                break;
            }
            parker.park();
        }
    }

    /// A batch of answers; whether there was anything to answer.
    fn turn(&mut self) -> bool {
        let mut told = vec![false; self.desks.len()];
        let mut left = BATCH;
        let mut empty = 0;
        for at in (0..self.desks.len()).cycle() {
            if empty == self.desks.len() || left == 0 {
                break;
            }
            let Some((ticket, query)) = self.desks[at].reads.pop() else {
                empty += 1;
                continue;
            };
            (empty, left) = (0, left - 1);
            let answer = self.answer(&query);
            self.desks[at].answer(ticket, answer);
            told[at] = true;
        }
        for (desk, told) in self.desks.iter().zip(&told) {
            if *told {
                desk.ring();
            }
        }
        told.contains(&true)
    }

    fn answer(&mut self, query: &Query) -> Answer {
        let read = catch_unwind(AssertUnwindSafe(|| self.read(query))).unwrap_or(Err(StoreError::Panic));
        match read {
            Ok(answer) => {
                if self.fault.take().is_some() {
                    info!("the store can be read again");
                }
                answer
            }
            Err(error) => {
                let text = error.to_string();
                if self.fault.as_ref() != Some(&text) {
                    error!(%error, "the store cannot be read");
                    self.fault = Some(text);
                }
                if error.spoils_connection() {
                    self.conn = None;
                }
                Answer::Unreadable
            }
        }
    }

    fn read(&mut self, query: &Query) -> Result<Answer, StoreError> {
        let conn = match &mut self.conn {
            Some(conn) => conn,
            none => none.insert(reading::open_read_only(&self.path)?),
        };
        match query {
            Query::Log(query) => log(conn, &self.codec, query).map(Answer::Page),
            Query::Facts(channel) => facts(conn, &self.codec, channel).map(Answer::Facts),
            Query::Search { channels, words, limit } => {
                found(conn, &self.codec, channels, words, *limit).map(Answer::Found)
            }
        }
    }
}

fn log(conn: &Connection, codec: &Codec, query: &LogQuery) -> Result<Page, StoreError> {
    let owner = codec.owner(&query.channel)?;
    let LogQuery { after, messages, limit, bytes, .. } = *query;
    let ask = LogAsk { owner, after, peer: query.with.as_deref(), messages, limit, bytes };
    let page = reading::log(conn, &ask)?;
    let event = |(seq, row): &(u64, _)| Ok((*seq, codec::event(&owner, row)?));
    let events = page.rows.iter().map(event).collect::<Result<_, StoreError>>()?;
    let receipts = match query.receipts {
        0 => Vec::new(),
        max => receipts(conn, &owner, max)?,
    };
    Ok(Page { head: page.head, first: page.first, events, more: page.more, receipts })
}

/// All that is known of a channel.
fn facts(conn: &Connection, codec: &Codec, channel: &ChannelName) -> Result<Vec<Fact>, StoreError> {
    let owner = codec.owner(channel)?;
    let mut facts = Vec::new();
    for row in reading::facts(conn, &owner)? {
        if let Kept::Fact(fact) = codec::kept(&owner, &row)? {
            facts.push(fact);
        }
    }
    if channel.kind == Kind::Room {
        let user = ChannelName { kind: Kind::User, ..channel.clone() };
        let of_users = codec.owner(&user)?.kind;
        let names = reading::who_has(conn, &owner, of_users, codec::STANDING, &channel.id, STANDING_MAX)?;
        facts.extend(names.into_iter().map(|name| Fact::Standing(name.into())));
    }
    Ok(facts)
}

/// Who has read how far, the newest ones.
fn receipts(conn: &Connection, owner: &Owner, max: usize) -> Result<Vec<Receipt>, StoreError> {
    let mut rows = reading::receipts(conn, owner)?;
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.at_ms));
    rows.truncate(max);
    let receipt = |row: ReceiptRow| {
        let message = MessageId(uuid::Uuid::from_bytes(row.id));
        Receipt { user: row.user.into(), message, at_ms: row.at_ms }
    };
    Ok(rows.into_iter().map(receipt).collect())
}

fn found(
    conn: &Connection,
    codec: &Codec,
    channels: &[ChannelName],
    words: &str,
    limit: usize,
) -> Result<Vec<Found>, StoreError> {
    let owners: Vec<Owner> = channels.iter().map(|channel| codec.owner(channel)).collect::<Result<_, _>>()?;
    let hits = reading::search(conn, &owners, words, limit)?;
    let found = hits.iter().map(|hit| {
        let event = codec::event(&owners[hit.owner], &hit.row)?;
        Ok(Found { channel: channels[hit.owner].clone(), seq: hit.seq, event })
    });
    found.collect()
}
