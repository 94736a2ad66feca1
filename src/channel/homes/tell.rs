//! Changes of presence, told once per user and turn, however often one flips within it.

use std::sync::Arc;

use super::{Homes, Outlet, User};
use crate::model::{
    Cause, ChannelName, Command, Event, Except, Kind, Op, Origin, Presence, RealmId, ReplyTo, Target,
};

/// Who hears of a change of presence besides those who watch the user.
enum Tell {
    Everybody,
    /// Too many are online: those of its rooms, told by the shard of whoever asked.
    Rooms(ReplyTo, Vec<Arc<str>>),
}

impl Homes {
    /// Whether somebody's presence changed in this turn.
    pub fn has_untold(&self) -> bool {
        !self.untold.is_empty()
    }

    /// Tells all changes of presence of the turn, once per user. `elsewhere`: users of a realm who are
    /// online on other shards, as far as this one knows.
    pub fn settle(&mut self, elsewhere: impl Fn(RealmId) -> usize, outlet: &mut impl Outlet) {
        for (index, generation) in std::mem::take(&mut self.untold) {
            if self.slots[index as usize].generation != generation {
                continue;
            }
            self.tell_presence(index, &elsewhere, outlet);
            if self.user(index).is_some_and(User::is_over) {
                self.remove_unless_awaited(index);
            }
        }
    }

    fn tell_presence(&mut self, index: u32, elsewhere: &impl Fn(RealmId) -> usize, outlet: &mut impl Outlet) {
        let Some(user) = self.user_mut(index) else { return };
        let there = user.has_device();
        user.untold = false;
        let Some((causes, from)) = user.shown.untold(there) else { return };
        let (name, presence) = (user.name.clone(), user.shown.presence(&user.name.id));
        let rooms = user.rooms_to_tell();
        let limits = self.realm(name.realm);
        let to = match limits.presence_broadcast_limit {
            max if max != 0 && elsewhere(name.realm) + self.users_online_in(name.realm) > max => {
                let nobody = ReplyTo::Nobody { shard: self.shard };
                let rooms = if limits.presence_broadcast { rooms } else { Vec::new() };
                Tell::Rooms(from.unwrap_or(nobody), rooms)
            }
            _ => Tell::Everybody,
        };
        for cause in causes {
            self.tell(&name, presence_event(&presence, cause), &to, outlet);
            if cause == (Cause::Said { changed: true }) {
                let Presence { user, status, at_ms, .. } = presence.clone();
                self.tell(&name, Event::StatusChanged { user, status, at_ms }, &to, outlet);
            }
        }
    }

    /// Tells one change: those who watch the user, and everybody, or its rooms when too many are online.
    fn tell(&self, name: &ChannelName, event: Event, to: &Tell, outlet: &mut impl Outlet) {
        let watchers = ChannelName { kind: Kind::Presence, ..name.clone() };
        if let Some(at) = self.names.get(&watchers)
            && let Some(body) = &self.slots[*at as usize].channel
        {
            outlet.publish(self.id(*at), body.interest(), &Except::Nobody, &event, None);
        }
        match to {
            Tell::Everybody => outlet.announce(name.realm, Some(&name.tenant), Some(&name.id), &event),
            Tell::Rooms(from, rooms) => self.tell_rooms(name, &event, *from, rooms, outlet),
        }
    }

    /// Has the user's rooms told, and, where a dialect wants that, the user itself (TUS-17).
    fn tell_rooms(
        &self,
        name: &ChannelName,
        event: &Event,
        from: ReplyTo,
        rooms: &[Arc<str>],
        outlet: &mut impl Outlet,
    ) {
        let own = self.realm(name.realm).own_presence;
        let except = if own { Except::Nobody } else { Except::User(name.id.clone()) };
        let reply_to = ReplyTo::Nobody { shard: from.shard() };
        for room in rooms {
            let target = Target::Named(ChannelName { kind: Kind::Room, id: room.clone(), ..name.clone() });
            let origin = Origin { reply_to, user: name.id.clone(), principal: None, tag: None };
            let op = Op::Announce { event: event.clone(), except: except.clone() };
            outlet.errand(from, Command { target, origin, op });
        }
        if let Some(user) = self.names.get(name).filter(|_| own)
            && let Some(body) = &self.slots[*user as usize].channel
        {
            outlet.publish(self.id(*user), body.interest(), &Except::Nobody, event, None);
        }
    }
}

fn presence_event(presence: &Presence, cause: Cause) -> Event {
    Event::Presence { presence: presence.clone(), cause }
}
