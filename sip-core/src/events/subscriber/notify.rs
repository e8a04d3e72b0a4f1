//! NOTIFY as it comes to a subscriber (RFC 6665 §4.1.3): what it says, and why it is refused.

use super::{Phase, Subscriber, Usage, Wish};
use crate::dialog::{Dialog, DialogId};
use crate::entropy::Entropy;
use crate::events::{Reason, Source, Verdict, refresh_after};
use crate::limits;
use crate::message::typed::{Event, SubscriptionState as StateField};
use crate::message::{HeaderName, Request};
use crate::time::{Duration, Instant};

/// How late a NOTIFY may come.
const LATE: Duration = Duration::from_secs(32);

/// What a notifier says of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionState {
    /// It waits for leave.
    Pending,
    /// It is granted.
    Active,
    /// It is over at this notifier.
    Terminated {
        /// Why, if it says so.
        reason: Option<Reason>,
        /// How long not to try again.
        retry_after: Option<Duration>,
    },
}

/// A NOTIFY that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notified {
    /// Whose it is.
    pub source: Source,
    /// What it says.
    pub state: SubscriptionState,
    /// How long the subscription lasts if nothing is done; zero once it is over.
    pub expires: Duration,
}

/// Why a NOTIFY is refused; nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyError {
    /// 481.
    #[error("Subscription Does Not Exist")]
    NoSubscription,
    /// 489.
    #[error("Bad Event")]
    BadEvent,
    /// 400: Subscription-State is absent or malformed.
    #[error("Missing Subscription-State")]
    NoState,
    /// 400: nobody could be told that the subscription ends.
    #[error("Missing Contact")]
    NoContact,
    /// 500 (RFC 3261 §12.2.2).
    #[error("CSeq Out of Order")]
    OutOfOrder,
}

impl NotifyError {
    /// The status that says so.
    pub const fn status(self) -> u16 {
        match self {
            Self::NoSubscription => 481,
            Self::BadEvent => 489,
            Self::NoState | Self::NoContact => 400,
            Self::OutOfOrder => 500,
        }
    }
}

impl Subscriber {
    /// Takes a NOTIFY (§4.1.3). `shared`: it came in a call's dialog, which looks after the sequence itself.
    pub fn receive(
        &mut self,
        now: Instant,
        notify: &Request,
        shared: bool,
        entropy: &mut dyn Entropy,
    ) -> Result<(Notified, Verdict), NotifyError> {
        let id = DialogId::of_request(notify).ok_or(NotifyError::NoSubscription)?;
        let known = self.usages.iter().position(|usage| usage.id == id);
        if known.is_none() && !self.awaits(&id) {
            return Err(NotifyError::NoSubscription);
        }
        let headers = notify.headers();
        let event = headers.typed::<Event<'_>>().ok().flatten().ok_or(NotifyError::BadEvent)?;
        if !self.is_about(&event) {
            return Err(NotifyError::BadEvent);
        }
        let field = headers.typed::<StateField<'_>>().ok().flatten().ok_or(NotifyError::NoState)?;
        let state = state_of(&field);
        let at = match known {
            Some(at) => {
                if let Some(dialog) = &mut self.usages[at].dialog {
                    dialog.check_sequence(notify).map_err(|_| NotifyError::OutOfOrder)?;
                    dialog.refresh_target(headers);
                }
                at
            }
            None => self.insert(now, notify, id, shared, entropy)?,
        };
        self.notified = true;
        let source = self.usages[at].source;
        if let SubscriptionState::Terminated { reason, retry_after } = &state {
            let said = (reason.clone(), *retry_after);
            let verdict = self.remove(now, source, Some(said), entropy);
            return Ok((Notified { source, state, expires: Duration::ZERO }, verdict));
        }
        let expires = self.granted(now, at, field.expires, entropy);
        self.failures = 0;
        Ok((Notified { source, state, expires }, Verdict::GoesOn))
    }

    /// Notes how long a subscription lasts and when it is refreshed.
    fn granted(&mut self, now: Instant, at: usize, said: Option<u32>, entropy: &mut dyn Entropy) -> Duration {
        let keep = self.wish == Wish::Keep;
        let usage = &mut self.usages[at];
        usage.timer_n = usage.timer_n.filter(|_| !keep);
        usage.again = false;
        let left = usage.expires_at.since(now);
        // RFC 3265 notifiers may say nothing; none may lengthen it (§4.2.2). A REFER's length is its taker's.
        let lifetime = match said {
            Some(said) if self.implicit => Duration::from_secs(said.into()),
            Some(said) => Duration::from_secs(said.min(self.expires.max(1)).into()),
            None => left,
        };
        if !keep {
            // It was to be a fetch, or the wish has changed before anybody could be told.
            if usage.timer_n.is_none() {
                usage.refresh_at = now;
            }
        } else if said.is_some() {
            usage.told = true;
            let (expires_at, refresh_at) = (now + lifetime, now + refresh_after(lifetime, entropy));
            // Only what lengthens it puts the refresh off: each NOTIFY says how little was left when it was written, and may have
            // been on its way for 64·T1.
            let longer = expires_at > usage.expires_at + LATE;
            usage.refresh_at = if longer { refresh_at } else { refresh_at.min(usage.refresh_at) };
            usage.expires_at = expires_at;
        }
        lifetime
    }

    /// A subscription by its first NOTIFY (§4.4.1): the route set is the NOTIFY's own.
    fn insert(
        &mut self,
        now: Instant,
        notify: &Request,
        id: DialogId,
        shared: bool,
        entropy: &mut dyn Entropy,
    ) -> Result<usize, NotifyError> {
        let taken = self.next_source > 0 && !self.forks;
        if taken || self.usages.len() >= limits::FORKS {
            return Err(NotifyError::NoSubscription);
        }
        let dialog = match shared {
            true => None,
            false => {
                if !notify.headers().has(HeaderName::Contact) {
                    return Err(NotifyError::NoContact);
                }
                let session = self.session.answering(notify.headers());
                Some(Dialog::uas(notify, &self.tag).continued_from(self.cseq).in_session(session))
            }
        };
        let lifetime = Duration::from_secs(self.lifetime.into());
        self.usages.push(Usage {
            source: Source(self.next_source),
            id,
            dialog,
            expires_at: now + lifetime,
            refresh_at: now + refresh_after(lifetime, entropy),
            timer_n: None,
            sent_at: now,
            in_flight: false,
            leaves: false,
            again: false,
            told: false,
        });
        self.next_source += 1;
        if !self.forks {
            self.phase = Phase::Settled;
        }
        Ok(self.usages.len() - 1)
    }
}

/// An unknown state counts as `terminated`: nobody knows how to keep it.
fn state_of(field: &StateField<'_>) -> SubscriptionState {
    if field.is_active() {
        SubscriptionState::Active
    } else if field.state.eq_ignore_ascii_case("pending") {
        SubscriptionState::Pending
    } else {
        SubscriptionState::Terminated {
            reason: field.reason.map(Reason::from_token),
            retry_after: field.retry_after.map(|seconds| Duration::from_secs(seconds.into())),
        }
    }
}
