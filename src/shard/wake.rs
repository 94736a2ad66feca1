//! How another shard wakes this one: an eventfd in its epoll set. No lock, one small write per batch.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};

use crate::lane::Notify;

/// The bell's clapper.
#[derive(Debug)]
pub struct EventFd(OwnedFd);

impl EventFd {
    /// # Errors
    /// When the process has no descriptor left.
    pub fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// The same eventfd, for the shard that waits on it.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn try_clone(&self) -> io::Result<OwnedFd> {
        self.0.try_clone()
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Notify for EventFd {
    fn notify(&self) {
        // Every write is an edge of its own, so the count need never be read. It can only fail when the
        // count is about to overflow, and then the shard is awake.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }
}
