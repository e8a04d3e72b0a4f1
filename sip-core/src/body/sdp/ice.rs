//! ICE: `candidate`, `remote-candidates`, `ice-ufrag`, `ice-pwd`, `ice-options`, `ice-pacing` (RFC 8839 §5).

use core::fmt::{self, Display};

use super::Attribute;
use super::attribute::{single, words};
use crate::body::number;

/// `a=candidate`: one way media may take (RFC 8839 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Equal for candidates of one kind and base.
    pub foundation: &'a str,
    /// 1 for RTP, 2 for RTCP.
    pub component: u16,
    /// `UDP`, or `TCP` (RFC 6544), in any case.
    pub transport: &'a str,
    /// The priority.
    pub priority: u32,
    /// An IP address or, under mDNS, a `.local` name.
    pub address: &'a str,
    /// The port.
    pub port: u16,
    /// `host`, `srflx`, `prflx`, `relay`.
    pub kind: &'a str,
    /// `raddr`: the base.
    pub related_address: Option<&'a str>,
    /// `rport`: the base's port.
    pub related_port: Option<u16>,
    /// Names and values after that, as they stand: `tcptype active`, `generation 0`, `ufrag abcd`, …
    pub extensions: &'a str,
}

impl<'a> Candidate<'a> {
    /// The value of an extension.
    pub fn extension(&self, name: &str) -> Option<&'a str> {
        let mut words = self.extensions.split(' ').filter(|word| !word.is_empty());
        while let Some(found) = words.next() {
            let value = words.next()?;
            if found.eq_ignore_ascii_case(name) {
                return Some(value);
            }
        }
        None
    }
}

impl<'v> Attribute<'v> for Candidate<'v> {
    const NAME: &'static str = "candidate";

    fn parse(value: &'v str) -> Option<Self> {
        let mut rest = value;
        let mut next = || {
            let (word, after) = super::attribute::first_word(rest)?;
            rest = after;
            Some(word)
        };
        let mut candidate = Self {
            foundation: next()?,
            component: number(next()?)?,
            transport: next()?,
            priority: number(next()?)?,
            address: next()?,
            port: number(next()?)?,
            kind: next().filter(|word| word.eq_ignore_ascii_case("typ")).and_then(|_| next())?,
            related_address: None,
            related_port: None,
            extensions: "",
        };
        // §5.1: raddr and rport stand before the extensions.
        for _ in 0..2 {
            let Some((name, after)) = super::attribute::first_word(rest) else { break };
            let Some((word, after)) = super::attribute::first_word(after) else { break };
            if name.eq_ignore_ascii_case("raddr") && candidate.related_address.is_none() {
                candidate.related_address = Some(word);
            } else if name.eq_ignore_ascii_case("rport") && candidate.related_port.is_none() {
                candidate.related_port = Some(number(word)?);
            } else {
                break;
            }
            rest = after;
        }
        candidate.extensions = rest.trim_matches(' ');
        Some(candidate)
    }
}

impl Display for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { foundation, component, transport, priority, address, port, kind, .. } = self;
        write!(f, "{foundation} {component} {transport} {priority} {address} {port} typ {kind}")?;
        if let Some(address) = self.related_address {
            write!(f, " raddr {address}")?;
        }
        if let Some(port) = self.related_port {
            write!(f, " rport {port}")?;
        }
        words(f, "", self.extensions)
    }
}

/// `a=remote-candidates`: what the controlling side chose (RFC 8839 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteCandidates<'a>(pub &'a str);

impl<'a> RemoteCandidates<'a> {
    /// Component, address and port of each.
    pub fn iter(self) -> impl Iterator<Item = (u16, &'a str, u16)> {
        let mut words = self.0.split_ascii_whitespace();
        core::iter::from_fn(move || Some((number(words.next()?)?, words.next()?, number(words.next()?)?)))
    }
}

impl<'v> Attribute<'v> for RemoteCandidates<'v> {
    const NAME: &'static str = "remote-candidates";

    fn parse(value: &'v str) -> Option<Self> {
        let list = Self(value);
        let words = value.split_ascii_whitespace().count();
        (words > 0 && list.iter().count() * 3 == words).then_some(list)
    }
}

impl Display for RemoteCandidates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

single! {
    /// `a=ice-ufrag` (RFC 8839 §5.4).
    IceUfrag "ice-ufrag"
}
single! {
    /// `a=ice-pwd` (RFC 8839 §5.4).
    IcePwd "ice-pwd"
}
single! {
    /// `a=ice-pacing`, milliseconds (RFC 8839 §5.5).
    IcePacing "ice-pacing" u32
}

/// `a=ice-options`: `trickle`, `ice2`, `renomination`, … (RFC 8839 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IceOptions<'a>(pub &'a str);

impl IceOptions<'_> {
    /// Whether an option is listed.
    pub fn has(self, option: &str) -> bool {
        self.0.split(' ').any(|found| found == option)
    }
}

impl<'v> Attribute<'v> for IceOptions<'v> {
    const NAME: &'static str = "ice-options";

    fn parse(value: &'v str) -> Option<Self> {
        Some(Self(value.trim_matches(' '))).filter(|options| !options.0.is_empty())
    }
}

impl Display for IceOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
