//! Where chance comes from: a seeded generator for jitter and ids, and an injected source for what must stay secret.
//!
//! The two are apart so that a run can be recorded and replayed from its seed without the record holding a single key.

use core::fmt;
use core::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// The seeded generator of one machine. The same seed gives the same numbers on every machine.
pub(crate) struct Rng(ChaCha8Rng);

impl Rng {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha8Rng::from_seed(seed))
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// Between half of `duration` and all of it, evenly: keeps many waiting machines from moving in step.
    pub(crate) fn jitter(&mut self, duration: Duration) -> Duration {
        let half = duration / 2;
        let span = u64::try_from(half.as_micros())
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        half + Duration::from_micros(self.0.next_u64() % span)
    }
}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng")
    }
}

/// Gives bytes that nobody can guess: the operating system's generator in a program, a seeded one in tests.
pub trait SecretSource: fmt::Debug + Send {
    /// Fills all of `bytes`.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// Secrets that everybody can know who knows the seed: for tests and simulations, and for nothing else.
#[derive(Debug)]
pub struct SeededSecrets(Rng);

impl SeededSecrets {
    /// The same seed gives the same secrets.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        if let Some(start) = bytes.first_chunk_mut() {
            *start = seed.to_le_bytes();
        }
        Self(Rng::new(bytes))
    }
}

impl SecretSource for SeededSecrets {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.0.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_between_half_and_all() {
        let mut rng = Rng::new([7; 32]);
        let all = Duration::from_millis(100);
        for _ in 0..1_000 {
            let jittered = rng.jitter(all);
            assert!(
                jittered >= all / 2 && jittered <= all,
                "{jittered:?} is outside"
            );
        }
        assert_eq!(rng.jitter(Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        assert_eq!(Rng::new([1; 32]).bytes::<9>(), Rng::new([1; 32]).bytes());
        assert_ne!(Rng::new([1; 32]).bytes::<9>(), Rng::new([2; 32]).bytes());
    }
}
