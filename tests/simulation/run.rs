//! A run from its seed to its last check: the steps, then quiet, then an end that leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};

use lanecast::clock::Now;
use lanecast::conn::Phase;
use lanecast::model::{CloseReason, Dialect, Kind, Op, Reply, Target};
use lanecast::telemetry::LaneClass;

use crate::client::{Request, Role};
use crate::fault::Fault;
use crate::plan::{AWAY_USERS, KEPT_USERS, WATCHED_ROOMS, WILD_ROOMS, channel, inbox};
use crate::world::World;

/// What a run that found nothing wrong has to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub trace: u64,
    pub steps: u64,
    pub frames: u64,
    pub messages: usize,
    pub connections: usize,
    /// Of them, closed because they did not read.
    pub too_slow: u64,
    /// Messages that the store did not take.
    pub refused: usize,
    /// Joins that said where they stopped, messages told for that, and gaps.
    pub returned: (usize, usize, usize),
    /// Commands and deliveries that waited in one shard at most.
    pub waited_most: (usize, usize),
}

impl std::ops::AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.trace ^= other.trace;
        self.steps += other.steps;
        self.frames += other.frames;
        self.messages += other.messages;
        self.connections += other.connections;
        self.too_slow += other.too_slow;
        self.refused += other.refused;
        let (a, b) = (self.returned, other.returned);
        self.returned = (a.0 + b.0, a.1 + b.1, a.2 + b.2);
        let (a, b) = (self.waited_most, other.waited_most);
        self.waited_most = (a.0.max(b.0), a.1.max(b.1));
    }
}

/// One run. The error says what was wrong, and how to see it again.
pub fn run(seed: u64, steps: u64, fault: Option<Fault>) -> Result<Report, String> {
    let mut world = World::new(seed, fault);
    match world.live(steps) {
        Ok(()) => Ok(Report {
            trace: world.trace,
            steps: world.step,
            frames: world.frames,
            messages: world.messages.len(),
            connections: world.clients.len(),
            too_slow: world.too_slow(),
            refused: world.numbers.refused.len(),
            returned: (world.numbers.returned, world.numbers.missed, world.numbers.gaps),
            waited_most: world.waited_most,
        }),
        Err(why) => {
            let step = world.step;
            Err(format!("SIM_SEED={seed} SIM_STEPS={steps}: step {step}: {why}\n{:?}", world.plan))
        }
    }
}

impl World {
    fn live(&mut self, steps: u64) -> Result<(), String> {
        self.open_watchers()?;
        for _ in 0..steps {
            self.advance_one()?;
        }
        self.settle()?;
        self.all_answered()?;
        let markers = self.mark_the_end()?;
        self.settle()?;
        self.all_answered()?;
        self.witness.all_heard(&markers)?;
        self.all_counted()?;
        self.collect_mail()?;
        self.witness.none_overstayed()?;
        self.witness.all_agree()?;
        self.all_accepted()?;
        self.end()
    }

    fn too_slow(&self) -> u64 {
        let closed = |c: &lanecast::telemetry::Writer| c.connections_closed.of(CloseReason::SlowBytes).get();
        self.cores.iter().map(|core| closed(core.counters())).sum()
    }

    fn live_clients(&self) -> Vec<usize> {
        (0..self.clients.len()).filter(|c| self.is_open(*c)).collect()
    }

    /// Nobody waits for anything: neither to be read nor for an answer.
    fn all_answered(&mut self) -> Result<(), String> {
        for index in self.live_clients() {
            let client = &self.clients[index];
            if !self.is_read(index) {
                return Err(format!("client {index} is paused for good: {client:?}"));
            }
            if !client.unsent.is_empty() || client.asked != client.answered || client.untold > 0 {
                return Err(format!("client {index} is without an answer: {client:?}"));
            }
            if let Some((room, place)) = client.places.iter().find(|(_, place)| !place.is_complete()) {
                return Err(format!("client {index} was not told all that it missed of {room}: {place:?}"));
            }
        }
        for core in &self.cores {
            let waiting = core.waiting();
            if waiting != (0, 0) {
                return Err(format!("shard {}: {waiting:?} entries wait for good", core.index()));
            }
        }
        match self.depot.as_ref().is_none_or(|depot| depot.borrow().is_idle()) {
            true => Ok(()),
            false => Err("an answer of the store waits for good".into()),
        }
    }

    /// A last message to every room and user: who is there must hear it, behind all the others.
    fn mark_the_end(&mut self) -> Result<BTreeMap<String, u32>, String> {
        let shard = self.dice.below(self.plan.shards);
        let herald = self.open(shard, Role::Helper, Some("herald".into()), false);
        let mut markers = BTreeMap::new();
        self.say(herald, Request::Auth("herald".into()))?;
        for room in WATCHED_ROOMS.into_iter().chain(WILD_ROOMS) {
            markers.insert(room.to_owned(), self.messages.len() as u32);
            self.say(herald, Request::Publish(room))?;
        }
        for user in KEPT_USERS.into_iter().chain(AWAY_USERS) {
            markers.insert(inbox(user), self.messages.len() as u32);
            self.say(herald, Request::Direct(user))?;
        }
        Ok(markers)
    }

    /// Has a client say something, and waits for what comes of it.
    fn say(&mut self, client: usize, request: Request) -> Result<(), String> {
        self.clients[client].unsent.push_back(request);
        self.settle()
    }

    /// Homes count as many members and users as there are.
    fn all_counted(&mut self) -> Result<(), String> {
        let live = self.live_clients();
        let mut rooms = 0;
        for room in WATCHED_ROOMS.into_iter().chain(WILD_ROOMS) {
            let is_in = |c: &&usize| {
                let client = &self.clients[**c];
                client.stays.contains_key(room) || client.role == Role::Observer(room)
            };
            let members = live.iter().filter(is_in).count();
            rooms += u64::from(members > 0);
            let counted = self.count(room)?;
            if counted != members {
                return Err(format!("{room} has {members} members, its home counts {counted}"));
            }
        }
        let users: BTreeSet<_> = live.iter().filter_map(|c| self.clients[*c].who.as_ref()).collect();
        let gauge = |get: fn(&lanecast::telemetry::Writer) -> u64| -> u64 {
            self.cores.iter().map(|c| get(c.counters())).sum()
        };
        let (rooms_there, online) = (gauge(|c| c.rooms.get()), gauge(|c| c.users_online.get()));
        if rooms_there != rooms {
            return Err(format!("{rooms} rooms have members, homes have {rooms_there}"));
        }
        let users = users.len() as u64;
        match online == users || (self.plan.hides && online < users) {
            true => Ok(()),
            false => Err(format!("{users} users are there, homes count {online}")),
        }
    }

    /// What a REST call would be told of a room's members.
    fn count(&mut self, room: &str) -> Result<usize, String> {
        let name = channel(Kind::Room, room);
        let (shard, home) = (self.dice.below(self.plan.shards), self.home(Kind::Room, room));
        let mut answer = self.core(shard).call(home, Target::Named(name), Op::DescribeRoom, None);
        self.settle()?;
        match answer.try_recv() {
            Ok(Reply::Room { info, .. }) => Ok(info.member_count),
            Ok(Reply::Refused(_)) => Ok(0),
            other => Err(format!("{room}: no answer but {other:?}")),
        }
    }

    /// Everybody who is away comes, and gets what waits.
    fn collect_mail(&mut self) -> Result<(), String> {
        let visitors = self.visitors();
        for client in visitors {
            if self.dice.percent(30) {
                self.part(client)?;
            }
        }
        self.settle()?;
        for user in AWAY_USERS {
            let shard = self.dice.below(self.plan.shards);
            let client = self.open(shard, Role::Helper, Some(user.into()), false);
            self.say(client, Request::Auth(user.into()))?;
        }
        let alive = self.live_clients().into_iter().collect();
        self.mail.all_settled(self.plan.direct_queue, &alive)?;
        let held: u64 = self.cores.iter().map(|c| c.counters().queued_direct.get()).sum();
        match held {
            0 => Ok(()),
            _ => Err(format!("{held} private messages wait though everybody is there")),
        }
    }

    /// What was handed in was taken, all of it, where somebody was always there to see.
    fn all_accepted(&self) -> Result<(), String> {
        let inboxes = KEPT_USERS.map(inbox);
        let watched: Vec<_> = WATCHED_ROOMS.into_iter().chain(inboxes.iter().map(String::as_str)).collect();
        let mut newest = BTreeMap::new();
        for (number, (channel, client)) in self.messages.iter().enumerate().rev() {
            let is_last = *newest.entry(*client).or_insert(number) == number;
            // Who asks its window first may have ended before it was told that there is room.
            let unasked =
                is_last && !self.is_open(*client) && self.clients[*client].dialect == Dialect::Gator;
            let excused = unasked || self.numbers.refused.contains(&(number as u32));
            if watched.contains(&channel.as_str()) && !excused && !self.witness.has(channel, number as u32) {
                return Err(format!("{channel}: message {number} of client {client} was lost"));
            }
        }
        Ok(())
    }

    /// Everybody goes, and nothing is left.
    fn end(&mut self) -> Result<(), String> {
        self.ending = true;
        for client in 0..self.clients.len() {
            if !self.clients[client].watches() && !self.clients[client].gone {
                self.part(client)?;
            }
        }
        self.settle()?;
        self.places_were_given_back()?;
        for client in 0..self.clients.len() {
            if !self.clients[client].gone && self.clients[client].role != Role::Observer(WATCHED_ROOMS[0]) {
                self.part(client)?;
            }
        }
        self.settle()?;
        let present = self.presence.iter().find(|(_, status)| *status != "offline");
        if let Some((user, status)) = present.filter(|_| self.plan.presence_limit == 0) {
            return Err(format!("the last word on {user}, who is gone, is {status}"));
        }
        self.part(0)?;
        self.settle()?;
        // How they were is written a while after they went.
        self.now = Now { mono_ms: self.now.mono_ms + 600, unix_ms: self.now.unix_ms + 600 };
        self.settle()?;
        self.nothing_is_left()?;
        self.depot.as_ref().map_or(Ok(()), |depot| depot.borrow().all_forgotten())
    }

    /// A user whose other devices are gone has all its places in rooms to itself.
    fn places_were_given_back(&mut self) -> Result<(), String> {
        let rooms: Vec<_> = WATCHED_ROOMS.into_iter().chain(WILD_ROOMS).collect();
        let max = self.plan.max_rooms_per_user;
        let places = if max == 0 { rooms.len() } else { max };
        for keeper in 0..self.clients.len() {
            if !matches!(self.clients[keeper].role, Role::Keeper(_)) {
                continue;
            }
            for room in &rooms[..places] {
                self.say(keeper, Request::Join(room))?;
                if !self.clients[keeper].stays.contains_key(*room) {
                    let who = &self.clients[keeper].name;
                    return Err(format!("{who:?} is in no room, and may not join {room}"));
                }
            }
        }
        Ok(())
    }

    fn nothing_is_left(&mut self) -> Result<(), String> {
        for client in 0..self.clients.len() {
            if let Some(phase @ (Phase::Open | Phase::Closing(_))) = self.phase(client) {
                return Err(format!("client {client} is still {phase:?}"));
            }
        }
        for core in &self.cores {
            let c = core.counters();
            let left = [
                core.connections() as u64,
                c.rooms.get(),
                c.users_online.get(),
                c.queued_direct.get(),
                c.backlog.of(LaneClass::Command).get(),
                c.backlog.of(LaneClass::Delivery).get(),
                core.channels() as u64,
                c.connections_open.cells().iter().map(|open| open.get()).sum(),
                Dialect::ALL.iter().map(|d| c.channels.of(*d).get() + c.users.of(*d).get()).sum(),
            ];
            if left.iter().any(|n| *n != 0) {
                let what =
                    "[connections, rooms, users, queued, commands, deliveries, channels, open, by dialect]";
                return Err(format!("shard {} keeps {left:?} of {what}", core.index()));
            }
        }
        Ok(())
    }
}
