//! What waits for a user who is away, and what a client has not acknowledged.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::model::{ConnKey, Event, MessageId, Priority, ReplyTo};

/// One thing that waits.
#[derive(Clone, Debug)]
pub struct Item {
    pub event: Arc<Event>,
    /// Its number in the channel it belongs to; 0: it has none.
    pub seq: u64,
    pub priority: Priority,
    /// Milliseconds since 1970; from here on its time to live runs.
    pub since_ms: u64,
    /// Who is told when it arrives, and of what.
    pub confirm: Option<Confirm>,
}

impl Item {
    /// Its number, if it has one.
    pub fn number(&self) -> Option<u64> {
        (self.seq != 0).then_some(self.seq)
    }

    fn is(&self, id: MessageId) -> bool {
        self.event.id() == Some(id)
    }
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
    /// Handed to a device that has not had them written to its socket.
    handed: Vec<(ConnKey, Vec<Item>)>,
    /// Written to a device and not acknowledged; kept only for users whose clients acknowledge (TUS-36).
    unconfirmed: VecDeque<Item>,
    acknowledges: bool,
}

impl Mailbox {
    pub fn len(&self) -> usize {
        let handed: usize = self.handed.iter().map(|(_, items)| items.len()).sum();
        self.queue.len() + self.unconfirmed.len() + handed
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps the newest `max`; 0: as many as the shard's limit allows. Returns what gave way.
    #[must_use]
    pub fn keep(&mut self, item: Item, max: usize) -> Option<Item> {
        push_newest(&mut self.queue, item, max)
    }

    /// Keeps what was handed over until it is acknowledged, if this user's clients ever do. Returns what waits no more:
    /// that, or what gave way to it.
    pub fn await_acknowledgement(&mut self, item: Item, max: usize) -> Option<MessageId> {
        let over = match self.acknowledges && matches!(*item.event, Event::Direct(_)) {
            true => push_newest(&mut self.unconfirmed, item, max),
            false => Some(item),
        };
        over.and_then(|item| item.event.id())
    }

    /// These are on their way to a device.
    pub fn hand(&mut self, device: ConnKey, items: Vec<Item>) {
        self.handed.push((device, items));
    }

    /// The device has them. Returns what waits no more, and the words to senders.
    pub fn settle(&mut self, device: ConnKey, max: usize) -> (Vec<MessageId>, Vec<Confirm>) {
        let (mut over, mut confirms) = (Vec::new(), Vec::new());
        while let Some(at) = self.handed.iter().position(|(key, _)| *key == device) {
            for mut item in self.handed.remove(at).1 {
                confirms.extend(item.confirm.take());
                over.extend(self.await_acknowledgement(item, max));
            }
        }
        (over, confirms)
    }

    /// The device is gone: what it was handed and did not have written waits for the next one.
    pub fn take_back(&mut self, device: ConnKey) {
        while let Some(at) = self.handed.iter().rposition(|(key, _)| *key == device) {
            for item in self.handed.remove(at).1.into_iter().rev() {
                self.queue.push_front(item);
            }
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
    /// user's clients leave unacknowledged is sent again when they come back. Returns whether it was waited for, and
    /// the words to senders.
    pub fn acknowledge(&mut self, id: MessageId) -> (bool, Vec<Confirm>) {
        self.acknowledges = true;
        let before = self.len();
        let mut confirms = Vec::new();
        self.unconfirmed.retain(|item| !item.is(id));
        for (_, items) in &mut self.handed {
            items.retain_mut(|item| {
                let is_it = item.is(id);
                confirms.extend(item.confirm.take_if(|_| is_it));
                !is_it
            });
        }
        (self.len() < before, confirms)
    }

    /// Throws away waiting notifications: that one, or all. Returns which.
    pub fn clear_notifications(&mut self, id: Option<MessageId>) -> Vec<MessageId> {
        let mut gone = Vec::new();
        self.queue.retain(|item| match &*item.event {
            Event::Notification(n) if id.is_none_or(|id| id == n.id) => {
                gone.push(n.id);
                false
            }
            _ => true,
        });
        gone
    }
}

/// Returns what gave way.
fn push_newest(queue: &mut VecDeque<Item>, item: Item, max: usize) -> Option<Item> {
    let oldest = (max != 0 && queue.len() >= max).then(|| queue.pop_front()).flatten();
    queue.push_back(item);
    oldest
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
        Item { event: Arc::new(Event::Direct(message)), seq: 0, priority, since_ms, confirm: None }
    }

    fn ids(items: &[Item]) -> Vec<MessageId> {
        let id = |item: &Item| match &*item.event {
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
            assert_eq!(mailbox.keep(item(n, priority, 0), 4).is_some(), n == 4);
        }
        assert_eq!(mailbox.len(), 4, "the first one gave way");
        assert_eq!(ids(&mailbox.take(5, 0, u8::MAX)), [4, 1, 3, 2].map(MessageId::random));
        assert!(mailbox.is_empty());
    }

    #[test]
    fn what_waited_too_long_is_gone() {
        let mut mailbox = Mailbox::default();
        for (n, since_ms) in [(1, 100), (2, 101)] {
            assert!(mailbox.keep(item(n, Priority::Normal, since_ms), 0).is_none());
        }
        assert_eq!(ids(&mailbox.take(200, 100, u8::MAX)), [MessageId::random(2)]);
    }

    #[test]
    fn what_a_device_never_got_waits_for_the_next_one() {
        let (mut mailbox, device) = (Mailbox::default(), |index| ConnKey { shard: 0, generation: 0, index });
        for n in 1..=3 {
            assert!(mailbox.keep(item(n, Priority::Normal, 0), 0).is_none());
        }
        let items = mailbox.take(0, 0, u8::MAX);
        mailbox.hand(device(1), items);
        assert!(mailbox.keep(item(4, Priority::Normal, 0), 0).is_none());
        assert_eq!(ids(&mailbox.take(0, 0, u8::MAX)), [MessageId::random(4)], "nothing is handed out twice");
        assert_eq!(mailbox.settle(device(2), 0).0, []);
        mailbox.take_back(device(1));
        let again = mailbox.take(0, 0, u8::MAX);
        assert_eq!(ids(&again), [1, 2, 3].map(MessageId::random));
        mailbox.hand(device(3), again);
        assert!(mailbox.acknowledge(MessageId::random(2)).0);
        assert_eq!(mailbox.settle(device(3), 0).0, [], "from here on all is acknowledged");
        assert_eq!(mailbox.len(), 2);
    }

    #[test]
    fn only_those_who_acknowledge_get_things_twice() {
        let mut mailbox = Mailbox::default();
        let over = mailbox.await_acknowledgement(item(1, Priority::Normal, 0), 2);
        assert_eq!(over, Some(MessageId::random(1)));
        assert!(mailbox.is_empty());
        mailbox.acknowledge(MessageId::random(9));
        for n in 1..=3 {
            let over = mailbox.await_acknowledgement(item(n, Priority::Normal, 0), 2);
            assert_eq!(over, (n == 3).then(|| MessageId::random(1)), "the oldest gives way");
        }
        mailbox.acknowledge(MessageId::random(3));
        let left: Vec<_> = mailbox.unconfirmed().cloned().collect();
        assert_eq!(ids(&left), [MessageId::random(2)]);
    }
}
