//! Where a flow is played: alice, bob, perhaps a proxy, and links that take 50 ms.

use sip_core::time::{Duration, Instant};
use sip_core::transport::Transport;
use sip_core::user_agent::{CallId, CommandError, Event, UserAgent};

use super::super::NodeId;
use super::super::ladder;
use super::super::network::Profile;
use super::super::node::{Node, Phone, ServerNode, password};
use super::super::person::{self, Habits};
use super::super::trace::Entry;
use super::super::watch::description;
use super::super::world::{Setting, World};
use super::{Between, Message};

/// One way.
pub const LATENCY: u64 = 50;

const LINKS: Profile = Profile { latency: (LATENCY, LATENCY), ..Profile::SMOOTH };

/// Two phones and what is between them.
#[derive(Debug)]
pub struct Stage {
    /// With its whole trace.
    pub world: World,
    /// Calls.
    pub alice: NodeId,
    /// Is called.
    pub bob: NodeId,
    /// The trace's entries before the flow begins.
    prelude: usize,
}

impl Stage {
    /// Bob is registered, if there is anybody to register with, and nothing is going on.
    pub fn new(between: Between) -> Self {
        let setting = Setting { whole_trace: true, ..Setting::default() };
        let mut world = World::new(1, LINKS, Habits::NONE, setting);
        world.scripted = true;
        let proxied = between != Between::Nobody;
        let (first, alice, bob) = match proxied {
            true => (1, NodeId(0), NodeId(2)),
            false => (0, NodeId(0), NodeId(1)),
        };
        let home = |phone: NodeId| match proxied {
            true => NodeId(1),
            false => NodeId(1 - phone.0),
        };
        let domain = if between == Between::HisProxy { "elsewhere.example" } else { "a.example" };
        let phone = |id, user, domain, registers| {
            let mut phone = Phone::new(id, user, 0, domain, home(id), Transport::Udp, 1);
            phone.registers = registers;
            Node::Phone(phone)
        };
        world.add(phone(alice, "alice", domain, between == Between::TheirProxy));
        if proxied {
            let mut server = ServerNode::new(NodeId(first), "a.example", 1);
            ["alice", "bob"].iter().for_each(|user| server.directory.add("a.example", user, &password(user)));
            world.add(Node::Server(server));
        }
        world.add(phone(bob, "bob", "a.example", proxied));
        [alice, bob].into_iter().for_each(|id| world.switch_on(id));
        world.run(Duration::from_secs(10));
        let prelude = world.trace.entries().len();
        Self { world, alice, bob, prelude }
    }

    /// Time passes. Changes of the session that somebody is asked about are taken at once.
    pub fn run(&mut self, millis: u64) {
        let end = self.world.now + Duration::from_millis(millis);
        loop {
            let left = end.since(self.world.now);
            let (alice, bob) = (self.alice, self.bob);
            let asked = |world: &mut World| {
                [alice, bob].into_iter().find_map(|id| {
                    let events = &mut world.phone(id).events;
                    let at = events.iter().position(|event| matches!(event, Event::Offered { .. }))?;
                    events.remove(at).map(|event| (id, event))
                })
            };
            let mut found = None;
            self.world.run_until(left, |world| {
                found = asked(world);
                found.is_some()
            });
            let Some((id, Event::Offered { call, sdp })) = found else { return };
            person::answer_offer(&mut self.world, id, call, sdp.as_deref());
        }
    }

    /// Alice calls bob.
    pub fn call(&mut self) {
        let target = "bob@a.example";
        person::call(&mut self.world, self.alice, target, 0).expect("alice can call");
    }

    /// Alice calls bob and wants him to offer.
    pub fn call_offerless(&mut self) {
        let (alice, now) = (self.alice, self.world.now);
        let phone = self.world.phone(alice);
        let call = phone.agent.call_offerless(now, "bob@a.example").expect("alice can call");
        phone.watch.called(call, 1);
        self.world.after_command(alice);
    }

    /// It rings at bob's.
    pub fn ring(&mut self) {
        let bob = self.bob;
        let Some(call) = self.call_of(bob) else { return };
        self.world.command(bob, "ring", |ua, now| ua.ring(now, call)).expect("bob can ring");
    }

    /// Bob takes the call.
    pub fn accept(&mut self) {
        let bob = self.bob;
        let Some(call) = self.call_of(bob) else { return };
        self.world.phone(bob).watch.answered(call);
        let sdp = description(1, 0);
        self.world.command(bob, "accept", |ua, now| ua.accept(now, call, &sdp)).expect("bob can accept");
    }

    /// Bob refuses.
    pub fn reject(&mut self, status: u16) {
        let bob = self.bob;
        let Some(call) = self.call_of(bob) else { return };
        self.world
            .command(bob, "reject", |ua, now| ua.reject(now, call, status, None))
            .expect("bob can refuse");
    }

    /// Somebody hangs up, or gives up.
    pub fn hang_up(&mut self, who: NodeId) {
        let Some(call) = self.call_of(who) else { return };
        self.world.command(who, "hangup", |ua, now| ua.hangup(now, call)).expect("a call can be left");
    }

    /// Somebody changes the session by a new description.
    pub fn offer(&mut self, who: NodeId) {
        let Some(call) = self.call_of(who) else { return };
        let sdp = person::next_description(&mut self.world, who, call, None);
        self.change(who, "offer", |ua, now, call| ua.offer(now, call, &sdp));
    }

    /// Somebody changes the session by this command.
    pub fn change(
        &mut self,
        who: NodeId,
        name: &str,
        command: impl FnOnce(&mut UserAgent, Instant, CallId) -> Result<(), CommandError>,
    ) {
        let Some(call) = self.call_of(who) else { return };
        self.world.command(who, name, |ua, now| command(ua, now, call)).expect("a call can be changed");
        if let Some(call) = self.world.phone(who).watch.calls.get_mut(&call) {
            call.changes += 1;
        }
    }

    /// The next message of somebody that is called so is lost.
    pub fn lose(&mut self, who: NodeId, label: &'static str) {
        self.world.network.lose_next(who, label);
    }

    /// Alice calls, it rings, bob accepts, alice acknowledges.
    pub fn talk(&mut self) {
        self.call();
        self.run(200);
        self.ring();
        self.run(200);
        self.accept();
        self.run(200);
    }

    /// All messages since the beginning.
    pub fn messages(&self, trying: bool) -> Vec<Message> {
        let entries = &self.world.trace.entries()[self.prelude..];
        let sent = entries.iter().filter_map(|(_, entry)| match entry {
            Entry::Sent { from, to, message, .. } => Some((self.letter(*from), self.letter(*to), message)),
            _ => None,
        });
        let named = sent.map(|(from, to, message)| {
            let label = ladder::label(message);
            let label = label.rsplit_once(' ').map_or(label.as_str(), |(label, _)| label).to_owned();
            Message { from, to, label }
        });
        named.filter(|m| !m.label.starts_with("100") || (trying && m.from == 'P')).collect()
    }

    /// The whole run.
    pub fn ladder(&self) -> String {
        let names: Vec<&str> = self.world.nodes.iter().map(Node::name).collect();
        ladder::draw(&names, &self.world.trace, 200)
    }

    fn letter(&self, node: NodeId) -> char {
        match node {
            _ if node == self.alice => 'A',
            _ if node == self.bob => 'B',
            _ => 'P',
        }
    }

    /// `None`: the run is over, for a rule was broken; not to have a call breaks one.
    fn call_of(&mut self, who: NodeId) -> Option<CallId> {
        let living = self.world.phone(who).watch.living().map(|(call, _)| call).next();
        if living.is_none() {
            self.world.violate(who, "there is no call for the script to go on with", "");
        }
        living.filter(|_| self.world.violation.is_none())
    }
}

/// What nobody does.
impl Habits {
    /// Everything is scripted.
    pub const NONE: Self = Self {
        calls: 0,
        pause: (0, 0),
        reflexes: (0, 0),
        answer: 0,
        refuse: 0,
        cancel: 0,
        hang_up: 0,
        talk: (0, 0),
        dtmf: 0,
        change: 0,
        early: 0,
        chat: 0,
        leave: 0,
        large: 0,
        strict: true,
    };
}
