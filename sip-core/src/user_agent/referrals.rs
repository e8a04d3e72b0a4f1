//! REFER received (RFC 3515), in a call or outside: the call it asks for, and the NOTIFYs that tell how far that has come.

use bytes::Bytes;
use smol_str::{SmolStr, ToSmolStr};

use super::checks::{self, Refusal};
use super::outgoing::Occasion;
use super::replaces::Replacement;
use super::watchers::{Asked, Watcher};
use super::{CallId, CallState, Cause, End, Event, Identity, ReferralError, UserAgent, WatcherId, target};
use crate::body::Content;
use crate::body::sipfrag::SipFrag;
use crate::dialog::{Dialog, DialogId};
use crate::entropy;
use crate::events::{Document, EventName, Notifier, Package, Reason};
use crate::limits;
use crate::message::typed::{Event as EventField, ReferSub, ReferTo, ReferredBy};
use crate::message::{
    HeaderName, Method, Request, SessionIdentifier, SipUri, Uri, Uuid, number_in, reason_phrase, unescape,
};
use crate::time::{Duration, Instant};
use crate::transaction::ServerId;

/// How long the other side is told of the call it asked for: longer than any call rings (Timer C of RFC 3261). A request
/// that nobody has decided until then is refused, however long the other side would wait.
const TELL: Duration = Duration::from_secs(240);

/// Names a call that somebody asks for. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferralId(pub(super) WatcherId);

/// What a REFER asks for, and what has come of it.
#[derive(Debug)]
pub(super) struct Referral {
    /// In whose dialog it came, or which it named.
    pub(super) call: Option<CallId>,
    target: SmolStr,
    occasion: Occasion,
    /// Nothing is to be told (RFC 4488).
    quiet: bool,
    /// The call that was made for it.
    placed: Option<CallId>,
    /// Until when it can be decided.
    until: Instant,
    /// What is to be told next.
    heard: Option<(u16, SmolStr)>,
}

impl Referral {
    /// When it is refused by itself.
    pub(super) fn timeout(&self) -> Option<Instant> {
        (self.placed.is_none() && self.heard.is_none()).then_some(self.until)
    }

    /// Nobody has decided.
    pub(super) fn give_up(&mut self) {
        self.heard = Some((480, reason_phrase(480).into()));
    }
}

impl UserAgent {
    /// Makes the call that the other side asks for, with an offer. That side is told what becomes of it. A call that
    /// cannot be made leaves the request open.
    pub fn accept_refer(
        &mut self,
        now: Instant,
        referral: ReferralId,
        sdp: &str,
    ) -> Result<CallId, ReferralError> {
        let found = self.open_referral(referral)?;
        let (target, occasion) = (found.target.clone(), found.occasion.clone());
        let sdp = Some(Bytes::copy_from_slice(sdp.as_bytes()));
        let placed = self.invite(now, &target, sdp, occasion).map_err(ReferralError::Call)?;
        if let Ok(found) = self.open_referral(referral) {
            found.placed = Some(placed);
        }
        self.answer_refer(now, referral.0);
        self.settle(now);
        Ok(placed)
    }

    /// Refuses to make the call, with this status.
    pub fn refuse_refer(
        &mut self,
        now: Instant,
        referral: ReferralId,
        status: u16,
    ) -> Result<(), ReferralError> {
        if !(300..700).contains(&status) {
            return Err(ReferralError::InvalidStatus(status));
        }
        let found = self.open_referral(referral)?;
        // RFC 3515 §2.4.5: it was answered before leave could be had.
        found.heard = Some((status, reason_phrase(status).into()));
        let asked = self.watchers.get_mut(&referral.0).and_then(|found| found.asked.take());
        if let Some(Asked { request, server, .. }) = asked {
            self.refuse_request(now, server, &request, &Refusal::of(status));
            self.watchers.remove(&referral.0);
        }
        self.settle(now);
        Ok(())
    }

    /// One that nobody has decided.
    fn open_referral(&mut self, id: ReferralId) -> Result<&mut Referral, ReferralError> {
        let found = self.watchers.get_mut(&id.0).and_then(|found| found.referral.as_mut());
        found.filter(|found| found.placed.is_none() && found.heard.is_none()).ok_or(ReferralError::Unknown)
    }

    /// A REFER in a call.
    pub(super) fn referred(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        call: CallId,
        dialog: &DialogId,
    ) -> Result<(), Refusal> {
        checks::validate(request, &self.local)?;
        if self.call_state(call) != Some(CallState::Established) {
            return Err(Refusal::of(480));
        }
        self.take_referral(now, server, request, Some(call), |_, _| (dialog.clone(), None))
    }

    /// A REFER outside calls, whose Target-Dialog may name one (RFC 7647 §4). It makes a dialog.
    pub(super) fn referred_outside(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
    ) -> Result<(), Refusal> {
        let call = self.target_dialog(request);
        self.take_referral(now, server, request, call, |ua, tag| {
            let ours = call.and_then(|call| ua.session_id(call)).map(|session| session.local);
            let ours = ours.unwrap_or_else(|| Uuid::new(&mut *ua.entropy));
            let session = SessionIdentifier::begun_by(request.headers(), ours);
            let dialog = Dialog::uas(request, tag).in_session(session);
            (dialog.id().clone(), Some(dialog))
        })
    }

    fn take_referral(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        call: Option<CallId>,
        place: impl FnOnce(&mut Self, &str) -> (DialogId, Option<Dialog>),
    ) -> Result<(), Refusal> {
        let headers = request.headers();
        // Two Refer-To, or none: 400 (RFC 3515 §2.1).
        let refer_to = headers.typed::<ReferTo<'_>>().ok().flatten().ok_or(Refusal::of(400))?;
        let (target, replaces) = asked_for(refer_to.uri, self.config.aor.domain())?;
        if self.watchers.len() >= limits::WATCHERS || self.is_shutting_down() {
            return Err(Refusal::of(480));
        }
        let referred_by = headers.typed::<ReferredBy<'_>>().ok().flatten();
        let quiet = headers.typed::<ReferSub<'_>>().ok().flatten().is_some_and(|field| !field.subscribe);
        // §2.4.6.
        let id = Some(request.cseq().number.to_smolstr());
        let event = EventName { package: Package::Refer, id };
        let tag: SmolStr = entropy::token(&mut *self.entropy, 80).into();
        let (name, dialog) = place(self, &tag);
        let mut machine = Notifier::of_refer(now, event, name, dialog, TELL);
        machine.notify(Some(told(100, "Trying")));
        let occasion = Occasion {
            replaces: replaces.clone(),
            joins: None,
            // RFC 3892 §2.2: the call says what the REFER said.
            referred_by: headers.first(HeaderName::ReferredBy).map(SmolStr::new),
            session: call.and_then(|call| self.session_id(call)).map(|session| session.local),
            about: None,
            anonymous: false,
        };
        let referral = Referral {
            call,
            target: target.clone(),
            occasion,
            quiet,
            placed: None,
            until: now + TELL,
            heard: None,
        };
        let watcher = Watcher::of_refer(now, machine, referral, request.clone(), server, tag, TELL);
        let id = WatcherId(self.next_event);
        self.next_event += 1;
        self.watchers.insert(id, watcher);
        let referred_by = referred_by.map(|field| Identity::of(&field));
        let (from, referral) = (Identity::of(&request.from()), ReferralId(id));
        let request = request.clone();
        self.event(Event::Referred { call, from, referral, target, replaces, referred_by, request });
        Ok(())
    }

    /// A SUBSCRIBE to what becomes of a REFER, where none made a subscription: 403 (§2.4.4), of who knows the package.
    pub(super) fn is_about_no_refer(&self, request: &Request) -> bool {
        let event = || request.headers().typed::<EventField<'_>>().ok().flatten();
        self.config.referrals
            && *request.method() == Method::Subscribe
            && event().is_some_and(|event| event.kind == Package::Refer.as_str())
    }

    /// 200 to the REFER, for the user has decided or takes too long (§2.4.2). RFC 6665 §8.3.1 has no 202 any more.
    pub(super) fn answer_refer(&mut self, now: Instant, id: WatcherId) {
        let Some(found) = self.watchers.get_mut(&id) else { return };
        let Some(Asked { request, server, tag, .. }) = found.asked.take() else { return };
        let Some(referral) = &found.referral else { return };
        let (call, dialog) = (referral.call, found.machine.id().clone());
        if let Some(dialog) = found.machine.dialog_mut() {
            dialog.confirm();
        }
        // What is not decided is still to be told.
        let quiet = referral.quiet && referral.placed.is_some();
        if let Some(usage) = call.and_then(|call| self.usage_mut(call, &dialog)) {
            usage.dialog.refresh_target(request.headers());
        }
        let Some(hop) = self.layer.server_hop(server) else { return };
        let mut writer = self
            .response(&request, 200, reason_phrase(200), Some(&tag))
            .copy(request.headers(), HeaderName::RecordRoute)
            .header(HeaderName::Contact, self.local.contact(hop, false, ""));
        if quiet {
            writer = writer.header(HeaderName::ReferSub, "false");
        }
        if quiet {
            self.watchers.remove(&id);
        }
        let response = writer.header(HeaderName::Server, &self.config.user_agent).finish();
        self.reply(now, server, 200, response);
    }

    /// Notes what the other side is to be told of a call that was made for it.
    pub(super) fn note_for_referrer(&mut self, event: &Event) {
        let (call, status, reason) = match event {
            Event::Progress { call, status, reason, .. } => (*call, *status, reason.clone()),
            Event::Accepted { call, .. } => (*call, 200, reason_phrase(200).into()),
            Event::Ended { call, end } => {
                let (status, reason) = outcome(end);
                (*call, status, reason)
            }
            _ => return,
        };
        let referrals = self.watchers.values_mut().filter_map(|found| found.referral.as_mut());
        for referral in referrals.filter(|referral| referral.placed == Some(call)) {
            // What ends later than it was accepted is nothing to them.
            if referral.heard.as_ref().is_none_or(|(status, _)| *status < 200) {
                referral.heard = Some((status, reason.clone()));
            }
        }
    }

    /// Hands what was noted to the notifier.
    pub(super) fn tell_referrers(&mut self, now: Instant) {
        for found in self.watchers.values_mut().filter(|found| found.asked.is_none()) {
            let Some((status, reason)) = found.referral.as_ref().and_then(|referral| referral.heard.as_ref())
            else {
                continue;
            };
            let content = told(*status, reason);
            if *status < 200 {
                found.machine.notify(Some(content));
                if let Some(referral) = &mut found.referral {
                    referral.heard = None;
                }
            } else if !matches!(found.machine.state(), crate::events::NotifierState::Terminated { .. }) {
                found.machine.notify(Some(content));
                // §2.4.7.
                found.machine.terminate(now, Reason::NoResource, None);
            }
        }
    }
}

fn told(status: u16, reason: &str) -> Content {
    Document::Refer(SipFrag::of_status(status, reason)).content()
}

/// Whom to call, and in whose place. Of the header fields in the URI only Replaces is taken (RFC 3261 §19.1.5).
fn asked_for(refer_to: &str, domain: &str) -> Result<(SmolStr, Option<Replacement>), Refusal> {
    if let Some(number) = number_in(refer_to, domain) {
        return Ok((number.into(), None));
    }
    let uri = Uri::parse(refer_to).ok_or(Refusal::of(400))?;
    let sip: &SipUri<'_> = uri.sip().ok_or(Refusal::of(416))?;
    if sip.param("method").is_some_and(|method| method != "INVITE") {
        return Err(Refusal::of(603));
    }
    let mut replaces = None;
    for header in sip.headers.unwrap_or_default().split('&') {
        let (name, value) = header.split_once('=').unwrap_or((header, ""));
        if unescape(name).eq_ignore_ascii_case("Replaces") {
            let found = Replacement::parse(&unescape(value));
            let found = found.map_err(|_| Refusal::with_reason(400, "Bad Replaces In Refer-To"))?;
            if replaces.replace(found).is_some() {
                return Err(Refusal::with_reason(400, "Two Replaces In Refer-To"));
            }
        }
    }
    let target = target::from_uri(refer_to).ok_or(Refusal::of(400))?;
    Ok((target, replaces))
}

/// How a call that ended without being accepted is told.
fn outcome(end: &End) -> (u16, SmolStr) {
    let status = match end {
        End::Failed(failure) => match (failure.status, failure.cause) {
            (Some(status), _) => {
                let reason = failure.reason.clone();
                return (status, reason.unwrap_or_else(|| reason_phrase(status).into()));
            }
            (None, Cause::Timeout) => 408,
            (None, Cause::NoAnswer) => 480,
            (None, Cause::NotAcceptable) => 488,
            (None, _) => 503,
        },
        _ => 487,
    };
    (status, reason_phrase(status).into())
}
