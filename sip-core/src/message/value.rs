//! Values of the fields every message must have, and of those that share their shape.

use core::fmt;

use super::params::{quoted_len, unquote};
use super::uri::host_port;
use super::{Host, Method, Params, Uri, chars};
use alloc::borrow::Cow;

/// `name-addr` or `addr-spec` with header parameters: From, To, Contact, Route, Record-Route, Path, Refer-To, …
/// (RFC 3261 §20.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The display name as it stands, with its quotes; empty if there is none.
    pub display: &'a str,
    /// The URI as it stands.
    pub uri: &'a str,
    /// Parameters of the field, not of the URI.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Parses one value; a list must be split first. The URI inside is checked too.
    pub fn parse(text: &'a str) -> Option<Self> {
        let text = chars::trim(text);
        let (display, rest) = if text.starts_with('"') {
            let (quoted, rest) = text.split_at(quoted_len(text)?);
            (quoted, chars::trim(rest))
        } else {
            match memchr::memchr(b'<', text.as_bytes()) {
                Some(at) => (chars::trim(&text[..at]), &text[at..]),
                None => ("", text),
            }
        };
        let Some(inner) = rest.strip_prefix('<') else {
            // addr-spec: parameters after ";" are the field's; "?" and "," need brackets (§20).
            if !display.is_empty() {
                return None;
            }
            let end = rest.find(';').unwrap_or(rest.len());
            let uri = chars::trim(&rest[..end]);
            if uri.contains(['?', ',']) {
                return None;
            }
            Uri::parse(uri)?;
            return Some(Self { display, uri, params: Params::parse(&rest[end..])? });
        };
        if !display.starts_with('"') && display.bytes().any(|b| matches!(b, b',' | b';' | b'"' | b'>' | b':'))
        {
            return None;
        }
        let end = memchr::memchr(b'>', inner.as_bytes())?;
        let uri = &inner[..end];
        Uri::parse(uri)?;
        Some(Self { display, uri, params: Params::parse(&inner[end + 1..])? })
    }

    /// The URI, parsed. [`NameAddr::parse`] has checked it, so `None` means a value made otherwise.
    pub fn parsed_uri(&self) -> Option<Uri<'a>> {
        Uri::parse(self.uri)
    }

    /// The `tag` parameter.
    pub fn tag(&self) -> Option<&'a str> {
        self.params.value("tag")
    }

    /// The display name without quotes; `None` if there is none.
    pub fn display_name(&self) -> Option<Cow<'a, str>> {
        (!self.display.is_empty()).then(|| unquote(self.display))
    }
}

impl fmt::Display for NameAddr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.display.is_empty() {
            write!(f, "{} ", self.display)?;
        }
        write!(f, "<{}>{}", self.uri, self.params.as_str())
    }
}

/// One Via value (RFC 3261 §20.42).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// `UDP`, `TCP`, `WS`, … as it stands.
    pub transport: &'a str,
    /// Host of `sent-by`.
    pub host: Host<'a>,
    /// Port of `sent-by`.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport`, …
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Parses one value; a list must be split first.
    pub fn parse(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let name_end = memchr::memchr(b'/', bytes)?;
        let version_end = name_end + 1 + memchr::memchr(b'/', &bytes[name_end + 1..])?;
        // Any token is a protocol name or version by the grammar; a request of another version is answered 505,
        // for which its Via must be understood.
        let (name, version) = (&text[..name_end], &text[name_end + 1..version_end]);
        if !chars::is_token(chars::trim(name)) || !chars::is_token(chars::trim(version)) {
            return None;
        }
        let start = chars::skip_lws(bytes, version_end + 1);
        let mut end = start;
        while end < bytes.len() && chars::is_token_byte(bytes[end]) {
            end += 1;
        }
        if start == end || !bytes.get(end).is_some_and(|b| chars::is_lws(*b)) {
            return None;
        }
        let transport = &text[start..end];
        let rest = &text[end..];
        let params_at = memchr::memchr(b';', rest.as_bytes()).unwrap_or(rest.len());
        let (host, port) = host_port(chars::trim(&rest[..params_at]))?;
        Some(Self { transport, host, port, params: Params::parse(&rest[params_at..])? })
    }

    /// The `branch` parameter.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.value("branch")
    }
}

/// CSeq (RFC 3261 §20.16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// Below 2^31 (§8.1.1.5).
    pub number: u32,
    /// The method.
    pub method: Method,
}

impl CSeq {
    /// Parses the value.
    pub fn parse(text: &str) -> Option<Self> {
        let text = chars::trim(text);
        let end = text.bytes().position(chars::is_lws)?;
        let number = u32::try_from(chars::number(&text[..end])?).ok().filter(|n| *n < 1 << 31)?;
        let method = chars::trim(&text[end..]);
        chars::is_token(method).then(|| Self { number, method: Method::from_token(method) })
    }
}

/// Splits a comma list at its top level: commas inside quotes and angle brackets do not count. Empty elements
/// are left out.
pub fn split_list(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    core::iter::from_fn(move || {
        loop {
            let text = rest?;
            let end = list_element_len(text);
            rest = text.get(end + 1..);
            let element = chars::trim(&text[..end]);
            if !element.is_empty() {
                return Some(element);
            }
        }
    })
}

/// Length of the first list element, up to its comma or the end.
pub(crate) fn list_element_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr::memchr3(b',', b'"', b'<', &bytes[at..]) {
        at += found;
        at = match bytes[at] {
            b',' => return at,
            b'"' => match quoted_len(&text[at..]) {
                Some(len) => at + len,
                // An open quote swallows the rest; the element's parser refuses it.
                None => return bytes.len(),
            },
            // Neither commas nor quotes count inside brackets; an open one swallows the rest.
            _ => match memchr::memchr(b'>', &bytes[at..]) {
                Some(len) => at + len + 1,
                None => return bytes.len(),
            },
        };
    }
    bytes.len()
}
