//! What a SUBSCRIBE asks of a notifier (RFC 6665 §4.2.1.1).

use super::Package;
use super::expires;
use crate::message::typed::Accept;
use crate::message::{HeaderName, Request};
use crate::time::Duration;

/// The least seconds granted. Below an hour a notifier may refuse what is less than it wants.
pub const LEAST_LIFETIME: u32 = 60;

/// A SUBSCRIBE for less than [`LEAST_LIFETIME`] and not zero: 423.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooBrief;

/// How long a subscription is granted for: no longer than `most` seconds. Zero is a fetch, or the end.
pub fn granted(request: &Request, package: &Package, most: u32) -> Result<Duration, TooBrief> {
    let asked = expires(request.headers()).unwrap_or(package.default_expires());
    // "if and only if the expiration interval is greater than zero AND smaller than one hour".
    if asked > 0 && asked < LEAST_LIFETIME {
        return Err(TooBrief);
    }
    Ok(Duration::from_secs(asked.min(most).into()))
}

/// Whether Accept, if there is one, has what the package's documents are (§4.1.2.1); if not: 406.
pub fn is_acceptable(request: &Request, package: &Package) -> bool {
    let Some((kind, subtype)) = package.media_type().and_then(|media_type| media_type.split_once('/')) else {
        return true;
    };
    let headers = request.headers();
    !headers.has(HeaderName::Accept)
        || headers.typed_all::<Accept<'_>>().flatten().any(|range| range.covers(kind, subtype))
}
