//! The server's own user agent server: requests for the domain itself (§8.2, §11).

use super::Server;
use super::questions::Arrival;
use super::reply::Reply;
use super::rule::Rule;
use crate::message::HeaderName;
use crate::message::validate::{Role, Rules};
use crate::registrar;
use crate::time::Instant;

/// What the server takes for itself: beside what the registrar does, OPTIONS, whose answer says what a call could have.
const RULES: Rules<'_> = Rules { role: Role::UserAgent, accept: "application/sdp", ..registrar::RULES };

impl Server {
    pub(super) fn own(&mut self, now: Instant, arrival: &Arrival) {
        if self.is_merged(now, arrival) {
            return;
        }
        let reply = match RULES.request(&arrival.request) {
            Ok(()) => Reply::new(200)
                .with(HeaderName::Allow, RULES.allow)
                .with(HeaderName::Accept, RULES.accept)
                .with(HeaderName::Supported, RULES.supported),
            Err(rejection) => rejection.into(),
        };
        self.refuse(now, arrival, reply);
    }

    /// §8.2.2.2: whether this very request came over another way before; if so it was answered with 482.
    pub(super) fn is_merged(&mut self, now: Instant, arrival: &Arrival) -> bool {
        let merged = arrival.server.is_some_and(|server| self.ongoing.is_merged(server, &arrival.request));
        if merged {
            self.refuse(now, arrival, Rule::Merged.into());
        }
        merged
    }
}
