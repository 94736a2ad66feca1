//! Reading and writing one Tusk message: ours beside what serde_json does with the same text.
//!
//! What simd-json is worth on small messages: against serde_json's borrowed structs nothing at 60 bytes, nor at 1 KiB
//! of plain text (within a tenth either way); a tenth at 200 bytes, a fifth where strings have escapes, since those are
//! undone in place and not in a new allocation. Against `serde_json::Value` it takes half the time at 60 and 200 bytes.
//! Most of its time is fixed or linear work ahead of any field: a padded copy and the scan for structure. It stays
//! because the tape answers what a derived struct does not (the last of equal keys, which field has a wrong type)
//! without an allocation per message. The encoder's gain is larger: one pass for both escapes, chunks copied whole.

use std::borrow::Cow;
use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lanecast::dialect::{JsonScratch, Request, tusk};
use lanecast::model::{Address, Event, Kind, Message, MessageId};
use serde::{Deserialize, Serialize};

/// What a typed reader would ask serde for.
#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    room: Cow<'a, str>,
    #[serde(borrow, default)]
    message: Cow<'a, str>,
}

#[derive(Serialize)]
struct RoomMessage<'a> {
    r#type: &'a str,
    room: &'a str,
    message: &'a str,
    from: &'a str,
    timestamp: u64,
}

/// A `broadcast` of exactly `len` bytes: words with a quotation mark, escaped once, in the middle.
fn broadcast(len: usize, escaped: bool) -> String {
    let frame = |text: &str| format!(r#"{{"type":"broadcast","room":"general","message":"{text}"}}"#);
    let room = len - frame("").len();
    let mut text: String = "words of a chat ".chars().cycle().take(room).collect();
    if escaped {
        text.replace_range(room / 2..room / 2 + 2, "\\n");
    }
    frame(&text)
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    for (name, text) in [
        ("60", broadcast(60, false)),
        ("200", broadcast(200, false)),
        ("200 escaped", broadcast(200, true)),
        ("1024", broadcast(1024, false)),
    ] {
        // All variants copy the text first: ours needs a text of its own, as the shard's read buffer is.
        let mut buffer = text.clone().into_bytes();
        let (mut scratch, limits) = (JsonScratch::new(), tusk::Limits::default());
        group.bench_function(BenchmarkId::new("ours: simd-json tape", name), |b| {
            b.iter(|| {
                buffer.copy_from_slice(text.as_bytes());
                let request = tusk::decode(black_box(&mut buffer), &mut scratch, &limits).unwrap();
                let Request::Publish { place: Address::Room(room), speech } = request else { unreachable!() };
                black_box(room.len() + speech.text.len())
            })
        });
        group.bench_function(BenchmarkId::new("serde_json typed, borrowed", name), |b| {
            b.iter(|| {
                buffer.copy_from_slice(text.as_bytes());
                let typed: Typed = serde_json::from_slice(black_box(&buffer)).unwrap();
                assert_eq!(typed.kind, "broadcast");
                assert!(tusk::html_len(&typed.message) <= limits.max_text);
                black_box(typed.room.len() + typed.message.len())
            })
        });
        group.bench_function(BenchmarkId::new("serde_json::Value", name), |b| {
            b.iter(|| {
                buffer.copy_from_slice(text.as_bytes());
                let value: serde_json::Value = serde_json::from_slice(black_box(&buffer)).unwrap();
                assert_eq!(value["type"], "broadcast");
                let message = value["message"].as_str().unwrap();
                assert!(tusk::html_len(message) <= limits.max_text);
                black_box(value["room"].as_str().unwrap().len() + message.len())
            })
        });
    }
    group.finish();
}

/// The plain way of htmlspecialchars.
fn html_escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#039;"),
            other => out.push(other),
        }
    }
    out
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode room_message");
    let plain = |len: usize| "words of a chat ".chars().cycle().take(len).collect::<String>();
    let dense = |len: usize| "<b>it's</b> ".chars().cycle().take(len).collect::<String>();
    for (name, text) in
        [("16", plain(16)), ("128", plain(128)), ("128 half markup", dense(128)), ("1000", plain(1000))]
    {
        let mut out = BytesMut::with_capacity(16 * 1024);
        let event = Event::Message(Message {
            id: MessageId::random(1),
            kind: Kind::Room,
            place: "general".into(),
            from: "user123".into(),
            connection: None,
            text: text.as_str().into(),
            detail: None,
            at_ms: 1_700_000_000_000,
        });
        group.bench_function(BenchmarkId::new("ours", name), |b| {
            b.iter(|| {
                out.clear();
                tusk::encode_event(black_box(&event), None, &mut out);
                black_box(out.len())
            })
        });
        let mut out = Vec::with_capacity(16 * 1024);
        group.bench_function(BenchmarkId::new("htmlspecialchars, then serde_json", name), |b| {
            b.iter(|| {
                out.clear();
                let message = RoomMessage {
                    r#type: "room_message",
                    room: "general",
                    message: &html_escaped(black_box(&text)),
                    from: "user123",
                    timestamp: 1_700_000_000,
                };
                serde_json::to_writer(&mut out, &message).unwrap();
                black_box(out.len())
            })
        });
        group.bench_function(BenchmarkId::new("serde_json alone, no HTML", name), |b| {
            b.iter(|| {
                out.clear();
                let message = RoomMessage {
                    r#type: "room_message",
                    room: "general",
                    message: black_box(&text),
                    from: "user123",
                    timestamp: 1_700_000_000,
                };
                serde_json::to_writer(&mut out, &message).unwrap();
                black_box(out.len())
            })
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(std::time::Duration::from_millis(500))
        .measurement_time(std::time::Duration::from_secs(2));
    targets = decode, encode
}
criterion_main!(benches);
