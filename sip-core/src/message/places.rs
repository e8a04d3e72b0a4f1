//! Where the parts of an address and of a Via lie in their fields: what was read once is not read again.

use core::net::IpAddr;
use core::ops::Range;

use super::index::Span;
use super::uri::{labels, read_port, skip_uri_params};
use super::value::{ViaMarks, read_display};
use super::{Host, NameAddr, Params, SipUri, Uri, Via, chars};

/// A part of a message's head, or of a field's value. Both are shorter than a message, so that places fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    start: u16,
    end: u16,
}

const _: () = assert!(crate::limits::MESSAGE_BYTES <= 1 << 16, "a place is 16 bits");

impl Place {
    /// No part ends here: a name or an empty line is more.
    pub(super) const NOWHERE: Self = Self { start: u16::MAX, end: u16::MAX };

    const fn new(start: usize, end: usize) -> Self {
        Self { start: start as u16, end: end as u16 }
    }

    /// Where `part`, a slice of `value`, lies in it.
    pub(super) fn of(value: &str, part: &str) -> Self {
        let start = chars::offset_in(value.as_bytes(), part.as_bytes());
        Self { start: start as u16, end: (start + part.len()) as u16 }
    }

    /// The same of what may be absent.
    pub(super) fn maybe(value: &str, part: Option<&str>) -> Self {
        part.map_or(Self::NOWHERE, |part| Self::of(value, part))
    }

    fn at(range: Option<Range<usize>>) -> Self {
        range.map_or(Self::NOWHERE, |range| Self::new(range.start, range.end))
    }

    /// The part; `None` if it is nowhere.
    pub(super) fn within(self, value: &str) -> Option<&str> {
        value.get(usize::from(self.start)..usize::from(self.end))
    }

    fn text(self, value: &str) -> &str {
        self.within(value).unwrap_or_default()
    }

    /// See [`Span::moved`].
    pub(super) const fn moved(self, place: Span, len: usize) -> Self {
        let span = self.span().moved(place, len);
        Self { start: span.start as u16, end: span.end as u16 }
    }

    /// The same as a span of the message.
    pub(super) const fn span(self) -> Span {
        Span::new(self.start as usize, self.end as usize)
    }
}

/// The places of an address.
#[derive(Clone, Copy, Debug)]
pub(super) struct AddressPlaces {
    display: Place,
    uri: Place,
    params: Place,
    /// Of URIs as they usually are; others are read again.
    sip: Option<SipPlaces>,
}

/// The place of a host: its name's, or the address that was read from it.
#[derive(Clone, Copy, Debug)]
enum HostPlace {
    Name(Place),
    Ip(IpAddr),
}

impl HostPlace {
    fn of(value: &str, host: &Host<'_>) -> Self {
        match host {
            Host::Name(name) => Self::Name(Place::of(value, name)),
            Host::Ip(ip) => Self::Ip(*ip),
        }
    }

    /// Of the host that stands at `start`; also where it ends.
    #[inline]
    fn read(value: &str, start: usize) -> Option<(Self, usize)> {
        let bytes = value.as_bytes();
        let is_letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic);
        if is_letter(start) {
            let (top, end) = labels(bytes, start)?;
            if is_letter(top) {
                return Some((Self::Name(Place::new(start, end)), end));
            }
        }
        let (host, end) = Host::read(value, start)?;
        Some((Self::of(value, &host), end))
    }

    #[inline]
    fn within(self, value: &str) -> Host<'_> {
        match self {
            Self::Name(name) => Host::Name(name.text(value)),
            Self::Ip(ip) => Host::Ip(ip),
        }
    }
}

/// The places of a SIP or SIPS URI with neither password nor headers.
#[derive(Clone, Copy, Debug)]
struct SipPlaces {
    secure: bool,
    user: Place,
    host: HostPlace,
    port: Option<u16>,
    params: Place,
}

/// The places of a Via.
#[derive(Clone, Copy, Debug)]
pub(super) struct ViaPlaces {
    transport: Place,
    host: HostPlace,
    port: Option<u16>,
    params: Place,
    marks: ViaMarks,
}

impl SipPlaces {
    /// Of a URI that was read from `value`; `None` for those that are not as usual.
    fn of(value: &str, uri: &Uri<'_>) -> Option<Self> {
        match *uri {
            Uri::Sip(SipUri { secure, user, password: None, host, port, params_text, headers: None }) => {
                Some(Self {
                    secure,
                    user: Place::maybe(value, user),
                    host: HostPlace::of(value, &host),
                    port,
                    params: Place::of(value, params_text),
                })
            }
            _ => None,
        }
    }

    /// Reads the URI that stands at `start`, in one walk; also where it ends, which is for the caller to judge. `None`: it is
    /// not as URIs usually are, and has to be looked at more closely.
    fn read(value: &str, start: usize) -> Option<(Self, usize)> {
        let bytes = value.as_bytes();
        let start = start + 4;
        if bytes.get(start - 4..start) != Some(b"sip:") {
            return None;
        }
        let end = chars::skip_user(bytes, start);
        // Neither escapes nor a password. No `@` at all is no user part.
        let (user, at) = match bytes.get(end) {
            Some(b'@') if end > start => (Place::new(start, end), end + 1),
            None | Some(b'>' | b':') => (Place::NOWHERE, start),
            _ => return None,
        };
        let (host, mut at) = HostPlace::read(value, at)?;
        let mut port = None;
        if bytes.get(at) == Some(&b':') {
            let (number, end) = read_port(value, at + 1)?;
            (port, at) = (Some(number), end);
        }
        let end = skip_uri_params(bytes, at)?;
        // What follows a question mark is no parameter.
        if at < end && bytes[at..end].contains(&b'?') {
            return None;
        }
        Some((Self { secure: false, user, host, port, params: Place::new(at, end) }, end))
    }

    /// The URI in the same `value`.
    #[inline]
    fn within(self, value: &str) -> Uri<'_> {
        Uri::Sip(SipUri {
            secure: self.secure,
            user: self.user.within(value),
            password: None,
            host: self.host.within(value),
            port: self.port,
            params_text: self.params.text(value),
            headers: None,
        })
    }
}

/// The places of a Request-URI, if it is one as they usually are.
#[derive(Clone, Copy, Debug)]
pub(super) struct UriPlaces(Option<SipPlaces>);

impl UriPlaces {
    /// Of no URI that was read.
    pub(super) const NONE: Self = Self(None);

    /// Reads a URI, which may not have a part with headers (§19.1.1, table 1). `None`: it is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.len() < usize::from(u16::MAX)
            && let Some((places, end)) = SipPlaces::read(text, 0)
            && end == text.len()
        {
            return Some(Self(Some(places)));
        }
        let uri = Uri::parse(text)?;
        let headers = uri.sip().is_some_and(|sip| sip.headers.is_some());
        (!headers).then(|| Self(SipPlaces::of(text, &uri)))
    }

    /// The URI in the same `text`.
    pub(super) fn within(self, text: &str) -> Option<Uri<'_>> {
        match self.0 {
            Some(sip) => Some(sip.within(text)),
            None => Uri::parse(text),
        }
    }
}

impl AddressPlaces {
    /// Of no address.
    pub(super) const NONE: Self =
        Self { display: Place::NOWHERE, uri: Place::NOWHERE, params: Place::NOWHERE, sip: None };

    /// Reads an address in brackets whose URI is as most are; also its tag. `None`: whether it is an address, who takes it
    /// apart by the grammar knows.
    pub(super) fn read(value: &str) -> Option<(Self, Place)> {
        if value.len() > usize::from(u16::MAX) {
            return None;
        }
        // A name that is not in quotes is looked at more closely.
        let (display, open) = read_display(value).filter(|(len, _)| *len == 0 || value.starts_with('"'))?;
        if value.as_bytes().get(open) != Some(&b'<') {
            return None;
        }
        let (sip, close) = SipPlaces::read(value, open + 1)?;
        if value.as_bytes().get(close) != Some(&b'>') {
            return None;
        }
        let read = Params::read(value, close + 1, "tag").filter(|read| read.end == value.len())?;
        let address = Self {
            display: Place::new(0, display),
            uri: Place::new(open + 1, close),
            params: Place::new(read.params.start, read.params.end),
            sip: Some(sip),
        };
        Some((address, Place::at(read.wanted)))
    }

    /// Of an address that was read from `value`.
    pub(super) fn of(value: &str, address: &NameAddr<'_>) -> Self {
        Self {
            display: Place::of(value, address.display),
            uri: Place::of(value, address.uri),
            params: Place::of(value, address.params.as_str()),
            sip: address.parsed.and_then(|uri| SipPlaces::of(value, &uri)),
        }
    }

    /// The address in the same `value`.
    #[inline]
    pub(super) fn within(self, value: &str) -> NameAddr<'_> {
        let uri = self.uri.text(value);
        let parsed = match self.sip {
            Some(sip) => Some(sip.within(value)),
            None => Uri::parse(uri),
        };
        NameAddr { display: self.display.text(value), uri, parsed, params: Params(self.params.text(value)) }
    }
}

impl ViaPlaces {
    /// Of no Via.
    pub(super) const NONE: Self = Self {
        transport: Place::NOWHERE,
        host: HostPlace::Name(Place::NOWHERE),
        port: None,
        params: Place::NOWHERE,
        marks: ViaMarks::NONE,
    };

    /// Reads the Via `value` begins with; also where its branch is, and where it ends.
    pub(super) fn read(value: &str) -> Option<(Self, Place, usize)> {
        if value.len() > usize::from(u16::MAX) {
            return None;
        }
        let bytes = value.as_bytes();
        let protocol_end = if bytes.starts_with(b"SIP/2.0/") { 8 } else { protocol_len(value)? };
        let start = chars::skip_lws(bytes, protocol_end);
        let end = chars::skip_token(bytes, start);
        let host_at = chars::skip_lws(bytes, end);
        if start == end || end == host_at {
            return None;
        }
        let transport = Place::new(start, end);
        let (host, end) = HostPlace::read(value, host_at)?;
        let mut at = chars::skip_lws(bytes, end);
        let mut port = None;
        if bytes.get(at) == Some(&b':') {
            let (number, end) = read_port(value, chars::skip_lws(bytes, at + 1))?;
            (port, at) = (Some(number), end);
        }
        let mut marks = ViaMarks::NONE;
        let read = Params::read_with(value, at, "branch", |name| {
            marks.received |= chars::is_name(name, b"received");
            marks.rport |= chars::is_name(name, b"rport");
            marks.alias |= chars::is_name(name, b"alias");
        })?;
        let params = Place::new(read.params.start, read.params.end);
        Some((Self { transport, host, port, params, marks }, Place::at(read.wanted), read.end))
    }

    /// The Via in the same `value`.
    #[inline]
    pub(super) fn within(self, value: &str) -> Via<'_> {
        Via {
            transport: self.transport.text(value),
            host: self.host.within(value),
            port: self.port,
            params: Params(self.params.text(value)),
            marks: self.marks,
        }
    }
}

/// Length of a Via's protocol name and version, slashes included. Any token is one by the grammar; a request of another
/// version is answered 505, for which its Via must be understood.
fn protocol_len(text: &str) -> Option<usize> {
    let name_end = chars::find_byte(text.as_bytes(), 0, b'/');
    let version_end = chars::find_byte(text.as_bytes(), name_end + 1, b'/');
    let name = text.get(..name_end)?;
    let version = text.get(name_end + 1..version_end)?;
    let sound = chars::is_token(chars::trim(name)) && chars::is_token(chars::trim(version));
    (sound && version_end < text.len()).then_some(version_end + 1)
}
