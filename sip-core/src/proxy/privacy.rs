//! What a proxy does for who wants privacy (RFC 3323 §5), and what it leaves to a back-to-back user agent.
//!
//! `id` is served by [`identity`](super::identity), `history` by [`history`](super::history); here it is `user`, and what is left
//! of the field. Neither From nor Call-ID change here, so `user` is served whole for who calls as nobody (§5.3). `header`
//! and `session` are not served: a proxy hides neither Via and Contact nor where media comes from.

use alloc::string::String;
use alloc::vec::Vec;

use crate::message::typed::Privacy;
use crate::message::{HeaderName, Headers, NameAddr, Request, Response, Rewrite, Uri};

/// What is removed for `user` (§5.3, §4.1): "non-essential informational headers that have been added by the user agent".
const INFORMATIONAL: [HeaderName; 8] = [
    HeaderName::Subject,
    HeaderName::CallInfo,
    HeaderName::Organization,
    HeaderName::UserAgent,
    HeaderName::ReplyTo,
    HeaderName::InReplyTo,
    HeaderName::Server,
    HeaderName::Warning,
];

/// The option tag of privacy services (§4.3).
pub(super) const OPTION: &str = "privacy";

/// Which levels were served by this copy.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Served {
    pub(super) id: bool,
    pub(super) history: bool,
}

/// Whether the sender of a message asks for this level. With `none` it asks for nothing else (§5), and what cannot be read may be a wish.
pub(super) fn asks(headers: &Headers, level: &str) -> bool {
    headers
        .typed::<Privacy<'_>>()
        .map_or(true, |privacy| privacy.is_some_and(|privacy| privacy.has(level) && !privacy.has("none")))
}

/// Serves what a request asks for, and takes what was served from what it asks.
pub(super) fn in_request(rewrite: &mut Rewrite<'_>, request: &Request, served: Served) {
    let headers = request.headers();
    let user = || is_nobody(request.from());
    // §5: "the privacy service MUST also remove any 'privacy' option-tag from the Proxy-Require header field".
    if serve(rewrite, headers, served, user) && headers.lists(HeaderName::ProxyRequire, OPTION) {
        let others: Vec<&str> = headers
            .list(HeaderName::ProxyRequire)
            .filter(|option| !option.eq_ignore_ascii_case(OPTION))
            .collect();
        rewrite.remove(HeaderName::ProxyRequire);
        if !others.is_empty() {
            rewrite.append(HeaderName::ProxyRequire, &others.join(", "));
        }
    }
}

/// The same in a response, whose To its receiver has written.
pub(super) fn in_response(rewrite: &mut Rewrite<'_>, response: &Response, served: Served) {
    serve(rewrite, response.headers(), served, || true);
}

/// Returns whether all was served. `user`: with the informational fields gone, nothing says who the user is.
fn serve(rewrite: &mut Rewrite<'_>, headers: &Headers, served: Served, user: impl Fn() -> bool) -> bool {
    let Ok(Some(privacy)) = headers.typed::<Privacy<'_>>() else { return false };
    // "privacy services MUST NOT perform any privacy function and MUST NOT remove or modify the Privacy header".
    if privacy.has("none") {
        return false;
    }
    let asked = privacy.has("user");
    if asked {
        INFORMATIONAL.into_iter().for_each(|name| rewrite.remove(name));
    }
    let is_served = |value: &str| match () {
        () if value.eq_ignore_ascii_case("id") => served.id,
        () if value.eq_ignore_ascii_case("history") => served.history,
        () => asked && value.eq_ignore_ascii_case("user") && user(),
    };
    let left: Vec<&str> = privacy.values().filter(|value| !is_served(value)).collect();
    if left.len() == privacy.values().count() {
        return false;
    }
    rewrite.remove(HeaderName::Privacy);
    // "When the last priv-value (not counting 'critical') has been removed".
    let whole = left.iter().all(|value| value.eq_ignore_ascii_case("critical"));
    if !whole {
        rewrite.append(HeaderName::Privacy, &left.join(";"));
    }
    whole
}

/// Whether this From says nothing of its user (§4.1.1): neither does its display name.
fn is_nobody(from: NameAddr<'_>) -> bool {
    let name = from.display.trim_matches(['"', ' ']);
    matches!(from.parsed_uri(), Some(Uri::Sip(uri)) if uri.is_nobody())
        && (name.is_empty() || name.eq_ignore_ascii_case("anonymous"))
}

/// §5: the levels of privacy that a request calls critical and that are not provided, for the reason phrase of the 500.
pub fn unprovided(request: &Request) -> Option<String> {
    let privacy = request.headers().typed::<Privacy<'_>>().ok()??;
    if !privacy.has("critical") || privacy.has("none") {
        return None;
    }
    let user = is_nobody(request.from());
    let provided = |value: &&str| {
        ["critical", "id"].iter().any(|ours| ours.eq_ignore_ascii_case(value))
            || (user && value.eq_ignore_ascii_case("user"))
    };
    let levels: Vec<&str> = privacy.values().filter(|value| !provided(value)).collect();
    (!levels.is_empty()).then(|| levels.join(", "))
}
