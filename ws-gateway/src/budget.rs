//! Memory that connections share: what waits to be written to them, and messages of which a part has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::config::Memory;

/// Both kinds.
#[derive(Clone, Debug)]
pub struct Budgets {
    /// What waits to be written.
    pub queued: Arc<Budget>,
    /// Messages of which a part has come.
    pub partial: Arc<Budget>,
}

impl Budgets {
    /// With nothing taken of what `memory` allows.
    pub fn new(memory: Memory) -> Self {
        Self {
            queued: Arc::new(Budget::new(memory.queued())),
            partial: Arc::new(Budget::new(memory.partial())),
        }
    }
}

/// Bytes that many share.
///
/// Nobody may have more than what is left for all: a few that take much leave room for many that take little, and those that take
/// much are the first to be refused.
#[derive(Debug)]
pub struct Budget {
    most: usize,
    taken: AtomicUsize,
}

impl Budget {
    /// Nothing is taken.
    pub const fn new(most: usize) -> Self {
        Self { most, taken: AtomicUsize::new(0) }
    }

    /// Takes `bytes` for somebody who has `own` already, if they may.
    pub fn take(&self, own: usize, bytes: usize) -> bool {
        let before = self.taken.fetch_add(bytes, Ordering::AcqRel);
        let fits = own + bytes <= self.most.saturating_sub(before);
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    /// Gives back what was taken.
    pub fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// How much is taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }
}

/// What one connection has of a budget; given back when dropped.
#[derive(Debug)]
pub struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Held {
    /// Nothing.
    pub const fn new(budget: Arc<Budget>) -> Self {
        Self { budget, bytes: 0 }
    }

    /// Has `bytes` from now on. `false`: there is no room, and it has what it had.
    pub fn set(&mut self, bytes: usize) -> bool {
        match bytes.checked_sub(self.bytes) {
            Some(0) => {}
            Some(more) if !self.budget.take(self.bytes, more) => return false,
            Some(_) => {}
            None => self.budget.give_back(self.bytes - bytes),
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_much_is_refused_before_who_takes_little() {
        let budget = Arc::new(Budget::new(1_000));
        let [mut large, mut small, mut late] = [(); 3].map(|()| Held::new(Arc::clone(&budget)));
        assert!(large.set(500));
        // Half of what is left when it begins: 500 are taken, and 500 is what anybody may have.
        assert!(!large.set(501));
        assert!(small.set(100) && small.set(250));
        assert!(!small.set(260));
        assert!(late.set(125));
        assert!(!large.set(600), "and keeps what it has");
        assert_eq!(budget.taken(), 875);
        assert!(large.set(10));
        drop((large, small, late));
        assert_eq!(budget.taken(), 0);
    }
}
