//! Forwarding without transactions (§16.11): every ACK to a 2xx, and everything where the configuration says so.

use alloc::format;
use alloc::string::String;

use bytes::Bytes;

use super::shapes::{Target, Turn};
use super::sips::{Copy, Secure};
use super::{Asserted, branch, forward, record_route, targets};
use crate::entropy::SeededEntropy;
use crate::limits;
use crate::message::{Request, Response};
use crate::time::Instant;
use crate::transport::{Hop, RouteTarget, RouteTokens};

/// The parameter of our Via that says where the responses to a request without transaction go. A page has no address that
/// its own Via could name.
const BACK: &str = "back";

/// A request that is forwarded without a transaction, to its one target.
#[derive(Clone, Copy, Debug)]
pub struct Stateless<'a> {
    /// As it was received.
    pub request: &'a Request,
    /// Where from.
    pub from: &'a Hop,
    /// How many of its Routes are consumed here.
    pub routes: usize,
    /// The realm whose credentials end here.
    pub realm: &'a str,
    /// Where to.
    pub target: &'a Target,
    /// Whose identity it asserts.
    pub asserted: &'a Asserted,
    /// Whether servers of other domains may use our TLS connections in the other direction; see
    /// [`Settings::alias`](super::Settings::alias).
    pub alias: bool,
}

impl Stateless<'_> {
    /// An ACK as it goes out. Nobody answers it. `None`: it may not go there.
    pub fn ack(&self, tokens: &RouteTokens) -> Option<Bytes> {
        let copy = Copy::of(self.request, self.routes, self.target)?;
        Some(self.forward(&copy, &branch::stateless(self.request, self.from, tokens), &[]))
    }

    /// Another request as it goes out: the same for its retransmissions in all that matters (§16.11). `sender` sent it,
    /// and `back` is where its responses go.
    pub fn request(&self, turn: &mut Turn<'_>, sender: &RouteTarget, back: &RouteTarget) -> Option<Bytes> {
        let Self { request, from, routes, target, .. } = *self;
        let copy = Copy::of(request, routes, target)?;
        let token = turn.tokens.seal(back, request.call_id(), turn.now, turn.entropy);
        let via = format!("{};{BACK}={token}", branch::stateless(request, from, turn.tokens));
        Some(if record_route::records(request, routes) {
            let call_id = request.call_id();
            let there = record_route::value(turn, &target.receiver, call_id, &target.hop, copy.secure);
            let secure = Secure::of(request, routes).from && from.transport.is_secure();
            let back = record_route::value(turn, sender, call_id, from, secure);
            self.forward(&copy, &via, &[&there, &back])
        } else {
            self.forward(&copy, &via, &[])
        })
    }

    /// `via` is our Via's branch and what follows it.
    fn forward(&self, copy: &Copy<'_>, via: &str, record_routes: &[&str]) -> Bytes {
        let Self { request, routes, realm, target, asserted, .. } = *self;
        let via = &*branch::marked(via, self.alias && target.may_alias());
        let change = forward::Change {
            request_uri: copy.uri.as_deref(),
            routes,
            path: &target.path,
            // A REGISTER always has a transaction.
            own_path: None,
            record_routes,
            hop: &target.hop,
            branch: via,
            breadth: targets::incoming_breadth(request, limits::BREADTH),
            realm,
            asserted,
            trusted: target.trusted,
            story: None,
            // §8: "Stateless proxies MUST NOT attempt to request session timers".
            session: None,
        };
        forward::request(request, &change)
    }
}

/// A response to a request that was forwarded without a transaction: where it goes, and as what. `None`: it is none.
pub fn back(response: &Response, tokens: &RouteTokens, now: Instant) -> Option<(RouteTarget, Bytes)> {
    let token = response.via().params.value(BACK)?;
    let target = tokens.open(token, response.call_id(), now).ok()?;
    Some((target, forward::response(response, forward::Trust::default(), None)?))
}

/// What chooses among equal servers for a request without a transaction, the same for its retransmissions, for its CANCEL and
/// for the ACK of its failure (RFC 3263 §4.4). `what` is chosen; of two choices for one request neither follows from the other.
pub fn settled(request: &Request, from: &Hop, tokens: &RouteTokens, what: &str) -> SeededEntropy {
    branch::settled(request, from, tokens, what)
}

/// The To tag of an answer that no transaction remembers (§8.2.7).
pub fn stateless_tag(request: &Request, tokens: &RouteTokens) -> String {
    branch::stateless_tag(request, tokens)
}
