//! Values of the fields every message must have, and of those that share their shape.

use core::fmt;

use super::params::{quoted_len, unquote};
use super::places::{AddressPlaces, ViaPlaces};
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
    /// The URI in its parts.
    pub(crate) parsed: Option<Uri<'a>>,
    /// Parameters of the field, not of the URI.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Parses one value; a list must be split first. The URI inside is checked too.
    pub fn parse(text: &'a str) -> Option<Self> {
        Self::read(text).map(|(address, _)| address)
    }

    /// Parses one value; also its tag, met on the way.
    pub(crate) fn read(text: &'a str) -> Option<(Self, Option<&'a str>)> {
        let text = chars::trim(text);
        let bytes = text.as_bytes();
        // As most are.
        if let Some((places, tag)) = AddressPlaces::read(text) {
            return Some((places.within(text), tag.within(text)));
        }
        let Some((display, open)) = read_display(text) else { return Self::read_addr_spec(text) };
        let display = &text[..display];
        let quoted = display.starts_with('"');
        if bytes.get(open) != Some(&b'<') || !(quoted || display.bytes().all(may_be_in_display_name)) {
            return None;
        }
        let close = chars::find_byte(bytes, open, b'>');
        let uri = text.get(open + 1..close).filter(|_| close < text.len())?;
        let parsed = Some(Uri::parse(uri)?);
        let read = Params::read(text, close + 1, "tag").filter(|read| read.end == text.len())?;
        let params = Params(&text[read.params]);
        Some((Self { display, uri, parsed, params }, read.wanted.map(|tag| &text[tag])))
    }

    /// `addr-spec`: parameters after ";" are the field's; "?" and "," need brackets (§20).
    fn read_addr_spec(text: &'a str) -> Option<(Self, Option<&'a str>)> {
        let end = chars::find_byte(text.as_bytes(), 0, b';');
        let uri = chars::trim(&text[..end]);
        if uri.contains(['?', ',']) {
            return None;
        }
        let parsed = Some(Uri::parse(uri)?);
        let read = Params::read(text, end, "tag").filter(|read| read.end == text.len())?;
        let params = Params(&text[read.params]);
        Some((Self { display: "", uri, parsed, params }, read.wanted.map(|tag| &text[tag])))
    }

    /// The URI in its parts. [`NameAddr::parse`] has read it, so `None` means a value made otherwise.
    pub const fn parsed_uri(&self) -> Option<Uri<'a>> {
        self.parsed
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

/// The display name `text` begins with: its length, and where the bracket behind it stands, or what stands there in its
/// place. `None`: there is neither.
pub(super) fn read_display(text: &str) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    match bytes.first() {
        Some(b'<') => Some((0, 0)),
        Some(b'"') => {
            // A quote that nothing closes is followed by nothing.
            let end = quoted_len(text).unwrap_or(text.len());
            Some((end, chars::skip_lws(bytes, end)))
        }
        _ => {
            let open = chars::find_byte(bytes, 0, b'<');
            (open < text.len()).then(|| (chars::trim(&text[..open]).len(), open))
        }
    }
}

/// By the grammar an unquoted display name is tokens. Deployed ones have "(", "@", "/" and letters of any script, too, which
/// are nobody's delimiters here; these are, and no reader expects control characters.
const fn may_be_in_display_name(byte: u8) -> bool {
    !matches!(byte, b',' | b';' | b'"' | b'>' | b':') && (!byte.is_ascii_control() || chars::is_lws(byte))
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
    /// Which of them the next hop looks for.
    pub(crate) marks: ViaMarks,
}

/// Parameters of a Via that a server changes or goes by (§18.2, RFC 3581): met when it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ViaMarks {
    /// `received` is there.
    pub(crate) received: bool,
    /// `rport` is there, with or without a value.
    pub(crate) rport: bool,
    /// `alias` is there (RFC 5923).
    pub(crate) alias: bool,
}

impl ViaMarks {
    pub(super) const NONE: Self = Self { received: false, rport: false, alias: false };
}

impl<'a> Via<'a> {
    /// Parses one value; a list must be split first.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (places, _, end) = ViaPlaces::read(text)?;
        (end == text.len()).then(|| places.within(text))
    }

    /// The `branch` parameter.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.value("branch")
    }

    /// All parameters but `received` and `rport`, which the hop after its sender adds or changes (§18.2.1, RFC 3581 §4).
    pub(crate) fn params_of_sender(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        let of_hop = |name: &str| name.eq_ignore_ascii_case("received") || name.eq_ignore_ascii_case("rport");
        self.params.iter().filter(move |(name, _)| !of_hop(name))
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
        let bytes = text.as_bytes();
        let (mut number, mut end) = (0u64, 0);
        while let Some(digit @ b'0'..=b'9') = bytes.get(end) {
            // What is too large stays so.
            number = (number * 10 + u64::from(digit - b'0')).min(1 << 31);
            end += 1;
        }
        let number = u32::try_from(number).ok().filter(|n| *n < 1 << 31)?;
        if end == 0 || !chars::is_lws(*bytes.get(end)?) {
            return None;
        }
        let method = chars::trim(&text[end..]);
        chars::is_token(method).then(|| Self { number, method: Method::from_token(method) })
    }
}

/// Splits a comma list at its top level: commas inside quotes and angle brackets do not count. Empty elements
/// are left out.
pub fn split_list(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    core::iter::from_fn(move || next_element(&mut rest))
}

/// Takes the first element that is not empty off a comma list.
pub(crate) fn next_element<'a>(rest: &mut &'a str) -> Option<&'a str> {
    while !rest.is_empty() {
        let text = *rest;
        let end = list_element_len(text);
        *rest = text.get(end + 1..).unwrap_or_default();
        let element = chars::trim(&text[..end]);
        if !element.is_empty() {
            return Some(element);
        }
    }
    None
}

/// Length of the first list element, up to its comma or the end.
pub(crate) fn list_element_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        // An address usually begins with its bracket.
        if bytes.get(at) != Some(&b'<') {
            at = chars::find_list_mark(bytes, at);
        }
        at = match bytes.get(at) {
            None | Some(b',') => return at,
            Some(b'"') => match quoted_len(&text[at..]) {
                Some(len) => at + len,
                // An open quote swallows the rest; the element's parser refuses it.
                None => return bytes.len(),
            },
            // Neither commas nor quotes count inside brackets; an open one swallows the rest.
            // (Addresses of ours are long.)
            Some(_) => match memchr::memchr(b'>', &bytes[at..]) {
                Some(close) => at + close + 1,
                None => return bytes.len(),
            },
        };
    }
}
