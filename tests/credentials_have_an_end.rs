//! Who must authenticate does so in time, and when a credential ends its connection does.

mod support;

use serde_json::json;
use support::{TestServer, masked, token};

#[tokio::test]
async fn who_does_not_authenticate_in_time_is_closed() {
    let server = TestServer::start("[tusk]\nrequire_auth = true\nconnection_timeout = 0.3");
    let mut client = server.client().await;
    client.send(json!({ "type": "join_room", "room": "hall" })).await;
    assert_eq!(client.recv().await, json!({ "type": "error", "message": "Authentication required" }));
    client.send(json!({ "type": "auth", "token": token("anna", 3600) + "x" })).await;
    assert_eq!(client.recv().await, json!({ "type": "auth_failed", "message": "Invalid token" }));
    assert_eq!(client.closed().await, (1008, "authentication timeout".into()));
}

#[tokio::test]
async fn who_authenticates_in_time_stays() {
    let settings = "[tusk]\nrequire_auth = true\nconnection_timeout = 0.5\nheartbeat_interval = 0.1";
    let server = TestServer::start(settings);
    let mut raw = server.raw().await;
    raw.text(&json!({ "type": "auth", "token": token("anna", 3600) }).to_string()).await;
    // The server's heartbeats tell the time: ten of them are twice what was allowed.
    let mut pings = 0;
    while pings < 10 {
        let frame = raw.frame().await;
        match frame.first {
            0x89 => pings += 1,
            _ => assert!(frame.text().contains(r#""anna""#), "{frame:?}"),
        }
        raw.write(&masked(0x8a, b"")).await;
    }
}

#[tokio::test]
async fn where_nobody_must_authenticate_nobody_is_hurried() {
    let server = TestServer::start("[tusk]\nconnection_timeout = 0.1\nheartbeat_interval = 0.1");
    let mut raw = server.raw().await;
    for _ in 0..5 {
        assert_eq!(raw.frame().await.first, 0x89);
    }
}

#[tokio::test]
async fn the_end_of_a_token_ends_its_connection() {
    let server = TestServer::start("");
    let mut client = server.client().await;
    let mut other = server.client().await;
    other.auth("ben").await;
    client.send(json!({ "type": "auth", "token": token("anna", 2) })).await;
    assert_eq!(client.expect("auth_success").await["user"]["id"], "anna");
    assert_eq!(client.closed().await, (1008, "credential expired".into()));
    let gone = loop {
        let update = other.expect("presence_update").await;
        if update["userId"] == "anna" && update["status"] == "offline" {
            break update;
        }
    };
    assert!(gone["timestamp"].is_u64(), "{gone}");
}

#[tokio::test]
async fn a_token_that_has_ended_is_no_token() {
    let server = TestServer::start("");
    let mut client = server.client().await;
    for wrong in [token("anna", 0), token("anna", 3600) + "x", String::new()] {
        client.send(json!({ "type": "auth", "token": wrong })).await;
        assert_eq!(client.recv().await, json!({ "type": "auth_failed", "message": "Invalid token" }));
    }
    client.auth("anna").await;
}

#[tokio::test]
async fn a_newer_token_carries_the_connection_on() {
    let server = TestServer::start("[tusk]\nheartbeat_interval = 0.5\npresence_broadcast = false");
    let mut raw = server.raw().await;
    for seconds in [1, 3600] {
        raw.text(&json!({ "type": "auth", "token": token("anna", seconds) }).to_string()).await;
        assert!(raw.frame().await.text().contains("auth_success"));
    }
    for _ in 0..5 {
        assert_eq!(raw.frame().await.first, 0x89);
        raw.write(&masked(0x8a, b"")).await;
    }
    raw.expect_alive().await;
}
