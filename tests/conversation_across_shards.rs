//! Clients whose connections live on different shards share rooms, in order, and users are found wherever they are.

mod support;

use serde_json::json;
use support::TestServer;

#[tokio::test]
async fn two_shards_converse_both_ways_and_in_order() {
    let server = TestServer::start_sharded("");
    let (mut anna, mut ben) = (server.client_on(0).await, server.client_on(1).await);
    for client in [&mut anna, &mut ben] {
        client.join("hall").await;
    }
    // Anna sends all before she reads any: the order is hers, at both.
    for n in 0..200 {
        anna.say("hall", &format!("anna {n}")).await;
    }
    for n in 0..200 {
        assert_eq!(ben.hear().await, format!("anna {n}"));
        assert_eq!(anna.hear().await, format!("anna {n}"));
    }
    // Both at once: each one's order holds, and both hear the same sequence, since a room has one home.
    for n in 0..100 {
        anna.say("hall", &format!("anna {n}")).await;
        ben.say("hall", &format!("ben {n}")).await;
    }
    let (mut at_anna, mut at_ben) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        at_anna.push(anna.hear().await);
        at_ben.push(ben.hear().await);
    }
    assert_eq!(at_anna, at_ben);
    for who in ["anna", "ben"] {
        let own: Vec<_> = at_ben.iter().filter(|text| text.starts_with(who)).cloned().collect();
        assert_eq!(own, (0..100).map(|n| format!("{who} {n}")).collect::<Vec<_>>());
    }
    anna.expect_nothing().await;
    ben.expect_nothing().await;
}

#[tokio::test]
async fn everyone_in_the_room_hears_a_message_once_and_nobody_outside_does() {
    let server = TestServer::start_sharded("");
    let mut members = Vec::new();
    for shard in [0, 1, 0, 1, 0, 1] {
        members.push(server.client_on(shard).await);
    }
    for member in &mut members {
        member.join("hall").await;
    }
    let mut stranger = server.client_on(0).await;
    stranger.join("elsewhere").await;
    members[0].say("hall", "all of you").await;
    for member in &mut members {
        assert_eq!(member.hear().await, "all of you");
        member.expect_nothing().await;
    }
    stranger.expect_nothing().await;
}

#[tokio::test]
async fn a_private_message_reaches_every_device_on_every_shard() {
    let server = TestServer::start_sharded("[tusk]\npresence_broadcast = false");
    let mut devices = Vec::new();
    for shard in [0, 1, 1] {
        let mut device = server.client_on(shard).await;
        device.auth("ben").await;
        devices.push(device);
    }
    for shard in [0, 1] {
        let mut anna = server.client_on(shard).await;
        anna.auth("anna").await;
        let text = format!("from shard {shard}");
        anna.send(json!({ "type": "private_message", "to": "ben", "message": text })).await;
        let sent = anna.expect("message_sent").await;
        assert_eq!((&sent["to"], &sent["queued"]), (&json!("ben"), &json!(null)), "{sent}");
        for device in &mut devices {
            let got = device.expect("private_message").await;
            assert_eq!((&got["from"], &got["message"]), (&json!("anna"), &json!(text)), "{got}");
        }
    }
    for device in &mut devices {
        device.expect_nothing().await;
    }
}

#[tokio::test]
async fn who_leaves_hears_no_more_whatever_its_shard() {
    let server = TestServer::start_sharded("");
    let (mut stays, mut leaves) = (server.client_on(0).await, server.client_on(1).await);
    for client in [&mut stays, &mut leaves] {
        client.join("hall").await;
    }
    leaves.send(json!({ "type": "leave_room", "room": "hall" })).await;
    leaves.expect("room_left").await;
    stays.say("hall", "without you").await;
    assert_eq!(stays.hear().await, "without you");
    leaves.expect_nothing().await;
}
