//! Candidates on their way: `application/trickle-ice-sdpfrag` (RFC 8840 §9), the body of an INFO.

use alloc::vec::Vec;
use core::fmt::{self, Display};

use super::sdp::{
    Candidate, IcePwd, IceUfrag, MediaDescription, Mode, SdpError, Section, SessionDescription, parse_lines,
};

/// What of a description a fragment holds: attributes, and media reduced to their `m=` line, mid and candidates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SdpFrag<'a> {
    /// The attributes before the first `m=` line: `ice-ufrag`, `ice-pwd`, `group`, `end-of-candidates`, …
    pub session: Section<'a>,
    /// The pseudo media descriptions (§4.4.1); they are found by their mid, never by their place.
    pub media: Vec<MediaDescription<'a>>,
}

impl<'a> SdpFrag<'a> {
    /// Parses a body. Other lines than `a=`, `m=` and `c=` are refused.
    pub fn parse(body: &'a [u8]) -> Result<Self, SdpError> {
        let (session, media) = parse_lines(body, Mode::Fragment)?;
        Ok(Self { session, media })
    }

    /// A fragment for the medium `mid` of a description, with the credentials that are in force there and its
    /// `m=` line; candidates are to be added. `None` if no medium has this mid.
    pub fn for_medium(sdp: &SessionDescription<'_>, mid: &str) -> Option<SdpFrag<'static>> {
        let of = &sdp.media[sdp.media_with_mid(mid)?];
        let mut fragment = SdpFrag::default();
        if let Some(group) = sdp.group("BUNDLE") {
            fragment.session.add(&group);
        }
        let mut media = MediaDescription::new(&of.line());
        media.add(&super::sdp::Mid(mid));
        if let Some(ufrag) = sdp.inherited::<IceUfrag<'_>>(of) {
            media.add(&ufrag);
        }
        if let Some(pwd) = sdp.inherited::<IcePwd<'_>>(of) {
            media.add(&pwd);
        }
        fragment.media.push(media);
        Some(fragment)
    }

    /// Every candidate with the mid of its medium.
    pub fn candidates(&self) -> impl Iterator<Item = (&str, Candidate<'_>)> {
        self.media
            .iter()
            .filter_map(|media| Some((media.mid()?, media)))
            .flat_map(|(mid, media)| media.all::<Candidate<'_>>().map(move |candidate| (mid, candidate)))
    }

    /// The user name fragment in force for a medium: generations of candidates are told apart by it (§4.4).
    pub fn ufrag_of<'s>(&'s self, media: &'s MediaDescription<'_>) -> Option<IceUfrag<'s>> {
        media.one().or_else(|| self.session.one())
    }

    /// Whether no more candidates come for a medium.
    pub fn is_end_of(&self, media: &MediaDescription<'_>) -> bool {
        media.has("end-of-candidates") || self.session.has("end-of-candidates")
    }
}

impl Display for SdpFrag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.session)?;
        self.media.iter().try_for_each(|media| write!(f, "{media}"))
    }
}
