//! Keeps one connection up: when to open it, when to ping, when to take it for dead, when to try again.
//!
//! Pure: it is told what happened and says what to do. The socket itself is [`crate::socket`]'s.

use std::time::Duration;

use sip_core::entropy::{self, Entropy};
use sip_core::time::Instant;

/// A socket that does not open within this time never will.
const OPENING: Duration = Duration::from_secs(10);
/// A connection that lasted this long was a good one: the next attempts start from the shortest delay.
const STABLE: Duration = Duration::from_secs(10);
/// How long a pong may take when something suggests that the connection broke.
const PROBE: Duration = Duration::from_secs(3);

/// How patient it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Before the first attempt to reconnect.
    pub(crate) initial: Duration,
    /// At most between attempts.
    pub(crate) max: Duration,
    /// Between keep-alives (RFC 5626 §4.4.1).
    pub(crate) ping: Duration,
    /// Until a missing pong means a dead connection.
    pub(crate) pong: Duration,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Open a socket.
    Open,
    /// Send a keep-alive.
    Ping,
    /// Drop the socket: it is dead. Then say `closed`.
    Drop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Opening { until: Instant },
    Open { since: Instant, ping_at: Instant, pong_by: Option<Instant> },
    Waiting { until: Instant },
}

/// `ConnectionState` of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkState {
    Disconnected,
    Connecting,
    Connected,
    Reconnecting,
}

impl LinkState {
    /// Its name in the API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Reconnecting => "reconnecting",
        }
    }
}

/// One connection that is wanted or not.
#[derive(Debug)]
pub(crate) struct Link {
    pace: Pace,
    phase: Phase,
    /// Attempts that failed since the last good connection; the first connection counts none.
    failures: u32,
    /// Whether an earlier attempt or connection ended.
    again: bool,
}

impl Link {
    pub(crate) const fn new(pace: Pace) -> Self {
        Self { pace, phase: Phase::Idle, failures: 0, again: false }
    }

    /// Wants it from now on. While waiting for the next attempt, tries at once.
    pub(crate) fn connect(&mut self, now: Instant) -> Option<Step> {
        match self.phase {
            Phase::Idle => {
                (self.failures, self.again) = (0, false);
                Some(self.open(now))
            }
            Phase::Waiting { .. } => Some(self.open(now)),
            Phase::Opening { .. } | Phase::Open { .. } => None,
        }
    }

    /// Wants it no longer.
    pub(crate) fn disconnect(&mut self) {
        self.phase = Phase::Idle;
    }

    pub(crate) fn opened(&mut self, now: Instant) {
        self.phase = Phase::Open { since: now, ping_at: now + self.pace.ping, pong_by: None };
    }

    /// It ended or could not be opened. Returns the time until the next attempt.
    pub(crate) fn closed(&mut self, now: Instant, entropy: &mut dyn Entropy) -> Option<Duration> {
        match self.phase {
            Phase::Idle | Phase::Waiting { .. } => return None,
            Phase::Open { since, .. } if now.since(since) >= STABLE => self.failures = 0,
            Phase::Open { .. } | Phase::Opening { .. } => {}
        }
        let delay = self.delay(entropy);
        self.failures = self.failures.saturating_add(1);
        self.again = true;
        self.phase = Phase::Waiting { until: now + delay };
        Some(delay)
    }

    /// Anything that arrives proves that the connection lives.
    pub(crate) fn received(&mut self, now: Instant) {
        if let Phase::Open { ping_at, pong_by, .. } = &mut self.phase
            && pong_by.take().is_some()
        {
            *ping_at = now + self.pace.ping;
        }
    }

    /// The network came back, the machine or the tab woke up: the connection may have died unnoticed, and an
    /// attempt may succeed now.
    pub(crate) fn wake(&mut self, now: Instant) -> Option<Step> {
        match &mut self.phase {
            Phase::Waiting { .. } => Some(self.open(now)),
            Phase::Open { ping_at, pong_by, .. } => {
                let probe = now + PROBE.min(self.pace.pong);
                *pong_by = Some(pong_by.map_or(probe, |by| by.min(probe)));
                *ping_at = now + self.pace.ping;
                Some(Step::Ping)
            }
            Phase::Idle | Phase::Opening { .. } => None,
        }
    }

    /// The gateway wants to hear from us now (RFC 5626 §4.4).
    pub(crate) fn keep_alive(&mut self, now: Instant) -> Option<Step> {
        let Phase::Open { ping_at, pong_by, .. } = &mut self.phase else { return None };
        pong_by.get_or_insert(now + self.pace.pong);
        *ping_at = now + self.pace.ping;
        Some(Step::Ping)
    }

    pub(crate) fn timeout(&mut self, now: Instant) -> Option<Step> {
        match &mut self.phase {
            Phase::Idle => None,
            Phase::Opening { until } => (now >= *until).then_some(Step::Drop),
            Phase::Waiting { until } if now >= *until => Some(self.open(now)),
            Phase::Waiting { .. } => None,
            Phase::Open { pong_by: Some(by), .. } if now >= *by => Some(Step::Drop),
            Phase::Open { ping_at, pong_by, .. } if now >= *ping_at => {
                pong_by.get_or_insert(now + self.pace.pong);
                *ping_at = now + self.pace.ping;
                Some(Step::Ping)
            }
            Phase::Open { .. } => None,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Idle => None,
            Phase::Opening { until } | Phase::Waiting { until } => Some(until),
            Phase::Open { ping_at, pong_by, .. } => Some(pong_by.map_or(ping_at, |by| by.min(ping_at))),
        }
    }

    pub(crate) const fn state(&self) -> LinkState {
        match self.phase {
            Phase::Idle => LinkState::Disconnected,
            Phase::Open { .. } => LinkState::Connected,
            Phase::Opening { .. } | Phase::Waiting { .. } if self.again => LinkState::Reconnecting,
            Phase::Opening { .. } | Phase::Waiting { .. } => LinkState::Connecting,
        }
    }

    fn open(&mut self, now: Instant) -> Step {
        self.phase = Phase::Opening { until: now + OPENING };
        Step::Open
    }

    /// Doubles with every failure; between half of it and all of it, so that a gateway that restarts does not get
    /// all its clients back in one instant.
    fn delay(&self, entropy: &mut dyn Entropy) -> Duration {
        let doubled = self.pace.initial.saturating_mul(1 << self.failures.min(16)).min(self.pace.max);
        let millis = u64::try_from(doubled.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(millis / 2 + entropy::number(entropy) % (millis / 2 + 1))
    }
}

#[cfg(test)]
mod tests {
    use sip_core::entropy::SeededEntropy;

    use super::*;

    const PACE: Pace = Pace {
        initial: Duration::from_millis(500),
        max: Duration::from_secs(15),
        ping: Duration::from_secs(25),
        pong: Duration::from_secs(10),
    };

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    #[test]
    fn attempts_back_off_to_the_longest_delay() {
        let mut entropy = SeededEntropy(7);
        let mut link = Link::new(PACE);
        assert_eq!(link.connect(at(0)), Some(Step::Open));
        assert_eq!(link.state(), LinkState::Connecting);
        let mut now = at(0);
        for attempt in 0..12u32 {
            let delay = link.closed(now, &mut entropy).expect("it is wanted");
            let full = Duration::from_millis(500 << attempt.min(10)).min(PACE.max);
            assert!(delay >= full / 2 && delay <= full, "{delay:?} of {full:?}");
            assert_eq!(link.state(), LinkState::Reconnecting);
            now += delay;
            assert_eq!(link.timeout(now), Some(Step::Open));
        }
    }

    #[test]
    fn only_a_connection_that_lasted_forgets_failures() {
        let mut entropy = SeededEntropy(1);
        let mut link = Link::new(PACE);
        link.connect(at(0));
        for _ in 0..6 {
            link.opened(at(0));
            link.closed(at(1), &mut entropy);
            link.connect(at(1));
        }
        link.opened(at(10));
        assert!(link.closed(at(20), &mut entropy).expect("wanted") > Duration::from_secs(7));
        link.connect(at(20));
        link.opened(at(20));
        assert!(link.closed(at(20_020), &mut entropy).expect("wanted") <= Duration::from_millis(500));
    }

    #[test]
    fn a_missing_pong_is_a_dead_connection() {
        let mut link = Link::new(PACE);
        link.connect(at(0));
        link.opened(at(0));
        assert_eq!(link.timeout(at(24_999)), None);
        assert_eq!(link.timeout(at(25_000)), Some(Step::Ping));
        link.received(at(25_100));
        assert_eq!(link.poll_timeout(), Some(at(50_100)));
        assert_eq!(link.timeout(at(50_100)), Some(Step::Ping));
        assert_eq!(link.poll_timeout(), Some(at(60_100)));
        assert_eq!(link.timeout(at(60_100)), Some(Step::Drop));
    }

    #[test]
    fn waking_probes_an_open_connection_and_retries_a_lost_one() {
        let mut link = Link::new(PACE);
        assert_eq!(link.wake(at(0)), None);
        link.connect(at(0));
        link.opened(at(0));
        assert_eq!(link.wake(at(1_000)), Some(Step::Ping));
        assert_eq!(link.timeout(at(4_000)), Some(Step::Drop));
        link.closed(at(4_000), &mut SeededEntropy(1));
        assert_eq!(link.wake(at(4_001)), Some(Step::Open));
    }

    #[test]
    fn a_socket_that_never_opens_is_dropped() {
        let mut link = Link::new(PACE);
        link.connect(at(0));
        assert_eq!(link.timeout(at(9_999)), None);
        assert_eq!(link.timeout(at(10_000)), Some(Step::Drop));
    }

    #[test]
    fn unwanted_it_stays_down() {
        let mut link = Link::new(PACE);
        link.connect(at(0));
        link.disconnect();
        assert_eq!(link.closed(at(1), &mut SeededEntropy(1)), None);
        assert_eq!(link.poll_timeout(), None);
        assert_eq!(link.state(), LinkState::Disconnected);
    }
}
