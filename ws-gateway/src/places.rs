//! Places that all share, of which those for one address are half at most, and those for one account, whose addresses may be many:
//! whoever has work done without end for themselves leaves room for the others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use sip_core::server::Source;
use sip_core::transport::household;
use smol_str::SmolStr;

/// So many places.
#[derive(Debug)]
pub struct Places {
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Those of nobody in particular are not here.
    each: HashMap<Taker, usize>,
}

/// Who has half at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Taker {
    Address(IpAddr),
    Account(SmolStr),
}

/// A place; given back when dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    takers: [Option<Taker>; 2],
}

impl Places {
    /// None is taken.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// Takes a place for what is done on behalf of `source`, or of the gateway itself.
    pub fn take(self: &Arc<Self>, source: Option<&Source>) -> Option<Place> {
        let address = source.map(|source| Taker::Address(household(source.address)));
        let account = source.and_then(|source| source.account.clone()).map(Taker::Account);
        let takers = [address, account];
        let mut taken = self.taken.lock();
        let has_half = |taker| taken.each.get(taker).is_some_and(|count| *count >= self.most.div_ceil(2));
        if taken.all >= self.most || takers.iter().flatten().any(has_half) {
            return None;
        }
        // Who has none has no entry: there are never more than two for a place.
        for taker in takers.iter().flatten() {
            *taken.each.entry(taker.clone()).or_default() += 1;
        }
        taken.all += 1;
        drop(taken);
        Some(Place { places: Arc::clone(self), takers })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        taken.all -= 1;
        for taker in self.takers.iter().flatten() {
            if let Some(own) = taken.each.get_mut(taker) {
                *own -= 1;
                if *own == 0 {
                    taken.each.remove(taker);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(address: &str, account: &str) -> Source {
        let account = (!account.is_empty()).then(|| account.into());
        Source { address: address.parse().unwrap(), account }
    }

    #[test]
    fn one_address_has_half_at_most_and_places_come_back() {
        let places = Places::new(4);
        let [one, neighbour, other] =
            ["2001:db8::1", "2001:db8::2", "192.0.2.1"].map(|address| source(address, ""));
        let first = places.take(Some(&one)).unwrap();
        let _second = places.take(Some(&neighbour)).unwrap();
        assert!(places.take(Some(&one)).is_none(), "a /64 is one address");
        let third = places.take(Some(&other)).unwrap();
        let _own = places.take(None).unwrap();
        assert!(places.take(Some(&other)).is_none(), "no more than all");
        drop(third);
        assert!(places.take(Some(&one)).is_none());
        drop(first);
        assert!(places.take(Some(&one)).is_some());
        assert_eq!(places.taken.lock().each.len(), 1);
    }

    #[test]
    fn one_account_has_half_at_most_from_wherever() {
        let places = Places::new(4);
        let alice = |last: u8| source(&format!("192.0.2.{last}"), "sip:alice@example.com");
        let first = places.take(Some(&alice(1))).unwrap();
        let second = places.take(Some(&alice(2))).unwrap();
        assert!(places.take(Some(&alice(3))).is_none());
        let bob = places.take(Some(&source("192.0.2.1", "sip:bob@example.com"))).unwrap();
        assert!(
            places.take(Some(&source("192.0.2.1", "sip:carol@example.com"))).is_none(),
            "the address has half"
        );
        drop(second);
        assert!(places.take(Some(&alice(3))).is_some());
        drop((first, bob));
        assert!(places.taken.lock().each.is_empty());
    }
}
