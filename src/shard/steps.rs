//! The steps of a connection that need an answer from a home, one after the other: attach; claim, join,
//! and what follows from a refusal.

use std::sync::Arc;

use super::core::{Core, PersonaCall};
use crate::access::{Action, Verb};
use crate::channel::too_many_rooms;
use crate::conn::{Joined, Joining, Phase, Step, Wait};
use crate::dialect::{About, Saying};
use crate::lane::Notify;
use crate::model::{
    Address, ChannelName, Code, Command, ConnKey, Dialect, Follow, JoinManner, Kind, Op, Origin, Principal,
    Refusal, ReplyTo, Target, Variant, Wording,
};

impl<N: Notify> Core<N> {
    /// Takes the next step of a connection whose answer has come.
    pub(super) fn step(&mut self, key: ConnKey) {
        let Some(conn) = self.conn_mut(key) else { return };
        let ended = !conn.is_open();
        match conn.wait.take().map(|w| *w) {
            Some(Wait::Claimed(joining)) if ended => self.release(key, joining.id, false),
            Some(Wait::Claimed(joining)) => self.join(key, joining, true),
            Some(Wait::GiveBack { room }) => self.release(key, room, true),
            Some(Wait::Over { rooms }) => self.leave_those_over(key, &rooms),
            other => {
                if let Some(conn) = self.conn_mut(key) {
                    conn.wait = other.map(Box::new);
                }
            }
        }
        self.finish_step(key);
    }

    /// Goes on with what the connection has planned, and reads it on when there is nothing more; an ended one
    /// is taken apart now.
    fn finish_step(&mut self, key: ConnKey) {
        loop {
            let Some(conn) = self.conn_mut(key) else { return };
            if conn.wait.is_some() {
                return;
            }
            match conn.phase {
                Phase::Open => {}
                Phase::Closing(_) => return self.detach(key),
                Phase::Gone => {
                    self.detach(key);
                    return self.free(key);
                }
            }
            let Some(step) = conn.agenda.as_mut().and_then(|a| a.pop_front()) else {
                conn.agenda = None;
                return self.let_go(key, |_| ());
            };
            self.take(key, step);
        }
    }

    /// Begins what was planned, when nothing else is under way.
    pub(super) fn go_on(&mut self, key: ConnKey) {
        if self.conn(key).is_some_and(|c| c.wait.is_none()) {
            self.finish_step(key);
        }
    }

    fn take(&mut self, key: ConnKey, step: Step) {
        match step {
            Step::Join(joining) => self.begin_join(key, joining),
            Step::Unfollow { user } => self.unfollow(key, &user),
            Step::Forsake { room } => self.forsake(key, &room),
            Step::GiveBack => self.ask_inbox(key, Op::GiveBack),
            Step::Grant { else_skip, tag } => self.ask_grant(key, else_skip, tag),
            Step::Send { name, op, tag } => self.send_planned(key, name, *op, tag),
            Step::Gather(what) => self.begin_gathering(key, what),
            Step::Locate { wording, tag } => {
                if let Some(conn) = self.conn_mut(key) {
                    conn.wait = Some(Box::new(Wait::Locate { tag }));
                }
                self.ask_inbox(key, Op::Locate { wording });
            }
            Step::SayNotifications { types } => {
                self.tell(key, &Saying::NotificationsSubscribed { types: &types }, None);
            }
            Step::AskPersona { persona, room, text } => self.ask_persona(key, persona, room, text),
        }
    }

    /// What rules or the room have closed to a user is no conversation of its any more.
    fn forsake(&mut self, key: ConnKey, room: &Arc<str>) {
        if let Some(name) = self.channel_name(key, Address::Conversation(room)) {
            self.ask_named(key, name, Op::Forsake, None);
        }
        self.release(key, room.clone(), true);
    }

    fn unfollow(&mut self, key: ConnKey, user: &str) {
        let Some(conn) = self.conn_mut(key) else { return };
        let watched =
            conn.rooms.iter_mut().find(|j| j.kind() == Kind::Presence && *j.name == *user && !j.leaving);
        let Some(joined) = watched else { return };
        joined.followed = false;
        if !joined.asked {
            self.leave(key, Kind::Presence, user, None, None);
        }
    }

    fn send_planned(&mut self, key: ConnKey, name: ChannelName, mut op: Op, tag: Option<Arc<str>>) {
        let member = self
            .conn(key)
            .and_then(|c| c.rooms.iter().find(|j| j.kind() == name.kind && j.name == name.id && !j.leaving));
        match member.map(|j| j.channel) {
            Some(channel) => {
                if let Op::Publish { member, .. } = &mut op {
                    *member = true;
                }
                self.ask(key, channel.home as usize, Target::Known(channel), op, tag);
            }
            None => self.ask_named(key, name, op, tag),
        }
    }

    fn ask_persona(&mut self, key: ConnKey, persona: Arc<str>, room: Arc<str>, text: Box<str>) {
        // It speaks where its asker is heard.
        if self.conn(key).is_none_or(|c| c.member_of(Address::Conversation(&room)).is_none()) {
            let refusal = Refusal::new(Code::Forbidden, "Join the conversation to have a persona answer");
            return self.refuse(key, About::Publish, &refusal, None);
        }
        let Some(room) = self.channel_name(key, Address::Conversation(&room)) else { return };
        let Some(user) = self.conn(key).and_then(|c| c.who.as_ref()).map(|w| w.user.clone()) else { return };
        self.persona_calls.push(PersonaCall { key, room, persona, user, text });
    }

    /// One message more, asked of the user's home, or of the connection itself when it has no user.
    fn ask_grant(&mut self, key: ConnKey, else_skip: usize, tag: Option<Arc<str>>) {
        let shared = self.shared.clone();
        let now = self.now.mono_ms;
        let Some(conn) = self.conn_mut(key) else { return };
        let window = shared.rules(conn.variant.dialect).window;
        if conn.has_user() {
            conn.wait = Some(Box::new(Wait::Grant { else_skip, tag }));
            return self.ask_inbox(key, Op::Grant { limit: window.limit, window_ms: window.length });
        }
        if !conn.peer.window.try_take(window.limit, window.length, now) {
            conn.skip(else_skip);
            self.refuse(key, About::Other, &Refusal::RATE_LIMITED, tag.as_deref());
        }
    }

    /// Plans to become a member of what its user is one of, and to watch its contacts. What rules have closed
    /// meanwhile stays closed.
    pub(super) fn plan_follows(&mut self, key: ConnKey, follows: Vec<Follow>) {
        let shared = self.shared.clone();
        let Some(conn) = self.conns.get_mut(key.index as usize).filter(|c| c.key == key) else { return };
        let mut steps = Vec::new();
        for follow in follows {
            match follow {
                Follow::Presence(user) => steps.push(Step::Join(Joining::quietly(user, Wording::Presence))),
                Follow::Room(room) => {
                    let action = Action::On(Verb::Subscribe, Address::Conversation(&room));
                    let asker = super::inbound::asker(conn, conn.who.as_deref(), &shared);
                    if shared.access.admit(action, &asker).is_ok() {
                        let joining = Joining::quietly(room, Wording::Conversation);
                        steps.push(Step::Join(Joining { manner: JoinManner::Standing, ..joining }));
                    } else {
                        steps.push(Step::Forsake { room });
                    }
                }
            }
        }
        if !steps.is_empty() {
            conn.plan(steps);
        }
    }

    /// Takes a place among its user's rooms first, where it has a user and there is a limit to keep.
    fn begin_join(&mut self, key: ConnKey, joining: Joining) {
        let shared = self.shared.clone();
        let kind = joining.wording.kind();
        let Some(conn) = self.conn_mut(key) else { return };
        let there = conn.rooms.iter_mut().find(|j| j.kind() == kind && j.name == joining.id && !j.leaving);
        if let Some(joined) = there {
            joined.asked |= joining.tell;
            joined.followed |= !joining.tell && kind == Kind::Presence;
            // A member that joins again is told again, and nobody else is.
            if joining.tell && (joined.numbered || joining.since.is_some()) && kind != Kind::Presence {
                return self.rejoin(key, joining);
            }
            if joining.tell {
                let saying = Saying::Joined { place: joining.wording.of(&joining.id), position: None };
                self.tell(key, &saying, joining.tag.as_deref());
            }
            return;
        }
        if conn.has_user() && kind == Kind::Room {
            return self.claim(key, joining);
        }
        let max = shared.rules(conn.variant.dialect).max_rooms_per_user;
        let full = max != 0 && conn.rooms.iter().filter(|j| !j.leaving).count() >= max;
        if full && joining.tell {
            let refusal = too_many_rooms(max);
            return self.refuse(key, About::Join, &refusal, joining.tag.as_deref());
        }
        if !full {
            self.join(key, joining, false);
        }
    }

    /// Leaves rooms for which its user has no place left (TUS-33).
    fn leave_those_over(&mut self, key: ConnKey, rooms: &[Arc<str>]) {
        let dialect = self.conn(key).map_or(Dialect::Tusk, |c| c.variant.dialect);
        let max = self.shared.rules(dialect).max_rooms_per_user;
        for name in rooms {
            if self.leave(key, Kind::Room, name, None, None).is_some() {
                self.refuse(key, About::Join, &too_many_rooms(max), None);
            }
        }
    }

    /// Asks a channel to let the connection out. What it said before still reaches it; its name, when the
    /// connection was in it.
    pub(super) fn leave(
        &mut self,
        key: ConnKey,
        kind: Kind,
        id: &str,
        username: Option<Arc<str>>,
        tag: Option<Arc<str>>,
    ) -> Option<Arc<str>> {
        let conn = self.conn_mut(key)?;
        let variant = conn.variant;
        let joined = conn.rooms.iter_mut().find(|j| j.kind() == kind && *j.name == *id && !j.leaving)?;
        joined.leaving = true;
        let variant = Variant { numbered: joined.numbered, ..variant };
        let (channel, name) = (joined.channel, joined.name.clone());
        let op = Op::Leave { variant, quiet: false, username };
        self.ask(key, channel.home as usize, Target::Known(channel), op, tag);
        Some(name)
    }

    /// The channel has let the connection out: from here on it hears nothing of it.
    pub(super) fn forget_channel(&mut self, key: ConnKey, kind: Kind, id: &str) -> Option<Joined> {
        let conn = self.conn_mut(key)?;
        let at = conn.rooms.iter().position(|j| j.leaving && j.kind() == kind && *j.name == *id)?;
        let left = conn.rooms.swap_remove(at);
        self.leave_locally(left.channel, left.place);
        Some(left)
    }

    /// Asks the channel to let the connection in. `claimed`: a place among its user's rooms is taken for it.
    pub(super) fn join(&mut self, key: ConnKey, joining: Joining, claimed: bool) {
        let address = joining.wording.of(&joining.id);
        let name = self.channel_name(key, address);
        let Some(conn) = self.conn_mut(key) else { return };
        let Some(name) = name else { return };
        let op = Op::Join {
            variant: Variant { numbered: conn.variant.numbered || joining.since.is_some(), ..conn.variant },
            since: joining.since,
            again: false,
            password: joining.password.clone(),
            manner: joining.manner,
            username: joining.username.clone(),
        };
        let tag = joining.tag.clone();
        conn.wait = Some(Box::new(Wait::Join { joining, claimed }));
        self.ask_named(key, name, op, tag);
    }

    /// Asks the channel that it is in where it is, and for what it missed before it came.
    fn rejoin(&mut self, key: ConnKey, joining: Joining) {
        let Some(conn) = self.conn_mut(key) else { return };
        let variant = Variant { numbered: true, ..conn.variant };
        let (id, kind) = (&joining.id, joining.wording.kind());
        let there = conn.rooms.iter().find(|j| j.kind() == kind && j.name == *id && !j.leaving);
        let Some(channel) = there.map(|joined| joined.channel) else { return };
        let (since, manner) = (joining.since, joining.manner);
        let op = Op::Join { variant, password: None, manner, username: None, since, again: true };
        let tag = joining.tag.clone();
        conn.wait = Some(Box::new(Wait::Rejoin(joining)));
        self.ask(key, channel.home as usize, Target::Known(channel), op, tag);
    }

    /// Takes a place among the user's rooms first.
    fn claim(&mut self, key: ConnKey, joining: Joining) {
        let Some(conn) = self.conn_mut(key) else { return };
        let op = Op::Claim { room: joining.id.clone(), manner: joining.manner };
        conn.wait = Some(Box::new(Wait::Claim(joining)));
        self.ask_inbox(key, op);
    }

    /// Gives back the place of a room that was left; a guest has none. `for_good`: the user is one of the
    /// conversation no more.
    pub(super) fn release(&mut self, key: ConnKey, room: Arc<str>, for_good: bool) {
        self.ask_inbox(key, Op::Release { room, for_good });
    }

    /// The full name of a channel as this connection means it: in its realm and tenant.
    pub(super) fn channel_name(&self, key: ConnKey, address: Address<'_>) -> Option<ChannelName> {
        let (kind, id) = address.channel()?;
        let conn = self.conn(key);
        let dialect = conn.map_or(Dialect::Tusk, |c| c.variant.dialect);
        let rules = self.shared.rules(dialect);
        // A public channel is every tenant's (ruling A10).
        let shared = matches!(address, Address::Public(_)) && !rules.public_per_tenant;
        let tenant = conn.and_then(|c| c.who.as_ref()).filter(|_| !shared).map(|p| p.tenant.clone());
        let tenant = tenant.unwrap_or_else(|| Principal::DEFAULT_TENANT.into());
        Some(ChannelName { realm: rules.realm, tenant, kind, id: id.into() })
    }

    /// Sends a command to the channel of that name.
    pub(super) fn ask_named(&mut self, key: ConnKey, name: ChannelName, op: Op, tag: Option<Arc<str>>) {
        let home = self.shared.home(&name);
        self.ask(key, home, Target::Named(name), op, tag);
    }

    /// Sends a command to the connection's own user.
    pub(super) fn ask_inbox(&mut self, key: ConnKey, op: Op) {
        self.ask_inbox_tagged(key, op, None);
    }

    pub(super) fn ask_inbox_tagged(&mut self, key: ConnKey, op: Op, tag: Option<Arc<str>>) {
        let Some(conn) = self.conn(key) else { return };
        match (&conn.inbox, &conn.who) {
            (Some(inbox), _) => {
                let channel = inbox.channel;
                self.ask(key, channel.home as usize, Target::Known(channel), op, tag);
            }
            (None, Some(who)) if !who.user.is_empty() => {
                let name = who.channel();
                self.ask_named(key, name, op, tag);
            }
            (None, _) => {}
        }
    }

    pub(super) fn ask(&mut self, key: ConnKey, home: usize, target: Target, op: Op, tag: Option<Arc<str>>) {
        let nobody = self.nobody.clone();
        let Some(conn) = self.conn_mut(key) else { return };
        // A guest is given a name when somebody is to see it, and not before.
        let named = conn.who.is_some() || matches!(op, Op::Publish { .. } | Op::Typing { .. });
        let origin = Origin {
            reply_to: ReplyTo::Connection(key),
            user: if named { conn.name() } else { nobody },
            principal: conn.who.clone(),
            tag,
        };
        self.send(home, Command { target, origin, op }, Some(key));
    }
}
