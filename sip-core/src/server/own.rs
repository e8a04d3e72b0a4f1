//! The server's own user agent server: requests for the domain itself (§8.2, §11).

use super::Server;
use super::questions::Arrival;
use super::reply::Reply;
use crate::message::{HeaderName, Method};
use crate::time::Instant;

const ALLOW: &str = "OPTIONS, REGISTER";

impl Server {
    pub(super) fn own(&mut self, now: Instant, arrival: &Arrival) {
        let reply = match arrival.request.method() {
            Method::Options => Reply::new(200)
                .with(HeaderName::Allow, ALLOW)
                .with(HeaderName::Accept, "application/sdp")
                .with(HeaderName::Supported, "outbound"),
            // §8.2.1, §21.5.2.
            Method::Other(_) => Reply::new(501),
            _ => Reply::new(405).with(HeaderName::Allow, ALLOW),
        };
        self.refuse(now, arrival, reply);
    }
}
