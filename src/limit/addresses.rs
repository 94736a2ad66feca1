//! Connections per client address (TUS-61), across all shards. Touched when a connection is accepted and when it ends,
//! never on a message's way; that is why it may lock.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Enough that shards accepting at once seldom meet on one lock.
const STRIPES: usize = 16;

/// How many connections each address has. An address without any has no entry, so the memory is bounded by the number
/// of connections.
#[derive(Debug)]
pub struct Addresses {
    limit: u32,
    stripes: [Mutex<HashMap<IpAddr, u32>>; STRIPES],
}

impl Addresses {
    /// At most `limit` connections per address at a time; 0: no limit, and nothing is counted.
    pub fn new(limit: u32) -> Arc<Self> {
        Arc::new(Self { limit, stripes: Default::default() })
    }

    /// Takes a place, given back when the slot is dropped. `None`: the address has all it may have.
    ///
    /// An IPv6 address counts as its first 64 bits: providers hand out whole /64 networks, within which one host can
    /// take as many addresses as it likes. An IPv4 address mapped into IPv6 is the IPv4 address.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<AddressSlot> {
        if self.limit == 0 {
            return Some(AddressSlot { place: None });
        }
        let key = holder(address);
        let mut stripe = self.stripe(key);
        let count = stripe.entry(key).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(AddressSlot { place: Some((self.clone(), key)) })
    }

    /// Connections of that address now; 0 where nothing is counted.
    pub fn count(&self, address: IpAddr) -> u32 {
        let key = holder(address);
        self.stripe(key).get(&key).copied().unwrap_or(0)
    }

    fn leave(&self, key: IpAddr) {
        let mut stripe = self.stripe(key);
        if let Some(count) = stripe.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                stripe.remove(&key);
            }
        }
    }

    /// A count is whole at every moment, so the table is sound even if a thread died holding it.
    fn stripe(&self, key: IpAddr) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.stripes[stripe_of(key)].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place among those of its address. Dropping it gives the place back.
#[derive(Debug)]
#[must_use = "the place is given back at once"]
pub struct AddressSlot {
    /// `None` where nothing is counted.
    place: Option<(Arc<Addresses>, IpAddr)>,
}

impl Drop for AddressSlot {
    fn drop(&mut self) {
        if let Some((addresses, key)) = self.place.take() {
            addresses.leave(key);
        }
    }
}

fn holder(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

/// By the bytes that differ most between clients. Aiming at one stripe costs others some waiting at accept, no more;
/// the table within hashes with a random key.
fn stripe_of(key: IpAddr) -> usize {
    let folded = match key {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    };
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(addresses: &Addresses) -> usize {
        addresses.stripes.iter().map(|s| s.lock().unwrap().len()).sum()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn n_enter_and_n_plus_1_does_not_until_one_leaves() {
        let addresses = Addresses::new(2);
        let (a, b) = (addresses.enter(ip("192.0.2.1")), addresses.enter(ip("192.0.2.1")));
        assert!(a.is_some() && b.is_some());
        assert!(addresses.enter(ip("192.0.2.1")).is_none());
        assert!(addresses.enter(ip("192.0.2.2")).is_some());
        drop(a);
        let c = addresses.enter(ip("192.0.2.1"));
        assert!(c.is_some() && addresses.enter(ip("192.0.2.1")).is_none());
        assert_eq!(addresses.count(ip("192.0.2.1")), 2);
        drop((b, c));
        assert_eq!(entries(&addresses), 0);
    }

    #[test]
    fn a_refusal_leaves_no_entry_and_no_limit_counts_nothing() {
        let addresses = Addresses::new(0);
        let slots: Vec<_> = (0..1000).map(|_| addresses.enter(ip("192.0.2.1")).unwrap()).collect();
        assert_eq!((entries(&addresses), addresses.count(ip("192.0.2.1"))), (0, 0));
        drop(slots);
        let one = Addresses::new(1);
        let slot = one.enter(ip("192.0.2.1"));
        assert!(one.enter(ip("192.0.2.1")).is_none());
        drop(slot);
        assert_eq!(entries(&one), 0);
    }

    #[test]
    fn an_ipv6_network_is_one_holder_and_a_mapped_address_is_its_ipv4() {
        let addresses = Addresses::new(1);
        let first = addresses.enter(ip("2001:db8:0:1::1"));
        assert!(first.is_some());
        assert!(addresses.enter(ip("2001:db8:0:1:ffff::2")).is_none());
        assert!(addresses.enter(ip("2001:db8:0:2::1")).is_some());
        let v4 = addresses.enter(ip("::ffff:192.0.2.1"));
        assert!(v4.is_some());
        assert!(addresses.enter(ip("192.0.2.1")).is_none());
        assert!(addresses.enter(ip("::ffff:192.0.2.2")).is_some());
    }

    #[test]
    fn stripes_are_used_evenly() {
        let mut used = [0; STRIPES];
        for n in 0..1600u32 {
            used[stripe_of(std::net::Ipv4Addr::from_bits(0xc000_0000 + n).into())] += 1;
        }
        assert!(used.iter().all(|n| (50..200).contains(n)), "{used:?}");
        let nets = (0..1600u128).map(|n| IpAddr::from(Ipv6Addr::from_bits((0x2001_0db8 << 96) | (n << 64))));
        let mut used = [0; STRIPES];
        nets.for_each(|net| used[stripe_of(net)] += 1);
        assert!(used.iter().all(|n| (50..200).contains(n)), "{used:?}");
    }

    #[test]
    fn many_threads_never_exceed_the_limit_and_leave_nothing() {
        let addresses = Addresses::new(3);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..2000u32 {
                        let address = std::net::Ipv4Addr::from_bits(n % 5).into();
                        let slot = addresses.enter(address);
                        assert!(addresses.count(address) <= 3);
                        drop(slot);
                    }
                });
            }
        });
        assert_eq!(entries(&addresses), 0);
    }
}
