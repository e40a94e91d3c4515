//! A map with a fixed number of places that forgets what was used least recently, for tables that strangers can fill.

use alloc::collections::BTreeMap;

/// A bounded map, least recently used out first.
#[derive(Debug)]
pub(crate) struct LruMap<K, V> {
    capacity: usize,
    entries: BTreeMap<K, (u64, V)>,
    by_use: BTreeMap<u64, K>,
    uses: u64,
}

impl<K: Ord + Clone, V> LruMap<K, V> {
    /// A map that keeps up to `capacity` entries; at least one.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            entries: BTreeMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Looks without counting as a use.
    pub(crate) fn peek(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// Looks without counting as a use.
    pub(crate) fn peek_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    /// The value of `key`, made with `default` where there is none, in the place of the least recently used one if the
    /// map is full. Counts as a use.
    pub(crate) fn entry(&mut self, key: K, default: impl FnOnce() -> V) -> &mut V {
        if !self.entries.contains_key(&key) && self.entries.len() >= self.capacity {
            self.forget_oldest();
        }
        self.uses += 1;
        let uses = self.uses;
        let (used, value) = self
            .entries
            .entry(key.clone())
            .or_insert_with(|| (uses, default()));
        if *used != uses {
            self.by_use.remove(used);
            *used = uses;
        }
        self.by_use.insert(uses, key);
        value
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let (used, value) = self.entries.remove(key)?;
        self.by_use.remove(&used);
        Some(value)
    }

    /// All entries, in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, (_, value))| (key, value))
    }

    /// All entries, the least recently used one first.
    pub(crate) fn iter_by_use(&self) -> impl Iterator<Item = (&K, &V)> {
        let value = |key| Some((key, self.peek(key)?));
        self.by_use.values().filter_map(value)
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.by_use.pop_first() {
            self.entries.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut map = LruMap::new(2);
        *map.entry('a', || 0) += 1;
        *map.entry('b', || 0) += 1;
        *map.entry('a', || 0) += 1;
        *map.entry('c', || 0) += 1;
        assert_eq!(map.len(), 2);
        assert_eq!(map.peek(&'a'), Some(&2));
        assert_eq!(map.peek(&'b'), None);
    }

    #[test]
    fn a_removed_entry_leaves_its_place() {
        let mut map = LruMap::new(1);
        map.entry('a', || 1);
        assert_eq!(map.remove(&'a'), Some(1));
        map.entry('b', || 2);
        assert_eq!(map.iter().collect::<alloc::vec::Vec<_>>(), [(&'b', &2)]);
    }
}
