//! How often something may be done: a bucket of tokens that fills again as time passes.
//!
//! The bucket is kept as GCRA does (ITU-T I.371, the "generic cell rate algorithm"): not a count that somebody would have
//! to refill, but the one time at which it will be full again. What is taken moves that time on; how much is there
//! follows from how far off it is. So a bucket is one number beside its rate, nothing happens while nobody takes, and
//! nothing is ever rounded.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What a bucket holds, and how fast it fills.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rate {
    /// Tokens in a full bucket: so much may be done at once.
    pub burst: u32,
    /// In this time one token comes back.
    pub interval: Duration,
}

impl Rate {
    /// So many at once, and so many a second from then on.
    #[must_use]
    pub fn per_second(burst: u32, tokens: u32) -> Self {
        Self::within(burst, tokens, Duration::from_secs(1))
    }

    /// So many a minute, which may come all at once.
    #[must_use]
    pub fn per_minute(tokens: u32) -> Self {
        Self::within(tokens, tokens, Duration::from_secs(60))
    }

    /// The time is in whole microseconds, as clocks are: above a million a second there is no limit.
    fn within(burst: u32, tokens: u32, time: Duration) -> Self {
        let micros = (time / tokens.max(1)).as_micros();
        let interval = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        Self { burst, interval }
    }

    /// How long it takes until so many tokens have come.
    #[must_use]
    pub const fn time_for(&self, tokens: u32) -> Duration {
        self.interval.saturating_mul(tokens)
    }
}

/// A bucket of tokens, full at first. Its rate is given each time, so that a thousand buckets share one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bucket {
    full_at: Timestamp,
}

impl Bucket {
    /// Takes a token.
    ///
    /// # Errors
    ///
    /// How long to wait for the next one, when there is none.
    pub fn take(&mut self, now: Timestamp, rate: &Rate) -> Result<(), Duration> {
        self.check(now, rate)?;
        self.draw(now, rate, 1);
        Ok(())
    }

    /// Looks whether there is a token.
    ///
    /// # Errors
    ///
    /// How long to wait for the next one, when there is none.
    pub fn check(&self, now: Timestamp, rate: &Rate) -> Result<(), Duration> {
        // One token is there when all the others have still to come.
        let others = rate.time_for(rate.burst.saturating_sub(1));
        let missing = self.full_at.since(now).saturating_sub(others);
        if missing.is_zero() {
            Ok(())
        } else {
            Err(missing)
        }
    }

    /// Takes so many tokens, whether they are there or not: for what is only known, or only makes sense, as a whole. To be
    /// called after [`Self::check`], so that a bucket in debt gives nothing until it has come out of it.
    pub fn draw(&mut self, now: Timestamp, rate: &Rate, tokens: u32) {
        self.full_at = self.full_at.max(now) + rate.time_for(tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The obvious bucket: a count in microseconds' worth of tokens, filled up as time passes.
    struct Model {
        rate: Rate,
        last: Timestamp,
        level: i128,
    }

    impl Model {
        fn new(rate: Rate) -> Self {
            Self {
                rate,
                last: Timestamp::ZERO,
                level: Self::worth(rate.burst, rate),
            }
        }

        fn worth(tokens: u32, rate: Rate) -> i128 {
            i128::try_from(rate.interval.as_micros()).unwrap() * i128::from(tokens)
        }

        fn fill(&mut self, now: Timestamp) {
            let elapsed = i128::try_from(now.since(self.last).as_micros()).unwrap();
            self.last = now;
            self.level = (self.level + elapsed).min(Self::worth(self.rate.burst, self.rate));
        }

        /// How long it takes until there is a token.
        fn missing(&self) -> Duration {
            let missing = Self::worth(1, self.rate) - self.level;
            Duration::from_micros(u64::try_from(missing.max(0)).unwrap())
        }
    }

    #[test]
    fn a_burst_then_one_for_each_that_comes_back() {
        let rate = Rate::per_second(3, 10);
        let mut bucket = Bucket::default();
        let at = Timestamp::from_millis;
        for _ in 0..3 {
            assert_eq!(bucket.take(at(0), &rate), Ok(()));
        }
        assert_eq!(bucket.take(at(0), &rate), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(at(99), &rate), Err(Duration::from_millis(1)));
        assert_eq!(bucket.take(at(100), &rate), Ok(()));
        assert_eq!(bucket.take(at(100), &rate), Err(Duration::from_millis(100)));
    }

    #[test]
    fn a_debt_is_made_once_and_paid_back() {
        let rate = Rate::per_second(5, 1);
        let mut bucket = Bucket::default();
        let at = Timestamp::from_secs;
        assert_eq!(bucket.check(at(0), &rate), Ok(()));
        bucket.draw(at(0), &rate, 8);
        assert_eq!(bucket.check(at(0), &rate), Err(Duration::from_secs(4)));
        assert_eq!(bucket.check(at(4), &rate), Ok(()));
    }

    #[test]
    fn rates_are_as_they_say() {
        let interval = |rate: Rate| rate.interval;
        assert_eq!(interval(Rate::per_minute(240)), Duration::from_millis(250));
        assert_eq!(interval(Rate::per_second(1, 500)), Duration::from_millis(2));
        let none = Rate::per_second(1, u32::MAX);
        let mut bucket = Bucket::default();
        for _ in 0..1_000 {
            assert_eq!(bucket.take(Timestamp::ZERO, &none), Ok(()));
        }
    }

    #[test]
    fn the_longest_times_do_not_overflow() {
        let rate = Rate {
            burst: u32::MAX,
            interval: Duration::MAX,
        };
        let mut bucket = Bucket::default();
        bucket.draw(Timestamp::from_micros(u64::MAX), &rate, u32::MAX);
        assert_eq!(bucket.take(Timestamp::ZERO, &rate), Ok(()));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Pass(u64),
        Take,
        Overdraw(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0u64..3_000).prop_map(Step::Pass),
            Just(Step::Take),
            (0u32..20).prop_map(Step::Overdraw),
        ]
    }

    proptest! {
        /// Whatever is taken when: the bucket gives and refuses what the obvious one does, and says the time of the next
        /// token to the microsecond.
        #[test]
        fn it_is_the_obvious_bucket(
            burst in 1u32..10,
            interval in 1u64..2_000,
            steps in prop::collection::vec(step(), 0..200),
        ) {
            let interval = Duration::from_micros(interval);
            let rate = Rate { burst, interval };
            let mut bucket = Bucket::default();
            let mut model = Model::new(rate);
            let mut now = Timestamp::from_secs(1);
            for step in steps {
                model.fill(now);
                let missing = model.missing();
                let expected = if missing.is_zero() { Ok(()) } else { Err(missing) };
                match step {
                    Step::Pass(micros) => now = now + Duration::from_micros(micros),
                    Step::Take => {
                        prop_assert_eq!(bucket.take(now, &rate), expected);
                        if expected.is_ok() {
                            model.level -= Model::worth(1, rate);
                        }
                    }
                    Step::Overdraw(tokens) => {
                        prop_assert_eq!(bucket.check(now, &rate), expected);
                        if expected.is_ok() {
                            bucket.draw(now, &rate, tokens);
                            model.level -= Model::worth(tokens, rate);
                        }
                    }
                }
            }
        }

        /// In no stretch of time are there more than a burst and what came back in it.
        #[test]
        fn no_stretch_of_time_has_more_than_it_may(
            burst in 1u32..10,
            pauses in prop::collection::vec(0u64..300, 0..100),
        ) {
            let rate = Rate { burst, interval: Duration::from_micros(100) };
            let mut bucket = Bucket::default();
            let mut now = Timestamp::ZERO;
            let mut taken = std::vec::Vec::new();
            for pause in pauses {
                now = now + Duration::from_micros(pause);
                if bucket.take(now, &rate).is_ok() {
                    taken.push(now);
                }
            }
            for (first, from) in taken.iter().enumerate() {
                for (count, to) in taken[first..].iter().enumerate() {
                    let back = to.since(*from).as_micros() / 100;
                    prop_assert!(u128::try_from(count).unwrap() < u128::from(burst) + back);
                }
            }
        }
    }
}
