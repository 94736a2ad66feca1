//! A user is online while one of its devices is, whatever it says of itself; others are told once of each change, and
//! silent devices are found out.

mod support;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Aegisx, Gator, Nexus, Raw, Sge, Speaker, TestServer, Tongue, Tusk, masked, signed};

/// How a dialect tells others that a user came.
fn came(tongue: Tongue, user: &str) -> Value {
    match tongue {
        Sge => json!({ "type": "PresenceStatus", "user_id": user, "status": "online" }),
        Nexus => json!({ "event_type": "presence.online", "user_id": user }),
        Gator => json!({ "type": "presence_update", "user_id": user, "online": true }),
        Tusk => json!({ "type": "presence_update", "userId": user, "status": "online" }),
        Aegisx => unreachable!("it has no presence"),
    }
}

/// And that it went.
fn went(tongue: Tongue, user: &str) -> Value {
    match tongue {
        Sge => json!({ "type": "PresenceStatus", "user_id": user, "status": "offline" }),
        Nexus => json!({ "event_type": "presence.offline", "user_id": user }),
        Gator => json!({ "type": "presence_update", "user_id": user, "online": false }),
        Tusk => json!({ "type": "presence_update", "userId": user, "status": "offline" }),
        Aegisx => unreachable!("it has no presence"),
    }
}

/// Who is told how `user` is.
async fn watcher(server: &TestServer, tongue: Tongue, user: &str) -> Speaker {
    let mut watcher = server.speaker(tongue, "watcher").await;
    if tongue == Sge {
        let channel = format!("presence:{user}");
        watcher.send(&json!({ "type": "Subscribe", "channel": channel })).await;
        watcher.next_is(json!({ "type": "Subscribed", "channel": channel })).await;
    } else if tongue == Tusk {
        // Tusk tells a user of itself too; that is of no interest here.
        watcher.expect_nothing().await;
    }
    watcher
}

#[tokio::test]
async fn a_user_comes_with_its_first_device_and_goes_with_its_last() {
    for tongue in [Sge, Nexus, Gator, Tusk] {
        let server = TestServer::start("");
        let mut watcher = watcher(&server, tongue, "ann").await;
        let first = server.speaker(tongue, "ann").await;
        watcher.next_is(came(tongue, "ann")).await;
        let second = server.speaker(tongue, "ann").await;
        let third = server.speaker(tongue, "ann").await;
        if tongue == Tusk {
            // The document tells of every authentication (TUS-18).
            watcher.next_is(came(tongue, "ann")).await;
            watcher.next_is(came(tongue, "ann")).await;
        }
        second.close().await;
        first.close().await;
        server.metric_becomes("lanecast_connections_open", 2.0).await;
        watcher.expect_nothing().await;
        third.close().await;
        watcher.next_is(went(tongue, "ann")).await;
        watcher.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_a_device_gone() {
    for tongue in [Sge, Nexus, Gator, Tusk] {
        let server = TestServer::start("");
        let mut watcher = watcher(&server, tongue, "ann").await;
        let only = server.speaker(tongue, "ann").await;
        watcher.next_is(came(tongue, "ann")).await;
        drop(only);
        watcher.next_is(went(tongue, "ann")).await;
    }
}

#[tokio::test]
async fn nexus_tells_what_a_user_says_of_itself_and_rest_shows_it() {
    let server = TestServer::start("");
    let mut bob = server.speaker(Nexus, "bob").await;
    let mut ann = server.speaker(Nexus, "ann").await;
    bob.next_is(came(Nexus, "ann")).await;
    for status in ["away", "busy", "online"] {
        let update = json!({ "event_type": "presence.update", "status": status, "status_message": "In a meeting",
            "location": "Meeting Room" });
        ann.send(&update).await;
        let told = bob.next_is(update).await;
        assert_eq!(told["user_id"], "ann");
        bob.next_is(json!({ "event_type": format!("presence.{status}"), "user_id": "ann" })).await;
        let shown = server.rest("GET", "/api/presence/ann", None).await.json();
        assert_eq!(
            (&shown["status"], &shown["location"]),
            (&json!(status), &json!("Meeting Room")),
            "{shown}"
        );
        assert_eq!(shown["status_message"], "In a meeting");
    }
    // The same status again: an update, and no change.
    ann.send(&json!({ "event_type": "presence.update", "status": "online", "status_message": "here" })).await;
    bob.next_is(json!({ "event_type": "presence.update", "status_message": "here", "location": null })).await;
    bob.expect_nothing().await;
    // One who says it is offline is there and not shown as such.
    ann.send(&json!({ "event_type": "presence.offline" })).await;
    bob.next_is(json!({ "event_type": "presence.update", "status": "offline" })).await;
    bob.next_is(went(Nexus, "ann")).await;
    let online = server.rest("GET", "/api/ws/online", None).await.json();
    assert_eq!(online["users"], json!(["bob"]), "{online}");
    ann.close().await;
    bob.expect(went(Nexus, "ann")).await;
    let shown = server.rest("GET", "/api/presence/ann", None).await.json();
    assert_eq!((&shown["status"], &shown["status_message"]), (&json!("offline"), &Value::Null), "{shown}");
    assert!(shown["last_seen"].is_string(), "{shown}");
    let never = server.rest("GET", "/api/presence/nobody", None).await.json();
    assert_eq!((&never["status"], &never["last_seen"]), (&json!("offline"), &Value::Null), "{never}");
}

#[tokio::test]
async fn sge_tells_those_who_watch_and_rest_shows_it() {
    let server = TestServer::start("");
    let mut bob = watcher(&server, Sge, "ann").await;
    let mut ann = server.speaker(Sge, "ann").await;
    bob.next_is(came(Sge, "ann")).await;
    for status in ["away", "busy", "offline", "online"] {
        let update =
            json!({ "type": "PresenceUpdate", "user_id": "ann", "status": status, "status_message": "hm" });
        ann.send(&update).await;
        let told =
            json!({ "type": "PresenceStatus", "user_id": "ann", "status": status, "status_message": "hm" });
        assert!(bob.next_is(told).await["timestamp"].is_u64());
        let shown = server.rest_as(json!({ "sub": "bob" }), "GET", "/xmpp/presence/ann", None).await.json();
        assert_eq!((&shown["status"], &shown["message"]), (&json!(status), &json!("hm")), "{shown}");
    }
    let body = json!({ "user_id": "ann", "status": "busy", "message": "by REST" });
    let answer = server.rest_as(json!({ "sub": "ann" }), "POST", "/xmpp/presence", Some(body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    bob.next_is(json!({ "type": "PresenceStatus", "status": "busy", "status_message": "by REST" })).await;
    ann.close().await;
    bob.next_is(went(Sge, "ann")).await;
    let list = server.rest_as(json!({ "sub": "bob" }), "GET", "/xmpp/presence", None).await.json();
    assert!(list.get("ann").is_none() || list["ann"]["status"] == "offline", "{list}");
    let history =
        server.rest_as(json!({ "sub": "ann" }), "GET", "/xmpp/presence/ann/history", None).await.json();
    assert!(history.to_string().matches("\"busy\"").count() == 2, "{history}");
}

#[tokio::test]
async fn beyond_the_limit_only_those_who_share_a_room_are_told() {
    for shards in [1, 2] {
        let settings = format!("[server]\nshards = {shards}\n[nexus]\npresence_broadcast_limit = 2");
        let server = TestServer::start(&settings);
        let mut near = server.speaker(Nexus, "near").await;
        let mut ann = server.speaker(Nexus, "ann").await;
        near.next_is(came(Nexus, "ann")).await;
        for member in [&mut near, &mut ann] {
            member.join("hall").await;
        }
        let mut far = server.speaker(Nexus, "far").await;
        server.metric_becomes("lanecast_users_online", 3.0).await;
        ann.send(&json!({ "event_type": "presence.update", "status": "busy" })).await;
        near.expect(json!({ "event_type": "presence.update", "user_id": "ann", "status": "busy" })).await;
        near.expect(json!({ "event_type": "presence.busy", "user_id": "ann" })).await;
        far.expect_nothing().await;
    }
}

#[tokio::test]
async fn switched_off_nobody_is_told_realm_wide() {
    for tongue in [Nexus, Gator, Tusk] {
        let server = TestServer::start(&format!("[{}]\npresence_broadcast = false", tongue.name()));
        let mut watcher = watcher(&server, tongue, "ann").await;
        let ann = server.speaker(tongue, "ann").await;
        ann.close().await;
        server.metric_becomes("lanecast_connections_open", 1.0).await;
        watcher.expect_nothing().await;
    }
}

/// Settings under which a silent connection is soon found out, and how it is told.
const SILENT: [(Tongue, &str, (u16, &str)); 5] = [
    (Sge, "[sge]\nws_heartbeat_interval = 0.1", (1001, "idle timeout")),
    (
        Nexus,
        "[nexus]\nwebsocket_heartbeat_interval = 0.1\nwebsocket_heartbeat_timeout = 0.3",
        (1001, "idle timeout"),
    ),
    (Aegisx, "[aegisx]\ncleanup_interval = 0.1\nidle_timeout = 0.3", (1001, "idle timeout")),
    (
        Aegisx,
        "[aegisx]\ncleanup_interval = 0.1\nidle_timeout = 0\ninactive_threshold = 0.3",
        (1001, "inactive"),
    ),
    (Tusk, "[tusk]\nheartbeat_interval = 0.1\nidle_timeout = 0.3", (1001, "idle timeout")),
];

#[tokio::test]
async fn a_half_open_connection_is_found_out() {
    // The end of TCP is waited for a while when nobody answers the Close: all at once.
    let cases = SILENT.map(|(tongue, settings, close)| async move {
        let server = TestServer::start(settings);
        let token = signed(json!({ "sub": "ann", "tenantId": "t1" }));
        let mut raw = Raw::upgraded_to(&tongue.path_with("ann", &token), server.address).await;
        let begun = Instant::now();
        let mut pings = 0;
        let told = loop {
            let frame = raw.frame().await;
            match frame.first {
                0x88 => break frame.close(),
                0x89 => pings += 1,
                _ => {}
            }
        };
        assert_eq!((told.0, &*told.1), close, "{tongue:?}");
        assert!(begun.elapsed() >= Duration::from_millis(150), "{tongue:?} after {:?}", begun.elapsed());
        assert!(pings > 0, "{tongue:?}");
        assert!(raw.ended().await.is_empty());
        server.metric_becomes("lanecast_connections_open", 0.0).await;
        server.metric_becomes("lanecast_users_online", 0.0).await;
    });
    join_all(cases).await;
}

#[tokio::test]
async fn who_answers_pings_stays() {
    let cases = SILENT.map(|(tongue, settings, _)| async move {
        let server = TestServer::start(settings);
        let token = signed(json!({ "sub": "ann", "tenantId": "t1" }));
        let mut raw = Raw::upgraded_to(&tongue.path_with("ann", &token), server.address).await;
        let mut pings = 0;
        while pings < 8 {
            let frame = raw.frame().await;
            assert_ne!(frame.first, 0x88, "{tongue:?} {frame:?}");
            if frame.first == 0x89 {
                raw.write(&masked(0x8a, &frame.payload)).await;
                pings += 1;
            }
        }
    });
    join_all(cases).await;
}

#[tokio::test]
async fn nexus_pings_in_words_too_and_words_keep_alive() {
    let server =
        TestServer::start("[nexus]\nwebsocket_heartbeat_interval = 0.1\nwebsocket_heartbeat_timeout = 0.3");
    let path = Nexus.path_with("ann", &signed(json!({ "sub": "ann" })));
    let mut raw = Raw::upgraded_to(&path, server.address).await;
    let mut pings = 0;
    while pings < 8 {
        let frame = raw.frame().await;
        assert_ne!(frame.first, 0x88, "{frame:?}");
        if frame.first == 0x81 && frame.text().contains(r#""event_type":"ping""#) {
            raw.text(r#"{"event_type":"pong"}"#).await;
            pings += 1;
        }
    }
}

#[tokio::test]
async fn nexus_without_automatic_pings_sends_none() {
    let server = TestServer::start(
        "[nexus]\nenable_auto_ping = false\nwebsocket_heartbeat_interval = 0.1\nwebsocket_heartbeat_timeout = 0.4",
    );
    let path = Nexus.path_with("ann", &signed(json!({ "sub": "ann" })));
    let mut raw = Raw::upgraded_to(&path, server.address).await;
    assert!(raw.frame().await.text().contains("system.message"));
    assert_eq!(raw.frame().await.close(), (1001, "idle timeout".into()));
}

#[tokio::test]
async fn gator_lists_each_user_once_however_many_its_devices() {
    let server = TestServer::start("");
    let mut devices = Vec::new();
    for _ in 0..3 {
        devices.push(server.speaker(Gator, "ann").await);
    }
    let token = signed(json!({ "sub": "bob" }));
    let mut bob = Speaker::connect(server.address, Gator, &Gator.path_with("bob", &token)).await;
    let hello = bob.next_is(json!({ "type": "online_users" })).await;
    let mut users: Vec<_> = hello["users"].as_array().expect("a list").iter().map(Value::to_string).collect();
    users.sort();
    assert_eq!(users, [r#""ann""#, r#""bob""#]);
    bob.send(&json!({ "type": "get_online_status", "user_ids": ["ann", "ann", "eve"] })).await;
    let answer = bob.next_is(json!({ "type": "online_users" })).await;
    assert_eq!(answer["users"], json!(["ann"]), "{answer}");
}
