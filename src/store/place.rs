//! Where rows are found by their numbers: a table that is filled behind the log, for many commits at once.
//!
//! A commit only writes at the end of the log, so that it changes few pages, however many channels it is about. What
//! is kept by channel (the table `place`, and the heads and sums in `channels`) follows in bulk. Invariant: of the
//! rows up to `placed`, exactly those that are there are in `place` and in the sums; of the rows behind it, none.
//! Whoever asks looks into `place` and then at the tail.

use rusqlite::params;

use super::StoreError;
use super::sqlite::{Sqlite, set_meta};

/// Rows of the tail before they get their places with the next commit, at the latest. More would share more pages,
/// and cost whoever reads a channel, who looks at each of them.
const TAIL_ROWS: usize = 4096;
/// And bytes of texts and data.
const TAIL_BYTES: usize = 4 << 20;

impl Sqlite {
    /// Whether the tail has become as long as it may.
    pub(super) fn has_long_tail(&self) -> bool {
        self.heads.tail().len() >= TAIL_ROWS || self.heads.tail_bytes() >= TAIL_BYTES || self.heads.is_full()
    }

    /// Gives all rows their places. Without any there is no commit.
    pub(super) fn place_all(&mut self) -> Result<(), StoreError> {
        self.mend()?;
        if let Some(last) = self.heads.tail().last().map(|row| row.entry) {
            let over = self.quietly(|store| store.place_rows(last))?;
            self.placed = last;
            self.over.extend(over);
        }
        self.heads.placed();
        Ok(())
    }

    /// The channels that have more than they should afterwards.
    pub(super) fn place_rows(&self, last: i64) -> Result<Vec<i64>, StoreError> {
        let mut rows = self.heads.tail().to_vec();
        rows.sort_unstable_by_key(|row| (row.channel, row.seq));
        // An error takes all of it back anyway; `OR FAIL` spares SQLite the way back from one statement.
        let sql = "INSERT OR FAIL INTO place (channel, seq, entry, what, id) VALUES (?1, ?2, ?3, ?4, ?5)";
        let mut insert = self.cached(sql)?;
        let sql = "UPDATE OR FAIL channels SET head = max(head, ?2), kept = kept + ?3, bytes = bytes + ?4
                   WHERE id = ?1 RETURNING kept, bytes";
        let mut update = self.cached(sql)?;
        let mut over = Vec::new();
        for run in rows.chunk_by(|one, next| one.channel == next.channel) {
            for row in run {
                insert.execute(params![row.channel, row.seq, row.entry, row.what, row.id])?;
            }
            let (channel, top) = run.last().map_or((0, 0), |row| (row.channel, row.seq));
            let bytes: usize = run.iter().map(|row| row.bytes).sum();
            let values = [channel, top, run.len() as i64, bytes as i64];
            let (kept, bytes) = update.query_row(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
            if self.history.is_over(kept, bytes) {
                over.push(channel);
            }
        }
        set_meta(&self.conn, "placed", last)?;
        Ok(over)
    }
}
