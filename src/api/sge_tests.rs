//! Each call: what it asks of which home, its shapes, and what is refused before anything is asked.

use super::*;
use crate::api::stage::{NOW_MS, Stage, named, presence as how};
use crate::model::{MessageId, Notification, Priority};

const NOW: u64 = NOW_MS / 1000;
const NOTICE: &str = r#"{"title":"T","message":"M","level":"warning"}"#;

fn contacts() -> Vec<Contact> {
    let contact = |user: &str, name: Option<&str>, groups: &[&str]| Contact {
        user: user.into(),
        name: name.map(Into::into),
        groups: groups.iter().map(|group| (*group).into()).collect(),
    };
    vec![contact("a", Some("A Friend"), &["work", "chess"]), contact("never", None, &[])]
}

/// Homes where users `a` and `b` are known, and whoever is notified is away.
fn homes(op: &Op) -> Reply {
    let known = [how("b", Status::Online, None), how("a", Status::Busy, Some("In meeting"))];
    match op {
        Op::ListUsers { of: None, .. } => Reply::Users { users: known.into(), total: 7 },
        Op::ListUsers { of: Some(of), .. } => {
            let users: Vec<_> = known.into_iter().filter(|p| of.contains(&p.user)).collect();
            Reply::Users { total: users.len(), users }
        }
        Op::PresenceHistory => Reply::Presences(known.into()),
        Op::RosterGet | Op::RosterUpdate { .. } | Op::RosterRemove { .. } => Reply::Roster(contacts()),
        Op::Notify { .. } => Reply::Notified { delivered: false },
        _ => Reply::Done,
    }
}

fn stage(required: bool) -> Stage {
    Stage::new(required, homes)
}

/// The notification that `NOTICE` becomes.
fn notification(channel: Option<&str>) -> Arc<Notification> {
    Arc::new(Notification {
        id: MessageId::random(7),
        title: "T".into(),
        text: "M".into(),
        level: "warning".into(),
        priority: Priority::Normal,
        channel: channel.map(Into::into),
        about: None,
        at_ms: NOW_MS,
    })
}

#[tokio::test]
async fn status_has_four_keys_and_is_public() {
    let stage = stage(true);
    stage.writer.connections_open.of(Dialect::Sge).set(3);
    stage.writer.connections_open.of(Dialect::Tusk).set(5);
    stage.writer.channels.of(Dialect::Sge).set(2);
    let want = json!({ "status": "active", "clients_connected": 3, "channels_active": 2, "timestamp": NOW });
    assert_eq!(stage.call("", "GET", "/ws/status", "").await, (200, want.clone()));
    assert_eq!(stage.call("bad", "GET", "/ws/status", "").await, (200, want));
}

#[tokio::test]
async fn without_a_credential_where_one_is_needed_everything_else_is_refused() {
    let stage = stage(true);
    for route in ROUTES.iter().filter(|route| route.path != "/ws/status") {
        let path = route.path.replace("{user_id}", "a").replace("{channel}", "c");
        for token in ["", "bad"] {
            assert_eq!(stage.status(token, route.method, &path, "{").await, 401, "{path}");
        }
    }
}

#[tokio::test]
async fn presences_are_by_user_with_three_keys() {
    let stage = stage(false);
    let a = json!({ "status": "busy", "message": "In meeting", "timestamp": 5 });
    let b = json!({ "status": "online", "message": null, "timestamp": 5 });
    assert_eq!(stage.call("", "GET", "/xmpp/presence", "").await, (200, json!({ "a": a, "b": b })));
    for (token, own) in [("", "default"), ("t1/u", "t1")] {
        stage.call(token, "GET", "/xmpp/presence", "").await;
        assert!(matches!(stage.last().1, Op::ListUsers { tenant, of: None, .. } if *tenant == *own));
    }
}

#[tokio::test]
async fn one_presence_or_none() {
    let stage = stage(false);
    let a = json!({ "user_id": "a", "status": "busy", "message": "In meeting", "timestamp": 5 });
    assert_eq!(stage.call("", "GET", "/xmpp/presence/a", "").await, (200, a));
    assert_eq!(stage.status("", "GET", "/xmpp/presence/never", "").await, 404);
    assert_eq!(stage.status("", "GET", &format!("/xmpp/presence/{}", "x".repeat(257)), "").await, 400);
}

#[tokio::test]
async fn history_is_newest_first_as_its_home_says() {
    let stage = stage(false);
    let (status, body) = stage.call("", "GET", "/xmpp/presence/a%20b/history", "").await;
    assert_eq!((status, &body["user_id"]), (200, &json!("a b")));
    let newest = json!({ "status": "online", "message": null, "timestamp": 5 });
    assert_eq!((body["history"].as_array().map(Vec::len), &body["history"][0]), (Some(2), &newest));
    assert_eq!(stage.last().0, named(Dialect::Sge, "default", Kind::User, "a b"));
}

#[tokio::test]
async fn one_says_how_one_is_and_services_say_it_of_others() {
    let stage = stage(false);
    let body = r#"{"user_id":"u","status":"busy","message":"In meeting"}"#;
    for token in ["u", "svc+presence", "root+admin"] {
        let done = stage.call(token, "POST", "/xmpp/presence", body).await;
        assert_eq!(done, (200, json!({ "status": "ok", "timestamp": NOW })));
        let (name, op, who) = stage.last();
        assert_eq!(name, named(Dialect::Sge, "default", Kind::User, "u"));
        let Op::SetPresence { showing } = op else { panic!("{op:?}") };
        let message = Some("In meeting".into());
        assert_eq!(showing, Showing { status: Some(Status::Busy), message, location: None });
        assert_eq!(who.map(|who| who.realm), name.map(|name| name.realm), "of the dialect's realm");
    }
    for (token, status) in [("v", 403), ("svc+publish", 403), ("", 401)] {
        assert_eq!(stage.status(token, "POST", "/xmpp/presence", body).await, status, "{token}");
    }
    for wrong in [
        "",
        "[]",
        "{}",
        r#"{"user_id":"u"}"#,
        r#"{"status":"busy"}"#,
        r#"{"user_id":"u","status":"asleep"}"#,
        r#"{"user_id":"u","status":"Busy"}"#,
        r#"{"user_id":"u","status":null}"#,
        r#"{"user_id":"","status":"busy"}"#,
        r#"{"user_id":5,"status":"busy"}"#,
        r#"{"user_id":"u","status":"busy","message":5}"#,
    ] {
        assert_eq!(stage.status("u", "POST", "/xmpp/presence", wrong).await, 400, "{wrong}");
    }
    let (_, fault) = stage.call("u", "POST", "/xmpp/presence", r#"{"user_id":"u","status":"asleep"}"#).await;
    let text = "status must be one of online, away, busy, offline";
    assert_eq!(fault, json!({ "error": text, "code": "malformed", "field": "status" }));
}

#[tokio::test]
async fn rosters_are_their_owners_and_show_how_contacts_are() {
    let stage = stage(false);
    let want = json!({ "contacts": [
        { "user_id": "a", "name": "A Friend", "groups": ["work", "chess"], "status": "busy" },
        { "user_id": "never", "name": null, "groups": [], "status": "offline" },
    ] });
    let body = r#"{"user_id":"a","name":"A Friend","groups":["work","chess"]}"#;
    for (method, path, body) in
        [("GET", "/xmpp/roster", ""), ("POST", "/xmpp/roster", body), ("DELETE", "/xmpp/roster/a", "")]
    {
        stage.asked.borrow_mut().clear();
        assert_eq!(stage.call("t1/u", method, path, body).await, (200, want.clone()));
        let asked = stage.asked.borrow();
        assert_eq!(asked[0].0, named(Dialect::Sge, "t1", Kind::User, "u"));
        match (&asked[0].1, method) {
            (Op::RosterGet, "GET") => {}
            (Op::RosterUpdate { contact }, "POST") => assert_eq!(*contact, contacts()[0]),
            (Op::RosterRemove { user }, "DELETE") => assert_eq!(&**user, "a"),
            other => panic!("{other:?}"),
        }
    }
    for wrong in
        ["{}", r#"{"user_id":5}"#, r#"{"user_id":"f","groups":"work"}"#, r#"{"user_id":"f","groups":[""]}"#]
    {
        assert_eq!(stage.status("u", "POST", "/xmpp/roster", wrong).await, 400, "{wrong}");
    }
    // Open mode or not: a roster has an owner.
    assert_eq!(stage.status("", "GET", "/xmpp/roster", "").await, 401);
    assert_eq!(stage.status("t1/", "GET", "/xmpp/roster", "").await, 403);
}

#[tokio::test]
async fn a_full_roster_is_said_to_be() {
    let full = |_: &Op| Reply::Refused(Refusal::new(Code::LimitReached, "Too many contacts"));
    let (status, body) =
        Stage::new(false, full).call("u", "POST", "/xmpp/roster", r#"{"user_id":"f"}"#).await;
    assert_eq!((status, body), (409, json!({ "error": "Too many contacts", "code": "limit_reached" })));
}

#[tokio::test]
async fn a_user_is_notified_by_those_who_may() {
    let stage = stage(true);
    for token in ["svc+publish", "root+admin"] {
        let sent = stage.call(token, "POST", "/ws/notify/u", NOTICE).await;
        assert_eq!(sent, (200, json!({ "status": "sent", "delivered": false, "timestamp": NOW })));
        let (name, op, _) = stage.last();
        assert_eq!(name, named(Dialect::Sge, "default", Kind::User, "u"));
        let Op::Notify { notification: told, transit: false } = op else { panic!("{op:?}") };
        assert_eq!(told, notification(None));
    }
    for token in ["u", "svc+presence"] {
        assert_eq!(stage.status(token, "POST", "/ws/notify/u", NOTICE).await, 403);
    }
    for wrong in [r#"{"title":"T"}"#, r#"{"message":"M"}"#, r#"{"title":"T","message":"M","level":"loud"}"#] {
        assert_eq!(stage.status("svc+publish", "POST", "/ws/notify/u", wrong).await, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_broadcast_goes_where_its_channel_is() {
    let stage = stage(false);
    for (channel, kind, id) in [("news", Kind::Topic, "news"), ("group%3Ax", Kind::Room, "x")] {
        let path = format!("/ws/broadcast/{channel}");
        let sent = stage.call("u", "POST", &path, NOTICE).await;
        assert_eq!(sent, (200, json!({ "status": "sent", "delivered": null, "timestamp": NOW })));
        let (name, op, _) = stage.last();
        assert_eq!(name, named(Dialect::Sge, "default", kind, id));
        let Op::Announce { event: Event::Notification(told), except: Except::Nobody } = op else {
            panic!("{op:?}")
        };
        assert_eq!(told, notification(Some(&channel.replace("%3A", ":"))));
    }
    for channel in ["user:v", "chat:v"] {
        let (status, body) = stage.call("u", "POST", &format!("/ws/broadcast/{channel}"), NOTICE).await;
        assert_eq!((status, &body["delivered"]), (200, &json!(false)));
        let (name, op, _) = stage.last();
        assert_eq!(name, named(Dialect::Sge, "default", Kind::User, "v"));
        assert!(
            matches!(op, Op::Notify { notification: told, transit: false } if told == notification(Some(channel)))
        );
    }
    for channel in ["presence:v", "room:x", "group:", ":"] {
        assert_eq!(stage.status("u", "POST", &format!("/ws/broadcast/{channel}"), NOTICE).await, 400);
    }
}

#[tokio::test]
async fn a_broadcast_to_system_reaches_the_callers_tenant() {
    let stage = stage(false);
    let (status, body) = stage.call("t1/u", "POST", "/ws/broadcast/system", NOTICE).await;
    assert_eq!((status, &body["delivered"]), (200, &json!(7)));
    let (_, op, _) = stage.last();
    let Op::AnnounceAll { realm, tenant, event } = op else { panic!("{op:?}") };
    assert_eq!(Some(realm), named(Dialect::Sge, "", Kind::Topic, "").map(|name| name.realm));
    assert_eq!(tenant.as_deref(), Some("t1"));
    assert_eq!(event, Event::Notification(notification(Some("system"))));
}
