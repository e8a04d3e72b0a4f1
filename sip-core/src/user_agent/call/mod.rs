//! One call, and what all calls have in common.

mod answered;
mod asked;
mod change;
mod prack;
mod redirection;
pub(crate) mod reliable;
mod session_timer;
mod success;
mod usage;

use alloc::boxed::Box;

use bytes::Bytes;
use smol_str::SmolStr;

pub(crate) use answered::{Answered, Due};
pub(crate) use asked::{ACK, Asked};
pub(crate) use change::Wish;
pub(crate) use prack::RackOf;
pub use redirection::Redirection;
pub(crate) use redirection::Targets;
pub(crate) use reliable::{Reliable, Taken, Unpracked};
pub(crate) use session_timer::{Grant, Terms};
pub(crate) use success::ack;
pub(crate) use usage::Usage;

use super::continuity::Way;
use super::incoming::{Incoming, Phase};
use super::outgoing::Outgoing;
use super::presentation::Presenting;
use super::{CallId, CallState, CommandError, End, Event, Identity, UserAgent};
use crate::dialog::DialogId;
use crate::message::{Fields, HeaderName, NameAddr, Response, SessionIdentifier, SipUri, Uri, unescape};
use crate::offer_answer::Negotiation;
use crate::time::Instant;

/// A call from its INVITE until nothing of it is left.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) remote: Identity,
    pub(super) direction: Direction,
    /// The dialog of the 2xx that counts. An incoming call has its dialog from the start.
    pub(super) usage: Option<Usage>,
    pub(super) way: Way,
    /// What a BYE or CANCEL says beside: why it ended (RFC 3326), and what the application adds.
    pub(super) parting: Fields,
    /// What it says of us, where that is not what the configuration says.
    pub(super) presentation: Presenting,
    /// What [`Event::Session`] told.
    pub(super) told_session: SessionIdentifier,
    /// [`Event::Ended`] was told.
    pub(super) ended: bool,
    /// [`Event::Released`] was told.
    pub(super) released: bool,
}

/// What differs between making and taking a call.
#[derive(Debug)]
pub(super) enum Direction {
    Outgoing(Box<Outgoing>),
    Incoming(Box<Incoming>),
    /// It stands, and nothing of its making matters any more; or it is an earlier run's.
    Standing {
        /// We made it.
        caller: bool,
    },
}

impl Call {
    pub(super) fn state(&self) -> CallState {
        if self.ended {
            return CallState::Ended;
        }
        match &self.direction {
            Direction::Outgoing(_) if self.usage.is_some() => CallState::Established,
            Direction::Outgoing(out) if out.rang => CallState::Ringing,
            Direction::Outgoing(_) => CallState::Connecting,
            Direction::Standing { .. } => CallState::Established,
            Direction::Incoming(incoming) => match incoming.phase {
                Phase::Offered { .. } if incoming.reliable.accepting.is_some() => CallState::Established,
                Phase::Offered { ringing: false, .. } => CallState::Connecting,
                Phase::Offered { ringing: true, .. } => CallState::Ringing,
                Phase::Answered(_) | Phase::Confirmed => CallState::Established,
            },
        }
    }

    /// Every dialog of the call: the one of the 2xx, then the early ones.
    pub(super) fn usages(&self) -> impl Iterator<Item = &Usage> {
        let early = match &self.direction {
            Direction::Outgoing(out) => out.early.as_slice(),
            Direction::Incoming(_) | Direction::Standing { .. } => &[],
        };
        self.usage.iter().chain(early)
    }

    /// Whether the other side may send requests in a dialog of this call named `id`.
    fn has_dialog(&self, id: &DialogId) -> bool {
        self.usages().any(|usage| usage.is(id))
    }

    /// Whether nothing more can come of it.
    fn is_over(&self) -> bool {
        let expects_success = match &self.direction {
            Direction::Outgoing(out) => out.client.is_some() || out.late_until.is_some(),
            Direction::Incoming(_) | Direction::Standing { .. } => false,
        };
        let changing = self.usages().any(|usage| usage.change.is_some() || usage.asked.is_some());
        self.ended && self.released && !expects_success && !changing
    }

    pub(super) const fn outgoing(&mut self) -> Option<&mut Outgoing> {
        match &mut self.direction {
            Direction::Outgoing(out) => Some(out),
            Direction::Incoming(_) | Direction::Standing { .. } => None,
        }
    }

    pub(super) const fn incoming(&mut self) -> Option<&mut Incoming> {
        match &mut self.direction {
            Direction::Incoming(incoming) => Some(incoming),
            Direction::Outgoing(_) | Direction::Standing { .. } => None,
        }
    }

    /// Lets go of how a call was made, once no retransmission of that can come: it may stand for hours.
    pub(super) fn settle(&mut self) {
        let settled = match &self.direction {
            Direction::Outgoing(out) => out.client.is_none(),
            Direction::Incoming(incoming) => {
                incoming.server.is_none() && matches!(incoming.phase, Phase::Confirmed)
            }
            Direction::Standing { .. } => false,
        };
        if !settled || self.state() != CallState::Established {
            return;
        }
        // A 2xx that comes very late still gets its ACK.
        if let (Direction::Outgoing(out), Some(usage)) = (&self.direction, &mut self.usage)
            && let Some(ack) = out.ack(usage.dialog.id())
        {
            usage.keep_initial_ack(out.cseq(), &ack);
        }
        self.direction = Direction::Standing { caller: self.is_ours() };
    }

    /// Whether we made it: who did waits longer after glare (RFC 3261 §14.1).
    pub(super) const fn is_ours(&self) -> bool {
        matches!(self.direction, Direction::Outgoing(_) | Direction::Standing { caller: true })
    }

    /// When something is due by itself.
    pub(super) fn timeout(&self) -> Option<Instant> {
        let own = match &self.direction {
            Direction::Outgoing(out) => out.timeout(),
            Direction::Incoming(incoming) => incoming.timeout(),
            Direction::Standing { .. } => None,
        };
        own.into_iter().chain(self.usages().filter_map(Usage::timeout)).min()
    }
}

impl Identity {
    /// Whether it names nobody on purpose (RFC 3323 §4.1.1.3).
    pub fn is_anonymous(&self) -> bool {
        Uri::parse(&self.uri).as_ref().and_then(Uri::sip).is_some_and(SipUri::is_nobody)
    }

    pub(super) fn of(address: &NameAddr<'_>) -> Self {
        let parsed = address.parsed_uri();
        let sip = parsed.as_ref().and_then(|uri| uri.sip());
        let user = sip.and_then(|sip| sip.user).map(|user| SmolStr::from(unescape(user)));
        let uri: SmolStr = sip.map_or_else(|| address.uri.into(), |sip| sip.aor().into());
        let display_name = address.display_name().filter(|name| !name.is_empty()).map(SmolStr::from);
        Self { user: user.unwrap_or_else(|| uri.clone()), uri, display_name }
    }
}

impl UserAgent {
    /// Where a call is; `None` when nothing of it is left.
    pub fn call_state(&self, call: CallId) -> Option<CallState> {
        self.calls.get(&call).map(Call::state)
    }

    /// The other side of a call.
    pub fn remote(&self, call: CallId) -> Option<&Identity> {
        self.calls.get(&call).map(|call| &call.remote)
    }

    /// What the INVITE of an outgoing call was answered last, above 100: read it with [`Event::Progress`] or
    /// [`Event::Accepted`], for what is not told there. Half a minute after it was accepted nothing of that is kept.
    pub fn call_response(&self, call: CallId) -> Option<&Response> {
        match &self.calls.get(&call)?.direction {
            Direction::Outgoing(out) => out.answer(),
            Direction::Incoming(_) | Direction::Standing { .. } => None,
        }
    }

    /// Calls that have not ended.
    pub fn calls(&self) -> impl Iterator<Item = CallId> {
        self.calls.iter().filter(|(_, call)| !call.ended).map(|(id, _)| id)
    }

    /// Ends a call in whatever state it is: cancels, declines with 603, or hangs up. Without a connection the other
    /// side is told once there is one again.
    pub fn hangup(&mut self, now: Instant, call: CallId) -> Result<(), CommandError> {
        let found = self.living(call)?;
        if found.is_unanswered() {
            // Its 2xx may wait for a PRACK. RFC 3261 §15: the callee "MUST NOT send a BYE on early dialogs".
            self.refuse_offer(now, call, 603, None, End::rejected(603, None));
            self.settle(now);
            return Ok(());
        }
        match (&found.direction, found.state()) {
            (Direction::Outgoing(_), CallState::Connecting | CallState::Ringing) => self.cancel(now, call),
            _ => {
                self.end(call, End::Hangup { by: super::Side::Local, reason: None });
                self.say_bye(call);
                self.settle(now);
                Ok(())
            }
        }
    }

    /// A call commands may still be given for.
    pub(super) fn living(&mut self, call: CallId) -> Result<&mut Call, CommandError> {
        let call = self.calls.get_mut(&call).filter(|c| !c.released).ok_or(CommandError::NoSuchCall)?;
        if call.ended { Err(CommandError::WrongState(CallState::Ended)) } else { Ok(call) }
    }

    pub(super) fn insert_call(&mut self, call: Call) -> CallId {
        let id = CallId(self.next_call);
        self.next_call += 1;
        self.calls.insert(id, call);
        id
    }

    /// Tells the end of a call, once.
    pub(super) fn end(&mut self, id: CallId, end: End) {
        if let Some(call) = self.calls.get_mut(&id).filter(|call| !call.ended) {
            call.ended = true;
            call.parting = core::mem::take(&mut self.adding);
            if let Some(reason) = end.reason() {
                call.parting.push(HeaderName::Reason, reason);
            }
            self.event(Event::Ended { call: id, end });
        }
    }

    /// Tells, once, that nothing is left to be done for an ended call.
    pub(super) fn release(&mut self, id: CallId) {
        if let Some(call) = self.calls.get_mut(&id).filter(|call| call.ended && !call.released) {
            call.released = true;
            let dialog = call.usage.as_ref().map(|usage| usage.dialog.clone());
            self.event(Event::Released { call: id });
            if let Some(dialog) = dialog {
                self.bequeath(&dialog);
            }
        }
    }

    /// Forgets the calls of which nothing can come any more.
    pub(super) fn sweep(&mut self) {
        // A CANCEL that waits for a flow: its INVITE may be answered before.
        let farewells = &self.farewells;
        let unsaid = |call: &Call| match &call.direction {
            Direction::Outgoing(out) => farewells.iter().any(|farewell| farewell.cancels(out.branch())),
            Direction::Incoming(_) | Direction::Standing { .. } => false,
        };
        self.calls.retain(|call| !call.is_over() || unsaid(call));
    }

    /// The call a request within a dialog belongs to.
    pub(super) fn call_of(&self, dialog: &DialogId) -> Option<CallId> {
        self.calls.iter().find(|(_, call)| !call.released && call.has_dialog(dialog)).map(|(id, _)| id)
    }

    /// A dialog of a call.
    pub(super) fn usage_mut(&mut self, call: CallId, dialog: &DialogId) -> Option<&mut Usage> {
        self.calls.get_mut(&call)?.usages_mut().find(|usage| usage.is(dialog))
    }

    /// The ACK that answers a 2xx of this dialog to our INVITE with this CSeq.
    pub(super) fn ack_of(&self, dialog: &DialogId, cseq: u32) -> Option<Bytes> {
        self.calls.values().find_map(|call| {
            let initial = match &call.direction {
                Direction::Outgoing(out) if out.is_initial(cseq) => out.ack(dialog),
                _ => None,
            };
            initial.or_else(|| call.usages().find(|usage| usage.is(dialog))?.ack(cseq).cloned())
        })
    }

    /// The offers and answers of a call: of its dialog, or before the 2xx of the early one in which our user is asked,
    /// else the newest. Descriptions in force, ours and the other side's, a pending offer, and hold.
    pub fn session(&self, call: CallId) -> Option<&Negotiation> {
        let call = self.calls.get(&call)?;
        let asking = || call.usages().find(|usage| usage.asked.is_some());
        let usage = call.usage.as_ref().or_else(asking).or_else(|| call.usages().last());
        usage.map(|usage| &usage.negotiation)
    }
}
