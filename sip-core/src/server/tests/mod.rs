//! A server driven by scripts: peers that send text, a location and an account store in memory, a virtual clock.

mod away;
mod calls;
mod caps;
mod dialogs;
mod forks;
mod gruus;
mod guard;
mod hostile;
mod identity;
mod outward;
mod probes;
mod proxying;
mod refusals;
mod register;
mod relay;
mod roles;
mod strangers;
mod user_agents;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use bytes::Bytes;
use smol_str::SmolStr;

use super::*;
use crate::auth::{self, Authority, Secrets};
use crate::entropy::SeededEntropy;
use crate::message::{HeaderName, Headers, Message, Method, Request, Response};
use crate::registrar::{self, Binding, Caps};
use crate::time::Duration;
use crate::transport::target::{Query, Records, Way};
use crate::transport::{FlowId, RegistrationKey, RouteTarget};

const DOMAIN: &str = "example.com";

/// The outside of a server.
struct Net {
    server: Server,
    now: Instant,
    accounts: BTreeMap<SmolStr, Arc<Secrets>>,
    bindings: BTreeMap<SmolStr, Vec<Binding>>,
    identities: BTreeMap<FlowId, Arc<Identity>>,
    replays: auth::Replays,
    guesses: auth::Guesses,
    /// The trace and the reason of the last refusal.
    refused: Option<(SmolStr, String)>,
    /// Open connections that were heard from.
    hops: BTreeMap<FlowId, Hop>,
    sent: VecDeque<(Hop, Bytes)>,
    /// Questions that were not answered at once: for a registration that is away, or all while `silent`.
    waiting: Vec<(QuestionId, Question)>,
    silent: bool,
    /// What DNS knows.
    zone: BTreeMap<Query, Records>,
    /// What was asked of it.
    queries: Vec<Query>,
    /// Where no connection is to be had.
    dead: BTreeSet<SocketAddr>,
    /// What the server told of targets and peers.
    told: Vec<Output>,
}

/// Somebody with a socket.
#[derive(Clone, Debug)]
struct Peer {
    hop: Hop,
    name: &'static str,
    instance: u8,
}

impl Net {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(configure: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(DOMAIN, [1; 32], [2; 32]);
        config.aliases = ["alias.example.com".into()].into();
        config.server = Some("Trapezoid".into());
        configure(&mut config);
        let account = |name: &str| (name.into(), Arc::new(Secrets::from_password(name, DOMAIN, name)));
        Self {
            server: Server::new(config, Box::new(SeededEntropy(7))),
            now: Instant::from_micros(1_700_000_000_000_000),
            accounts: ["alice", "bob", "carol"].map(account).into(),
            bindings: BTreeMap::new(),
            identities: BTreeMap::new(),
            replays: auth::Replays::default(),
            guesses: auth::Guesses::new(auth::Patience::default()),
            refused: None,
            hops: BTreeMap::new(),
            sent: VecDeque::new(),
            waiting: Vec::new(),
            silent: false,
            zone: BTreeMap::new(),
            queries: Vec::new(),
            dead: BTreeSet::new(),
            told: Vec::new(),
        }
    }

    /// A server after a restart: the same keys, nothing else.
    fn restart(&mut self) {
        let fresh = Self::new();
        self.server = fresh.server;
        self.replays = auth::Replays::new(self.now, auth::DEFAULT_NONCE_LIFETIME, limits::NONCES);
        self.bindings.clear();
        self.identities.clear();
        self.hops.clear();
        self.waiting.clear();
    }

    fn send(&mut self, peer: &Peer, message: impl Into<Bytes>) {
        let identity = self.identities.get(&peer.hop.flow).cloned();
        self.hops.insert(peer.hop.flow, peer.hop);
        self.input(Input::Received { from: peer.hop, identity, message: message.into() });
    }

    fn close(&mut self, peer: &Peer) {
        for binding in self.bindings.values_mut().flatten() {
            if binding.hop.is_some_and(|hop| hop.flow == peer.hop.flow) {
                binding.hop = None;
            }
        }
        self.identities.remove(&peer.hop.flow);
        self.hops.remove(&peer.hop.flow);
        self.input(Input::FlowClosed(peer.hop.flow));
    }

    /// Lets time pass, timer by timer.
    fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.server.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.input(Input::Timeout);
        }
        self.now = end;
    }

    fn input(&mut self, input: Input) {
        self.server.handle_input(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Transmit { to, message } => self.sent.push_back((to, message)),
                Output::Refused { trace, reason, .. } => self.refused = Some((trace, reason)),
                Output::Guessed { username, source } => self.guesses.wrong(&username, source, self.now),
                Output::Authenticated { flow, identity } => {
                    self.identities.insert(flow, identity);
                }
                told @ (Output::Target { .. } | Output::Probed { .. }) => self.told.push(told),
                Output::Ask(id, question) => match self.answer_of(&question) {
                    Some(answer) if !self.silent => {
                        self.server.handle_input(self.now, Input::Answer(id, answer));
                    }
                    _ => self.waiting.push((id, question)),
                },
            }
        }
    }

    /// `None`: it will be known later.
    fn answer_of(&mut self, question: &Question) -> Option<Answer> {
        Some(match question {
            Question::Credentials { username, aor, from } => {
                let there = |bindings: &Vec<Binding>| registrar::is_there(bindings, from, self.now);
                match self.guesses.wait(username, from.remote.ip(), self.now) {
                    Some(wait) if !self.bindings.get(aor).is_some_and(there) => Answer::Held(wait),
                    _ => Answer::Credentials(self.accounts.get(username).cloned()),
                }
            }
            Question::Admit { username, source, usage } => {
                self.guesses.right(username, *source);
                Answer::Admitted(self.replays.admit(*usage, self.now))
            }
            Question::Lookup { aor } => {
                let user = aor.strip_prefix("sip:")?.strip_suffix("@example.com")?;
                let known = self.accounts.contains_key(user);
                Answer::Bindings(known.then(|| self.bindings.get(aor).cloned().unwrap_or_default()))
            }
            Question::Update(update) => {
                let bindings = self.bindings.entry(update.aor.clone()).or_default();
                let done = registrar::apply(bindings, update, self.now, Caps::default());
                Answer::Updated(done.map(|_| bindings.clone()))
            }
            Question::Reach(RouteTarget::Registration(key)) => {
                let bindings = self.bindings.get(&key.aor)?;
                Answer::Reachable(Some(registrar::reach(bindings, key, self.now)?))
            }
            Question::Reach(RouteTarget::Address { remote, .. }) => {
                Answer::Reachable(Some(Hop { remote: *remote, ..udp("bob", 0).hop }))
            }
            Question::Reach(RouteTarget::Flow(flow)) => Answer::Reachable(self.hops.get(flow).copied()),
            Question::Reach(RouteTarget::Peer { .. }) => Answer::Reachable(None),
            Question::Resolve(queries) => {
                self.queries.extend(queries.iter().cloned());
                let answer = |query| self.zone.get(query).cloned().unwrap_or(Records::Nothing);
                Answer::Resolved(queries.iter().map(answer).collect())
            }
            Question::Connect(ways) => Answer::Connected(self.connect(ways)),
        })
    }

    /// The first way that is not dead: all datagrams go through one socket, and a connection is named by its peer's port.
    fn connect(&self, ways: &[Way]) -> Option<(usize, Hop)> {
        ways.iter().enumerate().find_map(|(at, way)| {
            let remote = *way.addresses.iter().find(|address| !self.dead.contains(address))?;
            Some((at, elsewhere(way.transport, &remote.to_string()).hop))
        })
    }

    /// Answers what waits and can be answered now, in this order of the questions.
    fn answer_waiting(&mut self, reverse: bool) {
        let mut waiting = core::mem::take(&mut self.waiting);
        if reverse {
            waiting.reverse();
        }
        for (id, question) in waiting {
            match self.answer_of(&question) {
                Some(answer) => self.input(Input::Answer(id, answer)),
                None => self.waiting.push((id, question)),
            }
        }
    }

    /// The next message that was sent, which must be for this peer.
    #[track_caller]
    fn next(&mut self, peer: &Peer) -> Message {
        let (to, message) = self.sent.pop_front().expect("nothing was sent");
        let shown = String::from_utf8_lossy(&message).into_owned();
        assert_eq!((to.flow, to.remote), (peer.hop.flow, peer.hop.remote), "not for {}: {shown}", peer.name);
        Message::parse(message).unwrap()
    }

    #[track_caller]
    fn response(&mut self, peer: &Peer) -> Response {
        match self.next(peer) {
            Message::Response(response) => response,
            Message::Request(request) => panic!("{}", text(request.bytes())),
        }
    }

    /// The next message is a response with this status for this peer.
    #[track_caller]
    fn expect(&mut self, peer: &Peer, status: u16) -> Response {
        let response = self.response(peer);
        assert_eq!(response.status(), status, "{}", text(response.bytes()));
        response
    }

    #[track_caller]
    fn request(&mut self, peer: &Peer, method: &Method) -> Request {
        match self.next(peer) {
            Message::Request(request) if request.method() == method => request,
            Message::Request(request) => panic!("{}", text(request.bytes())),
            Message::Response(response) => panic!("{}", text(response.bytes())),
        }
    }

    #[track_caller]
    fn quiet(&mut self) {
        let left: Vec<String> = self.sent.iter().map(|(to, m)| format!("{to:?}\n{}", text(m))).collect();
        assert!(left.is_empty(), "{}", left.join("\n"));
    }

    /// Sends a request, answers the challenge, and leaves what follows in the queue.
    #[track_caller]
    fn send_with_digest(&mut self, peer: &Peer, password: &str, request: &dyn Fn(u32, &str) -> String) {
        let first = request(1, "");
        self.send(peer, first.clone());
        let challenge = self.response(peer);
        if challenge.cseq().method == Method::Invite {
            self.send(peer, ack_to_failure(&first, &challenge));
        }
        let parsed = Request::parse(first.into()).unwrap();
        let authorization = digest(peer.name, password, &challenge, parsed.method(), parsed.uri());
        self.send(peer, request(2, &authorization));
    }

    #[track_caller]
    fn register(&mut self, peer: &Peer) {
        self.send_with_digest(peer, peer.name, &|cseq, extra| {
            let cseq = cseq + self_cseq(peer);
            peer.register(cseq, &format!("{}{extra}", peer.contact_field()))
        });
        self.expect(peer, 200);
        self.quiet();
    }
}

/// CSeqs grow with the flow, so that a registration over a later flow is a later one.
fn self_cseq(peer: &Peer) -> u32 {
    u32::try_from(peer.hop.flow.0).unwrap() * 10
}

/// The field that answers a challenge.
fn digest(user: &str, password: &str, challenge: &Response, method: &Method, uri: &str) -> String {
    let mut client = auth::Client::new(user, password);
    let mut attempt = auth::Attempt::default();
    let values =
        [(HeaderName::WwwAuthenticate, Authority::Server), (HeaderName::ProxyAuthenticate, Authority::Proxy)];
    let challenges = values
        .iter()
        .flat_map(|(name, authority)| challenge.headers().all(*name).map(move |value| (*authority, value)));
    client.challenged(&mut attempt, uri, challenges).unwrap();
    let authorization =
        client.authorize(&mut attempt, method.as_str(), uri, &[], &mut SeededEntropy(9)).remove(0);
    let name = match authorization.authority {
        Authority::Server => "Authorization",
        Authority::Proxy => "Proxy-Authorization",
    };
    format!("{name}: {}\r\n", authorization.value)
}

fn text(message: &[u8]) -> String {
    String::from_utf8_lossy(message).into_owned()
}

fn peer(name: &'static str, instance: u8, flow: u64, transport: Transport, remote: &str) -> Peer {
    let local: SocketAddr = match transport {
        Transport::Udp => "192.0.2.1:5060",
        Transport::Tcp => "192.0.2.1:5070",
        _ => "192.0.2.1:8080",
    }
    .parse()
    .unwrap();
    let hop = Hop { flow: FlowId(flow), transport, local, remote: remote.parse().unwrap() };
    Peer { hop, name, instance }
}

/// A page. Its address changes with its flow.
fn ws(name: &'static str, flow: u64) -> Peer {
    peer(name, name.as_bytes()[0], flow, Transport::Ws, &format!("198.51.100.{flow}:40000"))
}

/// A phone on UDP; all share the server's socket.
fn udp(name: &'static str, last: u8) -> Peer {
    peer(name, last, 1000, Transport::Udp, &format!("203.0.113.{last}:5060"))
}

/// A server of another domain.
fn elsewhere(transport: Transport, remote: &str) -> Peer {
    let remote: SocketAddr = remote.parse().unwrap();
    let flow = match transport {
        Transport::Udp => 1000,
        _ => 10_000 + u64::from(remote.port()),
    };
    peer("bob", 0, flow, transport, &remote.to_string())
}

fn tcp(name: &'static str, flow: u64) -> Peer {
    peer(name, 0, flow, Transport::Tcp, &format!("203.0.113.9:{flow}"))
}

impl Peer {
    fn via(&self, branch: &str) -> String {
        let transport = self.hop.transport.via_token();
        let sent_by = match self.hop.transport {
            Transport::Ws => format!("{}.invalid", self.name),
            _ => self.hop.remote.to_string(),
        };
        format!("Via: SIP/2.0/{transport} {sent_by};branch=z9hG4bK{branch}\r\n")
    }

    fn contact(&self) -> String {
        match self.hop.transport {
            Transport::Ws => format!("sip:{}{}@pc.invalid;transport=ws;ob", self.name, self.instance),
            _ => format!("sip:{}@{}", self.name, self.hop.remote),
        }
    }

    fn contact_field(&self) -> String {
        let instance = match self.hop.transport {
            Transport::Udp => String::new(),
            _ => format!(
                ";+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-0000000000{:02x}>\";reg-id=1",
                self.instance
            ),
        };
        format!("Contact: <{}>{instance}\r\nSupported: outbound\r\n", self.contact())
    }

    fn register(&self, cseq: u32, fields: &str) -> String {
        let (name, via) = (self.name, self.via(&format!("reg{cseq}f{}", self.hop.flow.0)));
        format!(
            "REGISTER sip:{DOMAIN} SIP/2.0\r\n{via}Max-Forwards: 70\r\nFrom: <sip:{name}@{DOMAIN}>;tag=r\r\n\
             To: <sip:{name}@{DOMAIN}>\r\nCall-ID: reg-{name}-{}\r\nCSeq: {cseq} REGISTER\r\n{fields}\
             Content-Length: 0\r\n\r\n",
            self.instance
        )
    }

    fn key(&self) -> RegistrationKey {
        RegistrationKey {
            aor: format!("sip:{}@{DOMAIN}", self.name).into(),
            instance: format!("urn:uuid:00000000-0000-4000-8000-0000000000{:02x}", self.instance).into(),
            reg_id: 1,
        }
    }

    /// A request outside dialogs.
    fn out(&self, method: &str, uri: &str, cseq: u32, fields: &str) -> String {
        let (name, via) = (self.name, self.via(&format!("{method}{cseq}")));
        format!(
            "{method} {uri} SIP/2.0\r\n{via}max-forwards : 70\r\nX-Odd:   kept \r\n\tas it is\r\n\
             From: \"{name}\" <sip:{name}@{DOMAIN}>;tag=from\r\nt: <{uri}>\r\nCall-ID: call\r\n\
             CSeq: {cseq} {method}\r\nm: <{}>\r\nc: application/sdp\r\n\
             {fields}l: 4\r\n\r\nbody",
            self.contact()
        )
    }

    fn invite(&self, callee: &str, cseq: u32, fields: &str) -> String {
        self.out("INVITE", &format!("sip:{callee}@{DOMAIN}"), cseq, fields)
    }

    /// A response to what the server forwarded, with all its Vias and Record-Routes.
    fn answer(&self, request: &Request, status: u16) -> String {
        let headers = request.headers();
        let mut out = format!("SIP/2.0 {status} Whatever\r\n");
        for via in headers.all(HeaderName::Via) {
            out += &format!("v: {via}\r\n");
        }
        for route in headers.all(HeaderName::RecordRoute) {
            out += &format!("Record-Route: {route}\r\n");
        }
        let to = headers.first(HeaderName::To).unwrap();
        let tag = if request.to_tag().is_some() || status == 100 {
            String::new()
        } else {
            format!(";tag={}", self.tag())
        };
        out += &format!(
            "From: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <{}>\r\nX-Odd:  kept \r\n\r\n",
            headers.first(HeaderName::From).unwrap(),
            request.call_id(),
            headers.first(HeaderName::CSeq).unwrap(),
            self.contact(),
        );
        out
    }

    fn tag(&self) -> String {
        format!("to-{}-{}", self.name, self.instance)
    }
}

/// The ACK a caller sends for a non-2xx answer.
fn ack_to_failure(invite: &str, response: &Response) -> String {
    let request = Request::parse(Bytes::from(invite.to_string())).unwrap();
    let via = request.headers().list(HeaderName::Via).next().unwrap();
    format!(
        "ACK {} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\n\
         CSeq: {} ACK\r\nContent-Length: 0\r\n\r\n",
        request.uri(),
        request.headers().first(HeaderName::From).unwrap(),
        response.headers().first(HeaderName::To).unwrap(),
        request.call_id(),
        request.cseq().number,
    )
}

/// A dialog as one side sees it.
#[derive(Clone, Debug)]
struct Side {
    peer: Peer,
    routes: Vec<String>,
    local: String,
    remote: String,
    target: String,
    cseq: u32,
}

impl Side {
    /// The caller's side, from a response with a To tag (§12.1.2).
    fn caller(peer: &Peer, response: &Response) -> Self {
        let headers = response.headers();
        let mut routes: Vec<String> = headers.list(HeaderName::RecordRoute).map(String::from).collect();
        routes.reverse();
        let target = headers.first(HeaderName::Contact).unwrap().into();
        Self {
            peer: peer.clone(),
            routes,
            local: headers.first(HeaderName::From).unwrap().into(),
            remote: headers.first(HeaderName::To).unwrap().into(),
            target,
            cseq: 10,
        }
    }

    /// The callee's side, from the request that began the dialog (§12.1.1).
    fn callee(peer: &Peer, request: &Request) -> Self {
        let headers = request.headers();
        Self {
            peer: peer.clone(),
            routes: headers.list(HeaderName::RecordRoute).map(String::from).collect(),
            local: format!("{};tag={}", headers.first(HeaderName::To).unwrap(), peer.tag()),
            remote: headers.first(HeaderName::From).unwrap().into(),
            target: headers.first(HeaderName::Contact).unwrap().into(),
            cseq: 20,
        }
    }

    /// The next request in the dialog.
    fn next(&mut self, method: &str) -> String {
        self.cseq += 1;
        let cseq = if method == "ACK" { 2 } else { self.cseq };
        let uri = self.target.trim_start_matches('<').split('>').next().unwrap();
        let routes: String = self.routes.iter().map(|route| format!("Route: {route}\r\n")).collect();
        let via = self.peer.via(&format!("{method}{}", self.cseq));
        format!(
            "{method} {uri} SIP/2.0\r\n{via}Max-Forwards: 70\r\n{routes}From: {}\r\nTo: {}\r\nCall-ID: call\r\n\
             CSeq: {cseq} {method}\r\nX-Odd:  kept\r\nContent-Length: 0\r\n\r\n",
            self.local, self.remote
        )
    }
}
