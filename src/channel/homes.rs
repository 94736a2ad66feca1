//! Every channel whose home is this shard, and the one door to them: [`Homes::apply`].

mod line;
mod records;
mod restore;
mod tell;
mod verbs;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use line::Line;
use verbs::{
    Means, answer_for_nothing, apply_to_room, apply_to_topic, apply_to_user, keeps_mail, makes_a_user,
};

use super::directory::Directory;
use super::log::{Log, Sleeping};
use super::room::{self, Room};
use super::topic::Topic;
use super::user::{self, User};
use super::{Ask, HomeLimits, Outlet, RealmLimits, Stamp};
use crate::clock::Now;
use crate::model::{
    ChannelId, ChannelName, Command, Dialect, Event, Kind, MessageId, Op, Origin, Page, Presence, Principal,
    RealmId, Reply, ReplyTo, RoomInfo, Target, Ticket,
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
    /// Commands that wait for the store, by channel.
    lines: HashMap<u32, Line>,
    /// How many they are.
    in_line: usize,
    /// The channels for which the store was asked.
    tickets: HashMap<Ticket, u32>,
    last_ticket: Ticket,
    /// Somebody was forgotten of whom the store knows more: a channel that comes to be may be one of those.
    forgotten: bool,
    /// Channels of which the store was not asked yet.
    unknown: HashSet<u32>,
    /// Bytes of the logs of all channels.
    log_bytes: usize,
    /// Logs of channels that are over, where there is no store.
    sleeping: Sleeping,
    /// What other homes have had kept on its way here and could not be written, and when that is tried again.
    late: VecDeque<(u64, Command)>,
    /// Users whose account of how they were is to be written, and when.
    unsaved: Vec<(u32, u16)>,
    save_at_ms: Option<u64>,
    /// The monotonic time of the last command.
    now_ms: u64,
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
    fn name(&self) -> &ChannelName {
        match self {
            Self::Room(room) => room.name(),
            Self::Topic(topic) => topic.name(),
            Self::User(user) => &user.name,
        }
    }

    fn log(&self) -> &Log {
        match self {
            Self::Room(room) => &room.log,
            Self::Topic(topic) => &topic.log,
            Self::User(user) => &user.log,
        }
    }

    fn log_mut(&mut self) -> &mut Log {
        match self {
            Self::Room(room) => &mut room.log,
            Self::Topic(topic) => &mut topic.log,
            Self::User(user) => &mut user.log,
        }
    }

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
            lines: HashMap::new(),
            in_line: 0,
            tickets: HashMap::new(),
            last_ticket: 0,
            forgotten: false,
            unknown: HashSet::new(),
            log_bytes: 0,
            sleeping: Sleeping::default(),
            late: VecDeque::new(),
            unsaved: Vec::new(),
            save_at_ms: None,
            now_ms: 0,
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
        self.now_ms = now.mono_ms;
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
            (_, op) => match self.find(&target, &op) {
                Some(index) => self.take(index, origin, now, op, outlet),
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
                // What is said where nobody is has its place in the log all the same.
                (None, Kind::Room, op) if makes_a_room(op) => {
                    let log = self.log_of(name);
                    Some(self.insert(name.clone(), Body::Room(Box::new(Room::joined(name, log)))))
                }
                (None, Kind::Presence, Op::Join { .. }) => {
                    Some(self.insert(name.clone(), Body::Topic(Topic::new(name, Log::default()))))
                }
                (None, Kind::Topic, op) if makes_a_topic(op) => {
                    let log = self.log_of(name);
                    Some(self.insert(name.clone(), Body::Topic(Topic::new(name, log))))
                }
                (None, Kind::User, op) if makes_a_user(op) || (self.forgotten && asks_a_user(op)) => {
                    let log = self.log_of(name);
                    Some(self.insert(name.clone(), Body::User(Box::new(User::new(name, log)))))
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
        if self.forgotten && !matches!(body, Body::Topic(_)) {
            self.unknown.insert(index);
        }
        self.names.insert(name, index);
        self.slots[index as usize].channel = Some(body);
        index
    }

    /// The log of a channel that comes to be: with a store, that one knows how far it goes.
    fn log_of(&mut self, name: &ChannelName) -> Log {
        if self.limits.durable {
            return Log::default();
        }
        // Its bytes are counted with the sleeping ones till here.
        let log = self.sleeping.wake(name);
        self.log_bytes += log.bytes();
        log
    }

    fn has_room_for_more(&self) -> bool {
        self.limits.queue_total == 0 || self.held < self.limits.queue_total
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
            .filter(|room| room.is_shown_to(who))
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
            user.expire(now, limits.queue_ttl, limits.window);
            let (after, over) = (user.mailbox.len(), user.is_over());
            self.held = self.held + after - before;
            if over {
                self.remove_unless_awaited(index);
            }
        }
    }

    /// Carries out what no store is asked for.
    #[inline]
    fn carry_out(&mut self, index: u32, origin: &Origin, now: Now, op: Op, outlet: &mut impl Outlet) {
        let stamp = Stamp { id: MessageId::random(self.dice.u128(..)), seq: 0 };
        self.carry_out_as(index, origin, now, op, stamp, None, outlet);
    }

    /// Carries out a command. `page`: what the store said to it.
    #[allow(clippy::too_many_arguments)] // One more word for all of them would be used here alone.
    fn carry_out_as(
        &mut self,
        index: u32,
        origin: &Origin,
        now: Now,
        op: Op,
        stamp: Stamp,
        page: Option<&Page>,
        outlet: &mut impl Outlet,
    ) {
        let (id, shared) = (self.id(index), self.limits.clone());
        let moves = matches!(op, Op::Join { .. } | Op::Leave { .. } | Op::Attach { .. } | Op::Detach { .. });
        let before = if moves { self.dialects(index) } else { 0 };
        let room_for_more = self.has_room_for_more();
        let Some(body) = self.slots[index as usize].channel.as_mut() else { return };
        let none = RealmLimits::default();
        let limits = shared.realms.get(usize::from(body.name().realm.0)).unwrap_or(&none);
        let ask = Ask { id, origin, now, limits, homes: &shared, stamp };
        if !shared.durable
            && let Some((seq, id)) = verbs::said_before(body, &ask, &op)
        {
            return self.repeat(index, origin, now, op, Stamp { id, seq }, outlet);
        }
        let stored = stamp.seq != 0;
        let means = Means { fresh: Fresh { seed: shared.seed }, page, room_for_more, stored };
        let logged = body.log().bytes();
        let next = match body {
            Body::Room(room) => {
                apply_to_room(room, &ask, op, means, outlet);
                timer(room.typing())
            }
            Body::Topic(topic) => {
                apply_to_topic(topic, &ask, op, means, outlet);
                None
            }
            Body::User(user) => {
                let held = user.mailbox.len();
                self.presence_updates += u64::from(matches!(op, Op::SetPresence { .. }));
                apply_to_user(user, &ask, op, means, outlet);
                self.held = self.held + user.mailbox.len() - held;
                timer(user.typing())
            }
        };
        self.log_bytes = self.log_bytes + body.log().bytes() - logged;
        if body.log().bytes() > logged {
            self.make_room_for_logs(index);
        }
        self.after(index, id.generation, before, moves, next);
        self.look_at(index);
    }

    /// Sees what has become of a channel: whether it is remembered, and whether it is over.
    fn look_at(&mut self, index: u32) {
        match &self.slots[index as usize].channel {
            Some(Body::User(_)) => self.after_user(index),
            Some(Body::Room(room)) if room.is_over() => self.remove_unless_awaited(index),
            Some(Body::Room(_)) => self.remember(index),
            Some(Body::Topic(topic)) if topic.is_over() => self.remove_unless_awaited(index),
            _ => {}
        }
    }

    /// What waits for the store will still need it.
    fn remove_unless_awaited(&mut self, index: u32) {
        if !self.lines.contains_key(&index) {
            self.remove(index);
        }
    }

    /// Drops the oldest of what is in memory when there is too much of it: first what nobody is in, then that of the
    /// channel that has just grown.
    fn make_room_for_logs(&mut self, index: u32) {
        let max = self.limits.log_total;
        while self.log_bytes + self.sleeping.bytes() > max {
            if self.sleeping.forget_oldest() {
                continue;
            }
            let Some(body) = self.slots[index as usize].channel.as_mut() else { return };
            match body.log_mut().forget_oldest() {
                0 => return,
                freed => self.log_bytes -= freed,
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
        self.save_later(index, generation);
        self.remember(index);
        if self.user(index).is_some_and(User::is_over) {
            self.remove_unless_awaited(index);
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
            self.forgotten |= self.limits.durable;
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
                self.remove_unless_awaited(index);
            }
        }
    }

    /// When [`Homes::expire`] wants to be called next, in monotonic milliseconds.
    pub fn next_ms(&self) -> Option<u64> {
        let typing = self.timers.peek().map(|Reverse((at, ..))| *at);
        [typing, self.save_at_ms, self.late_ms()].into_iter().flatten().min()
    }

    /// Ends one thing that was believed until now; `false`: there is none. What it leads to is as much as of one
    /// command.
    pub fn expire(&mut self, now: Now, outlet: &mut impl Outlet) -> bool {
        if self.save_at_ms.is_some_and(|at| at <= now.mono_ms) {
            self.save_presences(outlet);
            return true;
        }
        if self.take_late(now, outlet) {
            return true;
        }
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
        let homes = self.limits.clone();
        let stamp = Stamp { id: MessageId::random(0), seq: 0 };
        let ask = Ask { id, origin: &origin, now, limits: &limits, homes: &homes, stamp };
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
        let (remembered, (name, log)) = match self.slots[index as usize].channel.take() {
            Some(Body::Room(room)) => {
                self.rooms_of[usize::from(room.realm().0)] -= 1;
                (room.remembered, room.into_parts())
            }
            Some(Body::Topic(topic)) => (None, topic.into_parts()),
            Some(Body::User(user)) => (user.remembered, (user.name, user.log)),
            None => return,
        };
        if let Some(at) = remembered {
            // Its place among the absent is nobody's now, and not that of whoever gets the slot.
            self.away.remove(&at);
        }
        self.names.remove(&name);
        self.unknown.remove(&index);
        self.log_bytes -= log.bytes();
        if !self.limits.durable {
            self.sleeping.lay(name, log, self.limits.known_users.max(1));
        }
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

/// Verbs whose answer the store may know where nothing is known here.
fn asks_a_user(op: &Op) -> bool {
    matches!(op, Op::RosterGet | Op::RosterRemove { .. } | Op::PresenceHistory)
}

/// Verbs that bring a room into being, if only till they are carried out.
fn makes_a_room(op: &Op) -> bool {
    matches!(op, Op::Join { .. } | Op::Publish { .. } | Op::History(_) | Op::CreateRoom { .. })
}

/// Verbs that bring a topic into being: what is said in one is remembered also when nobody listens.
fn makes_a_topic(op: &Op) -> bool {
    let tells = matches!(op, Op::Announce { event: Event::Notification(_), .. });
    tells || matches!(op, Op::Join { .. } | Op::Publish { .. } | Op::History(_))
}

/// What new messages are made with.
#[derive(Clone, Copy)]
pub(super) struct Fresh {
    seed: u64,
}

impl Fresh {
    fn draft(
        self,
        ask: &Ask<'_>,
        from: Option<Arc<str>>,
        text: Box<str>,
        detail: Option<Box<crate::model::Detail>>,
    ) -> room::Draft {
        let connection = ask.origin.reply_to.connection().filter(|_| ask.limits.shows_connections);
        room::Draft {
            id: ask.stamp.id,
            from: from.unwrap_or_else(|| ask.origin.user.clone()),
            text,
            detail,
            connection: connection.map(|key| key.uuid(self.seed)),
        }
    }
}

#[cfg(test)]
mod tests;
