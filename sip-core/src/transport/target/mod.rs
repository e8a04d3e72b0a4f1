//! Where a URI leads (RFC 3263), without asking anybody: questions for DNS come out, answers go in, and at the end
//! stand the ways to the domain in the order they are to be tried.
//!
//! What it does not do: ask, connect, or remember what failed.

mod locate;
mod order;
mod secured;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use smol_str::SmolStr;

use super::Transport;

pub use locate::{Located, Search, locate};
pub(crate) use order::by_weight;
pub use secured::Secured;

/// What is asked of DNS. Names have no final dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Query {
    /// NAPTR records of a domain (RFC 3403).
    Naptr(SmolStr),
    /// SRV records of a service (RFC 2782), as in `_sip._udp.example.com`.
    Srv(SmolStr),
    /// A and AAAA records of a host.
    Addresses(SmolStr),
}

impl Query {
    /// The name that is asked for.
    pub const fn name(&self) -> &SmolStr {
        match self {
            Self::Naptr(name) | Self::Srv(name) | Self::Addresses(name) => name,
        }
    }
}

/// What DNS said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    /// To [`Query::Naptr`].
    Naptr(Vec<Naptr>),
    /// To [`Query::Srv`].
    Srv(Vec<Srv>),
    /// To [`Query::Addresses`].
    Addresses(Vec<IpAddr>),
    /// There are none.
    Nothing,
    /// No server gave an answer that counts.
    Failed,
}

impl Records {
    /// Whether they are the addresses of a host.
    pub const fn are_addresses(&self) -> bool {
        matches!(self, Self::Addresses(_))
    }

    /// Puts them in an order of their own, whatever order DNS gave them in.
    pub fn sort(&mut self) {
        match self {
            Self::Naptr(records) => records.sort(),
            Self::Srv(records) => records.sort(),
            Self::Addresses(addresses) => addresses.sort(),
            Self::Nothing | Self::Failed => {}
        }
    }
}

/// A NAPTR record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Naptr {
    /// Lower goes first.
    pub order: u16,
    /// Among equals, lower goes first.
    pub preference: u16,
    /// `s` for those that matter here.
    pub flags: SmolStr,
    /// As in `SIP+D2U`.
    pub service: SmolStr,
    /// Empty for those that matter here.
    pub regexp: SmolStr,
    /// The name to go on with.
    pub replacement: SmolStr,
}

/// An SRV record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Srv {
    /// Lower goes first.
    pub priority: u16,
    /// Among equals, the share of the load.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host; the root (empty, or a dot) says that there is no such service.
    pub target: SmolStr,
}

/// The transports over which we can reach others by ourselves. Nobody listens on a WebSocket but servers of our kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transports {
    /// UDP over IPv4.
    pub udp4: bool,
    /// UDP over IPv6.
    pub udp6: bool,
    /// TCP.
    pub tcp: bool,
    /// TLS over TCP.
    pub tls: bool,
}

impl Transports {
    /// All of them.
    pub const ALL: Self = Self { udp4: true, udp6: true, tcp: true, tls: true };

    /// Whether it is among them, over whichever family.
    pub const fn has(self, transport: Transport) -> bool {
        match transport {
            Transport::Udp => self.udp4 || self.udp6,
            Transport::Tcp => self.tcp,
            Transport::Tls => self.tls,
            Transport::Ws | Transport::Wss => false,
        }
    }

    /// Whether an address can be reached over it.
    pub const fn reaches(self, transport: Transport, address: IpAddr) -> bool {
        match (transport, address) {
            (Transport::Udp, IpAddr::V4(_)) => self.udp4,
            (Transport::Udp, IpAddr::V6(_)) => self.udp6,
            _ => self.has(transport),
        }
    }
}

/// One host that serves a domain over one transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// How it is reached.
    pub transport: Transport,
    /// Where: all of them are one host. Never empty, and one alone for datagrams: connections to several may be raced,
    /// but never is one request sent to several.
    pub addresses: Vec<SocketAddr>,
    /// The domain that was asked for, which the host's certificate must name (RFC 5922 §7.3).
    pub domain: SmolStr,
    /// The URI did not say which transport: a long request may go over another (RFC 3261 §18.1.1).
    pub free: bool,
}

/// Why a URI leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Nowhere {
    /// A name under `.invalid` (RFC 2606): who has it is reached over the flow it came over, or not at all.
    Invalid,
    /// A transport we cannot reach others over, or one that `sips` forbids.
    Transport,
    /// DNS knows no such domain, or none that takes SIP.
    NoDomain,
    /// DNS did not answer.
    NoAnswer,
}

/// Turns ways around for a request of `length` bytes (RFC 3261 §18.1.1): one longer than `comfort` goes over a
/// stream first wherever the URI left that open. The datagram stays the last resort, for a host that takes no
/// connections.
pub fn for_length(ways: Vec<Way>, length: usize, comfort: usize, transports: Transports) -> Vec<Way> {
    if length <= comfort {
        return ways;
    }
    let mut out = Vec::with_capacity(ways.len() * 2);
    let is_open = |way: &Way| way.free && way.transport == Transport::Udp;
    out.extend(ways.iter().filter(|way| !is_open(way)).cloned());
    // §18.1.1: "MUST be sent using an RFC 2914 congestion controlled transport protocol, such as TCP". What DNS said of
    // TCP stands before what was never said.
    if transports.tcp && out.iter().all(|way| !way.transport.is_reliable()) {
        let stream = |way: &Way| Way { transport: Transport::Tcp, ..way.clone() };
        out.extend(ways.iter().filter(|way| is_open(way)).map(stream));
    }
    out.extend(ways.into_iter().filter(is_open));
    out
}
