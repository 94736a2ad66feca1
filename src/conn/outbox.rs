//! A connection's bounded queue of frames waiting for its socket.
//!
//! The first waiting frame lies in the outbox itself; only a second one needs a queue, which comes from
//! the shard's pool and goes back when it is empty: an idle connection holds no buffer.

use std::collections::VecDeque;
use std::io::IoSlice;

use crate::fanout::Frame;

/// What became of a frame that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    Queued,
    /// Not queued: it would have gone over the limit in bytes.
    Full,
}

/// Frames in the order in which they will leave.
#[derive(Debug, Default)]
pub struct Outbox {
    first: Option<Frame>,
    rest: VecDeque<Frame>,
    /// Bytes waiting, the sent part of the first frame included.
    bytes: usize,
    /// Bytes of the first frame that are sent already.
    sent: usize,
}

/// Empty queues of one shard, for outboxes that hold more than one frame.
#[derive(Debug, Default)]
pub struct OutboxPool {
    queues: Vec<VecDeque<Frame>>,
}

/// Queues kept for later; more are freed. 1,024 queues of the usual 16 places are 128 KiB a shard.
const POOL_MAX: usize = 1024;
/// A queue that grew larger than this is freed rather than kept.
const POOLED_PLACES_MAX: usize = 128;

impl OutboxPool {
    fn take(&mut self) -> VecDeque<Frame> {
        self.queues.pop().unwrap_or_else(|| VecDeque::with_capacity(16))
    }

    fn give(&mut self, queue: VecDeque<Frame>) {
        if queue.capacity() > 0 && queue.capacity() <= POOLED_PLACES_MAX && self.queues.len() < POOL_MAX {
            self.queues.push(queue);
        }
    }
}

impl Outbox {
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Bytes waiting.
    pub fn bytes(&self) -> usize {
        self.bytes - self.sent
    }

    /// Frames waiting.
    pub fn frames(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    /// Appends a frame when it fits within `limit` bytes (0: no limit). A frame always fits into an empty
    /// outbox, whatever its size, so that one limit cannot forbid what another allows.
    pub fn push(&mut self, frame: Frame, limit: usize, pool: &mut OutboxPool) -> Push {
        if limit != 0 && self.first.is_some() && self.bytes() + frame.len() > limit {
            return Push::Full;
        }
        self.push_unbounded(frame, pool);
        Push::Queued
    }

    /// Appends a frame that no limit may hold back: the Close frame, a Pong.
    pub fn push_unbounded(&mut self, frame: Frame, pool: &mut OutboxPool) {
        self.bytes += frame.len();
        if self.first.is_none() {
            self.first = Some(frame);
            return;
        }
        if self.rest.capacity() == 0 {
            self.rest = pool.take();
        }
        self.rest.push_back(frame);
    }

    /// Puts a frame before all others, of which nothing has been sent: the greeting.
    pub fn push_front(&mut self, frame: Frame, pool: &mut OutboxPool) {
        debug_assert_eq!(self.sent, 0, "nothing goes before what is half sent");
        self.bytes += frame.len();
        if let Some(first) = self.first.replace(frame) {
            if self.rest.capacity() == 0 {
                self.rest = pool.take();
            }
            self.rest.push_front(first);
        }
    }

    /// Up to `slices.len()` waiting pieces, ready for one vectored write. Returns how many.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let Some(first) = &self.first else { return 0 };
        let Some(head) = slices.first_mut() else { return 0 };
        *head = IoSlice::new(&first[self.sent..]);
        let mut filled = 1;
        for (slice, frame) in slices[1..].iter_mut().zip(&self.rest) {
            *slice = IoSlice::new(frame);
            filled += 1;
        }
        filled
    }

    /// Whether nothing of the first frame is sent yet.
    pub fn head_is_whole(&self) -> bool {
        self.sent == 0
    }

    /// The unsent part of the first frame.
    pub fn head(&self) -> Option<&[u8]> {
        self.first.as_ref().map(|f| &f[self.sent..])
    }

    /// Takes note that so many bytes were written. Returns how many frames are done.
    pub fn advance(&mut self, written: usize, pool: &mut OutboxPool) -> usize {
        let mut done = 0;
        self.sent += written;
        while let Some(first) = &self.first {
            let len = first.len();
            if self.sent < len {
                break;
            }
            self.sent -= len;
            self.bytes -= len;
            self.first = self.rest.pop_front();
            done += 1;
        }
        if self.rest.is_empty() && self.rest.capacity() > 0 {
            pool.give(std::mem::take(&mut self.rest));
        }
        done
    }

    /// Drops all that waits, but for a frame that is partly sent: its rest must follow, or the client
    /// could not read what comes after. Returns how many frames were dropped.
    pub fn clear_unsent(&mut self, pool: &mut OutboxPool) -> usize {
        let mut dropped = self.rest.len();
        self.rest.clear();
        pool.give(std::mem::take(&mut self.rest));
        match &self.first {
            Some(first) if self.sent > 0 => self.bytes = first.len(),
            Some(_) => {
                self.first = None;
                self.bytes = 0;
                dropped += 1;
            }
            None => {}
        }
        dropped
    }

    /// Takes the frames out, whole ones only. For tests and simulations that stand in for a socket.
    pub fn drain(&mut self, pool: &mut OutboxPool) -> Vec<Frame> {
        let frames: Vec<Frame> = self.first.iter().chain(&self.rest).cloned().collect();
        self.advance(self.bytes(), pool);
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;
    use std::rc::Rc;

    fn frame(n: usize, byte: u8) -> Frame {
        Rc::new(Bytes::from(vec![byte; n]))
    }

    #[test]
    fn a_greeting_goes_before_what_waits() {
        let mut pool = OutboxPool::default();
        let mut outbox = Outbox::default();
        outbox.push_front(frame(1, 1), &mut pool);
        outbox.push_unbounded(frame(2, 2), &mut pool);
        outbox.push_front(frame(3, 3), &mut pool);
        assert_eq!((outbox.bytes(), outbox.frames()), (6, 3));
        let firsts: Vec<u8> = outbox.drain(&mut pool).iter().map(|f| f[0]).collect();
        assert_eq!(firsts, [3, 1, 2]);
    }

    #[test]
    fn an_idle_outbox_holds_no_queue() {
        let mut pool = OutboxPool::default();
        let mut outbox = Outbox::default();
        for n in 0..5 {
            outbox.push_unbounded(frame(3, n), &mut pool);
        }
        assert_eq!(outbox.advance(15, &mut pool), 5);
        assert_eq!((outbox.rest.capacity(), outbox.bytes(), outbox.frames()), (0, 0, 0));
        assert_eq!(pool.queues.len(), 1);
    }

    #[test]
    fn the_limit_holds_at_n_and_not_at_n_plus_1() {
        let mut pool = OutboxPool::default();
        let mut outbox = Outbox::default();
        assert_eq!(outbox.push(frame(60, 0), 50, &mut pool), Push::Queued);
        assert_eq!(outbox.push(frame(1, 0), 50, &mut pool), Push::Full);
        outbox.advance(60, &mut pool);
        assert_eq!(outbox.push(frame(30, 0), 50, &mut pool), Push::Queued);
        assert_eq!(outbox.push(frame(20, 0), 50, &mut pool), Push::Queued);
        assert_eq!(outbox.push(frame(1, 0), 50, &mut pool), Push::Full);
        outbox.advance(1, &mut pool);
        assert_eq!(outbox.push(frame(1, 0), 50, &mut pool), Push::Queued);
    }

    #[test]
    fn clearing_keeps_the_rest_of_a_begun_frame() {
        let mut pool = OutboxPool::default();
        let mut outbox = Outbox::default();
        for n in 0..3 {
            outbox.push_unbounded(frame(10, n), &mut pool);
        }
        outbox.advance(4, &mut pool);
        assert_eq!(outbox.clear_unsent(&mut pool), 2);
        outbox.push_unbounded(frame(2, 9), &mut pool);
        assert_eq!(outbox.bytes(), 8);
        let mut slices = [IoSlice::new(&[]); 4];
        let n = outbox.slices(&mut slices);
        assert_eq!(slices[..n].iter().map(|s| s.len()).collect::<Vec<_>>(), [6, 2]);
        assert_eq!(Outbox::default().clear_unsent(&mut pool), 0);
    }

    proptest! {
        /// Whatever is written in whatever pieces, the bytes leave in order, once.
        #[test]
        fn bytes_leave_in_order(
            pushes in proptest::collection::vec(1usize..40, 1..40),
            writes in proptest::collection::vec((1usize..5, 1usize..100), 1..200),
        ) {
            let mut pool = OutboxPool::default();
            let mut outbox = Outbox::default();
            let mut want = Vec::new();
            for (n, len) in pushes.iter().enumerate() {
                outbox.push_unbounded(frame(*len, n as u8), &mut pool);
                want.extend(std::iter::repeat_n(n as u8, *len));
            }
            let mut got = Vec::new();
            for (width, len) in writes {
                let mut slices = [IoSlice::new(&[]); 5];
                let n = outbox.slices(&mut slices[..width]);
                let mut left = len;
                for slice in &slices[..n] {
                    let take = left.min(slice.len());
                    got.extend_from_slice(&slice[..take]);
                    left -= take;
                }
                outbox.advance(len - left, &mut pool);
                prop_assert_eq!(outbox.bytes(), want.len() - got.len());
            }
            prop_assert_eq!(&got[..], &want[..got.len()]);
        }
    }
}
