//! The REST of the Tusk dialect: health, statistics, rooms (TUS-24, TUS-30, TUS-65, TUS-66, ruling T15).

use std::sync::Arc;

use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::call::{Asked, Backend, Site, Who, channel, tenant_of};
use super::routes::json_response;
use crate::access::{Action, Asker, Verb};
use crate::model::{Address, Code, Dialect, Kind, Op, Principal, Refusal, Reply, RoomInfo, RoomSettings};
use crate::net::Body;
use crate::telemetry::process;

/// Exactly the document's five keys.
pub fn health(site: &Site, backend: &impl Backend) -> Value {
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
pub fn stats(site: &Site) -> Value {
    let memory = process::memory();
    json!({
        "total_connections": site.registry.connections_of(Dialect::Tusk),
        "total_rooms": site.registry.rooms(),
        "online_users": site.registry.users_online(),
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
pub async fn rooms(
    asked: &Asked<'_>,
    backend: &impl Backend,
    site: &Site,
) -> Result<Response<Body>, Refusal> {
    let who = admitted(Action::List, asked, backend, site)?;
    let op = Op::ListRooms { realm: site.realms[Dialect::Tusk.index()], tenant: tenant_of(who.as_ref()) };
    let mut rooms: Vec<RoomInfo> = Vec::new();
    for reply in backend.ask_all(op, who.clone()).await? {
        if let Reply::Rooms(some) = reply {
            rooms.extend(some);
        }
    }
    let asker = asker(who.as_ref(), asked, site);
    rooms.retain(|room| site.access.admit(on(Verb::Subscribe, &room.name), &asker).is_ok());
    rooms.sort_by(|a, b| a.name.cmp(&b.name));
    let total = rooms.len();
    let rooms: Vec<Value> = rooms.iter().take(ROOMS_SHOWN).map(shown).collect();
    Ok(json_response(
        StatusCode::OK,
        &json!({ "rooms": rooms, "total": total, "truncated": total > ROOMS_SHOWN }),
    ))
}

/// One room.
pub async fn room(asked: &Asked<'_>, backend: &impl Backend, site: &Site) -> Result<Response<Body>, Refusal> {
    let name = asked.name.as_deref().unwrap_or_default();
    let who = admitted(on(Verb::Subscribe, name), asked, backend, site)?;
    let name = channel(site.realms[Dialect::Tusk.index()], Kind::Room, name, who.as_ref());
    match backend.ask(name, Op::DescribeRoom, who).await? {
        Reply::Room { info, .. } => Ok(json_response(StatusCode::OK, &shown(&info))),
        Reply::Refused(refusal) => Err(refusal),
        _ => Err(Refusal::new(Code::Unavailable, "No answer")),
    }
}

/// Makes a room that stays.
pub async fn create_room(
    asked: &Asked<'_>,
    backend: &impl Backend,
    site: &Site,
) -> Result<Response<Body>, Refusal> {
    let who = admitted(Action::List, asked, backend, site)?;
    let (name, settings) = new_room(asked.body)?;
    site.access.admit(on(Verb::Manage, &name), &asker(who.as_ref(), asked, site))?;
    let name = channel(site.realms[Dialect::Tusk.index()], Kind::Room, &name, who.as_ref());
    match backend.ask(name, Op::CreateRoom { settings }, who).await? {
        Reply::Room { info, created: true } => {
            let mut room = shown(&info);
            room["created"] = true.into();
            Ok(json_response(StatusCode::CREATED, &room))
        }
        Reply::Room { .. } => Err(Refusal::new(Code::AlreadyExists, "Room already exists")),
        Reply::Refused(refusal) => Err(refusal),
        _ => Err(Refusal::new(Code::Unavailable, "No answer")),
    }
}

const fn on(verb: Verb, room: &str) -> Action<'_> {
    Action::On(verb, Address::Room(room))
}

fn asker<'a>(who: Option<&'a Arc<Principal>>, asked: &Asked<'_>, site: &Site) -> Asker<'a> {
    Asker {
        who: who.map(|who| &**who),
        dialect: Dialect::Tusk,
        require_auth: site.require_auth[Dialect::Tusk.index()],
        public_per_tenant: site.public_per_tenant,
        local: asked.local,
    }
}

/// Who asks, if that may be done.
fn admitted(
    action: Action<'_>,
    asked: &Asked<'_>,
    backend: &impl Backend,
    site: &Site,
) -> Result<Who, Refusal> {
    let who = asked.principal(Dialect::Tusk, backend)?;
    site.access.admit(action, &asker(who.as_ref(), asked, site))?;
    Ok(who)
}

/// The body of a creation: `name` (or `room`) and the settings, flat or in `settings`.
fn new_room(body: &[u8]) -> Result<(String, RoomSettings), Refusal> {
    let malformed = |_| Refusal::new(Code::Malformed, "The body must be a JSON object");
    let body: serde_json::Map<String, Value> = serde_json::from_slice(body).map_err(malformed)?;
    let name = ["name", "room"].iter().find_map(|key| body.get(*key));
    let name = name.and_then(Value::as_str).filter(|n| !n.is_empty() && n.len() <= NAME_MAX);
    let name = name.ok_or_else(|| {
        Refusal::with(Code::InvalidField, format!("name must be a string of 1 to {NAME_MAX} bytes"))
    })?;
    let settings = match body.get("settings") {
        None | Some(Value::Null) => &body,
        Some(Value::Object(settings)) => settings,
        Some(_) => return Err(Refusal::new(Code::InvalidField, "settings must be an object")),
    };
    Ok((name.to_owned(), room_settings(settings)?))
}

const NAME_MAX: usize = crate::dialect::MAX_NAME_BYTES;

fn room_settings(fields: &serde_json::Map<String, Value>) -> Result<RoomSettings, Refusal> {
    let wrong = |what: &str| Refusal::with(Code::InvalidField, what.to_owned());
    let field = |key: &str| fields.get(key).filter(|v| !v.is_null());
    let flag = |key: &str, default: bool| match field(key) {
        None => Ok(default),
        Some(value) => value.as_bool().ok_or_else(|| wrong(&format!("{key} must be true or false"))),
    };
    let max_members = match field("max_members") {
        None => 0,
        Some(value) => value
            .as_u64()
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| wrong("max_members must be an integer of 0 or more"))?,
    };
    let password = match field("password") {
        None => None,
        Some(value) => {
            let password = value.as_str().filter(|p| !p.is_empty() && p.len() <= NAME_MAX);
            let text = format!("password must be null or a string of 1 to {NAME_MAX} bytes");
            Some(password.ok_or_else(|| wrong(&text))?.into())
        }
    };
    Ok(RoomSettings {
        max_members,
        public: flag("public", true)?,
        moderated: flag("moderated", false)?,
        password,
    })
}

/// The schema of the body above.
pub fn new_room_schema() -> Value {
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": { "type": "string", "minLength": 1, "maxLength": NAME_MAX },
            "max_members": { "type": ["integer", "null"], "minimum": 0, "description": "0: as many as the configuration allows" },
            "public": { "type": ["boolean", "null"], "default": true },
            "moderated": { "type": ["boolean", "null"], "default": false },
            "password": { "type": ["string", "null"], "minLength": 1, "maxLength": NAME_MAX, "default": null },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_flat_and_nested() {
        let want =
            RoomSettings { max_members: 5, public: false, moderated: true, password: Some("p".into()) };
        for body in [
            r#"{"name":"r","max_members":5,"public":false,"moderated":true,"password":"p"}"#,
            r#"{"room":"r","settings":{"max_members":5,"public":false,"moderated":true,"password":"p"}}"#,
        ] {
            assert_eq!(new_room(body.as_bytes()).expect("reads"), ("r".into(), want.clone()));
        }
        let plain = new_room(br#"{"name":"r","password":null,"settings":null}"#).expect("reads");
        assert_eq!(plain.1, RoomSettings::default());
    }

    #[test]
    fn a_wrong_field_is_named() {
        for (body, code, field) in [
            ("[]", Code::Malformed, "body"),
            ("{", Code::Malformed, "body"),
            ("{}", Code::InvalidField, "name"),
            (r#"{"name":""}"#, Code::InvalidField, "name"),
            (r#"{"name":5}"#, Code::InvalidField, "name"),
            (r#"{"name":"r","max_members":-1}"#, Code::InvalidField, "max_members"),
            (r#"{"name":"r","max_members":1.5}"#, Code::InvalidField, "max_members"),
            (r#"{"name":"r","public":"yes"}"#, Code::InvalidField, "public"),
            (r#"{"name":"r","password":1}"#, Code::InvalidField, "password"),
            (r#"{"name":"r","password":""}"#, Code::InvalidField, "password"),
            (r#"{"name":"r","settings":[]}"#, Code::InvalidField, "settings"),
        ] {
            let refusal = new_room(body.as_bytes()).expect_err(body);
            assert_eq!(refusal.code, code, "{body}");
            assert!(refusal.text.contains(field), "{body}: {}", refusal.text);
        }
        let longest = "n".repeat(NAME_MAX);
        assert!(new_room(format!(r#"{{"name":"{longest}"}}"#).as_bytes()).is_ok());
        assert!(new_room(format!(r#"{{"name":"{longest}n"}}"#).as_bytes()).is_err());
    }
}
