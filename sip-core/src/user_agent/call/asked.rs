//! Changes of a session that the other side asks for: re-INVITE (RFC 3261 §14.2), UPDATE (RFC 3311 §5.2), and offers
//! in answers to ours.

use bytes::Bytes;

use super::answered::{Answered, Due};
use super::session_timer::Grant;
use super::usage::Usage;
use super::{Call, Direction};
use crate::dialog::{DialogId, Stage};
use crate::entropy;
use crate::message::{HeaderName, Method, Request, Response, reason_phrase};
use crate::offer_answer::{self, Fault, Offered, Turn};
use crate::time::{Duration, Instant};
use crate::transaction::ServerId;
use crate::user_agent::bodies::{self, description};
use crate::user_agent::checks::{self, Refusal};
use crate::user_agent::local::SDP;
use crate::user_agent::{
    CallId, CallState, Cause, CommandError, End, Event, Failure, Reasons, Side, UserAgent, Withdrawal,
    body_text,
};

/// How long our user may think about a re-INVITE. Long enough for a person; proxies grant three minutes (Timer C).
const PERSON: Duration = Duration::from_secs(60);

/// How long our user may think about an UPDATE, whose client gives up after 32 s (Timer F).
const PROMPT: Duration = Duration::from_secs(10);

/// How long a 2xx with an offer may wait for its ACK, which carries the answer.
pub(crate) const ACK: Duration = Duration::from_secs(20);

/// What a refusal says of which nobody says more (§20.43: 399 is for texts).
const NOT_WANTED: &str = "399 user-agent.invalid \"Change of the session refused\"";

/// A request, or an answer with an offer, that our user has to answer.
#[derive(Debug)]
pub(crate) enum Asked {
    /// INVITE, UPDATE or PRACK.
    Request { server: ServerId, request: Request, until: Instant },
    /// A 2xx to this INVITE of ours, which had no offer.
    Success { invite: Request, until: Instant },
    /// A reliable provisional response to our INVITE with this CSeq, which had no offer.
    Provisional { invite: u32, until: Instant },
}

impl Asked {
    pub(crate) const fn until(&self) -> Instant {
        match self {
            Self::Request { until, .. } | Self::Success { until, .. } | Self::Provisional { until, .. } => {
                *until
            }
        }
    }

    /// It is a 2xx, which wants its ACK even where the call has ended.
    pub(crate) const fn wants_ack(&self) -> bool {
        matches!(self, Self::Success { .. })
    }

    pub(crate) const fn server(&self) -> Option<ServerId> {
        match self {
            Self::Request { server, .. } => Some(*server),
            Self::Success { .. } | Self::Provisional { .. } => None,
        }
    }
}

impl Refusal {
    /// §14.2: "a randomly chosen value of between 0 and 10 seconds".
    fn later(entropy: &mut dyn entropy::Entropy) -> Self {
        let wait = entropy::number(entropy) % 11;
        Self::of(500).with(HeaderName::RetryAfter, alloc::format!("{wait}"))
    }

    /// An offer that cannot be taken (RFC 3261 §14.2, §21.4.26).
    pub(crate) fn of_fault(fault: &Fault) -> Self {
        let text = alloc::format!("305 user-agent.invalid \"{fault}\"");
        Self::of(488).with(HeaderName::Warning, text)
    }
}

impl Usage {
    /// Whose turn it is, told as the answer to one more offer.
    fn may_be_offered(&self, entropy: &mut dyn entropy::Entropy) -> Result<(), Refusal> {
        match self.negotiation.turn() {
            Turn::Stable => Ok(()),
            Turn::LocalOffer => Err(Refusal::of(491)),
            Turn::RemoteOffer => Err(Refusal::later(entropy)),
        }
    }
}

impl UserAgent {
    /// Answers an offer ([`Event::Offered`]), or offers where the other side wants an offer.
    pub fn answer(&mut self, now: Instant, call: CallId, sdp: &str) -> Result<(), CommandError> {
        let sdp = Bytes::copy_from_slice(sdp.as_bytes());
        let dialog = self.asking(call)?;
        let Some(usage) = self.usage_mut(call, &dialog) else { return Err(CommandError::NoSuchCall) };
        let sdp = match usage.negotiation.turn() {
            Turn::RemoteOffer => usage.shaped_answer(sdp),
            _ => usage.shaped_offer(sdp),
        };
        let sdp = sdp.map_err(CommandError::Description)?;
        let Some(asked) = usage.asked.take() else { return Err(CommandError::NoSuchCall) };
        let mut negotiation = usage.negotiation.clone();
        let agreed = match negotiation.turn() {
            Turn::RemoteOffer => negotiation.answer(sdp.clone()),
            _ => negotiation.offer(sdp.clone()),
        };
        let done = agreed.map_err(CommandError::Description).and_then(|()| match &asked {
            Asked::Request { server, request, .. } => {
                self.accept_request(now, call, &dialog, *server, request, Some(&sdp))
            }
            Asked::Success { invite, .. } => {
                self.flow().ok_or(CommandError::Offline)?;
                let fields = core::mem::take(&mut self.adding);
                self.acknowledge_with(call, &dialog, invite, Some(&sdp), &fields);
                Ok(())
            }
            Asked::Provisional { invite, .. } => {
                self.flow().ok_or(CommandError::Offline)?;
                self.send_prack(now, call, &dialog, *invite, Some(&sdp));
                Ok(())
            }
        });
        if let Some(usage) = self.usage_mut(call, &dialog) {
            match done {
                Ok(()) => usage.negotiation = negotiation,
                Err(_) => usage.asked = Some(asked),
            }
        }
        done?;
        self.next_change(now, call, &dialog);
        self.settle(now);
        Ok(())
    }

    /// Refuses an offer ([`Event::Offered`]): 488, and the session stays as it was. An offer that came as the answer to
    /// our own question cannot be refused so; then the call is hung up (§14.2).
    pub fn refuse(&mut self, now: Instant, call: CallId) -> Result<(), CommandError> {
        let dialog = self.asking(call)?;
        self.refuse_offered(now, call, &dialog, 488);
        self.settle(now);
        Ok(())
    }

    /// The dialog in which our user is asked.
    fn asking(&mut self, call: CallId) -> Result<DialogId, CommandError> {
        let call = self.living(call)?;
        let asking = call.usages_mut().find(|usage| usage.asked.is_some());
        asking
            .map(|usage| usage.dialog.id().clone())
            .ok_or(CommandError::Description(Fault::Turn(Turn::Stable)))
    }

    pub(super) fn refuse_offered(&mut self, now: Instant, id: CallId, dialog: &DialogId, status: u16) {
        let Some(usage) = self.usage_mut(id, dialog) else { return };
        let Some(asked) = usage.asked.take() else { return };
        let offer = usage.negotiation.pending().cloned();
        usage.negotiation.roll_back();
        if let Asked::Success { invite, .. } = &asked {
            // §14.2: "generate an answer with a valid session description, and then send a BYE".
            let answer = offer.and_then(|offer| offer_answer::refusal(&offer).ok());
            self.acknowledge(id, dialog, invite, answer.as_ref());
            self.end(id, End::Hangup { by: Side::Local, reason: None });
            self.say_bye(id);
            return;
        }
        if let Asked::Provisional { invite, .. } = &asked {
            // RFC 3262 §5: "it MUST generate an answer in the PRACK".
            if let Some(answer) = offer.clone().and_then(|offer| offer_answer::refusal(&offer).ok()) {
                if let (Some(usage), Some(offer)) = (self.usage_mut(id, dialog), offer) {
                    // A refusal answers every offer that can be read.
                    let _ = usage
                        .negotiation
                        .offered(offer)
                        .and_then(|_| usage.negotiation.answer(answer.clone()));
                }
                self.send_prack(now, id, dialog, *invite, Some(&answer));
            }
            return;
        }
        self.refuse_asked(now, asked, status);
        self.next_change(now, id, dialog);
    }

    pub(crate) fn refuse_asked(&mut self, now: Instant, asked: Asked, status: u16) {
        if let Asked::Request { server, request, .. } = asked {
            let mut refusal = Refusal::of(status);
            // §14.2, RFC 3311 §5.2: a 488 "SHOULD include a Warning header field". The application may know better.
            if status == 488 && !self.adding.has(HeaderName::Warning) {
                refusal = refusal.with(HeaderName::Warning, NOT_WANTED);
            }
            self.refuse_request(now, server, &request, &refusal);
        }
    }

    /// What a re-INVITE, UPDATE or PRACK must be before anything is decided about it: valid, in a dialog of the call, for a
    /// session interval that is long enough, and if it has a description, one that can be taken. Whether it has.
    pub(crate) fn check_change(
        &mut self,
        request: &Request,
        id: CallId,
        dialog: &DialogId,
    ) -> Result<bool, Refusal> {
        checks::validate(request, &self.local)?;
        let sdp = checks::offer(request, &self.local, self.config.dtls_required)?;
        if *request.method() != Method::Prack {
            if let Some(usage) = self.usage_mut(id, dialog) {
                usage.terms.hear(request.headers());
            }
            Grant::of(&self.config, request.headers())?;
        }
        self.usage_mut(id, dialog).map(|_| sdp.is_some()).ok_or(Refusal::of(481))
    }

    /// A re-INVITE.
    pub(crate) fn reinvited(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        id: CallId,
        dialog: &DialogId,
    ) -> Result<(), Refusal> {
        let offers = self.check_change(request, id, dialog)?;
        let Some(call) = self.calls.get_mut(&id) else { return Err(Refusal::of(481)) };
        if call.state() != CallState::Established || call.is_unanswered() {
            return Err(match call.direction {
                // §14.2: ours is in progress, or theirs is not answered.
                Direction::Outgoing(_) | Direction::Standing { .. } => Refusal::of(491),
                Direction::Incoming(_) => Refusal::later(&mut *self.entropy),
            });
        }
        let Some(usage) = call.usages_mut().find(|usage| usage.is(dialog)) else {
            return Err(Refusal::of(481));
        };
        if usage.change.as_ref().is_some_and(|change| change.is_invite_under_way()) {
            return Err(Refusal::of(491));
        }
        if usage.asked.is_some() {
            return Err(Refusal::later(&mut *self.entropy));
        }
        usage.may_be_offered(&mut *self.entropy)?;
        let trying = self.response(request, 100, reason_phrase(100), None).finish();
        self.layer.respond(now, server, 100, trying);
        self.asked(now, server, request, id, dialog, offers)
    }

    /// An UPDATE.
    pub(crate) fn updated(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        id: CallId,
        dialog: &DialogId,
    ) -> Result<(), Refusal> {
        let offers = self.check_change(request, id, dialog)?;
        let Some(usage) = self.calls.get_mut(&id).and_then(|call| call.usages_mut().find(|u| u.is(dialog)))
        else {
            return Err(Refusal::of(481));
        };
        // RFC 3311 §5.2: one at a time.
        if matches!(&usage.asked, Some(Asked::Request { request, .. }) if *request.method() == Method::Update)
        {
            return Err(Refusal::later(&mut *self.entropy));
        }
        if !offers {
            let taken = self.accept_request(now, id, dialog, server, request, None);
            return taken.map_err(|_| Refusal::of(500));
        }
        usage.may_be_offered(&mut *self.entropy)?;
        // Our user answers one question at a time, whichever fork it is of.
        let asks = |call: &Call| call.usages().any(|usage| usage.asked.is_some());
        if self.calls.get(&id).is_some_and(asks) {
            return Err(Refusal::later(&mut *self.entropy));
        }
        self.asked(now, server, request, id, dialog, true)
    }

    /// Passes an offer, or the wish for one, on to our user; what asks for nothing new is answered at once.
    pub(crate) fn asked(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        id: CallId,
        dialog: &DialogId,
        offers: bool,
    ) -> Result<(), Refusal> {
        let Some(usage) = self.usage_mut(id, dialog) else { return Err(Refusal::of(481)) };
        let mut sdp = None;
        if offers {
            let Some(offer) = description(request.headers(), request.body()) else {
                return Err(Refusal::of(415));
            };
            sdp = Some(body_text(&offer));
            match usage.negotiation.offered(offer) {
                Ok(Offered::Unchanged) if !usage.offers_roles() => {
                    let local = usage.negotiation.local().cloned();
                    let mut negotiation = usage.negotiation.clone();
                    if let Some(local) = local
                        && negotiation.answer(local.clone()).is_ok()
                    {
                        usage.negotiation = negotiation;
                        let taken = self.accept_request(now, id, dialog, server, request, Some(&local));
                        return taken.map_err(|_| Refusal::of(500));
                    }
                }
                Ok(_) => {}
                Err(fault) => return Err(Refusal::of_fault(&fault)),
            }
        }
        let wait = if *request.method() == Method::Invite { PERSON } else { PROMPT };
        if let Some(usage) = self.usage_mut(id, dialog) {
            usage.asked = Some(Asked::Request { server, request: request.clone(), until: now + wait });
        }
        self.event(Event::Offered { call: id, sdp });
        Ok(())
    }

    /// 200 to a re-INVITE, UPDATE or PRACK. On error nothing was sent.
    pub(crate) fn accept_request(
        &mut self,
        now: Instant,
        id: CallId,
        dialog: &DialogId,
        server: ServerId,
        request: &Request,
        sdp: Option<&Bytes>,
    ) -> Result<(), CommandError> {
        let timers = self.timers;
        let hop = self.layer.server_hop(server).or(self.flow()).ok_or(CommandError::Offline)?;
        let anonymous = self.usage_mut(id, dialog).is_some_and(|usage| usage.dialog.is_anonymous());
        let contact = self.local.contact(hop, anonymous, &self.contact_params(id));
        let mut writer = self.response(request, 200, reason_phrase(200), None);
        // RFC 3262 table 1: a PRACK refreshes no target.
        if *request.method() != Method::Prack {
            writer = writer.header(HeaderName::Contact, contact);
        }
        let writer = writer
            .header(HeaderName::Allow, &self.local.allow)
            .header(HeaderName::Supported, &self.local.supported)
            .header(HeaderName::Server, &self.config.user_agent);
        // Both INVITE and UPDATE refresh the session (RFC 4028 §9).
        let refreshes = matches!(request.method(), Method::Invite | Method::Update);
        let grant = Grant::of(&self.config, request.headers()).ok().flatten().filter(|_| refreshes);
        let writer = match grant {
            Some(grant) => grant.write(writer),
            None => writer,
        };
        let fields = core::mem::take(&mut self.adding);
        let writer = self.config.answer_recv_info(writer, request).fields(&fields);
        let ok = match sdp {
            Some(sdp) => writer.body(SDP, sdp),
            None => writer.finish(),
        };
        if Response::parse(ok.clone()).is_err() {
            return Err(CommandError::TooLarge);
        }
        // A body that is no description of a session offers nothing: then the offer is ours.
        let ours = sdp.is_some() && matches!(bodies::content(request, &self.local), Ok(None));
        if let Some(usage) = self.usage_mut(id, dialog) {
            usage.learn(request.headers());
            if refreshes && usage.is_confirmed() {
                usage.timer = grant.map(|grant| grant.start(now));
            }
            match request.method() {
                Method::Invite => {
                    let cseq = request.cseq().number;
                    let mut answered = Answered::new(now, &timers, server, cseq, ok.clone());
                    answered.offers = ours;
                    usage.unacknowledged = Some(answered);
                    usage.accepted = Some(cseq);
                    // §12.2.2: a target refresh request.
                    usage.dialog.refresh_target(request.headers());
                }
                Method::Update => usage.dialog.refresh_target(request.headers()),
                _ => {}
            }
        }
        self.reply(now, server, 200, ok);
        Ok(())
    }

    /// The ACK to our 2xx to a re-INVITE.
    pub(crate) fn reinvite_acknowledged(&mut self, now: Instant, id: CallId, ack: &Request) {
        let Some(name) = DialogId::of_request(ack) else { return };
        let Some(usage) = self.usage_mut(id, &name) else { return };
        let cseq = ack.cseq().number;
        let Some(answered) = usage.unacknowledged.take_if(|answered| answered.cseq == cseq) else { return };
        if answered.offers && usage.negotiation.turn() == Turn::LocalOffer {
            let sdp = description(ack.headers(), ack.body());
            if let Some(sdp) = sdp.filter(|sdp| usage.negotiation.answered(sdp.clone()).is_ok()) {
                self.event(Event::OfferAnswered { call: id, sdp: body_text(&sdp) });
            } else {
                usage.negotiation.roll_back();
                let failure = Failure::of(Cause::NotAcceptable);
                self.event(Event::OfferRefused { call: id, failure });
            }
        }
        self.next_change(now, id, &name);
    }

    /// A CANCEL of a re-INVITE (§9.2).
    pub(crate) fn reinvite_cancelled(&mut self, now: Instant, invite: ServerId, reason: Option<Reasons>) {
        let asking = self.calls.iter_mut().find_map(|(id, call)| {
            let usage = call.usages_mut().find(|usage| usage.was_asked_by(invite))?;
            Some((id, usage.dialog.id().clone()))
        });
        let Some((id, dialog)) = asking else { return };
        self.withdrawn(now, id, &dialog, 487, Withdrawal::Canceled { reason });
    }

    pub(super) fn withdrawn(
        &mut self,
        now: Instant,
        id: CallId,
        dialog: &DialogId,
        status: u16,
        why: Withdrawal,
    ) {
        self.event(Event::OfferWithdrawn { call: id, why });
        self.refuse_offered(now, id, dialog, status);
    }

    /// What is due in a dialog by itself.
    pub(crate) fn usage_timeout(&mut self, now: Instant, id: CallId) {
        let timers = self.timers;
        let Some(call) = self.calls.get_mut(&id) else { return };
        let ended = call.ended;
        let dialogs: alloc::vec::Vec<DialogId> =
            call.usages_mut().map(|usage| usage.dialog.id().clone()).collect();
        for dialog in dialogs {
            self.change_timeout(now, id, &dialog);
            self.session_timeout(now, id, &dialog);
            if self.usage_mut(id, &dialog).is_some_and(|usage| usage.prack_is_due(now)) {
                self.let_prack_go(now, id, &dialog);
            }
            let Some(usage) = self.usage_mut(id, &dialog) else { continue };
            if ended {
                // Its ACK could not be sent in time; the other side has given up as well.
                usage.asked.take_if(|asked| asked.until() <= now);
                continue;
            }
            if let Some(asked) = usage.asked.as_ref().filter(|asked| asked.until() <= now) {
                // RFC 3311 §5.2: 504 where a person would have to be asked.
                let prompt =
                    matches!(asked, Asked::Request { request, .. } if *request.method() != Method::Invite);
                let status = if prompt { 504 } else { 488 };
                self.withdrawn(now, id, &dialog, status, Withdrawal::TimedOut { status });
                continue;
            }
            let Some(answered) = &mut usage.unacknowledged else { continue };
            match answered.step(now, &timers) {
                Due::Nothing => {}
                Due::Repeat => {
                    let ok = answered.ok.clone();
                    match answered.server {
                        Some(server) => self.reply(now, server, 200, ok),
                        None => self.transmit_in(id, ok),
                    }
                }
                // §14.2: "If a UAS generates a 2xx response and never receives an ACK, it SHOULD generate a BYE".
                Due::GiveUp => {
                    usage.unacknowledged = None;
                    self.end(id, End::Failed(Failure::of(Cause::NotAcknowledged)));
                    self.say_bye(id);
                }
            }
        }
    }
}

impl Usage {
    /// Our description in force leaves open who connects, so it answers nothing (RFC 8842 §5.3).
    fn offers_roles(&self) -> bool {
        let local = self.negotiation.local().map_or(&[][..], |sdp| sdp);
        local.windows(15).any(|text| text == b"a=setup:actpass")
    }

    /// Whether it is confirmed.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.dialog.stage() == Stage::Confirmed
    }
}

impl Call {
    /// Every dialog of the call: the one of the 2xx, then the early ones, newest first.
    pub(crate) fn usages_mut(&mut self) -> impl Iterator<Item = &mut Usage> {
        let early = match &mut self.direction {
            Direction::Outgoing(out) => out.early.as_mut_slice(),
            Direction::Incoming(_) | Direction::Standing { .. } => &mut [],
        };
        self.usage.iter_mut().chain(early.iter_mut().rev())
    }
}
