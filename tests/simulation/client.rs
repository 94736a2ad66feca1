//! A connection as its client sees it: what it still wants to say, what it was asked and told, where it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lanecast::model::{ConnKey, Dialect};

use crate::dice::Dice;
use crate::places::{Place, Stopped};
use crate::plan::{AWAY_USERS, KEPT_USERS, WATCHED_ROOMS, WILD_ROOMS};
use crate::witness::{Ear, StayId};

/// What a client is there for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// In that room from the beginning to the end.
    Observer(&'static str),
    /// A device of that user from the beginning to the end.
    Keeper(&'static str),
    /// Comes, talks and goes.
    Visitor,
    /// Does what the end of a run asks of it.
    Helper,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Join(&'static str),
    Leave(&'static str),
    Publish(&'static str),
    Auth(String),
    Direct(&'static str),
    Presence(&'static str),
    Ping,
    Garbage(&'static str),
    Binary,
}

/// Requests that have an answer of their own.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    Ping,
    Auth,
    EmptyAuth,
    Join,
    Leave,
    Direct,
    GuestDirect,
    Garbage,
}

const ASKED: usize = Asked::Garbage as usize + 1;

const GARBAGE: [&str; 5] = [
    "{",
    "[]",
    r#"{"type":"dance"}"#,
    r#"{"type":"broadcast","room":""}"#,
    r#"{"type":"presence","status":"asleep"}"#,
];

#[derive(Debug)]
pub struct Client {
    pub key: ConnKey,
    pub dialect: Dialect,
    pub role: Role,
    /// The user it wants to be.
    pub name: Option<String>,
    /// Nobody else is that user.
    pub solo: bool,
    /// Says who it is before anything else, and stays that.
    pub steady: bool,
    /// It is told numbers, wherever it is.
    pub numbered: bool,
    /// Takes its frames rarely.
    pub slow: bool,
    /// Handed to the socket and not read by the server yet.
    pub unsent: VecDeque<Request>,
    /// Who it is to the server that has read all it was fed,
    pub who: Option<String>,
    /// and by what it has read itself.
    pub me: Option<String>,
    /// Joins and authentications under way, with the length of the channel's order then.
    pub joining: VecDeque<(&'static str, bool, usize, Option<Stopped>)>,
    pub authenticating: VecDeque<(String, usize)>,
    /// By user: numbers of messages sent and not confirmed.
    pub directs: BTreeMap<&'static str, VecDeque<u32>>,
    pub stays: BTreeMap<String, StayId>,
    /// The rooms whose numbers it is told.
    pub places: BTreeMap<String, Place>,
    /// What it said as a member, and has neither heard nor was refused, by room.
    pub unheard: BTreeMap<String, BTreeSet<u32>>,
    /// The same for rooms that it has left and was not told so yet.
    pub leaving: VecDeque<(String, BTreeSet<u32>)>,
    /// Of its messages the store did not take so many, and it was not told so yet.
    pub untold: usize,
    pub inbox: Option<StayId>,
    /// By sender: the number of the newest private message, heard while it is the user it is.
    pub newest_direct: BTreeMap<usize, u32>,
    pub asked: [usize; ASKED],
    pub answered: [usize; ASKED],
    /// The first words were read.
    pub greeted: bool,
    /// A Close frame was read.
    pub closed: bool,
    /// Its socket has ended.
    pub gone: bool,
}

impl Client {
    pub fn new(key: ConnKey, dialect: Dialect, role: Role, name: Option<String>, solo: bool) -> Self {
        Self {
            key,
            dialect,
            role,
            name,
            solo,
            steady: solo,
            numbered: false,
            slow: false,
            unsent: VecDeque::new(),
            who: None,
            me: None,
            joining: VecDeque::new(),
            authenticating: VecDeque::new(),
            directs: BTreeMap::new(),
            stays: BTreeMap::new(),
            places: BTreeMap::new(),
            unheard: BTreeMap::new(),
            leaving: VecDeque::new(),
            untold: 0,
            inbox: None,
            newest_direct: BTreeMap::new(),
            asked: [0; ASKED],
            answered: [0; ASKED],
            greeted: false,
            closed: false,
            gone: false,
        }
    }

    /// It is there from the beginning to the end and read after every step.
    pub fn watches(&self) -> bool {
        matches!(self.role, Role::Observer(_) | Role::Keeper(_))
    }

    pub fn ask(&mut self, what: Asked) {
        self.asked[what as usize] += 1;
    }

    /// A message of its own was heard, or refused.
    pub fn needs_not_hear(&mut self, room: &str, number: u32) {
        let leaving = self.leaving.iter_mut().filter(|(left, _)| *left == room).map(|(_, unheard)| unheard);
        for unheard in self.unheard.get_mut(room).into_iter().chain(leaving) {
            unheard.remove(&number);
        }
    }

    /// It is answered in another way.
    pub fn unask(&mut self, what: Asked) {
        self.asked[what as usize] -= 1;
    }

    /// Whether an answer to that is still to be read.
    pub fn awaits(&self, what: Asked) -> bool {
        self.asked[what as usize] > self.answered[what as usize]
    }

    pub fn answer(&mut self, what: Asked) -> Result<(), String> {
        let at = what as usize;
        self.answered[at] += 1;
        match self.answered[at] > self.asked[at] {
            true => Err(format!("an answer to {what:?} that was not asked")),
            false => Ok(()),
        }
    }

    /// Which request an error answers: each refusal has a sentence of its own.
    pub fn refused(text: &str) -> Asked {
        match text {
            t if t.starts_with("Room is full") || t.starts_with("Too many rooms") => Asked::Join,
            // AegisX has one sentence for both.
            "Failed to join channel" => Asked::Join,
            "Not a member of this room" => Asked::Leave,
            "Authentication required" => Asked::GuestDirect,
            _ => Asked::Garbage,
        }
    }

    /// What its dialect tells it of a room.
    pub fn ear(&self, index: usize) -> Ear {
        Ear {
            only_messages: !matches!(self.dialect, Dialect::Tusk | Dialect::Nexus),
            but_of: (self.dialect == Dialect::Aegisx).then_some(index),
        }
    }

    /// Its dialect answers a leave also to those who are not in it.
    pub fn leaves_anyway(&self) -> bool {
        matches!(self.dialect, Dialect::Gator | Dialect::Aegisx | Dialect::Sge)
    }

    /// Makes up what to say next.
    pub fn compose(&mut self, dice: &mut Dice, hides: bool) {
        if self.steady && self.who.is_none() && self.unsent.is_empty() {
            // Known from its first join on: all its coming and going is announced.
            self.unsent.extend(self.name.clone().map(Request::Auth));
        }
        for _ in 0..dice.between(1, 20) {
            let request = self.request(dice, hides);
            self.unsent.push_back(request);
        }
    }

    fn request(&self, dice: &mut Dice, hides: bool) -> Request {
        let room = |dice: &mut Dice| match dice.percent(50) {
            true => dice.pick(&WATCHED_ROOMS),
            false => dice.pick(&WILD_ROOMS),
        };
        let weights = match self.dialect {
            Dialect::Tusk => [20, 12, 45, 8, 18, 3, 8, 3, 1],
            // Gator has no heartbeat in words.
            Dialect::Gator => [20, 12, 45, 0, 0, 0, 0, 3, 0],
            _ => [20, 12, 45, 0, 0, 0, 8, 3, 0],
        };
        match dice.weighted(&weights) {
            0 => Request::Join(room(dice)),
            1 => Request::Leave(room(dice)),
            2 => Request::Publish(room(dice)),
            3 => Request::Auth(self.credential(dice)),
            4 if dice.percent(50) => Request::Direct(dice.pick(&KEPT_USERS)),
            4 => Request::Direct(dice.pick(&AWAY_USERS)),
            5 if hides => Request::Presence("offline"),
            5 => Request::Presence(dice.pick(&["online", "away", "busy"])),
            6 => Request::Ping,
            7 => Request::Garbage(dice.pick(&GARBAGE)),
            _ => Request::Binary,
        }
    }

    /// The name it goes by; those who share one may become somebody else.
    fn credential(&self, dice: &mut Dice) -> String {
        match &self.name {
            _ if dice.percent(5) => String::new(),
            Some(_) if !self.steady && dice.percent(20) => {
                let names = [KEPT_USERS[0], KEPT_USERS[1], AWAY_USERS[0], AWAY_USERS[1], AWAY_USERS[2]];
                dice.pick(&names).into()
            }
            Some(name) => name.clone(),
            None => String::new(),
        }
    }
}
