//! What comes of a re-INVITE or UPDATE that we sent (RFC 3261 §14.1, RFC 3311 §5.1).

use super::{Stage, TRIES, Wish};
use crate::dialog::{DialogId, Stage as DialogStage};
use crate::entropy;
use crate::message::{HeaderName, Method, Response};
use crate::offer_answer::{self, Fault, Turn};
use crate::time::{Duration, Instant};
use crate::transaction::ClientId;
use crate::user_agent::bodies::description;
use crate::user_agent::failure::retry_after;
use crate::user_agent::{CallId, Cause, Event, Failure, UserAgent, body_text};
use smol_str::SmolStr;

impl UserAgent {
    pub(crate) fn change_answered(
        &mut self,
        now: Instant,
        id: CallId,
        client: ClientId,
        response: &Response,
    ) {
        if response.is_provisional() {
            return;
        }
        let invite = response.cseq().method == Method::Invite;
        let name = DialogId::of_response(response);
        if invite && response.is_success() {
            if let Some(ack) = self.ack_of(&name, response.cseq().number) {
                self.transmit_in(id, ack);
                return;
            }
            // Without a flow nothing can be said; the 2xx comes again.
            if self.flow().is_none() {
                return;
            }
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        let (ended, owner) = (call.ended, call.is_ours());
        let Some(usage) = call.usages_mut().find(|usage| usage.changes_by(client)) else { return };
        let dialog = usage.dialog.id().clone();
        if ended {
            // RFC 5407 §3.2.3: a 2xx that crossed our BYE is acknowledged all the same.
            let Some(change) = usage.change.take() else { return };
            if let Some(invite) = change.request.filter(|_| response.is_success()) {
                // §13.2.2.4: what it offers is answered.
                let offer = description(response.headers(), response.body());
                let offer = offer.filter(|_| change.wish == Wish::Solicit);
                let answer = offer.and_then(|offer| offer_answer::refusal(&offer).ok());
                self.acknowledge(id, &dialog, &invite, answer.as_ref());
            }
            return;
        }
        match response.status() {
            200..=299 => self.change_accepted(now, id, &dialog, response),
            401 | 407 => self.change_challenged(now, id, &dialog, response),
            // §12.2.1.2: the other side knows nothing of the call.
            408 | 481 if usage.dialog.stage() == DialogStage::Confirmed => {
                usage.change = None;
                self.dialog_lost(now, id, Failure::of_response(response));
            }
            491 => {
                // §14.1: whoever made the Call-ID waits longer, so that the two do not meet again.
                let dice = entropy::number(&mut *self.entropy);
                let ticks = if owner { 210 + dice % 191 } else { dice % 201 };
                self.change_later(now, id, &dialog, Duration::from_millis(ticks * 10), response);
            }
            // §14.2, RFC 3311 §5.2: something else is being changed.
            500 if response.headers().has(HeaderName::RetryAfter) => {
                let wait = retry_after(response.headers()).unwrap_or_default();
                self.change_later(now, id, &dialog, wait.min(Duration::from_secs(60)), response);
            }
            // RFC 4028 §7.3: the interval was too short for somebody.
            422 if usage.terms.raise(response.headers()) => match self.flow() {
                Some(hop) if self.send_change(now, id, &dialog, hop) => {}
                _ => self.change_refused(now, id, &dialog, Failure::of(Cause::FlowLost)),
            },
            // RFC 3311 §5.2: a person would have to be asked; and some name UPDATE without taking it.
            405 | 501 | 504 if self.is_refresh_by_update(id, &dialog) => {
                if let Some(usage) = self.usage_mut(id, &dialog) {
                    usage.updates = false;
                    usage.change = None;
                }
                // Their offer may be pending, and then an INVITE has to wait.
                if self.begin_change(now, id, &dialog, Wish::Refresh).is_err()
                    && let Some(usage) = self.usage_mut(id, &dialog)
                {
                    usage.refresh_later(now, false);
                }
            }
            _ => self.change_refused(now, id, &dialog, Failure::of_response(response)),
        }
    }

    fn is_refresh_by_update(&mut self, id: CallId, dialog: &DialogId) -> bool {
        let change = self.usage_mut(id, dialog).and_then(|usage| usage.change.as_ref());
        change.is_some_and(|change| change.wish == Wish::Refresh && change.method == Method::Update)
    }

    fn change_accepted(&mut self, now: Instant, id: CallId, dialog: &DialogId, response: &Response) {
        let Some(usage) = self.usage_mut(id, dialog) else { return };
        let Some(change) = usage.change.take() else { return };
        // §12.2.1.2: the 2xx to a target refresh request refreshes the target.
        usage.dialog.refresh_target(response.headers());
        usage.learn(response.headers());
        if usage.is_confirmed() {
            // Before the 2xx to the INVITE there is no session that could expire.
            usage.hear_timer(now, response.headers());
        }
        let sdp = description(response.headers(), response.body());
        if change.wish == Wish::Solicit {
            if let Some(invite) = change.request {
                self.solicited(now, id, dialog, invite, sdp);
            }
            return;
        }
        let outcome = match (&change.offer, &sdp) {
            (Some(_), Some(sdp)) => usage.negotiation.answered(sdp.clone()),
            // An offer without an answer is as good as refused.
            (Some(_), None) => Err(Fault::Turn(Turn::LocalOffer)),
            (None, _) => Ok(()),
        };
        if outcome.is_err() {
            usage.negotiation.roll_back();
        }
        if let Some(invite) = change.request.filter(|_| change.method == Method::Invite) {
            self.acknowledge(id, dialog, &invite, None);
        }
        match outcome {
            Err(_) => self.tell_refusal(id, &change.wish, Failure::of(Cause::NotAcceptable)),
            Ok(()) if change.wish != Wish::Refresh => {
                let sdp = sdp.map(|sdp| body_text(&sdp)).unwrap_or_default();
                self.event(Event::OfferAnswered { call: id, sdp });
            }
            Ok(()) => {}
        }
        self.next_change(now, id, dialog);
    }

    fn change_challenged(&mut self, now: Instant, id: CallId, dialog: &DialogId, response: &Response) {
        let Some(usage) = self.usage_mut(id, dialog) else { return };
        let uri = SmolStr::new(usage.dialog.request_uri());
        let Some(change) = &mut usage.change else { return };
        let mut attempt = core::mem::take(&mut change.attempt);
        let learned = self.learn_challenge(&mut attempt, &uri, response);
        let hop = self.hop_of(id).or_else(|| self.flow());
        if let Some(change) = self.usage_mut(id, dialog).and_then(|usage| usage.change.as_mut()) {
            change.attempt = attempt;
        }
        match (learned, hop) {
            (Err(failure), _) => self.change_refused(now, id, dialog, failure),
            // A token came while there is no flow.
            (Ok(()), None) => self.put_off(now, id, dialog, Duration::ZERO),
            (Ok(()), Some(hop)) if self.send_change(now, id, dialog, hop) => {}
            (Ok(()), Some(_)) => self.change_refused(now, id, dialog, Failure::of(Cause::FlowLost)),
        }
    }

    /// The other side asks us to wait.
    fn change_later(
        &mut self,
        now: Instant,
        id: CallId,
        dialog: &DialogId,
        wait: Duration,
        response: &Response,
    ) {
        let Some(usage) = self.usage_mut(id, dialog) else { return };
        let Some(change) = &mut usage.change else { return };
        change.tries += 1;
        if change.tries >= TRIES {
            return self.change_refused(now, id, dialog, Failure::of_response(response));
        }
        self.put_off(now, id, dialog, wait);
    }

    /// It is proposed anew after that time. Until then nothing is pending.
    fn put_off(&mut self, now: Instant, id: CallId, dialog: &DialogId, wait: Duration) {
        let Some(usage) = self.usage_mut(id, dialog) else { return };
        let Some(change) = &mut usage.change else { return };
        change.stage = Stage::Waiting(now + wait);
        if change.offer.is_some() {
            usage.negotiation.roll_back();
        }
    }

    /// RFC 6141 §3.3, RFC 3261 §14.1: the session stays as it was.
    pub(super) fn change_refused(&mut self, now: Instant, id: CallId, dialog: &DialogId, failure: Failure) {
        let Some(usage) = self.usage_mut(id, dialog) else { return };
        // A server on the way answers so for who is not there.
        let there = failure.status.is_some_and(|status| !matches!(status, 408 | 430 | 480 | 502..=504));
        usage.refresh_later(now, there);
        let Some(change) = usage.change.take() else { return };
        // One that waits or has no offer has nothing pending; what is, is something else's.
        if change.offer.is_some() && !matches!(change.stage, Stage::Waiting(_)) {
            usage.negotiation.roll_back();
        }
        self.tell_refusal(id, &change.wish, failure);
        self.next_change(now, id, dialog);
    }

    pub(super) fn tell_refusal(&mut self, id: CallId, wish: &Wish, failure: Failure) {
        if *wish != Wish::Refresh {
            self.event(Event::OfferRefused { call: id, failure });
        }
    }
}
