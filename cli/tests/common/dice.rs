//! Chance from a seed, for tests that do something at moments that nobody has chosen.

use std::env;
use std::thread;
use std::time::{Duration, Instant};

/// Numbers from a seed (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// Lets up to 5 ms go by.
    pub(crate) fn pause(&mut self) {
        let moment = Instant::now() + Duration::from_micros(self.below(5_000));
        while Instant::now() < moment {
            thread::yield_now();
        }
    }
}

/// What a variable says, or the default.
pub(crate) fn number_of(variable: &str, default: u64) -> u64 {
    let given = env::var(variable).ok();
    given.map_or(default, |text| text.parse().unwrap())
}
