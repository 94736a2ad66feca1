//! What was said before: a page of a conversation's history, and a search over one's own conversations (SGE-46,
//! GAT-75; ruling S19).

use serde_json::{Value, json};

use super::call::Backend;
use super::fault::{Answer, Fault};
use super::routes::{Answers, Parameter};
use super::visit::{Visit, moment, no_answer, ok};
use crate::access::{Action, Verb};
use crate::dialect::{self, MAX_NAME_BYTES};
use crate::model::{
    Address, ChannelName, Code, Dialect, Event, Found, HistoryQuery, Kind, Message, Op, Refusal, Reply,
};

/// Messages of one page where nobody says how many.
const PAGE: usize = 50;
/// Messages of one page at most: more would take a shard long to write.
const PAGE_MAX: usize = 500;
/// Bytes of the words to search for.
const WORDS_MAX: usize = 256;

pub const PAGE_PARAMETERS: &[Parameter] = &[
    Parameter { name: "with", needed: true, what: "a user, or group: and a group", make: name_schema },
    Parameter { name: "since", needed: false, what: "messages behind this number", make: number_schema },
    Parameter { name: "limit", needed: false, what: "messages of one page", make: limit_schema },
];
pub const SEARCH_PARAMETERS: &[Parameter] = &[
    Parameter { name: "q", needed: true, what: "words, all of which must be in it", make: words_schema },
    Parameter { name: "limit", needed: false, what: "messages, the newest first", make: limit_schema },
];
pub const PAGE_ANSWERS: Answers = &[
    (200, "Messages in their order; next is the since of the next page, null on the last"),
    (400, "A parameter is wrong"),
    (401, "A credential is needed or not valid"),
    (403, "Not for this caller"),
    (404, "There is no such group for this caller"),
    (503, "The store cannot be read"),
];
pub const SEARCH_ANSWERS: Answers = &[
    (200, "What was found in the caller's own conversations"),
    (400, "A parameter is wrong"),
    (401, "A credential is needed or not valid"),
    (403, "A tenant's own credential has no conversations"),
    (503, "There is no store to search, or it cannot be read"),
];

fn name_schema() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": MAX_NAME_BYTES })
}

fn number_schema() -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": super::fields::COUNT_MAX, "default": 0 })
}

fn limit_schema() -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE })
}

fn words_schema() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": WORDS_MAX })
}

/// `GET /xmpp/messages?with=&since=&limit=`.
pub async fn page(visit: &Visit<'_, impl Backend>) -> Answer {
    let with = visit.query("with").ok_or_else(|| wrong("with", "a user, or group: and a group"))?;
    if with.is_empty() || with.len() > MAX_NAME_BYTES {
        return Err(wrong("with", format!("of 1 to {MAX_NAME_BYTES} bytes")));
    }
    let after = number(visit, "since", 0, 0, super::fields::COUNT_MAX)? as u64;
    let limit = number(visit, "limit", PAGE, 1, PAGE_MAX)?;
    let (channel, with) = match with.strip_prefix("group:").filter(|group| !group.is_empty()) {
        Some(group) => {
            visit.admit(Action::On(Verb::Subscribe, Address::Group(group)))?;
            (visit.channel(Kind::Room, group), None)
        }
        None => {
            visit.admit(Action::Own)?;
            let own = visit.who.as_ref().map_or("", |who| &who.user);
            (visit.channel(Kind::User, own), Some(with.as_ref().into()))
        }
    };
    let query = HistoryQuery { after, with, limit };
    match visit.ask(channel, Op::History(Box::new(query))).await? {
        Reply::History { events, next } => {
            let messages: Vec<_> = events.iter().filter_map(|(seq, event)| message(*seq, event)).collect();
            Ok(ok(&json!({ "messages": messages, "next": next })))
        }
        other => no_answer(other),
    }
}

/// As the socket says it, with its id and time.
fn message(seq: u64, event: &Event) -> Option<Value> {
    let (Event::Message(said) | Event::Direct(said)) = event else { return None };
    let mut frame = bytes::BytesMut::new();
    dialect::encode_event(Dialect::Sge, event, Some(seq), &mut frame);
    let mut frame: Value = serde_json::from_slice(&frame).ok()?;
    frame["id"] = said.id.to_string().into();
    frame["timestamp"] = (said.at_ms / 1000).into();
    Some(frame)
}

/// `GET …/search?q=&limit=`: in what its user is one of, as far as rules let it hear that now.
pub async fn search(visit: &Visit<'_, impl Backend>) -> Answer {
    visit.admit(Action::List)?;
    visit.admit(Action::Own)?;
    let words = visit.query("q").filter(|q| !q.trim().is_empty() && q.len() <= WORDS_MAX);
    let words = words.ok_or_else(|| wrong("q", format!("words of 1 to {WORDS_MAX} bytes")))?;
    let limit = number(visit, "limit", PAGE, 1, PAGE_MAX)?;
    let own = visit.who.as_ref().map_or("", |who| &who.user);
    let op = Op::Search { words: words.as_ref().into(), limit };
    match visit.ask(visit.channel(Kind::User, own), op).await? {
        Reply::Found(found) => {
            let heard = found.iter().filter(|found| may_hear(visit, &found.channel));
            let messages: Vec<_> = heard.filter_map(hit).collect();
            Ok(ok(&json!({ "messages": messages })))
        }
        other => no_answer(other),
    }
}

fn may_hear(visit: &Visit<'_, impl Backend>, channel: &ChannelName) -> bool {
    let place = match (channel.kind, visit.dialect) {
        (Kind::User, _) => return true,
        (_, Dialect::Sge) => Address::Group(&channel.id),
        (_, Dialect::Tusk) => Address::Room(&channel.id),
        _ => Address::Conversation(&channel.id),
    };
    visit.admit(Action::On(Verb::Subscribe, place)).is_ok()
}

fn hit(found: &Found) -> Option<Value> {
    let (Event::Message(said) | Event::Direct(said)) = &found.event else { return None };
    let Message { id, place, from, text, at_ms, .. } = said;
    let with = if found.channel.kind == Kind::User { "user" } else { "conversation" };
    Some(json!({
        with: **place,
        "id": id.to_string(),
        "seq": found.seq,
        "from": **from,
        "text": **text,
        "timestamp": moment(*at_ms),
    }))
}

fn number(
    visit: &Visit<'_, impl Backend>,
    name: &'static str,
    default: usize,
    min: usize,
    max: usize,
) -> Result<usize, Fault> {
    let Some(given) = visit.query(name) else { return Ok(default) };
    let read = given.parse().ok().filter(|n| (min..=max).contains(n));
    read.ok_or_else(|| wrong(name, format!("a whole number from {min} to {max}")))
}

/// A parameter of the query is wrong; SGE answers 400 to all that is (ruling S12).
fn wrong(name: &'static str, what: impl std::fmt::Display) -> Fault {
    Fault { refusal: Refusal::with(Code::Malformed, format!("{name} must be {what}")), field: Some(name) }
}
