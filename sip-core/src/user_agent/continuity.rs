//! Calls outlive their flows: which flow a call's requests take, and whether the other side still knows of it after
//! one was lost.

use alloc::vec::Vec;

use super::call::{Call, Wish};
use super::{CallId, CallState, UserAgent};
use crate::time::Instant;
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

    /// A flow is lost: the calls that use it are in doubt.
    pub(super) fn doubt_calls(&mut self, slot: usize) {
        for call in self.calls.values_mut().filter(|call| call.way.slot == slot && !call.ended) {
            call.way.in_doubt = true;
        }
    }

    /// There is a registered flow again: asks in each dialog that was in doubt, by UPDATE or re-INVITE, whether the
    /// other side still knows it. 481, 408 and silence end the call (RFC 3261 §12.2.1.2), any other answer does not.
    /// What is on its way in the dialog, or waits for its ACK, asks as well.
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
            let Some(usage) = call.usage.as_ref().filter(|usage| usage.is_free()) else { continue };
            let dialog = usage.dialog.id().clone();
            // What cannot be sent now is asked after the next flow.
            let _ = self.begin_change(now, id, &dialog, Wish::Refresh);
        }
    }
}
