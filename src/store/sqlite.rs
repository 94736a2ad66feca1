//! The store that ships: one SQLite file with a write-ahead log.
//!
//! A batch is one transaction, so that one wait for the disk serves all who wrote meanwhile. A request that may come
//! to nothing after it has changed something gets a savepoint; the others look before they write.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rusqlite::{CachedStatement, Connection, OpenFlags, OptionalExtension, params};
use tracing::warn;

use super::folder::{self, Held};
use super::heads::Heads;
use super::mark::{Mark, Word};
use super::reading::{self, Sought, capped};
use super::rows::{
    Change, Done, Hit, Id, Item, LogAsk, LogPage, Owner, ReceiptRow, Row, Store, Transaction, Visitor, what,
};
use super::{Options, Retention, StoreError, Synchronous, schema};
use crate::model::Epoch;

/// Pages of the write-ahead log that start a checkpoint: 64 MiB on disk. A page that many commits change (each room has
/// one that all of its messages go through) is then written back once for many of them; a start after a crash reads
/// that much.
const CHECKPOINT_PAGES: u32 = 16_384;
/// What the write-ahead log may keep on disk: enough for one that a reader held up for a while.
const WAL_BYTES: u32 = 128 << 20;

/// The writing connection and what it remembers of the file.
#[derive(Debug)]
pub struct Sqlite {
    pub(super) conn: Connection,
    path: PathBuf,
    synchronous: Synchronous,
    pub(super) history: Retention,
    pub(super) queue_ttl_ms: u64,
    pub(super) search: bool,
    amendable: usize,
    epoch: Epoch,
    mark: Mark,
    mark_failed: bool,
    /// The number of the next row of the log. A number that was rolled back is left out.
    next_entry: i64,
    /// The last row that can be searched.
    pub(super) indexed: i64,
    /// The last row that has its place.
    pub(super) placed: i64,
    /// What commits need of channels.
    pub(super) heads: Heads,
    /// Work under way, or work that failed: what is remembered may not be so.
    unsure: bool,
    /// Channels that may have more rows or bytes than they should.
    pub(super) over: BTreeSet<i64>,
    /// A round of throwing away has begun and is not at its end.
    pub(super) trimming: bool,
    /// The connection must be made anew before it is used again.
    spoiled: bool,
    _held: Held,
}

impl Sqlite {
    /// Opens the store of a folder, and makes it where there is none.
    pub fn open(options: &Options) -> Result<Self, StoreError> {
        let held = folder::hold(&options.folder)?;
        let path = folder::database(&options.folder);
        Self::open_held(options, held, path.clone()).map_err(|error| error.opening(&path))
    }

    fn open_held(options: &Options, held: Held, path: PathBuf) -> Result<Self, StoreError> {
        folder::make_database(&path)?;
        folder::refuse_foreign_wal(&path)?;
        let conn = connect(&path)?;
        let (epoch, mark) = continued(&conn, &options.folder, &path)?;
        settle(&conn, options.synchronous)?;
        folder::sync(&options.folder)?;
        let mut store = Self {
            conn,
            path,
            synchronous: options.synchronous,
            history: options.history,
            queue_ttl_ms: options.queue_ttl_ms,
            search: options.search,
            amendable: options.amendable,
            epoch,
            mark,
            mark_failed: false,
            next_entry: 1,
            indexed: 0,
            placed: 0,
            heads: Heads::default(),
            unsure: true,
            over: BTreeSet::new(),
            trimming: false,
            spoiled: false,
            _held: held,
        };
        store.mend()?;
        Ok(store)
    }

    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what is remembered of the file.
    fn remember(&mut self) -> Result<(), StoreError> {
        self.indexed = meta(&self.conn, "indexed")?.unwrap_or(0);
        self.placed = meta(&self.conn, "placed")?.unwrap_or(0);
        let last: Option<i64> = self.conn.query_row("SELECT max(entry) FROM log", [], |row| row.get(0))?;
        self.next_entry = last.unwrap_or(0).max(self.indexed).max(self.placed) + 1;
        self.heads.recall(&self.conn, self.placed)?;
        let (count, bytes) = (self.history.count, self.history.bytes);
        let mut over = self.conn.prepare("SELECT id FROM channels WHERE kept > ?1 OR bytes > ?2")?;
        let most = |limit: Option<u64>| capped(limit.unwrap_or(u64::MAX));
        let rows = over.query_map([most(count), most(bytes)], |row| row.get(0))?;
        self.over = rows.collect::<rusqlite::Result<_>>()?;
        Ok(())
    }

    /// Makes the connection anew if the last error asks for it, or if the last work did not come to its end; and what is
    /// remembered, if it may not be so.
    pub(super) fn mend(&mut self) -> Result<(), StoreError> {
        if self.spoiled || !self.conn.is_autocommit() {
            self.spoiled = true;
            // The old one first: it may hold locks. Until there is a new one, an empty one says that nothing works.
            self.conn = Connection::open_in_memory()?;
            self.conn = connect(&self.path)?;
            settle(&self.conn, self.synchronous)?;
            (self.spoiled, self.unsure) = (false, true);
        }
        if self.unsure {
            self.remember()?;
            self.unsure = false;
            if self.history.count == Some(0) {
                // From here on the table has the last numbers.
                self.place_all()?;
            }
        }
        Ok(())
    }

    /// Does the work of one commit: all of it, or nothing and the error.
    fn durably<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let (done, commits) = self.committing(|store| {
            let done = work(store)?;
            let sql = "UPDATE meta SET value = value + 1 WHERE key = 'commits' RETURNING value";
            let commits: i64 = store.cached(sql)?.query_row([], |row| row.get(0))?;
            Ok((done, commits))
        })?;
        self.tell_mark(commits.cast_unsigned());
        Ok(done)
    }

    /// The same for what may be lost with the power, because it would only be done again: it waits for no disk, and
    /// does not count.
    pub(super) fn quietly<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.mend()?;
        self.conn.execute_batch("PRAGMA synchronous = NORMAL")?;
        let result = self.committing(work);
        if self.synchronous == Synchronous::Full
            && self.conn.execute_batch("PRAGMA synchronous = FULL").is_err()
        {
            self.spoiled = true;
        }
        result
    }

    fn committing<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.mend()?;
        self.unsure = true;
        let attempt = || {
            self.cached("BEGIN IMMEDIATE")?.execute([])?;
            let done = work(self)?;
            self.cached("COMMIT")?.execute([])?;
            self.unsure = false;
            Ok(done)
        };
        attempt().inspect_err(|error: &StoreError| {
            // SQLite rolls back by itself after some errors, and then there is nothing left to do.
            let rolled_back = self.conn.is_autocommit() || self.conn.execute_batch("ROLLBACK").is_ok();
            self.spoiled |= !rolled_back || error.spoils_connection();
        })
    }

    fn tell_mark(&mut self, commits: u64) {
        match self.mark.write(commits) {
            Ok(()) => self.mark_failed = false,
            Err(error) => {
                if !std::mem::replace(&mut self.mark_failed, true) {
                    warn!(%error, "the store's mark cannot be written: lost numbers would go unnoticed");
                }
            }
        }
    }

    /// One request. Where it can come to nothing after it changed something, it gets a way back.
    fn transaction(&mut self, changes: &[Change]) -> Result<Done, StoreError> {
        let guarded = changes.iter().skip(1).any(Change::is_doubtful);
        let mark = self.heads.mark();
        if guarded {
            self.cached("SAVEPOINT request")?.execute([])?;
        }
        let done = self.changes(changes)?;
        if guarded {
            if !matches!(done, Done::All { .. }) {
                self.cached("ROLLBACK TO request")?.execute([])?;
                self.heads.rewind(mark);
            }
            self.cached("RELEASE request")?.execute([])?;
        }
        Ok(done)
    }

    fn changes(&mut self, changes: &[Change]) -> Result<Done, StoreError> {
        let mut appended = 0;
        for change in changes {
            match self.change(change, appended)? {
                Done::All { seq: 0 } => {}
                Done::All { seq } => appended = seq,
                nothing => return Ok(nothing),
            }
        }
        Ok(Done::All { seq: appended })
    }

    /// `appended`: the number that was given out before it in its transaction.
    fn change(&mut self, change: &Change, appended: u64) -> Result<Done, StoreError> {
        match change {
            Change::Append { owner, row, request } => return self.append(owner, row, *request),
            Change::Amend { owner, id, by, text } => return self.amend(owner, id, by, *text),
            Change::Receipt { owner, user, id, at_ms } => return self.receipt(owner, user, id, *at_ms),
            Change::Queue { owner, item } => self.queue(owner, item, appended)?,
            Change::Drain { owner, ids } => {
                if let Some(channel) = self.known(owner)? {
                    let mut delete = self.cached("DELETE FROM queue WHERE channel = ?1 AND name = ?2")?;
                    for id in ids {
                        delete.execute(params![channel, id])?;
                    }
                }
            }
            Change::Put { owner, kind, key, bytes } => {
                let channel = self.channel(owner)?;
                let sql = "INSERT OR REPLACE INTO facts (channel, kind, key, bytes) VALUES (?1, ?2, ?3, ?4)";
                self.cached(sql)?.execute(params![channel, kind, key, bytes])?;
            }
            Change::Remove { owner, kind, key } => {
                if let Some(channel) = self.known(owner)? {
                    let sql = "DELETE FROM facts WHERE channel = ?1 AND kind = ?2 AND key = ?3";
                    self.cached(sql)?.execute(params![channel, kind, key])?;
                }
            }
        }
        Ok(Done::All { seq: 0 })
    }

    pub(super) fn cached(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.conn.prepare_cached(sql)
    }

    /// The number of an owner's channel, if there is one.
    fn known(&mut self, owner: &Owner) -> rusqlite::Result<Option<i64>> {
        let at = self.heads.find(&self.conn, owner)?;
        Ok(at.map(|at| self.heads.channel(at)))
    }

    /// The number of an owner's channel, which is made if it is not there.
    fn channel(&mut self, owner: &Owner) -> rusqlite::Result<i64> {
        let at = self.heads.find_or_make(&self.conn, owner)?;
        Ok(self.heads.channel(at))
    }

    fn append(&mut self, owner: &Owner, row: &Row, request: Option<&str>) -> Result<Done, StoreError> {
        let at = self.heads.find_or_make(&self.conn, owner)?;
        let channel = self.heads.channel(at);
        if let Some(request) = request {
            let sql = "SELECT seq, id FROM log WHERE channel = ?1 AND request = ?2";
            let seen = |row: &rusqlite::Row| {
                let id = reading::id_at(row, 1)?.unwrap_or_default();
                Ok(Done::Again { seq: row.get::<_, i64>(0)?.cast_unsigned(), id })
            };
            let again = self.cached(sql)?.query_row(params![channel, request], seen).optional()?;
            if let Some(again) = again {
                return Ok(again);
            }
        }
        let seq = self.heads.next(at);
        if self.history.count == Some(0) {
            // It is not kept: the table alone has the number.
            let sql = "UPDATE channels SET head = ?2, oldest = ?2 + 1 WHERE id = ?1";
            self.cached(sql)?.execute([channel, seq])?;
            self.heads.number(at);
            return Ok(Done::All { seq: seq.cast_unsigned() });
        }
        let entry = self.next_entry;
        self.next_entry += 1;
        let sql = "INSERT INTO log (entry, channel, seq, what, id, sender, peer, at_ms, text, body, request)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        self.cached(sql)?.execute(params![
            entry,
            channel,
            seq,
            row.what,
            row.id,
            row.sender,
            row.peer,
            row.at_ms.cast_signed(),
            row.text,
            row.body,
            request
        ])?;
        self.heads.append(at, entry, row.what, row.id, row.bytes());
        Ok(Done::All { seq: seq.cast_unsigned() })
    }

    fn amend(&mut self, owner: &Owner, id: &Id, by: &str, text: Option<&str>) -> Result<Done, StoreError> {
        let Some((channel, sought)) = self.seek(owner, id)? else { return Ok(Done::NoMessage) };
        let sql = "SELECT sender, octet_length(text) FROM log WHERE entry = ?1";
        let (is_by, before) = self.cached(sql)?.query_row([sought.entry], |row| {
            Ok((row.get_ref(0)?.as_str().is_ok_and(|sender| sender == by), row.get::<_, i64>(1)?))
        })?;
        if !is_by {
            return Ok(Done::NotTheSender);
        }
        let Some(text) = text else {
            self.bury(channel, sought.entry, sought.seq)?;
            for (edit, seq) in &sought.edits {
                self.bury(channel, *edit, *seq)?;
            }
            return Ok(Done::All { seq: 0 });
        };
        self.cached("UPDATE log SET text = ?2 WHERE entry = ?1")?.execute(params![sought.entry, text])?;
        let grown = text.len() as i64 - before;
        if !self.heads.change(sought.entry, |row| row.bytes = row.bytes.saturating_add_signed(grown as isize))
        {
            let sql = "UPDATE channels SET bytes = bytes + ?2 WHERE id = ?1 RETURNING kept, bytes";
            let (kept, bytes) =
                self.cached(sql)?.query_row([channel, grown], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if self.history.is_over(kept, bytes) {
                self.over.insert(channel);
            }
        }
        if sought.entry <= self.indexed {
            self.learn(sought.entry, channel, text)?;
        }
        Ok(Done::All { seq: 0 })
    }

    /// The channel of an owner, and a message among its newest.
    fn seek(&mut self, owner: &Owner, id: &Id) -> rusqlite::Result<Option<(i64, Sought)>> {
        let Some(channel) = self.known(owner)? else { return Ok(None) };
        let sought = reading::seek(&self.conn, self.heads.tail(), channel, id, self.amendable)?;
        Ok(sought.map(|sought| (channel, sought)))
    }

    /// Leaves nothing of a row but its number, its id and its request.
    fn bury(&mut self, channel: i64, entry: i64, seq: i64) -> rusqlite::Result<()> {
        let size = "SELECT octet_length(text) + octet_length(body) FROM log WHERE entry = ?1";
        let size: i64 = self.cached(size)?.query_row([entry], |row| row.get(0))?;
        let sql =
            "UPDATE log SET what = ?2, sender = NULL, peer = NULL, text = '', body = x'' WHERE entry = ?1";
        self.cached(sql)?.execute(params![entry, what::GONE])?;
        if !self.heads.change(entry, |row| (row.what, row.bytes) = (what::GONE, 0)) {
            self.cached("UPDATE channels SET bytes = bytes - ?2 WHERE id = ?1")?.execute([channel, size])?;
            let sql = "UPDATE place SET what = ?3 WHERE channel = ?1 AND seq = ?2";
            self.cached(sql)?.execute(params![channel, seq, what::GONE])?;
        }
        self.unlearn(entry)
    }

    fn receipt(&mut self, owner: &Owner, user: &str, id: &Id, at_ms: u64) -> Result<Done, StoreError> {
        let Some((channel, sought)) = self.seek(owner, id)? else { return Ok(Done::NoMessage) };
        let sql = "INSERT INTO receipts (channel, user, seq, id, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT DO UPDATE SET seq = excluded.seq, id = excluded.id, at_ms = excluded.at_ms
                   WHERE excluded.seq > seq";
        self.cached(sql)?.execute(params![channel, user, sought.seq, id, at_ms.cast_signed()])?;
        Ok(Done::All { seq: 0 })
    }

    fn queue(&mut self, owner: &Owner, item: &Item, appended: u64) -> rusqlite::Result<()> {
        let seq = if item.seq == 0 { appended } else { item.seq };
        let channel = self.channel(owner)?;
        let sql = "INSERT INTO queue (channel, name, seq, transit, priority, since_ms,
                                      what, id, sender, peer, at_ms, text, body)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
                   ON CONFLICT (channel, name) DO UPDATE SET
                     seq = excluded.seq, transit = excluded.transit, priority = excluded.priority,
                     since_ms = excluded.since_ms, what = excluded.what, id = excluded.id,
                     sender = excluded.sender, peer = excluded.peer, at_ms = excluded.at_ms,
                     text = excluded.text, body = excluded.body";
        let row = &item.row;
        self.cached(sql)?.execute(params![
            channel,
            item.id,
            seq.cast_signed(),
            item.transit,
            item.priority,
            capped(item.since_ms),
            row.what,
            row.id,
            row.sender,
            row.peer,
            row.at_ms.cast_signed(),
            row.text,
            row.body
        ])?;
        Ok(())
    }
}

impl Retention {
    /// Whether a channel with so many rows and bytes has more than it should.
    pub(super) fn is_over(&self, kept: i64, bytes: i64) -> bool {
        let over = |limit: Option<u64>, has: i64| limit.is_some_and(|limit| has > capped(limit));
        over(self.count, kept) || over(self.bytes, bytes)
    }
}

impl Store for Sqlite {
    fn commit(&mut self, batch: &[Transaction]) -> Result<Vec<Done>, StoreError> {
        if self.has_long_tail() {
            self.place_all()?;
        }
        self.durably(|store| batch.iter().map(|changes| store.transaction(changes)).collect())
    }

    fn log(&self, ask: &LogAsk) -> Result<LogPage, StoreError> {
        reading::log(&self.conn, ask)
    }

    fn search(&self, owners: &[Owner], words: &str, limit: usize) -> Result<Vec<Hit>, StoreError> {
        reading::search(&self.conn, owners, words, limit)
    }

    fn receipts(&self, owner: &Owner) -> Result<Vec<ReceiptRow>, StoreError> {
        reading::receipts(&self.conn, owner)
    }

    fn snapshot(&self, each: &mut Visitor) -> Result<(), StoreError> {
        reading::snapshot(&self.conn, each)
    }

    fn place(&mut self) -> Result<(), StoreError> {
        self.place_all()
    }

    fn trim(&mut self, now_ms: u64) -> Result<bool, StoreError> {
        self.trim_step(now_ms)
    }

    fn index(&mut self) -> Result<bool, StoreError> {
        self.index_step()
    }

    fn disk_bytes(&self) -> u64 {
        folder::disk_bytes(&self.path)
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        self.mend()?;
        // All that was left to the kernel reaches the disk with this commit, and needs no suspicion afterwards.
        self.conn.execute_batch(
            "PRAGMA synchronous = FULL; DELETE FROM meta WHERE key = 'boot'; PRAGMA wal_checkpoint(TRUNCATE)",
        )?;
        Ok(())
    }
}

/// A number about the whole.
pub fn meta(conn: &Connection, key: &str) -> Result<Option<i64>, StoreError> {
    let mut select = conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    Ok(select.query_row([key], |row| row.get(0)).optional()?)
}

pub fn set_meta(conn: &Connection, key: &str, value: i64) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)";
    conn.prepare_cached(sql)?.execute(params![key, value])?;
    Ok(())
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    reading::tune(&conn)?;
    schema::prepare(&conn, path)?;
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        let why = format!("its file system knows no shared memory: the journal would be {mode}");
        return Err(StoreError::Foreign { path: path.to_owned(), why });
    }
    conn.execute_batch(&format!(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};
         PRAGMA journal_size_limit = {WAL_BYTES}; PRAGMA foreign_keys = OFF"
    ))?;
    Ok(conn)
}

/// The epoch that goes on, or a new one if numbers were lost since it was last told.
fn continued(conn: &Connection, folder: &Path, path: &Path) -> Result<(Epoch, Mark), StoreError> {
    let known = meta(conn, "epoch")?.map(|epoch| Epoch(epoch.cast_unsigned()));
    let commits = meta(conn, "commits")?.unwrap_or(0).cast_unsigned();
    let place = folder::mark(folder);
    let (mut mark, word) = Mark::open(&place, known.unwrap_or(Epoch(0))).map_err(StoreError::io(&place))?;
    let unsynced = meta(conn, "boot")?.is_some_and(|boot| boot != this_boot());
    let epoch = match (known, word) {
        (None, _) => None,
        (Some(_), Word::Told(told)) if told > commits => {
            let missing = told - commits;
            warn!(missing, file = %path.display(), "the store lost commits that were told: clients start anew");
            None
        }
        (Some(_), Word::Strange) => {
            warn!(file = %place.display(), "the mark is not this store's: clients start anew");
            None
        }
        (Some(_), _) if unsynced => {
            warn!(file = %path.display(), "the machine went down before the store's last commits reached the disk \
                  for certain (store.synchronous is normal): clients start anew");
            None
        }
        (known, _) => known,
    };
    let epoch = match epoch {
        Some(epoch) => epoch,
        None => {
            let fresh = fresh_epoch()?;
            set_meta(conn, "epoch", fresh.0.cast_signed())?;
            fresh
        }
    };
    mark.renew(epoch);
    mark.write(commits).map_err(StoreError::io(&place))?;
    Ok((epoch, mark))
}

/// A life that no other has.
pub fn fresh_epoch() -> Result<Epoch, StoreError> {
    let random = getrandom::u64().map_err(|error| StoreError::Io {
        path: "the system's random numbers".into(),
        error: std::io::Error::other(error.to_string()),
    })?;
    Ok(Epoch(random))
}

/// Notes under which boot of the machine commits are left to the kernel, or that none are.
fn settle(conn: &Connection, synchronous: Synchronous) -> Result<(), StoreError> {
    match synchronous {
        Synchronous::Full => {
            conn.execute("DELETE FROM meta WHERE key = 'boot'", [])?;
        }
        Synchronous::Normal => {
            set_meta(conn, "boot", this_boot())?;
            conn.execute_batch("PRAGMA synchronous = NORMAL")?;
        }
    }
    Ok(())
}

/// This boot of the machine, as a number; where the kernel does not say, one that never comes again.
fn this_boot() -> i64 {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    let id = id.and_then(|id| uuid::Uuid::try_parse(id.trim()).ok());
    id.map_or_else(|| fresh_epoch().map_or(0, |epoch| epoch.0), |id| id.as_u64_pair().0).cast_signed()
}

#[cfg(test)]
mod tests;
