//! One who talks in rooms and to users, and writes down all that it is told; when the server is back, it says where it
//! stopped.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use fastrand::Rng;
use serde_json::{Value, json};

use super::channel::{Channel, author};
use super::wire::Wire;
use super::words::{Said, private, said, say_private};
use crate::support::{Aegisx, Place, Sge, Tongue, Tusk, fits, gap, join_since, place};

/// What is known of all channels, by their names here.
pub type Books = HashMap<String, Channel>;

/// Messages that one has under way: so that several commit as one.
const WINDOW: usize = 4;

/// A private message that was acknowledged.
#[derive(Debug)]
pub struct Sent {
    pub to: String,
    pub text: String,
    /// It was said that it waits; where the dialect says so.
    pub waits: bool,
}

pub struct Talker {
    pub tongue: Tongue,
    pub name: String,
    /// Whom it writes to.
    pub writes_to: Vec<String>,
    wire: Option<Wire>,
    /// Where it stopped, by room.
    at: HashMap<String, Place>,
    /// The same in its inbox; of SGE alone.
    inbox_at: Option<Place>,
    spoken: u64,
    /// Private messages not answered yet; of Tusk alone.
    unanswered: VecDeque<(String, String)>,
    /// What it was told in this storm.
    pub heard: Vec<Said>,
    pub inbox: Vec<(u64, String)>,
    /// What was acknowledged to it: private messages, and what it said in rooms.
    pub sent: Vec<Sent>,
    pub confirmed: Vec<Said>,
}

impl Talker {
    pub fn new(tongue: Tongue, name: String, writes_to: &[&str]) -> Self {
        let writes_to = writes_to.iter().map(|to| (*to).to_owned()).collect();
        Self {
            tongue,
            name,
            writes_to,
            wire: None,
            at: HashMap::new(),
            inbox_at: None,
            spoken: 0,
            unanswered: VecDeque::new(),
            heard: Vec::new(),
            inbox: Vec::new(),
            sent: Vec::new(),
            confirmed: Vec::new(),
        }
    }

    pub fn book(&self, room: &str) -> String {
        format!("{}/{room}", self.tongue.name())
    }

    pub fn inbox_book(&self) -> String {
        format!("{}/user {}", self.tongue.name(), self.name)
    }

    /// Is there again: joins its rooms where it stopped, and is told what it missed, or truthfully that this is gone.
    pub async fn come_back(
        &mut self,
        address: SocketAddr,
        epoch: &str,
        rooms: &[String],
        books: &mut Books,
    ) -> Option<()> {
        self.unanswered.clear();
        let mut wire = match self.tongue {
            Sge => self.inbox_again(address, epoch, books).await?,
            _ => self.connect(address, "seq=1").await?,
        };
        for room in rooms {
            self.room_again(&mut wire, epoch, room, books).await?;
        }
        self.wire = Some(wire);
        Some(())
    }

    /// Reads the rooms from their beginning, and goes.
    pub async fn audit(
        mut self,
        address: SocketAddr,
        epoch: &str,
        rooms: &[String],
        books: &mut Books,
    ) -> Option<()> {
        let mut wire = self.connect(address, "seq=1").await?;
        for room in rooms {
            self.room_again(&mut wire, epoch, room, books).await?;
        }
        wire.close().await;
        Some(())
    }

    async fn connect(&self, address: SocketAddr, query: &str) -> Option<Wire> {
        let path = self.tongue.path_asking(&self.name, &self.name, query);
        let (mut wire, _) = Wire::open(address, self.tongue, &path).await?;
        if self.tongue == Tusk {
            wire.send(&json!({ "type": "auth", "token": self.name })).await?;
            wire.until(&json!({ "type": "auth_success" }), |_| ()).await?;
        }
        Some(wire)
    }

    async fn room_again(
        &mut self,
        wire: &mut Wire,
        epoch: &str,
        room: &str,
        books: &mut Books,
    ) -> Option<()> {
        let start = Place { epoch: epoch.to_owned(), seq: 0 };
        let stopped = self.at.get(room).unwrap_or(&start).clone();
        let name = self.book(room);
        let (head, told, gaps) = self.join(wire, room, &stopped).await?;
        assert_eq!(head.epoch, epoch, "{name}");
        let book = books.entry(name.clone()).or_default();
        if stopped.epoch == epoch {
            assert_eq!(gaps, [], "{name}: nothing is lost");
            book.found(&name, stopped.seq, head.seq, &told);
        } else {
            assert_eq!(
                (&told[..], &gaps[..]),
                (&[][..], &[head.clone()][..]),
                "{name}: it is told what is lost"
            );
            let (again, told, gaps) = self.join(wire, room, &start).await?;
            assert_eq!((&again, gaps), (&head, vec![]), "{name}");
            book.cut(&name, head.seq, &told);
        }
        self.at.insert(room.to_owned(), head);
        Some(())
    }

    /// Joins since then. Where the room is, what was missed, and gaps.
    async fn join(
        &self,
        wire: &mut Wire,
        room: &str,
        since: &Place,
    ) -> Option<(Place, Vec<(u64, String)>, Vec<Place>)> {
        let tongue = self.tongue;
        wire.send(&join_since(tongue, room, since)).await?;
        let joined = wire.until(&tongue.joined(room), |_| ()).await?;
        let (mut told, mut gaps) = (Vec::new(), Vec::new());
        wire.ping(|frame| {
            told.extend(
                said(tongue, frame).filter(|said| said.room == room).map(|said| (said.seq, said.text)),
            );
            gaps.extend(fits(&gap(tongue, room), frame).then(|| place(tongue, frame)));
        })
        .await?;
        Some((place(tongue, &joined), told, gaps))
    }

    async fn inbox_again(&mut self, address: SocketAddr, epoch: &str, books: &mut Books) -> Option<Wire> {
        let start = Place { epoch: epoch.to_owned(), seq: 0 };
        let stopped = self.inbox_at.as_ref().unwrap_or(&start).clone();
        let name = self.inbox_book();
        let (mut wire, head, told, gaps) = self.inbox_since(address, &stopped).await?;
        assert_eq!(head.epoch, epoch, "{name}");
        let book = books.entry(name.clone()).or_default();
        if stopped.epoch == epoch {
            assert_eq!(gaps, [], "{name}: nothing is lost");
            book.found(&name, stopped.seq, head.seq, &told);
        } else {
            // What waits in its queue comes all the same.
            assert_eq!(gaps, std::slice::from_ref(&head), "{name}: it is told what is lost");
            wire.close().await;
            let (again, place, told, gaps) = self.inbox_since(address, &start).await?;
            assert_eq!((&place, gaps), (&head, vec![]), "{name}");
            book.cut(&name, head.seq, &told);
            wire = again;
        }
        self.inbox_at = Some(head);
        Some(wire)
    }

    async fn inbox_since(
        &self,
        address: SocketAddr,
        since: &Place,
    ) -> Option<(Wire, Place, Vec<(u64, String)>, Vec<Place>)> {
        let mut wire = self.connect(address, &format!("since={}", since.since())).await?;
        let channel = format!("chat:{}", self.name);
        wire.send(&json!({ "type": "Subscribe", "channel": channel })).await?;
        let (mut told, mut gaps) = (Vec::new(), Vec::new());
        let subscribed = wire
            .until(&json!({ "type": "Subscribed", "channel": channel }), |frame| {
                told.extend(private(Sge, frame).map(|(_, _, seq, text)| (seq, text)));
                gaps.extend((frame["type"] == "Gap").then(|| place(Sge, frame)));
            })
            .await?;
        Some((wire, place(Sge, &subscribed), told, gaps))
    }

    /// Talks until the server is gone.
    pub async fn storm(&mut self, rooms: &[String], dice: u64) {
        if let Some(wire) = self.wire.take() {
            // `None` is the end that was waited for.
            let _ = self.talk(wire, rooms, Rng::with_seed(dice)).await;
        }
    }

    async fn talk(&mut self, mut wire: Wire, rooms: &[String], mut dice: Rng) -> Option<()> {
        let mut under_way = 0;
        loop {
            while under_way < WINDOW {
                self.speak(&mut wire, rooms, &mut dice).await?;
                under_way += 1;
            }
            let frame = wire.next().await?;
            under_way -= usize::from(self.hear(&frame)).min(under_way);
        }
    }

    async fn speak(&mut self, wire: &mut Wire, rooms: &[String], dice: &mut Rng) -> Option<()> {
        self.spoken += 1;
        let text = format!("{}#{}", self.name, self.spoken);
        if !self.writes_to.is_empty() && dice.u8(..3) == 0 {
            let to = self.writes_to[dice.usize(..self.writes_to.len())].clone();
            if self.tongue == Tusk {
                self.unanswered.push_back((to.clone(), text.clone()));
            }
            return wire.send(&say_private(self.tongue, &self.name, &to, &text)).await;
        }
        let room = &rooms[dice.usize(..rooms.len())];
        wire.send(&self.tongue.say(&self.name, room, &text)).await
    }

    /// Writes down what it is told. Whether that lets it speak again.
    fn hear(&mut self, frame: &Value) -> bool {
        let tongue = self.tongue;
        assert!(!fits(&tongue.any_error(), frame), "{}: {frame}", self.name);
        if let Some(said) = said(tongue, frame) {
            let at = self.at.get_mut(&said.room).expect("it is in no other room");
            // Nobody hears itself in AegisX: there the two take turns, and what it said itself is left out.
            let next = if tongue == Aegisx { said.seq.max(at.seq + 1) } else { at.seq + 1 };
            assert_eq!(said.seq, next, "{}: {said:?} comes next", self.name);
            at.seq = said.seq;
            let own = author(&said.text).0 == self.name;
            if own {
                self.confirmed.push(said.clone());
            }
            self.heard.push(said);
            return own != (tongue == Aegisx);
        }
        if let Some((from, to, seq, text)) = private(tongue, frame) {
            if let Some(at) = &mut self.inbox_at {
                assert_eq!(seq, at.seq + 1, "{}: {frame} comes next", self.name);
                at.seq = seq;
                self.inbox.push((seq, text.clone()));
            }
            let own = from == self.name;
            if own {
                self.sent.push(Sent { to, text, waits: false });
            }
            return own;
        }
        if frame["type"] == "message_sent" {
            let (to, text) = self.unanswered.pop_front().expect("something was sent");
            self.sent.push(Sent { to, text, waits: frame["queued"] == true });
            return true;
        }
        false
    }
}
