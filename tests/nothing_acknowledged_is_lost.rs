//! A server is killed with SIGKILL at any moment and started again on the same folder: what it acknowledged is there,
//! once and in order; what waited for the absent comes once; who comes back misses nothing without being told.
//!
//! In some rounds the tail of the store's log is cut off as well. Then something may be missing, but what is left is the
//! beginning of each channel's order, and whoever names an old position is told of a gap.
//!
//! `CRASH_ROUNDS=500 CRASH_SEED=7 cargo test --test nothing_acknowledged_is_lost -- --nocapture` is a long run, with the
//! same dice again. Time is not in the dice: where exactly the server dies is another place each time.

mod crash;
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use crash::{Fate, World};
use fastrand::Rng;
use support::{Process, Starting, tempfolder};

const ROUNDS: u64 = 20;

const FLAGS: &[&str] = &["--shards", "2", "--data-dir", "data"];

/// No limit that would make an answer depend on how much was said in a round.
const SETTINGS: &str = "
[server]
pin = false
[limits]
offline_messages = 10000
replay_events = 100000
outbox_bytes = 67108864
[store]
history_count = 1000000
history_bytes = 0
[sge]
max_messages = 0
[nexus]
max_messages = 0
max_queue_size = 10000
presence_broadcast = false
log_file = ''
[gator]
max_messages = 0
presence_broadcast = false
[aegisx]
max_messages = 0
[tusk]
message_rate_limit = 0
max_connections_per_ip = 0
presence_broadcast = false
";

fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a number, not {value}")))
}

fn millis(dice: &mut Rng, from: u64, to: u64) -> Duration {
    Duration::from_micros(dice.u64(from * 1000..to * 1000))
}

/// Cuts a random number of bytes off the end of the write-ahead log, mostly few. Whether there were any.
fn cut_tail(folder: &Path, dice: &mut Rng) -> bool {
    let path = folder.join("data/lanecast.db-wal");
    let Ok(file) = std::fs::OpenOptions::new().write(true).open(path) else { return false };
    let length = file.metadata().expect("a length").len();
    let most = if dice.bool() { length } else { length.min(64 << 10) };
    file.set_len(length - dice.u64(..=most)).expect("is cut");
    length > 0
}

#[tokio::test]
async fn what_was_acknowledged_survives_any_kill() {
    let seed = setting("CRASH_SEED").unwrap_or_else(|| Rng::new().u64(..1_000_000));
    let rounds = setting("CRASH_ROUNDS").unwrap_or(ROUNDS);
    println!("CRASH_SEED={seed}");
    let mut dice = Rng::with_seed(seed);
    let mut world = World::new(dice.fork());
    let folder = tempfolder();
    let began = Instant::now();
    let (mut kills, mut cuts) = (0, 0);
    for _ in 0..rounds {
        if dice.u8(..6) == 0 {
            let starting = Starting::new(&folder, FLAGS, SETTINGS);
            tokio::time::sleep(millis(&mut dice, 0, 100)).await;
            starting.kill().await;
            kills += 1;
        }
        let mut process = Process::start_in(&folder, FLAGS, SETTINGS).await;
        let fate = match dice.u8(..5) {
            0 => Fate::Early(millis(&mut dice, 0, 400)),
            _ => Fate::InStorm(millis(&mut dice, 5, 600)),
        };
        world.live(&mut process, fate).await;
        kills += 1;
        if dice.u8(..4) == 0 && cut_tail(&folder, &mut dice) {
            world.cut();
            cuts += 1;
        }
    }
    let mut process = Process::start_in(&folder, FLAGS, SETTINGS).await;
    world.live(&mut process, Fate::Spared).await;
    process.terminate();
    assert_eq!(process.exit_code().await, Some(0));
    let found = lanecast::store::check(&folder.join("data")).expect("can be read");
    assert!(found.is_fine(), "{found:?}");
    std::fs::remove_dir_all(&folder).expect("is removed");
    let (told, handed) = world.recovered();
    println!(
        "{rounds} rounds: {} messages and changes acknowledged, {told} events told to who came back, {handed} \
         messages handed to the absent, {kills} kills, {cuts} logs cut off ({} epochs ended), {:.1} s",
        world.acknowledged,
        world.epochs,
        began.elapsed().as_secs_f64()
    );
}
