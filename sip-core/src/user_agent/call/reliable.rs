//! Reliable provisional responses (RFC 3262): ours, retransmitted until their PRACK comes, and the PRACK to theirs.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use super::usage::Usage;
use super::{Call, Direction};
use crate::dialog::DialogId;
use crate::entropy;
use crate::limits;
use crate::message::typed::{RAck, RSeq};
use crate::message::{Fields, HeaderName, Method, Request, Response, Writer, reason_phrase};
use crate::offer_answer::{Fault, Turn};
use crate::time::{Duration, Instant};
use crate::transaction::{ServerId, Timers};
use crate::user_agent::bodies::description;
use crate::user_agent::checks::Refusal;
use crate::user_agent::incoming::{Incoming, Phase};
use crate::user_agent::local::SDP;
use crate::user_agent::{CallId, CallState, Cause, CommandError, End, Event, Failure, UserAgent, body_text};

/// The option tag.
pub(crate) const TAG: &str = "100rel";

/// When the caller wants which provisional responses reliably (RFC 3262 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// It does not know how.
    Never,
    /// Supported: those with a description, which would else be lost.
    Descriptions,
    /// Required: all but 100.
    All,
}

/// What a provisional response is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Unreliable,
    /// To be acknowledged.
    Reliable,
    /// One we have, or one after a gap: it says nothing.
    Again,
}

/// The reliable provisional responses to one INVITE.
#[derive(Debug)]
pub(crate) struct Reliable {
    wanted: Wanted,
    /// RSeq of the next.
    next: u32,
    /// The one without PRACK. §3: no second "until the first is acknowledged".
    sent: Option<Sent>,
    /// Those that wait for it.
    waiting: VecDeque<(u16, Option<Bytes>, Fields)>,
    /// It rings, with these fields, which cannot be said before we offer (§5).
    unsaid: Option<Fields>,
    /// The 2xx that waits for it (§3: its description must have arrived), with our user's description.
    pub(crate) accepting: Option<Bytes>,
}

#[derive(Debug)]
struct Sent {
    rseq: u32,
    status: u16,
    response: Bytes,
    described: bool,
    at: Instant,
    interval: Duration,
    until: Instant,
}

impl Reliable {
    /// What an INVITE asks for. RSeq begins anywhere from 1 to 2^31 - 1 (§3).
    pub(crate) fn new(invite: &Request, entropy: &mut dyn entropy::Entropy) -> Self {
        let headers = invite.headers();
        let wanted = if headers.lists(HeaderName::Require, TAG) {
            Wanted::All
        } else if headers.lists(HeaderName::Supported, TAG) {
            Wanted::Descriptions
        } else {
            Wanted::Never
        };
        let first = entropy::number(entropy) % ((1 << 31) - 1);
        let next = u32::try_from(first).unwrap_or_default() + 1;
        Self { wanted, next, sent: None, waiting: VecDeque::new(), unsaid: None, accepting: None }
    }

    /// Whether the caller knows 100rel.
    pub(crate) fn is_known(&self) -> bool {
        self.wanted != Wanted::Never
    }

    /// Whether no response is without its PRACK.
    pub(crate) fn is_idle(&self) -> bool {
        self.sent.is_none() && self.waiting.is_empty() && self.accepting.is_none()
    }

    /// Whether a 2xx has to wait for a PRACK.
    pub(crate) fn holds_success(&self) -> bool {
        self.sent.as_ref().is_some_and(|sent| sent.described)
            || self.waiting.iter().any(|(_, sdp, _)| sdp.is_some())
    }

    pub(crate) fn timeout(&self) -> Option<Instant> {
        self.sent.as_ref().map(|sent| sent.at.min(sent.until))
    }

    fn applies(&self, sdp: Option<&Bytes>) -> bool {
        match self.wanted {
            Wanted::Never => false,
            Wanted::Descriptions => sdp.is_some(),
            Wanted::All => true,
        }
    }

    /// The response that a PRACK names, acknowledged; whether it had a description.
    fn acknowledge(&mut self, rack: &RAck, invite: u32) -> Option<bool> {
        let sent = self
            .sent
            .take_if(|sent| rack.method == Method::Invite && rack.cseq == invite && rack.rseq == sent.rseq)?;
        Some(sent.described)
    }

    fn matches(&self, rack: &RAck, invite: u32) -> bool {
        let named =
            |sent: &Sent| rack.method == Method::Invite && rack.cseq == invite && rack.rseq == sent.rseq;
        self.sent.as_ref().is_some_and(named)
    }
}

/// A reliable provisional response whose PRACK may still come, though its INVITE was refused.
#[derive(Debug)]
pub(crate) struct Unpracked {
    /// The INVITE's transaction: with that it is forgotten.
    server: ServerId,
    dialog: DialogId,
    rseq: u32,
    invite: u32,
}

impl Sent {
    /// §3: from T1, doubled each time, for 64·T1.
    fn new(now: Instant, timers: &Timers, rseq: u32, status: u16, response: Bytes, described: bool) -> Self {
        let (at, until) = (now + timers.t1, now + timers.t1 * 64);
        Self { rseq, status, response, described, at, interval: timers.t1, until }
    }
}

impl UserAgent {
    /// Tells the caller what it can hear or send before we accept: 183 with an answer to its offer. If the INVITE had
    /// no offer this is ours, which needs a caller that knows 100rel; one that requires it hears only then that it rings, by a
    /// 180 in place of the 183. [`Self::accept`] then repeats or leaves out the description, whatever it is given.
    pub fn progress(&mut self, now: Instant, call: CallId, sdp: &str) -> Result<(), CommandError> {
        let sdp = Bytes::copy_from_slice(sdp.as_bytes());
        let incoming = self.offered(call)?;
        let known = incoming.reliable.is_known();
        let Some(usage) = self.calls.get_mut(&call).and_then(|call| call.usage.as_mut()) else {
            return Err(CommandError::NoSuchCall);
        };
        let mut negotiation = usage.negotiation.clone();
        let described = match negotiation.turn() {
            // Later offers are an UPDATE's or a PRACK's.
            Turn::RemoteOffer if negotiation.local().is_none() => negotiation.answer(sdp.clone()),
            // §13.2.1: an offer "MUST be in the first reliable non-failure message".
            Turn::Stable if negotiation.local().is_none() && known => negotiation.offer(sdp.clone()),
            turn => Err(Fault::Turn(turn)),
        };
        described.map_err(CommandError::Description)?;
        self.present(call);
        let unsaid = self.offered(call)?.reliable.unsaid.clone();
        let status = if unsaid.is_some() { 180 } else { 183 };
        self.adding.join(unsaid.unwrap_or_default());
        self.provisional(now, call, status, Some(sdp))?;
        self.offered(call)?.reliable.unsaid = None;
        if let Some(usage) = self.calls.get_mut(&call).and_then(|call| call.usage.as_mut()) {
            usage.negotiation = negotiation;
        }
        self.settle(now);
        Ok(())
    }

    /// Sends a provisional response, reliably if the caller wants that, or keeps it until the one before it is
    /// acknowledged.
    pub(crate) fn provisional(
        &mut self,
        now: Instant,
        id: CallId,
        status: u16,
        sdp: Option<Bytes>,
    ) -> Result<(), CommandError> {
        let timers = self.timers;
        let params = self.contact_params(id);
        let session = self.calls.get(&id).map(Call::session).unwrap_or_default();
        let usage = self.calls.get(&id).and_then(|call| call.usage.as_ref());
        let unoffered = usage.is_some_and(|usage| {
            usage.negotiation.local().is_none() && usage.negotiation.turn() == Turn::Stable
        });
        let Some(incoming) = self.calls.get_mut(&id).and_then(Call::incoming) else { return Ok(()) };
        let fields = core::mem::take(&mut self.adding);
        let Some(server) = incoming.server else { return Ok(()) };
        let Some(hop) = self.layer.server_hop(server) else { return Ok(()) };
        let rseq = incoming.reliable.applies(sdp.as_ref()).then_some(incoming.reliable.next);
        if rseq.is_some() && sdp.is_none() && unoffered {
            // §5: the first of an INVITE without an offer has ours.
            incoming.reliable.unsaid.get_or_insert(fields);
            return Ok(());
        }
        if rseq.is_some() && incoming.reliable.sent.is_some() {
            // A reminder is no news to a caller that has not acknowledged the one before.
            if incoming.reliable.waiting.len() < limits::PROVISIONALS {
                incoming.reliable.waiting.push_back((status, sdp, fields));
            }
            return Ok(());
        }
        let writer = Writer::response(&incoming.request, status, reason_phrase(status), Some(&incoming.tag));
        let mut writer = session
            .write(writer)
            .copy(incoming.request.headers(), HeaderName::RecordRoute)
            .header(HeaderName::Contact, self.local.contact(hop, false, &params))
            .header(HeaderName::Allow, &self.local.allow)
            .header(HeaderName::Server, &self.config.user_agent);
        writer = writer.fields(&fields);
        if let Some(rseq) = rseq {
            writer = self.config.answer_recv_info(writer, &incoming.request);
            writer = writer.header(HeaderName::Require, TAG).header(HeaderName::RSeq, rseq);
        }
        let response = match &sdp {
            Some(sdp) => writer.body(SDP, sdp),
            None => writer.finish(),
        };
        if Response::parse(response.clone()).is_err() {
            return Err(CommandError::TooLarge);
        }
        if let Some(rseq) = rseq {
            let described = sdp.is_some();
            incoming.reliable.next = rseq.wrapping_add(1).max(1);
            incoming.reliable.sent = Some(Sent::new(now, &timers, rseq, status, response.clone(), described));
        }
        self.layer.respond(now, server, status, response);
        Ok(())
    }

    /// A PRACK (§3).
    pub(crate) fn pracked(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        id: CallId,
        dialog: &DialogId,
    ) -> Result<(), Refusal> {
        let offered = self.check_change(request, id, dialog)?;
        let Ok(Some(rack)) = request.headers().typed::<RAck>() else {
            return Err(Refusal::with_reason(400, "Missing RAck"));
        };
        let Some(incoming) = self.calls.get_mut(&id).and_then(Call::incoming) else {
            return Err(Refusal::of(481));
        };
        let invite = incoming.request.cseq().number;
        if !incoming.reliable.matches(&rack, invite) {
            return Err(Refusal::of(481));
        }
        let sdp = description(request.headers(), request.body()).filter(|_| offered);
        let turn = self.usage_mut(id, dialog).map_or(Turn::Stable, |usage| usage.negotiation.turn());
        let mut answer = None;
        let described = incoming_of(self.calls.get_mut(&id))
            .and_then(|incoming| incoming.reliable.sent.as_ref())
            .is_some_and(|sent| sent.described);
        if described && turn == Turn::LocalOffer {
            // §5: the offer in our response is answered in its PRACK.
            let Some(sdp) = &sdp else { return Err(Refusal::with_reason(400, "Missing Answer")) };
            let Some(usage) = self.usage_mut(id, dialog) else { return Err(Refusal::of(481)) };
            usage.negotiation.answered(sdp.clone()).map_err(|fault| Refusal::of_fault(&fault))?;
            answer = Some(body_text(sdp));
        }
        if let Some(incoming) = incoming_of(self.calls.get_mut(&id)) {
            incoming.reliable.acknowledge(&rack, invite);
        }
        if let Some(usage) = self.usage_mut(id, dialog) {
            usage.settled |= described;
        }
        let outcome = match (answer, sdp) {
            (None, Some(_)) => self.asked_by_prack(now, server, request, id, dialog),
            (answer, _) => {
                self.respond(now, server, request, 200, &[]);
                if let Some(sdp) = answer {
                    self.event(Event::OfferAnswered { call: id, sdp });
                }
                Ok(())
            }
        };
        self.go_on_after_prack(now, id);
        outcome
    }

    /// Its INVITE is refused: §3, the user agent "MUST be prepared to process PRACK requests for those outstanding
    /// responses".
    pub(crate) fn leave_unpracked(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let dialog = call.usage.as_ref().map(|usage| usage.dialog.id().clone());
        let Some(incoming) = call.incoming() else { return };
        let invite = incoming.request.cseq().number;
        if let (Some(server), Some(dialog), Some(sent)) =
            (incoming.server, dialog, incoming.reliable.sent.take())
        {
            self.unpracked.push(Unpracked { server, dialog, rseq: sent.rseq, invite });
        }
    }

    /// A PRACK of a call that is over: 200 to one that crossed the refusal.
    pub(crate) fn pracked_late(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        dialog: &DialogId,
    ) -> Result<(), Refusal> {
        let rack = request.headers().typed::<RAck>().ok().flatten().ok_or(Refusal::of(481))?;
        let named = |left: &Unpracked| {
            left.dialog == *dialog
                && rack.method == Method::Invite
                && (rack.rseq, rack.cseq) == (left.rseq, left.invite)
        };
        let at = self.unpracked.iter().position(named).ok_or(Refusal::of(481))?;
        self.unpracked.remove(at);
        self.respond(now, server, request, 200, &[]);
        Ok(())
    }

    pub(crate) fn unpracked_terminated(&mut self, invite: ServerId) {
        self.unpracked.retain(|left| left.server != invite);
        if self.unpracked.is_empty() {
            self.unpracked = Vec::new();
        }
    }

    /// §5: a PRACK may bring the next offer.
    fn asked_by_prack(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        id: CallId,
        dialog: &DialogId,
    ) -> Result<(), Refusal> {
        let Some(usage) = self.usage_mut(id, dialog) else { return Err(Refusal::of(481)) };
        if usage.asked.is_some() || usage.negotiation.turn() != Turn::Stable {
            return Err(Refusal::of(488));
        }
        self.asked(now, server, request, id, dialog, true)
    }

    /// What waited for a PRACK.
    fn go_on_after_prack(&mut self, now: Instant, id: CallId) {
        let Some(incoming) = incoming_of(self.calls.get_mut(&id)) else { return };
        if !matches!(incoming.phase, Phase::Offered { .. }) {
            return;
        }
        if let Some((status, sdp, fields)) = incoming.reliable.waiting.pop_front() {
            self.adding = fields;
            // It was read before when it was made.
            let _ = self.provisional(now, id, status, sdp);
        } else if let Some(sdp) = incoming.reliable.accepting.take()
            && self.accept_now(now, id, &sdp).is_err()
        {
            self.refuse_offer(now, id, 500, None, End::Failed(Failure::of(Cause::NotAcceptable)));
        }
    }

    /// Retransmission, and its end: 5xx (§3).
    pub(crate) fn reliable_timeout(&mut self, now: Instant, id: CallId) {
        let Some(incoming) = incoming_of(self.calls.get_mut(&id)) else { return };
        let Some(server) = incoming.server else { return };
        let Some(sent) = &mut incoming.reliable.sent else { return };
        if sent.until <= now {
            incoming.reliable.sent = None;
            self.refuse_offer(now, id, 504, None, End::Failed(Failure::of(Cause::Timeout)));
        } else if sent.at <= now {
            sent.interval *= 2;
            sent.at = now + sent.interval;
            let (status, response) = (sent.status, sent.response.clone());
            self.layer.respond(now, server, status, response);
        }
    }

    /// Notes the RSeq of a provisional response (§4).
    pub(crate) fn take_reliable(&mut self, id: CallId, dialog: &DialogId, response: &Response) -> Taken {
        if !response.headers().lists(HeaderName::Require, TAG) {
            return Taken::Unreliable;
        }
        let Ok(Some(RSeq(rseq))) = response.headers().typed::<RSeq>() else { return Taken::Unreliable };
        let Some(usage) = self.usage_mut(id, dialog) else { return Taken::Again };
        if usage.rseq.is_some_and(|last| last.checked_add(1) != Some(rseq)) {
            return Taken::Again;
        }
        usage.rseq = Some(rseq);
        Taken::Reliable
    }
}

/// The callee's side of a call.
fn incoming_of(call: Option<&mut Call>) -> Option<&mut Incoming> {
    call.and_then(Call::incoming)
}

impl Call {
    /// An INVITE of theirs has no final answer.
    pub(crate) fn is_unanswered(&self) -> bool {
        match &self.direction {
            Direction::Incoming(incoming) => matches!(incoming.phase, Phase::Offered { .. }),
            Direction::Outgoing(_) | Direction::Standing { .. } => false,
        }
    }

    /// The early dialog whose session we may change: what was agreed upon in it is known to have arrived (RFC 3311
    /// §5.1). The newest.
    pub(crate) fn changeable_early(&mut self) -> Option<&mut Usage> {
        if self.state() == CallState::Established {
            return None;
        }
        self.usages_mut().find(|usage| usage.settled && usage.updates)
    }
}
