//! What each verb does to a room, a topic and a user.

use std::sync::Arc;

use super::records::request_in;
use super::{Body, Fresh, LISTED_MAX, Outlet};
use crate::channel::Ask;
use crate::channel::log::{Log, Recovery};
use crate::channel::room::{self, Change, Joining, Room, Saying};
use crate::channel::topic::Topic;
use crate::channel::user::{self, Arrival, Receiving, Said, User};
use crate::model::{
    Begun, Code, Event, HistoryQuery, Kind, MessageId, Op, Page, Position, Refusal, Reply, Since, Variant,
};

pub const NO_ROOM: Refusal = Refusal::new(Code::NotFound, "Room not found");
const NO_STORE: Refusal = Refusal::new(Code::Unavailable, "There is no store to search");
const QUEUE_FULL: Refusal = Refusal::new(Code::Unavailable, "User is away and no more messages can be kept");

/// What a verb may use besides what it is asked.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    pub fresh: Fresh,
    /// What the store said, if it was asked.
    pub page: Option<&'a Page>,
    /// The shard may keep one message more for those who are away.
    pub room_for_more: bool,
    /// The store has it, and so it is kept even if there has been no room since.
    pub stored: bool,
}

pub fn apply_to_room(room: &mut Room, ask: &Ask<'_>, op: Op, means: Means<'_>, outlet: &mut impl Outlet) {
    match op {
        Op::Join { variant, password, manner, username, since, again } => {
            let mut begun = begin(&room.log, ask, variant, since, means.page);
            if let Some(begun) = begun.as_mut().filter(|begun| since.is_some() && !begun.gap) {
                room.add_receipts(begun);
            }
            let joining = Joining { variant, password: password.as_deref(), manner, username, begun, again };
            room.join(ask, joining, outlet);
        }
        Op::Leave { variant, quiet, username } => room.leave(ask, variant, quiet, username, outlet),
        Op::Publish { from, text, detail, member, echo, confirm, request } => {
            let message = room.message(ask, means.fresh.draft(ask, from, text, detail));
            let request = remembered(ask, &message.from, request);
            room.publish(ask, message, Saying { member, echo, confirm, request }, outlet);
        }
        Op::Typing { on, from, username, for_ms } => {
            let user = from.as_ref().unwrap_or(&ask.origin.user);
            room.type_in(ask, user, on, username, for_ms, outlet);
        }
        Op::Read { message } => room.amend(ask, message, Change::Read, outlet),
        Op::Edit { message, text } => room.amend(ask, message, Change::Text(text), outlet),
        Op::Delete { message } => room.amend(ask, message, Change::Deleted, outlet),
        Op::Announce { event, except } => {
            room.relay(ask, &event, &except, outlet);
            ask.told(outlet, !room.interest.is_empty());
        }
        Op::CreateRoom { settings } => room.create(ask, settings, outlet),
        Op::DescribeRoom => {
            let reply = match room.is_shown_to(ask.origin.principal.as_deref()) {
                true => Reply::Room { info: room.info(ask.limits.max_room_members), created: false },
                false => Reply::Refused(NO_ROOM),
            };
            ask.answer(outlet, reply);
        }
        Op::History(query) => {
            let reply = match room.is_readable_by(ask.origin.principal.as_deref()) {
                true => history(&room.log, &query, means.page),
                false => Reply::Refused(NO_ROOM),
            };
            ask.answer(outlet, reply);
        }
        Op::Forsake => room.forsake(ask),
        Op::Rename { from } => room.rename(ask, from, outlet),
        Op::ListMembers => {
            let reply = match room.is_shown_to(ask.origin.principal.as_deref()) {
                true => {
                    let (users, total) = room.members(LISTED_MAX);
                    Reply::Members { users, total }
                }
                // It tells nobody that it is there who may not see it.
                false => Reply::Refused(NO_ROOM),
            };
            ask.answer(outlet, reply);
        }
        // The other verbs are for users; a name of kind room never carries them.
        _ => debug_assert!(false, "a user's verb for a room"),
    }
}

pub fn apply_to_topic(topic: &mut Topic, ask: &Ask<'_>, op: Op, means: Means<'_>, outlet: &mut impl Outlet) {
    match op {
        Op::Join { variant, since, again, .. } => {
            let numbered = topic.name().kind == Kind::Topic;
            let begun = if numbered { begin(&topic.log, ask, variant, since, means.page) } else { None };
            topic.join(ask, variant, begun, again, outlet);
        }
        Op::Leave { variant, quiet, .. } => topic.leave(ask, variant, quiet, outlet),
        Op::Publish { from, text, detail, member, echo, confirm, request } => {
            let message = topic.message(ask, means.fresh.draft(ask, from, text, detail));
            let request = remembered(ask, &message.from, request);
            topic.publish(ask, message, Saying { member, echo, confirm, request }, outlet);
        }
        Op::Announce { event, except } => {
            topic.relay(ask, event, &except, outlet);
            ask.told(outlet, !topic.interest.is_empty());
        }
        Op::History(query) => ask.answer(outlet, history(&topic.log, &query, means.page)),
        // The other verbs are for rooms and users.
        _ => debug_assert!(false, "a verb that topics do not know"),
    }
}

pub fn apply_to_user(user: &mut User, ask: &Ask<'_>, op: Op, means: Means<'_>, outlet: &mut impl Outlet) {
    let full = !means.room_for_more && !means.stored && !user.has_device();
    match op {
        // Those who were there have heard it; whoever said it need not hear of each who was not.
        Op::Keep { event, .. } if full => user.unqueue(event.id().into_iter().collect(), outlet),
        op if full && keeps_mail(&op) => {
            // Who is told that it is not kept is not to have it kept in transit.
            user.unqueue(in_transit(&op).into_iter().collect(), outlet);
            ask.answer(outlet, Reply::Refused(QUEUE_FULL));
        }
        Op::GiveBack => user.give_back(),
        Op::Attach { variant, rooms, since } => {
            let begun = begin(&user.log, ask, variant, since, means.page);
            let resumes = since.is_some() && begun.as_ref().is_some_and(|begun| !begun.gap);
            user.attach(ask, Arrival { variant, rooms, begun, resumes }, outlet);
        }
        Op::Settle => user.settle(ask, outlet),
        Op::Locate { wording } => {
            let head = user.log.head().or(means.page.map(|page| page.head));
            let head = head.or((!ask.homes.durable).then_some(0)).filter(|head| *head != u64::MAX);
            let position = head.map(|seq| Position { epoch: ask.homes.epoch, seq });
            ask.answer(outlet, Reply::Located { wording, position });
        }
        Op::History(query) => ask.answer(outlet, history(&user.log, &query, means.page)),
        Op::Search { .. } => ask.answer(outlet, Reply::Refused(NO_STORE)),
        Op::Detach { variant, rooms } => user.detach(ask, variant, &rooms, outlet),
        Op::Claim { room, manner } => user.take_place(ask, room, manner, outlet),
        Op::Release { room, for_good } => user.give_up(&room, for_good, outlet),
        Op::Grant { limit, window_ms } => user.grant(ask, limit, window_ms, outlet),
        Op::SetPresence { showing } => user.set_presence(ask, showing, outlet),
        Op::PresenceHistory => ask.answer(outlet, Reply::Presences(user.shown.history())),
        op if keeps_mail(&op) || matches!(op, Op::SendFrom { .. }) => mail(user, ask, op, means, outlet),
        Op::NotificationRead { id } => {
            user.mirror(ask, Event::NotificationRead { id, at_ms: ask.now.unix_ms }, outlet);
        }
        Op::NotificationClear { id } => {
            user.mirror(ask, Event::NotificationCleared { id, at_ms: ask.now.unix_ms }, outlet);
        }
        Op::Typing { on, from, username, for_ms } => {
            let writer = from.as_ref().unwrap_or(&ask.origin.user);
            user.somebody_types(ask, writer, on, username, for_ms, outlet);
        }
        Op::Acknowledge { id } => user.acknowledge(ask, id, outlet),
        Op::Announce { event, except } => {
            user.relay(ask, &event, &except, outlet);
            ask.told(outlet, !user.interest.is_empty());
        }
        Op::RosterGet => ask.answer(outlet, Reply::Roster(user.roster())),
        Op::RosterUpdate { contact } => user.set_contact(ask, contact, outlet),
        Op::RosterRemove { user: contact } => user.remove_contact(ask, &contact, outlet),
        // The other verbs are for rooms; a name of kind user never carries them.
        _ => debug_assert!(false, "a room's verb for a user"),
    }
}

/// What is said to a user, or by it to another one.
fn mail(user: &mut User, ask: &Ask<'_>, op: Op, means: Means<'_>, outlet: &mut impl Outlet) {
    let id = ask.stamp.id;
    match op {
        Op::SendDirect { text, detail, request } => {
            let (from, to) = (ask.origin.user.clone(), user.name.id.clone());
            let request = remembered(ask, &from, request);
            let message = user.message(ask, user::Draft { id, text, detail }, from, to);
            let how = Receiving { keep: means.room_for_more, transit: false, request };
            user.receive(ask, message, how, outlet);
        }
        Op::SendFrom { to, text, detail, request } => {
            let from = user.name.id.clone();
            let request = remembered(ask, &from, request);
            let message = user.message(ask, user::Draft { id, text, detail }, from, to);
            user.send_on(ask, message, request, outlet);
        }
        Op::Receive { message } => {
            let how = Receiving { keep: means.room_for_more, transit: true, request: None };
            user.receive(ask, *message, how, outlet);
        }
        Op::Keep { event, seq, since_ms, confirm } => {
            user.keep(ask, Said { event, seq, since_ms, confirm }, outlet);
        }
        Op::Notify { notification, transit } => user.notify(ask, notification, transit, outlet),
        _ => debug_assert!(false, "no mail"),
    }
}

/// What a sender calls a message, where no store remembers it.
fn remembered(ask: &Ask<'_>, from: &str, request: Option<Arc<str>>) -> Option<Arc<str>> {
    request.filter(|_| !ask.homes.durable).and_then(|r| crate::channel::repeats::request_of(from, Some(&r)))
}

/// Whether that was said before: number and id of then. Only where no store is asked.
pub fn said_before(body: &Body, ask: &Ask<'_>, op: &Op) -> Option<(u64, MessageId)> {
    let from = match op {
        Op::Publish { from: Some(from), .. } => from,
        Op::SendFrom { .. } => match body {
            Body::User(user) => &user.name.id,
            _ => return None,
        },
        _ => &ask.origin.user,
    };
    body.log().repeats.find(&request_in(op, from)?)
}

/// Where one begins who is told numbers.
fn begin(
    log: &Log,
    ask: &Ask<'_>,
    variant: Variant,
    since: Option<Since>,
    page: Option<&Page>,
) -> Option<Box<Begun>> {
    if !variant.numbered {
        return None;
    }
    // An answer that says nothing: the store could not be read.
    let page = page.filter(|page| page.head != u64::MAX);
    match log.begin(ask.homes.epoch, since, ask.homes.replay, page, ask.homes.durable) {
        Recovery::Told(begun) => Some(Box::new(begun)),
        Recovery::Ask { .. } => {
            let position = log.head().map(|seq| Position { epoch: ask.homes.epoch, seq });
            Some(Box::new(Begun { position, gap: since.is_some(), missed: Vec::new() }))
        }
    }
}

/// A page of what was said.
fn history(log: &Log, query: &HistoryQuery, page: Option<&Page>) -> Reply {
    if let Some(page) = page {
        let events: Vec<_> = page.events.iter().map(|(seq, e)| (*seq, Arc::new(e.clone()))).collect();
        let next = events.last().map(|(seq, _)| *seq).filter(|_| page.more);
        return Reply::History { events, next };
    }
    let of = |event: &Event| match (event, &query.with) {
        (Event::Message(_), None) | (Event::Direct(_), None) => true,
        (Event::Direct(m), Some(with)) => m.from == *with || m.place == *with,
        _ => false,
    };
    let known = log.held_after(query.after);
    let mut found = known.filter(|(_, event)| of(event)).cloned();
    let events: Vec<_> = found.by_ref().take(query.limit).collect();
    let next = events.last().map(|(seq, _)| *seq).filter(|_| found.next().is_some());
    Reply::History { events, next }
}

/// Verbs that may leave something waiting.
pub fn keeps_mail(op: &Op) -> bool {
    matches!(op, Op::SendDirect { .. } | Op::Receive { .. } | Op::Keep { .. } | Op::Notify { .. })
}

/// What waits in the store since another home has sent it here.
fn in_transit(op: &Op) -> Option<MessageId> {
    match op {
        Op::Receive { message } => Some(message.id),
        Op::Notify { notification, transit: true } => Some(notification.id),
        _ => None,
    }
}

/// Verbs that bring a user into being.
pub fn makes_a_user(op: &Op) -> bool {
    matches!(
        op,
        Op::Attach { .. }
            | Op::Claim { .. }
            | Op::Grant { .. }
            | Op::SendDirect { .. }
            | Op::SendFrom { .. }
            | Op::Receive { .. }
            | Op::Keep { .. }
            | Op::Notify { .. }
            | Op::SetPresence { .. }
            | Op::RosterUpdate { .. }
            | Op::History(_)
            | Op::Search { .. }
    )
}

/// What a verb means where there is no such channel.
pub fn answer_for_nothing(op: &Op) -> Option<Reply> {
    match op {
        Op::DescribeRoom | Op::ListMembers => Some(Reply::Refused(NO_ROOM)),
        Op::Read { .. } | Op::Edit { .. } | Op::Delete { .. } => Some(Reply::Refused(room::NO_MESSAGE)),
        Op::PresenceHistory => Some(Reply::Presences(Vec::new())),
        Op::RosterGet | Op::RosterRemove { .. } => Some(Reply::Roster(Vec::new())),
        // Nobody is there to hear it.
        Op::Announce { .. } => Some(Reply::Notified { delivered: false }),
        Op::NotificationRead { .. } | Op::NotificationClear { .. } => Some(Reply::Done),
        // As in a room that only its sender thinks of; or its end was quicker than the command.
        _ => None,
    }
}
