//! `Reason` (RFC 3326 §2) and `Warning` (RFC 3261 §20.43).

use alloc::borrow::Cow;
use core::fmt;

use super::cursor::{Cursor, number_param, once, place};
use super::{Cardinality, HeaderError, TypedHeader};
use crate::message::{HeaderName, Params, unquote};

/// One value of `Reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// `SIP`, `Q.850`, …
    pub protocol: &'a str,
    /// A status code or a Q.850 cause, by the protocol.
    pub cause: Option<u32>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> Reason<'a> {
    /// The text, without quotes.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        self.params.text("text")
    }
}

impl<'a> TypedHeader<'a> for Reason<'a> {
    const NAME: HeaderName = HeaderName::Reason;
    const CARDINALITY: Cardinality = Cardinality::List;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let protocol = cursor.token("protocol")?;
        let params = cursor.params()?;
        let cause = number_param(text, params, "cause", u32::MAX)?;
        if let Some(words) = once(text, params, "text")?
            && !words.starts_with('"')
        {
            return Err(HeaderError::Expected { what: "quoted text", offset: place(text, words) });
        }
        Ok(Self { protocol, cause, params })
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.protocol, self.params.as_str())
    }
}

/// One value of `Warning`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning<'a> {
    /// 300–399 in practice (§20.43); three digits.
    pub code: u16,
    /// Who warns: host and port or a pseudonym.
    pub agent: &'a str,
    /// The text, with its quotes.
    pub quoted_text: &'a str,
}

impl<'a> Warning<'a> {
    /// The text, without quotes.
    pub fn text(&self) -> Cow<'a, str> {
        unquote(self.quoted_text)
    }
}

impl<'a> TypedHeader<'a> for Warning<'a> {
    const NAME: HeaderName = HeaderName::Warning;
    const CARDINALITY: Cardinality = Cardinality::List;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let error = cursor.expected("three digits");
        let code = cursor.take("three digits", |b| b.is_ascii_digit())?;
        let code = if code.len() == 3 { code.parse().map_err(|_| error)? } else { return Err(error) };
        cursor.space("white space")?;
        let agent = cursor.take("agent", |b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~:[]".contains(&b))?;
        cursor.space("white space")?;
        let quoted_text = cursor.quoted("quoted text")?;
        cursor.end()?;
        Ok(Self { code, agent, quoted_text })
    }
}

impl fmt::Display for Warning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03} {} {}", self.code, self.agent, self.quoted_text)
    }
}
