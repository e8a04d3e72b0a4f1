//! A message's header fields by name, as text: one immutable buffer and its index.

use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

use super::index::{Index, Span, stray_nul};
use super::indexed::Field;
use super::value::next_element;
use super::{HeaderName, ParseError, chars};
use crate::limits;

/// A message's bytes and the index of its header fields, in order.
#[derive(Clone, Debug)]
pub struct Headers {
    bytes: Bytes,
    /// The bytes before the body, looked at once whether they are text. Empty if they are not, which only
    /// [`Headers::salvage`] admits.
    head: ByteString,
    index: Index,
}

impl Headers {
    /// Indexes a message. Checks line ends, field names, counts and the body's length; the values are for others.
    pub(crate) fn index(bytes: Bytes) -> Result<Self, ParseError> {
        let mut headers = Self::unread(bytes);
        headers.read()?;
        let end = headers.index.body_end(&headers.head, headers.bytes.len())?;
        headers.end_at(end);
        Ok(headers)
    }

    /// A message that is still to be indexed: [`Headers::read`].
    #[inline]
    pub(super) fn unread(bytes: Bytes) -> Self {
        Self { bytes, head: ByteString::new(), index: Index::new() }
    }

    /// Fills in the index. (It is large enough to be better not moved.)
    pub(super) fn read(&mut self) -> Result<(), ParseError> {
        self.head = self.index.read(&self.bytes)?;
        Ok(())
    }

    /// The index, and the text it is of.
    pub(super) fn indexed(&self) -> (&Index, &str) {
        (&self.index, &self.head)
    }

    /// Surplus bytes past the body's `end` (§18.3) must not be forwarded: in a stream they would be a message of their
    /// own.
    pub(super) fn end_at(&mut self, end: usize) {
        self.bytes.truncate(end);
    }

    /// Puts `text` in the place of what lies at `place`, within a field's value, where it means as many fields and values. `false`:
    /// that would be too long, and nothing was done.
    pub(super) fn put(&mut self, place: Span, text: &str) -> bool {
        let range = place.range();
        let grown = |len: usize| len - range.len() + text.len();
        // The place of every part, up to the end, fits into 16 bits.
        if grown(self.bytes.len()) >= limits::MESSAGE_BYTES {
            return false;
        }
        let mut bytes = Vec::with_capacity(grown(self.bytes.len()));
        bytes.extend_from_slice(&self.bytes[..range.start]);
        bytes.extend_from_slice(text.as_bytes());
        bytes.extend_from_slice(&self.bytes[range.end..]);
        let bytes = Bytes::from(bytes);
        let Ok(head) = ByteString::try_from(bytes.slice(..grown(self.head.len()))) else { return false };
        (self.bytes, self.head) = (bytes, head);
        self.index.moved(place, text.len());
        true
    }

    /// What can be told of a message that [`Headers::index`] refuses, to answer it: the lines that are header fields,
    /// and no body. `None` if there is not even a first line.
    pub(crate) fn salvage(bytes: Bytes) -> Option<Self> {
        let (index, end) = Index::salvage(&bytes)?;
        let head = ByteString::try_from(bytes.slice(..end)).unwrap_or_default();
        Some(Self { bytes: bytes.slice(..end), head, index })
    }

    /// The whole message as it came.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.index.body()..]
    }

    /// The start line without CRLF.
    pub fn start_line(&self) -> &str {
        self.slice(self.index.start_line_span())
    }

    /// The index, in message order.
    pub fn fields(&self) -> &[Field] {
        self.index.fields()
    }

    /// Every field with its value as it stands, in message order.
    pub fn values(&self) -> impl Iterator<Item = (HeaderName, &str)> {
        self.fields().iter().map(|field| (field.name, self.slice(field.value())))
    }

    /// A field's value as it stands, folds included.
    pub fn value_of(&self, field: &Field) -> &str {
        self.slice(field.value())
    }

    /// A field's name as it stands.
    pub fn name_of(&self, field: &Field) -> &str {
        let line = self.slice(field.line());
        line.split_once(':').map_or("", |(name, _)| chars::trim(name))
    }

    /// Whether a field of this name is there.
    pub const fn has(&self, name: HeaderName) -> bool {
        self.index.has(name)
    }

    /// The value of the first field of this name.
    pub fn first(&self, name: HeaderName) -> Option<&str> {
        self.index.first(name).map(|f| self.slice(f.value()))
    }

    /// The values of all fields of this name, one a field.
    pub fn all(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        self.fields_of(name).map(|f| self.slice(f.value()))
    }

    /// The first field of this name.
    pub(crate) fn first_field(&self, name: HeaderName) -> Option<&Field> {
        self.index.first(name)
    }

    /// The fields of this name.
    pub(crate) fn fields_of(&self, name: HeaderName) -> impl Iterator<Item = &Field> {
        self.index.fields_of(name)
    }

    /// All values of a comma-list header, over all its fields, in order.
    pub fn list(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        let mut fields = self.all(name);
        let mut rest = "";
        core::iter::from_fn(move || {
            loop {
                if let Some(element) = next_element(&mut rest) {
                    return Some(element);
                }
                rest = fields.next()?;
            }
        })
    }

    /// The value of the first field named `name`, in any case, known to [`HeaderName`] or not.
    pub fn named(&self, name: &str) -> Option<&str> {
        let known = HeaderName::from_bytes(name.as_bytes());
        let same = |f: &&Field| known != HeaderName::Other || self.name_of(f).eq_ignore_ascii_case(name);
        self.fields_of(known).find(same).map(|f| self.slice(f.value()))
    }

    /// Whether `option` stands in a list of tokens such as Require or Supported.
    pub fn lists(&self, name: HeaderName, option: &str) -> bool {
        self.list(name).any(|o| o.eq_ignore_ascii_case(option))
    }

    /// Whether an answer can repeat a field of a message that was refused: its bytes are text.
    pub(crate) fn is_text(&self, field: &Field) -> bool {
        let line = self.bytes.get(field.line().range()).unwrap_or_default();
        core::str::from_utf8(line).is_ok() && stray_nul(&self.bytes[field.value().range()]).is_none()
    }

    /// Spans lie on the borders of fields and characters, so this never is empty by failure where the head is text.
    #[inline]
    pub(crate) fn slice(&self, span: Span) -> &str {
        self.head.get(span.range()).unwrap_or_else(|| self.salvaged(span))
    }

    /// A part of a head of which another part is no text.
    #[cold]
    fn salvaged(&self, span: Span) -> &str {
        self.bytes.get(span.range()).and_then(|b| core::str::from_utf8(b).ok()).unwrap_or("")
    }
}
