//! Rooms that were made by hand are there after a restart with all that was set: who may see them, enter them and speak.

mod support;

use serde_json::{Value, json};
use support::{Folder, Speaker, TestServer, Tusk};

fn admin() -> Value {
    json!({ "sub": "root", "roles": ["admin"] })
}

async fn make(server: &TestServer, room: Value) {
    let made = server.rest_as(admin(), "POST", "/rooms", Some(room)).await;
    assert_eq!(made.status, 201, "{made:?}");
}

async fn described(server: &TestServer, room: &str) -> Value {
    let found = server.rest_as(admin(), "GET", &format!("/rooms/{room}"), None).await;
    assert_eq!(found.status, 200, "{found:?}");
    found.json()
}

async fn join(speaker: &mut Speaker, room: &str, password: Option<&str>) {
    let mut join = Tusk.join(room);
    if let Some(password) = password {
        join["password"] = password.into();
    }
    speaker.send(&join).await;
}

/// All that their settings say is so.
async fn they_are_as_they_were_made(server: &TestServer) {
    let guest = json!({ "sub": "guest", "roles": ["user"] });
    for hidden in ["vault", "council"] {
        let found = server.rest_as(guest.clone(), "GET", &format!("/rooms/{hidden}"), None).await;
        assert_eq!(found.status, 404, "{found:?}");
    }
    let listed = server.rest_as(guest, "GET", "/rooms", None).await.json();
    let names: Vec<&Value> = listed["rooms"].as_array().expect("rooms").iter().map(|r| &r["name"]).collect();
    assert_eq!(names, ["locked", "small", "stage"]);
    let mut ann = server.speaker(Tusk, "ann").await;
    join(&mut ann, "vault", None).await;
    ann.refused("Room is private").await;
    join(&mut ann, "locked", None).await;
    ann.refused("Room password required").await;
    join(&mut ann, "locked", Some("open sesam")).await;
    ann.refused("Wrong room password").await;
    join(&mut ann, "locked", Some("open sesame")).await;
    ann.expect(Tusk.joined("locked")).await;
    ann.join("stage").await;
    ann.say("stage", "may I?").await;
    ann.refused("Only moderators may speak in this room").await;
    ann.join("small").await;
    let mut ben = server.speaker(Tusk, "ben").await;
    ben.join("small").await;
    let mut carl = server.speaker(Tusk, "carl").await;
    join(&mut carl, "small", None).await;
    carl.refused("Room is full (2 members)").await;
    // Its creator may enter what is private, and speak where others may not.
    let mut chair =
        server.speaker_with(Tusk, json!({ "sub": "chair", "permissions": ["create_room"] })).await;
    chair.join("council").await;
    chair.say("council", "order").await;
    chair.hear("chair", "council", "order").await;
    let again = server.rest_as(admin(), "POST", "/rooms", Some(json!({ "name": "stage" }))).await;
    assert_eq!(again.status, 409, "{again:?}");
    for speaker in [ann, ben, carl, chair] {
        speaker.close().await;
    }
    server.nobody_is_online().await;
}

#[tokio::test]
async fn with_their_settings_their_password_and_their_creator() {
    let folder = Folder::new();
    let server = TestServer::start_on(folder.path(), "");
    make(&server, json!({ "name": "vault", "public": false })).await;
    make(&server, json!({ "name": "locked", "password": "open sesame" })).await;
    make(&server, json!({ "name": "stage", "moderated": true })).await;
    make(&server, json!({ "name": "small", "max_members": 2 })).await;
    let mut chair =
        server.speaker_with(Tusk, json!({ "sub": "chair", "permissions": ["create_room"] })).await;
    let settings = json!({ "public": false, "moderated": true });
    chair.send(&json!({ "type": "create_room", "room": "council", "settings": settings })).await;
    chair.expect(json!({ "type": "room_created", "room": "council" })).await;
    chair.close().await;
    they_are_as_they_were_made(&server).await;
    let names = ["vault", "locked", "stage", "small", "council"];
    let mut before = Vec::new();
    for name in names {
        before.push(described(&server, name).await);
    }
    let server = server.again(folder.path(), "").await;
    for (name, before) in names.into_iter().zip(&before) {
        assert_eq!(described(&server, name).await, *before);
    }
    they_are_as_they_were_made(&server).await;
    let server = server.again(folder.path(), "").await;
    they_are_as_they_were_made(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn and_a_room_that_only_came_to_be_by_joining_does_not() {
    let folder = Folder::new();
    let server = TestServer::start_on(folder.path(), "");
    let mut ann = server.speaker(Tusk, "ann").await;
    ann.join("passing").await;
    ann.say("passing", "hello").await;
    ann.hear("ann", "passing", "hello").await;
    assert_eq!(described(&server, "passing").await["member_count"], 1);
    drop(ann);
    let server = server.again(folder.path(), "").await;
    let found = server.rest_as(admin(), "GET", "/rooms/passing", None).await;
    assert_eq!(found.status, 404, "{found:?}");
    server.stop().await;
}
