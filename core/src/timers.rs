//! A set of deadlines, one a key: the next one is known at once, and setting or dropping one costs O(log n).

use alloc::collections::{BTreeMap, BTreeSet};

use crate::time::Timestamp;

/// Deadlines by key; each key has one at most.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    queue: BTreeSet<(Timestamp, K)>,
    by_key: BTreeMap<K, Timestamp>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self {
            queue: BTreeSet::new(),
            by_key: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Copy> Timers<K> {
    /// Sets the deadline of `key`, in place of the one it had.
    pub(crate) fn set(&mut self, key: K, at: Timestamp) {
        if let Some(old) = self.by_key.insert(key, at) {
            if old == at {
                return;
            }
            self.queue.remove(&(old, key));
        }
        self.queue.insert((at, key));
    }

    /// Sets the deadline of `key` unless it has one.
    pub(crate) fn set_if_unset(&mut self, key: K, at: Timestamp) {
        if !self.by_key.contains_key(&key) {
            self.set(key, at);
        }
    }

    pub(crate) fn cancel(&mut self, key: K) {
        if let Some(old) = self.by_key.remove(&key) {
            self.queue.remove(&(old, key));
        }
    }

    pub(crate) fn is_set(&self, key: K) -> bool {
        self.by_key.contains_key(&key)
    }

    /// The deadline of `key`.
    pub(crate) fn deadline(&self, key: K) -> Option<Timestamp> {
        self.by_key.get(&key).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<(Timestamp, K)> {
        self.queue.first().copied()
    }

    /// Takes out one deadline that has passed, the earliest first.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<K> {
        let &(at, key) = self.queue.first()?;
        if at > now {
            return None;
        }
        self.queue.remove(&(at, key));
        self.by_key.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn a_key_has_one_deadline() {
        let mut timers = Timers::default();
        timers.set('a', Timestamp::from_secs(5));
        timers.set('a', Timestamp::from_secs(3));
        timers.set_if_unset('a', Timestamp::from_secs(1));
        assert_eq!(timers.next(), Some((Timestamp::from_secs(3), 'a')));
        assert_eq!(timers.pop_due(Timestamp::from_secs(9)), Some('a'));
        assert_eq!(timers.pop_due(Timestamp::from_secs(9)), None);
    }

    proptest! {
        /// Whatever is set and cancelled: what is due comes out in order, once, and nothing else does.
        #[test]
        fn due_deadlines_come_out_in_order(
            steps in prop::collection::vec((0u8..20, prop::option::of(0u64..100)), 0..60),
            now in 0u64..100,
        ) {
            let mut timers = Timers::default();
            let mut model = BTreeMap::new();
            for (key, at) in steps {
                match at {
                    Some(at) => {
                        timers.set(key, Timestamp::from_micros(at));
                        model.insert(key, at);
                    }
                    None => {
                        timers.cancel(key);
                        model.remove(&key);
                    }
                }
            }
            let mut due: Vec<_> = model.iter().filter(|(_, at)| **at <= now).map(|(key, at)| (*at, *key)).collect();
            due.sort_unstable();
            let mut popped = Vec::new();
            while let Some(key) = timers.pop_due(Timestamp::from_micros(now)) {
                popped.push((model[&key], key));
            }
            prop_assert_eq!(popped, due);
            prop_assert!(timers.next().is_none_or(|(at, _)| at > Timestamp::from_micros(now)));
        }
    }
}
