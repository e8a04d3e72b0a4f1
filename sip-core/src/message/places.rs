//! Where the parts of an address and of a Via lie in their fields: what was read once is not read again.

use core::net::IpAddr;

use super::index::Span;
use super::value::ViaMarks;
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
    const NOWHERE: Self = Self { start: u16::MAX, end: u16::MAX };

    /// Where `part`, a slice of `value`, lies in it.
    pub(super) fn of(value: &str, part: &str) -> Self {
        let start = chars::offset_in(value.as_bytes(), part.as_bytes());
        Self { start: start as u16, end: (start + part.len()) as u16 }
    }

    /// The same of what may be absent.
    pub(super) fn maybe(value: &str, part: Option<&str>) -> Self {
        part.map_or(Self::NOWHERE, |part| Self::of(value, part))
    }

    /// The part; `None` if it is nowhere.
    pub(super) fn within(self, value: &str) -> Option<&str> {
        value.get(usize::from(self.start)..usize::from(self.end))
    }

    fn text(self, value: &str) -> &str {
        self.within(value).unwrap_or_default()
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

impl AddressPlaces {
    /// Of an address that was read from `value`.
    pub(super) fn of(value: &str, address: &NameAddr<'_>) -> Self {
        let sip = match address.parsed {
            Some(Uri::Sip(SipUri {
                secure,
                user,
                password: None,
                host,
                port,
                params_text,
                headers: None,
            })) => Some(SipPlaces {
                secure,
                user: Place::maybe(value, user),
                host: HostPlace::of(value, &host),
                port,
                params: Place::of(value, params_text),
            }),
            _ => None,
        };
        Self {
            display: Place::of(value, address.display),
            uri: Place::of(value, address.uri),
            params: Place::of(value, address.params.as_str()),
            sip,
        }
    }

    /// The address in the same `value`.
    pub(super) fn within(self, value: &str) -> NameAddr<'_> {
        let uri = self.uri.text(value);
        let parsed = match self.sip {
            Some(sip) => Some(Uri::Sip(SipUri {
                secure: sip.secure,
                user: sip.user.within(value),
                password: None,
                host: sip.host.within(value),
                port: sip.port,
                params_text: sip.params.text(value),
                headers: None,
            })),
            None => Uri::parse(uri),
        };
        NameAddr { display: self.display.text(value), uri, parsed, params: Params(self.params.text(value)) }
    }
}

impl ViaPlaces {
    /// Of a Via that was read from `value`.
    pub(super) fn of(value: &str, via: &Via<'_>) -> Self {
        Self {
            transport: Place::of(value, via.transport),
            host: HostPlace::of(value, &via.host),
            port: via.port,
            params: Place::of(value, via.params.as_str()),
            marks: via.marks,
        }
    }

    /// The Via in the same `value`.
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
