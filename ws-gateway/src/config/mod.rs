//! What an operator sets.
//!
//! A configuration is a TOML file (see `gateway.example.toml`); without one [`Config::development`] is used.
//! Every key has a default in [`defaults`] and an unknown key is an error, never ignored.

mod authentication;
pub mod defaults;
mod edges;
mod error;
mod file;
mod forward;
mod load_balancers;
mod log;
mod memory;
mod next_hop;
mod proxy;
mod reader;
mod registrar;
mod routes;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sip_core::auth::{Algorithm, Patience};
use sip_core::server::{ForwardRule, Routing, StaticRoute};
use smol_str::SmolStr;

pub use error::ConfigError;
pub use file::own_domain;
pub(crate) use forward::is_host;
pub use load_balancers::{LoadBalancers, Port};
pub use log::{LOG, log_filter};
pub use memory::Memory;
pub use next_hop::{Outbound, PeerServer};
pub use reader::{index_of, line_of};
pub use registrar::Registrar;

/// Everything the gateway can be told.
#[derive(Clone, Debug)]
pub struct Config {
    /// The SIP domain: what stands after the `@` of our addresses-of-record, and the digest realm. An IPv6 address is in brackets.
    pub domain: String,
    /// Other host names and addresses that mean us. Each bound address is one by itself.
    pub aliases: Vec<String>,
    /// Where accounts, keys and registrations are kept.
    pub data: PathBuf,
    /// Where registrations are kept.
    pub location: Kept,
    /// Whether this is somebody's own machine: loopback addresses only, demo accounts, pages from any loopback origin.
    pub development: bool,
    /// Whether users prove who they are; only in development need they not.
    pub passwords: bool,
    /// The HTTP port: page, SIP WebSocket, metrics.
    pub http: HttpListener,
    /// The same with TLS: HTTPS and secure WebSockets.
    pub https: Vec<Listen>,
    /// SIP over UDP.
    pub udp: Vec<SipListener>,
    /// SIP over TCP.
    pub tcp: Vec<SipListener>,
    /// SIP over TLS.
    pub tls: Vec<SipListener>,
    /// What we show on ports with TLS, each to those who ask for one of its names; the first to all others.
    pub certificates: Vec<CertificateFiles>,
    /// Who stands before us and is believed where connections come from.
    pub load_balancers: LoadBalancers,
    /// Where our users may call, and who may call them.
    pub outbound: Outbound,
    /// DNS servers; none: those of the system.
    pub dns: Vec<SocketAddr>,
    /// Servers of others that we know by name.
    pub peers: Vec<PeerServer>,
    /// Where requests go that DNS is not asked about.
    pub routes: Vec<StaticRoute>,
    /// Domains of registrars behind us, whose users register and call through us.
    pub edges: Vec<SmolStr>,
    /// What is done with requests for users.
    pub proxy: Routing,
    /// Which calls go to another address.
    pub forwards: Vec<ForwardRule>,
    /// What those who register are told, and who registers for others.
    pub registrar: Registrar,
    /// How long who guesses passwords has to wait.
    pub authentication: Patience,
    /// Caps.
    pub limits: Limits,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// A tracing filter, as in `info` or `ws_gateway=debug`. The environment's `TRAPEZOID_LOG` goes before it.
    pub log: String,
}

/// The ports for browsers.
#[derive(Clone, Debug)]
pub struct HttpListener {
    /// Where it listens.
    pub listen: Listen,
    /// Where it listens besides.
    pub also: Vec<Listen>,
    /// The built page. `None`: a page that says how to build it.
    pub www: Option<PathBuf>,
    /// Origins, besides the gateway's own host, whose pages may open the SIP WebSocket, as in `https://example.com`.
    pub allowed_origins: Vec<String>,
    /// Who may read `/metrics`.
    pub metrics: Audience,
    /// Digest algorithms offered on the WebSocket, in order.
    pub digest: Vec<Algorithm>,
}

/// A UDP, TCP or TLS port for phones.
#[derive(Clone, Debug)]
pub struct SipListener {
    /// Where it listens.
    pub listen: Listen,
    /// Our address as peers see it, where that is not the one we listen on (all addresses; behind a NAT).
    pub advertise: Option<IpAddr>,
    /// Digest algorithms offered there, in order.
    pub digest: Vec<Algorithm>,
    /// On a TLS port: who must show a certificate.
    pub clients: Clients,
}

/// Who must show a certificate on a TLS port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Clients {
    /// Nobody is asked.
    #[default]
    Anyone,
    /// Who shows one that these authorities (a PEM file) have not signed is refused; who shows none is not.
    Asked(PathBuf),
    /// Who shows none that these authorities have signed is refused.
    Required(PathBuf),
}

/// A certificate with its key, in PEM. The files are read again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, and after it those between it and its root.
    pub chain: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// An address to bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Port 0: any free one.
    pub address: SocketAddr,
    /// Whether any free port will do where that one is taken.
    pub or_any_port: bool,
}

/// Who may read something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Programs on the gateway's own machine.
    Loopback,
    /// Whoever reaches the port.
    Everyone,
}

/// Where something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In the data directory: it survives a restart.
    Disk,
    /// Nowhere else.
    Memory,
}

/// Caps. What happens at each is said in [`defaults`].
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections (HTTP, WebSocket, TCP) in all.
    pub connections: usize,
    /// Connections from one IP address.
    pub connections_per_ip: usize,
    /// Those among them that have not become a connection for SIP yet, in all.
    pub handshakes: usize,
    /// The same from one IP address.
    pub handshakes_per_ip: usize,
    /// What others can make the gateway keep.
    pub memory: Memory,
    /// Contacts bound to one address-of-record.
    pub contacts_per_aor: usize,
    /// Contacts bound to all addresses-of-record together.
    pub registrations: usize,
    /// Messages waiting to be written to one connection.
    pub queued_messages: usize,
    /// Bytes waiting to be written to one connection.
    pub queued_bytes: usize,
}

/// How long things may take. What happens then is said in [`defaults`].
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// An HTTP request's head, the WebSocket handshake included.
    pub handshake: Duration,
    /// From the begin of a connection to its first SIP message.
    pub first_message: Duration,
    /// Silence on a connection nobody has registered over.
    pub idle: Duration,
    /// Silence from a browser until it is pinged.
    pub ping: Duration,
    /// From that ping until it must have said something.
    pub pong: Duration,
    /// A write that makes no progress.
    pub write: Duration,
    /// Opening a TCP connection to a phone.
    pub dial: Duration,
    /// From a restart, or the loss of its connection, until a browser, or a phone on TCP, that was registered must have connected again.
    pub away: Duration,
    /// From the wish to stop until what is left is cut off.
    pub stop: Duration,
}

impl Config {
    /// The configuration without a file: this machine's own addresses only, domain `localhost`, accounts `alice`
    /// and `bob`, friendly ports that give way to free ones.
    pub fn development() -> Self {
        let friendly =
            |port| Listen { address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), or_any_port: true };
        Self {
            domain: defaults::DOMAIN.into(),
            aliases: Vec::new(),
            data: defaults::DATA.into(),
            location: defaults::LOCATION,
            development: true,
            passwords: true,
            http: HttpListener::at(friendly(defaults::HTTP_PORT)),
            udp: vec![SipListener::at(friendly(defaults::SIP_PORT))],
            tcp: vec![SipListener::at(friendly(defaults::SIP_PORT))],
            https: Vec::new(),
            tls: Vec::new(),
            certificates: Vec::new(),
            load_balancers: LoadBalancers::default(),
            outbound: Outbound::development(),
            dns: Vec::new(),
            peers: Vec::new(),
            routes: Vec::new(),
            edges: Vec::new(),
            proxy: Routing::default(),
            forwards: Vec::new(),
            registrar: Registrar::default(),
            authentication: Patience::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            log: defaults::LOG.into(),
        }
    }

    /// Reads a configuration file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    /// Reads a configuration from `text`; `path` is only named in errors.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        file::parse(path, text)
    }
}

impl HttpListener {
    /// A listener with defaults but for its address.
    pub fn at(listen: Listen) -> Self {
        Self {
            listen,
            also: Vec::new(),
            www: None,
            allowed_origins: Vec::new(),
            metrics: Audience::Loopback,
            digest: defaults::WEBSOCKET_DIGEST.to_vec(),
        }
    }
}

impl SipListener {
    /// A listener with defaults but for its address.
    pub fn at(listen: Listen) -> Self {
        Self { listen, advertise: None, digest: defaults::SIP_DIGEST.to_vec(), clients: Clients::default() }
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self { address, or_any_port: false }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: defaults::CONNECTIONS,
            connections_per_ip: defaults::CONNECTIONS_PER_IP,
            handshakes: defaults::HANDSHAKES,
            handshakes_per_ip: defaults::HANDSHAKES_PER_IP,
            memory: Memory::mebibytes(defaults::MEMORY),
            contacts_per_aor: defaults::CONTACTS_PER_AOR,
            registrations: defaults::REGISTRATIONS,
            queued_messages: defaults::QUEUED_MESSAGES,
            queued_bytes: defaults::QUEUED_BYTES,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: defaults::HANDSHAKE,
            first_message: defaults::FIRST_MESSAGE,
            idle: defaults::IDLE,
            ping: defaults::PING,
            pong: defaults::PONG,
            write: defaults::WRITE,
            dial: defaults::DIAL,
            away: defaults::AWAY,
            stop: defaults::STOP,
        }
    }
}
