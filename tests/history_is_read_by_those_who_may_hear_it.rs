//! Pages of a history are whole and in order, and go to those alone who may hear the conversation now.

mod support;

use serde_json::{Value, json};
use support::{Folder, Sge, Speaker, TestServer, Tusk};

/// Tusk makes rooms with settings, SGE reads the history of them.
const ONE: &str = "[sge]\nrealm = 'one'\n[tusk]\nrealm = 'one'\nmessage_rate_limit = 0";

async fn page(server: &TestServer, claims: Value, query: &str) -> (Vec<(u64, String)>, Option<u64>) {
    let answer = server.rest_as(claims, "GET", &format!("/xmpp/messages?{query}"), None).await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    let body = answer.json();
    let text = |m: &Value| m["message"]["message"].as_str().expect("a text").to_owned();
    let messages = body["messages"].as_array().expect("messages");
    (
        messages.iter().map(|m| (m["seq"].as_u64().expect("a number"), text(m))).collect(),
        body["next"].as_u64(),
    )
}

async fn texts(server: &TestServer, user: &str, with: &str) -> Vec<String> {
    let (page, next) = page(server, json!({ "sub": user }), &format!("with={with}")).await;
    assert_eq!(next, None);
    page.into_iter().map(|(_, text)| text).collect()
}

async fn status(server: &TestServer, claims: Value, query: &str) -> u16 {
    server.rest_as(claims, "GET", &format!("/xmpp/messages?{query}"), None).await.status
}

async fn say(speaker: &mut Speaker, text: &str) {
    let user = speaker.user.clone();
    speaker.say("hall", text).await;
    speaker.hear(&user, "hall", text).await;
}

async fn pages_join(server: &TestServer) {
    let ann = || json!({ "sub": "ann" });
    for limit in [1, 2, 3, 7, 8, 500] {
        let (mut found, mut next) = (Vec::new(), Some(0));
        while let Some(since) = next {
            let query = format!("with=group:hall&since={since}&limit={limit}");
            let (page, following) = page(server, ann(), &query).await;
            assert!(!page.is_empty() && page.len() <= limit, "{query}");
            found.extend(page);
            next = following;
        }
        let wanted: Vec<_> = (1..=7).map(|n| (n, n.to_string())).collect();
        assert_eq!(found, wanted, "pages of {limit}");
    }
    assert_eq!(page(server, ann(), "with=group:hall&since=7").await, (vec![], None));
    assert_eq!(page(server, ann(), "with=group:hall&since=99").await, (vec![], None));
    assert_eq!(page(server, ann(), "with=group:nobody-ever-spoke-there").await, (vec![], None));
    for wrong in
        ["", "with=", "with=group:hall&since=-1", "with=group:hall&limit=0", "with=group:hall&limit=501"]
    {
        assert_eq!(status(server, ann(), wrong).await, 400, "{wrong}");
    }
}

#[tokio::test]
async fn pages_of_any_size_are_the_whole_of_it_in_order() {
    let folder = Folder::new();
    for server in [TestServer::start_on(folder.path(), ""), TestServer::start("")] {
        let mut ann = server.speaker(Sge, "ann").await;
        for n in 1..=7 {
            say(&mut ann, &n.to_string()).await;
        }
        pages_join(&server).await;
        drop(ann);
        server.stop().await;
    }
    let server = TestServer::start_on(folder.path(), "");
    pages_join(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn a_talk_of_two_is_read_by_these_two() {
    let folder = Folder::new();
    for server in [TestServer::start_on(folder.path(), ""), TestServer::start("")] {
        let mut ann = server.speaker(Sge, "ann").await;
        let mut ben = server.speaker(Sge, "ben").await;
        let chat =
            |to: &str, text: &str| json!({ "type": "ChatMessage", "message": { "to": to, "message": text } });
        for (to, text) in [("ben", "for Ben"), ("carl", "for Carl"), ("ben", "for Ben again")] {
            ann.send(&chat(to, text)).await;
            ann.expect(chat(to, text)).await;
        }
        ben.expect(chat("ben", "for Ben again")).await;
        ben.send(&chat("ann", "thanks")).await;
        ben.expect(chat("ann", "thanks")).await;
        ann.expect(chat("ann", "thanks")).await;
        let both = ["for Ben", "for Ben again", "thanks"];
        assert_eq!(texts(&server, "ann", "ben").await, both);
        assert_eq!(texts(&server, "ben", "ann").await, both);
        assert_eq!(texts(&server, "carl", "ann").await, ["for Carl"], "who was away");
        for (user, with) in [("carl", "ben"), ("eve", "ann"), ("eve", "ben"), ("ben", "carl")] {
            assert_eq!(texts(&server, user, with).await, [""; 0], "{user} with {with}");
        }
        let other = json!({ "sub": "ann", "tenantId": "elsewhere" });
        assert_eq!(page(&server, other, "with=ben").await, (vec![], None), "the ann of another tenant");
        server.stop().await;
    }
}

#[tokio::test]
async fn private_rooms_and_those_with_a_password_are_closed_to_who_is_not_in() {
    let folder = Folder::new();
    let admin = || json!({ "sub": "root", "roles": ["admin"] });
    let server = TestServer::start_on(folder.path(), ONE);
    let mut chair = server
        .speaker_with(Tusk, json!({ "sub": "chair", "permissions": ["create_room", "join_room"] }))
        .await;
    for (room, settings) in [
        ("vault", json!({ "public": false })),
        ("locked", json!({ "password": "open sesame" })),
        ("square", json!({})),
    ] {
        chair.send(&json!({ "type": "create_room", "room": room, "settings": settings })).await;
        chair.expect(json!({ "type": "room_created", "room": room })).await;
        chair.send(&json!({ "type": "join_room", "room": room, "password": "open sesame" })).await;
        chair.expect(Tusk.joined(room)).await;
        chair.say(room, "among us").await;
        chair.hear("chair", room, "among us").await;
    }
    let closed = async |server: &TestServer, member: Option<&str>| {
        for room in ["vault", "locked"] {
            let query = format!("with=group:{room}");
            let eve = json!({ "sub": "eve", "roles": ["user"] });
            assert_eq!(status(server, eve, &query).await, 404, "{room}");
            assert_eq!(page(server, admin(), &query).await.0.len(), 1, "{room}: an administrator");
            if let Some(member) = member {
                assert_eq!(texts(server, member, &format!("group:{room}")).await, ["among us"], "{room}");
            }
        }
        assert_eq!(texts(server, "eve", "group:square").await, ["among us"]);
    };
    closed(&server, Some("chair")).await;
    drop(chair);
    let server = server.again(folder.path(), ONE).await;
    closed(&server, None).await;
    server.stop().await;
}

#[tokio::test]
async fn what_a_rule_closes_is_closed_for_reading_too() {
    let rules = "
[[access]]
channel = 'group:staff-*'
who = ['role:staff']
allow = ['subscribe', 'publish']
";
    let folder = Folder::new();
    for server in [TestServer::start_on(folder.path(), rules), TestServer::start(rules)] {
        let staff = json!({ "sub": "ann", "roles": ["staff"] });
        let mut ann = server.speaker_with(Sge, staff.clone()).await;
        ann.say("staff-room", "among us").await;
        ann.hear("ann", "staff-room", "among us").await;
        assert_eq!(page(&server, staff, "with=group:staff-room").await.0.len(), 1);
        assert_eq!(status(&server, json!({ "sub": "ann" }), "with=group:staff-room").await, 403);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_group_of_another_tenant_is_another_group() {
    let folder = Folder::new();
    let server = TestServer::start_on(folder.path(), "");
    let mut ann = server.member(Sge, "t1", "ann").await;
    say(&mut ann, "ours").await;
    drop(ann);
    let server = server.again(folder.path(), "").await;
    let of = |tenant: &str| json!({ "sub": "ann", "tenantId": tenant });
    assert_eq!(page(&server, of("t1"), "with=group:hall").await.0, [(1, "ours".to_owned())]);
    assert_eq!(page(&server, of("t2"), "with=group:hall").await.0, []);
    let required = "[auth]\nmode = 'required'";
    let server = server.again(folder.path(), required).await;
    assert_eq!(server.rest("GET", "/xmpp/messages?with=group:hall", None).await.status, 401);
    server.stop().await;
}
