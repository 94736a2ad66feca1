//! permessage-deflate (RFC 7692): negotiated when offered, and then messages really are shorter on the wire.

mod support;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use support::{Raw, TestServer, masked};

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
/// What a sender leaves out of each message (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

fn inflated(payload: &[u8]) -> String {
    let mut text = Vec::with_capacity(1 << 16);
    let input = [payload, &TAIL].concat();
    Decompress::new(false).decompress_vec(&input, &mut text, FlushDecompress::Sync).expect("deflate");
    String::from_utf8(text).expect("UTF-8")
}

fn deflated(text: &str) -> Vec<u8> {
    let mut payload = Vec::with_capacity(1 << 16);
    let mut deflate = Compress::new(Compression::default(), false);
    deflate.compress_vec(text.as_bytes(), &mut payload, FlushCompress::Sync).expect("room");
    assert!(payload.ends_with(&TAIL));
    payload.truncate(payload.len() - TAIL.len());
    payload
}

async fn compressing(server: &TestServer) -> Raw {
    let mut raw = Raw::connect(server.address).await;
    let answer = raw.ask(OFFER).await;
    let accepted = answer.header("sec-websocket-extensions").expect("an extension");
    assert!(accepted.starts_with("permessage-deflate"), "{accepted}");
    raw
}

#[tokio::test]
async fn a_long_message_is_compressed_for_those_who_asked_and_for_nobody_else() {
    let server = TestServer::start("");
    let (mut asked, mut plain) = (compressing(&server).await, server.raw().await);
    for raw in [&mut asked, &mut plain] {
        raw.text(r#"{"type":"join_room","room":"hall"}"#).await;
        assert!(raw.frame().await.text().contains("room_joined"), "short ones are sent as they are");
    }
    let text = "the same again, ".repeat(50);
    plain.text(&format!(r#"{{"type":"broadcast","room":"hall","message":"{text}"}}"#)).await;
    let frame = plain.frame().await;
    let whole = frame.text().to_owned();
    let frame = asked.frame().await;
    assert_eq!(frame.first, 0xc1, "FIN, RSV1, text");
    assert!(frame.payload.len() * 4 < whole.len(), "{} of {} bytes", frame.payload.len(), whole.len());
    assert_eq!(inflated(&frame.payload), whole);
}

#[tokio::test]
async fn messages_from_the_client_may_be_compressed_or_not() {
    let server = TestServer::start("");
    let mut raw = compressing(&server).await;
    let ping = format!(r#"{{"type":"ping","x":"{}"}}"#, "x".repeat(500));
    raw.write(&masked(0xc1, &deflated(&ping))).await;
    assert!(raw.frame().await.text().contains("pong"));
    raw.text(&ping).await;
    assert!(raw.frame().await.text().contains("pong"));
    // In fragments the bit stands on the first one only.
    let payload = deflated(&ping);
    raw.write(&masked(0x41, &payload[..3])).await;
    raw.write(&masked(0x80, &payload[3..])).await;
    assert!(raw.frame().await.text().contains("pong"));
}

#[tokio::test]
async fn a_bomb_closes_with_1009_and_nonsense_with_a_reason() {
    let server = TestServer::start("");
    let mut raw = compressing(&server).await;
    let bomb = deflated(&"[".repeat(1 << 20));
    assert!(bomb.len() < 4096);
    raw.write(&masked(0xc1, &bomb)).await;
    assert_eq!(raw.frame().await.close().0, 1009);
    let mut raw = compressing(&server).await;
    raw.write(&masked(0xc1, &[0xff; 20])).await;
    let (code, reason) = raw.frame().await.close();
    assert!(matches!(code, 1002 | 1007) && !reason.is_empty(), "{code} {reason}");
}

#[tokio::test]
async fn nobody_gets_what_was_not_offered_or_is_switched_off() {
    let off = TestServer::start("[tusk]\nenable_compression = false");
    let on = TestServer::start("");
    for (server, headers) in [
        (&off, OFFER),
        (&on, ""),
        (&on, "Sec-WebSocket-Extensions: x-unknown\r\n"),
        (&on, "Sec-WebSocket-Extensions: permessage-deflate; unheard_of=1\r\n"),
    ] {
        let mut raw = Raw::connect(server.address).await;
        let answer = raw.ask(headers).await;
        assert_eq!((answer.status, answer.header("sec-websocket-extensions")), (101, None), "{headers}");
        raw.write(&masked(0xc1, &deflated(r#"{"type":"ping"}"#))).await;
        assert_eq!(raw.frame().await.close().0, 1002, "RSV1 has no meaning here");
    }
}
