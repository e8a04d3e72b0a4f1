//! Who guesses passwords: after some wrong ones a user waits, longer each time, at the addresses they came from.
//!
//! What is counted is a pair: the user that was tried and the network it was tried from. Others in that network, and the
//! user elsewhere, are not concerned. A wrong password counts only with a nonce of ours that its sender was given, so that
//! nobody locks a user out under a forged address.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;

use sha2::{Digest as _, Sha256};

use crate::limits;
use crate::time::{Duration, Instant};

/// How long who guesses has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Wrong passwords in a row without consequence: typing errors, and a phone that has the old one.
    pub attempts: u32,
    /// The longest wait. The first is a second, each further one twice as long. After that long a time without a wrong password,
    /// and without waiting, all is forgotten.
    pub ban: Duration,
    /// Pairs kept; see [`limits::GUESSERS`].
    pub pairs: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self { attempts: 5, ban: Duration::from_secs(600), pairs: limits::GUESSERS }
    }
}

/// A user and a network, as a hash: names of any length take the same room.
type Pair = [u8; 16];

#[derive(Clone, Copy, Debug)]
struct Guesser {
    wrong: u32,
    /// When the last wrong password came.
    last: Instant,
    until: Instant,
}

/// Who guessed lately. One for all servers of a domain.
#[derive(Debug)]
pub struct Guesses {
    patience: Patience,
    pairs: BTreeMap<Pair, Guesser>,
    order: BTreeSet<(Instant, Pair)>,
    evicted: u64,
}

impl Guesses {
    /// Nobody has guessed.
    pub const fn new(patience: Patience) -> Self {
        Self { patience, pairs: BTreeMap::new(), order: BTreeSet::new(), evicted: 0 }
    }

    /// How long a user still has to wait at an address.
    pub fn wait(&self, username: &str, source: IpAddr, now: Instant) -> Option<Duration> {
        let guesser = self.pairs.get(&pair(username, source))?;
        (guesser.until > now).then(|| guesser.until.since(now))
    }

    /// Another wrong password.
    pub fn wrong(&mut self, username: &str, source: IpAddr, now: Instant) {
        self.expire(now);
        let pair = pair(username, source);
        let before = self.pairs.remove(&pair);
        let wrong = before.map_or(0, |guesser| guesser.wrong).saturating_add(1);
        match before {
            Some(guesser) => {
                self.order.remove(&(guesser.last, pair));
            }
            None if self.pairs.len() >= self.patience.pairs => {
                self.evicted += 1;
                if let Some((_, oldest)) = self.order.pop_first() {
                    self.pairs.remove(&oldest);
                }
            }
            None => {}
        }
        self.order.insert((now, pair));
        self.pairs.insert(pair, Guesser { wrong, last: now, until: now + self.patience.after(wrong) });
    }

    /// The right one came.
    pub fn right(&mut self, username: &str, source: IpAddr) {
        let pair = pair(username, source);
        if let Some(guesser) = self.pairs.remove(&pair) {
            self.order.remove(&(guesser.last, pair));
        }
    }

    /// Pairs kept.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// How many were forgotten before their time.
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    fn expire(&mut self, now: Instant) {
        // None waits longer than a ban, and is remembered for another.
        let ban = self.patience.ban;
        while let Some((last, pair)) = self.order.first().copied()
            && now.since(last) > ban + ban
        {
            self.order.remove(&(last, pair));
            self.pairs.remove(&pair);
        }
    }
}

impl Patience {
    /// The wait after so many wrong passwords.
    fn after(&self, wrong: u32) -> Duration {
        let beyond = wrong.saturating_sub(self.attempts);
        if beyond == 0 {
            return Duration::ZERO;
        }
        let doubled = 1u64.checked_shl(beyond - 1).unwrap_or(u64::MAX);
        Duration::from_secs(doubled.min(self.ban.as_secs()))
    }
}

/// What one subscriber is given: an IPv4 /24, in which one may have several addresses; of IPv6 a /48.
fn pair(username: &str, source: IpAddr) -> Pair {
    let mut hash = Sha256::new();
    match source.to_canonical() {
        IpAddr::V4(v4) => hash.update(&v4.octets()[..3]),
        IpAddr::V6(v6) => hash.update(&v6.octets()[..6]),
    }
    hash.update(username.as_bytes());
    let mut pair = Pair::default();
    pair.copy_from_slice(&hash.finalize()[..16]);
    pair
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    const T0: Instant = Instant::from_micros(1_700_000_000_000_000);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_guesses_waits_longer_each_time_and_nobody_else() {
        let mut guesses = Guesses::new(Patience { attempts: 3, ban: Duration::from_secs(6), pairs: 10 });
        let (here, there) = (address("192.0.2.1"), address("198.51.100.1"));
        let mut now = T0;
        for _ in 0..3 {
            guesses.wrong("alice", here, now);
            assert_eq!(guesses.wait("alice", here, now), None);
        }
        for wait in [1, 2, 4, 6, 6] {
            guesses.wrong("alice", here, now);
            let wait = Duration::from_secs(wait);
            assert_eq!(guesses.wait("alice", here, now), Some(wait));
            // The same network, also as IPv6 writes it.
            assert_eq!(guesses.wait("alice", address("::ffff:192.0.2.77"), now), Some(wait));
            for (other, source) in [("bob", here), ("alice", there), ("ALICE", here)] {
                assert_eq!(guesses.wait(other, source, now), None);
            }
            now += wait;
            assert_eq!(guesses.wait("alice", here, now), None);
        }
        // The right one ends it.
        guesses.right("alice", here);
        guesses.wrong("alice", here, now);
        assert_eq!(guesses.wait("alice", here, now), None);
        // So does time.
        for _ in 0..9 {
            guesses.wrong("bob", there, now);
        }
        now += Duration::from_secs(13);
        guesses.wrong("carol", there, now);
        assert_eq!(guesses.len(), 1);
        guesses.wrong("bob", there, now);
        assert_eq!(guesses.wait("bob", there, now), None);
    }

    #[test]
    fn pairs_are_capped_and_the_one_that_was_wrong_longest_ago_goes() {
        let mut guesses = Guesses::new(Patience { attempts: 0, pairs: 3, ..Patience::default() });
        let here = address("2001:db8::1");
        for n in 0..4 {
            guesses.wrong(&format!("user{n}"), here, T0 + Duration::from_millis(n));
        }
        assert_eq!((guesses.len(), guesses.evicted()), (3, 1));
        let waits = |name| guesses.wait(name, address("2001:db8:0:ffff::9"), T0).is_some();
        assert!(!waits("user0") && waits("user1") && waits("user3"));
    }

    #[test]
    fn a_wait_is_never_longer_than_the_ban() {
        let patience = Patience::default();
        for wrong in [5, 6, 15, 16, 69, 70, 1000, u32::MAX] {
            assert!(patience.after(wrong) <= patience.ban, "{wrong}");
        }
        assert_eq!(patience.after(u32::MAX), patience.ban);
    }
}
