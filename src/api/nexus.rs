//! The REST of the NEXUS dialect: statistics, who is where, notifications (NEX-54 to NEX-59; rulings N13, N14, N16).

use serde_json::{Value, json};

use super::call::{Asked, Backend, Site};
use super::fault::{Answer, Fault};
use super::fields::Fields;
use super::notice::{self, Notice};
use super::routes::{Answers, Endpoint, Route, Schema};
use super::visit::{Visit, moment, no_answer, ok, schema};
use crate::access::{Action, Verb};
use crate::dialect::MAX_NAME_BYTES;
use crate::model::{Address, Dialect, Kind, Op, Priority, Reply, Status};
use crate::telemetry::process;

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Stats,
    Online,
    Room,
    Presence,
    Send,
    Broadcast,
}

const SHOWN: Answers = &[
    (200, "What is known"),
    (401, "A credential is needed or not valid"),
    (403, "Not for this caller"),
    (422, "A name has at most 256 bytes"),
];
const SENT: Answers = &[
    (200, "On its way"),
    (400, "The body is no JSON object"),
    (401, "A credential is needed or not valid"),
    (403, "Not by this caller"),
    (413, "The body is too large"),
    (422, "A field is wrong"),
    (503, "The user is away and no more can be kept"),
];

/// Every operation.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/ws/stats",
        "NEXUS: connections, users and rooms; messages and errors are those of all dialects (NEX-54)",
        &[(200, "Figures"), (401, "A credential is needed or not valid")],
        Endpoint::Nexus(Call::Stats),
    ),
    Route::get(
        "/api/ws/online",
        "NEXUS: who is online (NEX-55). Names 1000 of each shard at most; total has how many are",
        &[(200, "Users"), (401, "A credential is needed or not valid")],
        Endpoint::Nexus(Call::Online),
    ),
    Route::get(
        "/api/ws/rooms/{room_id}",
        "NEXUS: who is in a room or conversation (NEX-56)",
        &[
            (200, "Members"),
            (401, "A credential is needed or not valid"),
            (403, "Not for this caller"),
            (404, "There is none to be seen"),
            (422, "A name has at most 256 bytes"),
        ],
        Endpoint::Nexus(Call::Room),
    ),
    Route::get(
        "/api/presence/{user_id}",
        "NEXUS: how one user is; offline, if it never was there (NEX-57)",
        SHOWN,
        Endpoint::Nexus(Call::Presence),
    ),
    Route::post(
        "/api/notifications/send",
        "NEXUS: tell one user, now or when it comes (NEX-58)",
        Schema { name: "NotificationToUser", make: send_schema },
        SENT,
        Endpoint::Nexus(Call::Send),
    ),
    Route::post(
        "/api/notifications/broadcast",
        "NEXUS: tell everybody who is online (NEX-59)",
        Schema { name: "NotificationToAll", make: broadcast_schema },
        SENT,
        Endpoint::Nexus(Call::Broadcast),
    ),
];

/// Carries out a call.
pub async fn handle(call: Call, asked: &Asked<'_>, backend: &impl Backend, site: &Site) -> Answer {
    let visit = Visit::new(Dialect::Nexus, asked, backend, site)?;
    visit.admit(Action::List)?;
    match call {
        Call::Stats => Ok(ok(&stats(site, backend))),
        Call::Online => online(&visit).await,
        Call::Room => room(&visit).await,
        Call::Presence => presence(&visit).await,
        Call::Send => send(&visit).await,
        Call::Broadcast => broadcast(&visit).await,
    }
}

fn stats(site: &Site, backend: &impl Backend) -> Value {
    let figures = &site.registry;
    json!({
        "active_connections": figures.connections_of(Dialect::Nexus),
        "online_users": figures.users_of(Dialect::Nexus),
        "rooms": figures.channels_of(Dialect::Nexus),
        "messages_sent": figures.deliveries(),
        "messages_received": figures.messages_received(),
        "errors": figures.messages_refused(),
        "uptime_seconds": process::uptime().unwrap_or(0),
        "timestamp": moment(backend.now_ms()),
    })
}

async fn online(visit: &Visit<'_, impl Backend>) -> Answer {
    let (users, total) = visit.users(None).await?;
    let users: Vec<&str> = users.iter().map(|user| &*user.user).collect();
    let body = json!({
        "users": users,
        "online_users": users,
        "count": users.len(),
        "total": total,
        "truncated": total > users.len(),
    });
    Ok(ok(&body))
}

async fn room(visit: &Visit<'_, impl Backend>) -> Answer {
    let room = visit.var("room_id")?;
    visit.admit(Action::On(Verb::Subscribe, Address::Room(room)))?;
    match visit.ask(visit.channel(Kind::Room, room), Op::ListMembers).await? {
        Reply::Members { users, total } => {
            let members: Vec<&str> = users.iter().map(|user| &**user).collect();
            Ok(ok(&json!({ "room_id": room, "members": members, "count": total })))
        }
        other => no_answer(other),
    }
}

async fn presence(visit: &Visit<'_, impl Backend>) -> Answer {
    let user = visit.var("user_id")?;
    visit.admit(Action::On(Verb::Subscribe, Address::Presence(user)))?;
    let found = visit.user(user).await?;
    let found = found.as_ref();
    let body = json!({
        "user_id": user,
        "status": found.map_or(Status::Offline, |p| p.status).as_str(),
        "status_message": found.and_then(|p| p.message.as_deref()),
        "location": found.and_then(|p| p.location.as_deref()),
        "last_seen": found.map(|p| moment(p.at_ms)),
    });
    Ok(ok(&body))
}

async fn send(visit: &Visit<'_, impl Backend>) -> Answer {
    visit.admit(Action::Notify)?;
    let (user, notice) = visit.read(|body| Ok((body.id("user_id")?.to_owned(), notice(body)?)))?;
    let id = visit.backend.message_id();
    let delivered = visit.notify(&user, notice.tell(id, visit.backend.now_ms(), None)).await?;
    Ok(ok(&json!({ "status": "sent", "delivered": delivered, "notification_id": id.to_string() })))
}

async fn broadcast(visit: &Visit<'_, impl Backend>) -> Answer {
    visit.admit(Action::Notify)?;
    let notice = visit.read(notice)?;
    let id = visit.backend.message_id();
    let online = visit.notify_all(notice.tell(id, visit.backend.now_ms(), None)).await?;
    let delivered = online > 0;
    Ok(ok(&json!({ "status": "sent", "delivered": delivered, "notification_id": id.to_string() })))
}

fn notice(body: Fields<'_>) -> Result<Notice, Fault> {
    let mut notice = Notice::read(body, "notification_type")?;
    let words = Priority::ALL.map(Priority::as_str).join(", ");
    notice.priority = body.word("priority", &words, Priority::parse)?.unwrap_or_default();
    Ok(notice)
}

fn properties() -> Value {
    let mut properties = notice::properties("notification_type");
    let words = Priority::ALL.map(Priority::as_str);
    properties["priority"] = json!({ "type": ["string", "null"], "enum": words, "default": "normal" });
    properties
}

fn send_schema() -> Value {
    let mut properties = properties();
    properties["user_id"] = json!({ "type": "string", "minLength": 1, "maxLength": MAX_NAME_BYTES });
    schema(&["user_id", "title", "message"], properties)
}

fn broadcast_schema() -> Value {
    schema(&["title", "message"], properties())
}

#[cfg(test)]
#[path = "nexus_tests.rs"]
mod tests;
