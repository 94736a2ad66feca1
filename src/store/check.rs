//! Whether a store is in order, down to every row; while a server runs or not.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::rows::{Owner, what};
use super::{StoreError, codec, folder, reading};

/// Complaints that are listed; the rest is counted.
const LISTED: usize = 100;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Rows that were looked at: of the log, of what waits, and of what is known.
    pub rows: u64,
    /// What the store takes on disk.
    pub bytes: u64,
    pub took: Duration,
    /// What is wrong, a line each.
    pub wrong: Vec<String>,
    /// How much more is wrong.
    pub unlisted: u64,
}

impl CheckReport {
    pub fn is_fine(&self) -> bool {
        self.wrong.is_empty()
    }

    fn complain(&mut self, what: impl FnOnce() -> String) {
        if self.wrong.len() < LISTED {
            self.wrong.push(what());
        } else {
            self.unlisted += 1;
        }
    }

    /// A question that could not be answered to its end is wrong too.
    fn note(&mut self, about: &str, result: Result<(), StoreError>) {
        if let Err(error) = result {
            self.complain(|| format!("{about}: {error}"));
        }
    }
}

/// Looks at everything. Nothing is changed, and a server that runs goes on.
///
/// # Errors
/// There is no store, or one of another version, or it cannot be read at all.
pub fn check(folder: &Path) -> Result<CheckReport, StoreError> {
    let begun = Instant::now();
    let path = folder::database(folder);
    std::fs::metadata(&path).map_err(StoreError::io(&path))?;
    let conn = reading::open_read_only(&path)?;
    let view = conn.unchecked_transaction()?;
    let mut report = CheckReport { bytes: folder::disk_bytes(&path), ..CheckReport::default() };
    let result = pages(&view, &mut report);
    report.note("pages", result);
    let result = references(&view, &mut report);
    report.note("references", result);
    for (sql, complaint) in NUMBERS {
        let result = numbers(&view, sql, complaint, &mut report);
        report.note(complaint, result);
    }
    let result = events(&view, &mut report);
    report.note("log", result);
    let result = kept(&view, &mut report);
    report.note("what waits and what is known", result);
    report.took = begun.elapsed();
    Ok(report)
}

fn pages(conn: &Connection, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut select = conn.prepare(&format!("PRAGMA integrity_check({LISTED})"))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let said: String = row.get(0)?;
        if said != "ok" {
            report.complain(|| said);
        }
    }
    Ok(())
}

fn references(conn: &Connection, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut select = conn.prepare("PRAGMA foreign_key_check")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (table, number): (String, Option<i64>) = (row.get(0)?, row.get(1)?);
        report.complain(|| format!("{table}: row {} belongs to no channel", number.unwrap_or_default()));
    }
    Ok(())
}

/// Questions that have no answer in a store that is in order: the channel's name and a number.
const NUMBERS: &[(&str, &str)] = &[
    (
        "SELECT name, max(seq) FROM log JOIN channels ON channels.id = channel
         WHERE entry <= (SELECT value FROM meta WHERE key = 'placed') GROUP BY channel HAVING max(seq) > head",
        "a number beyond the last one that was given out",
    ),
    (
        "SELECT name, min(seq) FROM log JOIN channels ON channels.id = channel
         WHERE entry > (SELECT value FROM meta WHERE key = 'placed') GROUP BY channel
         HAVING min(seq) <> head + 1 OR max(seq) <> head + count(*)",
        "a number behind the last one that has a place and not next to it",
    ),
    (
        "SELECT name, seq FROM log JOIN channels ON channels.id = log.channel LEFT JOIN place USING (channel, seq)
         WHERE log.entry <= (SELECT value FROM meta WHERE key = 'placed')
           AND (place.entry IS NOT log.entry OR place.what IS NOT log.what OR place.id IS NOT log.id)",
        "a row that is not in its place",
    ),
    (
        "SELECT name, place.seq FROM place JOIN channels ON channels.id = place.channel
         LEFT JOIN log ON log.entry = place.entry
         WHERE log.entry IS NULL OR log.channel <> place.channel OR log.seq <> place.seq
           OR log.entry > (SELECT value FROM meta WHERE key = 'placed')",
        "a place without its row",
    ),
    (
        "SELECT name, seq FROM log JOIN channels ON channels.id = channel GROUP BY channel, seq HAVING count(*) > 1",
        "a number that two rows have",
    ),
    (
        "SELECT name, min(seq) FROM log JOIN channels ON channels.id = channel WHERE request IS NOT NULL
         GROUP BY channel, request HAVING count(*) > 1",
        "a request that was done twice",
    ),
    (
        "SELECT name, kept FROM channels
         LEFT JOIN (SELECT channel, count(*) AS has, sum(octet_length(text) + octet_length(body)) AS size
                    FROM log WHERE entry <= (SELECT value FROM meta WHERE key = 'placed')
                    GROUP BY channel) ON channel = channels.id
         WHERE kept <> coalesce(has, 0) OR bytes <> coalesce(size, 0)",
        "a count of rows or bytes that is not so",
    ),
    (
        "SELECT name, head FROM channels WHERE oldest < 1 OR oldest > head + 1 OR head < 0",
        "bounds that cannot be",
    ),
];

fn numbers(
    conn: &Connection,
    sql: &str,
    complaint: &str,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let mut select = conn.prepare(sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (name, number): (String, i64) = (row.get(0)?, row.get(1)?);
        report.complain(|| format!("channel {name:?}: {complaint}: {number}"));
    }
    Ok(())
}

fn events(conn: &Connection, report: &mut CheckReport) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT realm, tenant, kind, name, seq, {} FROM log
         JOIN (SELECT id AS place, realm, tenant, kind, name FROM channels) ON place = channel ORDER BY entry",
        reading::ROW
    );
    let mut select = conn.prepare(&sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        report.rows += 1;
        let seq: i64 = row.get(4)?;
        let (realm, tenant, name): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(3)?);
        let owner = Owner { realm: &realm, tenant: &tenant, kind: row.get(2)?, name: &name };
        let decoded = reading::row_at(row, 5).map_err(StoreError::from).and_then(|row| match row.what {
            what::GONE => Ok(()),
            _ => Ok(codec::event(&owner, &row).map(drop)?),
        });
        if let Err(error) = decoded {
            report.complain(|| format!("channel {name:?}: number {seq}: {error}"));
        }
    }
    Ok(())
}

fn kept(conn: &Connection, report: &mut CheckReport) -> Result<(), StoreError> {
    reading::visit(conn, &mut |owner, row| {
        report.rows += 1;
        if let Err(error) = codec::kept(&owner, &row) {
            report.complain(|| format!("channel {:?}: something kept for it: {error}", owner.name));
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::rows::{Change, Item, Row, Store};
    use super::super::scratch::Scratch;
    use super::super::sqlite::Sqlite;
    use super::*;

    fn filled(scratch: &Scratch) -> Sqlite {
        let mut store = Sqlite::open(&scratch.options()).expect("a store");
        let owner = Owner { realm: "sge", tenant: "t", kind: 0, name: "room" };
        let row = |id: u8| Row {
            what: 1,
            id: Some([id; 16]),
            sender: Some("ann".into()),
            peer: None,
            at_ms: 1,
            text: "hello".into(),
            body: b"\x01\x00\x00\x00\x00".as_slice().into(),
        };
        let append = |id| vec![Change::Append { owner, row: row(id), request: None }];
        let amend = vec![Change::Amend { owner, id: [1; 16], by: "ann", text: None }];
        let item = Item { id: [2; 16], seq: 2, transit: false, priority: 1, since_ms: 0, row: row(2) };
        let kept = vec![
            Change::Queue { owner, item },
            Change::Put { owner, kind: 2, key: "hall", bytes: b"\x01\x02\x04hall".to_vec() },
        ];
        store.commit(&[append(1), append(2), append(3), amend, kept]).expect("written");
        while store.index().expect("a step") {}
        store
    }

    #[test]
    fn a_store_in_order_is_fine_also_while_it_is_open() {
        let scratch = Scratch::new();
        let store = filled(&scratch);
        let report = check(scratch.path()).expect("it can be read");
        assert!(report.is_fine() && report.bytes > 0, "{report:?}");
        assert_eq!(report.rows, 5);
        let mut store = store;
        store.place().expect("placed");
        drop(store);
        assert!(check(scratch.path()).expect("it can be read").is_fine());
    }

    #[test]
    fn everything_that_is_wrong_is_found() {
        let wrong = [
            ("UPDATE log SET body = x'0100' WHERE seq = 2", "number 2: what is stored does not decode"),
            ("UPDATE log SET body = x'63' WHERE seq = 2", "format 99"),
            ("UPDATE log SET what = 77 WHERE seq = 2", "kind 77"),
            ("UPDATE log SET id = x'00' WHERE seq = 2", "number 2"),
            ("UPDATE log SET seq = 2 WHERE seq = 3", "two rows have"),
            ("UPDATE channels SET head = 2", "beyond the last one"),
            ("UPDATE channels SET kept = 9", "count of rows"),
            ("UPDATE channels SET oldest = 9", "bounds that cannot be"),
            ("UPDATE log SET request = 'r'", "done twice"),
            ("DELETE FROM place WHERE seq = 1", "not in its place"),
            ("UPDATE place SET entry = 3 WHERE seq = 2", "not in its place"),
            ("UPDATE place SET what = 2 WHERE seq = 2", "not in its place"),
            ("UPDATE place SET id = NULL WHERE seq = 2", "not in its place"),
            ("DELETE FROM log WHERE seq = 3", "a place without its row"),
            ("INSERT INTO place VALUES (1, 9, 9, 1, NULL)", "a place without its row"),
            ("INSERT INTO place VALUES (99, 9, 3, 1, NULL)", "belongs to no channel"),
            ("UPDATE meta SET value = 2 WHERE key = 'placed'", "a place without its row"),
            ("UPDATE meta SET value = 2 WHERE key = 'placed'", "not next to it"),
            ("INSERT INTO facts VALUES (99, 0, '', x'00')", "belongs to no channel"),
            ("UPDATE facts SET bytes = x'0102'", "something kept"),
            ("UPDATE queue SET body = x'01'", "something kept"),
            ("UPDATE queue SET name = x'05050505050505050505050505050505'", "something kept"),
            ("UPDATE queue SET priority = 9", "something kept"),
        ];
        for (sql, complaint) in wrong {
            let scratch = Scratch::new();
            let mut store = filled(&scratch);
            store.place().expect("placed");
            store.conn.execute_batch(sql).expect("it can be spoiled");
            let report = check(scratch.path()).expect("it can be read");
            assert!(report.wrong.iter().any(|line| line.contains(complaint)), "{sql}: {:?}", report.wrong);
        }
    }

    #[test]
    fn a_page_that_was_overwritten_is_found() {
        let scratch = Scratch::new();
        let mut store = filled(&scratch);
        store.finish().expect("in order");
        drop(store);
        let path = folder::database(scratch.path());
        let mut bytes = std::fs::read(&path).expect("a file");
        let root = bytes.len() - 4096;
        bytes[root..].fill(0x5a);
        std::fs::write(&path, bytes).expect("written");
        let report = check(scratch.path()).expect("its beginning can be read");
        assert!(!report.is_fine());
    }
}
