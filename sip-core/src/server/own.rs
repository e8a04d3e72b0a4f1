//! The server's own user agent server: requests for the domain itself (§8.2, §11).

use super::notifier::ALLOW_EVENTS;
use super::questions::Arrival;
use super::reply::Reply;
use super::rule::Rule;
use super::{Mode, Server};
use crate::message::validate::{Role, Rules};
use crate::message::{HeaderName, Method};
use crate::registrar;
use crate::time::Instant;

/// What the server takes for itself: beside what the registrar does, OPTIONS, whose answer says what a call could have, and
/// subscriptions to registrations.
const RULES: Rules<'_> = Rules {
    role: Role::UserAgent,
    allow: "OPTIONS, REGISTER, SUBSCRIBE",
    accept: "application/sdp",
    ..registrar::RULES
};

impl Server {
    pub(super) fn own(&mut self, now: Instant, arrival: &Arrival) {
        if self.is_merged(now, arrival) {
            return;
        }
        let notifies = self.config.routing.mode != Mode::Stateless;
        if notifies && *arrival.request.method() == Method::Subscribe {
            return self.subscribe_to_nobody(now, arrival);
        }
        let rules = if notifies { RULES } else { Rules { allow: registrar::RULES.allow, ..RULES } };
        let reply = match rules.request(&arrival.request) {
            Ok(()) => {
                let reply = Reply::new(200)
                    .with(HeaderName::Allow, rules.allow)
                    .with(HeaderName::Accept, rules.accept)
                    .with(HeaderName::Supported, rules.supported);
                if notifies { reply.with(HeaderName::AllowEvents, ALLOW_EVENTS) } else { reply }
            }
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
