//! The slow obvious store in memory that the other one is held against.

use std::collections::BTreeMap;

use super::reading::ROWS_PER_MESSAGE;
use super::rows::{
    Change, Done, Hit, Id, Item, KeptRow, LogAsk, LogPage, Owner, ReceiptRow, Row, Store, Transaction,
    Visitor, what,
};
use super::{Options, Retention, StoreError};

type Key = (String, String, u8, String);

fn key(owner: &Owner) -> Key {
    (owner.realm.into(), owner.tenant.into(), owner.kind, owner.name.into())
}

#[derive(Clone, Debug)]
struct Logged {
    entry: u64,
    row: Row<'static>,
    request: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Channel {
    /// When it came to be, among all channels.
    place: usize,
    head: u64,
    oldest: u64,
    log: BTreeMap<u64, Logged>,
    receipts: BTreeMap<String, (u64, Id, u64)>,
    queue: Vec<Item<'static>>,
    facts: BTreeMap<(u8, String), Vec<u8>>,
}

impl Channel {
    fn bytes(&self) -> u64 {
        self.log.values().map(|logged| logged.row.bytes() as u64).sum()
    }

    /// The number of a message among the newest.
    fn seek(&self, id: &Id, amendable: usize) -> Option<u64> {
        let newest = self.log.iter().rev().take(amendable * ROWS_PER_MESSAGE);
        let messages = newest.filter(|(_, logged)| what::is_message(logged.row.what)).take(amendable);
        messages.into_iter().find(|(_, logged)| logged.row.id == Some(*id)).map(|(seq, _)| *seq)
    }
}

#[derive(Clone, Debug)]
pub struct Oracle {
    history: Retention,
    queue_ttl_ms: u64,
    amendable: usize,
    search: bool,
    channels: BTreeMap<Key, Channel>,
    entries: u64,
    indexed: u64,
}

impl Oracle {
    pub fn new(options: &Options) -> Self {
        Self {
            history: options.history,
            queue_ttl_ms: options.queue_ttl_ms,
            amendable: options.amendable,
            search: options.search,
            channels: BTreeMap::new(),
            entries: 0,
            indexed: 0,
        }
    }

    fn channel(&mut self, owner: &Owner) -> &mut Channel {
        let place = self.channels.len();
        self.channels.entry(key(owner)).or_insert_with(|| Channel { place, oldest: 1, ..Channel::default() })
    }

    fn apply(&mut self, change: &Change, appended: u64) -> Done {
        match change {
            Change::Append { owner, row, request } => return self.append(owner, row, *request),
            Change::Amend { owner, id, by, text } => {
                let amendable = self.amendable;
                let Some(channel) = self.channels.get_mut(&key(owner)) else { return Done::NoMessage };
                let Some(seq) = channel.seek(id, amendable) else { return Done::NoMessage };
                let row = &mut channel.log.get_mut(&seq).expect("it was found").row;
                if row.sender.as_deref() != Some(*by) {
                    return Done::NotTheSender;
                }
                match text {
                    Some(text) => row.text = text.to_string().into(),
                    None => {
                        let is_edit = |row: &Row| row.what == what::EDITED && row.id == Some(*id);
                        for (at, logged) in channel.log.range_mut(seq..) {
                            if *at == seq || is_edit(&logged.row) {
                                let (id, at_ms) = (logged.row.id, logged.row.at_ms);
                                let (text, body) = ("".into(), Vec::new().into());
                                logged.row =
                                    Row { what: what::GONE, id, sender: None, peer: None, at_ms, text, body };
                            }
                        }
                    }
                }
            }
            Change::Receipt { owner, user, id, at_ms } => {
                let amendable = self.amendable;
                let Some(channel) = self.channels.get_mut(&key(owner)) else { return Done::NoMessage };
                let Some(seq) = channel.seek(id, amendable) else { return Done::NoMessage };
                if channel.receipts.get(*user).is_none_or(|(newest, ..)| *newest < seq) {
                    channel.receipts.insert(user.to_string(), (seq, *id, *at_ms));
                }
            }
            Change::Queue { owner, item } => {
                let mut item = item.clone().into_owned();
                if item.seq == 0 {
                    item.seq = appended;
                }
                let queue = &mut self.channel(owner).queue;
                match queue.iter_mut().find(|known| known.id == item.id) {
                    Some(known) => *known = item,
                    None => queue.push(item),
                }
            }
            Change::Drain { owner, ids } => {
                if let Some(channel) = self.channels.get_mut(&key(owner)) {
                    channel.queue.retain(|item| !ids.contains(&item.id));
                }
            }
            Change::Put { owner, kind, key, bytes } => {
                self.channel(owner).facts.insert((*kind, key.to_string()), bytes.clone());
            }
            Change::Remove { owner, kind, key: name } => {
                if let Some(channel) = self.channels.get_mut(&key(owner)) {
                    channel.facts.remove(&(*kind, name.to_string()));
                }
            }
        }
        Done::All { seq: 0 }
    }

    fn append(&mut self, owner: &Owner, row: &Row, request: Option<&str>) -> Done {
        let is_again = |logged: &Logged| request.is_some() && logged.request.as_deref() == request;
        if let Some(channel) = self.channels.get(&key(owner))
            && let Some((seq, logged)) = channel.log.iter().find(|(_, logged)| is_again(logged))
        {
            return Done::Again { seq: *seq, id: logged.row.id.unwrap_or_default() };
        }
        self.entries += 1;
        let (entry, count) = (self.entries, self.history.count);
        let channel = self.channel(owner);
        channel.head += 1;
        let seq = channel.head;
        if count == Some(0) {
            channel.oldest = seq + 1;
        } else {
            let logged = Logged { entry, row: row.clone().into_owned(), request: request.map(Into::into) };
            channel.log.insert(seq, logged);
        }
        Done::All { seq }
    }

    /// Throws away one row that is over, if there is one.
    fn trim_one(&mut self, now_ms: u64) -> bool {
        let Retention { count, bytes, age_ms } = self.history;
        let front = self.channels.values().filter_map(|channel| channel.log.values().next());
        let eldest = front.min_by_key(|logged| logged.entry).cloned();
        let old = eldest.filter(|eldest| age_ms.is_some_and(|age| eldest.row.at_ms + age <= now_ms));
        for channel in self.channels.values_mut() {
            let Some((seq, first)) = channel.log.first_key_value() else { continue };
            let too_many = count.is_some_and(|count| channel.log.len() as u64 > count);
            let too_large = bytes.is_some_and(|bytes| channel.bytes() > bytes);
            if too_many || too_large || old.as_ref().is_some_and(|old| old.entry == first.entry) {
                channel.oldest = channel.oldest.max(seq + 1);
                channel.log.pop_first();
                return true;
            }
        }
        false
    }

    fn by_place(&self) -> Vec<(&Key, &Channel)> {
        let mut channels: Vec<_> = self.channels.iter().collect();
        channels.sort_by_key(|(_, channel)| channel.place);
        channels
    }
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

impl Store for Oracle {
    fn commit(&mut self, batch: &[Transaction]) -> Result<Vec<Done>, StoreError> {
        let mut outcomes = Vec::new();
        for changes in batch {
            let before = self.clone();
            let mut outcome = Done::All { seq: 0 };
            for change in changes {
                let Done::All { seq: appended } = outcome else { break };
                match self.apply(change, appended) {
                    Done::All { seq: 0 } => {}
                    done @ Done::All { .. } => outcome = done,
                    nothing => {
                        *self = before;
                        outcome = nothing;
                        break;
                    }
                }
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn log(&self, ask: &LogAsk) -> Result<LogPage, StoreError> {
        let Some(channel) = self.channels.get(&key(&ask.owner)) else {
            return Ok(LogPage { first: 1, ..LogPage::default() });
        };
        let first = if channel.log.is_empty() { channel.head + 1 } else { channel.oldest };
        let mut page = LogPage { head: channel.head, first, ..LogPage::default() };
        let is_meant = |row: &Row| match (ask.peer, ask.messages) {
            (Some(peer), _) => row.what == what::DIRECT && row.peer.as_deref() == Some(peer),
            (None, true) => what::is_message(row.what),
            (None, false) => row.what != what::GONE,
        };
        let mut bytes = 0;
        for (seq, logged) in &channel.log {
            if *seq <= ask.after || !is_meant(&logged.row) || ask.limit == 0 {
                continue;
            }
            bytes += logged.row.bytes();
            if page.rows.len() == ask.limit || (bytes > ask.bytes && !page.rows.is_empty()) {
                page.more = true;
                break;
            }
            page.rows.push((*seq, logged.row.clone()));
        }
        Ok(page)
    }

    fn search(&self, owners: &[Owner], sought: &str, limit: usize) -> Result<Vec<Hit>, StoreError> {
        let sought = words(sought);
        let mut hits = Vec::new();
        for channel in self.channels.iter().filter(|_| !sought.is_empty()) {
            let Some(owner) = owners.iter().position(|owner| key(owner) == *channel.0) else { continue };
            for (seq, Logged { entry, row, .. }) in &channel.1.log {
                let has = words(&row.text);
                let is_hit = sought.iter().all(|word| has.contains(word));
                if is_hit && *entry <= self.indexed && what::is_message(row.what) {
                    hits.push((*entry, Hit { owner, seq: *seq, row: row.clone() }));
                }
            }
        }
        hits.sort_by_key(|(entry, _)| std::cmp::Reverse(*entry));
        Ok(hits.into_iter().map(|(_, hit)| hit).take(limit).collect())
    }

    fn receipts(&self, owner: &Owner) -> Result<Vec<ReceiptRow>, StoreError> {
        let receipts = self.channels.get(&key(owner)).into_iter().flat_map(|channel| &channel.receipts);
        let row = |(user, (seq, id, at_ms)): (&String, &(u64, Id, u64))| ReceiptRow {
            user: user.as_str().into(),
            seq: *seq,
            id: *id,
            at_ms: *at_ms,
        };
        Ok(receipts.map(row).collect())
    }

    fn snapshot(&self, each: &mut Visitor) -> Result<(), StoreError> {
        for (key, channel) in self.by_place() {
            for ((kind, name), bytes) in &channel.facts {
                let fact = KeptRow::Fact { kind: *kind, key: name.as_str().into(), bytes: bytes.clone() };
                each(Owner { realm: &key.0, tenant: &key.1, kind: key.2, name: &key.3 }, fact)?;
            }
        }
        for (key, channel) in self.by_place() {
            for item in &channel.queue {
                each(
                    Owner { realm: &key.0, tenant: &key.1, kind: key.2, name: &key.3 },
                    KeptRow::Item(item.clone()),
                )?;
            }
        }
        Ok(())
    }

    fn place(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn trim(&mut self, now_ms: u64) -> Result<bool, StoreError> {
        while self.trim_one(now_ms) {}
        let ttl = self.queue_ttl_ms;
        for channel in self.channels.values_mut() {
            channel.queue.retain(|item| ttl == 0 || item.since_ms + ttl > now_ms);
        }
        Ok(false)
    }

    fn index(&mut self) -> Result<bool, StoreError> {
        if self.search {
            self.indexed = self.entries;
        }
        Ok(false)
    }

    fn disk_bytes(&self) -> u64 {
        0
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
