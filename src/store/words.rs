//! The index of words: filled behind the log, in small steps, and kept right by edits and deletions.
//!
//! Invariant: of the rows up to `indexed`, exactly the messages that are there are in the index, with the text they
//! have now; of the rows behind it, none. That holds with search off too, when it only stays where it is.

use rusqlite::params;

use super::StoreError;
use super::rows::what;
use super::sqlite::{Sqlite, set_meta};

/// Rows of one step: some milliseconds, for which requests wait.
const STEP: i64 = 150;

impl Sqlite {
    /// One step; whether there is more.
    pub(super) fn index_step(&mut self) -> Result<bool, StoreError> {
        self.mend()?;
        if !self.search || !self.has_unindexed()? {
            return Ok(false);
        }
        let (last, rows) = self.quietly(|store| store.index_rows())?;
        self.indexed = last;
        Ok(rows == STEP)
    }

    fn has_unindexed(&self) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM log WHERE entry > ?1)";
        Ok(self.cached(sql)?.query_row([self.indexed], |row| row.get(0))?)
    }

    fn index_rows(&self) -> Result<(i64, i64), StoreError> {
        let (mut last, mut count) = (self.indexed, 0);
        let sql = "SELECT entry, channel, what, text FROM log WHERE entry > ?1 ORDER BY entry LIMIT ?2";
        let mut select = self.cached(sql)?;
        let mut rows = select.query([last, STEP])?;
        while let Some(row) = rows.next()? {
            last = row.get(0)?;
            count += 1;
            let text = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
            if what::is_message(row.get(2)?) && !text.is_empty() {
                self.cached("INSERT INTO words (rowid, place, text) VALUES (?1, ?2, ?3)")?
                    .execute(params![last, format!("c{}", row.get::<_, i64>(1)?), text])?;
            }
        }
        set_meta(&self.conn, "indexed", last)?;
        Ok((last, count))
    }

    /// That row has these words, and no others.
    pub(super) fn learn(&self, entry: i64, channel: i64, text: &str) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO words (rowid, place, text) VALUES (?1, ?2, ?3)";
        self.cached(sql)?.execute(params![entry, format!("c{channel}"), text])?;
        Ok(())
    }

    /// That row has no words.
    pub(super) fn unlearn(&self, entry: i64) -> rusqlite::Result<()> {
        if entry <= self.indexed {
            self.cached("DELETE FROM words WHERE rowid = ?1")?.execute([entry])?;
        }
        Ok(())
    }
}
