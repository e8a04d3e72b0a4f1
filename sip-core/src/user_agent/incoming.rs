//! Calls we take (RFC 3261 §13.3): provisional and final answers, and the wait for the ACK.

use alloc::boxed::Box;

use bytes::Bytes;
use smol_str::{SmolStr, format_smolstr};

use super::bodies::description;
use super::call::{Answered, Call, Direction, Due, Grant, Reliable, Terms, Usage, reliable};
use super::checks::{self, Refusal};
use super::failure::reasons;
use super::local::SDP;
use super::replaces::Replaced;
use super::{
    CallId, CallState, Cause, CommandError, End, Event, Failure, Identity, Reasons, Side, UserAgent,
    body_text, target,
};
use crate::dialog::Dialog;
use crate::entropy;
use crate::limits;
use crate::message::typed::{PAssertedIdentity, QValue, ReferredBy};
use crate::message::{Fields, HeaderName, Request, Response, SessionIdentifier, Uuid, Writer, reason_phrase};
use crate::offer_answer::{Negotiation, Turn};
use crate::time::{Duration, Instant};
use crate::transaction::ServerId;

/// How long we let an incoming call ring that its caller never gives up: what a proxy grants it at least (Timer C,
/// §16.6 step 11).
const RING: Duration = Duration::from_secs(180);

/// A proxy forgets a call it has heard nothing of for three minutes; every minute keeps it (§13.3.1.1).
const REMIND: Duration = Duration::from_secs(60);

/// The callee's side of a call.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) request: Request,
    /// The INVITE's transaction; `None` once that is over.
    pub(super) server: Option<ServerId>,
    pub(super) tag: SmolStr,
    pub(super) phase: Phase,
    pub(super) reliable: Reliable,
    /// The call that it takes the place of.
    pub(super) replaces: Option<Replaced>,
    /// What the application adds to the 2xx, which may have to wait.
    pub(super) fields: Fields,
    /// Its flow was lost before it was answered: until when it is kept. `None` again once the caller was heard.
    pub(super) lost_until: Option<Instant>,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// Not answered.
    Offered {
        /// 180 was sent.
        ringing: bool,
        /// When it is sent again.
        remind_at: Option<Instant>,
        /// When the call is refused by itself, and with which status.
        until: Instant,
        late: u16,
    },
    /// 2xx was sent, and is sent again and again until its ACK comes (§13.3.1.4).
    Answered(Answered),
    /// The ACK came.
    Confirmed,
}

impl Incoming {
    pub(super) const fn awaits_ack(&self) -> bool {
        matches!(self.phase, Phase::Answered(_))
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Offered { remind_at, until, .. } => {
                let reliable = self.reliable.timeout();
                let rings = remind_at.iter().chain(&self.lost_until).copied();
                rings.chain(reliable).chain([*until]).min()
            }
            Phase::Answered(answered) => Some(answered.timeout()),
            Phase::Confirmed => None,
        }
    }
}

impl UserAgent {
    /// Tells the caller that it rings here.
    pub fn ring(&mut self, now: Instant, call: CallId) -> Result<(), CommandError> {
        let incoming = self.offered(call)?;
        let Phase::Offered { ringing, remind_at, .. } = &mut incoming.phase else { return Ok(()) };
        if !*ringing {
            *ringing = true;
            *remind_at = Some(now + REMIND);
            self.present(call);
            self.provisional(now, call, 180, None)?;
            self.settle(now);
        }
        Ok(())
    }

    /// Takes an incoming call, with the answer to its offer, or with an offer if it came without.
    pub fn accept(&mut self, now: Instant, call: CallId, sdp: &str) -> Result<(), CommandError> {
        let sdp = Bytes::copy_from_slice(sdp.as_bytes());
        let replaced = self.offered(call)?.replaces;
        if replaced.is_some_and(|replaced| !self.may_replace(replaced)) {
            // RFC 3891 §7.1: somebody has taken it meanwhile.
            self.refuse_offer(now, call, 486, None, End::rejected(486, None));
            self.settle(now);
            return Err(CommandError::WrongState(CallState::Ended));
        }
        let fields = core::mem::take(&mut self.adding);
        self.present(call);
        let incoming = self.offered(call)?;
        incoming.fields = fields;
        if incoming.reliable.holds_success() {
            // RFC 3262 §3: the 2xx waits for the PRACK to what has a description.
            incoming.reliable.accepting = Some(sdp);
            return Ok(());
        }
        self.accept_now(now, call, &sdp)?;
        self.settle(now);
        Ok(())
    }

    /// Sends the 2xx.
    pub(super) fn accept_now(&mut self, now: Instant, call: CallId, sdp: &Bytes) -> Result<(), CommandError> {
        let (timers, present) = (self.timers, self.flow());
        let params = self.contact_params(call);
        let Some(found) = self.calls.get_mut(&call) else { return Err(CommandError::NoSuchCall) };
        let Direction::Incoming(incoming) = &mut found.direction else {
            return Err(CommandError::NoSuchCall);
        };
        let server = incoming.server.ok_or(CommandError::NoSuchCall)?;
        let Some(usage) = &mut found.usage else { return Err(CommandError::NoSuchCall) };
        let (negotiation, said) = usage.describe_success(sdp.clone()).map_err(CommandError::Description)?;
        // The Contact is written for the flow the INVITE came over, which may be lost just now.
        let hop = self.layer.server_hop(server).or(present).ok_or(CommandError::Offline)?;
        let writer = Writer::response(&incoming.request, 200, reason_phrase(200), Some(&incoming.tag));
        let writer = usage
            .dialog
            .session()
            .write(writer)
            .copy(incoming.request.headers(), HeaderName::RecordRoute)
            .header(HeaderName::Contact, self.local.contact(hop, false, &params))
            .header(HeaderName::Allow, &self.local.allow)
            .header(HeaderName::Supported, &self.local.supported)
            .header(HeaderName::Server, &self.config.user_agent);
        let grant = Grant::of(&self.config, incoming.request.headers()).ok().flatten();
        let writer = match grant {
            Some(grant) => grant.write(writer),
            None => writer,
        };
        let writer = self.config.answer_recv_info(writer, &incoming.request);
        let writer = self.config.write_allow_events(writer).fields(&incoming.fields);
        let ok = match &said {
            Some(sdp) => writer.body(SDP, sdp),
            None => writer.finish(),
        };
        if Response::parse(ok.clone()).is_err() {
            return Err(CommandError::TooLarge);
        }
        usage.negotiation = negotiation;
        usage.timer = grant.map(|grant| grant.start(now));
        usage.dialog.confirm();
        let cseq = incoming.request.cseq().number;
        usage.accepted = Some(cseq);
        incoming.phase = Phase::Answered(Answered::new(now, &timers, server, cseq, ok.clone()));
        let replaced = incoming.replaces;
        self.layer.respond(now, server, 200, ok);
        if let Some(replaced) = replaced {
            self.replace(now, replaced, call);
        }
        Ok(())
    }

    /// Refuses an incoming call, with the usual reason phrase of the status or another one.
    pub fn reject(
        &mut self,
        now: Instant,
        call: CallId,
        status: u16,
        reason: Option<&str>,
    ) -> Result<(), CommandError> {
        if !(300..700).contains(&status) {
            return Err(CommandError::InvalidStatus(status));
        }
        self.offered(call)?;
        self.refuse_offer(now, call, status, reason, End::rejected(status, reason));
        self.settle(now);
        Ok(())
    }

    /// Sends the caller elsewhere (§21.3): 300, 301, 302, 305 or 380, with where it may call instead, each `bob`,
    /// `bob@example.com` or a SIP URI, and how much it is to be preferred (§20.10).
    pub fn redirect(
        &mut self,
        now: Instant,
        call: CallId,
        status: u16,
        targets: &[(&str, Option<QValue>)],
    ) -> Result<(), CommandError> {
        if !(300..400).contains(&status) {
            return Err(CommandError::InvalidStatus(status));
        }
        self.offered(call)?;
        if targets.is_empty() || targets.len() > limits::REDIRECTIONS {
            return Err(CommandError::InvalidTarget);
        }
        let mut fields = self.adding.clone();
        for (target, q) in targets {
            let uri = target::parse(target, self.config.aor.domain()).ok_or(CommandError::InvalidTarget)?;
            let contact = match q {
                Some(q) => format_smolstr!("<{uri}>;q={q}"),
                None => format_smolstr!("<{uri}>"),
            };
            fields.push(HeaderName::Contact, contact);
        }
        self.adding = fields;
        self.refuse_offer(now, call, status, None, End::rejected(status, None));
        self.settle(now);
        Ok(())
    }

    /// Who sends a request by the word of a server that is trusted (RFC 3325 §9.1): of ours, for what comes some other way
    /// may be anybody's.
    fn asserted(&self, server: ServerId, request: &Request) -> Option<Box<Identity>> {
        let hop = self.layer.server_hop(server).filter(|_| self.config.asserted_identity)?;
        self.slot_of(hop.flow)?;
        let value = request.headers().typed_all::<PAssertedIdentity<'_>>().flatten().next()?;
        Some(Box::new(Identity::of(&value)))
    }

    /// An incoming call that was neither answered nor ended.
    pub(super) fn offered(&mut self, call: CallId) -> Result<&mut Incoming, CommandError> {
        let found = self.living(call)?;
        let state = found.state();
        if found.is_ours() {
            return Err(CommandError::WrongDirection);
        }
        let incoming = found.incoming().filter(|_| state != CallState::Established);
        incoming.ok_or(CommandError::WrongState(state))
    }

    /// Answers an unanswered INVITE for good.
    pub(super) fn refuse_offer(
        &mut self,
        now: Instant,
        id: CallId,
        status: u16,
        phrase: Option<&str>,
        end: End,
    ) {
        let session = self.calls.get(&id).map(Call::session).unwrap_or_default();
        self.leave_unpracked(id);
        if let Some(incoming) = self.calls.get_mut(&id).and_then(Call::incoming) {
            let phrase = phrase.filter(|p| !p.is_empty()).unwrap_or(reason_phrase(status));
            let response = Writer::response(&incoming.request, status, phrase, Some(&incoming.tag));
            let response = session.write(response).header(HeaderName::Server, &self.config.user_agent);
            let response = response.fields(&core::mem::take(&mut self.adding)).finish();
            if let Some(server) = incoming.server {
                self.layer.respond(now, server, status, response);
            }
        }
        self.end(id, end);
        self.release(id);
    }

    /// A new INVITE outside a dialog that passed the checks of §8.2.
    pub(super) fn invited(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
    ) -> Result<(), Refusal> {
        let tag: SmolStr = entropy::token(&mut *self.entropy, 80).into();
        let sdp = checks::offer(request, &self.local, self.config.dtls_required)?;
        let reliable = Reliable::new(request, &mut *self.entropy);
        if self.config.reliable_required && !reliable.is_known() {
            // §21.4.16, RFC 3262 §3.
            return Err(Refusal::of(421).with(HeaderName::Require, reliable::TAG));
        }
        Grant::of(&self.config, request.headers())?;
        if self.rings_again(now, server, request) {
            return Ok(());
        }
        let replaces = self.replaced_by(request)?;
        let joins = self.joined_by(request)?;
        // §13.3.1: an invitation that expires gets 487.
        let (patience, late) = match expires(request) {
            Some(expires) if expires < RING => (expires, 487),
            _ => (RING, 480),
        };
        if self.is_full() || self.is_shutting_down() {
            return Err(Refusal::of(486));
        }
        // RFC 7989 §6: who takes another's place keeps its UUID.
        let local =
            replaces.and_then(|replaced| self.calls.get(&replaced.call)).map(|call| call.session().local);
        let local = local.unwrap_or_else(|| Uuid::new(&mut *self.entropy));
        let session = SessionIdentifier::begun_by(request.headers(), local);
        let dialog = Dialog::uas(request, &tag).in_session(session);
        let trying = session.write(Writer::response(request, 100, reason_phrase(100), None)).finish();
        self.layer.respond(now, server, 100, trying);
        let from = Identity::of(&request.from());
        let mut negotiation = Negotiation::new();
        if let Some(offer) = description(request.headers(), request.body()).filter(|_| sdp.is_some()) {
            // The first offer of a negotiation is never at fault.
            let _ = negotiation.offered(offer);
        }
        let mut usage = Usage::new(dialog, negotiation, Terms::of(&self.config));
        usage.learn(request.headers());
        usage.terms.hear(request.headers());
        let id = self.insert_call(Call {
            remote: from.clone(),
            direction: Direction::Incoming(Box::new(Incoming {
                request: request.clone(),
                server: Some(server),
                tag,
                phase: Phase::Offered { ringing: false, remind_at: None, until: now + patience, late },
                reliable,
                replaces,
                fields: Fields::new(),
                lost_until: None,
            })),
            usage: Some(usage),
            way: self.way_over(self.layer.server_hop(server)),
            parting: Fields::new(),
            presentation: None,
            told_session: SessionIdentifier::default(),
            ended: false,
            released: false,
        });
        let referred_by = request.headers().typed::<ReferredBy<'_>>().ok().flatten();
        self.event(Event::Incoming {
            call: id,
            from,
            to: Identity::of(&request.to()),
            sdp,
            replaces: replaces.map(|replaced| replaced.call),
            joins,
            about: self.target_dialog(request),
            referred_by: referred_by.map(|field| Identity::of(&field)),
            asserted: self.asserted(server, request),
            request: request.clone(),
        });
        Ok(())
    }

    /// A CANCEL (§9.2). It has no effect once there is a final answer.
    pub(super) fn cancelled(&mut self, now: Instant, cancel: &Request, invite: ServerId) {
        let found = self.calls.iter().find(|(_, call)| match &call.direction {
            Direction::Incoming(i) => i.server == Some(invite) && matches!(i.phase, Phase::Offered { .. }),
            Direction::Outgoing(_) | Direction::Standing { .. } => false,
        });
        let Some((id, _)) = found else {
            self.reinvite_cancelled(now, invite, reasons(cancel.headers()));
            return;
        };
        // RFC 3326 §2: another device has it.
        let end = match reasons(cancel.headers()) {
            Some(reason) if reason.cause("SIP") == Some(200) => End::AnsweredElsewhere { reason },
            reason => End::Canceled { by: Side::Remote, reason },
        };
        self.refuse_offer(now, id, 487, None, end);
    }

    /// An ACK in a dialog of ours: the call stands.
    pub(super) fn acknowledged(&mut self, now: Instant, id: CallId, ack: &Request) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let ended = call.ended;
        let initial = call
            .incoming()
            .filter(|incoming| incoming.awaits_ack() && ack.cseq().number == incoming.request.cseq().number);
        let Some(incoming) = initial else { return self.reinvite_acknowledged(now, id, ack) };
        incoming.phase = Phase::Confirmed;
        if ended {
            // §15: the BYE had to wait for this.
            return self.say_bye(id);
        }
        let Some(usage) = &mut call.usage else { return };
        let dialog = usage.dialog.id().clone();
        let mut sdp = None;
        let mut answered = Ok(());
        // Only where the INVITE had no offer does its answer come with the ACK. A later offer is an UPDATE's.
        if usage.negotiation.turn() == Turn::LocalOffer && usage.negotiation.local().is_none() {
            sdp = description(ack.headers(), ack.body());
            answered = sdp.clone().map_or(Ok(()), |sdp| usage.negotiation.answered(sdp));
            if sdp.is_none() {
                usage.negotiation.roll_back();
            }
        }
        if answered.is_err() {
            self.end(id, End::Failed(Failure::of(Cause::NotAcceptable)));
            return self.say_bye(id);
        }
        self.event(Event::Confirmed { call: id, sdp: sdp.map(|sdp| body_text(&sdp)) });
        self.next_change(now, id, &dialog);
    }

    /// The caller hangs up before it is answered (§15.1.2: the INVITE gets 487), or before its ACK came.
    pub(super) fn left_by_caller(&mut self, now: Instant, id: CallId, reason: Option<Reasons>) {
        let Some(incoming) = self.calls.get_mut(&id).and_then(Call::incoming) else { return };
        if matches!(incoming.phase, Phase::Offered { .. }) {
            self.refuse_offer(now, id, 487, None, End::Canceled { by: Side::Remote, reason });
        } else {
            incoming.phase = Phase::Confirmed;
        }
    }

    pub(super) fn server_terminated(&mut self, server: ServerId) {
        for call in self.calls.values_mut() {
            if let Some(incoming) = call.incoming().filter(|incoming| incoming.server == Some(server)) {
                incoming.server = None;
            }
            call.settle();
            for usage in call.usages_mut() {
                if let Some(answered) = usage.unacknowledged.as_mut().filter(|a| a.server == Some(server)) {
                    answered.server = None;
                }
            }
        }
    }

    pub(super) fn incoming_timeout(&mut self, now: Instant, id: CallId) {
        let timers = self.timers;
        let Some(incoming) = self.calls.get_mut(&id).and_then(Call::incoming) else { return };
        match &mut incoming.phase {
            Phase::Offered { .. } if incoming.lost_until.is_some_and(|until| until <= now) => {
                self.refuse_offer(now, id, 480, None, End::Failed(Failure::of(Cause::FlowLost)));
            }
            Phase::Offered { until, late, .. } if *until <= now => {
                let status = *late;
                self.refuse_offer(now, id, status, None, End::Failed(Failure::of(Cause::NoAnswer)));
            }
            Phase::Offered { remind_at: Some(at), .. } if *at <= now => {
                *at = now + REMIND;
                // There is room for it in any message.
                let _ = self.provisional(now, id, 180, None);
            }
            Phase::Offered { .. } => self.reliable_timeout(now, id),
            Phase::Answered(answered) => match answered.step(now, &timers) {
                Due::Nothing => {}
                Due::Repeat => {
                    let ok = answered.ok.clone();
                    match incoming.server {
                        Some(server) => self.layer.respond(now, server, 200, ok),
                        None => self.transmit_in(id, ok),
                    }
                }
                // §13.3.1.4: "the dialog is confirmed, but the session SHOULD be terminated", by a BYE.
                Due::GiveUp => {
                    incoming.phase = Phase::Confirmed;
                    self.end(id, End::Failed(Failure::of(Cause::NotAcknowledged)));
                    self.say_bye(id);
                }
            },
            _ => {}
        }
    }
}

/// How long an INVITE may ring by its own account (§20.19).
fn expires(request: &Request) -> Option<Duration> {
    let seconds: u32 = request.headers().first(HeaderName::Expires)?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.into()))
}
