//! All clients of a server that is killed again and again, and what is demanded of it when it is back.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use fastrand::Rng;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::away::Away;
use super::roster::Roster;
use super::talker::{Books, Talker};
use super::wire::{Wire, get};
use crate::support::{Nexus, Process, Sge, TONGUES, Tongue, Tusk, place, soon};

/// Rounds that talk in the same rooms: their logs are read from the beginning now and then.
const ROUNDS_OF_ROOMS: u64 = 8;
const ROOMS: usize = 2;

/// When the server is to be killed.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// So long after it is ready, whatever its clients are doing.
    Early(Duration),
    /// So long after all of them have come back and begun to talk.
    InStorm(Duration),
    /// Not at all: it is only looked at.
    Spared,
}

pub struct World {
    dice: Rng,
    epoch: Option<String>,
    /// The tail of the store was cut off since the epoch was looked at.
    cut: bool,
    books: Books,
    talkers: Vec<Talker>,
    aways: Vec<Away>,
    roster: Roster,
    round: u64,
    /// Messages and changes that were acknowledged.
    pub acknowledged: u64,
    /// Epochs that ended.
    pub epochs: u64,
}

impl World {
    pub fn new(dice: Rng) -> Self {
        let talkers = TONGUES.into_iter().flat_map(|tongue| (0..2).map(move |n| (tongue, n)));
        let talkers = talkers.map(|(tongue, n)| {
            let writes_to: &[&str] = match (tongue, n) {
                (Sge, 0) => &["sge-away", "sge-1"],
                (Tusk, 0) => &["tusk-away"],
                _ => &[],
            };
            Talker::new(tongue, format!("{}-{n}", tongue.name()), writes_to)
        });
        let away = |tongue: Tongue| Away::new(tongue, &format!("{}-away", tongue.name()));
        Self {
            dice,
            epoch: None,
            cut: false,
            books: Books::new(),
            talkers: talkers.collect(),
            aways: [Sge, Nexus, Tusk].map(away).into(),
            roster: Roster::default(),
            round: 0,
            acknowledged: 0,
            epochs: 0,
        }
    }

    /// The store's log lost its tail: what was acknowledged may be gone, and then the epoch has to change.
    pub fn cut(&mut self) {
        self.cut = true;
    }

    /// Events told to those who came back, and mail handed to the absent.
    pub fn recovered(&self) -> (u64, u64) {
        let events = self.books.values().map(|book| book.told).sum();
        (events, self.aways.iter().map(|away| away.brought).sum())
    }

    fn rooms(&self) -> Vec<String> {
        (0..ROOMS).map(|n| format!("hall-{}-{n}", self.round / ROUNDS_OF_ROOMS)).collect()
    }

    /// One life of the server: looks at what it has kept, then talks until it is killed.
    pub async fn live(&mut self, process: &mut Process, fate: Fate) {
        self.round += 1;
        let (address, storm, killed) = (process.address, Notify::new(), Cell::new(false));
        let clients = async {
            let done = self.come_back(address).await;
            assert!(done.is_some() || killed.get(), "the server was gone and nobody had killed it");
            if !matches!(fate, Fate::Spared) && done.is_some() {
                storm.notify_one();
                self.storm(address).await;
                assert!(killed.get(), "the server was gone and nobody had killed it");
            }
        };
        let killer = async {
            let after = match fate {
                Fate::Spared => return,
                Fate::Early(after) => after,
                Fate::InStorm(after) => {
                    soon("the clients to come back", storm.notified()).await;
                    after
                }
            };
            // A moment that nothing in the server has to do with.
            tokio::time::sleep(after).await;
            killed.set(true);
            process.kill().await;
        };
        join(clients, killer).await;
    }

    async fn come_back(&mut self, address: SocketAddr) -> Option<()> {
        let rooms = self.rooms();
        let epoch = self.look_at_epoch(address).await?;
        for away in &mut self.aways {
            if away.must_visit(&rooms[0]) || self.dice.u8(..4) != 0 {
                away.visit(address, true).await?;
                away.stand_in(address, &rooms[0]).await?;
            }
        }
        // Whoever has gone is away for its home too, before anybody writes to it.
        soon("that nobody is online", nobody_online(address)).await?;
        for talker in &mut self.talkers {
            talker.come_back(address, &epoch, &rooms, &mut self.books).await?;
        }
        // All that was ever told is there, not only what those who came back had missed.
        for tongue in TONGUES {
            let auditor = Talker::new(tongue, format!("{}-auditor", tongue.name()), &[]);
            auditor.audit(address, &epoch, &rooms, &mut self.books).await?;
        }
        self.read_history(address, &rooms).await
    }

    /// Numbers begin anew if some were lost, and else never.
    async fn look_at_epoch(&mut self, address: SocketAddr) -> Option<String> {
        let (mut wire, _) = Wire::open(address, Sge, &Sge.path_with("probe", "probe")).await?;
        wire.send(&json!({ "type": "Subscribe", "channel": "group:probe" })).await?;
        let subscribed = wire.until(&json!({ "type": "Subscribed" }), |_| ()).await?;
        wire.close().await;
        let epoch = place(Sge, &subscribed).epoch;
        match self.epoch.replace(epoch.clone()) {
            Some(before) if before != epoch => {
                assert!(self.cut, "nothing was cut off, and the epoch is another one");
                self.epochs += 1;
                self.aways.iter_mut().for_each(Away::cut);
                self.roster.cut();
            }
            _ => {}
        }
        self.cut = false;
        Some(epoch)
    }

    /// SGE's history has, page by page, what the books have.
    async fn read_history(&self, address: SocketAddr, rooms: &[String]) -> Option<()> {
        for room in rooms {
            let book = self.books[&format!("sge/{room}")].all();
            assert_eq!(pages(address, "sge-0", &format!("group:{room}"), 0).await?, book, "{room}");
        }
        // All that the one has in its inbox is the other's; it goes on over many rounds, so its end is enough.
        let book = self.books["sge/user sge-1"].all();
        let tail = &book[book.len().saturating_sub(700)..];
        let since = tail.first().map_or(0, |(seq, _)| seq - 1);
        assert_eq!(pages(address, "sge-1", "sge-0", since).await?, tail, "an inbox");
        Some(())
    }

    async fn storm(&mut self, address: SocketAddr) {
        let rooms = self.rooms();
        let keeper = self.roster.check(address).await;
        let (mut visitors, mut visited) = (Vec::new(), Vec::new());
        for away in &mut self.aways {
            let visits = self.dice.u8(..3) == 0;
            visited.push(visits);
            if visits {
                let after = Duration::from_micros(self.dice.u64(..60_000));
                visitors.push(async move {
                    tokio::time::sleep(after).await;
                    let _ = away.visit(address, false).await;
                });
            }
        }
        let dice = &mut self.dice;
        let talk = join_all(self.talkers.iter_mut().map(|talker| talker.storm(&rooms, dice.u64(..))));
        let ((_, changes), _) = join(join(talk, self.roster.storm(keeper)), join_all(visitors)).await;
        self.acknowledged += changes;
        self.close_books(&rooms, &visited);
    }

    /// Enters what was heard and acknowledged.
    fn close_books(&mut self, rooms: &[String], visited: &[bool]) {
        let standing = rooms[0].as_str();
        let Self { talkers, aways, books, .. } = self;
        let mut owe = |to: &str, text: String, waits: bool| {
            if let Some(at) = aways.iter().position(|away| away.name == to) {
                aways[at].owe(text, waits && !visited[at]);
            }
        };
        for talker in talkers {
            for said in talker.heard.drain(..) {
                let name = format!("{}/{}", talker.tongue.name(), said.room);
                books.entry(name.clone()).or_default().heard(&name, said.seq, &said.text);
            }
            let inbox = talker.inbox_book();
            for (seq, text) in talker.inbox.drain(..) {
                books.entry(inbox.clone()).or_default().heard(&inbox, seq, &text);
            }
            self.acknowledged += (talker.confirmed.len() + talker.sent.len()) as u64;
            for said in talker.confirmed.drain(..) {
                if talker.tongue == Nexus && said.room == standing {
                    owe("nexus-away", said.text, true);
                }
            }
            let says_so = talker.tongue == Tusk;
            for sent in talker.sent.drain(..) {
                owe(&sent.to, sent.text, sent.waits || !says_so);
            }
        }
    }
}

async fn nobody_online(address: SocketAddr) -> Option<()> {
    loop {
        let metrics = get(address, "probe", "/metrics").await?;
        let mut online = metrics.lines().filter(|line| line.starts_with("lanecast_users_online"));
        if online.all(|line| line.ends_with(" 0")) {
            return Some(());
        }
    }
}

/// All pages of a history behind a number.
async fn pages(address: SocketAddr, user: &str, with: &str, since: u64) -> Option<Vec<(u64, String)>> {
    let (mut found, mut next) = (Vec::new(), Some(since));
    while let Some(since) = next {
        let path = format!("/sge/xmpp/messages?with={with}&since={since}&limit=500");
        let page: Value = serde_json::from_str(&get(address, user, &path).await?).expect("JSON");
        for message in page["messages"].as_array().expect("messages") {
            let text = message["message"]["message"].as_str().expect("a text");
            found.push((message["seq"].as_u64().expect("a number"), text.to_owned()));
        }
        next = page["next"].as_u64();
        assert!(next.is_none_or(|next| next > since), "pages go on");
    }
    Some(found)
}
