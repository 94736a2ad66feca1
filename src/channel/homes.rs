//! Every channel whose home is this shard, and the one door to them: [`Homes::apply`].

mod tell;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use super::directory::Directory;
use super::room::{self, Change, Joining, Room, Saying};
use super::topic::Topic;
use super::user::{self, User};
use super::{Ask, HomeLimits, Outlet, RealmLimits};
use crate::clock::Now;
use crate::model::{
    ChannelId, ChannelName, Code, Command, Dialect, Echo, Event, Kind, MessageId, Op, Origin, Presence,
    Principal, RealmId, Refusal, Reply, ReplyTo, RoomInfo, RoomSettings, Target,
};

/// Users that one listing names; it says how many there are.
const LISTED_MAX: usize = 1000;

/// Between two walks over all users for what has waited too long.
const SWEEP_EVERY_MS: u64 = 10_000;

/// The channels of one home shard.
#[derive(Debug)]
pub struct Homes {
    shard: u16,
    limits: Rc<HomeLimits>,
    /// Names come from strangers: the map's hash is keyed per process (SipHash).
    names: HashMap<ChannelName, u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Draws the ids of messages.
    dice: fastrand::Rng,
    /// Rooms by realm.
    rooms_of: [usize; Dialect::ALL.len()],
    directory: Directory,
    held: usize,
    /// Channels but users, and users, with a connection of each dialect.
    channels_of: [usize; Dialect::ALL.len()],
    users_of: [usize; Dialect::ALL.len()],
    /// Users whose presence changed in this turn.
    untold: Vec<(u32, u16)>,
    /// Absent users who are remembered, and conversations of which all are away, by when they went.
    away: BTreeMap<u64, u32>,
    /// How many times somebody went.
    went: u64,
    /// When somebody is no longer believed to write, and where.
    timers: BinaryHeap<Reverse<(u64, u32, u16)>>,
    /// Changes of presence that users have made.
    presence_updates: u64,
    /// When what had waited too long was last thrown away.
    swept_ms: Option<u64>,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u16,
    channel: Option<Body>,
}

#[derive(Debug)]
enum Body {
    Room(Box<Room>),
    Topic(Topic),
    User(Box<User>),
}

impl Body {
    fn interest(&self) -> &super::Interest {
        match self {
            Self::Room(room) => &room.interest,
            Self::Topic(topic) => &topic.interest,
            Self::User(user) => &user.interest,
        }
    }
}

impl Homes {
    /// `seed`: drawn at boot; a simulation gives the same to see the same ids.
    pub fn new(shard: u16, limits: HomeLimits) -> Self {
        let dice = fastrand::Rng::with_seed(limits.seed ^ (u64::from(shard) << 48));
        Self {
            shard,
            limits: Rc::new(limits),
            names: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            dice,
            rooms_of: Default::default(),
            directory: Directory::default(),
            held: 0,
            channels_of: Default::default(),
            users_of: Default::default(),
            untold: Vec::new(),
            away: BTreeMap::new(),
            went: 0,
            timers: BinaryHeap::new(),
            presence_updates: 0,
            swept_ms: None,
        }
    }

    /// Rooms that exist here.
    pub fn rooms(&self) -> usize {
        self.rooms_of.iter().sum()
    }

    /// Users homed here who are not offline.
    pub fn users_online(&self) -> usize {
        self.directory.total()
    }

    /// Those of one realm.
    pub fn users_online_in(&self, realm: RealmId) -> usize {
        self.directory.total_in(realm)
    }

    /// Rooms of one realm.
    pub fn rooms_in(&self, realm: RealmId) -> usize {
        self.rooms_of[usize::from(realm.0)]
    }

    /// Messages held for absent users.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Channels and users with a connection of that dialect.
    pub fn with(&self, dialect: Dialect) -> (usize, usize) {
        (self.channels_of[dialect.index()], self.users_of[dialect.index()])
    }

    /// Changes of presence that users have made, so far.
    pub fn presence_updates(&self) -> u64 {
        self.presence_updates
    }

    /// Carries out one command. Everything it leads to has been told to the outlet when it returns, but for
    /// changes of presence: they are told at the end of the turn ([`Homes::settle`]).
    pub fn apply(&mut self, command: Command, now: Now, outlet: &mut impl Outlet) {
        let Command { target, origin, op } = command;
        if keeps_mail(&op) {
            self.sweep(now);
        }
        if let Some(reply) = self.list(&op, &origin) {
            return outlet.reply(origin.reply_to, origin.tag, reply);
        }
        match (&target, op) {
            (_, Op::AnnounceAll { realm, tenant, event }) => {
                outlet.announce(realm, tenant.as_ref(), None, &event);
                outlet.reply(origin.reply_to, origin.tag, Reply::Done);
            }
            (Target::Named(name), Op::CreateRoom { settings }) => {
                let reply = self.create(name, settings, &origin);
                outlet.reply(origin.reply_to, origin.tag, reply);
            }
            (_, op) => match self.find(&target, &op) {
                Some(index) => self.apply_to(index, &origin, now, op, outlet),
                None => {
                    if let Some(reply) = answer_for_nothing(&op) {
                        outlet.reply(origin.reply_to, origin.tag, reply);
                    }
                }
            },
        }
    }

    /// What is asked of the whole shard.
    fn list(&self, op: &Op, origin: &Origin) -> Option<Reply> {
        match op {
            Op::Probe => Some(Reply::Done),
            Op::ListRooms { realm, tenant } => {
                Some(Reply::Rooms(self.list_rooms(*realm, tenant, origin.principal.as_deref())))
            }
            Op::ListUsers { realm, tenant, of: None } => {
                let online = self.directory.online(*realm, tenant);
                let users = online.iter().take(LISTED_MAX).filter_map(|at| self.user(*at));
                let users = users.map(|u| u.shown.presence(&u.name.id)).collect();
                Some(Reply::Users { users, total: online.len() })
            }
            Op::ListUsers { realm, tenant, of: Some(wanted) } => {
                let known = |id: &Arc<str>| self.known(*realm, tenant, id);
                let users: Vec<_> = wanted.iter().filter_map(known).collect();
                Some(Reply::Users { total: users.len(), users })
            }
            _ => None,
        }
    }

    fn known(&self, realm: RealmId, tenant: &Arc<str>, id: &Arc<str>) -> Option<Presence> {
        let name = ChannelName { realm, tenant: tenant.clone(), kind: Kind::User, id: id.clone() };
        let user = self.names.get(&name).and_then(|at| self.user(*at))?;
        user.shown.is_known().then(|| user.shown.presence(&user.name.id))
    }

    /// The channel that is meant; made when the verb is one that brings it into being.
    fn find(&mut self, target: &Target, op: &Op) -> Option<u32> {
        match target {
            Target::Shard => None,
            Target::Known(id) => {
                let slot = self.slots.get(id.index as usize)?;
                (slot.generation == id.generation && slot.channel.is_some()).then_some(id.index)
            }
            Target::Named(name) => match (self.names.get(name), name.kind, op) {
                (Some(index), ..) => Some(*index),
                // One who is to hear itself is heard by somebody: the room is over again when it has spoken (G7, SGE-23).
                (None, Kind::Room, Op::Join { .. } | Op::Publish { echo: Echo::Always, .. }) => {
                    Some(self.insert(name.clone(), Body::Room(Box::new(Room::joined(name)))))
                }
                (None, Kind::Topic | Kind::Presence, Op::Join { .. }) => {
                    Some(self.insert(name.clone(), Body::Topic(Topic::new(name))))
                }
                (None, Kind::User, op) if makes_a_user(op) => {
                    Some(self.insert(name.clone(), Body::User(Box::new(User::new(name)))))
                }
                (None, ..) => None,
            },
        }
    }

    fn insert(&mut self, name: ChannelName, body: Body) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        if let Body::Room(_) = body {
            self.rooms_of[usize::from(name.realm.0)] += 1;
        }
        self.names.insert(name, index);
        self.slots[index as usize].channel = Some(body);
        index
    }

    /// Makes a room that stays; an existing one is described and left as it is (TUS-24).
    fn create(&mut self, name: &ChannelName, settings: RoomSettings, origin: &Origin) -> Reply {
        let cap = self.realm(name.realm).max_room_members;
        if let Some(info) = self.names.get(name).and_then(|i| self.room(*i)).map(|r| r.info(cap)) {
            return Reply::Room { info, created: false };
        }
        let creator = origin.principal.as_ref().filter(|p| p.verified).map(|p| p.user.clone());
        let room = Room::created(name, settings, creator);
        let info = room.info(cap);
        self.insert(name.clone(), Body::Room(Box::new(room)));
        Reply::Room { info, created: true }
    }

    fn realm(&self, realm: RealmId) -> RealmLimits {
        self.limits.realms.get(usize::from(realm.0)).copied().unwrap_or_default()
    }

    fn room(&self, index: u32) -> Option<&Room> {
        match &self.slots[index as usize].channel {
            Some(Body::Room(room)) => Some(room),
            _ => None,
        }
    }

    fn user(&self, index: u32) -> Option<&User> {
        match &self.slots.get(index as usize)?.channel {
            Some(Body::User(user)) => Some(user),
            _ => None,
        }
    }

    fn user_mut(&mut self, index: u32) -> Option<&mut User> {
        match &mut self.slots.get_mut(index as usize)?.channel {
            Some(Body::User(user)) => Some(user),
            _ => None,
        }
    }

    fn list_rooms(&self, realm: RealmId, tenant: &Arc<str>, who: Option<&Principal>) -> Vec<RoomInfo> {
        let cap = self.realm(realm).max_room_members;
        let rooms = self.names.iter().filter(|(n, _)| n.realm == realm && n.tenant == *tenant);
        rooms
            .filter_map(|(_, index)| self.room(*index))
            .filter(|room| room.is_visible_to(who))
            .map(|room| room.info(cap))
            .collect()
    }

    fn id(&self, index: u32) -> ChannelId {
        ChannelId { home: self.shard, generation: self.slots[index as usize].generation, index }
    }

    /// Throws away what has waited too long, when the shard is full of it and did not do so for a while: nobody
    /// may come for it ever.
    fn sweep(&mut self, now: Now) {
        let full = self.limits.queue_total != 0 && self.held >= self.limits.queue_total;
        if !full || self.swept_ms.is_some_and(|at| now.mono_ms < at + SWEEP_EVERY_MS) {
            return;
        }
        self.swept_ms = Some(now.mono_ms);
        for index in 0..self.slots.len() as u32 {
            let Some(realm) = self.user(index).map(|user| user.name.realm) else { continue };
            let limits = self.realm(realm);
            let Some(user) = self.user_mut(index) else { continue };
            let before = user.mailbox.len();
            user.expire(now.mono_ms, limits.queue_ttl, limits.window);
            let (after, over) = (user.mailbox.len(), user.is_over());
            self.held = self.held + after - before;
            if over {
                self.remove(index);
            }
        }
    }

    fn apply_to(&mut self, index: u32, origin: &Origin, now: Now, op: Op, outlet: &mut impl Outlet) {
        let (id, shared) = (self.id(index), self.limits.clone());
        let moves = matches!(op, Op::Join { .. } | Op::Leave { .. } | Op::Attach { .. } | Op::Detach { .. });
        let before = if moves { self.dialects(index) } else { 0 };
        let Some(body) = self.slots[index as usize].channel.as_mut() else { return };
        let realm = match body {
            Body::Room(room) => room.realm(),
            Body::Topic(topic) => topic.realm(),
            Body::User(user) => user.name.realm,
        };
        let none = RealmLimits::default();
        let limits = shared.realms.get(usize::from(realm.0)).unwrap_or(&none);
        let ask = Ask { id, origin, now, limits };
        match body {
            Body::Room(room) => {
                let fresh = Fresh { dice: &mut self.dice, seed: shared.seed };
                apply_to_room(room, &ask, op, fresh, outlet);
                let over = room.is_over();
                let next = timer(room.typing());
                self.after(index, id.generation, before, moves, next);
                if over {
                    self.remove(index);
                } else if moves {
                    self.remember(index);
                }
            }
            Body::Topic(topic) => {
                let fresh = Fresh { dice: &mut self.dice, seed: shared.seed };
                apply_to_topic(topic, &ask, op, fresh, outlet);
                let over = topic.is_over();
                self.after(index, id.generation, before, moves, None);
                if over {
                    self.remove(index);
                }
            }
            Body::User(user) => {
                let held = user.mailbox.len();
                let keep = shared.queue_total == 0 || self.held < shared.queue_total;
                let message = MessageId::random(self.dice.u128(..));
                self.presence_updates += u64::from(matches!(op, Op::SetPresence { .. }));
                apply_to_user(user, &ask, message, keep, op, outlet);
                self.held = self.held + user.mailbox.len() - held;
                let next = timer(user.typing());
                self.after(index, id.generation, before, moves, next);
                self.after_user(index);
            }
        }
    }

    /// Which dialects have a connection in a channel, a bit each.
    fn dialects(&self, index: u32) -> u8 {
        self.slots[index as usize].channel.as_ref().map_or(0, |body| body.interest().dialects())
    }

    /// Keeps the figures and the timers.
    fn after(&mut self, index: u32, generation: u16, before: u8, moves: bool, next: Option<u64>) {
        if let Some(next) = next {
            self.timers.push(Reverse((next, index, generation)));
        }
        if !moves {
            return;
        }
        let now = self.dialects(index);
        let is_user = self.user(index).is_some();
        let counts = if is_user { &mut self.users_of } else { &mut self.channels_of };
        for (n, count) in counts.iter_mut().enumerate() {
            let bit = |mask: u8| usize::from(mask >> n & 1);
            *count = *count + bit(now) - bit(before);
        }
    }

    /// Keeps the directory, and remembers or forgets who is away.
    fn after_user(&mut self, index: u32) {
        let generation = self.slots[index as usize].generation;
        let Some(user) = self.user(index) else { return };
        let (realm, tenant) = (user.name.realm, user.name.tenant.clone());
        let (online, listed, untold) = (user.is_online(), user.listed_at, user.untold);
        match (online, listed) {
            (true, None) => {
                let at = self.directory.enter(realm, &tenant, index);
                if let Some(user) = self.user_mut(index) {
                    user.listed_at = Some(at);
                }
            }
            (false, Some(at)) => {
                if let Some(moved) = self.directory.leave(realm, &tenant, at).and_then(|m| self.user_mut(m)) {
                    moved.listed_at = Some(at);
                }
                if let Some(user) = self.user_mut(index) {
                    user.listed_at = None;
                }
            }
            _ => {}
        }
        if untold && self.untold.last() != Some(&(index, generation)) {
            self.untold.push((index, generation));
        }
        self.remember(index);
        if self.user(index).is_some_and(User::is_over) {
            self.remove(index);
        }
    }

    /// Notes who went last; who is there again takes no place among the absent.
    fn remember(&mut self, index: u32) {
        let (gone, remembered) = match self.slots[index as usize].channel.as_mut() {
            Some(Body::User(user)) => {
                (!user.has_device() && user.is_worth_remembering(), &mut user.remembered)
            }
            Some(Body::Room(room)) => (room.is_waiting(), &mut room.remembered),
            _ => return,
        };
        match (gone, *remembered) {
            (true, None) => {
                self.went += 1;
                *remembered = Some(self.went);
                self.away.insert(self.went, index);
                self.forget_the_longest_gone();
            }
            (false, Some(at)) => {
                *remembered = None;
                self.away.remove(&at);
            }
            _ => {}
        }
    }

    fn forget_the_longest_gone(&mut self) {
        let max = self.limits.known_users;
        while max != 0 && self.away.len() > max {
            let Some((_, index)) = self.away.pop_first() else { break };
            let over = match self.slots[index as usize].channel.as_mut() {
                Some(Body::User(user)) => {
                    user.remembered = None;
                    user.is_over()
                }
                Some(Body::Room(room)) => {
                    room.remembered = None;
                    room.is_waiting()
                }
                _ => false,
            };
            if over {
                self.remove(index);
            }
        }
    }

    /// When [`Homes::expire`] wants to be called next, in monotonic milliseconds.
    pub fn next_ms(&self) -> Option<u64> {
        self.timers.peek().map(|Reverse((at, ..))| *at)
    }

    /// Ends one thing that was believed until now; `false`: there is none. What it leads to is as much as of one
    /// command.
    pub fn expire(&mut self, now: Now, outlet: &mut impl Outlet) -> bool {
        let Some(Reverse((at, index, generation))) = self.timers.peek().copied() else { return false };
        if at > now.mono_ms {
            return false;
        }
        self.timers.pop();
        if self.slots[index as usize].generation == generation {
            self.expire_typing(index, now, outlet);
        }
        true
    }

    fn expire_typing(&mut self, index: u32, now: Now, outlet: &mut impl Outlet) {
        let (id, limits) = (self.id(index), RealmLimits::default());
        let reply_to = ReplyTo::Nobody { shard: self.shard };
        let origin = Origin { reply_to, user: "".into(), principal: None, tag: None };
        let ask = Ask { id, origin: &origin, now, limits: &limits };
        let next = match self.slots[index as usize].channel.as_mut() {
            Some(Body::Room(room)) => {
                room.typing().timed = false;
                for writer in room.typing().expire(now.mono_ms) {
                    room.tell_typing(&ask, &writer.user, writer.username, false, outlet);
                }
                timer(room.typing())
            }
            Some(Body::User(user)) => {
                user.typing().timed = false;
                for writer in user.typing().expire(now.mono_ms) {
                    user.tell_typing(&ask, &writer.user, writer.username, false, outlet);
                }
                timer(user.typing())
            }
            _ => None,
        };
        if let Some(next) = next {
            self.timers.push(Reverse((next, index, id.generation)));
        }
    }

    fn remove(&mut self, index: u32) {
        let name = match self.slots[index as usize].channel.take() {
            Some(Body::Room(room)) => {
                self.rooms_of[usize::from(room.realm().0)] -= 1;
                room.into_name()
            }
            Some(Body::Topic(topic)) => topic.into_name(),
            Some(Body::User(user)) => user.name,
            None => return,
        };
        self.names.remove(&name);
        let slot = &mut self.slots[index as usize];
        // A late command with the old id must not reach the place's next tenant.
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(index);
    }
}

/// When a channel's timer is to be set: once for all who write.
fn timer(typing: &mut super::typing::TypingTable) -> Option<u64> {
    let next = typing.next_ms().filter(|_| !typing.timed)?;
    typing.timed = true;
    Some(next)
}

/// Where new ids come from.
struct Fresh<'a> {
    dice: &'a mut fastrand::Rng,
    seed: u64,
}

impl Fresh<'_> {
    fn draft(
        self,
        ask: &Ask<'_>,
        from: Option<Arc<str>>,
        text: Box<str>,
        detail: Option<Box<crate::model::Detail>>,
    ) -> room::Draft {
        let connection = ask.origin.reply_to.connection().filter(|_| ask.limits.shows_connections);
        room::Draft {
            id: MessageId::random(self.dice.u128(..)),
            from: from.unwrap_or_else(|| ask.origin.user.clone()),
            text,
            detail,
            connection: connection.map(|key| key.uuid(self.seed)),
        }
    }
}

fn apply_to_room(room: &mut Room, ask: &Ask<'_>, op: Op, fresh: Fresh<'_>, outlet: &mut impl Outlet) {
    match op {
        Op::Join { variant, password, manner, username } => {
            let joining = Joining { variant, password: password.as_deref(), manner, username };
            room.join(ask, joining, outlet);
        }
        Op::Leave { variant, quiet, username } => room.leave(ask, variant, quiet, username, outlet),
        Op::Publish { from, text, detail, member, echo, confirm } => {
            let draft = fresh.draft(ask, from, text, detail);
            room.publish(ask, draft, Saying { member, echo, confirm }, outlet);
        }
        Op::Typing { on, from, username, for_ms } => {
            let user = from.as_ref().unwrap_or(&ask.origin.user);
            room.type_in(ask, user, on, username, for_ms, outlet);
        }
        Op::Read { message } => room.amend(ask, message, Change::Read, outlet),
        Op::Edit { message, text } => room.amend(ask, message, Change::Text(text), outlet),
        Op::Delete { message } => {
            room.amend(ask, message, Change::Deleted, outlet);
            room.forget(message, &ask.origin.user);
        }
        Op::Announce { event, except } => {
            room.relay(ask, &event, &except, outlet);
            ask.told(outlet, !room.interest.is_empty());
        }
        Op::DescribeRoom => {
            let reply = match room.is_visible_to(ask.origin.principal.as_deref()) {
                true => Reply::Room { info: room.info(ask.limits.max_room_members), created: false },
                false => Reply::Refused(NO_ROOM),
            };
            ask.answer(outlet, reply);
        }
        Op::Forsake => room.forsake(ask),
        Op::Rename { from } => room.rename(ask, from, outlet),
        Op::ListMembers => {
            let reply = match room.is_visible_to(ask.origin.principal.as_deref()) {
                true => {
                    let (users, total) = room.members(LISTED_MAX);
                    Reply::Members { users, total }
                }
                // It tells nobody that it is there who may not see it.
                false => Reply::Refused(NO_ROOM),
            };
            ask.answer(outlet, reply);
        }
        // The other verbs are for users; a name of kind room never carries them.
        _ => debug_assert!(false, "a user's verb for a room"),
    }
}

fn apply_to_topic(topic: &mut Topic, ask: &Ask<'_>, op: Op, fresh: Fresh<'_>, outlet: &mut impl Outlet) {
    match op {
        Op::Join { variant, .. } => topic.join(ask, variant, outlet),
        Op::Leave { variant, quiet, .. } => topic.leave(ask, variant, quiet, outlet),
        Op::Publish { from, text, detail, echo, .. } => {
            let draft = fresh.draft(ask, from, text, detail);
            topic.publish(ask, draft, echo, outlet);
        }
        Op::Announce { event, except } => {
            topic.relay(ask, &event, &except, outlet);
            ask.told(outlet, !topic.interest.is_empty());
        }
        // The other verbs are for rooms and users.
        _ => debug_assert!(false, "a verb that topics do not know"),
    }
}

fn apply_to_user(
    user: &mut User,
    ask: &Ask<'_>,
    message: MessageId,
    room_for_more: bool,
    op: Op,
    outlet: &mut impl Outlet,
) {
    let full = !room_for_more && !user.has_device();
    match op {
        // Those who were there have heard it; whoever said it need not hear of each who was not.
        Op::Keep { .. } if full => {}
        op if full && keeps_mail(&op) => ask.answer(outlet, Reply::Refused(QUEUE_FULL)),
        Op::GiveBack => user.give_back(),
        Op::Attach { variant, rooms } => user.attach(ask, variant, rooms, outlet),
        Op::Detach { variant, rooms } => user.detach(ask, variant, &rooms),
        Op::Claim { room, manner } => user.take_place(ask, room, manner, outlet),
        Op::Release { room, for_good } => user.release(&room, for_good),
        Op::Grant { limit, window_ms } => user.grant(ask, limit, window_ms, outlet),
        Op::SetPresence { showing } => user.set_presence(ask, showing, outlet),
        Op::PresenceHistory => ask.answer(outlet, Reply::Presences(user.shown.history())),
        Op::SendDirect { text, detail } => {
            user.send(ask, user::Draft { id: message, text, detail }, room_for_more, outlet);
        }
        Op::SendFrom { to, text, detail } => {
            user.send_on(ask, to, user::Draft { id: message, text, detail }, outlet);
        }
        Op::Receive { message } => user.receive(ask, *message, room_for_more, outlet),
        Op::Keep { event, confirm } => user.keep(ask, *event, confirm, outlet),
        Op::Notify { notification } => user.notify(ask, notification, outlet),
        Op::NotificationRead { id } => {
            user.mirror(ask, &Event::NotificationRead { id, at_ms: ask.now.unix_ms }, outlet);
        }
        Op::NotificationClear { id } => {
            user.mirror(ask, &Event::NotificationCleared { id, at_ms: ask.now.unix_ms }, outlet);
        }
        Op::Typing { on, from, username, for_ms } => {
            let writer = from.as_ref().unwrap_or(&ask.origin.user);
            user.somebody_types(ask, writer, on, username, for_ms, outlet);
        }
        Op::Acknowledge { id } => user.mailbox.acknowledge(id),
        Op::Announce { event, except } => {
            user.relay(ask, &event, &except, outlet);
            ask.told(outlet, !user.interest.is_empty());
        }
        Op::RosterGet => ask.answer(outlet, Reply::Roster(user.roster())),
        Op::RosterUpdate { contact } => user.set_contact(ask, contact, outlet),
        Op::RosterRemove { user: contact } => user.remove_contact(ask, &contact, outlet),
        // The other verbs are for rooms; a name of kind user never carries them.
        _ => debug_assert!(false, "a room's verb for a user"),
    }
}

/// Verbs that may leave something waiting.
fn keeps_mail(op: &Op) -> bool {
    matches!(op, Op::SendDirect { .. } | Op::Receive { .. } | Op::Keep { .. } | Op::Notify { .. })
}

/// Verbs that bring a user into being.
fn makes_a_user(op: &Op) -> bool {
    matches!(
        op,
        Op::Attach { .. }
            | Op::Claim { .. }
            | Op::Grant { .. }
            | Op::SendDirect { .. }
            | Op::SendFrom { .. }
            | Op::Receive { .. }
            | Op::Keep { .. }
            | Op::Notify { .. }
            | Op::SetPresence { .. }
            | Op::RosterUpdate { .. }
    )
}

const NO_ROOM: Refusal = Refusal::new(Code::NotFound, "Room not found");
const QUEUE_FULL: Refusal = Refusal::new(Code::Unavailable, "User is away and no more messages can be kept");

/// What a verb means where there is no such channel.
fn answer_for_nothing(op: &Op) -> Option<Reply> {
    match op {
        Op::DescribeRoom | Op::ListMembers => Some(Reply::Refused(NO_ROOM)),
        Op::Read { .. } | Op::Edit { .. } | Op::Delete { .. } => Some(Reply::Refused(room::NO_MESSAGE)),
        Op::PresenceHistory => Some(Reply::Presences(Vec::new())),
        Op::RosterGet | Op::RosterRemove { .. } => Some(Reply::Roster(Vec::new())),
        // Nobody is there to hear it.
        Op::Announce { .. } => Some(Reply::Notified { delivered: false }),
        Op::NotificationRead { .. } | Op::NotificationClear { .. } => Some(Reply::Done),
        // As in a room that only its sender thinks of; or its end was quicker than the command.
        _ => None,
    }
}

#[cfg(test)]
mod tests;
