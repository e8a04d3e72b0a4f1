//! CANCEL (§9.2, §16.10).
//!
//! One for which no INVITE is remembered, as after a restart, goes where its INVITE went: the branches of what is forwarded follow from
//! what came, so that the callees know it for theirs, and stop ringing. It is for all who may have been called, those included who
//! are on their way back. To others it is a CANCEL for nothing. (§16.10 has it forwarded statelessly. This is on the wire the same, but
//! that it is repeated over UDP, and that its sender hears one answer, the best.)

use alloc::vec::Vec;

use smol_str::SmolStr;

use super::peers::Standing;
use super::questions::{Arrival, Pending};
use super::reply::Reply;
use super::rule::Rule;
use super::{Question, Server};
use crate::message::{HeaderName, Method};
use crate::registrar::Binding;
use crate::time::Instant;
use crate::transaction::ServerId;
use crate::transport::Hop;

impl Server {
    /// `invite` is what it cancels.
    pub(super) fn cancel(
        &mut self,
        now: Instant,
        arrival: Arrival,
        cancel: ServerId,
        invite: Option<ServerId>,
    ) {
        let Some(invite) = invite else {
            self.counters.cancels_unknown += 1;
            return self.dispatch(now, arrival);
        };
        let request = &arrival.request;
        self.reply(now, cancel, request, Reply::new(200));
        // RFC 3326 §2: why it is cancelled is for the callees.
        let reasons: Vec<&str> = request.headers().all(HeaderName::Reason).collect();
        let reason = (!reasons.is_empty()).then(|| reasons.join(", "));
        let (proxy, mut turn) = self.turn(now);
        if proxy.cancel(&mut turn, invite, reason.as_deref()) {
            return;
        }
        // It has not been forwarded: something is still being found out about it, or it was answered.
        if let Some(pending) = self.questions.remove_of(invite)
            && let Some(arrival) = pending.arrival()
        {
            self.refuse(now, arrival, Reply::new(487));
        }
    }

    /// One that says it is of an account of ours, and that nobody can be asked to prove (§22.1): it must come from where that account is
    /// registered.
    pub(super) fn whence(&mut self, now: Instant, arrival: Arrival, routes: usize) {
        let Some(aor) = self.claimed_aor(&arrival) else {
            return self.refuse(now, &arrival, Rule::NothingToCancel.into());
        };
        let pending = Pending::Whence { arrival, routes };
        self.ask_or_refuse(now, self.soon(now), Question::Lookup { aor }, pending);
    }

    /// What that account has registered.
    pub(super) fn whence_known(
        &mut self,
        now: Instant,
        mut arrival: Arrival,
        routes: usize,
        bindings: &[Binding],
    ) {
        let mut there = bindings.iter().filter(|binding| binding.expires_at > now);
        let is_from = |hop: Hop| self.is_from(&arrival, &hop);
        if !there.any(|binding| binding.opens(&arrival.from) || binding.hop.is_some_and(is_from)) {
            return self.refuse(now, &arrival, Rule::NothingToCancel.into());
        }
        arrival.standing = Standing::Unasked;
        self.authorized(now, arrival, None::<SmolStr>, routes);
    }
}

impl Arrival {
    /// Whether it is a CANCEL for what is not remembered.
    pub(super) fn is_cancel(&self) -> bool {
        self.server.is_some() && *self.request.method() == Method::Cancel
    }
}
