//! The tables, and the way to them from those of older versions.
//!
//! Invariants: a number of a channel is given out once and its row, while it is kept, is the only one with it; a
//! channel's row is never deleted, so that its numbers never begin anew (about 100 bytes for each channel that ever
//! said something); `entry` rises over the whole log, so the lowest is the oldest; rows behind `placed` are counted
//! nowhere but in the log itself, which is right about them.

use std::path::Path;

use rusqlite::Connection;

use super::StoreError;

/// In the header of every store's file: no other program's database is taken for one.
const APPLICATION: i64 = 0x4c61_6e65;

/// What leads from each version to the next, from an empty file on.
const STEPS: &[&str] = &[V1];

/// The version of the tables that this build knows.
pub const VERSION: i64 = STEPS.len() as i64;

const V1: &str = "
-- Numbers about the whole: epoch, commits, indexed (the last entry that can be searched), placed (the last entry that
-- place and channels know of), boot.
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('commits', 0), ('indexed', 0), ('placed', 0);

-- Owners. head: the last number given out; oldest: from it on all rows are there; kept, bytes: rows in the log. All of
-- them without the rows behind placed.
CREATE TABLE channels (
    id INTEGER PRIMARY KEY,
    realm TEXT NOT NULL, tenant TEXT NOT NULL, kind INTEGER NOT NULL, name TEXT NOT NULL,
    head INTEGER NOT NULL DEFAULT 0,
    oldest INTEGER NOT NULL DEFAULT 1,
    kept INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (realm, tenant, kind, name)
);

CREATE TABLE log (
    entry INTEGER PRIMARY KEY,
    channel INTEGER NOT NULL REFERENCES channels (id),
    seq INTEGER NOT NULL,
    what INTEGER NOT NULL,
    id BLOB, sender TEXT, peer TEXT,
    at_ms INTEGER NOT NULL,
    text TEXT NOT NULL,
    body BLOB NOT NULL,
    request TEXT
);
CREATE INDEX log_request ON log (channel, request) WHERE request IS NOT NULL;

-- Where the rows up to placed are. An index would be written by every commit, a page for each channel. Looking back for
-- a message touches nothing but this table. One by the ids, which are random, would be written all over.
CREATE TABLE place (
    channel INTEGER NOT NULL REFERENCES channels (id),
    seq INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    what INTEGER NOT NULL,
    id BLOB,
    PRIMARY KEY (channel, seq)
) WITHOUT ROWID;

CREATE TABLE receipts (
    channel INTEGER NOT NULL REFERENCES channels (id),
    user TEXT NOT NULL,
    seq INTEGER NOT NULL, id BLOB NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (channel, user)
) WITHOUT ROWID;

CREATE TABLE queue (
    item INTEGER PRIMARY KEY,
    channel INTEGER NOT NULL REFERENCES channels (id),
    name BLOB NOT NULL,
    seq INTEGER NOT NULL, transit INTEGER NOT NULL, priority INTEGER NOT NULL, since_ms INTEGER NOT NULL,
    what INTEGER NOT NULL,
    id BLOB, sender TEXT, peer TEXT,
    at_ms INTEGER NOT NULL,
    text TEXT NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (channel, name)
);
CREATE INDEX queue_since ON queue (since_ms);

CREATE TABLE facts (
    channel INTEGER NOT NULL REFERENCES channels (id),
    kind INTEGER NOT NULL,
    key TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (channel, kind, key)
) WITHOUT ROWID;

-- Who is one of a conversation is known by the users.
CREATE INDEX facts_key ON facts (kind, key);

-- The words of messages; place is the channel as one word, so that a search reads what is its own.
CREATE VIRTUAL TABLE words USING fts5 (place, text, content = '', contentless_delete = 1);
";

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    New,
    Store { version: i64 },
}

fn identity(conn: &Connection, path: &Path) -> Result<Identity, StoreError> {
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    let read = || -> rusqlite::Result<_> {
        let application = number("PRAGMA application_id")?;
        let version = number("PRAGMA user_version")?;
        Ok((application, version, number("SELECT count(*) FROM sqlite_schema")?))
    };
    let foreign = |why: &str| StoreError::Foreign { path: path.to_owned(), why: why.to_owned() };
    let (application, version, objects) = read()?;
    match (application, version, objects) {
        (0, 0, 0) => Ok(Identity::New),
        (APPLICATION, 1.., _) => Ok(Identity::Store { version }),
        (APPLICATION, ..) => Err(foreign("its version is missing")),
        _ => Err(foreign("it is another program's database")),
    }
}

/// Says whether the file is a store of this very version, and changes nothing.
pub fn expect(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    match identity(conn, path)? {
        Identity::Store { version } if version == VERSION => Ok(()),
        Identity::Store { version } if version > VERSION => Err(newer(path, version, VERSION)),
        Identity::Store { .. } => {
            let why = "its version is older; a start of the server brings it up to date".into();
            Err(StoreError::Foreign { path: path.to_owned(), why })
        }
        Identity::New => Err(StoreError::Foreign { path: path.to_owned(), why: "it is empty".into() }),
    }
}

/// Makes the tables, or brings them up to date; all steps or none.
pub fn prepare(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    walk(conn, path, STEPS)
}

fn newer(path: &Path, found: i64, known: i64) -> StoreError {
    StoreError::Newer { path: path.to_owned(), found, known }
}

fn walk(conn: &Connection, path: &Path, steps: &[&str]) -> Result<(), StoreError> {
    let known = steps.len() as i64;
    let from = match identity(conn, path)? {
        Identity::New => 0,
        Identity::Store { version } if version > known => return Err(newer(path, version, known)),
        Identity::Store { version } => version,
    };
    if from == known {
        return Ok(());
    }
    let tx = rusqlite::Transaction::new_unchecked(conn, rusqlite::TransactionBehavior::Immediate)?;
    for step in &steps[from as usize..] {
        tx.execute_batch(step)?;
    }
    tx.execute_batch(&format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {known};"))?;
    tx.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> &'static Path {
        Path::new("x.db")
    }

    fn version(conn: &Connection) -> i64 {
        conn.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("a header")
    }

    #[test]
    fn an_empty_file_becomes_a_store_and_stays_one() {
        let conn = Connection::open_in_memory().expect("memory");
        assert!(matches!(expect(&conn, path()), Err(StoreError::Foreign { .. })));
        prepare(&conn, path()).expect("new");
        prepare(&conn, path()).expect("again");
        expect(&conn, path()).expect("it is one");
        assert_eq!(version(&conn), VERSION);
    }

    #[test]
    fn an_older_version_is_brought_up_to_date_with_its_rows() {
        let conn = Connection::open_in_memory().expect("memory");
        walk(&conn, path(), &[V1]).expect("version 1");
        let rows =
            "INSERT INTO channels (realm, tenant, kind, name, head, kept) VALUES ('r', 't', 0, 'n', 7, 1);
             INSERT INTO log VALUES (1, 1, 7, 1, x'00', 'ann', NULL, 5, 'hello', x'01', NULL);";
        conn.execute_batch(rows).expect("rows of version 1");
        let next = "ALTER TABLE channels ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey'";
        let then = "UPDATE channels SET colour = 'blue' WHERE head = 7";
        walk(&conn, path(), &[V1, next, then]).expect("version 3");
        assert_eq!(version(&conn), 3);
        let sql = "SELECT colour, text FROM channels JOIN log ON log.channel = channels.id";
        let read = conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
        assert_eq!(read.expect("a row"), ("blue".to_owned(), "hello".to_owned()));
        let found = walk(&conn, path(), &[V1]).expect_err("an older build refuses it").to_string();
        assert!(found.contains("newer lanecast") && found.contains("version 3"), "{found}");
        assert!(expect(&conn, path()).is_err_and(|error| error.to_string().contains("newer")));
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_before() {
        let conn = Connection::open_in_memory().expect("memory");
        walk(&conn, path(), &[V1]).expect("version 1");
        let steps = [V1, "CREATE TABLE half (x)", "CREATE TABLE half (x)"];
        assert!(walk(&conn, path(), &steps).is_err());
        assert_eq!(version(&conn), 1);
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'half'";
        assert_eq!(conn.query_row(tables, [], |row| row.get::<_, i64>(0)), Ok(0));
    }

    #[test]
    fn another_programs_database_is_left_alone() {
        let conn = Connection::open_in_memory().expect("memory");
        conn.execute_batch("CREATE TABLE theirs (x)").expect("a table");
        let refusal = prepare(&conn, path()).expect_err("not ours").to_string();
        assert!(refusal.contains("x.db is no store") && refusal.contains("another program"), "{refusal}");
        let objects = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
        assert_eq!(objects, Ok(1));
    }
}
