//! A room at home: who may enter, who may speak, and the order of what is said.

use std::sync::Arc;

use subtle::ConstantTimeEq;

use super::{Ask, Interest, Outlet};
use crate::model::{
    ChannelId, Code, ConnKey, Event, Principal, Refusal, Reply, RoomInfo, RoomSettings, Variant,
};

/// One room. It exists while it has members, or for good when it was created by hand.
#[derive(Debug)]
pub struct Room {
    name: Arc<str>,
    settings: RoomSettings,
    interest: Interest,
    /// Made by an administrator: stays when it is empty.
    kept: bool,
    creator: Option<Arc<str>>,
}

impl Room {
    /// A room that came to be because somebody joined it.
    pub fn joined(name: Arc<str>) -> Self {
        Self {
            name,
            settings: RoomSettings::default(),
            interest: Interest::default(),
            kept: false,
            creator: None,
        }
    }

    /// A room made by hand (TUS-24).
    pub fn created(name: Arc<str>, settings: RoomSettings, creator: Option<Arc<str>>) -> Self {
        Self { name, settings, interest: Interest::default(), kept: true, creator }
    }

    /// Whether nothing would be lost if it went.
    pub fn is_over(&self) -> bool {
        !self.kept && self.interest.is_empty()
    }

    pub fn info(&self, cap: usize) -> RoomInfo {
        RoomInfo {
            name: self.name.clone(),
            member_count: self.interest.total(),
            max_members: self.max_members(cap),
            public: self.settings.public,
            moderated: self.settings.moderated,
            has_password: self.settings.password.is_some(),
        }
    }

    /// The smaller of the room's and the configuration's limit; 0: none.
    fn max_members(&self, cap: usize) -> usize {
        match (self.settings.max_members, cap) {
            (0, other) | (other, 0) => other,
            (a, b) => a.min(b),
        }
    }

    /// Lets a connection in, and tells those who are in already (T1).
    pub fn join(&mut self, ask: Ask<'_>, variant: Variant, password: Option<&str>, outlet: &mut impl Outlet) {
        let Ask { id, origin, .. } = ask;
        let cap = ask.limits.max_room_members;
        if let Err(refusal) = self.admit(origin.principal.as_deref(), password, cap) {
            return outlet.reply(origin.reply_to, Reply::Denied(refusal));
        }
        self.announce(ask, |room, user| Event::Joined { room, user }, outlet);
        self.interest.add(origin.reply_to.shard(), variant);
        outlet.reply(origin.reply_to, Reply::Joined { channel: id, room: self.name.clone() });
    }

    fn admit(&self, who: Option<&Principal>, password: Option<&str>, cap: usize) -> Result<(), Refusal> {
        let max = self.max_members(cap);
        if max != 0 && self.interest.total() >= max {
            return Err(Refusal::with(Code::LimitReached, format!("Room is full ({max} members)")));
        }
        match (&self.settings.password, password) {
            (Some(want), Some(given)) if same_secret(want, given) => return Ok(()),
            (Some(_), Some(_)) => return Err(Refusal::new(Code::Forbidden, "Wrong room password")),
            (Some(_), None) => return Err(Refusal::new(Code::Forbidden, "Room password required")),
            (None, _) => {}
        }
        if self.settings.public || who.is_some_and(|p| p.may("join_room") || self.is_creator(p)) {
            Ok(())
        } else {
            Err(Refusal::new(Code::Forbidden, "Room is private"))
        }
    }

    fn is_creator(&self, who: &Principal) -> bool {
        who.verified && self.creator.as_ref().is_some_and(|c| *c == who.user)
    }

    /// Tells the members that a user came or went (T1). A guest is nobody's user: a crowd of them coming back
    /// after an outage would tell everybody of everybody, and nobody anything.
    fn announce(
        &self,
        ask: Ask<'_>,
        event: impl FnOnce(Arc<str>, Arc<str>) -> Event,
        outlet: &mut impl Outlet,
    ) {
        if ask.origin.principal.is_some() {
            outlet.publish(ask.id, &self.interest, None, &event(self.name.clone(), ask.origin.user.clone()));
        }
    }

    /// Takes a connection out. Unknown ones are ignored: their own shard has already forgotten them.
    pub fn leave(&mut self, ask: Ask<'_>, variant: Variant, quiet: bool, outlet: &mut impl Outlet) {
        let origin = ask.origin;
        if !self.interest.remove(origin.reply_to.shard(), variant) {
            return;
        }
        // First, so that it does not hear of its own leaving.
        if !quiet {
            outlet.reply(origin.reply_to, Reply::Left { room: self.name.clone() });
        }
        self.announce(ask, |room, user| Event::Left { room, user }, outlet);
    }

    /// Says something to all members, the sender included (T4).
    pub fn publish(&self, ask: Ask<'_>, text: Box<str>, member: bool, outlet: &mut impl Outlet) {
        let Ask { id, origin, now, .. } = ask;
        if let Err(refusal) = self.admit_speaker(origin.principal.as_deref(), member) {
            return outlet.reply(origin.reply_to, Reply::Refused(refusal));
        }
        let message =
            Event::Message { room: self.name.clone(), from: origin.user.clone(), text, at_ms: now.unix_ms };
        outlet.publish(id, &self.interest, None, &message);
    }

    fn admit_speaker(&self, who: Option<&Principal>, member: bool) -> Result<(), Refusal> {
        if !member && !self.settings.is_open() {
            return Err(Refusal::new(Code::Forbidden, "Not a member of this room"));
        }
        let moderator = |p: &Principal| {
            p.may("moderate") || p.has_role("moderator") || p.has_role("mod") || self.is_creator(p)
        };
        if self.settings.moderated && !who.is_some_and(moderator) {
            return Err(Refusal::new(Code::Forbidden, "Only moderators may speak in this room"));
        }
        Ok(())
    }

    /// Hands out an event made elsewhere, without the one excluded (TUS-14).
    pub fn relay(&self, id: ChannelId, event: &Event, exclude: Option<ConnKey>, outlet: &mut impl Outlet) {
        outlet.publish(id, &self.interest, exclude, event);
    }

    /// Whether a listing may show it to that principal.
    pub fn is_visible_to(&self, who: Option<&Principal>) -> bool {
        self.settings.public || who.is_some_and(|p| p.has_role(Principal::ADMIN) || self.is_creator(p))
    }
}

/// Compares in a time that does not tell how much of it is right.
fn same_secret(want: &str, given: &str) -> bool {
    want.as_bytes().ct_eq(given.as_bytes()).into()
}
