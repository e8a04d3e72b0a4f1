//! Calls we make (RFC 3261 §13.2): INVITE, its answers, ACK, CANCEL.

mod answers;
mod commands;

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use smol_str::SmolStr;

use super::call::{Call, Direction, Redirection, Targets, Terms, Usage, reliable};
use super::farewell::Last;
use super::local::{Outside, SDP};
use super::presentation::{Presenting, contact_of};
use super::replaces::Replacement;
use super::{
    CallError, CallId, Cause, End, Failure, Identity, Purpose, UserAgent, bodies, join, target, target_dialog,
};
use crate::auth::Attempt;
use crate::dialog::{Dialog, DialogId};
use crate::entropy;
use crate::message::{Fields, HeaderName, Method, Request, Response, SessionIdentifier, Uuid};
use crate::time::Instant;
use crate::transaction::ClientId;
use crate::transport::Hop;

/// The caller's side of a call.
#[derive(Debug)]
pub(super) struct Outgoing {
    draft: Draft,
    attempt: Attempt,
    targets: Targets,
    /// The INVITE as it was last sent.
    request: Request,
    /// Its transaction; `None` once that is over, or its flow was lost.
    pub(super) client: Option<ClientId>,
    /// Dialogs of provisional responses (§12.1).
    pub(super) early: Vec<Usage>,
    /// Those of forks that lost, as far as they came: one that is accepted all the same is hung up in its own.
    lost: Vec<Dialog>,
    /// Its last answer above 100.
    answer: Option<Response>,
    /// 180 came.
    pub(super) rang: bool,
    /// When the caller loses patience.
    no_answer_at: Option<Instant>,
    /// The flow was lost before a final answer: the INVITE has until then to be repeated and answered.
    broken_until: Option<Instant>,
    /// It has its answer, and another is to go out over the next flow.
    unsent: bool,
    /// It has its answer, a 3xx, and our user is asked where to go; or how it ends.
    asked: Option<Asked>,
    /// The ACK of each 2xx, for its retransmissions: "the ACK is passed to the transport layer every time" (§13.2.2.4).
    acks: Vec<(DialogId, Bytes)>,
    /// Until when a 2xx may be retransmitted for want of its ACK.
    acks_until: Option<Instant>,
    /// It was given up while its flow was down, and canceled over another: until when a 2xx may come all the same.
    pub(super) late_until: Option<Instant>,
}

/// Where a 3xx would have a call go, and how it ends if it goes nowhere.
#[derive(Debug)]
struct Asked {
    status: u16,
    targets: Vec<Redirection>,
    failure: Failure,
}

/// What an INVITE is written from.
#[derive(Debug)]
struct Draft {
    uri: SmolStr,
    /// Through this proxy (§21.3.4), a value of Route.
    proxy: Option<SmolStr>,
    /// Whom was called first: To stays when a 3xx leads elsewhere (§8.1.3.4).
    to: SmolStr,
    call_id: SmolStr,
    tag: SmolStr,
    cseq: u32,
    /// Our UUID stays through every try (RFC 7989 §6).
    session: SessionIdentifier,
    terms: Terms,
    /// The offer; without, the other side offers (§13.2.1).
    sdp: Option<Bytes>,
    /// Why it is made.
    occasion: Occasion,
    /// What the application adds, in every try.
    fields: Fields,
    presentation: Presenting,
}

/// What makes a call be made, beside a person's wish.
#[derive(Clone, Debug, Default)]
pub(super) struct Occasion {
    /// It says nothing of who calls (RFC 3323).
    pub(super) anonymous: bool,
    /// It takes another's place (RFC 3891).
    pub(super) replaces: Option<Replacement>,
    /// It joins another (RFC 3911).
    pub(super) joins: Option<Replacement>,
    /// Referred-By (RFC 3892 §3).
    pub(super) referred_by: Option<SmolStr>,
    /// Our UUID in the session that leads to it: "the endpoint MUST retain its own UUID value" (RFC 7989 §6).
    pub(super) session: Option<Uuid>,
    /// Target-Dialog (RFC 4538).
    pub(super) about: Option<SmolStr>,
}

impl Outgoing {
    pub(super) fn timeout(&self) -> Option<Instant> {
        // While there is a transaction its Timer M says when it is over.
        let acks = self.acks_until.filter(|_| self.client.is_none());
        self.no_answer_at.into_iter().chain(self.broken_until).chain(self.late_until).chain(acks).min()
    }

    pub(super) fn ack(&self, dialog: &DialogId) -> Option<Bytes> {
        self.acks.iter().find(|(id, _)| id == dialog).map(|(_, ack)| ack.clone())
    }

    /// What its CANCEL shares with it.
    pub(super) fn branch(&self) -> Option<&str> {
        self.request.branch()
    }

    /// Whether this may be an answer to its INVITE.
    fn is_answered_by(&self, response: &Response) -> bool {
        (self.name(), self.draft.cseq)
            == ((response.call_id(), response.from_tag().unwrap_or_default()), response.cseq().number)
    }

    /// Call-ID and our tag.
    pub(super) fn name(&self) -> (&str, &str) {
        (&self.draft.call_id, &self.draft.tag)
    }

    /// CSeq of the INVITE that was sent last.
    pub(super) const fn cseq(&self) -> u32 {
        self.draft.cseq
    }

    /// Whether the INVITE that made the call has this CSeq.
    pub(super) const fn is_initial(&self, cseq: u32) -> bool {
        self.draft.cseq == cseq
    }

    pub(super) const fn answer(&self) -> Option<&Response> {
        self.answer.as_ref()
    }

    pub(super) const fn session(&self) -> SessionIdentifier {
        self.draft.session
    }

    pub(super) fn keep_ack(&mut self, dialog: DialogId, ack: Bytes) {
        self.acks.push((dialog, ack));
    }

    const fn stop_timers(&mut self) {
        self.no_answer_at = None;
        self.broken_until = None;
    }
}

impl UserAgent {
    pub(super) fn invite(
        &mut self,
        now: Instant,
        target: &str,
        sdp: Option<Bytes>,
        occasion: Occasion,
    ) -> Result<CallId, CallError> {
        let (uri, hop) = self.callable(target)?;
        let targets = Targets::new(uri.clone(), self.config.redirections);
        let session = occasion.session.unwrap_or_else(|| Uuid::new(&mut *self.entropy));
        let draft = Draft {
            to: uri.clone(),
            uri,
            proxy: None,
            call_id: entropy::token(&mut *self.entropy, 120).into(),
            tag: entropy::token(&mut *self.entropy, 80).into(),
            cseq: 1,
            session: SessionIdentifier::new(session),
            terms: Terms::of(&self.config),
            sdp,
            occasion,
            fields: core::mem::take(&mut self.adding),
            presentation: self.presenting.take(),
        };
        let presentation = draft.presentation.clone();
        let mut attempt = Attempt::default();
        let request = self.write_invite(hop, &draft, &mut attempt).ok_or(CallError::TooLarge)?;
        let client = self.layer.send_request(now, &request, hop).ok_or(CallError::TooManyCalls)?;
        let remote = Identity::of(&request.to());
        let id = self.insert_call(Call {
            remote,
            direction: Direction::Outgoing(Box::new(Outgoing {
                draft,
                attempt,
                targets,
                request,
                client: Some(client),
                early: Vec::new(),
                lost: Vec::new(),
                answer: None,
                rang: false,
                no_answer_at: Some(now + self.config.no_answer),
                broken_until: None,
                unsent: false,
                asked: None,
                acks: Vec::new(),
                acks_until: None,
                late_until: None,
            })),
            usage: None,
            way: self.way_over(Some(hop)),
            parting: Fields::new(),
            presentation,
            told_session: SessionIdentifier::default(),
            ended: false,
            released: false,
        });
        self.purposes.insert(client, Purpose::Invite(id));
        self.settle(now);
        Ok(id)
    }

    fn callable(&self, target: &str) -> Result<(SmolStr, Hop), CallError> {
        if self.is_shutting_down() {
            return Err(CallError::ShutDown);
        }
        let uri = target::parse(target, self.config.aor.domain()).ok_or(CallError::InvalidTarget)?;
        let hop = self.flow().ok_or(CallError::Offline)?;
        if !hop.may_carry(&uri) {
            return Err(CallError::Insecure);
        }
        if self.is_full() {
            return Err(CallError::TooManyCalls);
        }
        Ok((uri, hop))
    }

    /// Cancels (§9.1). A 2xx that comes all the same gets ACK and BYE.
    pub(super) fn give_up(&mut self, now: Instant, id: CallId, end: End) {
        self.end(id, end);
        let Some(call) = self.calls.get_mut(&id) else { return };
        // A flow that is lost now takes the CANCEL with it.
        let parting = call.parting.clone();
        let Some(out) = call.outgoing() else { return };
        out.stop_timers();
        match out.client {
            // The CANCEL's own answer says nothing that the INVITE's does not.
            Some(client) => drop(self.layer.cancel_with(now, client, parting)),
            None if out.unsent || out.asked.is_some() => self.release(id),
            None => {
                let request = out.request.clone();
                self.release(id);
                self.say_last(Last::Cancel(request, parting), id, false);
            }
        }
    }

    /// INVITE with credentials for what has challenged before (§13.2.1). `None` if it does not fit a message.
    fn write_invite(&mut self, hop: Hop, draft: &Draft, attempt: &mut Attempt) -> Option<Request> {
        let via = self.local.via(hop, &mut *self.entropy);
        let mut routes = self.routes(hop);
        routes.extend(draft.proxy.clone());
        let outside = Outside {
            method: &Method::Invite,
            uri: &draft.uri,
            via: &via,
            to: &draft.to,
            from_tag: &draft.tag,
            call_id: &draft.call_id,
            cseq: draft.cseq,
            routes: &routes,
            anonymous: draft.occasion.anonymous,
            session: draft.session,
        };
        let presentation = draft.presentation.as_deref();
        let contact = self.local.contact(hop, draft.occasion.anonymous, contact_of(presentation));
        let name = presentation.map(|presentation| presentation.from(&self.config));
        let writer = outside
            .begin_as(&self.config, name.as_deref())
            .header(HeaderName::Contact, contact)
            .header(HeaderName::Allow, &self.local.allow)
            .header(HeaderName::Supported, &self.local.supported)
            .header(HeaderName::Accept, bodies::SDP_ACCEPT)
            // RFC 6086 §5.2.3: "even if the sender is not willing to receive".
            .header(HeaderName::RecvInfo, self.config.recv_info())
            .header(HeaderName::UserAgent, &self.config.user_agent);
        let writer = self.config.write_allow_events(writer);
        let writer = match self.config.reliable_required {
            true => writer.header(HeaderName::Require, reliable::TAG),
            false => writer,
        };
        let writer = match &draft.occasion.replaces {
            // Who does not know it would ring for a call of its own.
            Some(replaces) => {
                writer.header(HeaderName::Replaces, replaces).header(HeaderName::Require, "replaces")
            }
            None => writer,
        };
        let writer = match &draft.occasion.joins {
            Some(joins) => {
                writer.header(HeaderName::Join, joins.tags()).header(HeaderName::Require, join::TAG)
            }
            None => writer,
        };
        let writer = match &draft.occasion.referred_by {
            Some(value) => writer.header(HeaderName::ReferredBy, value),
            None => writer,
        };
        let writer = match &draft.occasion.about {
            // RFC 4538 §3: who does not know it would refuse for another reason.
            Some(dialog) => writer
                .header(HeaderName::TargetDialog, dialog)
                .header(HeaderName::Require, target_dialog::TAG),
            None => writer,
        };
        let writer = match draft.occasion.anonymous {
            true => self.config.write_privacy(writer, &draft.fields),
            false => writer,
        };
        let writer = draft.terms.write(writer, None).fields(&draft.fields);
        let body = draft.sdp.as_deref().unwrap_or_default();
        let writer = self.authorize(writer, attempt, &Method::Invite, &draft.uri, body);
        let message = match &draft.sdp {
            Some(sdp) => writer.body(SDP, sdp),
            None => writer.finish(),
        };
        Request::parse(message).ok()
    }

    /// The call cannot be; nothing needs to be said to the other side.
    fn fail(&mut self, id: CallId, failure: Failure) {
        if let Some(out) = self.calls.get_mut(&id).and_then(Call::outgoing) {
            out.stop_timers();
        }
        self.end(id, End::Failed(failure));
        self.release(id);
    }

    /// Nobody answered the INVITE, or a cancelled one's end never came.
    pub(super) fn invite_timed_out(&mut self, id: CallId) {
        if let Some(out) = self.calls.get_mut(&id).and_then(Call::outgoing) {
            out.client = None;
        }
        self.fail(id, Failure::of(Cause::Timeout));
    }

    /// The flow is gone. The INVITE is repeated over the next one, under its old branch: who has it already
    /// answers again (RFC 6026 §7.1).
    pub(super) fn invite_flow_lost(&mut self, now: Instant, id: CallId, client: ClientId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let ended = call.ended;
        let parting = core::mem::take(&mut call.parting);
        let Some(out) = call.outgoing().filter(|out| out.client == Some(client)) else { return };
        out.client = None;
        if ended {
            let request = out.request.clone();
            self.release(id);
            self.say_last(Last::Cancel(request, parting), id, false);
        } else if out.broken_until.is_none() {
            out.broken_until = Some(now + self.timers.t1 * 64);
        }
    }

    /// The CANCEL of an INVITE that has lost its transaction is out.
    pub(super) fn canceled_late(&mut self, now: Instant, branch: Option<&str>) {
        let until = now + self.timers.t1 * 64;
        for out in self.calls.values_mut().filter_map(Call::outgoing) {
            if out.client.is_none() && out.branch() == branch {
                out.late_until = Some(until);
            }
        }
    }

    /// A 2xx that no transaction knows: of an INVITE that was given up while its flow was down, it gets ACK and BYE
    /// (§13.2.2.4). `false`: it is of none.
    pub(super) fn succeeded_late(&mut self, now: Instant, response: &Response) -> bool {
        let given_up = |call: &mut Call| {
            let ended = call.ended;
            call.outgoing().is_some_and(|out| ended && out.client.is_none() && out.is_answered_by(response))
        };
        let found = self.calls.iter_mut().find_map(|(id, call)| given_up(call).then_some(id));
        if let Some(id) = found {
            self.accepted(now, id, response);
        }
        found.is_some()
    }

    /// Timer M, or a refusal was acknowledged: no 2xx comes any more (RFC 6026 §7.2).
    pub(super) fn invite_terminated(&mut self, id: CallId, client: ClientId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Some(out) = call.outgoing().filter(|out| out.client == Some(client)) {
            out.client = None;
            out.acks_until = None;
            call.settle();
        }
    }

    /// The new flow is registered: repeats what the old one may have lost.
    pub(super) fn resume_outgoing(&mut self, now: Instant, hop: Hop) {
        let mut acks = Vec::new();
        let mut unsent = Vec::new();
        for (id, call) in self.calls.iter_mut() {
            let (ended, answered) = (call.ended, call.usage.is_some());
            let Some(out) = call.outgoing() else { continue };
            if out.acks_until.is_some_and(|until| now < until) {
                acks.extend(out.acks.iter().map(|(_, ack)| (id, ack.clone())));
            }
            if ended || answered || out.client.is_some() || out.broken_until.is_none() {
                continue;
            }
            if out.unsent {
                unsent.push(id);
                continue;
            }
            if !hop.may_carry(out.request.uri()) {
                continue;
            }
            out.client = self.layer.send_request(now, &out.request, hop);
            if let Some(client) = out.client {
                self.purposes.insert(client, Purpose::Invite(id));
            }
        }
        for (id, ack) in acks {
            self.transmit_in(id, ack);
        }
        for id in unsent {
            self.send_unsent(now, id);
        }
    }

    /// An INVITE that could not go out when its turn had come.
    fn send_unsent(&mut self, now: Instant, id: CallId) {
        let Some(mut call) = self.calls.remove(&id) else { return };
        let sent = match &mut call.direction {
            Direction::Outgoing(out) => self.send_invite_again(now, id, out),
            Direction::Incoming(_) | Direction::Standing { .. } => Ok(()),
        };
        self.calls.insert(id, call);
        if let Err(failure) = sent {
            self.fail(id, failure);
        }
    }

    pub(super) fn outgoing_timeout(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(out) = call.outgoing() else { return };
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(out.acks_until) {
            out.acks_until = None;
            call.settle();
        }
        let Some(out) = call.outgoing() else { return };
        if due(out.late_until) {
            out.late_until = None;
        }
        if due(out.broken_until) {
            self.give_up(now, id, End::Failed(Failure::of(Cause::FlowLost)));
        } else if due(out.no_answer_at) {
            self.give_up(now, id, End::Failed(Failure::of(Cause::NoAnswer)));
        }
    }
}
