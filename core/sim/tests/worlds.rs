//! Everything promised holds in random worlds, and in those in which it once did not.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::fs;
use std::path::Path;

use simplechat_sim::trials::{generate, plan::Plan, trial};

fn hold(name: &str, plan: &Plan) {
    if let Err(violation) = trial::run(plan, None, None) {
        panic!("{name}: {violation}");
    }
}

/// A few at a time, so that they run at once.
fn hold_all(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        hold(&format!("seed {seed}"), &generate::plan(seed));
    }
}

#[test]
fn promises_hold_in_a_hundred_worlds() {
    hold_all(0..100);
}

#[test]
fn promises_hold_in_another_hundred_worlds() {
    hold_all(100..200);
}

#[test]
fn promises_hold_where_they_once_did_not() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut plans = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let plan = ron::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        hold(&path.display().to_string(), &plan);
        plans += 1;
    }
    assert!(plans > 0, "there are plans to run again");
}

fn trace(seed: u64) -> String {
    let mut trace = String::new();
    let mut listener = |line: &str| {
        trace.push_str(line);
        trace.push('\n');
    };
    let plan = generate::plan(seed);
    trial::run(&plan, None, Some(&mut listener)).unwrap();
    trace
}

#[test]
fn the_same_seed_is_the_same_world() {
    for seed in 0..5 {
        assert_eq!(trace(seed), trace(seed), "seed {seed}");
    }
    assert_ne!(trace(0), trace(1));
}

#[test]
fn a_plan_survives_being_written() {
    let plan = generate::plan(7);
    assert_eq!(ron::from_str::<Plan>(&plan.to_ron()).unwrap(), plan);
}

/// A world that fails is cut down to a few steps that fail alike.
#[test]
fn shrinking_keeps_what_fails() {
    use simplechat_sim::trials::{faults::Fault, shrink};
    let fault = Some(Fault::ShowTwice);
    let (plan, violation) = (0..)
        .map(generate::plan)
        .find_map(|plan| Some((plan.clone(), trial::run(&plan, fault, None).err()?)))
        .unwrap();
    let (small, still) = shrink::shrink(&plan, &violation, fault);
    assert_eq!(still.promise, violation.promise);
    assert!(small.steps.len() <= 4, "{}", small.to_ron());
}
