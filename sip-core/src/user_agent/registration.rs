//! Registration of our Contact (RFC 3261 §10.2, RFC 5626 §4): made, refreshed, repeated after failures, removed.

use alloc::format;
use alloc::string::String;

use smol_str::SmolStr;

use super::local::{ALLOW, Outside};
use super::{Cause, Event, Failure, Purpose, RegisterError, RegistrationState, UserAgent, checks, failure};
use crate::auth::Attempt;
use crate::entropy::{self, Entropy};
use crate::message::{HeaderName, Method, Request, Response, quote};
use crate::time::{Duration, Instant};
use crate::transaction::ClientId;
use crate::transport::FlowId;

/// RFC 5626 §4.5: "base-time", for a phone whose only flow failed.
const BASE: Duration = Duration::from_secs(30);

/// RFC 5626 §4.5: "max-time".
const MAX: Duration = Duration::from_secs(1800);

/// The longest lifetime a registrar's 423 can make us ask for.
const LONGEST: u32 = 86_400;

/// The registration of one Contact.
#[derive(Debug)]
pub(super) struct Registration {
    /// "All registrations from a UAC SHOULD use the same Call-ID" (§10.2), and so the same From tag.
    call_id: SmolStr,
    tag: SmolStr,
    cseq: u32,
    /// Seconds to ask for.
    expires: u32,
    /// The user wants to be registered.
    pub(super) wanted: bool,
    /// The flow over which the registrar accepted our Contact. A refresh that fails for the moment takes nothing
    /// back.
    flow: Option<FlowId>,
    /// The REGISTER on its way; one at a time (§10.2).
    pending: Option<Pending>,
    attempt: Attempt,
    /// When to refresh, or try again.
    next: Option<Instant>,
    /// Failures in a row.
    failures: u32,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    client: ClientId,
    /// It has `Expires: 0`.
    removes: bool,
    flow: FlowId,
}

impl Registration {
    pub(super) fn new(expires: u32, entropy: &mut dyn Entropy) -> Self {
        Self {
            call_id: entropy::token(entropy, 120).into(),
            tag: entropy::token(entropy, 80).into(),
            cseq: 0,
            expires,
            wanted: false,
            flow: None,
            pending: None,
            attempt: Attempt::default(),
            next: None,
            failures: 0,
        }
    }

    pub(super) const fn timeout(&self) -> Option<Instant> {
        self.next
    }

    /// Whether the registrar has our Contact over this flow, or is not asked to.
    pub(super) fn covers(&self, flow: FlowId) -> bool {
        !self.wanted || self.flow == Some(flow)
    }

    /// Nothing is registered, asked for or on its way.
    pub(super) const fn is_idle(&self) -> bool {
        !self.wanted && self.pending.is_none()
    }
}

impl UserAgent {
    /// Registers now, or as soon as there is a flow, and keeps registered until `unregister`.
    pub fn register(&mut self, now: Instant) -> Result<(), RegisterError> {
        if self.is_shutting_down() {
            return Err(RegisterError::ShutDown);
        }
        self.registration.wanted = true;
        self.registration.failures = 0;
        self.registration.next = None;
        self.send_register(now);
        self.settle(now);
        Ok(())
    }

    /// Removes the registration. Without a flow it is left to expire.
    pub fn unregister(&mut self, now: Instant) -> Result<(), RegisterError> {
        if self.is_shutting_down() {
            return Err(RegisterError::ShutDown);
        }
        self.leave_registrar(now);
        self.settle(now);
        Ok(())
    }

    /// Where the registration is.
    pub fn registration(&self) -> RegistrationState {
        let Registration { wanted, flow, pending, failures, .. } = &self.registration;
        match (wanted, pending) {
            (false, Some(_)) => RegistrationState::Unregistering,
            (false, None) => RegistrationState::Unregistered,
            (true, _) if flow.is_some() && *failures == 0 => RegistrationState::Registered,
            (true, _) => RegistrationState::Registering,
        }
    }

    pub(super) fn leave_registrar(&mut self, now: Instant) {
        let registered = self.registration.flow.is_some();
        self.registration.wanted = false;
        self.registration.next = None;
        if self.registration.pending.is_some() {
            // Its answer is awaited; what follows is decided then.
        } else if registered && self.flow.is_some() {
            self.send_register(now);
        } else {
            self.unregistered();
        }
    }

    /// Sends REGISTER over the present flow, to add or to remove as is wanted, unless one is on its way.
    fn send_register(&mut self, now: Instant) {
        let Some(hop) = self.flow else { return };
        if self.registration.pending.is_some() {
            return;
        }
        let removes = !self.registration.wanted;
        let uri = self.registrar_uri();
        let registration = &mut self.registration;
        registration.next = None;
        registration.cseq += 1;
        let expires = if removes { 0 } else { registration.expires };
        let outside = Outside {
            method: &Method::Register,
            uri: &uri,
            via: &self.local.via(hop, &mut *self.entropy),
            to: self.config.aor.as_str(),
            from_tag: &registration.tag,
            call_id: &registration.call_id,
            cseq: registration.cseq,
        };
        let instance = quote(&format!("<{}>", self.config.instance));
        let contact = format!(
            "<{}>;+sip.instance={instance};reg-id={}",
            self.local.contact_uri(hop),
            self.config.reg_id
        );
        let writer = outside
            .begin(&self.config)
            .header(HeaderName::Contact, contact)
            .header(HeaderName::Expires, expires)
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, "path, outbound")
            .header(HeaderName::UserAgent, &self.config.user_agent);
        let mut attempt = core::mem::take(&mut self.registration.attempt);
        let message = self.authorize(writer, &mut attempt, &Method::Register, &uri).finish();
        self.registration.attempt = attempt;
        let sent =
            Request::parse(message).ok().and_then(|request| self.layer.send_request(now, &request, hop));
        match sent {
            Some(client) => {
                self.registration.pending = Some(Pending { client, removes, flow: hop.flow });
                self.purposes.insert(client, Purpose::Register);
            }
            // The configuration makes no message, and will not tomorrow.
            None => self.registration_failed(now, Failure::of(Cause::Rejected), None),
        }
    }

    /// "The 'userinfo' and '@' components of the SIP URI MUST NOT be present" (§10.2).
    fn registrar_uri(&self) -> String {
        let scheme = if self.config.aor.as_str().starts_with("sips:") { "sips" } else { "sip" };
        format!("{scheme}:{}", self.config.aor.domain())
    }

    pub(super) fn register_answered(&mut self, now: Instant, client: ClientId, response: &Response) {
        let Some(pending) = self.registration.pending.filter(|pending| pending.client == client) else {
            return;
        };
        if response.is_provisional() {
            return;
        }
        self.registration.pending = None;
        match response.status() {
            200..=299 if pending.removes => self.removed(now),
            200..=299 => self.registered(now, pending.flow, response),
            401 | 407 => self.register_challenged(now, pending, response),
            // A removal that was refused is as good as one that was not: the registration runs out.
            _ if pending.removes => self.removed(now),
            423 => self.too_brief(now, response),
            _ => self.register_refused(now, response),
        }
    }

    fn registered(&mut self, now: Instant, flow: FlowId, response: &Response) {
        let expires =
            checks::granted(response.headers(), &self.local).unwrap_or(self.registration.expires).max(1);
        let registration = &mut self.registration;
        registration.attempt = Attempt::default();
        registration.failures = 0;
        let anew = registration.flow.replace(flow).is_none();
        if !registration.wanted {
            // The user has changed their mind meanwhile.
            self.send_register(now);
            return;
        }
        let expires = Duration::from_secs(u64::from(expires));
        // A refresh in good time, and not all pages of a restarted gateway at once.
        let part = 800 + entropy::number(&mut *self.entropy) % 101;
        registration.next = Some(now + expires.mul_f64(part as f64 / 1000.0));
        self.event(Event::Registered { expires });
        if anew {
            self.resume(now);
        }
    }

    fn removed(&mut self, now: Instant) {
        self.registration.attempt = Attempt::default();
        if self.registration.wanted {
            self.registration.flow = None;
            self.send_register(now);
        } else {
            self.unregistered();
        }
    }

    fn unregistered(&mut self) {
        self.registration.flow = None;
        self.event(Event::Unregistered);
    }

    fn register_challenged(&mut self, now: Instant, pending: Pending, response: &Response) {
        let uri = self.registrar_uri();
        let mut attempt = core::mem::take(&mut self.registration.attempt);
        match self.learn_challenge(&mut attempt, &uri, response) {
            Ok(()) => {
                self.registration.attempt = attempt;
                self.send_register(now);
            }
            Err(_) if pending.removes => self.removed(now),
            Err(failure) => self.registration_failed(now, failure, None),
        }
    }

    /// 423 (§10.2.8): asks for as much as the registrar wants at least.
    fn too_brief(&mut self, now: Instant, response: &Response) {
        let least =
            response.headers().first(HeaderName::MinExpires).and_then(|value| value.trim().parse().ok());
        match least {
            Some(least) if least > self.registration.expires && least <= LONGEST => {
                self.registration.expires = least;
                self.registration.attempt = Attempt::default();
                self.send_register(now);
            }
            _ => self.registration_failed(now, Failure::of_response(response), None),
        }
    }

    /// §10.2.8: what may pass is tried again, what will not is not.
    fn register_refused(&mut self, now: Instant, response: &Response) {
        let wait = match response.status() {
            408 | 430 | 480 | 500..=599 => {
                let asked = failure::retry_after(response.headers());
                Some(self.back_off().max(asked.unwrap_or_default()))
            }
            _ => None,
        };
        self.registration_failed(now, Failure::of_response(response), wait);
    }

    pub(super) fn register_timed_out(&mut self, now: Instant, client: ClientId) {
        let Some(pending) = self.registration.pending.take_if(|pending| pending.client == client) else {
            return;
        };
        if pending.removes {
            self.removed(now);
        } else {
            let wait = self.back_off();
            self.registration_failed(now, Failure::of(Cause::Timeout), Some(wait));
        }
    }

    /// RFC 5626 §4.5: doubled for each failure, and "a uniform random time between 50 and 100%" of that.
    fn back_off(&mut self) -> Duration {
        let exponent = self.registration.failures.min(16);
        let most = BASE.saturating_mul(1 << exponent).min(MAX);
        let part = 500 + entropy::number(&mut *self.entropy) % 501;
        most.mul_f64(part as f64 / 1000.0)
    }

    fn registration_failed(&mut self, now: Instant, failure: Failure, retry_in: Option<Duration>) {
        let registration = &mut self.registration;
        registration.attempt = Attempt::default();
        if !registration.wanted {
            self.unregistered();
            return;
        }
        registration.failures += 1;
        registration.wanted = retry_in.is_some();
        if !registration.wanted {
            registration.flow = None;
        }
        registration.next = retry_in.map(|wait| now + wait);
        self.event(Event::RegistrationFailed { failure, retry_in });
        if retry_in.is_none() {
            // There will be no registration to wait for.
            self.resume(now);
        }
    }

    /// A flow is there: RFC 5626 §4.4.1, "it MUST attempt to re-register".
    pub(super) fn register_over_new_flow(&mut self, now: Instant) {
        if self.registration.wanted {
            self.registration.failures = 0;
            self.send_register(now);
        }
    }

    /// The flow is gone, and the way to us with it. A REGISTER that was on it is made anew over the next.
    pub(super) fn registration_flow_lost(&mut self) {
        let registration = &mut self.registration;
        registration.flow = None;
        registration.next = None;
        registration.attempt = Attempt::default();
        if let Some(pending) = registration.pending.take() {
            self.purposes.remove(&pending.client);
            self.layer.abandon(pending.client);
            if !self.registration.wanted {
                self.unregistered();
            }
        }
    }

    pub(super) fn registration_timeout(&mut self, now: Instant) {
        if self.registration.next.is_some_and(|at| at <= now) {
            self.registration.next = None;
            self.send_register(now);
        }
    }
}
