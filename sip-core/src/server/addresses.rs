//! Which addresses a request may go to, and whose certificate must be shown there.

use core::net::{IpAddr, Ipv4Addr};

use smol_str::SmolStr;

use super::Server;
use super::config::Outward;
use super::peers::Peer;
use crate::transport::target::Way;

impl Server {
    /// Whether a request may go to an address: to no such that means none or many hosts; to where the configuration says;
    /// to where its dialog was begun; and to others as [`Outward`] has it.
    pub(super) fn may_reach(&self, address: IpAddr, known: Option<&Way>, configured: bool) -> bool {
        let address = address.to_canonical();
        if !is_one_host(address) {
            return false;
        }
        let known = || known.is_some_and(|way| way.addresses[0].ip() == address);
        match self.config.outward {
            Outward::Anywhere => true,
            _ if configured || known() || self.config.peer_at(address).is_some() => true,
            Outward::Public => is_public(address),
            Outward::Nowhere => false,
        }
    }

    /// Whether a Path may be followed to an address, as the host of this domain. Its user wrote it, unless it came through a peer: it
    /// leads to that peer, and to no other, which may take what we send for more than this user's; and elsewhere as [`Outward`]
    /// has it.
    pub(super) fn may_follow(&self, address: IpAddr, domain: &str, through: &str) -> bool {
        let is_there = |peer: &Peer| {
            peer.sources.iter().any(|source| source.to_canonical() == address.to_canonical())
                || peer.domain().eq_ignore_ascii_case(domain)
        };
        if self.config.peer(through).is_some_and(is_there) {
            return is_one_host(address.to_canonical());
        }
        !self.config.peers.iter().any(is_there) && self.may_reach(address, None, false)
    }

    /// Whether a Contact may be connected to at the address that its REGISTER came from: wherever that is, but not where whoever hides
    /// the clients before us has them all come from. Each of them could have us write to any port there, this server's among them.
    pub(super) fn may_return(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let shared = || self.config.shared.iter().any(|network| is_within(address, *network));
        self.config.outward == Outward::Anywhere || !(address.is_loopback() || shared())
    }

    /// Whose certificate must be shown at an address that a Route names without a domain: that of the domain which the
    /// dialog was begun with, if it has this address, or of the peer that the configuration knows there.
    pub(super) fn domain_at(&self, way: &Way, known: Option<&Way>) -> Option<SmolStr> {
        let ip: IpAddr = way.domain.parse().ok()?;
        match known.filter(|known| known.addresses[0].ip() == ip) {
            Some(known) => Some(known.domain.clone()),
            None => self.config.peer_at(ip).map(Peer::domain),
        }
    }
}

/// Neither nobody nor many.
fn is_one_host(address: IpAddr) -> bool {
    !address.is_unspecified() && !address.is_multicast() && address != IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// Whether an address is of a network: as many bits are the same as its prefix has.
const fn is_within(address: IpAddr, (network, prefix): (IpAddr, u8)) -> bool {
    let same = match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => (address.to_bits() ^ network.to_bits()).leading_zeros(),
        (IpAddr::V6(address), IpAddr::V6(network)) => (address.to_bits() ^ network.to_bits()).leading_zeros(),
        _ => return false,
    };
    same >= prefix as u32
}

/// Of no special purpose (RFC 6890): what anybody on the Internet may reach.
const fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || a == 0
                || a >= 240
                || (a == 100 && b & 0xc0 == 64)
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && b & 0xfe == 18))
        }
        // 2000::/3 is all that is given out, and 6to4 and NAT64 only wrap an IPv4 address.
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            first & 0xe000 == 0x2000 && first != 0x2002
        }
    }
}
