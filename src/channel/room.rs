//! A room at home: who may enter, who may speak, and the order of what is said.

use std::collections::VecDeque;
use std::sync::Arc;

use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::log::Log;
use super::members::Members;
use super::receipts::Receipts;
use super::typing::TypingTable;
use super::{Ask, Interest, Outlet};
use crate::model::{
    Begun, ChannelName, Code, Command, Detail, Echo, Event, Except, Fact, JoinManner, Kind, Message,
    MessageId, Notification, Op, Origin, Principal, Priority, RealmId, Receipt, Refusal, Reply, ReplyTo,
    RoomInfo, RoomSettings, Target, Typing, Variant,
};

/// One room. It exists while it has members, or for good when it was created by hand.
#[derive(Debug)]
pub struct Room {
    name: ChannelName,
    settings: RoomSettings,
    pub interest: Interest,
    /// Made by an administrator: stays when it is empty.
    kept: bool,
    creator: Option<Arc<str>>,
    members: Members,
    typing: TypingTable,
    /// Where it stands among those that nobody is in and that are remembered for the absent.
    pub remembered: Option<u64>,
    /// The newest messages and their authors, as many as can be edited.
    recent: VecDeque<(MessageId, Arc<str>)>,
    pub log: Log,
    pub receipts: Receipts,
}

/// A message that is to be said.
pub struct Draft {
    pub id: MessageId,
    /// Who says it: whoever asked, or for whom that one may speak.
    pub from: Arc<str>,
    pub text: Box<str>,
    pub detail: Option<Box<Detail>>,
    pub connection: Option<Uuid>,
}

impl Draft {
    pub fn message(self, ask: &Ask<'_>, kind: Kind, place: Arc<str>) -> Message {
        let Self { id, from, text, detail, connection } = self;
        Message { id, kind, place, from, connection, text, detail, at_ms: ask.now.unix_ms }
    }
}

/// How it is to be said.
pub struct Saying {
    pub member: bool,
    pub echo: Echo,
    pub confirm: bool,
    /// What its sender calls it, where this home has to remember that.
    pub request: Option<Arc<str>>,
}

impl Room {
    /// A room that came to be because somebody joined it.
    pub fn joined(name: &ChannelName, log: Log) -> Self {
        Self {
            name: name.clone(),
            settings: RoomSettings::default(),
            interest: Interest::default(),
            kept: false,
            creator: None,
            members: Members::default(),
            typing: TypingTable::default(),
            remembered: None,
            recent: VecDeque::new(),
            log,
            receipts: Receipts::default(),
        }
    }

    /// What is to be known of a room that is made by hand; `None`: there is one of that name, which is left as it is.
    pub fn fact(&self, ask: &Ask<'_>, settings: &RoomSettings) -> Option<Fact> {
        let fact = || Fact::Room { settings: settings.clone(), creator: verified(ask.origin) };
        self.is_over().then(fact)
    }

    /// Makes a room that stays; an existing one is described and left as it is (TUS-24).
    pub fn create(&mut self, ask: &Ask<'_>, settings: RoomSettings, outlet: &mut impl Outlet) {
        let created = self.is_over();
        if created {
            self.settle(settings, verified(ask.origin));
        }
        ask.answer(outlet, Reply::Room { info: self.info(ask.limits.max_room_members), created });
    }

    /// It came to be by hand (TUS-24).
    pub fn settle(&mut self, settings: RoomSettings, creator: Option<Arc<str>>) {
        (self.settings, self.creator, self.kept) = (settings, creator, true);
    }

    /// Somebody who is away is one of the conversation.
    pub fn remember_member(&mut self, user: Arc<str>) {
        self.members.stands(user);
    }

    /// Whether nobody is in it and it is only there for those who will come back.
    pub fn is_waiting(&self) -> bool {
        !self.kept && self.interest.is_empty() && self.members.has_absent()
    }

    /// Whether nothing would be lost if it went.
    pub fn is_over(&self) -> bool {
        !self.kept && self.interest.is_empty() && !self.members.has_absent()
    }

    pub fn realm(&self) -> RealmId {
        self.name.realm
    }

    pub fn name(&self) -> &ChannelName {
        &self.name
    }

    pub fn into_parts(self) -> (ChannelName, Log) {
        (self.name, self.log)
    }

    pub fn info(&self, cap: usize) -> RoomInfo {
        RoomInfo {
            name: self.name.id.clone(),
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
    pub fn join(&mut self, ask: &Ask<'_>, joining: Joining<'_>, outlet: &mut impl Outlet) {
        let Joining { variant, password, manner, username, begun, again } = joining;
        let origin = ask.origin;
        if again {
            let id = self.name.id.clone();
            return ask.answer(outlet, Reply::Joined { channel: ask.id, kind: Kind::Room, id, begun });
        }
        let cap = ask.limits.max_room_members;
        if let Err(refusal) = self.admit(origin.principal.as_deref(), password, cap) {
            return ask.answer(outlet, Reply::Denied(refusal));
        }
        let stands = manner == JoinManner::Standing;
        let first = named(origin).is_none_or(|user| self.members.came(user, stands));
        if manner == JoinManner::Open && first {
            let (room, user, at_ms) = (self.name.id.clone(), origin.user.clone(), ask.now.unix_ms);
            self.announce(ask, &Event::Joined { room, user, username, at_ms }, outlet);
        }
        self.interest.add(origin.reply_to.shard(), variant);
        let id = self.name.id.clone();
        ask.answer(outlet, Reply::Joined { channel: ask.id, kind: Kind::Room, id, begun });
    }

    /// Whether somebody may come in.
    pub fn admit(&self, who: Option<&Principal>, password: Option<&str>, cap: usize) -> Result<(), Refusal> {
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
    fn announce(&self, ask: &Ask<'_>, event: &Event, outlet: &mut impl Outlet) {
        if named(ask.origin).is_some() {
            outlet.publish(ask.id, &self.interest, &Except::Nobody, event, None);
        }
    }

    /// Takes a connection out. Unknown ones are ignored: their own shard has already forgotten them.
    pub fn leave(
        &mut self,
        ask: &Ask<'_>,
        variant: Variant,
        quiet: bool,
        username: Option<Arc<str>>,
        outlet: &mut impl Outlet,
    ) {
        let origin = ask.origin;
        if !self.interest.remove(origin.reply_to.shard(), variant) {
            return;
        }
        // First, so that it does not hear of its own leaving.
        if !quiet {
            ask.answer(outlet, Reply::Left { kind: Kind::Room, id: self.name.id.clone() });
        }
        self.stop_typing(ask, &origin.user, outlet);
        let stands = named(origin).is_some_and(|user| self.members.went(&user, quiet));
        if !stands {
            let (room, user, at_ms) = (self.name.id.clone(), origin.user.clone(), ask.now.unix_ms);
            self.announce(ask, &Event::Left { room, user, username, at_ms }, outlet);
        }
    }

    /// The user is one of the conversation no more.
    pub fn forsake(&mut self, ask: &Ask<'_>) {
        self.members.forsake(&ask.origin.user);
    }

    /// A member's connection speaks for another one now: the others hear that one left and another came. A guest
    /// was never told of.
    pub fn rename(&mut self, ask: &Ask<'_>, from: Option<Arc<str>>, outlet: &mut impl Outlet) {
        let (user, at_ms) = (ask.origin.user.clone(), ask.now.unix_ms);
        let room = || self.name.id.clone();
        let joined = Event::Joined { room: room(), user: user.clone(), username: None, at_ms };
        let left =
            from.as_ref().map(|from| Event::Left { room: room(), user: from.clone(), username: None, at_ms });
        if let Some(from) = from {
            self.members.went(&from, false);
        }
        self.members.came(user, false);
        let except = ask.origin.reply_to.connection().map_or(Except::Nobody, Except::Connection);
        for event in left.into_iter().chain([joined]) {
            outlet.publish(ask.id, &self.interest, &except, &event, None);
        }
    }

    /// Users in it, by name, at most `max`, and how many there are.
    pub fn members(&self, max: usize) -> (Vec<Arc<str>>, usize) {
        self.members.present(max)
    }

    /// The message that somebody says.
    pub fn message(&self, ask: &Ask<'_>, draft: Draft) -> Message {
        draft.message(ask, Kind::Room, self.name.id.clone())
    }

    /// Says something to all members (T4). Those of the conversation who are away find it when they come, and
    /// those who are mentioned and not there hear of it.
    pub fn publish(&mut self, ask: &Ask<'_>, message: Message, how: Saying, outlet: &mut impl Outlet) {
        let origin = ask.origin;
        if let Err(refusal) = self.admit_speaker(origin.principal.as_deref(), how.member) {
            return ask.answer(outlet, Reply::Refused(refusal));
        }
        self.stop_typing(ask, &message.from, outlet);
        if ask.limits.message_cache > 0 {
            if self.recent.len() >= ask.limits.message_cache {
                self.recent.pop_front();
            }
            self.recent.push_back((message.id, message.from.clone()));
        }
        let seq = ask.number(&self.log);
        if let Some(request) = how.request.clone() {
            self.log.repeats.note(request, seq, message.id);
        }
        let event = Arc::new(Event::Message(message));
        let except = match (how.echo, origin.reply_to.connection()) {
            (Echo::Never, Some(key)) => Except::Connection(key),
            _ => Except::Nobody,
        };
        outlet.publish(ask.id, &self.interest, &except, &event, Some(seq));
        if how.echo == Echo::Always && !how.member {
            ask.answer(outlet, Reply::Heard { event: event.clone(), seq });
        }
        self.after_publishing(ask, &event, seq, how.confirm, outlet);
        self.log.push(seq, event, ask.homes.log_events);
    }

    /// What a message leads to besides being heard: a word to its sender, and errands to those not there.
    fn after_publishing(
        &self,
        ask: &Ask<'_>,
        event: &Arc<Event>,
        seq: u64,
        confirm: bool,
        outlet: &mut impl Outlet,
    ) {
        let Event::Message(message) = &**event else { return };
        let heard = confirm && self.members.others_present(&message.from);
        if heard {
            let (id, room) = (message.id, Some(self.name.id.clone()));
            ask.answer(outlet, Reply::Delivered { id, room, at_ms: ask.now.unix_ms });
        }
        for user in self.absent_hearers(message) {
            let confirm = (confirm && !heard).then(|| (message.id, self.name.id.clone()));
            let since_ms = message.at_ms;
            self.send_off(ask, user, Op::Keep { event: event.clone(), seq, since_ms, confirm }, outlet);
        }
        for user in self.mentioned_elsewhere(message) {
            let notification = Arc::new(self.mention(message, user));
            self.send_off(ask, user, Op::Notify { notification, transit: true }, outlet);
        }
    }

    /// Those of the conversation who are away.
    pub fn absent_hearers(&self, message: &Message) -> impl Iterator<Item = &Arc<str>> {
        self.members.absent().filter(|user| **user != message.from)
    }

    /// Those who are to hear that they were mentioned, because they are not of the conversation.
    pub fn mentioned_elsewhere<'a>(&'a self, message: &'a Message) -> impl Iterator<Item = &'a Arc<str>> {
        let mentions = message.detail.as_ref().map_or(&[][..], |detail| &detail.mentions);
        mentions.iter().filter(|user| **user != message.from && !self.members.contains(user))
    }

    /// Who is mentioned need not be one who may hear the message: it is told where, and not what.
    pub fn mention(&self, message: &Message, user: &str) -> Notification {
        // Its own for each who is told: all of them may share one list of what waits.
        let of_user = user.bytes().fold(message.id.0.as_u128(), |id, byte| {
            (id ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        });
        Notification {
            id: MessageId::random(of_user.rotate_left(64)),
            title: format!("{} mentioned you", message.from).into(),
            text: format!("{} mentioned you in {}", message.from, self.name.id).into(),
            level: "info".into(),
            priority: Priority::Normal,
            channel: None,
            about: Some((self.name.id.clone(), message.id)),
            at_ms: message.at_ms,
        }
    }

    /// A user of the room's tenant.
    pub fn user(&self, user: &Arc<str>) -> ChannelName {
        ChannelName { kind: Kind::User, id: user.clone(), ..self.name.clone() }
    }

    fn send_off(&self, ask: &Ask<'_>, user: &Arc<str>, op: Op, outlet: &mut impl Outlet) {
        let name = self.user(user);
        let reply_to = match op {
            // Its sender is told when it arrives.
            Op::Keep { confirm: Some(_), .. } => ask.origin.reply_to,
            _ => ReplyTo::Nobody { shard: ask.origin.reply_to.shard() },
        };
        let origin = Origin { reply_to, tag: None, ..ask.origin.clone() };
        outlet.errand(ask.origin.reply_to, Command { target: Target::Named(name), origin, op });
    }

    /// A member writes, or stopped (GAT-10, NEX-21).
    pub fn type_in(
        &mut self,
        ask: &Ask<'_>,
        user: &Arc<str>,
        on: bool,
        username: Option<Arc<str>>,
        for_ms: u64,
        outlet: &mut impl Outlet,
    ) {
        if !on {
            return self.stop_typing(ask, user, outlet);
        }
        if self.typing.start(user, username.clone(), ask.now.mono_ms, for_ms) {
            self.tell_typing(ask, user, username, true, outlet);
        }
    }

    fn stop_typing(&mut self, ask: &Ask<'_>, user: &str, outlet: &mut impl Outlet) {
        if self.typing.is_empty() {
            return;
        }
        if let Some(writer) = self.typing.stop(user) {
            self.tell_typing(ask, &writer.user, writer.username, false, outlet);
        }
    }

    pub fn typing(&mut self) -> &mut TypingTable {
        &mut self.typing
    }

    pub fn tell_typing(
        &self,
        ask: &Ask<'_>,
        user: &Arc<str>,
        username: Option<Arc<str>>,
        on: bool,
        outlet: &mut impl Outlet,
    ) {
        let typing = Typing {
            room: Some(self.name.id.clone()),
            to: "".into(),
            user: user.clone(),
            username,
            on,
            at_ms: ask.now.unix_ms,
        };
        let except = Except::User(user.clone());
        outlet.publish(ask.id, &self.interest, &except, &Event::Typing(typing), None);
    }

    /// Whether that message may be read, changed or taken back by the asker; only its author changes it (NEX-24,
    /// NEX-25). `None`: it is none of the newest, and the store has to say.
    pub fn may_amend(
        &self,
        ask: &Ask<'_>,
        message: MessageId,
        change: &Change,
    ) -> Option<Result<(), Refusal>> {
        match self.recent.iter().rev().find(|(id, _)| *id == message) {
            Some((_, author)) if !matches!(change, Change::Read) && *author != ask.origin.user => {
                Some(Err(NOT_THE_AUTHOR))
            }
            Some(_) => Some(Ok(())),
            None if ask.homes.durable => None,
            None => Some(Err(NO_MESSAGE)),
        }
    }

    /// What is told of a change.
    pub fn amendment(&self, ask: &Ask<'_>, message: MessageId, change: Change) -> Event {
        let (room, user, at_ms) = (self.name.id.clone(), ask.origin.user.clone(), ask.now.unix_ms);
        match change {
            Change::Read => Event::Read { room, message, user, at_ms },
            Change::Text(text) => Event::Edited { room, message, user, text, at_ms },
            Change::Deleted => Event::Deleted { room, message, user, at_ms },
        }
    }

    /// Tells all members that a member has read, changed or taken back a message.
    pub fn amend(&mut self, ask: &Ask<'_>, message: MessageId, change: Change, outlet: &mut impl Outlet) {
        if let Some(Err(refusal)) = self.may_amend(ask, message, &change) {
            return ask.answer(outlet, Reply::Refused(refusal));
        }
        let event = Arc::new(self.amendment(ask, message, change));
        let text = match &*event {
            Event::Edited { text, .. } => Some(&**text),
            Event::Deleted { .. } => None,
            _ => {
                // Who has read how far has no place of its own in the order.
                let (user, at_ms) = (ask.origin.user.clone(), ask.now.unix_ms);
                self.receipts.note(Receipt { user, message, at_ms });
                let except = ask.origin.reply_to.connection().map_or(Except::Nobody, Except::Connection);
                return outlet.publish(ask.id, &self.interest, &except, &event, None);
            }
        };
        self.log.amend(message, text);
        if text.is_none() {
            self.recent.retain(|(id, _)| *id != message);
        }
        let seq = ask.number(&self.log);
        outlet.publish(ask.id, &self.interest, &Except::Nobody, &event, Some(seq));
        self.log.push(seq, event, ask.homes.log_events);
    }

    /// Who comes back is told who has read how far, too.
    pub fn add_receipts(&self, begun: &mut Begun) {
        begun.missed.extend(self.receipts.told(&self.name.id));
    }

    /// Whether that one may read what was said in it: who may come in without a password, and who is in.
    pub fn is_readable_by(&self, who: Option<&Principal>) -> bool {
        let is_in = who.is_some_and(|p| self.members.contains(&p.user) || p.has_role(Principal::ADMIN));
        is_in || (self.settings.password.is_none() && self.is_visible_to(who))
    }

    /// Whether somebody may speak.
    pub fn admit_speaker(&self, who: Option<&Principal>, member: bool) -> Result<(), Refusal> {
        if !member && !self.settings.is_open() {
            return Err(NOT_A_SPEAKER);
        }
        let moderator = |p: &Principal| {
            p.may("moderate") || p.has_role("moderator") || p.has_role("mod") || self.is_creator(p)
        };
        if self.settings.moderated && !who.is_some_and(moderator) {
            return Err(Refusal::new(Code::Forbidden, "Only moderators may speak in this room"));
        }
        Ok(())
    }

    /// Hands out an event made elsewhere, without those left out (TUS-14).
    pub fn relay(&self, ask: &Ask<'_>, event: &Event, except: &Except, outlet: &mut impl Outlet) {
        outlet.publish(ask.id, &self.interest, except, event, None);
    }

    /// Whether a listing shows it to that principal. One that is only there because something waits for the store is
    /// none yet.
    pub fn is_shown_to(&self, who: Option<&Principal>) -> bool {
        !self.is_over() && self.is_visible_to(who)
    }

    fn is_visible_to(&self, who: Option<&Principal>) -> bool {
        self.settings.public || who.is_some_and(|p| p.has_role(Principal::ADMIN) || self.is_creator(p))
    }
}

/// How somebody wants to join.
pub struct Joining<'a> {
    pub variant: Variant,
    pub password: Option<&'a str>,
    pub manner: JoinManner,
    pub username: Option<Arc<str>>,
    /// Where it begins.
    pub begun: Option<Box<Begun>>,
    /// It is a member already.
    pub again: bool,
}

/// What became of a message.
pub enum Change {
    Read,
    Text(Box<str>),
    Deleted,
}

/// Why one who is not in a room may not speak in it.
pub const NOT_A_SPEAKER: Refusal = Refusal::new(Code::Forbidden, "Not a member of this room");
pub const NO_MESSAGE: Refusal = Refusal::new(Code::NotFound, "Message not found");
pub const NOT_THE_AUTHOR: Refusal = Refusal::new(Code::Forbidden, "Only the author may change a message");

/// The user who asks; `None` for a guest, and for one without a name.
fn named(origin: &Origin) -> Option<Arc<str>> {
    let known = origin.principal.is_some() && !origin.user.is_empty();
    known.then(|| origin.user.clone())
}

/// The user who asks, if that is proven.
fn verified(origin: &Origin) -> Option<Arc<str>> {
    origin.principal.as_ref().filter(|p| p.verified).map(|p| p.user.clone())
}

/// Compares in a time that does not tell how much of it is right.
fn same_secret(want: &str, given: &str) -> bool {
    want.as_bytes().ct_eq(given.as_bytes()).into()
}
