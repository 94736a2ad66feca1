//! What the log never shows, and what a server that keeps nothing leaves behind.

mod support;

use serde_json::json;
use support::{Client, Process, SECRET, token};

#[tokio::test]
async fn the_log_shows_no_token_no_secret_no_password_and_no_payload() {
    let flags = ["--log-level", "trace", "--jwt-secret", SECRET];
    let mut server = Process::start(&flags, "").await;
    let bearer = token("ann", 60);
    let mut client = Client::connect(server.address).await;
    client.send(json!({ "type": "auth", "token": bearer })).await;
    client.send(json!({ "type": "auth", "token": format!("{bearer}x") })).await;
    client.send(json!({ "type": "join_room", "room": "hall", "password": "open-sesame" })).await;
    client.send(json!({ "type": "broadcast", "room": "hall", "message": "between-us-only" })).await;
    client.send(json!({ "type": "private_message", "to": "bob", "message": "for-bob-alone" })).await;
    client.expect("message_sent").await;
    client.close().await;
    server.terminate();
    assert_eq!(server.exit_code().await, Some(0));
    let log = server.whole_log().await;
    assert!(log.contains("connection closed") && log.contains("authentication failed"), "{log}");
    for hidden in [&*bearer, SECRET, "open-sesame", "between-us-only", "for-bob-alone"] {
        assert!(!log.contains(hidden), "{hidden} is in the log:\n{log}");
    }
}

#[tokio::test]
async fn without_a_data_folder_no_file_is_left() {
    let mut server = Process::start(&[], "").await;
    let mut client = Client::connect(server.address).await;
    client.join("hall").await;
    client.say("hall", "volatile").await;
    client.close().await;
    server.terminate();
    assert_eq!(server.exit_code().await, Some(0));
    let files = std::fs::read_dir(&server.folder).expect("is there").map(|f| f.expect("is read").file_name());
    assert_eq!(files.collect::<Vec<_>>(), ["lanecast.toml"]);
}
