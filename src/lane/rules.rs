//! The rules at work: shards on real threads that follow them, over lanes so small that all is always full,
//! finish their work, and every shard sees each home's deliveries in order without a gap.

use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use super::{Backlog, Bell, Notify, Port, mesh};

/// What an eventfd is to a real shard.
#[derive(Default)]
struct Doorbell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Notify for Doorbell {
    fn notify(&self) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }
}

impl Doorbell {
    /// Sleeps until notified and resets itself.
    fn wait(&self) {
        let limit = Duration::from_secs(60);
        let (mut rung, timeout) =
            self.changed.wait_timeout_while(self.rung.lock().unwrap(), limit, |rung| !*rung).unwrap();
        assert!(!timeout.timed_out(), "a wake-up was lost, or the shards wait for each other");
        *rung = false;
    }
}

/// How many commands one reading of a socket brings.
const READ: usize = 5;

struct Shard {
    port: Port<(), u32, Doorbell>,
    commands: Backlog<()>,
    deliveries: Backlog<u32>,
    /// Commands that its sockets still hold.
    unread: usize,
    /// The number of its next delivery, as a home.
    next: u32,
    /// By home: the number expected next.
    seen: Vec<u32>,
}

impl Shard {
    fn new(port: Port<(), u32, Doorbell>, unread: usize) -> Self {
        let shards = port.shards();
        let (commands, deliveries) = (Backlog::new(shards, READ), Backlog::new(shards, shards));
        Self { port, commands, deliveries, unread, next: 0, seen: vec![0; shards] }
    }

    /// Takes turns until `expected` deliveries were seen and nothing is left to send.
    fn run(mut self, expected: usize) -> Self {
        let bell = self.port.bell().clone();
        loop {
            self.port.answer();
            self.turn();
            let seen: usize = self.seen.iter().map(|&number| number as usize).sum();
            if seen == expected && self.commands.total() + self.deliveries.total() == 0 {
                return self;
            }
            if self.unread == 0 || self.commands.total() > 0 {
                bell.notifier().wait();
            }
        }
    }

    fn turn(&mut self) {
        while let Some((home, number)) = self.port.next_delivery() {
            self.see(home, number);
        }
        let (me, port) = (self.port.shard(), &mut self.port);
        self.deliveries.drain(|to, number| port.try_delivery(to, number));
        self.commands
            .drain(|to, command| if to == me { Err(command) } else { port.try_command(to, command) });
        while self.deliveries.total() == 0
            && (self.commands.pop(me).is_some() || self.port.next_command().is_some())
        {
            self.handle_command();
        }
        if self.commands.total() == 0 {
            self.read_socket();
        }
        self.port.ring_bells();
    }

    fn see(&mut self, home: usize, number: u32) {
        assert_eq!(number, self.seen[home], "shard {} of home {home}", self.port.shard());
        self.seen[home] += 1;
    }

    /// Numbers one delivery and sends it to every shard.
    fn handle_command(&mut self) {
        let (me, number) = (self.port.shard(), self.next);
        self.next += 1;
        self.see(me, number);
        for to in (0..self.port.shards()).filter(|&to| to != me) {
            self.deliveries.push_or_keep(to, number, |to, number| self.port.try_delivery(to, number));
        }
    }

    /// One command to each home in turn, its own among them.
    fn read_socket(&mut self) {
        for _ in 0..READ.min(self.unread) {
            self.unread -= 1;
            let home = self.unread % self.port.shards();
            if home != self.port.shard() {
                self.commands.push_or_keep(home, (), |to, command| self.port.try_command(to, command));
            } else if self.deliveries.total() == 0 && self.commands.is_empty(home) {
                self.handle_command();
            } else {
                self.commands.keep(home, ());
            }
        }
    }
}

fn shards_finish(shards: usize, command_capacity: usize, delivery_capacity: usize) {
    let commands = if cfg!(miri) { 10 } else { 3_000 };
    let bells = (0..shards).map(|_| Arc::new(Bell::new(Doorbell::default()))).collect();
    let threads: Vec<_> = mesh(bells, command_capacity, delivery_capacity)
        .into_iter()
        .map(|port| thread::spawn(move || Shard::new(port, commands).run(shards * commands)))
        .collect();
    let ended: Vec<Shard> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let made: Vec<u32> = ended.iter().map(|shard| shard.next).collect();
    assert_eq!(made.iter().sum::<u32>() as usize, shards * commands);
    for shard in &ended {
        assert_eq!(shard.seen, made);
        assert_eq!((shard.commands.over_bound(), shard.deliveries.over_bound()), (0, 0));
    }
}

#[test]
fn shards_finish_with_lanes_of_one() {
    shards_finish(2, 1, 1);
    shards_finish(4, 1, 1);
}

#[test]
fn shards_finish_with_one_class_tight() {
    shards_finish(3, 1, 64);
    shards_finish(3, 64, 1);
}

#[test]
fn a_lone_shard_finishes() {
    shards_finish(1, 1, 1);
}
