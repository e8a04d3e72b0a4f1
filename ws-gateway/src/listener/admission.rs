//! Caps on connections, in all and per address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::config::Limits;
use crate::metrics::Refusal;

/// Counts connections.
#[derive(Debug)]
pub struct Admission {
    most: usize,
    most_per_ip: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    per_ip: HashMap<IpAddr, usize>,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    ip: IpAddr,
}

impl Admission {
    /// Nobody is connected.
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            most: limits.connections,
            most_per_ip: limits.connections_per_ip,
            open: Mutex::default(),
        })
    }

    /// A place for a connection with `ip`, if there is one.
    pub fn admit(self: &Arc<Self>, ip: IpAddr) -> Result<Permit, Refusal> {
        let ip = household(ip);
        let mut open = self.open.lock();
        if open.total >= self.most {
            return Err(Refusal::Connections);
        }
        if open.per_ip.get(&ip).is_some_and(|count| *count >= self.most_per_ip) {
            return Err(Refusal::ConnectionsPerIp);
        }
        open.total += 1;
        *open.per_ip.entry(ip).or_default() += 1;
        Ok(Permit { admission: Arc::clone(self), ip })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.admission.open.lock();
        open.total -= 1;
        if let Some(count) = open.per_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                open.per_ip.remove(&self.ip);
            }
        }
    }
}

/// An IPv6 subscriber has a whole /64 to pick addresses from.
fn household(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, connections_per_ip: usize) -> Arc<Admission> {
        Admission::new(&Limits { connections, connections_per_ip, ..Limits::default() })
    }

    #[test]
    fn places_are_given_back() {
        let admission = admission(10, 2);
        let ip = IpAddr::from([192, 0, 2, 1]);
        let first = admission.admit(ip).unwrap();
        let _second = admission.admit(ip).unwrap();
        assert_eq!(admission.admit(ip).unwrap_err(), Refusal::ConnectionsPerIp);
        drop(first);
        assert!(admission.admit(ip).is_ok());
        drop(_second);
        assert_eq!(admission.open.lock().per_ip.len(), 0);
        assert_eq!(admission.open.lock().total, 0);
    }

    #[test]
    fn addresses_share_the_total() {
        let admission = admission(2, 2);
        let permits: Vec<_> =
            (1..=2).map(|n| admission.admit(IpAddr::from([192, 0, 2, n])).unwrap()).collect();
        assert_eq!(admission.admit(IpAddr::from([192, 0, 2, 3])).unwrap_err(), Refusal::Connections);
        drop(permits);
    }

    #[test]
    fn one_ipv6_network_is_one_peer() {
        let admission = admission(10, 1);
        let _permit = admission.admit("2001:db8::1".parse().unwrap()).unwrap();
        assert_eq!(admission.admit("2001:db8::2".parse().unwrap()).unwrap_err(), Refusal::ConnectionsPerIp);
        assert!(admission.admit("2001:db8:0:1::1".parse().unwrap()).is_ok());
    }
}
