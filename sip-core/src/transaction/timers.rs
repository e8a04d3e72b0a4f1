//! The timers of RFC 3261 table 4 and RFC 6026 §8.11, and how long each runs.

use crate::time::Duration;

/// The durations all timers derive from. The default is RFC 3261's; a test may shorten them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Round-trip time estimate, 500 ms (§17.1.1.1). At least a millisecond is taken.
    pub t1: Duration,
    /// Longest interval between retransmissions of non-INVITE requests and INVITE responses, 4 s.
    pub t2: Duration,
    /// Longest time a message stays in the network, 5 s.
    pub t4: Duration,
    /// Timer D, at least 32 s whatever T1 is (§17.1.1.2).
    pub d: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            d: Duration::from_secs(32),
        }
    }
}

/// A running timer's name. Timer C is the proxy's (§16.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// INVITE retransmission.
    A,
    /// INVITE transaction timeout.
    B,
    /// Wait for retransmitted non-2xx answers.
    D,
    /// Non-INVITE retransmission.
    E,
    /// Non-INVITE transaction timeout.
    F,
    /// INVITE response retransmission.
    G,
    /// Wait for ACK.
    H,
    /// Wait for retransmitted ACKs.
    I,
    /// Wait for retransmitted non-INVITE requests.
    J,
    /// Wait for retransmitted non-INVITE responses.
    K,
    /// Wait for retransmissions of an accepted INVITE (RFC 6026).
    L,
    /// Wait for further 2xx (RFC 6026).
    M,
    /// A cancelled INVITE's last patience (§9.1); the RFC gives it no letter.
    Cancelled,
    /// When a non-INVITE request that has no answer yet gets its 100 (RFC 4320 §4.1); no letter either.
    Trying,
}

impl Timer {
    /// Every name, in order.
    pub(super) const ALL: [Self; 14] = [
        Self::A,
        Self::B,
        Self::D,
        Self::E,
        Self::F,
        Self::G,
        Self::H,
        Self::I,
        Self::J,
        Self::K,
        Self::L,
        Self::M,
        Self::Cancelled,
        Self::Trying,
    ];

    /// How many there are.
    pub(super) const NAMES: usize = Self::ALL.len();
}

const _: () = assert!(Timer::Trying as usize == Timer::NAMES - 1, "every name is in the list");

impl Timers {
    /// Nothing divides by it or waits on it in vain: zero would retransmit without end.
    fn t1(&self) -> Duration {
        self.t1.max(Duration::from_millis(1))
    }

    /// How long `timer` runs when it is first started. Timers that run zero seconds on reliable transports are
    /// never started there.
    pub(super) fn first(&self, timer: Timer) -> Duration {
        match timer {
            Timer::A | Timer::E | Timer::G => self.t1(),
            Timer::B | Timer::F | Timer::H | Timer::J | Timer::L | Timer::M | Timer::Cancelled => {
                self.t1() * 64
            }
            Timer::D => self.d,
            Timer::I | Timer::K => self.t4,
            Timer::Trying => self.until_t2(),
        }
    }

    /// How long a retransmission timer runs that ran `last` before: A doubles without bound (§17.1.1.2), E and G
    /// up to T2 (§17.1.2.2, §17.2.1).
    pub(super) fn again(&self, timer: Timer, last: Duration) -> Duration {
        let doubled = last.saturating_mul(2);
        if timer == Timer::A { doubled } else { doubled.min(self.t2()) }
    }

    /// T2, which is never below T1.
    pub(super) fn t2(&self) -> Duration {
        self.t2.max(self.t1())
    }

    /// "The amount of time it takes a client transaction's Timer E to be reset to T2" (RFC 4320 §4.1).
    fn until_t2(&self) -> Duration {
        let (mut passed, mut interval) = (Duration::ZERO, self.t1());
        loop {
            passed += interval;
            interval = self.again(Timer::E, interval);
            if interval >= self.t2() {
                return passed;
            }
        }
    }
}
