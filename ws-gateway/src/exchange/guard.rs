//! What all shards know of passwords that were tried: who guesses, and which nonces were used.

use std::net::IpAddr;

use parking_lot::Mutex;
use sip_core::auth::{DEFAULT_NONCE_LIFETIME, Guesses, NonceUse, Patience, Replays};
use sip_core::limits::NONCES;
use sip_core::time::{Duration, Instant};

/// Guesses and nonces, each behind a lock under which nothing waits.
#[derive(Debug)]
pub(super) struct Guard {
    guesses: Mutex<Guesses>,
    replays: Mutex<Replays>,
}

/// How much of each there is: kept now, and forgotten before its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guarded {
    /// Pairs of user and network with a wrong password.
    pub guessers: (usize, u64),
    /// Nonces whose counts are kept.
    pub nonces: (usize, u64),
}

impl Guard {
    /// Nobody has guessed, and of the nonces made until now nothing is known.
    pub(super) fn new(patience: Patience, now: Instant) -> Self {
        Self {
            guesses: Mutex::new(Guesses::new(patience)),
            replays: Mutex::new(Replays::new(now, DEFAULT_NONCE_LIFETIME, NONCES)),
        }
    }

    pub(super) fn wait(&self, username: &str, source: IpAddr, now: Instant) -> Option<Duration> {
        self.guesses.lock().wait(username, source, now)
    }

    pub(super) fn wrong(&self, username: &str, source: IpAddr, now: Instant) {
        self.guesses.lock().wrong(username, source, now);
    }

    /// The right password came, with this nonce. Tells whether for the first time: who has only overheard it does not know it, and
    /// goes on waiting.
    pub(super) fn admit(&self, username: &str, source: IpAddr, usage: NonceUse, now: Instant) -> bool {
        let first = self.replays.lock().admit(usage, now);
        if first {
            self.guesses.lock().right(username, source);
        }
        first
    }

    pub(super) fn load(&self) -> Guarded {
        let (guesses, replays) = (self.guesses.lock(), self.replays.lock());
        Guarded { guessers: (guesses.len(), guesses.evicted()), nonces: (replays.len(), replays.evicted()) }
    }
}
