//! Why a request is not forwarded.

use alloc::string::String;

use smol_str::SmolStr;
use thiserror::Error;

use crate::message::HeaderName;

/// Why a request is not forwarded. The text is the response's reason phrase.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The Request-URI is not `sip:` (§16.3 step 2).
    #[error("Unsupported URI Scheme")]
    Scheme,
    /// Max-Forwards is 0 (§16.3 step 3).
    #[error("Too Many Hops")]
    TooManyHops,
    /// The request was here before, the same in all that decides its way (§16.3 step 4).
    #[error("Loop Detected")]
    Loop,
    /// Proxy-Require names what is not supported (§16.3 step 5).
    #[error("Bad Extension")]
    BadExtension {
        /// For Unsupported.
        unsupported: SmolStr,
    },
    /// A Route is no name-addr with a SIP URI.
    #[error("Bad Request (Malformed Route)")]
    MalformedRoute,
    /// A Route leads elsewhere than a route token of ours says: no open relay.
    #[error("Route Leads Elsewhere")]
    ForeignRoute,
    /// An in-dialog request's Routes are not the two tokens it was given.
    #[error("Route Set Not Valid")]
    RouteSet,
}

impl Refusal {
    /// The status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Scheme => 416,
            Self::TooManyHops => 483,
            Self::Loop => 482,
            Self::BadExtension { .. } => 420,
            Self::MalformedRoute => 400,
            Self::ForeignRoute | Self::RouteSet => 403,
        }
    }

    /// The field that says more, if there is one.
    pub fn field(&self) -> Option<(HeaderName, String)> {
        match self {
            Self::BadExtension { unsupported } => {
                Some((HeaderName::Unsupported, unsupported.as_str().into()))
            }
            _ => None,
        }
    }
}
