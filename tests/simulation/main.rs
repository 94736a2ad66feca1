//! Shards without sockets under a scheduler that throws dice: whatever the order in which things happen, every
//! message arrives once and in order, every question is answered, and in the end nothing is left.
//!
//! `SIM_SEED=7 SIM_STEPS=3000 cargo test --test simulation whatever -- --nocapture` replays one run;
//! `SIM_SEEDS=10000` makes many of them, from `SIM_FROM` on. A failure names its seed and its step.
//!
//! In some runs there is a store, which takes its time and fails at times: what is heard was kept before, under the
//! number it is told with, what was refused is heard by nobody, and who says where it stopped is told what came since.
//!
//! Not in it: sockets, the waker of a paused reader (whether it is paused is looked at), tenants, acknowledgements,
//! private and moderated rooms, rate limits, extensions, turns that stop because they did enough.

mod client;
mod dice;
mod fault;
mod hearing;
mod keeper;
mod mail;
mod places;
mod plan;
mod run;
mod said;
mod speaking;
mod witness;
mod world;

use std::time::Instant;

use fault::Fault;
use run::{Report, run};

fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a number, not {value}")))
}

const SEEDS: u64 = 200;
const STEPS: u64 = 3000;

#[test]
fn whatever_the_order_nothing_is_lost_doubled_or_left_behind() {
    let steps = setting("SIM_STEPS").unwrap_or(STEPS);
    let seeds = match setting("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let from = setting("SIM_FROM").unwrap_or(1);
            from..from + setting("SIM_SEEDS").unwrap_or(SEEDS)
        }
    };
    let (began, runs) = (Instant::now(), seeds.end - seeds.start);
    let mut sum = Report::default();
    for seed in seeds {
        sum += run(seed, steps, None).unwrap_or_else(|why| panic!("{why}"));
    }
    let took = began.elapsed().as_secs_f64();
    println!("{runs} seeds in {took:.1} s, {:.0} steps/s: {sum:?}", sum.steps as f64 / took);
}

#[test]
fn one_seed_is_one_run() {
    for seed in [3, 5, 8] {
        let once = run(seed, 1500, None).expect("nothing wrong");
        assert_eq!(run(seed, 1500, None), Ok(once));
        assert_ne!(run(seed + 1000, 1500, None).expect("nothing wrong").trace, once.trace);
    }
}

/// A check that cannot fail holds nothing up. A fault may befall only those who leave before it can show, so
/// not every run has to find it.
#[test]
fn faults_are_found() {
    const RUNS: u64 = 8;
    for fault in Fault::ALL {
        let found: Vec<String> = (1..=RUNS).filter_map(|seed| run(seed, STEPS, Some(fault)).err()).collect();
        assert!(found.len() as u64 > RUNS / 2, "{fault:?} was found in {} runs of {RUNS}", found.len());
        println!("{fault:?}: {} of {RUNS}, {}", found.len(), found[0].lines().next().unwrap_or_default());
        assert!(found.iter().all(|why| why.contains("SIM_SEED=") && why.contains(": step ")), "{found:?}");
    }
}
