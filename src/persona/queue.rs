//! Who talks to the endpoint now, and who waits for a turn: both bounded, first come first served.

use std::cell::Cell;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Places for requests under way, and a queue before them.
#[derive(Debug)]
pub struct Queue {
    places: Semaphore,
    waiting: Cell<usize>,
    waiting_max: usize,
}

/// A request under way; dropped, it makes way for the next.
#[derive(Debug)]
#[must_use = "dropped, it makes way for the next"]
pub struct Place<'a>(#[expect(dead_code, reason = "held for its drop")] SemaphorePermit<'a>);

/// As many wait as may.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Queue {
    /// So many requests at once, and so many waiting.
    pub fn new(places: usize, waiting_max: usize) -> Self {
        let places = Semaphore::new(places.min(Semaphore::MAX_PERMITS));
        Queue { places, waiting: Cell::new(0), waiting_max }
    }

    /// A place, at once or when it is one's turn. Who no longer waits drops the future and loses the turn.
    ///
    /// # Errors
    /// [`Full`], at once.
    pub async fn enter(&self) -> Result<Place<'_>, Full> {
        // A place that was left goes to the first who waits, so that nobody overtakes here.
        if let Ok(place) = self.places.try_acquire() {
            return Ok(Place(place));
        }
        if self.waiting.get() >= self.waiting_max {
            return Err(Full);
        }
        let _waiting = Waiting::new(&self.waiting);
        // The places are never closed.
        self.places.acquire().await.map(Place).map_err(|_| Full)
    }
}

/// One who waits.
struct Waiting<'a>(&'a Cell<usize>);

impl<'a> Waiting<'a> {
    fn new(count: &'a Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// Polls once.
    macro_rules! poll {
        ($future:expr) => {
            $future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        };
    }

    #[test]
    fn turns_come_in_order_and_no_more_wait_than_may() {
        let queue = Queue::new(1, 2);
        let mut first = pin!(queue.enter());
        let Poll::Ready(Ok(place)) = poll!(first) else { panic!("a place is free") };
        let (mut second, mut third, mut fourth) =
            (pin!(queue.enter()), pin!(queue.enter()), pin!(queue.enter()));
        assert!(poll!(second).is_pending() && poll!(third).is_pending());
        assert!(matches!(poll!(fourth), Poll::Ready(Err(Full))));
        drop(place);
        let mut late = pin!(queue.enter());
        assert!(poll!(late).is_ready_and_full(), "who comes now does not overtake");
        assert!(poll!(third).is_pending(), "nor does the third");
        let Poll::Ready(Ok(place)) = poll!(second) else { panic!("its turn") };
        drop(place);
        assert!(matches!(poll!(third), Poll::Ready(Ok(_))));
    }

    #[test]
    fn who_no_longer_waits_is_no_longer_counted() {
        let queue = Queue::new(1, 1);
        let mut first = pin!(queue.enter());
        let Poll::Ready(Ok(place)) = poll!(first) else { panic!("a place is free") };
        {
            let mut gone = Box::pin(queue.enter());
            assert!(poll!(gone).is_pending());
        }
        let mut second = pin!(queue.enter());
        assert!(poll!(second).is_pending());
        drop(place);
        assert!(matches!(poll!(second), Poll::Ready(Ok(_))));
    }

    #[test]
    fn without_a_queue_nobody_waits() {
        let queue = Queue::new(1, 0);
        let mut first = pin!(queue.enter());
        let Poll::Ready(Ok(_place)) = poll!(first) else { panic!("a place is free") };
        let mut second = pin!(queue.enter());
        assert!(matches!(poll!(second), Poll::Ready(Err(Full))));
    }

    trait Answer {
        fn is_ready_and_full(&self) -> bool;
    }

    impl Answer for Poll<Result<Place<'_>, Full>> {
        fn is_ready_and_full(&self) -> bool {
            matches!(self, Poll::Ready(Err(Full)))
        }
    }
}
