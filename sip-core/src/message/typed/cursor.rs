//! A place in a value, and the grammar's smallest parts (RFC 3261 §25.1).

use super::HeaderError;
use crate::limits;
use crate::message::params::quoted_len;
use crate::message::value::list_element_len;
use crate::message::{Params, chars};

/// Reads a value from left to right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the value's start, after white space.
    pub(super) fn new(text: &'a str) -> Self {
        let mut cursor = Self { text, at: 0 };
        cursor.lws();
        cursor
    }

    /// Skips linear white space; says whether there was any.
    pub(super) fn lws(&mut self) -> bool {
        let start = self.at;
        while self.peek().is_some_and(chars::is_lws) {
            self.at += 1;
        }
        self.at > start
    }

    /// White space the grammar insists on.
    pub(super) fn space(&mut self, what: &'static str) -> Result<(), HeaderError> {
        if self.lws() { Ok(()) } else { Err(self.expected(what)) }
    }

    /// Takes `byte` with white space around it, if it comes next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let before = self.at;
        self.lws();
        if self.peek() != Some(byte) {
            self.at = before;
            return false;
        }
        self.at += 1;
        self.lws();
        true
    }

    /// Like [`Cursor::eat`] where `byte` must come.
    pub(super) fn separator(&mut self, byte: u8, what: &'static str) -> Result<(), HeaderError> {
        if self.eat(byte) { Ok(()) } else { Err(self.expected(what)) }
    }

    /// `token`.
    pub(super) fn token(&mut self, what: &'static str) -> Result<&'a str, HeaderError> {
        let len = chars::skip_token(self.rest().as_bytes(), 0);
        self.taken(what, len)
    }

    /// One byte or more of a class of ASCII bytes.
    pub(super) fn take(&mut self, what: &'static str, class: fn(u8) -> bool) -> Result<&'a str, HeaderError> {
        let rest = self.rest();
        let len = rest.bytes().position(|b| !b.is_ascii() || !class(b)).unwrap_or(rest.len());
        self.taken(what, len)
    }

    /// The next `len` bytes, of which there must be one.
    fn taken(&mut self, what: &'static str, len: usize) -> Result<&'a str, HeaderError> {
        if len == 0 {
            return Err(self.expected(what));
        }
        let taken = &self.rest()[..len];
        self.at += len;
        Ok(taken)
    }

    /// `1*DIGIT` no larger than `most`; leading zeros count for nothing.
    pub(super) fn number(&mut self, what: &'static str, most: u32) -> Result<u32, HeaderError> {
        let offset = self.at;
        let digits = self.take(what, |b| b.is_ascii_digit())?;
        let value = chars::number(digits);
        match value.and_then(|value| u32::try_from(value).ok()) {
            Some(value) if value <= most => Ok(value),
            _ => Err(HeaderError::Range { what, offset }),
        }
    }

    /// A quoted string, quotes included.
    pub(super) fn quoted(&mut self, what: &'static str) -> Result<&'a str, HeaderError> {
        let rest = self.rest();
        let len = quoted_len(rest).ok_or_else(|| self.expected(what))?;
        self.at += len;
        Ok(&rest[..len])
    }

    /// What stands between `<` and `>`.
    pub(super) fn bracketed(&mut self, what: &'static str) -> Result<&'a str, HeaderError> {
        let inner = self.rest().strip_prefix('<').and_then(|rest| rest.split_once('>'));
        let (inner, _) = inner.ok_or_else(|| self.expected(what))?;
        self.at += inner.len() + 2;
        Ok(inner)
    }

    /// `callid`, short enough.
    pub(super) fn call_id(&mut self) -> Result<&'a str, HeaderError> {
        let offset = self.at;
        let ends = |at: usize| {
            self.text.as_bytes().get(at).is_none_or(|b| chars::is_lws(*b) || matches!(b, b';' | b','))
        };
        let end = chars::skip_call_id(self.text.as_bytes(), offset).filter(|end| ends(*end));
        self.at = end.ok_or_else(|| self.expected("Call-ID"))?;
        limited(&self.text[offset..self.at], "Call-ID", offset)
    }

    /// `*( SEMI generic-param )` up to the end.
    pub(super) fn params(&mut self) -> Result<Params<'a>, HeaderError> {
        self.lws();
        let rest = self.rest();
        if !rest.is_empty() && !rest.starts_with(';') {
            return Err(HeaderError::Surplus { offset: self.at });
        }
        let params = Params::parse(rest).ok_or_else(|| shifted(refused(rest, "parameter"), self.at))?;
        self.at = self.text.len();
        Ok(params)
    }

    /// Nothing but white space may follow.
    pub(super) fn end(mut self) -> Result<(), HeaderError> {
        self.lws();
        if self.at == self.text.len() { Ok(()) } else { Err(HeaderError::Surplus { offset: self.at }) }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over `len` bytes of [`Cursor::rest`], which the caller has looked at.
    pub(super) fn advance(&mut self, len: usize) {
        self.at += len;
    }

    pub(super) const fn offset(&self) -> usize {
        self.at
    }

    pub(super) const fn expected(&self, what: &'static str) -> HeaderError {
        HeaderError::Expected { what, offset: self.at }
    }
}

/// The error for a value that a parser without places has refused: at a control character, or at the comma that
/// smuggles a second value in, if there is one, else at the start.
#[cold]
pub(super) fn refused(text: &str, what: &'static str) -> HeaderError {
    if let Some(offset) = stray_control(text) {
        return HeaderError::Expected { what: "printable character", offset };
    }
    let comma = list_element_len(text);
    if comma < text.len() {
        HeaderError::Surplus { offset: comma }
    } else {
        HeaderError::Expected { what, offset: 0 }
    }
}

/// The first control character that is neither white space nor, as RFC 4475 §3.1.1.2 has it, in a quoted pair. No
/// value with one is read.
fn stray_control(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut offset = chars::find_control(bytes, 0);
    while let Some(byte) = bytes.get(offset) {
        let escapes = bytes[..offset].iter().rev().take_while(|b| **b == b'\\').count();
        if !chars::is_lws(*byte) && escapes % 2 == 0 {
            return Some(offset);
        }
        offset = chars::find_control(bytes, offset + 1);
    }
    None
}

/// `text` if it is no longer than [`limits::IDENTIFIER_BYTES`].
pub(super) fn limited<'a>(text: &'a str, what: &'static str, offset: usize) -> Result<&'a str, HeaderError> {
    if text.len() > limits::IDENTIFIER_BYTES {
        return Err(HeaderError::Overlong { what, offset });
    }
    Ok(text)
}

/// Where `part`, a slice of `whole`, begins in it.
pub(super) fn place(whole: &str, part: &str) -> usize {
    chars::offset_in(whole.as_bytes(), part.as_bytes())
}

/// The only values of some parameters: refused if one stands twice. What may be missing is for [`Known::value`] to say.
pub(super) fn known<'a, const N: usize>(
    text: &str,
    params: Params<'a>,
    names: [&'static str; N],
) -> Result<[Known<'a>; N], HeaderError> {
    let mut all = names.map(|name| Known { name, stands: None });
    for (name, value) in params.iter() {
        let Some(one) = all.iter_mut().find(|one| one.name.eq_ignore_ascii_case(name)) else { continue };
        if one.stands.replace((name, value)).is_some() {
            return Err(HeaderError::Duplicate { what: one.name, offset: place(text, name) });
        }
    }
    Ok(all)
}

/// A parameter that may be there: as it is named, and its value.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    name: &'static str,
    stands: Option<(&'a str, Option<&'a str>)>,
}

impl<'a> Known<'a> {
    /// Its value in `text`: refused if it stands without.
    pub(super) fn value(self, text: &str) -> Result<Option<&'a str>, HeaderError> {
        match self.stands {
            None => Ok(None),
            Some((_, Some(value))) => Ok(Some(value)),
            Some((name, None)) => {
                Err(HeaderError::Expected { what: self.name, offset: place(text, name) + name.len() })
            }
        }
    }

    /// Its value, a number up to `most`.
    pub(super) fn number(self, text: &str, most: u32) -> Result<Option<u32>, HeaderError> {
        let Some(value) = self.value(text)? else { return Ok(None) };
        let offset = place(text, value);
        let mut cursor = Cursor::new(value);
        let number = cursor.number(self.name, most).map_err(|error| shifted(error, offset))?;
        cursor.end().map_err(|error| shifted(error, offset))?;
        Ok(Some(number))
    }
}

/// The only value of parameter `name`: refused if the parameter stands twice or has no value.
pub(super) fn once<'a>(
    text: &str,
    params: Params<'a>,
    name: &'static str,
) -> Result<Option<&'a str>, HeaderError> {
    let [one] = known(text, params, [name])?;
    one.value(text)
}

/// The only value of parameter `name`, which is a token no longer than an identifier may be.
pub(super) fn token_param<'a>(
    text: &str,
    params: Params<'a>,
    name: &'static str,
) -> Result<Option<&'a str>, HeaderError> {
    let Some(value) = once(text, params, name)? else { return Ok(None) };
    let offset = place(text, value);
    if !chars::is_token(value) {
        return Err(HeaderError::Expected { what: name, offset });
    }
    limited(value, name, offset).map(Some)
}

/// The only value of parameter `name`, which is a number up to `most`.
pub(super) fn number_param(
    text: &str,
    params: Params<'_>,
    name: &'static str,
    most: u32,
) -> Result<Option<u32>, HeaderError> {
    let [one] = known(text, params, [name])?;
    one.number(text, most)
}

/// The error as seen from `by` bytes further left.
pub(super) const fn shifted(error: HeaderError, by: usize) -> HeaderError {
    match error {
        HeaderError::Expected { what, offset } => HeaderError::Expected { what, offset: offset + by },
        HeaderError::Range { what, offset } => HeaderError::Range { what, offset: offset + by },
        HeaderError::Duplicate { what, offset } => HeaderError::Duplicate { what, offset: offset + by },
        HeaderError::Surplus { offset } => HeaderError::Surplus { offset: offset + by },
        HeaderError::Overlong { what, offset } => HeaderError::Overlong { what, offset: offset + by },
        HeaderError::Missing { what } => HeaderError::Missing { what },
    }
}
