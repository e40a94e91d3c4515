//! That no thread is lost. They are the whole process's, so this is a test binary of its own.
#![cfg(target_os = "linux")]

use std::fs;

use simplechat_conformance::toy::passive;
use simplechat_conformance::world::World;
use simplechat_conformance::{Toy, eventually};
use simplechat_transport_std::{Driver, Options};

/// The threads of drivers: the test runner's own come and go.
fn threads() -> usize {
    fs::read_dir("/proc/self/task")
        .expect("Linux has this folder")
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.starts_with("worker-") || name.trim() == "poll")
        .count()
}

#[test]
fn a_driver_has_its_threads_and_loses_none() {
    let options = Options {
        worker_threads: 5,
        ..Options::default()
    };
    for _ in 0..3 {
        let stopped = World::<Driver<Toy>>::start(options.clone(), passive());
        let abandoned = World::<Driver<Toy>>::start(options.clone(), passive());
        // A thread takes its name when it runs for the first time, and leaves the list a moment after it was joined.
        eventually("the threads are there", || threads() == 2 * (5 + 1));
        stopped.stop();
        abandoned.abandon();
        eventually("the threads are gone", || threads() == 0);
    }
}
