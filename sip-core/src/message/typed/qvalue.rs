//! Preference weights (RFC 3261 §25.1 `qvalue`).

use core::fmt;

use super::HeaderError;
use super::cursor::{Known, known, place};
use crate::message::Params;

/// A weight from 0 to 1 in thousandths. Prints in its shortest form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QValue(u16);

impl QValue {
    /// The weight of what carries none.
    pub const ONE: Self = Self(1000);

    /// From thousandths; `None` above 1000.
    pub const fn from_thousandths(value: u16) -> Option<Self> {
        if value <= 1000 { Some(Self(value)) } else { None }
    }

    /// 0–1000.
    pub const fn thousandths(self) -> u16 {
        self.0
    }

    /// Parses `( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )`.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut thousandths = 0;
        for place in 0..3 {
            let digit = fraction.as_bytes().get(place).map_or(0, |b| u16::from(b - b'0'));
            thousandths = thousandths * 10 + digit;
        }
        match (whole, thousandths) {
            ("0", _) => Some(Self(thousandths)),
            ("1", 0) => Some(Self::ONE),
            _ => None,
        }
    }

    /// The `q` parameter among `params` of the value `text`.
    pub(super) fn of(text: &str, params: Params<'_>) -> Result<Option<Self>, HeaderError> {
        let [q] = known(text, params, ["q"])?;
        Self::known(text, q)
    }

    /// The `q` parameter of the value `text`.
    pub(super) fn known(text: &str, q: Known<'_>) -> Result<Option<Self>, HeaderError> {
        let Some(value) = q.value(text)? else { return Ok(None) };
        match Self::parse(value) {
            Some(q) => Ok(Some(q)),
            None => Err(HeaderError::Expected { what: "q", offset: place(text, value) }),
        }
    }
}

impl Default for QValue {
    fn default() -> Self {
        Self::ONE
    }
}

impl fmt::Display for QValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("0"),
            1000.. => f.write_str("1"),
            n if n % 100 == 0 => write!(f, "0.{}", n / 100),
            n if n % 10 == 0 => write!(f, "0.{:02}", n / 10),
            n => write!(f, "0.{n:03}"),
        }
    }
}
