//! What a command would write, and what it needs to know first: the plan of it, made before it is carried out.

use std::sync::Arc;

use super::{Body, Fresh, Homes};
use crate::channel::log::{Log, Recovery};
use crate::channel::repeats::request_of;
use crate::channel::room::{Change, Room};
use crate::channel::user::User;
use crate::channel::{Ask, Stamp};
use crate::clock::Now;
use crate::model::{
    ChannelName, Event, Fact, FactKey, HistoryQuery, Kind, LogQuery, Op, Origin, Page, Priority, Query,
    Receipt, Record, Refusal, Since, Variant, Waiting,
};

/// What a command needs of the store.
#[derive(Debug)]
pub enum Plan {
    /// Nothing.
    Free,
    /// This written before it is done.
    Write(Vec<Record>),
    /// This known before it is done.
    Read(Query),
    /// It is not done at all.
    Refused(Refusal),
}

/// Bytes of one page of history.
const PAGE_BYTES: usize = 1 << 20;

impl Homes {
    /// What a command needs of the store. Changes nothing.
    pub(super) fn prepare(&self, index: u32, origin: &Origin, now: Now, op: &Op, stamp: Stamp) -> Plan {
        let Some(body) = self.slots[index as usize].channel.as_ref() else { return Plan::Free };
        let limits = self.realm(body.name().realm);
        let ask = Ask { id: self.id(index), origin, now, limits: &limits, homes: &self.limits, stamp };
        match op {
            Op::Join { since, variant, .. } | Op::Attach { since, variant, .. } => {
                return self.plan_to_begin(body, *variant, *since);
            }
            Op::Locate { .. } if body.log().head().is_none() => {
                return Plan::Read(Query::Log(Log::question(body.name(), 0, 0, self.limits.replay)));
            }
            Op::History(query) => return plan_history(body, query),
            Op::Search { words, limit } => return plan_search(body, words, *limit),
            _ => {}
        }
        match body {
            Body::Room(room) => plan_for_room(room, &ask, op, self.limits.seed),
            Body::Topic(topic) => {
                let Some(event) = said(body, &ask, op, Fresh { seed: self.limits.seed }) else {
                    return Plan::Free;
                };
                match topic.remembers(&event) {
                    true => Plan::Write(vec![append(topic.name(), event, op, &ask)]),
                    false => Plan::Free,
                }
            }
            Body::User(user) => {
                let full = !self.has_room_for_more() && !user.has_device();
                if full && super::verbs::keeps_mail(op) { Plan::Free } else { plan_for_user(user, &ask, op) }
            }
        }
    }

    /// Where somebody begins who is told numbers, or says where it stopped.
    fn plan_to_begin(&self, body: &Body, variant: Variant, since: Option<Since>) -> Plan {
        if !variant.numbered || body.name().kind == Kind::Presence {
            return Plan::Free;
        }
        let replay = self.limits.replay;
        match body.log().begin(self.limits.epoch, since, replay, None, true) {
            Recovery::Told(_) => Plan::Free,
            Recovery::Ask { after, limit } => {
                Plan::Read(Query::Log(Log::question(body.name(), after, limit, replay)))
            }
        }
    }

    /// The event that a command is about to say.
    pub(super) fn said(
        &self,
        index: u32,
        origin: &Origin,
        now: Now,
        op: &Op,
        stamp: Stamp,
        fresh: Fresh,
    ) -> Option<Event> {
        let body = self.slots[index as usize].channel.as_ref()?;
        let limits = self.realm(body.name().realm);
        let ask = Ask { id: self.id(index), origin, now, limits: &limits, homes: &self.limits, stamp };
        said(body, &ask, op, fresh)
    }

    /// What the store said of a channel's log.
    pub(super) fn learn(&mut self, index: u32, op: &Op, page: &Page) {
        let (max, of_all) = (self.limits.log_events, !matches!(op, Op::History(_)));
        let Some(body) = self.slots[index as usize].channel.as_mut() else { return };
        if of_all {
            let before = body.log().bytes();
            body.log_mut().learn(page, max);
            let after = body.log().bytes();
            if let Body::Room(room) = body {
                room.receipts.learn(&page.receipts);
            }
            self.log_bytes = self.log_bytes + after - before;
            self.make_room_for_logs(index);
        }
    }
}

/// The event that a command is about to say, as far as it says one that lasts.
fn said(body: &Body, ask: &Ask<'_>, op: &Op, fresh: Fresh) -> Option<Event> {
    match (body, op) {
        (Body::Room(room), Op::Publish { from, text, detail, .. }) => {
            let draft = fresh.draft(ask, from.clone(), text.clone(), detail.clone());
            Some(Event::Message(room.message(ask, draft)))
        }
        (Body::Topic(topic), Op::Publish { from, text, detail, .. }) => {
            let draft = fresh.draft(ask, from.clone(), text.clone(), detail.clone());
            Some(Event::Message(topic.message(ask, draft)))
        }
        (Body::Topic(_), Op::Announce { event, .. }) => Some(event.clone()),
        (Body::User(user), op) => said_by_user(user, ask, op),
        _ => None,
    }
}

fn said_by_user(user: &User, ask: &Ask<'_>, op: &Op) -> Option<Event> {
    match op {
        Op::SendDirect { text, detail, .. } => {
            let draft = super::user::Draft { id: ask.stamp.id, text: text.clone(), detail: detail.clone() };
            Some(Event::Direct(user.message(ask, draft, ask.origin.user.clone(), user.name.id.clone())))
        }
        Op::SendFrom { to, text, detail, .. } => {
            // Whoever asked may speak for this user, or is it.
            let draft = super::user::Draft { id: ask.stamp.id, text: text.clone(), detail: detail.clone() };
            Some(Event::Direct(user.message(ask, draft, user.name.id.clone(), to.clone())))
        }
        Op::Receive { message } => Some(Event::Direct((**message).clone())),
        Op::Notify { notification, .. } => Some(Event::Notification(notification.clone())),
        Op::NotificationRead { id } => Some(Event::NotificationRead { id: *id, at_ms: ask.now.unix_ms }),
        Op::NotificationClear { id } => Some(Event::NotificationCleared { id: *id, at_ms: ask.now.unix_ms }),
        _ => None,
    }
}

/// How a sender calls what an operation says.
pub fn request_in(op: &Op, from: &str) -> Option<Arc<str>> {
    match op {
        Op::Publish { request, .. } | Op::SendDirect { request, .. } | Op::SendFrom { request, .. } => {
            request_of(from, request.as_ref())
        }
        _ => None,
    }
}

fn append(channel: &ChannelName, event: Event, op: &Op, ask: &Ask<'_>) -> Record {
    let request = match &event {
        Event::Message(m) | Event::Direct(m) => request_in(op, &m.from),
        _ => request_in(op, &ask.origin.user),
    };
    Record::Append { channel: channel.clone(), event, request }
}

/// `transit`: another home is to take it in. The number is that of what is appended by the same request.
fn queue(user: ChannelName, event: Event, transit: bool, since_ms: u64) -> Record {
    let priority = match &event {
        Event::Notification(n) => n.priority,
        _ => Priority::Normal,
    };
    Record::Queue { user, waiting: Box::new(Waiting { event, seq: 0, transit, priority, since_ms }) }
}

fn plan_for_room(room: &Room, ask: &Ask<'_>, op: &Op, seed: u64) -> Plan {
    let (message, change) = match op {
        Op::Publish { member, .. } => {
            if let Err(refusal) = room.admit_speaker(ask.origin.principal.as_deref(), *member) {
                return Plan::Refused(refusal);
            }
            return plan_publish(room, ask, op, seed);
        }
        Op::CreateRoom { settings } => {
            let know = |fact| vec![Record::Know { channel: room.name().clone(), fact }];
            return room.fact(ask, settings).map_or(Plan::Free, |fact| Plan::Write(know(fact)));
        }
        Op::Read { message } => (*message, Change::Read),
        Op::Edit { message, text } => (*message, Change::Text(text.clone())),
        Op::Delete { message } => (*message, Change::Deleted),
        _ => return Plan::Free,
    };
    // A message of somebody without a name is nobody's to change.
    if ask.origin.user.is_empty() {
        return Plan::Refused(crate::channel::room::NOT_THE_AUTHOR);
    }
    if let Some(Err(refusal)) = room.may_amend(ask, message, &change) {
        return Plan::Refused(refusal);
    }
    let (channel, by) = (room.name().clone(), ask.origin.user.clone());
    let text = match &change {
        Change::Read => {
            let receipt = Receipt { user: by, message, at_ms: ask.now.unix_ms };
            return Plan::Write(vec![Record::Receipt { channel, receipt }]);
        }
        Change::Text(text) => Some(text.clone()),
        Change::Deleted => None,
    };
    let event = room.amendment(ask, message, change);
    let amend = Record::Amend { channel: channel.clone(), message, by, text };
    Plan::Write(vec![amend, Record::Append { channel, event, request: None }])
}

/// A message, and what waits for those who are not there to hear it.
fn plan_publish(room: &Room, ask: &Ask<'_>, op: &Op, seed: u64) -> Plan {
    let Op::Publish { from, text, detail, .. } = op else { return Plan::Free };
    let draft = Fresh { seed }.draft(ask, from.clone(), text.clone(), detail.clone());
    let message = room.message(ask, draft);
    let at_ms = message.at_ms;
    // First what is numbered: what waits bears its number.
    let mut records = vec![append(room.name(), Event::Message(message.clone()), op, ask)];
    for user in room.absent_hearers(&message) {
        records.push(queue(room.user(user), Event::Message(message.clone()), true, at_ms));
    }
    for user in room.mentioned_elsewhere(&message) {
        let notification = Event::Notification(Arc::new(room.mention(&message, user)));
        records.push(queue(room.user(user), notification, true, at_ms));
    }
    Plan::Write(records)
}

fn plan_for_user(user: &User, ask: &Ask<'_>, op: &Op) -> Plan {
    let channel = user.name.clone();
    match op {
        Op::RosterUpdate { contact } => {
            return match user.may_enter(ask, contact) {
                Ok(()) => Plan::Write(vec![Record::Know { channel, fact: Fact::Contact(contact.clone()) }]),
                Err(refusal) => Plan::Refused(refusal),
            };
        }
        Op::RosterRemove { user } => {
            return Plan::Write(vec![Record::Forget { channel, key: FactKey::Contact(user.clone()) }]);
        }
        _ => {}
    }
    let Some(event) = said_by_user(user, ask, op) else { return Plan::Free };
    // First what is numbered: what waits bears its number.
    let (at_ms, mut records) = (ask.now.unix_ms, vec![append(&channel, event.clone(), op, ask)]);
    match op {
        Op::SendFrom { to, .. } => {
            let other = ChannelName { id: to.clone(), ..channel.clone() };
            if *to == channel.id {
                records.clear();
            }
            records.push(queue(other, event, true, at_ms));
        }
        Op::NotificationRead { .. } | Op::NotificationClear { .. } => {}
        // It waits till it is handed over, but is not taken in twice.
        Op::Receive { .. } | Op::Notify { transit: true, .. } => {
            records.push(queue(channel, event, false, at_ms));
        }
        _ if user.can_hear(&event) => {}
        _ => records.push(queue(channel, event, false, at_ms)),
    }
    Plan::Write(records)
}

/// In what the user is one of.
fn plan_search(body: &Body, words: &str, limit: usize) -> Plan {
    let Body::User(user) = body else { return Plan::Free };
    let mut channels = vec![user.name.clone()];
    channels.extend(user.rooms().map(|room| ChannelName {
        kind: Kind::Room,
        id: room.clone(),
        ..user.name.clone()
    }));
    Plan::Read(Query::Search { channels, words: words.into(), limit })
}

fn plan_history(body: &Body, query: &HistoryQuery) -> Plan {
    if query.with.is_none() && body.log().after(query.after).is_some() {
        return Plan::Free;
    }
    Plan::Read(Query::Log(LogQuery {
        channel: body.name().clone(),
        after: query.after,
        with: query.with.clone(),
        messages: true,
        limit: query.limit,
        bytes: PAGE_BYTES,
        receipts: 0,
    }))
}
