//! From events and sayings to the text of a frame. Everything is appended; nothing is overwritten.
//!
//! Every frame has `type` and `data` and nothing else: clients hand `data` to whoever listens for the type (AEG-70).

use std::borrow::Cow;

use bytes::BytesMut;

use super::PUBLIC;
use crate::dialect::object::{Object, key};
use crate::dialect::{About, Aside, Saying, Stats};
use crate::model::{Address, Code, Dialect, Event, Kind, Message, Notification, Position, Refusal};

/// Appends an event, with its number if it is to be told. `false`: AegisX has no words for it, and nothing was written.
pub fn encode_event(event: &Event, seq: Option<u64>, out: &mut BytesMut) -> bool {
    let data = match event {
        Event::Message(m) if m.kind == Kind::Room => channel_message(m, &public(&m.place), out),
        Event::Message(m) if m.kind == Kind::Topic => channel_message(m, &m.place, out),
        Event::Notification(n) => notification(n, out),
        _ => return false,
    };
    data.seq(seq).close().end();
    true
}

/// Appends what one connection is told. `false`: AegisX says nothing to it, and nothing was written.
pub fn encode_saying(saying: &Saying<'_>, aside: &Aside<'_>, out: &mut BytesMut) -> bool {
    match *saying {
        Saying::Welcome { connection, position, .. } => {
            let data = frame("connection", out).word(key!(first "connectionId"), connection);
            data.iso_millis(key!("timestamp"), aside.at_ms).position(position).close().end();
        }
        Saying::Pong => frame("pong", out).iso_millis(key!(first "timestamp"), aside.at_ms).close().end(),
        Saying::Joined { place, position } => return of_channel("channel_joined", place, position, out),
        Saying::Left(place) => return of_channel("channel_left", place, None, out),
        Saying::Gap { place: Address::Inbox(_) | Address::Chat(_), position } => {
            let data = frame("gap", out);
            let data = match position {
                Some(at) => data.word(key!(first "epoch"), at.epoch).seq(Some(at.seq)),
                None => data,
            };
            data.close().end();
        }
        Saying::Gap { place, position } => return of_channel("gap", place, position, out),
        Saying::NotificationsSubscribed { types } => {
            frame("notifications_subscribed", out).names(key!(first "types"), types).close().end();
        }
        Saying::Stats(figures) => stats(figures, out),
        Saying::Refused { about, refusal } => {
            frame("error", out).name(key!(first "error"), sentence(about, refusal)).close().end();
        }
        _ => return false,
    }
    true
}

/// Begins a frame; its `data` is to be closed and itself to be ended.
fn frame<'o>(kind: &'static str, out: &'o mut BytesMut) -> Object<'o> {
    Object::typed(kind, out).open(key!("data"))
}

fn public(id: &str) -> String {
    [PUBLIC, id].concat()
}

/// Begins `channel_message` (AEG-48).
fn channel_message<'o>(m: &Message, channel: &str, out: &'o mut BytesMut) -> Object<'o> {
    let verbatim = m.verbatim(Dialect::Aegisx);
    // One growth at most unless much is escaped: 224 bytes are the rest of the frame.
    out.reserve(channel.len() + verbatim.unwrap_or(&m.text).len() + m.from.len() + 224);
    let data = frame("channel_message", out).name(key!(first "channel"), channel);
    let data = match verbatim {
        Some(json) => data.raw(key!("message"), json),
        None => data.name(key!("message"), &m.text),
    };
    // A token may name a tenant and no user (AEG-33).
    let user = (!m.from.is_empty()).then_some(&*m.from);
    let sender = data.open(key!("sender")).name_or_null(key!(first "id"), user);
    let sender = match m.connection {
        Some(connection) => sender.word(key!("connectionId"), connection),
        None => sender.raw(key!("connectionId"), "null"),
    };
    sender.close().iso_millis(key!("timestamp"), m.at_ms)
}

fn notification<'o>(n: &Notification, out: &'o mut BytesMut) -> Object<'o> {
    let data = frame("notification", out).name(key!(first "type"), &n.level);
    let data = data.name(key!("title"), &n.title).name(key!("message"), &n.text);
    data.iso_millis(key!("timestamp"), n.at_ms)
}

/// Appends what is said of one channel. `false`: it is none of AegisX.
fn of_channel(
    kind: &'static str,
    place: Address<'_>,
    position: Option<Position>,
    out: &mut BytesMut,
) -> bool {
    let name = match place {
        Address::Public(id) => Cow::Owned(public(id)),
        Address::Tenant(name) | Address::Notifications(name) | Address::Foreign(name) => Cow::Borrowed(name),
        _ => return false,
    };
    frame(kind, out).name(key!(first "channel"), &name).position(position).close().end();
    true
}

/// Appends `stats` (AEG-18).
fn stats(figures: &Stats, out: &mut BytesMut) {
    let data = frame("stats", out).number(key!(first "total"), figures.total as u64);
    let tenants = figures.by_tenant.iter().map(|(tenant, n)| (&**tenant, *n as u64));
    let channels = figures.by_channel.iter().map(|(channel, n)| (&**channel, *n as u64));
    data.numbers(key!("byTenant"), tenants).numbers(key!("byChannel"), channels).close().end();
}

/// The document's sentence where it has one (AEG-43, AEG-44, AEG-47).
fn sentence(about: About, refusal: &Refusal) -> &str {
    match (about, refusal.code) {
        (About::Join, Code::Forbidden | Code::Unauthenticated) => "Access denied to channel",
        (About::Join, Code::LimitReached | Code::Unavailable) => "Failed to join channel",
        (About::Publish, Code::Forbidden | Code::Unauthenticated) => "Permission denied",
        _ => &refusal.text,
    }
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
