//! Events and what is like them: RFC 6665 (Event, Allow-Events, Subscription-State), 4488 (Refer-Sub), 6086 (Info
//! packages).

use core::fmt;

use super::cursor::{Cursor, limited, number_param, place, token_param};
use super::piece::pieces;
use super::{Cardinality, HeaderError, TypedHeader};
use crate::message::{HeaderName, Params};

/// `Event` (RFC 6665 §8.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The package with its templates: `presence.winfo`. Compares byte for byte (§8.2.1).
    pub kind: &'a str,
    /// The `id` parameter, which tells subscriptions of one dialog apart.
    pub id: Option<&'a str>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> Event<'a> {
    /// The package without its templates.
    pub fn package(&self) -> &'a str {
        self.kind.split('.').next().unwrap_or(self.kind)
    }

    /// The templates, innermost first.
    pub fn templates(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.kind.split('.').skip(1)
    }
}

impl<'a> TypedHeader<'a> for Event<'a> {
    const NAME: HeaderName = HeaderName::Event;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let kind = event_type(&mut cursor)?;
        let params = cursor.params()?;
        Ok(Self { kind, id: token_param(text, params, "id")?, params })
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind, self.params.as_str())
    }
}

/// `event-package *( "." event-template )`: no empty part.
fn event_type<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, HeaderError> {
    let error = cursor.expected("event type");
    let offset = cursor.offset();
    let kind = limited(cursor.token("event type")?, "event type", offset)?;
    if kind.split('.').any(str::is_empty) { Err(error) } else { Ok(kind) }
}

pieces! {
    /// One package of `Allow-Events` (RFC 6665 §8.2.2).
    AllowEvents AllowEvents List, "The package with its templates.", event_type;
}

/// `Subscription-State` (RFC 6665 §8.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionState<'a> {
    /// `active`, `pending`, `terminated`, or another token, which counts as the last.
    pub state: &'a str,
    /// Why it ended (§4.1.3).
    pub reason: Option<&'a str>,
    /// Seconds left.
    pub expires: Option<u32>,
    /// Seconds before it is worth another try.
    pub retry_after: Option<u32>,
    /// All parameters.
    pub params: Params<'a>,
}

impl SubscriptionState<'_> {
    /// Whether the subscription is over.
    pub const fn is_terminated(&self) -> bool {
        self.state.eq_ignore_ascii_case("terminated")
    }

    /// Whether the subscription is granted.
    pub const fn is_active(&self) -> bool {
        self.state.eq_ignore_ascii_case("active")
    }
}

impl<'a> TypedHeader<'a> for SubscriptionState<'a> {
    const NAME: HeaderName = HeaderName::SubscriptionState;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let state = cursor.token("state")?;
        let params = cursor.params()?;
        Ok(Self {
            state,
            reason: token_param(text, params, "reason")?,
            expires: number_param(text, params, "expires", u32::MAX)?,
            retry_after: number_param(text, params, "retry-after", u32::MAX)?,
            params,
        })
    }
}

impl fmt::Display for SubscriptionState<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.state, self.params.as_str())
    }
}

/// `Refer-Sub` (RFC 4488 §4): whether a REFER makes a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferSub<'a> {
    /// The value.
    pub subscribe: bool,
    /// Parameters; none is defined.
    pub params: Params<'a>,
}

impl<'a> TypedHeader<'a> for ReferSub<'a> {
    const NAME: HeaderName = HeaderName::ReferSub;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let word = cursor.token("true or false")?;
        let subscribe = match word {
            _ if word.eq_ignore_ascii_case("true") => true,
            _ if word.eq_ignore_ascii_case("false") => false,
            _ => return Err(HeaderError::Expected { what: "true or false", offset: place(text, word) }),
        };
        Ok(Self { subscribe, params: cursor.params()? })
    }
}

impl fmt::Display for ReferSub<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.subscribe, self.params.as_str())
    }
}

macro_rules! packages {
    ($($(#[$doc:meta])* $name:ident $cardinality:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a> {
            /// The package.
            pub package: &'a str,
            /// All parameters.
            pub params: Params<'a>,
        }

        impl<'a> TypedHeader<'a> for $name<'a> {
            const NAME: HeaderName = HeaderName::$name;
            const CARDINALITY: Cardinality = Cardinality::$cardinality;

            fn parse(text: &'a str) -> Result<Self, HeaderError> {
                let mut cursor = Cursor::new(text);
                let package = cursor.token("Info Package")?;
                Ok(Self { package, params: cursor.params()? })
            }
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", self.package, self.params.as_str())
            }
        }
    )*};
}

packages! {
    /// `Info-Package` (RFC 6086 §7.2): what an INFO carries.
    InfoPackage One;
    /// One package of `Recv-Info` (RFC 6086 §7.3). The field may be empty, which says that none is wanted.
    RecvInfo List;
}
