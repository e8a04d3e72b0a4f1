//! Media types, codings and languages (RFC 3261 §20.1–20.3, §20.11–20.15).

use core::fmt;

use super::cursor::{Cursor, place};
use super::piece::pieces;
use super::{Cardinality, HeaderError, QValue, TypedHeader};
use crate::message::{HeaderName, Params, chars};

/// `Content-Type` (RFC 3261 §20.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentType<'a> {
    /// `application` of `application/sdp`.
    pub kind: &'a str,
    /// `sdp` of `application/sdp`.
    pub subtype: &'a str,
    /// Parameters; each has a value.
    pub params: Params<'a>,
}

impl ContentType<'_> {
    /// Whether this is `kind/subtype`, in any case.
    pub const fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }
}

impl<'a> TypedHeader<'a> for ContentType<'a> {
    const NAME: HeaderName = HeaderName::ContentType;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let (kind, subtype, params) = media_range(text)?;
        if let Some((name, _)) = params.iter().find(|(_, value)| value.is_none()) {
            return Err(HeaderError::Expected { what: "=", offset: place(text, name) + name.len() });
        }
        if kind == "*" || subtype == "*" {
            return Err(HeaderError::Expected { what: "media type", offset: place(text, kind) });
        }
        Ok(Self { kind, subtype, params })
    }
}

impl fmt::Display for ContentType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.kind, self.subtype, self.params.as_str())
    }
}

/// One range of `Accept` (RFC 3261 §20.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept<'a> {
    /// A type or `*`.
    pub kind: &'a str,
    /// A subtype or `*`.
    pub subtype: &'a str,
    /// Preference.
    pub q: Option<QValue>,
    /// All parameters, the range's and the field's.
    pub params: Params<'a>,
}

impl Accept<'_> {
    /// Whether `kind/subtype` lies in this range and is not weighed 0.
    pub fn covers(&self, kind: &str, subtype: &str) -> bool {
        (self.kind == "*" || self.kind.eq_ignore_ascii_case(kind))
            && (self.subtype == "*" || self.subtype.eq_ignore_ascii_case(subtype))
            && self.q.is_none_or(|q| q.thousandths() > 0)
    }
}

impl<'a> TypedHeader<'a> for Accept<'a> {
    const NAME: HeaderName = HeaderName::Accept;
    const CARDINALITY: Cardinality = Cardinality::List;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let (kind, subtype, params) = media_range(text)?;
        let q = QValue::of(text, params)?;
        if kind == "*" && subtype != "*" {
            return Err(HeaderError::Expected { what: "*/*", offset: place(text, subtype) });
        }
        Ok(Self { kind, subtype, q, params })
    }
}

impl fmt::Display for Accept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.kind, self.subtype, self.params.as_str())
    }
}

/// `*` is a token byte, so ranges are read like types.
fn media_range(text: &str) -> Result<(&str, &str, Params<'_>), HeaderError> {
    let mut cursor = Cursor::new(text);
    let kind = cursor.token("media type")?;
    cursor.separator(b'/', "/")?;
    let subtype = cursor.token("media subtype")?;
    Ok((kind, subtype, cursor.params()?))
}

/// One coding of `Accept-Encoding` (RFC 3261 §20.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptEncoding<'a> {
    /// A coding or `*`.
    pub coding: &'a str,
    /// Preference.
    pub q: Option<QValue>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> TypedHeader<'a> for AcceptEncoding<'a> {
    const NAME: HeaderName = HeaderName::AcceptEncoding;
    const CARDINALITY: Cardinality = Cardinality::List;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let coding = cursor.token("coding")?;
        let params = cursor.params()?;
        Ok(Self { coding, q: QValue::of(text, params)?, params })
    }
}

impl fmt::Display for AcceptEncoding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.coding, self.params.as_str())
    }
}

/// One range of `Accept-Language` (RFC 3261 §20.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptLanguage<'a> {
    /// A language range or `*`.
    pub range: &'a str,
    /// Preference.
    pub q: Option<QValue>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> TypedHeader<'a> for AcceptLanguage<'a> {
    const NAME: HeaderName = HeaderName::AcceptLanguage;
    const CARDINALITY: Cardinality = Cardinality::List;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let range = if cursor.peek() == Some(b'*') {
            cursor.take("*", |b| b == b'*')?
        } else {
            language(&mut cursor)?
        };
        if range.len() > 1 && range.starts_with('*') {
            return Err(HeaderError::Expected { what: "language", offset: place(text, range) });
        }
        let params = cursor.params()?;
        Ok(Self { range, q: QValue::of(text, params)?, params })
    }
}

impl fmt::Display for AcceptLanguage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.range, self.params.as_str())
    }
}

/// `1*8ALPHA *( "-" 1*8ALPHA )`, with the digits that BCP 47 has since allowed in subtags.
fn language<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, HeaderError> {
    let error = cursor.expected("language");
    let tag = cursor.take("language", |b| b.is_ascii_alphanumeric() || b == b'-')?;
    if tag.split('-').any(|part| part.is_empty() || part.len() > 8) || tag.as_bytes()[0].is_ascii_digit() {
        return Err(error);
    }
    Ok(tag)
}

pieces! {
    /// One tag of `Content-Language` (RFC 3261 §20.13).
    ContentLanguage ContentLanguage List, "The tag.", language;
    /// One coding of `Content-Encoding` (RFC 3261 §20.12).
    ContentEncoding ContentEncoding List, "The coding.", coding;
}

fn coding<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, HeaderError> {
    cursor.token("coding")
}

/// `Content-Disposition` (RFC 3261 §20.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentDisposition<'a> {
    /// `session`, `render`, `icon`, `alert`, …
    pub kind: &'a str,
    /// All parameters.
    pub params: Params<'a>,
}

impl ContentDisposition<'_> {
    /// Whether a body that is not understood refuses the request: so it is unless `handling=optional` is given.
    pub fn required(&self) -> bool {
        self.params.value("handling").is_none_or(|handling| !handling.eq_ignore_ascii_case("optional"))
    }
}

impl<'a> TypedHeader<'a> for ContentDisposition<'a> {
    const NAME: HeaderName = HeaderName::ContentDisposition;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let kind = cursor.token("disposition")?;
        let params = cursor.params()?;
        if let Some(handling) = super::cursor::once(text, params, "handling")?
            && !chars::is_token(handling)
        {
            return Err(HeaderError::Expected { what: "handling", offset: place(text, handling) });
        }
        Ok(Self { kind, params })
    }
}

impl fmt::Display for ContentDisposition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind, self.params.as_str())
    }
}
