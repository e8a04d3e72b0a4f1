//! Editing by splice: what is not touched leaves exactly as it came.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;

use super::index::Span;
use super::value::list_element_len;
use super::{HeaderName, Headers, Request, chars};

/// A list of edits against one message; [`Rewrite::finish`] applies them in one pass.
#[derive(Debug)]
pub struct Rewrite<'m> {
    headers: &'m Headers,
    edits: Vec<Edit>,
    /// All that is inserted, in the order it was asked for.
    text: String,
    end_of_fields: usize,
}

#[derive(Clone, Copy, Debug)]
struct Edit {
    cut: Span,
    /// What takes its place, in [`Rewrite::text`].
    insert: Span,
}

impl<'m> Rewrite<'m> {
    /// Begins with no edits.
    pub fn new(headers: &'m Headers) -> Self {
        let end_of_fields =
            headers.fields().last().map_or(headers.start_line().len() + 2, |f| f.line().end as usize);
        Self { headers, edits: Vec::with_capacity(12), text: String::new(), end_of_fields }
    }

    /// Makes room for what will be inserted, in bytes.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        if self.text.is_empty() {
            self.text = String::with_capacity(bytes);
        } else {
            self.text.reserve(bytes);
        }
    }

    fn edit(&mut self, cut: Span, insert: impl FnOnce(&mut String)) {
        let start = self.text.len();
        insert(&mut self.text);
        self.edits.push(Edit { cut, insert: Span::new(start, self.text.len()) });
    }

    fn cut(&mut self, cut: Span) {
        self.edit(cut, |_| {});
    }

    /// Replaces the Request-URI.
    pub fn request_uri(&mut self, request: &Request, uri: &str) {
        let span = Span::of(self.headers.bytes(), request.uri());
        self.edit(span, |text| text.push_str(uri));
    }

    /// Adds a field before the first of its name, or before all fields.
    pub fn prepend(&mut self, name: HeaderName, value: &str) {
        self.prepend_with(name, |text| text.push_str(value));
    }

    /// The same with a value that is written in its place.
    pub(crate) fn prepend_with(&mut self, name: HeaderName, value: impl FnOnce(&mut String)) {
        let at = self
            .headers
            .first_field(name)
            .map_or_else(|| self.headers.start_line().len() + 2, |f| f.line().start as usize);
        self.edit(Span::new(at, at), line(name, value));
    }

    /// Adds a field after all others.
    pub fn append(&mut self, name: HeaderName, value: &str) {
        let at = self.end_of_fields;
        self.edit(Span::new(at, at), line(name, |text| text.push_str(value)));
    }

    /// Replaces the value of the first field of this name, or appends the field.
    pub fn set(&mut self, name: HeaderName, value: &str) {
        match self.headers.first_field(name) {
            Some(field) if field.value().range().is_empty() => {
                self.edit(field.line(), line(name, |text| text.push_str(value)));
            }
            Some(field) => self.edit(field.value(), |text| text.push_str(value)),
            None => self.append(name, value),
        }
    }

    /// Removes every field of this name.
    pub fn remove(&mut self, name: HeaderName) {
        for field in self.headers.fields_of(name) {
            self.cut(field.line());
        }
    }

    /// Removes the fields of this name whose value satisfies `unwanted`.
    pub fn remove_if(&mut self, name: HeaderName, unwanted: impl Fn(&str) -> bool) {
        for field in self.headers.fields_of(name) {
            if unwanted(self.headers.value_of(field)) {
                self.cut(field.line());
            }
        }
    }

    /// Replaces the first value of a list header, leaving the others.
    pub fn replace_first_value(&mut self, name: HeaderName, value: &str) {
        if let Some(field) = self.headers.first_field(name) {
            let text = self.headers.value_of(field);
            let Some(element) = first_value(text) else { return };
            let span = Span::of(self.headers.bytes(), chars::trim(&text[element]));
            self.edit(span, |text| text.push_str(value));
        }
    }

    /// Removes the first field of this name.
    pub(crate) fn remove_first_field(&mut self, name: HeaderName) {
        if let Some(field) = self.headers.first_field(name) {
            self.cut(field.line());
        }
    }

    /// Removes the first `count` values of a list header, wherever its fields break, and fields without a value up to the
    /// next: what was second is topmost.
    pub fn remove_first_values(&mut self, name: HeaderName, count: usize) {
        let mut left = count;
        for field in self.headers.fields_of(name) {
            let text = self.headers.value_of(field);
            // A list of one address.
            if left > 0
                && text.starts_with('<')
                && memchr::memchr(b'>', text.as_bytes()) == Some(text.len() - 1)
            {
                self.cut(field.line());
                left -= 1;
                continue;
            }
            if left == 0 && has_value(text) {
                return;
            }
            let mut at = 0;
            while left > 0 && at < text.len() {
                match first_value(&text[at..]) {
                    Some(element) => {
                        at += element.end + 1;
                        left -= 1;
                    }
                    None => at = text.len(),
                }
            }
            // Commas that are left are no list.
            if !text.get(at..).is_some_and(has_value) {
                self.cut(field.line());
            } else {
                at += text[at..].len() - text[at..].trim_start_matches([' ', '\t', '\r', '\n']).len();
                let start = field.value().start as usize;
                self.cut(Span::new(start, start + at));
            }
        }
    }

    /// Removes the last value of a list header.
    pub fn remove_last_value(&mut self, name: HeaderName) {
        let headers = self.headers;
        let last = headers.fields_of(name).filter(|f| first_value(headers.value_of(f)).is_some()).last();
        let Some(field) = last else { return };
        let text = headers.value_of(field);
        let (mut at, mut kept) = (0, 0);
        while let Some(element) = text.get(at..).and_then(first_value) {
            kept = at;
            at += element.end + 1;
        }
        if kept == 0 {
            self.cut(field.line());
        } else {
            // The comma before it, too.
            let end = field.value().end as usize;
            self.cut(Span::new(field.value().start as usize + kept - 1, end));
        }
    }

    /// The edited message. What is added where something is taken away comes before it. Edits of the same bytes are a
    /// mistake of the caller's: the first asked for applies.
    pub fn finish(mut self) -> Bytes {
        // Those at one place stay in the order they were asked for.
        self.edits.sort_by_key(|e| (e.cut.start, e.cut.end > e.cut.start));
        let source = self.headers.bytes();
        let cut: usize = self.edits.iter().map(|e| e.cut.range().len()).sum();
        // Of edits that overlap more is cut than is there.
        let mut out = Vec::with_capacity((source.len() + self.text.len()).saturating_sub(cut));
        let mut at = 0;
        for edit in &self.edits {
            let (start, end) = (edit.cut.start as usize, edit.cut.end as usize);
            debug_assert!(start >= at, "two edits of the bytes from {start} on");
            if start < at {
                continue;
            }
            out.extend_from_slice(&source[at..start]);
            out.extend_from_slice(&self.text.as_bytes()[edit.insert.range()]);
            at = end;
        }
        out.extend_from_slice(&source[at..]);
        Bytes::from(out)
    }
}

/// The first element of a list that is not empty: an empty one is no value ([`super::split_list`]).
fn first_value(text: &str) -> Option<Range<usize>> {
    let mut at = 0;
    while at < text.len() {
        let end = at + list_element_len(&text[at..]);
        if !chars::trim(&text[at..end]).is_empty() {
            return Some(at..end);
        }
        at = end + 1;
    }
    None
}

/// Whether a list has an element that is not empty.
pub(super) fn has_value(text: &str) -> bool {
    text.bytes().any(|byte| byte != b',' && !chars::is_lws(byte))
}

/// Writes a whole field.
fn line(name: HeaderName, value: impl FnOnce(&mut String)) -> impl FnOnce(&mut String) {
    move |text| {
        text.push_str(name.as_str());
        text.push_str(": ");
        value(text);
        text.push_str("\r\n");
    }
}
