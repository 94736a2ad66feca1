//! The two readings of time that a turn of the loop works with.
//!
//! Pure layers never read a clock: they are handed a [`Now`], so that a simulation decides what time it is.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One reading, taken once per turn of a shard's loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since the process started; never goes back. For intervals.
    pub mono_ms: u64,
    /// Milliseconds since 1970 by the wall clock; may jump. For what clients are shown.
    pub unix_ms: u64,
}

impl Now {
    /// Whole seconds since 1970.
    pub fn unix_secs(self) -> u64 {
        self.unix_ms / 1000
    }
}

/// The moment so many milliseconds after the beginning of 1970. Reads no clock.
pub fn wall_time(unix_ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(unix_ms)
}

/// Reads both clocks. Cheap to copy; every shard holds one made by the same boot.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Monotonic time counts from here.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Microseconds since the start, for measuring work.
    pub fn micros(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    /// The present and, from the same reading, the microseconds since the start.
    pub fn read(&self) -> (Now, u64) {
        let micros = self.micros();
        let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        (Now { mono_ms: micros / 1000, unix_ms }, micros)
    }

    /// The present. A wall clock before 1970 reads as 1970.
    pub fn now(&self) -> Now {
        self.read().0
    }
}
