//! Caps on connections, in all and per address.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use sip_core::transport::household;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::proxy_protocol;
use crate::config::{Limits, LoadBalancers, Port};
use crate::metrics::Refusal;

/// Counts connections.
#[derive(Debug)]
pub struct Admission {
    most: usize,
    most_per_ip: usize,
    /// Of them that are not for SIP yet.
    most_begun: usize,
    most_begun_per_ip: usize,
    balancers: LoadBalancers,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: Count,
    per_ip: HashMap<IpAddr, Count>,
}

/// Connections, and those among them that are not for SIP yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    open: usize,
    begun: usize,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    /// Whose it is. Not known yet where a load balancer is to name them.
    ip: OnceLock<IpAddr>,
    /// Whether it is not for SIP yet. Changes while the counts are locked.
    begun: AtomicBool,
}

impl Admission {
    /// Nobody is connected.
    pub fn new(limits: &Limits, balancers: LoadBalancers) -> Arc<Self> {
        Arc::new(Self {
            most: limits.connections,
            most_per_ip: limits.connections_per_ip,
            most_begun: limits.handshakes,
            most_begun_per_ip: limits.handshakes_per_ip,
            balancers,
            open: Mutex::default(),
        })
    }

    /// A place for a connection with `ip`, if there is one.
    pub fn admit(self: &Arc<Self>, ip: IpAddr) -> Result<Permit, Refusal> {
        let permit = self.place(false)?;
        permit.charge(ip)?;
        Ok(permit)
    }

    /// A place for a connection that came to `port`, if there is one. But over TCP it is not for SIP before that is said
    /// ([`Permit::established`]). That of a load balancer which names its clients
    /// there counts among all, and as its client's once that is known.
    pub fn arrived(self: &Arc<Self>, port: Port, remote: SocketAddr) -> Result<Permit, Refusal> {
        let permit = self.place(port != Port::Tcp)?;
        if !self.announces(port, remote.ip()) && !self.forwards(port, remote.ip()) {
            permit.charge(remote.ip())?;
        }
        Ok(permit)
    }

    fn place(self: &Arc<Self>, begun: bool) -> Result<Permit, Refusal> {
        let mut open = self.open.lock();
        if open.total.open >= self.most {
            return Err(Refusal::Connections);
        }
        if begun && open.total.begun >= self.most_begun {
            return Err(Refusal::Handshakes);
        }
        open.total.open += 1;
        open.total.begun += usize::from(begun);
        Ok(Permit { admission: Arc::clone(self), ip: OnceLock::new(), begun: AtomicBool::new(begun) })
    }

    /// Whether a connection from `ip` to `port` has to begin with who the client is.
    fn announces(&self, port: Port, ip: IpAddr) -> bool {
        self.balancers.proxy_protocol.contains(&port) && self.balancers.include(ip)
    }

    /// Whether requests from `ip` at `port` may name their client.
    fn forwards(&self, port: Port, ip: IpAddr) -> bool {
        self.balancers.forwarded_for.contains(&port) && self.balancers.include(ip)
    }
}

impl Permit {
    /// Who the client of a connection is that came from `remote` to `port`: whoever a load balancer says before
    /// anything else is read, in the time that it has for that. The connection counts as the client's.
    pub async fn client(
        &self,
        port: Port,
        stream: &mut TcpStream,
        remote: SocketAddr,
        within: Duration,
    ) -> Result<SocketAddr, Refusal> {
        if !self.admission.announces(port, remote.ip()) {
            return Ok(remote);
        }
        let said = timeout(within, proxy_protocol::read(stream)).await;
        let announced = said.ok().and_then(Result::ok).ok_or(Refusal::ProxyProtocol)?;
        // A question of its own (`LOCAL`) is not of anybody else.
        let Some(client) = announced else { return Ok(remote) };
        if !self.admission.forwards(port, client.ip()) {
            self.charge(client.ip())?;
        }
        Ok(client)
    }

    /// Whom a request is from that came from `remote`: the last in the values of its `X-Forwarded-For` who is no load
    /// balancer. Each hop appends whom it has it from, so that what stands before is only what the client claims.
    pub fn requester<'a>(
        &self,
        port: Port,
        remote: SocketAddr,
        values: impl DoubleEndedIterator<Item = &'a str>,
    ) -> SocketAddr {
        let mut ip = remote.ip();
        for item in values.rev().flat_map(|value| value.rsplit(',')) {
            // What is no address was written by nobody we believe.
            let Some(before) = self.admission.forwards(port, ip).then(|| address(item.trim())).flatten()
            else {
                break;
            };
            ip = before.to_canonical();
        }
        // Of the client's own port nothing is said.
        SocketAddr::new(ip, remote.port())
    }

    /// It is a connection for SIP from now on.
    pub fn established(&self) {
        let mut open = self.admission.open.lock();
        if !self.begun.swap(false, Ordering::Relaxed) {
            return;
        }
        open.total.begun -= 1;
        if let Some(count) = self.ip.get().and_then(|ip| open.per_ip.get_mut(ip)) {
            count.begun -= 1;
        }
    }

    /// Counts the connection as one of `ip`, if it is nobody's yet.
    pub fn charge(&self, ip: IpAddr) -> Result<(), Refusal> {
        let ip = household(ip);
        let mut open = self.admission.open.lock();
        if self.ip.get().is_some() {
            return Ok(());
        }
        let count = open.per_ip.entry(ip).or_default();
        let begun = self.begun.load(Ordering::Relaxed);
        let full = match () {
            () if count.open >= self.admission.most_per_ip => Some(Refusal::ConnectionsPerIp),
            () if begun && count.begun >= self.admission.most_begun_per_ip => Some(Refusal::HandshakesPerIp),
            () => None,
        };
        if let Some(refusal) = full {
            // An address with no place at all was new.
            if *count == Count::default() {
                open.per_ip.remove(&ip);
            }
            return Err(refusal);
        }
        count.open += 1;
        count.begun += usize::from(begun);
        // Nobody else sets it while the count is locked.
        let _ = self.ip.set(ip);
        Ok(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.established();
        let mut open = self.admission.open.lock();
        open.total.open -= 1;
        if let Some(ip) = self.ip.get()
            && let Some(count) = open.per_ip.get_mut(ip)
        {
            count.open -= 1;
            if count.open == 0 {
                open.per_ip.remove(ip);
            }
        }
    }
}

/// An address as it stands in `X-Forwarded-For`: with or without port, IPv6 with or without brackets.
fn address(item: &str) -> Option<IpAddr> {
    let bracketed = || item.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    item.parse::<IpAddr>()
        .ok()
        .or_else(|| item.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .or_else(bracketed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, connections_per_ip: usize) -> Arc<Admission> {
        let limits = Limits { connections, connections_per_ip, ..Limits::default() };
        Admission::new(&limits, LoadBalancers::default())
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
        assert_eq!(admission.open.lock().total, Count::default());
    }

    #[test]
    fn handshakes_have_a_cap_of_their_own_until_they_are_done() {
        let limits = Limits { handshakes: 3, handshakes_per_ip: 2, ..Limits::default() };
        let admission = Admission::new(&limits, LoadBalancers::default());
        let [one, other] = [1, 2].map(|last| SocketAddr::from(([192, 0, 2, last], 1)));
        let first = admission.arrived(Port::Https, one).unwrap();
        let second = admission.arrived(Port::Tls, one).unwrap();
        assert_eq!(admission.arrived(Port::Http, one).unwrap_err(), Refusal::HandshakesPerIp);
        // Over TCP there is none.
        let plain = admission.arrived(Port::Tcp, one).unwrap();
        let third = admission.arrived(Port::Http, other).unwrap();
        assert_eq!(admission.arrived(Port::Http, other).unwrap_err(), Refusal::Handshakes);
        first.established();
        first.established();
        let fourth = admission.arrived(Port::Http, other).unwrap();
        assert_eq!(admission.open.lock().total, Count { open: 5, begun: 3 });
        drop((first, second, plain, third, fourth));
        assert_eq!(admission.open.lock().total, Count::default());
        assert_eq!(admission.open.lock().per_ip.len(), 0);
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

    fn behind(connections_per_ip: usize) -> Arc<Admission> {
        let limits = Limits { connections: 3, connections_per_ip, ..Limits::default() };
        let from = vec!["10.0.0.0/8".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()];
        let balancers =
            LoadBalancers { from, proxy_protocol: vec![Port::Tcp], forwarded_for: vec![Port::Http] };
        Admission::new(&limits, balancers)
    }

    #[test]
    fn a_connection_of_a_load_balancer_is_its_clients() {
        let admission = behind(1);
        let balancer = SocketAddr::from(([10, 0, 0, 1], 1));
        let first = admission.arrived(Port::Http, balancer).unwrap();
        let second = admission.arrived(Port::Http, balancer).unwrap();
        assert_eq!(admission.open.lock().per_ip.len(), 0);
        let client = IpAddr::from([192, 0, 2, 1]);
        first.charge(client).unwrap();
        // Once.
        first.charge(client).unwrap();
        assert_eq!(second.charge(client), Err(Refusal::ConnectionsPerIp));
        second.charge(IpAddr::from([192, 0, 2, 2])).unwrap();
        let _third = admission.arrived(Port::Http, balancer).unwrap();
        assert_eq!(admission.arrived(Port::Http, balancer).unwrap_err(), Refusal::Connections);
        drop((first, second));
        assert_eq!(admission.open.lock().per_ip.len(), 0);
        assert_eq!(admission.open.lock().total.open, 1);
        // Where it names nobody it is a peer as any other.
        let _direct = admission.arrived(Port::Tls, balancer).unwrap();
        assert_eq!(admission.arrived(Port::Tls, balancer).unwrap_err(), Refusal::ConnectionsPerIp);
    }

    #[test]
    fn the_last_hop_that_is_no_load_balancer_counts() {
        let permit = behind(1).admit(IpAddr::from([10, 0, 0, 1])).unwrap();
        let table: &[(&str, &[&str], &str)] = &[
            // Nobody is named.
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", &["192.0.2.1, 10.2.3.4"], "192.0.2.1"),
            ("10.0.0.1", &["192.0.2.1", "10.2.3.4,10.9.9.9"], "192.0.2.1"),
            // What the client claims, also that it is a load balancer.
            ("10.0.0.1", &["127.0.0.1, 192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", &["198.51.100.9, 10.0.0.7, 192.0.2.1 ,10.2.3.4"], "192.0.2.1"),
            // Behind what nobody trusted wrote nothing counts.
            ("10.0.0.1", &["192.0.2.1, unknown, 10.2.3.4"], "10.2.3.4"),
            ("10.0.0.1", &["192.0.2.1,, 10.2.3.4"], "10.2.3.4"),
            ("10.0.0.1", &[""], "10.0.0.1"),
            // Nobody else is believed.
            ("192.0.2.9", &["192.0.2.1"], "192.0.2.9"),
            // With ports, in IPv6.
            ("10.0.0.1", &["192.0.2.1:4711"], "192.0.2.1"),
            ("2001:db8:1::5", &["[2001:db8:2::7]:80"], "2001:db8:2::7"),
            ("10.0.0.1", &["[2001:db8:2::7]"], "2001:db8:2::7"),
            ("10.0.0.1", &["2001:db8:2::7"], "2001:db8:2::7"),
            ("10.0.0.1", &["::ffff:192.0.2.1"], "192.0.2.1"),
            // All are ours.
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ];
        for (remote, values, expected) in table {
            let remote = SocketAddr::new(remote.parse().unwrap(), 5);
            let requester = permit.requester(Port::Http, remote, values.iter().copied());
            assert_eq!(requester, SocketAddr::new(expected.parse().unwrap(), 5), "{remote} {values:?}");
            assert_eq!(permit.requester(Port::Https, remote, values.iter().copied()), remote);
        }
    }
}
