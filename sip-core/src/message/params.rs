//! `;name=value` parameters of header fields and URIs.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::Write;
use core::ops::Range;

use super::chars;

/// Writes a parameter to text, which cannot fail.
pub(crate) fn push_param(out: &mut impl Write, name: &str, value: Option<&str>) {
    let _ = out.write_char(';').and_then(|()| out.write_str(name));
    if let Some(value) = value {
        let _ = out.write_char('=').and_then(|()| out.write_str(value));
    }
}

/// Parameters as they stand, from the first `;` on. Iterating never fails: what is no parameter was refused
/// when the field was parsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a>(pub(crate) &'a str);

impl<'a> Params<'a> {
    /// Parses `*( SEMI generic-param )`. `None` if it is anything else.
    pub fn parse(text: &'a str) -> Option<Self> {
        let read = Self::read(text, 0, "")?;
        (read.end == text.len()).then_some(Self(&text[read.params]))
    }

    /// Reads the parameters that stand from `at` on, and looks for `wanted` on the way. `None` also if that stands
    /// twice (§7.3.1): elements that took different ones would see different dialogs or transactions.
    #[inline]
    pub(crate) fn read(text: &str, at: usize, wanted: &str) -> Option<Read> {
        Self::read_with(text, at, wanted, |_| {})
    }

    /// The same; `met` hears the names of the others.
    #[inline]
    pub(crate) fn read_with(text: &str, at: usize, wanted: &str, mut met: impl FnMut(&[u8])) -> Option<Read> {
        let bytes = text.as_bytes();
        if at == text.len() {
            return Some(Read { params: at..at, wanted: None, end: at });
        }
        let start = chars::skip_lws(bytes, at);
        let (mut at, mut end) = (start, start);
        let mut found: Option<Range<usize>> = None;
        while bytes.get(at) == Some(&b';') {
            let (name, value) = read_param(bytes, at)?;
            end = value.end;
            at = chars::skip_lws(bytes, end);
            let name = &bytes[name];
            if !chars::is_name(name, wanted.as_bytes()) {
                met(name);
            } else if found.replace(value).is_some() {
                return None;
            }
        }
        Some(Read { params: start..end, wanted: found.filter(|value| !value.is_empty()), end: at })
    }

    /// The text, from its first semicolon.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// All parameters in order: name, and value if it has one. A quoted value keeps its quotes.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        let mut at = 0;
        core::iter::from_fn(move || {
            let (name, value) = read_param(self.0.as_bytes(), at)?;
            at = chars::skip_lws(self.0.as_bytes(), value.end);
            let has_value = value.start > name.end;
            Some((&self.0[name], has_value.then(|| &self.0[value])))
        })
    }

    /// Whether `name` stands here, with or without a value. Names compare in any case.
    pub fn has(self, name: &str) -> bool {
        self.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
    }

    /// The first value of `name` as it stands; `None` when absent or without value.
    pub fn value(self, name: &str) -> Option<&'a str> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).and_then(|(_, v)| v)
    }

    /// Like [`Params::value`], with quotes and quoted pairs taken off.
    pub fn text(self, name: &str) -> Option<Cow<'a, str>> {
        self.value(name).map(unquote)
    }
}

/// Where parameters stand, and what else reading them tells.
pub(crate) struct Read {
    pub(crate) params: Range<usize>,
    /// The place of the value of the parameter that was looked for.
    pub(crate) wanted: Option<Range<usize>>,
    /// The place after the parameters and the white space there.
    pub(crate) end: usize,
}

/// The parameter whose semicolon stands at `at`: its name and its value, which is empty and begins where the name ends
/// if there is none.
fn read_param(bytes: &[u8], at: usize) -> Option<(Range<usize>, Range<usize>)> {
    if bytes.get(at) != Some(&b';') {
        return None;
    }
    let start = chars::skip_lws(bytes, at + 1);
    let end = chars::skip_param_name(bytes, start);
    if start == end {
        return None;
    }
    let name = start..end;
    let at = chars::skip_lws(bytes, end);
    if bytes.get(at) != Some(&b'=') {
        return Some((name, end..end));
    }
    let start = chars::skip_lws(bytes, at + 1);
    let end = match bytes.get(start) {
        Some(b'"') => quoted_end(bytes, start)?,
        _ => chars::skip_param_value(bytes, start),
    };
    (start < end).then_some((name, start..end))
}

/// Where the quoted string that begins at `start` ends, quotes included. Control characters stand in it only as folds and
/// in quoted pairs (§25.1 `qdtext`).
fn quoted_end(bytes: &[u8], start: usize) -> Option<usize> {
    if bytes.get(start) != Some(&b'"') {
        return None;
    }
    let mut at = start + 1;
    loop {
        at = chars::find_quoted_mark(bytes, at);
        match *bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            byte if chars::is_lws(byte) => at += 1,
            _ => return None,
        }
    }
}

/// Length of the quoted string `text` begins with, quotes included.
pub(crate) fn quoted_len(text: &str) -> Option<usize> {
    quoted_end(text.as_bytes(), 0)
}

/// A quoted string without quotes and quoted pairs; other text as it is.
pub fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return Cow::Borrowed(text);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// `text` as a quoted string, with `"` and `\` escaped and line ends dropped.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\r' | '\n' | '\0' => {}
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
