//! The command line: every flag says its unit, range and default.

use std::time::Duration;

use clap::Parser;

use crate::pacing::Pacing;
use crate::payload::MIN_SIZE;
use crate::scenario::Scenario;
use crate::threshold::{Dimension, Metric, Threshold};

const EXIT_CODES: &str = "\
Exit codes:
  0    the run is over, nothing was lost, doubled, disordered or misrouted, no errors, all --assert hold
  1    a check or an --assert failed; the figures are printed all the same
  2    wrong usage
  3    not all connections could be made and joined
  130  ended by a second SIGINT; the first ends the run with the results so far

Latency of a message counts at every member of its room, in closed loop from when it was sent, in open loop
from when it was due. Only messages due after the warm-up and before the end are in the percentiles; checks
cover all of them.

Examples:
  lanecast-loadtest fanout --subscribers 1000 --window 16 --server-pid $(pidof lanecast)
  lanecast-loadtest rooms --rooms 200 --members 10 --rate 5000 --assert 'p99<5ms' --json
  lanecast-loadtest storm --connections 10000 --parallel 256 --sources 4";

/// Load generator for WebSocket room servers (Tusk dialect): joins rooms, publishes, and checks at every
/// member that nothing is lost, doubled or out of order.
#[derive(Debug, Parser)]
#[command(name = "lanecast-loadtest", version, about, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Args {
    #[command(subcommand)]
    pub scenario: Scenario,
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub pace: Pace,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Target")]
pub struct Target {
    /// Server to load; a name is resolved once
    #[arg(long, global = true, value_name = "HOST:PORT", default_value = "127.0.0.1:8000")]
    pub target: String,

    /// Path and query of the WebSocket URL
    #[arg(long, global = true, value_name = "PATH", default_value = "/", value_parser = path)]
    pub path: String,

    /// Token of an `auth` message before the join; without, none is sent
    #[arg(long, global = true, value_name = "T")]
    pub token: Option<String>,

    /// Start of all room names, room number follows [1 to 64 of A-Z a-z 0-9 _ -]
    #[arg(long, global = true, value_name = "NAME", default_value = "r", value_parser = room_prefix)]
    pub room_prefix: String,

    /// Load a server that is not on a loopback address: only with its owner's consent
    #[arg(long, global = true)]
    pub allow_remote: bool,

    /// Source addresses 127.0.0.1, 127.0.0.2, …, each with its own ephemeral ports (some 28000);
    /// more than 1 needs an IPv4 loopback target [1 to 250]
    #[arg(long, global = true, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=250))]
    pub sources: u8,

    /// Connections being set up at a time [1 to 10000]
    #[arg(long, global = true, value_name = "K", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub parallel: u32,

    /// Process of the server, for its CPU time (to 10 ms) and memory from /proc; repeat to add up several.
    /// Memory per connection is growth since before the first one, so it wants a server just started
    #[arg(long, global = true, value_name = "PID")]
    pub server_pid: Vec<u32>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Load")]
pub struct Pace {
    /// Measured time, in seconds [0.1 to 3600]; storm holds nothing and ignores it
    #[arg(long, global = true, value_name = "SECONDS", default_value = "5", value_parser = secs)]
    pub secs: Duration,

    /// Time under load before measuring starts, in seconds [0 to 600]
    #[arg(long, global = true, value_name = "SECONDS", default_value = "1", value_parser = warmup)]
    pub warmup: Duration,

    /// Longest wait for a connect, a join, room in the window, a write, the last deliveries or a close,
    /// each, in seconds [0.1 to 600]
    #[arg(long, global = true, value_name = "SECONDS", default_value = "10", value_parser = timeout)]
    pub timeout: Duration,

    /// Closed loop: messages of each publisher that are not yet at all members [1 to 10000, times publishers
    /// at most 10000000; default: 1]
    #[arg(long, global = true, value_name = "W", conflicts_with = "rate", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub window: Option<u32>,

    /// Open loop instead: messages per second of all publishers together, on a fixed schedule
    /// [0.1 to 10000000]
    #[arg(long, global = true, value_name = "R", value_parser = rate)]
    pub rate: Option<f64>,

    /// Length of a message's text, in bytes [64 to 1048576]
    #[arg(long, global = true, value_name = "BYTES", default_value_t = 128, value_parser = clap::value_parser!(u32).range(MIN_SIZE as i64..=1 << 20))]
    pub size: u32,

    /// Client threads, connections dealt out evenly [1 to 64]
    #[arg(long, global = true, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: u32,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Print one JSON object instead of the table; no progress bar
    #[arg(long, global = true)]
    pub json: bool,

    /// Condition on the result, e.g. 'p99<5ms'; repeatable. Metrics: p50 p90 p99 p999 max setup_p99
    /// (number with ns, us, ms or s), server_cpu_ns_per_delivery (the same, or plain ns), bytes_per_conn
    /// (B, KiB, MiB or plain bytes), deliveries_per_s accepts_per_s lost doubled disordered errors (plain).
    /// Operators: < <= > >= ==
    #[arg(long = "assert", global = true, value_name = "CONDITION")]
    pub asserts: Vec<Threshold>,
}

/// Most messages that all publishers together may have in flight: 8 bytes each, 80 MB.
const MAX_IN_FLIGHT: u64 = 10_000_000;

impl Pace {
    /// Errors: the window is too large for so many publishers.
    pub fn pacing(&self, publishers: u32) -> Result<Pacing, String> {
        if let Some(rate) = self.rate {
            return Ok(Pacing::Rate(rate));
        }
        let window = self.window.unwrap_or(1);
        let in_flight = u64::from(window) * u64::from(publishers);
        if in_flight > MAX_IN_FLIGHT {
            return Err(format!(
                "--window {window}: {in_flight} messages in flight; at most {MAX_IN_FLIGHT}"
            ));
        }
        Ok(Pacing::Window(window))
    }
}

impl Args {
    /// Errors: a condition on a figure that this run cannot have.
    pub fn check_asserts(&self, publishers: u32) -> Result<(), String> {
        for threshold in &self.output.asserts {
            let needs = match threshold.metric {
                Metric::ServerCpuNsPerDelivery | Metric::BytesPerConn
                    if self.target.server_pid.is_empty() =>
                {
                    "--server-pid"
                }
                Metric::SetupP99 | Metric::BytesPerConn => continue,
                Metric::DeliveriesPerS if publishers == 0 => "a scenario that publishes",
                metric if metric.dimension() == Dimension::Time && publishers == 0 => {
                    "a scenario that publishes"
                }
                _ => continue,
            };
            return Err(format!("--assert '{threshold}' needs {needs}"));
        }
        Ok(())
    }
}

fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') { Ok(text.to_owned()) } else { Err("a path starts with `/`".into()) }
}

fn room_prefix(text: &str) -> Result<String, String> {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let ok = plain && (1..=64).contains(&text.len());
    if ok { Ok(text.to_owned()) } else { Err("allowed: 1 to 64 of A-Z a-z 0-9 _ -".into()) }
}

fn secs(text: &str) -> Result<Duration, String> {
    number(text, 0.1, 3600.0, "seconds").map(Duration::from_secs_f64)
}

fn warmup(text: &str) -> Result<Duration, String> {
    number(text, 0.0, 600.0, "seconds").map(Duration::from_secs_f64)
}

fn timeout(text: &str) -> Result<Duration, String> {
    number(text, 0.1, 600.0, "seconds").map(Duration::from_secs_f64)
}

fn rate(text: &str) -> Result<f64, String> {
    number(text, 0.1, 1e7, "messages per second")
}

/// A number in `[min, max]`; NaN is in no range.
fn number(text: &str, min: f64, max: f64, unit: &str) -> Result<f64, String> {
    let allowed = || format!("allowed: {min} to {max} {unit}");
    let number: f64 = text.parse().map_err(|_| allowed())?;
    if (min..=max).contains(&number) { Ok(number) } else { Err(allowed()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(format!("lanecast-loadtest {line}").split_whitespace())
    }

    #[test]
    fn the_command_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_the_help_names() {
        let args = parse("fanout").expect("valid");
        assert_eq!(args.scenario, Scenario::Fanout { publishers: 1, subscribers: 1000 });
        assert_eq!(args.pace.pacing(1), Ok(Pacing::Window(1)));
        assert_eq!(args.pace.secs, Duration::from_secs(5));
        assert_eq!((args.pace.size, args.target.sources, args.pace.threads), (128, 1, 1));
    }

    #[test]
    fn all_windows_together_are_bounded() {
        let pace = parse("echo --window 10000").expect("valid").pace;
        assert_eq!(pace.pacing(1000), Ok(Pacing::Window(10_000)));
        assert!(pace.pacing(1001).expect_err("too many").contains("at most 10000000"));
    }

    #[test]
    fn limits_hold_at_both_ends() {
        for (good, bad) in [
            ("echo --secs 0.1", "echo --secs 0.09"),
            ("echo --secs 3600", "echo --secs 3600.1"),
            ("echo --warmup 0", "echo --warmup -1"),
            ("echo --timeout 600", "echo --timeout NaN"),
            ("echo --size 64", "echo --size 63"),
            ("echo --size 1048576", "echo --size 1048577"),
            ("echo --window 10000", "echo --window 10001"),
            ("echo --rate 0.1", "echo --rate 0"),
            ("echo --rate 5", "echo --rate 5 --window 1"),
            ("echo --sources 250", "echo --sources 251"),
            ("echo --path /x?y=1", "echo --path x"),
            ("echo --room-prefix a_B-9", "echo --room-prefix a\"b"),
            ("echo --assert lost==0", "echo --assert lost=0"),
        ] {
            assert!(parse(good).is_ok(), "{good}");
            let error = parse(bad).expect_err(bad);
            assert_eq!(error.exit_code(), 2, "{bad}");
        }
    }

    #[test]
    fn conditions_on_figures_that_cannot_be_are_refused() {
        let check = |line: &str, publishers| parse(line).expect("valid").check_asserts(publishers);
        assert!(check("storm --assert p99<1ms", 0).is_err());
        assert!(check("storm --assert deliveries_per_s>1", 0).is_err());
        assert!(check("storm --assert setup_p99<1ms --assert errors==0", 0).is_ok());
        assert!(check("echo --assert p99<1ms", 1).is_ok());
        assert!(check("echo --assert bytes_per_conn<1KiB", 1).is_err());
        assert!(check("echo --assert bytes_per_conn<1KiB --server-pid 1", 1).is_ok());
        assert!(check("idle --assert server_cpu_ns_per_delivery<1 --server-pid 1", 0).is_err());
    }
}
