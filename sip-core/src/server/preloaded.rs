//! Requests outside dialogs with a Route of their sender's own: they go where it says, whatever the Request-URI is (§16.6 step 6).
//! To do that for anybody would be to relay.

use super::Server;
use super::config::Preloaded;
use super::outward::next_hop;
use super::questions::Arrival;
use crate::message::{HeaderName, Method, Uri};
use crate::proxy::Refusal;
use crate::time::Instant;

impl Server {
    /// Of an account's, where the configuration says so, and only to where its requests may go without it. What has no transaction
    /// is forgotten before its next hop is found.
    pub(super) fn preloaded(&mut self, now: Instant, mut arrival: Arrival, routes: usize) {
        let next = next_hop(&arrival.request, routes).unwrap_or_default();
        let Some(Uri::Sip(uri)) = Uri::parse(&next) else { return self.no_route(now, &arrival) };
        if let Some(domain) = self.guest_of(&arrival, &uri).filter(|_| !is_register(&arrival)) {
            // Its domain's Service-Route, perhaps, which is for that to follow.
            return self.serve_guest(now, arrival, domain, routes);
        }
        let may = self.config.preloaded == Preloaded::Accounts
            && arrival.server.is_some()
            && !is_register(&arrival)
            && self.leads_on(&uri);
        if !may {
            return self.no_route(now, &arrival);
        }
        match self.standing(now, &arrival, &uri, false) {
            Some(standing) if standing.is_ours() => {
                arrival.standing = standing;
                self.authorized(now, arrival, None, routes);
            }
            Some(_) => self.no_route(now, &arrival),
            None if arrival.is_cancel() => self.no_route(now, &arrival),
            None => self.authenticate(now, arrival, routes),
        }
    }

    fn no_route(&mut self, now: Instant, arrival: &Arrival) {
        self.counters.relay_refused += 1;
        self.refuse(now, arrival, Refusal::ForeignRoute.into());
    }
}

fn is_register(arrival: &Arrival) -> bool {
    *arrival.request.method() == Method::Register
}

/// Whether there is a Route behind those that name us: [`Server::preloaded`] has let it pass.
pub(super) fn is_preloaded(arrival: &Arrival, routes: usize) -> bool {
    let headers = arrival.request.headers();
    headers.has(HeaderName::Route) && headers.list(HeaderName::Route).nth(routes).is_some()
}
