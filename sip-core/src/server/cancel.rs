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
use crate::message::{HeaderName, Method, Uri};
use crate::registrar::Binding;
use crate::time::Instant;
use crate::transaction::ServerId;
use crate::transport::{FlowId, Hop, Transport};

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
        let pending = Pending::Whence { arrival, routes, invite: None };
        self.ask_or_refuse(now, self.soon(now), Question::Lookup { aor }, pending);
    }

    /// One for an INVITE that came over another connection, and not from a peer, nor by a flow that proved to be its sender. Of a phone on
    /// TCP that listens at its Contact it may be: such a phone opens connections as it likes (§12.2.1.1).
    pub(super) fn cancel_from_elsewhere(&mut self, now: Instant, arrival: Arrival) {
        let invite = self.layer.cancelled_by(&arrival.request);
        let first = invite.and_then(|invite| self.layer.server_hop(invite));
        let from = &arrival.from;
        let alike = first.is_some_and(|first| {
            first.transport == Transport::Tcp
                && from.transport == first.transport
                && first.remote.ip() == from.remote.ip()
        });
        // Whose INVITE it was, and not whose it says it is: others of that host have read its branch, perhaps.
        let aor = invite.filter(|_| alike).and_then(|invite| {
            match self.layer.server_origin(invite)?.from()?.parsed_uri()? {
                Uri::Sip(uri) => self.domain.aor(&uri, from.local.ip()),
                _ => None,
            }
        });
        let other = |aor: &SmolStr| arrival.identity.as_ref().is_some_and(|it| it.registration.aor != *aor);
        match aor.filter(|aor| !other(aor)) {
            Some(aor) => {
                let pending = Pending::Whence { arrival, routes: 0, invite };
                self.ask_or_refuse(now, self.soon(now), Question::Lookup { aor }, pending);
            }
            None => self.not_yours(&arrival),
        }
    }

    fn not_yours(&mut self, arrival: &Arrival) {
        self.counters.sender_mismatched += 1;
        self.reply_stateless(&arrival.request, arrival.from, Rule::NotYourInvite.into());
    }

    /// What that account has registered.
    pub(super) fn whence_known(
        &mut self,
        now: Instant,
        mut arrival: Arrival,
        routes: usize,
        invite: Option<ServerId>,
        bindings: &[Binding],
    ) {
        let mut there = bindings.iter().filter(|binding| binding.expires_at > now);
        let is_from = |hop: Hop| self.is_from(&arrival, &hop);
        let known = there.any(|binding| binding.opens(&arrival.from) || binding.hop.is_some_and(is_from));
        if let Some(invite) = invite {
            if !known {
                return self.not_yours(&arrival);
            }
            // Where its sender is, after a restart.
            if self.layer.server_hop(invite).is_some_and(|hop| hop.flow == FlowId::GONE) {
                self.layer.set_server_hop(invite, arrival.from);
            }
            let received = self.layer.receive_request(now, &arrival.request, arrival.from);
            return self.received(now, received, arrival);
        }
        if !known {
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
