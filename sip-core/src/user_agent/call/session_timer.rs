//! Session timers (RFC 4028): a session that nobody refreshes ends.

use alloc::format;

use super::Wish;
use super::usage::Usage;
use crate::dialog::DialogId;
use crate::message::typed::{MinSe, Refresher, SessionExpires};
use crate::message::{HeaderName, Headers, Writer};
use crate::time::{Duration, Instant};
use crate::user_agent::checks::Refusal;
use crate::user_agent::{CallId, Cause, Config, End, Failure, UserAgent};

/// §5: "the absolute minimum", seconds.
const LEAST: u32 = 90;

/// The longest interval a 422 can make us ask for, seconds.
const LONGEST: u32 = 86_400;

/// How often in a row the interval may be found too short: each proxy on the way may have its own.
const RAISES: u8 = 8;

/// While something else is being changed, or there is no way to send, a refresh waits so long.
const POSTPONED: Duration = Duration::from_secs(5);

/// The timer of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionTimer {
    interval: u32,
    /// When we refresh; `None`: the other side does, or our refresh is on its way.
    refresh_at: Option<Instant>,
    /// When the session has ended (§10: a third of the interval, at most 32 s, before it expires).
    ends_at: Instant,
    /// We are the refresher.
    refreshes: bool,
    /// Nobody but us wants it, and the other side knows none: it is only asked whether it is still there, and a refusal says so as
    /// well (§7.2: "purely for its benefit alone").
    alone: bool,
}

/// What we ask for in an INVITE or UPDATE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Seconds; 0 asks for none.
    interval: u32,
    /// The most that a 422, or a request of theirs, asked for, seconds; 0 if none did (§7.3, §7.4).
    least: u32,
    /// How often in a row.
    raised: u8,
}

/// What we grant in a 2xx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    interval: u32,
    refresher: Refresher,
    /// Whoever asks knows session timers.
    supports: bool,
    /// Neither that side nor a proxy asked for one.
    unasked: bool,
}

impl SessionTimer {
    fn new(now: Instant, interval: u32, refreshes: bool) -> Self {
        let before = (interval / 3).min(32);
        Self {
            interval,
            refresh_at: refreshes.then(|| now + seconds(interval / 2)),
            ends_at: now + seconds(interval - before),
            refreshes,
            alone: false,
        }
    }

    fn alone(now: Instant, interval: u32) -> Self {
        Self { alone: true, ..Self::new(now, interval, true) }
    }

    pub(crate) fn timeout(&self) -> Instant {
        self.refresh_at.map_or(self.ends_at, |at| at.min(self.ends_at))
    }
}

impl Terms {
    pub(crate) fn of(config: &Config) -> Self {
        let interval =
            config.session_expires.map_or(0, |asked| u32::try_from(asked.as_secs()).unwrap_or(u32::MAX));
        Self { interval: if interval == 0 { 0 } else { interval.clamp(LEAST, LONGEST) }, least: 0, raised: 0 }
    }

    /// The interval that a request asks for; 0: none. `present`: the timer that runs.
    fn asks(self, present: Option<&SessionTimer>) -> u32 {
        present.map_or(self.interval, |timer| timer.interval).max(self.least)
    }

    /// §7.1: what a request that refreshes says.
    pub(crate) fn write(self, writer: Writer, present: Option<&SessionTimer>) -> Writer {
        let interval = self.asks(present);
        if interval == 0 {
            return writer;
        }
        // §7.4: who refreshes goes on refreshing.
        let refresher = match present {
            None => "",
            Some(timer) if timer.refreshes => ";refresher=uac",
            Some(_) => ";refresher=uas",
        };
        let writer = writer.header(HeaderName::SessionExpires, format_args!("{interval}{refresher}"));
        if self.least > 0 { writer.header(HeaderName::MinSe, self.least) } else { writer }
    }

    /// The Min-SE of a request of theirs counts like one of a 422 (§7.4).
    pub(crate) fn hear(&mut self, headers: &Headers) {
        let said = headers.typed::<MinSe<'_>>().ok().flatten().map_or(0, |least| least.interval);
        if said <= LONGEST {
            self.least = self.least.max(said);
        }
    }

    /// What a dialog made by an INVITE begins with: what that heard in 422s was of ways to others as well (§7.4).
    #[must_use]
    pub(crate) const fn in_dialog(mut self) -> Self {
        self.least = 0;
        self
    }

    /// What comes next is another question.
    pub(crate) const fn settle(&mut self) {
        self.raised = 0;
    }

    /// A 422 (§7.3): whether it is worth asking again, with the interval it wants.
    pub(crate) fn raise(&mut self, headers: &Headers) -> bool {
        let Ok(Some(MinSe { interval, .. })) = headers.typed::<MinSe<'_>>() else { return false };
        let raises = interval > self.least && interval <= LONGEST && self.raised < RAISES;
        if raises {
            self.raised += 1;
            self.least = interval;
            self.interval = self.interval.max(interval);
        }
        raises
    }
}

impl Grant {
    /// What a request that refreshes gets (§9), or 422.
    pub(crate) fn of(config: &Config, headers: &Headers) -> Result<Option<Self>, Refusal> {
        let supports = headers.lists(HeaderName::Supported, "timer");
        let asked = headers.typed::<SessionExpires<'_>>().map_err(|_| Refusal::of(400))?;
        let least = headers.typed::<MinSe<'_>>().map_err(|_| Refusal::of(400))?;
        let least = least.map_or(LEAST, |least| least.interval.max(LEAST));
        let ours = Terms::of(config).interval;
        let Some(asked) = asked else {
            // The caller asks for none; we may (§9).
            let refresher = if supports { Refresher::Uac } else { Refresher::Uas };
            let interval = ours.max(least);
            return Ok((ours > 0).then_some(Self { interval, refresher, supports, unasked: true }));
        };
        // One that does not know session timers does not know 422; a proxy asks for it (§9).
        if asked.interval < LEAST && supports {
            return Err(Refusal::of(422).with(HeaderName::MinSe, format!("{LEAST}")));
        }
        let wish = if ours > 0 { ours } else { asked.interval };
        // "It MUST NOT increase the value", and Min-SE is the floor.
        let interval = asked.interval.min(wish.max(least)).max(LEAST);
        let refresher = match asked.refresher {
            _ if !supports => Refresher::Uas,
            Some(refresher) => refresher,
            None => Refresher::Uac,
        };
        Ok(Some(Self { interval, refresher, supports, unasked: false }))
    }

    pub(crate) fn write(self, writer: Writer) -> Writer {
        let refresher = match self.refresher {
            Refresher::Uac => "uac",
            Refresher::Uas => "uas",
        };
        // §9: a caller must know that it is to refresh, and should know that it is to hang up who does not.
        let writer = match self.supports {
            true => writer.header(HeaderName::Require, "timer"),
            false => writer,
        };
        writer.header(HeaderName::SessionExpires, format_args!("{};refresher={refresher}", self.interval))
    }

    /// The timer on the side that grants.
    pub(crate) fn start(self, now: Instant) -> SessionTimer {
        match self.unasked && !self.supports {
            true => SessionTimer::alone(now, self.interval),
            false => SessionTimer::new(now, self.interval, self.refresher == Refresher::Uas),
        }
    }
}

impl Usage {
    /// A 2xx to our INVITE or UPDATE says whether and how the session is timed (§7.2).
    pub(crate) fn hear_timer(&mut self, now: Instant, headers: &Headers) {
        let granted = headers.typed::<SessionExpires<'_>>().ok().flatten();
        let asked = self.terms.asks(self.timer.as_ref());
        self.timer = match granted {
            Some(granted) => {
                let refreshes = granted.refresher != Some(Refresher::Uas);
                Some(SessionTimer::new(now, granted.interval.clamp(LEAST, LONGEST), refreshes))
            }
            // Who knows session timers has turned it off.
            None if asked == 0 || headers.lists(HeaderName::Supported, "timer") => None,
            None => Some(SessionTimer::alone(now, asked)),
        };
    }

    /// A refresh that did not succeed is tried again before the session ends. `answered`: but the other side is there.
    pub(crate) fn refresh_later(&mut self, now: Instant, answered: bool) {
        let Some(timer) = self.timer.as_mut().filter(|timer| timer.refreshes) else { return };
        match timer.alone && answered {
            true => *timer = SessionTimer::alone(now, timer.interval),
            false => timer.refresh_at = Some(now + seconds(timer.interval / 8)),
        }
    }
}

impl UserAgent {
    /// Refreshes a session (§10), or ends it.
    pub(crate) fn session_timeout(&mut self, now: Instant, id: CallId, dialog: &DialogId) {
        let Some(usage) = self.usage_mut(id, dialog) else { return };
        let Some(timer) = usage.timer.filter(|timer| timer.timeout() <= now) else { return };
        if timer.ends_at <= now {
            usage.timer = None;
            self.end(id, End::Failed(Failure::of(Cause::Expired)));
            self.say_bye(id);
            return;
        }
        // What is being changed refreshes too.
        let free = usage.is_free() && usage.next.is_none();
        let begun = free && self.begin_change(now, id, dialog, Wish::Refresh).is_ok();
        if let Some(timer) = self.usage_mut(id, dialog).and_then(|usage| usage.timer.as_mut()) {
            timer.refresh_at = (!begun).then(|| now + POSTPONED);
        }
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}
