//! The sliding window that takes each frame of a session once, in whatever order they arrive (RFC 6479).

use crate::limits::REPLAY_WINDOW;

const WORD_BITS: u64 = 64;
/// One word more than the window, so that advancing can clear a whole word without losing any of the window.
const WORDS: u64 = REPLAY_WINDOW / WORD_BITS + 1;
const RING: usize = 33;
const _: () = assert!(WORDS == 33, "the ring has a place for each word");

/// Which frame counters were seen.
#[derive(Clone)]
pub(super) struct ReplayWindow {
    /// One above the highest counter seen.
    next: u64,
    /// A ring of bits, one a counter.
    seen: [u64; RING],
}

impl ReplayWindow {
    pub(super) const fn new() -> Self {
        Self {
            next: 0,
            seen: [0; RING],
        }
    }

    /// Whether a counter is new. Does not mark it: that waits until the frame is known to be genuine.
    pub(super) fn is_new(&self, counter: u64) -> bool {
        if counter >= self.next {
            return counter < u64::MAX;
        }
        if self.next - counter > REPLAY_WINDOW {
            return false;
        }
        let (word, bit) = Self::place(counter);
        self.seen.get(word).is_some_and(|bits| bits & bit == 0)
    }

    /// Marks the counter of a genuine frame as seen.
    pub(super) fn mark(&mut self, counter: u64) {
        if counter >= self.next {
            self.forget_between(self.next, counter);
            self.next = counter.saturating_add(1);
        }
        let (word, bit) = Self::place(counter);
        if let Some(bits) = self.seen.get_mut(word) {
            *bits |= bit;
        }
    }

    /// Clears the words that counters after `next`, up to `counter`, are the first to use.
    fn forget_between(&mut self, next: u64, counter: u64) {
        let newest = next.checked_sub(1).map_or(0, |newest| newest / WORD_BITS);
        let first_fresh = if next == 0 { 0 } else { newest + 1 };
        let last = counter / WORD_BITS;
        // Clearing every word once clears the ring.
        for word in first_fresh.max((last + 1).saturating_sub(WORDS))..=last {
            if let Some(bits) = self.seen.get_mut(Self::ring(word)) {
                *bits = 0;
            }
        }
    }

    fn place(counter: u64) -> (usize, u64) {
        (Self::ring(counter / WORD_BITS), 1 << (counter % WORD_BITS))
    }

    fn ring(word: u64) -> usize {
        usize::try_from(word % WORDS).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    /// The obvious truth: seen before, or too far behind.
    #[derive(Default)]
    struct Model {
        seen: BTreeSet<u64>,
    }

    impl Model {
        fn is_new(&self, counter: u64) -> bool {
            let next = self.seen.last().map_or(0, |highest| highest + 1);
            !self.seen.contains(&counter) && (counter >= next || next - counter <= REPLAY_WINDOW)
        }
    }

    proptest! {
        #[test]
        fn a_counter_is_taken_once(steps in prop::collection::vec((0u64..6_000, 0u64..3_000), 0..200)) {
            let mut window = ReplayWindow::new();
            let mut model = Model::default();
            let mut base = 0;
            for (ahead, behind) in steps {
                base = (base + ahead / 4).max(1);
                let counter = base.saturating_sub(behind);
                prop_assert_eq!(window.is_new(counter), model.is_new(counter), "counter {}", counter);
                if window.is_new(counter) {
                    window.mark(counter);
                    model.seen.insert(counter);
                }
            }
        }
    }

    #[test]
    fn the_edge_of_the_window_is_exact() {
        let mut window = ReplayWindow::new();
        window.mark(REPLAY_WINDOW + 9);
        assert!(window.is_new(10));
        assert!(!window.is_new(9));
    }

    #[test]
    fn the_last_counter_is_never_used() {
        assert!(!ReplayWindow::new().is_new(u64::MAX));
    }
}
