//! The fields of an index.

use alloc::vec::Vec;

use super::HeaderName;
use super::index::Span;

/// One header field of the index.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Which one.
    pub name: HeaderName,
    line: Stretch,
    value: Stretch,
}

/// A part of a message's fields: it begins behind the start line, so that its length fits too.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    start: u16,
    len: u16,
}

const _: () = assert!(crate::limits::MESSAGE_BYTES <= 1 << 16, "a stretch is 16 bits");

impl Stretch {
    const fn of(span: Span) -> Self {
        Self { start: span.start as u16, len: (span.end - span.start) as u16 }
    }

    const fn span(self) -> Span {
        Span::new(self.start as usize, self.start as usize + self.len as usize)
    }
}

impl Field {
    pub(super) const fn new(name: HeaderName, line: Span, value: Span) -> Self {
        Self { name, line: Stretch::of(line), value: Stretch::of(value) }
    }

    /// The whole field: name, colon, value with folds, CRLF.
    pub(crate) const fn line(&self) -> Span {
        self.line.span()
    }

    /// The value without surrounding white space.
    pub(crate) const fn value(&self) -> Span {
        self.value.span()
    }

    const fn moved(&mut self, place: Span, len: usize) {
        let (line, value) = (self.line().moved(place, len), self.value().moved(place, len));
        *self = Self::new(self.name, line, value);
    }
}

/// As many as nearly every message has, which stand in the index itself: a list is one allocation more, and a message that
/// waits for its transaction's timers keeps it as long.
const USUAL: usize = 24;

/// Fields in message order.
#[derive(Clone, Debug)]
pub(super) struct FieldList {
    /// All of them, if they are not more.
    usual: [Field; USUAL],
    len: u16,
    /// All of them, if they are.
    list: Vec<Field>,
}

const _: () = assert!(crate::limits::HEADER_FIELDS <= u16::MAX as usize, "their number is 16 bits");

impl FieldList {
    pub(super) const fn new() -> Self {
        const NONE: Field = Field::new(HeaderName::Via, Span::new(0, 0), Span::new(0, 0));
        Self { usual: [NONE; USUAL], len: 0, list: Vec::new() }
    }

    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    pub(super) fn push(&mut self, field: Field) {
        match self.usual.get_mut(usize::from(self.len)) {
            Some(place) => *place = field,
            None => self.push_more(field),
        }
        self.len += 1;
    }

    #[cold]
    fn push_more(&mut self, field: Field) {
        if self.list.is_empty() {
            self.list.reserve(2 * USUAL);
            self.list.extend_from_slice(&self.usual);
        }
        self.list.push(field);
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[Field] {
        self.usual.get(..self.len()).unwrap_or(&self.list)
    }

    /// What lies at `place`, within a value, has another length now, `len`.
    pub(super) fn moved(&mut self, place: Span, len: usize) {
        let usual = self.usual.iter_mut().take(usize::from(self.len));
        usual.chain(&mut self.list).for_each(|field| field.moved(place, len));
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut Field> {
        match self.list.last_mut() {
            Some(last) => Some(last),
            None => self.usual[..usize::from(self.len)].last_mut(),
        }
    }
}
