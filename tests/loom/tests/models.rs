//! Models of the lanes: loom runs each under every interleaving and every value that a load may return (two
//! of them under those with few preemptions), and fails it when all threads sleep, when two are in one cell, or when something is left allocated.

use std::mem::ManuallyDrop;

use lane_loom::bell::{Bell, Notify};
use lane_loom::mesh::{Port, mesh};
use lane_loom::ring::{Receiver, Sender, ring};
use loom::sync::Arc;
use loom::thread;

/// For the models too large to be tried whole: every interleaving with at most three preemptions.
fn model_bounded(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// What an eventfd is to a real shard: remembers one notification, and a wait resets it.
struct Doorbell(loom::sync::Notify);

impl Notify for Doorbell {
    fn notify(&self) {
        self.0.notify();
    }
}

fn bell() -> Arc<Bell<Doorbell>> {
    Arc::new(Bell::new(Doorbell(loom::sync::Notify::new())))
}

fn wait(bell: &Bell<Doorbell>) {
    bell.notifier().0.wait();
}

fn push_spinning(sender: &mut Sender<usize>, item: usize) {
    while sender.try_push(item).is_err() {
        thread::yield_now();
    }
}

fn pop_spinning<T>(receiver: &mut Receiver<T>) -> T {
    loop {
        match receiver.pop() {
            Some(item) => return item,
            None => thread::yield_now(),
        }
    }
}

#[test]
fn ring_is_fifo_and_slots_are_never_shared() {
    for capacity in [1, 2] {
        loom::model(move || {
            let (mut sender, mut receiver) = ring(capacity);
            let producer = thread::spawn(move || (0..3).for_each(|item| push_spinning(&mut sender, item)));
            (0..3).for_each(|item| assert_eq!(pop_spinning(&mut receiver), item));
            producer.join().unwrap();
            assert!(receiver.pop().is_none());
        });
    }
}

#[test]
fn items_left_are_dropped_whichever_end_goes_last() {
    loom::model(|| {
        let witness = Arc::new(());
        let (mut sender, mut receiver) = ring(2);
        let (first, second) = (witness.clone(), witness.clone());
        let producer = thread::spawn(move || {
            sender.try_push(first).unwrap();
            sender.try_push(second).unwrap();
        });
        drop(receiver.pop());
        drop(receiver);
        producer.join().unwrap();
        assert_eq!(Arc::strong_count(&witness), 1);
    });
}

#[test]
fn refused_sender_may_sleep_until_the_receiver_finds_its_mark() {
    model_bounded(|| {
        let (mut sender, mut receiver) = ring(1);
        let room = Arc::new(loom::sync::Notify::new());
        let told = room.clone();
        let producer = thread::spawn(move || {
            for item in 0..3 {
                while sender.try_push(item).is_err() {
                    told.wait();
                }
            }
        });
        for item in 0..3 {
            assert_eq!(pop_spinning(&mut receiver), item);
            if receiver.take_starved() {
                room.notify();
            }
        }
        producer.join().unwrap();
    });
}

/// The owner's loop of `bell.rs`: pops `count` items in all, sleeping whenever the rings are empty.
fn drain_sleeping(bell: &Bell<Doorbell>, receivers: &mut [Receiver<usize>], count: usize) {
    let mut popped = 0;
    loop {
        bell.answer();
        for receiver in receivers.iter_mut() {
            popped += std::iter::from_fn(|| receiver.pop()).count();
        }
        if popped == count {
            return;
        }
        wait(bell);
    }
}

#[test]
fn sleeping_owner_is_notified_of_every_push() {
    loom::model(|| {
        let (mut sender, receiver) = ring(4);
        let bell = bell();
        let rung = bell.clone();
        let producer = thread::spawn(move || {
            for item in 0..2 {
                sender.try_push(item).unwrap();
                rung.ring();
            }
        });
        drain_sleeping(&bell, &mut [receiver], 2);
        producer.join().unwrap();
    });
}

#[test]
fn sleeping_owner_is_notified_by_each_of_two_producers() {
    loom::model(|| {
        let bell = bell();
        let (mut receivers, mut producers) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let (mut sender, receiver) = ring(2);
            receivers.push(receiver);
            let rung = bell.clone();
            producers.push(thread::spawn(move || {
                sender.try_push(0).unwrap();
                rung.ring();
            }));
        }
        drain_sleeping(&bell, &mut receivers, 2);
        producers.into_iter().for_each(|producer| producer.join().unwrap());
    });
}

/// The canary: an owner that answers before it resets the notifier. Were this to pass, the models above
/// would prove nothing.
#[test]
#[should_panic(expected = "deadlock")]
fn answering_before_the_reset_loses_a_push() {
    loom::model(|| {
        let (mut sender, receiver) = ring(4);
        let bell = bell();
        let rung = bell.clone();
        let producer = thread::spawn(move || {
            for item in 0..2 {
                sender.try_push(item).unwrap();
                rung.ring();
            }
        });
        // Loom's objects must not be dropped by the unwinding that is awaited here: that would abort.
        let mut owned = ManuallyDrop::new((receiver, bell, producer));
        let (receiver, bell, _) = &mut *owned;
        let mut popped = 0;
        loop {
            popped += std::iter::from_fn(|| receiver.pop()).count();
            if popped == 2 {
                break;
            }
            bell.answer();
            wait(bell);
        }
        let (_, _, producer) = ManuallyDrop::into_inner(owned);
        producer.join().unwrap();
    });
}

type TestPort = Port<usize, usize, Doorbell>;

/// A shard that sends `count` deliveries to the other one, in order, and sleeps when it is refused.
fn send(mut port: TestPort, count: usize) {
    let (to, bell) = (1 - port.shard(), port.bell().clone());
    let mut sent = 0;
    loop {
        port.answer();
        while sent < count && port.try_delivery(to, sent).is_ok() {
            sent += 1;
        }
        port.ring_bells();
        if sent == count {
            return;
        }
        wait(&bell);
    }
}

/// A shard that takes `count` deliveries and sleeps when there is none.
fn receive(mut port: TestPort, count: usize) {
    let bell = port.bell().clone();
    let mut received = 0;
    loop {
        port.answer();
        while let Some((_, item)) = port.next_delivery() {
            assert_eq!(item, received);
            received += 1;
        }
        port.ring_bells();
        if received == count {
            return;
        }
        wait(&bell);
    }
}

#[test]
fn two_shards_that_both_sleep_pass_everything_through_a_lane_of_one() {
    model_bounded(|| {
        let mut ports: Vec<TestPort> = mesh(vec![bell(), bell()], 1, 1);
        let (receiver, sender) = (ports.pop().unwrap(), ports.pop().unwrap());
        let sending = thread::spawn(move || send(sender, 3));
        receive(receiver, 3);
        sending.join().unwrap();
    });
}
