//! Every channel whose home is this shard, and the one door to them: [`Homes::apply`].

use std::collections::HashMap;
use std::sync::Arc;

use super::room::Room;
use super::user::User;
use super::{Ask, Outlet};
use crate::clock::Now;
use crate::model::{
    ChannelId, ChannelName, Code, Command, MessageId, Op, Origin, Principal, RealmId, Refusal, Reply,
    RoomInfo, RoomSettings, Target,
};

/// The numbers that channels enforce. From the configuration; 0 means none where a limit may be off.
#[derive(Clone, Copy, Debug)]
pub struct HomeLimits {
    /// Connections in one room (TUS-32).
    pub max_room_members: usize,
    /// Rooms of one user over all its devices (TUS-33).
    pub max_rooms_per_user: usize,
    /// Messages kept for one absent user, the newest ones.
    pub direct_queue: usize,
    /// Messages kept for all absent users of one shard; one more is refused.
    pub direct_queue_total: usize,
    /// Whether changes of presence are told to the whole realm.
    pub presence_broadcast: bool,
    /// Users online in the process beyond whom they are told only in the user's rooms; 0: no limit.
    pub presence_broadcast_limit: usize,
}

/// The channels of one home shard.
#[derive(Debug)]
pub struct Homes {
    shard: u16,
    limits: HomeLimits,
    /// Names come from strangers: the map's hash is keyed per process (SipHash).
    names: HashMap<ChannelName, u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    messages: u64,
    rooms: usize,
    online: usize,
    held: usize,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u16,
    channel: Option<(ChannelName, Body)>,
}

#[derive(Debug)]
enum Body {
    Room(Room),
    User(User),
}

impl Homes {
    pub fn new(shard: u16, limits: HomeLimits) -> Self {
        Self {
            shard,
            limits,
            names: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            messages: 0,
            rooms: 0,
            online: 0,
            held: 0,
        }
    }

    /// Rooms that exist here.
    pub fn rooms(&self) -> usize {
        self.rooms
    }

    /// Users homed here who are not offline.
    pub fn users_online(&self) -> usize {
        self.online
    }

    /// Messages held for absent users.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Carries out one command. Everything it leads to has been told to the outlet when it returns. `online`:
    /// users online on all shards, as far as this one knows.
    pub fn apply(&mut self, command: Command, now: Now, online: usize, outlet: &mut impl Outlet) {
        let Command { target, origin, op } = command;
        match (&target, op) {
            (_, Op::ListRooms { realm, tenant }) => {
                let rooms = self.list(realm, &tenant, origin.principal.as_deref());
                outlet.reply(origin.reply_to, Reply::Rooms(rooms));
            }
            (_, Op::Probe) => outlet.reply(origin.reply_to, Reply::Done),
            (Target::Named(name), Op::CreateRoom { settings }) => {
                let reply = self.create(name, settings, &origin);
                outlet.reply(origin.reply_to, reply);
            }
            (_, op) => match self.find(&target, &op) {
                Some(index) => {
                    let limits = self.limits;
                    let ask = Ask { id: self.id(index), origin: &origin, now, online, limits: &limits };
                    self.apply_to(index, ask, op, outlet);
                }
                None => answer_for_nothing(&origin, &op, outlet),
            },
        }
    }

    /// The channel that is meant; made when the verb is one that brings it into being.
    fn find(&mut self, target: &Target, op: &Op) -> Option<u32> {
        match target {
            Target::Shard => None,
            Target::Known(id) => {
                let slot = self.slots.get(id.index as usize)?;
                (slot.generation == id.generation && slot.channel.is_some()).then_some(id.index)
            }
            Target::Named(name) => match (self.names.get(name), op) {
                (Some(index), _) => Some(*index),
                (None, Op::Join { .. }) => {
                    Some(self.insert(name.clone(), Body::Room(Room::joined(name.id.clone()))))
                }
                (None, Op::Attach { .. } | Op::Claim { .. } | Op::SendDirect { .. }) => {
                    Some(self.insert(name.clone(), Body::User(User::new(name))))
                }
                (None, _) => None,
            },
        }
    }

    fn insert(&mut self, name: ChannelName, body: Body) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        self.rooms += usize::from(matches!(body, Body::Room(_)));
        self.names.insert(name.clone(), index);
        self.slots[index as usize].channel = Some((name, body));
        index
    }

    /// Makes a room that stays; an existing one is described and left as it is (TUS-24).
    fn create(&mut self, name: &ChannelName, settings: RoomSettings, origin: &Origin) -> Reply {
        let cap = self.limits.max_room_members;
        if let Some(info) = self.names.get(name).and_then(|i| self.room(*i)).map(|r| r.info(cap)) {
            return Reply::Room { info, created: false };
        }
        let creator = origin.principal.as_ref().filter(|p| p.verified).map(|p| p.user.clone());
        let room = Room::created(name.id.clone(), settings, creator);
        let info = room.info(cap);
        self.insert(name.clone(), Body::Room(room));
        Reply::Room { info, created: true }
    }

    fn room(&self, index: u32) -> Option<&Room> {
        match &self.slots[index as usize].channel {
            Some((_, Body::Room(room))) => Some(room),
            _ => None,
        }
    }

    fn list(&self, realm: RealmId, tenant: &Arc<str>, who: Option<&Principal>) -> Vec<RoomInfo> {
        let cap = self.limits.max_room_members;
        let channels = self.slots.iter().filter_map(|s| s.channel.as_ref());
        channels
            .filter(|(name, _)| name.realm == realm && name.tenant == *tenant)
            .filter_map(|(_, body)| match body {
                Body::Room(room) if room.is_visible_to(who) => Some(room.info(cap)),
                _ => None,
            })
            .collect()
    }

    fn id(&self, index: u32) -> ChannelId {
        ChannelId { home: self.shard, generation: self.slots[index as usize].generation, index }
    }

    fn apply_to(&mut self, index: u32, ask: Ask<'_>, op: Op, outlet: &mut impl Outlet) {
        let slot = &mut self.slots[index as usize];
        let limits = ask.limits;
        match slot.channel.as_mut() {
            Some((_, Body::Room(room))) => {
                apply_to_room(room, ask, op, outlet);
                if room.is_over() {
                    self.rooms -= 1;
                    self.remove(index);
                }
            }
            Some((_, Body::User(user))) => {
                let (was_online, was_held) = (user.is_online(), user.held());
                if matches!(op, Op::SendDirect { .. }) {
                    self.messages += 1;
                }
                let message = MessageId::new(self.shard, self.messages);
                let room_for_more = limits.direct_queue_total == 0 || self.held < limits.direct_queue_total;
                apply_to_user(user, ask, message, room_for_more, op, outlet);
                self.online = self.online + usize::from(user.is_online()) - usize::from(was_online);
                self.held = self.held + user.held() - was_held;
                if user.is_over() {
                    self.remove(index);
                }
            }
            None => {}
        }
    }

    fn remove(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        if let Some((name, _)) = slot.channel.take() {
            self.names.remove(&name);
        }
        // A late command with the old id must not reach the place's next tenant.
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(index);
    }
}

fn apply_to_room(room: &mut Room, ask: Ask<'_>, op: Op, outlet: &mut impl Outlet) {
    match op {
        Op::Join { variant, password } => room.join(ask, variant, password.as_deref(), outlet),
        Op::Leave { variant, quiet } => room.leave(ask, variant, quiet, outlet),
        Op::Publish { text, member } => room.publish(ask, text, member, outlet),
        Op::Announce { event, exclude } => room.relay(ask.id, &event, exclude, outlet),
        Op::DescribeRoom => {
            let reply = match room.is_visible_to(ask.origin.principal.as_deref()) {
                true => Reply::Room { info: room.info(ask.limits.max_room_members), created: false },
                false => Reply::Refused(NO_ROOM),
            };
            outlet.reply(ask.origin.reply_to, reply);
        }
        // The other verbs are for users; a name of kind room never carries them.
        _ => debug_assert!(false, "a user's verb for a room"),
    }
}

fn apply_to_user(
    user: &mut User,
    ask: Ask<'_>,
    message: MessageId,
    room_for_more: bool,
    op: Op,
    outlet: &mut impl Outlet,
) {
    let to = ask.origin.reply_to;
    match op {
        Op::Attach { variant, rooms } => user.attach(ask, variant, rooms, outlet),
        Op::Detach { variant, rooms } => user.detach(ask, variant, &rooms, outlet),
        Op::Claim { room } => {
            let reply = match user.claim(room.clone(), ask.limits.max_rooms_per_user) {
                Ok(()) => Reply::Claimed { room },
                Err(refusal) => Reply::Denied(refusal),
            };
            outlet.reply(to, reply);
        }
        Op::Release { room } => user.release(&room),
        Op::SetPresence { status } => user.set_status(status, ask, outlet),
        Op::SendDirect { .. } if !room_for_more && !user.has_device() => {
            outlet.reply(to, Reply::Refused(QUEUE_FULL));
        }
        Op::SendDirect { text } => user.send(ask, message, text, room_for_more, outlet),
        Op::Acknowledge { id } => user.acknowledge(id),
        Op::Announce { event, exclude } => user.relay(ask.id, &event, exclude, outlet),
        // The other verbs are for rooms; a name of kind user never carries them.
        _ => debug_assert!(false, "a room's verb for a user"),
    }
}

const NO_ROOM: Refusal = Refusal::new(Code::NotFound, "Room not found");
const QUEUE_FULL: Refusal = Refusal::new(Code::Unavailable, "User is away and no more messages can be kept");

/// What a verb means where there is no such channel.
fn answer_for_nothing(origin: &Origin, op: &Op, outlet: &mut impl Outlet) {
    match op {
        Op::DescribeRoom => outlet.reply(origin.reply_to, Reply::Refused(NO_ROOM)),
        // Nobody is there to hear it, as in a room that only its sender thinks of.
        Op::Publish { .. } | Op::Announce { .. } => {}
        // Its end was quicker than the command.
        Op::Leave { .. } | Op::Detach { .. } | Op::Release { .. } | Op::Acknowledge { .. } => {}
        _ => {}
    }
}

#[cfg(test)]
mod tests;
