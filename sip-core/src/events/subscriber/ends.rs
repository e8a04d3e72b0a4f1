//! What becomes of a subscription whose notifiers are gone: its end, or a new one (RFC 6665 §4.1.3).

use super::{Phase, Subscriber, Wish};
use crate::entropy::Entropy;
use crate::events::{Ending, Reason, Source, Verdict, back_off};
use crate::time::{Duration, Instant};

impl Subscriber {
    /// A notifier is no more.
    pub(super) fn remove(
        &mut self,
        now: Instant,
        source: Source,
        said: Option<(Option<Reason>, Option<Duration>)>,
        entropy: &mut dyn Entropy,
    ) -> Verdict {
        self.usages.retain(|usage| usage.source != source);
        self.last = said;
        // Another fork may still be heard of.
        if !self.usages.is_empty() || matches!(self.phase, Phase::NotifyWait(_) | Phase::Idle(_)) {
            return Verdict::GoesOn;
        }
        self.lost(now, entropy)
    }

    /// There is no notifier left, and none is awaited: what §4.1.3 has for each reason.
    pub(super) fn lost(&mut self, now: Instant, entropy: &mut dyn Entropy) -> Verdict {
        let last = self.last.take();
        match self.wish {
            Wish::Leave => return Verdict::Over(Ending::Done),
            Wish::Once if self.notified => return Verdict::Over(Ending::Done),
            Wish::Once => return Verdict::Over(Ending::Silence),
            Wish::Keep => {}
        }
        if self.implicit {
            let silence = if self.notified { Ending::Terminated(None) } else { Ending::Silence };
            return Verdict::Over(last.map_or(silence, |(reason, _)| Ending::Terminated(reason)));
        }
        let (reason, retry_after) = match last {
            Some((reason, retry_after)) => (reason, retry_after.unwrap_or_default()),
            // It ended without a word: was not refreshed in time, or its notifier has forgotten it.
            None => (Some(Reason::Timeout), Duration::ZERO),
        };
        match reason {
            Some(Reason::Rejected | Reason::NoResource | Reason::Invariant) => {
                Verdict::Over(Ending::Terminated(reason))
            }
            // "retry-after has no semantics".
            Some(Reason::Deactivated | Reason::Timeout) => {
                self.try_again(now, Duration::ZERO, false, entropy)
            }
            _ => self.try_again(now, retry_after, retry_after.is_zero(), entropy),
        }
    }

    /// A new SUBSCRIBE. Who ends each subscription as soon as it is made is not asked again at once.
    pub(super) fn try_again(
        &mut self,
        now: Instant,
        wait: Duration,
        failed: bool,
        entropy: &mut dyn Entropy,
    ) -> Verdict {
        let hasty = self.sent_at.is_some_and(|at| now.since(at) < crate::events::BASE);
        let wait = match failed || hasty {
            true => wait.max(back_off(self.failures, entropy)),
            false => wait,
        };
        self.failures += u32::from(failed || hasty);
        self.next_source = 0;
        self.phase = Phase::Idle(now + wait);
        Verdict::Retry(now + wait)
    }
}
