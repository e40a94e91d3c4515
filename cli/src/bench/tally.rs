//! What is counted while users are at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;

use super::verify::Faults;

/// In microseconds: an hour, with three digits that count.
const LONGEST: u64 = 3_600_000_000;
const DIGITS: u8 = 3;

/// Seen from outside while it goes on.
#[derive(Debug, Default)]
pub(super) struct Meter {
    done: AtomicU64,
}

impl Meter {
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }
}

/// How long things took.
#[derive(Debug)]
pub(super) struct Times(Histogram<u64>);

impl Times {
    pub(super) fn new() -> Self {
        let histogram = Histogram::new_with_max(LONGEST, DIGITS);
        Self(histogram.expect("these bounds are sound"))
    }

    pub(super) fn add(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In microseconds: so many percent took no longer.
    pub(super) fn percentile(&self, percent: f64) -> u64 {
        self.0.value_at_percentile(percent)
    }

    pub(super) fn max(&self) -> u64 {
        self.0.max()
    }
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Tally {
    meter: Arc<Meter>,
    is_counting: bool,
    /// What was done while it was measured.
    pub(super) done: u64,
    /// How long each of these took.
    pub(super) times: Times,
    /// Messages that were sent, measured or not.
    pub(super) sent: u64,
    /// What the server or a client refused.
    pub(super) refused: u64,
    /// How often the server put off what a user wished, because it was too much at once.
    pub(super) slowed: u64,
    /// How often a session broke, or the server could not be reached.
    pub(super) breaks: u64,
    /// How much later than due the tool itself was, at most.
    pub(super) late: Duration,
    /// What was fetched after the end of the measurement, and how long that took in all.
    pub(super) fetched: Option<(u64, Duration)>,
    pub(super) faults: Faults,
}

impl Tally {
    pub(super) fn new(meter: Arc<Meter>) -> Self {
        Self {
            meter,
            is_counting: false,
            done: 0,
            times: Times::new(),
            sent: 0,
            refused: 0,
            slowed: 0,
            breaks: 0,
            late: Duration::ZERO,
            fetched: None,
            faults: Faults::default(),
        }
    }

    pub(super) fn begin(&mut self) {
        self.is_counting = true;
    }

    pub(super) fn halt(&mut self) {
        self.is_counting = false;
    }

    /// Something was done, which took so long.
    pub(super) fn count(&mut self, time: Duration) {
        if self.is_counting {
            self.meter.count();
            self.done += 1;
            self.times.add(time);
        }
    }
}
