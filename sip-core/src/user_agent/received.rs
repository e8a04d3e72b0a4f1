//! Requests we receive: outside dialogs and in them (RFC 3261 §8.2, §12.2.2, §14.2, §15.1.2).

use smol_str::{SmolStr, ToSmolStr};

use super::call::Call;
use super::checks::{self, Refusal};
use super::failure::reasons;
use super::{CallId, CallState, End, Event, Side, UserAgent, bodies, body_text};
use crate::dialog::DialogId;
use crate::entropy;
use crate::message::typed::InfoPackage;
use crate::message::{HeaderName, Method, Request, reason_phrase};
use crate::time::Instant;
use crate::transaction::{Received, ServerId};
use crate::transport::Hop;

impl UserAgent {
    pub(super) fn receive_request(&mut self, now: Instant, request: &Request, from: Hop) {
        match self.layer.receive_request(now, request, from) {
            Received::Absorbed => self.heard_again(request),
            Received::AckToSuccess => self.receive_ack(now, request),
            Received::Cancel { cancel, invite } => self.receive_cancel(now, request, cancel, invite),
            Received::New(server) => {
                let outcome = match DialogId::of_request(request) {
                    _ if self.is_too_large(request) => Err(Refusal::of(413)),
                    Some(dialog) => self.in_dialog(now, server, request, &dialog),
                    None => self.outside(now, server, request),
                };
                if let Err(refusal) = outcome {
                    self.refuse_request(now, server, request, &refusal);
                }
            }
            Received::Full => {
                let tag = entropy::token(&mut *self.entropy, 80);
                let response = self
                    .response(request, 503, reason_phrase(503), Some(&tag))
                    .header(HeaderName::RetryAfter, 5)
                    .finish();
                self.transmit_to(from, response);
            }
        }
    }

    /// Above what the configuration takes (§21.4.11).
    fn is_too_large(&self, request: &Request) -> bool {
        *request.method() != Method::Bye && request.body().len() > self.config.body_bytes
    }

    fn receive_ack(&mut self, now: Instant, ack: &Request) {
        if let Some(call) = DialogId::of_request(ack).and_then(|dialog| self.call_of(&dialog)) {
            // One that acknowledges nothing says nothing. One that comes again says it again.
            if let Some(usage) = DialogId::of_request(ack).and_then(|dialog| self.usage_mut(call, &dialog))
                && usage.accepted == Some(ack.cseq().number)
            {
                usage.dialog.hear_session(ack.headers());
            }
            self.acknowledged(now, call, ack);
        }
    }

    /// §9.2: the CANCEL is answered 200 whatever becomes of the INVITE, with the To tag of its answers.
    fn receive_cancel(&mut self, now: Instant, cancel: &Request, server: ServerId, invite: Option<ServerId>) {
        match invite {
            None => self.refuse_request(now, server, cancel, &Refusal::of(481)),
            Some(invite) => {
                let invite = self.repeats.first(invite);
                let tag =
                    self.tag_in(invite).unwrap_or_else(|| entropy::token(&mut *self.entropy, 80).into());
                let response = self.response(cancel, 200, reason_phrase(200), Some(&tag));
                let response = response.header(HeaderName::Server, &self.config.user_agent).finish();
                self.layer.respond(now, server, 200, response);
                self.cancelled(now, cancel, invite);
            }
        }
    }

    /// The To tag of our answers to an INVITE.
    fn tag_in(&mut self, invite: ServerId) -> Option<SmolStr> {
        let mut calls = self.calls.values_mut().filter_map(Call::incoming);
        calls.find(|incoming| incoming.server == Some(invite)).map(|incoming| incoming.tag.clone())
    }

    fn outside(&mut self, now: Instant, server: ServerId, request: &Request) -> Result<(), Refusal> {
        // These make no sense without a dialog (§15.1.2, RFC 3311 §5.2, RFC 6086 §4.2.2).
        if matches!(request.method(), Method::Bye | Method::Info | Method::Prack | Method::Update) {
            return Err(Refusal::of(481));
        }
        if *request.method() == Method::Notify {
            return self.told_unasked(now, server, request);
        }
        if self.is_about_no_refer(request) {
            return Err(Refusal::of(403));
        }
        if *request.method() == Method::Subscribe && !self.config.event_packages.is_empty() {
            self.known_package(request)?;
        }
        checks::validate(request, &self.local)?;
        checks::addressee(request, &self.local, &self.config.aor)?;
        // §8.2.2.2: it was forked on its way, and came twice.
        if self.ongoing.is_merged(server, request) {
            return Err(Refusal::with_reason(482, "Merged Request"));
        }
        match request.method() {
            Method::Invite => self.invited(now, server, request),
            // §11.2: "the same that would have been chosen had the request been an INVITE"
            Method::Options if self.is_full() => Err(Refusal::of(486)),
            Method::Options => {
                self.tell_capabilities(now, server, request);
                Ok(())
            }
            Method::Message => self.messaged(now, server, request, None),
            Method::Subscribe => self.subscribed(now, server, request),
            Method::Refer if self.config.referrals => self.referred_outside(now, server, request),
            other => Err(Refusal::of_method(other, &self.local)),
        }
    }

    fn in_dialog(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        dialog: &DialogId,
    ) -> Result<(), Refusal> {
        let call = self.call_of(dialog);
        if let Some(incoming) = call.and_then(|id| self.calls.get_mut(&id)?.incoming()) {
            incoming.lost_until = None;
        }
        if self.came_again(now, server, request, dialog)? {
            return Ok(());
        }
        let Some(id) = call else {
            // Both sides hang up at once.
            if *request.method() == Method::Bye && self.is_leaving(dialog) {
                self.respond(now, server, request, 200, &[]);
                return Ok(());
            }
            return match request.method() {
                Method::Notify => self.notified(now, server, request, dialog, false),
                Method::Subscribe => self.resubscribed(now, server, request, dialog),
                Method::Prack => self.pracked_late(now, server, request, dialog),
                _ => Err(Refusal::of(481)),
            };
        };
        let Some(call) = self.calls.get_mut(&id) else { return Err(Refusal::of(481)) };
        let state = call.state();
        if let Some(usage) = call.usages_mut().find(|usage| usage.is(dialog)) {
            usage.dialog.check_sequence(request).map_err(|_| out_of_order())?;
        }
        if *request.method() == Method::Bye {
            // §8.2.2.3. Whatever else is wrong with it, they have hung up.
            checks::validate(request, &self.local).or_else(|refusal| match refusal.status {
                420 => Err(refusal),
                _ => Ok(()),
            })?;
            self.respond(now, server, request, 200, &[]);
            self.hung_up(now, id, request);
            return Ok(());
        }
        if state == CallState::Ended {
            if *request.method() == Method::Notify {
                // What is told of a REFER outlives the call (RFC 5057 §4.1).
                return self.notified(now, server, request, dialog, true);
            }
            if *request.method() == Method::Prack {
                return self.pracked_late(now, server, request, dialog);
            }
            return Err(Refusal::of(481));
        }
        self.in_call(now, server, request, id, dialog)
    }

    /// Anything but BYE in a call that has not ended.
    fn in_call(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        id: CallId,
        dialog: &DialogId,
    ) -> Result<(), Refusal> {
        match request.method() {
            Method::Options => {
                checks::validate(request, &self.local)?;
                self.tell_capabilities(now, server, request);
            }
            Method::Info => {
                self.informed(now, server, request, id)?;
            }
            Method::Message => {
                checks::validate(request, &self.local)?;
                self.messaged(now, server, request, Some(id))?;
            }
            Method::Notify => {
                if let Some(dialog) = DialogId::of_request(request) {
                    self.notified(now, server, request, &dialog, true)?;
                }
            }
            Method::Invite => self.reinvited(now, server, request, id, dialog)?,
            Method::Prack => self.pracked(now, server, request, id, dialog)?,
            Method::Update => self.updated(now, server, request, id, dialog)?,
            Method::Refer if self.config.referrals => self.referred(now, server, request, id, dialog)?,
            Method::Subscribe if self.watchers.values().any(|found| found.machine.id() == dialog) => {
                self.resubscribed(now, server, request, dialog)?;
            }
            Method::Subscribe if self.is_about_no_refer(request) => return Err(Refusal::of(403)),
            other => return Err(Refusal::of_method(other, &self.local)),
        }
        Ok(())
    }

    /// 200 to OPTIONS (§11.2).
    fn tell_capabilities(&mut self, now: Instant, server: ServerId, request: &Request) {
        let mut fields = checks::capabilities(&self.config, &self.local);
        if let Some(hop) = self.layer.server_hop(server).filter(|_| !self.local.features.is_empty()) {
            fields.push((HeaderName::Contact, self.local.contact(hop, false, "").into()));
        }
        self.respond(now, server, request, 200, &fields);
    }

    /// RFC 6086. Without a package it brings keys pressed; an empty one asks whether we are there.
    fn informed(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        id: CallId,
    ) -> Result<(), Refusal> {
        if request.headers().has(HeaderName::InfoPackage) {
            return self.informed_of_package(now, server, request, id);
        }
        checks::validate(request, &self.local)?;
        let content = bodies::content(request, &self.local)?;
        self.respond(now, server, request, 200, &[]);
        if let Some(bodies::Found { content_type, body }) = content {
            self.event(Event::Info { call: id, content_type, body: body_text(body) });
        }
        Ok(())
    }

    /// An INFO of a package (RFC 6086 §4.2.2). Which bodies it may have the package says, and its application knows.
    fn informed_of_package(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        call: CallId,
    ) -> Result<(), Refusal> {
        let info = request.headers().typed::<InfoPackage<'_>>();
        let info = info.map_err(|_| Refusal::with_reason(400, "Bad Info-Package"))?;
        let wanted =
            info.filter(|info| self.config.info_packages.iter().any(|wanted| wanted == info.package));
        let Some(info) = wanted else {
            return Err(Refusal::of(469).with(HeaderName::RecvInfo, self.config.recv_info()));
        };
        let content = self.any_body(request, None)?;
        self.respond(now, server, request, 200, &[]);
        let request = request.clone();
        self.event(Event::InfoPackage { call, package: info.to_smolstr(), content, request });
        Ok(())
    }

    /// BYE (§15.1.2).
    fn hung_up(&mut self, now: Instant, id: CallId, bye: &Request) {
        let reason = reasons(bye.headers());
        self.left_by_caller(now, id, reason.clone());
        let answered = self.calls.get(&id).is_some_and(|call| call.state() == CallState::Established);
        if answered || self.calls.get(&id).is_some_and(|call| call.ended) {
            self.end(id, End::Hangup { by: Side::Remote, reason });
            self.release(id);
        }
    }

    /// Answers for good, or with what the status says.
    pub(super) fn respond(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        status: u16,
        headers: &[(HeaderName, SmolStr)],
    ) {
        self.respond_with(now, server, request, status, reason_phrase(status), headers);
    }

    pub(super) fn refuse_request(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        refusal: &Refusal,
    ) {
        self.respond_with(now, server, request, refusal.status, &refusal.reason, &refusal.headers);
    }

    fn respond_with(
        &mut self,
        now: Instant,
        server: ServerId,
        request: &Request,
        status: u16,
        reason: &str,
        headers: &[(HeaderName, SmolStr)],
    ) {
        let tag = entropy::token(&mut *self.entropy, 80);
        let mut writer = self.response(request, status, reason, Some(&tag));
        for (name, value) in headers {
            writer = writer.header(*name, value);
        }
        let fields = core::mem::take(&mut self.adding);
        let response = writer.header(HeaderName::Server, &self.config.user_agent).fields(&fields).finish();
        self.reply(now, server, status, response);
    }
}

/// §12.2.2.
const fn out_of_order() -> Refusal {
    Refusal::with_reason(500, "CSeq Out of Order")
}
