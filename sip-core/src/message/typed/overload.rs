//! Overload control in Via (RFC 7339 §4).

use core::fmt;

use super::HeaderError;
use super::cursor::{number_param, once, place};
use crate::message::{Via, split_list};

/// The `oc` parameters of one Via.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overload<'a> {
    /// What the server asks for, or that the client can do as asked.
    pub limit: OverloadLimit,
    /// Algorithms, comma separated, without quotes: those the client knows, or the one the server chose.
    algorithms: &'a str,
    /// Milliseconds the limit holds; 500 if nothing is said (§4.3).
    pub validity: Option<u32>,
    /// Orders reports (§4.4): digits, a dot, digits.
    pub sequence: Option<&'a str>,
}

/// The `oc` parameter (§4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverloadLimit {
    /// Without value, in a request: the client supports overload control.
    Supported,
    /// In a response: per cent to drop with `loss`, requests a second with `rate`.
    Reduce(u32),
}

impl<'a> Overload<'a> {
    /// The algorithms.
    pub fn algorithms(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        split_list(self.algorithms)
    }
}

impl<'a> Via<'a> {
    /// The overload control parameters; `None` without `oc`. Offsets count from the parameters' start.
    pub fn overload(&self) -> Result<Option<Overload<'a>>, HeaderError> {
        let text = self.params.as_str();
        let mut all = self.params.iter().filter(|(name, _)| name.eq_ignore_ascii_case("oc"));
        let limit = match (all.next(), all.next()) {
            (None, _) => return Ok(None),
            (Some(_), Some((second, _))) => {
                return Err(HeaderError::Duplicate { what: "oc", offset: place(text, second) });
            }
            (Some((_, None)), None) => OverloadLimit::Supported,
            (Some((_, Some(_))), None) => {
                OverloadLimit::Reduce(number_param(text, self.params, "oc", u32::MAX)?.unwrap_or_default())
            }
        };
        let algorithms = match once(text, self.params, "oc-algo")? {
            None => "",
            Some(value) => {
                let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
                let error = HeaderError::Expected { what: "oc-algo", offset: place(text, value) };
                let inner = inner.ok_or(error)?;
                if !split_list(inner).all(|name| name.bytes().all(|b| b.is_ascii_alphanumeric())) {
                    return Err(error);
                }
                inner
            }
        };
        let sequence = once(text, self.params, "oc-seq")?;
        if let Some(value) = sequence
            && !is_sequence(value)
        {
            return Err(HeaderError::Expected { what: "oc-seq", offset: place(text, value) });
        }
        let validity = if self.params.value("oc-validity").is_some() {
            number_param(text, self.params, "oc-validity", u32::MAX)?
        } else {
            None
        };
        Ok(Some(Overload { limit, algorithms, validity, sequence }))
    }
}

/// `1*12DIGIT "." 1*5DIGIT`.
fn is_sequence(text: &str) -> bool {
    let digits =
        |part: &str, most| (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    text.split_once('.').is_some_and(|(left, right)| digits(left, 12) && digits(right, 5))
}

/// The parameters for a Via, each after a semicolon.
impl fmt::Display for Overload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            OverloadLimit::Supported => f.write_str(";oc")?,
            OverloadLimit::Reduce(value) => write!(f, ";oc={value}")?,
        }
        if !self.algorithms.is_empty() {
            write!(f, ";oc-algo=\"{}\"", self.algorithms)?;
        }
        if let Some(validity) = self.validity {
            write!(f, ";oc-validity={validity}")?;
        }
        if let Some(sequence) = self.sequence {
            write!(f, ";oc-seq={sequence}")?;
        }
        Ok(())
    }
}
