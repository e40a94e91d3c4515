//! The clocks of the machines: times come in as values, so the same inputs give the same run everywhere.
//!
//! [`Timestamp`] orders events and drives deadlines; [`WallTime`] is only ever shown to people. A driver reads both at
//! once and hands them in as a [`Moment`].

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// Microseconds on a clock that never goes back and counts on while the machine sleeps; its zero means nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The clock's own zero.
    pub const ZERO: Self = Self(0);

    /// A time so many microseconds after the clock's zero.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A time so many milliseconds after the clock's zero.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// A time so many seconds after the clock's zero.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the clock's zero.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; nothing if it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates: a deadline beyond the clock's range never comes.
    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(micros))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// Milliseconds since 1970 in UTC, for people to read. It may jump, back too, so nothing is ever decided by it alone.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct WallTime(pub u64);

/// Both clocks, read at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Moment {
    /// What deadlines are measured by.
    pub at: Timestamp,
    /// What people are shown.
    pub wall: WallTime,
}

/// Whole seconds in `duration`, rounded up: "try again in 1 s" must not be said when 1.4 s are left.
#[must_use]
pub fn whole_secs_up(duration: Duration) -> u32 {
    let secs = duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0));
    u32::try_from(secs).unwrap_or(u32::MAX)
}

/// Whole milliseconds in `duration`, rounded up.
#[must_use]
pub fn whole_millis_up(duration: Duration) -> u32 {
    let millis = duration.as_nanos().div_ceil(1_000_000);
    u32::try_from(millis).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let late = Timestamp::from_micros(u64::MAX - 1);
        assert_eq!(
            late + Duration::from_secs(9),
            Timestamp::from_micros(u64::MAX)
        );
        assert_eq!(
            Timestamp::from_secs(1) - Duration::from_secs(9),
            Timestamp::ZERO
        );
        assert_eq!(Timestamp::ZERO.since(late), Duration::ZERO);
    }

    #[test]
    fn what_is_whole_is_rounded_up() {
        assert_eq!(whole_secs_up(Duration::from_millis(1_400)), 2);
        assert_eq!(whole_secs_up(Duration::from_secs(2)), 2);
        assert_eq!(whole_secs_up(Duration::MAX), u32::MAX);
        assert_eq!(whole_millis_up(Duration::from_micros(1_001)), 2);
        assert_eq!(whole_millis_up(Duration::from_millis(2)), 2);
        assert_eq!(whole_millis_up(Duration::MAX), u32::MAX);
    }
}
