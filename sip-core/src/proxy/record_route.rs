//! The Record-Routes a request gets, one a side (§16.6 step 4, RFC 5658 for the doubling).

use alloc::format;
use alloc::string::String;

use super::table::Turn;
use crate::message::Method;
use crate::transport::{Hop, RouteTarget};

/// Whether a request with this method may begin a dialog.
pub(super) const fn begins_dialog(method: &Method) -> bool {
    matches!(method, Method::Invite | Method::Subscribe | Method::Refer)
}

/// The value that leads back to `target` through us. `hop` is the side it is for: its user agents see our address
/// there, which says nothing but where to find us: whom it leads to is sealed.
pub(super) fn value(turn: &mut Turn<'_>, target: &RouteTarget, call_id: &str, hop: &Hop) -> String {
    let token = turn.tokens.seal(target, call_id, turn.now, turn.entropy);
    format!("<sip:{token}@{};transport={};lr>", hop.local, hop.transport.uri_token())
}
