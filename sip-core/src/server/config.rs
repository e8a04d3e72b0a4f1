//! What a server is told once.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use smol_str::SmolStr;

use super::boundary::Watcher;
use super::peers::{Peer, StaticRoute};
use crate::auth::Algorithm;
use crate::limits;
use crate::proxy::{Forward, Occasion, SessionTimer};
use crate::registrar::Bounds;
use crate::time::Duration;
use crate::transaction::{self, Timers};
use crate::transport::target::Transports;
use crate::transport::{Hop, Transport};

/// What a [`Server`](super::Server) is told once. [`Config::new`] fills in the defaults.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// The one domain it is responsible for: the host of every address-of-record.
    pub domain: SmolStr,
    /// Hosts that mean the same: names, IPv4 addresses, IPv6 addresses in brackets. Ports never count, and the
    /// address a request came to is an alias by itself.
    pub aliases: Vec<SmolStr>,
    /// The digest realm; the domain unless said otherwise.
    pub realm: SmolStr,
    /// Whether users prove who they are. `false` takes every From in the domain for what it says: for measurements and
    /// tests on one's own machine.
    pub passwords: bool,
    /// Digest algorithms offered on WebSocket, most preferred first.
    pub websocket_algorithms: Vec<Algorithm>,
    /// Digest algorithms offered on UDP, TCP and TLS: MD5 alone by default, because old phones stop at a challenge
    /// they do not know.
    pub phone_algorithms: Vec<Algorithm>,
    /// Digest algorithms offered on one listener, by its transport and its address as peers see it, where they are
    /// not those of its kind.
    pub listener_algorithms: BTreeMap<(Transport, SocketAddr), Vec<Algorithm>>,
    /// Seals nonces, and names the branches of what is forwarded. Servers that share it accept each other's. To be kept over restarts
    /// and never replaced, so that a CANCEL finds the INVITE that was forwarded before.
    pub nonce_key: [u8; 32],
    /// Seals route tokens. To be kept over restarts, so that dialogs outlive them.
    pub route_key: [u8; 32],
    /// Keys that sealed before; their tokens are still accepted.
    pub previous_route_keys: Vec<[u8; 32]>,
    /// The Service-Route that registered user agents are told (RFC 3608), whole values.
    pub service_route: Vec<SmolStr>,
    /// The longest time between keep-alives that user agents with outbound are told (RFC 5626 §4.4); `None`: their own.
    pub flow_timer: Option<Duration>,
    /// Accounts that may register contacts for others (§10.3 step 3): user names, and addresses-of-record.
    pub registrants: BTreeMap<SmolStr, Vec<SmolStr>>,
    /// Who may watch the registrations of others (RFC 3680 §4.6); everybody may its own.
    pub watchers: BTreeMap<Watcher, WatchedUsers>,
    /// How requests are routed.
    pub routing: Routing,
    /// What the transaction timers derive from.
    pub timers: Timers,
    /// How long contacts may be bound.
    pub expiry: Bounds,
    /// Where our own users may send requests beside our domain and the static routes.
    pub outward: Outward,
    /// Networks, each an address and the length of its prefix, from where what comes may be anybody's: those of load balancers, and this
    /// machine's own addresses.
    pub shared: Vec<(IpAddr, u8)>,
    /// Which strangers may call our users.
    pub callers: Callers,
    /// Whose requests outside dialogs may have a Route that leads elsewhere.
    pub preloaded: Preloaded,
    /// Whether servers of other domains are told that they may use our TLS connections in the other direction (RFC 5923): for
    /// who shows them a certificate.
    pub alias: bool,
    /// What others can be reached over.
    pub transports: Transports,
    /// Servers of others that we know by name.
    pub peers: Vec<Peer>,
    /// Where requests go that DNS is not asked about; the first that matches counts.
    pub routes: Vec<StaticRoute>,
    /// Domains whose users register, and call, through us at a registrar of their own (RFC 5626 §5).
    pub edges: Vec<SmolStr>,
    /// Which calls are forwarded to another address.
    pub forwarding: Vec<ForwardRule>,
    /// Whether calls that are being set up are told, to be kept over a restart ([`Output::Keep`](super::Output::Keep)).
    pub keeps_calls: bool,
    /// The Server field of responses the server makes itself; `None`: no such field.
    pub server: Option<SmolStr>,
    /// Caps, for tests at the cap.
    pub limits: Limits,
}

impl Config {
    /// A server for `domain`, with its keys.
    pub fn new(domain: &str, nonce_key: [u8; 32], route_key: [u8; 32]) -> Self {
        Self {
            domain: domain.to_ascii_lowercase().into(),
            aliases: Vec::new(),
            realm: domain.into(),
            passwords: true,
            websocket_algorithms: [Algorithm::Sha256, Algorithm::Md5].into(),
            phone_algorithms: [Algorithm::Md5].into(),
            listener_algorithms: BTreeMap::new(),
            nonce_key,
            route_key,
            previous_route_keys: Vec::new(),
            service_route: Vec::new(),
            flow_timer: Some(Duration::from_secs(120)),
            registrants: BTreeMap::new(),
            watchers: BTreeMap::new(),
            routing: Routing::default(),
            timers: Timers::default(),
            expiry: Bounds::default(),
            outward: Outward::default(),
            shared: Vec::new(),
            callers: Callers::default(),
            preloaded: Preloaded::default(),
            alias: false,
            transports: Transports::ALL,
            peers: Vec::new(),
            routes: Vec::new(),
            edges: Vec::new(),
            forwarding: Vec::new(),
            keeps_calls: false,
            server: None,
            limits: Limits::default(),
        }
    }

    /// The algorithms offered to the peer of a hop.
    pub fn algorithms(&self, from: &Hop) -> &[Algorithm] {
        let kind =
            if from.transport.is_websocket() { &self.websocket_algorithms } else { &self.phone_algorithms };
        self.listener_algorithms.get(&(from.transport, from.local)).unwrap_or(kind)
    }
}

/// Without the keys.
impl core::fmt::Debug for Config {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Config")
            .field("domain", &self.domain)
            .field("aliases", &self.aliases)
            .field("realm", &self.realm)
            .field("expiry", &self.expiry)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Whose registrations somebody may watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchedUsers {
    /// Everybody's.
    All,
    /// Those of these addresses-of-record.
    These(Vec<SmolStr>),
}

impl WatchedUsers {
    /// Whether an address-of-record is among them.
    pub fn includes(&self, aor: &SmolStr) -> bool {
        match self {
            Self::All => true,
            Self::These(aors) => aors.contains(aor),
        }
    }
}

/// Calls that are forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardRule {
    /// Those for the account of this user name; `None`: for all that have no rule of their own for that occasion.
    pub user: Option<SmolStr>,
    /// When.
    pub when: Occasion,
    /// Where to.
    pub forward: Forward,
}

/// What a server does with requests for its users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It forwards them in transactions of its own (§16): forks, timers, the best response.
    #[default]
    Proxy,
    /// It forwards each to the contact of the highest weight and remembers nothing (§16.11).
    Stateless,
    /// It tells the contacts in a 302 (§8.3, §21.3.3).
    Redirect,
}

/// How requests are routed: policy, not protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routing {
    /// What is done with requests for users.
    pub mode: Mode,
    /// How long contacts ring before those of the next lower `q` are tried.
    pub ring: Duration,
    /// Whether the contacts of a 3xx are tried (§16.7 step 4). Otherwise the caller is told of them.
    pub recurse: bool,
    /// Whether a call to a contact tells by History-Info whom it was for (RFC 7044 §9); one that is forwarded does in any case.
    pub history: bool,
    /// The session timer that calls are asked to have (RFC 4028 §8), if they are.
    pub session_timer: Option<SessionTimer>,
}

impl Default for Routing {
    fn default() -> Self {
        let (mode, ring) = (Mode::default(), Duration::from_secs(20));
        Self { mode, ring, recurse: false, history: false, session_timer: None }
    }
}

/// Where our own users may send requests beside our domain and the static routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outward {
    /// Nowhere.
    #[default]
    Nowhere,
    /// To other domains, as long as their addresses are public: DNS names whatever address it likes, and what stands
    /// in our own network is nobody's to try.
    Public,
    /// To any address.
    Anywhere,
}

/// Which strangers, who are not asked for a password, may call our users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Callers {
    /// Those that come from the address of a [`Peer`].
    Peers,
    /// Everybody.
    #[default]
    Anyone,
}

/// Whose requests outside dialogs may have a Route that leads elsewhere. It leads to where their Request-URI could.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preloaded {
    /// Nobody's.
    #[default]
    Nobody,
    /// Those of our own accounts. Through a peer they reach whatever that peer reaches, not the numbers of its routes alone.
    Accounts,
}

/// Caps of one server instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// See [`limits::QUESTIONS`].
    pub questions: usize,
    /// See [`limits::WAITING_BYTES`].
    pub waiting_bytes: usize,
    /// See [`limits::HELD_REQUESTS`].
    pub held_requests: usize,
    /// See [`limits::HELD_PER_REGISTRATION`].
    pub held_per_registration: usize,
    /// See [`limits::HOLD`].
    pub hold: Duration,
    /// See [`limits::GRACE`].
    pub grace: Duration,
    /// See [`limits::AWAY`].
    pub away: Duration,
    /// See [`limits::ANSWER`].
    pub answer: Duration,
    /// See [`limits::RESOLVE`].
    pub resolve: Duration,
    /// See [`limits::CONNECT`].
    pub connect: Duration,
    /// See [`limits::FORKS`].
    pub forks: usize,
    /// See [`limits::BREADTH`].
    pub breadth: u32,
    /// See [`limits::WATCHES`].
    pub subscriptions: usize,
    /// See [`limits::OUTPUTS`].
    pub outputs: usize,
    /// What transactions may take.
    pub transactions: transaction::Caps,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            questions: limits::QUESTIONS,
            waiting_bytes: limits::WAITING_BYTES,
            held_requests: limits::HELD_REQUESTS,
            held_per_registration: limits::HELD_PER_REGISTRATION,
            hold: limits::HOLD,
            grace: limits::GRACE,
            away: limits::AWAY,
            answer: limits::ANSWER,
            resolve: limits::RESOLVE,
            connect: limits::CONNECT,
            forks: limits::FORKS,
            breadth: limits::BREADTH,
            subscriptions: limits::WATCHES,
            outputs: limits::OUTPUTS,
            transactions: transaction::Caps::default(),
        }
    }
}
