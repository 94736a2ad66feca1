//! Conditions on the results, such as `p99<5ms`, that decide the exit code.

use std::fmt;
use std::str::FromStr;

/// A figure of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    P50,
    P90,
    P99,
    P999,
    Max,
    SetupP99,
    DeliveriesPerS,
    Lost,
    Doubled,
    Disordered,
    Errors,
    AcceptsPerS,
    ServerCpuNsPerDelivery,
    BytesPerConn,
}

/// What a figure is counted in, inside: nanoseconds, bytes, plain numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    Time,
    Bytes,
    Count,
}

const METRICS: [(&str, Metric, Dimension); 14] = [
    ("p50", Metric::P50, Dimension::Time),
    ("p90", Metric::P90, Dimension::Time),
    ("p99", Metric::P99, Dimension::Time),
    ("p999", Metric::P999, Dimension::Time),
    ("max", Metric::Max, Dimension::Time),
    ("setup_p99", Metric::SetupP99, Dimension::Time),
    ("deliveries_per_s", Metric::DeliveriesPerS, Dimension::Count),
    ("lost", Metric::Lost, Dimension::Count),
    ("doubled", Metric::Doubled, Dimension::Count),
    ("disordered", Metric::Disordered, Dimension::Count),
    ("errors", Metric::Errors, Dimension::Count),
    ("accepts_per_s", Metric::AcceptsPerS, Dimension::Count),
    ("server_cpu_ns_per_delivery", Metric::ServerCpuNsPerDelivery, Dimension::Time),
    ("bytes_per_conn", Metric::BytesPerConn, Dimension::Bytes),
];

/// Longer ones first: `<` would match the start of `<=`.
const OPERATORS: [(&str, Operator); 5] = [
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("==", Operator::Equal),
    ("<", Operator::Below),
    (">", Operator::Above),
];

const TIME_UNITS: [(&str, f64); 4] = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)];
const BYTE_UNITS: [(&str, f64); 3] = [("B", 1.0), ("KiB", 1024.0), ("MiB", 1024.0 * 1024.0)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Below,
    AtMost,
    Above,
    AtLeast,
    Equal,
}

/// A condition: metric, operator, limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    pub metric: Metric,
    operator: Operator,
    limit: f64,
    text: String,
}

impl Threshold {
    /// Does the figure, in the metric's inside unit, meet the condition?
    pub fn met_by(&self, actual: f64) -> bool {
        match self.operator {
            Operator::Below => actual < self.limit,
            Operator::AtMost => actual <= self.limit,
            Operator::Above => actual > self.limit,
            Operator::AtLeast => actual >= self.limit,
            Operator::Equal => actual == self.limit,
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Metric {
    pub fn name(self) -> &'static str {
        self.row().0
    }

    pub fn dimension(self) -> Dimension {
        self.row().2
    }

    fn row(self) -> &'static (&'static str, Metric, Dimension) {
        // The enum's order is the table's order; a test compares them.
        &METRICS[self as usize]
    }
}

impl FromStr for Threshold {
    type Err = String;

    /// Reads `METRIC OPERATOR NUMBER[UNIT]`, spaces between them allowed. Errors name what is allowed.
    fn from_str(text: &str) -> Result<Threshold, String> {
        let at =
            text.find(['<', '>', '=']).ok_or_else(|| format!("no operator; allowed: {}", operators()))?;
        let (name, rest) = (text[..at].trim(), &text[at..]);
        let &(_, metric, dimension) = METRICS.iter().find(|(known, ..)| *known == name).ok_or_else(|| {
            format!("no metric `{name}`; allowed: {}", list(METRICS.map(|(name, ..)| name)))
        })?;
        let &(sign, operator) = OPERATORS
            .iter()
            .find(|(sign, _)| rest.starts_with(sign))
            .ok_or_else(|| format!("no such operator; allowed: {}", operators()))?;
        let limit = quantity(rest[sign.len()..].trim(), metric, dimension)?;
        Ok(Threshold { metric, operator, limit, text: text.trim().to_owned() })
    }
}

fn quantity(text: &str, metric: Metric, dimension: Dimension) -> Result<f64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..digits], text[digits..].trim());
    let number: f64 = number.parse().map_err(|_| {
        format!("`{text}` does not start with a number such as 5 or 0.5 (no sign, no exponent)")
    })?;
    let wrong = |allowed: String| format!("`{text}`: {} takes a number with {allowed}", metric.name());
    let scale = match dimension {
        Dimension::Count if unit.is_empty() => Some(1.0),
        Dimension::Count => return Err(wrong("no unit".into())),
        // Its name says the unit, so a plain number is clear.
        Dimension::Time if unit.is_empty() && metric == Metric::ServerCpuNsPerDelivery => Some(1.0),
        Dimension::Time => scale_of(&TIME_UNITS, unit),
        Dimension::Bytes if unit.is_empty() => Some(1.0),
        Dimension::Bytes => scale_of(&BYTE_UNITS, unit),
    };
    let units = if dimension == Dimension::Time {
        list(TIME_UNITS.map(|u| u.0))
    } else {
        list(BYTE_UNITS.map(|u| u.0))
    };
    scale.map(|scale| number * scale).ok_or_else(|| wrong(format!("one of the units {units}")))
}

fn scale_of(units: &[(&str, f64)], unit: &str) -> Option<f64> {
    units.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale)
}

fn operators() -> String {
    list(["<", "<=", ">", ">=", "=="])
}

fn list<const N: usize>(words: [&str; N]) -> String {
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Threshold {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn every_operator_decides_at_below_and_above_its_limit() {
        for (text, below, at, above) in [
            ("lost<5", true, false, false),
            ("lost<=5", true, true, false),
            ("lost>5", false, false, true),
            ("lost>=5", false, true, true),
            ("lost==5", false, true, false),
        ] {
            let threshold = parse(text);
            let decided = [4.0, 5.0, 6.0].map(|actual| threshold.met_by(actual));
            assert_eq!(decided, [below, at, above], "{text}");
        }
    }

    #[test]
    fn every_unit_has_its_size() {
        for (text, limit) in [
            ("p99<5ns", 5.0),
            ("p99<5us", 5e3),
            ("p99<5ms", 5e6),
            ("p99<0.5s", 5e8),
            ("bytes_per_conn<3", 3.0),
            ("bytes_per_conn<3B", 3.0),
            ("bytes_per_conn<3KiB", 3072.0),
            ("bytes_per_conn<3MiB", 3_145_728.0),
            ("deliveries_per_s<1.5", 1.5),
            ("server_cpu_ns_per_delivery<400", 400.0),
            ("server_cpu_ns_per_delivery<2us", 2e3),
        ] {
            assert_eq!(parse(text).limit, limit, "{text}");
        }
    }

    #[test]
    fn every_metric_is_known_by_its_name() {
        for (row, &(name, metric, dimension)) in METRICS.iter().enumerate() {
            assert_eq!(metric as usize, row, "{name} stands in the enum's order");
            let unit = if dimension == Dimension::Time { "ms" } else { "" };
            assert_eq!(parse(&format!(" {name} <= 1 {unit} ")).metric, metric);
            assert_eq!((metric.name(), metric.dimension()), (name, dimension));
        }
    }

    #[test]
    fn bad_input_is_refused_with_what_is_allowed() {
        for (text, words) in [
            ("", "allowed: < <= > >= =="),
            ("p99", "allowed: < <= > >= =="),
            ("p99=5ms", "allowed: < <= > >= =="),
            ("p98<5ms", "allowed: p50 p90 p99 p999 max setup_p99"),
            ("<5ms", "no metric ``"),
            ("p99<", "does not start with a number"),
            ("p99<ms", "does not start with a number"),
            ("p99<-5ms", "does not start with a number"),
            ("p99<1.2.3ms", "does not start with a number"),
            ("p99<5", "one of the units ns us ms s"),
            ("p99<5KiB", "one of the units ns us ms s"),
            ("p99<5ms<6ms", "one of the units ns us ms s"),
            ("p99<5é", "one of the units ns us ms s"),
            ("bytes_per_conn<5ms", "one of the units B KiB MiB"),
            ("bytes_per_conn<5KB", "one of the units B KiB MiB"),
            ("lost==0ms", "no unit"),
            ("lost=<0", "allowed: < <= > >= =="),
            ("lost<=>0", "does not start with a number"),
        ] {
            let error = text.parse::<Threshold>().expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
