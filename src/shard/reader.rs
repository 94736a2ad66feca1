//! The task of a connection: it only reads. Its future is all that tokio keeps per idle connection, so it
//! is small and holds no buffer; the bytes land in the shard's one buffer.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;

use super::event_loop::Shard;
use crate::model::{CloseReason, ConnKey, Variant};
use crate::ws::{Flow, Incoming, Reader, Violation};

/// Reads one socket until it ends.
#[derive(Debug)]
pub(super) struct ReaderTask {
    shard: Rc<Shard>,
    socket: OwnedReadHalf,
    reader: Reader,
    key: ConnKey,
    variant: Variant,
    /// Something was left unread in `reader` when the connection was paused.
    held_back: bool,
    /// What came with the request head, until the connection is ready for it.
    early: Vec<u8>,
}

/// What the shard's state says about a connection that wants to read.
enum Gate {
    Read,
    Paused,
    /// TCP was ended from this side.
    Ended,
}

impl ReaderTask {
    pub(super) fn new(shard: Rc<Shard>, socket: OwnedReadHalf, key: ConnKey, variant: Variant) -> Self {
        Self { shard, socket, reader: Reader::default(), key, variant, held_back: false, early: Vec::new() }
    }

    /// Bytes that came with the request head: frames sent before the answer was read (SGE-36). They are read
    /// when the connection is known at its user's home.
    pub(super) fn feed_early(&mut self, early: Vec<u8>) {
        self.early = early;
    }

    fn gate(&self, cx: &Context<'_>) -> Gate {
        let mut core = self.shard.core.borrow_mut();
        let Some(conn) = core.conn_mut(self.key) else { return Gate::Ended };
        if !conn.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            conn.waker = Some(cx.waker().clone());
        }
        if conn.is_over() {
            return Gate::Ended;
        }
        match conn.is_paused() {
            true => Gate::Paused,
            false => Gate::Read,
        }
    }

    /// Writes on when the socket takes bytes again after it did not.
    fn poll_write(&self, cx: &mut Context<'_>) {
        let blocked = self.shard.core.borrow().conn(self.key).is_some_and(|c| c.pace.blocked_since != 0);
        if blocked && self.socket.as_ref().poll_write_ready(cx).is_ready() {
            self.shard.core.borrow_mut().flush_one(self.key);
            // Either all is out, or the socket said no again and this registers for the next time.
            let still = self.shard.core.borrow().conn(self.key).is_some_and(|c| c.pace.blocked_since != 0);
            if still && self.socket.as_ref().poll_write_ready(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
    }

    /// One read. `Ready(Some)`: the connection is over.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<CloseReason>> {
        let shard = self.shard.clone();
        let mut buffer = shard.buffer.borrow_mut();
        let mut read = ReadBuf::new(&mut buffer);
        // This way of reading learns from a short read that nothing is left and spares the second call.
        if let Err(error) = ready!(Pin::new(&mut self.socket).poll_read(cx, &mut read)) {
            shard.core.borrow().log_failed(self.key, self.variant.dialect, error);
            return Poll::Ready(Some(CloseReason::ClientGone));
        }
        let filled = read.filled_mut();
        if filled.is_empty() {
            return Poll::Ready(Some(CloseReason::ClientGone));
        }
        self.shard.core.borrow_mut().heard(self.key, filled.len());
        self.feed(filled);
        Poll::Ready(None)
    }

    fn feed(&mut self, bytes: &mut [u8]) {
        self.work(|reader, limits, inflater, mut sink| reader.feed(limits, inflater, bytes, &mut sink));
    }

    fn resume(&mut self) {
        self.work(|reader, limits, inflater, mut sink| reader.resume(limits, inflater, &mut sink));
    }

    fn work<F>(&mut self, run: F)
    where
        F: FnOnce(
            &mut Reader,
            &crate::ws::Limits,
            &mut crate::ws::Inflater,
            &mut dyn FnMut(Incoming<'_>) -> Flow,
        ) -> Result<Flow, Violation>,
    {
        let key = self.key;
        let shard = self.shard.clone();
        let mut inflater = shard.inflater.borrow_mut();
        let mut limits = shard.shared.rules(self.variant.dialect).frames;
        limits.deflate = self.variant.deflate;
        let mut sink = |incoming: Incoming<'_>| shard.core.borrow_mut().incoming(key, incoming);
        let result = run(&mut self.reader, &limits, &mut inflater, &mut sink);
        let mut core = shard.core.borrow_mut();
        match result {
            Ok(flow) => {
                self.held_back = flow == Flow::Pause;
                core.mid_message(key, self.reader.is_mid_message() && flow == Flow::Continue);
            }
            Err(violation) => core.violated(key, &violation),
        }
    }

    /// Reads and writes until there is nothing to do for now. `Ready`: the connection is over.
    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        loop {
            self.poll_write(cx);
            match self.gate(cx) {
                Gate::Ended => return Poll::Ready(CloseReason::ClientGone),
                Gate::Paused => return Poll::Pending,
                Gate::Read => {}
            }
            if !self.early.is_empty() {
                let mut early = std::mem::take(&mut self.early);
                self.shard.core.borrow_mut().heard(self.key, early.len());
                self.feed(&mut early);
                continue;
            }
            if self.held_back {
                self.resume();
                continue;
            }
            if let Some(reason) = ready!(self.poll_read(cx)) {
                return Poll::Ready(reason);
            }
        }
    }
}

impl Future for ReaderTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let reason = ready!(this.poll_connection(cx));
        this.shard.core.borrow_mut().remove(this.key, reason);
        Poll::Ready(())
    }
}

impl Drop for ReaderTask {
    /// Also when the task is dropped or its poll panicked: a place in the slab has an owner or is free.
    fn drop(&mut self) {
        if let Ok(mut core) = self.shard.core.try_borrow_mut() {
            core.remove(self.key, CloseReason::ClientGone);
        }
    }
}
