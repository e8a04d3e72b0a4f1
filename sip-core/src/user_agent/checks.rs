//! Inspection of requests (RFC 3261 §8.2): what is refused before anybody rings.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use smol_str::SmolStr;

use super::local::{Local, MULTIPARTS, SDP};
use super::{Aor, Config, bodies, body_text};
use crate::message::validate::{Rejection, Role, Rules};
use crate::message::{HeaderName, Host, Method, Request, Uri, reason_phrase};

/// A final answer that refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(super) status: u16,
    pub(super) reason: Cow<'static, str>,
    pub(super) headers: Vec<(HeaderName, SmolStr)>,
}

impl Refusal {
    pub(super) const fn of(status: u16) -> Self {
        Self::with_reason(status, reason_phrase(status))
    }

    pub(super) const fn with_reason(status: u16, reason: &'static str) -> Self {
        Self { status, reason: Cow::Borrowed(reason), headers: Vec::new() }
    }

    pub(super) fn with(mut self, name: HeaderName, value: impl Into<SmolStr>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The answer to a method that is not taken here.
    pub(super) fn of_method(method: &Method, local: &Local) -> Self {
        rules(method, local).method_not_taken(method).into()
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        let reason = Cow::Owned(rejection.to_string());
        let headers = rejection.field.into_iter().map(|(name, value)| (name, value.into())).collect();
        Self { status: rejection.status, reason, headers }
    }
}

/// What we take. Bodies differ: INFO brings keys, MESSAGE words, the others sessions. `sips` is not taken: its answer
/// needs a Contact that is one too (§12.1.1), and ours is not, for it promises TLS on every hop (RFC 5630 §3.1.1).
pub(super) fn rules<'a>(method: &Method, local: &'a Local) -> Rules<'a> {
    let accept = bodies::accept(method, local);
    let allow = &local.allow;
    Rules { role: Role::UserAgent, schemes: &["sip"], allow, supported: &local.supported, accept }
}

/// What must hold before anything is decided about a request (§8.2).
pub(super) fn validate(request: &Request, local: &Local) -> Result<(), Refusal> {
    rules(request.method(), local).request(request)?;
    // An ACK is never answered.
    if *request.method() != Method::Ack {
        bodies::content(request, local)?;
    }
    Ok(())
}

/// Whether a request outside a dialog is for us (§8.2.2.1). Whom To names does not matter: calls are forwarded.
pub(super) fn addressee(request: &Request, local: &Local, aor: &Aor) -> Result<(), Refusal> {
    let uri = request.parsed_uri();
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

/// The offer of an INVITE (§8.2.3).
pub(super) fn offer(
    request: &Request,
    local: &Local,
    dtls_required: bool,
) -> Result<Option<String>, Refusal> {
    let Some(text) = bodies::content(request, local)?.map(|found| body_text(found.body)) else {
        return Ok(None);
    };
    if dtls_required && !has_fingerprints(&text) {
        // §20.43: 399 is for texts.
        let warning = "399 user-agent.invalid \"WebRTC media needs a DTLS fingerprint\"";
        return Err(Refusal::of(488).with(HeaderName::Warning, warning));
    }
    Ok(Some(text))
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

/// The header fields of an answer to OPTIONS (§11.2; RFC 6665 §4.4.4, RFC 6086 §7.1).
pub(super) fn capabilities(config: &Config, local: &Local) -> Vec<(HeaderName, SmolStr)> {
    let messages = Some(&*local.message_types).filter(|types| !types.is_empty());
    let accept: Vec<&str> = [SDP].into_iter().chain(messages).chain([MULTIPARTS]).collect();
    let mut fields = vec![
        (HeaderName::Allow, local.allow.clone()),
        (HeaderName::Accept, accept.join(", ").into()),
        (HeaderName::AcceptEncoding, "identity".into()),
        (HeaderName::Supported, local.supported.clone()),
        (HeaderName::RecvInfo, config.recv_info()),
    ];
    if !config.event_packages.is_empty() {
        fields.push((HeaderName::AllowEvents, config.allow_events()));
    }
    fields
}
