//! The table of flows: open connections and bound datagram sockets, shared by all shards.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use sip_core::limits::DATAGRAM_COMFORT;
use sip_core::server::{Granted, Guests, Identity};
use sip_core::time::Instant;
use sip_core::transport::{FlowId, Hop, Transport};
use smol_str::SmolStr;

use crate::connection::{Line, Outbox};
use crate::datagrams::Datagrams;
use crate::metrics::{Loss, Metrics};

/// The most shards there can be: a flow remembers in one word which of them used it.
pub const MAX_SHARDS: usize = 64;

/// What finds a connection for further use: over TLS it is one of somebody's who was verified.
type Peer = (Transport, SocketAddr, SmolStr);

/// Domains of one certificate that its connection is found by. Past it the others are not.
const ALIASES: usize = 8;

/// An open connection or a bound datagram socket.
#[derive(Debug)]
pub struct Flow {
    id: FlowId,
    transport: Transport,
    local: SocketAddr,
    /// The peer; for a datagram socket nobody.
    remote: Option<SocketAddr>,
    /// The domain its certificate was verified for, if we opened it; empty for nobody's.
    domain: SmolStr,
    /// The domains that its peer's certificate names, whoever opened it.
    certified: Option<Arc<[SmolStr]>>,
    /// The address that it may be used for, too (RFC 5923): the first that it said.
    alias: OnceLock<SocketAddr>,
    sink: Sink,
    identity: Mutex<Option<Arc<Identity>>>,
    /// What has registered over it at registrars behind us.
    guests: Mutex<Option<Arc<Guests>>>,
    /// The account that has proven itself over it, registered or not; empty for a peer of the configuration.
    known: Mutex<Option<SmolStr>>,
    /// One bit for each shard that received over this flow or sent to it.
    shards: AtomicU64,
    opened: Instant,
    /// When the last message passed, in the core's microseconds; when it was opened, if none has.
    last_message: AtomicU64,
}

/// Where what is sent over a flow goes.
#[derive(Debug)]
enum Sink {
    Connection(Outbox),
    Datagrams(Arc<UdpSocket>),
}

/// The flow does not exist any more, or just ceased to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl Flow {
    /// The flow's name.
    pub fn id(&self) -> FlowId {
        self.id
    }

    /// The hop over this connection.
    pub fn hop(&self) -> Option<Hop> {
        Some(self.hop_to(self.remote?))
    }

    /// The hop over this datagram socket to a peer.
    pub fn hop_to(&self, remote: SocketAddr) -> Hop {
        Hop { flow: self.id, transport: self.transport, local: self.local, remote }
    }

    /// Our address, as peers see it.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// What is spoken over it.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Who it proved to be.
    pub fn identity(&self) -> Option<Arc<Identity>> {
        self.identity.lock().clone()
    }

    /// What has registered over it at registrars behind us.
    pub fn guests(&self) -> Option<Arc<Guests>> {
        self.guests.lock().clone()
    }

    /// Until when something is registered over it, here or behind us.
    pub fn registered_until(&self) -> Option<Instant> {
        let here = self.identity.lock().as_ref().map(|identity| identity.expires_at);
        here.max(self.guests.lock().as_ref().and_then(|guests| guests.until()))
    }

    /// The domains that its peer was verified to be.
    pub fn certified(&self) -> Option<Arc<[SmolStr]>> {
        self.certified.clone()
    }

    /// What finds this connection for requests in the other direction.
    fn aliases(&self) -> impl Iterator<Item = Peer> {
        let remote = self.alias.get().copied();
        let domains = self.certified.iter().flat_map(|domains| domains.iter().take(ALIASES));
        remote.into_iter().flat_map(move |remote| {
            domains.clone().map(move |domain| (Transport::Tls, remote, domain.clone()))
        })
    }

    /// Remembers who it proved to be. A datagram socket is many peers and never anybody.
    pub fn identify(&self, identity: Arc<Identity>) {
        if matches!(self.sink, Sink::Connection(_)) {
            *self.identity.lock() = Some(identity);
        }
    }

    /// Remembers that `shard` uses this flow and has to know when it closes.
    pub fn used_by(&self, shard: usize) {
        let bit = 1 << shard;
        // Mostly the bit is set already: a load does not steal the cache line.
        if self.shards.load(Ordering::Relaxed) & bit == 0 {
            self.shards.fetch_or(bit, Ordering::AcqRel);
        }
    }

    /// Remembers that a message passed.
    pub fn touch(&self, now: Instant) {
        self.last_message.store(now.as_micros(), Ordering::Relaxed);
    }

    /// A keep-alive came. From whom we know it is a sign of life as good as a message.
    pub fn kept_alive(&self, now: Instant) {
        if self.known.lock().is_some() {
            self.touch(now);
        }
    }

    /// When the last message passed.
    pub fn last_message(&self) -> Instant {
        Instant::from_micros(self.last_message.load(Ordering::Relaxed))
    }

    /// Whether a message has passed.
    pub fn has_spoken(&self) -> bool {
        self.last_message() > self.opened
    }

    /// What finds this connection for further use. Over TLS, a phone was verified to be nobody.
    fn peer(&self) -> Option<Peer> {
        let usable =
            self.transport == Transport::Tcp || (self.transport == Transport::Tls && !self.domain.is_empty());
        Some((self.transport, self.remote?, self.domain.clone())).filter(|_| usable)
    }

    /// The datagram socket, if it is one.
    pub(crate) fn socket(&self) -> Option<&UdpSocket> {
        match &self.sink {
            Sink::Datagrams(socket) => Some(socket),
            Sink::Connection(_) => None,
        }
    }
}

/// All open flows.
#[derive(Debug)]
pub struct Flows {
    next: AtomicU64,
    table: RwLock<Table>,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct Table {
    flows: HashMap<FlowId, Arc<Flow>, BuildHasherDefault<Numbers>>,
    /// Connections that can be used again, by their peer's address and, over TLS, the domain it was verified for.
    peers: HashMap<Peer, FlowId>,
    /// Datagram sockets, in the order of the configuration.
    udp: Vec<FlowId>,
}

/// Hashes numbers that nobody chooses, so that none are made to meet: those of flows, which we count ourselves.
#[derive(Debug, Default)]
pub(crate) struct Numbers(u64);

impl Hasher for Numbers {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // The table looks at the upper bits, too.
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Flows {
    /// An empty table. Names count from the microseconds of `now`, so that a token that names a flow of an earlier
    /// process never means one of this.
    pub fn new(now: Instant, metrics: Metrics) -> Self {
        Self { next: AtomicU64::new(now.as_micros()), table: RwLock::default(), metrics }
    }

    /// Adds a connection.
    pub fn open_connection(&self, line: Line, outbox: Outbox, now: Instant) -> Arc<Flow> {
        let flow = self.flow(line, true, Sink::Connection(outbox), now);
        let mut table = self.table.write();
        if let Some(peer) = flow.peer() {
            table.peers.insert(peer, flow.id);
        }
        table.flows.insert(flow.id, Arc::clone(&flow));
        flow
    }

    /// Adds a bound datagram socket, whose address peers see as `local`.
    pub fn open_socket(&self, socket: Arc<UdpSocket>, local: SocketAddr, now: Instant) -> Arc<Flow> {
        let nobody = Line {
            transport: Transport::Udp,
            local,
            remote: local,
            domain: SmolStr::default(),
            certified: None,
        };
        let flow = self.flow(nobody, false, Sink::Datagrams(socket), now);
        let mut table = self.table.write();
        table.udp.push(flow.id);
        table.flows.insert(flow.id, Arc::clone(&flow));
        flow
    }

    /// Removes a flow and tells which shards used it. From now on it cannot be sent to.
    pub fn close(&self, flow: &Flow) -> impl Iterator<Item = usize> + use<> {
        let mut table = self.table.write();
        if table.flows.remove(&flow.id).is_some() {
            self.metrics.flow_closed(flow.transport);
            table.udp.retain(|id| *id != flow.id);
            if let Some(peer) = flow.peer()
                && table.peers.get(&peer) == Some(&flow.id)
            {
                table.peers.remove(&peer);
            }
            for alias in flow.aliases() {
                if table.peers.get(&alias) == Some(&flow.id) {
                    table.peers.remove(&alias);
                }
            }
        }
        drop(table);
        let shards = flow.shards.load(Ordering::Acquire);
        (0..MAX_SHARDS).filter(move |shard| shards & (1 << shard) != 0)
    }

    /// Has a flow used for what is to be sent to `remote` over TLS for one of the domains its peer was verified to be.
    pub fn alias(&self, flow: FlowId, remote: SocketAddr) {
        let known = |table: &Table| {
            let flow = table.flows.get(&flow)?;
            flow.alias.get().is_none().then(|| Arc::clone(flow))
        };
        // Every request says so again.
        if known(&self.table.read()).is_none() {
            return;
        }
        let mut table = self.table.write();
        let Some(flow) = known(&table) else { return };
        if flow.alias.set(remote).is_ok() {
            for alias in flow.aliases() {
                table.peers.insert(alias, flow.id);
            }
        }
    }

    /// Sends `message` whole on behalf of `shard`. Over a datagram socket it goes when `datagrams` go.
    pub fn send(
        &self,
        shard: usize,
        to: &Hop,
        message: Bytes,
        now: Instant,
        datagrams: &mut Datagrams,
    ) -> Result<(), Gone> {
        let flow = {
            let table = self.table.read();
            let flow = table.flows.get(&to.flow);
            // Before the lock is given back: if the flow closes right then, the shard is told.
            flow.inspect(|flow| flow.used_by(shard)).cloned()
        };
        let Some(flow) = flow else {
            self.metrics.lost(Loss::NoFlow);
            return Err(Gone);
        };
        flow.touch(now);
        match &flow.sink {
            Sink::Connection(outbox) => {
                if outbox.push(message).is_err() {
                    self.metrics.lost(Loss::QueueFull);
                    return Err(Gone);
                }
                self.metrics.sent(flow.transport, 1);
            }
            Sink::Datagrams(_) => {
                if message.len() > DATAGRAM_COMFORT {
                    self.metrics.long_datagrams.inc();
                }
                datagrams.push(flow, to.remote, message, &self.metrics);
            }
        }
        Ok(())
    }

    /// Remembers who a flow proved to be.
    pub fn identify(&self, flow: FlowId, identity: Arc<Identity>) {
        if let Some(flow) = self.table.read().flows.get(&flow) {
            flow.identify(identity);
        }
    }

    /// Remembers what a registrar behind us has granted over a connection.
    pub fn grant(&self, granted: &Granted, now: Instant) {
        let table = self.table.read();
        let flow = table.flows.get(&granted.flow);
        if let Some(flow) = flow.filter(|flow| matches!(flow.sink, Sink::Connection(_))) {
            let mut guests = flow.guests.lock();
            *guests = Some(Arc::new(guests.as_deref().unwrap_or(&Guests::default()).with(granted, now)));
        }
    }

    /// Remembers which account has proven itself over a flow; empty for a peer of the configuration.
    pub fn know(&self, flow: FlowId, username: SmolStr) {
        if let Some(flow) = self.table.read().flows.get(&flow) {
            *flow.known.lock() = Some(username);
        }
    }

    /// The flows of accounts that are gone, or whose password is another, speak for them no longer but in the dialogs they are
    /// in: whoever talks may hang up, and what such a flow asks for beside that must be proven again.
    pub fn revoke(&self, ended: impl Fn(&str) -> bool, now: Instant) {
        for flow in self.table.read().flows.values() {
            flow.known.lock().take_if(|username| ended(username));
            let mut identity = flow.identity.lock();
            if let Some(known) = identity.as_ref().filter(|known| ended(&known.username)) {
                let ended = Identity { expires_at: now, ..Identity::clone(known) };
                *identity = Some(Arc::new(ended));
            }
        }
    }

    /// Whether a flow is open.
    pub fn is_open(&self, flow: FlowId) -> bool {
        self.table.read().flows.contains_key(&flow)
    }

    /// The hop over an open connection.
    pub fn hop(&self, flow: FlowId) -> Option<Hop> {
        self.table.read().flows.get(&flow)?.hop()
    }

    /// The hop over an open connection to `remote`; over TLS, one whose peer was verified to be `domain`.
    pub fn connected(&self, transport: Transport, remote: SocketAddr, domain: &SmolStr) -> Option<Hop> {
        let domain = if transport == Transport::Tls { domain.clone() } else { SmolStr::default() };
        let table = self.table.read();
        table.flows.get(table.peers.get(&(transport, remote, domain))?)?.hop()
    }

    /// The hop for datagrams to somebody who knows none of our addresses yet: from the first socket from which the system
    /// knows a way.
    pub fn udp_toward(&self, remote: SocketAddr) -> Option<Hop> {
        let table = self.table.read();
        let flows = table.udp.iter().filter_map(|id| table.flows.get(id));
        let flow = flows.filter(|flow| flow.local.is_ipv4() == remote.is_ipv4()).find(|flow| {
            let Sink::Datagrams(socket) = &flow.sink else { return false };
            let from = socket.local_addr().map(|bound| SocketAddr::new(bound.ip(), 0));
            // Nothing is sent: connecting a datagram socket only looks the way up.
            from.and_then(UdpSocket::bind).is_ok_and(|probe| probe.connect(remote).is_ok())
        })?;
        Some(flow.hop_to(remote))
    }

    /// The hop for datagrams to `remote`: from the socket it knows as `local` or, after a change of the configuration,
    /// the first of its address family.
    pub fn udp_to(&self, local: SocketAddr, remote: SocketAddr) -> Option<Hop> {
        let table = self.table.read();
        let sockets = || table.udp.iter().filter_map(|id| table.flows.get(id));
        let known = sockets().find(|flow| flow.local == local);
        let flow = known.or_else(|| sockets().find(|flow| flow.local.is_ipv4() == remote.is_ipv4()))?;
        Some(flow.hop_to(remote))
    }

    fn flow(&self, line: Line, connected: bool, sink: Sink, now: Instant) -> Arc<Flow> {
        let Line { transport, local, remote, domain, certified } = line;
        self.metrics.flow_opened(transport);
        Arc::new(Flow {
            id: FlowId(self.next.fetch_add(1, Ordering::Relaxed)),
            transport,
            local,
            remote: connected.then_some(remote),
            domain,
            certified,
            alias: OnceLock::new(),
            sink,
            identity: Mutex::new(None),
            guests: Mutex::new(None),
            known: Mutex::new(None),
            shards: AtomicU64::new(0),
            opened: now,
            last_message: AtomicU64::new(now.as_micros()),
        })
    }
}
