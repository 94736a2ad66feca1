//! Connections per client address (TUS-61), across all shards.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use super::{Holders, Holding};

/// How many connections each address has.
#[derive(Debug)]
pub struct Addresses {
    limit: usize,
    holders: Arc<Holders<IpAddr>>,
}

/// A connection's place among those of its address. Dropping it gives the place back.
pub type AddressSlot = Holding<IpAddr>;

impl Addresses {
    /// At most `limit` connections per address at a time; 0: no limit, and nothing is counted.
    pub fn new(limit: u32) -> Arc<Self> {
        Arc::new(Self { limit: limit as usize, holders: Holders::new() })
    }

    /// Takes a place, given back when the slot is dropped. `None`: the address has all it may have.
    ///
    /// An IPv6 address counts as its first 64 bits: providers hand out whole /64 networks, within which one host can
    /// take as many addresses as it likes. An IPv4 address mapped into IPv6 is the IPv4 address.
    pub fn enter(&self, address: IpAddr) -> Option<AddressSlot> {
        self.holders.enter(holder(address), self.limit)
    }

    /// Connections of that address now; 0 where nothing is counted.
    pub fn count(&self, address: IpAddr) -> usize {
        self.holders.count(&holder(address))
    }
}

fn holder(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(addresses: &Addresses) -> usize {
        addresses.holders.entries()
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
