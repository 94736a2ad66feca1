//! What is asked of the database: each question as SQL, on whichever connection.

use std::ops::ControlFlow;
use std::path::Path;

use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row as SqlRow, ToSql, params};

use super::heads::Unplaced;
use super::rows::{Hit, Id, Item, KeptRow, LogAsk, LogPage, Owner, ReceiptRow, Row, Visitor, what};
use super::{StoreError, schema};

/// Statements that a connection keeps ready; there are fewer.
const STATEMENTS: usize = 64;
/// Words of one search; more are not looked at.
const WORDS_MAX: usize = 32;

/// A connection that changes nothing, whoever else has the file open.
pub fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    let open = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags)?;
        tune(&conn)?;
        schema::expect(&conn, path)?;
        Ok(conn)
    };
    open().map_err(|error: StoreError| error.opening(path))
}

/// What every connection is told.
pub fn tune(conn: &Connection) -> Result<(), StoreError> {
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // Nobody but a checkpoint of another process is ever waited for.
    conn.busy_timeout(std::time::Duration::from_secs(5))?;
    // 16 MiB of pages; the kernel's cache has the rest.
    conn.execute_batch(
        "PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF",
    )?;
    Ok(())
}

/// The columns of a [`Row`] in the order in which [`row_at`] reads them.
pub const ROW: &str = "log.what, log.id, sender, peer, at_ms, text, body";

/// Reads a [`Row`] from the column `at` on.
pub fn row_at(row: &SqlRow, at: usize) -> rusqlite::Result<Row<'static>> {
    Ok(Row {
        what: row.get(at)?,
        id: id_at(row, at + 1)?,
        sender: row.get::<_, Option<String>>(at + 2)?.map(Into::into),
        peer: row.get::<_, Option<String>>(at + 3)?.map(Into::into),
        at_ms: row.get::<_, i64>(at + 4)?.cast_unsigned(),
        text: row.get::<_, String>(at + 5)?.into(),
        body: row.get::<_, Vec<u8>>(at + 6)?.into(),
    })
}

/// Reads an id, if there is one.
pub fn id_at(row: &SqlRow, at: usize) -> rusqlite::Result<Option<Id>> {
    let garbled =
        |error: FromSqlError| rusqlite::Error::FromSqlConversionFailure(at, Type::Blob, error.into());
    let bytes = row.get_ref(at)?.as_blob_or_null().map_err(garbled)?;
    let sized = |bytes: &[u8]| Id::try_from(bytes).map_err(|_| garbled(FromSqlError::InvalidType));
    bytes.map(sized).transpose()
}

/// A number as SQLite has it; what is beyond its range stays beyond all that is stored.
pub fn capped(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn capped_size(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The number of an owner's channel.
pub fn channel(conn: &Connection, owner: &Owner) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT id FROM channels WHERE realm = ?1 AND tenant = ?2 AND kind = ?3 AND name = ?4";
    let mut find = conn.prepare_cached(sql)?;
    find.query_row(params![owner.realm, owner.tenant, owner.kind, owner.name], |row| row.get(0)).optional()
}

/// As [`Store::log`](super::rows::Store::log).
pub fn log(conn: &Connection, ask: &LogAsk) -> Result<LogPage, StoreError> {
    // One view of the file for both questions.
    let view = conn.unchecked_transaction()?;
    let page = page(&view, ask)?;
    view.commit()?;
    Ok(page)
}

fn page(conn: &Connection, ask: &LogAsk) -> Result<LogPage, StoreError> {
    let Some(channel) = channel(conn, &ask.owner)? else {
        return Ok(LogPage { first: 1, ..LogPage::default() });
    };
    let mut bounds = conn.prepare_cached(
        "SELECT head, oldest, kept, (SELECT value FROM meta WHERE key = 'placed') FROM channels WHERE id = ?1",
    )?;
    let (head, oldest, kept, placed): (i64, i64, i64, i64) =
        bounds.query_row([channel], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    // What has no place yet follows on what has one.
    let tail = "SELECT count(*), max(seq) FROM log WHERE entry > ?1 AND channel = ?2";
    let (more, last): (i64, Option<i64>) =
        conn.prepare_cached(tail)?.query_row([placed, channel], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let head = last.unwrap_or(head).max(head);
    let first = if kept + more == 0 { head + 1 } else { oldest };
    let mut page = LogPage { head: head.cast_unsigned(), first: first.cast_unsigned(), ..LogPage::default() };
    if ask.limit == 0 {
        return Ok(page);
    }
    let mut bytes = 0;
    fill(conn, &mut page, &mut bytes, ask, channel, None)?;
    if more > 0 && !page.more {
        fill(conn, &mut page, &mut bytes, ask, channel, Some(placed))?;
    }
    Ok(page)
}

/// Takes rows into a page until it is full: those that have a place, or those behind `tail`.
fn fill(
    conn: &Connection,
    page: &mut LogPage,
    bytes: &mut usize,
    ask: &LogAsk,
    channel: i64,
    tail: Option<i64>,
) -> rusqlite::Result<()> {
    let which = match (ask.peer, ask.messages) {
        (Some(_), _) => "log.what = 2 AND peer = ?4",
        (None, true) => "log.what IN (1, 2)",
        (None, false) => "log.what <> 0",
    };
    let from = match tail {
        None => "place CROSS JOIN log ON log.entry = place.entry WHERE place.channel = ?1 AND place.seq > ?2",
        Some(_) => "log WHERE log.entry > ?5 AND log.channel = ?1 AND log.seq > ?2",
    };
    let order = if tail.is_none() { "place.seq" } else { "log.entry" };
    let sql = format!("SELECT log.seq, {ROW} FROM {from} AND {which} ORDER BY {order} LIMIT ?3");
    let mut select = conn.prepare_cached(&sql)?;
    let most = capped_size(ask.limit.saturating_sub(page.rows.len())).saturating_add(1);
    let values: [&dyn ToSql; 5] = [&channel, &capped(ask.after), &most, &ask.peer, &tail];
    for (at, value) in (1..=select.parameter_count()).zip(values) {
        select.raw_bind_parameter(at, value)?;
    }
    let mut rows = select.raw_query();
    while let Some(found) = rows.next()? {
        let row = row_at(found, 1)?;
        *bytes = bytes.saturating_add(row.bytes());
        if page.rows.len() == ask.limit || (!page.rows.is_empty() && *bytes > ask.bytes) {
            page.more = true;
            break;
        }
        page.rows.push((found.get::<_, i64>(0)?.cast_unsigned(), row));
    }
    Ok(())
}

/// What FTS5 is asked: messages in one of the places with all of the words. The user's words are quoted, so that
/// nothing of them is an operator. `None`: there is nothing that could be found.
fn expression(places: &[i64], words: &str) -> Option<String> {
    let quoted = |word: &str| format!("\"{}\"", word.replace('"', "\"\""));
    let words: Vec<String> = words
        .split(|c: char| c.is_whitespace() || c == '\0')
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .take(WORDS_MAX)
        .map(quoted)
        .collect();
    if places.is_empty() || words.is_empty() {
        return None;
    }
    let places: Vec<String> = places.iter().map(|place| format!("c{place}")).collect();
    Some(format!("{{place}} : ({}) AND {{text}} : ({})", places.join(" OR "), words.join(" AND ")))
}

/// As [`Store::search`](super::rows::Store::search).
pub fn search(
    conn: &Connection,
    owners: &[Owner],
    words: &str,
    limit: usize,
) -> Result<Vec<Hit>, StoreError> {
    let view = conn.unchecked_transaction()?;
    let mut places = Vec::with_capacity(owners.len());
    for owner in owners {
        places.push(channel(&view, owner)?);
    }
    let known: Vec<i64> = places.iter().flatten().copied().collect();
    let mut hits = Vec::new();
    if let Some(expression) = expression(&known, words) {
        let sql = format!(
            "SELECT channel, seq, {ROW} FROM (SELECT rowid AS found FROM words WHERE words MATCH ?1 ORDER BY rowid DESC)
             JOIN log ON entry = found WHERE log.what IN (1, 2) ORDER BY found DESC LIMIT ?2"
        );
        let mut select = view.prepare_cached(&sql)?;
        let mut rows = select.query(params![expression, capped_size(limit)])?;
        while let Some(found) = rows.next()? {
            let place: i64 = found.get(0)?;
            let Some(owner) = places.iter().position(|known| *known == Some(place)) else { continue };
            hits.push(Hit { owner, seq: found.get::<_, i64>(1)?.cast_unsigned(), row: row_at(found, 2)? });
        }
    }
    view.commit()?;
    Ok(hits)
}

/// As [`Store::receipts`](super::rows::Store::receipts).
pub fn receipts(conn: &Connection, owner: &Owner) -> Result<Vec<ReceiptRow>, StoreError> {
    let Some(channel) = channel(conn, owner)? else { return Ok(Vec::new()) };
    let sql = "SELECT user, seq, id, at_ms FROM receipts WHERE channel = ?1 ORDER BY user";
    let mut select = conn.prepare_cached(sql)?;
    let rows = select.query_map([channel], |row| {
        Ok(ReceiptRow {
            user: row.get(0)?,
            seq: row.get::<_, i64>(1)?.cast_unsigned(),
            id: id_at(row, 2)?.unwrap_or_default(),
            at_ms: row.get::<_, i64>(3)?.cast_unsigned(),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What is known of an owner: rows of its own.
pub fn facts(conn: &Connection, owner: &Owner) -> Result<Vec<KeptRow>, StoreError> {
    let Some(channel) = channel(conn, owner)? else { return Ok(Vec::new()) };
    let sql = "SELECT kind, key, bytes FROM facts WHERE channel = ?1 ORDER BY kind, key";
    let mut select = conn.prepare_cached(sql)?;
    let rows = select.query_map([channel], |row| {
        Ok(KeptRow::Fact { kind: row.get(0)?, key: row.get(1)?, bytes: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The names of the owners of one kind, of the realm and tenant of `owner`, who have a fact of that kind and key.
pub fn who_has(
    conn: &Connection,
    owner: &Owner,
    of_kind: u8,
    fact: u8,
    key: &str,
    max: usize,
) -> Result<Vec<Box<str>>, StoreError> {
    let sql = "SELECT name FROM facts JOIN channels ON channels.id = channel
               WHERE facts.kind = ?1 AND key = ?2 AND realm = ?3 AND tenant = ?4 AND channels.kind = ?5
               ORDER BY channel LIMIT ?6";
    let mut select = conn.prepare_cached(sql)?;
    let values = params![fact, key, owner.realm, owner.tenant, of_kind, capped_size(max)];
    let rows = select.query_map(values, |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// As [`Store::snapshot`](super::rows::Store::snapshot).
pub fn snapshot(conn: &Connection, each: &mut Visitor) -> Result<(), StoreError> {
    let view = conn.unchecked_transaction()?;
    visit(&view, each)
}

/// The same within a view that somebody else has.
pub fn visit(view: &Connection, each: &mut Visitor) -> Result<(), StoreError> {
    let sql = "SELECT realm, tenant, channels.kind, name, facts.kind, key, facts.bytes
               FROM facts JOIN channels ON channels.id = channel ORDER BY channel, facts.kind, key";
    let mut select = view.prepare(sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let fact = KeptRow::Fact { kind: row.get(4)?, key: row.get(5)?, bytes: row.get(6)? };
        with_owner(row, |owner| each(owner, fact))?;
    }
    let sql = format!(
        "SELECT realm, tenant, kind, owner, name, seq, transit, priority, since_ms, {ROW} FROM queue AS log
         JOIN (SELECT id AS place, realm, tenant, kind, name AS owner FROM channels) ON place = channel
         ORDER BY channel, item"
    );
    let mut select = view.prepare(&sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let item = item_at(row, 4)?;
        with_owner(row, |owner| each(owner, KeptRow::Item(item)))?;
    }
    Ok(())
}

/// Reads an [`Item`] from the column `at` on.
pub fn item_at(row: &SqlRow, at: usize) -> rusqlite::Result<Item<'static>> {
    Ok(Item {
        id: id_at(row, at)?.unwrap_or_default(),
        seq: row.get::<_, i64>(at + 1)?.cast_unsigned(),
        transit: row.get(at + 2)?,
        priority: row.get(at + 3)?,
        since_ms: row.get::<_, i64>(at + 4)?.cast_unsigned(),
        row: row_at(row, at + 5)?,
    })
}

fn with_owner<T>(row: &SqlRow, then: impl FnOnce(Owner) -> Result<T, StoreError>) -> Result<T, StoreError> {
    let text = |at| row.get_ref(at)?.as_str().map_err(rusqlite::Error::from);
    let kind = row.get(2)?;
    then(Owner { realm: text(0)?, tenant: text(1)?, kind, name: text(3)? })
}

/// A message among the newest of a channel.
#[derive(Debug)]
pub struct Sought {
    pub entry: i64,
    pub seq: i64,
    /// Later rows that gave it another text.
    pub edits: Vec<(i64, i64)>,
}

/// Rows looked at for each message that is allowed to be looked at: most of what follows messages is about them.
pub const ROWS_PER_MESSAGE: usize = 16;

/// Looks back for a message among the newest `amendable` ones, and among sixteen times as many rows: first among those
/// of the tail, then among those that have a place.
pub fn seek(
    conn: &Connection,
    tail: &[Unplaced],
    channel: i64,
    id: &Id,
    amendable: usize,
) -> rusqlite::Result<Option<Sought>> {
    let mut look = Look { messages: amendable, edits: Vec::new() };
    let mut left = amendable.saturating_mul(ROWS_PER_MESSAGE);
    for row in tail.iter().rev().filter(|row| row.channel == channel).take(left) {
        left -= 1;
        let is_it = row.id.as_ref() == Some(id);
        if let ControlFlow::Break(end) = look.at(row.entry, row.seq, row.what, is_it) {
            return Ok(end);
        }
    }
    let sql = "SELECT entry, seq, what, id FROM place WHERE channel = ?1 ORDER BY seq DESC LIMIT ?2";
    let mut select = conn.prepare_cached(sql)?;
    let mut rows = select.query(params![channel, capped_size(left)])?;
    while let Some(row) = rows.next()? {
        let is_it = row.get_ref(3)?.as_blob().is_ok_and(|found| found == id);
        if let ControlFlow::Break(end) = look.at(row.get(0)?, row.get(1)?, row.get(2)?, is_it) {
            return Ok(end);
        }
    }
    Ok(None)
}

/// A look back, row by row.
struct Look {
    /// Messages that may still be looked at.
    messages: usize,
    edits: Vec<(i64, i64)>,
}

impl Look {
    /// The next row; whether the look ends with it, and how.
    fn at(&mut self, entry: i64, seq: i64, kind: u8, is_it: bool) -> ControlFlow<Option<Sought>> {
        if what::is_message(kind) {
            if is_it {
                return ControlFlow::Break(Some(Sought {
                    entry,
                    seq,
                    edits: std::mem::take(&mut self.edits),
                }));
            }
            self.messages = self.messages.saturating_sub(1);
            if self.messages == 0 {
                return ControlFlow::Break(None);
            }
        } else if is_it && kind == what::EDITED {
            self.edits.push((entry, seq));
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_user_are_never_operators() {
        let asked = expression(&[3, 4], "a\"b OR NEAR(x) *  -- text:c \0").expect("words");
        let want = "{place} : (c3 OR c4) AND {text} : (\"a\"\"b\" AND \"OR\" AND \"NEAR(x)\" AND \"text:c\")";
        assert_eq!(asked, want);
        assert_eq!(expression(&[3], " * \"\" -- "), None);
        assert_eq!(expression(&[], "word"), None);
        let many = "w ".repeat(1000);
        assert_eq!(expression(&[1], &many).expect("words").matches("\"w\"").count(), WORDS_MAX);
    }
}
