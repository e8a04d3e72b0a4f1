//! SIP statuses in terms a person can act on.

use alloc::vec::Vec;

use smol_str::SmolStr;

use super::{Cause, End, Failure, ReasonValue, Reasons};
use crate::auth::ClientError;
use crate::limits;
use crate::message::typed::{Reason, Warning};
use crate::message::{HeaderName, Headers, NameAddr, Response};
use crate::time::Duration;

impl Failure {
    /// A failure no response told of.
    pub(super) const fn of(cause: Cause) -> Self {
        Self {
            cause,
            status: None,
            reason: None,
            retry_after: None,
            warnings: Vec::new(),
            contacts: Vec::new(),
        }
    }

    /// What a final response other than 2xx says.
    pub(super) fn of_response(response: &Response) -> Self {
        let contacts = match response.status() {
            300..=399 => contacts(response.headers()),
            _ => Vec::new(),
        };
        Self { contacts, ..Self::with_cause(cause(response.status()), response) }
    }

    /// A response whose meaning was found otherwise.
    pub(super) fn with_cause(cause: Cause, response: &Response) -> Self {
        let reason = Some(response.reason()).filter(|reason| !reason.is_empty()).map(SmolStr::new);
        let warnings = response.headers().typed_all::<Warning<'_>>().flatten().take(limits::REASONS);
        Self {
            status: Some(response.status()),
            reason,
            retry_after: retry_after(response.headers()),
            warnings: warnings.map(|warning| warning.text().into()).collect(),
            ..Self::of(cause)
        }
    }

    /// A challenge that was not answered.
    pub(super) fn of_challenge(error: &ClientError, response: &Response) -> Self {
        let cause = match error {
            ClientError::Rejected(_) | ClientError::NoCredentials(_) => Cause::WrongPassword,
            _ => Cause::AuthenticationUnsupported,
        };
        Self::with_cause(cause, response)
    }
}

/// What a sipfrag says of a call that others tried.
pub(super) fn of_status(status: u16, reason: &str) -> Failure {
    let reason = Some(reason).filter(|reason| !reason.is_empty()).map(SmolStr::new);
    Failure { status: Some(status), reason, ..Failure::of(cause(status)) }
}

const fn cause(status: u16) -> Cause {
    match status {
        300..=399 => Cause::Redirected,
        401 | 407 => Cause::AuthenticationUnsupported,
        403 => Cause::Forbidden,
        404 | 410 | 484 | 485 | 604 => Cause::NotFound,
        408 => Cause::Timeout,
        430 | 480 => Cause::Offline,
        433 => Cause::AnonymityDisallowed,
        486 | 600 => Cause::Busy,
        603 | 607 => Cause::Declined,
        406 | 415 | 420 | 488 | 606 => Cause::NotAcceptable,
        500..=599 => Cause::ServerError,
        _ => Cause::Rejected,
    }
}

fn contacts(headers: &Headers) -> Vec<SmolStr> {
    let all = headers.list(HeaderName::Contact).filter_map(NameAddr::parse);
    all.map(|contact| contact.uri.into()).take(limits::FORKS).collect()
}

/// Retry-After in seconds, whatever comment or parameter follows (RFC 3261 §20.33). An hour at most is believed.
pub(super) fn retry_after(headers: &Headers) -> Option<Duration> {
    let value = headers.first(HeaderName::RetryAfter)?;
    let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let seconds: u64 = value[..end].parse().ok()?;
    Some(Duration::from_secs(seconds.min(3600)))
}

impl End {
    /// What a BYE or CANCEL gives as its Reason (RFC 3326 §2): nothing where somebody just hung up.
    pub(super) fn reason(&self) -> Option<SmolStr> {
        let Self::Failed(failure) = self else { return None };
        let (status, text) = match failure.cause {
            Cause::Expired => (408, "Session expired"),
            Cause::NotAcknowledged => (408, "ACK missing"),
            Cause::NoAnswer => (480, "No answer"),
            Cause::NotAcceptable => (488, "Session description refused"),
            Cause::Timeout => (408, "No response"),
            Cause::FlowLost => (480, "Connection lost"),
            _ => return failure.status.map(|status| smol_str::format_smolstr!("SIP;cause={status}")),
        };
        let status = failure.status.unwrap_or(status);
        Some(smol_str::format_smolstr!("SIP;cause={status};text=\"{text}\""))
    }
}

/// What a Reason says (RFC 3326 §2, RFC 9366 §3), save for values that are none.
pub(super) fn reasons(headers: &Headers) -> Option<Reasons> {
    let values = headers.typed_all::<Reason<'_>>().flatten().take(limits::REASONS);
    let values: Vec<_> = values
        .map(|value| ReasonValue {
            protocol: value.protocol.into(),
            cause: value.cause,
            text: value.text().map(SmolStr::from),
        })
        .collect();
    (!values.is_empty()).then_some(Reasons(values))
}
