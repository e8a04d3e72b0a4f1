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
            match text.find('<') {
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
        if !display.starts_with('"') && display.contains([',', ';', '"', '>', ':']) {
            return None;
        }
        let (uri, params) = inner.split_once('>')?;
        Uri::parse(uri)?;
        Some(Self { display, uri, params: Params::parse(params)? })
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
        let (name, rest) = text.split_once('/')?;
        let (version, rest) = rest.split_once('/')?;
        // Any token is a protocol name or version by the grammar; a request of another version is answered 505,
        // for which its Via must be understood.
        if !chars::is_token(chars::trim(name)) || !chars::is_token(chars::trim(version)) {
            return None;
        }
        let rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let end = rest.find([' ', '\t', '\r', '\n'])?;
        let (transport, rest) = rest.split_at(end);
        if !chars::is_token(transport) {
            return None;
        }
        let params_at = rest.find(';').unwrap_or(rest.len());
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
        let end = text.find([' ', '\t', '\r', '\n'])?;
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
    let mut bracket = false;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => match quoted_len(&text[at..]) {
                Some(len) => {
                    at += len;
                    continue;
                }
                // An open quote swallows the rest; the element's parser refuses it.
                None => return bytes.len(),
            },
            b'<' => bracket = true,
            b'>' => bracket = false,
            b',' if !bracket => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}
