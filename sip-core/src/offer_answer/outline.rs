//! The shape of our descriptions in a session, without what they say about media: enough that a program which has
//! forgotten everything else goes on with the session (RFC 3264 §8: same `o=` line, higher version, same order of
//! media).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;
use smol_str::SmolStr;

use super::Fault;
use crate::body::sdp::{Group, MediaDescription, MediaLine, Origin, SessionDescription};

/// What all our descriptions of one session have in common. It has neither addresses of media nor keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// The value of the last `o=` line.
    pub origin: SmolStr,
    /// The media, in their order.
    pub media: Vec<OutlineMedia>,
}

/// One medium of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlineMedia {
    /// `audio`, `video`, …
    pub kind: SmolStr,
    /// `UDP/TLS/RTP/SAVPF`, …
    pub protocol: SmolStr,
    /// Its `mid` (RFC 5888).
    pub mid: Option<SmolStr>,
}

impl Outline {
    /// That of a description of ours.
    pub fn of(local: &Bytes) -> Option<Self> {
        let sdp = SessionDescription::parse(local).ok()?;
        let media = sdp.media.iter().map(|media| OutlineMedia {
            kind: media.media().into(),
            protocol: media.line().protocol.into(),
            mid: media.mid().map(SmolStr::from),
        });
        Some(Self { origin: format!("{}", sdp.origin()).into(), media: media.collect() })
    }

    /// An offer of media that know nothing of the session, in the session's shape: `o=` line, order and mids are the
    /// outline's, media that are not offered again are refused, new ones come last.
    pub fn offer(&mut self, fresh: &Bytes) -> Result<Bytes, Fault> {
        let mut sdp = SessionDescription::parse(fresh)?;
        let mut old: Vec<Option<MediaDescription<'_>>> = sdp.media.drain(..).map(Some).collect();
        let mut renamed: Vec<(SmolStr, SmolStr)> = Vec::new();
        for wanted in &self.media {
            let is_kind = |media: &Option<MediaDescription<'_>>| {
                media.as_ref().is_some_and(|m| m.media() == wanted.kind)
            };
            let same = |media: &Option<MediaDescription<'_>>| {
                is_kind(media) && media.as_ref().and_then(|m| m.mid()) == wanted.mid.as_deref()
            };
            let at = old.iter().position(same).or_else(|| old.iter().position(is_kind));
            let mut media = match at.and_then(|at| old[at].take()) {
                Some(media) => media,
                None => MediaDescription::new(&MediaLine {
                    media: &wanted.kind,
                    port: 0,
                    ports: None,
                    protocol: &wanted.protocol,
                    formats: "0",
                }),
            };
            if let Some(mid) = &wanted.mid {
                if let Some(own) = media.mid().filter(|own| own != mid) {
                    renamed.push((own.into(), mid.clone()));
                }
                media.remove("mid");
                media.add_attribute("mid", mid);
            }
            sdp.media.push(media);
        }
        for mut media in old.into_iter().flatten() {
            // A mid that now is another medium's would be two media's.
            let own = media.mid().map(SmolStr::from);
            if let Some(own) = own.filter(|own| sdp.media_with_mid(own).is_some()) {
                let free = (0u32..).map(|n| format!("n{n}")).find(|name| sdp.media_with_mid(name).is_none());
                let free = SmolStr::from(free.unwrap_or_default());
                media.remove("mid");
                media.add_attribute("mid", &free);
                renamed.push((own, free));
            }
            sdp.media.push(media);
        }
        let groups: Vec<String> =
            sdp.session.all::<Group<'_>>().map(|group| rename(&group, &renamed)).collect();
        sdp.session.remove("group");
        for group in groups {
            sdp.session.add_attribute("group", group);
        }
        let offer = self.signed(sdp)?;
        *self = Self::of(&offer).unwrap_or_else(|| self.clone());
        Ok(offer)
    }

    /// An answer, whose order is the offer's: the `o=` line alone is the session's.
    pub fn answer(&mut self, fresh: &Bytes) -> Result<Bytes, Fault> {
        let answer = self.signed(SessionDescription::parse(fresh)?)?;
        *self = Self::of(&answer).unwrap_or_else(|| self.clone());
        Ok(answer)
    }

    /// Takes note of a description of ours that went out meanwhile.
    pub fn went_on(&mut self, local: &Bytes) {
        if let Some(newer) = Self::of(local) {
            *self = newer;
        }
    }

    /// The session's identity, and its next version.
    fn signed(&self, mut sdp: SessionDescription<'_>) -> Result<Bytes, Fault> {
        if let Some(mut origin) = Origin::parse(&self.origin) {
            origin.session_version = origin.session_version.saturating_add(1);
            sdp.set_origin(&origin);
        }
        Ok(sdp.to_string().into())
    }
}

fn rename(group: &Group<'_>, renamed: &[(SmolStr, SmolStr)]) -> String {
    let mut out = String::from(group.semantics);
    for mid in group.mids() {
        let new = renamed.iter().find(|(old, _)| old == mid).map_or(mid, |(_, new)| new.as_str());
        out.push(' ');
        out.push_str(new);
    }
    out
}
