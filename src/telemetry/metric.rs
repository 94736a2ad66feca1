//! The cells that numbers live in: counter, gauge, histogram, and a family of one of them by label.
//!
//! Each cell has one writer, its shard's thread, so a change is a load and a store without a locked
//! instruction; a scrape on another thread reads a value that was true a moment ago.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::label::Label;

/// A number that only rises. Starts at 0 and wraps at 2^64, which Prometheus reads as a restart.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// `n` more.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// The value now.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that rises and falls. Starts at 0 and stops there: a count that would go below is a
/// mistake of the caller, caught in debug builds.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// One less.
    pub fn dec(&self) {
        self.sub(1);
    }

    /// `n` more.
    pub fn add(&self, n: u64) {
        self.set(self.get().saturating_add(n));
    }

    /// `n` less.
    pub fn sub(&self, n: u64) {
        debug_assert!(self.get() >= n, "gauge below zero");
        self.set(self.get().saturating_sub(n));
    }

    /// Exactly `n`.
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    /// The value now.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// How many bounds every histogram has.
pub const BOUNDS: usize = 12;

/// The buckets of a histogram of durations.
pub trait Scale {
    /// Upper bounds in microseconds, rising, each included in its bucket.
    const BOUNDS_US: [u64; BOUNDS];
}

/// From a turn of the loop that had nothing to do to one that a person notices.
#[derive(Debug, Default)]
pub struct Turns;

impl Scale for Turns {
    const BOUNDS_US: [u64; BOUNDS] =
        [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000];
}

/// From a visit of one second to one of a day.
#[derive(Debug, Default)]
pub struct Visits;

impl Scale for Visits {
    const BOUNDS_US: [u64; BOUNDS] = {
        const SECOND: u64 = 1_000_000;
        const MINUTE: u64 = 60 * SECOND;
        const HOUR: u64 = 60 * MINUTE;
        [
            SECOND,
            5 * SECOND,
            15 * SECOND,
            MINUTE,
            5 * MINUTE,
            15 * MINUTE,
            30 * MINUTE,
            HOUR,
            4 * HOUR,
            8 * HOUR,
            12 * HOUR,
            24 * HOUR,
        ]
    };
}

/// Durations in fixed buckets of microseconds. An observation is a walk over twelve bounds and two stores.
#[derive(Debug, Default)]
pub struct Histogram<S> {
    /// Observations per bucket, not cumulative; the last has no upper bound.
    buckets: [AtomicU64; BOUNDS + 1],
    /// Wraps at 2^64, which is half a million years.
    sum_us: AtomicU64,
    scale: PhantomData<S>,
}

impl<S: Scale> Histogram<S> {
    /// Counts one duration, in microseconds.
    pub fn observe_us(&self, us: u64) {
        self.observe_many(us, 1);
    }

    /// Counts `n` durations of `us` microseconds each, at the cost of one.
    pub fn observe_many(&self, us: u64, n: u64) {
        let place = S::BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS);
        let bucket = &self.buckets[place];
        bucket.store(bucket.load(Relaxed).wrapping_add(n), Relaxed);
        self.sum_us.store(self.sum_us.load(Relaxed).wrapping_add(us.wrapping_mul(n)), Relaxed);
    }

    /// What was observed so far.
    pub fn distribution(&self) -> Distribution {
        let mut total = 0u64;
        let cumulative = std::array::from_fn(|i| {
            total = total.wrapping_add(self.buckets[i].load(Relaxed));
            total
        });
        Distribution { bounds_us: &S::BOUNDS_US, cumulative, sum_us: self.sum_us.load(Relaxed) }
    }
}

/// A histogram, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distribution {
    pub bounds_us: &'static [u64; BOUNDS],
    /// Observations up to each bound, and at the end all of them.
    pub cumulative: [u64; BOUNDS + 1],
    /// All durations together, in microseconds.
    pub sum_us: u64,
}

/// One cell per value of a label. `N` is `L::ALL.len()`.
#[derive(Debug)]
pub struct Labelled<M, L, const N: usize> {
    cells: [M; N],
    label: PhantomData<L>,
}

impl<M: Default, L, const N: usize> Default for Labelled<M, L, N> {
    fn default() -> Self {
        Self { cells: std::array::from_fn(|_| M::default()), label: PhantomData }
    }
}

impl<M, L: Label, const N: usize> Labelled<M, L, N> {
    /// The cell of one label value.
    pub fn of(&self, label: L) -> &M {
        &self.cells[label.index()]
    }

    /// The cells in the order of `L::ALL`.
    pub fn cells(&self) -> &[M; N] {
        &self.cells
    }
}

/// What a scrape finds in a cell.
#[derive(Clone, Copy, Debug)]
pub enum Reading {
    Number(u64),
    Histogram(Distribution),
}

/// A label's name and value.
pub type Pair = (&'static str, &'static str);

/// A cell, or a family of them, that can be read without knowing which.
pub trait Cell {
    /// Calls `see` once per sample, with the label the sample carries.
    fn visit(&self, label: Option<Pair>, see: &mut dyn FnMut(Option<Pair>, Reading));
}

impl Cell for Counter {
    fn visit(&self, label: Option<Pair>, see: &mut dyn FnMut(Option<Pair>, Reading)) {
        see(label, Reading::Number(self.get()));
    }
}

impl Cell for Gauge {
    fn visit(&self, label: Option<Pair>, see: &mut dyn FnMut(Option<Pair>, Reading)) {
        see(label, Reading::Number(self.get()));
    }
}

impl<S: Scale> Cell for Histogram<S> {
    fn visit(&self, label: Option<Pair>, see: &mut dyn FnMut(Option<Pair>, Reading)) {
        see(label, Reading::Histogram(self.distribution()));
    }
}

impl<M: Cell, L: Label, const N: usize> Cell for Labelled<M, L, N> {
    fn visit(&self, _: Option<Pair>, see: &mut dyn FnMut(Option<Pair>, Reading)) {
        for (cell, label) in self.cells.iter().zip(L::ALL) {
            cell.visit(Some((L::KEY, label.name())), see);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CloseReason;

    #[test]
    fn a_counter_rises_and_wraps() {
        let counter = Counter::default();
        counter.inc();
        counter.add(4);
        assert_eq!(counter.get(), 5);
        counter.add(u64::MAX);
        assert_eq!(counter.get(), 4);
    }

    #[test]
    fn a_gauge_rises_falls_and_is_set() {
        let gauge = Gauge::default();
        gauge.inc();
        gauge.add(9);
        gauge.sub(3);
        gauge.dec();
        assert_eq!(gauge.get(), 6);
        gauge.set(2);
        assert_eq!(gauge.get(), 2);
    }

    #[test]
    fn a_bound_is_part_of_its_bucket_and_one_more_is_not() {
        fn check<S: Scale + Default>() {
            for (place, bound) in S::BOUNDS_US.into_iter().enumerate() {
                let histogram = Histogram::<S>::default();
                histogram.observe_us(bound);
                histogram.observe_us(bound + 1);
                let seen = histogram.distribution();
                assert_eq!(seen.cumulative[place], 1, "at {bound}");
                assert_eq!(seen.cumulative[place + 1], 2, "above {bound}");
                assert_eq!(seen.sum_us, 2 * bound + 1);
                assert_eq!(seen.bounds_us, &S::BOUNDS_US);
            }
            assert!(S::BOUNDS_US.is_sorted());
        }
        check::<Turns>();
        check::<Visits>();
        assert_eq!((Visits::BOUNDS_US[0], Visits::BOUNDS_US[BOUNDS - 1]), (1_000_000, 86_400_000_000));
    }

    #[test]
    fn a_long_duration_is_counted_without_a_bound() {
        let histogram = Histogram::<Visits>::default();
        histogram.observe_us(u64::MAX);
        let seen = histogram.distribution().cumulative;
        assert_eq!((seen[BOUNDS - 1], seen[BOUNDS]), (0, 1));
    }

    #[test]
    fn many_at_once_are_as_many_one_by_one() {
        let (at_once, one_by_one) = (Histogram::<Turns>::default(), Histogram::<Turns>::default());
        at_once.observe_many(30, 4);
        at_once.observe_many(30, 0);
        (0..4).for_each(|_| one_by_one.observe_us(30));
        assert_eq!(at_once.distribution(), one_by_one.distribution());
        assert_eq!((at_once.distribution().cumulative[BOUNDS], at_once.distribution().sum_us), (4, 120));
    }

    #[test]
    fn a_family_keeps_its_labels_apart() {
        let family = Labelled::<Counter, CloseReason, { CloseReason::ALL.len() }>::default();
        family.of(CloseReason::Drain).add(3);
        let mut seen = Vec::new();
        family.visit(None, &mut |label, reading| {
            if let (Some(pair), Reading::Number(n)) = (label, reading) {
                seen.push((pair, n));
            }
        });
        assert_eq!(seen.len(), CloseReason::ALL.len());
        for ((key, value), n) in seen {
            assert_eq!(key, "reason");
            assert_eq!(n, if value == "drain" { 3 } else { 0 });
        }
    }
}
