//! A server that is told to end closes everybody with 1012, lets nobody in, and ends.

mod support;

use std::time::Duration;

use support::{Client, Process, Raw, TestServer, close_payload, masked};

const FAREWELL: (u16, &str) = (1012, "server restarts: reconnect");

#[tokio::test]
async fn everybody_is_closed_and_every_shard_ends() {
    let server = TestServer::start_sharded("");
    let mut clients = vec![server.client_on(0).await, server.client_on(1).await];
    for _ in 0..20 {
        clients.push(server.client().await);
    }
    server.drain(Duration::from_millis(200));
    for mut client in clients {
        let (code, reason) = client.closed().await;
        assert_eq!((code, &reason[..]), FAREWELL);
        client.close().await;
    }
    server.join().await;
}

#[tokio::test]
async fn without_connections_it_ends_at_once() {
    let server = TestServer::start("");
    server.drain(Duration::from_secs(3600));
    server.join().await;
}

#[tokio::test]
async fn one_that_answers_no_close_holds_nothing_up() {
    let server = TestServer::start("");
    let mut raw = server.raw().await;
    server.drain(Duration::ZERO);
    assert_eq!(raw.frame().await.close().0, FAREWELL.0);
    server.join().await;
}

#[tokio::test]
async fn while_it_drains_it_says_so_and_lets_nobody_in() {
    let server = TestServer::start("");
    // Requests on connections that were there before; new ones find nobody who accepts.
    let mut asks = Raw::connect(server.address).await;
    asks.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(asks.response().await.status, 200);
    let mut comes = Raw::connect(server.address).await;
    comes.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(comes.response().await.status, 200);
    // On every shard somebody whose farewell is not answered yet keeps it running.
    let mut holds = Vec::new();
    for _ in 0..16 {
        holds.push(server.raw().await);
    }
    server.drain(Duration::from_secs(5));
    asks.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(asks.response().await.status, 503);
    let answer = comes.ask("").await;
    assert_eq!((answer.status, &answer.body[..]), (503, "the server is going down\n"));
    for mut raw in holds {
        assert_eq!(raw.frame().await.close().0, FAREWELL.0);
        raw.write_if_open(&masked(0x88, &close_payload(1012, ""))).await;
    }
    server.join().await;
}

#[tokio::test]
async fn a_process_ends_with_0_on_sigterm() {
    let mut server = Process::start(&["--drain-seconds", "0.2"], "").await;
    let mut client = Client::connect(server.address).await;
    client.join("hall").await;
    server.terminate();
    assert_eq!(client.closed().await.0, FAREWELL.0);
    client.close().await;
    assert_eq!(server.exit_code().await, Some(0));
}

#[tokio::test]
async fn a_signal_right_after_the_ready_line_is_heard() {
    for _ in 0..20 {
        let mut server = Process::start(&["--shards", "1"], "").await;
        server.terminate();
        assert_eq!(server.exit_code().await, Some(0));
    }
}
