//! How long to wait before trying again: twice as long after each failure, up to a bound, with jitter.

use core::time::Duration;

use crate::rng::Rng;

/// Counts failures in a row and says how long to wait after each.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
        }
    }

    /// Counts a failure and gives the wait that follows it: at least half of the full one.
    pub(crate) fn after_failure(&mut self, rng: &mut Rng) -> Duration {
        let doublings = self.failures.min(20);
        self.failures = self.failures.saturating_add(1);
        let full = self.first.saturating_mul(1 << doublings).min(self.longest);
        rng.jitter(full)
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last success.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut rng = Rng::new([0; 32]);
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(8));
        for full in [1, 2, 4, 8, 8, 8] {
            let wait = backoff.after_failure(&mut rng);
            let full = Duration::from_secs(full);
            assert!(wait >= full / 2 && wait <= full, "{wait:?} for {full:?}");
        }
        backoff.reset();
        assert!(backoff.after_failure(&mut rng) <= Duration::from_secs(1));
    }

    #[test]
    fn a_thousand_failures_do_not_overflow() {
        let mut rng = Rng::new([0; 32]);
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        for _ in 0..1_000 {
            assert!(backoff.after_failure(&mut rng) <= Duration::from_secs(60));
        }
    }
}
