//! The index: one immutable buffer and where each header field lies in it.

use alloc::vec::Vec;

use bytes::Bytes;

use super::value::split_list;
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
        let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
        Self::new(start, start + part.len())
    }

    pub(crate) const fn range(self) -> core::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One header field of the index.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Which one.
    pub name: HeaderName,
    /// The whole field: name, colon, value with folds, CRLF.
    pub(crate) line: Span,
    /// The value without surrounding white space.
    pub(crate) value: Span,
}

/// A message's bytes and the index of its header fields, in order.
#[derive(Clone, Debug)]
pub struct Headers {
    bytes: Bytes,
    fields: Vec<Field>,
    /// Length of the start line without CRLF.
    start_line: u32,
    body: Span,
}

impl Headers {
    /// Indexes a message. Checks line ends, field names, counts and the body's length; the values are for others.
    pub(crate) fn index(bytes: Bytes) -> Result<Self, ParseError> {
        let mut headers = Self::index_fields(bytes)?;
        headers.delimit_body()?;
        Ok(headers)
    }

    /// The same but for the body, which is all that follows the fields.
    pub(crate) fn index_fields(bytes: Bytes) -> Result<Self, ParseError> {
        if bytes.len() > limits::MESSAGE_BYTES {
            return Err(ParseError::new(Fault::TooLarge, limits::MESSAGE_BYTES));
        }
        let text = &bytes[..];
        let mut fields = Vec::with_capacity(24);
        // Most messages have their CRs, LFs and NULs in order, which one pass over the head tells afterwards; where
        // they are not, line by line tells what is wrong first.
        let (start_line, at) = match index_orderly(text, &mut fields)? {
            Some(found) => found,
            None => {
                fields.clear();
                index_line_by_line(text, &mut fields)?
            }
        };
        if !text[..at].is_ascii()
            && let Err(error) = core::str::from_utf8(&text[..at])
        {
            return Err(ParseError::new(Fault::NotUtf8, error.valid_up_to()));
        }
        let body = Span::new(at, text.len());
        Ok(Self { bytes, fields, start_line: start_line as u32, body })
    }

    /// Ends the body where it ends, or says why that cannot be told.
    pub(crate) fn delimit_body(&mut self) -> Result<(), ParseError> {
        let end = self.body_end(self.body.start as usize)?;
        self.body.end = end as u32;
        // Surplus bytes (§18.3) must not be forwarded: in a stream they would be a message of their own.
        self.bytes.truncate(end);
        Ok(())
    }

    /// What can be told of a message that [`Headers::index`] refuses, to answer it: the lines that are header fields,
    /// and no body. `None` if there is not even a first line.
    pub(crate) fn salvage(bytes: Bytes) -> Option<Self> {
        let text = &bytes[..bytes.len().min(limits::MESSAGE_BYTES)];
        let mut fields = Vec::new();
        let mut lines = memchr::memchr_iter(b'\n', text);
        let mut at = lines.next()? + 1;
        let start_line = without_line_end(&text[..at]);
        for line_feed in lines {
            let end = line_feed + 1;
            let stop = at + without_line_end(&text[at..end]);
            // An empty line ends the fields; one that is no field is what the message is refused for, or beside it.
            if stop == at || fields.len() == limits::HEADER_FIELDS {
                break;
            }
            let _ = push_line(&mut fields, text, at, stop, end);
            at = end;
        }
        Some(Self { fields, start_line: start_line as u32, body: Span::new(at, at), bytes })
    }

    /// The body ends where Content-Length says; without one, where the message ends (§18.3).
    fn body_end(&self, start: usize) -> Result<usize, ParseError> {
        let mut lengths = self.fields.iter().filter(|f| f.name == HeaderName::ContentLength);
        let Some(field) = lengths.next() else { return Ok(self.bytes.len()) };
        if let Some(second) = lengths.next() {
            return Err(ParseError::new(
                Fault::Duplicate(HeaderName::ContentLength),
                second.line.start as usize,
            ));
        }
        let at = field.value.start as usize;
        let malformed = ParseError::new(Fault::Malformed(HeaderName::ContentLength), at);
        let length = chars::number(self.slice(field.value)).ok_or(malformed)?;
        match usize::try_from(length).ok().and_then(|length| start.checked_add(length)) {
            Some(end) if end <= self.bytes.len() => Ok(end),
            _ => Err(ParseError::new(Fault::BodyTooShort, at)),
        }
    }

    /// The whole message as it came.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body.range()]
    }

    /// The start line without CRLF.
    pub fn start_line(&self) -> &str {
        self.slice(Span::new(0, self.start_line as usize))
    }

    /// The index, in message order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// A field's value as it stands, folds included.
    pub fn value_of(&self, field: &Field) -> &str {
        self.slice(field.value)
    }

    /// A field's name as it stands.
    pub fn name_of(&self, field: &Field) -> &str {
        let line = self.slice(field.line);
        line.split_once(':').map_or("", |(name, _)| chars::trim(name))
    }

    /// Whether a field of this name is there.
    pub fn has(&self, name: HeaderName) -> bool {
        self.fields.iter().any(|f| f.name == name)
    }

    /// The value of the first field of this name.
    pub fn first(&self, name: HeaderName) -> Option<&str> {
        self.fields.iter().find(|f| f.name == name).map(|f| self.slice(f.value))
    }

    /// The values of all fields of this name, one a field.
    pub fn all(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |f| f.name == name).map(|f| self.slice(f.value))
    }

    /// All values of a comma-list header, over all its fields, in order.
    pub fn list(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        self.all(name).flat_map(split_list)
    }

    /// The value of the first field named `name`, in any case, known to [`HeaderName`] or not.
    pub fn named(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|f| self.name_of(f).eq_ignore_ascii_case(name)).map(|f| self.slice(f.value))
    }

    /// Whether `option` stands in a list of tokens such as Require or Supported.
    pub fn lists(&self, name: HeaderName, option: &str) -> bool {
        self.list(name).any(|o| o.eq_ignore_ascii_case(option))
    }

    /// The header part was checked to be UTF-8 and spans lie on field boundaries, so this never is empty by failure.
    pub(crate) fn slice(&self, span: Span) -> &str {
        self.bytes.get(span.range()).and_then(|b| core::str::from_utf8(b).ok()).unwrap_or("")
    }
}

/// Indexes the fields; the lengths of the start line and of the head. `None`: line ends are out of order.
fn index_orderly(text: &[u8], fields: &mut Vec<Field>) -> Result<Option<(usize, usize)>, ParseError> {
    let mut start_line = None;
    let mut at = 0;
    let mut lines = 0;
    let mut fault = None;
    for line_feed in memchr::memchr_iter(b'\n', text) {
        let end = line_feed + 1;
        if end - at < 2 || text[line_feed - 1] != b'\r' {
            return Ok(None);
        }
        lines += 1;
        match start_line {
            None => start_line = Some(end - 2),
            Some(start_line) if end - at == 2 => {
                return if is_orderly(&text[..end], lines) {
                    fault.map_or(Ok(Some((start_line, end))), Err)
                } else {
                    Ok(None)
                };
            }
            // A disorder further up goes before it.
            Some(_) if fault.is_none() => fault = push_line(fields, text, at, end - 2, end).err(),
            Some(_) => {}
        }
        at = end;
    }
    Ok(None)
}

/// The same, checking each line's end before the line.
fn index_line_by_line(text: &[u8], fields: &mut Vec<Field>) -> Result<(usize, usize), ParseError> {
    let mut at = line_end(text, 0)?;
    let start_line = at - 2;
    loop {
        let end = line_end(text, at)?;
        if end - at == 2 {
            return Ok((start_line, end));
        }
        push_line(fields, text, at, end - 2, end)?;
        at = end;
    }
}

/// Whether no CR stands outside the line ends of `lines` lines, and NUL nowhere.
fn is_orderly(head: &[u8], lines: usize) -> bool {
    memchr::memchr(0, head).is_none() && memchr::memchr_iter(b'\r', head).count() == lines
}

/// End of the line that begins at `start`, CRLF included.
fn line_end(text: &[u8], start: usize) -> Result<usize, ParseError> {
    let mut from = start;
    loop {
        let Some(at) = memchr::memchr3(b'\n', b'\r', 0, &text[from..]).map(|at| from + at) else {
            return Err(ParseError::new(Fault::Unterminated, text.len()));
        };
        match text[at] {
            b'\r' if text.get(at + 1) == Some(&b'\n') => return Ok(at + 2),
            b'\r' if at + 1 == text.len() => return Err(ParseError::new(Fault::Unterminated, at)),
            // quoted-pair admits NUL, and RFC 4475 §3.1.1.2 sends one
            0 if at > start && text[at - 1] == b'\\' => from = at + 1,
            0 => return Err(ParseError::new(Fault::Nul, at)),
            _ => return Err(ParseError::new(Fault::BareLineEnd, at)),
        }
    }
}

/// Length of a line without its CRLF or LF.
fn without_line_end(line: &[u8]) -> usize {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line).len()
}

/// Takes the line `start..stop`, which ends with its line end at `end`, into the index.
fn push_line(
    fields: &mut Vec<Field>,
    text: &[u8],
    start: usize,
    stop: usize,
    end: usize,
) -> Result<(), ParseError> {
    // Lines that begin with white space continue the one before (§7.3.1).
    if matches!(text[start], b' ' | b'\t') {
        let Some(Field { line, value, .. }) = fields.last_mut() else {
            return Err(ParseError::new(Fault::FieldName, start));
        };
        let more = trimmed(text, start, stop);
        if more.start < more.end {
            if value.start == value.end {
                value.start = more.start;
            }
            value.end = more.end;
        }
        line.end = end as u32;
        return Ok(());
    }
    if fields.len() == limits::HEADER_FIELDS {
        return Err(ParseError::new(Fault::TooManyFields, start));
    }
    // `HCOLON` allows SP and HTAB before the colon and nothing else (§25.1).
    let malformed = ParseError::new(Fault::FieldName, start);
    let line = &text[start..stop];
    let mut name_end = 0;
    while name_end < line.len() && chars::is_token_byte(line[name_end]) {
        name_end += 1;
    }
    let mut colon = name_end;
    while matches!(line.get(colon), Some(b' ' | b'\t')) {
        colon += 1;
    }
    if name_end == 0 || line.get(colon) != Some(&b':') {
        return Err(malformed);
    }
    let name = &line[..name_end];
    fields.push(Field {
        name: HeaderName::from_bytes(name),
        line: Span::new(start, end),
        value: trimmed(text, start + colon + 1, stop),
    });
    Ok(())
}

/// `start..stop` without surrounding white space.
fn trimmed(text: &[u8], mut start: usize, mut stop: usize) -> Span {
    while start < stop && chars::is_lws(text[start]) {
        start += 1;
    }
    while stop > start && chars::is_lws(text[stop - 1]) {
        stop -= 1;
    }
    Span::new(start, stop)
}
