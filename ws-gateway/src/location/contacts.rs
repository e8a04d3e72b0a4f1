//! Whose contact a URI is: an index over the bindings, by what equivalent contacts have in common.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, RandomState};

use parking_lot::Mutex;
use sip_core::registrar::{Binding, ContactKey};
use smol_str::SmolStr;

use crate::flows::Numbers;

/// The addresses-of-record of all contacts that are looked for. There are never more entries than bindings.
#[derive(Debug)]
pub(super) struct Contacts {
    hasher: RandomState,
    /// By a hash of the key, so that an entry is small: who looks one up compares the contacts. One entry for each binding.
    parts: Vec<Mutex<Part>>,
}

/// Its keys are hashes whose key nobody knows.
type Part = HashMap<u64, Holders, BuildHasherDefault<Numbers>>;

/// Most have one.
#[derive(Debug)]
enum Holders {
    One(SmolStr),
    Many(Vec<SmolStr>),
}

impl Holders {
    fn all(&self) -> &[SmolStr] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    fn push(&mut self, holder: SmolStr) {
        match self {
            Self::One(one) => *self = Self::Many(vec![one.clone(), holder]),
            Self::Many(many) => many.push(holder),
        }
    }

    /// Takes one away. Whether there are others.
    fn remove(&mut self, holder: &SmolStr) -> bool {
        match self {
            Self::One(one) => one != holder,
            Self::Many(many) => {
                if let Some(at) = many.iter().position(|other| other == holder) {
                    many.swap_remove(at);
                }
                !many.is_empty()
            }
        }
    }
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
                let mut part = self.part(hash).lock();
                let holders = part.entry(hash).and_modify(|holders| holders.push(aor.clone()));
                holders.or_insert_with(|| Holders::One(aor.clone()));
            }
        }
    }

    /// This binding of `aor` ended.
    pub(super) fn remove(&self, aor: &SmolStr, binding: &Binding) {
        let Some(hash) = self.hash(&binding.contact) else { return };
        let mut part = self.part(hash).lock();
        let Some(holders) = part.get_mut(&hash) else { return };
        if !holders.remove(aor) {
            part.remove(&hash);
        }
    }

    /// The only address-of-record with such a contact. `None`: nobody has it, or several do, and nobody can say whose it is.
    pub(super) fn owner(&self, contact: &str) -> Option<SmolStr> {
        let hash = self.hash(contact)?;
        let part = self.part(hash).lock();
        let (first, others) = part.get(&hash)?.all().split_first()?;
        others.iter().all(|other| other == first).then(|| first.clone())
    }

    /// How many bindings it knows.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.parts
            .iter()
            .map(|part| part.lock().values().map(|holders| holders.all().len()).sum::<usize>())
            .sum()
    }

    fn hash(&self, contact: &str) -> Option<u64> {
        Some(self.hasher.hash_one(ContactKey::of(contact)?))
    }

    fn part(&self, hash: u64) -> &Mutex<Part> {
        // The remainder is below the length.
        &self.parts[(hash % self.parts.len() as u64) as usize]
    }
}
