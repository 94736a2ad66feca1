//! Who speaks is who the connection is: what a message says of its sender is checked, and only services with the scope
//! for it speak for others.

mod support;

use serde_json::{Value, json};
use support::{Gator, Http, Nexus, Sge, Speaker, TestServer, request};

const KEYS: &str = "[auth]\napi_keys = ['speaks=key-that-speaks-01234:publish', 'shows=key-that-shows-012345:presence', \
                    'mute=key-that-may-nothing1', 'root=key-that-is-admin-0123:admin']\n";

const DENIED: &str = "Permission denied";

async fn service(server: &TestServer, key: &str) -> Speaker {
    let mut speaker = Speaker::connect(server.address, Sge, &format!("/sge/ws/connect?api_key={key}")).await;
    speaker.user = "service".into();
    speaker
}

async fn rest_with_key(server: &TestServer, key: &str, path: &str, body: Value) -> Http {
    request(server.address, "POST", path, &format!("X-API-Key: {key}\r\n"), Some(&body)).await
}

fn chat(from: &str, to: &str, text: &str) -> Value {
    json!({ "type": "ChatMessage", "message": { "from": from, "to": to, "message": text,
        "timestamp": 1_732_147_200_123_u64, "message_type": "chat" } })
}

/// Every frame of SGE in which a client names somebody, with the name of `user` in it.
fn spoofs(user: &str) -> [Value; 5] {
    [
        chat(user, "bob", "trust me"),
        Sge.say(user, "hall", "trust me"),
        json!({ "type": "Typing", "from": user, "to": "bob", "typing": true }),
        json!({ "type": "Typing", "from": user, "to": "group:hall", "typing": true }),
        json!({ "type": "PresenceUpdate", "user_id": user, "status": "busy", "status_message": "spoofed" }),
    ]
}

#[tokio::test]
async fn an_sge_user_names_itself_and_nobody_else() {
    for mode in ["open", "required"] {
        let server = TestServer::start(&format!("[auth]\nmode = '{mode}'"));
        let mut bob = server.speaker(Sge, "bob").await;
        bob.join("hall").await;
        let watch = json!({ "type": "Subscribe", "channel": "presence:ann" });
        bob.send(&watch).await;
        bob.expect(json!({ "type": "Subscribed", "channel": "presence:ann" })).await;
        let mut eve = server.speaker(Sge, "eve").await;
        eve.join("hall").await;
        for frame in spoofs("ann") {
            eve.send(&frame).await;
            eve.next_is(Sge.error(DENIED)).await;
        }
        // The envelope of the document does not help, nor does another capital or a space.
        let mut wrapped = chat("ann", "bob", "trust me");
        let inner = wrapped["message"].take();
        eve.send(&json!({ "type": "ChatMessage", "payload": { "message": inner } })).await;
        eve.next_is(Sge.error(DENIED)).await;
        for name in ["Eve", " eve", "eve ", "EVE"] {
            eve.send(&chat(name, "bob", "trust me")).await;
            eve.next_is(Sge.error(DENIED)).await;
        }
        bob.expect_nothing().await;
        // Said by itself, all of them pass; without a name it is who it is.
        eve.send(&chat("eve", "bob", "it is me")).await;
        bob.next_is(chat("eve", "bob", "it is me")).await;
        let unnamed = json!({ "type": "ChatMessage", "message": { "to": "bob", "message": "and me" } });
        eve.send(&unnamed).await;
        bob.next_is(json!({ "type": "ChatMessage", "message": { "from": "eve", "message": "and me" } }))
            .await;
        server.metric_becomes("lanecast_message_errors_total", 10.0).await;
    }
}

#[tokio::test]
async fn a_name_that_is_there_twice_is_refused() {
    let server = TestServer::start("");
    let mut bob = server.speaker(Sge, "bob").await;
    let mut eve = server.speaker(Sge, "eve").await;
    for frame in [
        r#"{"type":"ChatMessage","message":{"from":"eve","from":"ann","to":"bob","message":"x","message_type":"chat"}}"#,
        r#"{"type":"ChatMessage","message":{"from":"ann","from":"eve","to":"bob","message":"x","message_type":"chat"}}"#,
        r#"{"type":"ChatMessage","message":{"from":"eve","fr\u006fm":"ann","to":"bob","message":"x"}}"#,
    ] {
        eve.send_text(frame).await;
        eve.next_is(Sge.any_error()).await;
    }
    bob.expect_nothing().await;
}

#[tokio::test]
async fn services_speak_for_others_as_far_as_their_scopes_go() {
    for mode in ["open", "required"] {
        let server = TestServer::start(&format!("{KEYS}mode = '{mode}'"));
        let mut bob = server.speaker(Sge, "bob").await;
        let watch = json!({ "type": "Subscribe", "channel": "presence:ann" });
        bob.send(&watch).await;
        bob.expect(json!({ "type": "Subscribed", "channel": "presence:ann" })).await;
        bob.join("hall").await;
        let heard = |n: usize| match n {
            0 => chat("ann", "bob", "trust me"),
            1 => Sge.said("ann", "hall", "trust me"),
            _ => json!({ "type": "PresenceStatus", "user_id": "ann", "status_message": "spoofed" }),
        };
        let frames = spoofs("ann");
        let frames = [&frames[0], &frames[1], &frames[4]];
        for (key, may) in [
            ("key-that-speaks-01234", [true, true, false]),
            ("key-that-shows-012345", [false, false, true]),
            ("key-that-may-nothing1", [false; 3]),
        ] {
            let mut service = service(&server, key).await;
            for (n, frame) in frames.into_iter().enumerate() {
                service.send(frame).await;
                match may[n] {
                    true => {
                        bob.next_is(heard(n)).await;
                    }
                    false => {
                        service.refused(DENIED).await;
                    }
                }
            }
            bob.expect_nothing().await;
        }
    }
}

#[tokio::test]
async fn whom_a_service_speaks_and_types_for_is_the_sender_in_every_dialect() {
    let server = TestServer::start(&format!(
        "{KEYS}[sge]\nrealm = 'square'\npresence_broadcast = false\n[gator]\nrealm = 'square'\npresence_broadcast = false"
    ));
    let mut bob = server.speaker(Gator, "bob").await;
    bob.join("hall").await;
    let mut service = service(&server, "key-that-speaks-01234").await;
    service.join("hall").await;
    service.send(&spoofs("ann")[3]).await;
    bob.next_is(
        json!({ "type": "typing_indicator", "conversation_id": "hall", "user_id": "ann", "is_typing": true }),
    )
    .await;
    // Nor is it the service where the server completes what was said.
    let inner = json!({ "from": "ann", "to": "hall", "message": "trust me", "message_type": "groupchat" });
    service.send(&json!({ "type": "ChatMessage", "message": inner })).await;
    bob.expect(json!({ "type": "typing_indicator", "user_id": "ann", "is_typing": false })).await;
    bob.next_is(Gator.said("ann", "hall", "trust me")).await;
    service
        .expect(json!({ "type": "ChatMessage", "message": { "from": "ann", "message": "trust me" } }))
        .await;
}

#[tokio::test]
async fn rest_shows_nobody_as_another() {
    let server = TestServer::start(&format!("{KEYS}mode = 'required'"));
    let body = json!({ "user_id": "ann", "status": "busy", "message": "spoofed" });
    let none = server.rest("POST", "/xmpp/presence", Some(body.clone())).await;
    assert_eq!(none.status, 401, "{none:?}");
    let eve = server.rest_as(json!({ "sub": "eve" }), "POST", "/xmpp/presence", Some(body.clone())).await;
    assert_eq!(eve.status, 403, "{eve:?}");
    for (key, status) in [
        ("key-that-may-nothing1", 403),
        ("key-that-speaks-01234", 403),
        ("key-that-shows-012345", 200),
        ("none", 401),
    ] {
        let answer = rest_with_key(&server, key, "/xmpp/presence", body.clone()).await;
        assert_eq!(answer.status, status, "{key}: {answer:?}");
    }
    let own = server.rest_as(json!({ "sub": "ann" }), "POST", "/xmpp/presence", Some(body)).await;
    assert_eq!(own.status, 200, "{own:?}");
}

#[tokio::test]
async fn rest_tells_others_only_for_those_with_the_scope() {
    let server = TestServer::start(&format!("{KEYS}mode = 'required'"));
    let sge = json!({ "title": "t", "message": "m", "level": "info" });
    let nexus = json!({ "user_id": "ann", "title": "t", "message": "m", "notification_type": "info",
        "priority": "normal" });
    for (path, body) in [
        ("/ws/notify/ann", &sge),
        ("/ws/broadcast/system", &sge),
        ("/ws/broadcast/notifications", &sge),
        ("/api/notifications/send", &nexus),
        ("/api/notifications/broadcast", &nexus),
    ] {
        let none = server.rest("POST", path, Some(body.clone())).await;
        assert_eq!(none.status, 401, "{path}: {none:?}");
        let user = server.rest_as(json!({ "sub": "eve" }), "POST", path, Some(body.clone())).await;
        assert_eq!(user.status, 403, "{path}: {user:?}");
        for (key, status) in
            [("key-that-may-nothing1", 403), ("key-that-shows-012345", 403), ("key-that-speaks-01234", 200)]
        {
            let answer = rest_with_key(&server, key, path, body.clone()).await;
            assert_eq!(answer.status, status, "{path} {key}: {answer:?}");
        }
    }
    let message = json!({ "message": { "type": "x", "data": {} } });
    for path in ["/api/admin/broadcast", "/api/admin/tenants/t1/broadcast", "/api/admin/channels/public:x"] {
        for (key, status) in [("key-that-speaks-01234", 403), ("key-that-is-admin-0123", 200)] {
            let answer = rest_with_key(&server, key, path, message.clone()).await;
            assert_eq!(answer.status, status, "{path} {key}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn only_its_author_edits_or_deletes_a_message() {
    let server = TestServer::start("[nexus]\npresence_broadcast = false");
    let mut ann = server.speaker(Nexus, "ann").await;
    let mut eve = server.speaker(Nexus, "eve").await;
    let mut out = server.speaker(Nexus, "out").await;
    for member in [&mut ann, &mut eve] {
        member.join("conv").await;
    }
    ann.expect(json!({ "event_type": "room.join", "user_id": "eve" })).await;
    ann.say("conv", "mine").await;
    let said = ann.next_is(Nexus.said("ann", "conv", "mine")).await;
    ann.next_is(json!({ "event_type": "chat.delivered" })).await;
    eve.next_is(Nexus.said("ann", "conv", "mine")).await;
    let about = |kind: &str| {
        json!({ "event_type": kind, "conversation_id": "conv", "message_id": said["message_id"],
            "content": "not mine", "user_id": "ann", "sender_id": "ann" })
    };
    for kind in ["chat.edit", "chat.delete"] {
        for stranger in [&mut eve, &mut out] {
            stranger.send(&about(kind)).await;
            stranger.next_is(Nexus.any_error()).await;
        }
    }
    out.send(&about("chat.read")).await;
    out.next_is(Nexus.any_error()).await;
    // A sender's name in the frame means nothing.
    let mut spoof = Nexus.say("", "conv", "as ann");
    spoof["sender_id"] = "ann".into();
    spoof["user_id"] = "ann".into();
    eve.send(&spoof).await;
    eve.next_is(Nexus.said("eve", "conv", "as ann")).await;
    ann.next_is(Nexus.said("eve", "conv", "as ann")).await;
    eve.next_is(json!({ "event_type": "chat.delivered" })).await;
    ann.expect_nothing().await;
    // Another device of the author is the author.
    let mut second = server.speaker(Nexus, "ann").await;
    second.join("conv").await;
    second.send(&about("chat.edit")).await;
    eve.expect(json!({ "event_type": "chat.edit", "user_id": "ann", "content": "not mine" })).await;
    second.send(&about("chat.delete")).await;
    eve.expect(json!({ "event_type": "chat.delete", "user_id": "ann" })).await;
    second.send(&about("chat.edit")).await;
    second.expect(Nexus.any_error()).await;
}
