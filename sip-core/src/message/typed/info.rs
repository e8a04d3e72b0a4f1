//! Pointers to more: `Alert-Info`, `Call-Info`, `Error-Info` (RFC 3261 §20.4, §20.9, §20.18).

use core::fmt;

use super::cursor::{Cursor, place};
use super::{Cardinality, HeaderError, TypedHeader};
use crate::message::{HeaderName, Params, Uri};

macro_rules! infos {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a> {
            /// The URI as it stands.
            pub uri: &'a str,
            /// All parameters.
            pub params: Params<'a>,
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "<{}>{}", self.uri, self.params.as_str())
            }
        }

        impl<'a> TypedHeader<'a> for $name<'a> {
            const NAME: HeaderName = HeaderName::$name;
            const CARDINALITY: Cardinality = Cardinality::List;

            fn parse(text: &'a str) -> Result<Self, HeaderError> {
                let mut cursor = Cursor::new(text);
                let uri = cursor.bracketed("<")?;
                if Uri::parse(uri).is_none() {
                    return Err(HeaderError::Expected { what: "URI", offset: place(text, uri) });
                }
                Ok(Self { uri, params: cursor.params()? })
            }
        }
    )*};
}

infos! {
    /// One entry of `Alert-Info`: a ring tone, or an RFC 7462 URN.
    AlertInfo;
    /// One entry of `Call-Info`: about the caller.
    CallInfo;
    /// One entry of `Error-Info`: about a refusal.
    ErrorInfo;
}

impl<'a> CallInfo<'a> {
    /// What the URI is good for: `icon`, `info`, `card`, …
    pub fn purpose(&self) -> Option<&'a str> {
        self.params.value("purpose")
    }
}
