//! What transactions may take, in all and of one address.

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use crate::limits;
use crate::transport::household;

/// Caps of one transaction layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Transactions, client and server together. Past it a new request has no room.
    pub transactions: usize,
    /// Bytes of the messages that are kept for them. Past it a new request has no room, and an answer is sent and not kept:
    /// its retransmissions get none.
    pub bytes: usize,
    /// What the requests of one address, and the answers to them, may take of both, as one part of so many: 1 for all. An
    /// IPv6 /64 counts as one address. Past it its next request has no room, and others' do.
    pub parts: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self { transactions: limits::TRANSACTIONS, bytes: limits::TRANSACTION_BYTES, parts: 1 }
    }
}

/// What is taken.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) caps: Caps,
    bytes: usize,
    /// By whom; nobody, where one address may take all.
    taken: BTreeMap<IpAddr, Taken>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    transactions: usize,
    bytes: usize,
}

impl Room {
    /// Whether one more transaction, beside `others`, with a message of these bytes fits.
    pub(super) const fn has(&self, others: usize, bytes: usize) -> bool {
        others < self.caps.transactions && self.bytes + bytes <= self.caps.bytes
    }

    /// The same of one that `source` asks for.
    pub(super) fn has_for(&self, source: IpAddr, others: usize, bytes: usize) -> bool {
        let most = self.caps.transactions.div_ceil(self.caps.parts.max(1));
        self.has(others, bytes) && self.taken(source).transactions < most && self.has_bytes_for(source, bytes)
    }

    /// Whether an answer to `source` of these bytes can be kept.
    pub(super) fn has_bytes_for(&self, source: IpAddr, bytes: usize) -> bool {
        let most = self.caps.bytes.div_ceil(self.caps.parts.max(1));
        self.has(0, bytes) && self.taken(source).bytes + bytes <= most
    }

    fn taken(&self, source: IpAddr) -> Taken {
        if self.taken.is_empty() {
            return Taken::default();
        }
        self.taken.get(&household(source)).copied().unwrap_or_default()
    }

    #[cfg(test)]
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) const fn take(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    pub(super) const fn give_back(&mut self, bytes: usize) {
        self.bytes -= bytes;
    }

    /// A transaction of `source` begins.
    pub(super) fn begin(&mut self, source: IpAddr, bytes: usize) {
        self.take(bytes);
        if self.caps.parts > 1 {
            let taken = self.taken.entry(household(source)).or_default();
            taken.transactions += 1;
            taken.bytes += bytes;
        }
    }

    /// A transaction of `source` keeps one answer instead of another.
    pub(super) fn change(&mut self, source: IpAddr, before: usize, after: usize) {
        self.bytes = self.bytes + after - before;
        if !self.taken.is_empty()
            && let Some(taken) = self.taken.get_mut(&household(source))
        {
            taken.bytes = taken.bytes + after - before;
        }
    }

    /// A transaction of `source` has ended.
    pub(super) fn end(&mut self, source: IpAddr, bytes: usize) {
        self.give_back(bytes);
        if self.taken.is_empty() {
            return;
        }
        let source = household(source);
        if let Some(taken) = self.taken.get_mut(&source) {
            taken.transactions -= 1;
            taken.bytes -= bytes;
            if taken.transactions == 0 {
                self.taken.remove(&source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_its_part_and_gives_it_back() {
        let caps = Caps { transactions: 4, bytes: 1_000, parts: 2 };
        let mut room = Room { caps, ..Room::default() };
        let [one, neighbour, other] =
            ["2001:db8::1", "2001:db8::2", "192.0.2.1"].map(|ip| ip.parse::<IpAddr>().unwrap());
        room.begin(one, 300);
        assert!(!room.has_for(neighbour, 1, 201) && room.has_for(neighbour, 1, 200));
        room.begin(neighbour, 100);
        assert!(!room.has_for(one, 2, 1) && room.has_for(other, 2, 500));
        // Answers count like what they answer.
        assert!(!room.has_bytes_for(one, 101) && room.has_bytes_for(one, 100));
        room.change(one, 0, 100);
        assert!(!room.has_bytes_for(one, 1));
        room.change(one, 100, 0);
        // What a proxy sends counts among all alone.
        room.take(400);
        assert!(!room.has_for(other, 2, 201) && room.has_for(other, 2, 200));
        room.give_back(400);
        room.end(one, 300);
        room.end(neighbour, 100);
        assert!(room.has_for(one, 0, 500));
        assert_eq!((room.bytes, room.taken.len()), (0, 0));
    }

    #[test]
    fn undivided_nobody_is_remembered() {
        let mut room = Room::default();
        let source = IpAddr::from([192, 0, 2, 1]);
        room.begin(source, 7);
        assert!(room.has_for(source, 1, limits::TRANSACTION_BYTES - 7));
        assert_eq!(room.taken.len(), 0);
        room.end(source, 7);
        assert_eq!(room.bytes, 0);
    }
}
