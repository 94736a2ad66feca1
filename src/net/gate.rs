//! How many connections there may be: of an address, of a dialect, of the process. Asked once per upgrade,
//! never on the way of a message.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::limit::{AddressSlot, Addresses};

/// Why nobody was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// The server is going down.
    Draining,
    /// The dialect or the process has as many connections as it may.
    Total,
    /// The address has.
    Address,
}

/// Counts the connections of one dialect within those of the process.
#[derive(Clone, Debug)]
pub struct Gate {
    process: Arc<Counter>,
    dialect: Arc<Counter>,
    addresses: Arc<Addresses>,
    draining: Arc<AtomicBool>,
}

/// A place taken at the gate; dropped, it is free again.
#[derive(Debug)]
pub struct Place {
    _address: AddressSlot,
    _dialect: Taken,
    _process: Taken,
}

#[derive(Debug)]
struct Counter {
    max: usize,
    taken: AtomicUsize,
}

#[derive(Debug)]
struct Taken(Arc<Counter>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Counter {
    fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, taken: AtomicUsize::new(0) })
    }

    /// Takes a place when one is left; 0 places mean any number.
    fn take(self: &Arc<Self>) -> Option<Taken> {
        let before = self.taken.fetch_add(1, Ordering::AcqRel);
        let taken = Taken(self.clone());
        (self.max == 0 || before < self.max).then_some(taken)
    }
}

impl Gate {
    /// A gate for the first dialect; the others are made with [`Gate::sibling`]. 0 means no limit.
    pub fn new(process_max: usize, dialect_max: usize, address_max: usize) -> Self {
        Self {
            process: Counter::new(process_max),
            dialect: Counter::new(dialect_max),
            addresses: Addresses::new(address_max.try_into().unwrap_or(u32::MAX)),
            draining: Arc::default(),
        }
    }

    /// A gate with its own limits in the same process.
    pub fn sibling(&self, dialect_max: usize, address_max: usize) -> Self {
        Self {
            process: self.process.clone(),
            draining: self.draining.clone(),
            ..Self::new(0, dialect_max, address_max)
        }
    }

    /// From now on nobody is let in, by any sibling.
    pub fn shut(&self) {
        self.draining.store(true, Ordering::Release);
    }

    pub fn is_shut(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Takes a place for a connection from that address.
    ///
    /// # Errors
    /// Why there is none.
    pub fn enter(&self, address: IpAddr) -> Result<Place, Turned> {
        if self.is_shut() {
            return Err(Turned::Draining);
        }
        let process = self.process.take().ok_or(Turned::Total)?;
        let dialect = self.dialect.take().ok_or(Turned::Total)?;
        let address = self.addresses.enter(address).ok_or(Turned::Address)?;
        Ok(Place { _address: address, _dialect: dialect, _process: process })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_holds_at_n_and_refuses_n_plus_1_and_places_come_back() {
        let a: IpAddr = "198.51.100.1".parse().expect("an address");
        let b: IpAddr = "198.51.100.2".parse().expect("an address");
        let gate = Gate::new(4, 3, 2);
        let other = gate.sibling(0, 0);
        let first = gate.enter(a).expect("1 of 2");
        let _second = gate.enter(a).expect("2 of 2");
        assert_eq!(gate.enter(a).expect_err("third of an address"), Turned::Address);
        let _third = gate.enter(b).expect("3 of 3");
        assert_eq!(gate.enter(b).expect_err("fourth of a dialect"), Turned::Total);
        let _fourth = other.enter(b).expect("4 of 4 in the process");
        assert_eq!(other.enter(b).expect_err("fifth of the process"), Turned::Total);
        drop(first);
        let _again = gate.enter(a).expect("a place came back");
        other.shut();
        assert_eq!(gate.enter(a).expect_err("shut"), Turned::Draining);
    }
}
