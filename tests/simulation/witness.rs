//! The check of order: every channel has one, and each subscriber sees a piece of it without a gap.
//!
//! A watched channel has a subscriber from beginning to end that lives at its home and is read after every
//! step: what it hears is the order, known at the moment it comes to be. Of a wild channel no one knows the
//! order, but any two who heard one thing in common must agree on all around it.

use std::collections::BTreeMap;

/// One place in a channel's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element {
    /// A message, by its number.
    Message(u32),
    Joined(String),
    Left(String),
}

/// What of a channel a connection is told, which is its dialect's choice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ear {
    /// Nobody's coming and going.
    pub only_messages: bool,
    /// Nor what it says itself.
    pub but_of: Option<usize>,
}

/// The stay of one connection in one channel.
#[derive(Debug)]
struct Stay {
    channel: String,
    ear: Ear,
    /// Where in the order it goes on, once that is known.
    next: Option<usize>,
    /// It cannot have begun before.
    since: usize,
    /// Heard so far; watched channels keep them only until it is known where that was.
    heard: Vec<Element>,
    open: bool,
    /// The one whose coming and going is announced, and how many stays of it there were before.
    solo: Option<(String, usize)>,
}

#[derive(Debug, Default)]
struct Channel {
    watched: bool,
    order: Vec<Element>,
    /// By number: where it stands.
    at: BTreeMap<u32, usize>,
    /// Publisher and its newest number: publishers number upwards.
    newest: BTreeMap<usize, u32>,
    /// By user: places behind its announced comings, and places of its goings.
    comings: BTreeMap<String, Vec<usize>>,
    goings: BTreeMap<String, Vec<usize>>,
    /// Stays so far of those who come alone.
    stays: BTreeMap<String, usize>,
}

pub type StayId = usize;

impl Ear {
    fn hears(self, element: &Element, publishers: &[usize]) -> bool {
        match element {
            Element::Message(number) => {
                self.but_of.is_none() || self.but_of != publishers.get(*number as usize).copied()
            }
            Element::Joined(_) | Element::Left(_) => !self.only_messages,
        }
    }
}

#[derive(Debug, Default)]
pub struct Witness {
    channels: BTreeMap<String, Channel>,
    /// By number: who said it.
    publishers: Vec<usize>,
    stays: Vec<Stay>,
}

impl Witness {
    pub fn watch(&mut self, channel: &str) {
        self.channels.insert(channel.into(), Channel { watched: true, ..Channel::default() });
    }

    /// A message with the next number is said.
    pub fn said(&mut self, publisher: usize) {
        self.publishers.push(publisher);
    }

    /// How long the order of a watched channel is; 0 for a wild one.
    pub fn len(&self, channel: &str) -> usize {
        self.channels.get(channel).map_or(0, |c| c.order.len())
    }

    /// Whether a watched channel took that message.
    pub fn has(&self, channel: &str, number: u32) -> bool {
        self.channels.get(channel).is_some_and(|c| c.at.contains_key(&number))
    }

    /// What the one who is always there heard: the order goes on.
    pub fn extend(&mut self, channel: &str, element: Element, publisher: usize) -> Result<(), String> {
        let c = self.channels.get_mut(channel).ok_or_else(|| format!("{channel} is not watched"))?;
        match &element {
            Element::Message(number) => {
                if c.at.insert(*number, c.order.len()).is_some() {
                    return Err(format!("{channel}: message {number} came twice"));
                }
                if c.newest.insert(publisher, *number).is_some_and(|before| before >= *number) {
                    return Err(format!("{channel}: message {number} overtook another of its sender"));
                }
            }
            Element::Joined(user) => c.comings.entry(user.clone()).or_default().push(c.order.len() + 1),
            Element::Left(user) => c.goings.entry(user.clone()).or_default().push(c.order.len()),
        }
        c.order.push(element);
        Ok(())
    }

    /// A connection is in a channel from here on. `solo`: the name of a user with no other connection.
    pub fn enter(
        &mut self,
        channel: &str,
        since: usize,
        solo: Option<&str>,
        ear: Ear,
    ) -> Result<StayId, String> {
        let c = self.channels.entry(channel.into()).or_default();
        let mut next = None;
        let solo = solo.filter(|_| c.watched).map(|user| {
            let nth = c.stays.entry(user.into()).or_default();
            *nth += 1;
            (user.to_owned(), *nth - 1)
        });
        if let Some((user, nth)) = &solo {
            let place = c.comings.get(user).and_then(|places| places.get(*nth));
            next = Some(*place.ok_or_else(|| format!("{channel}: nobody was told that {user} came"))?);
        }
        let stay = Stay { channel: channel.into(), ear, next, since, heard: vec![], open: true, solo };
        self.stays.push(stay);
        Ok(self.stays.len() - 1)
    }

    pub fn hear(&mut self, stay: StayId, element: Element) -> Result<(), String> {
        let stay = &mut self.stays[stay];
        let c = &self.channels[&stay.channel];
        if !c.watched {
            stay.heard.push(element);
            return Ok(());
        }
        let audible = |at: &usize| stay.ear.hears(&c.order[*at], &self.publishers);
        if let Some(next) = stay.next {
            let at = (next..c.order.len()).find(audible);
            let want = at.map(|at| &c.order[at]);
            if want != Some(&element) {
                return Err(format!("{}: heard {element:?}, {want:?} is next", stay.channel));
            }
            stay.next = at.map(|at| at + 1);
            return Ok(());
        }
        stay.heard.push(element);
        let Some(Element::Message(number)) = stay.heard.last() else { return Ok(()) };
        let at = *c.at.get(number).ok_or_else(|| format!("{}: nobody else heard {number}", stay.channel))?;
        let mut before: Vec<_> = (stay.since..=at).rev().filter(audible).take(stay.heard.len()).collect();
        before.reverse();
        if before.len() < stay.heard.len() {
            return Err(format!("{}: heard {number} before it came", stay.channel));
        }
        if before.iter().map(|at| &c.order[*at]).ne(&stay.heard) {
            return Err(format!("{}: heard {:?} before {number}", stay.channel, stay.heard));
        }
        stay.next = Some(at + 1);
        stay.heard.clear();
        Ok(())
    }

    pub fn leave(&mut self, stay: StayId) {
        self.stays[stay].open = false;
    }

    /// When all is quiet: who is in a channel has heard all of it, up to its last message `marker`.
    pub fn all_heard(&self, markers: &BTreeMap<String, u32>) -> Result<(), String> {
        for stay in self.stays.iter().filter(|s| s.open) {
            let (name, c) = (&stay.channel, &self.channels[&stay.channel]);
            let Some(marker) = markers.get(name) else { continue };
            let complete = match c.watched {
                true => stay
                    .next
                    .is_some_and(|next| c.order[next..].iter().all(|e| !stay.ear.hears(e, &self.publishers))),
                false => stay.heard.contains(&Element::Message(*marker)),
            };
            if !complete {
                let order = c.order.len();
                return Err(format!("{name}: of {order} elements not all were heard by {stay:?}"));
            }
        }
        Ok(())
    }

    /// Who was announced to leave hears nothing of what came after.
    pub fn none_overstayed(&self) -> Result<(), String> {
        for stay in &self.stays {
            let (Some((user, nth)), Some(next)) = (&stay.solo, stay.next) else { continue };
            let going = self.channels[&stay.channel].goings.get(user).and_then(|g| g.get(*nth));
            if going.is_some_and(|going| next > *going) {
                return Err(format!("{}: {user} heard more after leaving", stay.channel));
            }
        }
        Ok(())
    }

    /// Any two stays in a wild channel agree on what both heard.
    pub fn all_agree(&self) -> Result<(), String> {
        let mut heard_by: BTreeMap<(&str, u32), (usize, usize)> = BTreeMap::new();
        for (index, stay) in self.stays.iter().enumerate() {
            for (at, element) in stay.heard.iter().enumerate() {
                let Element::Message(number) = element else { continue };
                let known = heard_by.insert((&stay.channel, *number), (index, at));
                let Some((other, other_at)) = known else { continue };
                if other == index {
                    return Err(format!("{}: message {number} came twice", stay.channel));
                }
                let other = &self.stays[other];
                let both = |e: &&Element| {
                    other.ear.hears(e, &self.publishers) && stay.ear.hears(e, &self.publishers)
                };
                let [a, b] = [&other.heard, &stay.heard].map(|h| h.iter().filter(both).collect::<Vec<_>>());
                let place = |of: &Stay, at: usize| of.heard[..at].iter().filter(both).count();
                agree(&a, place(other, other_at), &b, place(stay, at))
                    .map_err(|why| format!("{}: around message {number}: {why}", stay.channel))?;
            }
        }
        Ok(())
    }
}

/// Two pieces of one order, laid over each other at an element they share.
fn agree(a: &[&Element], a_at: usize, b: &[&Element], b_at: usize) -> Result<(), String> {
    let before = a_at.min(b_at);
    let after = (a.len() - a_at).min(b.len() - b_at);
    let (a, b) = (&a[a_at - before..a_at + after], &b[b_at - before..b_at + after]);
    match a.iter().zip(b).find(|(a, b)| a != b) {
        Some((a, b)) => Err(format!("one heard {a:?}, the other {b:?}")),
        None => Ok(()),
    }
}
