//! A network on a virtual clock: user agents around one server, datagrams that are lost, doubled and reordered.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use sip_core::auth::Secrets;
use sip_core::entropy::{SeededEntropy, number};
use sip_core::registrar::{self, Binding, Caps};
use sip_core::server::{self, Answer, Question, Server};
use sip_core::time::{Duration, Instant};
use sip_core::transport::{FlowId, Hop, RouteTarget, Transport};
use sip_core::user_agent::{self, Aor, Event, UserAgent};

pub(crate) const DOMAIN: &str = "example.com";
const SERVER_FLOW: FlowId = FlowId(1);

/// What the network does to datagrams, in percent and milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network {
    pub(crate) loss: u64,
    pub(crate) duplication: u64,
    pub(crate) latency: (u64, u64),
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) network: Network,
    pub(crate) server: Server,
    pub(crate) phones: Vec<Phone>,
    chance: SeededEntropy,
    wire: BTreeMap<(Instant, u64), Packet>,
    sent: u64,
    bindings: BTreeMap<String, Vec<Binding>>,
}

pub(crate) struct Phone {
    pub(crate) name: &'static str,
    pub(crate) agent: UserAgent,
    /// Not yet looked at by the script.
    pub(crate) events: VecDeque<Event>,
    hop: Hop,
}

enum Packet {
    ToServer { phone: usize, message: Bytes },
    ToPhone { phone: usize, message: Bytes },
}

impl World {
    pub(crate) fn new(seed: u64, network: Network, names: &[&'static str]) -> Self {
        let config = server::Config::new(DOMAIN, [7; 32], [9; 32]);
        let server = Server::new(config, Box::new(SeededEntropy(seed ^ 0x5e4e4)));
        let mut world = Self {
            now: Instant::from_micros(1_700_000_000_000_000),
            network,
            server,
            phones: Vec::new(),
            chance: SeededEntropy(seed),
            wire: BTreeMap::new(),
            sent: 0,
            bindings: names.iter().map(|name| (aor(name), Vec::new())).collect(),
        };
        for (index, name) in names.iter().enumerate() {
            world.add_phone(index, name, seed);
        }
        world
    }

    fn add_phone(&mut self, index: usize, name: &'static str, seed: u64) {
        let mut config = user_agent::Config::new(
            Aor::parse(&aor(name)).expect("an AoR"),
            format!("urn:uuid:00000000-0000-4000-8000-{index:012}"),
        );
        config.password = Some(password(name));
        config.transport = Transport::Udp;
        let agent = UserAgent::new(config, Box::new(SeededEntropy(seed.wrapping_mul(31) + index as u64)));
        let hop = Hop {
            flow: FlowId(100 + index as u64),
            transport: Transport::Udp,
            local: ([10, 0, 1, index as u8], 5060).into(),
            remote: ([10, 0, 0, 1], 5060).into(),
        };
        self.phones.push(Phone { name, agent, events: VecDeque::new(), hop });
        self.phones[index].agent.handle_input(self.now, user_agent::Input::FlowOpened(hop));
        self.drain_phone(index);
    }

    /// Gives a phone a command and carries out what follows.
    pub(crate) fn with<T>(&mut self, phone: usize, command: impl FnOnce(&mut UserAgent, Instant) -> T) -> T {
        let value = command(&mut self.phones[phone].agent, self.now);
        self.drain_phone(phone);
        value
    }

    /// Lets time pass up to the next thing that happens, at most until `end`. `false`: nothing more until then.
    pub(crate) fn step(&mut self, end: Instant) -> bool {
        let packet = self.wire.first_key_value().map(|((at, _), _)| *at);
        let timers = self.phones.iter().map(|p| p.agent.poll_timeout()).chain([self.server.poll_timeout()]);
        let next = timers.chain([packet]).flatten().min();
        let Some(next) = next.filter(|next| *next <= end) else {
            self.now = end;
            return false;
        };
        self.now = self.now.max(next);
        if packet == Some(next)
            && let Some((_, packet)) = self.wire.pop_first()
        {
            match packet {
                Packet::ToServer { phone, message } => {
                    let from = self.server_hop(phone);
                    let input = server::Input::Received { from, identity: None, message };
                    self.server.handle_input(self.now, input);
                    self.drain_server();
                }
                Packet::ToPhone { phone, message } => {
                    let from = self.phones[phone].hop;
                    self.phones[phone]
                        .agent
                        .handle_input(self.now, user_agent::Input::Received { from, message });
                    self.drain_phone(phone);
                }
            }
            return true;
        }
        if self.server.poll_timeout().is_some_and(|at| at <= self.now) {
            self.server.handle_input(self.now, server::Input::Timeout);
            self.drain_server();
        }
        for phone in 0..self.phones.len() {
            if self.phones[phone].agent.poll_timeout().is_some_and(|at| at <= self.now) {
                self.phones[phone].agent.handle_input(self.now, user_agent::Input::Timeout);
                self.drain_phone(phone);
            }
        }
        true
    }

    /// Runs until `done` or for `limit`; whether `done` came true.
    pub(crate) fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + limit;
        let mut steps = 0u32;
        loop {
            if done(self) {
                return true;
            }
            steps += 1;
            assert!(steps < 200_000, "a timer fires without end at {:?}", self.now);
            if !self.step(end) {
                return done(self);
            }
        }
    }

    /// A number below `bound` from the seed.
    pub(crate) fn pick(&mut self, bound: u64) -> u64 {
        number(&mut self.chance) % bound
    }

    fn send(&mut self, packet: impl Fn() -> Packet) {
        let copies = 1 + u64::from(self.pick(100) < self.network.duplication);
        for _ in 0..copies {
            if self.pick(100) < self.network.loss {
                continue;
            }
            let (low, high) = self.network.latency;
            let latency = Duration::from_millis(low + self.pick(high - low + 1));
            self.sent += 1;
            self.wire.insert((self.now + latency, self.sent), packet());
        }
    }

    fn drain_phone(&mut self, phone: usize) {
        while let Some(output) = self.phones[phone].agent.poll_output() {
            match output {
                user_agent::Output::Transmit { to, message } => {
                    assert_eq!(to.flow, self.phones[phone].hop.flow, "sent over a flow that is not its own");
                    self.send(|| Packet::ToServer { phone, message: message.clone() });
                }
                user_agent::Output::OpenFlow { .. } | user_agent::Output::KeepAlive { .. } => {}
                user_agent::Output::Event(event) => self.phones[phone].events.push_back(event),
            }
        }
    }

    fn drain_server(&mut self) {
        while let Some(output) = self.server.poll_output() {
            match output {
                server::Output::Transmit { to, message } => {
                    let phone = self.phones.iter().position(|p| p.hop.local == to.remote);
                    let phone = phone.unwrap_or_else(|| panic!("sent to nobody: {to:?}"));
                    self.send(|| Packet::ToPhone { phone, message: message.clone() });
                }
                server::Output::Ask(id, question) => {
                    let answer = self.answer(question);
                    self.server.handle_input(self.now, server::Input::Answer(id, answer));
                }
                // Datagrams have no flow of their own to authenticate.
                server::Output::Authenticated { .. } => {}
            }
        }
    }

    fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Credentials { username } => {
                let known = self.phones.iter().any(|p| p.name == username);
                let secrets = || Secrets::from_password(&username, DOMAIN, &password(&username));
                Answer::Credentials(known.then(|| Arc::new(secrets())))
            }
            Question::Lookup { aor } => {
                let now = self.now;
                Answer::Bindings(self.bindings.get_mut(aor.as_str()).map(|bindings| {
                    bindings.retain(|b| b.expires_at > now);
                    bindings.clone()
                }))
            }
            Question::Update(update) => {
                let Some(bindings) = self.bindings.get_mut(update.aor.as_str()) else {
                    return Answer::Updated(Err(registrar::UpdateError::UnknownAor));
                };
                let done = registrar::apply(bindings, &update, self.now, Caps::default());
                Answer::Updated(done.map(|()| bindings.clone()))
            }
            Question::Reach(RouteTarget::Registration(key)) => {
                let bindings = self.bindings.get(key.aor.as_str()).map_or(&[][..], Vec::as_slice);
                Answer::Reachable(registrar::reach(bindings, &key, self.now))
            }
            Question::Reach(RouteTarget::Flow(_)) => Answer::Reachable(None),
            Question::Reach(RouteTarget::Address { remote, .. }) => {
                let phone = self.phones.iter().position(|p| p.hop.local == remote);
                Answer::Reachable(phone.map(|phone| self.server_hop(phone)))
            }
        }
    }

    fn server_hop(&self, phone: usize) -> Hop {
        let hop = self.phones[phone].hop;
        Hop { flow: SERVER_FLOW, transport: Transport::Udp, local: hop.remote, remote: hop.local }
    }
}

pub(crate) fn aor(name: &str) -> String {
    format!("sip:{name}@{DOMAIN}")
}

fn password(name: &str) -> String {
    format!("secret of {name}")
}
