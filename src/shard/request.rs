//! What each admitted request does: a command for a home, or something this shard can do at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::core::{Call, Core};
use super::speak::{NOT_IN_CONVERSATION, other_than};
use crate::access::{Action, Verb};
use crate::conn::{Gathering, Joining, Step};
use crate::dialect::{self, Reader, Request, Saying};
use crate::lane::Notify;
use crate::model::{
    Address, CloseReason, Code, Command, ConnKey, Dialect, JoinManner, Kind, MessageId, Op, Origin,
    Principal, Refusal, Reply, ReplyTo, Showing, Since, Target, Wording,
};

const NOT_A_MEMBER: Refusal = Refusal::new(Code::NotFound, "Not a member of this room");
const NO_CHANNEL: Refusal = Refusal::new(Code::Forbidden, "Access denied to channel");

/// How somebody wants to join.
struct Wish<'a> {
    password: Option<&'a str>,
    username: Option<&'a str>,
    since: Option<Since>,
}

impl<N: Notify> Core<N> {
    pub(super) fn request(
        &mut self,
        key: ConnKey,
        request: &Request<'_>,
        tag: Option<&str>,
    ) -> Result<(), Refusal> {
        let tag: Option<Arc<str>> = tag.map(Into::into);
        match *request {
            Request::Ping => self.tell(key, &Saying::Pong, tag.as_deref()),
            Request::Pong => {}
            Request::Goodbye => self.close(key, CloseReason::Goodbye),
            Request::Authenticate { token } => self.authenticate(key, token, tag),
            Request::Join { place, password, username, since } => {
                let wish = Wish { password, username, since };
                return self.request_join(key, place, wish, tag);
            }
            Request::Leave { place, username } => return self.request_leave(key, place, username, tag),
            Request::Publish { place, ref speech } => return self.request_publish(key, place, speech, tag),
            Request::Direct { to, ref speech } => self.request_direct(key, to, speech, tag),
            Request::Typing { to, from, username, on } => {
                return self.request_typing(key, to, from, username, on);
            }
            Request::SetPresence { user, status, message, location } => {
                let showing =
                    Showing { status, message: message.map(Into::into), location: location.map(Into::into) };
                self.request_presence(key, user, showing, tag);
            }
            Request::AskOnline { ref users } => {
                // Who is asked for twice is one.
                let users: BTreeSet<Arc<str>> = users.iter().map(|u| Arc::from(*u)).collect();
                let users = users.into_iter().collect();
                self.plan(key, [Step::Gather(Gathering::Among(users))]);
            }
            Request::Read { place, message } => return self.amend(key, place, Op::Read { message }, tag),
            Request::Edit { place, message, text } => {
                return self.amend(key, place, Op::Edit { message, text: text.into() }, tag);
            }
            Request::Delete { place, message } => return self.amend(key, place, Op::Delete { message }, tag),
            Request::NotificationRead { id } => self.ask_inbox(key, Op::NotificationRead { id }),
            Request::NotificationClear { id } => self.ask_inbox(key, Op::NotificationClear { id }),
            Request::SubscribeNotifications { ref types } => return self.subscribe_notifications(key, types),
            Request::RosterGet => self.ask_inbox_tagged(key, Op::RosterGet, tag),
            Request::RosterUpdate(ref contact) => {
                self.ask_inbox_tagged(key, Op::RosterUpdate { contact: contact.clone() }, tag);
            }
            Request::RosterRemove { user } => {
                self.ask_inbox_tagged(key, Op::RosterRemove { user: user.into() }, tag);
            }
            Request::Administer(order) => return self.administer(key, order),
            Request::CreateRoom { room, ref settings } => {
                if let Some(name) = self.channel_name(key, Address::Room(room)) {
                    self.ask_named(key, name, Op::CreateRoom { settings: settings.clone() }, tag);
                }
            }
            Request::Acknowledge(id) => self.ask_inbox(key, Op::Acknowledge { id }),
            Request::Misordered { ref refusal, .. } => return Err(refusal.clone()),
            Request::Custom { kind } => return Err(dialect::unknown_type(kind)),
        }
        Ok(())
    }

    /// Takes these steps, behind those that are planned already.
    pub(super) fn plan(&mut self, key: ConnKey, steps: impl IntoIterator<Item = Step>) {
        if let Some(conn) = self.conn_mut(key) {
            conn.plan(steps);
        }
        self.go_on(key);
    }

    /// Channels of one's own user are not joined, they are: the connection chooses what of them it hears
    /// (rulings S7, SGE-15).
    fn own_feed(&self, key: ConnKey, place: Address<'_>) -> Option<crate::fanout::Feed> {
        use crate::fanout::Feed;
        let own = |user: &str| self.conn(key)?.who.as_ref().filter(|who| *who.user == *user);
        match place {
            Address::Chat(user) => own(user).map(|_| Feed::CHAT),
            Address::Inbox(user) => own(user).map(|_| Feed::INBOX),
            Address::System => Some(Feed::SYSTEM),
            _ => None,
        }
    }

    fn request_join(
        &mut self,
        key: ConnKey,
        place: Address<'_>,
        wish: Wish<'_>,
        tag: Option<Arc<str>>,
    ) -> Result<(), Refusal> {
        if let Some(feed) = self.own_feed(key, place) {
            let wording = place.wording();
            if let Some(conn) = self.conn_mut(key) {
                conn.deaf.remove(feed);
                if conn.variant.numbered && conn.inbox.is_some() && wording.kind() == Kind::User {
                    self.plan(key, [Step::Locate { wording, tag }]);
                    return Ok(());
                }
            }
            self.tell(key, &Saying::Joined { place, position: None }, tag.as_deref());
            return Ok(());
        }
        let (kind, id) = place.channel().ok_or(NO_CHANNEL)?;
        let joining = Joining {
            id: id.into(),
            wording: place.wording(),
            password: wish.password.map(Into::into),
            manner: if kind == Kind::Room { JoinManner::Open } else { JoinManner::Quiet },
            username: wish.username.map(Into::into),
            since: wish.since,
            tell: true,
            else_skip: 0,
            tag,
        };
        self.plan(key, [Step::Join(joining)]);
        Ok(())
    }

    fn request_leave(
        &mut self,
        key: ConnKey,
        place: Address<'_>,
        username: Option<&str>,
        tag: Option<Arc<str>>,
    ) -> Result<(), Refusal> {
        let dialect = self.conn(key).map_or(Dialect::Tusk, |c| c.variant.dialect);
        if let Some(feed) = self.own_feed(key, place) {
            if let Some(conn) = self.conn_mut(key) {
                conn.deaf.insert(feed);
            }
            self.tell(key, &Saying::Left(place), tag.as_deref());
            return Ok(());
        }
        let followed = self.conn_mut(key).and_then(|conn| {
            let (kind, id) = place.channel()?;
            conn.rooms.iter_mut().find(|j| j.kind() == kind && *j.name == *id && !j.leaving && j.followed)
        });
        if let Some(joined) = followed {
            // The roster goes on watching.
            joined.asked = false;
            self.tell(key, &Saying::Left(place), tag.as_deref());
            return Ok(());
        }
        let left = match place.channel() {
            Some((Kind::User, _)) | None => false,
            Some((kind, id)) => {
                let left = self.leave(key, kind, id, username.map(Into::into), tag.clone());
                if let Some(name) = left.clone().filter(|_| kind == Kind::Room) {
                    self.release(key, name, true);
                }
                left.is_some()
            }
        };
        match (left, dialect) {
            (true, _) => Ok(()),
            (false, Dialect::Tusk | Dialect::Nexus) => Err(NOT_A_MEMBER),
            // The documents answer also those who were not there (AEG-45).
            (false, _) => {
                self.tell(key, &Saying::Left(place), tag.as_deref());
                Ok(())
            }
        }
    }

    fn request_typing(
        &mut self,
        key: ConnKey,
        to: Reader<'_>,
        from: Option<&str>,
        username: Option<&str>,
        on: bool,
    ) -> Result<(), Refusal> {
        let Some(conn) = self.conn(key) else { return Ok(()) };
        let for_ms = self.shared.rules(conn.variant.dialect).typing;
        let (from, username) = (other_than(conn, from), username.map(Into::into));
        let op = Op::Typing { on, from, username, for_ms };
        match to {
            Reader::User(user) => {
                if let Some(name) = self.channel_name(key, Address::Inbox(user)) {
                    self.ask_named(key, name, op, None);
                }
            }
            Reader::Channel(place) => match conn.member_of(place).map(|j| j.channel) {
                Some(channel) => self.ask(key, channel.home as usize, Target::Known(channel), op, None),
                // Nobody needs to be told that somebody stopped whom nobody saw begin.
                None if !on => {}
                None => return Err(NOT_IN_CONVERSATION),
            },
        }
        Ok(())
    }

    fn request_presence(
        &mut self,
        key: ConnKey,
        user: Option<&str>,
        showing: Showing,
        tag: Option<Arc<str>>,
    ) {
        let own = self.conn(key).and_then(|c| c.who.as_ref()).map(|w| w.user.clone());
        let op = Op::SetPresence { showing };
        match user.filter(|user| own.as_deref() != Some(*user)) {
            None => self.ask_inbox_tagged(key, op, tag),
            // A service says how somebody else is (ruling S10).
            Some(user) => {
                if let Some(name) = self.channel_name(key, Address::Inbox(user)) {
                    self.ask_named(key, name, op, tag);
                }
            }
        }
    }

    /// Receipts, edits and deletions: for members alone.
    fn amend(
        &mut self,
        key: ConnKey,
        place: Address<'_>,
        op: Op,
        tag: Option<Arc<str>>,
    ) -> Result<(), Refusal> {
        let Some(conn) = self.conn(key) else { return Ok(()) };
        let channel = conn.member_of(place).map(|j| j.channel).ok_or(NOT_IN_CONVERSATION)?;
        let limited = self.shared.rules(conn.variant.dialect).window.limit != 0;
        match self.channel_name(key, place).filter(|_| limited && !matches!(op, Op::Read { .. })) {
            // A new text is heard like a message, and counts like one.
            Some(name) => {
                let send = Step::Send { name, op: Box::new(op), tag: tag.clone() };
                self.plan(key, [Step::Grant { else_skip: 1, tag }, send]);
            }
            None => self.ask(key, channel.home as usize, Target::Known(channel), op, tag),
        }
        Ok(())
    }

    fn subscribe_notifications(&mut self, key: ConnKey, types: &[&str]) -> Result<(), Refusal> {
        let shared = self.shared.clone();
        let Some(conn) = self.conn(key) else { return Ok(()) };
        let Some(who) = conn.who.clone() else { return Ok(()) };
        let channel = |kind: &&str| Arc::from(format!("notifications:{}:{}:{kind}", who.tenant, who.user));
        let asker = super::inbound::asker(conn, Some(&who), &shared);
        for name in types.iter().map(channel) {
            let name: Arc<str> = name;
            shared.access.admit(Action::On(Verb::Subscribe, Address::Notifications(&name)), &asker)?;
        }
        let join = |id| Joining::quietly(id, Wording::Notifications);
        let mut steps: Vec<_> = types.iter().map(channel).map(|id| Step::Join(join(id))).collect();
        steps.push(Step::SayNotifications { types: types.iter().map(|t| Arc::from(*t)).collect() });
        self.plan(key, steps);
        Ok(())
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
            tag: None,
        };
        self.send(home, Command { target, origin, op }, None);
        self.settle();
        receiver
    }

    /// A persona's answer, said in the conversation (GAT-09).
    pub fn persona_says(&mut self, room: crate::model::ChannelName, persona: Arc<str>, text: Box<str>) {
        self.touch();
        let detail = crate::model::Detail { manner: crate::model::Manner::Persona, ..Default::default() };
        let op = Op::Publish {
            from: None,
            text,
            detail: Some(Box::new(detail)),
            // What asked it was admitted.
            member: true,
            echo: crate::model::Echo::Member,
            confirm: false,
            request: None,
        };
        let reply_to = ReplyTo::Nobody { shard: self.index };
        let origin = Origin { reply_to, user: persona, principal: None, tag: None };
        let home = self.shared.home(&room);
        self.send(home, Command { target: Target::Named(room), origin, op }, None);
        self.settle();
    }

    /// Why a persona does not answer.
    pub fn persona_fails(&mut self, key: ConnKey, why: String) {
        self.touch();
        self.refuse(key, dialect::About::Other, &Refusal::with(Code::Unavailable, why), None);
    }

    /// An id for something that REST makes.
    pub fn draw_id(&mut self) -> MessageId {
        MessageId::random(self.dice.u128(..))
    }
}
