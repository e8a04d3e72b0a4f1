//! From a message's header fields to typed views.

use core::fmt;

use super::HeaderError;
use super::cursor::refused;
use crate::message::index::Span;
use crate::message::{CSeq, Fault, HeaderName, Headers, NameAddr, ParseError, Via, chars};

/// How many values a header field may have (RFC 3261 §7.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cardinality {
    /// One value in one field.
    One,
    /// A comma list, over any number of fields.
    List,
    /// One value a field, any number of fields: commas separate parameters (challenges, credentials).
    Repeated,
}

/// A header field's value as a type.
pub trait TypedHeader<'a>: Sized + fmt::Display {
    /// The field.
    const NAME: HeaderName;
    /// How many values the field may have.
    const CARDINALITY: Cardinality = Cardinality::One;

    /// Parses one value; a list must be split first.
    fn parse(text: &'a str) -> Result<Self, HeaderError>;
}

impl Headers {
    /// The one value of a field: `None` if the field is absent; refused if it stands twice or, where a list is
    /// allowed, if the list holds several values.
    pub fn typed<'a, T: TypedHeader<'a>>(&'a self) -> Result<Option<T>, ParseError> {
        let mut values = self.typed_texts::<T>();
        let Some(text) = values.next() else { return Ok(None) };
        if let Some(second) = values.next() {
            return Err(ParseError::new(Fault::Duplicate(T::NAME), self.offset_of(second)));
        }
        self.typed_value(text).map(Some)
    }

    /// Every value of a field, in order.
    pub fn typed_all<'a, T: TypedHeader<'a>>(&'a self) -> impl Iterator<Item = Result<T, ParseError>> {
        self.typed_texts::<T>().map(|text| self.typed_value(text))
    }

    fn typed_texts<'a, T: TypedHeader<'a>>(&'a self) -> impl Iterator<Item = &'a str> {
        let (mut elements, mut values) = (self.list(T::NAME), self.all(T::NAME));
        let next = move || if T::CARDINALITY == Cardinality::List { elements.next() } else { values.next() };
        core::iter::from_fn(next)
    }

    /// A value of a list, read by itself.
    pub(crate) fn typed_value<'a, T: TypedHeader<'a>>(&'a self, text: &'a str) -> Result<T, ParseError> {
        T::parse(text).map_err(|error| {
            ParseError::new(Fault::Malformed(T::NAME), self.offset_of(text) + error.offset())
        })
    }

    fn offset_of(&self, part: &str) -> usize {
        Span::of(self.bytes(), part).range().start
    }
}

impl<'a> TypedHeader<'a> for Via<'a> {
    const NAME: HeaderName = HeaderName::Via;
    const CARDINALITY: Cardinality = Cardinality::List;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let via = Self::parse(text).ok_or_else(|| refused(text, "Via value"))?;
        // What is read is written again, and that is SIP/2.0.
        let mut protocol = text.splitn(3, '/').map(chars::trim);
        let is_ours = text.starts_with("SIP/2.0/")
            || (protocol.next().is_some_and(|name| name.eq_ignore_ascii_case("SIP"))
                && protocol.next() == Some("2.0"));
        if is_ours { Ok(via) } else { Err(HeaderError::Expected { what: "SIP/2.0", offset: 0 }) }
    }
}

impl<'a> TypedHeader<'a> for CSeq {
    const NAME: HeaderName = HeaderName::CSeq;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        Self::parse(text).ok_or_else(|| refused(text, "CSeq"))
    }
}

/// One address, with the place of what is wrong if it is none.
pub(super) fn name_addr(text: &str) -> Result<NameAddr<'_>, HeaderError> {
    NameAddr::parse(text).ok_or_else(|| refused(text, "address"))
}

impl fmt::Display for Via<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.params.as_str())
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}
