//! A user at home: devices, presence, places in rooms, and messages that wait.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Ask, Interest, Outlet};
use crate::model::{
    ChannelId, ChannelName, Code, ConnKey, Event, MessageId, RealmId, Refusal, Reply, ReplyTo, Status,
    Variant,
};

/// One user with at least one device, or with messages waiting for one.
#[derive(Debug)]
pub struct User {
    name: Arc<str>,
    realm: RealmId,
    tenant: Arc<str>,
    interest: Interest,
    status: Status,
    /// Room and how many devices hold it; a handful, so a list beats a map.
    claims: Vec<(Arc<str>, u32)>,
    /// Waiting for the next device, oldest first.
    queue: VecDeque<Direct>,
    /// Handed to a device and not acknowledged; kept only for users whose clients acknowledge.
    unconfirmed: VecDeque<Direct>,
    acknowledges: bool,
}

#[derive(Clone, Debug)]
struct Direct {
    id: MessageId,
    from: Arc<str>,
    text: Box<str>,
    at_ms: u64,
    sender: ReplyTo,
}

impl Direct {
    fn event(&self) -> Event {
        Event::Direct { id: self.id, from: self.from.clone(), text: self.text.clone(), at_ms: self.at_ms }
    }
}

impl User {
    pub fn new(name: &ChannelName) -> Self {
        Self {
            name: name.id.clone(),
            realm: name.realm,
            tenant: name.tenant.clone(),
            interest: Interest::default(),
            status: Status::Offline,
            claims: Vec::new(),
            queue: VecDeque::new(),
            unconfirmed: VecDeque::new(),
            acknowledges: false,
        }
    }

    /// Counted in `online_users` (T13).
    pub fn is_online(&self) -> bool {
        self.status != Status::Offline
    }

    /// Whether nothing would be lost if it went.
    pub fn is_over(&self) -> bool {
        self.interest.is_empty() && self.queue.is_empty() && self.unconfirmed.is_empty()
    }

    /// Messages held for this user.
    pub fn held(&self) -> usize {
        self.queue.len() + self.unconfirmed.len()
    }

    pub fn has_device(&self) -> bool {
        !self.interest.is_empty()
    }

    /// Hands out an event made elsewhere to all devices but the one excluded.
    pub fn relay(&self, id: ChannelId, event: &Event, exclude: Option<ConnKey>, outlet: &mut impl Outlet) {
        outlet.publish(id, &self.interest, exclude, event);
    }

    /// A device authenticated: online, told to everybody, then what waited (TUS-18, T3, T18).
    pub fn attach(&mut self, ask: Ask<'_>, variant: Variant, rooms: Vec<Arc<str>>, outlet: &mut impl Outlet) {
        let Ask { id, origin, .. } = ask;
        self.interest.add(origin.reply_to.shard(), variant);
        let max = ask.limits.max_rooms_per_user;
        let over = rooms.into_iter().filter(|room| self.claim(room.clone(), max).is_err()).collect();
        outlet.reply(origin.reply_to, Reply::Attached { channel: id, over });
        self.set_status(Status::Online, ask, outlet);
        self.flush(ask, outlet);
    }

    /// Hands over what waits, oldest first, and again what was not acknowledged: the device that has just come
    /// may be the one whose socket died unnoticed. Clients that acknowledge tell doubles by their id.
    fn flush(&mut self, ask: Ask<'_>, outlet: &mut impl Outlet) {
        let id = ask.id;
        for direct in &self.unconfirmed {
            outlet.publish(id, &self.interest, None, &direct.event());
        }
        for direct in std::mem::take(&mut self.queue) {
            outlet.publish(id, &self.interest, None, &direct.event());
            outlet.reply(direct.sender, Reply::Delivered { id: direct.id });
            if self.acknowledges {
                keep_newest(&mut self.unconfirmed, direct, ask.limits.direct_queue);
            }
        }
    }

    /// A device is gone; offline only with the last one (T20).
    pub fn detach(&mut self, ask: Ask<'_>, variant: Variant, rooms: &[Arc<str>], outlet: &mut impl Outlet) {
        if !self.interest.remove(ask.origin.reply_to.shard(), variant) {
            return;
        }
        for room in rooms {
            self.release(room);
        }
        if self.interest.is_empty() {
            self.set_status(Status::Offline, ask, outlet);
        }
    }

    /// Takes the user's word for its availability and tells everybody (TUS-16, TUS-17). Where too many are
    /// online for that, the connection it came from is asked to tell its rooms; when it was the last one, its
    /// rooms hear of its leaving.
    pub fn set_status(&mut self, status: Status, ask: Ask<'_>, outlet: &mut impl Outlet) {
        self.status = status;
        if !ask.limits.presence_broadcast {
            return;
        }
        let event = Event::Presence { user: self.name.clone(), status, at_ms: ask.now.unix_ms };
        match ask.limits.presence_broadcast_limit {
            max if max != 0 && ask.online > max => {
                outlet.reply(ask.origin.reply_to, Reply::TellRooms { event: Box::new(event) });
            }
            _ => outlet.announce(self.realm, &self.tenant, &event),
        }
    }

    /// A place in one more room, within the limit over all of the user's devices (TUS-33).
    pub fn claim(&mut self, room: Arc<str>, max: usize) -> Result<(), Refusal> {
        let holds = self.claims.iter().any(|(r, _)| *r == room);
        if max != 0 && !holds && self.claims.len() >= max {
            return Err(too_many_rooms(max));
        }
        self.hold(room);
        Ok(())
    }

    fn hold(&mut self, room: Arc<str>) {
        match self.claims.iter_mut().find(|(r, _)| *r == room) {
            Some((_, devices)) => *devices += 1,
            None => self.claims.push((room, 1)),
        }
    }

    pub fn release(&mut self, room: &str) {
        if let Some(at) = self.claims.iter().position(|(r, _)| **r == *room) {
            self.claims[at].1 -= 1;
            if self.claims[at].1 == 0 {
                self.claims.swap_remove(at);
            }
        }
    }

    /// Delivers to every device, or keeps the newest for later (T18, T19). `keep`: the shard has room for one
    /// more; without it a delivered message is not kept until it is acknowledged.
    pub fn send(
        &mut self,
        ask: Ask<'_>,
        message: MessageId,
        text: Box<str>,
        keep: bool,
        outlet: &mut impl Outlet,
    ) {
        let Ask { id, origin, now, limits, .. } = ask;
        let queued = self.interest.is_empty();
        let direct = Direct {
            id: message,
            from: origin.user.clone(),
            text,
            at_ms: now.unix_ms,
            sender: origin.reply_to,
        };
        outlet.reply(origin.reply_to, Reply::Sent { to: self.name.clone(), id: message, queued });
        if queued {
            keep_newest(&mut self.queue, direct, limits.direct_queue);
            return;
        }
        outlet.publish(id, &self.interest, None, &direct.event());
        outlet.reply(origin.reply_to, Reply::Delivered { id: message });
        if self.acknowledges && keep {
            keep_newest(&mut self.unconfirmed, direct, limits.direct_queue);
        }
    }

    /// The client has the message: it will not be sent again (TUS-36). From the first acknowledgement on,
    /// what this user's clients leave unacknowledged is sent again when they come back.
    pub fn acknowledge(&mut self, id: MessageId) {
        self.acknowledges = true;
        self.unconfirmed.retain(|d| d.id != id);
    }
}

/// `max` 0: as many as the shard's limit allows.
fn keep_newest(queue: &mut VecDeque<Direct>, direct: Direct, max: usize) {
    if max != 0 && queue.len() >= max {
        queue.pop_front();
    }
    queue.push_back(direct);
}

/// The refusal of TUS-33; guests meet the same limit on their own shard.
pub fn too_many_rooms(max: usize) -> Refusal {
    Refusal::with(Code::LimitReached, format!("Too many rooms (at most {max} per user)"))
}
