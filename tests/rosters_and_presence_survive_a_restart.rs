//! Contacts, how somebody was, and when it was last seen, are known after a restart.

mod support;

use serde_json::{Value, json};
use support::{Folder, Nexus, Sge, TestServer, now};

async fn roster(server: &TestServer, user: &str) -> Value {
    server.rest_as(json!({ "sub": user }), "GET", "/xmpp/roster", None).await.json()["contacts"].clone()
}

#[tokio::test]
async fn a_roster_is_as_it_was_and_its_contacts_are_watched_again() {
    let folder = Folder::new();
    let server = TestServer::start_on(folder.path(), "");
    let mut ann = server.speaker(Sge, "ann").await;
    for contact in [
        json!({ "user_id": "ben", "name": "Ben", "groups": ["friends", "choir"] }),
        json!({ "user_id": "carl" }),
        json!({ "user_id": "dora", "name": "Dora" }),
        json!({ "user_id": "ben", "name": "Benjamin", "groups": ["family"] }),
    ] {
        ann.send(&json!({ "type": "RosterUpdate", "contact": contact })).await;
        ann.expect(json!({ "type": "Roster" })).await;
    }
    ann.send(&json!({ "type": "RosterRemove", "user_id": "carl" })).await;
    ann.expect(json!({ "type": "Roster" })).await;
    let by_rest = json!({ "user_id": "emil", "groups": ["choir"] });
    server.rest_as(json!({ "sub": "ann" }), "POST", "/xmpp/roster", Some(by_rest)).await;
    let before = roster(&server, "ann").await;
    assert_eq!(before.as_array().map(Vec::len), Some(3), "{before}");
    drop(ann);
    let server = server.again(folder.path(), "").await;
    let mut after = roster(&server, "ann").await;
    let order = |contacts: &mut Value| {
        contacts.as_array_mut().expect("contacts").sort_by_key(|c| c["user_id"].to_string());
    };
    let mut wanted = before;
    order(&mut wanted);
    order(&mut after);
    assert_eq!(after, wanted);
    assert_eq!(roster(&server, "ben").await, json!([]), "another one's");
    let mut ann = server.speaker(Sge, "ann").await;
    ann.send(&json!({ "type": "RosterGet" })).await;
    ann.expect(json!({ "type": "Roster" })).await;
    let _ben = server.speaker(Sge, "ben").await;
    ann.expect(json!({ "type": "PresenceStatus", "user_id": "ben", "status": "online" })).await;
    let _carl = server.speaker(Sge, "carl").await;
    ann.expect_nothing().await;
}

#[tokio::test]
async fn how_somebody_was_and_when_it_was_last_seen_is_known_for_sge_and_nexus() {
    let folder = Folder::new();
    let began = now();
    let server = TestServer::start_on(folder.path(), "");
    let mut ann = server.speaker(Sge, "ann").await;
    for (status, words) in [("away", "at lunch"), ("busy", "in a meeting"), ("online", "back")] {
        let update =
            json!({ "type": "PresenceUpdate", "user_id": "ann", "status": status, "status_message": words });
        ann.send(&update).await;
        ann.expect_nothing().await;
    }
    let nexus = server.speaker(Nexus, "ann").await;
    ann.close().await;
    nexus.close().await;
    server.nobody_is_online().await;
    let paths = ["/xmpp/presence/ann/history", "/xmpp/presence/ann", "/api/presence/ann"];
    let mut before = Vec::new();
    for path in paths {
        before.push(server.rest("GET", path, None).await.json());
    }
    let words: Vec<&Value> =
        before[0]["history"].as_array().expect("a history").iter().map(|p| &p["message"]).collect();
    assert!(words.contains(&&json!("in a meeting")), "{before:?}");
    assert_eq!(before[1]["status"], "offline", "{before:?}");
    let last_seen = before[1]["timestamp"].as_u64().expect("a moment");
    assert!((began..=now()).contains(&last_seen));
    let server = server.again(folder.path(), "").await;
    for (path, before) in paths.into_iter().zip(&before) {
        let mut after = server.rest("GET", path, None).await.json();
        let mut before = before.clone();
        // When the answer was made is not when somebody was seen.
        for answer in [&mut after, &mut before] {
            if path.starts_with("/api/") {
                answer.as_object_mut().expect("an object").remove("timestamp");
            }
        }
        assert_eq!(after, before, "{path}");
    }
    assert_eq!(server.rest("GET", "/xmpp/presence", None).await.json(), json!({}), "nobody is online");
    assert_eq!(server.rest("GET", "/xmpp/presence/nobody", None).await.status, 404);
    server.stop().await;
}
