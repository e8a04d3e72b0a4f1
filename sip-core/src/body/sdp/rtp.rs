//! RTP: `rtpmap`, `fmtp`, `ptime`, `maxptime` (RFC 8866 §6), `rtcp` (RFC 3605), `rtcp-fb` (RFC 4585), `extmap`
//! (RFC 8285).

use core::fmt::{self, Display};

use super::attribute::{first_number, first_word, single, words};
use super::{Attribute, Connection, Direction};
use crate::body::number;

/// `a=rtpmap`: what a payload type is (§6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpMap<'a> {
    /// The payload type, 0–127.
    pub payload: u8,
    /// The codec; compares in any case.
    pub encoding: &'a str,
    /// Hertz.
    pub clock_rate: u32,
    /// Channels for audio; one if absent.
    pub parameters: Option<&'a str>,
}

impl RtpMap<'static> {
    /// The payload types that mean something without an rtpmap (RFC 3551 §6), as far as telephones use them.
    pub const fn of_static(payload: u8) -> Option<Self> {
        let (encoding, clock_rate) = match payload {
            0 => ("PCMU", 8000),
            3 => ("GSM", 8000),
            4 => ("G723", 8000),
            8 => ("PCMA", 8000),
            9 => ("G722", 8000),
            13 => ("CN", 8000),
            15 => ("G728", 8000),
            18 => ("G729", 8000),
            26 => ("JPEG", 90_000),
            31 => ("H261", 90_000),
            34 => ("H263", 90_000),
            _ => return None,
        };
        Some(Self { payload, encoding, clock_rate, parameters: None })
    }
}

impl RtpMap<'_> {
    /// Channels; one unless written otherwise.
    pub fn channels(&self) -> u32 {
        self.parameters.and_then(number).unwrap_or(1)
    }

    /// Whether both name the same codec, clock rate and channels, whatever their payload types.
    pub fn is_same_codec(&self, other: &RtpMap<'_>) -> bool {
        self.encoding.eq_ignore_ascii_case(other.encoding)
            && self.clock_rate == other.clock_rate
            && self.channels() == other.channels()
    }
}

impl<'v> Attribute<'v> for RtpMap<'v> {
    const NAME: &'static str = "rtpmap";

    fn parse(value: &'v str) -> Option<Self> {
        let (payload, rest) = first_number(value)?;
        let mut parts = rest.splitn(3, '/');
        let encoding = parts.next().filter(|name| !name.is_empty())?;
        let clock_rate = number(parts.next()?.trim_end())?;
        (payload < 128).then_some(Self { payload, encoding, clock_rate, parameters: parts.next() })
    }
}

impl Display for RtpMap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.payload, self.encoding, self.clock_rate)?;
        self.parameters.map_or(Ok(()), |parameters| write!(f, "/{parameters}"))
    }
}

/// `a=fmtp`: parameters of a format (§6.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fmtp<'a> {
    /// The payload type, or another protocol's format.
    pub format: &'a str,
    /// The parameters as they stand.
    pub parameters: &'a str,
}

impl<'a> Fmtp<'a> {
    /// `name=value` pairs parted by semicolons; a word without `=` (`0-16` of telephone-event) is a name.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        self.parameters.split(';').map(str::trim).filter(|item| !item.is_empty()).map(|item| {
            match item.split_once('=') {
                Some((name, value)) => (name.trim_end(), Some(value.trim_start())),
                None => (item, None),
            }
        })
    }

    /// The value of a parameter; names compare in any case.
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).and_then(|(_, value)| value)
    }
}

impl<'v> Attribute<'v> for Fmtp<'v> {
    const NAME: &'static str = "fmtp";

    fn parse(value: &'v str) -> Option<Self> {
        let (format, parameters) = first_word(value)?;
        Some(Self { format, parameters })
    }
}

impl Display for Fmtp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        words(f, self.format, self.parameters)
    }
}

single! {
    /// `a=ptime`, milliseconds of audio in a packet (§6.4); a fraction stays text.
    Ptime "ptime"
}
single! {
    /// `a=maxptime`, milliseconds (§6.5); a fraction stays text.
    MaxPtime "maxptime"
}

impl Ptime<'_> {
    /// Whole milliseconds, a fraction cut off.
    pub fn millis(self) -> Option<u32> {
        number(self.0.split('.').next()?)
    }
}

impl MaxPtime<'_> {
    /// Whole milliseconds, a fraction cut off.
    pub fn millis(self) -> Option<u32> {
        number(self.0.split('.').next()?)
    }
}

/// `a=rtcp`: where RTCP goes if not to the next port (RFC 3605 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtcp<'a> {
    /// The port.
    pub port: u16,
    /// The address, if not that of the medium.
    pub connection: Option<Connection<'a>>,
}

impl<'v> Attribute<'v> for Rtcp<'v> {
    const NAME: &'static str = "rtcp";

    fn parse(value: &'v str) -> Option<Self> {
        let (port, rest) = first_number(value)?;
        let connection = if rest.is_empty() { None } else { Some(Connection::parse(rest)?) };
        Some(Self { port, connection })
    }
}

impl Display for Rtcp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.port)?;
        self.connection.map_or(Ok(()), |connection| write!(f, " {connection}"))
    }
}

/// `a=rtcp-fb`: feedback a payload type may use (RFC 4585 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtcpFb<'a> {
    /// The payload type; `None` is `*`, all of them.
    pub payload: Option<u8>,
    /// `nack`, `ccm`, `transport-cc`, …
    pub kind: &'a str,
    /// `pli`, `fir`, …, as it stands; mostly empty.
    pub parameters: &'a str,
}

impl<'v> Attribute<'v> for RtcpFb<'v> {
    const NAME: &'static str = "rtcp-fb";

    fn parse(value: &'v str) -> Option<Self> {
        let (format, rest) = first_word(value)?;
        let payload = if format == "*" { None } else { Some(number(format).filter(|p| *p < 128)?) };
        let (kind, parameters) = first_word(rest)?;
        Some(Self { payload, kind, parameters })
    }
}

impl Display for RtcpFb<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.payload {
            Some(payload) => write!(f, "{payload} ")?,
            None => f.write_str("* ")?,
        }
        words(f, self.kind, self.parameters)
    }
}

/// `a=extmap`: the number of an RTP header extension (RFC 8285 §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtMap<'a> {
    /// 1–14 for one-byte headers, to 255 for two-byte ones, 4096 and on in offers.
    pub id: u16,
    /// The direction, if not the medium's.
    pub direction: Option<Direction>,
    /// Which extension.
    pub uri: &'a str,
    /// Its own attributes, as they stand.
    pub attributes: &'a str,
}

impl<'v> Attribute<'v> for ExtMap<'v> {
    const NAME: &'static str = "extmap";

    fn parse(value: &'v str) -> Option<Self> {
        let (entry, rest) = first_word(value)?;
        let (id, direction) = match entry.split_once('/') {
            None => (entry, None),
            Some((id, name)) => (id, Some(Direction::from_name(name)?)),
        };
        let (uri, attributes) = first_word(rest)?;
        Some(Self { id: number(id)?, direction, uri, attributes })
    }
}

impl Display for ExtMap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        if let Some(direction) = self.direction {
            write!(f, "/{direction}")?;
        }
        write!(f, " ")?;
        words(f, self.uri, self.attributes)
    }
}
