//! Throwing away, from the old end and in small steps, what is over the limits of retention.

use rusqlite::{OptionalExtension, params};

use super::StoreError;
use super::reading::capped;
use super::sqlite::Sqlite;

/// Rows that one step throws away at most: a few milliseconds.
const STEP: i64 = 500;
/// Of them, at least so many of a channel that has them.
const SHARE: i64 = 8;

/// A row at the old end.
struct Old {
    entry: i64,
    channel: i64,
    seq: i64,
    bytes: i64,
    at_ms: u64,
}

const OLD: &str = "log.entry, log.channel, log.seq, octet_length(text) + octet_length(body), at_ms";

fn old(row: &rusqlite::Row) -> rusqlite::Result<Old> {
    Ok(Old {
        entry: row.get(0)?,
        channel: row.get(1)?,
        seq: row.get(2)?,
        bytes: row.get(3)?,
        at_ms: row.get::<_, i64>(4)?.cast_unsigned(),
    })
}

impl Sqlite {
    /// One step; whether there is more. Without anything to throw away there is no commit.
    pub(super) fn trim_step(&mut self, now_ms: u64) -> Result<bool, StoreError> {
        self.mend()?;
        if !self.trimming {
            // Only what has its place is looked at, so that is what a round begins with.
            self.place_all()?;
        }
        self.trimming = false;
        if self.over.is_empty() && !self.is_aged(now_ms)? && !self.has_stale(now_ms)? {
            return Ok(false);
        }
        let over: Vec<i64> = self.over.iter().copied().collect();
        let mut settled = Vec::new();
        let left = self.quietly(|store| {
            let mut left = STEP;
            for (before, channel) in over.iter().enumerate() {
                // Rows of many channels lie beside each other: all channels get their share of a step, so that it
                // changes few pages.
                let share = (left / (over.len() - before) as i64).max(SHARE).min(left);
                let gone = store.trim_channel(*channel, share)?;
                left -= gone;
                if gone < share {
                    settled.push(*channel);
                }
                if left == 0 {
                    return Ok(0);
                }
            }
            left = store.trim_aged(now_ms, left)?;
            Ok(left - store.trim_stale(now_ms, left)?)
        })?;
        for channel in settled {
            self.over.remove(&channel);
        }
        self.trimming = left == 0 || !self.over.is_empty();
        Ok(self.trimming)
    }

    /// Trims one channel to its count and bytes, by so many rows at most; answers how many.
    fn trim_channel(&self, channel: i64, most: i64) -> Result<i64, StoreError> {
        let sql = "SELECT kept, bytes FROM channels WHERE id = ?1";
        let has = |row: &rusqlite::Row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        let Some((mut kept, mut bytes)) = self.cached(sql)?.query_row([channel], has).optional()? else {
            return Ok(0);
        };
        let sql = format!(
            "SELECT {OLD} FROM place CROSS JOIN log ON log.entry = place.entry
             WHERE place.channel = ?1 ORDER BY place.seq LIMIT ?2"
        );
        let mut gone = Vec::new();
        let mut select = self.cached(&sql)?;
        let mut rows = select.query([channel, most])?;
        while self.history.is_over(kept, bytes) {
            let Some(row) = rows.next()? else { break };
            let row = old(row)?;
            kept -= 1;
            bytes -= row.bytes;
            gone.push(row);
        }
        drop(rows);
        self.throw_away(&gone)?;
        Ok(gone.len() as i64)
    }

    /// Whether a row of that moment is too old.
    fn is_old(&self, at_ms: u64, now_ms: u64) -> bool {
        self.history.age_ms.is_some_and(|age| at_ms.saturating_add(age) <= now_ms)
    }

    fn is_aged(&self, now_ms: u64) -> Result<bool, StoreError> {
        if self.history.age_ms.is_none() {
            return Ok(false);
        }
        let first = self.cached("SELECT at_ms FROM log ORDER BY entry LIMIT 1")?;
        let mut first = first;
        let at: Option<i64> = first.query_row([], |row| row.get(0)).optional()?;
        Ok(at.is_some_and(|at| self.is_old(at.cast_unsigned(), now_ms)))
    }

    /// Throws away the oldest rows of the whole log, up to one that is not too old: nothing is looked for behind it.
    fn trim_aged(&self, now_ms: u64, left: i64) -> Result<i64, StoreError> {
        if self.history.age_ms.is_none() {
            return Ok(left);
        }
        let mut select =
            self.cached(&format!("SELECT {OLD} FROM log WHERE entry <= ?2 ORDER BY entry LIMIT ?1"))?;
        let mut rows = select.query([left, self.placed])?;
        let mut gone = Vec::new();
        while let Some(row) = rows.next()? {
            let row = old(row)?;
            if !self.is_old(row.at_ms, now_ms) {
                break;
            }
            gone.push(row);
        }
        drop(rows);
        self.throw_away(&gone)?;
        Ok(left - gone.len() as i64)
    }

    fn throw_away(&self, gone: &[Old]) -> Result<(), StoreError> {
        let mut delete = self.cached("DELETE FROM log WHERE entry = ?1")?;
        let mut displace = self.cached("DELETE FROM place WHERE channel = ?1 AND seq = ?2")?;
        let sql = "UPDATE channels SET oldest = max(oldest, ?2 + 1), kept = kept - 1, bytes = bytes - ?3 WHERE id = ?1";
        let mut update = self.cached(sql)?;
        for row in gone {
            delete.execute([row.entry])?;
            displace.execute([row.channel, row.seq])?;
            update.execute([row.channel, row.seq, row.bytes])?;
            self.unlearn(row.entry)?;
        }
        Ok(())
    }

    /// Items that came before this moment have waited too long.
    fn stale_before(&self, now_ms: u64) -> Option<i64> {
        (self.queue_ttl_ms != 0).then(|| now_ms.checked_sub(self.queue_ttl_ms)).flatten().map(capped)
    }

    fn has_stale(&self, now_ms: u64) -> Result<bool, StoreError> {
        let Some(before) = self.stale_before(now_ms) else { return Ok(false) };
        let sql = "SELECT EXISTS (SELECT 1 FROM queue WHERE since_ms <= ?1)";
        Ok(self.cached(sql)?.query_row([before], |row| row.get(0))?)
    }

    /// Answers how many items were thrown away.
    fn trim_stale(&self, now_ms: u64, left: i64) -> Result<i64, StoreError> {
        let Some(before) = self.stale_before(now_ms) else { return Ok(0) };
        let sql = "DELETE FROM queue WHERE item IN (SELECT item FROM queue WHERE since_ms <= ?1 LIMIT ?2)";
        Ok(self.cached(sql)?.execute(params![before, left])? as i64)
    }
}
