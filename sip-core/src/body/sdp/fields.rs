//! The lines that are no attributes: `o=`, `c=`, `b=`, `t=`, `m=` (RFC 8866 §5).

use core::fmt::{self, Display};
use core::net::IpAddr;

use super::attribute::first_word;
use crate::body::number;

/// `o=`: who made the description, and which version this is (§5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// A name, or `-`.
    pub username: &'a str,
    /// Digits that do not change while the session lives.
    pub session_id: &'a str,
    /// Rises by one with every change (RFC 3264 §8).
    pub session_version: u64,
    /// The address of the maker; not where media goes.
    pub address: Connection<'a>,
}

impl<'a> Origin<'a> {
    /// Parses the value of an `o=` line.
    pub fn parse(value: &'a str) -> Option<Self> {
        let mut words = value.trim_end_matches(' ').splitn(4, ' ');
        let username = words.next().filter(|word| !word.is_empty())?;
        let session_id = words.next().filter(|word| is_digits(word))?;
        let session_version = number(words.next()?)?;
        let address = Connection::parse(words.next()?)?;
        Some(Self { username, session_id, session_version, address })
    }
}

/// A well-formed value for what was checked when it was parsed.
impl Default for Origin<'_> {
    fn default() -> Self {
        Self { username: "-", session_id: "0", session_version: 0, address: Connection::UNSPECIFIED }
    }
}

impl Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { username, session_id, session_version, address } = self;
        write!(f, "{username} {session_id} {session_version} {address}")
    }
}

/// `c=`: where media is received (§5.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection<'a> {
    /// `IN`.
    pub net_type: &'a str,
    /// `IP4` or `IP6`.
    pub addr_type: &'a str,
    /// An address or name; a multicast address with its `/ttl` and `/count`.
    pub address: &'a str,
}

impl<'a> Connection<'a> {
    /// `IN IP4 0.0.0.0`: no address known yet (RFC 8839 §4.3.1), or hold as RFC 2543 had it.
    pub const UNSPECIFIED: Self = Self { net_type: "IN", addr_type: "IP4", address: "0.0.0.0" };

    /// An Internet address as text; IPv6 is told by its colon.
    pub fn internet(address: &'a str) -> Self {
        let addr_type = if address.contains(':') { "IP6" } else { "IP4" };
        Self { net_type: "IN", addr_type, address }
    }

    /// Parses the value of a `c=` line.
    pub fn parse(value: &'a str) -> Option<Self> {
        let mut words = value.trim_end_matches(' ').split(' ').filter(|word| !word.is_empty());
        let found = Self { net_type: words.next()?, addr_type: words.next()?, address: words.next()? };
        words.next().is_none().then_some(found)
    }

    /// The address if it is numeric, without a multicast suffix.
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.split('/').next()?.parse().ok()
    }

    /// `0.0.0.0` or `::` (RFC 3264 §8.4 tells what the first meant).
    pub fn is_unspecified(&self) -> bool {
        self.ip().is_some_and(|ip| ip.is_unspecified())
    }
}

impl Display for Connection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.net_type, self.addr_type, self.address)
    }
}

/// `b=`: a bandwidth, kbit/s for `AS` and `CT`, bit/s for `TIAS`, `RS` and `RR` (§5.8, RFC 3890, RFC 3556).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth<'a> {
    /// `AS`, `CT`, `TIAS`, …
    pub modifier: &'a str,
    /// The figure, in the modifier's unit.
    pub value: u64,
}

impl<'a> Bandwidth<'a> {
    /// Parses the value of a `b=` line.
    pub fn parse(value: &'a str) -> Option<Self> {
        let (modifier, figure) = value.split_once(':')?;
        Some(Self { modifier, value: number(figure.trim())? })
    }
}

impl Display for Bandwidth<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.modifier, self.value)
    }
}

/// `t=`: when the session is, in NTP seconds; SIP has `0 0` (§5.9, RFC 3264 §5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Start, or 0.
    pub start: u64,
    /// Stop, or 0.
    pub stop: u64,
}

impl Timing {
    /// Parses the value of a `t=` line.
    pub fn parse(value: &str) -> Option<Self> {
        let (start, stop) = first_word(value)?;
        Some(Self { start: number(start)?, stop: number(stop)? })
    }
}

impl Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.start, self.stop)
    }
}

/// `m=`: what is sent and how (§5.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaLine<'a> {
    /// `audio`, `video`, `application`, …
    pub media: &'a str,
    /// The transport port; 0 refuses the stream (RFC 3264 §6) unless `a=bundle-only` stands there (RFC 9143 §6).
    pub port: u16,
    /// How many consecutive ports (or pairs), where the line says so.
    pub ports: Option<u16>,
    /// `RTP/AVP`, `UDP/TLS/RTP/SAVPF`, …
    pub protocol: &'a str,
    /// The formats as they stand, parted by spaces: payload types where the protocol is RTP.
    pub formats: &'a str,
}

impl<'a> MediaLine<'a> {
    /// Parses the value of an `m=` line. A line without formats is taken: refused streams come that way.
    pub fn parse(value: &'a str) -> Option<Self> {
        let (media, rest) = first_word(value).filter(|(word, _)| is_token(word))?;
        let (port, rest) = first_word(rest)?;
        let (protocol, formats) = first_word(rest).filter(|(word, _)| word.split('/').all(is_token))?;
        let (port, ports) = match port.split_once('/') {
            None => (port, None),
            Some((port, count)) => (port, Some(number(count)?)),
        };
        Some(Self { media, port: number(port)?, ports, protocol, formats })
    }

    /// The formats one by one, the preferred first.
    pub fn formats(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.formats.split(' ').filter(|format| !format.is_empty())
    }

    /// Whether the formats are RTP payload types.
    pub fn is_rtp(&self) -> bool {
        self.protocol.split('/').any(|part| part == "RTP")
    }
}

/// A well-formed value for what was checked when it was parsed.
impl Default for MediaLine<'_> {
    fn default() -> Self {
        Self { media: "audio", port: 0, ports: None, protocol: "RTP/AVP", formats: "0" }
    }
}

impl Display for MediaLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.media, self.port)?;
        if let Some(ports) = self.ports {
            write!(f, "/{ports}")?;
        }
        write!(f, " {}", self.protocol)?;
        if self.formats.is_empty() { Ok(()) } else { write!(f, " {}", self.formats) }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// `token` of RFC 8866 §9, which is not RFC 3261's.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x27 | 0x2a..=0x2b | 0x2d..=0x2e | 0x30..=0x39 | 0x41..=0x5a | 0x5e..=0x7e))
}
