//! Calls outlive their flows: which flow a call's requests take, and whether the other side still knows of it after
//! one was lost.

use alloc::vec::Vec;

use super::call::{Call, Direction, Wish};
use super::incoming::Phase;
use super::{CallId, CallState, CommandError, UserAgent};
use crate::message::{Method, Request, Writer, reason_phrase};
use crate::time::Instant;
use crate::transaction::ServerId;
use crate::transport::Hop;

/// How a call's requests reach the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// The flow it began over, or went on over when that was lost.
    slot: usize,
    /// The flow was lost, and nothing has been heard in the dialog since.
    in_doubt: bool,
}

impl Way {
    pub(super) const fn over(slot: usize) -> Self {
        Self { slot, in_doubt: false }
    }

    pub(super) const fn slot(self) -> usize {
        self.slot
    }
}

impl Call {
    /// Whether this INVITE of theirs is one of the call's: the one that made it, or a re-INVITE.
    fn answers_in(&self, server: ServerId) -> bool {
        let initial = match &self.direction {
            Direction::Incoming(incoming) => incoming.server == Some(server),
            Direction::Outgoing(_) | Direction::Standing { .. } => false,
        };
        initial
            || self.usages().any(|usage| {
                let answered = usage.unacknowledged.as_ref().and_then(|answered| answered.server);
                answered == Some(server) || usage.was_asked_by(server)
            })
    }
}

impl UserAgent {
    /// The way of a call that begins over this connection.
    pub(super) fn way_over(&self, hop: Option<Hop>) -> Way {
        Way::over(hop.and_then(|hop| self.slot_of(hop.flow)).unwrap_or_default())
    }

    /// Where the next request of a call goes: over the flow it uses, or another registered one after that was lost
    /// (RFC 5626 §4.3, §4.5).
    pub(super) fn hop_of(&self, call: CallId) -> Option<Hop> {
        let way = self.calls.get(&call).map(|call| call.way);
        way.and_then(|way| self.ready_in(way.slot)).or_else(|| self.ready())
    }

    /// The flow of an unanswered call is gone. Whoever forwarded the INVITE may have given it up, and may not: it rings on
    /// for as long as a request may stay without an answer, and longer if the caller is heard meanwhile.
    pub(super) fn offer_flow_lost(&mut self, now: Instant, server: ServerId) {
        let until = now + self.timers.t1 * 64;
        let incoming = self.calls.values_mut().filter_map(Call::incoming);
        for incoming in incoming.filter(|incoming| incoming.server == Some(server)) {
            if matches!(incoming.phase, Phase::Offered { .. }) {
                incoming.lost_until.get_or_insert(until);
            }
        }
    }

    /// A flow is registered: the latest answers to INVITEs that came over one that was lost go out over it. A call that
    /// rings answers by the way to the server its INVITE came over, which alone knows of it; one that stands by any.
    pub(super) fn resume_incoming(&mut self) {
        for server in self.layer.stranded() {
            let found = self.calls.iter().find(|(_, call)| call.answers_in(server));
            let hop = match found {
                Some((_, call)) if call.is_unanswered() => self.ready_in(call.way.slot),
                Some((id, _)) => self.hop_of(id),
                // It was refused meanwhile. Which of several ways it came is forgotten with the call.
                None => self.ready().filter(|_| self.flows.len() == 1),
            };
            if let Some(hop) = hop {
                self.layer.set_server_hop(server, hop);
            }
        }
    }

    /// An INVITE comes again under its branch: whoever forwarded it has not given it up.
    pub(super) fn heard_again(&mut self, request: &Request) {
        if *request.method() == Method::Invite
            && let Some(id) = self.rings_for(request)
            && let Some(incoming) = self.calls.get_mut(&id).and_then(Call::incoming)
        {
            incoming.lost_until = None;
        }
    }

    /// The call that rings for this very INVITE and has lost its flow, with nothing heard of it since.
    fn rings_for(&mut self, request: &Request) -> Option<CallId> {
        let is_this = |call: &mut Call| {
            call.incoming().is_some_and(|incoming| {
                let known = &incoming.request;
                matches!(incoming.phase, Phase::Offered { .. })
                    && incoming.lost_until.is_some()
                    && (known.call_id(), known.from_tag(), known.cseq().number)
                        == (request.call_id(), request.from_tag(), request.cseq().number)
            })
        };
        self.calls.iter_mut().find_map(|(id, call)| is_this(call).then_some(id))
    }

    /// An INVITE that comes again with another branch, through a proxy that tries another flow or was restarted, while
    /// ours rings, has lost its flow and was not heard of since: it rings on, and is answered there.
    pub(super) fn rings_again(&mut self, now: Instant, server: ServerId, request: &Request) -> bool {
        let Some(id) = self.rings_for(request) else { return false };
        // What waits for its PRACK is an answer to the old one.
        if self
            .calls
            .get_mut(&id)
            .and_then(Call::incoming)
            .is_none_or(|incoming| !incoming.reliable.is_idle())
        {
            return false;
        }
        let way = self.way_over(self.layer.server_hop(server));
        let Some(call) = self.calls.get_mut(&id) else { return false };
        call.way = way;
        if let Some(usage) = &mut call.usage {
            usage.dialog.repeated(request);
        }
        let session = call.session();
        let Some(incoming) = call.incoming() else { return false };
        let old = incoming.server.replace(server);
        let before = core::mem::replace(&mut incoming.request, request.clone());
        incoming.lost_until = None;
        let ringing = matches!(incoming.phase, Phase::Offered { ringing: true, .. });
        let trying = session.write(Writer::response(request, 100, reason_phrase(100), None)).finish();
        self.layer.respond(now, server, 100, trying);
        if let Some(old) = old {
            self.respond(now, old, &before, 480, &[]);
        }
        if ringing {
            // There was room for it before.
            let _ = self.provisional(now, id, 180, None);
        }
        true
    }

    /// A flow is lost: the calls that use it are in doubt.
    pub(super) fn doubt_calls(&mut self, slot: usize) {
        for call in self.calls.values_mut().filter(|call| call.way.slot == slot && !call.ended) {
            call.way.in_doubt = true;
        }
    }

    /// There is a registered flow again: asks in each dialog that was in doubt, by UPDATE or re-INVITE, whether the
    /// other side still knows it. 481, 408 and silence end the call (RFC 3261 §12.2.1.2), any other answer does not.
    /// What is on its way in the dialog, or waits for its ACK, asks as well; where our user is asked it waits for them.
    pub(super) fn probe_calls(&mut self, now: Instant) {
        let in_doubt = |call: &Call| call.way.in_doubt && call.state() == CallState::Established;
        let doubted: Vec<CallId> =
            self.calls.iter().filter(|(_, call)| in_doubt(call)).map(|(id, _)| id).collect();
        for id in doubted {
            let Some(hop) = self.hop_of(id) else { continue };
            let slot = self.slot_of(hop.flow);
            let Some(call) = self.calls.get_mut(&id) else { continue };
            call.way = Way::over(slot.unwrap_or(call.way.slot));
            if call.awaits_ack() {
                continue;
            }
            let Some(usage) = &mut call.usage else { continue };
            if usage.asked.is_some() {
                // The other side wants to know something of us, and may have gone since.
                usage.next.get_or_insert(Wish::Refresh);
            }
            if !usage.is_free() {
                continue;
            }
            let dialog = usage.dialog.id().clone();
            let asked = self.begin_change(now, id, &dialog, Wish::Refresh);
            if let (Err(CommandError::Offline), Some(call)) = (asked, self.calls.get_mut(&id)) {
                // It is to go over TLS, and there is none.
                call.way.in_doubt = true;
            }
        }
    }
}
