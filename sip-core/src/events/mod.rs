//! Event notification (RFC 6665) as state machines: the subscriber, the notifier, and publication (RFC 3903).
//!
//! A machine says what is due and takes what came of it; whoever owns it writes and sends the requests.
//!
//! What it does not do: authentication, transactions, and what a document means.

mod merge;
mod notifier;
mod package;
mod publication;
mod subscribe;
mod subscriber;
#[cfg(test)]
mod tests;

use smol_str::SmolStr;

pub use self::merge::Merged;
pub use self::notifier::{Notice, Notifier, NotifierState};
pub use self::package::{Document, DocumentError, EventName, Package};
pub use self::publication::{Operation, Publication};
pub use self::subscribe::{LEAST_LIFETIME, TooBrief, granted, is_acceptable};
pub use self::subscriber::{Due, Notified, NotifyError, Source, Subscriber, SubscriptionState};
use crate::entropy::{self, Entropy};
use crate::message::Headers;
use crate::message::typed::{Expires, MinExpires, RetryAfter};
use crate::time::{Duration, Instant};

/// Why a notifier ended a subscription (RFC 6665 §4.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Subscribe again at once, somewhere else.
    Deactivated,
    /// Subscribe again later.
    Probation,
    /// Not allowed any more.
    Rejected,
    /// It was not refreshed in time, or a fetch is done.
    Timeout,
    /// Nobody could be asked for leave in time.
    GiveUp,
    /// What was watched is gone.
    NoResource,
    /// What was watched will not change.
    Invariant,
    /// Another word.
    Other(SmolStr),
}

impl Reason {
    /// Reads a `reason` parameter.
    pub fn from_token(token: &str) -> Self {
        let known = [
            Self::Deactivated,
            Self::Probation,
            Self::Rejected,
            Self::Timeout,
            Self::GiveUp,
            Self::NoResource,
            Self::Invariant,
        ];
        let found = known.into_iter().find(|reason| reason.as_str().eq_ignore_ascii_case(token));
        found.unwrap_or_else(|| Self::Other(token.into()))
    }

    /// As the parameter has it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Probation => "probation",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
            Self::GiveUp => "giveup",
            Self::NoResource => "noresource",
            Self::Invariant => "invariant",
            Self::Other(token) => token,
        }
    }
}

/// What comes of something that went wrong, or to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    GoesOn,
    /// It is tried anew by itself, at that time.
    Retry(Instant),
    /// It is over.
    Over(Ending),
}

/// How a subscription or publication came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As was asked.
    Done,
    /// The notifier ended it, and nothing is gained by another try.
    Terminated(Option<Reason>),
    /// The request was refused.
    Refused,
    /// Nothing was heard.
    Silence,
}

/// First and longest wait before another try. Doubled for each failure; RFC 5626 §4.5 has the same for flows.
const BASE: Duration = Duration::from_secs(30);
const MAX: Duration = Duration::from_secs(1800);

/// The longest lifetime a 423 can make us ask for: a week.
const LONGEST: u32 = 604_800;

/// Half to all of a wait that doubles with each failure.
fn back_off(failures: u32, entropy: &mut dyn Entropy) -> Duration {
    let most = BASE.saturating_mul(1 << failures.min(16)).min(MAX);
    let part = 500 + entropy::number(entropy) % 501;
    most.mul_f64(part as f64 / 1000.0)
}

/// When to refresh what lives that long: in good time, and not all at once. Never in less than a second, whatever the
/// other side says.
fn refresh_after(lifetime: Duration, entropy: &mut dyn Entropy) -> Duration {
    let part = 800 + entropy::number(entropy) % 101;
    lifetime.mul_f64(part as f64 / 1000.0).max(Duration::from_secs(1))
}

/// Whether such an answer ends a subscription and not only its request (§4.1.2.2, §4.2.2, RFC 5057 §5.1).
const fn ends_usage(status: u16) -> bool {
    matches!(status, 404 | 405 | 410 | 416 | 480..=485 | 489 | 501 | 604)
}

/// Whether the same request may succeed later.
const fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 430 | 480 | 500 | 502..=504)
}

fn expires(headers: &Headers) -> Option<u32> {
    headers.typed::<Expires>().ok().flatten().map(|expires| expires.0)
}

/// How often in a row a 423 may find the time too brief.
const RAISES: u8 = 3;

/// What a 423 makes us ask for, if that is more than `asked` and no nonsense, and was not said `times` before.
fn raised(headers: &Headers, asked: u32, times: u8) -> Option<u32> {
    if times >= RAISES {
        return None;
    }
    let least = headers.typed::<MinExpires>().ok().flatten()?.0;
    (least > asked && least <= LONGEST).then_some(least)
}

fn retry_after(headers: &Headers) -> Duration {
    let field = headers.typed::<RetryAfter<'_>>().ok().flatten();
    Duration::from_secs(field.map_or(0, |field| field.seconds.into()))
}
