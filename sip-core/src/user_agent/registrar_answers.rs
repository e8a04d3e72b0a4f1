//! What a registrar answers (RFC 3261 §10.2.4, §10.2.8, RFC 5626 §4.2, RFC 5627 §4.2, RFC 3608 §5).

use alloc::vec::Vec;

use smol_str::SmolStr;

use super::flows::{Flow, KeepAlive, between};
use super::registration::{Pending, Task};
use super::{Binding, Cause, ContactAs, Event, Failure, UserAgent, failure};
use crate::auth::Attempt;
use crate::limits;
use crate::message::typed::{FeatureCaps, FlowTimer, ServiceRoute};
use crate::message::{HeaderName, Headers, Response, Uri};
use crate::time::{Duration, Instant};
use crate::transaction::ClientId;

/// The longest lifetime a registrar's 423 can make us ask for.
const LONGEST: u32 = 86_400;

/// How often in a row a registrar may find the time too brief.
const RAISES: u8 = 3;

/// The least time between two refreshes, whatever a registrar grants.
const BREATH: Duration = Duration::from_secs(2);

impl UserAgent {
    pub(super) fn register_answered(
        &mut self,
        now: Instant,
        slot: usize,
        client: ClientId,
        response: &Response,
    ) {
        if response.is_provisional() {
            return;
        }
        let registration = &mut self.flows[slot].registration;
        let Some(pending) = registration.pending.take_if(|pending| pending.client == client) else {
            return;
        };
        if matches!(response.status(), 401 | 407) {
            return self.register_challenged(now, slot, pending, response);
        }
        registration.attempt = Attempt::default();
        let success = response.is_success();
        match pending.task {
            Task::Bind if success => self.registered(now, slot, pending, response),
            Task::Bind if response.status() == 423 => self.too_brief(now, slot, response),
            Task::Bind => self.register_refused(now, slot, response),
            Task::Unbind if success => self.removed(now, slot),
            Task::Unbind => self.not_removed(now, slot, Failure::of_response(response)),
            Task::Clear if success => self.cleared(now),
            Task::Clear => self.not_cleared(now, slot, Failure::of_response(response)),
            Task::Fetch => {
                let outcome = if success {
                    Ok(Binding::all(response.headers()))
                } else {
                    Err(Failure::of_response(response))
                };
                self.fetched(now, slot, outcome);
            }
        }
    }

    pub(super) fn register_timed_out(&mut self, now: Instant, slot: usize, client: ClientId) {
        let registration = &mut self.flows[slot].registration;
        let Some(pending) = registration.pending.take_if(|pending| pending.client == client) else {
            return;
        };
        registration.attempt = Attempt::default();
        let failure = Failure::of(Cause::Timeout);
        match pending.task {
            Task::Bind => {
                let wait = self.back_off(slot);
                self.registration_failed(now, slot, failure, Some(wait));
            }
            Task::Unbind => self.not_removed(now, slot, failure),
            Task::Clear => self.not_cleared(now, slot, failure),
            Task::Fetch => self.fetched(now, slot, Err(failure)),
        }
    }

    fn registered(&mut self, now: Instant, slot: usize, pending: Pending, response: &Response) {
        let headers = response.headers();
        let ours = self.our_binding(slot, headers);
        let registration = &self.flows[slot].registration;
        let granted = match &ours {
            Some(binding) => binding.expires,
            None => headers.first(HeaderName::Expires).and_then(|value| value.trim().parse().ok()),
        };
        // More than was asked for is not believed (§10.3 step 7).
        let expires = granted.unwrap_or(registration.expires).min(registration.expires);
        if expires == 0 && self.wanted {
            // It says yes and means no. Asking at once would go round and round.
            let wait = self.back_off(slot);
            let failure = Failure::with_cause(Cause::Rejected, response);
            return self.registration_failed(now, slot, failure, Some(wait));
        }
        // RFC 3608 §6.1: what is given to another's address-of-record is not for what we send.
        let third = self.config.third_party.is_some();
        if !third {
            self.learn_gruu(ours.as_ref());
        }
        let lifetime = Duration::from_secs(expires.into());
        let Flow { reg_id, hop, registration, keep_alive, .. } = &mut self.flows[slot];
        let reg_id = *reg_id;
        registration.failures = 0;
        registration.raised = 0;
        registration.service_route = if third { Vec::new() } else { service_route(headers) };
        registration.until = Some(now + lifetime);
        let anew = registration.held.replace(pending.flow).is_none();
        if !self.wanted {
            // The user has changed their mind meanwhile.
            return self.go_on(now, slot);
        }
        let before = self.config.push.as_ref().and_then(|_| awaited_before(headers));
        registration.next = Some(now + refresh(lifetime, before, &mut *self.entropy));
        // RFC 5626 §4.2.1, §4.4. A timer of nothing is none.
        let timer =
            headers.typed::<FlowTimer>().ok().flatten().map(|timer| u64::from(timer.0)).filter(|t| *t > 0);
        let reliable = hop.is_some_and(|hop| hop.transport.is_reliable());
        let outbound = timer.is_some() || headers.lists(HeaderName::Require, "outbound");
        *keep_alive = outbound
            .then(|| KeepAlive::new(now, timer.map(Duration::from_secs), reliable, &mut *self.entropy));
        self.event(Event::Registered { reg_id, expires: lifetime });
        if anew {
            self.catch_up(now);
        }
        self.go_on(now, slot);
    }

    /// Our Contact among those of a 200. Behind some registrars it comes back with another address: then its
    /// instance tells.
    fn our_binding(&self, slot: usize, headers: &Headers) -> Option<Binding> {
        let reg_id = self.flows[slot].reg_id;
        let third = self.config.third_party.as_ref().map(|third| third.contact.as_str());
        let instance = |binding: &Binding| binding.instance.as_ref() == Some(&self.config.instance);
        let address = |binding: &Binding| match third {
            Some(contact) => binding.uri == contact,
            None => Uri::parse(&binding.uri)
                .as_ref()
                .and_then(Uri::sip)
                .is_some_and(|uri| self.local.is_contact(uri)),
        };
        // What another flow registered is not this one's. §10.2.4 compares addresses; one that this instance had before may
        // stand there still.
        let all = Binding::iter(headers).filter(|binding| binding.reg_id.is_none_or(|other| other == reg_id));
        all.filter(|binding| address(binding) || instance(binding))
            .min_by_key(|binding| (binding.reg_id.is_none(), !address(binding)))
    }

    /// RFC 5627 §4.2.
    fn learn_gruu(&mut self, ours: Option<&Binding>) {
        let Some(binding) = ours else { return };
        let sip = |uri: &SmolStr| Uri::parse(uri).as_ref().is_some_and(|uri| uri.sip().is_some());
        let temporary = || binding.temporary_gruu.clone().filter(sip);
        let (gruu, temporary) = match self.config.contact {
            ContactAs::Address => (None, None),
            ContactAs::PublicGruu => (binding.public_gruu.clone().filter(sip), temporary()),
            ContactAs::TemporaryGruu => (temporary(), temporary()),
        };
        (self.local.gruu, self.local.temporary) = (gruu, temporary);
    }

    fn removed(&mut self, now: Instant, slot: usize) {
        self.forget_registration(slot);
        self.go_on(now, slot);
    }

    /// What the registrar did not remove runs out.
    fn not_removed(&mut self, now: Instant, slot: usize, failure: Failure) {
        self.removal_failed(slot, failure);
        self.removed(now, slot);
    }

    /// Tells who has left for good that he has not, unless he has come back meanwhile.
    pub(super) fn removal_failed(&mut self, slot: usize, failure: Failure) {
        if !self.wanted {
            let reg_id = self.flows[slot].reg_id;
            self.event(Event::RegistrationFailed { reg_id, failure, retry_in: None });
        }
    }

    fn cleared(&mut self, now: Instant) {
        for slot in 0..self.flows.len() {
            let registration = &mut self.flows[slot].registration;
            // What was registered meanwhile is removed with the rest.
            if registration.held.is_some() {
                registration.next = None;
            }
            self.forget_registration(slot);
        }
        self.go_on_everywhere(now);
    }

    fn not_cleared(&mut self, now: Instant, slot: usize, failure: Failure) {
        self.removal_failed(slot, failure);
        // Ours at least.
        self.go_on_everywhere(now);
    }

    fn go_on_everywhere(&mut self, now: Instant) {
        for slot in 0..self.flows.len() {
            self.go_on(now, slot);
        }
    }

    fn fetched(&mut self, now: Instant, slot: usize, outcome: Result<Vec<Binding>, Failure>) {
        self.event(Event::Bindings { outcome });
        self.go_on(now, slot);
    }

    fn register_challenged(&mut self, now: Instant, slot: usize, pending: Pending, response: &Response) {
        let uri = self.registrar_uri();
        let mut attempt = core::mem::take(&mut self.flows[slot].registration.attempt);
        let failure = match self.learn_challenge(&mut attempt, &uri, response) {
            Ok(()) => {
                self.flows[slot].registration.attempt = attempt;
                return self.send_register(now, slot, pending.task);
            }
            Err(failure) => failure,
        };
        match pending.task {
            Task::Bind => self.registration_failed(now, slot, failure, None),
            Task::Unbind => self.not_removed(now, slot, failure),
            Task::Clear => self.not_cleared(now, slot, failure),
            Task::Fetch => self.fetched(now, slot, Err(failure)),
        }
    }

    /// 423 (§10.2.8): asks for as much as the registrar wants at least.
    fn too_brief(&mut self, now: Instant, slot: usize, response: &Response) {
        let least =
            response.headers().first(HeaderName::MinExpires).and_then(|value| value.trim().parse().ok());
        let registration = &mut self.flows[slot].registration;
        match least {
            Some(least)
                if least > registration.expires && least <= LONGEST && registration.raised < RAISES =>
            {
                registration.expires = least;
                registration.raised += 1;
                self.send_register(now, slot, Task::Bind);
            }
            _ => self.registration_failed(now, slot, Failure::of_response(response), None),
        }
    }

    /// §10.2.8: what may pass is tried again, what will not is not.
    fn register_refused(&mut self, now: Instant, slot: usize, response: &Response) {
        let registration = &mut self.flows[slot].registration;
        // RFC 5626 §4.2.1: 439 is the one refusal of outbound alone.
        if response.status() == 439 && !registration.plain {
            registration.plain = true;
            return self.send_register(now, slot, Task::Bind);
        }
        let first = registration.failures == 0;
        let wait = match response.status() {
            // RFC 8599 §4.1.1: this push service is not known there, and will not be.
            555 => None,
            408 | 430 | 480 | 500..=599 => {
                let asked = failure::retry_after(response.headers());
                self.flows[slot].registration.not_before = asked.map(|asked| now + asked);
                // RFC 5626 §4.2.1: zero means at once; twice would be a loop.
                match asked {
                    Some(Duration::ZERO) if first => Some(Duration::ZERO),
                    asked => Some(self.back_off(slot).max(asked.unwrap_or_default())),
                }
            }
            _ => None,
        };
        self.registration_failed(now, slot, Failure::of_response(response), wait);
    }

    pub(super) fn registration_failed(
        &mut self,
        now: Instant,
        slot: usize,
        failure: Failure,
        retry_in: Option<Duration>,
    ) {
        let Flow { reg_id, registration, .. } = &mut self.flows[slot];
        let reg_id = *reg_id;
        registration.attempt = Attempt::default();
        if !self.wanted {
            return self.go_on(now, slot);
        }
        registration.failures = registration.failures.saturating_add(1);
        registration.next = retry_in.map(|wait| now + wait);
        if registration.until.is_none() {
            registration.held = None;
        }
        if retry_in.is_none() {
            registration.given_up = true;
            self.forget_registration(slot);
        }
        self.wanted = !self.flows.iter().all(|flow| flow.registration.given_up);
        self.event(Event::RegistrationFailed { reg_id, failure, retry_in });
        if !self.wanted {
            // There will be no registration to wait for.
            self.local.forget_gruus();
            self.catch_up(now);
        }
        self.go_on(now, slot);
    }
}

/// When to refresh: not all pages of a restarted gateway at once, and so early that it ends, one way or the other,
/// before the registration does (RFC 5627 §4.2), and `before` that as the server wants.
fn refresh(
    lifetime: Duration,
    before: Option<Duration>,
    entropy: &mut dyn crate::entropy::Entropy,
) -> Duration {
    let latest = match lifetime.as_secs() {
        0..=64 => lifetime / 2,
        _ => (lifetime * 9 / 10).min(lifetime - Duration::from_secs(32)),
    };
    let latest = before.map_or(latest, |before| match lifetime.saturating_sub(before) {
        Duration::ZERO => lifetime / 2,
        rest => latest.min(rest),
    });
    between(latest * 8 / 9, latest, entropy).max(BREATH)
}

/// `+sip.pnsreq`: how long before the registration ends a refresh is awaited of who needs no push for it (RFC 8599 §4.1.4).
fn awaited_before(headers: &Headers) -> Option<Duration> {
    let mut all = headers.typed_all::<FeatureCaps<'_>>().flatten();
    let seconds = all.find_map(|caps| caps.params.text("+sip.pnsreq")?.parse().ok())?;
    Some(Duration::from_secs(seconds))
}

/// Whole or not at all: half a route leads elsewhere.
fn service_route(headers: &Headers) -> Vec<SmolStr> {
    let mut routes = Vec::new();
    for route in headers.typed_all::<ServiceRoute<'_>>() {
        let Ok(route) = route else { return Vec::new() };
        let loose = route.parsed_uri().is_some_and(|uri| uri.sip().is_some_and(|sip| sip.has_param("lr")));
        if !loose || routes.len() == limits::SERVICE_ROUTES {
            return Vec::new();
        }
        routes.push(SmolStr::from(alloc::format!("<{}>{}", route.uri, route.params.as_str())));
    }
    routes
}
