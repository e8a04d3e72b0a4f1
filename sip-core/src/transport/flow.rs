//! Flows: what a message came in on and what one goes out on.

use core::net::SocketAddr;

use crate::message::is_sips;

/// A SIP transport (RFC 3261 §18, RFC 7118).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A byte stream.
    Tcp,
    /// A byte stream over TLS.
    Tls,
    /// A WebSocket, one message a frame.
    Ws,
    /// A WebSocket over TLS.
    Wss,
}

impl Transport {
    /// Whether the transport itself retransmits, so that SIP's timers A, E, G are off (RFC 3261 §17).
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// Whether this is WebSocket, plain or over TLS.
    pub const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// Whether it is TLS, or WebSocket over it: what a `sips` URI asks of every hop (RFC 3261 §26.2.2, RFC 7118 §7).
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// The token of a Via's `sent-protocol` (RFC 3261 §20.42, RFC 7118 §5.2).
    pub const fn via_token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The value of a URI's `transport` parameter (RFC 3261 §19.1.1, RFC 7118 §5.2.1: `ws` for both).
    pub const fn uri_token(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws | Self::Wss => "ws",
        }
    }

    /// Reads a Via's transport or a URI's `transport` parameter, in any case. `wss` is taken as [`Self::Wss`].
    pub fn from_token(token: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss]
            .into_iter()
            .find(|t| t.via_token().eq_ignore_ascii_case(token))
    }
}

/// The caller's name for one of its sockets: a connection, or a bound datagram socket. Never reused within a
/// process's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

impl FlowId {
    /// No socket's name: what was there is gone, with an earlier process perhaps.
    pub const GONE: Self = Self(u64::MAX);
}

/// One hop: a flow of ours and the peer at its other end.
///
/// For a connection the flow alone decides where bytes go; for a datagram socket `remote` does. A response goes
/// back to the hop its request came from, save for what [`super::via`] says of RFC 3261 §18.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hop {
    /// The socket.
    pub flow: FlowId,
    /// What is spoken over it.
    pub transport: Transport,
    /// Our address there, as peers see it: it goes into Via and Record-Route.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
}

impl Hop {
    /// Whether a request for this URI may go over it: one for a `sips` URI over TLS alone (RFC 3261 §26.2.2).
    pub fn may_carry(&self, uri: &str) -> bool {
        self.transport.is_secure() || !is_sips(uri)
    }
}
