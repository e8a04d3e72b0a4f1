//! A server driven by scripts: peers that send text, a location and an account store in memory, a virtual clock.

mod answered;
mod away;
mod calls;
mod caps;
mod contacts;
mod dialogs;
mod edges;
mod forgotten;
mod forks;
mod forwarding;
mod gruus;
mod guard;
mod history;
mod hostile;
mod identity;
mod kept;
mod listening;
mod loops;
mod moving;
mod outward;
mod paths;
mod peer;
mod probes;
mod proxying;
mod refusals;
mod reginfo;
mod register;
mod relay;
mod returns;
mod roles;
mod session_timers;
mod sips;
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

use peer::{Peer, Side, ack_to_failure, elsewhere, tcp, udp, ws};

use super::*;
use crate::auth::{self, Authority, Secrets};
use crate::entropy::SeededEntropy;
use crate::message::{HeaderName, Headers, Message, Method, Request, Response};
use crate::registrar::{self, Awaited, Binding, Caps};
use crate::time::Duration;
use crate::transport::target::{Query, Records, Way};
use crate::transport::{FlowId, Phone, RegistrationKey, RouteTarget};

const DOMAIN: &str = "example.com";

/// The outside of a server.
struct Net {
    server: Server,
    now: Instant,
    accounts: BTreeMap<SmolStr, Arc<Secrets>>,
    bindings: BTreeMap<SmolStr, Vec<Binding>>,
    identities: BTreeMap<FlowId, Arc<Identity>>,
    /// Who has registered over connections elsewhere.
    guests: BTreeMap<FlowId, Arc<Guests>>,
    /// Domains that connections were verified to be of.
    certified: BTreeMap<FlowId, Arc<[SmolStr]>>,
    /// What was said of other addresses of connections.
    aliases: Vec<(FlowId, SocketAddr)>,
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
    /// Where one takes its time.
    slow: BTreeSet<SocketAddr>,
    /// A registration was reached along its Path.
    reached: bool,
    /// What the server told of targets and peers.
    told: Vec<Output>,
    /// Subscriptions that are to be told of changes.
    watches: Vec<Watch>,
    /// How bindings ended, by address-of-record.
    ended: BTreeMap<SmolStr, Vec<registrar::Ended>>,
    /// Whose subscriptions were ended from outside.
    revoked: Option<WatchError>,
    /// Subscriptions still to be told of changes.
    changed: VecDeque<WatchId>,
    /// Calls that are kept over a restart.
    kept: BTreeMap<u128, Bytes>,
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
            guests: BTreeMap::new(),
            certified: BTreeMap::new(),
            aliases: Vec::new(),
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
            slow: BTreeSet::new(),
            reached: false,
            told: Vec::new(),
            watches: Vec::new(),
            ended: BTreeMap::new(),
            revoked: None,
            changed: VecDeque::new(),
            kept: BTreeMap::new(),
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
        let certified = self.certified.get(&peer.hop.flow).cloned();
        let guests = self.guests.get(&peer.hop.flow).cloned();
        self.input(Input::Received { from: peer.hop, identity, guests, certified, message: message.into() });
    }

    fn close(&mut self, peer: &Peer) {
        for binding in self.bindings.values_mut().flatten() {
            if binding.hop.is_some_and(|hop| hop.flow == peer.hop.flow) {
                binding.hop = None;
            }
        }
        self.identities.remove(&peer.hop.flow);
        self.guests.remove(&peer.hop.flow);
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
        loop {
            self.perform();
            if core::mem::take(&mut self.reached) {
                self.answer_waiting(false);
            }
            let Some(id) = self.changed.pop_front() else { return };
            self.server.handle_input(self.now, Input::Changed(id));
        }
    }

    fn perform(&mut self) {
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Transmit { to, message } => self.sent.push_back((to, message)),
                Output::Refused { trace, reason, .. } => self.refused = Some((trace, reason)),
                Output::Guessed { username, source } => self.guesses.wrong(&username, source, self.now),
                Output::Alias { flow, remote } => self.aliases.push((flow, remote)),
                Output::Authenticated { flow, identity } => {
                    self.identities.insert(flow, identity);
                }
                Output::Granted(granted) => {
                    let guests = self.guests.entry(granted.flow).or_default();
                    *guests = Arc::new(guests.with(&granted, self.now));
                }
                Output::Unwatch { id, aor } => {
                    self.watches.retain(|watch| (watch.id, &watch.aor) != (id, &aor));
                }
                Output::Reached { registration, path, hop } => {
                    let mut bindings = self.bindings.values_mut().flatten();
                    if let Some(away) =
                        bindings.find(|b| b.key == registration && b.path == path && b.hop.is_none())
                    {
                        away.hop = Some(hop);
                        self.reached = true;
                    }
                    self.hops.insert(hop.flow, hop);
                }
                Output::Keep(Keep { key, record: Some(record) }) => drop(self.kept.insert(key, record)),
                Output::Keep(Keep { key, record: None }) => drop(self.kept.remove(&key)),
                // Connections do not idle here.
                Output::Known { .. } => {}
                told @ (Output::Target { .. } | Output::Probed { .. }) => self.told.push(told),
                Output::Ask(id, question) => match self.answer_of(&question) {
                    Some(answer) if !self.silent => {
                        self.server.handle_input(self.now, Input::Answer(id, answer));
                    }
                    _ => {
                        let away = self.away(&question);
                        self.waiting.push((id, question));
                        if !away.is_empty() && !self.silent {
                            self.server.handle_input(self.now, Input::Answer(id, Answer::Away(away)));
                        }
                    }
                },
            }
        }
    }

    /// `None`: it will be known later.
    fn answer_of(&mut self, question: &Question) -> Option<Answer> {
        Some(match question {
            Question::Credentials { username, aor, from } => {
                let there = |bindings: &Vec<Binding>| registrar::is_there(bindings, &from.hop, self.now);
                match self.guesses.wait(username, from.hop.remote.ip(), self.now) {
                    Some(wait) if !self.bindings.get(aor).is_some_and(there) => Answer::Held(wait),
                    _ => {
                        let bindings = self.bindings.get(aor).map_or(&[][..], Vec::as_slice);
                        let there = registrar::registered_at(bindings, from, self.now);
                        Answer::Credentials(
                            self.accounts.get(username).cloned(),
                            there.cloned().map(Box::new),
                        )
                    }
                }
            }
            Question::Admit { username, source, usage } => {
                let first = self.replays.admit(*usage, self.now);
                if first {
                    self.guesses.right(username, *source);
                }
                Answer::Admitted(first)
            }
            Question::Lookup { aor } => {
                let user = aor.strip_prefix("sip:")?.strip_suffix("@example.com")?;
                let known = self.accounts.contains_key(user);
                Answer::Bindings(known.then(|| self.bindings.get(aor).cloned().unwrap_or_default()))
            }
            Question::Watch(watch) => Answer::Watched(self.watch(watch)),
            Question::Contact { uri } => {
                Answer::Bindings(registrar::holder(uri, self.bindings.values()).cloned())
            }
            Question::Update(update) => {
                let bindings = self.bindings.entry(update.aor.clone()).or_default();
                let done = registrar::apply(bindings, update, self.now, Caps::default());
                let bindings = bindings.clone();
                if let Ok(before) = &done {
                    let ended: Vec<_> = registrar::ended(before, &bindings, update).collect();
                    self.ended.entry(update.aor.clone()).or_default().extend(ended);
                    self.bindings_changed(&update.aor);
                }
                Answer::Updated(done.map(|_| bindings))
            }
            Question::Return { aor, contacts, .. } => {
                let awaited = Awaited::Contacts { aor: aor.clone(), contacts: contacts.clone() };
                Answer::Reachable(Some(awaited.reach(self.bindings.get(aor)?, self.now)?))
            }
            Question::Reach(RouteTarget::Registration(key), _) => {
                let bindings = self.bindings.get(&key.aor)?;
                Answer::Reachable(Some(registrar::reach(bindings, key, self.now)?))
            }
            Question::Reach(RouteTarget::Phone(phone), _) => {
                let Phone { registration, remote, .. } = &**phone;
                let bindings = self.bindings.get(&registration.aor).map_or(&[][..], Vec::as_slice);
                if registrar::is_known(bindings, phone, self.now) {
                    Answer::Reachable(Some(registrar::reach(bindings, registration, self.now)?))
                } else {
                    Answer::Reachable(Some(Hop { remote: *remote, ..udp("bob", 0).hop }))
                }
            }
            Question::Reach(RouteTarget::Address { remote, .. }, _) => {
                Answer::Reachable(Some(Hop { remote: *remote, ..udp("bob", 0).hop }))
            }
            Question::Reach(RouteTarget::Flow(flow), _) => Answer::Reachable(self.hops.get(flow).copied()),
            Question::Reach(RouteTarget::Peer { .. }, _) => Answer::Reachable(None),
            Question::Resolve { queries, .. } => {
                self.queries.extend(queries.iter().cloned());
                let answer = |query| self.zone.get(query).cloned().unwrap_or(Records::Nothing);
                Answer::Resolved(queries.iter().map(answer).collect())
            }
            Question::Connect { ways, .. } => {
                if ways.iter().flat_map(|way| &way.addresses).any(|address| self.slow.contains(address)) {
                    return None;
                }
                Answer::Connected(self.connect(ways))
            }
        })
    }

    /// Of what is waited for, what is away and has a Path.
    fn away(&self, question: &Question) -> Vec<Binding> {
        let awaited = match question {
            Question::Reach(target, _) => match target.registration() {
                Some(key) => Awaited::Registration(key.clone()),
                None => return Vec::new(),
            },
            Question::Return { aor, contacts, .. } => {
                Awaited::Contacts { aor: aor.clone(), contacts: contacts.clone() }
            }
            _ => return Vec::new(),
        };
        let bindings = self.bindings.get(awaited.aor()).map_or(&[][..], Vec::as_slice);
        awaited.away(bindings, self.now).cloned().collect()
    }

    fn bindings_changed(&mut self, aor: &str) {
        let of = self.watches.iter().filter(|watch| watch.aor == aor && watch.until > self.now);
        self.changed.extend(of.map(|watch| watch.id));
    }

    fn watch(&mut self, watch: &Watch) -> Result<Watched, WatchError> {
        let user = watch.aor.strip_prefix("sip:").and_then(|rest| rest.strip_suffix("@example.com"));
        if !user.is_some_and(|user| self.accounts.contains_key(user)) {
            return Err(WatchError::UnknownAor);
        }
        if let Some(error) = self.revoked {
            return Err(error);
        }
        match watch.hold {
            Hold::Begin => self.watches.push(watch.clone()),
            Hold::Keep => {
                let known = self.watches.iter_mut().find(|known| known.id == watch.id);
                known.ok_or(WatchError::Revoked)?.until = watch.until;
            }
            Hold::Not => {}
        }
        let mut bindings = self.bindings.get(&watch.aor).cloned().unwrap_or_default();
        bindings.retain(|binding| binding.expires_at > self.now);
        let ended = self.ended.get(&watch.aor).cloned().unwrap_or_default();
        Ok(Watched { bindings, ended })
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

impl Net {
    /// A registration of which nobody but the phone hears at once.
    #[track_caller]
    fn register_quietly(&mut self, peer: &Peer) {
        self.send_with_digest(peer, peer.name, &|cseq, extra| {
            peer.register(cseq, &format!("{}{extra}", peer.contact_field()))
        });
        self.expect(peer, 200);
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
