//! The newest part of a channel's log: what was said in it, each event with its number.
//!
//! With a store behind it this is what recent events need no disk for; without one it is all there is.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::repeats::Repeats;
use crate::model::{Begun, ChannelName, Epoch, Event, LogQuery, Page, Position, Since};

/// What an event costs besides its words.
const EVENT_BYTES: usize = 256;

/// Receipts of one channel that are told to who comes back, the newest ones.
pub const RECEIPTS_MAX: usize = 100;

/// One channel's.
#[derive(Debug, Default)]
pub struct Log {
    /// The last number given out. `None`: only the store knows it.
    head: Option<u64>,
    /// Consecutive numbers but for what was taken back, up to `head`.
    events: VecDeque<(u64, Arc<Event>)>,
    /// What each of them takes: to be dropped, an event that is long out of the CPU's caches is not looked into.
    sizes: VecDeque<u32>,
    /// From this number on, all that was said is in `events`.
    first: u64,
    bytes: usize,
    /// What senders call what they said, where no store remembers that.
    pub repeats: Repeats,
}

/// What somebody who was away is to be told.
#[derive(Debug, PartialEq)]
pub enum Recovery {
    /// This, then what comes.
    Told(Begun),
    /// First the store is to be asked.
    Ask { after: u64, limit: usize },
}

/// How much one may be told of what it missed; who missed more is told so.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplayLimits {
    pub events: usize,
    pub bytes: usize,
}

impl Log {
    /// One that begins behind that number.
    fn starting_at(head: u64) -> Self {
        Self { head: Some(head), first: head + 1, ..Self::default() }
    }

    pub fn head(&self) -> Option<u64> {
        self.head
    }

    pub fn bytes(&self) -> usize {
        self.bytes + self.repeats.bytes()
    }

    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The number that the next event gets where no store gives one.
    pub fn next(&self) -> u64 {
        self.head.unwrap_or(0) + 1
    }

    /// Enters an event under its number. At most `max` are held.
    pub fn push(&mut self, seq: u64, event: Arc<Event>, max: usize) {
        if self.head.is_none_or(|head| head + 1 != seq) {
            // Nothing is known of what was before.
            self.clear();
            self.first = seq;
        }
        self.head = Some(seq);
        self.enter(seq, event);
        while self.events.len() > max {
            self.forget_oldest();
        }
    }

    fn enter(&mut self, seq: u64, event: Arc<Event>) {
        let size = size_of_event(&event);
        self.bytes += size;
        self.events.push_back((seq, event));
        self.sizes.push_back(size as u32);
    }

    /// Drops the oldest event. Returns the bytes that are free now.
    pub fn forget_oldest(&mut self) -> usize {
        let (Some((seq, _)), Some(size)) = (self.events.pop_front(), self.sizes.pop_front()) else {
            return 0;
        };
        let before = self.bytes();
        self.bytes -= size as usize;
        self.repeats.forget(seq);
        self.first = seq + 1;
        before - self.bytes()
    }

    fn clear(&mut self) {
        self.events.clear();
        self.sizes.clear();
        self.bytes = 0;
    }

    /// The store said how far the log goes, and what is in its newest part.
    pub fn learn(&mut self, page: &Page, max: usize) {
        if self.head.is_some_and(|head| head >= page.head) && !self.is_empty() {
            return;
        }
        self.clear();
        self.head = Some(page.head);
        self.first = page.head + 1;
        let Some((oldest, _)) = page.events.first() else { return };
        if page.more {
            return;
        }
        self.first = (*oldest).max(page.first);
        for (seq, event) in &page.events {
            self.enter(*seq, Arc::new(event.clone()));
        }
        while self.events.len() > max {
            self.forget_oldest();
        }
    }

    /// The words of a message are others now (`None`: it is taken back).
    pub fn amend(&mut self, id: crate::model::MessageId, text: Option<&str>) {
        let Some(at) = self.events.iter().rposition(|(_, event)| event.id() == Some(id)) else { return };
        let before = self.sizes[at] as usize;
        match text {
            None => {
                self.events.remove(at);
                self.sizes.remove(at);
                self.bytes -= before;
            }
            Some(text) => {
                if let Event::Message(message) = Arc::make_mut(&mut self.events[at].1) {
                    message.text = text.into();
                }
                let size = size_of_event(&self.events[at].1);
                self.bytes = self.bytes - before + size;
                self.sizes[at] = size as u32;
            }
        }
    }

    /// Events behind a number, as far as they are here: `None` when older ones are asked for.
    pub fn after(&self, seq: u64) -> Option<impl Iterator<Item = &(u64, Arc<Event>)>> {
        let covers = self.head.is_some() && seq.saturating_add(1) >= self.first;
        covers.then(|| self.held_after(seq))
    }

    /// Events behind a number, as far as they are here.
    pub fn held_after(&self, seq: u64) -> impl Iterator<Item = &(u64, Arc<Event>)> {
        self.events.range(self.events.partition_point(|(n, _)| *n <= seq)..)
    }

    /// Where one begins that comes now. `since`: where it says it stopped. `page`: what the store said, if it was asked.
    /// `durable`: there is a store to ask.
    pub fn begin(
        &self,
        epoch: Epoch,
        since: Option<Since>,
        limits: ReplayLimits,
        page: Option<&Page>,
        durable: bool,
    ) -> Recovery {
        let head = self.head.or(page.map(|p| p.head));
        let Some(head) = head.or((!durable).then_some(0)) else {
            // How far the log goes is asked together with what is behind the position.
            let after = match since {
                Some(Since::At(at)) if at.epoch == epoch => Some(at.seq),
                _ => None,
            };
            let limit = if after.is_some() { limits.events + 1 } else { 0 };
            return Recovery::Ask { after: after.unwrap_or(0), limit };
        };
        let position = Some(Position { epoch, seq: head });
        let told = |gap, missed| Recovery::Told(Begun { position, gap, missed });
        let after = match since {
            None => return told(false, Vec::new()),
            Some(Since::At(at)) if at.epoch == epoch && at.seq <= head => at.seq,
            Some(_) => return told(true, Vec::new()),
        };
        if after == head {
            return told(false, Vec::new());
        }
        let missed: Option<Vec<(u64, Arc<Event>)>> = match (self.after(after), page) {
            (Some(events), _) => Some(events.take(limits.events + 1).cloned().collect()),
            (None, Some(page)) => {
                let whole = page.head == head && page.first <= after + 1 && !page.more;
                whole
                    .then(|| page.events.iter().map(|(seq, event)| (*seq, Arc::new(event.clone()))).collect())
            }
            (None, None) if durable => return Recovery::Ask { after, limit: limits.events + 1 },
            (None, None) => None,
        };
        let bytes =
            |events: &Vec<(u64, Arc<Event>)>| events.iter().map(|(_, e)| size_of_event(e)).sum::<usize>();
        match missed.filter(|m| m.len() <= limits.events && bytes(m) <= limits.bytes) {
            Some(missed) => told(false, missed),
            None => told(true, Vec::new()),
        }
    }

    /// What the store is to be asked for.
    pub fn question(channel: &ChannelName, after: u64, limit: usize, limits: ReplayLimits) -> LogQuery {
        LogQuery {
            channel: channel.clone(),
            after,
            with: None,
            messages: false,
            limit,
            bytes: limits.bytes + 1,
            receipts: RECEIPTS_MAX,
        }
    }
}

/// About what an event takes in memory, and on the wire.
fn size_of_event(event: &Event) -> usize {
    let words = match event {
        Event::Message(m) | Event::Direct(m) => {
            let relayed = m.detail.as_ref().and_then(|d| d.verbatim.as_ref()).map_or(0, |v| v.json.len());
            m.text.len() + relayed
        }
        Event::Notification(n) => n.title.len() + n.text.len(),
        Event::Edited { text, .. } => text.len(),
        Event::Custom { json, .. } => json.len(),
        _ => 0,
    };
    words + EVENT_BYTES
}

/// Logs of channels that nobody is in, where there is no store to keep them.
#[derive(Debug, Default)]
pub struct Sleeping {
    logs: HashMap<ChannelName, Log>,
    /// In the order in which they fell asleep; some have woken since.
    order: VecDeque<ChannelName>,
    bytes: usize,
    /// The highest number of a log that was forgotten: new ones begin behind it, so that no number comes twice.
    floor: u64,
}

impl Sleeping {
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The log of a channel that comes to be.
    pub fn wake(&mut self, name: &ChannelName) -> Log {
        match self.logs.remove(name) {
            Some(log) => {
                self.bytes -= log.bytes();
                log
            }
            None => Log::starting_at(self.floor),
        }
    }

    /// Keeps the log of a channel that is over. At most `max` are kept.
    pub fn lay(&mut self, name: ChannelName, log: Log, max: usize) {
        // Of a log that never had an event every later one is as good.
        if log.head().is_none_or(|head| head <= self.floor) {
            return;
        }
        self.bytes += log.bytes();
        self.order.push_back(name.clone());
        if let Some(before) = self.logs.insert(name, log) {
            self.bytes -= before.bytes();
        }
        while self.logs.len() > max {
            self.forget_oldest();
        }
        if self.order.len() > 2 * self.logs.len() + 16 {
            let logs = &self.logs;
            let mut seen = std::collections::HashSet::new();
            self.order.retain(|name| logs.contains_key(name) && seen.insert(name.clone()));
        }
    }

    /// Drops the log that has slept longest. `false`: there is none.
    pub fn forget_oldest(&mut self) -> bool {
        while let Some(name) = self.order.pop_front() {
            if let Some(log) = self.logs.remove(&name) {
                self.bytes -= log.bytes();
                self.floor = self.floor.max(log.head().unwrap_or(0));
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
