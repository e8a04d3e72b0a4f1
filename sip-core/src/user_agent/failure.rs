//! How calls end and why: SIP statuses, and what they and Reasons say, in terms a person can act on.

use alloc::vec::Vec;

use smol_str::SmolStr;

use super::CallId;
use crate::auth::ClientError;
use crate::limits;
use crate::message::typed::{Reason, Warning};
use crate::message::{HeaderName, Headers, NameAddr, Response, reason_phrase};
use crate::time::Duration;

/// Why, by the other side's word (RFC 3326): one value a protocol, or several (RFC 9366). Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reasons(pub(super) Vec<ReasonValue>);

/// One value of Reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasonValue {
    /// `SIP`, `Q.850`, …
    pub protocol: SmolStr,
    /// A status of SIP, a cause of Q.850, by the protocol.
    pub cause: Option<u32>,
    /// For a person.
    pub text: Option<SmolStr>,
}

impl Reasons {
    /// All of them in order.
    pub fn values(&self) -> &[ReasonValue] {
        &self.0
    }

    /// The first cause of a protocol.
    pub fn cause(&self, protocol: &str) -> Option<u32> {
        self.0
            .iter()
            .filter(|value| value.protocol.eq_ignore_ascii_case(protocol))
            .find_map(|value| value.cause)
    }

    /// The first text for a person.
    pub fn text(&self) -> Option<&str> {
        self.0.iter().find_map(|value| value.text.as_deref())
    }
}

/// Which side did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This user agent.
    Local,
    /// The other one, or what stands between.
    Remote,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// An established call was hung up.
    Hangup {
        /// By whom.
        by: Side,
        /// What the BYE says of it (RFC 3326).
        reason: Option<Reasons>,
    },
    /// It was given up before it was answered.
    Canceled {
        /// By whom.
        by: Side,
        /// What the CANCEL says of it.
        reason: Option<Reasons>,
    },
    /// An incoming call was taken on another device of ours (RFC 3326: CANCEL with `Reason: SIP;cause=200`).
    AnsweredElsewhere {
        /// All that the CANCEL says.
        reason: Reasons,
    },
    /// Another call was accepted in its place (RFC 3891).
    Replaced {
        /// Which one.
        by: CallId,
    },
    /// We refused an incoming call.
    Rejected {
        /// What the caller was told.
        status: u16,
        /// In which words: as they were given, or the usual ones of the status.
        reason: SmolStr,
    },
    /// It was refused by the other side, or broke. By whom, [`Failure::status`] tells.
    Failed(Failure),
}

/// Why an offer of the other side's needs no answer any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withdrawal {
    /// The other side took it back.
    Canceled {
        /// What the CANCEL says of it.
        reason: Option<Reasons>,
    },
    /// Nobody answered in time.
    TimedOut {
        /// What the other side was told.
        status: u16,
    },
    /// It came from one of several that were called, and another counts now.
    Overtaken,
}

/// What went wrong, in the terms of a person and of SIP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// For a person.
    pub cause: Cause,
    /// The SIP status that told us: the other side, or a server on the way, has said so. `None`: nobody has; we gave up, or
    /// time or the connection did, as `cause` says.
    pub status: Option<u16>,
    /// Its reason phrase, if it is not empty.
    pub reason: Option<SmolStr>,
    /// When it is worth trying again (Retry-After, RFC 3261 §20.33); an hour at most is believed.
    pub retry_after: Option<Duration>,
    /// What its Warnings say (§20.43), [`limits::REASONS`](crate::limits::REASONS) at most.
    pub warnings: Vec<SmolStr>,
    /// Where a 3xx would have us call instead, if [`Config::redirections`](super::Config::redirections) did not follow.
    pub contacts: Vec<SmolStr>,
}

/// What went wrong, one value per thing a person can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The credentials were refused, or none are configured.
    WrongPassword,
    /// The HA1s that are configured are for another realm than the one that challenges.
    OtherRealm,
    /// There is no HA1 of an algorithm that the challenge asks for.
    NoHa1,
    /// The challenge cannot be answered: an unknown scheme or algorithm.
    AuthenticationUnsupported,
    /// 403.
    Forbidden,
    /// There is no such address: 404, 604, 410, 484, 485.
    NotFound,
    /// The address exists but nobody is there: 480, 430.
    Offline,
    /// 486, 600.
    Busy,
    /// 603, 607.
    Declined,
    /// Nobody answered in time.
    NoAnswer,
    /// Calls without a name are not taken: 433 (RFC 5079).
    AnonymityDisallowed,
    /// The session or its format was refused: 406, 415, 420, 488, 606.
    NotAcceptable,
    /// The other side or a proxy did not answer at all: 408, or a transaction timed out.
    Timeout,
    /// 5xx.
    ServerError,
    /// The connection was lost and did not come back in time.
    FlowLost,
    /// 3xx; see [`Failure::contacts`].
    Redirected,
    /// The session was not refreshed in time (RFC 4028).
    Expired,
    /// We answered a call and the answer was never acknowledged.
    NotAcknowledged,
    /// The call in which it was to be said had ended before.
    Ended,
    /// Any other refusal.
    Rejected,
}

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
            ClientError::WrongRealm(_) => Cause::OtherRealm,
            ClientError::NoHa1(_) => Cause::NoHa1,
            ClientError::NoChallenge | ClientError::Unsupported(_) | ClientError::TooManyRounds => {
                Cause::AuthenticationUnsupported
            }
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
    /// We refuse, in these words or the usual ones of the status.
    pub(super) fn rejected(status: u16, phrase: Option<&str>) -> Self {
        let phrase = phrase.filter(|phrase| !phrase.is_empty()).unwrap_or(reason_phrase(status));
        Self::Rejected { status, reason: phrase.into() }
    }

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
