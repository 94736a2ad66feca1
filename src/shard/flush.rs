//! The end of a turn for the outboxes: all that waits for a socket leaves in one write.

use std::io::{self, ErrorKind, IoSlice};

use super::core::Core;
use crate::conn::{Conn, OutboxPool};
use crate::lane::Notify;

/// The most slices one vectored write takes; `limits.flush_frames` may be less.
pub(super) const FLUSH_FRAMES_MAX: usize = 64;

/// What was written in one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    calls: u64,
    frames: u64,
    bytes: u64,
}

/// How a connection stands after its outbox was flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    /// Nothing waits.
    Empty,
    /// The socket takes no more for now.
    Blocked,
    /// The socket is of no use any more.
    Broken(ErrorKind),
}

impl<N: Notify> Core<N> {
    /// Flushes every outbox that something was queued in since the last time.
    pub(super) fn flush(&mut self) {
        let mut written = Written::default();
        let mut dirty = std::mem::take(&mut self.dirty);
        for index in dirty.drain(..) {
            self.flush_at(index, &mut written);
        }
        // Its memory is used again, unless something was queued meanwhile.
        if self.dirty.is_empty() {
            self.dirty = dirty;
        }
        self.count(written);
    }

    /// Flushes one connection, because its socket takes bytes again.
    pub fn flush_one(&mut self, key: crate::model::ConnKey) {
        if self.conn(key).is_some() {
            let mut written = Written::default();
            self.flush_at(key.index, &mut written);
            self.count(written);
            self.touch();
        }
    }

    pub(super) fn count(&self, written: Written) {
        if written.calls > 0 {
            self.counters.write_calls.add(written.calls);
            self.counters.frames_sent.add(written.frames);
            self.counters.bytes_sent.add(written.bytes);
        }
    }

    fn flush_at(&mut self, index: u32, written: &mut Written) {
        let limit = self.shared.flush_frames.clamp(1, FLUSH_FRAMES_MAX);
        let Some(conn) = self.conns.get_mut(index as usize) else { return };
        conn.dirty = false;
        if conn.socket.is_none() {
            return;
        }
        match write_out(conn, &mut self.pool, limit, written) {
            Flushed::Empty => {
                conn.pace.blocked_since = 0;
                if conn.settles {
                    conn.settles = false;
                    self.settled.push(conn.key);
                }
                if conn.peer_closed || conn.shunned {
                    // Ends the sending side; the peer sees that nothing more comes.
                    conn.socket = None;
                    conn.wake();
                }
            }
            Flushed::Blocked if conn.pace.blocked_since == 0 || conn.pace.blocked_bytes == 0 => {
                // From here on all that waits now must leave in time. What comes later has its own time.
                let now = self.now.mono_ms.max(1);
                conn.pace.blocked_since = now;
                conn.pace.blocked_bytes = conn.outbox.bytes();
                // The task that reads also waits for the socket to take bytes again.
                conn.wake();
                let (key, age) = (conn.key, self.shared.rules(conn.variant.dialect).times.outbox_age);
                if age != 0 {
                    self.look_again(key, now + age);
                }
            }
            Flushed::Blocked => {}
            Flushed::Broken(error) => {
                conn.drop_socket();
                let (key, dialect) = (conn.key, conn.variant.dialect);
                self.log_unsent(key, dialect, error);
            }
        }
    }
}

pub(super) fn write_out(
    conn: &mut Conn,
    pool: &mut OutboxPool,
    limit: usize,
    written: &mut Written,
) -> Flushed {
    let Some(socket) = &conn.socket else { return Flushed::Broken(ErrorKind::NotConnected) };
    let outbox = &mut conn.outbox;
    while let Some(head) = outbox.head() {
        let result = match outbox.frames() {
            1 => socket.try_write(head),
            _ => {
                let mut slices = [IoSlice::new(&[]); FLUSH_FRAMES_MAX];
                let filled = outbox.slices(&mut slices[..limit]);
                socket.try_write_vectored(&slices[..filled])
            }
        };
        written.calls += 1;
        match retryable(result) {
            Ok(Some(n)) => {
                written.bytes += n as u64;
                written.frames += outbox.advance(n, pool) as u64;
                conn.pace.blocked_bytes = conn.pace.blocked_bytes.saturating_sub(n);
            }
            Ok(None) => return Flushed::Blocked,
            Err(error) => return Flushed::Broken(error.kind()),
        }
    }
    Flushed::Empty
}

/// `None`: not now.
fn retryable(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(0) => Err(ErrorKind::WriteZero.into()),
        Ok(n) => Ok(Some(n)),
        Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(e) if e.kind() == ErrorKind::Interrupted => Ok(Some(0)),
        Err(e) => Err(e),
    }
}
