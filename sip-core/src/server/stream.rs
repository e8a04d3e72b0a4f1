//! Requests within dialogs that are too long for the datagram that they would be (§18.1.1).
//!
//! A stranger's proxy, or phone, that came by UDP is where its first datagram came from. What is too long for one goes over a connection
//! to the same host, where its Record-Route, or its Contact, says that it listens: a port that a NAT gave it takes none. It is the way of
//! this one request; whoever takes no connection has a datagram as before.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use smol_str::SmolStr;

use super::Server;
use super::dialog::TOKENS;
use super::outward::{length_of, next_hop};
use super::questions::{Arrival, Errand};
use crate::limits;
use crate::proxy::{Detours, Target};
use crate::time::Instant;
use crate::transport::target::{Way, for_length};
use crate::transport::{Hop, RouteTarget, Transport};

/// A request for whom a datagram would go to `remote`.
#[derive(Debug)]
pub(super) struct Long {
    pub(super) arrival: Arrival,
    pub(super) sender: RouteTarget,
    pub(super) receiver: RouteTarget,
    pub(super) remote: SocketAddr,
}

impl Long {
    /// Whether this is the host that the dialog is with: what a datagram says of others opens no connection to them.
    pub(super) fn is_at(&self, address: IpAddr) -> bool {
        self.remote.ip().to_canonical() == address.to_canonical()
    }

    fn datagram(&self, domain: &str) -> Way {
        let addresses = [self.remote].into();
        Way { transport: Transport::Udp, addresses, domain: domain.into(), free: false }
    }

    fn length(&self) -> usize {
        length_of(&self.arrival.request, TOKENS)
    }
}

impl Server {
    /// Where a datagram would go, and the URI that says where a connection may, if the request is too long for one. Only ours have
    /// connections opened: a stranger knows the tokens of both sides, and could name a port of its choice.
    pub(super) fn stream_for(
        &self,
        arrival: &Arrival,
        sender: &RouteTarget,
        receiver: &RouteTarget,
    ) -> Option<(SocketAddr, SmolStr)> {
        let RouteTarget::Address { transport: Transport::Udp, remote, .. } = receiver else { return None };
        let ours = !matches!(sender, RouteTarget::Address { .. } | RouteTarget::Peer { .. });
        let long = length_of(&arrival.request, TOKENS) > limits::DATAGRAM_COMFORT;
        if !ours || !long {
            return None;
        }
        Some((*remote, next_hop(&arrival.request, TOKENS)?))
    }

    pub(super) fn seek_stream(&mut self, now: Instant, long: Long, uri: SmolStr) {
        self.seek(now, Errand::Stream(long.into()), [uri].into());
    }

    /// Of the ways that its URI has, those over a stream; and a datagram after them, which is also what is tried first where none could be
    /// had lately.
    pub(super) fn found_streams(&mut self, now: Instant, long: Box<Long>, mut ways: Vec<Way>) {
        // One that says UDP means it.
        ways.retain(|way| way.free || way.transport.is_reliable());
        let mut ways = for_length(ways, long.length(), limits::DATAGRAM_COMFORT, self.config.transports);
        ways.retain(|way| way.transport.is_reliable());
        let Some(first) = ways.first() else { return self.as_datagram(now, *long) };
        ways.push(long.datagram(&first.domain));
        self.connect(now, Errand::Stream(long), ways);
    }

    /// There is a connection, or it is to be a datagram after all.
    pub(super) fn stream_reached(&mut self, now: Instant, long: Long, hop: Hop, domain: &str) {
        if hop.transport == Transport::Udp {
            return self.as_datagram(now, long);
        }
        let ways = [long.datagram(domain)].into();
        let Long { arrival, sender, receiver, .. } = long;
        let detours = Detours { hop, ways, user: None, contact: None, onward: false };
        let target = Target { detours: Some(detours.into()), ..Target::new(None, hop, receiver) };
        self.deliver(now, &arrival, sender, target);
    }

    /// From the address of ours that its receiver knows.
    pub(super) fn as_datagram(&mut self, now: Instant, long: Long) {
        let Long { arrival, sender, receiver, .. } = long;
        self.reach(now, arrival, sender, receiver);
    }
}
