//! REFER sent (RFC 3515, RFC 5589), in a call to transfer it or outside, and what is heard of it. Whatever comes of it, the
//! call is as it was; whoever transferred it hangs up.

use alloc::format;
use alloc::string::String;

use smol_str::SmolStr;

use super::replaces::Replacement;
use super::requests::{Errand, Outcome, Place, Whose};
use super::subscriptions::Subscription;
use super::{
    CallId, CallState, Cause, Event, Failure, RequestError, SubscriptionId, UserAgent, failure, target,
    target_dialog,
};
use crate::body::Content;
use crate::body::sipfrag::SipFrag;
use crate::dialog::{Dialog, DialogId};
use crate::events::{Ending, Source, Subscriber, Verdict};
use crate::limits;
use crate::message::typed::ReferSub;
use crate::message::{HeaderName, Method, SessionIdentifier, escape_header};
use crate::time::Instant;

/// Names a REFER of one user agent. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId(pub(super) SubscriptionId);

/// What became of a transfer we asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferUpdate {
    /// The other side will try.
    Accepted,
    /// It tells how far its call has come.
    Progress {
        /// 100–199.
        status: u16,
        /// The reason phrase.
        reason: SmolStr,
    },
    /// It is over. The last one.
    Ended(TransferEnd),
}

/// How a transfer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferEnd {
    /// The other side has its new call: ours can be hung up.
    Done,
    /// The other side refused, or its call failed with this status.
    Failed(Failure),
    /// The other side tried and does not tell more (RFC 4488, or its subscription ended early).
    Unknown,
}

/// The transfer that a subscription is about.
#[derive(Debug)]
pub(super) struct Transfer {
    /// The call that is transferred.
    pub(super) call: Option<CallId>,
    /// The dialog the REFER was sent in, the call's; or what names it outside dialogs.
    pub(super) dialog: DialogId,
    /// It was sent outside dialogs, and not to one device: several may have taken it (RFC 3515 §3.9).
    forks: bool,
    /// What the last of them said that refused: it is the outcome only when no other may be heard of.
    refused: Option<Failure>,
    /// [`TransferUpdate::Ended`] was told; the subscription may last longer.
    told: bool,
}

impl UserAgent {
    /// Asks the other side of an established call to call `target` instead ("blind" transfer, RFC 5589 §6). Hold the call
    /// before, and hang up when [`Event::Transfer`] tells that it is done. One at a time for each call.
    pub fn transfer(&mut self, now: Instant, call: CallId, target: &str) -> Result<TransferId, RequestError> {
        let uri = target::parse(target, self.config.aor.domain()).ok_or(RequestError::InvalidTarget)?;
        self.refer_call(now, call, &uri)
    }

    /// Asks the other side of an established call to take our place in another established call ("attended" transfer,
    /// RFC 5589 §7): it calls who is there with a Replaces for our call. That one ends by itself when it succeeds.
    pub fn transfer_to(
        &mut self,
        now: Instant,
        call: CallId,
        other: CallId,
    ) -> Result<TransferId, RequestError> {
        let state = self.call_state(other).ok_or(RequestError::NoDialog)?;
        let usage = self.calls.get(&other).and_then(|found| found.usage.as_ref());
        let dialog = match (state, usage) {
            (CallState::Established, Some(usage)) if other != call => &usage.dialog,
            _ => return Err(RequestError::WrongState(state)),
        };
        let uri = target::from_uri(dialog.target()).ok_or(RequestError::InvalidTarget)?;
        let refer_to = replacing(&uri, &Replacement::of_theirs(dialog.id()));
        self.refer_call(now, call, &refer_to)
    }

    /// Asks `who`, with whom there need be no call, to call `target` (RFC 3515 §2.4.1): another device of ours to call
    /// in our stead, a conference to invite somebody. Without `told` what becomes of it is nobody's concern (RFC 4488):
    /// then [`TransferEnd::Unknown`] tells that it was taken. Only for a `who` that is one device (§5).
    pub fn refer(
        &mut self,
        now: Instant,
        who: &str,
        target: &str,
        told: bool,
    ) -> Result<TransferId, RequestError> {
        let uri = target::parse(target, self.config.aor.domain()).ok_or(RequestError::InvalidTarget)?;
        self.refer_outside(now, who, &uri, told)
    }

    /// The same for a call that takes the place of one of the target's (RFC 3891 §4): music on hold, and park, where a
    /// server takes our place in a call of ours. The target should be the Contact of who has that call.
    pub fn refer_replacing(
        &mut self,
        now: Instant,
        who: &str,
        target: &str,
        replaces: &Replacement,
        told: bool,
    ) -> Result<TransferId, RequestError> {
        let uri = target::parse(target, self.config.aor.domain()).ok_or(RequestError::InvalidTarget)?;
        self.refer_outside(now, who, &replacing(&uri, replaces), told)
    }

    fn is_anonymous(&self, call: CallId) -> bool {
        let usage = self.calls.get(&call).and_then(|call| call.usage.as_ref());
        usage.is_some_and(|usage| usage.dialog.is_anonymous())
    }

    fn refer_outside(
        &mut self,
        now: Instant,
        who: &str,
        refer_to: &str,
        told: bool,
    ) -> Result<TransferId, RequestError> {
        let place = Place::Outside(self.stranger_at(who)?);
        self.send_refer(now, place, None, |errand| {
            let errand = errand.with(HeaderName::ReferTo, format!("<{refer_to}>"));
            if told { errand } else { errand.with(HeaderName::ReferSub, "false") }
        })
    }

    fn refer_call(&mut self, now: Instant, call: CallId, refer_to: &str) -> Result<TransferId, RequestError> {
        let state = self.call_state(call).ok_or(RequestError::NoDialog)?;
        if state != CallState::Established {
            return Err(RequestError::WrongState(state));
        }
        let busy = self
            .subscriptions
            .values()
            .filter_map(|found| found.transfer.as_ref())
            .any(|transfer| transfer.call == Some(call) && !transfer.told);
        if busy {
            return Err(RequestError::TooMany);
        }
        // RFC 7647 §4: "dialog reuse is prohibited" where the peer can be found outside.
        let named = self.nameable(call).map(target_dialog::naming);
        // What goes outside the dialog has our name.
        let place = match self.outside_of(call).filter(|_| !self.is_anonymous(call)) {
            Some(uri) => {
                let mut stranger = self.stranger(uri);
                // RFC 7989 §10.9: "treated as part of the same communication session".
                stranger.session = self.session_id(call).unwrap_or(stranger.session);
                Place::Outside(stranger)
            }
            None => Place::Call(call),
        };
        let outside = matches!(place, Place::Outside(_));
        self.send_refer(now, place, Some(call), |errand| {
            let errand = errand.with(HeaderName::ReferTo, format!("<{refer_to}>"));
            match named.filter(|_| outside) {
                Some(dialog) => errand
                    .with(HeaderName::TargetDialog, dialog)
                    .with(HeaderName::Require, target_dialog::TAG),
                None => errand,
            }
        })
    }

    fn send_refer(
        &mut self,
        now: Instant,
        place: Place,
        call: Option<CallId>,
        says: impl FnOnce(Errand) -> Errand,
    ) -> Result<TransferId, RequestError> {
        if self.is_shutting_down() {
            return Err(RequestError::ShutDown);
        }
        if self.subscriptions.len() >= limits::SUBSCRIPTIONS {
            return Err(RequestError::TooMany);
        }
        let dialog = match &place {
            Place::Outside(stranger) => DialogId::new(&stranger.call_id, &stranger.tag, ""),
            _ => {
                let usage = call.and_then(|call| self.calls.get(&call)).and_then(|call| call.usage.as_ref());
                usage.ok_or(RequestError::NoDialog)?.dialog.id().clone()
            }
        };
        let forks = match &place {
            // RFC 5627 §1: a GRUU is one device's.
            Place::Outside(stranger) => !target::is_gruu(&stranger.uri),
            _ => false,
        };
        let id = SubscriptionId(self.next_event);
        self.next_event += 1;
        // Its CSeq is known when it is sent.
        let machine = Subscriber::of_refer(now, &dialog, 0, forks, self.timers.t1 * 64);
        let transfer = Transfer { call, dialog, forks, refused: None, told: false };
        self.subscriptions.insert(id, Subscription::of_transfer(machine, transfer));
        let mut errand = Errand::new(Whose::Transfer(id), Method::Refer, place)
            .with(HeaderName::Allow, self.local.allow.clone())
            .with(HeaderName::Supported, self.local.supported.clone());
        if !call.is_some_and(|call| self.is_anonymous(call)) {
            errand = errand.with(HeaderName::ReferredBy, format!("<{}>", self.config.aor));
        }
        if let Err(error) = self.dispatch(now, says(errand)) {
            self.subscriptions.remove(&id);
            return Err(error);
        }
        self.settle(now);
        Ok(TransferId(id))
    }

    /// The REFER went out with this CSeq, by which its NOTIFYs may be named (RFC 3515 §2.4.6).
    pub(super) fn refer_sent(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        cseq: u32,
        session: SessionIdentifier,
    ) {
        let timer_n = self.timers.t1 * 64;
        let Some(found) = self.subscriptions.get_mut(&id) else { return };
        let Some(transfer) = &found.transfer else { return };
        found.machine = Subscriber::of_refer(now, &transfer.dialog, cseq, transfer.forks, timer_n);
        found.machine.in_session(session);
    }

    pub(super) fn refer_concluded(&mut self, id: SubscriptionId, outcome: &Outcome) {
        // NOTIFYs may have told everything before.
        let Some(transfer) = self.subscriptions.get(&id).and_then(|found| found.transfer.as_ref()) else {
            return;
        };
        let (transfer, call, told) = (TransferId(id), transfer.call, transfer.told);
        let end = match outcome {
            Outcome::Answered(response) if response.is_success() => {
                let refer_sub = response.headers().typed::<ReferSub<'_>>().ok().flatten();
                if refer_sub.is_none_or(|refer_sub| refer_sub.subscribe) {
                    // Of a REFER that may have forked, the subscription outlives the outcome.
                    if !told {
                        self.event(Event::Transfer { transfer, call, update: TransferUpdate::Accepted });
                    }
                    return;
                }
                // RFC 4488 §4: nobody will tell more.
                TransferEnd::Unknown
            }
            Outcome::Answered(response) => TransferEnd::Failed(Failure::of_response(response)),
            Outcome::Failed(failure) => TransferEnd::Failed(failure.clone()),
        };
        self.transfer_ended(id, end);
        self.subscriptions.remove(&id);
    }

    /// A NOTIFY of a REFER.
    pub(super) fn transfer_notified(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        source: Source,
        content: Option<&Content>,
    ) {
        let Some(transfer) = self.subscriptions.get(&id).and_then(|found| found.transfer.as_ref()) else {
            return;
        };
        let call = transfer.call;
        // Of a fork's refusals the last one counts.
        let machine = self.subscriptions.get(&id).map(|found| &found.machine);
        let others = transfer.forks && machine.is_some_and(|machine| machine.expects_others(source));
        let fragment = content.and_then(|content| SipFrag::parse(&content.body).ok());
        let Some((status, reason)) = fragment.as_ref().and_then(SipFrag::status) else { return };
        match status {
            ..200 if transfer.told => {}
            ..200 => {
                let update = TransferUpdate::Progress { status, reason: reason.into() };
                self.event(Event::Transfer { transfer: TransferId(id), call, update });
            }
            300.. if others => {
                if let Some(found) = self.subscriptions.get_mut(&id) {
                    found.machine.forget(source);
                    if let Some(transfer) = &mut found.transfer {
                        transfer.refused = Some(failure::of_status(status, reason));
                    }
                }
                return;
            }
            200..300 => self.transfer_ended(id, TransferEnd::Done),
            _ => self.transfer_ended(id, TransferEnd::Failed(failure::of_status(status, reason))),
        }
        if status >= 200
            && let Some(found) = self.subscriptions.get_mut(&id)
        {
            // Whoever does not end it with that is asked to.
            found.machine.unsubscribe(now);
        }
    }

    /// The subscription to a REFER is over, or not. `true`: it was one's.
    pub(super) fn judge_transfer(&mut self, id: SubscriptionId, verdict: &Verdict) -> bool {
        if self.subscriptions.get(&id).is_none_or(|found| found.transfer.is_none()) {
            return false;
        }
        if let Verdict::Over(ending) = verdict {
            let found = self.subscriptions.get_mut(&id).and_then(|found| found.transfer.as_mut());
            let end = match (found.and_then(|transfer| transfer.refused.take()), ending) {
                (Some(failure), _) => TransferEnd::Failed(failure),
                (None, Ending::Silence) => TransferEnd::Failed(Failure::of(Cause::Timeout)),
                (None, Ending::Done | Ending::Terminated(_) | Ending::Refused) => TransferEnd::Unknown,
            };
            self.transfer_ended(id, end);
            self.subscriptions.remove(&id);
        }
        true
    }

    /// Tells it, once.
    fn transfer_ended(&mut self, id: SubscriptionId, end: TransferEnd) {
        let found = self.subscriptions.get_mut(&id).and_then(|found| found.transfer.as_mut());
        if let Some(transfer) = found.filter(|transfer| !transfer.told) {
            transfer.told = true;
            let call = transfer.call;
            let update = TransferUpdate::Ended(end);
            self.event(Event::Transfer { transfer: TransferId(id), call, update });
        }
    }

    /// A call's dialog has said its last: subscriptions that share it go on alone (RFC 5057 §4.1).
    pub(super) fn bequeath(&mut self, dialog: &Dialog) {
        self.subscriptions.values_mut().for_each(|found| found.machine.inherit(dialog));
        self.watchers.values_mut().for_each(|found| found.machine.inherit(dialog));
    }
}

/// A Refer-To whose call takes the place of another.
fn replacing(uri: &str, replaces: &Replacement) -> String {
    format!("{uri}?Replaces={}&Require=replaces", escape_header(&format!("{replaces}")))
}
