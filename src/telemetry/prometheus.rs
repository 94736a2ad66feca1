//! The text that a Prometheus scrape reads (text exposition format, version 0.0.4).
//!
//! All samples of a family stand together under one `# HELP` and `# TYPE`; every sample of a shard
//! carries `shard`. The names of the SGE document stand besides, for all shards at once. Figures that the host
//! does not give are left out.

use std::fmt::{self, Display, Write};

use super::counters::{FAMILIES, Family, Kind, Registry};
use super::metric::{Distribution, Pair, Reading};
use super::process;
use crate::model::Dialect;

/// The content type of [`render`]'s text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const PREFIX: &str = "lanecast_";

/// Everything there is to tell, now. Some 150 samples per shard.
pub fn render(registry: &Registry) -> String {
    let mut out = String::with_capacity(16 * 1024);
    for family in FAMILIES {
        // Writing to a String cannot fail.
        let _ = write_family(&mut out, family, registry);
    }
    let _ = write_document(&mut out, registry);
    let _ = write_process(&mut out);
    out
}

fn write_family(out: &mut String, family: &Family, registry: &Registry) -> fmt::Result {
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    write_head(out, PREFIX, family.name, kind, family.help)?;
    let mut result = Ok(());
    for (shard, counters) in registry.shards().enumerate() {
        family.cell(counters).visit(None, &mut |label, reading| {
            let wrote = match reading {
                Reading::Number(n) => write_number(out, family.name, shard, label, n),
                Reading::Histogram(d) => write_histogram(out, family.name, shard, &d),
            };
            result = result.and(wrote);
        });
    }
    result
}

/// Appends a family of one sample, of something there is once in a process.
pub fn add_number(out: &mut String, name: &str, kind: &str, help: &str, n: u64) {
    // Writing to a String cannot fail.
    let _ = write_head(out, PREFIX, name, kind, help).and_then(|()| writeln!(out, "{PREFIX}{name} {n}"));
}

/// The same of a distribution.
pub fn add_histogram(out: &mut String, name: &str, help: &str, seen: &Distribution) {
    let _ =
        write_head(out, PREFIX, name, "histogram", help).and_then(|()| write_buckets(out, name, "", seen));
}

fn write_head(out: &mut String, prefix: &str, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP {prefix}{name} {help}\n# TYPE {prefix}{name} {kind}")
}

fn write_number(out: &mut String, name: &str, shard: usize, label: Option<Pair>, n: u64) -> fmt::Result {
    write!(out, "{PREFIX}{name}{{shard=\"{shard}\"")?;
    if let Some((key, value)) = label {
        write!(out, ",{key}=\"{value}\"")?;
    }
    writeln!(out, "}} {n}")
}

fn write_histogram(out: &mut String, name: &str, shard: usize, seen: &Distribution) -> fmt::Result {
    write_buckets(out, name, &format!("shard=\"{shard}\""), seen)
}

/// `label`: one that all samples bear; empty: none.
fn write_buckets(out: &mut String, name: &str, label: &str, seen: &Distribution) -> fmt::Result {
    let more = if label.is_empty() { String::new() } else { format!("{label},") };
    for (bound, count) in seen.bounds_us.iter().zip(seen.cumulative) {
        let seconds = *bound as f64 / 1e6;
        writeln!(out, "{PREFIX}{name}_bucket{{{more}le=\"{seconds}\"}} {count}")?;
    }
    let all = seen.cumulative[seen.bounds_us.len()];
    let sum = seen.sum_us as f64 / 1e6;
    let braces = if label.is_empty() { String::new() } else { format!("{{{label}}}") };
    writeln!(out, "{PREFIX}{name}_bucket{{{more}le=\"+Inf\"}} {all}")?;
    writeln!(out, "{PREFIX}{name}_sum{braces} {sum}")?;
    writeln!(out, "{PREFIX}{name}_count{braces} {all}")
}

/// The four metrics of the SGE document, by its names (SGE-53 to SGE-56). The first is a gauge whatever its
/// name says (ruling S15).
fn write_document(out: &mut String, registry: &Registry) -> fmt::Result {
    let connections = registry.connections_of(Dialect::Sge);
    write_single(
        out,
        "websocket_connections_total",
        "gauge",
        "SGE connections open now.",
        Some(connections),
    )?;
    let messages = "Data messages read from connections, and frames queued to connections, of all dialects.";
    write_head(out, "", "websocket_messages_total", "counter", messages)?;
    for (direction, n) in [("received", registry.messages_received()), ("sent", registry.deliveries())] {
        writeln!(out, "websocket_messages_total{{direction=\"{direction}\"}} {n}")?;
    }
    let channels = registry.channels_of(Dialect::Sge);
    write_single(
        out,
        "websocket_channels_total",
        "gauge",
        "Channels with an SGE connection.",
        Some(channels),
    )?;
    let changes = "Changes of presence that users have made, of all dialects.";
    write_single(out, "presence_updates_total", "counter", changes, Some(registry.presence_updates()))
}

/// The figures that every Prometheus client names alike, and which build this is.
fn write_process(out: &mut String) -> fmt::Result {
    let memory = process::memory();
    let cpu = process::times().map(|times| times.cpu);
    write_single(out, "process_resident_memory_bytes", "gauge", "Resident memory.", Some(memory.resident))?;
    write_single(out, "process_cpu_seconds_total", "counter", "User and system time of all threads.", cpu)?;
    write_single(out, "process_open_fds", "gauge", "Open file descriptors.", process::open_fds())?;
    write_single(
        out,
        "process_start_time_seconds",
        "gauge",
        "Start, in seconds since 1970.",
        process::start_time(),
    )?;
    write_head(out, PREFIX, "build_info", "gauge", "Which build runs; always 1.")?;
    writeln!(out, "{PREFIX}build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))
}

fn write_single(
    out: &mut String,
    name: &str,
    kind: &str,
    help: &str,
    value: Option<impl Display>,
) -> fmt::Result {
    let Some(value) = value else { return Ok(()) };
    write_head(out, "", name, kind, help)?;
    writeln!(out, "{name} {value}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::model::{CloseReason, Dialect};

    /// Name, label text and value of a sample line, as a scraper would cut it.
    fn cut(line: &str) -> (&str, &str, f64) {
        let (left, value) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = left
            .split_once('{')
            .map_or((left, ""), |(name, rest)| (name, rest.strip_suffix('}').expect("labels end")));
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{line}");
        (name, labels, value.parse().expect("a number"))
    }

    fn value(text: &str, left: &str) -> f64 {
        let line = text.lines().find(|line| line.strip_prefix(left).is_some_and(|r| r.starts_with(' ')));
        cut(line.unwrap_or_else(|| panic!("{left} is missing"))).2
    }

    #[test]
    fn every_line_is_a_sample_of_the_family_announced_above_it() {
        let (registry, writers) = Registry::new(2);
        writers[1].turn_busy.observe_us(30);
        let text = render(&registry);
        let mut family = ("", "");
        let mut families = HashSet::new();
        let mut series = HashSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                family = rest.split_once(' ').expect("name and type");
                assert!(families.insert(family.0), "{} twice", family.0);
            } else if !line.starts_with("# HELP ") {
                let (name, labels, value) = cut(line);
                let suffix = name.strip_prefix(family.0).expect("its own family");
                let histogram = matches!(suffix, "_bucket" | "_sum" | "_count");
                assert!(if family.1 == "histogram" { histogram } else { suffix.is_empty() }, "{line}");
                assert!(series.insert((name, labels)), "{line} twice");
                assert!(value >= 0.0 && value.is_finite(), "{line}");
            }
        }
        assert!(families.len() > FAMILIES.len());
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn values_stand_under_their_shard_and_label() {
        let (registry, writers) = Registry::new(2);
        writers[0].connections_open.of(Dialect::Tusk).set(7);
        writers[1].connections_closed.of(CloseReason::Idle).add(3);
        writers[1].bytes_sent.add(u64::MAX);
        let text = render(&registry);
        assert!(value(&text, r#"lanecast_connections_open{shard="0",dialect="tusk"}"#) == 7.0);
        assert!(value(&text, r#"lanecast_connections_open{shard="1",dialect="tusk"}"#) == 0.0);
        assert!(value(&text, r#"lanecast_connections_closed_total{shard="1",reason="idle"}"#) == 3.0);
        assert!(text.contains("lanecast_sent_bytes_total{shard=\"1\"} 18446744073709551615\n"));
        assert!(value(&text, "process_resident_memory_bytes") > 0.0);
        assert!(text.contains("lanecast_build_info{version=\""));
    }

    #[test]
    fn the_documents_names_stand_once_for_all_shards() {
        let (registry, writers) = Registry::new(2);
        for (n, writer) in (1..).zip(&writers) {
            writer.connections_open.of(Dialect::Sge).set(n);
            writer.connections_open.of(Dialect::Tusk).set(100);
            writer.channels.of(Dialect::Sge).set(n * 10);
            writer.channels.of(Dialect::Gator).set(100);
            writer.messages_received.of(Dialect::Sge).add(n * 3);
            writer.messages_received.of(Dialect::Tusk).add(n * 4);
            writer.deliveries.add(n * 5);
            writer.presence_updates.add(n * 6);
        }
        let text = render(&registry);
        assert!(value(&text, "websocket_connections_total") == 3.0);
        assert!(text.contains("# TYPE websocket_connections_total gauge\n"));
        assert!(value(&text, "websocket_channels_total") == 30.0);
        assert!(value(&text, r#"websocket_messages_total{direction="received"}"#) == 21.0);
        assert!(value(&text, r#"websocket_messages_total{direction="sent"}"#) == 15.0);
        assert!(value(&text, "presence_updates_total") == 18.0);
        assert_eq!(
            text.lines().filter(|line| line.contains("presence_")).count(),
            3,
            "its one sample and head"
        );
    }

    #[test]
    fn a_visit_of_hours_has_its_bucket() {
        let (registry, writers) = Registry::new(1);
        writers[0].connection_duration.observe_us(5 * 3_600_000_000);
        let text = render(&registry);
        let bucket = |le: &str| {
            value(&text, &format!(r#"lanecast_connection_duration_seconds_bucket{{shard="0",le="{le}"}}"#))
        };
        assert!(bucket("14400") == 0.0);
        assert!(bucket("28800") == 1.0);
        assert!(bucket("86400") == 1.0);
    }

    #[test]
    fn buckets_are_cumulative_in_seconds_and_agree_with_the_count() {
        let (registry, writers) = Registry::new(1);
        for us in [5, 10, 11, 600, 300_000] {
            writers[0].turn_busy.observe_us(us);
        }
        let text = render(&registry);
        let bucket =
            |le: &str| value(&text, &format!(r#"lanecast_turn_busy_seconds_bucket{{shard="0",le="{le}"}}"#));
        assert!(bucket("0.00001") == 2.0);
        assert!(bucket("0.001") == 4.0);
        assert!(bucket("0.25") == 4.0);
        assert!(bucket("+Inf") == 5.0);
        assert!(value(&text, r#"lanecast_turn_busy_seconds_count{shard="0"}"#) == 5.0);
        assert!(value(&text, r#"lanecast_turn_busy_seconds_sum{shard="0"}"#) == 0.300626);
    }

    #[test]
    fn a_registry_without_shards_is_still_an_exposition() {
        let text = render(&Registry::new(0).0);
        assert!(text.contains("# TYPE lanecast_rooms gauge\n"));
    }
}
