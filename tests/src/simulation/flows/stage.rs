//! Where a flow is played: alice, bob, others, perhaps a proxy, and links that take 50 ms.

mod seen;

use sip_core::body::dialog_info::Dialog;
use sip_core::server::{Forward, ForwardRule, Occasion};
use sip_core::time::{Duration, Instant};
use sip_core::transport::Transport;
use sip_core::user_agent::{Addressee, CallId, CommandError, Config, Event, Replacement, UserAgent};

use super::super::NodeId;
use super::super::mesh::MESH;
use super::super::network::Profile;
use super::super::node::{Node, Phone, ServerNode, password};
use super::super::person::{self, Habits};
use super::super::sessions;
use super::super::watch::{Stage as CallStage, description};
use super::super::world::{Setting, World};
use super::Between;

/// One way.
pub const LATENCY: u64 = 50;

const LINKS: Profile = Profile { latency: (LATENCY, LATENCY), ..Profile::SMOOTH };

/// The domain of everybody who has an account with the proxy, and of all where there is none.
const DOMAIN: &str = "a.example";

/// Another one.
const ELSEWHERE: &str = "elsewhere.example";

/// The phones and what is between them.
#[derive(Debug)]
pub struct Stage {
    /// With its whole trace.
    pub world: World,
    /// Calls.
    pub alice: NodeId,
    /// Is called.
    pub bob: NodeId,
    /// The first of the others, if there are any; bob if not.
    pub third: NodeId,
    /// The trace's entries before the flow begins.
    prelude: usize,
}

impl Stage {
    /// Everybody but a stranger is registered, if there is anybody to register with, and nothing is going on.
    pub fn new(between: Between, others: &[&str]) -> Self {
        let setting = Setting { whole_trace: true, ..Setting::default() };
        let mut world = World::new(1, LINKS, Habits::NONE, setting);
        world.scripted = true;
        let alice = NodeId(0);
        let (alices, homes): (&str, &[(&str, &[&str])]) = match between {
            Between::Nobody => (DOMAIN, &[]),
            Between::TheirProxy => (DOMAIN, &[(DOMAIN, &["alice", "bob"])]),
            Between::HisProxy => (ELSEWHERE, &[(DOMAIN, &["bob"])]),
            Between::TwoProxies => (ELSEWHERE, &[(ELSEWHERE, &["alice"]), (DOMAIN, &["bob"])]),
            Between::DeadProxy => (DOMAIN, &[(DOMAIN, &[]), (DOMAIN, &["alice", "bob"])]),
            Between::TwoGuards => (ELSEWHERE, &[(ELSEWHERE, &["alice"]), (DOMAIN, &["bob", "alice"])]),
            Between::Beside => (DOMAIN, &[(DOMAIN, &["alice", "bob"])]),
            Between::Redirect => (ELSEWHERE, &[(DOMAIN, &[]), (DOMAIN, &["bob"])]),
        };
        // Alice sends to the first, everybody else to the last.
        let (first, last) = match homes.len() {
            0 => (MESH, MESH),
            _ if between == Between::Beside => (MESH, MESH),
            servers if between == Between::Redirect => (MESH, NodeId(servers)),
            servers => (NodeId(1), NodeId(servers)),
        };
        let registers = !homes.is_empty() && between != Between::Beside;
        let hers = registers && homes.iter().any(|(domain, _)| *domain == alices);
        add_phone(&mut world, "alice", 0, alices, first, hers);
        for (domain, users) in homes {
            let mut server = ServerNode::new(NodeId(world.nodes.len()), domain, 1);
            let more: &[&str] = if *domain == DOMAIN { others } else { &[] };
            users.iter().chain(more).for_each(|user| server.directory.add(domain, user, &password(user)));
            world.add(Node::Server(server));
        }
        let bob = NodeId(world.nodes.len());
        for (at, user) in ["bob"].iter().chain(others).enumerate() {
            let device = ["bob"].iter().chain(others).take(at).filter(|other| *other == user).count();
            add_phone(&mut world, user, device, DOMAIN, last, registers);
        }
        match between {
            Between::DeadProxy => {
                let phone = world.phone(alice);
                phone.registers = false;
                phone.add_line(last);
                world.stop(first, Duration::from_secs(3_600), true);
            }
            Between::Redirect => {
                let (from, to) = (NodeId(1), last.address().ip());
                let now = world.now;
                if let Node::Server(server) = &mut world.nodes[from.0] {
                    server.redirect();
                    server.directory.moved("sip:bob@a.example", now, &format!("sip:bob@{to}"));
                }
                world.phone(alice).configure(|config| config.redirections = 1);
            }
            Between::TwoGuards => {
                if let Node::Server(server) = &mut world.nodes[last.0] {
                    server.also_serves(ELSEWHERE);
                }
            }
            Between::Beside => world.phone(alice).configure(|config| config.redirections = 1),
            _ => {}
        }
        let third = if others.is_empty() { bob } else { NodeId(bob.0 + 1) };
        let mut stage = Self { world, alice, bob, third, prelude: 0 };
        stage.world.phones().into_iter().for_each(|id| stage.world.switch_on(id));
        stage.begins();
        stage
    }

    /// What happened so far is no part of the flow.
    pub fn begins(&mut self) {
        self.run(10_000);
        self.prelude = self.world.trace.entries().len();
    }

    /// Somebody has said who he is before the flow begins, and is not challenged in it.
    pub fn is_known(&mut self, who: NodeId) {
        let asked =
            self.world.command(who, "options", |ua, now| ua.options(now, Addressee::Target("nobody")));
        let request = asked.expect("an account can be asked for");
        self.world.phone(who).watch.requests.insert(request);
        self.begins();
    }

    /// The last server.
    fn server(&mut self) -> &mut ServerNode {
        let servers = self.world.servers();
        let last = servers.last().expect("a server");
        match &mut self.world.nodes[last.0] {
            Node::Server(server) => server,
            Node::Phone(_) => unreachable!("it is among the servers"),
        }
    }

    /// The last server forwards bob's calls to somebody of its domain (RFC 5806).
    pub fn forwards(&mut self, when: Occasion, to: &str) {
        let forward = Forward { to: format!("sip:{to}@{DOMAIN}").into(), private: false };
        self.server().forward(ForwardRule { user: Some("bob".into()), when, forward });
    }

    /// Bob's phones are tried one after another.
    pub fn ranks(&mut self) {
        let phones: Vec<NodeId> =
            self.world.phones().into_iter().filter(|id| self.world.phone(*id).user == "bob").collect();
        let contacts: Vec<String> = phones.iter().map(|id| id.address().to_string()).collect();
        self.server().directory.rank("sip:bob@a.example", &contacts);
    }

    /// Time passes. Changes of the session that somebody is asked about are taken at once.
    pub fn run(&mut self, millis: u64) {
        let end = self.world.now + Duration::from_millis(millis);
        loop {
            let left = end.since(self.world.now);
            let asked = |world: &mut World| {
                world.phones().into_iter().find_map(|id| {
                    take_event(world, id, |event| match event {
                        Event::Offered { call, sdp } => Some((id, *call, sdp.clone())),
                        _ => None,
                    })
                })
            };
            let mut found = None;
            self.world.run_until(left, |world| {
                found = asked(world);
                found.is_some()
            });
            let Some((id, call, sdp)) = found else { return };
            sessions::answer_offer(&mut self.world, id, call, sdp.as_deref());
        }
    }

    /// Alice calls bob.
    pub fn call(&mut self) {
        self.calls(self.alice, self.bob);
    }

    /// One calls another.
    pub fn calls(&mut self, who: NodeId, whom: NodeId) {
        let target = self.address(whom);
        person::call(&mut self.world, who, &target, 0).expect("a phone can call");
    }

    /// Alice calls bob and wants him to offer.
    pub fn call_offerless(&mut self) {
        self.calls_offerless("bob@a.example");
    }

    /// Alice calls this address and wants whoever is there to offer.
    pub fn calls_offerless(&mut self, target: &str) {
        let (alice, now) = (self.alice, self.world.now);
        let phone = self.world.phone(alice);
        let call = phone.agent.call_offerless(now, target).expect("alice can call");
        phone.watch.called(call, 1);
        self.world.after_command(alice);
    }

    /// It rings at bob's.
    pub fn ring(&mut self) {
        self.rings(self.bob);
    }

    /// It rings at somebody's.
    pub fn rings(&mut self, who: NodeId) {
        let Some(call) = self.call_of(who) else { return };
        self.world.command(who, "ring", |ua, now| ua.ring(now, call)).expect("a call can ring");
    }

    /// Bob takes the call.
    pub fn accept(&mut self) {
        self.accepts(self.bob);
    }

    /// Somebody takes the newest call.
    pub fn accepts(&mut self, who: NodeId) {
        let Some(call) = self.call_of(who) else { return };
        let watch = &mut self.world.phone(who).watch;
        let serial = watch.calls.get(&call).and_then(|call| call.serial);
        watch.answered(call);
        let sdp = description(serial.unwrap_or(1), 0);
        self.world.command(who, "accept", |ua, now| ua.accept(now, call, &sdp)).expect("a call can be taken");
    }

    /// Bob refuses.
    pub fn reject(&mut self, status: u16) {
        self.rejects(self.bob, status);
    }

    /// Somebody refuses the newest call.
    pub fn rejects(&mut self, who: NodeId, status: u16) {
        let Some(call) = self.call_of(who) else { return };
        let done = self.world.command(who, "reject", |ua, now| ua.reject(now, call, status, None));
        done.expect("a call can be refused");
    }

    /// Somebody leaves the newest call, or gives it up.
    pub fn hang_up(&mut self, who: NodeId) {
        let Some(call) = self.call_of(who) else { return };
        self.hang_up_call(who, call);
    }

    /// Somebody leaves the call with this one.
    pub fn hang_up_with(&mut self, who: NodeId, whom: NodeId) {
        let Some(call) = self.call_with(who, whom) else { return };
        self.hang_up_call(who, call);
    }

    fn hang_up_call(&mut self, who: NodeId, call: CallId) {
        self.world.command(who, "hangup", |ua, now| ua.hangup(now, call)).expect("a call can be left");
    }

    /// Somebody changes the session by a new description.
    pub fn offer(&mut self, who: NodeId) {
        let Some(call) = self.call_of(who) else { return };
        let sdp = sessions::next_description(&mut self.world, who, call, None);
        self.change(who, "offer", |ua, now, call| ua.offer(now, call, &sdp));
    }

    /// Somebody changes the session of the newest call by this command.
    pub fn change(
        &mut self,
        who: NodeId,
        name: &str,
        command: impl FnOnce(&mut UserAgent, Instant, CallId) -> Result<(), CommandError>,
    ) {
        let Some(call) = self.call_of(who) else { return };
        self.change_call(who, call, name, command);
    }

    /// The same for any of somebody's calls.
    pub fn change_call(
        &mut self,
        who: NodeId,
        call: CallId,
        name: &str,
        command: impl FnOnce(&mut UserAgent, Instant, CallId) -> Result<(), CommandError>,
    ) {
        self.world.command(who, name, |ua, now| command(ua, now, call)).expect("a call can be changed");
        if let Some(call) = self.world.phone(who).watch.calls.get_mut(&call) {
            call.changes += 1;
        }
    }

    /// Somebody is switched off and on, with other settings.
    pub fn starts_anew(&mut self, who: NodeId, change: impl FnOnce(&mut Config)) {
        let phone = self.world.phone(who);
        change(&mut phone.config);
        // Another life, other branches: the server must not take what it says for what was said before.
        phone.restart();
        self.world.switch_on(who);
    }

    /// Who was sent a REFER makes the call it asks for.
    pub fn obeys(&mut self, who: NodeId) {
        let referral = self.take(who, |event| match event {
            Event::Referred { referral, .. } => Some(*referral),
            _ => None,
        });
        let Some(referral) = referral else { return };
        self.world.serial += 1;
        let (serial, now) = (self.world.serial, self.world.now);
        let sdp = description(serial, 0);
        let placed = self.world.phone(who).agent.accept_refer(now, referral, &sdp);
        self.world.phone(who).watch.called(placed.expect("a call can be made"), serial);
        self.world.after_command(who);
    }

    /// Somebody takes over the call that a document of the package `dialog` tells of (RFC 4235).
    pub fn takes_over(&mut self, who: NodeId, told: &Dialog, early_only: bool) {
        let named = Replacement::of_dialog(told);
        let target = told.remote.as_ref().and_then(|remote| remote.target.as_ref());
        let (Some(named), Some(target)) = (named, target) else {
            return self.world.violate(
                who,
                "the document does not say whose place to take",
                format!("{told:?}"),
            );
        };
        self.world.serial += 1;
        let serial = self.world.serial;
        let sdp = description(serial, 0);
        let replaces = Replacement { early_only, ..named };
        let now = self.world.now;
        let call = self.world.phone(who).agent.call_replacing(now, &target.uri, &sdp, replaces);
        self.world.phone(who).watch.called(call.expect("a call can be made"), serial);
        self.world.after_command(who);
    }

    /// Somebody hangs up by a BYE that his user agent would not send now.
    pub fn says_bye(&mut self, who: NodeId, whom: NodeId) {
        let told = self.world.phone(who).agent.dialog_info(0).dialogs.pop();
        let Some(told) = told else { return };
        let tag = |tag: &Option<String>| tag.clone().unwrap_or_default();
        let (own, other, from) = (self.address(who), self.address(whom), who.address());
        let target = told.remote.as_ref().and_then(|remote| remote.target.as_ref());
        let target = target.map_or_else(|| format!("sip:{other}"), |target| target.uri.clone());
        let text = format!(
            "BYE {target} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bKscript\r\nMax-Forwards: 70\r\n\
             From: <sip:{own}>;tag={}\r\nTo: <sip:{other}>;tag={}\r\nCall-ID: {}\r\nCSeq: 2 BYE\r\n\
             Content-Length: 0\r\n\r\n",
            tag(&told.local_tag),
            tag(&told.remote_tag),
            tag(&told.call_id),
        );
        self.world.forge(who, whom, text.into());
    }

    /// The next message of somebody that is called so is lost.
    pub fn lose(&mut self, who: NodeId, label: &'static str) {
        self.world.network.lose_next(who, label);
    }

    /// Alice calls, it rings, bob accepts, alice acknowledges.
    pub fn talk(&mut self) {
        self.talks(self.alice, self.bob);
    }

    /// One calls, it rings, the other accepts, the first acknowledges.
    pub fn talks(&mut self, who: NodeId, whom: NodeId) {
        self.calls(who, whom);
        self.run(200);
        self.rings(whom);
        self.run(200);
        self.accepts(whom);
        self.run(200);
    }

    /// How others call somebody.
    pub fn address(&mut self, who: NodeId) -> String {
        let phone = self.world.phone(who);
        format!("{}@{}", phone.user, phone.domain)
    }

    /// Takes somebody's first event that `pick` picks. Not to have one breaks a rule.
    pub fn take<T>(&mut self, who: NodeId, pick: impl Fn(&Event) -> Option<T>) -> Option<T> {
        let found = take_event(&mut self.world, who, pick);
        if found.is_none() {
            let events = format!("{:?}", self.world.phone(who).events);
            self.world.violate(who, "somebody was not told what the script goes on with", events);
        }
        found
    }

    /// The call of somebody's with this one. `None`: as for `call_of`.
    pub fn call_with(&mut self, who: NodeId, whom: NodeId) -> Option<CallId> {
        let other = self.world.phone(whom).user.clone();
        let phone = self.world.phone(who);
        let with = |call: &CallId| phone.agent.remote(*call).is_some_and(|remote| remote.user == other);
        let found = phone.watch.living().map(|(call, _)| call).filter(with).last();
        self.existing(who, found)
    }

    /// The newest call of somebody's. `None`: the run is over, for a rule was broken; not to have a call breaks one.
    fn call_of(&mut self, who: NodeId) -> Option<CallId> {
        let watch = &self.world.phone(who).watch;
        let pending = watch.living().filter(|(_, call)| call.stage == CallStage::Pending).last();
        let found = pending.or_else(|| watch.living().last()).map(|(call, _)| call);
        self.existing(who, found)
    }

    fn existing(&mut self, who: NodeId, call: Option<CallId>) -> Option<CallId> {
        if call.is_none() {
            self.world.violate(who, "there is no call for the script to go on with", "");
        }
        call.filter(|_| self.world.violation.is_none())
    }
}

fn add_phone(world: &mut World, user: &str, device: usize, domain: &str, home: NodeId, registers: bool) {
    let mut phone = Phone::new(NodeId(world.nodes.len()), user, device, domain, home, Transport::Udp, 1);
    phone.registers = registers;
    phone.configure(|config| {
        config.referrals = true;
        config.event_packages = vec!["dialog".into(), "presence".into()];
    });
    world.add(Node::Phone(phone));
}

fn take_event<T>(world: &mut World, who: NodeId, pick: impl Fn(&Event) -> Option<T>) -> Option<T> {
    let events = &mut world.phone(who).events;
    let (at, found) = events.iter().enumerate().find_map(|(at, event)| Some((at, pick(event)?)))?;
    events.remove(at);
    Some(found)
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
        write: 0,
        change: 0,
        early: 0,
        overture: 0,
        chat: 0,
        leave: 0,
        abroad: 0,
        watch: 0,
        transfer: 0,
        redirect: 0,
        ask: 0,
        large: 0,
        strict: true,
    };
}
