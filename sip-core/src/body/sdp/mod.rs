//! Session descriptions (RFC 8866).
//!
//! A description is its lines, borrowed from the body it came in, in order. Typed views ([`Attribute`]s, [`Origin`],
//! [`MediaLine`], …) parse on demand; edits replace single lines. What nobody touches is printed as it came, so a
//! parsed description prints the same lines, those of attributes nobody knows among them.
//!
//! More is taken than §9 allows, because it is met: lines that end in LF alone, a last line without an end, empty
//! lines after the last, more than one space between words, no `s=` or `t=` line, attributes before the lines that
//! should precede them. Lines are printed with CRLF.
//!
//! What it does not do: offers and answers (RFC 3264). Charsets other than UTF-8.

mod attribute;
mod error;
mod fields;
mod ice;
mod media;
mod parse;
mod rtp;
mod section;
mod security;
mod source;
#[cfg(test)]
mod tests;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Display};

pub use attribute::{Attribute, Direction, Group, MaxMessageSize, Mid, Msid, SctpPort};
pub use error::{SdpError, SdpFault};
pub use fields::{Bandwidth, Connection, MediaLine, Origin, Timing};
pub use ice::{Candidate, IceOptions, IcePacing, IcePwd, IceUfrag, RemoteCandidates};
pub use media::MediaDescription;
pub(crate) use parse::{Mode, parse_lines};
pub use rtp::{ExtMap, Fmtp, MaxPtime, Ptime, Rtcp, RtcpFb, RtpMap};
pub use section::{Line, Section};
pub use security::{Crypto, Fingerprint, Setup, TlsId};
pub use source::{Rid, RidDirection, Simulcast, SimulcastId, Ssrc, SsrcGroup};

/// A session description: the session's lines, and the media in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDescription<'a> {
    /// The lines before the first `m=` line.
    pub session: Section<'a>,
    /// The media descriptions. Their order is what answers refer to (RFC 3264 §6): never remove one.
    pub media: Vec<MediaDescription<'a>>,
}

impl<'a> SessionDescription<'a> {
    /// Begins a description: `v=`, `o=`, `s=-`, `t=0 0`.
    pub fn new(origin: &Origin<'_>) -> SessionDescription<'static> {
        let lines = [(b'v', "0"), (b's', "-"), (b't', "0 0")];
        let mut session = Section { lines: lines.map(|(kind, value)| Line::new(kind, value)).into() };
        session.set_line(b'o', origin);
        SessionDescription { session, media: Vec::new() }
    }

    /// Parses a body. Linear in its size.
    pub fn parse(body: &'a [u8]) -> Result<Self, SdpError> {
        let (session, media) = parse_lines(body, Mode::Session)?;
        Ok(Self { session, media })
    }

    /// Adds a media description at the end.
    pub fn add_media(&mut self, line: &MediaLine<'_>) -> &mut MediaDescription<'a> {
        let at = self.media.len();
        self.media.push(MediaDescription::new(line));
        &mut self.media[at]
    }

    /// Replaces the `o=` line.
    pub fn set_origin(&mut self, origin: &Origin<'_>) {
        self.session.set_line(b'o', origin);
    }

    /// Sets the session version (RFC 3264 §8: one more with every change).
    pub fn set_session_version(&mut self, session_version: u64) {
        let origin = Origin { session_version, ..self.origin() }.to_string();
        self.session.set_line(b'o', origin);
    }

    /// The `o=` line.
    pub fn origin(&self) -> Origin<'_> {
        // Parsing and every setter have checked it.
        self.session.value('o').and_then(Origin::parse).unwrap_or_default()
    }

    /// The `s=` line; `-` says nothing.
    pub fn name(&self) -> Option<&str> {
        self.session.value('s')
    }

    /// The first `t=` line.
    pub fn timing(&self) -> Option<Timing> {
        self.session.value('t').and_then(Timing::parse)
    }

    /// Where this medium is received: its own `c=` line counts before the session's (§5.7).
    pub fn connection_of<'s>(&'s self, media: &'s MediaDescription<'_>) -> Option<Connection<'s>> {
        media.connection().or_else(|| self.session.connection())
    }

    /// The direction in force for this medium: its own, the session's, or `sendrecv` (§6.7).
    pub fn direction_of(&self, media: &MediaDescription<'_>) -> Direction {
        media.direction().or_else(|| self.session.direction()).unwrap_or_default()
    }

    /// An attribute that may stand in either part, the medium's first (fingerprint, setup, ice-ufrag, …).
    pub fn inherited<'s, A: Attribute<'s>>(&'s self, media: &'s MediaDescription<'_>) -> Option<A> {
        media.one().or_else(|| self.session.one())
    }

    /// The index of the medium with this identification tag (RFC 5888 §4).
    pub fn media_with_mid(&self, mid: &str) -> Option<usize> {
        self.media.iter().position(|media| media.mid() == Some(mid))
    }

    /// The first group with these semantics, `BUNDLE` for one (RFC 9143 §7.1).
    pub fn group(&self, semantics: &str) -> Option<Group<'_>> {
        self.session.all::<Group<'_>>().find(|group| group.semantics == semantics)
    }

    /// All lines in order, the `m=` lines too, without line ends.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let media = self.media.iter().flat_map(MediaDescription::lines_with_own);
        self.session.lines().map(ToString::to_string).chain(media)
    }

    /// The same with nothing borrowed.
    pub fn into_owned(self) -> SessionDescription<'static> {
        SessionDescription {
            session: self.session.into_owned(),
            media: self.media.into_iter().map(MediaDescription::into_owned).collect(),
        }
    }
}

impl Display for SessionDescription<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.session)?;
        self.media.iter().try_for_each(|media| write!(f, "{media}"))
    }
}
