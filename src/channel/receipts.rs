//! Who has read how far in a room: of each user the newest, of so many users as are told to who comes back.

use std::sync::Arc;

use super::log::RECEIPTS_MAX;
use crate::model::{Event, Receipt};

/// The newest last.
#[derive(Debug, Default)]
pub struct Receipts {
    newest: Vec<Receipt>,
}

impl Receipts {
    pub fn note(&mut self, receipt: Receipt) {
        self.newest.retain(|known| known.user != receipt.user);
        if self.newest.len() >= RECEIPTS_MAX {
            self.newest.remove(0);
        }
        self.newest.push(receipt);
    }

    /// What the store knows, the newest first, of whom nothing newer is known here.
    pub fn learn(&mut self, stored: &[Receipt]) {
        for receipt in stored {
            let known = self.newest.iter().any(|known| known.user == receipt.user);
            if !known && self.newest.len() < RECEIPTS_MAX {
                self.newest.insert(0, receipt.clone());
            }
        }
    }

    /// As they are told; they have no numbers.
    pub fn told<'a>(&'a self, room: &'a Arc<str>) -> impl Iterator<Item = (u64, Arc<Event>)> + 'a {
        self.newest.iter().map(|Receipt { user, message, at_ms }| {
            let (room, user) = (room.clone(), user.clone());
            (0, Arc::new(Event::Read { room, message: *message, user, at_ms: *at_ms }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MessageId;

    fn receipt(user: usize, n: u128) -> Receipt {
        Receipt { user: format!("u{user}").into(), message: MessageId::random(n), at_ms: n as u64 }
    }

    #[test]
    fn of_each_user_the_newest_is_told_and_of_too_many_the_oldest_is_forgotten() {
        let mut receipts = Receipts::default();
        for n in 0..=RECEIPTS_MAX {
            receipts.note(receipt(n, 1));
        }
        receipts.note(receipt(5, 2));
        receipts.learn(&[receipt(5, 1), receipt(0, 1)]);
        assert_eq!(receipts.newest.len(), RECEIPTS_MAX);
        assert_eq!(receipts.newest.last(), Some(&receipt(5, 2)));
        assert!(!receipts.newest.contains(&receipt(0, 1)));
    }

    #[test]
    fn what_the_store_knows_is_older() {
        let mut receipts = Receipts::default();
        receipts.note(receipt(1, 9));
        receipts.learn(&[receipt(2, 5), receipt(1, 4), receipt(3, 3)]);
        let order: Vec<_> = receipts.newest.iter().map(|r| r.at_ms).collect();
        assert_eq!(order, [3, 5, 9]);
        assert_eq!(receipts.told(&"r".into()).count(), 3);
    }
}
