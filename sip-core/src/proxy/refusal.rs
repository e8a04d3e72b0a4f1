//! Why a request is not forwarded.

use alloc::string::String;

use thiserror::Error;

use crate::message::validate::Rejection;
use crate::message::{HeaderName, ParseError};

/// Why a request is not forwarded. The text is the response's reason phrase.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not as it must be (§16.3 steps 1 to 3 and 5).
    #[error("{0}")]
    Invalid(#[from] Rejection),
    /// The request was here before, the same in all that decides its way (§16.3 step 4).
    #[error("Loop Detected")]
    Loop,
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
            Self::Invalid(rejection) => rejection.status,
            Self::Loop => 482,
            Self::ForeignRoute | Self::RouteSet => 403,
        }
    }

    /// The field that says more, if there is one.
    pub fn field(self) -> Option<(HeaderName, String)> {
        match self {
            Self::Invalid(rejection) => rejection.field,
            _ => None,
        }
    }
}

impl From<ParseError> for Refusal {
    fn from(error: ParseError) -> Self {
        Self::Invalid(error.into())
    }
}
