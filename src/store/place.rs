//! Where rows are found by their numbers: a table that is filled behind the log, for many commits at once.
//!
//! A commit only writes at the end of the log, so that it changes few pages, however many channels it is about. What
//! is kept by channel (the table `place`, and the heads and sums in `channels`) follows in bulk. Invariant: of the
//! rows up to `placed`, exactly those that are there are in `place` and in the sums; of the rows behind it, none.
//! Whoever asks looks into `place` and then at the tail.

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
    fn place_rows(&self, last: i64) -> Result<Vec<i64>, StoreError> {
        let sql = "INSERT INTO place (channel, seq, entry, what, id)
                   SELECT channel, seq, entry, what, id FROM log WHERE entry > ?1 ORDER BY channel, seq";
        self.cached(sql)?.execute([self.placed])?;
        let sql = "UPDATE channels SET head = max(head, top), kept = kept + more, bytes = bytes + size
                   FROM (SELECT channel, max(seq) AS top, count(*) AS more,
                                sum(octet_length(text) + octet_length(body)) AS size
                         FROM log WHERE entry > ?1 GROUP BY channel)
                   WHERE id = channel RETURNING id, kept, bytes";
        let mut over = Vec::new();
        let mut update = self.cached(sql)?;
        let mut rows = update.query([self.placed])?;
        while let Some(row) = rows.next()? {
            if self.history.is_over(row.get(1)?, row.get(2)?) {
                over.push(row.get(0)?);
            }
        }
        set_meta(&self.conn, "placed", last)?;
        Ok(over)
    }
}
