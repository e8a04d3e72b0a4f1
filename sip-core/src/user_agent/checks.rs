//! Inspection of requests (RFC 3261 §8.2): what is refused before anybody rings.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::local::{ALLOW, Local, SDP};
use super::{Aor, body_text};
use crate::message::{HeaderName, Host, Method, NameAddr, Params, Request, Uri, reason_phrase};

/// Bodies taken in INFO; this is what phones send for keys pressed.
pub(super) const DTMF: [&str; 2] = ["application/dtmf-relay", "application/dtmf"];

/// A final answer that refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) reason: &'static str,
    pub(super) headers: Vec<(HeaderName, SmolStr)>,
}

impl Refusal {
    pub(super) const fn of(status: u16) -> Self {
        Self::with_reason(status, reason_phrase(status))
    }

    pub(super) const fn with_reason(status: u16, reason: &'static str) -> Self {
        Self { status, reason, headers: Vec::new() }
    }

    pub(super) fn with(mut self, name: HeaderName, value: impl Into<SmolStr>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The answer to a method that is not taken here (§8.2.1): 405 if it is known, else 501 (§21.5.2).
    pub(super) fn of_method(method: &Method) -> Self {
        let status = if matches!(method, Method::Other(_)) { 501 } else { 405 };
        Self::of(status).with(HeaderName::Allow, ALLOW)
    }
}

/// Whether a request outside a dialog is for us (§8.2.2.1). Whom To names does not matter: calls are forwarded.
pub(super) fn addressee(request: &Request, local: &Local, aor: &Aor) -> Result<(), Refusal> {
    let uri = Uri::parse(request.uri());
    let Some(sip) = uri.as_ref().and_then(Uri::sip) else { return Err(Refusal::of(416)) };
    let aor_uri = Uri::parse(aor.as_str());
    let of_aor = aor_uri.as_ref().and_then(Uri::sip).is_some_and(|own| {
        // A proxy's address stands for its domain.
        sip.user.map(crate::message::unescape).as_deref() == Some(aor.user())
            && (own.host.matches(sip.host) || matches!(sip.host, Host::Ip(_)))
    });
    // An OPTIONS may ask the host.
    let of_host = *request.method() == Method::Options && sip.user.is_none();
    if local.is_contact(sip) || of_aor || of_host { Ok(()) } else { Err(Refusal::of(404)) }
}

/// Refuses required extensions (§8.2.2.3): there are none that a request to us could need. Not for ACK and CANCEL.
pub(super) fn required(request: &Request) -> Result<(), Refusal> {
    let unknown: Vec<&str> = request.headers().list(HeaderName::Require).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Refusal::of(420).with(HeaderName::Unsupported, unknown.join(", ")))
}

/// The offer of an INVITE (§8.2.3).
pub(super) fn offer(request: &Request, dtls_required: bool) -> Result<Option<String>, Refusal> {
    let Some(text) = content(request, &[SDP])?.map(|(_, text)| text) else { return Ok(None) };
    if dtls_required && !has_fingerprints(&text) {
        // §20.43: 399 is for texts.
        let warning = "399 user-agent.invalid \"WebRTC media needs a DTLS fingerprint\"";
        return Err(Refusal::of(488).with(HeaderName::Warning, warning));
    }
    Ok(Some(text))
}

/// A body of one of `types`, with its type; `None` if there is none that matters.
pub(super) fn content<'a>(
    request: &'a Request,
    types: &[&str],
) -> Result<Option<(&'a str, String)>, Refusal> {
    if request.body().is_empty() {
        return Ok(None);
    }
    let headers = request.headers();
    let optional = headers
        .first(HeaderName::ContentDisposition)
        .and_then(|value| Params::parse(&value[value.find(';').unwrap_or(value.len())..]))
        .and_then(|params| params.value("handling"))
        .is_some_and(|handling| handling.eq_ignore_ascii_case("optional"));
    let encoded = headers.list(HeaderName::ContentEncoding).any(|e| !e.eq_ignore_ascii_case("identity"));
    let found = headers.first(HeaderName::ContentType).unwrap_or_default();
    match types.iter().any(|known| is_type(found, known)) {
        true if !encoded => Ok(Some((found, body_text(request.body())))),
        _ if optional => Ok(None),
        // §21.4.13: the answer says what would do.
        true => Err(Refusal::of(415).with(HeaderName::AcceptEncoding, "identity")),
        false => Err(Refusal::of(415).with(HeaderName::Accept, types.join(", "))),
    }
}

/// Whether a Content-Type names this media type, whatever its parameters.
pub(super) fn is_type(content_type: &str, media_type: &str) -> bool {
    let end = content_type.find(';').unwrap_or(content_type.len());
    content_type[..end].trim().eq_ignore_ascii_case(media_type)
}

/// Whether every medium that is not refused has a fingerprint, its own or the session's (RFC 8122 §5).
fn has_fingerprints(sdp: &str) -> bool {
    let mut sections = vec![(true, false)];
    for line in sdp.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            let refused = media.split(' ').nth(1) == Some("0");
            sections.push((refused, false));
        } else if line.starts_with("a=fingerprint:")
            && let Some((_, found)) = sections.last_mut()
        {
            *found = true;
        }
    }
    let of_session = sections[0].1;
    of_session || sections.iter().all(|(refused, found)| *refused || *found)
}

/// The header fields of an answer to OPTIONS (§11.2).
pub(super) fn capabilities() -> [(HeaderName, SmolStr); 4] {
    [
        (HeaderName::Allow, ALLOW.into()),
        (HeaderName::Accept, SDP.into()),
        (HeaderName::AcceptEncoding, "identity".into()),
        (HeaderName::Supported, "outbound".into()),
    ]
}

/// The granted lifetime of our Contact in a 200 to REGISTER, in seconds (§10.2.4).
pub(super) fn granted(headers: &crate::message::Headers, local: &Local) -> Option<u32> {
    let ours = headers.list(HeaderName::Contact).filter_map(NameAddr::parse).find(|contact| {
        contact.parsed_uri().as_ref().and_then(Uri::sip).is_some_and(|uri| local.is_contact(uri))
    });
    let seconds = ours
        .and_then(|contact| contact.params.value("expires"))
        .or_else(|| headers.first(HeaderName::Expires))?;
    seconds.trim().parse().ok()
}
