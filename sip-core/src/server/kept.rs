//! Calls that were being set up when an earlier process ended. What is there again, of both sides, goes on; for what is not, the call
//! ends.

use super::questions::Errand;
use super::{Output, Server, Wait};
use crate::proxy::{Absence, COMEBACK, Keep, KeptCall};
use crate::time::Instant;
use crate::transport::target::Way;
use crate::transport::{FlowId, Hop, RouteTarget};

impl Server {
    pub(super) fn take_up(&mut self, now: Instant, call: KeptCall) {
        let (key, from) = (call.key, call.from);
        let Some(server) = self.layer.take_up(now, &call.request, from) else {
            self.counters.calls_not_taken_up += 1;
            return self.emit(Output::Keep(Keep { key, record: None }));
        };
        self.counters.calls_taken_up += 1;
        let diverter = call.diverter.as_ref().and_then(|aor| self.forwarding.at(aor));
        let (proxy, mut turn) = self.turn(now);
        let lost = proxy.take_up(&mut turn, server, call, diverter);
        if from.flow == FlowId::GONE {
            self.find_caller(now, lost);
        }
    }

    /// The connection that a copy went over is gone. A phone makes another; to a server we do, and it hears of the call only if that
    /// is given up.
    pub(super) fn ring_on(&mut self, now: Instant, absence: Absence, was: Hop) {
        let wait = Wait { until: now + COMEBACK, within: absence.is_within() };
        let target = match absence.receiver() {
            RouteTarget::Peer { domain, .. } => {
                let (transport, addresses) = (was.transport, [was.remote].into());
                let way = Way { transport, addresses, domain: domain.clone(), free: false };
                return self.connect(now, Errand::Again(absence.into()), [way].into());
            }
            receiver => receiver.clone(),
        };
        self.wait_for(now, absence, target, wait);
    }
}
