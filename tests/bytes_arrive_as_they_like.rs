//! How the network cuts the bytes changes nothing: single bytes, fragments, all in one packet.

mod support;

use support::{Raw, TestServer, masked};

const PING: &[u8] = br#"{"type":"ping"}"#;

#[tokio::test]
async fn a_handshake_and_a_message_one_byte_at_a_time() {
    let server = TestServer::start("");
    let mut raw = Raw::connect(server.address).await;
    for byte in Raw::request(server.address, "").into_bytes() {
        raw.write(&[byte]).await;
    }
    let answer = raw.response().await;
    assert_eq!(answer.status, 101);
    // The example of RFC 6455 section 1.3.
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    for byte in masked(0x81, PING) {
        raw.write(&[byte]).await;
    }
    assert!(raw.frame().await.text().contains("pong"));
}

#[tokio::test]
async fn frames_in_the_packet_of_the_request_are_heard() {
    let server = TestServer::start("");
    let join = masked(0x81, br#"{"type":"join_room","room":"hall"}"#);
    let say = masked(0x81, br#"{"type":"broadcast","room":"hall","message":"early"}"#);
    let mut bytes = Raw::request(server.address, "").into_bytes();
    for frame in [&join, &say, &masked(0x81, PING)] {
        bytes.extend(frame);
    }
    let mut raw = Raw::connect(server.address).await;
    raw.write(&bytes).await;
    assert_eq!(raw.response().await.status, 101);
    assert!(raw.frame().await.text().contains("room_joined"));
    // Who serves the ping need not ask the room's home.
    let mut rest = [raw.frame().await, raw.frame().await].map(|f| f.text().to_owned());
    rest.sort();
    assert!(rest[0].contains("pong") && rest[1].contains("early"), "{rest:?}");
}

#[tokio::test]
async fn a_request_cut_anywhere_is_followed_by_a_message_cut_anywhere() {
    let server = TestServer::start("");
    let request = Raw::request(server.address, "").into_bytes();
    let bytes = [&request[..], &masked(0x81, PING)].concat();
    for cut in (0..bytes.len()).step_by(7).chain(request.len() - 5..request.len() + 5) {
        let mut raw = Raw::connect(server.address).await;
        raw.write(&bytes[..cut]).await;
        raw.write(&bytes[cut..]).await;
        assert_eq!(raw.response().await.status, 101, "cut at {cut}");
        assert!(raw.frame().await.text().contains("pong"), "cut at {cut}");
    }
}

#[tokio::test]
async fn a_ping_between_fragments_is_answered_before_the_message_is_whole() {
    let server = TestServer::start("");
    let mut raw = server.raw().await;
    raw.write(&masked(0x01, &PING[..4])).await;
    raw.write(&masked(0x89, b"between")).await;
    let pong = raw.frame().await;
    assert_eq!((pong.first, &pong.payload[..]), (0x8a, &b"between"[..]));
    raw.write(&masked(0x00, b"")).await;
    raw.write(&masked(0x8a, b"a Pong nobody asked for")).await;
    raw.write(&masked(0x80, &PING[4..])).await;
    assert!(raw.frame().await.text().contains("pong"));
}

#[tokio::test]
async fn a_ping_of_125_bytes_comes_back_whole() {
    let server = TestServer::start("");
    let mut raw = server.raw().await;
    for payload in [vec![], vec![0xff; 125]] {
        raw.write(&masked(0x89, &payload)).await;
        let pong = raw.frame().await;
        assert_eq!((pong.first, pong.payload), (0x8a, payload));
    }
}

#[tokio::test]
async fn a_hundred_messages_in_one_packet_are_all_answered() {
    let server = TestServer::start("[tusk]\nenable_rate_limiting = false");
    let mut raw = server.raw().await;
    raw.write(&masked(0x81, PING).repeat(100)).await;
    for _ in 0..100 {
        assert!(raw.frame().await.text().contains("pong"));
    }
}
