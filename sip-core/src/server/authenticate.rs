//! Who may send what: digest, flows that proved themselves, and whose From it may be (§22, §26.3.2).

use alloc::format;
use alloc::string::ToString;

use smol_str::SmolStr;

use super::config::{Callers, Outward};
use super::peers::Standing;
use super::preloaded::is_preloaded;
use super::questions::{Arrival, Pending};
use super::reply::Reply;
use super::rule::Rule;
use super::{Output, Question, Server};
use crate::auth::{Credentials, Outcome, Secrets};
use crate::message::typed::PPreferredIdentity;
use crate::message::{HeaderName, Method, NameAddr, SipUri, Uri, number_in};
use crate::proxy::{self, Asserted};
use crate::time::{Duration, Instant};

impl Server {
    /// A request outside dialogs that were recorded here.
    pub(super) fn outside(&mut self, now: Instant, mut arrival: Arrival, routes: usize) {
        let Some(Uri::Sip(uri)) = arrival.request.parsed_uri() else {
            return self.refuse(now, &arrival, Rule::Scheme.into());
        };
        let ours = self.is_for_us(&uri, &arrival);
        if let Some(domain) = self.guest_of(&arrival, &uri).filter(|_| !ours) {
            return self.serve_guest(now, arrival, domain, routes);
        }
        let leads_on = *arrival.request.method() != Method::Register && self.leads_on(&uri);
        let stray = !ours && self.stray(&arrival).is_some();
        // What is forgotten at once is not sent to servers that would have to be found first.
        let contact = !ours && Self::may_be_contact(&arrival, &uri);
        if !ours && !stray && !contact && (!leads_on || arrival.server.is_none()) {
            return self.no_relay(now, &arrival);
        }
        // Without transactions they come here too: never challenged (§22.1), and of no use to who did not send the INVITE. They go
        // where an INVITE of who sent them might, if it proved itself, and nowhere else.
        if arrival.server.is_none() && matches!(arrival.request.method(), Method::Ack | Method::Cancel) {
            let request = &arrival.request;
            // §8.2.7: "A stateless UAS MUST ignore ACK requests", here those to its own answers.
            if arrival.is_ack() && request.to_tag() == Some(&*proxy::stateless_tag(request, &self.tokens)) {
                return;
            }
            arrival.standing = self.standing(now, &arrival, &uri, ours).unwrap_or(Standing::Unasked);
            return self.authorized(now, arrival, None, routes);
        }
        if let Some(standing) = self.standing(now, &arrival, &uri, ours) {
            // No open relay: what nobody here answers for comes to our users or nowhere.
            let may = ours || standing.is_ours() || (stray && Self::may_stray(&standing));
            if !may {
                return self.no_relay(now, &arrival);
            }
            arrival.standing = standing;
            // Every dialog through here is recorded, and its Routes would say so: a stranger's To tag is made up
            // (§12.2.2), and is not tried on our users.
            // Who forgot our Record-Route in its answer is still found by its GRUU, which was told in this dialog.
            // So is who is subscribed here.
            let told =
                stray || uri.gruu().is_some() || self.subscriptions.of_request(&arrival.request).is_some();
            if arrival.request.to_tag().is_some() && !told && !arrival.from.transport.is_websocket() {
                self.counters.dialogs_unknown += 1;
                return self.refuse(now, &arrival, Rule::DialogUnknown.into());
            }
            return self.authorized(now, arrival, None, routes);
        }
        if arrival.is_cancel() {
            return self.whence(now, arrival, routes);
        }
        self.authenticate(now, arrival, routes);
    }

    /// A request whose sender has to prove itself with it.
    pub(super) fn authenticate(&mut self, now: Instant, arrival: Arrival, routes: usize) {
        if !self.config.passwords
            && let Some(username) = self.claimed_user(&arrival)
        {
            return self.proven(now, arrival, username, routes);
        }
        let found = self.challenger.find(arrival.request.headers().all(arrival.credentials_header()));
        match found {
            Ok(Some(credentials)) => {
                let username = credentials.username.clone();
                let aor = self.domain.address(&username);
                let from = arrival.origin(self.config.peer_of(&arrival));
                let question = Question::Credentials { username, aor, from };
                let pending = Pending::Credentials { arrival, credentials, routes };
                self.ask_or_refuse(now, self.soon(now), question, pending);
            }
            Ok(None) => self.challenge(now, &arrival, false),
            Err(_) => {
                self.refuse(now, &arrival, Rule::CredentialsMalformed.into());
            }
        }
    }

    /// Whether our own users may send there.
    pub(super) fn leads_on(&self, uri: &SipUri<'_>) -> bool {
        self.config.outward != Outward::Nowhere || self.config.route_for(uri, false).is_some()
    }

    pub(super) fn no_relay(&mut self, now: Instant, arrival: &Arrival) {
        self.counters.relay_refused += 1;
        self.refuse(now, arrival, Rule::NotServed.into());
    }

    /// Who sent it, if that is known without credentials. REGISTER always proves its sender. On a WebSocket a flow that a
    /// REGISTER has proven speaks for its account as long as the registration lasts; elsewhere a From outside our domain
    /// is nobody's whom we could ask.
    pub(super) fn standing(
        &self,
        now: Instant,
        arrival: &Arrival,
        target: &SipUri<'_>,
        ours: bool,
    ) -> Option<Standing> {
        if *arrival.request.method() == Method::Register {
            return None;
        }
        if arrival.from.transport.is_websocket() {
            let id = arrival.identity.as_ref().filter(|id| id.expires_at > now)?;
            let speaks = self.may_speak_as(arrival, &id.registration.aor);
            return speaks.then(|| Standing::Account { username: id.username.clone() });
        }
        let from = arrival.request.from();
        let peer = self.config.peer_of(arrival);
        match from.parsed_uri() {
            Some(Uri::Sip(uri)) if self.domain.is(uri.host, arrival.from.local.ip()) => None,
            // Nobody may be one of ours: who proves it, or wants to get out, is asked.
            Some(Uri::Sip(uri))
                if peer.is_none()
                    && uri.is_nobody()
                    && (!ours
                        || self.config.callers == Callers::Peers
                        || self.config.route_for(target, true).is_some()
                        || arrival.request.headers().has(arrival.credentials_header())) =>
            {
                None
            }
            _ => Some(match peer {
                Some(peer) => Standing::Peer { domain: peer.domain() },
                None => Standing::Stranger,
            }),
        }
    }

    /// Whether a request of this address-of-record's has a From that it may have: its own, or nobody's (RFC 3323 §4.1.1.3).
    fn may_speak_as(&self, arrival: &Arrival, aor: &SmolStr) -> bool {
        let from = arrival.request.from();
        let nobody = || matches!(from.parsed_uri(), Some(Uri::Sip(uri)) if uri.is_nobody());
        self.claimed_aor(arrival).as_ref() == Some(aor) || nobody()
    }

    /// RFC 3325 §5: whose identity goes on with a request. An account that registers for others may prefer one of those.
    pub(super) fn asserted(&self, arrival: &Arrival) -> Asserted {
        let username = match &arrival.standing {
            Standing::Account { username } => username,
            // Its own domain asks it.
            Standing::Guest { .. } => return Asserted::Nobody,
            _ if arrival.from.transport.is_websocket() => match &arrival.identity {
                // Within a dialog its sender was checked.
                Some(identity) => return Asserted::Ours(identity.registration.aor.clone()),
                None => return Asserted::Nobody,
            },
            _ => {
                let peer = self.config.peer_of(arrival);
                return if peer.is_some_and(|peer| peer.trusted) {
                    Asserted::Theirs
                } else {
                    Asserted::Nobody
                };
            }
        };
        let own = self.domain.address(username);
        let others = self.config.registrants.get(username);
        let may = |aor: &SmolStr| *aor == own || others.is_some_and(|others| others.contains(aor));
        let preferred =
            arrival.request.headers().typed_all::<PPreferredIdentity<'_>>().find_map(|identity| {
                let identity = identity.ok()?;
                let uri = identity.parsed_uri()?;
                self.domain.aor(uri.sip()?, arrival.from.local.ip()).filter(may)
            });
        Asserted::Ours(preferred.unwrap_or(own))
    }

    /// The address-of-record From names, if it is one of ours.
    pub(super) fn claimed_aor(&self, arrival: &Arrival) -> Option<SmolStr> {
        let from = arrival.request.from();
        let uri = from.parsed_uri()?;
        self.domain.aor(uri.sip()?, arrival.from.local.ip())
    }

    /// The user part of that.
    fn claimed_user(&self, arrival: &Arrival) -> Option<SmolStr> {
        let aor = self.claimed_aor(arrival)?;
        let (user, _) = aor.strip_prefix("sip:")?.rsplit_once('@')?;
        Some(user.into())
    }

    pub(super) fn verify(
        &mut self,
        now: Instant,
        arrival: Arrival,
        credentials: &Credentials,
        secrets: Option<&Secrets>,
        routes: usize,
    ) {
        let request = &arrival.request;
        // Whoever asks for a number says so.
        let number = number_in(&credentials.uri, &self.config.domain);
        let uri = if number.as_deref() == Some(request.uri()) { &*credentials.uri } else { request.uri() };
        let outcome = self.challenger.bound_to(arrival.from.remote.ip()).verify(
            credentials,
            secrets,
            self.config.algorithms(&arrival.from),
            request.method().as_str(),
            uri,
            now,
        );
        match outcome {
            // Its retransmission was one to the transaction layer; without transactions it would be a replay.
            Outcome::Ok { username, .. } if arrival.server.is_none() => {
                self.proven(now, arrival, username, routes);
            }
            Outcome::Ok { username, usage } => {
                let source = arrival.from.remote.ip();
                let question = Question::Admit { username: username.clone(), source, usage };
                let pending = Pending::Admission { arrival, username, routes };
                self.ask_or_refuse(now, self.soon(now), question, pending);
            }
            Outcome::WrongUri => {
                self.refuse(now, &arrival, Rule::DigestForAnotherUri.into());
            }
            Outcome::Wrong => {
                self.counters.credentials_wrong += 1;
                let (username, source) = (credentials.username.clone(), arrival.from.remote.ip());
                self.emit(Output::Guessed { username, source });
                self.challenge(now, &arrival, false);
            }
            other => self.challenge(now, &arrival, other.is_stale()),
        }
    }

    /// RFC 7616 §3.4: with a count that was used already, or may have been, they prove nothing.
    pub(super) fn admitted(
        &mut self,
        now: Instant,
        arrival: Arrival,
        username: SmolStr,
        routes: usize,
        first: bool,
    ) {
        if first {
            return self.proven(now, arrival, username, routes);
        }
        // Nor is it a replay that came here over two ways.
        if self.is_merged(now, &arrival) {
            return;
        }
        self.counters.credentials_replayed += 1;
        self.challenge(now, &arrival, true);
    }

    /// Somebody guesses passwords: whether this one is right is not said.
    pub(super) fn hold_back(&mut self, now: Instant, arrival: &Arrival, wait: Duration) {
        self.counters.credentials_held_back += 1;
        let seconds = wait.as_millis().div_ceil(1000);
        let advice = format!(
            "wait {seconds} s before the next try; see [authentication] attempts and ban; other users and other networks \
             are not concerned"
        );
        self.refuse(now, arrival, Reply::from(Rule::Guessing).advising(advice));
    }

    /// The sender is the account `username`: it may speak for its own address only.
    fn proven(&mut self, now: Instant, mut arrival: Arrival, username: SmolStr, routes: usize) {
        let register = *arrival.request.method() == Method::Register;
        if !register && !self.may_speak_as(&arrival, &self.domain.address(&username)) {
            return self.refuse(now, &arrival, Rule::NotYourFrom.into());
        }
        arrival.standing = Standing::Account { username: username.clone() };
        self.authorized(now, arrival, Some(username), routes);
    }

    /// What a request is for, once its sender may send it. `username` is the account that proved itself with this
    /// very request.
    pub(super) fn authorized(
        &mut self,
        now: Instant,
        arrival: Arrival,
        username: Option<SmolStr>,
        routes: usize,
    ) {
        self.make_known(&arrival);
        let (method, hops) = (arrival.request.method(), arrival.request.max_forwards());
        let concerned = !matches!(method, Method::Register | Method::Ack | Method::Cancel);
        if let Some(levels) = proxy::unprovided(&arrival.request).filter(|_| concerned) {
            let rule = Rule::PrivacyNotProvided;
            let reply = Reply::from(rule).saying(format!("{} ({levels})", rule.reason()));
            return self.refuse(now, &arrival, reply);
        }
        if self.has_gruu_of_another(&arrival) {
            return self.refuse(now, &arrival, Rule::NotYourGruu.into());
        }
        if let Standing::Guest { domain } = &arrival.standing {
            // §16.3 step 3: its last hop is here.
            if hops == Some(0) {
                return self.own(now, &arrival);
            }
            let domain = domain.clone();
            return self.depart_home(now, arrival, &domain, routes);
        }
        if is_preloaded(&arrival, routes) {
            let sender = arrival.sender(username.as_deref());
            return self.depart(now, arrival, sender, routes);
        }
        let (mut instance, mut dead) = (None, false);
        let (aor, ours) = match arrival.request.parsed_uri() {
            Some(Uri::Sip(uri)) => {
                let mut aor = self.target(&uri, &arrival);
                // RFC 5627 §6: a GRUU leads to its instance alone.
                if let Some(resolved) = aor.as_ref().and_then(|aor| self.gruus.resolve(&uri, aor)) {
                    match resolved {
                        Some((of, named)) => (aor, instance) = (Some(of), Some(named)),
                        None => dead = true,
                    }
                }
                (aor, self.is_for_us(&uri, &arrival))
            }
            _ => (None, true),
        };
        if !ours {
            // §16.3 step 3 again: its last hop is here.
            if hops == Some(0) {
                return self.own(now, &arrival);
            }
            let sender = arrival.sender(username.as_deref());
            let proven = Self::may_stray(&arrival.standing) || arrival.standing.may_be_ours();
            if let Some(aor) = self.stray(&arrival).filter(|_| proven) {
                return self.lookup_stray(now, arrival, sender, aor, routes);
            }
            let contact = match arrival.request.parsed_uri() {
                Some(Uri::Sip(uri)) => Self::may_be_contact(&arrival, &uri),
                _ => false,
            };
            if contact && arrival.standing.may_be_ours() {
                return self.lookup_contact(now, arrival, sender, routes);
            }
            if arrival.server.is_none() || arrival.standing == Standing::Unasked {
                return self.no_relay(now, &arrival);
            }
            return self.depart(now, arrival, sender, routes);
        }
        if let Some(id) = self.subscriptions.of_request(&arrival.request) {
            return self.resubscribe(now, &arrival, username.as_deref(), id);
        }
        match (username, aor) {
            (_, Some(_))
                if self.config.callers == Callers::Peers && arrival.standing == Standing::Stranger =>
            {
                self.counters.relay_refused += 1;
                self.refuse(now, &arrival, Rule::CallerNotKnown.into());
            }
            (Some(username), _) if *method == Method::Register => self.register(now, arrival, &username),
            // §16.3 step 3: OPTIONS at its last hop may be answered by whoever that is (§11).
            (_, None) => self.own(now, &arrival),
            (_, Some(_)) if hops == Some(0) => self.own(now, &arrival),
            (_, Some(_)) if dead => self.refuse(now, &arrival, Rule::GruuUnknown.into()),
            (username, Some(aor)) if instance.is_none() && self.is_for_notifier(&arrival) => {
                self.subscribe(now, arrival, username.as_deref(), aor);
            }
            (username, Some(aor)) => self.lookup(now, arrival, username.as_deref(), aor, instance, routes),
        }
    }

    /// RFC 5627 §6.2: a request of one of ours that begins a dialog, whose Contact is a GRUU, but not one of an address of theirs.
    fn has_gruu_of_another(&self, arrival: &Arrival) -> bool {
        let Standing::Account { username } = &arrival.standing else { return false };
        let request = &arrival.request;
        let begins = matches!(request.method(), Method::Invite | Method::Subscribe | Method::Refer);
        if !begins || request.to_tag().is_some() {
            return false;
        }
        // Most are none, as can be seen at a glance.
        let contact = request.headers().list(HeaderName::Contact).next().filter(|value| {
            let bytes = value.as_bytes();
            let is_gr =
                |at: usize| bytes[at + 1..].get(..2).is_some_and(|name| name.eq_ignore_ascii_case(b"gr"));
            memchr::memchr_iter(b';', bytes).any(is_gr)
        });
        let Some(Uri::Sip(uri)) = contact.and_then(NameAddr::parse).and_then(|contact| contact.parsed_uri())
        else {
            return false;
        };
        if !uri.has_param("gr") {
            return false;
        }
        let Some(aor) = self.target(&uri, arrival) else { return false };
        let Some(Some((aor, _))) = self.gruus.resolve(&uri, &aor) else { return false };
        let may = self.config.registrants.get(username).is_some_and(|others| others.contains(&aor));
        !self.domain.is_address_of(&aor, username) && !may
    }

    /// Who has proven itself with this request, and not with a registration over the same flow.
    fn make_known(&mut self, arrival: &Arrival) {
        let username = match &arrival.standing {
            Standing::Account { username } if arrival.identity.is_none() => username.clone(),
            Standing::Peer { .. } => SmolStr::default(),
            _ => return,
        };
        if arrival.from.transport.is_reliable() {
            self.emit(Output::Known { flow: arrival.from.flow, username });
        }
    }

    /// Whether a Request-URI is of our domain. One with a `maddr` that was not taken away is for whoever is there (§16.5).
    pub(super) fn is_for_us(&self, uri: &SipUri<'_>, arrival: &Arrival) -> bool {
        self.domain.is(uri.host, arrival.from.local.ip()) && uri.param("maddr").is_none()
    }

    fn target(&self, uri: &SipUri<'_>, arrival: &Arrival) -> Option<SmolStr> {
        self.domain.aor(uri, arrival.from.local.ip())
    }

    fn challenge(&mut self, now: Instant, arrival: &Arrival, stale: bool) {
        let (status, name) = match arrival.request.method() {
            Method::Register => (401, HeaderName::WwwAuthenticate),
            _ => (407, HeaderName::ProxyAuthenticate),
        };
        let algorithms = self.config.algorithms(&arrival.from);
        let challenger = self.challenger.bound_to(arrival.from.remote.ip());
        let challenges = challenger.challenges(algorithms, stale, now, &mut *self.entropy);
        let reply = challenges
            .iter()
            .fold(Reply::new(status), |reply, challenge| reply.with(name, challenge.to_string()));
        self.refuse(now, arrival, reply);
    }
}

impl Arrival {
    /// A registrar is a user agent server, and everything else here a proxy (§22.1).
    fn credentials_header(&self) -> HeaderName {
        match self.request.method() {
            Method::Register => HeaderName::Authorization,
            _ => HeaderName::ProxyAuthorization,
        }
    }
}
