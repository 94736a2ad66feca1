//! A message of `limits.max_message_bytes` is read, and one byte more closes the connection with 1009.

mod support;

use support::{Raw, TestServer, masked};

const CAP: usize = 65_536;

async fn expect_1009(raw: &mut Raw) {
    assert_eq!(raw.frame().await.close(), (1009, "message too big".into()));
}

#[tokio::test]
async fn a_message_of_the_cap_gets_an_answer_and_one_byte_more_gets_1009() {
    let server = TestServer::start("");
    let mut raw = server.raw().await;
    raw.text(&"x".repeat(CAP)).await;
    assert_eq!(raw.frame().await.text(), r#"{"type":"error","message":"Invalid message format"}"#);
    raw.expect_alive().await;
    raw.text(&"x".repeat(CAP + 1)).await;
    expect_1009(&mut raw).await;
}

#[tokio::test]
async fn where_the_dialect_allows_as_much_a_message_of_the_cap_is_delivered() {
    let server = TestServer::start("[tusk]\nmax_message_size = 0\nmessage_max_length = 0");
    let mut client = server.client().await;
    client.join("hall").await;
    let around = r#"{"message":"","room":"hall","type":"broadcast"}"#.len();
    let text = "x".repeat(CAP - around);
    client.say("hall", &text).await;
    assert_eq!(client.hear().await, text);
    client.say("hall", &format!("{text}x")).await;
    assert_eq!(client.closed().await, (1009, "message too big".into()));
}

#[tokio::test]
async fn fragments_count_together() {
    let server = TestServer::start("");
    let mut raw = server.raw().await;
    let half = vec![b'x'; CAP / 2];
    for (last, fits) in [(half.clone(), true), ([&half[..], b"x"].concat(), false)] {
        raw.write(&masked(0x01, &half)).await;
        raw.write(&masked(0x80, &last)).await;
        match fits {
            true => assert!(raw.frame().await.text().contains("Invalid message format")),
            false => expect_1009(&mut raw).await,
        }
    }
}

#[tokio::test]
async fn a_megabyte_of_brackets_closes_the_connection_and_nobody_else_notices() {
    let server = TestServer::start("");
    let mut neighbours = [server.raw().await, server.raw().await];
    let mut raw = server.raw().await;
    // The server hangs up by the header; the rest may find nobody.
    raw.write_if_open(&masked(0x81, &vec![b'['; 1 << 20])).await;
    expect_1009(&mut raw).await;
    for neighbour in &mut neighbours {
        neighbour.expect_alive().await;
    }
}

#[tokio::test]
async fn an_announced_length_is_refused_before_anything_of_it_came() {
    let server = TestServer::start("");
    for length in [CAP as u64 + 1, 1 << 40, i64::MAX as u64] {
        let mut raw = server.raw().await;
        raw.write(&[&[0x81, 0xff], &length.to_be_bytes()[..], &[0; 4]].concat()).await;
        expect_1009(&mut raw).await;
    }
}
