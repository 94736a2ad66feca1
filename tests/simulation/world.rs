//! The simulated process: shards on one thread, clients, a clock, and dice that decide who goes next.
//!
//! A shard's turn is pumped only when its bell was rung, and ended only when it says that it wants an end;
//! a client is read only while the server does not pause it. So a wake-up that is lost shows as a hang.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Waker;

use lanecast::clock::Now;
use lanecast::conn::{Peer, Phase};
use lanecast::lane::{Bell, Notify, mesh};
use lanecast::model::{CloseReason, Dialect, Principal, Variant};
use lanecast::shard::{Core, Entry};
use lanecast::telemetry::Registry;

use crate::client::{Asked, Client, Request, Role};
use crate::dice::Dice;
use crate::fault::Fault;
use crate::keeper::Depot;
use crate::mail::Mail;
use crate::places::Numbers;
use crate::plan::{AWAY_USERS, KEPT_USERS, Plan, REALM, WATCHED_ROOMS, channel, inbox};
use crate::witness::Witness;

/// What an eventfd is to a real shard: remembers that it was rung.
#[derive(Debug, Default)]
pub struct Doorbell(AtomicBool);

impl Notify for Doorbell {
    fn notify(&self) {
        self.0.store(true, Relaxed);
    }
}

/// Something that can happen now.
#[derive(Clone, Copy, Debug)]
enum Action {
    Feed(usize),
    Pump(usize),
    EndTurn(usize),
    Tick(usize),
    Read(usize),
    Store(usize),
}

/// A run must be quiet after so many steps without anything new.
const QUIET_WITHIN: u64 = 300_000;

#[derive(Debug)]
pub struct World {
    pub seed: u64,
    pub plan: Plan,
    pub dice: Dice,
    pub cores: Vec<Core<Doorbell>>,
    bells: Vec<Arc<Bell<Doorbell>>>,
    /// Shards that stopped pumping because they had done enough.
    more: Vec<bool>,
    /// A shard whose thread does not get to run, and until when.
    resting: Option<(usize, u64)>,
    pub now: Now,
    pub step: u64,
    pub clients: Vec<Client>,
    /// By number: the channel and the client of each message.
    pub messages: Vec<(String, usize)>,
    pub witness: Witness,
    pub mail: Mail,
    pub numbers: Numbers,
    /// The store, if there is one, and until when it fails.
    pub depot: Option<Rc<RefCell<Depot>>>,
    failing_until: u64,
    pub fault: Option<Fault>,
    /// Of every frame that was read, with who read it and when.
    pub trace: u64,
    pub frames: u64,
    pub waited_most: (usize, usize),
    /// The newest presence that the first observer heard of each user.
    pub presence: BTreeMap<String, String>,
    /// Those who stayed from the beginning may go.
    pub ending: bool,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the product panicked: SIM_SEED={} at step {}: {:?}", self.seed, self.step, self.plan);
        }
    }
}

impl World {
    pub fn new(seed: u64, fault: Option<Fault>) -> Self {
        let mut dice = Dice::new(seed);
        let mut plan = Plan::roll(&mut dice);
        plan.durable |= fault.is_some_and(Fault::is_of_store);
        let (registry, writers) = Registry::new(plan.shards);
        let shared = plan.shared(registry);
        let bells: Vec<_> = (0..plan.shards).map(|_| Arc::new(Bell::new(Doorbell::default()))).collect();
        let ports = mesh(bells.clone(), plan.command_lane, plan.delivery_lane);
        let (depot, clerks) = match plan.durable {
            true => {
                let (depot, clerks) = Depot::open(plan.shards, plan.pending, fault);
                (Some(depot), clerks.into_iter().map(Some).collect())
            }
            false => (None, (0..plan.shards).map(|_| None).collect::<Vec<_>>()),
        };
        let parts = ports.into_iter().zip(writers).zip(clerks);
        let cores =
            parts.map(|((port, writer), clerk)| Core::new(port, shared.clone(), writer, clerk)).collect();
        Self {
            seed,
            cores,
            more: vec![false; plan.shards],
            plan,
            dice,
            bells,
            resting: None,
            now: Now { mono_ms: 10_000, unix_ms: 1_700_000_000_000 },
            step: 0,
            clients: Vec::new(),
            messages: Vec::new(),
            witness: Witness::default(),
            mail: Mail::default(),
            numbers: Numbers::default(),
            depot,
            failing_until: 0,
            fault,
            trace: 0xcbf2_9ce4_8422_2325,
            frames: 0,
            waited_most: (0, 0),
            presence: BTreeMap::new(),
            ending: false,
        }
    }

    pub fn core(&mut self, shard: usize) -> &mut Core<Doorbell> {
        self.cores[shard].set_now(self.now);
        &mut self.cores[shard]
    }

    pub fn home(&self, kind: lanecast::model::Kind, id: &str) -> usize {
        self.cores[0].shared().home(&channel(kind, id))
    }

    /// The server reads that client: it is open and not paused.
    pub fn is_read(&self, client: usize) -> bool {
        let c = &self.clients[client];
        let conn = self.cores[c.key.shard as usize].conn(c.key);
        !c.gone && conn.is_some_and(|conn| conn.is_open() && !conn.is_paused())
    }

    /// The server has not begun to close it.
    pub fn is_open(&self, client: usize) -> bool {
        let c = &self.clients[client];
        !c.gone && self.cores[c.key.shard as usize].conn(c.key).is_some_and(lanecast::conn::Conn::is_open)
    }

    pub fn open(&mut self, shard: usize, role: Role, name: Option<String>, solo: bool) -> usize {
        self.open_as(Dialect::Tusk, Entry::Guest, shard, role, name, solo)
    }

    fn open_as(
        &mut self,
        dialect: Dialect,
        entry: Entry,
        shard: usize,
        role: Role,
        name: Option<String>,
        solo: bool,
    ) -> usize {
        let observes = matches!(role, Role::Observer(_));
        let numbered = dialect != Dialect::Aegisx && (observes || self.dice.percent(50));
        let variant = Variant { dialect, deflate: self.dice.percent(30), numbered };
        let peer = Peer {
            address: Ipv4Addr::LOCALHOST.into(),
            place: None,
            holdings: Vec::new(),
            window: Default::default(),
            resume: None,
        };
        let key = self.core(shard).open(variant, None, peer, entry);
        let mut client = Client::new(key, dialect, role, name, solo);
        // An attachment beyond the limit leaves rooms unasked; the count of answers would not hold.
        client.steady = solo || self.plan.max_rooms_per_user != 0;
        client.numbered = numbered;
        client.slow = !client.watches() && self.dice.percent(30);
        self.clients.push(client);
        self.clients.len() - 1
    }

    /// Who comes in as somebody, and speaks another dialect.
    fn open_foreigner(&mut self, shard: usize) {
        let dialect = self.dice.pick(&[Dialect::Sge, Dialect::Nexus, Dialect::Gator, Dialect::Aegisx]);
        // At times on two devices.
        let name = format!("x{}", self.clients.len() / 2 * 2);
        let who = Arc::new(Principal::named(&name, REALM));
        let entry = Entry::Known { who, administers: false };
        let client = self.open_as(dialect, entry, shard, Role::Visitor, Some(name.clone()), false);
        self.clients[client].who = Some(name.clone());
        self.clients[client].me = Some(name);
    }

    fn open_visitor(&mut self) {
        let shard = self.dice.below(self.plan.shards);
        if self.dice.percent(self.plan.foreigners) {
            return self.open_foreigner(shard);
        }
        let (name, solo) = match self.dice.weighted(&[35, 25, 25, 15]) {
            0 => (Some(format!("s{}", self.clients.len())), true),
            1 => (Some(self.dice.pick(&KEPT_USERS).to_owned()), false),
            2 => (Some(self.dice.pick(&AWAY_USERS).to_owned()), false),
            _ => (None, false),
        };
        self.open(shard, Role::Visitor, name, solo);
    }

    /// All that can happen now, by kind.
    fn enabled(&mut self, eager: bool) -> [Vec<Action>; 5] {
        let mut found: [Vec<Action>; 5] = Default::default();
        let resting = self.resting.filter(|(_, until)| self.step < *until).map(|(shard, _)| shard);
        for client in 0..self.clients.len() {
            let c = &self.clients[client];
            let shard = c.key.shard as usize;
            if c.gone || Some(shard) == resting {
                continue;
            }
            let Some(conn) = self.cores[shard].conn(c.key) else { continue };
            if conn.is_open() && !conn.is_paused() && !c.unsent.is_empty() {
                found[0].push(Action::Feed(client));
            }
            // A socket may take bytes again at the worst moment: in the turn in which its outbox ran over.
            let reads = eager || !c.slow || conn.overflowed || self.dice.percent(2);
            if reads && (!conn.outbox.is_empty() && !conn.ungreeted || !conn.is_open()) {
                found[3].push(Action::Read(client));
            }
        }
        for shard in (0..self.plan.shards).filter(|s| Some(*s) != resting) {
            if self.bells[shard].notifier().0.load(Relaxed) || self.more[shard] {
                found[1].push(Action::Pump(shard));
            }
            if self.cores[shard].turn_is_due(Waker::noop()) {
                found[2].push(Action::EndTurn(shard));
            }
            if self.cores[shard].next_tick_ms().is_some_and(|at| at <= self.now.mono_ms) {
                found[2].push(Action::Tick(shard));
            }
        }
        if let Some(depot) = &self.depot {
            let busy = (0..self.plan.shards).filter(|shard| depot.borrow().has_work(*shard));
            found[4].extend(busy.map(Action::Store));
        }
        found
    }

    fn choose(&mut self, eager: bool) -> Option<Action> {
        let found = self.enabled(eager);
        let habit = self.plan.habit;
        let weights = [habit.feed, habit.pump, habit.turn, habit.read, habit.store];
        let weights: Vec<_> =
            found.iter().zip(weights).map(|(f, w)| if f.is_empty() { 0 } else { w }).collect();
        if weights.iter().sum::<usize>() == 0 {
            return None;
        }
        let kind = self.dice.weighted(&weights);
        Some(self.dice.pick(&found[kind]))
    }

    fn act(&mut self, action: Action, eager: bool) -> Result<(), String> {
        match action {
            Action::Feed(client) => self.feed(client)?,
            Action::Pump(shard) => {
                self.bells[shard].notifier().0.store(false, Relaxed);
                if self.fault == Some(Fault::LostBell) && self.step > 500 {
                    self.fault = None;
                    return Ok(());
                }
                self.more[shard] = self.core(shard).pump();
            }
            Action::EndTurn(shard) => self.core(shard).end_turn(),
            Action::Tick(shard) => self.core(shard).tick(),
            Action::Store(shard) => self.store(shard),
            Action::Read(client) => {
                self.read(client)?;
                self.end_closed(client, eager);
            }
        }
        Ok(())
    }

    /// The store does some of what a shard has asked for.
    fn store(&mut self, shard: usize) {
        let Some(depot) = &self.depot else { return };
        let refused = depot.borrow_mut().work(shard, &mut self.dice);
        // A bell that is only late is made up for by the next.
        if self.fault != Some(Fault::NoRing) || self.step < 500 {
            self.bells[shard].ring();
        }
        for number in refused {
            let (channel, client) = self.messages[number as usize].clone();
            let c = &mut self.clients[client];
            self.numbers.refused.insert(number);
            c.untold += 1;
            c.needs_not_hear(&channel, number);
            if let Some((to, sent)) = c.directs.iter_mut().find(|(to, _)| inbox(to) == channel) {
                sent.retain(|sent| *sent != number);
                self.mail.refused(to, number);
                c.unask(Asked::Direct);
            }
        }
    }

    /// The TCP of a connection that was told to close ends some time.
    fn end_closed(&mut self, client: usize, eager: bool) {
        if !self.is_open(client) && !self.clients[client].gone && (eager || self.dice.percent(50)) {
            self.remove(client);
        }
    }

    pub fn remove(&mut self, client: usize) {
        let key = self.clients[client].key;
        self.core(key.shard as usize).remove(key, CloseReason::ClientGone);
        self.depart(client);
        self.clients[client].gone = true;
    }

    /// Something out of the ordinary, once in a while.
    fn rare(&mut self) -> Result<bool, String> {
        let visitors = self.visitors();
        match self.dice.below(1000) {
            0..=99 => {
                let is_idle = |c: &usize| self.clients[*c].unsent.is_empty();
                let idle: Vec<_> = visitors.iter().copied().filter(is_idle).collect();
                if !idle.is_empty() {
                    let client = self.dice.pick(&idle);
                    let hides = self.plan.hides;
                    self.clients[client].compose(&mut self.dice, hides);
                }
            }
            200..=229 if visitors.len() < self.plan.visitors => self.open_visitor(),
            230..=236 if !visitors.is_empty() => {
                let client = self.dice.pick(&visitors);
                self.part(client)?;
            }
            237..=250 => self.advance(),
            251..=254 => {
                let shard = self.dice.below(self.plan.shards);
                self.resting = Some((shard, self.step + self.dice.between(20, 300) as u64));
            }
            255..=256 if self.plan.falters => {
                self.failing_until = self.step + self.dice.between(20, 300) as u64;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub fn visitors(&self) -> Vec<usize> {
        let is_visitor = |c: &usize| !self.clients[*c].gone && self.clients[*c].role == Role::Visitor;
        (0..self.clients.len()).filter(is_visitor).collect()
    }

    /// Ends a connection, in one of the ways in which that happens.
    pub fn part(&mut self, client: usize) -> Result<(), String> {
        let key = self.clients[client].key;
        if self.dice.percent(50) {
            self.read(client)?;
        }
        let shard = key.shard as usize;
        match self.dice.below(4) {
            0 => self.core(shard).closed_by_peer(key, Some(1000)),
            1 => self.core(shard).close(key, CloseReason::Drain),
            _ => self.remove(client),
        }
        self.look()
    }

    fn advance(&mut self) {
        let by = self.dice.between(1, 400) as u64;
        self.now = Now { mono_ms: self.now.mono_ms + by, unix_ms: self.now.unix_ms + by };
        if self.plan.idle_ms == 0 {
            return;
        }
        for client in 0..self.clients.len() {
            // Those who watch answer heartbeats.
            if self.clients[client].watches() {
                let key = self.clients[client].key;
                self.core(key.shard as usize).heard(key, 1);
            }
        }
    }

    /// One step of the run proper.
    pub fn advance_one(&mut self) -> Result<(), String> {
        self.step += 1;
        self.fail(self.step < self.failing_until);
        if !self.rare()? {
            match self.choose(false) {
                Some(action) => self.act(action, false)?,
                None => self.advance(),
            }
        }
        self.look()
    }

    /// Whether the store fails now.
    fn fail(&self, fails: bool) {
        if let Some(depot) = &self.depot {
            depot.borrow_mut().failing = fails;
        }
    }

    /// What must hold after every step.
    fn look(&mut self) -> Result<(), String> {
        for client in 0..self.clients.len() {
            if self.clients[client].watches() {
                self.read(client)?;
            }
        }
        let limit = self.plan.outbox_bytes;
        for client in self.clients.iter().filter(|c| !c.gone && limit != 0) {
            let Some(conn) = self.cores[client.key.shard as usize].conn(client.key) else { continue };
            // A frame always fits into an empty outbox, and a Close frame into a full one.
            if conn.outbox.frames() > 2 && conn.outbox.bytes() > limit + 128 {
                return Err(format!("{} bytes wait for {}", conn.outbox.bytes(), client.key));
            }
        }
        let bound = self.plan.backlog_bound();
        for core in &self.cores {
            let (commands, deliveries) = core.waiting();
            self.waited_most = (self.waited_most.0.max(commands), self.waited_most.1.max(deliveries));
            if commands > bound || deliveries > bound * self.plan.shards {
                return Err(format!("{commands} commands and {deliveries} deliveries wait in one shard"));
            }
        }
        Ok(())
    }

    /// Lets everything that is under way come to its end, and checks that it does.
    pub fn settle(&mut self) -> Result<(), String> {
        self.resting = None;
        self.fail(false);
        let end = self.step + QUIET_WITHIN;
        while let Some(action) = self.choose(true) {
            self.step += 1;
            self.act(action, true)?;
            self.look()?;
            if self.step > end {
                return Err(format!("still not quiet: {action:?}"));
            }
        }
        Ok(())
    }

    pub fn phase(&self, client: usize) -> Option<Phase> {
        let key = self.clients[client].key;
        self.cores[key.shard as usize].conn(key).map(|conn| conn.phase)
    }

    /// Those who are there all the time come first.
    pub fn open_watchers(&mut self) -> Result<(), String> {
        for room in WATCHED_ROOMS {
            self.witness.watch(room);
            let shard = self.home(lanecast::model::Kind::Room, room);
            let client = self.open(shard, Role::Observer(room), None, false);
            self.clients[client].unsent.push_back(Request::Join(room));
            self.feed(client)?;
        }
        for user in KEPT_USERS {
            self.witness.watch(&inbox(user));
            let shard = self.home(lanecast::model::Kind::User, user);
            let client = self.open(shard, Role::Keeper(user), Some(user.into()), false);
            self.clients[client].unsent.push_back(Request::Auth(user.into()));
            self.feed(client)?;
        }
        self.look()
    }
}
