//! The connection after the last one allowed is refused before the upgrade, and places come back.

mod support;

use std::net::{Ipv4Addr, SocketAddr};

use support::{Http, Raw, TestServer};
use tokio::net::TcpSocket;

async fn refused(address: SocketAddr) -> Http {
    Raw::connect(address).await.ask("").await
}

/// Fills the places, is refused one more, gives one back by each way of leaving, and takes it again.
async fn expect_limit(settings: &str, status: u16, text: &str) {
    let server = TestServer::start(settings);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(server.raw().await);
    }
    for gone_rudely in [true, false] {
        let answer = refused(server.address).await;
        assert_eq!((answer.status, &answer.body[..]), (status, text));
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        let mut leaving = held.swap_remove(0);
        if !gone_rudely {
            leaving.write(&support::masked(0x88, &support::close_payload(1000, ""))).await;
            leaving.ended().await;
        }
        drop(leaving);
        server.connections_become(2).await;
        held.push(server.raw().await);
    }
    for raw in &mut held {
        raw.expect_alive().await;
    }
}

#[tokio::test]
async fn of_the_dialect() {
    expect_limit("[tusk]\nmax_connections = 3", 503, "too many connections\n").await;
}

#[tokio::test]
async fn of_the_process() {
    expect_limit("[limits]\nmax_connections = 3", 503, "too many connections\n").await;
}

#[tokio::test]
async fn of_an_address() {
    let text = "too many connections from this address\n";
    expect_limit("[tusk]\nmax_connections_per_ip = 3", 429, text).await;
}

#[tokio::test]
async fn one_address_takes_no_places_from_another() {
    let server = TestServer::start("[tusk]\nmax_connections_per_ip = 1");
    let _first = server.raw().await;
    assert_eq!(refused(server.address).await.status, 429);
    let other = TcpSocket::new_v4().expect("a socket");
    other.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), 0))).expect("loopback has many addresses");
    let mut other = Raw::with(other, server.address).await;
    assert_eq!(other.ask("").await.status, 101);
}

#[tokio::test]
async fn a_refused_upgrade_takes_no_place() {
    let server = TestServer::start("[tusk]\nmax_connections = 1");
    for headers in ["Origin: https://evil.example\r\n", "Sec-WebSocket-Version: 12\r\n"] {
        let answer = Raw::connect(server.address).await.ask(headers).await;
        assert!((400..500).contains(&answer.status), "{answer:?}");
    }
    server.raw().await.expect_alive().await;
}

#[tokio::test]
async fn rest_is_answered_when_every_place_is_taken() {
    let server = TestServer::start("[limits]\nmax_connections = 1");
    let _only = server.raw().await;
    assert_eq!(support::get(server.address, "/healthz").await.status, 200);
}
