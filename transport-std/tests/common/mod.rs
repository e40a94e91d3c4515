//! What the tests of the driver share: a machine that does what a test wants, and a driver that runs it.
//!
//! The machine has a protocol only as far as a test gives it one, which is also the proof that the driver knows none.
//! Nothing here sleeps to let something happen: what a test waits for either comes or fails the test after
//! [`PATIENCE`].
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod contract;
pub(crate) mod peer;
pub(crate) mod toy;
pub(crate) mod world;

use std::time::{Duration, Instant};

/// How long anything may take that is certain to come. Far longer than it ever should on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something that no event announces.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "it never came to be: {what}");
        std::thread::yield_now();
    }
}
