//! The Record-Routes a request gets, one a side (§16.6 step 4, RFC 5658 for the doubling).

use alloc::string::String;

use super::shapes::Turn;
use crate::message::digits::push_socket;
use crate::message::{Method, Request};
use crate::transport::{Hop, RouteTarget, Transport};

/// What stands before the token.
const BEFORE: &str = "<sip:";
/// The same of a side on which TLS is promised.
const BEFORE_SECURE: &str = "<sips:";
/// Room for a value: most take less.
const VALUE_BYTES: usize = 192;

/// Whether a request gets them: one that may begin a dialog, whose route set is settled by it (§12.2), and a NOTIFY in a
/// dialog that is recorded here, for to its receiver that one begins it (RFC 6665 §4.3). `routes` of it were ours.
pub(super) fn records(request: &Request, routes: usize) -> bool {
    match request.method() {
        Method::Invite | Method::Subscribe | Method::Refer => request.to_tag().is_none(),
        Method::Notify => routes > 0,
        _ => false,
    }
}

/// The value that leads back to `target` through us. `hop` is the side it is for: its user agents see our address
/// there, which says nothing but where to find us: whom it leads to is sealed. It is a `sips` URI where TLS is promised on that side, and
/// else none ("the URI placed into the Record-Route header field value MUST be a SIPS URI", and "MUST … NOT").
pub(super) fn value(
    turn: &mut Turn<'_>,
    target: &RouteTarget,
    call_id: &str,
    hop: &Hop,
    secure: bool,
) -> String {
    let mut out = String::with_capacity(VALUE_BYTES);
    out.push_str(if secure { BEFORE_SECURE } else { BEFORE });
    turn.tokens.seal_into(&mut out, target, call_id, turn.now, turn.entropy);
    out.push('@');
    push_socket(&mut out, &hop.local);
    // RFC 5630 §5.3: no `transport=tls`, which a `sips` URI has no need of.
    if !(secure && hop.transport == Transport::Tls) {
        out.push_str(";transport=");
        out.push_str(hop.transport.uri_token());
    }
    out.push_str(";lr>");
    out
}

/// What stands in a Route where [`value`] has its token, if it is written as that writes it.
pub(super) fn token(route: &str) -> Option<&str> {
    let rest = route.strip_prefix(BEFORE).or_else(|| route.strip_prefix(BEFORE_SECURE))?;
    Some(&rest[..memchr::memchr(b'@', rest.as_bytes())?])
}
