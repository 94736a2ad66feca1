//! A user at home: devices, presence, places in rooms, contacts, and messages that wait.

use std::sync::Arc;

use super::log::Log;
use super::mailbox::{Confirm, Item, Mailbox};
use super::presence::Shown;
use super::typing::TypingTable;
use super::{Ask, Interest, Outlet};
use crate::limit::SlidingWindow;
use crate::model::{
    Begun, ChannelName, Code, Contact, Detail, Dialect, Event, Except, Fact, FactKey, Follow, JoinManner,
    Kind, Message, MessageId, Notification, Op, Priority, Record, Refusal, Reply, Showing, Status, Target,
    Typing, Variant, Waiting,
};
use crate::model::{Command, Origin};

/// One user with at least one device, or with something that is kept for it.
#[derive(Debug)]
pub struct User {
    pub name: ChannelName,
    pub interest: Interest,
    pub shown: Shown,
    /// Room and how many devices hold it; a handful, so a list beats a map.
    claims: Vec<(Arc<str>, u32)>,
    pub mailbox: Mailbox,
    pub log: Log,
    window: SlidingWindow,
    kept: Kept,
    /// The rooms it was in when its last device went, until that is told.
    left: Vec<Arc<str>>,
    /// Where it stands in the directory of those online.
    pub listed_at: Option<u32>,
    /// Where it stands among those who went and are remembered.
    pub remembered: Option<u64>,
    /// Others are to be told of a change at the end of the turn.
    pub untold: bool,
    /// How it was is to be written down.
    pub unsaved: bool,
    /// It is on the list of those of whom that is so.
    pub noted: bool,
}

/// What is kept of a user across its connections.
#[derive(Debug, Default)]
struct Kept {
    contacts: Vec<Contact>,
    /// Conversations it is one of, also while it is away (NEX-26).
    standing: Vec<Arc<str>>,
    /// Who writes to it.
    typing: TypingTable,
}

/// A device that has come.
pub struct Arrival {
    pub variant: Variant,
    /// The rooms it is in already.
    pub rooms: Vec<Arc<str>>,
    pub begun: Option<Box<Begun>>,
    /// It was told all that it missed of the user's own log.
    pub resumes: bool,
}

/// How a message is received.
pub struct Receiving {
    /// The shard has room for one more.
    pub keep: bool,
    /// It waits in the store till it is handed over.
    pub transit: bool,
    /// What its sender calls it, where this home has to remember that.
    pub request: Option<Arc<str>>,
}

/// Something a room said while the user was away.
pub struct Said {
    pub event: Arc<Event>,
    pub seq: u64,
    pub since_ms: u64,
    pub confirm: Option<(MessageId, Arc<str>)>,
}

/// What a user's channel is told about a message before it is sent.
pub struct Draft {
    pub id: MessageId,
    pub text: Box<str>,
    pub detail: Option<Box<Detail>>,
}

impl Draft {
    fn message(self, ask: &Ask<'_>, to: Arc<str>) -> Message {
        Message {
            id: self.id,
            kind: Kind::User,
            place: to,
            from: ask.origin.user.clone(),
            connection: None,
            text: self.text,
            detail: self.detail,
            at_ms: ask.now.unix_ms,
        }
    }
}

impl User {
    pub fn new(name: &ChannelName, log: Log) -> Self {
        Self {
            name: name.clone(),
            interest: Interest::default(),
            shown: Shown::default(),
            claims: Vec::new(),
            mailbox: Mailbox::default(),
            log,
            window: SlidingWindow::default(),
            kept: Kept::default(),
            left: Vec::new(),
            listed_at: None,
            remembered: None,
            untold: false,
            unsaved: false,
            noted: false,
        }
    }

    /// Counted among those online (T13).
    pub fn is_online(&self) -> bool {
        self.has_device() && self.shown.status() != Status::Offline
    }

    pub fn has_device(&self) -> bool {
        !self.interest.is_empty()
    }

    /// Whether a device is there whose dialect has words for it.
    pub fn can_hear(&self, event: &Event) -> bool {
        self.interest.dialects() & event.said_by() != 0
    }

    /// Whether there is something of it to remember while it is away.
    pub fn is_worth_remembering(&self) -> bool {
        self.shown.is_known() || !self.kept.contacts.is_empty() || !self.kept.standing.is_empty()
    }

    /// The rooms it is in, and the conversations it is one of.
    pub fn rooms(&self) -> impl Iterator<Item = &Arc<str>> {
        let held = self.claims.iter().map(|(room, _)| room);
        let standing = self.kept.standing.iter().filter(|s| !self.claims.iter().any(|(room, _)| room == *s));
        held.chain(standing)
    }

    /// The rooms that hear of a change of its presence when not everybody does.
    pub fn rooms_to_tell(&mut self) -> Vec<Arc<str>> {
        match self.has_device() {
            true => self.rooms().cloned().collect(),
            false => std::mem::take(&mut self.left),
        }
    }

    /// Throws away what has waited too long, and what the window no longer needs.
    pub fn expire(&mut self, now: crate::clock::Now, ttl_ms: u64, window_ms: u64) {
        self.mailbox.expire(now.unix_ms, ttl_ms);
        self.window.expire(window_ms, now.mono_ms);
    }

    /// A message that was granted was not said after all.
    pub fn give_back(&mut self) {
        self.window.give_back();
    }

    /// Whether nothing would be lost if it went.
    pub fn is_over(&self) -> bool {
        let idle = !self.has_device() && self.mailbox.is_empty() && self.remembered.is_none();
        idle && !self.untold && !self.unsaved
    }

    pub fn typing(&mut self) -> &mut TypingTable {
        &mut self.kept.typing
    }

    /// Hands out an event to all devices but those left out.
    pub fn relay(&self, ask: &Ask<'_>, event: &Event, except: &Except, outlet: &mut impl Outlet) {
        outlet.publish(ask.id, &self.interest, except, event, None);
    }

    /// A device is there: first it is told so, then what it missed, then what waited (T3, T18).
    pub fn attach(&mut self, ask: &Ask<'_>, arrival: Arrival, outlet: &mut impl Outlet) {
        let Arrival { variant, rooms, begun, resumes } = arrival;
        let first = !self.has_device();
        self.interest.add(ask.origin.reply_to.shard(), variant);
        let max = ask.limits.max_rooms_per_user;
        let over = rooms.into_iter().filter(|room| self.claim(room.clone(), max).is_err()).collect();
        let follow = self.follow(variant.dialect);
        ask.answer(outlet, Reply::Attached { channel: ask.id, over, follow, begun });
        if first {
            self.shown.came(ask.now.unix_ms, ask.origin.reply_to);
        } else if variant.dialect == Dialect::Tusk {
            // The document tells of every authentication (TUS-18).
            let showing = Showing { status: Some(Status::Online), ..Showing::default() };
            self.shown.say(&self.name.id, showing, ask.now.unix_ms, ask.origin.reply_to);
        }
        (self.untold, self.unsaved) = (true, true);
        self.flush(ask, resumes, outlet);
    }

    /// What a new device becomes a member of by itself, in dialects that have such things.
    fn follow(&self, dialect: Dialect) -> Vec<Follow> {
        match dialect {
            Dialect::Nexus => self.kept.standing.iter().cloned().map(Follow::Room).collect(),
            Dialect::Sge => self.kept.contacts.iter().map(|c| Follow::Presence(c.user.clone())).collect(),
            _ => Vec::new(),
        }
    }

    /// Hands the device that has come what waits, and again what was not acknowledged. Clients tell doubles by their
    /// id. `resumes`: it has all that is in the user's own log already.
    fn flush(&mut self, ask: &Ask<'_>, resumes: bool, outlet: &mut impl Outlet) {
        let Some(device) = ask.origin.reply_to.connection() else { return };
        let again = self.mailbox.unconfirmed().filter(|_| !resumes);
        let mut told: Vec<_> = again.map(|item| (item.seq, item.event.clone())).collect();
        let items = self.mailbox.take(ask.now.unix_ms, ask.limits.queue_ttl, self.interest.dialects());
        let is_known = |item: &Item| resumes && item.seq != 0 && !matches!(*item.event, Event::Message(_));
        told.extend(items.iter().filter(|i| !is_known(i)).map(|item| (item.seq, item.event.clone())));
        if told.is_empty() && items.is_empty() {
            return;
        }
        self.mailbox.hand(device, items);
        ask.answer(outlet, Reply::Handed { channel: ask.id, items: told });
    }

    /// What a device that is gone never got is told to those that are still there.
    fn hand_to_others(&mut self, ask: &Ask<'_>, outlet: &mut impl Outlet) {
        let dialects = self.interest.dialects();
        if dialects == 0 {
            return;
        }
        for mut item in self.mailbox.take(ask.now.unix_ms, ask.limits.queue_ttl, dialects) {
            outlet.publish(ask.id, &self.interest, &Except::Nobody, &item.event, item.number());
            item.confirm.take().into_iter().for_each(|confirm| self.confirm(ask, confirm, outlet));
            let over = self.mailbox.await_acknowledgement(item, ask.limits.queue);
            self.unqueue(over.into_iter().collect(), outlet);
        }
    }

    /// A device has all that was handed to it.
    pub fn settle(&mut self, ask: &Ask<'_>, outlet: &mut impl Outlet) {
        let Some(device) = ask.origin.reply_to.connection() else { return };
        let (over, confirms) = self.mailbox.settle(device, ask.limits.queue);
        confirms.into_iter().for_each(|confirm| self.confirm(ask, confirm, outlet));
        self.unqueue(over, outlet);
    }

    /// Has the store forget what waits no more.
    pub fn unqueue(&self, ids: Vec<MessageId>, outlet: &mut impl Outlet) {
        if !ids.is_empty() {
            outlet.write(0, vec![Record::Unqueue { user: self.name.clone(), ids }]);
        }
    }

    /// The client has that message.
    pub fn acknowledge(&mut self, ask: &Ask<'_>, id: MessageId, outlet: &mut impl Outlet) {
        let (waited, confirms) = self.mailbox.acknowledge(id);
        confirms.into_iter().for_each(|confirm| self.confirm(ask, confirm, outlet));
        if waited {
            self.unqueue(vec![id], outlet);
        }
    }

    /// Tells the sender that something has arrived.
    fn confirm(&self, ask: &Ask<'_>, confirm: Confirm, outlet: &mut impl Outlet) {
        let Confirm { to, id, room } = confirm;
        outlet.reply(to, None, Reply::Delivered { id, room, at_ms: ask.now.unix_ms });
    }

    /// A device is gone; offline only with the last one (T20).
    pub fn detach(&mut self, ask: &Ask<'_>, variant: Variant, rooms: &[Arc<str>], outlet: &mut impl Outlet) {
        if !self.interest.remove(ask.origin.reply_to.shard(), variant) {
            return;
        }
        if !self.has_device() {
            // They hear of its going when not everybody does.
            self.left = self.rooms().cloned().collect();
        }
        for room in rooms {
            self.release(room, false);
        }
        if let Some(device) = ask.origin.reply_to.connection() {
            self.mailbox.take_back(device);
            self.hand_to_others(ask, outlet);
        }
        if !self.has_device() {
            self.shown.went(ask.now.unix_ms, ask.origin.reply_to);
            (self.untold, self.unsaved) = (true, true);
        }
    }

    /// Takes the user's word for how it is (TUS-16, NEX-48, SGE-12).
    pub fn set_presence(&mut self, ask: &Ask<'_>, showing: Showing, outlet: &mut impl Outlet) {
        self.shown.say(&self.name.id, showing, ask.now.unix_ms, ask.origin.reply_to);
        (self.untold, self.unsaved) = (true, true);
        ask.done(outlet);
    }

    /// A place in one more room, within the limit over all of the user's devices (TUS-33).
    pub fn take_place(
        &mut self,
        ask: &Ask<'_>,
        room: Arc<str>,
        manner: JoinManner,
        outlet: &mut impl Outlet,
    ) {
        let reply = match self.claim(room.clone(), ask.limits.max_rooms_per_user) {
            Ok(()) => {
                if manner == JoinManner::Standing && !self.kept.standing.contains(&room) {
                    self.kept.standing.push(room.clone());
                    // Nobody waits for it: what it says there is most likely written behind this, and makes it one again.
                    let fact = Fact::Standing(room.clone());
                    outlet.write(0, vec![Record::Know { channel: self.name.clone(), fact }]);
                }
                Reply::Claimed { room }
            }
            Err(refusal) => Reply::Denied(refusal),
        };
        ask.answer(outlet, reply);
    }

    fn claim(&mut self, room: Arc<str>, max: usize) -> Result<(), Refusal> {
        let holds = self.claims.iter().any(|(r, _)| *r == room) || self.kept.standing.contains(&room);
        if max != 0 && !holds && self.rooms().count() >= max {
            return Err(too_many_rooms(max));
        }
        match self.claims.iter_mut().find(|(r, _)| *r == room) {
            Some((_, devices)) => *devices += 1,
            None => self.claims.push((room, 1)),
        }
        Ok(())
    }

    /// Gives a place back.
    pub fn give_up(&mut self, room: &Arc<str>, for_good: bool, outlet: &mut impl Outlet) {
        let stood = self.kept.standing.contains(room);
        self.release(room, for_good);
        if stood && !self.kept.standing.contains(room) {
            let key = FactKey::Standing(room.clone());
            outlet.write(0, vec![Record::Forget { channel: self.name.clone(), key }]);
        }
    }

    fn release(&mut self, room: &str, for_good: bool) {
        let mut held = false;
        if let Some(at) = self.claims.iter().position(|(r, _)| **r == *room) {
            self.claims[at].1 -= 1;
            held = self.claims[at].1 > 0;
            if !held {
                self.claims.swap_remove(at);
            }
        }
        // Where another device still is, the user is one of the conversation.
        if for_good && !held {
            self.kept.standing.retain(|r| **r != *room);
        }
    }

    /// One message more in the user's sliding window, over all of its devices (GAT-49).
    pub fn grant(&mut self, ask: &Ask<'_>, limit: u32, window_ms: u64, outlet: &mut impl Outlet) {
        let granted = self.window.try_take(limit, window_ms, ask.now.mono_ms);
        ask.answer(outlet, if granted { Reply::Granted } else { Reply::Denied(Refusal::RATE_LIMITED) });
    }

    /// A message from this user to another: its own devices hear it here, in the order of all that they hear, and
    /// then it is sent on (SGE-23).
    pub fn send_on(
        &mut self,
        ask: &Ask<'_>,
        message: Message,
        request: Option<Arc<str>>,
        outlet: &mut impl Outlet,
    ) {
        if message.place != self.name.id {
            let seq = ask.number(&self.log);
            let event = Arc::new(Event::Direct(message.clone()));
            outlet.publish(ask.id, &self.interest, &Except::Nobody, &event, Some(seq));
            if let Some(request) = request {
                self.log.repeats.note(request, seq, message.id);
            }
            self.log.push(seq, event, ask.homes.log_events);
        }
        let name = ChannelName { id: message.place.clone(), ..self.name.clone() };
        let op = Op::Receive { message: Box::new(message) };
        let origin = Origin { user: self.name.id.clone(), ..ask.origin.clone() };
        outlet.errand(ask.origin.reply_to, Command { target: Target::Named(name), origin, op });
    }

    /// Delivers to every device, or keeps it for later (T18, T19). `keep`: the shard has room for one more;
    /// without it a delivered message is not kept until it is acknowledged.
    pub fn receive(&mut self, ask: &Ask<'_>, message: Message, how: Receiving, outlet: &mut impl Outlet) {
        let origin = ask.origin;
        let (id, from) = (message.id, message.from.clone());
        let seq = ask.number(&self.log);
        let confirm = Some(Confirm { to: origin.reply_to, id, room: None });
        let mut item = self.item(ask, Event::Direct(message), seq, Priority::Normal, confirm);
        self.log.push(seq, item.event.clone(), ask.homes.log_events);
        if let Some(request) = how.request {
            self.log.repeats.note(request, seq, id);
        }
        let queued = !self.can_hear(&item.event);
        ask.answer(outlet, Reply::Sent { to: self.name.id.clone(), id, queued });
        if let Some(writer) = self.kept.typing.stop(&from) {
            self.tell_typing(ask, &from, writer.username, false, outlet);
        }
        if queued {
            return self.keep_waiting(ask, item, outlet);
        }
        outlet.publish(ask.id, &self.interest, &Except::Nobody, &item.event, item.number());
        item.confirm.take().into_iter().for_each(|confirm| self.confirm(ask, confirm, outlet));
        let over = match how.keep {
            true => self.mailbox.await_acknowledgement(item, ask.limits.queue),
            false => Some(id),
        };
        // What was told at once is in no queue but by the way it came.
        self.unqueue(over.filter(|over| how.transit || *over != id).into_iter().collect(), outlet);
    }

    /// The message that somebody sends to `to`.
    pub fn message(&self, ask: &Ask<'_>, draft: Draft, from: Arc<str>, to: Arc<str>) -> Message {
        Message { from, ..draft.message(ask, to) }
    }

    fn item(
        &self,
        ask: &Ask<'_>,
        event: Event,
        seq: u64,
        priority: Priority,
        confirm: Option<Confirm>,
    ) -> Item {
        Item { event: Arc::new(event), seq, priority, since_ms: ask.now.unix_ms, confirm }
    }

    /// Puts something by for the next device. What gives way is forgotten.
    fn keep_waiting(&mut self, ask: &Ask<'_>, item: Item, outlet: &mut impl Outlet) {
        let gone = self.mailbox.keep(item, ask.limits.queue);
        self.unqueue(gone.and_then(|item| item.event.id()).into_iter().collect(), outlet);
    }

    /// Keeps what a conversation said while the user was away, or tells it at once.
    pub fn keep(&mut self, ask: &Ask<'_>, said: Said, outlet: &mut impl Outlet) {
        let Said { event, seq, since_ms, confirm } = said;
        let to = ask.origin.reply_to;
        let confirm = confirm.map(|(id, room)| Confirm { to, id, room: Some(room) });
        let item = Item { event, seq, priority: Priority::Normal, since_ms, confirm };
        self.hand_or_keep(ask, item, true, outlet);
    }

    /// What the store had kept before the restart waits on. What gives way is forgotten there too: more may have been
    /// written than was carried out. Whether there is more of it now.
    pub fn restore(&mut self, waiting: Waiting, max: usize, outlet: &mut impl Outlet) -> bool {
        let Waiting { event, seq, priority, since_ms, .. } = waiting;
        let item = Item { event: Arc::new(event), seq, priority, since_ms, confirm: None };
        let gone = self.mailbox.keep(item, max);
        let is_more = gone.is_none();
        self.unqueue(gone.and_then(|item| item.event.id()).into_iter().collect(), outlet);
        is_more
    }

    /// What is known of it from before the restart.
    pub fn recall(&mut self, fact: Fact) {
        match fact {
            Fact::Contact(contact) if !self.kept.contacts.iter().any(|c| c.user == contact.user) => {
                self.kept.contacts.push(contact);
            }
            Fact::Standing(room) if !self.kept.standing.contains(&room) => self.kept.standing.push(room),
            Fact::Presence(history) if !self.shown.is_known() => self.shown.recall(history),
            // What was said since is newer.
            Fact::Contact(_) | Fact::Standing(_) | Fact::Presence(_) => {}
            Fact::Room { .. } => {}
        }
    }

    /// Tells the user something, now or when it comes (SGE-34, NEX-58).
    pub fn notify(
        &mut self,
        ask: &Ask<'_>,
        notification: Arc<Notification>,
        transit: bool,
        outlet: &mut impl Outlet,
    ) {
        let priority = notification.priority;
        let seq = ask.number(&self.log);
        let item = self.item(ask, Event::Notification(notification), seq, priority, None);
        self.log.push(seq, item.event.clone(), ask.homes.log_events);
        ask.answer(outlet, Reply::Notified { delivered: self.can_hear(&item.event) });
        self.hand_or_keep(ask, item, transit, outlet);
    }

    /// `transit`: it waits in the store already.
    fn hand_or_keep(&mut self, ask: &Ask<'_>, item: Item, transit: bool, outlet: &mut impl Outlet) {
        if !self.can_hear(&item.event) {
            return self.keep_waiting(ask, item, outlet);
        }
        outlet.publish(ask.id, &self.interest, &Except::Nobody, &item.event, item.number());
        if transit {
            self.unqueue(item.event.id().into_iter().collect(), outlet);
        }
        item.confirm.into_iter().for_each(|confirm| self.confirm(ask, confirm, outlet));
    }

    /// A device has seen or thrown away a notification; the others are told (NEX-39, NEX-40).
    pub fn mirror(&mut self, ask: &Ask<'_>, event: Event, outlet: &mut impl Outlet) {
        if let Event::NotificationCleared { id, .. } = event {
            let gone = self.mailbox.clear_notifications(id);
            self.unqueue(gone, outlet);
        }
        let except = ask.origin.reply_to.connection().map_or(Except::Nobody, Except::Connection);
        let seq = ask.number(&self.log);
        outlet.publish(ask.id, &self.interest, &except, &event, Some(seq));
        self.log.push(seq, Arc::new(event), ask.homes.log_events);
        ask.done(outlet);
    }

    /// Somebody writes to this user, or stopped.
    pub fn somebody_types(
        &mut self,
        ask: &Ask<'_>,
        writer: &Arc<str>,
        on: bool,
        username: Option<Arc<str>>,
        for_ms: u64,
        outlet: &mut impl Outlet,
    ) {
        let tell = match on {
            true => self.kept.typing.start(writer, username.clone(), ask.now.mono_ms, for_ms),
            false => self.kept.typing.stop(writer).is_some(),
        };
        if tell {
            self.tell_typing(ask, writer, username, on, outlet);
        }
    }

    pub fn tell_typing(
        &self,
        ask: &Ask<'_>,
        writer: &Arc<str>,
        username: Option<Arc<str>>,
        on: bool,
        outlet: &mut impl Outlet,
    ) {
        let typing = Typing {
            room: None,
            to: self.name.id.clone(),
            user: writer.clone(),
            username,
            on,
            at_ms: ask.now.unix_ms,
        };
        outlet.publish(ask.id, &self.interest, &Except::Nobody, &Event::Typing(typing), None);
    }

    pub fn roster(&self) -> Vec<Contact> {
        self.kept.contacts.clone()
    }

    /// Whether there is room for a contact, or it is on the roster already.
    pub fn may_enter(&self, ask: &Ask<'_>, contact: &Contact) -> Result<(), Refusal> {
        let max = ask.limits.contacts;
        let known = self.kept.contacts.iter().any(|c| c.user == contact.user);
        match !known && max != 0 && self.kept.contacts.len() >= max {
            true => Err(Refusal::with(Code::LimitReached, format!("Too many contacts (at most {max})"))),
            false => Ok(()),
        }
    }

    /// Enters a contact, or changes what is said of it (SGE-38).
    pub fn set_contact(&mut self, ask: &Ask<'_>, contact: Contact, outlet: &mut impl Outlet) {
        if let Err(refusal) = self.may_enter(ask, &contact) {
            return ask.answer(outlet, Reply::Refused(refusal));
        }
        match self.kept.contacts.iter_mut().find(|c| c.user == contact.user) {
            Some(known) => *known = contact,
            None => {
                outlet.follow(ask.id, &self.interest, &contact.user, true);
                self.kept.contacts.push(contact);
            }
        }
        ask.answer(outlet, Reply::Roster(self.roster()));
    }

    pub fn remove_contact(&mut self, ask: &Ask<'_>, user: &Arc<str>, outlet: &mut impl Outlet) {
        if let Some(at) = self.kept.contacts.iter().position(|c| c.user == *user) {
            self.kept.contacts.remove(at);
            outlet.follow(ask.id, &self.interest, user, false);
        }
        ask.answer(outlet, Reply::Roster(self.roster()));
    }
}

/// The refusal of TUS-33; guests meet the same limit on their own shard.
pub fn too_many_rooms(max: usize) -> Refusal {
    Refusal::with(Code::LimitReached, format!("Too many rooms (at most {max} per user)"))
}
