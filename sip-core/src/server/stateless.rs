//! Requests and responses without transactions (§16.11).

use bytes::Bytes;

use super::lookup::side;
use super::questions::{Arrival, Pending};
use super::rule::Rule;
use super::{Question, Server, Wait};
use crate::proxy::{Stateless, Target, Turn};
use crate::time::Instant;
use crate::transport::{RouteTarget, via};

impl Server {
    /// Sends a request on and forgets it.
    pub(super) fn forward_stateless(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        sender: &RouteTarget,
        routes: usize,
        target: &Target,
    ) {
        let asserted = &self.asserted(arrival);
        let Arrival { request, from, .. } = arrival;
        let Self { layer, entropy, tokens, config, counters, .. } = self;
        let (realm, alias) = (&*config.realm, config.alias);
        let what = Stateless { request, from, routes, realm, target, asserted, alias };
        let message = if arrival.is_ack() {
            what.ack(tokens)
        } else {
            let mut turn = Turn { now, layer, entropy: &mut **entropy, tokens };
            let back = side(&via::response_hop(from, &request.via()), None);
            let message = what.request(&mut turn, sender, &back);
            counters.forwarded += u64::from(message.is_some());
            message
        };
        match message {
            Some(message) => self.transmit(target.hop, message),
            None => self.refuse(now, arrival, Rule::SipsNotAllowed.into()),
        }
    }

    /// A response to such a request.
    pub(super) fn send_back(&mut self, now: Instant, target: RouteTarget, message: Bytes) {
        self.counters.responses_forwarded += 1;
        let wait = Wait { until: self.soon(now), within: false };
        // At the cap it is lost as in the network, and the request comes again.
        let _ = self.ask(wait.until, Question::Reach(target, wait), Pending::Back { message });
    }
}
