//! The world: nodes, the network between them, one clock, and the rules that hold at every step.
//!
//! `delivery` has what nodes send and are sent, `connections` what some of it goes over, `lives` how nodes start,
//! stop and start again.

mod connections;
mod delivery;
mod lives;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use sip_core::entropy::{SeededEntropy, number};
use sip_core::server;
use sip_core::time::{Duration, Instant};
use sip_core::transport::framing::StreamFramer;
use sip_core::user_agent::{self, CallId, End, Event, UserAgent};

use super::directory::Dns;
use super::fault::Fault;
use super::network::{ConnectionId, Network, Profile};
use super::node::{Node, Phone};
use super::person::{Action, Habits};
use super::sabotage::Saboteur;
use super::trace::{Trace, stir};
use super::{NodeId, Violation};

/// When the clock starts.
pub const START: Instant = Instant::from_micros(1_700_000_000_000_000);

/// More than the retransmissions and refreshes of everybody's calls explain, in a second.
const FIRINGS: u32 = 1_000;

/// What is going to happen.
#[derive(Debug)]
enum Happening {
    Datagram {
        from: NodeId,
        to: NodeId,
        message: Bytes,
    },
    /// Over a stream, a message or a part of one.
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
    /// A phone tries to open the connection of a line.
    Connect {
        phone: NodeId,
        line: usize,
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
    /// Repeated bytes on a link are a violation, and so is a request without a final answer.
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
    /// A call that stood at both ends lasts until one hangs up, whatever goes wrong.
    pub lasting: bool,
    /// Servers take connections from each other.
    pub trunks: bool,
    /// How long a phone whose connection is gone takes to try again, milliseconds.
    pub away: (u64, u64),
    no_repeats: bool,
    /// Where nothing is lost: requests that await their final answer, by who asked whom, branch and method.
    unanswered: BTreeSet<(NodeId, NodeId, String)>,
    pub(super) saboteur: Option<Saboteur>,
    /// What has come over streams and is not whole, by the end it came to.
    framers: BTreeMap<(ConnectionId, NodeId), StreamFramer>,
    /// How often each node's timers fired in this second of the clock.
    firings: Vec<(u64, u32)>,
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
            lasting: false,
            trunks: false,
            away: (100, 3_000),
            no_repeats: setting.no_repeats,
            unanswered: BTreeSet::new(),
            saboteur: setting.saboteur,
            framers: BTreeMap::new(),
            firings: Vec::new(),
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
        self.firings.push((0, 0));
        id
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

    /// Nobody begins anything any more, and nothing more goes wrong. Who was asked for something still says whether.
    pub fn end_activity(&mut self) {
        self.agenda.retain(|_, happening| match happening {
            Happening::Act { action, .. } => {
                matches!(action, Action::Obey(_) | Action::Grant(_) | Action::Respond(_))
            }
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
        let Some(watched) = self.phone(phone).watch.ended.remove(&call) else { return };
        let Some(serial) = watched.serial else { return };
        let ends = self.ends.entry(serial).or_default();
        let first = ends.is_empty();
        ends.push((phone, watched.outgoing, end.clone()));
        if self.lasting && first && watched.stood && matches!(end, End::Failed(_)) {
            self.violate(
                phone,
                "a call that stood has failed, and nobody had left it",
                format!("{serial}: {end:?}"),
            );
        }
    }

    /// Of a run in which nothing is lost: a request nobody has answered.
    pub fn unanswered(&self) -> Option<(NodeId, String)> {
        let (asker, asked, what) = self.unanswered.first()?;
        Some((*asker, format!("{} of {what}", self.nodes[asked.0].name())))
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
            Happening::Segment { connection, to, message } => self.segment_arrives(connection, to, message),
            Happening::Closed { connection, node } => self.closed(connection, node),
            Happening::Connect { phone, line, life } => self.connect(phone, line, life),
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

    fn fire(&mut self, node: NodeId) {
        let now = self.now;
        if self.saboteur.as_mut().is_some_and(|s| s.stops_clock(now, node)) {
            return;
        }
        self.trace.timer(now, node);
        let second = now.as_micros() / 1_000_000;
        let (of, times) = &mut self.firings[node.0];
        *times = if core::mem::replace(of, second) == second { *times + 1 } else { 1 };
        // A server of ten thousand phones has as many timers.
        let most = FIRINGS.max(u32::try_from(4 * self.nodes.len()).unwrap_or(u32::MAX));
        if *times > most {
            self.violate(node, "timers fire all the time: a busy loop", "");
        }
        match &mut self.nodes[node.0] {
            Node::Phone(phone) => phone.agent.handle_input(now, user_agent::Input::Timeout),
            Node::Server(server) => server.server.0.handle_input(now, server::Input::Timeout),
        }
        if let Some(saboteur) = &mut self.saboteur {
            saboteur.in_timer = true;
        }
        self.settle(node);
        // It has had its turn: what was due is done.
        if self.timeout(node).is_some_and(|at| at <= now) {
            self.violate(node, "a timer that fired is still due: a busy loop", "");
        }
        if let Some(saboteur) = &mut self.saboteur {
            saboteur.in_timer = false;
        }
    }

    /// When a node is to be woken.
    fn timeout(&self, node: NodeId) -> Option<Instant> {
        let at = self.nodes[node.0].timeout()?;
        Some(self.saboteur.as_ref().map_or(at, |saboteur| saboteur.wakes(self.now, at)))
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
        let at = self.timeout(id);
        let known = core::mem::replace(&mut self.timer_of[id.0], at);
        if known != at {
            if let Some(at) = known {
                self.timers.remove(&(at, id));
            }
            self.timers.extend(at.map(|at| (at, id)));
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
