//! The run's own time: nanoseconds since its start, the same for all threads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts nanoseconds from its creation.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    pub fn start() -> Clock {
        Clock { origin: Instant::now() }
    }

    /// Now, in nanoseconds; u64 lasts for 584 years.
    pub fn now_ns(&self) -> u64 {
        nanos(self.origin.elapsed())
    }

    /// The moment `ns` nanoseconds after the start.
    pub fn instant(&self, ns: u64) -> Instant {
        self.origin + Duration::from_nanos(ns)
    }
}

/// A duration as the clock counts it.
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The times between which things are measured: `from <= t < to`. Nothing is until it is set.
#[derive(Debug)]
pub struct Span {
    from: AtomicU64,
    to: AtomicU64,
}

impl Span {
    pub fn unset() -> Span {
        Span { from: AtomicU64::new(u64::MAX), to: AtomicU64::new(u64::MAX) }
    }

    pub fn set(&self, from_ns: u64, to_ns: u64) {
        self.to.store(to_ns, Ordering::SeqCst);
        self.from.store(from_ns, Ordering::SeqCst);
    }

    /// Ends the span at `now_ns` if it would last longer.
    pub fn cut(&self, now_ns: u64) {
        self.to.fetch_min(now_ns, Ordering::SeqCst);
        self.from.fetch_min(now_ns, Ordering::SeqCst);
    }

    pub fn holds(&self, ns: u64) -> bool {
        self.from.load(Ordering::Relaxed) <= ns && ns < self.to.load(Ordering::Relaxed)
    }

    pub fn start_ns(&self) -> u64 {
        self.from.load(Ordering::SeqCst)
    }

    pub fn end_ns(&self) -> u64 {
        self.to.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_holds_its_start_and_not_its_end() {
        let span = Span::unset();
        assert!(!span.holds(0) && !span.holds(u64::MAX));
        span.set(10, 20);
        assert!(!span.holds(9) && span.holds(10) && span.holds(19) && !span.holds(20));
        span.cut(15);
        assert!(span.holds(14) && !span.holds(15));
        span.cut(5);
        assert!(!span.holds(5), "cut in the warm-up: nothing is measured");
    }
}
