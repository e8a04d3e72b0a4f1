//! The index: where each header field of a message lies.

use bytes::Bytes;
use bytestring::ByteString;

use super::indexed::{Field, FieldList};
use super::name::NameSet;
use super::{Fault, HeaderName, ParseError, chars};
use crate::limits;

/// A byte range of the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// Messages are below 4 GiB by [`limits::MESSAGE_BYTES`], so positions fit.
    pub(crate) const fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// Where `part`, a slice of `whole`, lies in it.
    pub(crate) fn of(whole: &[u8], part: &str) -> Self {
        let start = chars::offset_in(whole, part.as_bytes());
        Self::new(start, start + part.len())
    }

    pub(crate) const fn range(self) -> core::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Where this is once what lies at `place`, within it or beside it, has the length `len`.
    pub(super) const fn moved(self, place: Self, len: usize) -> Self {
        let end = place.start + len as u32;
        let start = if self.start >= place.end { self.start - place.end + end } else { self.start };
        Self { start, end: if self.end >= place.end { self.end - place.end + end } else { self.end } }
    }
}

/// Where everything lies.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    fields: FieldList,
    /// Length of the start line without CRLF.
    start_line: u32,
    /// Where the body begins; it ends with the message.
    body: u32,
    /// The names that are there.
    present: NameSet,
    /// A bit for each seat whose name has several fields.
    repeated: u16,
    /// The first fields of the names that every message is asked for, if they are among the first [`NO_SEAT`].
    seats: [u8; SEATS],
}

/// As many names as have seats: the first ones of [`HeaderName::ALL`].
const SEATS: usize = HeaderName::ContentLength as usize + 1;

const _: () = assert!(SEATS <= u16::BITS as usize, "a bit for each seat");

const NO_SEAT: u8 = u8::MAX;

impl Index {
    pub(super) const fn new() -> Self {
        Self {
            fields: FieldList::new(),
            start_line: 0,
            body: 0,
            present: NameSet::EMPTY,
            repeated: 0,
            seats: [NO_SEAT; SEATS],
        }
    }

    /// Indexes a message, all of whose rest is its body, in an index that is new. Gives the head: start line and fields.
    pub(super) fn read(&mut self, bytes: &Bytes) -> Result<ByteString, ParseError> {
        if bytes.len() > limits::MESSAGE_BYTES {
            return Err(ParseError::new(Fault::TooLarge, limits::MESSAGE_BYTES));
        }
        let (end, nul) = match self.read_lines(bytes) {
            Ok(read) => read,
            // Of two faults the first is told.
            Err((error, seen)) => return Err(line_fault(bytes, seen).unwrap_or(error)),
        };
        if nul {
            if let Some(fault) = line_fault(bytes, end) {
                return Err(fault);
            }
            for value in self.fields().iter().map(Field::value) {
                if let Some(at) = stray_nul(&bytes[value.range()]) {
                    return Err(ParseError::new(Fault::Nul, value.start as usize + at));
                }
            }
        }
        ByteString::try_from(bytes.slice(..end))
            .map_err(|error| ParseError::new(Fault::NotUtf8, error.valid_up_to()))
    }

    /// Takes in the lines up to the empty one, and says where the body begins and whether a NUL stands before it; or what
    /// is wrong with one of them, and how far it was looked.
    fn read_lines(&mut self, bytes: &[u8]) -> Result<(usize, bool), (ParseError, usize)> {
        let (mut start, mut at, mut nul) = (0, 0, false);
        loop {
            let stop = chars::find_line_mark(bytes, at);
            let end = stop + 2;
            match (bytes.get(stop), bytes.get(stop + 1)) {
                (Some(b'\r'), Some(b'\n')) => {}
                (Some(b'\r' | b'\n'), _) => {
                    return Err((ParseError::new(Fault::BareLineEnd, stop), stop + 1));
                }
                (Some(other), _) => {
                    nul |= *other == 0;
                    at = stop + 1;
                    continue;
                }
                (None, _) => return Err((ParseError::new(Fault::Unterminated, bytes.len()), bytes.len())),
            }
            if start == 0 {
                self.start_line = stop as u32;
            } else if start == stop {
                self.body = end as u32;
                return Ok((end, nul));
            } else if let Some((name, colon)) = HeaderName::usual(&bytes[start..])
                && self.fields.len() < limits::HEADER_FIELDS
            {
                self.push(name, Span::new(start, end), trimmed(bytes, start + colon + 1, stop));
            } else {
                self.push_line(bytes, start, stop, end).map_err(|error| (error, stop))?;
            }
            (start, at) = (end, end);
        }
    }

    /// The body ends where Content-Length says; without one, where the message ends, at `len` (§18.3).
    pub(crate) fn body_end(&self, head: &str, len: usize) -> Result<usize, ParseError> {
        if !self.has(HeaderName::ContentLength) {
            return Ok(len);
        }
        let value = self.single(HeaderName::ContentLength)?.value();
        let at = value.start as usize;
        let malformed = ParseError::new(Fault::Malformed(HeaderName::ContentLength), at);
        let length = chars::number(&head[value.range()]).ok_or(malformed)?;
        match usize::try_from(length).ok().and_then(|length| head.len().checked_add(length)) {
            Some(end) if end <= len => Ok(end),
            _ => Err(ParseError::new(Fault::BodyTooShort, at)),
        }
    }

    /// The index of a message that [`Index::read`] refuses: the lines that are header fields, and where they end. `None` if
    /// there is not even a first line.
    pub(super) fn salvage(bytes: &[u8]) -> Option<(Self, usize)> {
        let text = &bytes[..bytes.len().min(limits::MESSAGE_BYTES)];
        let mut index = Self::new();
        let mut lines = memchr::memchr_iter(b'\n', text);
        let mut at = lines.next()? + 1;
        index.start_line = without_line_end(&text[..at]) as u32;
        for line_feed in lines {
            let end = line_feed + 1;
            let stop = at + without_line_end(&text[at..end]);
            // An empty line ends the fields; one that is no field is what the message is refused for, or beside it.
            if stop == at || index.fields.len() == limits::HEADER_FIELDS {
                break;
            }
            let _ = index.push_line(text, at, stop, end);
            at = end;
        }
        index.body = at as u32;
        Some((index, at))
    }

    /// What lies at `place`, within a field's value, has another length now, `len`.
    pub(super) fn moved(&mut self, place: Span, len: usize) {
        self.fields.moved(place, len);
        self.body = Span::new(0, self.body()).moved(place, len).end;
    }

    /// The fields, in message order.
    pub(super) fn fields(&self) -> &[Field] {
        self.fields.as_slice()
    }

    /// Where the body begins.
    pub(super) const fn body(&self) -> usize {
        self.body as usize
    }

    pub(super) const fn start_line_span(&self) -> Span {
        Span::new(0, self.start_line as usize)
    }

    pub(crate) fn start_line<'m>(&self, head: &'m str) -> &'m str {
        &head[..self.start_line as usize]
    }

    pub(crate) const fn has(&self, name: HeaderName) -> bool {
        self.present.has(name)
    }

    pub(crate) fn fields_of(&self, name: HeaderName) -> impl Iterator<Item = &Field> {
        // Most names that are asked for are not there, and most others once.
        let fields = match (self.has(name), self.seats.get(name as usize)) {
            (false, _) => &[],
            (true, None | Some(&NO_SEAT)) => self.fields(),
            (true, Some(seat)) if self.repeated & (1 << name as usize) != 0 => {
                &self.fields()[usize::from(*seat)..]
            }
            (true, Some(seat)) => &self.fields()[usize::from(*seat)..][..1],
        };
        fields.iter().filter(move |f| f.name == name)
    }

    /// The first field of a name.
    #[inline]
    pub(crate) fn first(&self, name: HeaderName) -> Option<&Field> {
        match self.seats.get(name as usize) {
            Some(&NO_SEAT) | None => self.fields_of(name).next(),
            Some(seat) => self.fields().get(usize::from(*seat)),
        }
    }

    /// The field of a name that must stand exactly once.
    pub(crate) fn single(&self, name: HeaderName) -> Result<&Field, ParseError> {
        // As a rule it does.
        if let Some(seat) = self.seats.get(name as usize)
            && *seat != NO_SEAT
            && self.repeated & (1 << name as usize) == 0
            && let Some(field) = self.fields().get(usize::from(*seat))
        {
            return Ok(field);
        }
        self.single_of_many(name)
    }

    #[cold]
    fn single_of_many(&self, name: HeaderName) -> Result<&Field, ParseError> {
        let mut fields = self.fields_of(name);
        let field = fields.next().ok_or(ParseError::new(Fault::Missing(name), 0))?;
        match fields.next() {
            Some(second) => Err(ParseError::new(Fault::Duplicate(name), second.line().start as usize)),
            None => Ok(field),
        }
    }

    /// Takes in the line `start..stop`, which ends with its line end at `end`.
    fn push_line(&mut self, text: &[u8], start: usize, stop: usize, end: usize) -> Result<(), ParseError> {
        if matches!(text[start], b' ' | b'\t') {
            return self.fold(text, start, stop, end);
        }
        if self.fields.len() == limits::HEADER_FIELDS {
            return Err(ParseError::new(Fault::TooManyFields, start));
        }
        let (name, colon) = match HeaderName::usual(&text[start..]) {
            Some(usual) => usual,
            None => field_name(&text[start..stop])
                .map_err(|stray| ParseError::new(Fault::FieldName, start + stray))?,
        };
        self.push(name, Span::new(start, end), trimmed(text, start + colon + 1, stop));
        Ok(())
    }

    #[inline]
    fn push(&mut self, name: HeaderName, line: Span, value: Span) {
        let position = self.fields.len();
        if let Some(seat) = self.seats.get_mut(name as usize) {
            if self.present.has(name) {
                self.repeated |= 1 << name as usize;
            } else {
                *seat = u8::try_from(position).unwrap_or(NO_SEAT);
            }
        }
        self.present.insert(name);
        self.fields.push(Field::new(name, line, value));
    }

    /// Lines that begin with white space continue the one before (§7.3.1).
    #[cold]
    fn fold(&mut self, text: &[u8], start: usize, stop: usize, end: usize) -> Result<(), ParseError> {
        let Some(field) = self.fields.last_mut() else {
            return Err(ParseError::new(Fault::FieldName, start));
        };
        let (line, mut value) = (field.line(), field.value());
        let more = trimmed(text, start, stop);
        if more.start < more.end {
            if value.start == value.end {
                value.start = more.start;
            }
            value.end = more.end;
        }
        *field = Field::new(field.name, Span { end: end as u32, ..line }, value);
        Ok(())
    }
}

/// The first of `text`'s first `upto` bytes that is no part of a line, nor of the end of one.
#[cold]
fn line_fault(text: &[u8], upto: usize) -> Option<ParseError> {
    let mut start = 0;
    for at in 0..upto {
        match line_end(text, start, at) {
            Ok(true) => start = at + 2,
            Ok(false) => {}
            Err(fault) => return Some(fault),
        }
    }
    None
}

/// Whether the control character at `at` begins the CRLF of the line that begins at `start`. Line ends and NULs that
/// are out of order are faults.
fn line_end(text: &[u8], start: usize, at: usize) -> Result<bool, ParseError> {
    match text[at] {
        b'\r' => match text.get(at + 1) {
            Some(b'\n') => Ok(true),
            Some(_) => Err(ParseError::new(Fault::BareLineEnd, at)),
            None => Err(ParseError::new(Fault::Unterminated, at)),
        },
        // The second half of the CRLF before.
        b'\n' if at + 1 == start => Ok(false),
        b'\n' => Err(ParseError::new(Fault::BareLineEnd, at)),
        // A quoted-pair admits NUL, and RFC 4475 §3.1.1.2 sends one; whether this is a pair, the whole field tells. The
        // start line has none.
        0 if start == 0 || text[at - 1] != b'\\' => Err(ParseError::new(Fault::Nul, at)),
        // Other control characters are for the field's reader.
        _ => Ok(false),
    }
}

/// The first NUL of a field's value that is no quoted-pair of a quoted string. (Comments have quoted-pairs too, yet
/// which field has comments only its reader knows, and whoever takes NUL for the end would lose what follows.)
#[cold]
pub(super) fn stray_nul(value: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped, mut pair) = (false, false, None);
    for (at, byte) in value.iter().enumerate() {
        match byte {
            0 if !escaped => return Some(at),
            0 => pair = pair.or(Some(at)),
            _ => {}
        }
        match byte {
            _ if escaped => escaped = false,
            b'"' => {
                quoted = !quoted;
                pair = None;
            }
            _ => escaped = quoted && *byte == b'\\',
        }
    }
    // A quote that nothing closes opens no quoted string.
    pair
}

/// Length of a line without its CRLF or LF.
fn without_line_end(line: &[u8]) -> usize {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line).len()
}

/// The name a line begins with, and the place of the colon behind it; or the place of what stands in its stead.
fn field_name(line: &[u8]) -> Result<(HeaderName, usize), usize> {
    let colon = chars::find_byte(line, 0, b':');
    // `HCOLON` allows SP and HTAB before the colon and nothing else (§25.1).
    let blank = line[..colon].iter().rev().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let end = colon - blank;
    let name = HeaderName::leading(line, end);
    // Known names are tokens.
    let token = if name == HeaderName::Other { chars::skip_token(&line[..end], 0) } else { end };
    if token == end && end > 0 && colon < line.len() { Ok((name, colon)) } else { Err(token) }
}

/// `start..stop` without surrounding white space.
#[inline]
fn trimmed(text: &[u8], start: usize, stop: usize) -> Span {
    let text = &text[..stop];
    // As nearly everybody writes it.
    if let Some([b' ', first, .., last]) = text.get(start..)
        && !chars::is_lws(*first)
        && !chars::is_lws(*last)
    {
        return Span::new(start + 1, stop);
    }
    let start = chars::skip_lws(text, start);
    let blank = text[start..].iter().rev().take_while(|b| chars::is_lws(**b)).count();
    Span::new(start, stop - blank)
}
