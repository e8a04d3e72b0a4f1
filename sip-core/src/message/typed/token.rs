//! Fields that hold tokens and Call-IDs: RFC 3261, 3311 (Allow), 3903 (entity tags).

use core::fmt;

use super::cursor::{Cursor, limited};
use super::piece::pieces;
use super::{Cardinality, HeaderError, TypedHeader};
use crate::message::{HeaderName, Method};

macro_rules! tokens {
    ($($(#[$doc:meta])* $name:ident $cardinality:ident;)*) => {
        pieces! {$(
            $(#[$doc])*
            $name $name $cardinality, "The token.", token;
        )*}

        $(impl $name<'_> {
            /// Whether it is `other`, in any case.
            pub const fn is(self, other: &str) -> bool {
                self.0.eq_ignore_ascii_case(other)
            }
        })*
    };
}

tokens! {
    /// One option tag of `Require` (RFC 3261 §20.32).
    Require List;
    /// One option tag of `Proxy-Require` (RFC 3261 §20.29).
    ProxyRequire List;
    /// One option tag of `Supported` (RFC 3261 §20.37).
    Supported List;
    /// One option tag of `Unsupported` (RFC 3261 §20.40).
    Unsupported List;
    /// `Priority` (RFC 3261 §20.26).
    Priority One;
    /// `SIP-ETag` (RFC 3903 §11.3.1). Entity tags compare byte for byte.
    SipEtag One;
    /// `SIP-If-Match` (RFC 3903 §11.3.2).
    SipIfMatch One;
}

/// One method of `Allow` (RFC 3261 §20.5, RFC 3311).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow(pub Method);

impl<'a> TypedHeader<'a> for Allow {
    const NAME: HeaderName = HeaderName::Allow;
    const CARDINALITY: Cardinality = Cardinality::List;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let offset = cursor.offset();
        let method = limited(cursor.token("method")?, "method", offset)?;
        cursor.end()?;
        Ok(Self(Method::from_token(method)))
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

pieces! {
    /// `Call-ID` (RFC 3261 §20.8).
    CallIdValue CallId One, "The identifier. Call-IDs compare byte for byte (RFC 3261 §20.8).", Cursor::call_id;
    /// One Call-ID of `In-Reply-To` (RFC 3261 §20.21).
    InReplyTo InReplyTo List, "The identifier. Call-IDs compare byte for byte (RFC 3261 §20.8).", Cursor::call_id;
}

fn token<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, HeaderError> {
    let offset = cursor.offset();
    limited(cursor.token("token")?, "token", offset)
}
