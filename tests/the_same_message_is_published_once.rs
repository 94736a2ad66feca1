//! What is said again under the same name is answered as the first time, and nobody hears it twice: at once, after a
//! reconnect, and with a store after a restart.

mod support;

use serde_json::{Value, json};
use support::{Aegisx, Folder, Gator, Nexus, Sge, Speaker, TONGUES, TestServer, Tongue, Tusk, seq};

/// Says that in the hall under a name of its own.
fn named(tongue: Tongue, user: &str, text: &str, name: &str) -> Value {
    let mut message = tongue.say(user, "hall", text);
    match tongue {
        Sge => message["message"]["id"] = name.into(),
        Aegisx => message["data"]["id"] = name.into(),
        Nexus | Gator => message["message_id"] = name.into(),
        Tusk => message["id"] = name.into(),
    }
    message
}

fn id(tongue: Tongue, frame: &Value) -> Value {
    match tongue {
        Gator => frame["message"]["id"].clone(),
        Nexus => frame["message_id"].clone(),
        Sge => frame["message"]["id"].clone(),
        Aegisx | Tusk => Value::Null,
    }
}

/// Sends that, and is answered. Who says it first in AegisX hears nothing of itself.
async fn answered(speaker: &mut Speaker, message: &Value, text: &str) -> (Value, Option<u64>) {
    let (tongue, user) = (speaker.tongue, speaker.user.clone());
    speaker.send(message).await;
    // NEXUS says besides that somebody has it.
    let answer = speaker.expect(tongue.said(&user, "hall", text)).await;
    (id(tongue, &answer), seq(tongue, &answer))
}

async fn in_the_hall(server: &TestServer, tongue: Tongue, user: &str) -> Speaker {
    let mut speaker = server.numbered(tongue, user).await;
    speaker.join("hall").await;
    speaker.expect_no_more().await;
    speaker
}

async fn room(server: &TestServer, tongue: Tongue) {
    let mut ben = in_the_hall(server, tongue, "ben").await;
    let mut ann = in_the_hall(server, tongue, "ann").await;
    ben.settle().await;
    let message = named(tongue, "ann", "once", "x1");
    if tongue == Aegisx {
        ann.send(&message).await;
    } else {
        let first = answered(&mut ann, &message, "once").await;
        assert_eq!(first.1, Some(1), "{tongue:?}");
        for _ in 0..2 {
            assert_eq!(answered(&mut ann, &message, "once").await, first, "{tongue:?}");
        }
    }
    let heard = ben.next_is(tongue.said("ann", "hall", "once")).await;
    assert_eq!(seq(tongue, &heard), Some(1), "{tongue:?}");
    ben.expect_nothing().await;
    ann.settle().await;
    ann.send(&message).await;
    ben.expect_nothing().await;
    if tongue == Aegisx {
        // Who does not hear itself does not when it says something again.
        ann.expect_nothing().await;
    }
    // Another one may call its own the same.
    ben.send(&named(tongue, "ben", "mine", "x1")).await;
    let heard = ann.hear("ben", "hall", "mine").await;
    assert_eq!(seq(tongue, &heard), Some(2), "{tongue:?}");
    ann.close().await;
    ben.close().await;
}

async fn room_later(server: &TestServer, tongue: Tongue) {
    let mut ben = in_the_hall(server, tongue, "ben").await;
    let mut ann = in_the_hall(server, tongue, "ann").await;
    ben.settle().await;
    let message = named(tongue, "ann", "once", "x1");
    if tongue == Aegisx {
        ann.send(&message).await;
    } else {
        assert_eq!(answered(&mut ann, &message, "once").await.1, Some(1), "{tongue:?}");
    }
    ben.expect_nothing().await;
    ann.send(&named(tongue, "ann", "next", "x2")).await;
    assert_eq!(seq(tongue, &ben.hear("ann", "hall", "next").await), Some(3), "{tongue:?}");
    ann.close().await;
    ben.close().await;
}

#[tokio::test]
async fn in_a_room_in_each_dialect() {
    let folder = Folder::new();
    let server = TestServer::start_on(folder.path(), "");
    for tongue in TONGUES {
        room(&server, tongue).await;
        room_later(&server, tongue).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn in_a_room_after_a_restart() {
    let folder = Folder::new();
    let server = TestServer::start_on(folder.path(), "");
    for tongue in TONGUES {
        room(&server, tongue).await;
    }
    let server = server.again(folder.path(), "").await;
    for tongue in TONGUES {
        room_later(&server, tongue).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn in_a_room_without_a_store_while_the_process_lives() {
    let server = TestServer::start("");
    for tongue in TONGUES {
        room(&server, tongue).await;
        room_later(&server, tongue).await;
    }
}

fn chat(text: &str, name: &str) -> Value {
    json!({ "type": "ChatMessage",
        "message": { "from": "ann", "to": "ben", "message": text, "message_type": "chat", "id": name } })
}

fn private(text: &str, name: &str) -> Value {
    json!({ "type": "private_message", "to": "ben", "message": text, "id": name })
}

async fn direct(server: &TestServer) {
    let mut ann = server.speaker(Sge, "ann").await;
    ann.send(&chat("once", "d1")).await;
    let first = ann.next_is(chat("once", "d1")).await;
    ann.send(&chat("once", "d1")).await;
    assert_eq!(ann.next_is(chat("once", "d1")).await["seq"], first["seq"]);
    let mut tusk = server.speaker(Tusk, "ann").await;
    tusk.send(&private("once", "d1")).await;
    let first = tusk.next_is(json!({ "type": "message_sent", "to": "ben", "queued": true })).await;
    tusk.send(&private("once", "d1")).await;
    assert_eq!(tusk.next_is(json!({ "type": "message_sent", "to": "ben" })).await["id"], first["id"]);
    ann.close().await;
    tusk.close().await;
}

async fn direct_comes_once(server: &TestServer) {
    let mut ann = server.speaker(Sge, "ann").await;
    ann.send(&chat("once", "d1")).await;
    ann.next_is(chat("once", "d1")).await;
    let mut ben = server.speaker(Sge, "ben").await;
    ben.next_is(chat("once", "d1")).await;
    ann.send(&chat("once", "d1")).await;
    ann.next_is(chat("once", "d1")).await;
    ben.expect_nothing().await;
    let mut tusk = server.speaker(Tusk, "ann").await;
    tusk.send(&private("once", "d1")).await;
    tusk.next_is(json!({ "type": "message_sent", "to": "ben" })).await;
    let path = Tusk.path_with("ben", "");
    let mut ben = Speaker::connect(server.address, Tusk, &path).await;
    ben.send(&json!({ "type": "auth", "token": support::token("ben", 3600) })).await;
    ben.expect(json!({ "type": "private_message", "from": "ann", "message": "once" })).await;
    ben.settle().await;
    tusk.send(&private("once", "d1")).await;
    tusk.expect(json!({ "type": "message_sent", "to": "ben" })).await;
    ben.expect_nothing().await;
}

#[tokio::test]
async fn to_a_user_who_is_away() {
    let folder = Folder::new();
    let server = TestServer::start_on(folder.path(), "");
    direct(&server).await;
    direct_comes_once(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn to_a_user_who_is_away_over_a_restart() {
    let folder = Folder::new();
    let server = TestServer::start_on(folder.path(), "");
    direct(&server).await;
    let server = server.again(folder.path(), "").await;
    direct_comes_once(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn to_a_user_who_is_away_without_a_store() {
    let server = TestServer::start("");
    direct(&server).await;
    direct_comes_once(&server).await;
}

#[tokio::test]
async fn one_who_hears_nothing_of_its_words_hears_nothing_when_it_says_them_again() {
    let folder = Folder::new();
    for server in [TestServer::start_on(folder.path(), ""), TestServer::start("")] {
        let mut ben = in_the_hall(&server, Tusk, "ben").await;
        let mut ann = server.speaker(Tusk, "ann").await;
        for _ in 0..2 {
            ann.send(&named(Tusk, "ann", "from outside", "x1")).await;
            ann.expect_nothing().await;
        }
        ben.expect(Tusk.said("ann", "hall", "from outside")).await;
        ben.expect_nothing().await;
        server.stop().await;
    }
}
