//! A client that breaks RFC 6455 is told so by a Close frame with the code for it: 1002 or 1007.

mod support;

use support::{TestServer, close_payload, masked};

/// Sends the bytes on a connection of their own; the code of the Close that must come of it.
async fn closed_for(server: &TestServer, bytes: &[u8]) -> u16 {
    let mut raw = server.raw().await;
    raw.write(bytes).await;
    let (code, reason) = raw.frame().await.close();
    assert!(!reason.is_empty(), "says why");
    raw.finish().await;
    assert!(raw.ended().await.is_empty(), "nothing after the Close");
    code
}

#[tokio::test]
async fn breaches_of_framing_close_with_1002() {
    let server = TestServer::start("");
    let text = masked(0x81, b"x");
    let long_ping = masked(0x89, &[0; 126]);
    for (what, bytes) in [
        ("not masked", vec![0x81, 0x01, b'x']),
        ("an empty frame not masked", vec![0x81, 0x00]),
        ("RSV1 without compression", masked(0xc1, b"x")),
        ("RSV2", masked(0xa1, b"x")),
        ("RSV3", masked(0x91, b"x")),
        ("a reserved data opcode", masked(0x83, b"x")),
        ("a reserved control opcode", masked(0x8b, b"")),
        ("a Ping in fragments", masked(0x09, b"x")),
        ("a Close in fragments", masked(0x08, b"")),
        ("a Ping of 126 bytes", long_ping),
        ("a continuation of nothing", masked(0x80, b"x")),
        ("a new message inside another", [masked(0x01, b"x"), text].concat()),
        ("a Close of one byte", masked(0x88, &[3])),
        ("a Close with a code that must not be sent", masked(0x88, &close_payload(1005, ""))),
        ("a Close with a code that does not exist", masked(0x88, &close_payload(999, ""))),
        ("a length in more bytes than needed", vec![0x81, 0xfe, 0, 5, 0, 0, 0, 0, 1, 2, 3, 4, 5]),
        ("a length above 63 bits", vec![0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ] {
        assert_eq!(closed_for(&server, &bytes).await, 1002, "{what}");
    }
}

#[tokio::test]
async fn text_that_is_no_utf_8_closes_with_1007() {
    let server = TestServer::start("");
    for (what, bytes) in [
        ("a wrong byte", masked(0x81, b"\xff")),
        ("an overlong form", masked(0x81, b"\xc0\xaf")),
        ("a surrogate", masked(0x81, b"\xed\xa0\x80")),
        ("cut inside a character", masked(0x81, b"\xf0\x9f\x98")),
        ("wrong in the second frame", [masked(0x01, b"ok \xce"), masked(0x80, b"\xff")].concat()),
        ("a character never ended, over frames", [masked(0x01, b"\xf0\x9f"), masked(0x80, b"\x98")].concat()),
        ("in the reason of a Close", masked(0x88, &[&close_payload(1000, "")[..], b"\xff"].concat())),
    ] {
        assert_eq!(closed_for(&server, &bytes).await, 1007, "{what}");
    }
}

#[tokio::test]
async fn a_wrong_byte_is_found_before_its_message_ends() {
    let server = TestServer::start("");
    assert_eq!(closed_for(&server, &masked(0x01, b"begun \xff")).await, 1007);
}

#[tokio::test]
async fn a_character_split_over_frames_and_packets_is_whole() {
    let server = TestServer::start("");
    let mut raw = server.raw().await;
    let text = r#"{"type":"dance😀"}"#.as_bytes();
    for (at, byte) in text.iter().enumerate() {
        let first = if at == 0 { 0x01 } else { 0x00 };
        let last = if at + 1 == text.len() { 0x80 } else { 0x00 };
        raw.write(&masked(first | last, &[*byte])).await;
    }
    assert!(raw.frame().await.text().contains("dance😀"));
}

#[tokio::test]
async fn what_stood_before_the_breach_was_heard() {
    let server = TestServer::start("");
    let mut raw = server.raw().await;
    raw.write(&[masked(0x81, br#"{"type":"ping"}"#), masked(0x8b, b"")].concat()).await;
    assert!(raw.frame().await.text().contains("pong"));
    assert_eq!(raw.frame().await.close().0, 1002);
}
