//! Bodies of messages: whether they are understood, and which of their parts counts (RFC 3261 §8.2.3, RFC 5621).

use alloc::borrow::Cow;
use alloc::string::ToString;

use bytes::Bytes;
use smol_str::{SmolStr, ToSmolStr, format_smolstr};

use super::UserAgent;
use super::checks::{self, Refusal};
use super::local::{Local, MULTIPARTS, SDP};
use crate::body::multipart::{MultipartError, Part, Selection};
use crate::body::{Content, one_line};
use crate::message::typed::{ContentDisposition, ContentType};
use crate::message::validate::Rules;
use crate::message::{HeaderName, Headers, Method, Request, split_list};

/// Bodies taken in INFO; this is what phones send for keys pressed.
const DTMF: &str = "application/dtmf-relay, application/dtmf";

const DTMF_ACCEPT: &str = "application/dtmf-relay, application/dtmf, multipart/mixed, multipart/alternative";
pub(super) const SDP_ACCEPT: &str = "application/sdp, multipart/mixed, multipart/alternative";

/// A body, or the part of one, that is understood.
pub(super) struct Found<'a> {
    pub(super) content_type: SmolStr,
    pub(super) body: &'a [u8],
}

/// What Accept says to a method: INFO brings keys, MESSAGE words, the others sessions.
pub(super) fn accept<'a>(method: &Method, local: &'a Local) -> &'a str {
    match method {
        Method::Info => DTMF_ACCEPT,
        Method::Message => &local.message_accept,
        _ => SDP_ACCEPT,
    }
}

/// The body of a request that is understood; `None` if there is none that matters.
pub(super) fn content<'m>(request: &'m Request, local: &Local) -> Result<Option<Found<'m>>, Refusal> {
    let types = match request.method() {
        Method::Info => DTMF,
        Method::Message => &local.message_types,
        _ => SDP,
    };
    find(&checks::rules(request.method(), local), types, request)
}

/// What of the body is of one of these types.
fn find<'m>(rules: &Rules<'_>, types: &str, request: &'m Request) -> Result<Option<Found<'m>>, Refusal> {
    let Some(content_type) = rules.body(request)? else { return Ok(None) };
    let headers = request.headers();
    let disposition = headers.typed::<ContentDisposition<'_>>().ok().flatten();
    let optional = disposition.is_some_and(|disposition| !disposition.required());
    let unsupported = || match optional {
        true => Ok(None),
        // RFC 5621 §8.4.
        false => Err(Refusal::of(415).with(HeaderName::Accept, rules.accept)),
    };
    let taken = |kind: &str, subtype: &str| {
        let known = |known: &str| known.split_once('/').is_some_and(|known| same(known, (kind, subtype)));
        split_list(types).any(known)
    };
    if taken(content_type.kind, content_type.subtype) {
        return match is_meant(content_type.is("application", "sdp"), disposition.map(|found| found.kind)) {
            true => Ok(Some(Found { content_type: content_type.to_smolstr(), body: request.body() })),
            false => unsupported(),
        };
    }
    let takes = |part: &Part<'_>| {
        let (kind, subtype) = part.media_type().split_once('/').unwrap_or_default();
        taken(kind.trim_end(), subtype.trim_start())
            && part.is_plain()
            && is_meant(part.is(SDP), part.disposition())
    };
    match Selection::of(headers.first(HeaderName::ContentType).unwrap_or_default(), request.body(), &takes) {
        Ok(Selection { missing: true, .. }) => unsupported(),
        Ok(Selection { part, .. }) => Ok(part.and_then(found)),
        Err(_) if optional => Ok(None),
        Err(MultipartError::TooManyParts | MultipartError::TooDeep) => Err(Refusal::of(413)),
        Err(error) => Err(Refusal::bad_body(&error)),
    }
}

/// The description of the session in a message, in a buffer of its own: a call outlives the message by hours. In an answer
/// or an ACK there is nobody to refuse what is not understood beside it (RFC 5621 §10).
pub(super) fn description(headers: &Headers, body: &[u8]) -> Option<Bytes> {
    let content_type = headers.typed::<ContentType<'_>>().ok()??;
    if content_type.is("application", "sdp") {
        let disposition = headers.typed::<ContentDisposition<'_>>().ok().flatten();
        let meant = is_meant(true, disposition.map(|found| found.kind));
        return (meant && !body.is_empty()).then(|| Bytes::copy_from_slice(body));
    }
    if !content_type.kind.eq_ignore_ascii_case("multipart") {
        return None;
    }
    let takes = |part: &Part<'_>| part.is(SDP) && part.is_plain() && is_meant(true, part.disposition());
    let selection = Selection::of(headers.first(HeaderName::ContentType)?, body, &takes).ok()?;
    selection.part.map(|part| Bytes::copy_from_slice(&part.body)).filter(|body| !body.is_empty())
}

/// Whether a body is for who would understand its type. A description of a session is one only as such (RFC 3261 §20.11; an
/// `early-session`, RFC 3959, is another); what is not the body of a reference is nobody's without (RFC 5621 §9.4).
fn is_meant(session: bool, disposition: Option<&str>) -> bool {
    disposition.is_none_or(|kind| match session {
        true => kind.eq_ignore_ascii_case("session"),
        false => !kind.eq_ignore_ascii_case("by-reference"),
    })
}

fn same(one: (&str, &str), other: (&str, &str)) -> bool {
    one.0.eq_ignore_ascii_case(other.0) && one.1.eq_ignore_ascii_case(other.1)
}

fn found(part: Part<'_>) -> Option<Found<'_>> {
    let content_type = one_line(part.content_type().unwrap_or("text/plain").to_string()).into();
    // Parsing borrows.
    let Cow::Borrowed(body) = part.body else { return None };
    Some(Found { content_type, body }).filter(|found| !found.body.is_empty())
}

impl Refusal {
    fn bad_body(error: &MultipartError) -> Self {
        let reason = alloc::format!("Bad Request ({error})");
        Self { status: 400, reason: Cow::Owned(reason), headers: alloc::vec::Vec::new() }
    }
}

impl UserAgent {
    /// A body of this media type, or of whatever type it says it is.
    pub(super) fn any_body(
        &self,
        request: &Request,
        media_type: Option<&str>,
    ) -> Result<Option<Content>, Refusal> {
        let headers = request.headers();
        let any = headers.typed::<ContentType<'_>>().ok().flatten();
        let any = any.map(|found| format_smolstr!("{}/{}", found.kind, found.subtype)).unwrap_or_default();
        let types = media_type.unwrap_or(&any);
        let accept = format_smolstr!("{types}, {MULTIPARTS}");
        let rules = Rules { accept: &accept, ..checks::rules(request.method(), &self.local) };
        rules.request(request)?;
        let found = find(&rules, types, request)?;
        Ok(found.map(|found| Content::new(found.content_type, headers.bytes().slice_ref(found.body))))
    }
}
