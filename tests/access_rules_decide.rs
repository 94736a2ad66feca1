//! Access rules decide who joins, who speaks, who makes rooms and who sees them, by socket and REST alike.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use lanecast::config::Config;
use lanecast::extension::{Effect, Peer, Value};
use lanecast::server::Server;
use serde_json::json;
use support::{Client, Http, Raw, TestServer};

/// Tokens of the cast: each is its user's name.
const CAST: &str = "[tusk.static_tokens]\n\
    staff = { id = 'staff', roles = ['staff'] }\n\
    admin = { id = 'admin', roles = ['admin'] }\n";

fn server(rules: &str) -> TestServer {
    TestServer::start(&format!("tusk.presence_broadcast = false\n{CAST}\n{rules}"))
}

/// A connection that speaks for the bearer of that token: a member of the cast, or (open mode) just a name.
async fn user(server: &TestServer, token: &str) -> Client {
    let mut client = server.client().await;
    become_user(&mut client, token).await;
    client
}

async fn become_user(client: &mut Client, token: &str) {
    client.send(json!({ "type": "auth", "token": token })).await;
    assert_eq!(client.expect("auth_success").await["user"]["id"], token);
}

async fn refused(client: &mut Client, message: Value) {
    client.send(message).await;
    assert_eq!(client.recv().await, json!({ "type": "error", "message": "Permission denied" }));
}

fn joining(room: &str) -> Value {
    json!({ "type": "join_room", "room": room })
}

fn speaking(room: &str) -> Value {
    json!({ "type": "broadcast", "room": room, "message": "let me in" })
}

fn making(room: &str) -> Value {
    json!({ "type": "create_room", "room": room })
}

/// A REST call as the bearer of `token`; none for the empty one.
async fn call(address: SocketAddr, method: &str, path: &str, token: &str, body: &str) -> Http {
    let credential =
        if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let mut raw = Raw::connect(address).await;
    let length = body.len();
    raw.write(
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{credential}\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .as_bytes(),
    )
    .await;
    raw.response().await
}

/// The names in the listing that the bearer gets, with its total.
async fn listed(server: &TestServer, token: &str) -> (Vec<String>, u64) {
    let answer = call(server.address, "GET", "/rooms", token, "").await;
    let listing: Value = serde_json::from_str(&answer.body).expect("JSON");
    let names = listing["rooms"].as_array().expect("a list").iter();
    let names = names.map(|room| room["name"].as_str().expect("a text").to_owned());
    (names.collect(), listing["total"].as_u64().expect("a number"))
}

#[tokio::test]
async fn those_named_join_and_speak_and_others_do_neither() {
    let server = server(
        "[[access]]\nchannel = 'room:staff-*'\nwho = ['role:staff', 'user:boss']\nallow = ['subscribe', 'publish']",
    );
    let mut staff = user(&server, "staff").await;
    staff.join("staff-7").await;
    // In open mode a name is as good as everywhere else.
    let mut boss = user(&server, "boss").await;
    boss.join("staff-7").await;
    staff.expect("user_joined").await;
    let mut other = user(&server, "other").await;
    let mut guest = server.client().await;
    let before = server.metric("lanecast_message_errors_total").await;
    for outsider in [&mut other, &mut guest] {
        refused(outsider, joining("staff-7")).await;
        refused(outsider, speaking("staff-7")).await;
    }
    assert_eq!(server.metric("lanecast_message_errors_total").await - before, 4.0);
    boss.say("staff-7", "among us").await;
    for insider in [&mut staff, &mut boss] {
        assert_eq!(insider.hear().await, "among us");
        insider.expect_nothing().await;
    }
    // The connection lives, and other rooms are as open as without rules.
    for outsider in [&mut other, &mut guest] {
        outsider.expect_nothing().await;
        outsider.join("hall").await;
        outsider.say("hall", "still here").await;
        assert_eq!(outsider.hear().await, "still here");
    }
    // Who may speak need not be a member, as without rules.
    let mut visitor = user(&server, "staff").await;
    visitor.say("staff-7", "from the door").await;
    assert_eq!(boss.hear().await, "from the door");
}

#[tokio::test]
async fn readers_hear_and_do_not_speak() {
    let server = server(
        "[[access]]\ndialect = 'tusk'\nchannel = 'room:news'\nwho = ['role:staff']\n\
         allow = ['subscribe', 'publish']\nelse = ['subscribe']",
    );
    let mut reader = user(&server, "reader").await;
    reader.join("news").await;
    let mut guest = server.client().await;
    guest.join("news").await;
    let mut editor = user(&server, "staff").await;
    editor.join("news").await;
    for member in [&mut guest, &mut reader] {
        assert_eq!(member.expect("user_joined").await["userId"], "staff");
        refused(member, speaking("news")).await;
    }
    editor.say("news", "true").await;
    for member in [&mut reader, &mut editor] {
        assert_eq!(member.hear().await, "true");
        member.expect_nothing().await;
    }
    assert_eq!(guest.hear().await, "true");
}

#[tokio::test]
async fn a_listing_hides_what_one_may_not_subscribe() {
    let server = server("[[access]]\nchannel = 'room:staff-*'\nwho = ['role:staff']\nallow = ['subscribe']");
    let mut staff = user(&server, "staff").await;
    staff.join("staff-7").await;
    staff.join("hall").await;
    for (token, names) in [
        ("", &["hall"][..]),
        ("other", &["hall"]),
        ("staff", &["hall", "staff-7"]),
        ("admin", &["hall", "staff-7"]),
    ] {
        let (got, total) = listed(&server, token).await;
        assert_eq!(
            (got.as_slice(), total),
            (&names.iter().map(ToString::to_string).collect::<Vec<_>>()[..], names.len() as u64),
            "{token:?}"
        );
        let seen = names.len() == 2;
        let one = call(server.address, "GET", "/rooms/staff-7", token, "").await;
        assert_eq!(one.status, if seen { 200 } else { 403 }, "{token:?}");
        assert_eq!(one.body.contains("Permission denied"), !seen, "{}", one.body);
        // Whether such a room is there is not told either.
        let none = call(server.address, "GET", "/rooms/staff-8", token, "").await;
        assert_eq!(none.status, if seen { 404 } else { 403 }, "{token:?}");
    }
}

#[tokio::test]
async fn the_first_rule_whose_dialect_and_channel_match_decides() {
    let server = server(
        "[[access]]\ndialect = 'nexus'\nchannel = '*'\nallow = []\n\
         [[access]]\nchannel = 'room:staff-lounge'\nallow = ['subscribe', 'publish']\n\
         [[access]]\ndialect = 'tusk'\nchannel = 'room:staff-*'\nwho = ['role:staff']\nallow = ['subscribe']\n\
         [[access]]\nchannel = 'room:?'\nallow = []\n\
         [[access]]\nchannel = 'room:staff-9'\nallow = ['subscribe', 'publish']\n",
    );
    let mut other = user(&server, "other").await;
    other.join("staff-lounge").await;
    other.say("staff-lounge", "hello").await;
    assert_eq!(other.hear().await, "hello");
    for room in ["staff-9", "staff-", "x", "é"] {
        refused(&mut other, joining(room)).await;
    }
    other.join("xx").await;
    let mut staff = user(&server, "staff").await;
    staff.join("staff-9").await;
    refused(&mut staff, speaking("staff-9")).await;
    // No rule refuses an administrator.
    let mut admin = user(&server, "admin").await;
    admin.join("x").await;
    admin.say("staff-9", "order").await;
    assert_eq!(staff.expect("room_message").await["message"], "order");
}

#[tokio::test]
async fn rules_say_who_makes_rooms_by_socket_and_by_rest() {
    let server = TestServer::start(&format!(
        "{CAST}maker = {{ id = 'maker', roles = ['user'] }}\n\
         [[access]]\nchannel = 'room:staff-*'\nwho = ['role:staff']\nallow = ['manage']\n\
         [[access]]\nchannel = 'room:no-*'\nallow = []\n",
    ));
    for (token, staffs, nobodys, hall) in [
        ("staff", true, false, false),
        ("maker", false, false, false),
        ("admin", true, true, true),
        // Who sits at the machine itself needs no permission (open mode), but rules bind it.
        ("", false, false, true),
    ] {
        for (room, may) in [("staff", staffs), ("no", nobodys), ("hall", hall)] {
            let body = format!(r#"{{"name":"{room}-by-{token}"}}"#);
            let made = call(server.address, "POST", "/rooms", token, &body).await;
            assert_eq!(made.status, if may { 201 } else { 403 }, "{token:?} {room}: {}", made.body);
            if token.is_empty() {
                continue;
            }
            let mut client = user(&server, token).await;
            let room = format!("{room}-of-{token}");
            if may {
                client.send(making(&room)).await;
                assert_eq!(client.expect("room_created").await["room"], room.as_str());
            } else {
                client.send(making(&room)).await;
                assert_eq!(client.expect("error").await["message"], "Permission denied");
            }
        }
    }
    let mut guest = server.client().await;
    guest.send(making("staff-1")).await;
    assert_eq!(guest.expect("error").await["message"], "Authentication required");
}

#[tokio::test]
async fn who_becomes_somebody_else_leaves_what_that_one_may_not_hear() {
    let server = server("[[access]]\nchannel = 'room:staff-*'\nwho = ['role:staff']\nallow = ['subscribe']");
    let mut witness = user(&server, "staff").await;
    witness.join("staff-7").await;
    let mut turncoat = user(&server, "admin").await;
    turncoat.join("hall").await;
    turncoat.join("staff-7").await;
    assert_eq!(witness.expect("user_joined").await["userId"], "admin");
    turncoat.send(json!({ "type": "auth", "token": "other" })).await;
    assert_eq!(turncoat.expect("auth_success").await["user"]["id"], "other");
    assert_eq!(turncoat.expect("error").await["message"], "Permission denied");
    assert_eq!(turncoat.expect("room_left").await["room"], "staff-7");
    assert_eq!(witness.expect("user_left").await["userId"], "admin");
    witness.expect_nothing().await;
    // What is open to both it stays in.
    turncoat.say("hall", "me still").await;
    assert_eq!(turncoat.hear().await, "me still");
    // The place in the other room was given back, and can be taken again.
    become_user(&mut turncoat, "admin").await;
    turncoat.join("staff-7").await;
    assert_eq!(witness.expect("user_joined").await["userId"], "admin");
}

#[tokio::test]
async fn where_credentials_are_demanded_they_come_first() {
    let server = TestServer::start(&format!(
        "auth.mode = 'required'\n{CAST}[[access]]\nchannel = '*'\nallow = ['subscribe', 'publish', 'manage']"
    ));
    let mut stranger = server.client().await;
    for message in [joining("hall"), speaking("hall"), making("hall")] {
        stranger.send(message).await;
        assert_eq!(stranger.recv().await["message"], "Authentication required");
    }
    for (method, path) in [("GET", "/rooms"), ("GET", "/rooms/hall"), ("POST", "/rooms")] {
        assert_eq!(call(server.address, method, path, "", r#"{"name":"hall"}"#).await.status, 401);
    }
    user(&server, "staff").await.join("hall").await;
}

/// An effect is the server's own word: a rule that refuses everybody does not refuse it.
#[tokio::test]
async fn an_effect_is_not_asked_for_permission() {
    let config = "server = { listen = ['127.0.0.1:0'], shards = 1, pin = false }\n\
        [[access]]\nchannel = 'room:*'\nallow = ['subscribe']";
    let ring = |_: &Peer<'_>, _: &Value| {
        vec![Effect::Broadcast {
            room: "hall".into(),
            frame: json!({ "type": "bell" }),
            exclude_sender: false,
        }]
    };
    let server = Server::new(Config::from_toml(config).expect("valid")).handler("ring", ring);
    let running = server.start().expect("starts");
    let mut client = Client::connect(running.addresses()[0]).await;
    client.join("hall").await;
    refused(&mut client, speaking("hall")).await;
    client.send(json!({ "type": "ring" })).await;
    assert_eq!(client.recv().await, json!({ "type": "bell" }));
    running.drain(Duration::ZERO);
    client.close().await;
    running.join().expect("ends");
}
