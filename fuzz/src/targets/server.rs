//! A server whose peers say anything and whose questions are answered in any order, wrongly, late or never: caps hold,
//! what leaves is sound, and when time has passed nothing is left.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use sip_core::auth::{Replays, Secrets};
use sip_core::entropy::SeededEntropy;
use sip_core::message::{Message, Method};
use sip_core::registrar::{self, Awaited, Binding, Caps};
use sip_core::server::{
    Answer, Config, Identity, Input, Output, Outward, Question, QuestionId, Server, WatchError, WatchId,
    Watched,
};
use sip_core::time::{Duration, Instant};
use sip_core::transport::target::{Query, Records};
use sip_core::transport::{FlowId, Hop, RegistrationKey, RouteTarget, Transport};

use super::wire::{self, SDP, Sent};
use crate::choices::Choices;

const STATUSES: [u16; 14] = [100, 180, 183, 200, 200, 202, 302, 401, 407, 408, 486, 487, 503, 603];
const METHODS: [&str; 8] = ["ACK", "BYE", "INVITE", "CANCEL", "INFO", "UPDATE", "PRACK", "NOTIFY"];
const REG: &str = "Event: reg\r\n";
const QUESTIONS: usize = 6;

/// Somebody with a socket.
#[derive(Clone, Copy)]
struct Peer {
    name: &'static str,
    hop: Hop,
}

struct Bench {
    server: Server,
    now: Instant,
    peers: Vec<Peer>,
    bindings: BTreeMap<String, Vec<Binding>>,
    identities: BTreeMap<FlowId, Arc<Identity>>,
    replays: Replays,
    asked: Vec<(QuestionId, Question)>,
    /// The latest messages either way, and whose they are.
    seen: Vec<(usize, Message)>,
    sent: Sent,
    branches: u32,
    flows: u64,
    /// Whether questions wait to be answered by choice.
    slow: bool,
}

/// Operations until the input ends, 120 at most.
pub(crate) fn holds(input: &[u8]) {
    let mut choices = Choices::new(input);
    let mut config = Config::new("example.com", [1; 32], [2; 32]);
    config.aliases = ["alias.example.com".into()].into();
    config.limits.questions = QUESTIONS;
    config.limits.held_requests = 3;
    config.limits.held_per_registration = 2;
    config.limits.forks = 3;
    config.outward = Outward::Anywhere;
    let mut bench = Bench {
        server: Server::new(config, Box::new(SeededEntropy(7))),
        now: Instant::from_micros(1_700_000_000_000_000),
        peers: vec![
            Peer { name: "alice", hop: wire::hop(1, Transport::Ws, 1) },
            Peer { name: "bob", hop: wire::hop(2, Transport::Wss, 2) },
            Peer { name: "bob", hop: wire::hop(100, Transport::Udp, 3) },
            Peer { name: "carol", hop: wire::hop(3, Transport::Tcp, 4) },
            Peer { name: "bob", hop: wire::hop(100, Transport::Udp, 5) },
        ],
        bindings: BTreeMap::new(),
        identities: BTreeMap::new(),
        replays: Replays::default(),
        asked: Vec::new(),
        seen: Vec::new(),
        sent: Sent::default(),
        branches: 0,
        flows: 100,
        slow: choices.below(2) == 0,
    };
    for peer in 0..bench.peers.len() {
        bench.bind(peer);
    }
    for _ in 0..120 {
        if choices.is_over() {
            break;
        }
        bench.step(&mut choices);
        let (_, _, questions) = bench.server.load();
        assert!(questions <= QUESTIONS, "{questions} questions");
    }
    bench.end();
}

/// Where the proxies before registrations say they are.
const PATHS: [&str; 4] = [
    "<sip:token@192.0.2.9;lr;ob>",
    "<sip:edge.example.net;transport=tcp;lr>, <sip:b;lr>",
    "<sips:[2001:db8::1]:5061;lr>",
    "nowhere",
];

fn aor(name: &str) -> String {
    format!("sip:{name}@example.com")
}

impl Bench {
    /// As if a REGISTER had come.
    fn bind(&mut self, peer: usize) {
        let Peer { name, hop } = self.peers[peer];
        let connected = hop.transport != Transport::Udp;
        let key = RegistrationKey {
            aor: aor(name).into(),
            instance: format!("urn:uuid:{peer}").into(),
            reg_id: u32::from(connected),
        };
        let expires_at = self.now + Duration::from_secs(600);
        let bindings = self.bindings.entry(aor(name)).or_default();
        bindings.retain(|binding| binding.key != key);
        bindings.push(Binding {
            key: key.clone(),
            contact: contact(&self.peers[peer]).into(),
            params: ";q=0.5".into(),
            expires_at,
            call_id: "r".into(),
            cseq: 1,
            first_cseq: 1,
            path: "".into(),
            through: "".into(),
            listens: false,
            hop: Some(hop),
        });
        if connected {
            let identity = Identity { username: name.into(), registration: key, expires_at };
            self.identities.insert(hop.flow, Arc::new(identity));
        }
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.below(16) {
            0..=2 => self.begin(choices),
            3..=5 => self.answer(choices),
            6..=8 => self.within(choices),
            9 => {
                let Some((_, message)) = choices.recent(&self.seen) else { return };
                let text = String::from_utf8_lossy(bytes_of(message)).into_owned();
                let message = wire::perhaps_perturbed(text, choices);
                let peer = choices.below(self.peers.len());
                self.receive(peer, message);
            }
            10 | 11 => self.answer_question(choices),
            12 => self.reconnect(choices),
            13 => self.slow = !self.slow,
            14 => self.pass(Duration::from_millis(u64::from(choices.word()))),
            _ => self.input(Input::Timeout),
        }
    }

    /// A request that belongs to nothing before it.
    fn begin(&mut self, choices: &mut Choices<'_>) {
        let peer = choices.below(self.peers.len());
        let Peer { name, hop } = self.peers[peer];
        let method =
            choices.pick(&["INVITE", "INVITE", "INVITE", "MESSAGE", "REGISTER", "OPTIONS", "SUBSCRIBE", "A"]);
        let callee = choices.pick(&["bob", "bob", "alice", "carol", "dave", "b%6Fb"]);
        let host = choices.pick(&[
            "example.com",
            "example.com",
            "alias.example.com",
            "elsewhere.example",
            "192.0.2.1",
        ]);
        let uri =
            if method == "REGISTER" { "sip:example.com".into() } else { format!("sip:{callee}@{host}") };
        self.branches += 1;
        let (via, branch) = (via(hop, self.branches), self.branches);
        let contact = contact(&self.peers[peer]);
        let head = format!(
            "{method} {uri} SIP/2.0\r\n{via}Max-Forwards: 70\r\nFrom: <sip:{name}@example.com>;tag=f{branch}\r\n\
             To: <{uri}>\r\nCall-ID: c{branch}\r\nCSeq: {branch} {method}\r\n\
             Contact: <{contact}>;+sip.instance=\"<urn:uuid:{peer}>\";reg-id=1\r\nSupported: outbound\r\n{}",
            if method == "SUBSCRIBE" { REG } else { "" }
        );
        let message = wire::perhaps_perturbed(wire::body(head, (method == "INVITE").then_some(SDP)), choices);
        self.receive(peer, message);
    }

    /// A peer answers what was forwarded to it, or to someone else.
    fn answer(&mut self, choices: &mut Choices<'_>) {
        let Some((peer, Message::Request(request))) = choices.recent(&self.seen) else { return };
        let peer = *peer;
        let status = choices.pick(&STATUSES);
        let sdp = matches!(status, 183 | 200).then_some(SDP);
        let contact = contact(&self.peers[peer]);
        let text = wire::answer(request, status, &format!("t{peer}"), &contact, "Server: peer\r\n", sdp);
        let message = wire::perhaps_perturbed(text, choices);
        self.receive(peer, message);
    }

    fn within(&mut self, choices: &mut Choices<'_>) {
        self.branches += 1;
        let method = choices.pick(&METHODS);
        let cseq = u32::from(choices.byte());
        let Some((peer, message)) = choices.recent(&self.seen) else { return };
        let peer = *peer;
        let caller = matches!(message, Message::Response(_));
        let branch = self.branches - u32::from(choices.byte() % 4).min(self.branches);
        let subscribed = match message {
            Message::Request(request) => request.cseq().method == Method::Subscribe,
            Message::Response(response) => response.cseq().method == Method::Subscribe,
        };
        // What subscribes goes on or ends.
        let (method, fields) = match method {
            "UPDATE" if subscribed => ("SUBSCRIBE", REG),
            "INFO" if subscribed => ("SUBSCRIBE", "Event: reg\r\nExpires: 0\r\n"),
            other => (other, ""),
        };
        let via = via(self.peers[peer].hop, branch);
        let text = wire::within(message, caller, method, &via, cseq, fields, None);
        let message = wire::perhaps_perturbed(text, choices);
        let peer = if choices.below(8) == 0 { choices.below(self.peers.len()) } else { peer };
        self.receive(peer, message);
    }

    fn reconnect(&mut self, choices: &mut Choices<'_>) {
        let peer = choices.below(self.peers.len());
        let old = self.peers[peer].hop.flow;
        for binding in self.bindings.values_mut().flatten() {
            if binding.hop.is_some_and(|hop| hop.flow == old) {
                binding.hop = None;
            }
        }
        self.identities.remove(&old);
        self.input(Input::FlowClosed(old));
        if self.peers[peer].hop.transport != Transport::Udp {
            self.flows += 1;
            self.peers[peer].hop.flow = FlowId(self.flows);
        }
        if choices.below(3) != 0 {
            self.bind(peer);
            // Some of these watch, and some have long ceased to.
            for id in 1..=4 {
                self.input(Input::Changed(WatchId(id)));
            }
        }
    }

    fn answer_question(&mut self, choices: &mut Choices<'_>) {
        if self.asked.is_empty() {
            return;
        }
        let at = choices.below(self.asked.len());
        let (id, question) = self.asked.swap_remove(at);
        let answer = match choices.below(15) {
            12 => Answer::Held(Duration::from_secs(9)),
            13 => Answer::Admitted(false),
            // A Path of anybody's, and the answer still to come.
            14 => {
                let mut away: Vec<Binding> = self.bindings.values().flatten().cloned().collect();
                for (at, binding) in away.iter_mut().enumerate() {
                    (binding.hop, binding.path) = (None, PATHS[at % PATHS.len()].into());
                }
                self.asked.push((id, question));
                Answer::Away(away)
            }
            // An answer to another question than was asked, or to one that was answered already.
            0 => Answer::Bindings(Some(self.bindings.values().flatten().cloned().collect())),
            1 => Answer::Credentials(None, None),
            2 => Answer::Reachable(Some(self.peers[choices.below(self.peers.len())].hop)),
            3 => Answer::Updated(Err(registrar::UpdateError::UnknownAor)),
            4 => {
                self.asked.push((id, question.clone()));
                self.truth(question)
            }
            _ => self.truth(question),
        };
        self.input(Input::Answer(id, answer));
    }

    fn truth(&mut self, question: Question) -> Answer {
        match question {
            Question::Credentials { username, aor, from } => {
                let secrets = Secrets::from_password(&username, "example.com", &username);
                let bindings = self.bindings.get(aor.as_str()).map_or(&[][..], Vec::as_slice);
                let there = registrar::registered_at(bindings, &from, self.now).cloned().map(Box::new);
                Answer::Credentials((username != "dave").then(|| Arc::new(secrets)), there)
            }
            Question::Admit { usage, .. } => Answer::Admitted(self.replays.admit(usage, self.now)),
            Question::Lookup { aor } => Answer::Bindings(self.bindings.get(aor.as_str()).cloned()),
            Question::Watch(watch) => {
                let known = self.bindings.get(watch.aor.as_str()).cloned();
                let watched = known.map(|bindings| Watched { bindings, ended: Vec::new() });
                Answer::Watched(watched.ok_or(WatchError::UnknownAor))
            }
            Question::Contact { uri } => {
                Answer::Bindings(registrar::holder(&uri, self.bindings.values()).cloned())
            }
            Question::Update(update) => {
                let bindings = self.bindings.entry(update.aor.to_string()).or_default();
                let done = registrar::apply(bindings, &update, self.now, Caps::default());
                Answer::Updated(done.map(|_| bindings.clone()))
            }
            Question::Return { aor, contacts, .. } => {
                let bindings = self.bindings.get(aor.as_str());
                let awaited = Awaited::Contacts { aor: aor.clone(), contacts };
                Answer::Reachable(bindings.and_then(|bindings| awaited.reach(bindings, self.now)))
            }
            Question::Reach(RouteTarget::Registration(key), _) => {
                let bindings = self.bindings.get(key.aor.as_str());
                Answer::Reachable(bindings.and_then(|bindings| registrar::reach(bindings, &key, self.now)))
            }
            Question::Reach(RouteTarget::Phone(phone), _) => {
                let key = &phone.registration;
                let bindings = self.bindings.get(key.aor.as_str()).map_or(&[][..], Vec::as_slice);
                let was = || self.peers.iter().map(|peer| peer.hop).find(|hop| hop.remote == phone.remote);
                let known = registrar::is_known(bindings, &phone, self.now);
                Answer::Reachable(if known { registrar::reach(bindings, key, self.now) } else { was() })
            }
            Question::Reach(RouteTarget::Address { remote, .. }, _) => {
                Answer::Reachable(self.peers.iter().map(|peer| peer.hop).find(|hop| hop.remote == remote))
            }
            Question::Reach(RouteTarget::Flow(flow), _) => {
                Answer::Reachable(self.peers.iter().map(|peer| peer.hop).find(|hop| hop.flow == flow))
            }
            Question::Reach(RouteTarget::Peer { .. }, _) => Answer::Reachable(None),
            // Every name is one of the peers'.
            Question::Resolve { queries, .. } => {
                let addresses: Vec<_> = self.peers.iter().map(|peer| peer.hop.remote.ip()).collect();
                let answer = |query| match query {
                    Query::Addresses(_) => Records::Addresses(addresses.clone()),
                    Query::Naptr(_) | Query::Srv(_) => Records::Nothing,
                };
                Answer::Resolved(queries.into_iter().map(answer).collect())
            }
            Question::Connect { ways, .. } => {
                Answer::Connected(ways.iter().enumerate().find_map(|(at, way)| {
                    let hops = self.peers.iter().map(|peer| peer.hop);
                    let mut hops = hops.filter(|hop| hop.transport == way.transport);
                    let hop = hops.find(|hop| way.addresses.iter().any(|a| a.ip() == hop.remote.ip()))?;
                    Some((at, hop))
                }))
            }
        }
    }

    fn receive(&mut self, peer: usize, message: Bytes) {
        if let Ok(message) = Message::parse(message.clone()) {
            self.see(peer, message);
        }
        let from = self.peers[peer].hop;
        let identity = self.identities.get(&from.flow).cloned();
        self.input(Input::Received { from, identity, guests: None, certified: None, message });
    }

    fn see(&mut self, peer: usize, message: Message) {
        if self.seen.len() == 24 {
            self.seen.remove(0);
        }
        self.seen.push((peer, message));
    }

    fn input(&mut self, input: Input) {
        self.server.handle_input(self.now, input);
        let mut outputs = 0;
        while let Some(output) = self.server.poll_output() {
            outputs += 1;
            assert!(outputs < 500, "one input, and no end of outputs");
            match output {
                Output::Transmit { to, message } => {
                    if !self.sent.is_new(&message) {
                        continue;
                    }
                    let peer = self.peers.iter().position(|peer| {
                        peer.hop.flow == to.flow
                            && (to.transport != Transport::Udp || peer.hop.remote == to.remote)
                    });
                    if let (Some(peer), Ok(message)) = (peer, Message::parse(message)) {
                        self.see(peer, message);
                    }
                }
                Output::Ask(id, question) if self.slow => self.asked.push((id, question)),
                Output::Ask(id, question) => {
                    let answer = self.truth(question);
                    self.server.handle_input(self.now, Input::Answer(id, answer));
                }
                Output::Refused { .. } => {}
                Output::Authenticated { flow, identity } => {
                    self.identities.insert(flow, identity);
                }
                Output::Reached { registration, hop, .. } => {
                    for binding in self.bindings.values_mut().flatten().filter(|b| b.key == registration) {
                        binding.hop = Some(hop);
                    }
                }
                Output::Known { .. }
                | Output::Target { .. }
                | Output::Probed { .. }
                | Output::Unwatch { .. }
                | Output::Keep(_)
                | Output::Granted(_)
                | Output::Guessed { .. }
                | Output::Alias { .. } => {}
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut fired = 0;
        while let Some(due) = self.server.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.input(Input::Timeout);
            fired += 1;
            assert!(fired < 20_000, "a timer fires without end");
        }
        self.now = end;
    }

    /// Everybody falls silent, whoever answers questions too.
    fn end(mut self) {
        self.pass(Duration::from_secs(900));
        // Whoever is subscribed and has answered all so far hears of its end once, and of bindings that run out.
        self.pass(Duration::from_secs(3_761));
        assert_eq!(self.server.subscriptions(), 0);
        assert_eq!(self.server.load(), (0, 0, 0), "transactions, requests on their way, questions");
        assert_eq!(self.server.poll_timeout(), None);
        let counters = self.server.counters();
        assert_eq!(counters.outputs_dropped, 0);
    }
}

fn via(hop: Hop, branch: u32) -> String {
    let transport = hop.transport.via_token();
    format!("Via: SIP/2.0/{transport} {};branch=z9hG4bK{branch};rport\r\n", hop.remote)
}

fn contact(peer: &Peer) -> String {
    match peer.hop.transport {
        Transport::Ws | Transport::Wss => format!("sip:{}@pc.invalid;transport=ws;ob", peer.name),
        _ => format!("sip:{}@{}", peer.name, peer.hop.remote),
    }
}

fn bytes_of(message: &Message) -> &Bytes {
    match message {
        Message::Request(request) => request.bytes(),
        Message::Response(response) => response.bytes(),
    }
}
