//! What a number in the configuration may be: its default, range, unit, reason and cost.
//!
//! Invariant: a [`Bound`] whose default lies outside its own range does not compile.

use std::num::NonZeroU64;

/// What one step of a bounded number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things that are counted; the word is their plural.
    Count(&'static str),
    /// Bytes.
    Bytes,
    /// Seconds; a [`Bound`] holds them as milliseconds, files and flags write seconds with a fraction.
    Seconds,
}

/// Everything about one number of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// Default; 0 where the number may be switched off and is.
    pub default: u64,
    /// Smallest allowed value (beside 0, where 0 switches off).
    pub min: u64,
    /// Largest allowed value.
    pub max: u64,
    /// Unit of the three.
    pub unit: Unit,
    /// Why this default.
    pub why: &'static str,
    /// Memory it costs, and per what. Empty: none worth a word.
    pub cost: &'static str,
}

impl Bound {
    /// A bound. Does not compile in a constant when `default` is neither 0 nor in `min..=max`.
    pub const fn new(unit: Unit, default: u64, min: u64, max: u64, why: &'static str) -> Self {
        assert!(min <= max, "a bound's range is empty");
        assert!(default == 0 || (min <= default && default <= max), "a bound's default is out of its range");
        Bound { default, min, max, unit, why, cost: "" }
    }

    /// The same with what it costs in memory.
    pub const fn costing(self, cost: &'static str) -> Self {
        Bound { cost, ..self }
    }

    /// Whether `value` (milliseconds for seconds) lies in the range.
    pub const fn contains(&self, value: u64) -> bool {
        self.min <= value && value <= self.max
    }

    /// The range in words: `from 1 to 64 threads`.
    pub fn range(&self) -> String {
        let unit = match self.unit {
            Unit::Count(things) => things,
            Unit::Bytes => "bytes",
            Unit::Seconds => "seconds",
        };
        format!("from {} to {} {unit}", self.spell(self.min), self.spell(self.max))
    }

    fn spell(&self, value: u64) -> String {
        match self.unit {
            Unit::Seconds => (value as f64 / 1000.0).to_string(),
            Unit::Bytes | Unit::Count(_) => value.to_string(),
        }
    }
}

/// A cap on how many there may be; written 0 in the configuration, it caps nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limit(Option<NonZeroU64>);

impl Limit {
    /// No cap.
    pub const NONE: Limit = Limit(None);

    /// At most `cap`; 0 is no cap.
    pub const fn new(cap: u64) -> Self {
        Limit(NonZeroU64::new(cap))
    }

    /// The cap, when there is one.
    pub fn cap(self) -> Option<u64> {
        self.0.map(NonZeroU64::get)
    }

    /// Whether `count` stays within the limit: the cap itself does, one more does not.
    pub fn allows(self, count: u64) -> bool {
        self.0.is_none_or(|cap| count <= cap.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_allows_its_cap_and_not_one_more() {
        assert!(Limit::new(3).allows(3) && !Limit::new(3).allows(4));
        assert!(Limit::new(0).allows(u64::MAX) && Limit::NONE.cap().is_none());
    }

    #[test]
    fn a_range_is_spelled_in_its_unit() {
        let seconds = Bound::new(Unit::Seconds, 3_500, 10, 60_000, "");
        assert_eq!(seconds.range(), "from 0.01 to 60 seconds");
        assert!(seconds.contains(10) && !seconds.contains(9) && seconds.contains(60_000));
    }
}
