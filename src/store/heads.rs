//! What the writer knows of the channels it writes to: their last numbers, and the rows that have no place yet.
//!
//! Invariant: every row behind `placed` is in the tail, and its channel among the known ones; of all other channels the
//! table has the last number. So a commit asks the database for nothing but what it does not know yet.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{Id, Owner};

/// Channels that are remembered while nothing asks for more: some MiB with their names.
const KNOWN_MAX: usize = if cfg!(test) { 3 } else { 32_768 };

/// A row of the log that `place` does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unplaced {
    pub channel: i64,
    pub entry: i64,
    pub seq: i64,
    pub what: u8,
    pub id: Option<Id>,
    /// Of its text and data.
    pub bytes: usize,
}

/// A channel by its number, and the last number that it gave out.
#[derive(Clone, Copy, Debug)]
struct Known {
    channel: i64,
    head: i64,
}

/// Where the rows of a channel are counted.
#[derive(Clone, Copy, Debug)]
pub struct At(usize);

/// How far back a request goes that comes to nothing.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    tail: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
pub struct Heads {
    places: HashMap<Box<[u8]>, usize>,
    known: Vec<Known>,
    /// In the order of the log.
    tail: Vec<Unplaced>,
    /// Texts and data of the tail.
    bytes: usize,
    /// What was made and given out since the last mark, and what rows of the tail were before they were changed.
    made: Vec<Box<[u8]>>,
    given: Vec<usize>,
    changed: Vec<(usize, Unplaced)>,
    /// The name that is looked for.
    key: Vec<u8>,
}

impl Heads {
    /// Reads it anew, as the database has it.
    pub fn recall(&mut self, conn: &Connection, placed: i64) -> rusqlite::Result<()> {
        *self = Self::default();
        let sql = "SELECT realm, tenant, kind, name, channel, seq, entry, what, log.id,
                          octet_length(text) + octet_length(body)
                   FROM log CROSS JOIN channels ON channels.id = channel WHERE entry > ?1 ORDER BY entry";
        let mut select = conn.prepare_cached(sql)?;
        let mut rows = select.query([placed])?;
        while let Some(row) = rows.next()? {
            let text = |at| row.get_ref(at)?.as_str().map_err(rusqlite::Error::from);
            let owner = Owner { realm: text(0)?, tenant: text(1)?, kind: row.get(2)?, name: text(3)? };
            let (channel, seq) = (row.get(4)?, row.get::<_, i64>(5)?);
            self.seek(&owner);
            let at = match self.places.get(&*self.key) {
                Some(at) => At(*at),
                None => self.know(Known { channel, head: 0 }),
            };
            self.known[at.0].head = seq - 1;
            let id = super::reading::id_at(row, 8)?;
            self.append(at, row.get(6)?, row.get(7)?, id, row.get::<_, i64>(9)? as usize);
        }
        Ok(())
    }

    /// Where a channel is, if there is one.
    pub fn find(&mut self, conn: &Connection, owner: &Owner) -> rusqlite::Result<Option<At>> {
        self.seek(owner);
        if let Some(at) = self.places.get(&*self.key) {
            return Ok(Some(At(*at)));
        }
        let sql =
            "SELECT id, head FROM channels WHERE realm = ?1 AND tenant = ?2 AND kind = ?3 AND name = ?4";
        let mut find = conn.prepare_cached(sql)?;
        let known = find.query_row(params![owner.realm, owner.tenant, owner.kind, owner.name], |row| {
            Ok(Known { channel: row.get(0)?, head: row.get(1)? })
        });
        Ok(known.optional()?.map(|known| self.know(known)))
    }

    /// Where a channel is, which is made if it is not there.
    pub fn find_or_make(&mut self, conn: &Connection, owner: &Owner) -> rusqlite::Result<At> {
        if let Some(at) = self.find(conn, owner)? {
            return Ok(at);
        }
        let sql = "INSERT INTO channels (realm, tenant, kind, name) VALUES (?1, ?2, ?3, ?4)";
        let values = params![owner.realm, owner.tenant, owner.kind, owner.name];
        let channel = conn.prepare_cached(sql)?.insert(values)?;
        self.made.push(self.key.as_slice().into());
        Ok(self.know(Known { channel, head: 0 }))
    }

    /// The channel's number.
    pub fn channel(&self, at: At) -> i64 {
        self.known[at.0].channel
    }

    /// The next number of a channel.
    pub fn next(&self, at: At) -> i64 {
        self.known[at.0].head + 1
    }

    /// That number was given out for something that is not kept.
    pub fn number(&mut self, at: At) {
        self.known[at.0].head += 1;
        self.given.push(at.0);
    }

    /// The channel's next number has that row.
    pub fn append(&mut self, at: At, entry: i64, what: u8, id: Option<Id>, bytes: usize) {
        self.number(at);
        let Known { channel, head: seq } = self.known[at.0];
        self.tail.push(Unplaced { channel, entry, seq, what, id, bytes });
        self.bytes += bytes;
    }

    /// A row has another kind and size; whether it has no place yet.
    pub fn change(&mut self, entry: i64, change: impl FnOnce(&mut Unplaced)) -> bool {
        let Ok(at) = self.tail.binary_search_by_key(&entry, |row| row.entry) else { return false };
        let row = &mut self.tail[at];
        self.changed.push((at, *row));
        change(row);
        true
    }

    /// Rows without a place, in the order of the log.
    pub fn tail(&self) -> &[Unplaced] {
        &self.tail
    }

    /// Bytes of their texts and data, as they were said.
    pub fn tail_bytes(&self) -> usize {
        self.bytes
    }

    /// All rows have their places.
    pub fn placed(&mut self) {
        self.tail.clear();
        self.bytes = 0;
        self.mark();
        if self.known.len() > KNOWN_MAX {
            self.places.clear();
            self.known.clear();
        }
    }

    /// Whether more channels are known than should be.
    pub fn is_full(&self) -> bool {
        self.known.len() > 2 * KNOWN_MAX
    }

    /// Nothing before this moment is taken back alone.
    pub fn mark(&mut self) -> Mark {
        self.made.clear();
        self.given.clear();
        self.changed.clear();
        Mark { tail: self.tail.len(), bytes: self.bytes }
    }

    /// Takes back all that came after the last mark, which is that one.
    pub fn rewind(&mut self, mark: Mark) {
        for at in self.given.drain(..) {
            self.known[at].head -= 1;
        }
        for (at, before) in self.changed.drain(..).rev() {
            self.tail[at] = before;
        }
        self.tail.truncate(mark.tail);
        self.bytes = mark.bytes;
        for key in self.made.drain(..) {
            self.places.remove(&key);
        }
    }

    fn know(&mut self, known: Known) -> At {
        let at = self.known.len();
        self.known.push(known);
        self.places.insert(self.key.as_slice().into(), at);
        At(at)
    }

    /// The names of an owner as one; no two owners have the same.
    fn seek(&mut self, owner: &Owner) {
        self.key.clear();
        self.key.push(owner.kind);
        for part in [owner.realm, owner.tenant] {
            self.key.extend((part.len() as u64).to_le_bytes());
            self.key.extend(part.as_bytes());
        }
        self.key.extend(owner.name.as_bytes());
    }
}
