//! Responses the server makes itself.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;

use super::rule::Rule;
use super::{Output, Server};
use crate::message::validate::Rejection;
use crate::message::{HeaderName, Method, Request, Writer, reason_phrase};
use crate::time::Instant;
use crate::transaction::ServerId;
use crate::transport::Hop;
use crate::{entropy, proxy, registrar};

/// Seconds after which a peer may try again when we are full or a callee is away.
const RETRY_AFTER: u32 = 5;

/// A response to be.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    reason: Cow<'static, str>,
    fields: Vec<(HeaderName, Cow<'static, str>)>,
    /// What to change, where there is something.
    advice: Cow<'static, str>,
    /// The code of its Warning (§20.43).
    warning: u16,
}

impl Reply {
    /// With the usual reason phrase: one that is no refusal. Refusals are of a [`Rule`] or come with their advice.
    pub(super) const fn new(status: u16) -> Self {
        let reply = Self::because(status, reason_phrase(status), "");
        debug_assert!(!reply.explains(), "a refusal has a rule");
        reply
    }

    const fn because(status: u16, reason: &'static str, advice: &'static str) -> Self {
        let (reason, advice) = (Cow::Borrowed(reason), Cow::Borrowed(advice));
        // 399: for people.
        Self { status, reason, fields: Vec::new(), advice, warning: 399 }
    }

    /// With a reason phrase made for the occasion.
    pub(super) fn saying(mut self, reason: String) -> Self {
        self.reason = reason.into();
        self
    }

    pub(super) fn with(mut self, name: HeaderName, value: impl Into<Cow<'static, str>>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// What whoever reads of it may change.
    pub(super) fn advising(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.advice = advice.into();
        self
    }

    /// Whether it is a refusal that is explained: a challenge, a redirection and the end of what was cancelled are none.
    const fn explains(&self) -> bool {
        self.status >= 400 && !matches!(self.status, 401 | 407 | 487)
    }

    /// With Retry-After.
    fn later(self) -> Self {
        self.with(HeaderName::RetryAfter, RETRY_AFTER.to_string())
    }

    fn refusal(
        status: u16,
        reason: String,
        advice: &'static str,
        field: Option<(HeaderName, String)>,
    ) -> Self {
        let reply = Self::because(status, "", advice).saying(reason);
        match field {
            Some((name, value)) => reply.with(name, value),
            None => reply,
        }
    }
}

impl From<Rule> for Reply {
    fn from(rule: Rule) -> Self {
        let warning = rule.warning();
        let reply = Self { warning, ..Self::because(rule.status(), rule.reason(), rule.advice()) };
        if rule.is_passing() { reply.later() } else { reply }
    }
}

impl From<proxy::Refusal> for Reply {
    fn from(refusal: proxy::Refusal) -> Self {
        Self::refusal(refusal.status(), refusal.to_string(), refusal.advice(), refusal.field())
    }
}

impl From<Rejection> for Reply {
    fn from(rejection: Rejection) -> Self {
        Self::refusal(rejection.status, rejection.to_string(), rejection.defect.advice(), rejection.field)
    }
}

impl From<registrar::Refusal> for Reply {
    fn from(refusal: registrar::Refusal) -> Self {
        Self::refusal(refusal.status(), refusal.to_string(), refusal.advice(), refusal.field())
    }
}

impl From<registrar::UpdateError> for Reply {
    fn from(error: registrar::UpdateError) -> Self {
        let reply = Self::refusal(error.status(), error.to_string(), error.advice(), None);
        if error.status() == 503 { reply.later() } else { reply }
    }
}

impl Server {
    /// Answers a request in its transaction.
    pub(super) fn reply(&mut self, now: Instant, server: ServerId, request: &Request, reply: Reply) {
        let status = reply.status;
        let response = self.response(server, request, reply);
        self.layer.respond(now, server, status, response);
    }

    /// Refuses an INVITE whose sender may be forged.
    pub(super) fn reply_once(&mut self, now: Instant, server: ServerId, request: &Request, reply: Reply) {
        let response = self.response(server, request, reply);
        self.layer.refuse_once(now, server, response);
    }

    fn response(&mut self, server: ServerId, request: &Request, reply: Reply) -> Bytes {
        self.count(reply.status);
        let tag = self.fresh_tag();
        self.tell_refusal(self.layer.server_hop(server), request, &reply, &tag);
        self.write(request, reply, tag).finish()
    }

    /// Answers a request that has no transaction.
    pub(super) fn reply_stateless(&mut self, request: &Request, to: Hop, reply: Reply) {
        if *request.method() == Method::Ack {
            return;
        }
        self.count(reply.status);
        let tag = proxy::stateless_tag(request, &self.tokens);
        self.tell_refusal(Some(to), request, &reply, &tag);
        let message = self.write(request, reply, tag).finish();
        self.transmit(to, message);
    }

    pub(super) fn fresh_tag(&mut self) -> String {
        entropy::token(&mut *self.entropy, 80)
    }

    pub(super) const fn count(&mut self, status: u16) {
        let counters = &mut self.counters;
        match status {
            100..=199 => counters.answered_1xx += 1,
            200..=299 => counters.answered_2xx += 1,
            401 | 407 => counters.challenged += 1,
            500..=599 => counters.refused_5xx += 1,
            _ => counters.refused_4xx += 1,
        }
    }

    /// For the log, which an operator searches for the trace that a user read out.
    fn tell_refusal(&mut self, peer: Option<Hop>, request: &Request, reply: &Reply, tag: &str) {
        let Some(peer) = peer.filter(|_| reply.explains()) else { return };
        let refused = Output::Refused {
            peer,
            trace: proxy::trace(tag).into(),
            status: reply.status,
            reason: explanation(reply),
            method: request.method().clone(),
            call_id: request.call_id().into(),
        };
        self.emit(refused);
    }

    fn write(&self, request: &Request, reply: Reply, tag: String) -> Writer {
        let explain = || proxy::warning(reply.warning, &self.config.domain, &explanation(&reply), &tag);
        let warning = reply.explains().then(explain);
        let tag = (reply.status != 100).then_some(tag);
        let mut writer = Writer::response(request, reply.status, &reply.reason, tag.as_deref());
        for (name, value) in reply.fields {
            writer = writer.header(name, value);
        }
        if let Some(warning) = warning {
            writer = writer.header(HeaderName::Warning, warning);
        }
        match &self.config.server {
            Some(name) => writer.header(HeaderName::Server, name),
            None => writer,
        }
    }
}

fn explanation(reply: &Reply) -> String {
    match &*reply.advice {
        "" => reply.reason.clone().into_owned(),
        advice => format!("{}: {advice}", reply.reason),
    }
}
