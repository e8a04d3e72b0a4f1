//! Who calls, and who may know: `Identity` (RFC 8224 §4), `Privacy` (RFC 3323 §4.2), `User-to-User` (RFC 7433 §4.1).

use alloc::borrow::Cow;
use core::fmt;

use super::cursor::{Cursor, place, token_param};
use super::{Cardinality, HeaderError, TypedHeader};
use crate::message::{HeaderName, Params, Uri, unquote};

/// One `Identity` field. Several signers each add their own (RFC 8224 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The PASSporT: three parts with dots between, the first two empty in compact form. Not verified here.
    pub digest: &'a str,
    /// Where the certificate is.
    pub info: &'a str,
    /// The signature's algorithm, `ES256` unless said otherwise.
    pub alg: Option<&'a str>,
    /// The PASSporT's type.
    pub ppt: Option<&'a str>,
    /// What stands before and after `info`.
    others: [Params<'a>; 2],
}

impl<'a> Identity<'a> {
    /// A parameter other than `info`.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.others.into_iter().find_map(|params| params.value(name))
    }
}

impl<'a> TypedHeader<'a> for Identity<'a> {
    const NAME: HeaderName = HeaderName::Identity;
    const CARDINALITY: Cardinality = Cardinality::List;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        // Base64url is what PASSporTs are made of; the grammar's own alphabet is plain base64.
        let digest = cursor.take("signed digest", |b| b.is_ascii_alphanumeric() || b"/+-_.=".contains(&b))?;
        cursor.lws();
        // `info` is the one parameter whose value stands in brackets, so it is looked for by them.
        let rest = cursor.rest();
        let open = rest.find('<').ok_or(HeaderError::Missing { what: "info" })?;
        let before = rest[..open].trim_end_matches([' ', '\t', '\r', '\n', '=']);
        let name_at = before.len().checked_sub(4).filter(|at| before.is_char_boundary(*at));
        let error = HeaderError::Missing { what: "info" };
        let (before, name) = before.split_at(name_at.ok_or(error)?);
        let before = before.trim_end_matches([' ', '\t', '\r', '\n']).strip_suffix(';').ok_or(error)?;
        let equals = rest[..open].matches('=').count() == before.matches('=').count() + 1;
        if !name.eq_ignore_ascii_case("info") || !equals {
            return Err(error);
        }
        let before_at = cursor.offset();
        let first = params_at(before, before_at)?;
        cursor.advance(open);
        let info = cursor.bracketed("info")?;
        if Uri::parse(info).is_none() {
            return Err(HeaderError::Expected { what: "URI", offset: place(text, info) });
        }
        let second = cursor.params()?;
        let one = |name| match (token_param(text, first, name)?, token_param(text, second, name)?) {
            (Some(_), Some(again)) => Err(HeaderError::Duplicate { what: name, offset: place(text, again) }),
            (a, b) => Ok(a.or(b)),
        };
        Ok(Self { digest, info, alg: one("alg")?, ppt: one("ppt")?, others: [first, second] })
    }
}

fn params_at(text: &str, offset: usize) -> Result<Params<'_>, HeaderError> {
    Params::parse(text).ok_or(HeaderError::Expected { what: "parameter", offset })
}

impl fmt::Display for Identity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, after] = self.others;
        write!(f, "{}{};info=<{}>{}", self.digest, before.as_str(), self.info, after.as_str())
    }
}

/// `Privacy`: `header`, `session`, `user`, `none`, `critical`, `id` (RFC 3325), `history` (RFC 7044) or others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Privacy<'a>(&'a str);

impl<'a> Privacy<'a> {
    /// The values in order.
    pub fn values(self) -> impl Iterator<Item = &'a str> {
        self.0.split(';').map(|value| value.trim_matches([' ', '\t', '\r', '\n']))
    }

    /// Whether `value` is among them, in any case.
    pub fn has(self, value: &str) -> bool {
        self.values().any(|v| v.eq_ignore_ascii_case(value))
    }
}

impl<'a> TypedHeader<'a> for Privacy<'a> {
    const NAME: HeaderName = HeaderName::Privacy;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let start = cursor.rest();
        cursor.token("privacy value")?;
        let mut end = cursor.offset();
        while cursor.eat(b';') {
            cursor.token("privacy value")?;
            end = cursor.offset();
        }
        cursor.end()?;
        Ok(Self(&start[..end - place(text, start)]))
    }
}

impl fmt::Display for Privacy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One value of `User-to-User`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserToUser<'a> {
    /// The data as it stands, with its quotes if it has them.
    pub data: &'a str,
    /// The package; `isdn-uui` (RFC 7434) if none is said.
    pub purpose: Option<&'a str>,
    /// What the data is, by the package.
    pub content: Option<&'a str>,
    /// How the data is written; `hex` if nothing is said.
    pub encoding: Option<&'a str>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> UserToUser<'a> {
    /// The data without quotes.
    pub fn text(&self) -> Cow<'a, str> {
        unquote(self.data)
    }
}

impl<'a> TypedHeader<'a> for UserToUser<'a> {
    const NAME: HeaderName = HeaderName::UserToUser;
    const CARDINALITY: Cardinality = Cardinality::List;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let data = if cursor.peek() == Some(b'"') { cursor.quoted("data")? } else { cursor.token("data")? };
        let params = cursor.params()?;
        Ok(Self {
            data,
            purpose: token_param(text, params, "purpose")?,
            content: token_param(text, params, "content")?,
            encoding: token_param(text, params, "encoding")?,
            params,
        })
    }
}

impl fmt::Display for UserToUser<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.data, self.params.as_str())
    }
}
