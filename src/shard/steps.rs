//! The steps of a connection that need an answer from a home, one after the other: attach; claim, join,
//! and what follows from a refusal.

use std::sync::Arc;

use super::core::Core;
use crate::channel::too_many_rooms;
use crate::conn::{Phase, Wait};
use crate::lane::Notify;
use crate::model::{ChannelName, Command, ConnKey, Event, Kind, Op, Origin, Principal, ReplyTo, Target};

impl<N: Notify> Core<N> {
    /// Takes the next step of a connection whose answer has come.
    pub(super) fn step(&mut self, key: ConnKey) {
        let Some(conn) = self.conn_mut(key) else { return };
        let ended = !conn.is_open();
        match conn.wait.take().map(|w| *w) {
            Some(Wait::Claimed { room, .. }) if ended => self.release(key, room),
            Some(Wait::Claimed { room, password }) => self.join(key, room, password, true),
            Some(Wait::GiveBack { room }) => self.release(key, room),
            Some(Wait::Over { rooms }) => self.leave_those_over(key, &rooms),
            other => {
                if let Some(conn) = self.conn_mut(key) {
                    conn.wait = other.map(Box::new);
                }
            }
        }
        self.finish_step(key);
    }

    /// Reads the connection on when it waits no more; an ended one is taken apart now.
    fn finish_step(&mut self, key: ConnKey) {
        let Some(conn) = self.conn_mut(key) else { return };
        if conn.wait.is_some() {
            return;
        }
        match conn.phase {
            Phase::Open => self.let_go(key, |_| ()),
            Phase::Closing(_) => self.detach(key),
            Phase::Gone => {
                self.detach(key);
                self.free(key);
            }
        }
    }

    /// Leaves rooms for which its user has no place left (TUS-33).
    fn leave_those_over(&mut self, key: ConnKey, rooms: &[Arc<str>]) {
        let max = self.shared.homes.max_rooms_per_user;
        for name in rooms {
            if self.leave(key, name).is_some() {
                self.refuse(key, &too_many_rooms(max));
            }
        }
    }

    /// Asks a room to let the connection out. What the room said before still reaches it; its name, when the
    /// connection was in it.
    pub(super) fn leave(&mut self, key: ConnKey, room: &str) -> Option<Arc<str>> {
        let conn = self.conn_mut(key)?;
        let variant = conn.variant;
        let joined = conn.rooms.iter_mut().find(|j| *j.name == *room && !j.leaving)?;
        joined.leaving = true;
        let (channel, name) = (joined.channel, joined.name.clone());
        let op = Op::Leave { variant, quiet: false };
        self.ask(key, channel.home as usize, Target::Known(channel), op);
        Some(name)
    }

    /// The room has let the connection out: from here on it hears nothing of it.
    pub(super) fn forget_room(&mut self, key: ConnKey, room: &str) {
        let Some(conn) = self.conn_mut(key) else { return };
        let Some(at) = conn.rooms.iter().position(|j| j.leaving && *j.name == *room) else { return };
        let left = conn.rooms.swap_remove(at);
        self.leave_locally(left.channel, left.place);
    }

    /// Tells an event to the rooms a connection is in, and to its own user.
    pub(super) fn tell_rooms(&mut self, key: ConnKey, event: &Event) {
        let Some(conn) = self.conn(key) else { return };
        let channels: Vec<_> = conn.rooms.iter().map(|j| j.channel).collect();
        for channel in channels {
            let op = Op::Announce { event: event.clone(), exclude: None };
            self.ask(key, channel.home as usize, Target::Known(channel), op);
        }
        self.ask_inbox(key, Op::Announce { event: event.clone(), exclude: None });
    }

    /// Asks the room to let the connection in. `claimed`: a place among its user's rooms is taken for it.
    pub(super) fn join(&mut self, key: ConnKey, room: Arc<str>, password: Option<Arc<str>>, claimed: bool) {
        let name = self.room_name(key, room.clone());
        let Some(conn) = self.conn_mut(key) else { return };
        conn.wait = Some(Box::new(Wait::Join { room, claimed }));
        let op = Op::Join { variant: conn.variant, password };
        self.ask_named(key, name, op);
    }

    /// Takes a place among the user's rooms first.
    pub(super) fn claim(&mut self, key: ConnKey, room: Arc<str>, password: Option<Arc<str>>) {
        let Some(conn) = self.conn_mut(key) else { return };
        conn.wait = Some(Box::new(Wait::Claim { room: room.clone(), password }));
        self.ask_inbox(key, Op::Claim { room });
    }

    /// Gives back the place of a room that was left; a guest has none.
    pub(super) fn release(&mut self, key: ConnKey, room: Arc<str>) {
        self.ask_inbox(key, Op::Release { room });
    }

    /// The full name of a room as this connection means it: in its realm and tenant.
    pub(super) fn room_name(&self, key: ConnKey, room: Arc<str>) -> ChannelName {
        self.channel_name(key, Kind::Room, room)
    }

    pub(super) fn channel_name(&self, key: ConnKey, kind: Kind, id: Arc<str>) -> ChannelName {
        let conn = self.conn(key);
        let tenant = conn.and_then(|c| c.who.as_ref()).map(|p| p.tenant.clone());
        let dialect = conn.map_or(crate::model::Dialect::Tusk, |c| c.variant.dialect);
        ChannelName {
            realm: self.shared.rules(dialect).realm,
            tenant: tenant.unwrap_or_else(|| Principal::DEFAULT_TENANT.into()),
            kind,
            id,
        }
    }

    /// Sends a command to the channel of that name.
    pub(super) fn ask_named(&mut self, key: ConnKey, name: ChannelName, op: Op) {
        let home = self.shared.home(&name);
        self.ask(key, home, Target::Named(name), op);
    }

    /// Sends a command to the connection's own user.
    pub(super) fn ask_inbox(&mut self, key: ConnKey, op: Op) {
        let Some(conn) = self.conn(key) else { return };
        match (&conn.inbox, &conn.who) {
            (Some(inbox), _) => {
                let channel = inbox.channel;
                self.ask(key, channel.home as usize, Target::Known(channel), op);
            }
            (None, Some(who)) => {
                let name = who.channel();
                self.ask_named(key, name, op);
            }
            (None, None) => {}
        }
    }

    pub(super) fn ask(&mut self, key: ConnKey, home: usize, target: Target, op: Op) {
        let nobody = self.nobody.clone();
        let Some(conn) = self.conn_mut(key) else { return };
        // A guest is given a name when somebody is to see it, and not before.
        let named = conn.who.is_some() || matches!(op, Op::Publish { .. });
        let origin = Origin {
            reply_to: ReplyTo::Connection(key),
            user: if named { conn.name() } else { nobody },
            principal: conn.who.clone(),
        };
        self.send(home, Command { target, origin, op }, Some(key));
    }
}
