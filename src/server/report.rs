//! The line of figures that the Gator document's server logs from time to time (GAT-60).

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::info;

use crate::model::Dialect;
use crate::telemetry::Registry;

/// Between two lines.
pub const EVERY: Duration = Duration::from_secs(60);

/// Reads the figures of all shards and logs them, from a thread that is no shard's.
#[derive(Debug)]
pub struct Report {
    registry: Registry,
    every: Duration,
    /// Users and conversations of the last line.
    last: (u64, u64),
}

impl Report {
    /// `every` must not be zero.
    pub fn new(registry: Registry, every: Duration) -> Self {
        Self { registry, every, last: (0, 0) }
    }

    /// A line at the end of each period, until it is dropped.
    pub async fn run(mut self) {
        let mut periods = interval_at(Instant::now() + self.every, self.every);
        // After a pause of the process one line says all there is to say.
        periods.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            periods.tick().await;
            if let Some((users, conversations)) = self.news() {
                info!("WebSocket metrics: active_connections={users} active_conversations={conversations}");
            }
        }
    }

    /// Users with a connection (the document counts the keys of a dict) and conversations with one; `None`:
    /// nobody is there, and that was said.
    fn news(&mut self) -> Option<(u64, u64)> {
        let now = (self.registry.users_of(Dialect::Gator), self.registry.channels_of(Dialect::Gator));
        let before = std::mem::replace(&mut self.last, now);
        (now != (0, 0) || before != (0, 0)).then_some(now)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use tokio::time::advance;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no writer panics").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn taken(&self) -> String {
            let bytes = std::mem::take(&mut *self.0.lock().expect("no writer panics"));
            String::from_utf8(bytes).expect("UTF-8")
        }
    }

    #[test]
    fn nobody_is_said_once() {
        let (registry, writers) = Registry::new(2);
        let mut report = Report::new(registry, EVERY);
        assert_eq!(report.news(), None);
        writers[0].users.of(Dialect::Gator).set(2);
        writers[1].users.of(Dialect::Gator).set(3);
        writers[1].channels.of(Dialect::Gator).set(4);
        writers[1].users.of(Dialect::Nexus).set(9);
        assert_eq!(report.news(), Some((5, 4)));
        assert_eq!(report.news(), Some((5, 4)));
        for writer in &writers {
            writer.users.of(Dialect::Gator).set(0);
            writer.channels.of(Dialect::Gator).set(0);
        }
        assert_eq!(report.news(), Some((0, 0)));
        assert_eq!(report.news(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_ends_each_period() {
        let lines = Lines::default();
        let to = lines.clone();
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || to.clone()).finish();
        let _log = tracing::subscriber::set_default(log);
        let (registry, writers) = Registry::new(1);
        writers[0].users.of(Dialect::Gator).set(2);
        writers[0].channels.of(Dialect::Gator).set(1);
        let every = Duration::from_secs(5);
        let running = tokio::spawn(Report::new(registry, every).run());
        tokio::task::yield_now().await;
        advance(every - Duration::from_millis(1)).await;
        assert_eq!(lines.taken(), "");
        for _ in 0..2 {
            advance(every).await;
            tokio::task::yield_now().await;
            let line = lines.taken();
            let end = "WebSocket metrics: active_connections=2 active_conversations=1\n";
            assert!(line.contains(" INFO ") && line.ends_with(end) && line.lines().count() == 1, "{line}");
        }
        running.abort();
    }
}
