//! A Close frame is answered with its own code, and then TCP ends.

mod support;

use support::{TestServer, close_payload, masked};

#[tokio::test]
async fn the_code_comes_back_and_tcp_ends() {
    let server = TestServer::start("");
    for code in [1000, 1001, 1003, 1007, 1011, 3000, 4999] {
        let mut raw = server.raw().await;
        raw.write(&masked(0x88, &close_payload(code, "that is all"))).await;
        assert_eq!(raw.frame().await.close().0, code);
        assert!(raw.ended().await.is_empty());
    }
}

#[tokio::test]
async fn a_close_without_a_code_is_answered_without_one() {
    let server = TestServer::start("");
    let mut raw = server.raw().await;
    raw.write(&masked(0x88, b"")).await;
    let answer = raw.frame().await;
    assert_eq!((answer.first, answer.payload), (0x88, vec![]));
    assert!(raw.ended().await.is_empty());
}

#[tokio::test]
async fn what_was_asked_before_the_close_is_answered_and_nothing_after() {
    let server = TestServer::start("");
    let mut raw = server.raw().await;
    let ping = masked(0x81, br#"{"type":"ping"}"#);
    let close = masked(0x88, &close_payload(1000, ""));
    raw.write(&[&ping[..], &close, &ping].concat()).await;
    assert!(raw.frame().await.text().contains("pong"));
    assert_eq!(raw.frame().await.close().0, 1000);
    assert!(raw.ended().await.is_empty());
}

#[tokio::test]
async fn a_client_that_goes_without_a_word_is_noticed() {
    let server = TestServer::start("");
    let raw = server.raw().await;
    server.connections_become(1).await;
    drop(raw);
    server.connections_become(0).await;
}
