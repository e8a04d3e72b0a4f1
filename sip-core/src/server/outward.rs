//! Requests for other domains: who may send them is known, and now their way is found (§16.6 steps 6 and 7).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use smol_str::{SmolStr, format_smolstr};

use super::dialog::TOKENS;
use super::questions::{Arrival, Departure, Errand, Goal, Pending, Quest};
use super::reply::Reply;
use super::rule::Rule;
use super::{Health, Output, Question, Server, Source};
use crate::entropy::SeededEntropy;
use crate::limits;
use crate::message::typed::{QValue, Route};
use crate::message::{
    HeaderName, Host, Method, Request, SipUri, Uri, Via, as_sips, escape_user, is_sips, unescape,
};
use crate::proxy::{self, Asserted, Detours, Ended, Failure, Secure, Target, Targets};
use crate::time::Instant;
use crate::transaction::ServerId;
use crate::transport::target::{Located, Nowhere, Records, Search, Way, for_length, locate};
use crate::transport::{Hop, RouteTarget, Transport};

/// The choice among a route's peers, which no domain's hosts are: that has a name.
const PEERS: &str = "";

/// What our Via and two Record-Routes add to a request, about.
const ADDED: usize = 560;

/// The same where it is within a dialog and has no Record-Routes of ours.
const ADDED_WITHIN: usize = 200;

impl Server {
    /// A request whose Request-URI, or whose preloaded Route, is of another domain.
    pub(super) fn depart(&mut self, now: Instant, arrival: Arrival, sender: RouteTarget, routes: usize) {
        let next = next_hop(&arrival.request, routes).unwrap_or_default();
        self.depart_toward(now, arrival, sender, routes, next, false);
    }

    /// To where this URI leads. `named`: the configuration has it.
    pub(super) fn depart_toward(
        &mut self,
        now: Instant,
        arrival: Arrival,
        sender: RouteTarget,
        routes: usize,
        next: SmolStr,
        named: bool,
    ) {
        let (uris, configured) = match Uri::parse(&next) {
            Some(Uri::Sip(uri)) => match self.config.route_for(&uri, false) {
                Some(route) => (self.config.uris(route, &mut self.settled(&arrival, PEERS)), true),
                None => ([next.clone()].into(), named),
            },
            _ => return self.refuse(now, &arrival, Rule::Scheme.into()),
        };
        self.trying(now, &arrival);
        let departure = Departure { arrival, sender, routes, user: None, configured, known: None };
        self.seek(now, Errand::Forward(departure.into()), uris);
    }

    /// A request for somebody in our domain who has no account: a number, perhaps, that a peer knows.
    pub(super) fn nobody(&mut self, now: Instant, arrival: Arrival, sender: RouteTarget, routes: usize) {
        let route = match arrival.request.parsed_uri() {
            Some(Uri::Sip(uri)) if arrival.standing.may_be_ours() => self
                .config
                .route_for(&uri, true)
                .zip(uri.user.map(|user| escape_user(&unescape(user)).into())),
            _ => None,
        };
        let Some((route, user)) = route else {
            return self.refuse(now, &arrival, Rule::UserUnknown.into());
        };
        let uris = self.config.uris(route, &mut self.settled(&arrival, PEERS));
        self.trying(now, &arrival);
        let departure =
            Departure { arrival, sender, routes, user: Some(user), configured: true, known: None };
        self.seek(now, Errand::Forward(departure.into()), uris);
    }

    /// A request within a dialog for another domain's side: if it may go `onward`, where the Route after ours says, or the
    /// Request-URI; else to `known`, the server that the dialog was begun through.
    pub(super) fn depart_within(
        &mut self,
        now: Instant,
        arrival: Arrival,
        sender: RouteTarget,
        routes: usize,
        known: Way,
        onward: bool,
    ) {
        let next = if onward { next_hop(&arrival.request, routes) } else { None };
        self.trying(now, &arrival);
        let (user, known) = (None, Some(known));
        let departure = Departure { arrival, sender, routes, user, configured: false, known };
        self.seek(now, Errand::Forward(departure.into()), next.into_iter().collect());
    }

    /// A URI of another domain that a request on its way is to go to as well: a 3xx named it, and following one is this
    /// server's policy.
    pub(super) fn want_elsewhere(&mut self, now: Instant, server: ServerId, uri: SmolStr, q: QValue) {
        let goal = Goal { uri: uri.clone(), user: None, configured: false };
        self.seek(now, Errand::Extend { server, q, goal }, [uri].into());
    }

    /// The connection that a request came over is gone: §18.2.2 has the responses go to `received` and the port of
    /// `sent-by`, over a new one; and if there is none to be had, RFC 3263 §5 to where `sent-by` leads. `domain`: that of the peer, if
    /// it said more than its Via. A stranger says which port it likes: what cannot be reached by a request is reached by no response,
    /// but over TLS, where whoever is there shows first that it is `domain`.
    pub(super) fn return_to(&mut self, now: Instant, server: ServerId, domain: Option<SmolStr>, ours: bool) {
        let (Some(hop), Some(origin)) = (self.layer.server_hop(server), self.layer.server_origin(server))
        else {
            return;
        };
        let Hop { transport, remote, .. } = hop;
        // Nobody listens there (RFC 7118).
        if transport.is_websocket() {
            return;
        }
        let Some(via) = origin.via() else { return };
        let domain = domain.unwrap_or_else(|| match via.host {
            Host::Name(name) => name.into(),
            Host::Ip(ip) => format_smolstr!("{ip}"),
        });
        let port = via.port.unwrap_or(if transport == Transport::Tls { 5061 } else { 5060 });
        let sent_by = (via.host.ip() != Some(remote.ip())).then(|| sent_by(&via, transport));
        let may = (ours && self.may_return(remote.ip())) || self.may_reach(remote.ip(), None, false);
        if transport == Transport::Tls || may {
            let addresses = [SocketAddr::new(remote.ip(), port)].into();
            let way = Way { transport, addresses, domain, free: false };
            self.connect(now, Errand::Caller { server, sent_by }, [way].into());
        } else if let Some(uri) = sent_by {
            self.seek(now, Errand::Caller { server, sent_by: None }, [uri].into());
        }
    }

    /// What the proxy cannot do by itself.
    pub(super) fn go_on(&mut self, now: Instant) {
        while let Some(Failure { hop, retry_after }) = self.proxy.poll_failure() {
            let health = Health::Failed(retry_after);
            self.emit(Output::Target { transport: hop.transport, remote: hop.remote, health });
        }
        while let Some(keep) = self.proxy.poll_keep() {
            self.emit(Output::Keep(keep));
        }
        while let Some(ended) = self.proxy.poll_ended() {
            let Ended { peer, trace, status, reason, method, call_id } = ended;
            self.emit(Output::Refused { peer, trace, status, reason, method, call_id });
        }
        while let Some(lost) = self.proxy.poll_homeless() {
            self.find_caller(now, lost);
        }
        while let Some(absence) = self.proxy.poll_absence() {
            self.wait_again(now, absence);
        }
        while let Some(mut retry) = self.proxy.poll_retry() {
            let ways = core::mem::take(&mut retry.detours.ways);
            self.connect(now, Errand::Retry(retry.into()), ways);
        }
    }

    /// Finds where these lead, and goes there.
    pub(super) fn seek(&mut self, now: Instant, errand: Errand, uris: VecDeque<SmolStr>) {
        let quest = Quest { errand, uris, ways: Vec::new(), nowhere: Nowhere::NoDomain };
        self.seek_next(now, quest.into());
    }

    fn seek_next(&mut self, now: Instant, mut quest: Box<Quest>) {
        while let Some(uri) = quest.uris.pop_front() {
            let located = match Uri::parse(&uri) {
                // §16.6 step 7: "as if the input URI were a SIPS URI". How a peer is reached says the configuration.
                Some(Uri::Sip(uri)) => {
                    let secure =
                        uri.secure || (!quest.errand.is_configured() && self.is_promised(&quest.errand));
                    locate(&SipUri { secure, ..uri }, self.config.transports)
                }
                _ => Located::Nowhere(Nowhere::Transport),
            };
            match located {
                Located::Ask(..) => return self.located(now, quest, located),
                Located::Found(ways) => quest.ways.extend(ways),
                Located::Nowhere(nowhere) => quest.nowhere = nowhere,
            }
        }
        self.found_ways(now, *quest);
    }

    fn located(&mut self, now: Instant, mut quest: Box<Quest>, located: Located) {
        match located {
            Located::Ask(search, queries) => {
                self.counters.resolutions += queries.len() as u64;
                let deadline = now + self.config.limits.resolve;
                let question = Question::Resolve { queries, source: self.source_of(&quest.errand) };
                let asked = self.ask(deadline, question, Pending::Locate(quest, search));
                if let Err(pending) = asked
                    && let Pending::Locate(quest, _) = *pending
                {
                    self.overwhelmed(now, quest.errand);
                }
                return;
            }
            Located::Found(ways) => quest.ways.extend(ways),
            Located::Nowhere(nowhere) => quest.nowhere = nowhere,
        }
        self.seek_next(now, quest);
    }

    pub(super) fn resolved(
        &mut self,
        now: Instant,
        quest: Box<Quest>,
        search: Search,
        mut records: Vec<Records>,
    ) {
        let located = match quest.errand.arrival() {
            Some(arrival) => {
                // "The stateless proxy MUST define a deterministic order to the records". In others, DNS has a host's addresses take
                // turns.
                let turns = |records: &Records| arrival.server.is_some() && records.are_addresses();
                records.iter_mut().filter(|records| !turns(records)).for_each(Records::sort);
                let mut settled = self.settled(arrival, search.target());
                search.answered(records, &mut settled)
            }
            None => search.answered(records, &mut *self.entropy),
        };
        self.located(now, quest, located);
    }

    /// What chooses among servers of one weight: peers of a route, or hosts of the domain `what`. RFC 3263 §4.4: where no transaction is
    /// remembered all choose alike that would belong to it: "retransmissions of the request for the transaction, as well as ACK for a
    /// non-2xx final response, and CANCEL requests … MUST go to the same server".
    fn settled(&self, arrival: &Arrival, what: &str) -> SeededEntropy {
        proxy::settled(&arrival.request, &arrival.from, &self.tokens, what)
    }

    fn found_ways(&mut self, now: Instant, quest: Quest) {
        let Quest { errand, mut ways, nowhere, .. } = quest;
        ways.truncate(limits::TARGETS);
        // Those that the configuration names are as they are.
        let configured = errand.is_configured();
        let (length, known) = match &errand {
            Errand::Forward(departure) => {
                (length_of(&departure.arrival.request, departure.routes), departure.known.as_ref())
            }
            Errand::Extend { server, .. } => {
                let request = self.layer.server_request(*server);
                (request.map_or(0, |request| length_of(&request, 0)), None)
            }
            // What it will tell is asked once its way is known.
            Errand::Notify { known, .. } => (limits::REGINFO_BYTES, Some(known)),
            _ => (0, None),
        };
        let (some, promised) = (!ways.is_empty(), self.is_promised(&errand));
        let may_go = |way: &Way| !promised || way.transport.is_secure();
        ways.retain(may_go);
        let none_may = some && ways.is_empty();
        for way in &mut ways {
            // Whoever it was verified to be when the dialog began, it is still.
            let same = |known: &&Way| {
                known.transport == way.transport && way.addresses.contains(&known.addresses[0])
            };
            if let Some(known) = known.filter(same) {
                way.addresses.clone_from(&known.addresses);
                way.domain.clone_from(&known.domain);
            } else if let Some(domain) = self.domain_at(way, known) {
                way.domain = domain;
            }
            let domain = &way.domain;
            way.addresses.retain(|address| match &errand {
                Errand::Edge(edge) if edge.path.is_empty() => self.may_return(address.ip()),
                Errand::Edge(edge) => self.may_follow(address.ip(), domain, &edge.through),
                Errand::Stream(long) => long.is_at(address.ip()) && self.may_reach(address.ip(), None, false),
                _ => self.may_reach(address.ip(), known, configured),
            });
        }
        ways.retain(|way| !way.addresses.is_empty());
        if let Errand::Stream(long) = errand {
            return self.found_streams(now, long, ways);
        }
        if let (true, Some(known)) = (ways.is_empty(), known.filter(|known| may_go(known))) {
            ways.push(Way { free: true, ..known.clone() });
        }
        if ways.is_empty() {
            let reply = if none_may || (promised && (known.is_some() || nowhere == Nowhere::Transport)) {
                Rule::SipsNotAllowed.into()
            } else if some {
                self.counters.hops_forbidden += 1;
                Rule::HopForbidden.into()
            } else {
                self.counters.hops_not_found += 1;
                nowhere.reply()
            };
            return self.turn_away(now, errand, reply);
        }
        // What a Record-Route, a Contact or the configuration says of UDP, it means.
        if known.is_some() {
            ways.iter_mut().for_each(|way| way.free &= !self.config.wants_datagrams(way));
        }
        let ways = for_length(ways, length, limits::DATAGRAM_COMFORT, self.config.transports);
        self.connect(now, errand, ways);
    }

    pub(super) fn connect(&mut self, now: Instant, errand: Errand, ways: Vec<Way>) {
        let deadline = now + self.config.limits.connect;
        let question = Question::Connect { ways: ways.clone(), source: self.source_of(&errand) };
        if let Err(pending) = self.ask(deadline, question, Pending::Connect(errand, ways))
            && let Pending::Connect(errand, _) = *pending
        {
            self.overwhelmed(now, errand);
        }
    }

    /// Whether TLS is promised on the hop that is looked for.
    fn is_promised(&self, errand: &Errand) -> bool {
        match errand {
            Errand::Forward(departure) => Secure::of(&departure.arrival.request, departure.routes).to,
            Errand::Stream(long) => Secure::of(&long.arrival.request, TOKENS).to,
            Errand::Retry(retry) => self.is_secure(retry.server),
            Errand::Extend { server, .. } => self.is_secure(*server),
            // What is told of this hop's transport says more: responses go back as their request came, NOTIFYs see to it.
            // So does what was sent before.
            Errand::Caller { .. }
            | Errand::Again(_)
            | Errand::Notify { .. }
            | Errand::Probe { .. }
            | Errand::Edge(_) => false,
        }
    }

    /// Whose request it is for.
    fn source_of(&self, errand: &Errand) -> Option<Source> {
        if let Some(arrival) = errand.arrival() {
            let (address, account) = (arrival.from.remote.ip(), self.asserted(arrival).account());
            return Some(Source { address, account });
        }
        let server = match errand {
            Errand::Forward(_) | Errand::Stream(_) => return None,
            Errand::Retry(retry) => retry.server,
            Errand::Again(absence) => absence.server,
            Errand::Extend { server, .. } | Errand::Caller { server, .. } => *server,
            // Whoever subscribed.
            Errand::Notify { known, .. } => {
                return Some(Source { address: known.addresses.first()?.ip(), account: None });
            }
            Errand::Probe { .. } => return None,
            Errand::Edge(edge) => return edge.source.clone(),
        };
        let address = self.layer.server_hop(server)?.remote.ip();
        Some(Source { address, account: self.proxy.asserted(server).and_then(Asserted::account) })
    }

    pub(super) fn connected(
        &mut self,
        now: Instant,
        errand: Errand,
        mut ways: Vec<Way>,
        at: usize,
        hop: Hop,
    ) {
        let Way { domain, .. } = ways.remove(at);
        let secure = match &errand {
            Errand::Forward(departure) => is_sips(departure.arrival.request.uri()),
            errand => self.is_promised(errand),
        };
        let trusted = self.config.trusts(hop.remote.ip(), &domain);
        let target = |user: Option<SmolStr>, contact: Option<SmolStr>, onward: bool| {
            let uri = user.as_ref().map(|user| in_domain(user, &domain)).or_else(|| contact.clone());
            let uri = uri.map(|uri| if secure { as_sips(&uri).into() } else { uri });
            let Hop { transport, remote, .. } = hop;
            let receiver = RouteTarget::Peer { transport, remote, domain: domain.clone(), onward };
            let detours = Detours { hop, ways, user, contact, onward };
            Target { detours: Some(detours.into()), trusted, ..Target::new(uri, hop, receiver) }
        };
        match errand {
            Errand::Forward(departure) => {
                let Departure { arrival, sender, routes, user, .. } = *departure;
                self.counters.departed += 1;
                let target = target(user, None, arrival.standing.is_ours());
                if arrival.server.is_none() {
                    return self.forward_stateless(now, &arrival, &sender, routes, &target);
                }
                self.forward(now, &arrival, sender, routes, target.into());
            }
            Errand::Retry(retry) => {
                let Detours { user, contact, onward, .. } = (*retry.detours).clone();
                let target = target(user, contact, onward);
                let (proxy, mut turn) = self.turn(now);
                proxy.resume(&mut turn, *retry, Some(target));
            }
            Errand::Extend { server, q, goal } => {
                let contact = goal.user.is_none().then_some(goal.uri);
                self.extend_by(now, server, q, target(goal.user, contact, false).into());
            }
            Errand::Caller { server, .. } => self.caller_back(server, Some(hop)),
            Errand::Notify { id, .. } => self.watcher_reached(now, id, Some(hop)),
            Errand::Probe { peer, call_id } => self.send_probe(now, peer, &call_id, hop),
            Errand::Again(absence) => self.again(now, *absence, Some(hop)),
            Errand::Edge(edge) => self.arrived(*edge, hop),
            Errand::Stream(long) => self.stream_reached(now, *long, hop, &domain),
        }
    }

    /// No way leads there, or none was found in time.
    pub(super) fn unconnected(&mut self, now: Instant, errand: Errand) {
        self.counters.hops_not_reached += 1;
        if let Errand::Caller { server, sent_by: Some(uri) } = errand {
            return self.seek(now, Errand::Caller { server, sent_by: None }, [uri].into());
        }
        self.turn_away(now, errand, Rule::HopUnreachable.into());
    }

    fn overwhelmed(&mut self, now: Instant, errand: Errand) {
        self.turn_away(now, errand, Rule::Overloaded.into());
    }

    fn turn_away(&mut self, now: Instant, errand: Errand, reply: Reply) {
        match errand {
            Errand::Forward(departure) => self.refuse(now, &departure.arrival, reply),
            Errand::Retry(retry) => {
                let (proxy, mut turn) = self.turn(now);
                proxy.resume(&mut turn, *retry, None);
            }
            Errand::Extend { server, q, .. } => self.extend_by(now, server, q, Targets::default()),
            Errand::Again(absence) => self.again(now, *absence, None),
            Errand::Edge(edge) => self.not_arrived(&edge),
            Errand::Stream(long) => self.as_datagram(now, *long),
            Errand::Caller { .. } => {}
            Errand::Notify { id, .. } => self.watcher_reached(now, id, None),
            Errand::Probe { peer, .. } => self.emit(Output::Probed { peer, alive: false }),
        }
    }
}

impl Nowhere {
    fn reply(self) -> Reply {
        let rule = match self {
            Self::Invalid => Rule::DomainInvalid,
            Self::Transport => Rule::NoTransport,
            Self::NoDomain => Rule::DomainUnknown,
            Self::NoAnswer => Rule::DnsSilent,
        };
        rule.into()
    }
}

/// About how long a request is once it is sent on, without its Routes that are ours.
pub(super) fn length_of(request: &Request, routes: usize) -> usize {
    let headers = request.headers();
    let ours: usize = headers.list(HeaderName::Route).take(routes).map(str::len).sum();
    let recorded = request.to_tag().is_none() || *request.method() == Method::Notify;
    (request.bytes().len() + if recorded { ADDED } else { ADDED_WITHIN }).saturating_sub(ours)
}

/// §16.6 step 6: the Route after ours, else the Request-URI.
pub(super) fn next_hop(request: &Request, routes: usize) -> Option<SmolStr> {
    match request.headers().typed_all::<Route<'_>>().nth(routes) {
        Some(route) => Some(route.ok()?.uri.into()),
        None => Some(request.uri().into()),
    }
}

/// RFC 3263 §5 as a URI: a name with a port has addresses, one without has SRV records of the Via's transport and no other.
fn sent_by(via: &Via<'_>, transport: Transport) -> SmolStr {
    let port = via.port.map(|port| format_smolstr!(":{port}")).unwrap_or_default();
    format_smolstr!("sip:{}{port};transport={}", via.host, transport.via_token())
}

/// A user of ours, or a number, as the domain of a peer knows it.
fn in_domain(user: &str, domain: &str) -> SmolStr {
    match domain.parse::<IpAddr>() {
        Ok(ip) => format_smolstr!("sip:{user}@{}", Host::Ip(ip)),
        Err(_) => format_smolstr!("sip:{user}@{domain}"),
    }
}
