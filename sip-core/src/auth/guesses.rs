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

/// Pairs that the users of a network share once it has as many as it may.
const SHARED: u8 = 64;

/// A user and a network, as a hash: names of any length take the same room.
type Pair = [u8; 16];

/// What one subscriber is given: an IPv4 /24, in which one may have several addresses; of IPv6 a /48.
type Network = [u8; 6];

#[derive(Clone, Copy, Debug)]
struct Guesser {
    network: Network,
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
    /// How many pairs each network has.
    networks: BTreeMap<Network, usize>,
    evicted: u64,
}

impl Guesses {
    /// Nobody has guessed.
    pub const fn new(patience: Patience) -> Self {
        Self {
            patience,
            pairs: BTreeMap::new(),
            order: BTreeSet::new(),
            networks: BTreeMap::new(),
            evicted: 0,
        }
    }

    /// How long a user still has to wait at an address.
    pub fn wait(&self, username: &str, source: IpAddr, now: Instant) -> Option<Duration> {
        let guesser = self.pairs.get(&self.pair(username, network(source)))?;
        (guesser.until > now).then(|| guesser.until.since(now))
    }

    /// Another wrong password.
    pub fn wrong(&mut self, username: &str, source: IpAddr, now: Instant) {
        self.expire(now);
        let network = network(source);
        let pair = self.pair(username, network);
        let before = self.forget(&pair);
        let wrong = before.map_or(0, |guesser| guesser.wrong).saturating_add(1);
        if before.is_none()
            && self.pairs.len() >= self.patience.pairs
            && let Some((_, oldest)) = self.order.first().copied()
        {
            self.evicted += 1;
            self.forget(&oldest);
        }
        self.order.insert((now, pair));
        *self.networks.entry(network).or_default() += 1;
        let until = now + self.patience.after(wrong);
        self.pairs.insert(pair, Guesser { network, wrong, last: now, until });
    }

    /// The right one came.
    pub fn right(&mut self, username: &str, source: IpAddr) {
        // What many users share, none of them ends.
        self.forget(&hash(network(source), username.as_bytes()));
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
            self.forget(&pair);
        }
    }

    /// The pair that counts: the user's own, or, in a network in which so many are tried that they would push each other out, one
    /// that the rest of its users share by chance.
    fn pair(&self, username: &str, network: Network) -> Pair {
        let own = hash(network, username.as_bytes());
        let full = self.networks.get(&network).is_some_and(|pairs| *pairs >= limits::GUESSERS_PER_NETWORK);
        if !full || self.pairs.contains_key(&own) {
            return own;
        }
        // No user name has a zero.
        hash(network, &[0, own[0] % SHARED])
    }

    fn forget(&mut self, pair: &Pair) -> Option<Guesser> {
        let guesser = self.pairs.remove(pair)?;
        self.order.remove(&(guesser.last, *pair));
        if let Some(pairs) = self.networks.get_mut(&guesser.network) {
            *pairs -= 1;
            if *pairs == 0 {
                self.networks.remove(&guesser.network);
            }
        }
        Some(guesser)
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

fn network(source: IpAddr) -> Network {
    let mut network = Network::default();
    match source.to_canonical() {
        IpAddr::V4(v4) => network[3..].copy_from_slice(&v4.octets()[..3]),
        IpAddr::V6(v6) => network.copy_from_slice(&v6.octets()[..6]),
    }
    network
}

fn hash(network: Network, user: &[u8]) -> Pair {
    let hash = Sha256::new().chain_update(network).chain_update(user).finalize();
    let mut pair = Pair::default();
    pair.copy_from_slice(&hash[..16]);
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

    /// Who tries names without end in one network has his guesses at one of them forgotten no sooner.
    #[test]
    fn names_without_end_from_one_network_push_nobody_out() {
        let mut guesses = Guesses::new(Patience { attempts: 2, ..Patience::default() });
        let (here, there) = (address("192.0.2.1"), address("198.51.100.1"));
        let guess = |guesses: &mut Guesses, source| (0..5).for_each(|_| guesses.wrong("alice", source, T0));
        guess(&mut guesses, here);
        guess(&mut guesses, there);
        let flood = |guesses: &mut Guesses, names: core::ops::Range<u32>| {
            names.for_each(|n| guesses.wrong(&format!("name{n}"), here, T0));
        };
        flood(&mut guesses, 0..30_000);
        assert_eq!(guesses.evicted(), 0);
        assert!(guesses.len() <= limits::GUESSERS_PER_NETWORK + usize::from(SHARED) + 1);
        for source in [here, there] {
            assert_eq!(guesses.wait("alice", source, T0), Some(Duration::from_secs(4)));
        }
        // Nor is a name free that comes late, and the right password of another does not make it so.
        assert!(guesses.wait("bob", here, T0).is_some());
        guesses.right("bob", here);
        assert!(guesses.wait("bob", here, T0).is_some());
        assert_eq!(guesses.wait("bob", there, T0), None);
        // Time ends it, and nothing is left.
        let later = T0 + Duration::from_secs(3_000);
        guesses.wrong("carol", there, later);
        assert_eq!((guesses.len(), guesses.networks.len()), (1, 1));
        assert_eq!(guesses.wait("bob", here, later), None);
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
