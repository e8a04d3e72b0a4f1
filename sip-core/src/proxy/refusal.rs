//! Why a request is not forwarded.

use alloc::format;
use alloc::string::String;

use thiserror::Error;

use crate::message::validate::Rejection;
use crate::message::{HeaderName, Method, ParseError, quote};
use crate::transport::Hop;

use smol_str::SmolStr;

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
    /// Those tokens are too old. Of 481, and not of 403, their user agent takes
    /// it that there is nothing any more (RFC 5057 §5.1, RFC 6665 §4.1.2.2).
    #[error("Dialog Too Old")]
    Expired,
}

impl Refusal {
    /// The status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Invalid(rejection) => rejection.status,
            Self::Loop => 482,
            Self::ForeignRoute | Self::RouteSet => 403,
            Self::Expired => 481,
        }
    }

    /// What to change.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Invalid(rejection) => rejection.defect.advice(),
            Self::Loop => "two addresses lead to each other",
            Self::ForeignRoute => "Route may name this proxy alone; see [outbound] preloaded_route",
            Self::RouteSet => "send the Routes as the dialog's Record-Routes had them",
            Self::Expired => "a dialog's Routes lead for 30 days: begin another",
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

/// An answer that a request got because its branches came to nothing without an answer of somebody's: for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Where the answer went.
    pub peer: Hop,
    /// What its Warning says, too.
    pub trace: SmolStr,
    /// The status.
    pub status: u16,
    /// Why.
    pub reason: String,
    /// The request's method.
    pub method: Method,
    /// Its Call-ID.
    pub call_id: SmolStr,
}

/// Why a request ends with an answer that nobody behind us gave. `None`: its sender cancelled it.
pub const fn ending(status: u16) -> Option<&'static str> {
    Some(match status {
        408 => "none of the callee's devices answered in time",
        430 => "the connection of that registration is gone",
        440 => "Max-Breadth allows no copy of it; whoever forked it before may ask for more",
        480 => "none of the callee's devices can be reached now",
        486 => "the callee is busy, and where its calls go on to nobody was reached",
        487 => return None,
        500 => "the servers of that domain are overloaded, or broke the connection",
        502 => "the answer had lost the Via of who asked",
        503 => "too many transactions, see `trapezoid_sip_transactions_full_total`",
        513 => "with what a proxy adds it is too long for its way: leave out fields, or shorten the body",
        _ => "nobody behind this proxy answered",
    })
}

/// §20.43: what is meant for people. `code`: 399, or one that says what this is about (RFC 5630 §5).
pub fn warning(code: u16, agent: &str, explanation: &str, tag: &str) -> String {
    format!("{code} {agent} {}", quote(&format!("{explanation} (trace {})", trace(tag))))
}

/// A refusal's To tag is random and in the answer already: its beginning names it.
pub fn trace(tag: &str) -> &str {
    tag.get(..8).unwrap_or(tag)
}
