//! A SUBSCRIBE that is held up, and flows that are lost: what is waited for, and what is asked for again.

use super::{Phase, Subscriber};
use crate::events::Source;
use crate::time::Instant;

impl Subscriber {
    /// Something holds up the SUBSCRIBE, or the REFER, that was sent last, until this time at most: Timer N is about
    /// notifiers that were asked. Once it goes out again the timer starts anew.
    pub fn held_up(&mut self, source: Option<Source>, until: Instant) {
        match (source, &mut self.phase) {
            (Some(source), _) => {
                if let Some(usage) = self.usage(source) {
                    usage.timer_n = Some(until);
                }
            }
            (None, Phase::NotifyWait(at)) => *at = until,
            (None, _) => {}
        }
    }

    /// The flow is gone, and what was told meanwhile is missed: everything is refreshed over the next. A SUBSCRIBE without
    /// an answer, or a REFER, is repeated by who sent it.
    pub fn flow_lost(&mut self, now: Instant) {
        if !self.implicit && !self.asking {
            self.ask_anew(now, None);
        }
        for usage in &mut self.usages {
            if usage.in_flight {
                usage.again = true;
            } else {
                usage.timer_n = None;
                usage.refresh_at = now;
            }
        }
    }

    /// The SUBSCRIBE that was sent last, outside dialogs or to this notifier, is not repeated: another follows.
    pub fn ask_anew(&mut self, now: Instant, source: Option<Source>) {
        if let Some(source) = source {
            if let Some(usage) = self.usage(source) {
                (usage.in_flight, usage.again, usage.timer_n) = (false, false, None);
                usage.refresh_at = now;
            }
            return;
        }
        self.asking = false;
        if matches!(self.phase, Phase::NotifyWait(_)) {
            self.phase = if self.usages.is_empty() { Phase::Idle(now) } else { Phase::Settled };
        }
    }
}
