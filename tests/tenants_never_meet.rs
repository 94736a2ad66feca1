//! Two tenants on one server: by no path does one hear, see or reach the other, though users, rooms and names be the
//! same; but for AegisX's public channels, which all tenants share unless they are told not to.

mod support;

use serde_json::{Value, json};
use support::{Aegisx, Gator, Nexus, Sge, Speaker, TONGUES, TestServer, Tongue, Tusk};

/// One user of the same name in each tenant, and another one in each.
struct Both {
    ours: Speaker,
    friend: Speaker,
    theirs: Speaker,
    stranger: Speaker,
}

async fn both(server: &TestServer, tongue: Tongue) -> Both {
    let ours = server.member(tongue, "t1", "ann").await;
    let theirs = server.member(tongue, "t2", "ann").await;
    let friend = server.member(tongue, "t1", "bob").await;
    let stranger = server.member(tongue, "t2", "bob").await;
    Both { ours, friend, theirs, stranger }
}

impl Both {
    /// Passes over what their coming led to.
    async fn settle(&mut self) {
        for speaker in [&mut self.ours, &mut self.friend, &mut self.theirs, &mut self.stranger] {
            speaker.settle().await;
        }
    }

    async fn they_hear_nothing(&mut self) {
        self.theirs.expect_nothing().await;
        self.stranger.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_room_of_one_name_is_one_room_in_each_tenant() {
    for tongue in [Sge, Nexus, Gator, Tusk] {
        let server = TestServer::start("");
        let mut both = both(&server, tongue).await;
        for speaker in [&mut both.ours, &mut both.friend, &mut both.theirs, &mut both.stranger] {
            speaker.join("hall").await;
        }
        both.settle().await;
        both.ours.say("hall", "between us").await;
        both.friend.hear("ann", "hall", "between us").await;
        both.they_hear_nothing().await;
        both.theirs.say("hall", "and us").await;
        both.stranger.hear("ann", "hall", "and us").await;
        both.friend.expect_nothing().await;
    }
}

#[tokio::test]
async fn nobody_is_told_who_comes_and_goes_in_another_tenant() {
    for tongue in [Nexus, Gator, Tusk] {
        let server = TestServer::start("");
        let mut witness = server.member(tongue, "t1", "witness").await;
        witness.expect_nothing().await;
        let stranger = server.member(tongue, "t2", "ann").await;
        stranger.close().await;
        server.metric_becomes("lanecast_connections_open", 1.0).await;
        witness.expect_nothing().await;
        let _friend = server.member(tongue, "t1", "ann").await;
        witness.expect(json!({})).await;
    }
}

#[tokio::test]
async fn presence_that_is_watched_is_that_of_the_own_tenant() {
    let server = TestServer::start("");
    let mut both = both(&server, Sge).await;
    for watcher in [&mut both.friend, &mut both.stranger] {
        watcher.send(&json!({ "type": "Subscribe", "channel": "presence:ann" })).await;
        watcher.expect(json!({ "type": "Subscribed" })).await;
        watcher.send(&json!({ "type": "RosterUpdate", "contact": { "user_id": "ann" } })).await;
        watcher.expect(json!({ "type": "Roster" })).await;
    }
    both.settle().await;
    let update =
        json!({ "type": "PresenceUpdate", "user_id": "ann", "status": "busy", "status_message": "t1" });
    both.ours.send(&update).await;
    both.friend.expect(json!({ "type": "PresenceStatus", "user_id": "ann", "status_message": "t1" })).await;
    both.they_hear_nothing().await;
    both.stranger.send(&json!({ "type": "RosterGet" })).await;
    let roster = both.stranger.expect(json!({ "type": "Roster" })).await;
    assert_eq!(roster["contacts"][0]["status"], "online", "their own ann is not busy: {roster}");
}

#[tokio::test]
async fn direct_messages_and_typing_stay_in_the_tenant() {
    let server = TestServer::start("");
    let chat = |to: &str| {
        json!({ "type": "ChatMessage", "message": { "from": "ann", "to": to, "message": "for you",
            "timestamp": 1_732_147_200_123_u64, "message_type": "chat" } })
    };
    let mut sge = both(&server, Sge).await;
    sge.ours.send(&chat("bob")).await;
    sge.friend.expect(chat("bob")).await;
    sge.ours.send(&json!({ "type": "Typing", "from": "ann", "to": "bob", "typing": true })).await;
    sge.friend.expect(json!({ "type": "Typing", "from": "ann" })).await;
    sge.they_hear_nothing().await;
    // One who is away in this tenant is not the one who is there in the other.
    let mut only = server.member(Sge, "t2", "carl").await;
    sge.ours.send(&chat("carl")).await;
    sge.ours.expect(chat("carl")).await;
    only.expect_nothing().await;
    server.member(Sge, "t1", "carl").await.expect(chat("carl")).await;
    only.expect_nothing().await;
    let mut tusk = both(&server, Tusk).await;
    tusk.settle().await;
    tusk.ours.send(&json!({ "type": "private_message", "to": "bob", "message": "for you" })).await;
    tusk.friend.expect(json!({ "type": "private_message", "from": "ann" })).await;
    tusk.they_hear_nothing().await;
}

#[tokio::test]
async fn lists_name_those_of_the_own_tenant() {
    let server = TestServer::start("");
    let _nexus = server.member(Nexus, "t1", "one").await;
    let mut other = server.member(Nexus, "t2", "two").await;
    other.join("hall").await;
    let _sge = server.member(Sge, "t2", "two").await;
    let mut tusk = server.member(Tusk, "t2", "two").await;
    tusk.join("secret-hall").await;
    let as_of = |tenant: &str| json!({ "sub": "reader", "tenantId": tenant, "roles": ["user"] });
    let get = async |tenant: &str, path: &str| server.rest_as(as_of(tenant), "GET", path, None).await;
    assert_eq!(get("t1", "/api/ws/online").await.json()["users"], json!(["one"]));
    assert_eq!(get("t2", "/api/ws/online").await.json()["users"], json!(["two"]));
    assert_eq!(get("t1", "/api/presence/two").await.json()["status"], "offline");
    assert_eq!(get("t2", "/api/presence/two").await.json()["status"], "online");
    let theirs = get("t1", "/api/ws/rooms/hall").await;
    assert!(!theirs.body.contains("two"), "{theirs:?}");
    assert!(get("t2", "/api/ws/rooms/hall").await.body.contains("two"));
    assert_eq!(get("t1", "/xmpp/presence").await.json(), json!({}));
    assert!(get("t2", "/xmpp/presence").await.json().get("two").is_some());
    assert_eq!(get("t1", "/xmpp/presence/two").await.status, 404);
    assert!(!get("t1", "/rooms").await.body.contains("secret-hall"));
    assert!(get("t2", "/rooms").await.body.contains("secret-hall"));
    assert_eq!(get("t1", "/rooms/secret-hall").await.status, 404);
    let hello = json!({ "type": "get_online_status", "user_ids": ["one", "two"] });
    let _gator = server.member(Gator, "t2", "two").await;
    let mut asker = server.member(Gator, "t1", "one").await;
    asker.send(&hello).await;
    asker.next_is(json!({ "type": "online_users", "users": ["one"] })).await;
}

#[tokio::test]
async fn notifications_reach_users_of_the_callers_tenant() {
    let server = TestServer::start("");
    let mut nexus = both(&server, Nexus).await;
    let mut sge = both(&server, Sge).await;
    nexus.settle().await;
    sge.settle().await;
    let by = json!({ "sub": "caller", "tenantId": "t1", "roles": ["admin"] });
    let body = json!({ "user_id": "ann", "title": "t", "message": "m", "notification_type": "info",
        "priority": "normal" });
    for path in ["/api/notifications/send", "/api/notifications/broadcast"] {
        let answer = server.rest_as(by.clone(), "POST", path, Some(body.clone())).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        nexus.ours.next_is(json!({ "event_type": "notification" })).await;
    }
    nexus.they_hear_nothing().await;
    let body = json!({ "title": "t", "message": "m", "level": "info" });
    for path in ["/ws/notify/ann", "/ws/broadcast/system"] {
        let answer = server.rest_as(by.clone(), "POST", path, Some(body.clone())).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        sge.ours.next_is(json!({ "type": "Notification" })).await;
    }
    sge.they_hear_nothing().await;
}

fn join(channel: &str) -> Value {
    json!({ "type": "join_channel", "data": { "channel": channel } })
}

fn joined(channel: &str) -> Value {
    json!({ "type": "channel_joined", "data": { "channel": channel } })
}

fn send(channel: &str, message: &str) -> Value {
    json!({ "type": "send_message", "data": { "channel": channel, "message": message } })
}

#[tokio::test]
async fn aegisx_channels_of_a_tenant_open_to_it_alone() {
    let server = TestServer::start("[auth]\nmode = 'required'");
    // A name that is the beginning of another, and names that look like parts of one.
    let pairs = [
        ("t1", "t2"),
        ("t1", "t10"),
        ("t10", "t1"),
        ("t1", "t1:x"),
        ("t1:x", "t1"),
        ("t", "T"),
        ("t1", "t1 "),
    ];
    for (own, other) in pairs {
        let mut ours = server.member(Aegisx, own, "ann").await;
        let mut theirs = server.member(Aegisx, other, "ann").await;
        for channel in [format!("tenant:{other}"), format!("tenant:{other}:room")] {
            if !other.contains(':') {
                theirs.send(&join(&channel)).await;
                theirs.next_is(joined(&channel)).await;
            }
            // Of `t1` and `t1:x` the longer name may be read as a channel of the shorter one; then it is that.
            let ambiguous = other.strip_prefix(own).is_some_and(|rest| rest.starts_with(':'));
            if !ambiguous {
                ours.send(&join(&channel)).await;
                ours.next_is(Aegisx.error("Access denied to channel")).await;
            }
            ours.send(&send(&channel, "intruding")).await;
            if !ambiguous {
                ours.next_is(Aegisx.error("Permission denied")).await;
            }
        }
        for channel in [format!("notifications:{other}:ann:all"), format!("notifications:{own}:bob:all")] {
            ours.send(&join(&channel)).await;
            ours.next_is(Aegisx.error("Access denied to channel")).await;
            ours.send(&send(&channel, "intruding")).await;
            ours.next_is(Aegisx.error("Permission denied")).await;
        }
        theirs.expect_nothing().await;
    }
}

#[tokio::test]
async fn aegisx_public_channels_are_shared_or_each_tenants_own() {
    for per_tenant in [false, true] {
        let server = TestServer::start(&format!("[aegisx]\npublic_per_tenant = {per_tenant}"));
        let mut both = both(&server, Aegisx).await;
        for speaker in [&mut both.ours, &mut both.friend, &mut both.theirs, &mut both.stranger] {
            speaker.join("news").await;
        }
        both.ours.say("news", "hear").await;
        both.friend.next_is(Aegisx.said("ann", "news", "hear")).await;
        if !per_tenant {
            both.theirs.next_is(Aegisx.said("ann", "news", "hear")).await;
            both.stranger.next_is(Aegisx.said("ann", "news", "hear")).await;
        }
        both.they_hear_nothing().await;
        both.ours.expect_nothing().await;
    }
}

async fn admin(server: &TestServer, tenant: &str) -> Speaker {
    let token = support::signed(json!({ "sub": "root", "tenantId": tenant, "roles": ["admin"] }));
    let mut admin =
        Speaker::connect(server.address, Aegisx, &format!("/aegisx/ws/admin?token={token}")).await;
    admin.next_is(json!({ "type": "connection" })).await;
    admin
}

#[tokio::test]
async fn administrators_orders_reach_the_tenant_they_name() {
    let server = TestServer::start("[auth]\nmode = 'required'");
    let mut both = both(&server, Aegisx).await;
    for speaker in [&mut both.ours, &mut both.theirs] {
        speaker.send(&json!({ "type": "subscribe_notifications", "data": {} })).await;
        speaker.next_is(json!({ "type": "notifications_subscribed" })).await;
    }
    let mut root = admin(&server, "t9").await;
    let notice = json!({ "type": "status_updated", "data": { "status": "paid" } });
    root.send(&json!({ "type": "notify_user",
        "data": { "tenantId": "t1", "userId": "ann", "notification": notice } }))
        .await;
    both.ours.next_is(json!({ "type": "notification", "data": notice })).await;
    let message = json!({ "type": "note", "data": { "n": 1 } });
    root.send(&json!({ "type": "broadcast_tenant", "data": { "tenantId": "t1", "message": message } })).await;
    both.ours.next_is(message.clone()).await;
    both.friend.next_is(message.clone()).await;
    both.they_hear_nothing().await;
    for (path, body) in [
        ("/api/admin/tenants/t1/broadcast", json!({ "message": message })),
        ("/api/admin/tenants/t1/users/ann/notify", json!({ "notification": notice })),
        ("/api/admin/channels/notifications:t1:ann:all", json!({ "message": message })),
    ] {
        let by = json!({ "sub": "root", "tenantId": "t9", "roles": ["admin"] });
        let answer = server.rest_as(by, "POST", path, Some(body)).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        both.ours.next_is(json!({})).await;
        both.they_hear_nothing().await;
    }
    // To everybody means everybody.
    root.send(&json!({ "type": "broadcast", "data": { "message": message } })).await;
    for speaker in [&mut both.ours, &mut both.friend, &mut both.theirs, &mut both.stranger] {
        speaker.expect(message.clone()).await;
    }
    // Who is no administrator cannot order, and there is no such word.
    both.ours
        .send(&json!({ "type": "broadcast_tenant", "data": { "tenantId": "t2", "message": message } }))
        .await;
    both.ours.expect(Aegisx.error("Unknown message type: broadcast_tenant")).await;
    both.they_hear_nothing().await;
}

#[tokio::test]
async fn an_inactive_or_unknown_tenant_does_not_come_in() {
    let server = TestServer::start("[aegisx]\ntenants = { t1 = 'active', t2 = 'inactive' }");
    server.member(Aegisx, "t1", "ann").await.expect_nothing().await;
    for tenant in ["t2", "t3", "T1", "t1:x"] {
        let token = support::signed(json!({ "sub": "ann", "tenantId": tenant }));
        let mut refused = Speaker::connect(server.address, Aegisx, &Aegisx.path_with("ann", &token)).await;
        assert_eq!(refused.closed_at_once().await, (1000, "Authentication failed".into()), "{tenant}");
    }
}

#[tokio::test]
async fn dialects_of_one_realm_keep_tenants_apart_too() {
    let realms = TONGUES.map(|t| format!("[{}]\nrealm = 'square'\npresence_broadcast = false\n", t.name()));
    let server = TestServer::start(&realms.concat());
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for tongue in [Sge, Nexus, Gator, Tusk] {
        for (tenant, list) in [("t1", &mut ours), ("t2", &mut theirs)] {
            let mut member = server.member(tongue, tenant, tongue.name()).await;
            member.join("hall").await;
            list.push(member);
        }
    }
    for member in &mut theirs {
        member.settle().await;
    }
    for n in 0..ours.len() {
        let (user, text) = (ours[n].user.clone(), format!("said by {n}"));
        ours[n].say("hall", &text).await;
        for member in &mut ours {
            member.hear(&user, "hall", &text).await;
        }
    }
    for member in &mut theirs {
        member.expect_nothing().await;
    }
}
