//! A map of the few things that one telephone has at a time.

use alloc::vec::Vec;

/// An ordered map in one piece of memory. A `BTreeMap` does the same for many entries; here there are a handful, at
/// most a few times `limits::CALLS`, and a page downloads the code.
pub(super) struct Few<K, V>(Vec<(K, V)>);

impl<K: Copy + Ord, V> Few<K, V> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    fn find(&self, key: K) -> Result<usize, usize> {
        self.0.binary_search_by_key(&key, |(other, _)| *other)
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        let at = self.find(*key).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.find(*key).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        match self.find(key) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => {
                // There is mostly one, and it stays for hours.
                if self.0.len() == self.0.capacity() {
                    self.0.reserve_exact(1 + self.0.len() / 2);
                }
                self.0.insert(at, (key, value));
            }
        }
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.find(*key).ok()?;
        let (_, value) = self.0.remove(at);
        self.tidy();
        Some(value)
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.0.retain(|(_, value)| keep(value));
        self.tidy();
    }

    /// Gives back what a busy hour took.
    fn tidy(&mut self) {
        if self.0.len() * 4 <= self.0.capacity() {
            self.0.shrink_to(self.0.len() * 2);
        }
    }

    /// In the order of the keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (K, &mut V)> {
        self.0.iter_mut().map(|(key, value)| (*key, value))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = K> {
        self.0.iter().map(|(key, _)| *key)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<K: core::fmt::Debug + Copy + Ord, V: core::fmt::Debug> core::fmt::Debug for Few<K, V> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_map_in_the_order_of_its_keys() {
        let mut few = Few::new();
        for key in [5, 1, 9, 3, 1] {
            few.insert(key, key * 10);
        }
        assert_eq!(few.keys().collect::<Vec<_>>(), [1, 3, 5, 9]);
        assert_eq!((few.get(&3), few.get(&4)), (Some(&30), None));
        few.insert(3, 31);
        assert_eq!((few.remove(&3), few.remove(&3), few.len()), (Some(31), None, 3));
        few.retain(|value| *value != 50);
        few.values_mut().for_each(|value| *value += 1);
        assert_eq!(few.iter().collect::<Vec<_>>(), [(1, &11), (9, &91)]);
    }
}
