//! Registration of our Contact over each flow (RFC 3261 §10.2, RFC 5626 §4.2): the commands, and what is sent.
//! [`super::registrar_answers`] has what comes back.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::config::Aor;
use super::flows::{Flow, between};
use super::{Cause, ContactAs, Event, Failure, Purpose, RegisterError, RegistrationState, UserAgent};
use crate::auth::Attempt;
use crate::entropy::{self, Entropy};
use crate::message::{HeaderName, Method, Request, Writer, quote};
use crate::time::{Duration, Instant};
use crate::transaction::ClientId;
use crate::transport::{FlowId, Hop};

/// RFC 5626 §4.5: "base-time" while no flow is registered, and while another one is.
const BASE_ALL_FAILED: Duration = Duration::from_secs(30);
const BASE: Duration = Duration::from_secs(90);

/// When it is looked again whether the REGISTER before was answered.
const AGAIN: Duration = Duration::from_secs(1);

/// RFC 5626 §4.5: "max-time".
const MAX: Duration = Duration::from_secs(1800);

/// The registration of our Contact over one flow.
#[derive(Debug)]
pub(super) struct Registration {
    /// "All registrations from a UAC SHOULD use the same Call-ID" (§10.2), one for each flow (RFC 5626 §4.2.1), and
    /// so the same From tag.
    call_id: SmolStr,
    tag: SmolStr,
    cseq: u32,
    /// Seconds to ask for.
    pub(super) expires: u32,
    /// The connection over which the registrar accepted our Contact. A refresh that fails for the moment takes
    /// nothing back.
    pub(super) held: Option<FlowId>,
    /// When that ends unless it is refreshed.
    pub(super) until: Option<Instant>,
    /// The REGISTER on its way; one at a time (§10.2).
    pub(super) pending: Option<Pending>,
    pub(super) attempt: Attempt,
    /// When to refresh, or try again.
    pub(super) next: Option<Instant>,
    /// Before then the registrar does not want to hear from us (Retry-After), whatever flow opens.
    pub(super) not_before: Option<Instant>,
    /// Failures in a row.
    pub(super) failures: u32,
    /// How often the registrar found the time too brief, in a row.
    pub(super) raised: u8,
    /// Refused for good, until the next `register`.
    pub(super) given_up: bool,
    /// The first hop knows no outbound (439): without reg-id.
    pub(super) plain: bool,
    /// What else is to be asked when there is time.
    pub(super) clear: bool,
    pub(super) fetch: u32,
    /// RFC 3608.
    pub(super) service_route: Vec<SmolStr>,
}

/// What a REGISTER is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Adds or refreshes our Contact.
    Bind,
    /// Removes our Contact.
    Unbind,
    /// Removes every Contact: `*` (§10.2.2).
    Clear,
    /// Asks which there are: no Contact (§10.2.3).
    Fetch,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) client: ClientId,
    pub(super) task: Task,
    pub(super) flow: FlowId,
}

impl Registration {
    pub(super) fn new(expires: u32, entropy: &mut dyn Entropy) -> Self {
        Self {
            call_id: entropy::token(entropy, 120).into(),
            tag: entropy::token(entropy, 80).into(),
            cseq: 0,
            expires,
            held: None,
            until: None,
            pending: None,
            attempt: Attempt::default(),
            next: None,
            not_before: None,
            failures: 0,
            raised: 0,
            given_up: false,
            plain: false,
            clear: false,
            fetch: 0,
            service_route: Vec::new(),
        }
    }

    /// Starts afresh, as after a command of the user's.
    const fn encourage(&mut self) {
        self.clear = false;
        self.failures = 0;
        self.raised = 0;
        self.next = None;
        self.not_before = None;
        self.given_up = false;
    }
}

impl UserAgent {
    /// Registers now, or as soon as there is a flow, and keeps registered over every flow until `unregister`.
    pub fn register(&mut self, now: Instant) -> Result<(), RegisterError> {
        if self.is_shutting_down() {
            return Err(RegisterError::ShutDown);
        }
        self.wanted = true;
        self.unregistering = false;
        for slot in 0..self.flows.len() {
            self.flows[slot].registration.encourage();
            if self.flows[slot].hop.is_some() {
                self.send_register(now, slot, Task::Bind);
            } else {
                self.open_flow(slot);
            }
        }
        self.settle(now);
        Ok(())
    }

    /// Removes the registration. Without a flow it is left to expire. Ends with [`Event::Unregistered`]; if the registrar
    /// refuses or is silent, so that it has to expire as well, with [`Event::RegistrationFailed`] before it.
    pub fn unregister(&mut self, now: Instant) -> Result<(), RegisterError> {
        if self.is_shutting_down() {
            return Err(RegisterError::ShutDown);
        }
        self.leave_registrar(now);
        self.settle(now);
        Ok(())
    }

    /// Removes every Contact of the address-of-record, those of other devices too (§10.2.2). Ends with
    /// [`Event::Unregistered`]; if the registrar refuses, with [`Event::RegistrationFailed`] before it.
    pub fn unregister_all(&mut self, now: Instant) -> Result<(), RegisterError> {
        let slot = self.registrar_slot()?;
        self.wanted = false;
        self.unregistering = true;
        for flow in &mut self.flows {
            flow.registration.next = None;
        }
        self.flows[slot].registration.clear = true;
        self.go_on(now, slot);
        self.settle(now);
        Ok(())
    }

    /// Asks which Contacts are registered (§10.2.3); [`Event::Bindings`] tells.
    pub fn fetch_bindings(&mut self, now: Instant) -> Result<(), RegisterError> {
        let slot = self.registrar_slot()?;
        let asked = &mut self.flows[slot].registration.fetch;
        *asked = asked.saturating_add(1);
        self.go_on(now, slot);
        self.settle(now);
        Ok(())
    }

    /// Where the registration is: with several flows, the best of theirs.
    pub fn registration(&self) -> RegistrationState {
        let mut all = self.flows.iter().map(|flow| &flow.registration);
        if self.wanted {
            let registered =
                all.any(|registration| registration.held.is_some() && registration.failures == 0);
            if registered { RegistrationState::Registered } else { RegistrationState::Registering }
        } else if self.unregistering && all.any(|registration| registration.pending.is_some()) {
            RegistrationState::Unregistering
        } else {
            RegistrationState::Unregistered
        }
    }

    /// The flow over which the registrar is asked something.
    fn registrar_slot(&self) -> Result<usize, RegisterError> {
        if self.is_shutting_down() {
            return Err(RegisterError::ShutDown);
        }
        self.flow().and_then(|hop| self.slot_of(hop.flow)).ok_or(RegisterError::Offline)
    }

    pub(super) fn leave_registrar(&mut self, now: Instant) {
        self.wanted = false;
        self.unregistering = true;
        // One without a connection is off at once, when the others have not begun.
        for slot in 0..self.flows.len() {
            self.flows[slot].registration.next = None;
            self.start_next(now, slot);
        }
        self.tell_unregistered();
    }

    /// Nothing is registered, asked for or on its way.
    pub(super) fn is_off_registrar(&self) -> bool {
        !self.wanted && self.flows.iter().all(|flow| flow.registration.pending.is_none())
    }

    /// Starts what is to be done next with one flow's registrar, if nothing is on its way; tells if that was all.
    pub(super) fn go_on(&mut self, now: Instant, slot: usize) {
        self.start_next(now, slot);
        self.tell_unregistered();
    }

    fn start_next(&mut self, now: Instant, slot: usize) {
        let Flow { hop, registration, .. } = &mut self.flows[slot];
        if registration.pending.is_some() {
            // Its answer is awaited; what follows is decided then.
            return;
        }
        if hop.is_some() {
            if core::mem::take(&mut registration.clear) {
                return self.send_register(now, slot, Task::Clear);
            }
            if let Some(left) = registration.fetch.checked_sub(1) {
                registration.fetch = left;
                return self.send_register(now, slot, Task::Fetch);
            }
            match self.wanted {
                false if registration.held.is_some() => return self.send_register(now, slot, Task::Unbind),
                // Also where it stands: what was on its way when it was wanted anew has kept it waiting.
                true if registration.next.is_none() && !registration.given_up => {
                    return self.send_register(now, slot, Task::Bind);
                }
                _ => {}
            }
        }
        if !self.wanted {
            self.forget_registration(slot);
        }
    }

    fn tell_unregistered(&mut self) {
        if self.unregistering && self.is_off_registrar() {
            self.unregistering = false;
            self.local.forget_gruus();
            self.event(Event::Unregistered);
        }
    }

    pub(super) fn forget_registration(&mut self, slot: usize) {
        let flow = &mut self.flows[slot];
        flow.keep_alive = None;
        flow.registration.held = None;
        flow.registration.until = None;
        flow.registration.service_route.clear();
    }

    /// Sends REGISTER over a flow's connection, unless one is on its way.
    pub(super) fn send_register(&mut self, now: Instant, slot: usize, task: Task) {
        let Some(hop) = self.flows[slot].hop else { return };
        if self.flows[slot].registration.pending.is_some() {
            return;
        }
        let mut attempt = core::mem::take(&mut self.flows[slot].registration.attempt);
        let uri = self.registrar_uri();
        let writer = self.write_register(slot, hop, task, &uri);
        let message = self.authorize(writer, &mut attempt, &Method::Register, &uri, &[]).finish();
        let sent =
            Request::parse(message).ok().and_then(|request| self.layer.send_request(now, &request, hop));
        let registration = &mut self.flows[slot].registration;
        registration.attempt = attempt;
        match sent {
            Some(client) => {
                registration.pending = Some(Pending { client, task, flow: hop.flow });
                self.purposes.insert(client, Purpose::Register(slot));
            }
            // The configuration makes no message, and will not tomorrow.
            None => self.registration_failed(now, slot, Failure::of(Cause::Rejected), None),
        }
    }

    fn write_register(&mut self, slot: usize, hop: Hop, task: Task, uri: &str) -> Writer {
        let via = self.local.via(hop, &mut *self.entropy);
        let contact = match task {
            Task::Bind | Task::Unbind => Some(self.registered_contact(slot, hop, task)),
            Task::Clear => Some("*".into()),
            Task::Fetch => None,
        };
        let Flow { proxy, registration, .. } = &mut self.flows[slot];
        if task == Task::Bind {
            registration.next = None;
            registration.not_before = None;
        }
        registration.cseq += 1;
        let Registration { tag, call_id, cseq, expires, .. } = registration;
        let mut writer = Writer::request(&Method::Register, uri)
            .header(HeaderName::Via, via)
            .header(HeaderName::MaxForwards, 70);
        if let Some(proxy) = proxy {
            writer = writer.header(HeaderName::Route, proxy);
        }
        let from = super::local::from(&self.config);
        let registered = self.config.third_party.as_ref().map_or(&self.config.aor, |third| &third.aor);
        writer = writer
            .header(HeaderName::From, format_args!("{from};tag={tag}"))
            .header(HeaderName::To, format_args!("<{registered}>"))
            .header(HeaderName::CallId, call_id)
            .header(HeaderName::CSeq, format_args!("{cseq} REGISTER"));
        if let Some(contact) = contact {
            let expires = if task == Task::Bind { *expires } else { 0 };
            writer = writer.header(HeaderName::Contact, contact).header(HeaderName::Expires, expires);
        }
        // RFC 5627 §4.1.
        let gruu = if self.config.contact == ContactAs::Address { "" } else { ", gruu" };
        writer
            .header(HeaderName::Allow, &self.local.allow)
            .header(HeaderName::Supported, format_args!("path, outbound{gruu}"))
            .header(HeaderName::UserAgent, &self.config.user_agent)
            .fields(&self.register_fields)
    }

    fn registered_contact(&self, slot: usize, hop: Hop, task: Task) -> String {
        if let Some(third) = &self.config.third_party {
            // RFC 5626 §4.2.3: neither reg-id nor instance of ours.
            return format!("<{}>", third.contact);
        }
        let uri = self.local.bound_uri(hop);
        // RFC 8599 §4.1.2: who is removed is woken no more. §4.1.4: who is bound refreshes by itself as well.
        let push = self.config.push.as_ref().filter(|_| task == Task::Bind);
        let own_clock = if push.is_some() { ";+sip.pnsreg" } else { "" };
        let push = push.map_or_else(String::new, |push| format!("{push}"));
        let instance = quote(&format!("<{}>", self.config.instance));
        let features = &self.local.features;
        let Flow { reg_id, registration, .. } = &self.flows[slot];
        if registration.plain {
            return format!("<{uri}{push}>;+sip.instance={instance}{own_clock}{features}");
        }
        format!("<{uri}{push}>;+sip.instance={instance};reg-id={reg_id}{own_clock}{features}")
    }

    /// "The 'userinfo' and '@' components of the SIP URI MUST NOT be present" (§10.2).
    pub(super) fn registrar_uri(&self) -> String {
        let aor: &Aor = self.config.third_party.as_ref().map_or(&self.config.aor, |third| &third.aor);
        let scheme = if aor.as_str().starts_with("sips:") { "sips" } else { "sip" };
        format!("{scheme}:{}", aor.domain())
    }

    /// RFC 5626 §4.5: "a uniform random time between 50 and 100%" of base-time doubled for each failure in a row.
    /// The present one is not counted yet.
    pub(super) fn back_off(&mut self, slot: usize) -> Duration {
        let others =
            self.flows.iter().enumerate().any(|(other, flow)| other != slot && flow.registered().is_some());
        let base = if others { BASE } else { BASE_ALL_FAILED };
        let failures = self.flows[slot].registration.failures.saturating_add(1);
        let most = base.saturating_mul(1 << failures.min(16)).min(MAX);
        between(most / 2, most, &mut *self.entropy)
    }

    /// A connection stands: RFC 5626 §4.2, "it MUST attempt to re-register", unless the registrar asked for silence.
    pub(super) fn register_over_new_flow(&mut self, now: Instant, slot: usize) {
        let registration = &mut self.flows[slot].registration;
        if registration.given_up {
            return;
        }
        match registration.not_before.filter(|at| *at > now) {
            Some(at) => registration.next = Some(at),
            None => self.send_register(now, slot, Task::Bind),
        }
    }

    /// The connection is gone, and the way to us with it. A REGISTER that was on it is made anew over the next.
    pub(super) fn registration_flow_lost(&mut self, now: Instant, slot: usize) {
        let registration = &mut self.flows[slot].registration;
        let worked = registration.held.take().is_some();
        registration.attempt = Attempt::default();
        // What was asked of the registrar once is not asked again minutes later.
        let mut clear = core::mem::take(&mut registration.clear);
        let mut fetch = core::mem::take(&mut registration.fetch);
        let mut unbind = false;
        if let Some(pending) = registration.pending.take() {
            clear |= pending.task == Task::Clear;
            fetch = fetch.saturating_add(u32::from(pending.task == Task::Fetch));
            unbind = pending.task == Task::Unbind;
            self.purposes.remove(&pending.client);
            self.layer.abandon(pending.client);
        }
        for _ in 0..fetch {
            self.event(Event::Bindings { outcome: Err(Failure::of(Cause::FlowLost)) });
        }
        if clear || unbind {
            self.removal_failed(slot, Failure::of(Cause::FlowLost));
        }
        if !self.wanted {
            return self.go_on(now, slot);
        }
        if self.flows[slot].registration.given_up {
            return;
        }
        if worked {
            self.flows[slot].registration.next = None;
            self.open_flow(slot);
        } else {
            // §4.5: the attempt before was no success. A driver may know better and open it all the same.
            let wait = self.back_off(slot);
            let registration = &mut self.flows[slot].registration;
            registration.failures += 1;
            registration.next = Some(registration.next.unwrap_or(now).max(now + wait));
        }
    }

    /// It was not refreshed in time. A GRUU is valid "as long as at least one flow is registered" (RFC 5627 §4.2). What goes
    /// on over the connection does until a REGISTER fails: its answer may be on its way.
    fn registration_lapsed(&mut self, slot: usize) {
        self.flows[slot].registration.until = None;
        if self.flows.iter().all(|flow| flow.registration.until.is_none()) {
            self.local.forget_gruus();
        }
    }

    /// The driver found no way to the server.
    pub(super) fn flow_not_opened(&mut self, now: Instant, slot: usize) {
        if self.wanted && !self.flows[slot].registration.given_up {
            let wait = self.back_off(slot);
            self.registration_failed(now, slot, Failure::of(Cause::FlowLost), Some(wait));
        }
    }

    pub(super) fn registration_timeout(&mut self, now: Instant, slot: usize) {
        if self.flows[slot].registration.until.is_some_and(|until| until <= now) {
            self.registration_lapsed(slot);
        }
        let Flow { hop, registration, .. } = &mut self.flows[slot];
        if registration.next.is_some_and(|at| at <= now) {
            registration.next = None;
            if registration.pending.is_some() {
                // One at a time (§10.2).
                registration.next = Some(now + AGAIN);
            } else if hop.is_some() {
                self.send_register(now, slot, Task::Bind);
            } else {
                self.open_flow(slot);
            }
        }
    }
}
