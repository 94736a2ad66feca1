//! What waits for a user comes after a restart in the order of its priority, once; what was read or cleared is known as
//! that to whoever asks what it missed.

mod support;

use serde_json::{Value, json};
use support::{Folder, Nexus, Sge, Speaker, TestServer, place, signed};

const QUIET: &str = "[nexus]\npresence_broadcast = false\n";

async fn notify(server: &TestServer, user: &str, title: &str, priority: &str) {
    let body = json!({ "user_id": user, "title": title, "message": "m", "notification_type": "info",
        "priority": priority });
    let answer = server.rest("POST", "/api/notifications/send", Some(body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

fn notification(title: &str) -> Value {
    json!({ "event_type": "notification", "title": title })
}

/// A connection that has read nothing but its greeting, and that.
async fn arriving(server: &TestServer, user: &str, query: &str) -> (Speaker, Value) {
    let path = Nexus.path_asking(user, &signed(json!({ "sub": user })), query);
    let mut speaker = Speaker::connect(server.address, Nexus, &path).await;
    let greeting = speaker.next_is(json!({ "event_type": "system.message", "user_id": user })).await;
    (speaker, greeting)
}

#[tokio::test]
async fn the_more_urgent_come_first_and_nothing_comes_twice() {
    let folder = Folder::new();
    let server = TestServer::start_on(folder.path(), QUIET);
    for (title, priority) in
        [("1", "low"), ("2", "normal"), ("3", "urgent"), ("4", "high"), ("5", "normal"), ("6", "urgent")]
    {
        notify(&server, "ann", title, priority).await;
    }
    let server = server.again(folder.path(), QUIET).await;
    notify(&server, "ann", "7", "high").await;
    let (mut ann, _) = arriving(&server, "ann", "").await;
    for title in ["3", "6", "4", "7", "2", "5", "1"] {
        ann.next_is(notification(title)).await;
    }
    ann.expect_nothing().await;
    ann.close().await;
    let server = server.again(folder.path(), QUIET).await;
    let (mut ann, _) = arriving(&server, "ann", "").await;
    ann.expect_nothing().await;
    drop(ann);
    server.stop().await;
}

#[tokio::test]
async fn what_was_read_or_cleared_is_told_to_one_who_missed_it() {
    let folder = Folder::new();
    let server = TestServer::start_on(folder.path(), QUIET);
    let (mut phone, greeting) = arriving(&server, "ann", "seq=1").await;
    let start = place(Nexus, &greeting);
    assert_eq!(start.seq, 0);
    let mut ids = Vec::new();
    for title in ["one", "two", "three"] {
        notify(&server, "ann", title, "normal").await;
        ids.push(phone.next_is(notification(title)).await["notification_id"].clone());
    }
    let read = json!({ "event_type": "notification.read", "notification_id": ids[0] });
    let clear = json!({ "event_type": "notification.clear", "notification_id": ids[1] });
    let (mut desk, _) = arriving(&server, "ann", "").await;
    for message in [&read, &clear] {
        phone.send(message).await;
        desk.next_is(message.clone()).await;
    }
    drop((phone, desk));
    let server = server.again(folder.path(), QUIET).await;
    let (mut desk, greeting) = arriving(&server, "ann", &format!("since={}", start.since())).await;
    let there = place(Nexus, &greeting);
    assert_eq!((&there.epoch, there.seq), (&start.epoch, 5));
    for (seq, event) in
        [notification("one"), notification("two"), notification("three"), read, clear].into_iter().enumerate()
    {
        let told = desk.next_is(event).await;
        assert_eq!(told["seq"], seq as u64 + 1, "{told}");
    }
    desk.expect_nothing().await;
    notify(&server, "ann", "four", "normal").await;
    assert_eq!(desk.next_is(notification("four")).await["seq"], 6);
    drop(desk);
    server.stop().await;
}

#[tokio::test]
async fn what_a_device_has_no_words_for_waits_on_for_one_that_has() {
    // In a realm of two dialects something may wait that those who are there have no words for.
    let settings = "[nexus]\nrealm = 'one'\npresence_broadcast = false\n[sge]\nrealm = 'one'";
    let folder = Folder::new();
    let server = TestServer::start_on(folder.path(), settings);
    let mut ben = server.speaker(Sge, "ben").await;
    let chat =
        json!({ "type": "ChatMessage", "message": { "from": "ben", "to": "ann", "message": "for SGE" } });
    ben.send(&chat).await;
    ben.next_is(json!({ "type": "ChatMessage" })).await;
    let (mut nexus, _) = arriving(&server, "ann", "").await;
    nexus.expect_nothing().await;
    nexus.close().await;
    drop(ben);
    let server = server.again(folder.path(), settings).await;
    let (mut nexus, _) = arriving(&server, "ann", "").await;
    nexus.expect_nothing().await;
    let mut ann = server.speaker(Sge, "ann").await;
    ann.next_is(json!({ "type": "ChatMessage", "message": { "message": "for SGE" } })).await;
    ann.expect_nothing().await;
    drop((nexus, ann));
    let server = server.again(folder.path(), settings).await;
    server.speaker(Sge, "ann").await.expect_nothing().await;
    server.stop().await;
}
