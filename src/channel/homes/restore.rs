//! What outlasts the process: found again at its beginning, and of presence written down as it goes.

use super::{Body, Homes, Outlet, User};
use crate::channel::room::Room;
use crate::clock::Now;
use crate::model::{
    ChannelName, Command, Event, Fact, Kept, Kind, Op, Origin, Record, ReplyTo, Target, Waiting,
};

/// Between a change of presence and its being written down: many changes are one write.
const SAVE_AFTER_MS: u64 = 500;

impl Homes {
    /// Takes back what the store kept of channels at home here. What another home had sent and this one had not
    /// taken in yet is taken in now.
    pub fn restore(
        &mut self,
        kept: impl IntoIterator<Item = (ChannelName, Kept)>,
        now: Now,
        outlet: &mut impl Outlet,
    ) {
        let mut late = Vec::new();
        for (name, kept) in kept {
            match kept {
                Kept::Fact(fact) => self.restore_fact(&name, fact),
                Kept::Waiting(waiting) => match (waiting.transit, &waiting.event) {
                    (true, Event::Direct(_) | Event::Notification(_)) => late.push((name, waiting)),
                    _ => {
                        let max = self.realm(name.realm).queue;
                        let kept = self.restored_user(&name).restore(waiting, max, outlet);
                        self.held += usize::from(kept);
                    }
                },
            }
        }
        for index in 0..self.slots.len() as u32 {
            self.look_at(index);
        }
        for (name, waiting) in late {
            self.take_in(name, waiting, now, outlet);
        }
    }

    /// Of a conversation's member, its home is told as of a fact of the conversation.
    fn restore_fact(&mut self, name: &ChannelName, fact: Fact) {
        match (name.kind, fact) {
            (Kind::Room, Fact::Room { settings, creator }) => {
                self.restored_room(name).settle(settings, creator)
            }
            (Kind::Room, Fact::Standing(user)) => self.restored_room(name).remember_member(user),
            (Kind::User, fact) => self.restored_user(name).recall(fact),
            _ => {}
        }
    }

    fn restored_room(&mut self, name: &ChannelName) -> &mut Room {
        let index = match self.names.get(name) {
            Some(index) => *index,
            None => {
                let log = self.log_of(name);
                self.insert(name.clone(), Body::Room(Box::new(Room::joined(name, log))))
            }
        };
        match &mut self.slots[index as usize].channel {
            Some(Body::Room(room)) => room,
            _ => unreachable!("a name of kind room has a room"),
        }
    }

    fn restored_user(&mut self, name: &ChannelName) -> &mut User {
        let index = match self.names.get(name) {
            Some(index) => *index,
            None => {
                let log = self.log_of(name);
                self.insert(name.clone(), Body::User(Box::new(User::new(name, log))))
            }
        };
        match &mut self.slots[index as usize].channel {
            Some(Body::User(user)) => user,
            _ => unreachable!("a name of kind user has a user"),
        }
    }

    fn take_in(&mut self, name: ChannelName, waiting: Waiting, now: Now, outlet: &mut impl Outlet) {
        let (user, op) = match waiting.event {
            Event::Direct(message) => (message.from.clone(), Op::Receive { message: Box::new(message) }),
            Event::Notification(notification) => ("".into(), Op::Notify { notification, transit: true }),
            _ => return,
        };
        let reply_to = ReplyTo::Nobody { shard: self.shard };
        let origin = Origin { reply_to, user, principal: None, tag: None };
        self.apply(Command { target: Target::Named(name), origin, op }, now, outlet);
    }

    /// Has how a user is written down, soon.
    pub(super) fn save_later(&mut self, index: u32, generation: u16) {
        let durable = self.limits.durable;
        let Some(user) = self.user_mut(index).filter(|user| user.unsaved) else { return };
        if !durable {
            user.unsaved = false;
        } else if self.unsaved.last() != Some(&(index, generation)) {
            self.unsaved.push((index, generation));
            self.save_at_ms = self.save_at_ms.or(Some(self.now_ms + SAVE_AFTER_MS));
        }
    }

    /// Writes down how users are whose presence has changed.
    pub fn save_presences(&mut self, outlet: &mut impl Outlet) {
        self.save_at_ms = None;
        for (index, generation) in std::mem::take(&mut self.unsaved) {
            if self.slots[index as usize].generation != generation {
                continue;
            }
            let Some(user) = self.user_mut(index).filter(|user| user.unsaved) else { continue };
            user.unsaved = false;
            let channel = user.name.clone();
            let fact = Fact::Presence(user.shown.account(&channel.id));
            outlet.write(0, vec![Record::Know { channel, fact }]);
            self.look_at(index);
        }
    }
}
