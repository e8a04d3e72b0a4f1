//! Challenges and credentials of every scheme (RFC 3261 §25.1, RFC 7616, RFC 8760, RFC 8898), as they stand. What
//! Digest's mean is [`crate::auth`]'s business.

use alloc::borrow::Cow;
use core::fmt;

use super::cursor::Cursor;
use super::{Cardinality, HeaderError, TypedHeader};
use crate::limits;
use crate::message::{HeaderName, unquote};

/// `auth-param *( COMMA auth-param )`. Names stand once each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthParams<'a>(&'a str);

impl<'a> AuthParams<'a> {
    fn parse(cursor: &mut Cursor<'a>) -> Result<Self, HeaderError> {
        let start = cursor.rest();
        // Names are kept aside: looking back through the text would cost its length again for each.
        let mut names = [""; limits::AUTH_PARAMETERS];
        let mut count = 0;
        loop {
            let offset = cursor.offset();
            let name = cursor.token("parameter")?;
            if names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                return Err(HeaderError::Duplicate { what: "parameter", offset });
            }
            let Some(place) = names.get_mut(count) else {
                return Err(HeaderError::Range { what: "number of parameters", offset });
            };
            *place = name;
            count += 1;
            cursor.separator(b'=', "=")?;
            if cursor.peek() == Some(b'"') {
                cursor.quoted("quoted string")?;
            } else {
                // Tokens by the grammar; deployed peers send unquoted URIs and base64, too.
                cursor.take("value", |b| b.is_ascii_graphic() && !b"\",<>\\".contains(&b))?;
            }
            let end = start.len() - cursor.rest().len();
            if !cursor.eat(b',') {
                (*cursor).end()?;
                return Ok(Self(&start[..end]));
            }
            // Empty list elements are nothing.
            while cursor.eat(b',') {}
        }
    }

    /// Names and values in order; quoted values keep their quotes.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut cursor = Cursor::new(self.0);
        core::iter::from_fn(move || {
            // Parsed once already: what is no parameter is the end.
            let name = cursor.token("parameter").ok()?;
            cursor.separator(b'=', "=").ok()?;
            let value = if cursor.peek() == Some(b'"') {
                cursor.quoted("quoted string").ok()?
            } else {
                cursor.take("value", |b| b.is_ascii_graphic() && !b"\",<>\\".contains(&b)).ok()?
            };
            while cursor.eat(b',') {}
            Some((name, value))
        })
    }

    /// The value of `name`, without quotes.
    pub fn text(self, name: &str) -> Option<Cow<'a, str>> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| unquote(value))
    }

    /// The text, from the first name on.
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

/// A scheme and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthValue<'a> {
    /// `Digest realm="…", …`, and every other scheme with parameters.
    Params {
        /// The scheme as it stands.
        scheme: &'a str,
        /// Its parameters.
        params: AuthParams<'a>,
    },
    /// `Bearer eyJ…` (RFC 8898 §2.1), and every other scheme with one token.
    Token {
        /// The scheme as it stands.
        scheme: &'a str,
        /// `b64token` of RFC 6750 §2.1.
        token: &'a str,
    },
}

impl<'a> AuthValue<'a> {
    /// `Digest`, `Bearer`, … as it stands.
    pub const fn scheme(&self) -> &'a str {
        match self {
            Self::Params { scheme, .. } | Self::Token { scheme, .. } => scheme,
        }
    }

    /// The parameters, if there are any.
    pub const fn params(&self) -> Option<AuthParams<'a>> {
        match self {
            Self::Params { params, .. } => Some(*params),
            Self::Token { .. } => None,
        }
    }

    /// The value of parameter `name`, without quotes.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.params()?.text(name)
    }

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let scheme = cursor.token("scheme")?;
        cursor.space("white space")?;
        let mut ahead = cursor;
        if let Ok(token) = ahead.take("token", |b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b))
            && ahead.end().is_ok()
            // A lone `name=value` is a parameter; a token has its equals signs at the end.
            && !token.trim_end_matches('=').contains('=')
            && !token.starts_with('=')
        {
            return Ok(Self::Token { scheme, token });
        }
        Ok(Self::Params { scheme, params: AuthParams::parse(&mut cursor)? })
    }
}

impl fmt::Display for AuthValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Params { scheme, params } => write!(f, "{scheme} {}", params.as_str()),
            Self::Token { scheme, token } => write!(f, "{scheme} {token}"),
        }
    }
}

macro_rules! values {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a>(pub AuthValue<'a>);

        impl<'a> TypedHeader<'a> for $name<'a> {
            const NAME: HeaderName = HeaderName::$name;
            const CARDINALITY: Cardinality = Cardinality::Repeated;

            fn parse(text: &'a str) -> Result<Self, HeaderError> {
                AuthValue::parse(text).map(Self)
            }
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

values! {
    /// `WWW-Authenticate` (RFC 3261 §20.44).
    WwwAuthenticate;
    /// `Proxy-Authenticate` (RFC 3261 §20.27).
    ProxyAuthenticate;
    /// `Authorization` (RFC 3261 §20.7).
    Authorization;
    /// `Proxy-Authorization` (RFC 3261 §20.28).
    ProxyAuthorization;
}

/// `Authentication-Info` (RFC 3261 §20.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthenticationInfo<'a>(pub AuthParams<'a>);

impl<'a> TypedHeader<'a> for AuthenticationInfo<'a> {
    const NAME: HeaderName = HeaderName::AuthenticationInfo;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        AuthParams::parse(&mut Cursor::new(text)).map(Self)
    }
}

impl fmt::Display for AuthenticationInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}
