//! Whose an address is, where something is counted for each peer.

use core::net::{IpAddr, Ipv6Addr};

/// An IPv6 subscriber has a whole /64 to pick addresses from: its network. An IPv4 address is itself.
pub fn household(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}
