//! What each admitted request does: a command for a home, or something this shard can do at once.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::core::{Call, Core};
use super::inbound::asker;
use crate::access::{Action, Channel, Verb};
use crate::channel::too_many_rooms;
use crate::conn::Wait;
use crate::dialect::{Request, tusk};
use crate::lane::Notify;
use crate::model::{
    Code, Command, ConnKey, Dialect, Event, Kind, Op, Origin, Principal, Refusal, Reply, ReplyTo, Target,
};

impl<N: Notify> Core<N> {
    pub(super) fn request(&mut self, key: ConnKey, request: &Request<'_>) -> Result<(), Refusal> {
        match *request {
            Request::Ping => {
                let unix = self.now.unix_secs();
                self.say(key, |out| tusk::pong(unix, out));
                Ok(())
            }
            Request::Authenticate { token } => {
                self.authenticate(key, token);
                Ok(())
            }
            Request::Join { room, password } => self.request_join(key, room, password),
            Request::Leave { room } => self.request_leave(key, room),
            Request::Publish { room, text } => {
                self.request_publish(key, room, text);
                Ok(())
            }
            Request::Direct { to, text } => {
                let name = self.channel_name(key, Kind::User, to.into());
                self.ask_named(key, name, Op::SendDirect { text: text.into() });
                Ok(())
            }
            Request::SetPresence(status) => {
                self.ask_inbox(key, Op::SetPresence { status });
                Ok(())
            }
            Request::CreateRoom { room, ref settings } => {
                let name = self.room_name(key, room.into());
                self.ask_named(key, name, Op::CreateRoom { settings: settings.clone() });
                Ok(())
            }
            Request::Acknowledge(id) => {
                self.ask_inbox(key, Op::Acknowledge { id });
                Ok(())
            }
            Request::Ignored => Ok(()),
            Request::Custom { kind } => Err(tusk::unknown_type(kind)),
        }
    }

    /// Answers at once, then lets the user's home know the device: the answer comes before what follows
    /// from it (T3).
    fn authenticate(&mut self, key: ConnKey, token: &str) {
        let shared = self.shared.clone();
        let realm = shared.rules(Dialect::Tusk).realm;
        let principal = match shared.credentials.identify(token, realm, self.now.unix_secs()) {
            Ok(principal) => Arc::new(principal),
            Err(refusal) => {
                self.counters.messages_refused.of(refusal.code).inc();
                tracing::info!(conn = %key, cause = %refusal.text, "authentication failed");
                return self.say(key, tusk::auth_failed);
            }
        };
        self.say(key, |out| tusk::auth_success(&principal, out));
        self.become_user(key, principal);
    }

    fn become_user(&mut self, key: ConnKey, principal: Arc<Principal>) {
        self.leave_closed_rooms(key, &principal);
        let Some(conn) = self.conn(key) else { return };
        let (variant, before) = (conn.variant, conn.who.clone());
        let moves = before.as_ref().is_some_and(|b| b.tenant != principal.tenant);
        let same = before.as_ref().is_some_and(|b| b.channel() == principal.channel());
        if moves || (before.is_none() && *principal.tenant != *Principal::DEFAULT_TENANT) {
            // Tenants never meet: what was joined as somebody of another one is left.
            self.detach(key);
        } else if !same {
            let rooms = self.room_names(key);
            self.detach_user(key, rooms);
        }
        let rooms = self.room_names(key);
        if !same {
            self.tell_change_of_name(key, before.as_deref(), &principal);
        }
        let now = self.now;
        let Some(conn) = self.conn_mut(key) else { return };
        conn.pace.awaits_auth = false;
        conn.pace.expires = principal.expires.map_or(0, |at| moment_of(at, now));
        conn.name = Some(principal.user.clone());
        conn.who = Some(principal);
        if same && conn.inbox.is_some() {
            self.ask_inbox(key, Op::SetPresence { status: crate::model::Status::Online });
        } else {
            conn.wait = Some(Box::new(Wait::Attach));
            self.ask_inbox(key, Op::Attach { variant, rooms });
        }
        self.look_at(key);
    }

    /// Leaves the rooms that rules close to the one it is about to speak for. It leaves as who it still is.
    fn leave_closed_rooms(&mut self, key: ConnKey, principal: &Principal) {
        let shared = self.shared.clone();
        let Some(conn) = self.conn(key) else { return };
        let asker = asker(conn, Some(principal), &shared);
        let rooms = conn.room_names().into_iter();
        let closed: Vec<_> = rooms
            .filter_map(|room| {
                let action = Action::On(Verb::Subscribe, Channel::room(&room));
                let refusal = shared.access.admit(action, &asker).err()?;
                Some((room, refusal))
            })
            .collect();
        for (room, refusal) in closed {
            self.refuse(key, &refusal);
            if let Some(name) = self.leave(key, &room) {
                self.release(key, name);
            }
        }
    }

    /// The rooms it stays in hear that one user left and another came; a guest was never told of.
    fn tell_change_of_name(&mut self, key: ConnKey, before: Option<&Principal>, after: &Principal) {
        let joined = self.conn(key).map_or_else(Vec::new, |c| {
            c.rooms.iter().filter(|j| !j.leaving).map(|j| (j.channel, j.name.clone())).collect()
        });
        for (channel, room) in joined {
            let left = before.map(|p| Event::Left { room: room.clone(), user: p.user.clone() });
            let joined = Event::Joined { room, user: after.user.clone() };
            for event in left.into_iter().chain([joined]) {
                let op = Op::Announce { event, exclude: Some(key) };
                self.ask(key, channel.home as usize, Target::Known(channel), op);
            }
        }
    }

    fn room_names(&self, key: ConnKey) -> Vec<Arc<str>> {
        self.conn(key).map_or_else(Vec::new, crate::conn::Conn::room_names)
    }

    fn request_join(&mut self, key: ConnKey, room: &str, password: Option<&str>) -> Result<(), Refusal> {
        let shared = self.shared.clone();
        let Some(conn) = self.conn(key) else { return Ok(()) };
        if let Some(joined) = conn.room(room) {
            // A member that joins again is told again, and nobody else is.
            let reply = Reply::Joined { channel: joined.channel, room: joined.name.clone() };
            let dialect = conn.variant.dialect;
            self.say_reply(key, dialect, &reply);
            return Ok(());
        }
        let (room, password) = (Arc::from(room), password.map(Arc::from));
        if conn.who.is_some() {
            self.claim(key, room, password);
            return Ok(());
        }
        let max = shared.rules(conn.variant.dialect).max_rooms_per_user;
        if max != 0 && conn.rooms.iter().filter(|j| !j.leaving).count() >= max {
            return Err(too_many_rooms(max));
        }
        self.join(key, room, password, false);
        Ok(())
    }

    fn request_leave(&mut self, key: ConnKey, room: &str) -> Result<(), Refusal> {
        match self.leave(key, room) {
            Some(name) => {
                self.release(key, name);
                Ok(())
            }
            None => Err(Refusal::new(Code::NotFound, "Not a member of this room")),
        }
    }

    fn request_publish(&mut self, key: ConnKey, room: &str, text: &str) {
        let text = text.into();
        match self.conn(key).and_then(|c| c.room(room)).map(|j| j.channel) {
            Some(channel) => {
                let op = Op::Publish { text, member: true };
                self.ask(key, channel.home as usize, Target::Known(channel), op);
            }
            None => {
                let name = self.room_name(key, room.into());
                self.ask_named(key, name, Op::Publish { text, member: false });
            }
        }
    }

    /// A REST call's command. The answer comes through the receiver; it ends without one when the shard does.
    pub fn call(
        &mut self,
        home: usize,
        target: Target,
        op: Op,
        who: Option<Arc<Principal>>,
    ) -> oneshot::Receiver<Reply> {
        self.touch();
        let (answer, receiver) = oneshot::channel();
        self.calls_made = self.calls_made.wrapping_add(1);
        let generation = self.calls_made;
        let ticket = self.calls.insert(Call { generation, answer }) as u32;
        let origin = Origin {
            reply_to: ReplyTo::Call { shard: self.index, ticket, generation },
            user: who.as_ref().map_or_else(|| "server".into(), |p| p.user.clone()),
            principal: who,
        };
        self.send(home, Command { target, origin, op }, None);
        self.settle();
        receiver
    }
}

/// A moment of the wall clock on the clock of intervals, at least the present one.
fn moment_of(unix_secs: u64, now: crate::clock::Now) -> u64 {
    (now.mono_ms + unix_secs.saturating_mul(1000).saturating_sub(now.unix_ms)).max(1)
}
