//! What clients are told, checked as they read it.

use lanecast::fanout::Frame;
use lanecast::model::{Dialect, MessageId};

use crate::client::{Asked, Client, Role};
use crate::mail::Letter;
use crate::plan::inbox;
use crate::said::{self, Said};
use crate::witness::{Ear, Element};
use crate::world::World;

impl World {
    /// A client takes what waits for it and understands it.
    pub fn read(&mut self, client: usize) -> Result<(), String> {
        let key = self.clients[client].key;
        let shard = key.shard as usize;
        if self.cores[shard].conn(key).is_none_or(|conn| conn.outbox.is_empty() || conn.ungreeted) {
            return Ok(());
        }
        let frames = self.core(shard).take_frames(key);
        let mut said = Vec::new();
        for frame in &frames {
            self.note(client, frame);
            said::read(self.clients[client].dialect, frame, &mut said)?;
        }
        if let (Some(fault), Role::Visitor) = (self.fault, &self.clients[client].role) {
            fault.tamper(&mut said, &mut self.dice);
        }
        for said in said {
            self.hear(client, said).map_err(|why| format!("client {client} ({key}): {why}"))?;
        }
        Ok(())
    }

    /// Adds a frame to the trace (FNV-1a).
    fn note(&mut self, client: usize, frame: &Frame) {
        self.frames += 1;
        let who = (client as u64).to_le_bytes().into_iter().chain(self.step.to_le_bytes());
        for byte in who.chain(frame.iter().copied()) {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn hear(&mut self, client: usize, said: Said) -> Result<(), String> {
        if self.clients[client].closed {
            return Err(format!("{said:?} behind the Close frame"));
        }
        let c = &self.clients[client];
        let greets = c.dialect != Dialect::Sge && self.is_open(client);
        if greets && !c.greeted && said != Said::Welcome {
            return Err(format!("{said:?} before the first words"));
        }
        match said {
            Said::Message { room, number, seq } => self.hear_message(client, &room, number, seq),
            Said::Joined { room, user } => self.hear_room(client, &room, Element::Joined(user)),
            Said::Left { room, user } => self.hear_room(client, &room, Element::Left(user)),
            Said::YouJoined { room, seq } => self.hear_joined(client, &room, seq),
            Said::Gap { room, seq } => self.hear_gap(client, &room, seq),
            Said::YouLeft { room } => self.hear_left(client, &room),
            Said::AuthSuccess { user } => self.hear_known(client, user),
            Said::Direct { number, seq } => self.hear_direct(client, number, seq),
            Said::Sent { to, id, queued } => self.hear_sent(client, &to, id, queued),
            Said::Delivered { id } => self.mail.delivered(id, client),
            Said::Pong => self.clients[client].answer(Asked::Ping),
            Said::AuthFailed => self.clients[client].answer(Asked::EmptyAuth),
            Said::Error { text } if text.starts_with("The store cannot be written") => {
                let untold = &mut self.clients[client].untold;
                *untold = untold.checked_sub(1).ok_or("told of a refusal, and the store has taken all")?;
                Ok(())
            }
            Said::Error { text } => {
                let asked = Client::refused(&text);
                if matches!(asked, Asked::Join) {
                    self.clients[client].joining.pop_front();
                }
                self.clients[client].answer(asked).map_err(|why| format!("{why}: {text}"))
            }
            Said::Presence { user, status } => {
                if client == 0 {
                    self.presence.insert(user, status);
                }
                Ok(())
            }
            Said::Close => {
                self.clients[client].closed = true;
                self.depart(client);
                match self.clients[client].watches() && !self.ending {
                    true => Err("somebody who has to stay was closed".into()),
                    false => Ok(()),
                }
            }
            Said::Welcome => match std::mem::replace(&mut self.clients[client].greeted, true) {
                true => Err("welcome twice".into()),
                false => Ok(()),
            },
            Said::Aside | Said::Heartbeat => Ok(()),
        }
    }

    fn hear_left(&mut self, client: usize, room: &str) -> Result<(), String> {
        let c = &mut self.clients[client];
        if let Some(place) = c.places.remove(room) {
            self.numbers.stop(room, &place);
        }
        let leaving = c.leaving.iter().position(|(left, _)| *left == room);
        let unheard = leaving.and_then(|at| c.leaving.remove(at)).map(|(_, unheard)| unheard);
        if let Some(unheard) = unheard.filter(|unheard| !unheard.is_empty()) {
            return Err(format!("left {room}, and has not heard what it had said there: {unheard:?}"));
        }
        match c.stays.remove(room) {
            Some(stay) => self.witness.leave(stay),
            None if c.leaves_anyway() => {}
            None => return Err(format!("left {room} without being in")),
        }
        c.answer(Asked::Leave)
    }

    fn hear_message(
        &mut self,
        client: usize,
        room: &str,
        number: u32,
        seq: Option<u64>,
    ) -> Result<(), String> {
        if self.messages.get(number as usize).is_none_or(|(channel, _)| channel != room) {
            return Err(format!("message {number} of another channel in {room}"));
        }
        self.hear_number(room, number, seq)?;
        self.clients[client].needs_not_hear(room, number);
        match self.hear_in_place(client, room, seq)? {
            true => self.hear_room(client, room, Element::Message(number)),
            false => Ok(()),
        }
    }

    fn hear_room(&mut self, client: usize, room: &str, element: Element) -> Result<(), String> {
        let c = &self.clients[client];
        let observes = matches!(c.role, Role::Observer(watched) if watched == room);
        if let Element::Joined(user) | Element::Left(user) = &element
            && !user.starts_with('s')
            && (observes || c.stays.contains_key(room))
        {
            // Who changes its name within a room is not told of it, and only those who come alone never do.
            return Ok(());
        }
        if observes {
            let publisher = match element {
                Element::Message(number) => self.messages[number as usize].1,
                _ => 0,
            };
            return self.witness.extend(room, element, publisher);
        }
        if let (Element::Message(number), None) = (&element, c.stays.get(room))
            && matches!(c.dialect, Dialect::Gator | Dialect::Sge)
            && self.messages[*number as usize].1 == client
        {
            // These hear themselves also where they are not (ruling G7).
            return Ok(());
        }
        let stay =
            c.stays.get(room).ok_or_else(|| format!("heard {element:?} of {room}, not being in it"))?;
        self.witness.hear(*stay, element)
    }

    fn hear_joined(&mut self, client: usize, room: &str, seq: Option<u64>) -> Result<(), String> {
        let c = &mut self.clients[client];
        c.answer(Asked::Join)?;
        let joining = c.joining.pop_front().filter(|(name, ..)| *name == room);
        let (_, solo, since, stopped) = joining.ok_or_else(|| format!("joined {room}, which is not next"))?;
        if !c.stays.contains_key(room) && (c.numbered || stopped.is_some()) {
            self.begin_place(client, room, seq, stopped);
        }
        let c = &self.clients[client];
        if c.stays.contains_key(room) || matches!(c.role, Role::Observer(watched) if watched == room) {
            return Ok(());
        }
        let solo = c.name.as_deref().filter(|_| solo);
        let ear = c.ear(client);
        let stay = self.witness.enter(room, since, solo, ear)?;
        self.clients[client].stays.insert(room.into(), stay);
        Ok(())
    }

    fn hear_known(&mut self, client: usize, user: String) -> Result<(), String> {
        let c = &mut self.clients[client];
        c.answer(Asked::Auth)?;
        let authenticating = c.authenticating.pop_front().filter(|(name, _)| *name == user);
        let (_, since) = authenticating.ok_or_else(|| format!("became {user}, which is not next"))?;
        if c.me.as_ref() == Some(&user) {
            return Ok(());
        }
        if let Some(stay) = c.inbox.take() {
            self.witness.leave(stay);
        }
        c.newest_direct.clear();
        if !c.watches() && user.starts_with('k') {
            c.inbox = Some(self.witness.enter(&inbox(&user), since, None, Ear::default())?);
        }
        c.me = Some(user);
        Ok(())
    }

    fn hear_direct(&mut self, client: usize, number: u32, seq: Option<u64>) -> Result<(), String> {
        let c = &mut self.clients[client];
        let me = c.me.clone().ok_or("a private message for nobody")?;
        let sent = self.messages.get(number as usize).filter(|(channel, _)| *channel == inbox(&me));
        let (channel, publisher) = sent.ok_or_else(|| format!("{me} got a message {number} of another"))?;
        // Ids say nothing of the order; but each sender numbers upwards. What a device that ended never got comes
        // late to the others.
        let late = c.newest_direct.insert(*publisher, number).is_some_and(|before| before >= number);
        if late && !self.mail.has_ended(&me) {
            return Err(format!("{me} got {number} out of order"));
        }
        self.mail.heard(&me, number, client)?;
        if c.numbered != seq.is_some() {
            return Err(format!("message {number} has the number {seq:?}"));
        }
        match (&c.role, c.inbox) {
            (Role::Keeper(_), _) => self.witness.extend(channel, Element::Message(number), *publisher)?,
            (_, Some(stay)) => self.witness.hear(stay, Element::Message(number))?,
            _ => {}
        }
        self.hear_number(&inbox(&me), number, seq)
    }

    fn hear_sent(&mut self, client: usize, to: &str, id: MessageId, queued: bool) -> Result<(), String> {
        let c = &mut self.clients[client];
        c.answer(Asked::Direct)?;
        let number = c.directs.get_mut(to).and_then(std::collections::VecDeque::pop_front);
        let number = number.ok_or_else(|| format!("told of a message to {to} that it did not send"))?;
        if queued && to.starts_with('k') {
            return Err(format!("a message to {to}, who is there, waits"));
        }
        if let Some(depot) = self.depot.as_ref().filter(|_| queued)
            && !depot.borrow().has_queued(id)
        {
            return Err(format!("{id} for {to} is said to wait, and would not after a restart"));
        }
        self.mail.sent(
            to,
            id,
            Letter { number, queued, delivered: false, sender: client, sent_at: self.step },
        )
    }

    /// A client that is closed hears nothing more, wherever it was.
    pub fn depart(&mut self, client: usize) {
        let c = &mut self.clients[client];
        for stay in std::mem::take(&mut c.stays).into_values().chain(c.inbox.take()) {
            self.witness.leave(stay);
        }
        for (room, place) in std::mem::take(&mut c.places) {
            self.numbers.stop(&room, &place);
        }
        // It may have become somebody and not have heard so.
        if let Some(user) = &c.who {
            self.mail.ended(user);
        }
    }
}
