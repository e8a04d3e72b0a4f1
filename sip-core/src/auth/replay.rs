//! Which nonces were used, and how often (RFC 7616 §3.4, §5.5): credentials serve once.
//!
//! Nonces are made without being kept ([`super::Challenger`]). One that comes back with right credentials is kept from then
//! on, with the counts it was used with, for as long as it is good.

use alloc::collections::BTreeMap;

use crate::limits;
use crate::time::{Duration, Instant};

/// When a nonce was made, and which of that moment it is. They are in the order in which they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NonceId {
    pub(super) made: Instant,
    pub(super) random: [u8; 8],
}

/// That a nonce was used with right credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonceUse {
    pub(super) id: NonceId,
    /// `nc`; 1 from a client that does not count.
    pub(super) count: u32,
}

/// The counts that a nonce was used with.
#[derive(Clone, Copy, Debug)]
struct Used {
    highest: u32,
    /// Bit `n`: the count `highest - n` was used. What is lower than all of them counts as used.
    seen: u64,
}

/// The nonces in use. One for all servers that accept each other's nonces.
#[derive(Debug)]
pub struct Replays {
    nonces: BTreeMap<NonceId, Used>,
    lifetime: Duration,
    most: usize,
    /// This one and all before it may have been used without our knowing: before a restart, or they were forgotten.
    forgotten: Option<NonceId>,
    evicted: u64,
}

impl Replays {
    /// Nothing is known of what was made until `now`. `lifetime` is that of the nonces; see [`limits::NONCES`] for `most`.
    pub const fn new(now: Instant, lifetime: Duration, most: usize) -> Self {
        let forgotten = Some(NonceId { made: now, random: [0; 8] });
        Self { nonces: BTreeMap::new(), lifetime, most, forgotten, evicted: 0 }
    }

    /// A nonce was used. `false`: it may have been before, with this count; the client is to be challenged with `stale`.
    pub fn admit(&mut self, usage: NonceUse, now: Instant) -> bool {
        self.expire(now);
        let NonceUse { id, count } = usage;
        // "nc ... including the current request": the first has 1.
        if count == 0 {
            return false;
        }
        if let Some(used) = self.nonces.get_mut(&id) {
            return used.admit(count);
        }
        if self.forgotten.is_some_and(|last| id <= last) {
            return false;
        }
        if self.nonces.len() >= self.most
            && let Some((oldest, _)) = self.nonces.pop_first()
        {
            self.evicted += 1;
            self.forgotten = self.forgotten.max(Some(oldest));
            // It is the oldest itself.
            if id <= oldest {
                return false;
            }
        }
        self.nonces.insert(id, Used { highest: count, seen: 1 });
        true
    }

    /// Nonces kept.
    pub fn len(&self) -> usize {
        self.nonces.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.nonces.is_empty()
    }

    /// How many were forgotten before their time.
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// A nonce that has expired is refused without us.
    fn expire(&mut self, now: Instant) {
        while let Some(oldest) = self.nonces.first_entry()
            && now.since(oldest.key().made) > self.lifetime
        {
            oldest.remove();
        }
    }
}

impl Default for Replays {
    /// For [`super::DEFAULT_NONCE_LIFETIME`], from the beginning of time.
    fn default() -> Self {
        Self {
            forgotten: None,
            ..Self::new(Instant::default(), super::DEFAULT_NONCE_LIFETIME, limits::NONCES)
        }
    }
}

impl Used {
    fn admit(&mut self, count: u32) -> bool {
        if let Some(ahead) = count.checked_sub(self.highest).filter(|ahead| *ahead > 0) {
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        // Requests overtake each other.
        let bit = 1u64.checked_shl(self.highest - count).unwrap_or(0);
        let fresh = bit != 0 && self.seen & bit == 0;
        self.seen |= bit;
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Instant = Instant::from_micros(1_700_000_000_000_000);

    fn usage(made: Instant, random: u8, count: u32) -> NonceUse {
        NonceUse { id: NonceId { made, random: [random; 8] }, count }
    }

    #[test]
    fn rfc7616_3_4_each_count_serves_once_in_any_order() {
        let mut replays = Replays::default();
        let mut admit = |count| replays.admit(usage(T0, 1, count), T0);
        for (count, fresh) in [
            (1, true),
            (1, false),
            (3, true),
            (2, true),
            (2, false),
            (3, false),
            (0, false),
            (66, true),
            // As far back as is remembered.
            (4, true),
            (4, false),
            (3, false),
            (1, false),
            (200, true),
            (66, false),
            (137, true),
            (136, false),
            (u32::MAX, true),
            (u32::MAX, false),
            (200, false),
        ] {
            assert_eq!(admit(count), fresh, "{count}");
        }
        assert!(replays.admit(usage(T0, 2, 1), T0), "another nonce");
    }

    #[test]
    fn rfc7616_5_5_what_a_restart_has_forgotten_is_stale() {
        let mut replays = Replays::new(T0, Duration::from_secs(300), 10);
        let second = Duration::from_secs(1);
        assert!(!replays.admit(usage(T0 - second, 1, 1), T0 + second));
        assert!(replays.admit(usage(T0 + second, 1, 1), T0 + second));
    }

    #[test]
    fn rfc7616_5_5_at_the_cap_the_oldest_is_forgotten_and_no_longer_good() {
        let mut replays = Replays { most: 2, ..Replays::default() };
        let at = |seconds| T0 + Duration::from_secs(seconds);
        for seconds in [1, 2, 3] {
            assert!(replays.admit(usage(at(seconds), 1, 1), at(3)));
        }
        assert_eq!((replays.len(), replays.evicted()), (2, 1));
        // The first and all before it: whether they were used is not known any more.
        assert!(!replays.admit(usage(at(1), 1, 2), at(3)));
        assert!(!replays.admit(usage(at(0), 1, 1), at(3)));
        assert!(replays.admit(usage(at(3), 1, 2), at(3)));
        // Those that have expired make room, and nothing is forgotten with them.
        assert!(replays.admit(usage(at(303), 1, 1), at(303)));
        assert_eq!((replays.len(), replays.evicted()), (2, 1));
        assert!(replays.admit(usage(at(4), 1, 1), at(303)), "older than what is kept, but not forgotten");
    }
}
