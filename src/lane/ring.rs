//! A bounded lock-free ring from one thread to one other: the body of a lane.
//!
//! Invariants: `head <= tail <= head + capacity`, counted without end and wrapped only to find a slot. The
//! slots in `head..tail` hold an item and belong to the receiver, all others are empty and belong to the
//! sender. Only the sender moves `tail`, only the receiver moves `head`, and each keeps its last look at
//! the other's index, so that the usual push and pop read no cache line that the other thread writes.

use std::fmt;
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use crossbeam::utils::CachePadded;

use super::sync::{Arc, AtomicBool, AtomicUsize, UnsafeCell, fence};

/// The largest capacity of a ring, in items.
///
/// A lane that holds a million items hides trouble instead of telling it, and its memory is paid for once
/// per ordered pair of shards.
pub const CAPACITY_MAX: usize = 1 << 20;

/// Makes a ring and hands out its two ends.
///
/// `capacity` is in items, 1 to [`CAPACITY_MAX`], and rounded up to a power of two (0 counts as 1); see
/// [`Sender::capacity`] for what came out. All slots are allocated here: `capacity * size_of::<T>()` bytes.
/// A full ring refuses, it never grows. When both ends are gone, the items left in it are dropped.
///
/// # Panics
/// When `capacity` is above [`CAPACITY_MAX`]: a mistake of the program, the configuration checks it before.
pub fn ring<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    ring_from(capacity, 0)
}

/// A ring whose indices start at `first`, so that tests see them pass the end of `usize`.
fn ring_from<T>(capacity: usize, first: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity <= CAPACITY_MAX, "ring capacity {capacity} is above {CAPACITY_MAX}");
    let slots = capacity.next_power_of_two();
    let shared = Arc::new(Shared {
        tail: CachePadded::new(AtomicUsize::new(first)),
        head: CachePadded::new(AtomicUsize::new(first)),
        starved: CachePadded::new(AtomicBool::new(false)),
        slots: (0..slots).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect(),
    });
    let sender = Sender { shared: shared.clone(), tail: first, head_seen: first };
    let receiver = Receiver { shared, head: first, tail_seen: first };
    (sender, receiver)
}

struct Shared<T> {
    /// The index of the next push.
    tail: CachePadded<AtomicUsize>,
    /// The index of the next pop.
    head: CachePadded<AtomicUsize>,
    /// The sender was refused and waits for a word from the receiver.
    starved: CachePadded<AtomicBool>,
    /// A power of two of them.
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
}

// SAFETY: a `&Shared<T>` on two threads moves items from one to the other and never lends one to both,
// so `T: Send` is enough. A slot is touched by one thread at a time: by the sender only while its index is
// outside `head..tail`, by the receiver only while it is inside, and the index that hands it over is
// stored with Release after the access and loaded with Acquire before the next one.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    #[inline]
    fn slot(&self, index: usize) -> &UnsafeCell<MaybeUninit<T>> {
        &self.slots[index & (self.slots.len() - 1)]
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // Relaxed: the reference count ordered both ends' last stores before this.
        let tail = self.tail.load(Relaxed);
        let mut index = self.head.load(Relaxed);
        while index != tail {
            // SAFETY: both ends are gone, and each index in `head..tail` is of a slot that was written and
            // not yet read. This loop passes each once.
            self.slot(index).with_mut(|slot| unsafe { (*slot).assume_init_drop() });
            index = index.wrapping_add(1);
        }
    }
}

/// The end that pushes. One thread's own: all that pushes takes `&mut self`.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
    /// The truth that `shared.tail` publishes.
    tail: usize,
    /// `shared.head` when last looked at: it can only have grown since.
    head_seen: usize,
}

impl<T> Sender<T> {
    /// Appends `item`, or gives it back when the ring is full.
    ///
    /// A refusal leaves the ring marked as starved: the receiver finds the mark with
    /// [`Receiver::take_starved`] after its next pop, and is to wake the sender. A sender may therefore
    /// sleep after a refusal. Nothing is said about a receiver that is gone: the ring then just fills.
    #[inline]
    pub fn try_push(&mut self, item: T) -> Result<(), T> {
        if self.looks_full() && self.stays_full() {
            return Err(item);
        }
        // SAFETY: `tail` is outside `head..tail` and the ring is not full, so the slot is empty and the
        // sender's. If the receiver emptied it, that happened before its Release store of `head`, which
        // was loaded with Acquire into `head_seen`. `&mut self` keeps other senders away.
        self.shared.slot(self.tail).with_mut(|slot| unsafe { (*slot).write(item) });
        self.tail = self.tail.wrapping_add(1);
        self.shared.tail.store(self.tail, Release);
        Ok(())
    }

    #[inline]
    fn looks_full(&self) -> bool {
        self.tail.wrapping_sub(self.head_seen) == self.capacity()
    }

    /// Looks at the receiver's index; if the ring is full, leaves the mark and looks once more.
    ///
    /// The mark and the second look, against the receiver's pop and its look for the mark, with a
    /// sequentially consistent fence between the two on each side: at least one sees what the other did.
    /// So either there is room here, or the receiver finds the mark. Neither happening cannot be.
    #[cold]
    fn stays_full(&mut self) -> bool {
        self.head_seen = self.shared.head.load(Acquire);
        if !self.looks_full() {
            return false;
        }
        self.shared.starved.store(true, Relaxed);
        fence(SeqCst);
        self.head_seen = self.shared.head.load(Acquire);
        self.looks_full()
    }

    /// The items in the ring. Another thread pops meanwhile: at most this many are left.
    pub fn len(&self) -> usize {
        self.tail.wrapping_sub(self.shared.head.load(Acquire))
    }

    /// Whether no item is in the ring. Stays true until this end pushes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The items that fit in, a power of two.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.shared.slots.len()
    }
}

/// The end that pops. One thread's own: all that pops takes `&mut self`.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// The truth that `shared.head` publishes.
    head: usize,
    /// `shared.tail` when last looked at: it can only have grown since.
    tail_seen: usize,
}

impl<T> Receiver<T> {
    /// Takes the oldest item, or `None` when the ring is empty.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if self.head == self.tail_seen {
            self.tail_seen = self.shared.tail.load(Acquire);
            if self.head == self.tail_seen {
                return None;
            }
        }
        // SAFETY: `head` is inside `head..tail`, so the slot holds an item and is the receiver's. It was
        // written before the sender's Release store of `tail`, which was loaded with Acquire into
        // `tail_seen`. The index moves on below, so the item is read out once.
        let item = self.shared.slot(self.head).with(|slot| unsafe { (*slot).assume_init_read() });
        self.head = self.head.wrapping_add(1);
        self.shared.head.store(self.head, Release);
        Some(item)
    }

    /// Takes the mark of a sender that was refused, and says whether there was one.
    ///
    /// To be called after popping, once per batch, and always before the receiver sleeps: if true, there
    /// is room now and the sender waits to be told. True may be stale (the sender may have found room by
    /// itself), false never is.
    pub fn take_starved(&mut self) -> bool {
        // Pairs with the fence of `stays_full`: orders the pops before the look for the mark.
        fence(SeqCst);
        // A plain look first, since the mark is rare and a swap takes the cache line from the sender.
        self.shared.starved.load(Relaxed) && self.shared.starved.swap(false, Relaxed)
    }

    /// The items in the ring. Another thread pushes meanwhile: at least this many are there.
    pub fn len(&self) -> usize {
        self.shared.tail.load(Acquire).wrapping_sub(self.head)
    }

    /// Whether no item is in the ring. Stays false until this end pops.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The items that fit in, a power of two.
    pub fn capacity(&self) -> usize {
        self.shared.slots.len()
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("len", &self.len()).field("capacity", &self.capacity()).finish()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("len", &self.len()).field("capacity", &self.capacity()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn capacity_is_rounded_up_to_a_power_of_two() {
        for (asked, got) in [(0, 1), (1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (1_000, 1_024)] {
            let (sender, receiver) = ring::<u8>(asked);
            assert_eq!((sender.capacity(), receiver.capacity()), (got, got), "asked for {asked}");
        }
        assert_eq!(ring::<()>(CAPACITY_MAX).0.capacity(), CAPACITY_MAX);
    }

    #[test]
    #[should_panic(expected = "is above")]
    fn capacity_above_the_maximum_is_refused() {
        let _ = ring::<()>(CAPACITY_MAX + 1);
    }

    #[test]
    fn full_ring_gives_the_item_back_and_leaves_the_mark() {
        let (mut sender, mut receiver) = ring(2);
        assert_eq!((sender.try_push(1), sender.try_push(2)), (Ok(()), Ok(())));
        assert!(!receiver.take_starved());
        assert_eq!(sender.try_push(3), Err(3));
        assert_eq!(receiver.pop(), Some(1));
        assert!(receiver.take_starved());
        assert!(!receiver.take_starved(), "the mark is taken once");
        assert_eq!(sender.try_push(3), Ok(()));
        assert_eq!((receiver.pop(), receiver.pop(), receiver.pop()), (Some(2), Some(3), None));
    }

    #[test]
    fn items_left_are_dropped_once() {
        let witness = std::rc::Rc::new(());
        let (mut sender, mut receiver) = ring_from(4, usize::MAX - 1);
        for _ in 0..4 {
            sender.try_push(witness.clone()).unwrap();
        }
        drop(receiver.pop());
        assert_eq!(std::rc::Rc::strong_count(&witness), 4);
        drop(sender);
        assert_eq!(std::rc::Rc::strong_count(&witness), 4, "one end alone drops nothing");
        drop(receiver);
        assert_eq!(std::rc::Rc::strong_count(&witness), 1);
    }

    #[test]
    fn two_threads_pass_numbers_in_order() {
        let count = if cfg!(miri) { 500 } else { 1_000_000 };
        let (mut sender, mut receiver) = ring(64);
        let producer = thread::spawn(move || {
            for number in 0..count {
                while sender.try_push(Box::new(number)).is_err() {
                    thread::yield_now();
                }
            }
        });
        for expected in 0..count {
            let number = loop {
                match receiver.pop() {
                    Some(number) => break number,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(*number, expected);
        }
        producer.join().unwrap();
        assert_eq!(receiver.pop(), None);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push,
        Pop,
        TakeStarved,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![4 => Just(Step::Push), 3 => Just(Step::Pop), 1 => Just(Step::TakeStarved)];
        prop::collection::vec(step, 0..if cfg!(miri) { 40 } else { 400 })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 8 } else { 512 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// The oracle is a `VecDeque` and a `bool`; indices start so that some runs pass the end of `usize`.
        #[test]
        fn behaves_like_a_bounded_queue(steps in steps(), capacity in 0_usize..9, before_wrap in 0_usize..20) {
            let (mut sender, mut receiver) = ring_from(capacity, 0_usize.wrapping_sub(before_wrap));
            let (mut queue, mut starved) = (VecDeque::new(), false);
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Push if queue.len() == sender.capacity() => {
                        prop_assert_eq!(sender.try_push(number), Err(number));
                        starved = true;
                    }
                    Step::Push => {
                        prop_assert_eq!(sender.try_push(number), Ok(()));
                        queue.push_back(number);
                    }
                    Step::Pop => prop_assert_eq!(receiver.pop(), queue.pop_front()),
                    Step::TakeStarved => prop_assert_eq!(receiver.take_starved(), std::mem::take(&mut starved)),
                }
                prop_assert_eq!((sender.len(), receiver.len()), (queue.len(), queue.len()));
                prop_assert_eq!(sender.is_empty(), queue.is_empty());
            }
        }
    }
}
