//! With `--data-dir none` nothing outlasts the process, and as long as it lives all is as with a store: what was made,
//! entered, said and sent is there for whoever comes back.

mod support;

use serde_json::{Value, json};
use support::{Nexus, Place, Process, Sge, Speaker, TestServer, Tusk, place, signed};

const QUIET: &str =
    "[nexus]\npresence_broadcast = false\n[tusk]\npresence_broadcast = false\nmessage_rate_limit = 0";

#[tokio::test]
async fn rooms_made_by_hand_stay_when_nobody_is_in() {
    let server = TestServer::start(QUIET);
    let admin = json!({ "sub": "root", "roles": ["admin"] });
    let room = json!({ "name": "vault", "public": false, "password": "open sesame", "max_members": 7 });
    let made = server.rest_as(admin.clone(), "POST", "/rooms", Some(room)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let described = async || server.rest_as(admin.clone(), "GET", "/rooms/vault", None).await.json();
    let before = described().await;
    let mut ann = server.speaker(Tusk, "ann").await;
    ann.send(&json!({ "type": "join_room", "room": "vault", "password": "open sesame" })).await;
    ann.expect(Tusk.joined("vault")).await;
    assert_eq!(described().await["member_count"], 1);
    ann.close().await;
    server.nobody_is_online().await;
    assert_eq!(described().await, before);
}

#[tokio::test]
async fn rosters_and_how_somebody_was_are_known_when_all_have_gone() {
    let server = TestServer::start(QUIET);
    let mut ann = server.speaker(Sge, "ann").await;
    ann.send(&json!({ "type": "RosterUpdate", "contact": { "user_id": "ben", "name": "Ben" } })).await;
    ann.expect(json!({ "type": "Roster" })).await;
    let busy = json!({ "type": "PresenceUpdate", "user_id": "ann", "status": "busy", "status_message": "m" });
    ann.send(&busy).await;
    ann.expect_nothing().await;
    ann.close().await;
    server.nobody_is_online().await;
    let roster = server.rest_as(json!({ "sub": "ann" }), "GET", "/xmpp/roster", None).await.json();
    assert_eq!(roster["contacts"][0]["name"], "Ben", "{roster}");
    let history = server.rest("GET", "/xmpp/presence/ann/history", None).await.json();
    let told: Vec<&Value> =
        history["history"].as_array().expect("a history").iter().map(|p| &p["status"]).collect();
    assert_eq!(told, ["busy"], "{history}");
    assert_eq!(server.rest("GET", "/xmpp/presence/ann", None).await.json()["status"], "offline");
}

/// A NEXUS connection that says where its inbox stopped; its position.
async fn back(server: &TestServer, query: &str) -> (Speaker, Place) {
    let path = Nexus.path_asking("ann", &signed(json!({ "sub": "ann" })), query);
    let mut speaker = Speaker::connect(server.address, Nexus, &path).await;
    let greeting = speaker.next_is(json!({ "event_type": "system.message", "user_id": "ann" })).await;
    (speaker, place(Nexus, &greeting))
}

#[tokio::test]
async fn an_inbox_goes_on_where_it_stopped() {
    let server = TestServer::start(QUIET);
    let (ann, start) = back(&server, "seq=1").await;
    ann.close().await;
    server.nobody_is_online().await;
    for title in ["one", "two", "three"] {
        let body = json!({ "user_id": "ann", "title": title, "message": "m", "notification_type": "info",
            "priority": "normal" });
        assert_eq!(server.rest("POST", "/api/notifications/send", Some(body)).await.status, 200);
    }
    let told = |title: &str| json!({ "event_type": "notification", "title": title });
    for _ in 0..2 {
        let (mut ann, there) = back(&server, &format!("since={}:1", start.epoch)).await;
        assert_eq!(there, Place { seq: 3, ..start.clone() });
        for (seq, title) in [(2, "two"), (3, "three")] {
            assert_eq!(ann.next_is(told(title)).await["seq"], seq);
        }
        ann.expect_nothing().await;
        ann.close().await;
        server.nobody_is_online().await;
    }
    let (mut ann, _) = back(&server, &format!("since={}:0", start.epoch)).await;
    for title in ["one", "two", "three"] {
        ann.next_is(told(title)).await;
    }
    ann.expect_nothing().await;
}

#[tokio::test]
async fn another_process_knows_nothing_and_says_so() {
    let mut process = Process::start(&["--shards", "2"], "[server]\npin = false").await;
    let come = async |process: &Process, since: Option<&Place>| {
        let path = Sge.path_with("ann", "ann");
        let mut ann = Speaker::connect(process.address, Sge, &path).await;
        ann.user = "ann".into();
        match since {
            Some(since) => ann.send(&support::join_since(Sge, "hall", since)).await,
            None => ann.send(&Sge.join("hall")).await,
        }
        let there = place(Sge, &ann.expect(Sge.joined("hall")).await);
        (ann, there)
    };
    let (mut ann, _) = come(&process, None).await;
    ann.say("hall", "hello").await;
    ann.hear("ann", "hall", "hello").await;
    let (_, stopped) = come(&process, None).await;
    assert_eq!(stopped.seq, 1);
    let files: Vec<_> =
        std::fs::read_dir(&process.folder).expect("is there").map(|f| f.expect("a file")).collect();
    assert_eq!(files.len(), 1, "nothing but its settings: {files:?}");
    process.kill().await;
    let process = Process::start_in(&process.folder, &["--shards", "2"], "[server]\npin = false").await;
    let (mut ann, there) = come(&process, Some(&stopped)).await;
    assert_ne!(there.epoch, stopped.epoch);
    assert_eq!(place(Sge, &ann.next_is(support::gap(Sge, "hall")).await), there);
    std::fs::remove_dir_all(&process.folder).expect("is removed");
}
