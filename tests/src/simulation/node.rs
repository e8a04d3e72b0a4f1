//! The nodes of a world: phones, which are user agents with somebody who uses them, and servers.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use sip_core::entropy::SeededEntropy;
use sip_core::server::{self, Identity, Outward, Server};
use sip_core::time::Instant;
use sip_core::transport::{FlowId, Hop, Transport};
use sip_core::user_agent::{self, Aor, Event, UserAgent};

use super::NodeId;
use super::directory::{Directory, SOCKET};
use super::network::ConnectionId;
use super::presence::Presence;
use super::trace::stir;
use super::watch::Watch;

/// A node.
#[expect(clippy::large_enum_variant, reason = "few, and phones are the many")]
#[derive(Debug)]
pub enum Node {
    /// A user agent and its user.
    Phone(Phone),
    /// A registrar and proxy.
    Server(ServerNode),
}

/// A user agent, its connection and its user's memory.
#[derive(Debug)]
pub struct Phone {
    /// Column head: `alice`, `alice/2`.
    pub name: String,
    /// User part of its address.
    pub user: String,
    /// The domain of its address.
    pub domain: String,
    /// Where all it sends goes: its server, or the one other phone.
    pub home: NodeId,
    /// Whether it registers.
    pub registers: bool,
    /// Its configuration.
    pub config: user_agent::Config,
    /// The user agent of this life.
    pub agent: UserAgent,
    /// What its user knows.
    pub watch: Watch,
    /// Who watches whom, as its user knows.
    pub presence: Presence,
    /// What a script has not looked at yet.
    pub events: VecDeque<Event>,
    /// The connection it uses or tries to open.
    pub connection: Option<ConnectionId>,
    /// It has a flow, or thinks so.
    pub online: bool,
    /// Restarts so far.
    pub life: u64,
    /// It runs.
    pub up: bool,
    seed: u64,
}

/// A server and what stands outside it.
#[derive(Debug)]
pub struct ServerNode {
    /// Its domain and column head.
    pub domain: String,
    /// The server of this life.
    pub server: BoxedServer,
    /// What survives it, unless it is told otherwise.
    pub directory: Directory,
    /// Who its connections are.
    pub identities: BTreeMap<FlowId, Arc<Identity>>,
    /// It runs.
    pub up: bool,
    life: u64,
    seed: u64,
}

/// A server, which has no text form.
pub struct BoxedServer(pub Box<Server>);

impl core::fmt::Debug for BoxedServer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Server")
    }
}

impl Phone {
    /// A phone that is switched off. `device` tells its user's phones apart.
    pub fn new(
        id: NodeId,
        user: &str,
        device: usize,
        domain: &str,
        home: NodeId,
        transport: Transport,
        seed: u64,
    ) -> Self {
        let aor = Aor::parse(&format!("sip:{user}@{domain}")).expect("a SIP URI");
        let mut config =
            user_agent::Config::new(aor, format!("urn:uuid:00000000-0000-4000-8000-{:012}", id.0));
        config.password = Some(password(user));
        config.transport = transport;
        config.message_types = vec!["text/plain".into()];
        let seed = stir(stir(seed, 1), id.0 as u64);
        Self {
            name: if device == 0 { user.to_owned() } else { format!("{user}/{}", device + 1) },
            user: user.to_owned(),
            domain: domain.to_owned(),
            home,
            registers: true,
            agent: UserAgent::new(config.clone(), Box::new(SeededEntropy(seed))),
            config,
            watch: Watch::default(),
            presence: Presence::default(),
            events: VecDeque::new(),
            connection: None,
            online: false,
            life: 0,
            up: false,
            seed,
        }
    }

    /// Changes how it behaves; to be called before it is switched on.
    pub fn configure(&mut self, change: impl FnOnce(&mut user_agent::Config)) {
        change(&mut self.config);
        self.agent = UserAgent::new(self.config.clone(), Box::new(SeededEntropy(self.seed)));
    }

    /// Its user agent, in whose place a fresh one stands.
    pub fn take_agent(&mut self) -> UserAgent {
        let fresh = UserAgent::new(self.config.clone(), Box::new(SeededEntropy(self.seed)));
        core::mem::replace(&mut self.agent, fresh)
    }

    /// Loses all it knows but who it is.
    pub fn restart(&mut self) {
        self.life += 1;
        let seed = stir(self.seed, self.life);
        self.agent = UserAgent::new(self.config.clone(), Box::new(SeededEntropy(seed)));
        self.watch = Watch { total: self.watch.total, ..Watch::default() };
        self.presence = Presence::default();
        self.events.clear();
        self.connection = None;
        self.online = false;
        self.up = true;
    }

    /// The flow it has with this node, over a socket or a connection.
    pub fn hop(&self, own: NodeId, peer: NodeId) -> Hop {
        let flow = self.connection.map_or(FlowId(100 + self.life), ConnectionId::flow);
        Hop { flow, transport: self.config.transport, local: own.address(), remote: peer.address() }
    }
}

impl ServerNode {
    /// A server for `domain` that runs.
    pub fn new(id: NodeId, domain: &str, seed: u64) -> Self {
        let seed = stir(stir(seed, 2), id.0 as u64);
        Self {
            domain: domain.to_owned(),
            server: Self::make(domain, seed),
            directory: Directory::default(),
            identities: BTreeMap::new(),
            up: true,
            life: 0,
            seed,
        }
    }

    /// Loses its transactions and connections; its keys stay, its bindings if so wanted.
    pub fn restart(&mut self, keep_bindings: bool) {
        self.life += 1;
        self.server = Self::make(&self.domain, stir(self.seed, self.life));
        self.identities.clear();
        self.directory.restart(keep_bindings);
        self.up = true;
    }

    fn make(domain: &str, seed: u64) -> BoxedServer {
        let mut config = server::Config::new(domain, [7; 32], [9; 32]);
        config.outward = Outward::Anywhere;
        BoxedServer(Box::new(Server::new(config, Box::new(SeededEntropy(seed)))))
    }

    /// The flow it has with this node: over a connection, or over its socket.
    pub fn hop(own: NodeId, peer: NodeId, connection: Option<ConnectionId>) -> Hop {
        let (flow, transport) = connection.map_or((SOCKET, Transport::Udp), |id| (id.flow(), Transport::Ws));
        Hop { flow, transport, local: own.address(), remote: peer.address() }
    }
}

impl Node {
    /// Its column head.
    pub fn name(&self) -> &str {
        match self {
            Self::Phone(phone) => &phone.name,
            Self::Server(server) => &server.domain,
        }
    }

    /// Whether it runs.
    pub const fn is_up(&self) -> bool {
        match self {
            Self::Phone(phone) => phone.up,
            Self::Server(server) => server.up,
        }
    }

    /// When its next timer fires.
    pub fn timeout(&self) -> Option<Instant> {
        match self {
            Self::Phone(phone) => phone.agent.poll_timeout(),
            Self::Server(server) => server.server.0.poll_timeout(),
        }
    }
}

impl NodeId {
    /// Its one address.
    pub fn address(self) -> SocketAddr {
        let number = self.0 as u32 + 1;
        ([10, (number >> 16) as u8, (number >> 8) as u8, number as u8], 5060).into()
    }

    /// Whose address it is.
    pub fn of(address: SocketAddr) -> Option<Self> {
        let SocketAddr::V4(address) = address else { return None };
        let [ten, a, b, c] = address.ip().octets();
        let number = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        (ten == 10).then(|| number.checked_sub(1)).flatten().map(Self)
    }
}

/// Everybody's password.
pub fn password(user: &str) -> String {
    format!("secret of {user}")
}
