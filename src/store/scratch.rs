//! Folders for tests, which go when the test is over.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Options, Retention, Synchronous};

/// A path of its own, with nothing there yet.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("lanecast-store-{}-{number}", std::process::id())))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A store that keeps everything in this folder, and waits for no disk.
    pub fn options(&self) -> Options {
        Options {
            folder: self.0.clone(),
            synchronous: Synchronous::Normal,
            realms: vec!["sge".into(), "nexus".into()],
            history: Retention::default(),
            queue_ttl_ms: 0,
            amendable: 1000,
            search: true,
            pending: 64,
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing was made, or it is gone already.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
