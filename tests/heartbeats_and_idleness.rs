//! The server pings at its interval, keeps who answers, and closes who is silent or leaves a message unfinished.

mod support;

use std::time::{Duration, Instant};

use support::{TestServer, masked};

const PING: u8 = 0x89;

#[tokio::test]
async fn pings_come_at_the_interval() {
    let server = TestServer::start("[tusk]\nheartbeat_interval = 0.2\nidle_timeout = 0");
    let mut raw = server.raw().await;
    let begun = Instant::now();
    for _ in 0..5 {
        assert_eq!(raw.frame().await.first, PING);
    }
    // Never early but for the grain of the timer; how late depends on the machine.
    assert!(begun.elapsed() > Duration::from_millis(5 * 200 - 2 * 100), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn who_is_silent_is_closed() {
    let server = TestServer::start("[tusk]\nheartbeat_interval = 0\nidle_timeout = 0.2");
    let mut raw = server.raw().await;
    assert_eq!(raw.frame().await.close(), (1001, "idle timeout".into()));
    // The end of TCP follows although the Close is not answered.
    assert!(raw.ended().await.is_empty());
}

#[tokio::test]
async fn who_only_answers_pings_stays() {
    let server = TestServer::start("[tusk]\nheartbeat_interval = 0.1\nidle_timeout = 1");
    let mut raw = server.raw().await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(2500) {
        let frame = raw.frame().await;
        assert_eq!(frame.first, PING, "{frame:?}");
        raw.write(&masked(0x8a, &frame.payload)).await;
    }
}

#[tokio::test]
async fn who_answers_no_ping_is_closed() {
    let server = TestServer::start("[tusk]\nheartbeat_interval = 0.1\nidle_timeout = 0.5");
    let mut raw = server.raw().await;
    let close = loop {
        let frame = raw.frame().await;
        if frame.first != PING {
            break frame;
        }
    };
    assert_eq!(close.close(), (1001, "idle timeout".into()));
}

#[tokio::test]
async fn a_message_begun_must_be_ended_in_time_however_it_drips() {
    let server = TestServer::start("[server]\nheader_timeout = 0.5");
    let bytes = masked(0x81, &[b'x'; 1000]);
    let mut raw = server.raw().await;
    let begun = Instant::now();
    for byte in bytes {
        raw.write_if_open(&[byte]).await;
        if let Ok(frame) = tokio::time::timeout(Duration::from_millis(50), raw.frame()).await {
            assert_eq!(frame.close(), (1008, "message not completed in time".into()));
            return;
        }
        assert!(begun.elapsed() < support::PATIENCE, "it may drip for ever");
    }
    panic!("the message was taken");
}
