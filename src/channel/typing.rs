//! Who writes at the moment, in one channel, and until when that is believed (GAT-25).

use std::sync::Arc;

/// Most who are believed to write at once; of more nobody is told.
const WRITERS_MAX: usize = 64;

/// A start that repeats an earlier one is told again after this many milliseconds: clients send one with
/// every key, and those who came meanwhile know of none.
const TELL_AGAIN_MS: u64 = 1000;

/// A handful at most, so a list beats a map. Empty costs nothing.
#[derive(Debug, Default)]
pub struct TypingTable {
    writers: Vec<Writer>,
    /// Whether a timer of the home is set for it.
    pub timed: bool,
}

#[derive(Debug)]
pub struct Writer {
    pub user: Arc<str>,
    pub username: Option<Arc<str>>,
    until_ms: u64,
    told_ms: u64,
}

impl TypingTable {
    pub fn is_empty(&self) -> bool {
        self.writers.is_empty()
    }

    /// Somebody writes, and is believed to until then. Says whether others are to be told.
    pub fn start(&mut self, user: &Arc<str>, username: Option<Arc<str>>, now_ms: u64, for_ms: u64) -> bool {
        let until_ms = now_ms + for_ms;
        if let Some(writer) = self.writers.iter_mut().find(|w| w.user == *user) {
            writer.until_ms = until_ms;
            let again = now_ms >= writer.told_ms + TELL_AGAIN_MS;
            if again {
                writer.told_ms = now_ms;
            }
            return again;
        }
        if self.writers.len() >= WRITERS_MAX {
            return false;
        }
        self.writers.push(Writer { user: user.clone(), username, until_ms, told_ms: now_ms });
        true
    }

    /// Somebody stopped; what was known of it, if it wrote.
    pub fn stop(&mut self, user: &str) -> Option<Writer> {
        let at = self.writers.iter().position(|w| *w.user == *user)?;
        Some(self.writers.swap_remove(at))
    }

    /// Takes out those who are no longer believed to write.
    pub fn expire(&mut self, now_ms: u64) -> Vec<Writer> {
        let mut over = Vec::new();
        while let Some(at) = self.writers.iter().position(|w| w.until_ms <= now_ms) {
            over.push(self.writers.swap_remove(at));
        }
        over
    }

    /// When the next one is no longer believed to write.
    pub fn next_ms(&self) -> Option<u64> {
        self.writers.iter().map(|w| w.until_ms).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_told_once_and_again_after_a_second_and_ends_by_itself() {
        let (mut table, ann): (_, Arc<str>) = (TypingTable::default(), "ann".into());
        assert!(table.start(&ann, None, 0, 3500));
        for now in [10, 500, 999] {
            assert!(!table.start(&ann, None, now, 3500));
        }
        assert!(table.start(&ann, None, 1000, 3500));
        assert_eq!(table.next_ms(), Some(4500));
        assert!(table.expire(4499).is_empty());
        assert_eq!(table.expire(4500).len(), 1);
        assert!(table.is_empty() && table.next_ms().is_none());
    }

    #[test]
    fn a_stop_of_one_who_does_not_write_is_nothing() {
        let mut table = TypingTable::default();
        assert!(table.stop("ann").is_none());
        table.start(&"ann".into(), Some("Ann".into()), 0, 10);
        assert_eq!(table.stop("ann").and_then(|w| w.username).as_deref(), Some("Ann"));
        assert!(table.stop("ann").is_none());
    }

    #[test]
    fn a_crowd_is_bounded() {
        let mut table = TypingTable::default();
        let told = (0..1000).filter(|n| table.start(&format!("u{n}").into(), None, 0, 10)).count();
        assert_eq!(told, WRITERS_MAX);
    }
}
