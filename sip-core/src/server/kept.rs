//! Calls that were being set up when an earlier process ended. What is there again, of both sides, goes on; for what is not, the call
//! ends.

use super::questions::{Errand, Pending};
use super::{Output, Question, Server, Wait};
use crate::proxy::{Absence, COMEBACK, Keep, KeptCall};
use crate::time::Instant;
use crate::transport::target::Way;
use crate::transport::{Hop, RouteTarget, Transport};

impl Server {
    pub(super) fn take_up(&mut self, now: Instant, call: KeptCall) {
        let (key, from) = (call.key, call.from);
        let server = match call.is_over(now) {
            true => None,
            false => self.layer.take_up(now, &call.request, from),
        };
        let Some(server) = server else {
            self.counters.calls_not_taken_up += 1;
            return self.emit(Output::Keep(Keep { key, record: None }));
        };
        self.counters.calls_taken_up += 1;
        let (proxy, mut turn) = self.turn(now);
        let lost = proxy.take_up(&mut turn, server, call);
        // Who sent a datagram has lost nothing.
        if from.transport == Transport::Udp {
            let (wait, at) = (Wait { until: now + COMEBACK, within: false }, RouteTarget::at(&from));
            // At the cap the caller is given up a little later by itself.
            let _ = self.ask(wait.until, Question::Reach(at, wait), Pending::Caller { server });
        } else {
            self.find_caller(now, lost);
        }
    }

    /// A copy goes once more to where it went. Whoever had a connection has another when it is back.
    pub(super) fn ring_on(&mut self, now: Instant, absence: Absence, was: Hop) {
        let wait = Wait { until: now + COMEBACK, within: absence.is_within() };
        let target = match absence.receiver() {
            _ if was.transport == Transport::Udp => RouteTarget::at(&was),
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
