//! Places that all share, of which those for one address are half at most: whoever has work done without end for themselves leaves
//! room for the others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use sip_core::transport::household;

/// So many places.
#[derive(Debug)]
pub struct Places {
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// By address; those of nobody in particular are not here.
    each: HashMap<IpAddr, usize>,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    source: Option<IpAddr>,
}

impl Places {
    /// None is taken.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// Takes a place for what is done on behalf of `source`, or of the gateway itself.
    pub fn take(self: &Arc<Self>, source: Option<IpAddr>) -> Option<Place> {
        let source = source.map(household);
        let mut taken = self.taken.lock();
        if taken.all >= self.most {
            return None;
        }
        if let Some(source) = source {
            // Who has none has no entry: there are never more than places.
            let own = taken.each.get(&source).copied().unwrap_or_default();
            if own >= self.most.div_ceil(2) {
                return None;
            }
            taken.each.insert(source, own + 1);
        }
        taken.all += 1;
        Some(Place { places: Arc::clone(self), source })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        taken.all -= 1;
        if let Some(source) = self.source
            && let Some(own) = taken.each.get_mut(&source)
        {
            *own -= 1;
            if *own == 0 {
                taken.each.remove(&source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_half_at_most_and_places_come_back() {
        let places = Places::new(4);
        let [one, neighbour, other] =
            ["2001:db8::1", "2001:db8::2", "192.0.2.1"].map(|ip| Some(ip.parse().unwrap()));
        let first = places.take(one).unwrap();
        let _second = places.take(neighbour).unwrap();
        assert!(places.take(one).is_none(), "a /64 is one address");
        let third = places.take(other).unwrap();
        let _own = places.take(None).unwrap();
        assert!(places.take(other).is_none(), "no more than all");
        drop(third);
        assert!(places.take(one).is_none());
        drop(first);
        assert!(places.take(one).is_some());
        assert_eq!(places.taken.lock().each.len(), 1);
    }
}
