//! The clocks of this machine, read as the [`Moment`] that the machines are handed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use simplechat_core::time::{Moment, Timestamp, WallTime};

/// Reads both clocks. Copies of one clock agree; two clocks made apart need not.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    started: std::time::Instant,
}

impl Clock {
    /// A clock that is ready to be read.
    #[must_use]
    #[allow(
        clippy::new_without_default,
        reason = "a default suggests that all of them agree"
    )]
    pub fn new() -> Self {
        Self {
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            started: std::time::Instant::now(),
        }
    }

    /// Both clocks, now.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment {
            at: self.timestamp(),
            wall: wall_time(),
        }
    }

    /// The clock that deadlines are measured by, now: it never goes back and, on Linux, counts on during suspend.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        Timestamp::ZERO + self.elapsed()
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[allow(clippy::unused_self, reason = "elsewhere the clock has a start")]
    fn elapsed(&self) -> Duration {
        let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::try_from(since_boot).expect("the time since boot is not negative")
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Before 1970 it is 1970: this is only shown.
fn wall_time() -> WallTime {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    WallTime(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_and_never_back() {
        let clock = Clock::new();
        let start = clock.timestamp();
        let mut last = start;
        while last.since(start) < Duration::from_millis(2) {
            let now = clock.timestamp();
            assert!(now >= last, "{now:?} came after {last:?}");
            last = now;
        }
    }

    #[test]
    fn the_wall_clock_is_in_milliseconds_of_this_century() {
        let WallTime(millis) = Clock::new().now().wall;
        let year = 1970 + millis / (365 * 24 * 3_600 * 1_000);
        assert!(
            (2024..2200).contains(&year),
            "it seems to be the year {year}"
        );
    }
}
