//! Places per key, across all shards: connections of an address, of a user, of a tenant. Touched when a connection is
//! accepted and when it ends, never on a message's way; that is why it may lock.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Enough that shards accepting at once seldom meet on one lock.
const STRIPES: usize = 16;

/// How many places each key holds. A key without any has no entry, so the memory is bounded by the number of places.
pub struct Holders<K> {
    /// Keyed at random: nobody outside can aim many keys at one stripe.
    hasher: RandomState,
    stripes: [Mutex<HashMap<K, usize>>; STRIPES],
}

impl<K: Hash + Eq + Clone> Holders<K> {
    /// Nobody holds a place yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { hasher: RandomState::new(), stripes: Default::default() })
    }

    /// Takes a place, given back when the [`Holding`] is dropped. `None`: `key` has `limit` places or more already,
    /// and nothing was taken. A limit of 0 means none, and nothing is counted.
    pub fn enter(self: &Arc<Self>, key: K, limit: usize) -> Option<Holding<K>> {
        if limit == 0 {
            return Some(Holding { place: None });
        }
        let mut stripe = self.stripe(&key);
        match stripe.get_mut(&key) {
            Some(count) if *count >= limit => return None,
            Some(count) => *count += 1,
            None => {
                stripe.insert(key.clone(), 1);
            }
        }
        drop(stripe);
        Some(Holding { place: Some((self.clone(), key)) })
    }

    /// Places of that key now, of those that are counted.
    pub fn count(&self, key: &K) -> usize {
        self.stripe(key).get(key).copied().unwrap_or(0)
    }

    fn leave(&self, key: &K) {
        let mut stripe = self.stripe(key);
        if let Some(count) = stripe.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                stripe.remove(key);
            }
        }
    }

    fn stripe_of(&self, key: &K) -> usize {
        self.hasher.hash_one(key) as usize % STRIPES
    }

    /// A count is whole at every moment, so the table is sound even if a thread died holding it.
    fn stripe(&self, key: &K) -> MutexGuard<'_, HashMap<K, usize>> {
        self.stripes[self.stripe_of(key)].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl<K> Holders<K> {
    /// Keys that have a place.
    pub(super) fn entries(&self) -> usize {
        self.stripes.iter().map(|s| s.lock().unwrap().len()).sum()
    }
}

/// Shows no keys: they may name people.
impl<K> fmt::Debug for Holders<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holders").finish_non_exhaustive()
    }
}

/// One place of a key. Dropping it gives the place back.
#[must_use = "the place is given back at once"]
pub struct Holding<K: Hash + Eq + Clone> {
    /// `None` where nothing is counted.
    place: Option<(Arc<Holders<K>>, K)>,
}

impl<K: Hash + Eq + Clone> fmt::Debug for Holding<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holding").field("counted", &self.place.is_some()).finish()
    }
}

impl<K: Hash + Eq + Clone> Drop for Holding<K> {
    fn drop(&mut self) {
        if let Some((holders, key)) = self.place.take() {
            holders.leave(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn n_enter_and_n_plus_1_does_not_until_one_leaves() {
        let holders = Holders::new();
        let (a, b) = (holders.enter("u", 2), holders.enter("u", 2));
        assert!(a.is_some() && b.is_some() && holders.enter("u", 2).is_none());
        assert!(holders.enter("v", 2).is_some(), "and at once given back");
        drop(a);
        let c = holders.enter("u", 2);
        assert!(c.is_some() && holders.enter("u", 2).is_none());
        assert_eq!((holders.count(&"u"), holders.entries()), (2, 1));
        drop((b, c));
        assert_eq!((holders.count(&"u"), holders.entries()), (0, 0));
    }

    #[test]
    fn a_refusal_leaves_no_entry_and_no_limit_counts_nothing() {
        let holders = Holders::new();
        let free: Vec<_> = (0..1000).map(|_| holders.enter(7, 0).expect("no limit")).collect();
        assert_eq!((holders.entries(), holders.count(&7)), (0, 0));
        let one = holders.enter(7, 1);
        assert!(holders.enter(7, 1).is_none() && holders.enter(7, 0).is_some());
        drop(free);
        assert_eq!(holders.count(&7), 1);
        drop(one);
        assert_eq!(holders.entries(), 0);
    }

    #[test]
    fn each_call_has_its_own_limit() {
        let holders = Holders::new();
        let five: Vec<_> = (0..5).map(|_| holders.enter((1, "u"), 5).expect("a place")).collect();
        assert!(holders.enter((1, "u"), 3).is_none() && holders.enter((1, "u"), 5).is_none());
        assert!(holders.enter((1, "u"), 6).is_some() && holders.enter((2, "u"), 1).is_some());
        drop(five);
        assert_eq!(holders.entries(), 0);
    }

    #[test]
    fn stripes_are_used_evenly() {
        let holders = Holders::new();
        let mut used = [0; STRIPES];
        (0..16_000u32).for_each(|n| used[holders.stripe_of(&n)] += 1);
        assert!(used.iter().all(|n| (700..1300).contains(n)), "{used:?}");
    }

    #[test]
    fn many_threads_never_exceed_the_limit_and_leave_nothing() {
        let (holders, most) = (Holders::new(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..2000u32 {
                        let holding = holders.enter(n % 5, 3);
                        most.fetch_max(holders.count(&(n % 5)), Ordering::Relaxed);
                        drop(holding);
                    }
                });
            }
        });
        assert!((1..=3).contains(&most.into_inner()));
        assert_eq!(holders.entries(), 0);
    }
}
