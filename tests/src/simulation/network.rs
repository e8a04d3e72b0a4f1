//! Links between nodes: what they do to datagrams, and connections that keep order until they break.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sip_core::entropy::{SeededEntropy, number};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{FlowId, Hop, Transport};

use super::NodeId;
use super::trace::{Fate, fingerprint};

/// Ports of those who open connections, from here on.
const EPHEMERAL: u16 = 40_000;

/// What a lost segment costs a stream: its transport retransmits it.
const STREAM_LOSS: Duration = Duration::from_millis(200);

/// What every link does. Chances are per thousand.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// Least and most latency, milliseconds.
    pub latency: (u64, u64),
    /// Datagrams lost.
    pub loss: u64,
    /// How often the same request, or an answer to it, may be lost in a row between two nodes. With more, a call could
    /// fail by bad luck alone; with 2 retransmission gets through two hops before its transaction ends, with 1 through
    /// three, and a failure is a bug.
    pub lost_in_a_row: u8,
    /// Datagrams that arrive twice.
    pub duplication: u64,
    /// Datagrams that others overtake: they take up to `late` longer.
    pub reordering: u64,
    /// Milliseconds.
    pub late: u64,
    /// Longer datagrams are dropped. Bytes.
    pub mtu: usize,
}

impl Profile {
    /// Nothing is lost and nothing is late.
    pub const SMOOTH: Self = Self {
        latency: (5, 20),
        loss: 0,
        lost_in_a_row: 0,
        duplication: 0,
        reordering: 0,
        late: 0,
        mtu: 65_507,
    };

    /// A tenth is lost, a tenth doubled, a fifth late.
    pub const ROUGH: Self = Self {
        latency: (5, 80),
        loss: 100,
        lost_in_a_row: 2,
        duplication: 100,
        reordering: 200,
        late: 400,
        mtu: 65_507,
    };
}

/// Names a connection for the whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// Both its ends know it by this.
    pub const fn flow(self) -> FlowId {
        FlowId(10_000 + self.0)
    }

    /// The connection a flow is; `None`: a datagram socket.
    pub fn of(flow: FlowId) -> Option<Self> {
        flow.0.checked_sub(10_000).map(Self)
    }
}

/// A connection from its client's attempt until both ends know of its end.
#[derive(Debug)]
pub struct Connection {
    /// Who opened it.
    pub client: NodeId,
    /// Who took it.
    pub server: NodeId,
    /// What kind it is.
    pub transport: Transport,
    /// Nothing arrives any more.
    pub broken: bool,
    /// Which ends, client and server, believe in it.
    pub open: [bool; 2],
    /// When the last message sent to the client and to the server arrives.
    last: [Instant; 2],
}

impl Connection {
    /// The other end.
    pub const fn peer(&self, node: NodeId) -> NodeId {
        if self.client.0 == node.0 { self.server } else { self.client }
    }

    /// A stream of bytes; over the others messages stay whole (RFC 7118 §5).
    pub const fn is_stream(&self) -> bool {
        matches!(self.transport, Transport::Tcp | Transport::Tls)
    }

    /// Whether this end believes in it.
    pub const fn is_open(&self, node: NodeId) -> bool {
        self.open[(self.server.0 == node.0) as usize]
    }
}

/// All links.
#[derive(Debug)]
pub struct Network {
    /// What links do now.
    pub profile: Profile,
    /// Pairs that cannot reach each other, and until when.
    cuts: BTreeMap<(NodeId, NodeId), Instant>,
    lost: BTreeMap<(NodeId, NodeId, u64), u8>,
    connections: BTreeMap<ConnectionId, Connection>,
    opened: u64,
    /// What a script wants lost: whose next message, and how it is called.
    doomed: Vec<(NodeId, &'static str)>,
    /// What was sent over undisturbed links: repeated bytes there mean that somebody waited in vain.
    seen: Option<BTreeSet<(NodeId, NodeId, u64)>>,
}

impl Network {
    /// Links of one kind everywhere. `watch_repeats`: remember everything that was sent.
    pub fn new(profile: Profile, watch_repeats: bool) -> Self {
        Self {
            profile,
            cuts: BTreeMap::new(),
            lost: BTreeMap::new(),
            connections: BTreeMap::new(),
            opened: 0,
            doomed: Vec::new(),
            seen: watch_repeats.then(BTreeSet::new),
        }
    }

    /// Whether these very bytes went this way before.
    pub fn is_repeated(&mut self, from: NodeId, to: NodeId, message: &[u8]) -> bool {
        self.seen.as_mut().is_some_and(|seen| !seen.insert((from, to, fingerprint(message))))
    }

    /// Nothing passes between these two until then.
    pub fn cut(&mut self, a: NodeId, b: NodeId, until: Instant) {
        let end = self.cuts.entry(pair(a, b)).or_insert(until);
        *end = until.max(*end);
    }

    /// Until when these two are separated.
    pub fn cut_until(&self, now: Instant, a: NodeId, b: NodeId) -> Option<Instant> {
        self.cuts.get(&pair(a, b)).copied().filter(|until| *until > now)
    }

    /// This node's next message that is called so is lost.
    pub fn lose_next(&mut self, from: NodeId, label: &'static str) {
        self.doomed.push((from, label));
    }

    fn is_doomed(&mut self, from: NodeId, message: &Bytes) -> bool {
        let label = || super::ladder::label(message);
        let at = self.doomed.iter().position(|(who, name)| *who == from && label().starts_with(name));
        at.map(|at| self.doomed.remove(at)).is_some()
    }

    /// Decides about a datagram.
    pub fn datagram(
        &mut self,
        now: Instant,
        dice: &mut SeededEntropy,
        from: NodeId,
        to: NodeId,
        message: &Bytes,
    ) -> Fate {
        if !self.doomed.is_empty() && self.is_doomed(from, message) {
            return Fate::Lost("as the script has it");
        }
        if message.len() > self.profile.mtu {
            return Fate::Lost("larger than the MTU");
        }
        if self.cut_until(now, from, to).is_some() {
            return Fate::Lost("partition");
        }
        if self.profile.loss > 0 {
            let name = (from, to, exchange(message));
            if number(dice) % 1000 < self.profile.loss {
                let times = self.lost.entry(name).or_default();
                if *times < self.profile.lost_in_a_row {
                    *times += 1;
                    return Fate::Lost("loss");
                }
            }
            self.lost.remove(&name);
        }
        let first = now + self.latency(dice);
        if self.profile.duplication > 0 && number(dice) % 1000 < self.profile.duplication {
            return Fate::Twice(first, now + self.latency(dice));
        }
        Fate::Arrives(first)
    }

    /// Decides about a message over a connection: it keeps its place, whatever it has to wait for.
    pub fn segment(
        &mut self,
        now: Instant,
        dice: &mut SeededEntropy,
        id: ConnectionId,
        from: NodeId,
    ) -> Fate {
        let Some((client, server)) = self.connections.get(&id).map(|c| (c.client, c.server)) else {
            return Fate::Lost("no connection");
        };
        let start = self.cut_until(now, client, server).unwrap_or(now);
        let mut arrival = start + self.latency(dice);
        if self.profile.loss > 0 && number(dice) % 1000 < self.profile.loss {
            arrival += STREAM_LOSS;
        }
        let Some(connection) = self.connections.get_mut(&id) else { return Fate::Lost("no connection") };
        if connection.broken {
            return Fate::Lost("broken connection");
        }
        let last = &mut connection.last[usize::from(from == client)];
        arrival = arrival.max(*last);
        *last = arrival;
        Fate::Arrives(arrival)
    }

    /// A connection that stands at its server's end as soon as it stands at its client's.
    pub fn connect(&mut self, client: NodeId, server: NodeId, transport: Transport) -> ConnectionId {
        self.opened += 1;
        let id = ConnectionId(self.opened);
        let last = [Instant::default(); 2];
        let connection = Connection { client, server, transport, broken: false, open: [true; 2], last };
        self.connections.insert(id, connection);
        id
    }

    /// A connection that at least one end believes in.
    pub fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(&id)
    }

    /// What an end that believes in a connection sends over.
    pub fn hop(&self, id: ConnectionId, own: NodeId) -> Option<Hop> {
        let found = self.connections.get(&id).filter(|c| c.is_open(own))?;
        let (local, mut remote) = (own.address(), found.peer(own).address());
        if own == found.server {
            remote.set_port(EPHEMERAL + (id.0 % 20_000) as u16);
        }
        Some(Hop { flow: id.flow(), transport: found.transport, local, remote })
    }

    /// A connection of this kind that this node opened to that one and believes in.
    pub fn opened(&self, own: NodeId, peer: NodeId, transport: Transport) -> Option<ConnectionId> {
        let mut all = self.connections.iter();
        let fits = |c: &Connection| {
            c.transport == transport && (c.client, c.server) == (own, peer) && c.is_open(own)
        };
        all.find(|(_, c)| fits(c)).map(|(id, _)| *id)
    }

    /// Nothing arrives over it any more; its ends do not know yet.
    pub fn break_connection(&mut self, id: ConnectionId) -> bool {
        let Some(connection) = self.connections.get_mut(&id).filter(|c| !c.broken) else { return false };
        connection.broken = true;
        true
    }

    /// An end learns that it is broken. `false`: it knew.
    pub fn close(&mut self, id: ConnectionId, node: NodeId) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else { return false };
        let open = &mut connection.open[usize::from(connection.server == node)];
        let was = core::mem::replace(open, false);
        if connection.open == [false; 2] {
            self.connections.remove(&id);
        }
        was
    }

    /// The connections an end believes in.
    pub fn connections_of(&self, node: NodeId) -> Vec<ConnectionId> {
        let all = self.connections.iter();
        all.filter(|(_, c)| (c.client == node || c.server == node) && c.is_open(node))
            .map(|(id, _)| *id)
            .collect()
    }

    /// One way from here to there.
    pub fn latency(&self, dice: &mut SeededEntropy) -> Duration {
        let Profile { latency: (least, most), reordering, late, .. } = self.profile;
        let mut micros = 1000 * least + number(dice) % (1000 * (most - least) + 1);
        if reordering > 0 && number(dice) % 1000 < reordering {
            micros += number(dice) % (1000 * late + 1);
        }
        Duration::from_micros(micros)
    }
}

/// Names a request by its bytes, and all its answers by its branch: whichever of them comes stops the retransmission.
fn exchange(message: &[u8]) -> u64 {
    let branch = b"branch=";
    let at = message.windows(branch.len()).position(|bytes| bytes == branch);
    match at.filter(|_| message.starts_with(b"SIP/2.0 ")) {
        Some(at) => {
            let rest = &message[at..];
            let end = rest.iter().position(|byte| b";\r\n".contains(byte)).unwrap_or(rest.len());
            fingerprint(&rest[..end])
        }
        None => fingerprint(message),
    }
}

fn pair(a: NodeId, b: NodeId) -> (NodeId, NodeId) {
    (a.min(b), a.max(b))
}
