//! The clocks of this machine, read as the [`Moment`] that the machines are handed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use simplechat_core::time::{Moment, Timestamp, WallTime};

/// Reads both clocks. All clocks of a process agree, so a machine may be made with the time of one and run by a driver,
/// which has its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock;

impl Clock {
    /// Both clocks, now.
    #[must_use]
    pub fn now(self) -> Moment {
        Moment {
            at: self.timestamp(),
            wall: wall_time(),
        }
    }

    /// The clock that deadlines are measured by, now: it never goes back and, on Linux, counts on during suspend.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        Timestamp::ZERO + elapsed()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn elapsed() -> Duration {
    let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(since_boot).expect("the time since boot is not negative")
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn elapsed() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
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
        let clock = Clock;
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
        let WallTime(millis) = Clock.now().wall;
        let year = 1970 + millis / (365 * 24 * 3_600 * 1_000);
        assert!(
            (2024..2200).contains(&year),
            "it seems to be the year {year}"
        );
    }
}
