//! What `sips` asks of a proxy (RFC 3261 §16.6 steps 4 to 7, §26.2.2; RFC 5630 §5.3): a request for a `sips` URI came over TLS, goes on
//! over TLS, and is for a `sips` URI to its end; one for a `sip` URI is never made one for a `sips` URI.
//!
//! What it does not do: say how such a request is refused, or find its ways.

use alloc::borrow::Cow;

use super::forward::request_uri;
use super::shapes::Target;
use crate::message::{HeaderName, NameAddr, Request, as_sip, is_sips, split_list};
use crate::transport::Hop;

/// On which sides of a request here TLS is promised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Secure {
    /// On the side that it came from.
    pub from: bool,
    /// On the side that it goes to.
    pub to: bool,
}

impl Secure {
    /// Those of a request of whose Routes the first `routes` are ours. A Request-URI of `sips` is a promise for its whole way, and a
    /// Route of `sips` one for the hop that it leads over. Within a dialog each side has its own: where one of the two writes `sip` URIs
    /// all the same, the Routes remember what it was begun as.
    pub fn of(request: &Request, routes: usize) -> Self {
        if is_sips(request.uri()) {
            return Self { from: true, to: true };
        }
        Self::by_routes(request, routes)
    }

    /// Those of one within a dialog that was recorded here. What is asked of its sender say the Routes alone: a callee that is called by
    /// a `sip` URI and answers with a `sips` Contact makes its caller write that over whatever hop it has (RFC 5630 §4.1, §5.1.1.2), to
    /// the ACK, and nobody had promised TLS there. It goes on as what it is.
    pub fn within(request: &Request) -> Self {
        let promised = Self::by_routes(request, 2);
        Self { to: promised.to || is_sips(request.uri()), ..promised }
    }

    fn by_routes(request: &Request, routes: usize) -> Self {
        let headers = request.headers();
        if !headers.has(HeaderName::Route) {
            return Self::default();
        }
        // The last two of ours are the sender's side and the receiver's; the one behind them is the next hop.
        let ours = if request.to_tag().is_some() { 1 } else { routes };
        let mut secure = Self::default();
        for (index, value) in headers.list(HeaderName::Route).take(routes + 1).enumerate() {
            if leads_securely(value) {
                match index < ours {
                    true => secure.from = true,
                    false => secure.to = true,
                }
            }
        }
        secure
    }
}

/// Whether a Route is a `sips` URI.
fn leads_securely(route: &str) -> bool {
    // Most are written like this.
    !route.starts_with("<sip:") && NameAddr::parse(route).is_some_and(|address| is_sips(address.uri))
}

/// A request's copy for a target.
#[derive(Debug)]
pub(super) struct Copy<'t> {
    /// Its Request-URI, where that is another.
    pub(super) uri: Option<Cow<'t, str>>,
    /// Whether TLS is promised on its hop.
    pub(super) secure: bool,
}

impl<'t> Copy<'t> {
    /// As which a request goes to a target. `None`: nothing but a breach of what was promised would lead there.
    pub(super) fn of(request: &Request, routes: usize, target: &'t Target) -> Option<Self> {
        let contact = target.contact.as_deref().map(request_uri);
        let uri = match contact {
            // "the proxy MUST only forward or retarget the request to a SIPS Request-URI"
            Some(contact) if is_sips(request.uri()) => {
                if !is_sips(contact) {
                    return None;
                }
                Some(Cow::Borrowed(contact))
            }
            // "the proxy MUST replace that SIPS scheme with a SIP scheme while leaving the rest of the URI as is"
            Some(contact) => Some(as_sip(contact)),
            None => None,
        };
        let path = split_list(&target.path).next().is_some_and(leads_securely);
        let secure = path || Secure::of(request, routes).to;
        may_go(secure, &target.hop).then_some(Self { uri, secure })
    }
}

/// Whether something may go over a hop. `secure`: TLS is promised.
pub(super) const fn may_go(secure: bool, hop: &Hop) -> bool {
    !secure || hop.transport.is_secure()
}
