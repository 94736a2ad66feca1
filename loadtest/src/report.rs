//! The results: the figures, the verdict, a table for people and an object for machines.

use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::engine::Outcome;
use crate::pacing::Pacing;
use crate::run::Plan;
use crate::tally::Tally;
use crate::threshold::{Dimension, Metric, Threshold};

/// The results of a run, judged by its thresholds.
#[derive(Debug)]
pub struct Report<'a> {
    scenario: &'a str,
    plan: &'a Plan,
    outcome: &'a Outcome,
    asserts: Vec<Judged<'a>>,
}

/// A threshold and the figure it was held against; `None`: the run did not get so far.
#[derive(Debug)]
struct Judged<'a> {
    threshold: &'a Threshold,
    actual: Option<f64>,
}

impl Judged<'_> {
    fn met(&self) -> bool {
        self.actual.is_some_and(|actual| self.threshold.met_by(actual))
    }
}

impl<'a> Report<'a> {
    pub fn new(
        scenario: &'a str,
        plan: &'a Plan,
        outcome: &'a Outcome,
        thresholds: &'a [Threshold],
    ) -> Report<'a> {
        let judge = |threshold: &'a Threshold| Judged { threshold, actual: outcome.metric(threshold.metric) };
        Report { scenario, plan, outcome, asserts: thresholds.iter().map(judge).collect() }
    }

    /// 0: all well; 1: a check or a threshold failed; 3: not all connections were made, and not because of SIGINT.
    pub fn exit_code(&self) -> u8 {
        let outcome = self.outcome;
        let unreachable = if self.plan.tolerant { outcome.connected == 0 } else { !outcome.complete };
        if unreachable && !outcome.interrupted {
            3
        } else {
            u8::from(outcome.tally.faults() > 0 || !self.asserts.iter().all(Judged::met))
        }
    }

    /// One JSON object. Times are integers in nanoseconds; a figure that the run does not have is null.
    pub fn json(&self) -> Value {
        let (plan, outcome, tally) = (self.plan, self.outcome, &self.outcome.tally);
        let (window, rate) = match plan.pacing {
            Pacing::Window(window) => (Some(window), None),
            Pacing::Rate(rate) => (None, Some(rate)),
        };
        json!({
            "scenario": self.scenario, "target": plan.endpoint.url(),
            "connections": plan.shape.connections, "rooms": plan.shape.rooms, "publishers": plan.shape.publishers,
            "window": window, "rate": rate, "size": plan.size,
            "connected": outcome.connected, "interrupted": outcome.interrupted,
            "connect_s": outcome.connecting.as_secs_f64(), "measured_s": outcome.measured.as_secs_f64(),
            "accepts_per_s": outcome.metric(Metric::AcceptsPerS),
            "deliveries_per_s": outcome.metric(Metric::DeliveriesPerS),
            "latency_ns": percentiles(&tally.latency), "setup_ns": percentiles(&tally.setup),
            "send_lag_ns": percentiles(&tally.send_lag),
            "sent": tally.sent, "unsent": tally.unsent, "deliveries": tally.deliveries,
            "lost": tally.lost, "doubled": tally.doubled, "disordered": tally.disordered,
            "misrouted": tally.misrouted, "foreign": tally.foreign,
            "errors": tally.errors, "reasons": tally.reasons,
            "server": self.server(),
            "asserts": self.asserts.iter().map(|judged| json!({
                "assert": judged.threshold.to_string(), "actual": judged.actual, "met": judged.met(),
            })).collect::<Vec<_>>(),
            "exit_code": self.exit_code(),
        })
    }

    fn server(&self) -> Value {
        let outcome = self.outcome;
        json!({
            "cpu_user_ns": outcome.cpu.map(|cpu| cpu.user_ns),
            "cpu_system_ns": outcome.cpu.map(|cpu| cpu.system_ns),
            "cpu_ns_per_delivery": outcome.metric(Metric::ServerCpuNsPerDelivery),
            "pss_before_bytes": outcome.memory.map(|(before, _)| before),
            "pss_after_bytes": outcome.memory.map(|(_, after)| after),
            "bytes_per_conn": outcome.metric(Metric::BytesPerConn),
        })
    }

    /// The table for people. Sections that the scenario has no figures for are left out.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let (plan, tally) = (self.plan, &self.outcome.tally);
        let shape = plan.shape;
        line(
            &mut out,
            self.scenario,
            &format!(
                "{} connections, {} rooms, {} publishers, {}",
                shape.connections,
                shape.rooms,
                shape.publishers,
                plan.endpoint.url()
            ),
        );
        if self.outcome.interrupted {
            line(&mut out, "interrupted", "results so far");
        }
        self.connections(&mut out);
        if shape.publishers > 0 {
            self.deliveries(&mut out);
        }
        self.server_lines(&mut out);
        if !tally.reasons.is_empty() {
            line(&mut out, "errors", &tally.errors.to_string());
            tally
                .reasons
                .iter()
                .for_each(|(reason, times)| line(&mut out, "", &format!("{times} x {reason}")));
        }
        for judged in &self.asserts {
            line(&mut out, if judged.met() { "assert ok" } else { "ASSERT FAILED" }, &judged.to_string());
        }
        line(&mut out, "result", verdict(self.exit_code()));
        out
    }

    fn connections(&self, out: &mut String) {
        let outcome = self.outcome;
        let rate = outcome.metric(Metric::AcceptsPerS).unwrap_or(0.0);
        line(
            out,
            "connected",
            &format!("{} in {}, {rate:.0}/s", outcome.connected, time(outcome.connecting)),
        );
        histogram(out, "setup", &outcome.tally.setup);
    }

    fn deliveries(&self, out: &mut String) {
        let (outcome, tally) = (self.outcome, &self.outcome.tally);
        let pace = match self.plan.pacing {
            Pacing::Window(window) => format!("closed loop, {window} in flight per publisher"),
            Pacing::Rate(rate) => format!("open loop, {rate} messages/s"),
        };
        line(out, "pacing", &format!("{pace}, {} B, measured {}", self.plan.size, time(outcome.measured)));
        line(out, "sent", &tally.sent.to_string());
        let rate = outcome.metric(Metric::DeliveriesPerS).unwrap_or(0.0);
        line(out, "delivered", &format!("{} in all, {rate:.0}/s measured", tally.deliveries));
        histogram(out, "latency", &tally.latency);
        histogram(out, "send lag", &tally.send_lag);
        line(
            out,
            "checks",
            &format!(
                "{} lost, {} doubled, {} disordered, {} misrouted, {} unsent",
                tally.lost, tally.doubled, tally.disordered, tally.misrouted, tally.unsent
            ),
        );
        if tally.foreign > 0 {
            line(out, "foreign", &format!("{} messages of other clients in these rooms", tally.foreign));
        }
    }

    fn server_lines(&self, out: &mut String) {
        let outcome = self.outcome;
        if let Some(cpu) = outcome.cpu {
            let per = outcome.metric(Metric::ServerCpuNsPerDelivery);
            let per = per.map_or(String::new(), |ns| format!(", {ns:.0} ns per delivery"));
            let (user, system) = (Duration::from_nanos(cpu.user_ns), Duration::from_nanos(cpu.system_ns));
            line(out, "server cpu", &format!("{} user, {} system{per}", time(user), time(system)));
        }
        if let (Some((before, after)), Some(each)) = (outcome.memory, outcome.metric(Metric::BytesPerConn)) {
            line(
                out,
                "server memory",
                &format!(
                    "{} KiB, {} KiB before the first connection, {each:.0} B per connection",
                    after / 1024,
                    before / 1024
                ),
            );
        }
    }
}

impl std::fmt::Display for Judged<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(actual) = self.actual else { return write!(f, "{}: not measured", self.threshold) };
        match self.threshold.metric.dimension() {
            Dimension::Time => write!(f, "{}: {}", self.threshold, time(Duration::from_nanos(actual as u64))),
            Dimension::Bytes => write!(f, "{}: {actual:.0} B", self.threshold),
            Dimension::Count => write!(f, "{}: {actual:.0}", self.threshold),
        }
    }
}

impl Outcome {
    /// A figure in its metric's inside unit; `None` if this run does not have it.
    pub fn metric(&self, metric: Metric) -> Option<f64> {
        let tally = &self.tally;
        let quantile = |histogram: &Histogram<u64>, q| {
            (!histogram.is_empty()).then(|| histogram.value_at_quantile(q) as f64)
        };
        match metric {
            Metric::P50 => quantile(&tally.latency, 0.5),
            Metric::P90 => quantile(&tally.latency, 0.9),
            Metric::P99 => quantile(&tally.latency, 0.99),
            Metric::P999 => quantile(&tally.latency, 0.999),
            Metric::Max => quantile(&tally.latency, 1.0),
            Metric::SetupP99 => quantile(&tally.setup, 0.99),
            Metric::DeliveriesPerS => ratio(tally.measured as f64, self.measured.as_secs_f64()),
            Metric::Lost => Some(tally.lost as f64),
            Metric::Doubled => Some(tally.doubled as f64),
            Metric::Disordered => Some(tally.disordered as f64),
            Metric::Errors => Some(tally.errors as f64),
            Metric::AcceptsPerS => ratio(tally.setup.len() as f64, self.connecting.as_secs_f64()),
            Metric::ServerCpuNsPerDelivery => {
                self.cpu.and_then(|cpu| ratio(cpu.total_ns() as f64, tally.measured as f64))
            }
            Metric::BytesPerConn => self
                .memory
                .and_then(|(before, after)| ratio(after as f64 - before as f64, f64::from(self.connected))),
        }
    }
}

impl Tally {
    /// What no good server shows: each makes the run fail.
    fn faults(&self) -> u64 {
        self.lost + self.doubled + self.disordered + self.misrouted + self.unsent + self.errors
    }
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

fn verdict(exit_code: u8) -> &'static str {
    match exit_code {
        0 => "ok",
        1 => "FAILED: a check or an assert did not hold (exit code 1)",
        _ => "FAILED: could not connect (exit code 3)",
    }
}

const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)];

fn percentiles(histogram: &Histogram<u64>) -> Value {
    if histogram.is_empty() {
        return Value::Null;
    }
    let mut values: serde_json::Map<String, Value> =
        QUANTILES.iter().map(|&(name, q)| (name.into(), histogram.value_at_quantile(q).into())).collect();
    values.insert("count".into(), histogram.len().into());
    Value::Object(values)
}

fn histogram(out: &mut String, label: &str, histogram: &Histogram<u64>) {
    if histogram.is_empty() {
        return;
    }
    let value = |&(name, q): &(&str, f64)| {
        format!("{name} {:<9}", time(Duration::from_nanos(histogram.value_at_quantile(q))))
    };
    line(out, label, QUANTILES.iter().map(value).collect::<Vec<_>>().join(" ").trim_end());
}

fn line(out: &mut String, label: &str, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{label:<14} {text}");
}

/// A duration with three significant digits or so.
fn time(duration: Duration) -> String {
    let ns = duration.as_nanos() as f64;
    let (scale, unit) = match ns {
        _ if ns < 1e3 => (1.0, "ns"),
        _ if ns < 1e6 => (1e3, "us"),
        _ if ns < 1e9 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    let value = ns / scale;
    let digits = if unit == "ns" || value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {unit}")
}
