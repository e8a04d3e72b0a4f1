//! `;name=value` parameters of header fields and URIs.

use alloc::borrow::Cow;
use alloc::string::String;

use super::chars;

/// Parameters as they stand, from the first `;` on. Iterating never fails: what is no parameter was refused
/// when the field was parsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a>(pub(crate) &'a str);

impl<'a> Params<'a> {
    /// Parses `*( SEMI generic-param )`. `None` if it is anything else.
    pub fn parse(text: &'a str) -> Option<Self> {
        let params = Self(chars::trim(text));
        let mut walk = Walk { rest: params.0 };
        while let Some(item) = walk.step() {
            item?;
        }
        Some(params)
    }

    /// The text, from its first semicolon.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// All parameters in order: name, and value if it has one. A quoted value keeps its quotes.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        let mut walk = Walk { rest: self.0 };
        core::iter::from_fn(move || walk.step().flatten())
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

struct Walk<'a> {
    rest: &'a str,
}

impl<'a> Walk<'a> {
    /// One parameter; `Some(None)` is a fault, after which the walk ends.
    #[expect(clippy::option_option, reason = "end and fault are different ends")]
    fn step(&mut self) -> Option<Option<(&'a str, Option<&'a str>)>> {
        let text = self.rest;
        let bytes = text.as_bytes();
        let at = chars::skip_lws(bytes, 0);
        if at == bytes.len() {
            return None;
        }
        self.rest = "";
        if bytes[at] != b';' {
            return Some(None);
        }
        let start = chars::skip_lws(bytes, at + 1);
        let end = chars::skip_param_name(bytes, start);
        if start == end {
            return Some(None);
        }
        let name = &text[start..end];
        let at = chars::skip_lws(bytes, end);
        if bytes.get(at) != Some(&b'=') {
            self.rest = &text[at..];
            return Some(Some((name, None)));
        }
        let start = chars::skip_lws(bytes, at + 1);
        let end = match bytes.get(start) {
            Some(b'"') => match quoted_len(&text[start..]) {
                Some(len) => start + len,
                None => return Some(None),
            },
            _ => chars::skip_param_value(bytes, start),
        };
        if start == end {
            return Some(None);
        }
        self.rest = &text[end..];
        Some(Some((name, Some(&text[start..end]))))
    }
}

/// Length of the quoted string `text` begins with, quotes included.
pub(crate) fn quoted_len(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
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
