//! From an address-of-record to the contacts a request is forwarded to (§16.5).

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::peers::{Peer, Standing};
use super::questions::{Aim, Arrival, Pending, Sought};
use super::reply::Reply;
use super::rule::Rule;
use super::{Mode, Question, Server, Wait, stray};
use crate::limits;
use crate::message::typed::QValue;
use crate::message::{HeaderName, Method, NameAddr, Uri, is_sips};
use crate::proxy::{Diverter, Inbound, Target, Targets, Wanted};
use crate::registrar::{Binding, Contacts, Instance, Origin};
use crate::time::Instant;
use crate::transaction::ServerId;
use crate::transport::{Hop, Phone, RegistrationKey, RouteTarget, Transport, via};

impl Server {
    pub(super) fn lookup(
        &mut self,
        now: Instant,
        arrival: Arrival,
        username: Option<&str>,
        aor: SmolStr,
        instance: Option<Instance>,
        routes: usize,
    ) {
        let sender = arrival.sender(username);
        let diverter = self.forwarding.of(&aor, &arrival).filter(|_| instance.is_none());
        let contacts = self.for_request(&arrival, instance.map_or(Contacts::All, Contacts::Of));
        let aim = Aim::Address;
        let sought = Sought { arrival, sender, contacts, routes, until: None, aim, diverter };
        self.ask_or_refuse(now, self.soon(now), Question::Lookup { aor }, Pending::Lookup(sought));
    }

    /// The same for a contact of `aor` that the Request-URI is.
    pub(super) fn lookup_stray(
        &mut self,
        now: Instant,
        arrival: Arrival,
        sender: RouteTarget,
        aor: SmolStr,
        routes: usize,
    ) {
        let (aim, diverter) = (Aim::Stray, None);
        let contacts = self.for_request(&arrival, Contacts::At(arrival.request.uri().into()));
        let sought = Sought { arrival, sender, contacts, routes, until: None, aim, diverter };
        self.ask_or_refuse(now, self.soon(now), Question::Lookup { aor }, Pending::Lookup(sought));
    }

    /// The same outside dialogs, whoever's contact it is.
    pub(super) fn lookup_contact(
        &mut self,
        now: Instant,
        arrival: Arrival,
        sender: RouteTarget,
        routes: usize,
    ) {
        let uri: SmolStr = arrival.request.uri().into();
        let (contacts, aim, diverter) = (Contacts::At(uri.clone()), Aim::Contact, None);
        let contacts = self.for_request(&arrival, contacts);
        let sought = Sought { arrival, sender, contacts, routes, until: None, aim, diverter };
        self.ask_or_refuse(now, self.soon(now), Question::Contact { uri }, Pending::Lookup(sought));
    }

    /// RFC 5630 §5.3: a request for a `sips` URI goes to `sips` Contacts alone. A redirection names all of them (§5.4), and its caller
    /// decides; what is for a GRUU is not redirected.
    fn for_request(&self, arrival: &Arrival, contacts: Contacts) -> Contacts {
        let redirects = self.config.routing.mode == Mode::Redirect && contacts.instance().is_none();
        contacts.only(!redirects && is_sips(arrival.request.uri()))
    }

    /// Whether a request on its way is for a `sips` URI.
    pub(super) fn is_secure(&self, server: ServerId) -> bool {
        self.layer.server_origin(server).is_some_and(|origin| origin.is_secure())
    }

    pub(super) fn found(&mut self, now: Instant, sought: Sought, bindings: Option<Vec<Binding>>) {
        let stray = sought.aim != Aim::Address;
        let mut bindings = match bindings {
            Some(bindings) => bindings,
            None if stray => Vec::new(),
            None => {
                let Sought { arrival, sender, routes, .. } = sought;
                return self.nobody(now, arrival, sender, routes);
            }
        };
        // RFC 5627 §5.1: "will be rejected by the domain with a 404".
        if sought.contacts.instance().is_some_and(|instance| !instance.is_valid(&bindings)) {
            return self.refuse(now, &sought.arrival, Rule::GruuEnded.into());
        }
        // RFC 5630 §5.3: "the proxy MUST reject it with a 480". What only looks like a contact of ours may be another's.
        if sought.aim != Aim::Contact && sought.contacts.are_insecure(&bindings, now) {
            if !sought.goes_on() {
                return self.refuse(now, &sought.arrival, Rule::SipsNotAllowed.into());
            }
            self.trying(now, &sought.arrival);
            return self.forward_absent(now, sought);
        }
        bindings.retain(|binding| sought.contacts.has(binding));
        if sought.aim == Aim::Contact
            && let Some(Uri::Sip(uri)) = Uri::parse(sought.arrival.request.uri())
            && self.leads_on(&uri)
        {
            bindings.retain(|binding| stray::is_there_alone(binding, &uri));
        }
        if stray && bindings.is_empty() {
            return self.no_contact(now, sought);
        }
        self.found_contacts(now, sought, &bindings);
    }

    fn found_contacts(&mut self, now: Instant, sought: Sought, bindings: &[Binding]) {
        let Sought { arrival, sender, contacts, routes, until, aim, diverter } = sought;
        let mut targets = targets(bindings, &contacts, now);
        if diverter.as_ref().is_some_and(|diverter| diverter.forwards.always.is_some()) {
            targets.clear();
        } else if targets.is_empty() {
            let sought = Sought { arrival, sender, contacts, routes, until, aim, diverter };
            return self.absent(now, sought, bindings);
        }
        let cancels = arrival.is_cancel();
        if cancels {
            // Whichever of them was called.
            targets.iter_mut().for_each(|target| target.q = QValue::ONE);
        }
        match (self.config.routing.mode, arrival.server) {
            (Mode::Redirect, _) if cancels => {
                return self.refuse(now, &arrival, Rule::NothingToCancel.into());
            }
            // RFC 5627 §6.1: "a request sent to a GRUU SHOULD NOT be redirected".
            (Mode::Redirect, _) if contacts.instance().is_none() => {
                return self.redirect(now, &arrival, &targets);
            }
            (_, None) => {
                // §16.11: one target, and the same again for a retransmission.
                // Whoever registers meanwhile changes their order and nothing else.
                let first = |one: &&Target, other: &&Target| {
                    one.q.cmp(&other.q).then_with(|| other.contact.cmp(&one.contact))
                };
                if let Some(target) = targets.iter().max_by(first) {
                    self.forward_stateless(now, &arrival, &sender, routes, target);
                }
                return;
            }
            _ => {}
        }
        if until.is_none() {
            self.trying(now, &arrival);
        }
        let behind = if targets.is_empty() { Vec::new() } else { behind(bindings, &contacts, cancels, now) };
        let targets = Targets { found: targets, sought: behind.len(), diverter };
        self.forward(now, &arrival, sender, routes, targets);
        if let Some(server) = arrival.server {
            self.join_later(now, server, QValue::ONE, behind);
        }
    }

    /// Nobody is there now. Whoever is away for a moment, a page on its way to a new socket perhaps, is waited for.
    fn absent(&mut self, now: Instant, sought: Sought, bindings: &[Binding]) {
        let Sought { arrival, contacts, until: begun, .. } = &sought;
        let away = bindings.iter().find(|binding| binding.expires_at > now);
        let until = begun.unwrap_or(now + self.config.limits.away);
        let Some(away) = away.filter(|_| until > now) else {
            if begun.is_some() {
                return self.callee_away(now, sought);
            }
            if sought.goes_on() {
                self.trying(now, arrival);
                return self.forward_absent(now, sought);
            }
            return self.refuse(now, arrival, Rule::NotRegistered.into());
        };
        if begun.is_none() {
            self.trying(now, arrival);
        }
        // Whichever is back first: one of several is a page that was closed for good, perhaps.
        let aor = away.key.aor.clone();
        let wait = Wait { until, within: arrival.request.to_tag().is_some() };
        let question = Question::Return { aor: aor.clone(), contacts: contacts.clone(), wait };
        let sought = Sought { until: Some(until), ..sought };
        self.ask_or_refuse(now, until, question, Pending::Away { sought, aor });
    }

    /// It was waited for in vain.
    pub(super) fn callee_away(&mut self, now: Instant, sought: Sought) {
        if sought.goes_on() {
            return self.forward_absent(now, sought);
        }
        self.refuse(now, &sought.arrival, Rule::Away.into());
    }

    /// One of them is back: where it is now is looked up anew.
    pub(super) fn look_again(&mut self, now: Instant, sought: Sought, aor: SmolStr) {
        self.ask_or_refuse(now, self.soon(now), Question::Lookup { aor }, Pending::Lookup(sought));
    }

    /// Forwards a request to its targets.
    pub(super) fn forward(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        sender: RouteTarget,
        routes: usize,
        targets: Targets,
    ) {
        let Some(server) = arrival.server else { return };
        let refused = self.config.routing.session_timer.and_then(|timer| timer.refuses(&arrival.request));
        if let Some(least) = refused {
            let reply = Reply::from(Rule::SessionInterval).with(HeaderName::MinSe, format!("{least}"));
            return self.refuse(now, arrival, reply);
        }
        let asserted = self.asserted(arrival);
        let inbound = Inbound {
            server,
            request: arrival.request.clone(),
            from: arrival.from,
            sender,
            routes,
            asserted,
            edge: arrival.standing.edge(),
        };
        let (proxy, mut turn) = self.turn(now);
        proxy.fork(&mut turn, inbound, targets);
        // It closed while its callee was being looked for. Of others than INVITE that is told when they are answered.
        if arrival.is_invite() && self.layer.has_lost_flow(server) {
            self.caller_lost(now, server);
        }
    }

    /// §8.3: the contacts, the preferred first. One that only a connection of ours leads to says nothing to another.
    fn redirect(&mut self, now: Instant, arrival: &Arrival, targets: &[Target]) {
        let mut contacts: Vec<(&SmolStr, QValue)> = Vec::new();
        for target in targets {
            let Some(contact) = &target.contact else { continue };
            match Uri::parse(contact) {
                Some(Uri::Sip(uri)) if !uri.host.is_invalid() => contacts.push((contact, target.q)),
                _ => {}
            }
        }
        contacts.sort_by_key(|(_, q)| core::cmp::Reverse(*q));
        let reply = match contacts.as_slice() {
            [] => Rule::OnlyByProxy.into(),
            contacts => contacts.iter().fold(Reply::new(302), |reply, (contact, q)| {
                reply.with(HeaderName::Contact, format!("<{contact}>;q={q}"))
            }),
        };
        self.refuse(now, arrival, reply);
    }

    /// Finds targets for a URI that a request on its way is to go to as well.
    pub(super) fn want(&mut self, now: Instant, wanted: Wanted) {
        let Wanted { server, uri, q, diverted } = wanted;
        let local = self.layer.server_hop(server).map(|hop| hop.local.ip());
        let aor = match (Uri::parse(&uri), local) {
            (Some(Uri::Sip(uri)), Some(local)) => self.domain.aor(&uri, local),
            _ => None,
        };
        let Some(aor) = aor else {
            match diverted {
                true => self.divert_elsewhere(now, server, uri, q),
                false => self.want_elsewhere(now, server, uri, q),
            }
            return;
        };
        let pending = Pending::Extend { server, q, diverted: diverted.then_some(uri) };
        if self.ask(self.soon(now), Question::Lookup { aor }, pending).is_err() {
            self.extend_by(now, server, q, Targets::default());
        }
    }

    /// The contacts of an address-of-record that a request on its way goes to as well. `q` is that of the address, `diverter` who has
    /// it, if its calls may be forwarded.
    pub(super) fn extend(
        &mut self,
        now: Instant,
        server: ServerId,
        q: QValue,
        mut bindings: Vec<Binding>,
        diverter: Option<Box<Diverter>>,
    ) {
        let contacts = Contacts::All.only(self.is_secure(server));
        bindings.retain(|binding| contacts.has(binding));
        let found = targets(&bindings, &contacts, now);
        let behind = behind(&bindings, &contacts, false, now);
        self.extend_by(now, server, q, Targets { found, sought: behind.len(), diverter });
        self.join_later(now, server, q, behind);
    }

    /// The same with any targets.
    pub(super) fn extend_by(&mut self, now: Instant, server: ServerId, q: QValue, mut targets: Targets) {
        targets.found.iter_mut().for_each(|target| target.q = target.q.min(q));
        let (proxy, mut turn) = self.turn(now);
        proxy.extend(&mut turn, server, targets);
    }
}

/// Everybody who is there, each instance once: over its newest flow, the others in reserve (RFC 5626 §7). Without `reg-id` it was started
/// anew, or is in another network, and is where it was heard of last (RFC 5627 §6.1); unless its contacts have weights that say which
/// comes first. What a GRUU leads to is one instance.
pub(super) fn targets(bindings: &[Binding], contacts: &Contacts, now: Instant) -> Vec<Target> {
    let one = contacts.instance().is_some();
    // It is away: the branch fails at once, the others ring.
    let there = bindings.iter().filter(|b| b.expires_at > now && b.hop.is_some());
    let mut chosen: Vec<(&Binding, Target)> = Vec::new();
    for binding in there {
        let Some(mut target) = target(binding) else { continue };
        let same = |other: &Binding| {
            let alike = || other.is_of(&binding.agent()) || binding.is_of(&other.agent());
            one || other.key.is_of_same_agent(&binding.key) || (other.q() == binding.q() && alike())
        };
        match chosen.iter_mut().find(|(other, _)| same(other)) {
            None => chosen.push((binding, target)),
            // The latest stands last.
            Some((_, first)) => {
                core::mem::swap(first, &mut target);
                first.spares.append(&mut target.spares);
                first.spares.insert(0, target);
            }
        }
    }
    chosen.into_iter().map(|(_, target)| target).collect()
}

/// Those that are away behind a proxy which their Path names: what they are found by then (RFC 3327 §5.3) makes each a target more.
/// `all`: those that nothing leads to as well.
fn behind(bindings: &[Binding], contacts: &Contacts, all: bool, now: Instant) -> Vec<RegistrationKey> {
    let mut behind: Vec<RegistrationKey> = Vec::new();
    let sought = |b: &Binding| b.has_way(now) || (all && b.expires_at > now);
    for binding in bindings.iter().filter(|b| b.hop.is_none() && sought(b)) {
        let mut there = bindings.iter().filter(|b| b.hop.is_some() && b.expires_at > now);
        // One of a GRUU's contacts is its instance.
        let one = contacts.instance().is_some();
        let same = |other: &RegistrationKey| one || other.is_of_same_agent(&binding.key);
        if !there.any(|other| same(&other.key)) && !behind.iter().any(same) {
            behind.push(binding.key.clone());
        }
    }
    behind
}

/// How a contact is reached. `None` while it is away.
fn target(binding: &Binding) -> Option<Target> {
    let hop = binding.hop?;
    let receiver = side_of(&hop, binding);
    let path = binding.path.clone();
    Some(Target { q: binding.q(), path, ..Target::new(Some(binding.contact.clone()), hop, receiver) })
}

/// What a Record-Route leads to on the side of a contact that is reached over this hop.
pub(super) fn side_of(hop: &Hop, binding: &Binding) -> RouteTarget {
    // A page is known by the registration that its connection has proven.
    if hop.transport.is_websocket() {
        return side(hop, Some(&binding.key));
    }
    let key = binding.agent();
    // RFC 5626 §4.2: it says who it is, and where it registers next it is the same, whatever address its NAT gives it. One that does not
    // is known by its contact, if that stays as it is behind the NAT.
    let moves = key.names_agent() || binding.is_translated();
    // An edge proxy stands in its dialogs' Routes, and does not move with the phones behind it.
    if hop.transport == Transport::Udp
        && binding.path.is_empty()
        && moves
        && key.bytes() <= limits::PHONE_BYTES
    {
        let Hop { local, remote, .. } = *hop;
        let registered_by = if key.names_agent() { 0 } else { binding.registered_by() };
        return RouteTarget::Phone(Phone { registration: key, registered_by, local, remote }.into());
    }
    side(hop, Some(&key))
}

/// What a Record-Route leads to on one side of a request.
pub(super) fn side(hop: &Hop, registration: Option<&RegistrationKey>) -> RouteTarget {
    match (hop.transport, registration) {
        // A datagram needs no connection, and finds its way after a restart without anybody registering.
        (Transport::Udp, _) => RouteTarget::at(hop),
        (_, Some(key)) => RouteTarget::Registration(key.clone()),
        (_, None) => RouteTarget::Flow(hop.flow),
    }
}

impl Sought {
    /// Whether a call to who is not there goes on to another address.
    fn goes_on(&self) -> bool {
        let forwards = self.diverter.as_ref().map(|diverter| &diverter.forwards);
        forwards.is_some_and(|forwards| forwards.always.is_some() || forwards.offline.is_some())
    }
}

impl Arrival {
    /// What leads back to the sender. `username` is the account that proved itself with this request: on a connection
    /// of several accounts the flow's identity may be another's.
    pub(super) fn sender(&self, username: Option<&str>) -> RouteTarget {
        if let Some(back) = self.back.as_ref().filter(|_| username.is_some()) {
            return RouteTarget::clone(back);
        }
        // Who hears our answers there hears our requests, too.
        let from = self.answered_at();
        if let Standing::Peer { domain } = &self.standing {
            let Hop { transport, remote, .. } = from;
            return RouteTarget::Peer { transport, remote, domain: domain.clone(), onward: true };
        }
        if let (Standing::Stranger, Some(domain)) = (&self.standing, self.proxy_before()) {
            let Hop { transport, remote, .. } = from;
            return RouteTarget::Peer { transport, remote, domain, onward: true };
        }
        let identity = self.identity.as_ref();
        let own = identity.filter(|identity| username.is_none_or(|name| name == identity.username));
        // Without proof, a phone's connection that has registered somebody may still be carrying others.
        let own = own.filter(|_| username.is_some() || self.from.transport.is_websocket());
        side(&from, own.map(|identity| &identity.registration))
    }

    /// Where its responses go (§18.2.2). A phone on UDP that wrote no `rport` may send from another port than it listens at.
    pub(super) fn answered_at(&self) -> Hop {
        // As that does, without a look at the Via.
        match self.from.transport.is_reliable() {
            true => self.from,
            false => via::response_hop(&self.from, &self.request.via()),
        }
    }

    /// Where it came from, for whoever knows the contacts of the account that it says it is of.
    pub(super) fn origin(&self, through: Option<&Peer>) -> Origin {
        let begins = *self.request.method() != Method::Register && !self.from.transport.is_websocket();
        let contact = || NameAddr::parse(self.request.headers().list(HeaderName::Contact).next()?);
        let contact = if begins { contact() } else { None };
        Origin {
            hop: self.answered_at(),
            contact: contact.map(|address| address.uri.into()).unwrap_or_default(),
            through: through.filter(|_| begins).map(|peer| peer.name.clone()).unwrap_or_default(),
        }
    }

    /// The host that a proxy of another domain gave itself, where it stays in the way and came over a connection. Such a
    /// connection is one of many and may be gone before the dialog is; what the dialog's Routes say is not (§16.6 step 6).
    fn proxy_before(&self) -> Option<SmolStr> {
        let Hop { transport, .. } = self.from;
        if !transport.is_reliable() || transport.is_websocket() {
            return None;
        }
        let route = self.request.headers().list(HeaderName::RecordRoute).next().and_then(NameAddr::parse)?;
        Some(format!("{}", route.parsed_uri()?.sip()?.host).into())
    }
}
