//! What the gateway counts beside the core.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use sip_core::transport::Transport;

/// Why a connection or an upgrade was refused before it could say anything in SIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The cap on connections in all.
    Connections,
    /// The cap on connections from one address.
    ConnectionsPerIp,
    /// The cap on connections that are not for SIP yet, in all.
    Handshakes,
    /// The same from one address.
    HandshakesPerIp,
    /// Not a WebSocket handshake of version 13.
    Handshake,
    /// The subprotocol `sip` was not offered (RFC 7118 §4.1).
    Subprotocol,
    /// A page of an origin that is not allowed.
    Origin,
    /// Not read from where it may be read.
    Audience,
    /// A TLS handshake that failed, or took too long.
    Tls,
    /// A load balancer did not say whose connection it is.
    ProxyProtocol,
}

impl Refusal {
    fn label(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::ConnectionsPerIp => "connections_per_ip",
            Self::Handshakes => "handshakes",
            Self::HandshakesPerIp => "handshakes_per_ip",
            Self::Handshake => "handshake",
            Self::Subprotocol => "subprotocol",
            Self::Origin => "origin",
            Self::Audience => "audience",
            Self::Tls => "tls",
            Self::ProxyProtocol => "proxy_protocol",
        }
    }

    /// The reason in words.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Connections => "too many connections",
            Self::ConnectionsPerIp => "too many connections from this address",
            Self::Handshakes => "too many handshakes",
            Self::HandshakesPerIp => "too many handshakes from this address",
            Self::Handshake => "not a WebSocket handshake of version 13",
            Self::Subprotocol => "the WebSocket subprotocol `sip` must be offered (RFC 7118)",
            Self::Origin => "pages of this origin may not connect; add it to `http.allowed_origins`",
            Self::Audience => "not for this address",
            Self::Tls => "no TLS handshake",
            Self::ProxyProtocol => {
                "a load balancer must begin with a PROXY protocol header of version 2 here; see `load_balancer`"
            }
        }
    }
}

/// Why the gateway closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closing {
    /// It read too slowly for what was sent to it.
    SlowConsumer,
    /// Nobody registered over it and it stayed silent.
    Idle,
    /// It did not answer a ping.
    Unanswered,
    /// A message longer than the core takes.
    TooLong,
    /// Bytes in which no message can be found.
    Framing,
    /// Too much has come in parts that are no messages yet, from it or from all.
    NoRoom,
    /// The gateway stops.
    Stopping,
}

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// The flow was gone.
    NoFlow,
    /// The connection's queue was full.
    QueueFull,
    /// The datagram socket had no room, or the system refused the datagram.
    Datagram,
}

impl Closing {
    fn label(self) -> &'static str {
        match self {
            Self::SlowConsumer => "slow_consumer",
            Self::Idle => "idle",
            Self::Unanswered => "unanswered",
            Self::TooLong => "too_long",
            Self::Framing => "framing",
            Self::NoRoom => "no_room",
            Self::Stopping => "stopping",
        }
    }

    /// The reason in words.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::SlowConsumer => "it reads too slowly for what is sent to it",
            Self::Idle => "nobody registered over it and it stayed silent",
            Self::Unanswered => "it did not answer a ping",
            Self::TooLong => "a message was too long",
            Self::Framing => "no message can be found in what it sent",
            Self::NoRoom => "there is no room for more messages that have half come; see `limits.memory`",
            Self::Stopping => "the gateway stops",
        }
    }
}

impl Loss {
    fn label(self) -> &'static str {
        match self {
            Self::NoFlow => "no_flow",
            Self::QueueFull => "queue_full",
            Self::Datagram => "datagram",
        }
    }
}

/// One label: its name and value.
type Label = [(&'static str, &'static str); 1];

/// One value for each transport, found without looking it up: these count every message.
#[derive(Clone, Debug)]
struct EachTransport<M> {
    all: Family<Label, M>,
    /// The same values, in the order of [`TRANSPORTS`].
    each: [M; TRANSPORTS.len()],
}

/// The order in which they are declared.
const TRANSPORTS: [Transport; 5] =
    [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];

impl<M: Clone + Default> Default for EachTransport<M> {
    fn default() -> Self {
        let all = Family::default();
        let each = TRANSPORTS.map(|transport| {
            let label = [("transport", transport.uri_token())];
            M::clone(&all.get_or_create(&label))
        });
        Self { all, each }
    }
}

impl<M> EachTransport<M> {
    fn of(&self, transport: Transport) -> &M {
        // The compiler sees that this is in bounds.
        &self.each[transport as usize]
    }
}

/// The gateway's own counters.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    refusals: Family<Label, Counter>,
    closings: Family<Label, Counter>,
    losses: Family<Label, Counter>,
    flows: EachTransport<Gauge>,
    received: EachTransport<Counter>,
    sent: EachTransport<Counter>,
    /// Datagrams longer than RFC 3261 §18.1.1 likes, sent all the same.
    pub long_datagrams: Counter,
    /// CRLF keep-alives answered, and STUN Binding requests over UDP.
    pub keep_alives: Counter,
    /// Datagrams and WebSocket messages with nothing of SIP in them: other STUN, blanks, zeros.
    pub noise: Counter,
    /// TCP and TLS connections opened.
    pub dials: Counter,
    /// TCP and TLS connections that could not be opened.
    pub failed_dials: Counter,
    /// Servers whose TLS handshake failed or whose certificate is not that of the domain asked for.
    pub refused_servers: Counter,
    /// Questions that DNS did not answer.
    pub failed_lookups: Counter,
    /// Domains whose NAPTR records named TLS before and do no longer.
    pub lost_tls: Counter,
    peers: Family<[(&'static str, String); 1], Gauge>,
    /// Requests that waited for a registration which then came back.
    pub woken: Counter,
    /// Transactions of the location database.
    pub location_commits: Counter,
    /// Addresses-of-record written to it.
    pub location_rows: Counter,
    /// Calls that were being set up written to it, and taken out.
    pub location_calls: Counter,
    /// Those that were not, for there were too many.
    pub calls_not_written: Counter,
    /// Transactions the disk refused; they are tried again.
    pub location_failures: Counter,
}

impl Metrics {
    /// The counters, made known to `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let m = metrics.clone();
        registry.register("refusals", "Connections and upgrades refused", m.refusals);
        registry.register("closings", "Connections closed by the gateway", m.closings);
        registry.register("losses", "Messages that could not be sent", m.losses);
        registry.register("flows", "Open connections and bound datagram sockets", m.flows.all);
        registry.register("received_messages", "SIP messages received", m.received.all);
        registry.register("sent_messages", "SIP messages sent", m.sent.all);
        registry.register("long_datagrams", "Datagrams sent that exceed 1300 bytes", m.long_datagrams);
        registry.register("keep_alives", "CRLF and STUN keep-alives answered", m.keep_alives);
        registry.register("noise", "Datagrams and WebSocket messages with nothing of SIP in them", m.noise);
        registry.register("dials", "TCP and TLS connections opened", m.dials);
        registry.register("failed_dials", "TCP and TLS connections that could not be opened", m.failed_dials);
        registry.register(
            "refused_servers",
            "TLS handshakes with servers of other domains that failed",
            m.refused_servers,
        );
        registry.register("failed_lookups", "Questions that DNS did not answer", m.failed_lookups);
        registry.register("lost_tls", "Domains for which DNS has TLS no longer", m.lost_tls);
        registry.register("peer_alive", "Whether a peer of the configuration answers OPTIONS", m.peers);
        registry.register(
            "woken_requests",
            "Held requests sent on when their registration came back",
            m.woken,
        );
        registry.register("location_commits", "Transactions of the location database", m.location_commits);
        registry.register("location_rows", "Addresses-of-record written to it", m.location_rows);
        registry.register(
            "location_calls",
            "Calls that are being set up written to it, and taken out",
            m.location_calls,
        );
        registry.register(
            "calls_not_written",
            "Calls that were being set up and not written, for there were too many",
            m.calls_not_written,
        );
        registry.register(
            "location_failures",
            "Transactions of the location database that failed and are tried again",
            m.location_failures,
        );
        metrics
    }

    /// Counts a refusal.
    pub fn refused(&self, reason: Refusal) {
        self.refusals.get_or_create(&[("reason", reason.label())]).inc();
    }

    /// Counts a closing.
    pub fn closed(&self, reason: Closing) {
        self.closings.get_or_create(&[("reason", reason.label())]).inc();
    }

    /// Counts a message that was not sent.
    pub fn lost(&self, reason: Loss) {
        self.losses.get_or_create(&[("reason", reason.label())]).inc();
    }

    /// Remembers whether a peer answers.
    pub fn peer(&self, name: &str, alive: bool) {
        self.peers.get_or_create(&[("peer", name.to_owned())]).set(i64::from(alive));
    }

    /// Counts a received message.
    pub fn received(&self, transport: Transport) {
        self.received.of(transport).inc();
    }

    /// Counts messages that were sent.
    pub fn sent(&self, transport: Transport, count: u64) {
        self.sent.of(transport).inc_by(count);
    }

    /// Counts a flow that opened.
    pub fn flow_opened(&self, transport: Transport) {
        self.flows.of(transport).inc();
    }

    /// Counts a flow that closed.
    pub fn flow_closed(&self, transport: Transport) {
        self.flows.of(transport).dec();
    }
}
