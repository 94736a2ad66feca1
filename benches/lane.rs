//! A lane against the bounded queues that the dependencies offer: what our own ring is for.
//!
//! "same thread" is push and pop without contention. "two threads" moves a run of items from one thread to
//! another, both busy. "port" is a batch of 16 through the whole of it: lanes, bells, counters.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use crossbeam::queue::ArrayQueue;
use crossbeam::utils::Backoff;
use lanecast::lane::{Bell, Notify, Port, mesh, ring};

/// Items that fit in each queue.
const CAPACITY: usize = 1_024;

/// As large as a lane's entry: a pointer, a length and a few ids.
type Item = [u64; 4];

fn item(number: u64) -> Item {
    [number; 4]
}

/// One queue's two ends as closures, whatever its kind: push says whether there was room.
fn lane() -> (impl FnMut(Item) -> bool + Send + 'static, impl FnMut() -> Option<Item>) {
    let (mut sender, mut receiver) = ring(CAPACITY);
    (move |item| sender.try_push(item).is_ok(), move || receiver.pop())
}

fn array_queue() -> (impl FnMut(Item) -> bool + Send + 'static, impl FnMut() -> Option<Item>) {
    let queue = Arc::new(ArrayQueue::new(CAPACITY));
    let sender = queue.clone();
    (move |item| sender.push(item).is_ok(), move || queue.pop())
}

fn flume_bounded() -> (impl FnMut(Item) -> bool + Send + 'static, impl FnMut() -> Option<Item>) {
    let (sender, receiver) = flume::bounded(CAPACITY);
    (move |item| sender.try_send(item).is_ok(), move || receiver.try_recv().ok())
}

fn std_sync_channel() -> (impl FnMut(Item) -> bool + Send + 'static, impl FnMut() -> Option<Item>) {
    let (sender, receiver) = std::sync::mpsc::sync_channel(CAPACITY);
    (move |item| sender.try_send(item).is_ok(), move || receiver.try_recv().ok())
}

/// The time to move `count` items to this thread from another.
fn across(
    count: u64,
    (mut push, mut pop): (impl FnMut(Item) -> bool + Send + 'static, impl FnMut() -> Option<Item>),
) -> Duration {
    let start = Instant::now();
    let producer = thread::spawn(move || {
        for number in 0..count {
            let backoff = Backoff::new();
            while !push(item(number)) {
                backoff.snooze();
            }
        }
    });
    for number in 0..count {
        let backoff = Backoff::new();
        let got = loop {
            match pop() {
                Some(got) => break got,
                None => backoff.snooze(),
            }
        };
        assert_eq!(got[0], number);
    }
    producer.join().unwrap();
    start.elapsed()
}

fn same_thread(c: &mut Criterion) {
    let mut group = c.benchmark_group("same thread");
    group.throughput(Throughput::Elements(1));
    macro_rules! bench {
        ($name:literal, $queue:expr) => {
            group.bench_function($name, |b| {
                let (mut push, mut pop) = $queue;
                b.iter(|| {
                    push(black_box(item(1)));
                    pop()
                });
            });
        };
    }
    bench!("lane", lane());
    bench!("crossbeam ArrayQueue", array_queue());
    bench!("flume bounded", flume_bounded());
    bench!("std sync_channel", std_sync_channel());
    group.finish();
}

fn two_threads(c: &mut Criterion) {
    let mut group = c.benchmark_group("two threads");
    group.throughput(Throughput::Elements(1));
    group.sample_size(20);
    group.bench_function("lane", |b| b.iter_custom(|count| across(count, lane())));
    group.bench_function("crossbeam ArrayQueue", |b| b.iter_custom(|count| across(count, array_queue())));
    group.bench_function("flume bounded", |b| b.iter_custom(|count| across(count, flume_bounded())));
    group.bench_function("std sync_channel", |b| b.iter_custom(|count| across(count, std_sync_channel())));
    group.finish();
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Notify for Count {
    fn notify(&self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// A batch of 16 through the whole of it, on one thread: pushes, bells, answer, drain.
fn port(c: &mut Criterion) {
    let mut group = c.benchmark_group("port");
    for shards in [2, 16] {
        let bells = (0..shards).map(|_| Arc::new(Bell::new(Count::default()))).collect();
        let mut ports: Vec<Port<Item, Item, Count>> = mesh(bells, CAPACITY, CAPACITY);
        group.throughput(Throughput::Elements(16));
        group.bench_function(format!("batch of 16, {shards} shards"), |b| {
            b.iter(|| {
                for number in 0..16 {
                    ports[0].try_delivery(1, item(number)).unwrap();
                }
                ports[0].ring_bells();
                ports[1].answer();
                while let Some(got) = ports[1].next_delivery() {
                    black_box(got);
                }
                ports[1].ring_bells();
            });
        });
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("idle turn, {shards} shards"), |b| {
            b.iter(|| {
                ports[1].answer();
                black_box((ports[1].next_delivery(), ports[1].next_command()));
                ports[1].ring_bells();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, same_thread, two_threads, port);
criterion_main!(benches);
