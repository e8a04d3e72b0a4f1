//! The 2xx to an INVITE of ours, and what else brings an offer where we made none: the ACK or PRACK that answers (RFC 3261
//! §13.2.1, §13.2.2.4; RFC 3262 §5).

use alloc::string::String;

use bytes::Bytes;

use super::asked::{ACK, Asked};
use crate::dialog::{Dialog, DialogId};
use crate::message::{Fields, HeaderName, Request};
use crate::offer_answer;
use crate::time::Instant;
use crate::user_agent::local::SDP;
use crate::user_agent::{CallId, Cause, End, Event, Failure, UserAgent, Withdrawal, body_text};

impl UserAgent {
    /// Sends the ACK to the 2xx of our INVITE in this dialog, with an answer if the 2xx offered (§13.2.2.4).
    pub(crate) fn acknowledge(
        &mut self,
        id: CallId,
        dialog: &DialogId,
        invite: &Request,
        sdp: Option<&Bytes>,
    ) {
        self.acknowledge_with(id, dialog, invite, sdp, &Fields::new());
    }

    /// The same with what the application adds.
    pub(crate) fn acknowledge_with(
        &mut self,
        id: CallId,
        dialog: &DialogId,
        invite: &Request,
        sdp: Option<&Bytes>,
        fields: &Fields,
    ) {
        let always = self.ack_fields(id);
        let Some(hop) = self.hop_of(id).or_else(|| self.flow()) else { return };
        let via: String = self.local.via(hop, &mut *self.entropy);
        let cseq = invite.cseq().number;
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(usage) = call.usages_mut().find(|usage| usage.is(dialog)) else { return };
        let ack = ack(&usage.dialog, invite, &via, &self.config.user_agent, [&always, fields], sdp);
        match call.outgoing().filter(|out| out.is_initial(cseq)) {
            Some(out) => out.keep_ack(dialog.clone(), ack.clone()),
            None => {
                if let Some(usage) = call.usages_mut().find(|usage| usage.is(dialog)) {
                    usage.set_ack(cseq, &ack);
                }
            }
        }
        self.transmit_to(hop, ack);
    }

    /// A reliable provisional response to our INVITE without offer: its offer is answered in the PRACK (RFC 3262 §5).
    /// Of a fork's offers our user hears of the newest; those before are answered without media.
    pub(crate) fn offered_early(&mut self, now: Instant, id: CallId, dialog: &DialogId, invite: u32) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let older: alloc::vec::Vec<DialogId> = call
            .usages_mut()
            .filter(|usage| usage.asked.is_some())
            .map(|usage| usage.dialog.id().clone())
            .collect();
        for older in older {
            // An UPDATE that nobody can be asked about now gets 504 (RFC 3311 §5.2).
            self.withdrawn(now, id, &older, 504, Withdrawal::Overtaken);
        }
        if let Some(usage) = self.usage_mut(id, dialog) {
            usage.asked = Some(Asked::Provisional { invite, until: now + ACK });
        }
    }

    /// A 2xx to our INVITE without offer: its offer is answered in the ACK (§13.2.1).
    pub(crate) fn solicited(
        &mut self,
        now: Instant,
        id: CallId,
        dialog: &DialogId,
        invite: Request,
        sdp: Option<Bytes>,
    ) {
        let Some(usage) = self.usage_mut(id, dialog) else { return };
        let text = sdp.as_ref().map(|sdp| body_text(sdp));
        let offered = sdp.clone().map(|sdp| usage.negotiation.offered(sdp));
        let agreed = usage.negotiation.local().is_some();
        if let Some(Ok(_)) = offered {
            usage.asked = Some(Asked::Success { invite, until: now + ACK });
            self.event(Event::Offered { call: id, sdp: text });
            return;
        }
        // An offer that may not be: "the UAC core MUST generate a valid answer in the ACK and then send a BYE
        // immediately" (§13.2.2.4).
        let answer = sdp.as_ref().and_then(|sdp| offer_answer::refusal(sdp).ok());
        self.acknowledge(id, dialog, &invite, answer.as_ref());
        let failure = Failure::of(Cause::NotAcceptable);
        if agreed && sdp.is_none() {
            // Nothing was offered, and what there was goes on.
            self.event(Event::OfferRefused { call: id, failure });
            return;
        }
        self.end(id, End::Failed(failure));
        self.say_bye(id);
    }
}

/// The ACK to a 2xx (§13.2.2.4).
pub(crate) fn ack(
    dialog: &Dialog,
    invite: &Request,
    via: &str,
    user_agent: &str,
    fields: [&Fields; 2],
    sdp: Option<&Bytes>,
) -> Bytes {
    let writer = dialog
        .ack(invite.cseq().number, via)
        // "The ACK MUST contain the same credentials as the INVITE."
        .copy(invite.headers(), HeaderName::Authorization)
        .copy(invite.headers(), HeaderName::ProxyAuthorization)
        .header(HeaderName::UserAgent, user_agent)
        .fields(fields[0])
        .fields(fields[1]);
    match sdp {
        Some(sdp) => writer.body(SDP, sdp),
        None => writer.finish(),
    }
}
