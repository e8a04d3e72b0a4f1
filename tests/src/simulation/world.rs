//! The world: nodes, the network between them, one clock, and the rules that hold at every step.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use sip_core::entropy::{SeededEntropy, number};
use sip_core::server::{self, Answer};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{Hop, Transport};
use sip_core::user_agent::{self, CallId, End, Event, UserAgent};

use super::directory::{Dns, SOCKET};
use super::fault::Fault;
use super::mesh::{self, MESH};
use super::network::{ConnectionId, Network, Profile};
use super::node::{Node, Phone, ServerNode};
use super::person::{Action, Habits};
use super::sabotage::Saboteur;
use super::trace::{Fate, Trace, stir};
use super::{NodeId, Violation};

/// When the clock starts.
pub const START: Instant = Instant::from_micros(1_700_000_000_000_000);

/// What is going to happen.
#[derive(Debug)]
enum Happening {
    Datagram {
        from: NodeId,
        to: NodeId,
        message: Bytes,
    },
    Segment {
        connection: ConnectionId,
        to: NodeId,
        message: Bytes,
    },
    /// An end of a broken connection notices.
    Closed {
        connection: ConnectionId,
        node: NodeId,
    },
    /// A phone tries to open a connection.
    Connect {
        phone: NodeId,
        life: u64,
    },
    Fault(Fault),
    /// A node that was stopped starts anew.
    Start {
        node: NodeId,
        keep: bool,
    },
    Act {
        phone: NodeId,
        life: u64,
        action: Action,
    },
}

/// What made a world different from a smooth and honest one.
#[derive(Debug, Default)]
pub struct Setting {
    /// Record everything and not only a hash.
    pub whole_trace: bool,
    /// Repeated bytes on a link are a violation.
    pub no_repeats: bool,
    /// Somebody breaks a rule.
    pub saboteur: Option<Saboteur>,
}

/// Everything there is in one run.
#[derive(Debug)]
pub struct World {
    /// The clock.
    pub now: Instant,
    /// By their ids.
    pub nodes: Vec<Node>,
    /// Links and connections.
    pub network: Network,
    /// Where the servers of each domain are.
    pub dns: Dns,
    /// What happened.
    pub trace: Trace,
    /// The first broken rule; nothing happens after it.
    pub violation: Option<Violation>,
    /// All chance.
    pub dice: SeededEntropy,
    /// Events wait for a script instead of being acted upon by a person.
    pub scripted: bool,
    /// How people behave.
    pub habits: Habits,
    /// The last call's number.
    pub serial: u64,
    /// How each call ended, by its number: at whose phone, whether that was the caller's, and how.
    pub ends: BTreeMap<u64, Vec<(NodeId, bool, End)>>,
    no_repeats: bool,
    saboteur: Option<Saboteur>,
    agenda: BTreeMap<(Instant, u64), Happening>,
    planned: u64,
    timers: BTreeSet<(Instant, NodeId)>,
    timer_of: Vec<Option<Instant>>,
    /// What phones were told and have not acted upon.
    told: VecDeque<(NodeId, Event)>,
}

impl World {
    /// A world without nodes.
    pub fn new(seed: u64, profile: Profile, habits: Habits, setting: Setting) -> Self {
        Self {
            now: START,
            nodes: Vec::new(),
            network: Network::new(profile, setting.no_repeats),
            dns: Dns::default(),
            trace: Trace::new(setting.whole_trace),
            violation: None,
            dice: SeededEntropy(stir(stir(seed, 3), 0)),
            scripted: false,
            habits,
            serial: 0,
            ends: BTreeMap::new(),
            no_repeats: setting.no_repeats,
            saboteur: setting.saboteur,
            agenda: BTreeMap::new(),
            planned: 0,
            timers: BTreeSet::new(),
            timer_of: Vec::new(),
            told: VecDeque::new(),
        }
    }

    /// Adds a node, which gets the next id.
    pub fn add(&mut self, node: Node) -> NodeId {
        let id = NodeId(self.nodes.len());
        if let Node::Server(server) = &node {
            self.dns.add(&server.domain, id.address());
        }
        self.nodes.push(node);
        self.timer_of.push(None);
        id
    }

    /// Switches a phone on: it opens its flow and registers.
    pub fn switch_on(&mut self, phone: NodeId) {
        let Node::Phone(node) = &mut self.nodes[phone.0] else { return };
        node.up = true;
        let (registers, life) = (node.registers, node.life);
        if node.config.transport == Transport::Udp {
            let hop = node.hop(phone, node.home);
            node.online = true;
            self.input(phone, user_agent::Input::FlowOpened(hop));
        } else {
            self.plan(Duration::ZERO, Happening::Connect { phone, life });
        }
        if registers && self.command(phone, "register", UserAgent::register).is_err() {
            self.violate(phone, "a command that is legal is refused", "register");
        }
    }

    /// Lets a phone's user do something in a while, if the phone still runs then.
    pub fn plan_action(&mut self, after: Duration, phone: NodeId, action: Action) {
        let Node::Phone(node) = &self.nodes[phone.0] else { return };
        let life = node.life;
        self.plan(after, Happening::Act { phone, life, action });
    }

    /// Lets something go wrong in a while.
    pub fn plan_fault(&mut self, after: Duration, fault: Fault) {
        self.plan(after, Happening::Fault(fault));
    }

    /// Nobody begins anything any more, and nothing more goes wrong. Who was asked to make a call still says whether.
    pub fn end_activity(&mut self) {
        self.agenda.retain(|_, happening| match happening {
            Happening::Act { action, .. } => matches!(action, Action::Obey(_) | Action::Grant(_)),
            Happening::Fault(_) => false,
            _ => true,
        });
    }

    /// Runs for so long, or until a rule is broken.
    pub fn run(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Runs until `done`, or for so long, or until a rule is broken; whether `done` came true.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            if self.violation.is_some() || done(self) {
                return self.violation.is_none();
            }
            if !self.step(end) {
                return done(self);
            }
        }
    }

    /// A number below `bound`.
    pub fn roll(&mut self, bound: u64) -> u64 {
        number(&mut self.dice) % bound.max(1)
    }

    /// A duration between these two, in milliseconds.
    pub fn between(&mut self, (least, most): (u64, u64)) -> Duration {
        Duration::from_millis(least + self.roll(most - least + 1))
    }

    /// A phone, which this node must be.
    pub fn phone(&mut self, id: NodeId) -> &mut Phone {
        match &mut self.nodes[id.0] {
            Node::Phone(phone) => phone,
            Node::Server(_) => panic!("{id:?} is no phone"),
        }
    }

    /// All phones' ids.
    pub fn phones(&self) -> Vec<NodeId> {
        let all = self.nodes.iter().enumerate();
        all.filter(|(_, node)| matches!(node, Node::Phone(_))).map(|(at, _)| NodeId(at)).collect()
    }

    /// All servers' ids.
    pub fn servers(&self) -> Vec<NodeId> {
        let all = self.nodes.iter().enumerate();
        all.filter(|(_, node)| matches!(node, Node::Server(_))).map(|(at, _)| NodeId(at)).collect()
    }

    /// Gives a phone a command and carries out what follows.
    pub fn command<T>(
        &mut self,
        phone: NodeId,
        name: &str,
        command: impl FnOnce(&mut UserAgent, Instant) -> T,
    ) -> T {
        let now = self.now;
        self.trace.note(now, phone, || name.to_owned());
        let value = command(&mut self.phone(phone).agent, now);
        self.settle(phone);
        value
    }

    /// Carries out what follows from a command that was given to a phone directly.
    pub fn after_command(&mut self, phone: NodeId) {
        self.settle(phone);
    }

    /// Remembers how a call ended.
    pub fn note_end(&mut self, phone: NodeId, call: CallId, end: &End) {
        let Some((serial, outgoing)) = self.phone(phone).watch.ended.remove(&call) else { return };
        self.ends.entry(serial).or_default().push((phone, outgoing, end.clone()));
    }

    /// Notes the first broken rule.
    pub fn violate(&mut self, node: NodeId, rule: &'static str, detail: impl Into<String>) {
        let name = self.nodes[node.0].name().to_owned();
        let detail = detail.into();
        self.violation.get_or_insert(Violation { at: self.now, node: name, rule, detail });
    }

    /// Whether anything is going to happen by itself, timers aside.
    pub fn is_quiet(&self) -> bool {
        self.agenda.is_empty()
    }

    /// Lets time pass up to the next thing that happens, at most until `end`. `false`: nothing more until then.
    fn step(&mut self, end: Instant) -> bool {
        let happening = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let timer = self.timers.first().map(|(at, _)| *at);
        let Some(next) = happening.into_iter().chain(timer).min().filter(|next| *next <= end) else {
            self.now = end;
            return false;
        };
        self.now = self.now.max(next);
        if happening == Some(next) {
            if let Some((_, happening)) = self.agenda.pop_first() {
                self.happen(happening);
            }
        } else if let Some((_, node)) = self.timers.pop_first() {
            self.timer_of[node.0] = None;
            self.fire(node);
        }
        while let Some((phone, event)) = self.told.pop_front() {
            super::person::react(self, phone, &event);
        }
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Datagram { from, to, message } => {
                if self.nodes[to.0].is_up() {
                    self.arrive(from, to, None, message);
                }
            }
            Happening::Segment { connection, to, message } => {
                let Some(found) = self.network.connection(connection) else { return };
                if !found.broken && found.is_open(to) && self.nodes[to.0].is_up() {
                    let from = found.peer(to);
                    self.arrive(from, to, Some(connection), message);
                }
            }
            Happening::Closed { connection, node } => self.closed(connection, node),
            Happening::Connect { phone, life } => self.connect(phone, life),
            Happening::Fault(fault) => super::fault::strike(self, fault),
            Happening::Start { node, keep } => self.start(node, keep),
            Happening::Act { phone, life, action } => {
                let Node::Phone(node) = &self.nodes[phone.0] else { return };
                if node.life == life && node.up {
                    super::person::act(self, phone, action);
                }
            }
        }
    }

    fn arrive(&mut self, from: NodeId, to: NodeId, connection: Option<ConnectionId>, message: Bytes) {
        match &mut self.nodes[to.0] {
            Node::Phone(phone) => {
                let hop = phone.hop(to, from);
                self.input(to, user_agent::Input::Received { from: hop, message });
            }
            Node::Server(server) => {
                let hop = ServerNode::hop(to, from, connection);
                let identity = server.identities.get(&hop.flow).cloned();
                let input = server::Input::Received { from: hop, identity, message };
                server.server.0.handle_input(self.now, input);
                self.settle(to);
            }
        }
    }

    fn fire(&mut self, node: NodeId) {
        let now = self.now;
        if self.saboteur.as_mut().is_some_and(|s| s.stops_clock(now, node)) {
            return;
        }
        self.trace.timer(now, node);
        match &mut self.nodes[node.0] {
            Node::Phone(phone) => phone.agent.handle_input(now, user_agent::Input::Timeout),
            Node::Server(server) => server.server.0.handle_input(now, server::Input::Timeout),
        }
        if let Some(saboteur) = &mut self.saboteur {
            saboteur.in_timer = true;
        }
        self.settle(node);
        if let Some(saboteur) = &mut self.saboteur {
            saboteur.in_timer = false;
        }
        // It has had its turn: what was due is done.
        if self.nodes[node.0].timeout().is_some_and(|at| at <= now) {
            self.violate(node, "a timer that fired is still due: a busy loop", "");
        }
    }

    fn input(&mut self, phone: NodeId, input: user_agent::Input) {
        let now = self.now;
        self.phone(phone).agent.handle_input(now, input);
        self.settle(phone);
    }

    /// Carries out what a node wants, and sees that it is in order.
    fn settle(&mut self, id: NodeId) {
        match self.nodes[id.0] {
            Node::Phone(_) => self.drain_phone(id),
            Node::Server(_) => self.drain_server(id),
        }
        super::rules::check(self, id);
        let at = self.nodes[id.0].timeout();
        let known = core::mem::replace(&mut self.timer_of[id.0], at);
        if known != at {
            if let Some(at) = known {
                self.timers.remove(&(at, id));
            }
            self.timers.extend(at.map(|at| (at, id)));
        }
    }

    fn drain_phone(&mut self, id: NodeId) {
        while let Some(output) = self.phone(id).agent.poll_output() {
            match output {
                user_agent::Output::Transmit { to, message } => self.transmit(id, to, message),
                // Connections are opened anew by themselves here, and none breaks for want of traffic.
                user_agent::Output::OpenFlow { .. } | user_agent::Output::KeepAlive { .. } => {}
                user_agent::Output::Event(event) => {
                    self.trace.note(self.now, id, || describe(&event));
                    if let Err(rule) = self.phone(id).watch.see(&event) {
                        self.violate(id, rule, format!("{event:?}"));
                    }
                    if self.scripted {
                        self.phone(id).events.push_back(event);
                        continue;
                    }
                    if let Err(rule) = self.phone(id).presence.see(&event) {
                        self.violate(id, rule, format!("{event:?}"));
                    }
                    self.told.push_back((id, event));
                }
            }
        }
    }

    fn drain_server(&mut self, id: NodeId) {
        loop {
            let Node::Server(node) = &mut self.nodes[id.0] else { return };
            let Some(output) = node.server.0.poll_output() else { return };
            match output {
                server::Output::Transmit { to, message } => self.transmit(id, to, message),
                // Nobody remembers which server failed.
                server::Output::Target { .. } | server::Output::Probed { .. } => {}
                server::Output::Refused { .. } | server::Output::Guessed { .. } => {}
                server::Output::Authenticated { flow, identity } => {
                    // Datagrams have no flow of their own to authenticate.
                    if flow != SOCKET {
                        node.identities.insert(flow, identity);
                    }
                }
                server::Output::Ask(question, asked) => {
                    let network = &self.network;
                    let hop_of = |flow| {
                        let connection = ConnectionId::of(flow)?;
                        let found = network.connection(connection).filter(|c| c.is_open(id))?;
                        Some(ServerNode::hop(id, found.peer(id), Some(connection)))
                    };
                    let (now, outside) = (self.now, (id.address(), &self.dns));
                    if let Some(answer) = node.directory.answer(now, question, asked, outside, hop_of) {
                        node.server.0.handle_input(now, server::Input::Answer(question, answer));
                    }
                    for (question, hop) in node.directory.woken() {
                        let answer = Answer::Reachable(Some(hop));
                        node.server.0.handle_input(now, server::Input::Answer(question, answer));
                    }
                }
            }
        }
    }

    fn transmit(&mut self, from: NodeId, hop: Hop, message: Bytes) {
        if self.saboteur.as_mut().is_some_and(|s| s.swallows(from, &message)) {
            self.trace.fault(self.now, || "the saboteur swallowed the message that stood here".to_owned());
            return;
        }
        let now = self.now;
        if let Some(connection) = ConnectionId::of(hop.flow) {
            let Some(found) = self.network.connection(connection).filter(|c| c.is_open(from)) else {
                return self.violate(
                    from,
                    "sent over a connection whose end it was told",
                    format!("{hop:?}"),
                );
            };
            let to = found.peer(from);
            let fate = self.network.segment(now, &mut self.dice, connection, from);
            self.note_sent(from, to, &message, fate);
            if let Fate::Arrives(at) = fate {
                self.plan_at(at, Happening::Segment { connection, to, message });
            }
            return;
        }
        let addressed = match NodeId::of(hop.remote) {
            Some(MESH) => mesh::recipient(&self.nodes, &message),
            other => other,
        };
        let Some(to) = addressed.filter(|to| to.0 < self.nodes.len()) else {
            return self.violate(from, "sent to nobody", format!("{hop:?}"));
        };
        let fate = self.network.datagram(now, &mut self.dice, from, to, &message);
        self.note_sent(from, to, &message, fate);
        match fate {
            Fate::Arrives(at) => self.plan_at(at, Happening::Datagram { from, to, message }),
            Fate::Twice(first, second) => {
                self.plan_at(first, Happening::Datagram { from, to, message: message.clone() });
                self.plan_at(second, Happening::Datagram { from, to, message });
            }
            Fate::Lost(_) => {}
        }
    }

    fn note_sent(&mut self, from: NodeId, to: NodeId, message: &Bytes, fate: Fate) {
        self.trace.sent(self.now, from, to, message, fate);
        if self.no_repeats && self.network.is_repeated(from, to, message) {
            let line = super::ladder::label(message);
            // A ringing phone reminds its caller every minute (§13.3.1.1), and somebody takes his time to say whether a
            // REFER or SUBSCRIBE may be.
            let asked = ["REFER", "SUBSCRIBE"].iter().any(|method| line.contains(method));
            if !line.starts_with('1') && !asked {
                self.violate(from, "repeats a message that arrived and was in time", line);
            }
        }
    }

    fn connect(&mut self, phone: NodeId, life: u64) {
        let now = self.now;
        let node = self.phone(phone);
        let home = node.home;
        if node.life != life || !node.up || node.online {
            return;
        }
        if !self.nodes[home.0].is_up() || self.network.cut_until(now, phone, home).is_some() {
            let wait = self.between((500, 3_000));
            return self.plan(wait, Happening::Connect { phone, life });
        }
        let connection = self.network.connect(phone, home);
        self.trace.fault(now, || format!("a connection opens between {phone:?} and {home:?}"));
        let node = self.phone(phone);
        node.connection = Some(connection);
        node.online = true;
        let hop = node.hop(phone, home);
        self.input(phone, user_agent::Input::FlowOpened(hop));
    }

    /// A connection breaks; its ends notice in their own time.
    pub fn break_connection(&mut self, connection: ConnectionId, notice: (u64, u64)) {
        let Some((client, server)) = self.network.connection(connection).map(|c| (c.client, c.server)) else {
            return;
        };
        if self.network.break_connection(connection) {
            for node in [client, server] {
                let after = self.between(notice);
                self.plan(after, Happening::Closed { connection, node });
            }
        }
    }

    fn closed(&mut self, connection: ConnectionId, node: NodeId) {
        if !self.network.close(connection, node) {
            return;
        }
        let now = self.now;
        match &mut self.nodes[node.0] {
            Node::Phone(phone) if phone.connection == Some(connection) && phone.up => {
                phone.connection = None;
                phone.online = false;
                let life = phone.life;
                let wait = self.between((100, 3_000));
                self.plan(wait, Happening::Connect { phone: node, life });
                self.input(node, user_agent::Input::FlowClosed(connection.flow()));
            }
            Node::Phone(_) => {}
            Node::Server(server) if server.up => {
                server.identities.remove(&connection.flow());
                server.directory.flow_closed(connection.flow());
                server.server.0.handle_input(now, server::Input::FlowClosed(connection.flow()));
                self.settle(node);
            }
            Node::Server(_) => {}
        }
    }

    /// Stops a node at once; it starts anew after `down`, with its bindings if so wanted.
    pub fn stop(&mut self, node: NodeId, down: Duration, keep: bool) {
        if !self.nodes[node.0].is_up() {
            return;
        }
        for connection in self.network.connections_of(node) {
            self.break_connection(connection, (0, 3_000));
            self.network.close(connection, node);
            if let Node::Server(server) = &mut self.nodes[node.0] {
                server.directory.flow_closed(connection.flow());
            }
        }
        match &mut self.nodes[node.0] {
            Node::Phone(phone) => phone.up = false,
            Node::Server(server) => server.up = false,
        }
        if let Some(at) = self.timer_of[node.0].take() {
            self.timers.remove(&(at, node));
        }
        self.plan(down, Happening::Start { node, keep });
    }

    fn start(&mut self, node: NodeId, keep: bool) {
        self.trace.fault(self.now, || format!("{node:?} starts anew"));
        match &mut self.nodes[node.0] {
            Node::Server(server) => server.restart(keep),
            Node::Phone(phone) => {
                phone.restart();
                self.switch_on(node);
            }
        }
    }

    fn plan(&mut self, after: Duration, happening: Happening) {
        self.plan_at(self.now + after, happening);
    }

    fn plan_at(&mut self, at: Instant, happening: Happening) {
        self.planned += 1;
        self.agenda.insert((at, self.planned), happening);
    }
}

/// An event without the bodies it carries.
fn describe(event: &Event) -> String {
    match event {
        Event::Incoming { call, from, .. } => format!("Incoming {} from {}", call.as_u64(), from.user),
        Event::Progress { call, status, .. } => format!("Progress {} {status}", call.as_u64()),
        Event::Accepted { call, .. } => format!("Accepted {}", call.as_u64()),
        Event::Confirmed { call, .. } => format!("Confirmed {}", call.as_u64()),
        Event::Ended { call, end } => format!("Ended {} {end:?}", call.as_u64()),
        Event::Released { call } => format!("Released {}", call.as_u64()),
        other => {
            let mut text = format!("{other:?}");
            text.truncate(text.char_indices().nth(60).map_or(text.len(), |(at, _)| at));
            text
        }
    }
}
