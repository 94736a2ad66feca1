//! What waits for a user who is away, and what a client has not acknowledged.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::model::{Event, MessageId, Priority, ReplyTo};

/// One thing that waits.
#[derive(Clone, Debug)]
pub struct Item {
    pub event: Event,
    pub priority: Priority,
    /// Monotonic milliseconds; from here on its time to live runs.
    pub since_ms: u64,
    /// Who is told when it arrives, and of what.
    pub confirm: Option<Confirm>,
}

/// The word to a sender that its message has arrived.
#[derive(Clone, Debug)]
pub struct Confirm {
    pub to: ReplyTo,
    pub id: MessageId,
    /// The conversation it was said in.
    pub room: Option<Arc<str>>,
}

/// Bounded in number by whoever puts things in.
#[derive(Debug, Default)]
pub struct Mailbox {
    /// Waiting for the next device, oldest first.
    queue: VecDeque<Item>,
    /// Handed to a device and not acknowledged; kept only for users whose clients acknowledge (TUS-36).
    unconfirmed: VecDeque<Item>,
    acknowledges: bool,
}

impl Mailbox {
    pub fn len(&self) -> usize {
        self.queue.len() + self.unconfirmed.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps the newest `max`; 0: as many as the shard's limit allows.
    pub fn keep(&mut self, item: Item, max: usize) {
        push_newest(&mut self.queue, item, max);
    }

    /// Keeps what was handed over until it is acknowledged, if this user's clients ever do.
    pub fn await_acknowledgement(&mut self, item: Item, max: usize) {
        if self.acknowledges {
            push_newest(&mut self.unconfirmed, item, max);
        }
    }

    /// What was not acknowledged: the device that has just come may be the one whose socket died unnoticed.
    pub fn unconfirmed(&self) -> impl Iterator<Item = &Item> {
        self.unconfirmed.iter()
    }

    /// Takes out all that waits: the more urgent first, else in their order (NEX-42). What has waited for
    /// longer than `ttl_ms` (0: for ever) is gone (NEX-79).
    /// What no device has words for goes on waiting (`dialects`: those of the devices, a bit each).
    pub fn take(&mut self, now_ms: u64, ttl_ms: u64, dialects: u8) -> Vec<Item> {
        self.expire(now_ms, ttl_ms);
        let can_say = |item: &Item| item.event.said_by() & dialects != 0;
        let (mut items, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.queue).into_iter().partition(can_say);
        self.queue = rest.into();
        items.sort_by_key(|item| std::cmp::Reverse(item.priority));
        items
    }

    /// Throws away what has waited for longer than `ttl_ms`; 0: nothing.
    pub fn expire(&mut self, now_ms: u64, ttl_ms: u64) {
        if ttl_ms != 0 {
            self.queue.retain(|item| now_ms.saturating_sub(item.since_ms) < ttl_ms);
        }
    }

    /// The client has the message: it will not be sent again. From the first acknowledgement on, what this
    /// user's clients leave unacknowledged is sent again when they come back.
    pub fn acknowledge(&mut self, id: MessageId) {
        self.acknowledges = true;
        self.unconfirmed.retain(|item| !matches!(&item.event, Event::Direct(m) if m.id == id));
    }

    /// Throws away waiting notifications: that one, or all.
    pub fn clear_notifications(&mut self, id: Option<MessageId>) {
        self.queue.retain(|item| match &item.event {
            Event::Notification(n) => id.is_some_and(|id| id != n.id),
            _ => true,
        });
    }
}

fn push_newest(queue: &mut VecDeque<Item>, item: Item, max: usize) {
    if max != 0 && queue.len() >= max {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, Message};

    fn item(n: u128, priority: Priority, since_ms: u64) -> Item {
        let message = Message {
            id: MessageId::random(n),
            kind: Kind::User,
            place: "to".into(),
            from: "from".into(),
            connection: None,
            text: "t".into(),
            detail: None,
            at_ms: 0,
        };
        Item { event: Event::Direct(message), priority, since_ms, confirm: None }
    }

    fn ids(items: &[Item]) -> Vec<MessageId> {
        let id = |item: &Item| match &item.event {
            Event::Direct(m) => m.id,
            other => panic!("{other:?}"),
        };
        items.iter().map(id).collect()
    }

    #[test]
    fn the_newest_are_kept_and_the_urgent_come_first() {
        let mut mailbox = Mailbox::default();
        let order = [Priority::Low, Priority::High, Priority::Normal, Priority::High, Priority::Urgent];
        for (n, priority) in (0..).zip(order) {
            mailbox.keep(item(n, priority, 0), 4);
        }
        assert_eq!(mailbox.len(), 4, "the first one gave way");
        assert_eq!(ids(&mailbox.take(5, 0, u8::MAX)), [4, 1, 3, 2].map(MessageId::random));
        assert!(mailbox.is_empty());
    }

    #[test]
    fn what_waited_too_long_is_gone() {
        let mut mailbox = Mailbox::default();
        mailbox.keep(item(1, Priority::Normal, 100), 0);
        mailbox.keep(item(2, Priority::Normal, 101), 0);
        assert_eq!(ids(&mailbox.take(200, 100, u8::MAX)), [MessageId::random(2)]);
    }

    #[test]
    fn only_those_who_acknowledge_get_things_twice() {
        let mut mailbox = Mailbox::default();
        mailbox.await_acknowledgement(item(1, Priority::Normal, 0), 2);
        assert!(mailbox.is_empty());
        mailbox.acknowledge(MessageId::random(9));
        for n in 1..=3 {
            mailbox.await_acknowledgement(item(n, Priority::Normal, 0), 2);
        }
        mailbox.acknowledge(MessageId::random(3));
        let left: Vec<_> = mailbox.unconfirmed().cloned().collect();
        assert_eq!(ids(&left), [MessageId::random(2)]);
    }
}
