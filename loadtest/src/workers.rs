//! The client's threads: one current-thread runtime each. A single one is the main thread's own.

use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::tally::SharedTally;

/// One thread that runs connections, and what it counts.
#[derive(Debug)]
pub struct Worker {
    pub runtime: Handle,
    pub tally: SharedTally,
    thread: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Worker {
    /// The runtime this is called in.
    fn here() -> Worker {
        Worker { runtime: Handle::current(), tally: SharedTally::new(), thread: None }
    }

    fn spawn(number: u32) -> std::io::Result<Worker> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        // Both a message and a dropped sender end the thread.
        let body = move || drop(runtime.block_on(stopped));
        let thread = std::thread::Builder::new().name(format!("client-{number}")).spawn(body)?;
        Ok(Worker { runtime: handle, tally: SharedTally::new(), thread: Some((stop, thread)) })
    }

    /// `threads` workers, at least one; must be called in a runtime.
    pub fn start(threads: u32) -> std::io::Result<Vec<Worker>> {
        if threads <= 1 { Ok(vec![Worker::here()]) } else { (0..threads).map(Worker::spawn).collect() }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.thread.take() {
            drop(stop);
            // A panic of that thread has been printed by then; there is nothing to add.
            let _ = thread.join();
        }
    }
}
