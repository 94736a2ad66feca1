//! Whom a connection speaks for: told by its upgrade, or by a message.

use std::rc::Rc;
use std::sync::Arc;

use super::core::Core;
use super::inbound::asker;
use super::journal::journal;
use crate::access::{Action, Verb};
use crate::conn::{Greeting, Holder, Step, Wait};
use crate::dialect::{About, Saying};
use crate::lane::Notify;
use crate::limit::Holding;
use crate::model::{CloseReason, ConnKey, Dialect, Kind, Op, Principal, Showing, Since, Status, Target};

impl<N: Notify> Core<N> {
    /// Answers at once, then lets the user's home know the device: the answer comes before what follows
    /// from it (T3).
    pub(super) fn authenticate(&mut self, key: ConnKey, token: &str, tag: Option<Arc<str>>) {
        let shared = self.shared.clone();
        let Some(dialect) = self.conn(key).map(|c| c.variant.dialect) else { return };
        let realm = shared.rules(dialect).realm;
        let principal = match shared.credentials.identify(token, realm, self.now.unix_secs()) {
            Ok(principal) => Arc::new(principal),
            Err(refusal) => {
                self.counters.messages_refused.of(refusal.code).inc();
                journal!(info, dialect, conn = %key, cause = %refusal.text, "authentication failed");
                return self.tell(key, &Saying::AuthFailed, tag.as_deref());
            }
        };
        if !self.takes_places(key, &principal) {
            return self.close(key, CloseReason::TooManyConnections);
        }
        self.tell(key, &Saying::AuthSuccess { who: &principal, position: None }, tag.as_deref());
        self.become_user(key, principal, false);
    }

    /// Takes the places that a connection of that user needs, and gives back those of whom it spoke for before;
    /// of the same user it has them already. `false`: the user has as many as it may.
    pub(super) fn takes_places(&mut self, key: ConnKey, principal: &Principal) -> bool {
        let shared = self.shared.clone();
        let Some(conn) = self.conn_mut(key) else { return false };
        let same = |who: &Principal| {
            who.channel() == principal.channel() && who.is_service() == principal.is_service()
        };
        if conn.who.as_deref().is_some_and(same) {
            return true;
        }
        let holdings = shared.hold(conn.variant.dialect, principal);
        holdings.map(|holdings| conn.peer.holdings = holdings).is_some()
    }

    /// The first words of a dialect that welcomes at once.
    pub(super) fn welcome(&mut self, key: ConnKey) {
        if let Some(frame) = self.welcome_frame(key) {
            self.push(key, Rc::new(frame));
        }
    }

    /// The same where all else has waited for them.
    pub(super) fn welcome_at_last(&mut self, key: ConnKey) {
        if let Some(frame) = self.welcome_frame(key) {
            self.greet(key, frame);
        }
    }

    fn welcome_frame(&mut self, key: ConnKey) -> Option<bytes::Bytes> {
        let conn = self.conn(key)?;
        let user = conn.who.as_ref().map_or_else(|| self.nobody.clone(), |w| w.user.clone());
        let connection = key.uuid(self.shared.seed);
        let position = conn.peer.resume.as_ref().and_then(|resume| resume.position);
        self.worded(key, &Saying::Welcome { connection, user: &user, position }, None)
    }

    /// Where it says it stopped in its user's channel; asked once.
    fn take_since(&mut self, key: ConnKey) -> Option<Since> {
        self.conn_mut(key)?.peer.resume.as_mut()?.since.take()
    }

    /// The connection of an upgrade that named its user: welcome, then its user's home learns of the device.
    pub(super) fn introduce(&mut self, key: ConnKey, principal: Arc<Principal>) {
        let shared = self.shared.clone();
        let now = self.now;
        let Some(conn) = self.conn_mut(key) else { return };
        let (variant, user) = (conn.variant, principal.user.clone());
        conn.pace.awaits_auth = false;
        conn.pace.expires = principal.expires.map_or(0, |at| moment_of(at, now));
        conn.who = Some(principal);
        match shared.rules(variant.dialect).greeting {
            Greeting::Online => {
                conn.ungreeted = true;
                conn.plan([Step::Gather(crate::conn::Gathering::Greeting)]);
            }
            // Who hears numbers is told where they stand with the first words.
            Greeting::Welcome if variant.numbered && !user.is_empty() => {
                conn.peer.resume.get_or_insert_default().unwelcomed = true;
                conn.ungreeted = true;
            }
            Greeting::Welcome => self.welcome(key),
            Greeting::Nothing => {}
        }
        if !user.is_empty() {
            if let Some(conn) = self.conn_mut(key) {
                conn.wait = Some(Box::new(Wait::Attach));
            }
            let since = self.take_since(key);
            self.ask_inbox(key, Op::Attach { variant, rooms: Vec::new(), since });
        }
        // The credential may end before anything else is due.
        self.look_at(key);
        self.go_on(key);
    }

    /// From now on the connection speaks for that user. `quiet`: it was not asked for, and says nothing of it.
    pub(super) fn become_user(&mut self, key: ConnKey, principal: Arc<Principal>, quiet: bool) {
        if !quiet {
            self.leave_closed_rooms(key, &principal);
        }
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
            self.tell_change_of_name(key, before.as_deref());
        }
        let now = self.now;
        let Some(conn) = self.conn_mut(key) else { return };
        conn.pace.awaits_auth = false;
        conn.pace.expires = principal.expires.map_or(0, |at| moment_of(at, now));
        conn.who = Some(principal);
        if same && conn.inbox.is_some() {
            let showing = Showing { status: Some(Status::Online), ..Showing::default() };
            self.ask_inbox(key, Op::SetPresence { showing });
        } else {
            conn.wait = Some(Box::new(Wait::Attach));
            let since = self.take_since(key);
            self.ask_inbox(key, Op::Attach { variant, rooms, since });
        }
        self.look_at(key);
    }

    /// Leaves the rooms that rules close to the one it is about to speak for. It leaves as who it still is.
    fn leave_closed_rooms(&mut self, key: ConnKey, principal: &Principal) {
        let shared = self.shared.clone();
        let Some(conn) = self.conn(key) else { return };
        let asker = asker(conn, Some(principal), &shared);
        let rooms = conn.rooms.iter().filter(|j| !j.leaving);
        let closed: Vec<_> = rooms
            .filter_map(|joined| {
                let action = Action::On(Verb::Subscribe, joined.wording.of(&joined.name));
                let refusal = shared.access.admit(action, &asker).err()?;
                Some((joined.kind(), joined.name.clone(), refusal))
            })
            .collect();
        for (kind, room, refusal) in closed {
            self.refuse(key, About::Join, &refusal, None);
            if let Some(name) = self.leave(key, kind, &room, None, None).filter(|_| kind == Kind::Room) {
                self.release(key, name, true);
            }
        }
    }

    /// The rooms it stays in hear that one user left and another came; a guest was never told of.
    fn tell_change_of_name(&mut self, key: ConnKey, before: Option<&Principal>) {
        let joined = self.conn(key).map_or_else(Vec::new, |c| {
            let rooms = c.rooms.iter().filter(|j| j.kind() == Kind::Room && !j.leaving);
            rooms.map(|j| j.channel).collect()
        });
        for channel in joined {
            let from = before.map(|p| p.user.clone());
            self.ask(key, channel.home as usize, Target::Known(channel), Op::Rename { from }, None);
        }
    }

    fn room_names(&self, key: ConnKey) -> Vec<Arc<str>> {
        self.conn(key).map_or_else(Vec::new, crate::conn::Conn::room_names)
    }
}

impl super::Shared {
    /// Takes the places a connection of that one needs: its user's or service's, and its tenant's. `None`:
    /// they have as many as they may.
    pub(super) fn hold(&self, dialect: Dialect, who: &Principal) -> Option<Vec<Holding<Holder>>> {
        let rules = self.rules(dialect);
        let per_user = if who.is_service() { rules.max_per_service } else { rules.max_per_user };
        let mut holdings = Vec::new();
        if rules.max_per_tenant != 0 {
            holdings.push(self.holders.enter((dialect, who.tenant.clone(), None), rules.max_per_tenant)?);
        }
        if per_user != 0 && !who.user.is_empty() {
            let user = (dialect, who.tenant.clone(), Some(who.user.clone()));
            holdings.push(self.holders.enter(user, per_user)?);
        }
        Some(holdings)
    }
}

/// A moment of the wall clock on the clock of intervals, at least the present one.
fn moment_of(unix_secs: u64, now: crate::clock::Now) -> u64 {
    (now.mono_ms + unix_secs.saturating_mul(1000).saturating_sub(now.unix_ms)).max(1)
}
