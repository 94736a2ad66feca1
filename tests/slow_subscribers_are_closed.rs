//! A subscriber that stops reading is closed by bytes or by age; memory stays flat, and others keep hearing.

mod support;

use std::net::SocketAddr;

use support::{Client, Process, Raw, get, soon};
use tokio::net::TcpSocket;

/// Long messages, so that few fill the kernel's buffers, of which the server has no say.
const TEXT_BYTES: usize = 32 * 1024;
/// More than the kernel buffers of a connection and its outbox hold together.
const MESSAGES: usize = 1000;
/// What the server may grow by while those are sent: the outbox, and what an allocator keeps.
const GROWTH_MAX: u64 = 16 << 20;

const TUSK: &str = "[tusk]\nmessage_rate_limit = 0\nmax_message_size = 0\nmessage_max_length = 0\n";

/// Joined to the hall, with a small window, and never reads again.
async fn stalled(address: SocketAddr) -> Raw {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small window");
    let mut raw = Raw::with(socket, address).await;
    assert_eq!(raw.ask("").await.status, 101);
    raw.text(r#"{"type":"join_room","room":"hall"}"#).await;
    assert!(raw.frame().await.text().contains("room_joined"));
    raw
}

async fn closed_for(address: SocketAddr, reason: &str) -> u64 {
    let metrics = get(address, "/metrics").await.body;
    let label = format!("reason=\"{reason}\"}} ");
    let closed = metrics.lines().filter(|line| line.starts_with("lanecast_connections_closed_total{"));
    closed.filter_map(|line| line.split_once(&label)).map(|(_, n)| n.parse::<u64>().expect("a number")).sum()
}

/// Publishes one message and waits until both who read have it.
async fn round(publisher: &mut Client, reader: &mut Client, n: usize) {
    let text = format!("{n:08}{}", "x".repeat(TEXT_BYTES - 8));
    publisher.say("hall", &text).await;
    for client in [publisher, reader] {
        assert!(client.hear().await == text, "message {n} is another");
    }
}

#[tokio::test]
async fn by_bytes_and_memory_stays_flat() {
    let settings = format!("{TUSK}[limits]\noutbox_bytes = 262144\noutbox_age = 600");
    let server = Process::start(&["--shards", "2"], &settings).await;
    let mut publisher = Client::connect(server.address).await;
    let mut reader = Client::connect(server.address).await;
    for client in [&mut publisher, &mut reader] {
        client.join("hall").await;
    }
    for n in 0..50 {
        round(&mut publisher, &mut reader, n).await;
    }
    let before = server.resident();
    let mut slow = Vec::new();
    for _ in 0..4 {
        slow.push(stalled(server.address).await);
    }
    let mut most = before;
    for n in 0..MESSAGES {
        round(&mut publisher, &mut reader, n).await;
        most = most.max(server.resident());
    }
    assert_eq!(closed_for(server.address, "slow_bytes").await, 4);
    assert_eq!(closed_for(server.address, "slow_age").await, 0);
    assert!(most - before < GROWTH_MAX, "grew by {} bytes", most - before);
    publisher.expect_nothing().await;
    reader.expect_nothing().await;
}

#[tokio::test]
async fn by_age_and_its_messages_end_with_a_reason() {
    let settings = format!("{TUSK}[limits]\noutbox_bytes = 1073741824\noutbox_age = 0.3");
    let server = Process::start(&["--shards", "2"], &settings).await;
    let mut publisher = Client::connect(server.address).await;
    let mut reader = Client::connect(server.address).await;
    for client in [&mut publisher, &mut reader] {
        client.join("hall").await;
    }
    let mut slow = stalled(server.address).await;
    let mut sent = 0;
    let closed = async {
        while closed_for(server.address, "slow_age").await == 0 {
            round(&mut publisher, &mut reader, sent).await;
            sent += 1;
        }
    };
    soon("the end of the slow one", closed).await;
    assert_eq!(closed_for(server.address, "slow_bytes").await, 0);
    // What did reach it is whole and in order, and TCP ended.
    let heard = slow.ended().await;
    assert!(heard.starts_with(&[0x81, 126]), "a text frame comes first");
    round(&mut publisher, &mut reader, sent).await;
}

/// One that reads too slowly and then catches up learns by a Close frame what happened.
#[tokio::test]
async fn one_that_reads_again_in_time_is_told() {
    let settings = format!("{TUSK}[limits]\noutbox_bytes = 262144\noutbox_age = 600");
    let server = Process::start(&["--shards", "1"], &settings).await;
    let mut publisher = Client::connect(server.address).await;
    publisher.join("hall").await;
    let mut slow = stalled(server.address).await;
    let text = "x".repeat(TEXT_BYTES);
    // It leaves its rooms when its Close frame is queued.
    soon("the slow one to be given up", async {
        while get(server.address, "/rooms/hall").await.body.contains(r#""member_count":2"#) {
            publisher.say("hall", &text).await;
            publisher.hear().await;
        }
    })
    .await;
    let close = loop {
        let frame = slow.frame().await;
        if frame.first == 0x88 {
            break frame;
        }
        assert!(frame.text().ends_with('}'), "frames stay whole");
    };
    assert_eq!(close.close(), (1013, "too slow: reconnect".into()));
}
