//! Homes without sockets: who is let in, who hears what, and what is left when all are gone.

mod begun;
mod conversations;
mod gone;
mod presence;
mod rooms;
mod stored;
mod users;
mod written;

use super::*;
use crate::channel::Interest;
use crate::model::{
    Cause, Code, ConnKey, Detail, Echo, Except, JoinManner, Query, Record, RoomSettings, Showing, Status,
    Variant,
};

const VARIANT: Variant = Variant { dialect: Dialect::Tusk, deflate: false, numbered: false };
const NOW: Now = Now { mono_ms: 5_000, unix_ms: 1_700_000_000_000 };
const REALM: RealmId = RealmId(0);

/// One event, and for whom it was.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    /// Connections counted when it was told.
    of: usize,
    except: Except,
    event: Event,
}

/// Everything that an outlet was told, in its order within each kind.
#[derive(Debug, Default)]
struct Heard {
    replies: Vec<(ReplyTo, Reply)>,
    tags: Vec<Option<Arc<str>>>,
    events: Vec<Told>,
    /// Of each event.
    numbers: Vec<Option<u64>>,
    written: Vec<(Ticket, Vec<Record>)>,
    asked: Vec<(Ticket, Query)>,
    /// Announcements: of which user, if it is one's, and what.
    realm: Vec<(Option<Arc<str>>, Event)>,
    errands: Vec<(u16, Command)>,
    follows: Vec<(usize, Arc<str>, bool)>,
}

impl Outlet for Heard {
    fn reply(&mut self, to: ReplyTo, tag: Option<Arc<str>>, reply: Reply) {
        self.replies.push((to, reply));
        self.tags.push(tag);
    }
    fn publish(
        &mut self,
        _: ChannelId,
        interest: &Interest,
        except: &Except,
        event: &Event,
        seq: Option<u64>,
    ) {
        self.numbers.push(seq);
        self.events.push(Told { of: interest.total(), except: except.clone(), event: event.clone() });
    }
    fn announce(
        &mut self,
        realm: RealmId,
        tenant: Option<&Arc<str>>,
        about: Option<&Arc<str>>,
        event: &Event,
    ) {
        assert_eq!((realm, tenant.map(|t| &**t)), (REALM, Some("default")));
        self.realm.push((about.cloned(), event.clone()));
    }
    fn errand(&mut self, of: ReplyTo, command: Command) {
        let shard = of.shard();
        self.errands.push((shard, command));
    }
    fn follow(&mut self, _: ChannelId, interest: &Interest, user: &Arc<str>, on: bool) {
        self.follows.push((interest.total(), user.clone(), on));
    }
    fn write(&mut self, ticket: Ticket, records: Vec<Record>) {
        self.written.push((ticket, records));
    }
    fn read(&mut self, ticket: Ticket, query: Query) {
        self.asked.push((ticket, query));
    }
}

impl Heard {
    /// The one answer.
    fn answer(&self) -> &Reply {
        match &self.replies[..] {
            [(_, reply)] => reply,
            other => panic!("not one answer: {other:?}"),
        }
    }

    fn is_silent(&self) -> bool {
        self.replies.is_empty() && self.events.is_empty() && self.realm.is_empty() && self.errands.is_empty()
    }
}

fn limits() -> HomeLimits {
    let realm = RealmLimits {
        max_room_members: 3,
        max_rooms_per_user: 2,
        queue: 2,
        presence_broadcast_limit: 2,
        presence_broadcast: true,
        message_cache: 2,
        contacts: 2,
        ..RealmLimits::default()
    };
    HomeLimits { realms: vec![realm], queue_total: 3, known_users: 1, seed: 7, ..HomeLimits::default() }
}

/// Without limits but those that a test sets.
fn homes(set: impl FnOnce(&mut RealmLimits)) -> Homes {
    let mut realm = RealmLimits::default();
    set(&mut realm);
    Homes::new(0, HomeLimits { realms: vec![realm], ..HomeLimits::default() })
}

fn principal(user: &str, roles: &[&str]) -> Arc<Principal> {
    let roles = roles.iter().map(ToString::to_string).collect();
    Arc::new(Principal { roles, verified: true, ..Principal::named(user, REALM) })
}

fn key(n: u32) -> ConnKey {
    ConnKey { shard: 0, generation: 0, index: n }
}

fn origin(n: u32, who: Option<Arc<Principal>>) -> Origin {
    Origin {
        reply_to: ReplyTo::Connection(key(n)),
        user: who.as_ref().map_or_else(|| format!("guest-{n}").into(), |p| p.user.clone()),
        principal: who,
        tag: None,
    }
}

/// A connection of a user who may nothing special.
fn me(user: &str, n: u32) -> Origin {
    origin(n, Some(principal(user, &[])))
}

fn place(kind: Kind, id: &str) -> ChannelName {
    ChannelName { realm: REALM, tenant: "default".into(), kind, id: id.into() }
}

fn named(kind: Kind, id: &str) -> Target {
    Target::Named(place(kind, id))
}

/// One command, without the end of the turn.
fn apply(homes: &mut Homes, now_ms: u64, target: Target, origin: Origin, op: Op) -> Heard {
    let mut heard = Heard::default();
    let now = Now { mono_ms: now_ms, unix_ms: NOW.unix_ms - NOW.mono_ms + now_ms };
    homes.apply(Command { target, origin, op }, now, &mut heard);
    heard
}

/// The end of a turn.
fn settle(homes: &mut Homes) -> Heard {
    let mut heard = Heard::default();
    homes.settle(|_| 0, &mut heard);
    heard
}

/// One command in a turn of its own.
fn act(homes: &mut Homes, target: Target, origin: Origin, op: Op) -> Heard {
    act_at(homes, NOW.mono_ms, target, origin, op)
}

fn act_at(homes: &mut Homes, now_ms: u64, target: Target, origin: Origin, op: Op) -> Heard {
    let mut heard = apply(homes, now_ms, target, origin, op);
    homes.settle(|_| 0, &mut heard);
    heard
}

/// Carries out what homes asked a shard to send on.
fn run_errands(homes: &mut Homes, errands: Vec<(u16, Command)>) -> Vec<Heard> {
    errands.into_iter().map(|(_, c)| act(homes, c.target, c.origin, c.op)).collect()
}

fn refused(heard: &Heard) -> Code {
    match heard.answer() {
        Reply::Refused(refusal) | Reply::Denied(refusal) => refusal.code,
        other => panic!("no refusal: {other:?}"),
    }
}

fn joining(variant: Variant, manner: JoinManner, password: Option<&str>) -> Op {
    Op::Join {
        variant,
        password: password.map(Into::into),
        manner,
        username: None,
        since: None,
        again: false,
    }
}

fn leaving(quiet: bool) -> Op {
    Op::Leave { variant: VARIANT, quiet, username: None }
}

fn saying(text: &str, member: bool) -> Op {
    Op::Publish {
        from: None,
        text: text.into(),
        detail: None,
        member,
        echo: Echo::Member,
        confirm: false,
        request: None,
    }
}

/// A guest joins.
fn join(homes: &mut Homes, room: &str, n: u32, password: Option<&str>) -> Heard {
    act(homes, named(Kind::Room, room), origin(n, None), joining(VARIANT, JoinManner::Open, password))
}

/// A user joins.
fn enter(homes: &mut Homes, room: &str, user: &str, n: u32, manner: JoinManner) -> Heard {
    act(homes, named(Kind::Room, room), me(user, n), joining(VARIANT, manner, None))
}

fn attach_as(homes: &mut Homes, dialect: Dialect, user: &str, n: u32) -> Heard {
    let op = Op::Attach {
        variant: Variant { dialect, deflate: false, numbered: false },
        rooms: vec![],
        since: None,
    };
    act(homes, named(Kind::User, user), me(user, n), op)
}

fn attach(homes: &mut Homes, user: &str, n: u32) -> Heard {
    attach_as(homes, Dialect::Tusk, user, n)
}

fn detach_as(homes: &mut Homes, dialect: Dialect, user: &str, n: u32) -> Heard {
    let op = Op::Detach { variant: Variant { dialect, deflate: false, numbered: false }, rooms: vec![] };
    act(homes, named(Kind::User, user), me(user, n), op)
}

/// All that was handed to a device has been written.
fn written_to(homes: &mut Homes, user: &str, n: u32) -> Heard {
    act(homes, named(Kind::User, user), me(user, n), Op::Settle)
}

fn detach(homes: &mut Homes, user: &str, n: u32) -> Heard {
    detach_as(homes, Dialect::Tusk, user, n)
}

fn showing(status: Status) -> Op {
    Op::SetPresence { showing: Showing { status: Some(status), ..Showing::default() } }
}

/// One message to a user from somebody else.
fn direct(homes: &mut Homes, to: &str, text: &str) -> Heard {
    let op = Op::SendDirect { text: text.into(), detail: None, request: None };
    act(homes, named(Kind::User, to), me("sender", 7), op)
}

fn text_of(event: &Event) -> &str {
    match event {
        Event::Direct(message) | Event::Message(message) => &message.text,
        Event::Notification(notification) => &notification.text,
        other => panic!("{other:?}"),
    }
}

/// The texts of what was said to a channel's members.
fn texts(heard: &Heard) -> Vec<&str> {
    heard.events.iter().map(|told| text_of(&told.event)).collect()
}

/// The texts of what a device was handed that had waited.
fn handed(heard: &Heard) -> Vec<&str> {
    let mut texts = Vec::new();
    for (_, reply) in &heard.replies {
        if let Reply::Handed { items, .. } = reply {
            texts.extend(items.iter().map(|(_, event)| text_of(event)));
        }
    }
    texts
}

fn message_id(heard: &Heard) -> MessageId {
    match &heard.events[0].event {
        Event::Message(message) => message.id,
        other => panic!("{other:?}"),
    }
}
