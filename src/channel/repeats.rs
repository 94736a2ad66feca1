//! What senders call their messages, so that one that is said twice is heard once. Where there is a store, it knows.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::model::MessageId;

/// Names remembered of one channel, the newest ones, as long as their messages are in its log: a client repeats what
/// it said last when it has come back.
const REMEMBERED_MAX: usize = 256;

/// The newest messages of a channel that have names of their senders'.
#[derive(Debug, Default)]
pub struct Repeats {
    named: VecDeque<Named>,
    /// Of the names.
    bytes: usize,
}

#[derive(Debug)]
struct Named {
    request: Arc<str>,
    seq: u64,
    id: MessageId,
}

impl Repeats {
    /// The message of that name, if it was said before.
    pub fn find(&self, request: &str) -> Option<(u64, MessageId)> {
        self.named.iter().rev().find(|named| *named.request == *request).map(|named| (named.seq, named.id))
    }

    pub fn note(&mut self, request: Arc<str>, seq: u64, id: MessageId) {
        if self.named.len() >= REMEMBERED_MAX {
            self.forget_first();
        }
        self.bytes += request.len();
        self.named.push_back(Named { request, seq, id });
    }

    /// Messages up to that number are remembered no more.
    pub fn forget(&mut self, seq: u64) {
        while self.named.front().is_some_and(|named| named.seq <= seq) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(named) = self.named.pop_front() {
            self.bytes -= named.request.len();
        }
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The name of a message in its channel: two senders may call theirs the same.
pub fn request_of(from: &str, request: Option<&Arc<str>>) -> Option<Arc<str>> {
    request.map(|request| format!("{from}\0{request}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_names_are_remembered_by_sender() {
        let mut repeats = Repeats::default();
        let name = |from: &str, n: usize| request_of(from, Some(&n.to_string().into())).expect("a name");
        for n in 0..=REMEMBERED_MAX {
            repeats.note(name("a", n), n as u64, MessageId::random(n as u128));
        }
        assert_eq!(repeats.find(&name("a", 0)), None, "the oldest gave way");
        assert_eq!(repeats.find(&name("a", 1)), Some((1, MessageId::random(1))));
        assert_eq!(repeats.find(&name("b", 1)), None);
        assert_eq!(request_of("a", None), None);
        repeats.forget(REMEMBERED_MAX as u64 - 1);
        assert_eq!(repeats.bytes(), name("a", REMEMBERED_MAX).len(), "of the newest alone");
        assert_eq!(repeats.find(&name("a", REMEMBERED_MAX - 1)), None);
        assert!(repeats.find(&name("a", REMEMBERED_MAX)).is_some());
    }
}
