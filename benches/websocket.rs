//! The server's own reader and writer against `tokio_tungstenite::WebSocketStream`, without sockets.
//!
//! Justifies `src/ws`: why frames are read in the shard's one buffer and written once for all recipients, instead
//! of one `WebSocketStream` per connection. Three figures:
//! - heap per connection, new and after its first message, counted by the allocator (printed first). This alone
//!   would do: the stream keeps its read buffer, 128 KiB by default, as long as it lives;
//! - fan-out of one 128 B message to 1,000 recipients, all of whose sinks are ready. The stream writes a header and
//!   copies the payload for each; a shared frame is only written. The outbox comes on top and is not ours to time;
//! - reading 128 B masked text messages, one and sixteen per read, and one of 64 KiB. The stream clears its whole
//!   buffer before a read, so it is timed with a small buffer as well: then what is left is an allocation per
//!   message, and reading is no reason by itself.
//!
//! What permessage-deflate costs per fan-out and per message stands beside it; the stream has none to compare.
//! Both sides get the same bytes copied from the same place and write into the same kind of sink.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use criterion::{Criterion, Throughput};
use futures_util::{FutureExt, SinkExt, StreamExt};
use lanecast::ws::{Deflater, Flow, Inflater, Limits, Reader, frame};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

const RECIPIENTS: usize = 1000;
const READ_BUFFER: usize = 128 * 1024;
const LIMITS: Limits = Limits { max_message: 1 << 20, deflate: false, reserve: 1024 };

/// Counts the bytes that are allocated now.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system allocator unchanged; only a counter is kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// A connection that delivers `bytes` once for every [`Wire::refill`], and whose writes are always taken.
struct Wire {
    bytes: Rc<[u8]>,
    left: usize,
    written: usize,
}

impl Wire {
    fn new(bytes: Rc<[u8]>) -> Self {
        Self { bytes, left: 0, written: 0 }
    }

    fn refill(&mut self) {
        self.left = self.bytes.len();
    }

    /// What one read of at most `room` bytes gets.
    fn read(&mut self, room: usize) -> &[u8] {
        let start = self.bytes.len() - self.left;
        let count = self.left.min(room);
        self.left -= count;
        &self.bytes[start..start + count]
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        self.written += black_box(bytes).len();
        bytes.len()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut().read(buffer.remaining()) {
            [] => Poll::Pending,
            bytes => {
                buffer.put_slice(bytes);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.get_mut().write(bytes)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// `count` masked text messages of `length` bytes, one after the other.
fn client_messages(length: usize, count: usize) -> Rc<[u8]> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = BytesMut::new();
    for _ in 0..count {
        bytes.put_u8(0x81);
        match length {
            0..126 => bytes.put_u8(0x80 | length as u8),
            126..65536 => {
                bytes.put_u8(0x80 | 126);
                bytes.put_u16(length as u16);
            }
            _ => {
                bytes.put_u8(0x80 | 127);
                bytes.put_u64(length as u64);
            }
        }
        bytes.put_slice(&mask);
        bytes.extend((0..length).map(|i| b'a' ^ mask[i % 4]));
    }
    bytes.to_vec().into()
}

/// The plain design as it comes, and with the smallest buffer that takes one small message in one read.
fn variants() -> [(&'static str, WebSocketConfig); 2] {
    let default = WebSocketConfig::default();
    [("WebSocketStream", default), ("WebSocketStream, 4 KiB read buffer", default.read_buffer_size(4096))]
}

fn plain_stream(wire: Wire, config: WebSocketConfig) -> WebSocketStream<Wire> {
    WebSocketStream::from_raw_socket(wire, Role::Server, Some(config))
        .now_or_never()
        .expect("no IO in a raw start")
}

fn reading(criterion: &mut Criterion) {
    for (length, per_read) in [(128, 1), (128, 16), (65536, 1)] {
        let bytes = client_messages(length, per_read);
        let mut group = criterion.benchmark_group(format!("read {per_read} x {length} B per read"));
        group.throughput(Throughput::Elements(per_read as u64));
        for (name, config) in variants() {
            let mut stream = plain_stream(Wire::new(bytes.clone()), config);
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    stream.get_mut().refill();
                    for _ in 0..per_read {
                        let message =
                            stream.next().now_or_never().expect("ready").expect("open").expect("valid");
                        black_box(message.to_text().expect("text"));
                    }
                });
            });
        }
        group.bench_function("lanecast", |bencher| {
            let mut wire = Wire::new(bytes.clone());
            let (mut reader, mut inflater) = (Reader::default(), Inflater::new());
            let mut buffer = vec![0; READ_BUFFER];
            bencher.iter(|| {
                wire.refill();
                let input = wire.read(buffer.len());
                let count = input.len();
                buffer[..count].copy_from_slice(input);
                let mut seen = 0;
                let result = reader.feed(&LIMITS, &mut inflater, &mut buffer[..count], &mut |message| {
                    seen += 1;
                    black_box(message);
                    Flow::Continue
                });
                assert_eq!((result, seen), (Ok(Flow::Continue), per_read));
            });
        });
        group.finish();
    }
}

fn fan_out(criterion: &mut Criterion) {
    let payload = "m".repeat(128);
    let empty: Rc<[u8]> = Rc::new([]);
    let mut group = criterion.benchmark_group(format!("fan-out of 128 B to {RECIPIENTS}"));
    group.throughput(Throughput::Elements(RECIPIENTS as u64));
    group.bench_function("WebSocketStream", |bencher| {
        let mut streams: Vec<_> = (0..RECIPIENTS)
            .map(|_| plain_stream(Wire::new(empty.clone()), WebSocketConfig::default()))
            .collect();
        bencher.iter(|| {
            let message = Message::text(payload.as_str());
            for stream in &mut streams {
                stream.send(message.clone()).now_or_never().expect("ready").expect("open");
            }
        });
    });
    group.bench_function("lanecast", |bencher| {
        let mut wires: Vec<_> = (0..RECIPIENTS).map(|_| Wire::new(empty.clone())).collect();
        let mut scratch = BytesMut::new();
        bencher.iter(|| {
            let frame: Rc<Bytes> =
                Rc::new(frame::text_frame(&mut scratch, |out| out.put_slice(payload.as_bytes())));
            for wire in &mut wires {
                let shared = black_box(Rc::clone(&frame));
                assert_eq!(wire.write(&shared), shared.len());
            }
        });
    });
    group.finish();
}

fn compressing(criterion: &mut Criterion) {
    let payload: String = (0..8)
        .map(|i| format!("{{\"type\":\"message\",\"room\":\"lobby\",\"id\":{i},\"text\":\"hello\"}}"))
        .collect();
    let mut deflater = Deflater::new(6);
    let frame = deflater.text_frame(payload.as_bytes(), 0).expect("compressible");
    let wire = frame::payload_of(&frame);
    println!("compressed: {} B of JSON become {} B", payload.len(), wire.len());
    let mut group = criterion.benchmark_group("permessage-deflate of half a KiB of JSON");
    for level in [1, 6] {
        let mut deflater = Deflater::new(level);
        group.bench_function(format!("deflate level {level}, once per fan-out"), |bencher| {
            bencher.iter(|| deflater.text_frame(black_box(payload.as_bytes()), 0));
        });
    }
    let mut inflater = Inflater::new();
    group.bench_function("inflate", |bencher| {
        bencher.iter(|| inflater.inflate(black_box(&wire), 1 << 20).expect("valid").len());
    });
    group.finish();
}

/// Prints the heap per connection, and what a shard pays once.
fn memory() {
    let bytes = client_messages(128, 1);
    let allocated = || ALLOCATED.load(Ordering::Relaxed);
    let per = |from: usize| (allocated() - from) / RECIPIENTS;

    for (name, config) in variants() {
        let mut streams = Vec::with_capacity(RECIPIENTS);
        let start = allocated();
        streams.extend((0..RECIPIENTS).map(|_| plain_stream(Wire::new(bytes.clone()), config)));
        let fresh = per(start);
        for stream in &mut streams {
            stream.get_mut().refill();
            drop(stream.next().now_or_never());
            stream.send(Message::text("answer")).now_or_never().expect("ready").expect("open");
        }
        let size = size_of::<WebSocketStream<Wire>>() - size_of::<Wire>();
        println!(
            "idle connection, {name}: {size} B inline, {fresh} B heap, {} B after a message",
            per(start)
        );
    }

    let mut readers: Vec<Reader> = Vec::with_capacity(RECIPIENTS);
    let mut inflater = Inflater::new();
    let start = allocated();
    readers.extend((0..RECIPIENTS).map(|_| Reader::default()));
    let fresh = per(start);
    for reader in &mut readers {
        let fed = reader.feed(&LIMITS, &mut inflater, &mut bytes.to_vec(), &mut |_| Flow::Continue);
        assert_eq!(fed, Ok(Flow::Continue));
    }
    let size = size_of::<Reader>();
    println!("idle connection, lanecast: {size} B inline, {fresh} B heap, {} B after a message", per(start));

    let start = allocated();
    let frame = Deflater::new(6).text_frame(&[b'a'; 500], 0).expect("compressible");
    let mut deflater = Deflater::new(6);
    drop(deflater.text_frame(&[b'a'; 500], 0));
    let deflater_heap = allocated() - start - frame.len();
    inflater.inflate(&frame::payload_of(&frame), 500).expect("valid");
    println!(
        "memory per shard: deflater {deflater_heap} B, inflater {} B",
        allocated() - start - deflater_heap
    );
}

fn main() {
    memory();
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(40)
        .configure_from_args();
    reading(&mut criterion);
    fan_out(&mut criterion);
    compressing(&mut criterion);
    criterion.final_summary();
}
