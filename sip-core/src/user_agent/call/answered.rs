//! A 2xx to INVITE: sent again and again until its ACK comes (RFC 3261 §13.3.1.4).

use bytes::Bytes;

use crate::time::{Duration, Instant};
use crate::transaction::{ServerId, Timers};

/// A 2xx without its ACK.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) server: Option<ServerId>,
    /// CSeq of the INVITE, and of its ACK.
    pub(crate) cseq: u32,
    pub(crate) ok: Bytes,
    /// It has our offer, so that its ACK brings the answer.
    pub(crate) offers: bool,
    at: Instant,
    interval: Duration,
    until: Instant,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// The 2xx goes out again.
    Repeat,
    /// 64·T1 have passed.
    GiveUp,
}

impl Answered {
    pub(crate) fn new(now: Instant, timers: &Timers, server: ServerId, cseq: u32, ok: Bytes) -> Self {
        let (at, until) = (now + timers.t1, now + timers.t1 * 64);
        Self { server: Some(server), cseq, ok, offers: false, at, interval: timers.t1, until }
    }

    pub(crate) fn timeout(&self) -> Instant {
        self.at.min(self.until)
    }

    /// From T1, doubled up to T2.
    pub(crate) fn step(&mut self, now: Instant, timers: &Timers) -> Due {
        if self.until <= now {
            return Due::GiveUp;
        }
        if self.at > now {
            return Due::Nothing;
        }
        self.interval = (self.interval * 2).min(timers.t2);
        self.at = now + self.interval;
        Due::Repeat
    }
}
