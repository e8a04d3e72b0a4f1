//! What a user of the layer keeps for transactions, by their ids.

use hashbrown::HashTable;

use super::event::{ClientId, ServerId};

/// An id of the layer's.
pub(crate) trait Id: Copy + Eq {
    /// Index and generation.
    fn parts(self) -> (u32, u32);
}

impl Id for ClientId {
    fn parts(self) -> (u32, u32) {
        (self.index, self.generation)
    }
}

impl Id for ServerId {
    fn parts(self) -> (u32, u32) {
        (self.index, self.generation)
    }
}

/// One value for each id. Nothing can be told of their order, so that runs stay reproducible.
#[derive(Debug)]
pub(crate) struct ById<I, T>(HashTable<(I, T)>);

impl<I, T> ById<I, T> {
    pub(crate) const fn new() -> Self {
        Self(HashTable::new())
    }
}

impl<I, T> Default for ById<I, T> {
    fn default() -> Self {
        Self::new()
    }
}

/// The layer makes the ids and nobody else, so that one multiplication will do.
fn hash(id: impl Id) -> u64 {
    let (index, generation) = id.parts();
    let hash = (u64::from(generation) << 32 | u64::from(index)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ hash >> 32
}

impl<I: Id, T> ById<I, T> {
    /// The value that was there before is lost.
    pub(crate) fn insert(&mut self, id: I, value: T) {
        self.remove(&id);
        self.0.insert_unique(hash(id), (id, value), |(other, _)| hash(*other));
    }

    pub(crate) fn get(&self, id: &I) -> Option<&T> {
        self.0.find(hash(*id), |(other, _)| other == id).map(|(_, value)| value)
    }

    pub(crate) fn remove(&mut self, id: &I) -> Option<T> {
        let found = self.0.find_entry(hash(*id), |(other, _)| other == id).ok()?;
        let ((_, value), _) = found.remove();
        if self.0.is_empty() && self.0.capacity() > KEPT {
            self.0 = HashTable::new();
        }
        Some(value)
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(I, &T) -> bool) {
        self.0.retain(|(id, value)| keep(*id, value));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Room that an empty table keeps: what a busy hour took is given back.
const KEPT: usize = 64;
