//! The REST of the SGE dialect: status, presence, rosters, notifications (SGE-17 to SGE-19, SGE-32 to SGE-34, SGE-38,
//! SGE-48; rulings S5, S10 to S14).

use std::collections::HashMap;
use std::sync::Arc;

use hyper::Response;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::call::{Asked, Backend, Site, TOTAL_COUNT_HEADER};
use super::fault::{Answer, Fault};
use super::fields::Fields;
use super::messages;
use super::notice::{self, Notice};
use super::routes::{Answers, Endpoint, Route, Schema};
use super::visit::{Visit, no_answer, ok, schema};
use crate::access::{Action, Verb};
use crate::dialect::sge::address;
use crate::dialect::{MAX_ITEMS, MAX_NAME_BYTES};
use crate::model::{
    Address, Code, Contact, Dialect, Event, Except, Kind, Notification, Op, Presence, Refusal, Reply,
    Showing, Status,
};
use crate::net::Body;

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Status,
    Presences,
    Presence,
    SetPresence,
    PresenceHistory,
    Messages,
    Roster,
    SetContact,
    RemoveContact,
    Broadcast,
    Notify,
}

const NEEDED: (u16, &str) = (401, "A credential is needed or not valid");
const WRONG: (u16, &str) = (400, "The body, or a field or name in the path, is wrong");
const TOO_LARGE: (u16, &str) = (413, "The body is too large");
const DONE: Answers = &[(200, "Done"), WRONG, NEEDED, (403, "Not by this caller"), TOO_LARGE];
const TOLD: Answers = &[
    (200, "On its way; delivered says to how many, or whether at all, and is null where nobody counts"),
    WRONG,
    NEEDED,
    (403, "Not by this caller"),
    TOO_LARGE,
    (503, "The user is away and no more can be kept"),
];
const ROSTER: Answers =
    &[(200, "The roster, as it is now"), NEEDED, (403, "A tenant's own credential has no roster")];
const ROSTER_CHANGED: Answers = &[
    (200, "The roster, as it is now"),
    WRONG,
    NEEDED,
    (403, "A tenant's own credential has no roster"),
    (409, "The roster is full"),
    TOO_LARGE,
];
const SHOWN: Answers = &[
    (200, "What is known"),
    WRONG,
    NEEDED,
    (403, "Not for this caller"),
    (404, "Nothing is known of that user"),
];
const HISTORY: Answers =
    &[(200, "What is known, or an empty list"), WRONG, NEEDED, (403, "Not for this caller")];

/// Every operation.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/ws/status",
        "SGE: connections and channels now (SGE-32)",
        &[(200, "Figures")],
        Endpoint::Sge(Call::Status),
    ),
    Route::get(
        "/xmpp/presence",
        "SGE: how those are who are online (SGE-17). Names 1000 of each shard at most; x-total-count has how many are",
        &[(200, "By user"), NEEDED],
        Endpoint::Sge(Call::Presences),
    ),
    Route::get(
        "/xmpp/presence/{user_id}",
        "SGE: how one user is (SGE-18)",
        SHOWN,
        Endpoint::Sge(Call::Presence),
    ),
    Route::post(
        "/xmpp/presence",
        "SGE: say how one is; a service with the scope presence says it of others (SGE-19)",
        Schema { name: "Showing", make: showing_schema },
        DONE,
        Endpoint::Sge(Call::SetPresence),
    ),
    Route::get(
        "/xmpp/presence/{user_id}/history",
        "SGE: how one user has been, the newest first (SGE-48)",
        HISTORY,
        Endpoint::Sge(Call::PresenceHistory),
    ),
    Route::get(
        "/xmpp/messages",
        "SGE: what was said with a user, or in a group, before (SGE-46)",
        messages::PAGE_ANSWERS,
        Endpoint::Sge(Call::Messages),
    )
    .asking(messages::PAGE_PARAMETERS),
    Route::get("/xmpp/roster", "SGE: one's contacts (SGE-38)", ROSTER, Endpoint::Sge(Call::Roster)),
    Route::post(
        "/xmpp/roster",
        "SGE: enter a contact, or change what is said of it",
        Schema { name: "Contact", make: contact_schema },
        ROSTER_CHANGED,
        Endpoint::Sge(Call::SetContact),
    ),
    Route::delete(
        "/xmpp/roster/{user_id}",
        "SGE: strike a contact off",
        ROSTER_CHANGED,
        Endpoint::Sge(Call::RemoveContact),
    ),
    Route::post(
        "/ws/broadcast/{channel}",
        "SGE: tell those in a channel; the channel system has everybody (SGE-33)",
        Schema { name: "Notice", make: notice_schema },
        TOLD,
        Endpoint::Sge(Call::Broadcast),
    ),
    Route::post(
        "/ws/notify/{user_id}",
        "SGE: tell one user, now or when it comes (SGE-34)",
        Schema { name: "Notice", make: notice_schema },
        TOLD,
        Endpoint::Sge(Call::Notify),
    ),
];

/// Carries out a call.
pub async fn handle(call: Call, asked: &Asked<'_>, backend: &impl Backend, site: &Site) -> Answer {
    let visit = || -> Result<_, Fault> {
        let visit = Visit::new(Dialect::Sge, asked, backend, site)?;
        // Who has to say who it is hears that first, whatever else is wrong.
        visit.admit(Action::List)?;
        Ok(visit)
    };
    match call {
        Call::Status => Ok(ok(&status(site, backend))),
        Call::Presences => presences(&visit()?).await,
        Call::Presence => presence(&visit()?).await,
        Call::SetPresence => set_presence(&visit()?).await,
        Call::PresenceHistory => history(&visit()?).await,
        Call::Messages => messages::page(&visit()?).await,
        Call::Roster | Call::SetContact | Call::RemoveContact => roster(call, &visit()?).await,
        Call::Broadcast => broadcast(&visit()?).await,
        Call::Notify => notify(&visit()?).await,
    }
}

/// Exactly the document's four keys.
fn status(site: &Site, backend: &impl Backend) -> Value {
    json!({
        "status": "active",
        "clients_connected": site.registry.connections_of(Dialect::Sge),
        "channels_active": site.registry.channels_of(Dialect::Sge),
        "timestamp": backend.unix_secs(),
    })
}

/// The document's three keys.
fn shown(presence: &Presence) -> Value {
    json!({
        "status": presence.status.as_str(),
        "message": presence.message.as_deref(),
        "timestamp": presence.at_ms / 1000,
    })
}

const fn watching(user: &str) -> Action<'_> {
    Action::On(Verb::Subscribe, Address::Presence(user))
}

async fn presences(visit: &Visit<'_, impl Backend>) -> Answer {
    let (users, total) = visit.users(None).await?;
    let seen = users.iter().filter(|user| visit.admit(watching(&user.user)).is_ok());
    let by_user: Map<String, Value> = seen.map(|user| (user.user.to_string(), shown(user))).collect();
    let mut response = ok(&by_user.into());
    response.headers_mut().insert(HeaderName::from_static(TOTAL_COUNT_HEADER), HeaderValue::from(total));
    Ok(response)
}

async fn presence(visit: &Visit<'_, impl Backend>) -> Answer {
    let user = visit.var("user_id")?;
    visit.admit(watching(user))?;
    let found = visit.user(user).await?;
    let found = found.ok_or(Refusal::new(Code::NotFound, "Nothing is known of that user"))?;
    let mut body = shown(&found);
    body["user_id"] = user.into();
    Ok(ok(&body))
}

async fn history(visit: &Visit<'_, impl Backend>) -> Answer {
    let user = visit.var("user_id")?;
    visit.admit(watching(user))?;
    match visit.ask(visit.channel(Kind::User, user), Op::PresenceHistory).await? {
        Reply::Presences(changes) => {
            let history: Vec<_> = changes.iter().map(shown).collect();
            Ok(ok(&json!({ "user_id": user, "history": history })))
        }
        other => no_answer(other),
    }
}

async fn set_presence(visit: &Visit<'_, impl Backend>) -> Answer {
    let (user, showing) = visit.read(showing)?;
    visit.admit(Action::As { user: &user, scope: "presence" })?;
    visit.ask(visit.channel(Kind::User, &user), Op::SetPresence { showing }).await?;
    Ok(ok(&json!({ "status": "ok", "timestamp": visit.backend.unix_secs() })))
}

fn showing(body: Fields<'_>) -> Result<(String, Showing), Fault> {
    let user = body.id("user_id")?.to_owned();
    let status = body.needed_word("status", "online, away, busy, offline", Status::parse)?;
    // REST calls it otherwise than the socket (ruling S5); both are read.
    let message = if body.has("message") { body.label("message")? } else { body.label("status_message")? };
    let message = message.map(Arc::from);
    Ok((user, Showing { status: Some(status), message, location: None }))
}

fn showing_schema() -> Value {
    schema(
        &["user_id", "status"],
        json!({
            "user_id": { "type": "string", "minLength": 1, "maxLength": MAX_NAME_BYTES },
            "status": { "type": "string", "enum": ["online", "away", "busy", "offline"] },
            "message": { "type": ["string", "null"], "maxLength": MAX_NAME_BYTES, "default": null },
        }),
    )
}

async fn roster(call: Call, visit: &Visit<'_, impl Backend>) -> Answer {
    visit.admit(Action::Own)?;
    let own = visit.who.as_ref().map_or("", |who| &who.user);
    let op = match call {
        Call::SetContact => Op::RosterUpdate { contact: visit.read(contact)? },
        Call::RemoveContact => Op::RosterRemove { user: visit.var("user_id")?.into() },
        _ => Op::RosterGet,
    };
    let contacts = match visit.ask(visit.channel(Kind::User, own), op).await? {
        Reply::Roster(contacts) => contacts,
        other => return no_answer(other),
    };
    let (known, _) = visit.users(Some(contacts.iter().map(|c| c.user.clone()).collect())).await?;
    let known: HashMap<&str, Status> = known.iter().map(|p| (&*p.user, p.status)).collect();
    let status = |contact: &Contact| known.get(&*contact.user).copied().unwrap_or(Status::Offline);
    let contacts: Vec<_> = contacts.iter().map(|contact| entry(contact, status(contact))).collect();
    Ok(ok(&json!({ "contacts": contacts })))
}

fn entry(contact: &Contact, status: Status) -> Value {
    json!({
        "user_id": *contact.user,
        "name": contact.name.as_deref(),
        "groups": contact.groups,
        "status": status.as_str(),
    })
}

fn contact(body: Fields<'_>) -> Result<Contact, Fault> {
    Ok(Contact {
        user: body.id("user_id")?.into(),
        name: body.label("name")?.map(Into::into),
        groups: body.labels("groups")?.into_iter().map(Into::into).collect(),
    })
}

fn contact_schema() -> Value {
    let label = json!({ "type": "string", "minLength": 1, "maxLength": MAX_NAME_BYTES });
    schema(
        &["user_id"],
        json!({
            "user_id": label,
            "name": { "type": ["string", "null"], "maxLength": MAX_NAME_BYTES, "default": null },
            "groups": { "type": ["array", "null"], "items": label, "maxItems": MAX_ITEMS },
        }),
    )
}

async fn notify(visit: &Visit<'_, impl Backend>) -> Answer {
    visit.admit(Action::Notify)?;
    let user = visit.var("user_id")?;
    let notification = notification(visit, None)?;
    let told = visit.notify(user, notification).await?;
    Ok(sent(visit, told.into()))
}

/// The one that the body is; `channel`: where it is sent.
fn notification(visit: &Visit<'_, impl Backend>, channel: Option<&str>) -> Result<Notification, Fault> {
    let notice = visit.read(|body| Notice::read(body, "level"))?;
    Ok(notice.tell(visit.backend.message_id(), visit.backend.now_ms(), channel))
}

/// `delivered`: to how many, or whether at all; `null` where nobody counts.
fn sent(visit: &Visit<'_, impl Backend>, delivered: Value) -> Response<Body> {
    let timestamp = visit.backend.unix_secs();
    ok(&json!({ "status": "sent", "delivered": delivered, "timestamp": timestamp }))
}

async fn broadcast(visit: &Visit<'_, impl Backend>) -> Answer {
    visit.admit(Action::Notify)?;
    let channel = visit.var("channel")?;
    let place = address(channel);
    if matches!(place, Address::Presence(_) | Address::Foreign(_)) {
        let what = "system, group:ID, user:ID, chat:ID or a name without a type";
        return Err(Fault::field(visit.wrong(), "channel", what));
    }
    visit.admit(Action::On(Verb::Publish, place))?;
    let notification = notification(visit, Some(channel))?;
    let delivered = match place.channel() {
        None => visit.notify_all(notification).await?.into(),
        Some((Kind::User, user)) => visit.notify(user, notification).await?.into(),
        Some((kind, id)) => {
            let event = Event::Notification(notification.into());
            let op = Op::Announce { event, except: Except::Nobody };
            match visit.ask(visit.channel(kind, id), op).await? {
                Reply::Notified { delivered } => delivered.into(),
                _ => Value::Null,
            }
        }
    };
    Ok(sent(visit, delivered))
}

fn notice_schema() -> Value {
    schema(&["title", "message"], notice::properties("level"))
}

#[cfg(test)]
#[path = "sge_tests.rs"]
mod tests;
