//! Callers: how often strangers may begin a handshake with this client.
//!
//! A handshake costs a public-key operation even if its caller does not know this client's key, and anybody can ask for one. So
//! they are counted before that, by [`Source`] and in all. Whoever is refused tries again by themselves, if they are a peer. What comes
//! in a session is not counted here.

use crate::limits::GREETING_SOURCES_MAX;
use crate::lru::LruMap;
use crate::rate::{Bucket, Rate};
use crate::source::Source;
use crate::time::Timestamp;

/// Handshakes in a minute from one source. Peers behind one address share them.
const OF_SOURCE_PER_MINUTE: u32 = 120;
/// Handshakes in a minute from everywhere.
const IN_ALL_PER_MINUTE: u32 = 1_200;

/// Counts who calls.
#[derive(Debug)]
pub(super) struct Callers {
    of_source: LruMap<Source, Bucket>,
    in_all: Bucket,
}

impl Callers {
    pub(super) fn new() -> Self {
        Self {
            of_source: LruMap::new(GREETING_SOURCES_MAX),
            in_all: Bucket::default(),
        }
    }

    /// How many sources it remembers.
    pub(super) fn len(&self) -> usize {
        self.of_source.len()
    }

    /// Whether a handshake may begin, which is counted then. One source that calls too often takes nothing from others.
    pub(super) fn admit(&mut self, now: Timestamp, source: Source) -> bool {
        let in_all = Rate::per_minute(IN_ALL_PER_MINUTE);
        let of_source = Rate::per_minute(OF_SOURCE_PER_MINUTE);
        if self.in_all.check(now, &in_all).is_err() {
            return false;
        }
        let bucket = self.of_source.entry(source, Bucket::default);
        if bucket.take(now, &of_source).is_err() {
            return false;
        }
        self.in_all.draw(now, &in_all, 1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    const NOW: Timestamp = Timestamp::from_secs(9);

    fn source(number: u32) -> Source {
        Source::of(Ipv4Addr::from_bits(number).into())
    }

    /// How often a source is let in until it is refused.
    fn calls(callers: &mut Callers, now: Timestamp, from: u32) -> usize {
        (0..10_000)
            .take_while(|_| callers.admit(now, source(from)))
            .count()
    }

    #[test]
    fn each_source_and_all_together_have_a_budget_that_comes_back() {
        let mut callers = Callers::new();
        for from in 0..10 {
            assert_eq!(calls(&mut callers, NOW, from), 120, "{from}");
        }
        assert_eq!(calls(&mut callers, NOW, 10), 0, "nobody has any left");
        let later = Timestamp::from_secs(10);
        assert_eq!(calls(&mut callers, later, 0), 2);
        assert_eq!(calls(&mut callers, later, 10), 18);
    }

    #[test]
    fn who_calls_too_often_takes_nothing_from_others() {
        let mut callers = Callers::new();
        for _ in 0..100_000 {
            callers.admit(NOW, source(0));
        }
        assert_eq!(calls(&mut callers, NOW, 1), 120);
    }

    #[test]
    fn a_flood_of_sources_does_not_grow_the_table() {
        let mut callers = Callers::new();
        for number in 0..u64::try_from(2 * GREETING_SOURCES_MAX).unwrap() {
            callers.admit(
                Timestamp::from_secs(number),
                source(u32::try_from(number).unwrap()),
            );
        }
        assert_eq!(callers.len(), GREETING_SOURCES_MAX);
    }
}
