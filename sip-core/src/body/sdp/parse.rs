//! Bytes → lines: the structure, and nothing an offer/answer machine could decide otherwise.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::fields::is_token;
use super::{Connection, Line, MediaDescription, MediaLine, Origin, SdpError, SdpFault, Section, Timing};
use crate::limits;

/// What the lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A whole description.
    Session,
    /// `application/trickle-ice-sdpfrag`: attributes and media (RFC 8840 §9).
    Fragment,
}

type Parts<'a> = (Section<'a>, Vec<MediaDescription<'a>>);

/// One walk over the lines.
pub(crate) fn parse_lines(body: &[u8], mode: Mode) -> Result<Parts<'_>, SdpError> {
    let whole = |fault, offset| SdpError { fault, line: 1, offset };
    if body.len() > limits::SDP_BYTES {
        return Err(whole(SdpFault::TooLarge, limits::SDP_BYTES));
    }
    let text = core::str::from_utf8(body).map_err(|error| {
        let offset = error.valid_up_to();
        let line = 1 + memchr::memchr_iter(b'\n', &body[..offset]).count();
        SdpError { fault: SdpFault::NotUtf8, line, offset }
    })?;
    // Empty lines after the last are met; they are no lines.
    let text = text.trim_end_matches(['\r', '\n']);
    let mut session = Section::default();
    let mut media: Vec<MediaDescription<'_>> = Vec::new();
    let mut offset = 0;
    let mut origins = 0;
    for (index, raw) in text.split('\n').enumerate() {
        let at = |fault| SdpError { fault, line: index + 1, offset };
        let line = raw.strip_suffix('\r').unwrap_or(raw);
        if index >= limits::SDP_LINES {
            return Err(at(SdpFault::TooManyLines));
        }
        if let Some(place) = memchr::memchr2(b'\r', 0, line.as_bytes()) {
            let offset = offset + place;
            return Err(SdpError { fault: SdpFault::ControlCharacter, line: index + 1, offset });
        }
        let kind = match line.as_bytes() {
            [kind, b'=', ..] => *kind,
            _ => return Err(at(SdpFault::Line)),
        };
        let value = &line[2..];
        check(kind, value, index, mode, !media.is_empty()).map_err(at)?;
        origins += usize::from(kind == b'o');
        if origins > 1 {
            return Err(at(SdpFault::Misplaced));
        }
        let value = Cow::Borrowed(value);
        if kind == b'm' {
            if media.len() == limits::SDP_MEDIA {
                return Err(at(SdpFault::TooManyMedia));
            }
            media.push(MediaDescription { line: value, section: Section::default() });
        } else {
            let section = media.last_mut().map_or(&mut session, |last| &mut last.section);
            section.lines.push(Line { kind, value });
        }
        offset += raw.len() + 1;
    }
    if mode == Mode::Session && origins == 0 {
        return Err(SdpError { fault: SdpFault::Origin, line: 1, offset: 0 });
    }
    Ok((session, media))
}

/// Whether a line may stand here and follows its grammar, as far as it gives the description its shape.
fn check(kind: u8, value: &str, index: usize, mode: Mode, in_media: bool) -> Result<(), SdpFault> {
    let must = |holds: bool, fault| if holds { Ok(()) } else { Err(fault) };
    if mode == Mode::Session && index == 0 && (kind != b'v' || value.trim_end_matches(' ') != "0") {
        return Err(SdpFault::Version);
    }
    match kind {
        b'a' => must(is_token(value.split(':').next().unwrap_or_default()), SdpFault::Attribute),
        b'm' => {
            let line = MediaLine::parse(value).ok_or(SdpFault::Media)?;
            // Whoever looks up each format's attributes walks the lines so many times.
            must(line.formats().nth(limits::SDP_FORMATS).is_none(), SdpFault::TooManyFormats)
        }
        // RFC 8840 §9.2 has a=, m= and, in its m= lines' company, c= at most.
        b'c' => must(Connection::parse(value).is_some(), SdpFault::Connection),
        _ if mode == Mode::Fragment => Err(SdpFault::UnknownType),
        b'v' => must(index == 0, SdpFault::Misplaced),
        b'o' if in_media => Err(SdpFault::Misplaced),
        b'o' => must(Origin::parse(value).is_some(), SdpFault::Origin),
        b't' if in_media => Err(SdpFault::Misplaced),
        b't' => must(Timing::parse(value).is_some(), SdpFault::Timing),
        b's' | b'u' | b'e' | b'p' | b'r' | b'z' => must(!in_media, SdpFault::Misplaced),
        b'i' | b'b' | b'k' => Ok(()),
        _ => Err(SdpFault::UnknownType),
    }
}
