//! The HTTP phase ends in time and within its size, whatever the client does.

mod support;

use std::time::{Duration, Instant};

use support::{Raw, TestServer};

#[tokio::test]
async fn silence_is_cut_off() {
    let server = TestServer::start("[server]\nheader_timeout = 0.2");
    let mut raw = Raw::connect(server.address).await;
    assert!(raw.ended().await.is_empty());
}

#[tokio::test]
async fn half_a_head_is_cut_off() {
    let server = TestServer::start("[server]\nheader_timeout = 0.2");
    let mut raw = Raw::connect(server.address).await;
    raw.write(b"GET / HTTP/1.1\r\nHost: x\r\n").await;
    raw.ended().await;
}

#[tokio::test]
async fn a_head_that_drips_has_no_more_time_than_one_that_does_not() {
    let server = TestServer::start("[server]\nheader_timeout = 0.5");
    let mut raw = Raw::connect(server.address).await;
    let begun = Instant::now();
    raw.write(b"GET / HTTP/1.1\r\nX-Long: ").await;
    // One byte whenever the server has been silent for a while: each would restart a timer of silence.
    while let Err(_silent) = tokio::time::timeout(Duration::from_millis(50), raw.ended()).await {
        raw.write_if_open(b"x").await;
        assert!(begun.elapsed() < support::PATIENCE, "it may drip for ever");
    }
}

#[tokio::test]
async fn the_second_head_of_a_connection_has_a_deadline_too() {
    let server = TestServer::start("[server]\nheader_timeout = 0.2");
    let mut raw = Raw::connect(server.address).await;
    raw.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(raw.response().await.status, 200);
    raw.write(b"GET /hea").await;
    raw.ended().await;
}

#[tokio::test]
async fn a_head_beyond_the_limit_is_answered_with_431() {
    let server = TestServer::start("[server]\nmax_header_bytes = 8192");
    let head = |bytes: usize| {
        let around = "GET /healthz HTTP/1.1\r\nHost: x\r\nX: \r\n\r\n".len();
        format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(bytes - around))
    };
    let mut raw = Raw::connect(server.address).await;
    raw.write(head(8192).as_bytes()).await;
    assert_eq!(raw.response().await.status, 200);
    let mut raw = Raw::connect(server.address).await;
    raw.write_if_open(head(8193).as_bytes()).await;
    assert_eq!(raw.response().await.status, 431);
    raw.ended().await;
}

#[tokio::test]
async fn a_connection_serves_several_requests_and_ends_when_it_idles() {
    let shared = "[server]\nhttp_keep_alive = 0.2";
    let own = "[server]\nlisten = ['127.0.0.1:0=tusk']\n[tusk]\nkeep_alive_timeout = 0.2";
    for settings in [shared, own] {
        let server = TestServer::start(settings);
        let mut raw = Raw::connect(server.address).await;
        for _ in 0..3 {
            raw.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
            assert_eq!(raw.response().await.status, 200);
        }
        assert!(raw.ended().await.is_empty());
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_answered_with_413() {
    let server = TestServer::start("[server]\nmax_body_bytes = 1024");
    let post = |bytes: usize| {
        let body = format!(r#"{{"name":"hall{bytes}"}}"#);
        let body = format!("{body}{}", " ".repeat(bytes - body.len()));
        format!("POST /rooms HTTP/1.1\r\nHost: x\r\nContent-Length: {bytes}\r\n\r\n{body}")
    };
    for (bytes, status) in [(1024, 201), (1025, 413)] {
        let mut raw = Raw::connect(server.address).await;
        raw.write(post(bytes).as_bytes()).await;
        assert_eq!(raw.response().await.status, status, "{bytes} bytes");
    }
}

#[tokio::test]
async fn nonsense_is_no_http() {
    let server = TestServer::start("");
    for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..], b"hello\r\n\r\n", &[0; 64]] {
        let mut raw = Raw::connect(server.address).await;
        raw.write(bytes).await;
        let said = raw.ended().await;
        assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 400"), "{said:?}");
    }
}

#[tokio::test]
async fn a_head_begun_behind_another_request_has_no_more_time_than_one_alone() {
    let server = TestServer::start("[server]\nheader_timeout = 0.2\nhttp_keep_alive = 60");
    let mut raw = Raw::connect(server.address).await;
    raw.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /hea").await;
    assert_eq!(raw.response().await.status, 200);
    // Its own limit is far below the one of an idle connection.
    assert!(raw.ended().await.is_empty());
}
