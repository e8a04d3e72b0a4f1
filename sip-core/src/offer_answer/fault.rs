//! What is wrong with an offer or an answer (RFC 3264 §6, §8), by name.

use bytes::Bytes;
use thiserror::Error;

use super::Turn;
use crate::body::sdp::{MediaDescription, SdpError, SessionDescription};

/// Why a description is no legal offer or answer here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// It is not the time for one: an offer while another is pending, or an answer to nothing (RFC 6337 §2.2).
    #[error("not possible in {0:?}")]
    Turn(Turn),
    /// Nothing has been agreed upon that could be changed.
    #[error("there is no session yet")]
    NoSession,
    /// It is no session description.
    #[error("{0}")]
    Malformed(#[from] SdpError),
    /// Its version is lower than that of the one before; or, where it is ours and differs, the same (§8).
    #[error("the session version did not rise")]
    Version,
    /// Fewer media than before (§8), or in an answer another number than in the offer (§6).
    #[error("the number of media descriptions is wrong")]
    MediaCount,
    /// A medium has another type than in the offer (§6), or than before while it was in use (§8.3.3).
    #[error("medium {index} has another type")]
    MediaType {
        /// Which one, from 0.
        index: usize,
    },
    /// The answer names another transport than the offer (§6).
    #[error("medium {index} has another transport")]
    Transport {
        /// Which one, from 0.
        index: usize,
    },
    /// The answer accepts a medium and none of its formats (§6.1).
    #[error("medium {index} has no format in common with the offer")]
    Formats {
        /// Which one, from 0.
        index: usize,
    },
    /// A payload type means another codec than before (§8.3.2).
    #[error("payload type {payload} of medium {index} means another codec than before")]
    Remapped {
        /// Which medium, from 0.
        index: usize,
        /// The payload type.
        payload: u8,
    },
}

/// Which side made a description.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Ours,
    Theirs,
}

/// §8: what an offer may not change. `before` is the same side's description in force.
///
/// The first description of a side is not judged: media is its judge. Nor are those a side makes of another session
/// (another `o=` name), as one behind a switch does after a transfer.
pub(super) fn check_offer(before: Option<&Bytes>, offer: &Bytes, whose: Whose) -> Result<(), Fault> {
    let Some(before) = before else { return Ok(()) };
    if before == offer {
        return Ok(());
    }
    let new = SessionDescription::parse(offer)?;
    let Ok(old) = SessionDescription::parse(before) else { return Ok(()) };
    if !is_same_session(&old, &new) {
        return Ok(());
    }
    let (was, is) = (old.origin(), new.origin());
    // "The answerer MUST be prepared to receive an offer that contains SDP with a version that has not changed", and to answer
    // it: servers that relay media change what a refresh says and leave its version.
    let stays = is.session_version == was.session_version && whose == Whose::Theirs;
    if is.session_version <= was.session_version && !stays {
        return Err(Fault::Version);
    }
    if new.media.len() < old.media.len() {
        return Err(Fault::MediaCount);
    }
    for (index, (old, new)) in old.media.iter().zip(&new.media).enumerate() {
        // §8.1, §8.3.3: the place of a refused medium may be taken by another.
        if old.is_refused() || new.is_refused() {
            continue;
        }
        if !old.media().eq_ignore_ascii_case(new.media()) {
            return Err(Fault::MediaType { index });
        }
        if let Some(payload) = remapped(old, new).next() {
            return Err(Fault::Remapped { index, payload });
        }
    }
    Ok(())
}

/// §6: what an answer owes its offer. Descriptions that cannot be read are for media to judge.
pub(super) fn check_answer(offer: &Bytes, answer: &Bytes, whose: Whose) -> Result<(), Fault> {
    let (Ok(offer), Ok(answer)) = (SessionDescription::parse(offer), SessionDescription::parse(answer))
    else {
        return Ok(());
    };
    let keyed = |media: &MediaDescription<'_>| media.has("fingerprint") || answer.session.has("fingerprint");
    if offer.media.len() != answer.media.len() {
        return Err(Fault::MediaCount);
    }
    for (index, (asked, given)) in offer.media.iter().zip(&answer.media).enumerate() {
        if !asked.media().eq_ignore_ascii_case(given.media()) {
            return Err(Fault::MediaType { index });
        }
        if given.is_refused() {
            continue;
        }
        let (asked, secure, given) = (asked.line(), keyed(given), given.line());
        // RFC 8829 §5.1.2: for RTP keyed by DTLS the name of the profile "has no effect"; some answer by another.
        let synonyms =
            || whose == Whose::Theirs && secure && [asked.protocol, given.protocol].map(is_rtp) == [true; 2];
        if !asked.protocol.eq_ignore_ascii_case(given.protocol) && !synonyms() {
            return Err(Fault::Transport { index });
        }
        // §6.1: at least one of them. Names outside RTP count too (`webrtc-datachannel`, `t38`).
        if !given.formats().any(|format| asked.formats().any(|known| known.eq_ignore_ascii_case(format))) {
            return Err(Fault::Formats { index });
        }
    }
    Ok(())
}

/// §8.3.2: what a payload type means it means in the answers of that side too. One that means in the answer what the offer has it
/// mean is no misunderstanding, whatever it was before.
pub(super) fn check_mapping(before: Option<&Bytes>, offer: &Bytes, answer: &Bytes) -> Result<(), Fault> {
    let Some(before) = before else { return Ok(()) };
    let read = [before, offer, answer].map(|sdp| SessionDescription::parse(sdp));
    let [Ok(old), Ok(asked), Ok(new)] = &read else { return Ok(()) };
    if !is_same_session(old, new) {
        return Ok(());
    }
    for (index, ((old, asked), new)) in old.media.iter().zip(&asked.media).zip(&new.media).enumerate() {
        if old.is_refused() || new.is_refused() {
            continue;
        }
        let mistaken = |payload: &u8| agree(*payload, asked, new) != Some(true);
        if let Some(payload) = remapped(old, new).find(mistaken) {
            return Err(Fault::Remapped { index, payload });
        }
    }
    Ok(())
}

/// Whether two descriptions of a side are of the same session (`o=`).
fn is_same_session(old: &SessionDescription<'_>, new: &SessionDescription<'_>) -> bool {
    let (was, is) = (old.origin(), new.origin());
    (was.username, was.session_id) == (is.username, is.session_id)
}

/// The profiles of RFC 8829 §5.1.2.
fn is_rtp(protocol: &str) -> bool {
    let profile = ["UDP/TLS/", "TCP/DTLS/", ""].into_iter().find_map(|prefix| strip(protocol, prefix));
    let profile = profile.unwrap_or_default();
    ["RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF"]
        .into_iter()
        .any(|known| known.eq_ignore_ascii_case(profile))
}

fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The payload types that mean another codec than before.
fn remapped<'a>(old: &'a MediaDescription<'_>, new: &'a MediaDescription<'_>) -> impl Iterator<Item = u8> {
    let payloads = new.line().formats.split_ascii_whitespace().filter_map(|format| format.parse::<u8>().ok());
    payloads.filter(|payload| agree(*payload, old, new) == Some(false))
}

/// Whether a payload type means the same codec in both, where it has a meaning in both.
fn agree(payload: u8, one: &MediaDescription<'_>, other: &MediaDescription<'_>) -> Option<bool> {
    let (one, other) = (one.codec(payload)?, other.codec(payload)?);
    Some(one.encoding.eq_ignore_ascii_case(other.encoding) && one.clock_rate == other.clock_rate)
}
