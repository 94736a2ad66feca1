//! The check of numbers: what is numbered has one number in its channel, for everybody; who is told numbers misses
//! none; and who says where it stopped is told exactly what came since, or that this cannot be had.

use std::collections::{BTreeMap, BTreeSet};

use crate::world::World;

/// Where somebody who comes says that it stopped.
#[derive(Clone, Copy, Debug)]
pub struct Stopped {
    pub seq: u64,
    /// Questions to the store that had gone without an answer when it said so.
    pub unread: usize,
}

/// Where in a room somebody is who is told numbers.
#[derive(Debug, Default)]
pub struct Place {
    /// The number it began behind, if that was said.
    begun: Option<u64>,
    /// The next number of what it missed.
    missed: Option<u64>,
    /// The next number of all else, once that is known.
    next: Option<u64>,
    /// It asked for what came since then.
    since: Option<Stopped>,
}

impl Place {
    /// Where it would go on if it came back.
    pub fn stops_at(&self) -> Option<u64> {
        self.missed.or(self.next).map(|next| next - 1)
    }

    /// Whether it was told all that it missed.
    pub fn is_complete(&self) -> bool {
        self.missed.is_none()
    }
}

/// All numbers that were told.
#[derive(Debug, Default)]
pub struct Numbers {
    /// By channel and number: our number of the message.
    known: BTreeMap<(String, u64), u32>,
    /// Where in each room somebody stopped.
    stopped: BTreeMap<String, Vec<u64>>,
    /// What the store did not take.
    pub refused: BTreeSet<u32>,
    /// Who said where it stopped, messages told again to them, and gaps.
    pub returned: usize,
    pub missed: usize,
    pub gaps: usize,
}

impl Numbers {
    pub fn stop(&mut self, room: &str, place: &Place) {
        self.stopped.entry(room.into()).or_default().extend(place.stops_at());
    }

    pub fn stopped(&self, room: &str) -> &[u64] {
        self.stopped.get(room).map_or(&[], Vec::as_slice)
    }
}

impl World {
    /// A message is heard: it is what all others hear under its number, and it is kept.
    pub fn hear_number(&mut self, channel: &str, number: u32, seq: Option<u64>) -> Result<(), String> {
        if self.numbers.refused.contains(&number) {
            return Err(format!("{channel}: message {number} was refused, and is heard"));
        }
        if let Some(depot) = &self.depot
            && !depot.borrow().has(channel, number, seq)
        {
            return Err(format!("{channel}: message {number} ({seq:?}) is heard, and was not kept so"));
        }
        let Some(seq) = seq else { return Ok(()) };
        match *self.numbers.known.entry((channel.to_owned(), seq)).or_insert(number) {
            known if known == number => Ok(()),
            known => Err(format!("{channel}: {seq} is the number of message {known} and of {number}")),
        }
    }

    /// Who is told numbers is in a room from here on.
    pub fn begin_place(&mut self, client: usize, room: &str, seq: Option<u64>, since: Option<Stopped>) {
        let missed = since.zip(seq).filter(|(since, head)| since.seq < *head).map(|(since, _)| since.seq + 1);
        let place = Place { begun: seq, missed, next: seq.map(|head| head + 1), since };
        self.numbers.returned += usize::from(since.is_some());
        self.clients[client].places.insert(room.into(), place);
    }

    /// What was missed cannot be had: only where there is a reason.
    pub fn hear_gap(&mut self, client: usize, room: &str, seq: Option<u64>) -> Result<(), String> {
        let unread = self.unread();
        let max = self.plan.replay_events as u64;
        let durable = self.depot.is_some();
        let place = self.clients[client].places.get_mut(room).ok_or("a gap where it is not told numbers")?;
        let since = place.since.take().ok_or("a gap though nothing was asked for")?;
        if seq != place.begun {
            return Err(format!("a gap up to {seq:?}, and it began at {:?}", place.begun));
        }
        let many = place.begun.is_some_and(|head| head - since.seq > max);
        // Without a store all is in memory, as far as it is.
        if durable && !many && unread == since.unread {
            return Err(format!("{room}: what came since {since:?} is a gap, and is there: {place:?}"));
        }
        place.missed = None;
        self.numbers.gaps += 1;
        Ok(())
    }

    /// Questions that the store has not answered.
    pub fn unread(&self) -> usize {
        self.depot.as_ref().map_or(0, |depot| depot.borrow().unread)
    }

    /// A room's message with its number. Whether it is a new one, and none of those missed.
    pub fn hear_in_place(&mut self, client: usize, room: &str, seq: Option<u64>) -> Result<bool, String> {
        let c = &mut self.clients[client];
        let Some(place) = c.places.get_mut(room) else {
            return match seq.is_some() && c.stays.contains_key(room) {
                true => Err(format!("{room}: a number it did not ask for")),
                false => Ok(true),
            };
        };
        let seq = seq.ok_or_else(|| format!("{room}: a message without a number"))?;
        if place.begun.is_some_and(|begun| seq <= begun) {
            if place.missed != Some(seq) {
                return Err(format!("{room}: {seq} is told again, {place:?}"));
            }
            place.missed = (Some(seq) != place.begun).then_some(seq + 1);
            self.numbers.missed += 1;
            return Ok(false);
        }
        if place.missed.is_some() || place.next.is_some_and(|next| next != seq) {
            return Err(format!("{room}: heard {seq}, {place:?}"));
        }
        place.next = Some(seq + 1);
        Ok(true)
    }
}
