//! Subscriptions of others to what we know (RFC 6665 §4.2).

use alloc::vec::Vec;

use smol_str::{SmolStr, ToSmolStr};

use super::checks::{self, Refusal};
use super::referrals::Referral;
use super::requests::{Errand, Outcome, Place, Whose};
use super::{CallId, CallState, Event, EventsError, Failure, Identity, UserAgent};
use crate::body::Content;
use crate::dialog::DialogId;
use crate::entropy;
use crate::events::{self, EventName, LEAST_LIFETIME, Notifier, NotifierState, Package, Reason};
use crate::limits;
use crate::message::typed::Event as EventField;
use crate::message::validate::Rules;
use crate::message::{Fields, HeaderName, Method, Request, SessionIdentifier, Uuid, reason_phrase};
use crate::time::{Duration, Instant};
use crate::transaction::ServerId;

/// How long the application may take before a SUBSCRIBE is answered for it, as pending: "notifiers MUST NOT wait for a
/// user response" (§4.2.1.1).
const DECISION: Duration = Duration::from_secs(2);

/// The most seconds granted.
const MOST: u32 = 86_400;

/// Names a subscription of somebody's to one user agent. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatcherId(pub(super) u64);

/// What happened to a subscription of somebody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatcherUpdate {
    /// Somebody subscribes. Accept, defer or reject it; after two seconds it is deferred.
    Asked {
        /// To what.
        event: EventName,
        /// Who.
        from: Identity,
        /// Whose state.
        to: Identity,
        /// For how long; zero is a fetch.
        expires: Duration,
        /// The call of ours that its Target-Dialog names (RFC 4538): who asks has heard of it.
        about: Option<CallId>,
        /// The SUBSCRIBE, for what is not told here.
        request: Request,
    },
    /// It was refreshed.
    Refreshed {
        /// How long it lasts from now.
        expires: Duration,
    },
    /// It is over.
    Ended(WatcherEnd),
}

/// How a subscription of somebody's ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatcherEnd {
    /// The SUBSCRIBE was rejected with this status.
    Rejected(u16),
    /// We ended it, or time or the watcher did ([`Reason::Timeout`]), and the watcher was told.
    Terminated(Reason),
    /// The watcher knows nothing of it, or does not answer.
    Lost(Option<Failure>),
}

/// A subscription of somebody's.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) machine: Notifier,
    /// The SUBSCRIBE or REFER without an answer.
    pub(super) asked: Option<Asked>,
    /// What it is about, where a REFER made it. Then its events are told otherwise.
    pub(super) referral: Option<Referral>,
    /// What the application adds to the NOTIFYs of the state it told last.
    fields: Fields,
}

impl Watcher {
    /// When something is due of it by itself.
    pub(super) fn timeout(&self) -> Option<Instant> {
        match &self.asked {
            Some(asked) => Some(asked.until),
            None => {
                let undecided = self.referral.as_ref().and_then(Referral::timeout);
                self.machine.timeout().into_iter().chain(undecided).min()
            }
        }
    }

    pub(super) fn of_refer(
        now: Instant,
        machine: Notifier,
        referral: Referral,
        request: Request,
        server: ServerId,
        tag: SmolStr,
        expires: Duration,
    ) -> Self {
        let asked = Asked { request, server, tag, expires, until: now + DECISION };
        Self { machine, asked: Some(asked), referral: Some(referral), fields: Fields::new() }
    }
}

#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) server: ServerId,
    /// Of our side of the dialog that it makes.
    pub(super) tag: SmolStr,
    expires: Duration,
    /// When it is answered by itself.
    until: Instant,
}

impl UserAgent {
    /// Accepts somebody's subscription: `content` is the state they are told at once.
    pub fn accept_watcher(
        &mut self,
        now: Instant,
        watcher: WatcherId,
        content: Option<Content>,
    ) -> Result<(), EventsError> {
        self.changeable(watcher)?.machine.grant(content);
        self.note_fields(watcher);
        self.answer_subscribe(now, watcher);
        self.settle(now);
        Ok(())
    }

    /// Leaves somebody waiting for leave: they are told so, and nothing else.
    pub fn defer_watcher(&mut self, now: Instant, watcher: WatcherId) -> Result<(), EventsError> {
        self.changeable(watcher)?;
        self.answer_subscribe(now, watcher);
        self.settle(now);
        Ok(())
    }

    /// Refuses somebody's subscription with this status, or ends it as rejected if it was answered already.
    pub fn reject_watcher(
        &mut self,
        now: Instant,
        watcher: WatcherId,
        status: u16,
    ) -> Result<(), EventsError> {
        if !(300..700).contains(&status) {
            return Err(EventsError::InvalidStatus(status));
        }
        let found = self.changeable(watcher)?;
        if let Some(asked) = found.asked.take() {
            self.refuse_request(now, asked.server, &asked.request, &Refusal::of(status));
            self.forget_watcher(watcher, WatcherEnd::Rejected(status));
        } else {
            found.machine.terminate(now, Reason::Rejected, None);
            self.note_fields(watcher);
        }
        self.settle(now);
        Ok(())
    }

    /// Tells somebody who is subscribed the new state, whole; nothing to who waits for leave. If the last one is still on its way only
    /// the newest follows.
    pub fn notify(
        &mut self,
        now: Instant,
        watcher: WatcherId,
        content: Option<Content>,
    ) -> Result<(), EventsError> {
        let found = self.changeable(watcher)?;
        match found.machine.state() {
            NotifierState::Active => found.machine.notify(content),
            // It is told when leave is given.
            NotifierState::Pending => return Ok(()),
            state => return Err(EventsError::WrongState(state.clone())),
        }
        self.note_fields(watcher);
        self.settle(now);
        Ok(())
    }

    /// Ends somebody's subscription.
    pub fn terminate_watcher(
        &mut self,
        now: Instant,
        watcher: WatcherId,
        reason: Reason,
        retry_after: Option<Duration>,
    ) -> Result<(), EventsError> {
        let found = self.changeable(watcher)?;
        found.machine.terminate(now, reason, retry_after);
        let asked = found.asked.is_some();
        self.note_fields(watcher);
        if asked {
            self.answer_subscribe(now, watcher);
        }
        self.settle(now);
        Ok(())
    }

    /// What the running command adds to the NOTIFYs it makes.
    fn note_fields(&mut self, watcher: WatcherId) {
        let fields = core::mem::take(&mut self.adding);
        if let Some(found) = self.watchers.get_mut(&watcher) {
            found.fields = fields;
        }
    }

    /// A watcher that is not being told the end.
    fn changeable(&mut self, watcher: WatcherId) -> Result<&mut Watcher, EventsError> {
        let found = self.watchers.get_mut(&watcher).ok_or(EventsError::Unknown)?;
        match found.machine.state() {
            state @ NotifierState::Terminated { .. } => Err(EventsError::WrongState(state.clone())),
            _ => Ok(found),
        }
    }

    /// 489 for a SUBSCRIBE to what we do not know, or to nothing (§4.2.1.1, §4.2.3).
    pub(super) fn known_package(&self, request: &Request) -> Result<(), Refusal> {
        let event = request.headers().typed::<EventField<'_>>().ok().flatten();
        let known =
            event.is_some_and(|event| self.config.event_packages.iter().any(|known| known == event.kind));
        if known {
            return Ok(());
        }
        Err(Refusal::of(489).with(HeaderName::AllowEvents, self.config.allow_events()))
    }

    /// A SUBSCRIBE outside dialogs that passed the checks of §8.2 of RFC 3261.
    pub(super) fn subscribed(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
    ) -> Result<(), Refusal> {
        let headers = request.headers();
        let Some(field) = headers.typed::<EventField<'_>>().ok().flatten() else {
            return Err(Refusal::of(489));
        };
        let event = EventName::of(&field);
        if !events::is_acceptable(request, &event.package) {
            return Err(Refusal::of(406));
        }
        let expires = granted(request, &event.package)?;
        if self.watchers.len() >= limits::WATCHERS || self.is_shutting_down() {
            return Err(Refusal::of(480));
        }
        let tag: SmolStr = entropy::token(&mut *self.entropy, 80).into();
        let session = SessionIdentifier::begun_by(request.headers(), Uuid::new(&mut *self.entropy));
        let machine = Notifier::new(now, event.clone(), request, &tag, session, expires);
        let asked = Asked { request: request.clone(), server, tag, expires, until: now + DECISION };
        let id = WatcherId(self.next_event);
        self.next_event += 1;
        self.watchers
            .insert(id, Watcher { machine, asked: Some(asked), referral: None, fields: Fields::new() });
        let (from, to) = (Identity::of(&request.from()), Identity::of(&request.to()));
        let about = self.target_dialog(request);
        let request = request.clone();
        let update = WatcherUpdate::Asked { event, from, to, expires, about, request };
        self.event(Event::Watcher { watcher: id, update });
        Ok(())
    }

    /// 200 to the SUBSCRIBE; the NOTIFY follows (§4.2.1.2).
    fn answer_subscribe(&mut self, now: Instant, id: WatcherId) {
        let Some(found) = self.watchers.get_mut(&id) else { return };
        if found.referral.is_some() {
            return self.answer_refer(now, id);
        }
        let Some(Asked { request, server, tag, expires, .. }) = found.asked.take() else { return };
        found.machine.accepted(now, expires);
        self.confirm_subscribe(now, server, &request, Some(&tag), expires);
    }

    fn confirm_subscribe(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        tag: Option<&str>,
        expires: Duration,
    ) {
        let Some(hop) = self.layer.server_hop(server) else { return };
        let response = self
            .response(request, 200, reason_phrase(200), tag)
            .copy(request.headers(), HeaderName::RecordRoute)
            .header(HeaderName::Contact, self.local.contact(hop, false, ""))
            .header(HeaderName::Expires, expires.as_secs())
            .header(HeaderName::AllowEvents, self.config.allow_events())
            .header(HeaderName::Server, &self.config.user_agent)
            .finish();
        self.reply(now, server, 200, response);
    }

    /// A SUBSCRIBE within a dialog (§4.2.1.4).
    pub(super) fn resubscribed(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        dialog: &DialogId,
    ) -> Result<(), Refusal> {
        let event = request.headers().typed::<EventField<'_>>().ok().flatten();
        let about = |found: &Watcher| event.is_some_and(|event| found.machine.event().matches(&event));
        let of_dialog = || self.watchers.iter().filter(|(_, found)| found.machine.id() == dialog);
        // Several REFERs in one dialog are told apart by the event's id.
        let found = of_dialog().find(|(_, found)| about(found)).or_else(|| of_dialog().next());
        let id = found.map(|(id, _)| id).ok_or(Refusal::of(481))?;
        let found = self.watchers.get_mut(&id).ok_or(Refusal::of(481))?;
        if !about(found) {
            if self.is_about_no_refer(request) {
                return Err(Refusal::of(403));
            }
            return Err(Refusal::of(489).with(HeaderName::AllowEvents, self.config.allow_events()));
        }
        if let Some(dialog) = found.machine.dialog_mut() {
            dialog.check_sequence(request).map_err(|_| Refusal::with_reason(500, "CSeq Out of Order"))?;
        }
        if matches!(found.machine.state(), NotifierState::Terminated { .. }) {
            return Err(Refusal::of(481));
        }
        // Who was referred takes it, though others may not subscribe.
        let rules = checks::rules(&Method::Subscribe, &self.local);
        Rules { allow: Method::Subscribe.as_str(), ..rules }.request(request)?;
        let expires = granted(request, &found.machine.event().package)?;
        if let Some(dialog) = found.machine.dialog_mut() {
            dialog.refresh_target(request.headers());
        }
        found.machine.accepted(now, expires);
        let told = found.referral.is_none();
        self.confirm_subscribe(now, server, request, None, expires);
        if told && !expires.is_zero() {
            self.event(Event::Watcher { watcher: id, update: WatcherUpdate::Refreshed { expires } });
        }
        Ok(())
    }

    pub(super) fn send_notifies(&mut self, now: Instant) {
        self.tell_referrers(now);
        let all: Vec<WatcherId> = self.watchers.keys().collect();
        for id in all {
            let Some(found) = self.watchers.get(&id).filter(|found| found.asked.is_none()) else { continue };
            let ended = |call: CallId| self.call_state(call) == Some(CallState::Ended);
            // While the call's BYE is on its way its dialog is no subscription's.
            if found.machine.shares()
                && found.referral.as_ref().and_then(|referral| referral.call).is_some_and(ended)
            {
                continue;
            }
            let Some(notice) = found.machine.due(now).filter(|_| self.may_send_events()) else { continue };
            let errand = Errand::new(Whose::Watcher(id), Method::Notify, Place::Watcher(id))
                .with(HeaderName::Event, found.machine.event().to_smolstr())
                .with(HeaderName::SubscriptionState, notice.state)
                .with_content(notice.content)
                .with_fields(found.fields.clone());
            if self.dispatch(now, errand).is_err() {
                self.forget_watcher(id, WatcherEnd::Lost(None));
            }
        }
    }

    pub(super) fn notify_concluded(&mut self, id: WatcherId, outcome: &Outcome) {
        let Some(found) = self.watchers.get_mut(&id) else { return };
        let (goes_on, failure) = match outcome {
            Outcome::Answered(response) => {
                let failure = (!response.is_success()).then(|| Failure::of_response(response));
                (found.machine.answered(response.status()), failure)
            }
            Outcome::Failed(failure) => (found.machine.failed(), Some(failure.clone())),
        };
        if goes_on {
            return;
        }
        let end = match (found.machine.state(), failure) {
            // That the last NOTIFY was refused changes nothing.
            (NotifierState::Terminated { reason, .. }, _) => WatcherEnd::Terminated(reason.clone()),
            (_, failure) => WatcherEnd::Lost(failure),
        };
        self.forget_watcher(id, end);
    }

    pub(super) fn forget_watcher(&mut self, id: WatcherId, end: WatcherEnd) {
        if self.watchers.remove(&id).is_some_and(|found| found.referral.is_none()) {
            self.event(Event::Watcher { watcher: id, update: WatcherUpdate::Ended(end) });
        }
    }

    pub(super) fn watchers_time_passed(&mut self, now: Instant) {
        let all: Vec<WatcherId> = self.watchers.keys().collect();
        for id in all {
            let Some(found) = self.watchers.get_mut(&id) else { continue };
            let undecided =
                found.referral.as_mut().filter(|found| found.timeout().is_some_and(|at| at <= now));
            if let Some(referral) = undecided {
                referral.give_up();
            }
            if found.asked.as_ref().is_some_and(|asked| asked.until <= now) {
                self.answer_subscribe(now, id);
            } else if found.asked.is_none() && !found.machine.handle_timeout(now) {
                self.forget_watcher(id, WatcherEnd::Lost(None));
            }
        }
    }
}

/// How long a subscription is granted for.
fn granted(request: &Request, package: &Package) -> Result<Duration, Refusal> {
    let brief = |_| Refusal::of(423).with(HeaderName::MinExpires, LEAST_LIFETIME.to_smolstr());
    events::granted(request, package, MOST).map_err(brief)
}
