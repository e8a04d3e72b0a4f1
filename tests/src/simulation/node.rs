//! The nodes of a world: phones, which are user agents with somebody who uses them, and servers.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use sip_core::entropy::SeededEntropy;
use sip_core::server::{self, ForwardRule, Identity, Keep, Mode, Outward, Server};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{FlowId, Hop, Transport};
use sip_core::user_agent::{self, Aor, CallId, Event, OutboundFlow, UserAgent};

use super::NodeId;
use super::chats;
use super::directory::{Directory, SOCKET};
use super::network::ConnectionId;
use super::presence::Presence;
use super::trace::stir;
use super::watch::{Watch, Watched};

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
    /// Its ways there.
    pub lines: Vec<Line>,
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
    /// What it keeps of its calls, in case it restarts.
    pub kept: BTreeMap<CallId, Kept>,
    /// Calls that stood when a flow was lost, by their Call-ID: whether the other side still knows is to be asked.
    pub doubted: BTreeMap<String, CallId>,
    /// Restarts so far.
    pub life: u64,
    /// It runs.
    pub up: bool,
    seed: u64,
}

/// One way to a server (RFC 5626 §4.2).
#[derive(Debug)]
pub struct Line {
    /// Names it to the registrar.
    pub reg_id: u32,
    /// Who is at its other end.
    pub home: NodeId,
    /// The connection it uses; over datagrams there is none.
    pub connection: Option<ConnectionId>,
    /// It has a flow, or thinks so.
    pub online: bool,
}

/// What is kept of a call.
#[derive(Debug)]
pub struct Kept {
    /// The snapshot.
    pub text: String,
    /// The call as its user knows it.
    pub call: Watched,
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
    /// Calls that are being set up, and survive it with its bindings.
    pub kept: BTreeMap<u128, Bytes>,
    /// What is still to be written of them.
    keeps: VecDeque<(Instant, Keep)>,
    /// Who its connections are.
    pub identities: BTreeMap<FlowId, Arc<Identity>>,
    /// It runs.
    pub up: bool,
    life: u64,
    seed: u64,
}

/// How long what changes may take to be on the disk, milliseconds.
pub const WRITTEN_WITHIN: u64 = 100;

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
        config.message_types = chats::TYPES.map(Into::into).into();
        config.info_packages = vec![chats::PACKAGE.into()];
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
            lines: vec![Line { reg_id: 1, home, connection: None, online: false }],
            kept: BTreeMap::new(),
            doubted: BTreeMap::new(),
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

    /// Gives it one more way to a server; to be called before it is switched on.
    pub fn add_line(&mut self, home: NodeId) {
        let reg_id = self.lines.len() as u32 + 1;
        self.lines.push(Line { reg_id, home, connection: None, online: false });
        let flows = self.lines.iter().map(|line| OutboundFlow { reg_id: line.reg_id, proxy: None }).collect();
        self.configure(|config| config.flows = flows);
    }

    /// Whether it has a flow, or thinks so.
    pub fn is_online(&self) -> bool {
        self.lines.iter().any(|line| line.online)
    }

    /// Loses all it knows but who it is.
    pub fn restart(&mut self) {
        self.life += 1;
        let seed = stir(self.seed, self.life);
        self.agent = UserAgent::new(self.config.clone(), Box::new(SeededEntropy(seed)));
        self.watch = Watch { total: self.watch.total, ..Watch::default() };
        self.presence = Presence::default();
        self.events.clear();
        self.kept.clear();
        self.doubted.clear();
        for line in &mut self.lines {
            (line.connection, line.online) = (None, false);
        }
        self.up = true;
    }

    /// The flow its socket has with this node.
    pub fn socket(&self, own: NodeId, peer: NodeId) -> Hop {
        let line = self.lines.iter().position(|line| line.home == peer).unwrap_or_default() as u64;
        let flow = FlowId(100 + 4 * self.life + line);
        Hop { flow, transport: Transport::Udp, local: own.address(), remote: peer.address() }
    }
}

impl ServerNode {
    /// A server for `domain` that runs.
    pub fn new(id: NodeId, domain: &str, seed: u64) -> Self {
        let seed = stir(stir(seed, 2), id.0 as u64);
        Self {
            domain: domain.to_owned(),
            server: Self::make(domain, seed, 0),
            directory: Directory::default(),
            kept: BTreeMap::new(),
            keeps: VecDeque::new(),
            identities: BTreeMap::new(),
            up: true,
            life: 0,
            seed,
        }
    }

    /// Another domain is its own as well.
    pub fn also_serves(&mut self, domain: &str) {
        let mut config = Self::config(&self.domain, 0);
        config.aliases = vec![domain.into()];
        self.server = BoxedServer(Box::new(Server::new(config, Box::new(SeededEntropy(self.seed)))));
    }

    /// It tells who asks for somebody where to ask instead (RFC 3261 §8.3).
    pub fn redirect(&mut self) {
        let mut config = Self::config(&self.domain, 0);
        config.routing.mode = Mode::Redirect;
        self.server = BoxedServer(Box::new(Server::new(config, Box::new(SeededEntropy(self.seed)))));
    }

    /// It starts anew, with its bindings, and with a rule by which calls go elsewhere.
    pub fn forward(&mut self, rule: ForwardRule) {
        self.life += 1;
        let mut config = Self::config(&self.domain, 0);
        config.forwarding = vec![rule];
        let seed = stir(self.seed, self.life);
        self.server = BoxedServer(Box::new(Server::new(config, Box::new(SeededEntropy(seed)))));
    }

    /// A call that is being set up has changed. It is on the disk a little later.
    pub fn keep(&mut self, now: Instant, keep: Keep) {
        self.keeps.push_back((now, keep));
        self.write(now, Duration::from_millis(WRITTEN_WITHIN));
    }

    /// Writes what has changed by then, so long before `now`.
    pub fn write(&mut self, now: Instant, before: Duration) {
        while let Some((_, Keep { key, record })) = self.keeps.pop_front_if(|(at, _)| *at + before <= now) {
            match record {
                Some(record) => drop(self.kept.insert(key, record)),
                None => drop(self.kept.remove(&key)),
            }
        }
    }

    /// What was not written by now never is.
    pub fn dies(&mut self, now: Instant, before: Duration) {
        self.write(now, before);
        self.keeps.clear();
        self.up = false;
    }

    /// Loses its transactions and connections; its keys stay, unless they shall not, its bindings if so wanted.
    pub fn restart(&mut self, keep_bindings: bool, new_keys: bool) {
        self.life += 1;
        let key = if new_keys { self.life as u8 } else { 0 };
        self.server = Self::make(&self.domain, stir(self.seed, self.life), key);
        self.identities.clear();
        self.directory.restart(keep_bindings);
        self.up = true;
    }

    fn make(domain: &str, seed: u64, key: u8) -> BoxedServer {
        BoxedServer(Box::new(Server::new(Self::config(domain, key), Box::new(SeededEntropy(seed)))))
    }

    /// Two domains have two data directories, and so other keys.
    fn config(domain: &str, key: u8) -> server::Config {
        let key = domain.bytes().fold(key, |key, byte| key.rotate_left(1) ^ byte);
        let mut config = server::Config::new(domain, [7 ^ key; 32], [9 ^ key; 32]);
        config.outward = Outward::Anywhere;
        config.keeps_calls = true;
        config
    }

    /// The flow its socket has with this node.
    pub fn socket(own: NodeId, peer: NodeId) -> Hop {
        Hop { flow: SOCKET, transport: Transport::Udp, local: own.address(), remote: peer.address() }
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
