//! What comes of an INVITE that we sent (RFC 3261 §13.2.2): provisional answers, 2xx, and all others.

use alloc::vec::Vec;

use super::{Asked, Outgoing};
use crate::auth::Attempt;
use crate::dialog::DialogId;
use crate::limits;
use crate::message::{Fields, Response, SessionIdentifier};
use crate::offer_answer::{self, Turn};
use crate::time::Instant;
use crate::transaction::ClientId;
use crate::user_agent::bodies::description;
use crate::user_agent::call::{self, ACK, Call, Direction, Taken, Usage, ack};
use crate::user_agent::farewell::Last;
use crate::user_agent::{CallId, Cause, End, Event, Failure, Purpose, UserAgent, Withdrawal, body_text};

impl UserAgent {
    pub(in crate::user_agent) fn invite_answered(
        &mut self,
        now: Instant,
        id: CallId,
        client: ClientId,
        response: Response,
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let ended = call.ended;
        if let Some(out) = call.outgoing().filter(|_| response.is_provisional()) {
            // A repeated INVITE has arrived: it may ring on.
            out.broken_until = None;
        }
        if let Some(out) = call.outgoing().filter(|_| response.status() > 100) {
            out.answer = Some(response.clone());
        }
        match response.status() {
            ..=100 => {}
            101..=199 if !ended => self.progressed(now, id, &response),
            101..=199 => {}
            200..=299 => self.accepted(now, id, &response),
            // §13.2.2.3: after a 2xx another branch's refusal says nothing, but it cannot come then (§16.7).
            // RFC 4028 §7.3: 422 asks for a longer session interval.
            401 | 407 | 422 if !ended => self.challenged(now, id, client, &response),
            _ => self.refused(now, id, client, &response),
        }
    }

    /// §13.2.2.1.
    fn progressed(&mut self, now: Instant, id: CallId, response: &Response) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let answered = call.usage.is_some();
        let Some(out) = call.outgoing() else { return };
        if answered {
            return;
        }
        let invite = out.draft.cseq;
        let mut sdp = description(response.headers(), response.body());
        let described = sdp.is_some();
        let mut prack = None;
        let mut offered = false;
        if response.to_tag().is_some() {
            let name = DialogId::of_response(response);
            if let Some(usage) = out.early.iter_mut().find(|usage| usage.is(&name)) {
                usage.dialog.answered(response);
            } else if out.early.len() < limits::FORKS {
                out.early.push(Usage::of_response(
                    &out.request,
                    response,
                    out.draft.sdp.as_ref(),
                    out.draft.terms,
                ));
            }
            let offerless = out.draft.sdp.is_none();
            let reliable = match self.take_reliable(id, &name, response) {
                Taken::Again => return,
                Taken::Unreliable => false,
                Taken::Reliable => true,
            };
            if reliable {
                self.let_prack_go(now, id, &name);
            }
            if let Some(usage) = self.usage_mut(id, &name) {
                usage.learn(response.headers());
                offered = offerless && reliable && usage.negotiation.local().is_none();
                // §13.2.1: the first description is the answer, and those after it are ignored, as is one that is
                // illegal. Without an offer of ours only a reliable response may offer.
                sdp = sdp.filter(|sdp| match usage.negotiation.turn() {
                    Turn::LocalOffer if usage.negotiation.local().is_none() => {
                        usage.negotiation.answered(sdp.clone()).is_ok()
                    }
                    Turn::Stable if offered => usage.negotiation.offered(sdp.clone()).is_ok(),
                    _ => false,
                });
                offered &= sdp.is_some();
                let arrived = reliable && described && usage.negotiation.remote().is_some();
                usage.settled |= arrived && usage.negotiation.turn() == Turn::Stable;
            }
            prack = reliable.then_some(name);
        }
        let Some(out) = self.calls.get_mut(&id).and_then(Call::outgoing) else { return };
        out.rang |= response.status() == 180;
        let answers = sdp.is_some() && !offered;
        let event = Event::Progress {
            call: id,
            status: response.status(),
            reason: response.reason().into(),
            sdp: sdp.as_ref().filter(|_| !offered).map(|sdp| body_text(sdp)),
        };
        self.event(event);
        match prack {
            Some(dialog) if offered => {
                self.offered_early(now, id, &dialog, invite);
                self.event(Event::Offered { call: id, sdp: sdp.map(|sdp| body_text(&sdp)) });
            }
            Some(dialog) if answers => self.prack_or_hold(now, id, &dialog, invite),
            Some(dialog) => self.send_prack(now, id, &dialog, invite, None),
            None => {}
        }
    }

    /// A 2xx (§13.2.2.4): the first is the call; of a fork's others each is acknowledged and hung up, as is one that
    /// raced a CANCEL (§9.1).
    pub(super) fn accepted(&mut self, now: Instant, id: CallId, response: &Response) {
        let name = DialogId::of_response(response);
        if let Some(ack) = self.ack_of(&name, response.cseq().number) {
            self.transmit_in(id, ack);
            return;
        }
        // Without a flow nothing can be said; the 2xx comes again.
        let Some(hop) = self.hop_of(id).or_else(|| self.flow()) else { return };
        let (always, none) = (self.ack_fields(id), Fields::new());
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.usages_mut().any(|usage| usage.is(&name) && usage.is_confirmed()) {
            // Our user has not answered its offer yet.
            return;
        }
        let unwanted = call.ended || call.usage.is_some();
        let Direction::Outgoing(out) = &mut call.direction else { return };
        // What there is no room for is ended all the same, each time it comes.
        let room = out.acks.len() < limits::FORKS;
        let early = out.early.iter().position(|usage| usage.is(&name));
        let mut usage = match early.map(|at| out.early.remove(at)) {
            Some(mut usage) => {
                usage.dialog.answered(response);
                usage
            }
            None => Usage::of_response(&out.request, response, out.draft.sdp.as_ref(), out.draft.terms),
        };
        if let Some(lost) = out.lost.iter().find(|lost| *lost.id() == name) {
            // §12.2.1.1: its CSeq has gone on.
            usage.dialog = lost.clone();
            usage.dialog.answered(response);
        }
        usage.learn(response.headers());
        usage.held_prack = None;
        let invite = out.request.clone();
        if unwanted {
            let via = self.local.via(hop, &mut *self.entropy);
            let offer = description(response.headers(), response.body()).filter(|_| out.draft.sdp.is_none());
            let answer = offer.and_then(|offer| offer_answer::refusal(&offer).ok());
            let ack =
                ack(&usage.dialog, &invite, &via, &self.config.user_agent, [&always, &none], answer.as_ref());
            if room {
                out.keep_ack(name, ack.clone());
            } else {
                self.counters.forks_beyond += 1;
            }
            // The BYE of a call that was given up is the call's end; a fork's is nobody's.
            let of_call = call.usage.is_none() && !call.released;
            let parting = match of_call {
                true => core::mem::take(&mut call.parting),
                false => Fields::new(),
            };
            self.transmit_in(id, ack);
            if !self.is_leaving(usage.dialog.id()) {
                self.say_last(Last::Bye(usage.dialog.into(), parting), id, of_call);
            }
            return;
        }
        usage.hear_timer(now, response.headers());
        out.stop_timers();
        let (offerless, others) = (out.draft.sdp.is_none(), core::mem::take(&mut out.early));
        out.lost = others.iter().map(|usage| usage.dialog.clone()).collect();
        out.acks_until = Some(now + self.timers.t1 * 64);
        let sdp = description(response.headers(), response.body());
        self.leave_early(now, id, others);
        if let Some(asked @ call::Asked::Provisional { .. }) = &mut usage.asked {
            // It should have waited for the PRACK (RFC 3262 §3): the answer that our user owes goes in the ACK.
            *asked = call::Asked::Success { invite, until: now + ACK };
            self.stands(id, usage);
            return self.event(Event::Accepted { call: id, sdp: None });
        }
        if offerless && usage.negotiation.turn() == Turn::Stable && usage.negotiation.local().is_none() {
            self.stands(id, usage);
            self.event(Event::Accepted { call: id, sdp: None });
            self.solicited(now, id, &name, invite, sdp);
            return;
        }
        let first = usage.negotiation.turn() == Turn::LocalOffer && usage.negotiation.local().is_none();
        let agreed = match sdp {
            Some(sdp) if first => usage.negotiation.answered(sdp).is_ok(),
            // §13.2.1: an answer that was in no reliable provisional response MUST be in this one.
            None if first => {
                usage.negotiation.roll_back();
                false
            }
            // The first description of the dialog was the answer; any after it is ignored.
            _ => true,
        };
        let answer = usage.negotiation.remote().map(|sdp| body_text(sdp));
        self.stands(id, usage);
        self.acknowledge(id, &name, &invite, None);
        if !agreed {
            // §13.2.2.4: "the UAC MUST generate an ACK and then BYE" for what it cannot take.
            self.end(id, End::Failed(Failure::of(Cause::NotAcceptable)));
            self.say_bye(id);
            return;
        }
        self.event(Event::Accepted { call: id, sdp: answer });
        // What waited for a PRACK.
        self.next_change(now, id, &name);
    }

    /// This dialog is the call.
    fn stands(&mut self, id: CallId, usage: Usage) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.usage = Some(usage);
        }
    }

    /// Early dialogs of which nothing comes any more, for another fork is the call or the INVITE goes out again: what was asked in
    /// them by either side has its end.
    fn leave_early(&mut self, now: Instant, id: CallId, early: Vec<Usage>) {
        for Usage { dialog, change, next, asked, .. } in early {
            let offered = self.take_prack_offer(id, dialog.id());
            if change.is_some() || next.is_some() || offered {
                self.event(Event::OfferRefused { call: id, failure: Failure::of(Cause::Rejected) });
            }
            if let Some(asked) = asked {
                self.event(Event::OfferWithdrawn { call: id, why: Withdrawal::Overtaken });
                self.refuse_asked(now, asked, 481);
            }
        }
    }

    /// §22.2: the INVITE again, with credentials or another interval, a new branch and CSeq + 1.
    fn challenged(&mut self, now: Instant, id: CallId, client: ClientId, response: &Response) {
        let Some(mut call) = self.calls.remove(&id) else { return };
        let outcome = match &mut call.direction {
            Direction::Outgoing(out) if out.client == Some(client) => {
                self.invite_again(now, id, out, response)
            }
            _ => Ok(()),
        };
        self.calls.insert(id, call);
        if let Err(failure) = outcome {
            self.fail(id, failure);
        }
    }

    fn invite_again(
        &mut self,
        now: Instant,
        id: CallId,
        out: &mut Outgoing,
        response: &Response,
    ) -> Result<(), Failure> {
        out.draft.session.heard(response.headers());
        match response.status() {
            422 if out.draft.terms.raise(response.headers()) => {}
            422 => return Err(Failure::of_response(response)),
            _ => self.learn_challenge(&mut out.attempt, &out.draft.uri, response)?,
        }
        self.send_invite_again(now, id, out)
    }

    /// With what the draft now says; where there is no flow, over the next one.
    pub(super) fn send_invite_again(
        &mut self,
        now: Instant,
        id: CallId,
        out: &mut Outgoing,
    ) -> Result<(), Failure> {
        out.client = None;
        let early = core::mem::take(&mut out.early);
        self.leave_early(now, id, early);
        let Some(hop) = self.flow() else {
            out.unsent = true;
            out.broken_until.get_or_insert(now + self.timers.t1 * 64);
            return Ok(());
        };
        out.unsent = false;
        out.broken_until = None;
        out.draft.cseq += 1;
        let lost = Failure::of(Cause::FlowLost);
        // A redirection led to a `sips` URI, or the connection is another by now.
        if !hop.may_carry(&out.draft.uri) {
            return Err(lost);
        }
        out.request = self.write_invite(hop, &out.draft, &mut out.attempt).ok_or_else(|| lost.clone())?;
        let client = self.layer.send_request(now, &out.request, hop).ok_or(lost)?;
        out.client = Some(client);
        self.purposes.insert(client, Purpose::Invite(id));
        Ok(())
    }

    /// A final answer that is no 2xx.
    fn refused(&mut self, now: Instant, id: CallId, client: ClientId, response: &Response) {
        let Some(out) = self.calls.get_mut(&id).and_then(Call::outgoing) else { return };
        if out.client != Some(client) {
            return;
        }
        let mut failure = Failure::of_response(response);
        // Somebody on the way lost patience while it rang (Timer C, §16.8).
        if out.rang && failure.cause == Cause::Timeout {
            failure.cause = Cause::NoAnswer;
        }
        if self.asks_where(now, id, response, &failure) {
            return;
        }
        if !self.redirected(now, id, response) {
            self.fail(id, failure);
        }
    }

    /// A 3xx of which our user decides where it leads. `false`: nobody is to be asked, or there is nothing to ask.
    fn asks_where(&mut self, now: Instant, id: CallId, response: &Response, failure: &Failure) -> bool {
        let asks = self.config.redirections_asked && (300..400).contains(&response.status());
        let Some(call) = self.calls.get_mut(&id).filter(|call| asks && !call.ended) else { return false };
        let Some(out) = call.outgoing() else { return false };
        let targets = out.targets.found(response.headers());
        if targets.is_empty() {
            return false;
        }
        out.client = None;
        out.asked =
            Some(Asked { status: response.status(), targets: targets.clone(), failure: failure.clone() });
        let early = core::mem::take(&mut out.early);
        self.leave_early(now, id, early);
        let (status, response) = (response.status(), response.clone());
        self.event(Event::Redirected { call: id, status, targets, response });
        true
    }

    /// §8.1.3.4: the INVITE goes to the next Contact that a 3xx named. `false`: there is none, or none is wanted.
    fn redirected(&mut self, now: Instant, id: CallId, response: &Response) -> bool {
        let Some(call) = self.calls.get_mut(&id).filter(|call| !call.ended) else { return false };
        let Some(out) = call.outgoing() else { return false };
        // §21.6: 6xx is the answer of all.
        if response.status() >= 600 {
            return false;
        }
        if response.status() < 400 && !self.config.redirections_asked {
            let found = out.targets.found(response.headers());
            out.targets.extend(response.status(), found, &out.draft.uri);
        }
        self.goes_on(now, id)
    }

    /// The INVITE goes to the next of its targets, if there is one.
    pub(super) fn goes_on(&mut self, now: Instant, id: CallId) -> bool {
        let Some(mut call) = self.calls.remove(&id) else { return false };
        let sent = match &mut call.direction {
            Direction::Outgoing(out) => out.targets.next().is_some_and(|goal| {
                (out.draft.uri, out.draft.proxy) = (goal.uri, goal.proxy);
                // RFC 7989 §6: whom we go to next we do not know.
                out.draft.session = SessionIdentifier::new(out.draft.session.local);
                out.attempt = Attempt::default();
                self.send_invite_again(now, id, out).is_ok()
            }),
            Direction::Incoming(_) | Direction::Standing { .. } => false,
        };
        self.calls.insert(id, call);
        sent
    }
}
