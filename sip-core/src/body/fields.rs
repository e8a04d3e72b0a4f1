//! Header fields inside bodies: of a multipart's parts, of a fragment of a message.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Display};

use thiserror::Error;

use super::one_line;
use crate::limits;
use crate::message::{HeaderName, chars};

/// Why text is not a body of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BodyFault {
    /// Larger than [`limits::MESSAGE_BYTES`].
    #[error("body too large")]
    TooLarge,
    /// Not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// A NUL, or a CR that ends no line.
    #[error("NUL or bare CR")]
    ControlCharacter,
    /// A line is no header field.
    #[error("malformed field")]
    Field,
    /// More fields than [`limits::HEADER_FIELDS`].
    #[error("too many fields")]
    TooManyFields,
    /// A field's value does not follow its grammar.
    #[error("malformed value")]
    Value,
    /// What must stand there does not.
    #[error("incomplete")]
    Incomplete,
}

/// A fault and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{fault} at byte {offset}")]
pub struct BodyError {
    /// What is wrong.
    pub fault: BodyFault,
    /// Byte offset from the body's start.
    pub offset: usize,
}

impl BodyError {
    pub(super) const fn new(fault: BodyFault, offset: usize) -> Self {
        Self { fault, offset }
    }
}

/// A few header fields in order. Values keep their folds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Fields<'a> {
    /// Reads fields up to the end of `text` or to an empty line; says how many bytes that was, the empty line
    /// included. `base` is where `text` stands in the body.
    pub(super) fn read(text: &'a [u8], base: usize) -> Result<(Self, usize), BodyError> {
        let mut fields = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let start = at;
            let mut end;
            // One field: a line and those that continue it (RFC 5322 §2.2.3).
            loop {
                let line_end = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |len| at + len + 1);
                end = at + line_length(&text[at..line_end]);
                at = line_end;
                let folded = end > start && matches!(text.get(at), Some(b' ' | b'\t'));
                if !folded {
                    break;
                }
            }
            if end == start {
                break;
            }
            if fields.len() == limits::HEADER_FIELDS {
                return Err(BodyError::new(BodyFault::TooManyFields, base + start));
            }
            fields.push(field(&text[start..end], base + start)?);
        }
        Ok((Self { fields }, at))
    }

    /// Adds a field.
    pub fn add(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<String>) {
        self.fields.push((name.into(), Cow::Owned(one_line(value.into()))));
    }

    pub(super) fn into_pairs(self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        self.fields.into_iter()
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The first value of this name, which compares in any case.
    pub fn named(&self, name: &str) -> Option<&str> {
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The first value of this name, long or compact.
    pub fn first(&self, name: HeaderName) -> Option<&str> {
        self.iter()
            .find(|(found, _)| HeaderName::from_bytes(found.as_bytes()) == name)
            .map(|(_, value)| value)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

impl Display for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|(name, value)| write!(f, "{name}: {value}\r\n"))
    }
}

/// Without the line end.
pub(super) fn line_length(line: &[u8]) -> usize {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line).len()
}

fn field(bytes: &[u8], base: usize) -> Result<(Cow<'_, str>, Cow<'_, str>), BodyError> {
    let text = core::str::from_utf8(bytes)
        .map_err(|error| BodyError::new(BodyFault::NotUtf8, base + error.valid_up_to()))?;
    // Only folds are left of the line ends.
    let stray = |(at, byte): (usize, u8)| {
        let next = bytes.get(at + 1);
        byte == 0 || (byte == b'\r' && next != Some(&b'\n'))
    };
    if let Some((at, _)) = bytes.iter().copied().enumerate().find(|place| stray(*place)) {
        return Err(BodyError::new(BodyFault::ControlCharacter, base + at));
    }
    let (name, value) = text.split_once(':').ok_or(BodyError::new(BodyFault::Field, base))?;
    let name = name.trim_end_matches([' ', '\t']);
    if !chars::is_token(name) {
        return Err(BodyError::new(BodyFault::Field, base));
    }
    Ok((Cow::Borrowed(name), Cow::Borrowed(value.trim_matches([' ', '\t', '\r', '\n']))))
}
