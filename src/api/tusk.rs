//! The REST of the Tusk dialect: health, statistics, rooms (TUS-24, TUS-30, TUS-65, TUS-66, ruling T15).

use serde_json::{Value, json};

use super::call::{Asked, Backend, Site};
use super::fault::{Answer, Fault};
use super::fields::{COUNT_MAX, Fields};
use super::routes::{Endpoint, Route, Schema, json_response};
use super::visit::{Visit, no_answer, ok, schema};
use crate::access::{Action, Verb};
use crate::dialect::MAX_NAME_BYTES;
use crate::model::{Address, Code, Dialect, Kind, Op, Refusal, Reply, RoomInfo, RoomSettings};
use crate::telemetry::process;

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Health,
    Stats,
    Rooms,
    Room,
    CreateRoom,
}

/// Every operation.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/health",
        "Tusk: health in five figures (TUS-66)",
        &[(200, "Health")],
        Endpoint::Tusk(Call::Health),
    ),
    Route::get(
        "/stats",
        "Tusk: statistics in six figures (TUS-65)",
        &[(200, "Statistics")],
        Endpoint::Tusk(Call::Stats),
    ),
    Route::get(
        "/rooms",
        "Tusk: the public rooms",
        &[(200, "Rooms"), (401, "A credential is needed or not valid")],
        Endpoint::Tusk(Call::Rooms),
    ),
    Route::post(
        "/rooms",
        "Tusk: create a room that stays (TUS-24); for administrators and the permission create_room",
        Schema { name: "NewRoom", make: new_room_schema },
        &[
            (201, "Created"),
            (400, "The body is no JSON object"),
            (401, "A credential is needed or not valid"),
            (403, "The permission is missing"),
            (409, "The room exists; nothing was changed"),
            (413, "The body is too large"),
            (422, "A field is wrong"),
        ],
        Endpoint::Tusk(Call::CreateRoom),
    ),
    Route::get(
        "/rooms/{name}",
        "Tusk: one room (TUS-30)",
        &[
            (200, "The room"),
            (401, "A credential is needed or not valid"),
            (403, "Not for this caller"),
            (404, "There is none to be seen"),
            (422, "A name has at most 256 bytes"),
        ],
        Endpoint::Tusk(Call::Room),
    ),
];

/// Carries out a call.
pub async fn handle(call: Call, asked: &Asked<'_>, backend: &impl Backend, site: &Site) -> Answer {
    let visit = || -> Result<_, Fault> {
        let visit = Visit::new(Dialect::Tusk, asked, backend, site)?;
        visit.admit(Action::List)?;
        Ok(visit)
    };
    match call {
        Call::Health => Ok(ok(&health(site, backend))),
        Call::Stats => Ok(ok(&stats(site))),
        Call::Rooms => rooms(&visit()?).await,
        Call::Room => room(&visit()?).await,
        Call::CreateRoom => create_room(&visit()?).await,
    }
}

/// Exactly the document's five keys.
fn health(site: &Site, backend: &impl Backend) -> Value {
    let megabytes = process::memory().resident as f64 / 1024.0 / 1024.0;
    json!({
        "status": "healthy",
        "connections": site.registry.connections_of(Dialect::Tusk),
        "memory_usage_mb": (megabytes * 100.0).round() / 100.0,
        "uptime_seconds": process::uptime().unwrap_or(0),
        "last_check": backend.unix_secs(),
    })
}

/// Exactly the document's six keys.
fn stats(site: &Site) -> Value {
    let memory = process::memory();
    json!({
        "total_connections": site.registry.connections_of(Dialect::Tusk),
        "total_rooms": site.registry.realm_rooms(Dialect::Tusk),
        "online_users": site.registry.realm_users(Dialect::Tusk),
        "memory_usage": memory.resident,
        "peak_memory": memory.peak,
        "uptime": process::uptime().unwrap_or(0),
    })
}

fn shown(room: &RoomInfo) -> Value {
    json!({
        "name": *room.name,
        "member_count": room.member_count,
        "max_members": room.max_members,
        "public": room.public,
        "moderated": room.moderated,
        "has_password": room.has_password,
    })
}

/// Rooms in one listing; it says when there are more.
const ROOMS_SHOWN: usize = 1000;

/// The rooms that who asks may see, by name.
async fn rooms(visit: &Visit<'_, impl Backend>) -> Answer {
    let op = Op::ListRooms { realm: visit.realm(), tenant: visit.tenant() };
    let mut rooms: Vec<RoomInfo> = Vec::new();
    for reply in visit.backend.ask_all(op, visit.who.clone()).await? {
        if let Reply::Rooms(some) = reply {
            rooms.extend(some);
        }
    }
    rooms.retain(|room| visit.admit(on(Verb::Subscribe, &room.name)).is_ok());
    rooms.sort_by(|a, b| a.name.cmp(&b.name));
    let total = rooms.len();
    let rooms: Vec<Value> = rooms.iter().take(ROOMS_SHOWN).map(shown).collect();
    Ok(ok(&json!({ "rooms": rooms, "total": total, "truncated": total > ROOMS_SHOWN })))
}

/// One room.
async fn room(visit: &Visit<'_, impl Backend>) -> Answer {
    let name = visit.var("name")?;
    visit.admit(on(Verb::Subscribe, name))?;
    match visit.ask(visit.channel(Kind::Room, name), Op::DescribeRoom).await? {
        Reply::Room { info, .. } => Ok(ok(&shown(&info))),
        other => no_answer(other),
    }
}

/// Makes a room that stays.
async fn create_room(visit: &Visit<'_, impl Backend>) -> Answer {
    let (name, settings) = visit.read(new_room)?;
    visit.admit(on(Verb::Manage, &name))?;
    match visit.ask(visit.channel(Kind::Room, &name), Op::CreateRoom { settings }).await? {
        Reply::Room { info, created: true } => {
            let mut room = shown(&info);
            room["created"] = true.into();
            Ok(json_response(hyper::StatusCode::CREATED, &room))
        }
        Reply::Room { .. } => Err(Refusal::new(Code::AlreadyExists, "Room already exists").into()),
        other => no_answer(other),
    }
}

const fn on(verb: Verb, room: &str) -> Action<'_> {
    Action::On(verb, Address::Room(room))
}

/// The body of a creation: `name` (or `room`) and the settings, flat or in `settings`.
fn new_room(body: Fields<'_>) -> Result<(String, RoomSettings), Fault> {
    let name = if !body.has("name") && body.has("room") { "room" } else { "name" };
    let name = body.id(name)?.to_owned();
    Ok((name, room_settings(body.object("settings")?.unwrap_or(body))?))
}

fn room_settings(settings: Fields<'_>) -> Result<RoomSettings, Fault> {
    let password = if settings.has("password") { Some(settings.id("password")?.into()) } else { None };
    Ok(RoomSettings {
        max_members: settings.count("max_members")?.unwrap_or(0),
        public: settings.flag("public", true)?,
        moderated: settings.flag("moderated", false)?,
        password,
    })
}

/// The schema of the body above.
fn new_room_schema() -> Value {
    schema(
        &["name"],
        json!({
            "name": { "type": "string", "minLength": 1, "maxLength": MAX_NAME_BYTES },
            "max_members": { "type": ["integer", "null"], "minimum": 0, "maximum": COUNT_MAX, "description": "0: as many as the configuration allows" },
            "public": { "type": ["boolean", "null"], "default": true },
            "moderated": { "type": ["boolean", "null"], "default": false },
            "password": { "type": ["string", "null"], "minLength": 1, "maxLength": MAX_NAME_BYTES, "default": null },
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::super::fields::object;
    use super::*;

    fn read(body: &str) -> Result<(String, RoomSettings), Fault> {
        new_room(Fields::new(&object(body.as_bytes())?, Code::InvalidField))
    }

    #[test]
    fn a_body_is_read_flat_and_nested() {
        let want =
            RoomSettings { max_members: 5, public: false, moderated: true, password: Some("p".into()) };
        for body in [
            r#"{"name":"r","max_members":5,"public":false,"moderated":true,"password":"p"}"#,
            r#"{"name":"r","max_members":5.0,"public":false,"moderated":true,"password":"p"}"#,
            r#"{"room":"r","settings":{"max_members":5,"public":false,"moderated":true,"password":"p"}}"#,
        ] {
            assert_eq!(read(body), Ok(("r".into(), want.clone())));
        }
        let plain = read(r#"{"name":"r","password":null,"settings":null}"#).expect("reads");
        assert_eq!(plain.1, RoomSettings::default());
    }

    #[test]
    fn a_wrong_field_is_named() {
        for (body, code, field) in [
            ("[]", Code::Malformed, None),
            ("{", Code::Malformed, None),
            ("{}", Code::InvalidField, Some("name")),
            (r#"{"name":""}"#, Code::InvalidField, Some("name")),
            (r#"{"name":5}"#, Code::InvalidField, Some("name")),
            (r#"{"room":5}"#, Code::InvalidField, Some("room")),
            (r#"{"name":"r","max_members":-1}"#, Code::InvalidField, Some("max_members")),
            (r#"{"name":"r","max_members":1e16}"#, Code::InvalidField, Some("max_members")),
            (r#"{"name":"r","max_members":1.5}"#, Code::InvalidField, Some("max_members")),
            (r#"{"name":"r","public":"yes"}"#, Code::InvalidField, Some("public")),
            (r#"{"name":"r","password":1}"#, Code::InvalidField, Some("password")),
            (r#"{"name":"r","password":""}"#, Code::InvalidField, Some("password")),
            (r#"{"name":"r","settings":[]}"#, Code::InvalidField, Some("settings")),
        ] {
            let fault = read(body).expect_err(body);
            assert_eq!((fault.refusal.code, fault.field), (code, field), "{body}");
            assert!(fault.refusal.text.contains(field.unwrap_or("body")), "{body}: {}", fault.refusal.text);
        }
        let longest = "n".repeat(MAX_NAME_BYTES);
        assert!(read(&format!(r#"{{"name":"{longest}"}}"#)).is_ok());
        assert!(read(&format!(r#"{{"name":"{longest}n"}}"#)).is_err());
    }
}
