//! From an address-of-record to the contacts a request is forwarded to (§16.5).

use alloc::vec::Vec;

use smol_str::SmolStr;

use super::questions::{Arrival, Pending};
use super::reply::Reply;
use super::{Question, Server};
use crate::proxy::{Inbound, Target};
use crate::registrar::Binding;
use crate::time::Instant;
use crate::transport::{Hop, RegistrationKey, RouteTarget, Transport};

impl Server {
    pub(super) fn lookup(
        &mut self,
        now: Instant,
        arrival: Arrival,
        username: Option<&str>,
        aor: SmolStr,
        routes: usize,
    ) {
        let sender = arrival.sender(username);
        let pending = Pending::Lookup { arrival, sender, routes };
        self.ask_or_refuse(now, self.soon(now), Question::Lookup { aor }, pending);
    }

    pub(super) fn found(
        &mut self,
        now: Instant,
        arrival: Arrival,
        sender: RouteTarget,
        routes: usize,
        bindings: Option<Vec<Binding>>,
    ) {
        let Some(bindings) = bindings else {
            return self.refuse(now, &arrival, Reply::new(404));
        };
        let targets = targets(&bindings, now);
        if targets.is_empty() {
            return self.refuse(now, &arrival, Reply::new(480));
        }
        self.trying(now, &arrival);
        self.forward(now, &arrival, sender, routes, &targets);
    }

    pub(super) fn forward(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        sender: RouteTarget,
        routes: usize,
        targets: &[Target],
    ) {
        let Some(server) = arrival.server else { return };
        let inbound =
            Inbound { server, request: arrival.request.clone(), from: arrival.from, sender, routes };
        let (proxy, mut turn) = self.turn(now);
        proxy.fork(&mut turn, inbound, targets);
    }
}

/// Everybody who is there. A user agent that registered over several flows is reached over the latest (RFC 5626 §5.3:
/// not over more than one).
fn targets(bindings: &[Binding], now: Instant) -> Vec<Target> {
    let mut chosen: Vec<(&Binding, Hop)> = Vec::new();
    for binding in bindings.iter().filter(|b| b.expires_at > now) {
        // It is away: the branch fails at once, the others ring.
        let Some(hop) = binding.hop else { continue };
        let outbound = |other: &Binding| {
            binding.key.reg_id > 0 && other.key.reg_id > 0 && other.key.instance == binding.key.instance
        };
        match chosen.iter_mut().find(|(other, _)| outbound(other)) {
            Some(other) if other.0.expires_at < binding.expires_at => *other = (binding, hop),
            Some(_) => {}
            None => chosen.push((binding, hop)),
        }
    }
    chosen
        .into_iter()
        .map(|(binding, hop)| Target {
            contact: Some(binding.contact.clone()),
            hop,
            receiver: side(&hop, Some(&binding.key)),
        })
        .collect()
}

/// What a Record-Route leads to on one side of a request.
fn side(hop: &Hop, registration: Option<&RegistrationKey>) -> RouteTarget {
    match (hop.transport, registration) {
        // A datagram needs no connection, and finds its way after a restart without anybody registering.
        (Transport::Udp, _) => {
            RouteTarget::Address { transport: hop.transport, local: hop.local, remote: hop.remote }
        }
        (_, Some(key)) => RouteTarget::Registration(key.clone()),
        (_, None) => RouteTarget::Flow(hop.flow),
    }
}

impl Arrival {
    /// What leads back to the sender. `username` is the account that proved itself with this request: on a connection
    /// of several accounts the flow's identity may be another's.
    fn sender(&self, username: Option<&str>) -> RouteTarget {
        let identity = self.identity.as_ref();
        let own = identity.filter(|identity| username.is_none_or(|name| name == identity.username));
        // Without proof, a phone's connection that has registered somebody may still be carrying others.
        let own = own.filter(|_| username.is_some() || self.from.transport.is_websocket());
        side(&self.from, own.map(|identity| &identity.registration))
    }
}
