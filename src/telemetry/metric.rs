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

/// Durations in fixed buckets of microseconds. An observation is a walk over twelve bounds and two stores.
#[derive(Debug, Default)]
pub struct Histogram {
    /// Observations per bucket, not cumulative; the last has no upper bound.
    buckets: [AtomicU64; Histogram::BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Upper bounds in microseconds, each included in its bucket: from a turn of the loop that had
    /// nothing to do to one that a person notices.
    pub const BOUNDS_US: [u64; 12] =
        [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000];

    /// Counts one duration, in microseconds.
    pub fn observe_us(&self, us: u64) {
        let place = Self::BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(Self::BOUNDS_US.len());
        let bucket = &self.buckets[place];
        bucket.store(bucket.load(Relaxed).wrapping_add(1), Relaxed);
        self.sum_us.store(self.sum_us.load(Relaxed).wrapping_add(us), Relaxed);
    }

    /// Observations up to each bound of [`Self::BOUNDS_US`], and at the end all of them.
    pub fn cumulative(&self) -> [u64; Self::BOUNDS_US.len() + 1] {
        let mut total = 0u64;
        std::array::from_fn(|i| {
            total = total.wrapping_add(self.buckets[i].load(Relaxed));
            total
        })
    }

    /// All durations together, in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us.load(Relaxed)
    }
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
pub enum Reading<'a> {
    Number(u64),
    Histogram(&'a Histogram),
}

/// A label's name and value.
pub type Pair = (&'static str, &'static str);

/// A cell, or a family of them, that can be read without knowing which.
pub trait Cell {
    /// Calls `see` once per sample, with the label the sample carries.
    fn visit(&self, label: Option<Pair>, see: &mut dyn FnMut(Option<Pair>, Reading<'_>));
}

impl Cell for Counter {
    fn visit(&self, label: Option<Pair>, see: &mut dyn FnMut(Option<Pair>, Reading<'_>)) {
        see(label, Reading::Number(self.get()));
    }
}

impl Cell for Gauge {
    fn visit(&self, label: Option<Pair>, see: &mut dyn FnMut(Option<Pair>, Reading<'_>)) {
        see(label, Reading::Number(self.get()));
    }
}

impl Cell for Histogram {
    fn visit(&self, label: Option<Pair>, see: &mut dyn FnMut(Option<Pair>, Reading<'_>)) {
        see(label, Reading::Histogram(self));
    }
}

impl<M: Cell, L: Label, const N: usize> Cell for Labelled<M, L, N> {
    fn visit(&self, _: Option<Pair>, see: &mut dyn FnMut(Option<Pair>, Reading<'_>)) {
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
        for (place, bound) in Histogram::BOUNDS_US.into_iter().enumerate() {
            let histogram = Histogram::default();
            histogram.observe_us(bound);
            histogram.observe_us(bound + 1);
            let seen = histogram.cumulative();
            assert_eq!(seen[place], 1, "at {bound}");
            assert_eq!(seen[place + 1], 2, "above {bound}");
            assert_eq!(histogram.sum_us(), 2 * bound + 1);
        }
    }

    #[test]
    fn a_long_duration_is_counted_without_a_bound() {
        let histogram = Histogram::default();
        histogram.observe_us(u64::MAX);
        let seen = histogram.cumulative();
        assert_eq!(seen[Histogram::BOUNDS_US.len()], 1);
        assert_eq!(seen[Histogram::BOUNDS_US.len() - 1], 0);
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
