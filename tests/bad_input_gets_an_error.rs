//! Messages that make no sense are answered in the document's words, and the connection lives on.

mod support;

use serde_json::json;
use support::{Client, TestServer};
use tokio_tungstenite::tungstenite::Message;

/// The frame limit: the document's 1024 bytes and the envelope's 256.
const FRAME_BYTES: usize = 1280;

const MALFORMED: &str = "Invalid message format";

async fn expect_error(client: &mut Client, message: Message, error: &str) {
    let shown = format!("{message:.80?}");
    client.send_message(message).await;
    assert_eq!(client.recv().await, json!({ "type": "error", "message": error }), "{shown}");
    client.expect_nothing().await;
}

#[tokio::test]
async fn each_mistake_has_its_words() {
    let server = TestServer::start("");
    let mut client = server.client().await;
    for (text, error) in [
        ("", MALFORMED),
        (" ", MALFORMED),
        ("{", MALFORMED),
        ("null", MALFORMED),
        ("[]", MALFORMED),
        ("\"ping\"", MALFORMED),
        (r#"{"type":"ping"} "#.repeat(2).trim_end(), MALFORMED),
        (r#"{"type":"ping","x":NaN}"#, MALFORMED),
        (r#"{"type":"ping","x":"\ud800"}"#, MALFORMED),
        ("{}", MALFORMED),
        (r#"{"type":5}"#, MALFORMED),
        (r#"{"type":null}"#, MALFORMED),
        (r#"{"type":["ping"]}"#, MALFORMED),
        (r#"{"type":""}"#, "Unknown message type: "),
        (r#"{"type":"dance"}"#, "Unknown message type: dance"),
        (r#"{"type":"join_room"}"#, "Room name required"),
        (r#"{"type":"join_room","room":""}"#, "Room name required"),
        (r#"{"type":"leave_room"}"#, "Room name required"),
        (r#"{"type":"broadcast","room":"hall"}"#, "Room and message required"),
        (r#"{"type":"broadcast","message":"x"}"#, "Room and message required"),
        (r#"{"type":"private_message"}"#, "Target user ID and message required"),
        (r#"{"type":"private_message","to":"u","message":"x"}"#, "Authentication required"),
        (r#"{"type":"create_room","room":"x"}"#, "Authentication required"),
    ] {
        expect_error(&mut client, Message::text(text), error).await;
    }
}

#[tokio::test]
async fn a_field_of_the_wrong_type_is_named() {
    let server = TestServer::start("");
    let mut client = server.client().await;
    client.auth("anna").await;
    for (text, field) in [
        (r#"{"type":"join_room","room":5}"#, "room"),
        (r#"{"type":"join_room","room":["hall"]}"#, "room"),
        (r#"{"type":"join_room","room":"hall","password":{}}"#, "password"),
        (r#"{"type":"leave_room","room":true}"#, "room"),
        (r#"{"type":"broadcast","room":"hall","message":{"a":1}}"#, "message"),
        (r#"{"type":"private_message","to":7,"message":"x"}"#, "to"),
        (r#"{"type":"presence","status":"dancing"}"#, "status"),
        (r#"{"type":"presence","status":5}"#, "status"),
        (r#"{"type":"ack","id":5}"#, "id"),
    ] {
        client.send_text(text).await;
        let error = client.expect("error").await;
        let said = error["message"].as_str().expect("a text");
        assert!(said.contains(field), "{text}: {said}");
    }
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_binary_frame_is_an_error_even_if_it_holds_json() {
    let server = TestServer::start("");
    let mut client = server.client().await;
    for bytes in [&br#"{"type":"ping"}"#[..], b"", b"\x00\xff\xfe"] {
        expect_error(&mut client, Message::binary(bytes.to_vec()), MALFORMED).await;
    }
}

#[tokio::test]
async fn nesting_is_bounded_and_brackets_up_to_the_frame_limit_do_no_harm() {
    let server = TestServer::start("");
    let mut client = server.client().await;
    let nested =
        |depth: usize| format!(r#"{{"type":"ping","x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    client.send_text(&nested(50)).await;
    assert_eq!(client.recv().await["type"], "pong");
    expect_error(&mut client, Message::text(nested(500)), MALFORMED).await;
    for unit in ["[", "{", r#"{"a":"#, r#"[{"type":"ping","x":"#] {
        for bytes in [FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 8192, 8193, 65_536] {
            let brackets = unit.repeat(bytes.div_ceil(unit.len()));
            expect_error(&mut client, Message::text(&brackets[..bytes]), MALFORMED).await;
        }
    }
}

#[tokio::test]
async fn a_frame_of_1280_bytes_is_read_and_one_of_1281_is_not() {
    let server = TestServer::start("");
    let mut client = server.client().await;
    let ping = |bytes: usize| {
        let empty = json!({ "type": "ping", "x": "" }).to_string().len();
        json!({ "type": "ping", "x": "x".repeat(bytes - empty) }).to_string()
    };
    client.send_text(&ping(FRAME_BYTES)).await;
    assert_eq!(client.recv().await["type"], "pong");
    expect_error(&mut client, Message::text(ping(FRAME_BYTES + 1)), MALFORMED).await;
}

#[tokio::test]
async fn every_truncation_of_a_message_is_malformed_and_changes_nothing() {
    let server = TestServer::start("");
    let mut client = server.client().await;
    let whole = r#"{"type":"broadcast","room":"hall","message":"é\u00e9 \"x\"","n":[1,2.5e3,true,null]}"#;
    client.join("hall").await;
    for end in (0..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
        client.send_text(&whole[..end]).await;
        assert_eq!(client.recv().await, json!({ "type": "error", "message": MALFORMED }), "cut at {end}");
    }
    client.send_text(whole).await;
    assert_eq!(client.hear().await, "éé &quot;x&quot;");
}
