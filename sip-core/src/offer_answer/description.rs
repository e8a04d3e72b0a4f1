//! Edits of descriptions, and what they say about hold (RFC 3264 §6.1, §8.4).

use alloc::string::ToString;
use alloc::vec::Vec;

use bytes::Bytes;

use super::Fault;
use crate::body::sdp::{Direction, MediaDescription, SessionDescription, Setup};

/// The offer that puts on hold, and which media it stopped receiving, one bit each.
pub(super) fn hold(local: &Bytes) -> Result<(Bytes, u128), Fault> {
    let mut held = 0;
    let offer = redirect(local, |index, direction| {
        held |= u128::from(direction.receives()) << index;
        Direction::new(direction.sends(), false)
    })?;
    Ok((offer, held))
}

/// The offer that resumes the media of `held`. What `recvonly` or `sendonly` was before stays so.
pub(super) fn resume(local: &Bytes, held: u128) -> Result<Bytes, Fault> {
    redirect(local, |index, direction| {
        let received = held >> index & 1 == 1;
        Direction::new(direction.sends(), direction.receives() || received)
    })
}

/// A new version of a description of ours, with other directions.
fn redirect(local: &Bytes, mut of: impl FnMut(usize, Direction) -> Direction) -> Result<Bytes, Fault> {
    let mut sdp = SessionDescription::parse(local)?;
    let directions: Vec<Direction> =
        sdp.media.iter().enumerate().map(|(index, media)| of(index, sdp.direction_of(media))).collect();
    for (media, direction) in sdp.media.iter_mut().zip(directions) {
        if !media.is_refused() {
            media.set_direction(direction);
        }
    }
    // Our last answer may have said which side connects; an offer leaves it open (RFC 8842 §5.3).
    let sections = sdp.media.iter_mut().map(|media| &mut **media).chain([&mut sdp.session]);
    for section in sections.filter(|section| section.one::<Setup>().is_some()) {
        section.set(&Setup::ActPass);
    }
    let version = sdp.origin().session_version;
    sdp.set_session_version(version.saturating_add(1));
    Ok(sdp.to_string().into())
}

/// The answer that refuses every medium of an offer (RFC 3264 §6): for who has to answer and cannot.
pub fn refusal(offer: &Bytes) -> Result<Bytes, Fault> {
    let mut sdp = SessionDescription::parse(offer)?;
    for media in &mut sdp.media {
        media.set_port(0);
        media.retain_attributes(|name, _| name == "mid");
    }
    sdp.session.retain_attributes(|_, _| false);
    Ok(sdp.to_string().into())
}

/// Which way each medium flows, seen by the writer of `local`: what it sends and the other side receives, and the
/// other way round (RFC 3264 §6.1). `None` where either side refuses the medium.
pub fn directions(local: &Bytes, remote: &Bytes) -> Result<Vec<Option<Direction>>, Fault> {
    let (local, remote) = (SessionDescription::parse(local)?, SessionDescription::parse(remote)?);
    let media = local.media.iter().zip(&remote.media).map(|(ours, theirs)| {
        let (mine, other) = (local.direction_of(ours), remote.direction_of(theirs).reversed());
        let flows = Direction::new(mine.sends() && other.sends(), mine.receives() && other.receives());
        (!ours.is_refused() && !theirs.is_refused()).then_some(flows)
    });
    Ok(media.collect())
}

/// Whether the writer receives nothing although there are media.
pub(super) fn is_held(sdp: &Bytes) -> bool {
    let Ok(sdp) = SessionDescription::parse(sdp) else { return false };
    let mut media = sdp.media.iter().filter(|media| !media.is_refused()).peekable();
    media.peek().is_some() && media.all(|media| !receives(&sdp, media))
}

fn receives(sdp: &SessionDescription<'_>, media: &MediaDescription<'_>) -> bool {
    // §8.4: hold as RFC 2543 had it. With ICE the address is only not known yet (RFC 8839 §4.3.1).
    let nowhere = sdp.connection_of(media).is_some_and(|connection| connection.is_unspecified());
    let ice = media.has("ice-ufrag") || sdp.session.has("ice-ufrag");
    sdp.direction_of(media).receives() && (ice || !nowhere)
}
