//! One who is mostly away: what was acknowledged meanwhile comes once, in its order, at its next connection.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use serde_json::{Value, json};

use super::channel::author;
use super::wire::Wire;
use super::words::{private, said, say_private};
use crate::support::{Nexus, Tongue, Tusk};

/// Words of the fence are nobody's mail.
const FENCE: &str = "fence";

#[derive(Debug)]
pub struct Away {
    pub tongue: Tongue,
    pub name: String,
    /// Acknowledged as waiting, and not told to it yet.
    owed: Vec<String>,
    /// Told to a connection that died soon after: may come again.
    loose: HashSet<String>,
    /// Told and settled, durably: must not come again.
    settled: HashSet<String>,
    spoken: u64,
    /// What its visits have brought.
    pub brought: u64,
    /// The conversation that it is one of.
    stands_in: Option<String>,
}

/// What a visit brought.
#[derive(Default)]
struct Got {
    texts: Vec<String>,
    /// So many of them had been written to its socket, durably, before the visit ended.
    safe: usize,
    whole: bool,
}

impl Away {
    pub fn new(tongue: Tongue, name: &str) -> Self {
        Self {
            tongue,
            name: name.to_owned(),
            owed: Vec::new(),
            loose: HashSet::new(),
            settled: HashSet::new(),
            spoken: 0,
            brought: 0,
            stands_in: None,
        }
    }

    /// Somebody was told that this is kept for it. `surely`: it was away all the time, so that it must come.
    pub fn owe(&mut self, text: String, surely: bool) {
        match surely {
            true => self.owed.push(text),
            // Its visit may have brought it already.
            false if self.settled.contains(&text) => {}
            false => drop(self.loose.insert(text)),
        }
    }

    /// The tail of the store was cut off: all may come again, or never.
    pub fn cut(&mut self) {
        self.stands_in = None;
        self.loose.extend(self.owed.drain(..));
        self.loose.extend(self.settled.drain());
    }

    /// Comes, takes all that waits, and goes; `None`: the server was gone before that. `quiet`: nobody else is there,
    /// so that what is owed must come now.
    pub async fn visit(&mut self, address: SocketAddr, quiet: bool) -> Option<()> {
        let mut got = Got::default();
        let done = self.take(address, &mut got).await;
        self.enter(&got, quiet);
        done?.close().await;
        Some(())
    }

    async fn take(&mut self, address: SocketAddr, got: &mut Got) -> Option<Wire> {
        let path = self.tongue.path_with(&self.name, &self.name);
        let (mut wire, _) = Wire::open(address, self.tongue, &path).await?;
        let (tongue, name) = (self.tongue, self.name.clone());
        let mut enter = |frame: &Value| got.texts.extend(mail(tongue, &name, frame));
        if tongue == Tusk {
            wire.send(&json!({ "type": "auth", "token": self.name })).await?;
            wire.until(&json!({ "type": "auth_success" }), &mut enter).await?;
        }
        // What its home had to hand over has come before the answer of a question to it.
        self.fence(&mut wire, &mut enter).await?;
        let arrived = got.texts.len();
        let mut enter = |frame: &Value| got.texts.extend(mail(tongue, &name, frame));
        // By now the home has heard that it was written; what is durable behind that makes it durable.
        wire.ping(&mut enter).await?;
        self.fence(&mut wire, &mut enter).await?;
        (got.safe, got.whole) = (arrived, true);
        Some(wire)
    }

    /// Has something durable done by way of its own home.
    async fn fence(&mut self, wire: &mut Wire, mut enter: impl FnMut(&Value)) -> Option<()> {
        self.spoken += 1;
        let (name, words) = (self.name.clone(), format!("{FENCE}#{}", self.spoken));
        if self.tongue == Nexus {
            // A conversation that it is not one of: its home gives it a place first.
            let room = format!("{FENCE}-{name}-{}", self.spoken);
            wire.send(&Nexus.say(&name, &room, &words)).await?;
            wire.until(&Nexus.said(&name, &room, &words), &mut enter).await?;
            wire.send(&Nexus.leave(&room)).await?;
            return wire.until(&Nexus.left(&room), &mut enter).await.map(drop);
        }
        wire.send(&say_private(self.tongue, &name, &name, &words)).await?;
        loop {
            let frame = wire.next().await?;
            if private(self.tongue, &frame).is_some_and(|(from, _, _, text)| from == name && text == words) {
                return Some(());
            }
            enter(&frame);
        }
    }

    /// Makes itself one of a conversation, if it is not.
    pub async fn stand_in(&mut self, address: SocketAddr, room: &str) -> Option<()> {
        if self.tongue != Nexus || self.stands_in.as_deref() == Some(room) {
            return Some(());
        }
        self.spoken += 1;
        let words = format!("{}#{}", self.name, self.spoken);
        let (mut wire, _) = Wire::open(address, Nexus, &Nexus.path_with(&self.name, &self.name)).await?;
        wire.send(&Nexus.say(&self.name, room, &words)).await?;
        // Nothing is handed over that `visit` should have seen: it was here just now.
        wire.until(&Nexus.said(&self.name, room, &words), |_| ()).await?;
        self.stands_in = Some(room.to_owned());
        wire.close().await;
        Some(())
    }

    /// Whether it has to come before others do.
    pub fn must_visit(&self, room: &str) -> bool {
        self.tongue == Nexus && self.stands_in.as_deref() != Some(room)
    }

    fn enter(&mut self, got: &Got, quiet: bool) {
        self.brought += got.texts.len() as u64;
        let name = &self.name;
        // While others talk, what the conversation says now may overtake what it said just before: one comes by the
        // conversation's home, the other by the user's.
        let in_order = quiet || self.tongue != Nexus;
        let mut told: HashSet<&String> = HashSet::new();
        let mut last: HashMap<&str, u64> = HashMap::new();
        for text in &got.texts {
            assert!(told.insert(text), "{name}: {text} comes twice in one visit (quiet: {quiet})");
            let (who, number) = author(text);
            let before = last.insert(who, number);
            let rises = !in_order || before.is_none_or(|before| before < number);
            assert!(rises, "{name}: {who}'s {number} comes after {before:?} in one visit (quiet: {quiet})");
            assert!(!self.settled.contains(text), "{name}: {text} comes again");
        }
        if quiet && got.whole {
            let missing: Vec<_> = self.owed.iter().filter(|text| !told.contains(text)).collect();
            assert!(missing.is_empty(), "{name}: was acknowledged and does not come: {missing:?}");
        }
        self.owed.retain(|text| !told.contains(text));
        let (safe, rest) = got.texts.split_at(got.safe);
        for text in safe {
            self.loose.remove(text);
            self.settled.insert(text.clone());
        }
        self.loose.extend(rest.iter().cloned());
        if quiet && got.whole {
            // All that waited has come: what did not come now waits no more.
            self.settled.extend(self.loose.drain());
        }
    }
}

/// What a frame brings to somebody: words of others that were said to it, or in its conversation.
fn mail(tongue: Tongue, name: &str, frame: &Value) -> Option<String> {
    let text = match private(tongue, frame) {
        Some((from, _, _, text)) => (from != name).then_some(text)?,
        None => said(tongue, frame)?.text,
    };
    (!text.starts_with(FENCE) && author(&text).0 != name).then_some(text)
}
