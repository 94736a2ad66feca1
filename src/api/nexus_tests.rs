//! Each call: its shape, whom it is about, and each field that is wrong by its name.

use super::*;
use crate::api::stage::{NOW, NOW_MS, Stage, named, presence as how};
use crate::model::{Code, Event, MessageId, Notification, Presence, Refusal};

const NOTICE: &str =
    r#"{"user_id":"u","title":"T","message":"M","notification_type":"warning","priority":"high"}"#;

fn homes(op: &Op) -> Reply {
    let known = [
        how("b", Status::Online, None),
        Presence { location: Some("Meeting Room".into()), ..how("a", Status::Away, Some("In a meeting")) },
    ];
    match op {
        Op::ListUsers { of: None, .. } => Reply::Users { users: known.into(), total: 2 },
        Op::ListUsers { of: Some(of), .. } => {
            let users: Vec<_> = known.into_iter().filter(|p| of.contains(&p.user)).collect();
            Reply::Users { total: users.len(), users }
        }
        Op::ListMembers => Reply::Members { users: vec!["a".into(), "b".into()], total: 2 },
        Op::Notify { .. } => Reply::Notified { delivered: true },
        _ => Reply::Done,
    }
}

fn notification(level: &str, priority: Priority) -> Notification {
    Notification {
        id: MessageId::random(7),
        title: "T".into(),
        text: "M".into(),
        level: level.into(),
        priority,
        channel: None,
        about: None,
        at_ms: NOW_MS,
    }
}

#[tokio::test]
async fn without_a_credential_where_one_is_needed_everything_is_refused() {
    let stage = Stage::new(true, homes);
    for route in ROUTES {
        let path = route.path.replace("{user_id}", "a").replace("{room_id}", "r");
        for token in ["", "bad"] {
            assert_eq!(stage.status(token, route.method, &path, "{").await, 401, "{path}");
        }
    }
}

#[tokio::test]
async fn stats_are_the_dialects_figures() {
    let stage = Stage::new(false, homes);
    stage.writer.connections_open.of(Dialect::Nexus).set(3);
    stage.writer.connections_open.of(Dialect::Sge).set(9);
    stage.writer.users.of(Dialect::Nexus).set(2);
    stage.writer.channels.of(Dialect::Nexus).set(1);
    stage.writer.deliveries.add(8);
    stage.writer.messages_received.of(Dialect::Nexus).add(5);
    stage.writer.messages_refused.of(Code::Malformed).inc();
    let (status, mut body) = stage.call("", "GET", "/api/ws/stats", "").await;
    assert!(body["uptime_seconds"].take().is_u64());
    let want = json!({
        "active_connections": 3, "online_users": 2, "rooms": 1, "messages_sent": 8, "messages_received": 5,
        "errors": 1, "uptime_seconds": null, "timestamp": NOW,
    });
    assert_eq!((status, body), (200, want));
}

#[tokio::test]
async fn who_is_online_is_listed_by_name() {
    let want = json!({ "users": ["a", "b"], "online_users": ["a", "b"], "count": 2, "total": 2, "truncated": false });
    assert_eq!(Stage::new(false, homes).call("", "GET", "/api/ws/online", "").await, (200, want));
    let more = |_: &Op| Reply::Users { users: vec![how("a", Status::Online, None)], total: 2 };
    let (_, body) = Stage::new(false, more).call("", "GET", "/api/ws/online", "").await;
    assert_eq!((&body["count"], &body["total"], &body["truncated"]), (&json!(1), &json!(2), &json!(true)));
}

#[tokio::test]
async fn a_room_names_its_members_to_those_who_may_see_it() {
    let stage = Stage::new(false, homes);
    let want = json!({ "room_id": "r", "members": ["a", "b"], "count": 2 });
    assert_eq!(stage.call("t1/u", "GET", "/api/ws/rooms/r", "").await, (200, want));
    let asked: Vec<_> = stage.asked.borrow().iter().map(|(name, ..)| name.clone()).collect();
    assert_eq!(asked, vec![named(Dialect::Nexus, "t1", Kind::Room, "r")]);
    let hidden = |op: &Op| match op {
        Op::ListMembers => Reply::Refused(Refusal::new(Code::NotFound, "Room not found")),
        other => panic!("{other:?}"),
    };
    let answer = Stage::new(false, hidden).call("u", "GET", "/api/ws/rooms/r", "").await;
    assert_eq!(answer, (404, json!({ "error": "Room not found", "code": "not_found" })));
}

#[tokio::test]
async fn presence_of_somebody_and_of_nobody() {
    let stage = Stage::new(false, homes);
    let a = json!({
        "user_id": "a", "status": "away", "status_message": "In a meeting", "location": "Meeting Room",
        "last_seen": "1970-01-01T00:00:05.999Z",
    });
    assert_eq!(stage.call("", "GET", "/api/presence/a", "").await, (200, a));
    let never = json!({
        "user_id": "x", "status": "offline", "status_message": null, "location": null, "last_seen": null,
    });
    assert_eq!(stage.call("", "GET", "/api/presence/x", "").await, (200, never));
}

#[tokio::test]
async fn a_notification_is_sent_to_one_user() {
    let stage = Stage::new(false, homes);
    let id = MessageId::random(7).to_string();
    let sent = json!({ "status": "sent", "delivered": true, "notification_id": id });
    for token in ["", "t1/u"] {
        assert_eq!(stage.call(token, "POST", "/api/notifications/send", NOTICE).await, (200, sent.clone()));
        let (name, op, _) = stage.last();
        let tenant = if token.is_empty() { "default" } else { "t1" };
        assert_eq!(name, named(Dialect::Nexus, tenant, Kind::User, "u"));
        let Op::Notify { notification: told, transit: false } = op else { panic!("{op:?}") };
        assert_eq!(*told, notification("warning", Priority::High));
    }
    let plain = r#"{"user_id":"u","title":"T","message":"M"}"#;
    stage.call("", "POST", "/api/notifications/send", plain).await;
    let (_, op, _) = stage.last();
    assert!(
        matches!(op, Op::Notify { notification: told, transit: false } if *told == notification("info", Priority::Normal))
    );
}

#[tokio::test]
async fn a_notification_is_sent_to_everybody_of_the_tenant() {
    let stage = Stage::new(true, homes);
    let (status, body) = stage.call("t1/svc+publish", "POST", "/api/notifications/broadcast", NOTICE).await;
    assert_eq!((status, &body["status"], &body["delivered"]), (200, &json!("sent"), &json!(true)));
    let (_, op, _) = stage.last();
    let Op::AnnounceAll { tenant, event: Event::Notification(told), .. } = op else { panic!("{op:?}") };
    assert_eq!((tenant.as_deref(), &*told), (Some("t1"), &notification("warning", Priority::High)));
    assert_eq!(stage.status("u", "POST", "/api/notifications/broadcast", NOTICE).await, 403);
}

#[tokio::test]
async fn a_field_that_is_wrong_is_named_with_422() {
    let stage = Stage::new(true, homes);
    for (field, wrong) in [
        ("user_id", json!(null)),
        ("user_id", json!(5)),
        ("user_id", json!("")),
        ("title", json!(null)),
        ("title", json!([])),
        ("message", json!(null)),
        ("notification_type", json!("shout")),
        ("notification_type", json!(1)),
        ("priority", json!("whenever")),
        ("priority", json!(1)),
    ] {
        let mut body: Value = serde_json::from_str(NOTICE).expect("JSON");
        body[field] = wrong;
        let (status, fault) =
            stage.call("s+publish", "POST", "/api/notifications/send", &body.to_string()).await;
        assert_eq!((status, &fault["field"]), (422, &json!(field)), "{body}");
        assert!(fault["error"].as_str().is_some_and(|text| text.starts_with(field)), "{fault}");
        if field != "user_id" {
            let broadcast = "/api/notifications/broadcast";
            assert_eq!(stage.status("s+publish", "POST", broadcast, &body.to_string()).await, 422);
        }
    }
    assert_eq!(stage.status("s+publish", "POST", "/api/notifications/send", "[]").await, 400);
}
