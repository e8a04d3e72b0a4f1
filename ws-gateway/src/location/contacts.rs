//! Whose contact a URI is: an index over the bindings, by what equivalent contacts have in common.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use parking_lot::Mutex;
use sip_core::registrar::{Binding, ContactKey};
use smol_str::SmolStr;

/// The addresses-of-record of all contacts that are looked for. There are never more entries than bindings.
#[derive(Debug)]
pub(super) struct Contacts {
    hasher: RandomState,
    /// By a hash of the key, so that an entry is small: who looks one up compares the contacts. One entry for each binding.
    parts: Vec<Mutex<HashMap<u64, Vec<SmolStr>>>>,
}

impl Contacts {
    /// None, in so many parts, each under a lock of its own.
    pub(super) fn new(parts: usize) -> Self {
        Self { hasher: RandomState::new(), parts: (0..parts).map(|_| Mutex::default()).collect() }
    }

    /// The bindings of `aor` were `before` and are `after`. What is only refreshed costs a comparison.
    pub(super) fn changed(&self, aor: &SmolStr, before: &[Binding], after: &[Binding]) {
        let lacks = |others: &[Binding], one: &Binding| {
            !others.iter().any(|other| other.contact == one.contact && other.key == one.key)
        };
        for gone in before.iter().filter(|gone| lacks(after, gone)) {
            self.remove(aor, gone);
        }
        for new in after.iter().filter(|new| lacks(before, new)) {
            if let Some(hash) = self.hash(&new.contact) {
                // Most have one holder.
                let mut part = self.part(hash).lock();
                part.entry(hash).or_insert_with(|| Vec::with_capacity(1)).push(aor.clone());
            }
        }
    }

    /// This binding of `aor` ended.
    pub(super) fn remove(&self, aor: &SmolStr, binding: &Binding) {
        let Some(hash) = self.hash(&binding.contact) else { return };
        let mut part = self.part(hash).lock();
        let Some(holders) = part.get_mut(&hash) else { return };
        if let Some(at) = holders.iter().position(|holder| holder == aor) {
            holders.swap_remove(at);
        }
        if holders.is_empty() {
            part.remove(&hash);
        }
    }

    /// The only address-of-record with such a contact. `None`: nobody has it, or several do, and nobody can say whose it is.
    pub(super) fn owner(&self, contact: &str) -> Option<SmolStr> {
        let hash = self.hash(contact)?;
        let part = self.part(hash).lock();
        let (first, others) = part.get(&hash)?.split_first()?;
        others.iter().all(|other| other == first).then(|| first.clone())
    }

    /// How many bindings it knows.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.lock().values().map(Vec::len).sum::<usize>()).sum()
    }

    fn hash(&self, contact: &str) -> Option<u64> {
        Some(self.hasher.hash_one(ContactKey::of(contact)?))
    }

    fn part(&self, hash: u64) -> &Mutex<HashMap<u64, Vec<SmolStr>>> {
        // The remainder is below the length.
        &self.parts[(hash % self.parts.len() as u64) as usize]
    }
}
