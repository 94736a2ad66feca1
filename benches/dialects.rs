//! Reading one message of each dialect, and writing what members are told of it, through the doors that a shard uses.
//!
//! One typical message of each; a row more in `MESSAGES` measures another.

use std::hint::black_box;
use std::time::Duration;

use bytes::BytesMut;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lanecast::dialect::{self, JsonScratch, Limits, Request, Speech};
use lanecast::model::{Detail, Dialect, Event, Kind, Message, MessageId, Verbatim};
use uuid::Uuid;

/// What is measured, and a message with which somebody says something.
const MESSAGES: &[(&str, Dialect, &str)] = &[
    (
        "sge",
        Dialect::Sge,
        r#"{"type":"ChatMessage","message":{"from":"user123","to":"general","message":"Hello! This is my message.","message_type":"groupchat","timestamp":1736937000}}"#,
    ),
    (
        "nexus",
        Dialect::Nexus,
        r#"{"event_type":"chat.message","conversation_id":"general","content":"Hello! This is my message.","content_type":"text","mentions":[],"attachments":[]}"#,
    ),
    (
        "tusk",
        Dialect::Tusk,
        r#"{"type":"broadcast","room":"general","message":"Hello! This is my message."}"#,
    ),
    (
        "gator",
        Dialect::Gator,
        r#"{"type":"send_message","conversation_id":"7e4b9a34-2f0a-4c7e-9a52-0d3c5f6b1a11","content":"Hello! This is my message.","persona_id":null}"#,
    ),
    (
        "aegisx text",
        Dialect::Aegisx,
        r#"{"type":"send_message","data":{"channel":"tenant:t1:general","message":"Hello! This is my message."}}"#,
    ),
    (
        "aegisx JSON",
        Dialect::Aegisx,
        r#"{"type":"send_message","data":{"channel":"public:lobby","message":{"text":"Hello!","tags":["a","b"],"n":2.5}}}"#,
    ),
];

/// The document's limits: 5000 code points.
fn limits() -> Limits {
    Limits { max_content: 5000, ..Limits::default() }
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    for (name, dialect, text) in MESSAGES {
        // Each needs a text of its own, as the shard's read buffer is.
        let (mut buffer, mut original) = (text.as_bytes().to_vec(), Vec::new());
        let (mut scratch, limits) = (JsonScratch::new(), limits());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| {
                buffer.copy_from_slice(text.as_bytes());
                let text = black_box(&mut buffer[..]);
                let heard = dialect::decode(*dialect, text, &mut original, &mut scratch, &limits);
                assert!(heard.request.is_ok());
                black_box(&heard);
            })
        });
    }
    group.finish();
}

/// What members are told when `text` was said.
fn told(dialect: Dialect, text: &str) -> Event {
    let (mut text, mut original) = (text.as_bytes().to_vec(), Vec::new());
    let heard = dialect::decode(dialect, &mut text, &mut original, &mut JsonScratch::new(), &limits());
    match heard.request.expect("a message") {
        Request::Publish { place, speech } => {
            let (kind, place) = place.channel().expect("a channel");
            Event::Message(message(dialect, kind, place, speech))
        }
        Request::Direct { to, speech } => Event::Direct(message(dialect, Kind::User, to, speech)),
        other => panic!("nothing is said by {other:?}"),
    }
}

fn message(dialect: Dialect, kind: Kind, place: &str, speech: Speech<'_>) -> Message {
    let verbatim = speech.verbatim.map(|json| Verbatim { dialect, json });
    let detail = Detail { manner: speech.manner, verbatim, mentions: vec![] };
    Message {
        id: MessageId::random(0x67e5_5044_10b1_426f),
        kind,
        place: place.into(),
        from: "user123".into(),
        connection: Some(Uuid::from_u128(42)),
        text: speech.text.into(),
        detail: (detail != Detail::default()).then(|| Box::new(detail)),
        at_ms: 1_736_937_000_009,
    }
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    for (name, dialect, text) in MESSAGES {
        let event = told(*dialect, text);
        let mut out = BytesMut::with_capacity(16 * 1024);
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| {
                out.clear();
                assert!(dialect::encode_event(*dialect, black_box(&event), None, &mut out));
                black_box(out.len())
            })
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = decode, encode
}
criterion_main!(benches);
