//! The PRACK we send (RFC 3262 §4), with an answer, or with an offer of our user's (§5).

use bytes::Bytes;

use super::{Call, Wish};
use crate::body::Content;
use crate::dialog::DialogId;
use crate::message::{HeaderName, Method};
use crate::time::{Duration, Instant};
use crate::user_agent::bodies::description;
use crate::user_agent::local::SDP;
use crate::user_agent::requests::{Errand, Outcome, Place, Whose};
use crate::user_agent::{CallId, Cause, CommandError, Event, Failure, UserAgent, body_text};

/// The longest hold that leaves whoever sent the response (64·T1) unfired.
const LONGEST_HOLD: Duration = Duration::from_secs(10);

/// A PRACK that waits.
#[derive(Clone, Debug)]
pub(crate) struct HeldPrack {
    rack: RackOf,
    pub(crate) until: Instant,
}

/// What a PRACK acknowledges: RSeq, and CSeq of the INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RackOf {
    rseq: u32,
    invite: u32,
}

impl UserAgent {
    /// Acknowledges the last reliable provisional response of a dialog, with an answer if it had an offer (§4, §5).
    pub(crate) fn send_prack(
        &mut self,
        now: Instant,
        id: CallId,
        dialog: &DialogId,
        invite: u32,
        answer: Option<&Bytes>,
    ) {
        let Some(rseq) = self.usage_mut(id, dialog).and_then(|usage| usage.rseq) else { return };
        let sent = self.dispatch_prack(now, id, dialog, RackOf { rseq, invite }, answer, Whose::Nobody);
        if !sent && let Some(usage) = self.usage_mut(id, dialog) {
            // The response comes again, and then it is as good as new.
            usage.rseq = rseq.checked_sub(1);
        }
    }

    fn dispatch_prack(
        &mut self,
        now: Instant,
        id: CallId,
        dialog: &DialogId,
        rack: RackOf,
        sdp: Option<&Bytes>,
        whose: Whose,
    ) -> bool {
        let RackOf { rseq, invite } = rack;
        let errand = Errand::new(whose, Method::Prack, Place::Early(id, dialog.clone()))
            .with(HeaderName::RAck, alloc::format!("{rseq} {invite} INVITE"))
            .with_content(sdp.map(|sdp| Content::new(SDP, sdp.clone())))
            .with_fields(self.ack_fields(id));
        self.dispatch(now, errand).is_ok()
    }

    /// Acknowledges a response that brought the answer to our INVITE, or keeps that for the offer our user may have.
    pub(crate) fn prack_or_hold(&mut self, now: Instant, id: CallId, dialog: &DialogId, invite: u32) {
        let hold = self.config.prack_hold.min(LONGEST_HOLD);
        let usage = self.usage_mut(id, dialog);
        match usage.and_then(|usage| usage.rseq.map(|rseq| (usage, rseq))) {
            Some((usage, rseq)) if !hold.is_zero() => {
                let rack = RackOf { rseq, invite };
                usage.held_prack = Some(HeldPrack { rack, until: now + hold });
            }
            _ => self.send_prack(now, id, dialog, invite, None),
        }
    }

    /// Our user has no offer for it, or the next response has come.
    pub(crate) fn let_prack_go(&mut self, now: Instant, id: CallId, dialog: &DialogId) {
        let held = self.usage_mut(id, dialog).and_then(|usage| usage.held_prack.take());
        if let Some(HeldPrack { rack, .. }) = held {
            self.dispatch_prack(now, id, dialog, rack, None, Whose::Nobody);
        }
    }

    /// §5: "it MAY generate an additional offer in the PRACK".
    pub(crate) fn offer_in_prack(
        &mut self,
        now: Instant,
        id: CallId,
        dialog: &DialogId,
        wish: &Wish,
    ) -> Result<(), CommandError> {
        self.flow().ok_or(CommandError::Offline)?;
        let usage = self.usage_mut(id, dialog).ok_or(CommandError::NoSuchCall)?;
        let offer = usage.propose(wish, &Method::Prack).map_err(CommandError::Description)?;
        let Some(held) = usage.held_prack.take() else { return Err(CommandError::NoSuchCall) };
        let whose = Whose::Prack(id, dialog.clone(), held.rack);
        let sent = self.dispatch_prack(now, id, dialog, held.rack, offer.as_ref(), whose);
        if !sent {
            if let Some(usage) = self.usage_mut(id, dialog) {
                usage.negotiation.roll_back();
                usage.held_prack = Some(held);
            }
            return Err(CommandError::TooLarge);
        }
        self.settle(now);
        Ok(())
    }

    /// Whether a PRACK is on its way in this dialog.
    pub(super) fn is_pracking(&self, id: CallId, dialog: &DialogId) -> bool {
        let prack = |errand: &Errand| errand.method == Method::Prack && errand.is_in(id, dialog);
        self.requests.values().any(prack)
    }

    /// The early dialog is over: whether an offer of ours was on its way in a PRACK. What comes of it is told by whoever asks.
    pub(in crate::user_agent) fn take_prack_offer(&mut self, id: CallId, dialog: &DialogId) -> bool {
        let offers = |errand: &&mut Errand| matches!(&errand.whose, Whose::Prack(call, of, _) if (*call, of) == (id, dialog));
        let found = self.requests.values_mut().find(offers);
        found.map(|errand| errand.whose = Whose::Nobody).is_some()
    }

    /// A PRACK with our offer has its answer.
    pub(in crate::user_agent) fn prack_concluded(
        &mut self,
        now: Instant,
        id: CallId,
        dialog: &DialogId,
        rack: RackOf,
        outcome: &Outcome,
    ) {
        // The end of the call was the end of this as well.
        let Some(call) = self.calls.get(&id).filter(|call| !call.ended) else { return };
        let early = call.usage.is_none();
        let Some(usage) = self.usage_mut(id, dialog) else { return };
        let answer = match outcome {
            Outcome::Answered(response) if response.is_success() => {
                description(response.headers(), response.body())
            }
            Outcome::Answered(_) | Outcome::Failed(_) => None,
        };
        if let Some(sdp) = answer.filter(|sdp| usage.negotiation.answered(sdp.clone()).is_ok()) {
            self.event(Event::OfferAnswered { call: id, sdp: body_text(&sdp) });
            return;
        }
        usage.negotiation.roll_back();
        let failure = match outcome {
            Outcome::Answered(response) if response.is_success() => Failure::of(Cause::NotAcceptable),
            Outcome::Answered(response) => Failure::of_response(response),
            Outcome::Failed(failure) => failure.clone(),
        };
        // RFC 6337 §2.3: "UAC may send again a PRACK request without an offer".
        let refused = matches!(outcome, Outcome::Answered(response) if matches!(response.status(), 400..=480 | 482..=699));
        if early && refused {
            self.dispatch_prack(now, id, dialog, rack, None, Whose::Nobody);
        }
        self.event(Event::OfferRefused { call: id, failure });
    }
}

impl Call {
    /// The early dialog whose PRACK waits for an offer: the newest.
    pub(crate) fn holding_prack(&mut self) -> Option<DialogId> {
        self.usages_mut().find(|usage| usage.held_prack.is_some()).map(|usage| usage.dialog.id().clone())
    }
}
