//! After five hundred connections came and went every figure is back at zero.

mod support;

use std::time::Duration;

use serde_json::json;
use support::{TestServer, soon};

#[tokio::test]
async fn five_hundred_connects_and_disconnects() {
    let server = TestServer::start("[tusk]\npresence_broadcast = false");
    for wave in 0..10 {
        let mut clients = Vec::new();
        for n in 0..50 {
            let mut client = server.client().await;
            if n % 2 == 0 {
                // Users with several devices, and rooms shared by users and guests.
                client.auth(&format!("user-{}", n % 12)).await;
            }
            client.join(&format!("room-{}", n % 7)).await;
            client.join(&format!("wave-{wave}")).await;
            clients.push(client);
        }
        assert_eq!(server.stats().await["total_connections"], 50);
        for (n, client) in clients.into_iter().enumerate() {
            match n % 3 {
                0 => client.close().await,
                // Without a word.
                _ => drop(client),
            }
        }
        server.connections_become(0).await;
    }
    soon("figures of zero", async {
        loop {
            let stats = server.stats().await;
            let figures = ["total_connections", "total_rooms", "online_users"].map(|key| stats[key].clone());
            if figures == [json!(0), json!(0), json!(0)] {
                break;
            }
        }
    })
    .await;
    for gauge in ["lanecast_connections_open", "lanecast_rooms", "lanecast_users_online"] {
        assert_eq!(server.metric(gauge).await, 0.0, "{gauge}");
    }
    assert!(server.metric("lanecast_connections_accepted_total").await == 500.0);
    assert_eq!(server.metric("lanecast_connections_closed_total").await, 500.0);
}

#[tokio::test]
async fn connections_that_end_in_the_middle_of_things() {
    let server = TestServer::start("");
    for cut in [1, 2, 5, 6, 20] {
        for _ in 0..10 {
            let mut raw = server.raw().await;
            raw.text(r#"{"type":"join_room","room":"hall"}"#).await;
            let say = support::masked(0x81, br#"{"type":"broadcast","room":"hall","message":"x"}"#);
            raw.write(&say[..cut]).await;
        }
    }
    server.connections_become(0).await;
    soon("no room", async { while server.stats().await["total_rooms"] != 0 {} }).await;
    server.drain(Duration::ZERO);
    server.join().await;
}
