//! Who asserts whose identity, and who may know of it (RFC 3325 §5, RFC 3323 §5).

use alloc::format;

use smol_str::SmolStr;

use crate::message::typed::Privacy;
use crate::message::{HeaderName, Headers, NameAddr, Request, Response, Rewrite, Uri};

/// Whose identity a request asserts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asserted {
    /// Nobody's: its sender proved nothing and is not trusted.
    Nobody,
    /// This address-of-record's, which proved itself here.
    Ours(SmolStr),
    /// Whosever it says: its sender is of our trust domain.
    Theirs,
}

impl Asserted {
    pub(super) const fn is_ours(&self) -> bool {
        matches!(self, Self::Ours(_))
    }

    /// The address-of-record that proved itself here.
    pub fn account(&self) -> Option<SmolStr> {
        match self {
            Self::Ours(aor) => Some(aor.clone()),
            Self::Nobody | Self::Theirs => None,
        }
    }
}

/// The identity in a request. `trusted`: whom it goes to is of our trust domain. Returns whether it was kept from it.
pub(super) fn in_request(
    rewrite: &mut Rewrite<'_>,
    request: &Request,
    asserted: &Asserted,
    trusted: bool,
) -> bool {
    // Asked only where there is something to hide.
    let theirs = *asserted == Asserted::Theirs && request.headers().has(HeaderName::PAssertedIdentity);
    let asserts = theirs || matches!(asserted, Asserted::Ours(_));
    let hidden = asserts && !trusted && is_private(request.headers(), request.from());
    if hidden || *asserted != Asserted::Theirs {
        rewrite.remove(HeaderName::PAssertedIdentity);
    }
    strip_party(rewrite, *asserted == Asserted::Theirs && trusted);
    if *asserted != Asserted::Theirs {
        // §6: it was for us.
        rewrite.remove(HeaderName::PPreferredIdentity);
    }
    if let Asserted::Ours(aor) = asserted
        && !hidden
    {
        rewrite.append(HeaderName::PAssertedIdentity, &format!("<{aor}>"));
    }
    hidden
}

/// The same in a response, which came from somebody trusted or not and goes to somebody trusted or not.
pub(super) fn in_response(
    rewrite: &mut Rewrite<'_>,
    response: &Response,
    from_trusted: bool,
    trusted: bool,
) -> bool {
    strip_party(rewrite, from_trusted && trusted);
    let asserts = from_trusted && response.headers().has(HeaderName::PAssertedIdentity);
    let hidden = asserts && !trusted && is_private(response.headers(), response.from());
    if hidden || !from_trusted {
        rewrite.remove(HeaderName::PAssertedIdentity);
    }
    hidden
}

/// Remote-Party-ID, of drafts before RFC 3325 and believed by many a trunk, has privacy of its own that nothing else says: it passes
/// between those of the trust domain and no further.
fn strip_party(rewrite: &mut Rewrite<'_>, within: bool) {
    if !within {
        rewrite.remove(HeaderName::RemotePartyId);
    }
}

/// RFC 3325 §7, §9.3: whether the identity is not for those outside the trust domain. Who says nothing of it but calls as nobody
/// does not want to be told either; and what cannot be read may be a wish.
fn is_private(headers: &Headers, from: NameAddr<'_>) -> bool {
    match headers.typed::<Privacy<'_>>() {
        // With `none` it MUST NOT be removed.
        Ok(Some(privacy)) => privacy.has("id") && !privacy.has("none"),
        Err(_) => true,
        Ok(None) => matches!(from.parsed_uri(), Some(Uri::Sip(uri)) if uri.is_nobody()),
    }
}
