//! This server as the edge proxy of other registrars (RFC 3327 §5.2, RFC 5626 §5): whoever registers through it at one of theirs is a
//! guest. Its REGISTERs go on with a Path, what comes along that Path goes to its flow, and what it begins goes to its own domain,
//! which asks it who it is.
//!
//! No open relay: a Path serves the server that the REGISTER went to, and those the configuration names for its domain; a guest
//! reaches the way to its domain, once its registrar took it, and nothing else.

use alloc::vec::Vec;

use smol_str::{SmolStr, format_smolstr};

use super::peers::{Peer, Standing};
use super::questions::{Arrival, Pending};
use super::reply::Reply;
use super::rule::Rule;
use super::{Config, Question, Server, Wait};
use crate::limits;
use crate::message::validate::{Defect, Rejection};
use crate::message::{HeaderName, Host, Method, SipUri, Uri, is_sips};
use crate::proxy::{Granted, Target, mark};
use crate::time::Instant;
use crate::transport::{FlowToken, Hop, RouteTarget};

/// What has registered over one connection at registrars behind us. The caller keeps it with the connection, and passes it with
/// all that arrives there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guests(Vec<Guest>);

/// By the [`mark`]s of its address-of-record and its contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Guest {
    aor: u128,
    contact: u128,
    until: Instant,
}

impl Guests {
    /// With what a registrar has granted. Past [`limits::GUESTS`] nobody is added.
    #[must_use]
    pub fn with(&self, granted: &Granted, now: Instant) -> Self {
        let Granted { aor, contact, until, .. } = *granted;
        let is_it =
            |guest: &Guest| guest.aor == aor && contact.is_none_or(|contact| guest.contact == contact);
        let others = self.0.iter().filter(|guest| guest.until > now && !is_it(guest));
        let mut guests: Vec<Guest> = others.copied().collect();
        if let Some(contact) = contact
            && until > now
            && guests.len() < limits::GUESTS
        {
            guests.push(Guest { aor, contact, until });
        }
        Self(guests)
    }

    /// Until when there is one.
    pub fn until(&self) -> Option<Instant> {
        self.0.iter().map(|guest| guest.until).max()
    }

    /// Whether this address-of-record is registered.
    fn has(&self, aor: u128, now: Instant) -> bool {
        self.0.iter().any(|guest| guest.aor == aor && guest.until > now)
    }

    /// Whether there is no room for another contact of this address-of-record.
    fn is_full_for(&self, aor: u128, now: Instant) -> bool {
        self.0.iter().filter(|guest| guest.until > now).count() >= limits::GUESTS && !self.has(aor, now)
    }
}

impl Config {
    /// The domain behind us that this host is.
    fn domain_behind(&self, host: Host<'_>) -> Option<&SmolStr> {
        self.edges.iter().find(|domain| Host::parse(domain).is_some_and(|domain| domain.matches(host)))
    }

    /// Whether a peer is of those that requests for a domain behind us go to.
    fn leads_to(&self, domain: &str, peer: &Peer) -> bool {
        let uri = format_smolstr!("sip:{domain}");
        let Some(Uri::Sip(uri)) = Uri::parse(&uri) else { return false };
        let route = self.route_for(&uri, false);
        route.is_some_and(|route| route.peers.iter().any(|share| share.peer == peer.name))
    }
}

impl Server {
    /// The domain behind us whose guest a request is of, if it is one: a REGISTER there, or what goes on from who says it is of there.
    pub(super) fn guest_of(&self, arrival: &Arrival, uri: &SipUri<'_>) -> Option<SmolStr> {
        if self.config.edges.is_empty() {
            return None;
        }
        if *arrival.request.method() == Method::Register {
            return self.config.domain_behind(uri.host).cloned();
        }
        // A datagram socket is everybody's; and what a registrar sends is no guest's. Pages may be at its address.
        let transport = arrival.from.transport;
        let registrar = || !transport.is_websocket() && self.config.peer_of(arrival).is_some();
        if !transport.is_reliable() || registrar() {
            return None;
        }
        let from = arrival.request.from();
        let uri = from.parsed_uri()?;
        self.config.domain_behind(uri.sip()?.host).cloned()
    }

    /// Outside dialogs, from a guest: its registrar and its proxy are those of its domain, wherever it wants to go.
    pub(super) fn serve_guest(&mut self, now: Instant, mut arrival: Arrival, domain: SmolStr, routes: usize) {
        if arrival.server.is_none() {
            return self.no_relay(now, &arrival);
        }
        let refused = match arrival.request.method() {
            Method::Register => self.refuses_registration(now, &arrival, &domain),
            _ if self.is_guest(now, &arrival) => None,
            _ => {
                self.counters.relay_refused += 1;
                Some(Rule::NotRegisteredBehind.into())
            }
        };
        if let Some(reply) = refused {
            return self.refuse(now, &arrival, reply);
        }
        arrival.standing = Standing::Guest { domain };
        self.authorized(now, arrival, None, routes);
    }

    /// RFC 3327 §5.2: without Path it would not be reached, and "the proxy SHOULD reject the request with a 421" if its sender does not
    /// say that it knows Path.
    fn refuses_registration(&mut self, now: Instant, arrival: &Arrival, domain: &SmolStr) -> Option<Reply> {
        let Arrival { request, guests, .. } = arrival;
        if !request.headers().lists(HeaderName::Supported, "path") {
            return Some(Reply::from(Rule::PathRequired).with(HeaderName::Require, "path"));
        }
        let to = request.to();
        // A registrar speaks for its own domain alone.
        let aor = match to.parsed_uri() {
            Some(Uri::Sip(uri)) if self.config.domain_behind(uri.host) == Some(domain) => {
                mark(&self.tokens, &uri.aor())
            }
            _ => return Some(Rule::AddressNotOurs.into()),
        };
        if guests.as_ref().is_some_and(|guests| guests.is_full_for(aor, now)) {
            self.counters.guests_full += 1;
            return Some(Rule::GuestsFull.into());
        }
        None
    }

    fn is_guest(&self, now: Instant, arrival: &Arrival) -> bool {
        let from = arrival.request.from();
        let Some(Uri::Sip(uri)) = from.parsed_uri() else { return false };
        // Registered as one, it may call as the other.
        let aor = |secure| mark(&self.tokens, &SipUri { secure, ..uri }.aor());
        arrival
            .guests
            .as_ref()
            .is_some_and(|guests| guests.has(aor(false), now) || guests.has(aor(true), now))
    }

    /// Sends it to its domain, by the way that the configuration or DNS has for that and no other.
    pub(super) fn depart_home(&mut self, now: Instant, arrival: Arrival, domain: &str, routes: usize) {
        let scheme = if is_sips(arrival.request.uri()) { "sips" } else { "sip" };
        let sender = super::lookup::side(&arrival.answered_at(), None);
        self.depart_toward(now, arrival, sender, routes, format_smolstr!("{scheme}:{domain}"), true);
    }

    /// RFC 5626 §5.3.1: what comes along a Path goes "over the 'logical flow' identified by the flow token", if its sender may use that.
    pub(super) fn along_path(&mut self, now: Instant, mut arrival: Arrival, token: FlowToken, routes: usize) {
        if !self.may_use(&arrival, &token) {
            self.counters.relay_refused += 1;
            return self.refuse(now, &arrival, Rule::NotYourPath.into());
        }
        if arrival.request.max_forwards() == Some(0) {
            return self.refuse(now, &arrival, Rejection::of(483, Defect::TooManyHops).into());
        }
        arrival.standing = Standing::Registrar;
        self.trying(now, &arrival);
        let wait = Wait { until: self.soon(now), within: false };
        let question = Question::Reach(token.flow.clone(), wait);
        let pending = Pending::AlongPath { arrival, token: token.into(), routes };
        self.ask_or_refuse(now, wait.until, question, pending);
    }

    /// Whether a request comes from the server that a guest's REGISTER went to, or from another that its domain's requests go to.
    fn may_use(&self, arrival: &Arrival, token: &FlowToken) -> bool {
        let behind = Host::parse(&token.domain).and_then(|host| self.config.domain_behind(host));
        let (RouteTarget::Peer { remote, domain, .. }, Some(behind)) = (&token.registrar, behind) else {
            return false;
        };
        if arrival.from.transport.is_websocket() {
            return false;
        }
        let certified = arrival.certified.as_deref().unwrap_or_default();
        remote.ip().to_canonical() == arrival.from.remote.ip().to_canonical()
            || certified.iter().any(|name| name.eq_ignore_ascii_case(domain))
            || self.config.peer_of(arrival).is_some_and(|peer| self.config.leads_to(behind, peer))
    }

    /// The flow is there, or gone.
    pub(super) fn path_reached(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        token: FlowToken,
        routes: usize,
        hop: Option<Hop>,
    ) {
        let Some(hop) = hop else { return self.refuse(now, arrival, Rule::FlowFailed.into()) };
        if is_sips(arrival.request.uri()) && !hop.transport.is_secure() {
            return self.refuse(now, arrival, Rule::SipsNotAllowed.into());
        }
        let FlowToken { flow, registrar, .. } = token;
        let target = Target::new(None, hop, flow);
        match arrival.server {
            None => self.forward_stateless(now, arrival, &registrar, routes, &target),
            Some(_) => self.forward(now, arrival, registrar, routes, target.into()),
        }
    }

    /// What registrars behind us have granted is told, before the answer goes out that says so: what follows that may be quick.
    pub(super) fn tell_granted(&mut self) {
        while let Some(granted) = self.proxy.poll_granted() {
            self.counters.guests += 1;
            self.queue(super::Output::Granted(granted));
        }
    }
}
