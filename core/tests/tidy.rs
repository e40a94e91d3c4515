//! What every source file keeps to, so that a newcomer finds the same order everywhere.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::fs;
use std::path::{Path, PathBuf};

/// Think again about what lives in a longer file.
const LINES_MAX: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for member in ["core", "transport-async", "transport-std", "cli", "fuzz"] {
        collect(&root().join(member), &mut found);
    }
    assert!(found.len() > 50, "the sources are found");
    found
}

fn collect(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                collect(&path, found);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let name = path.display().to_string().replace('\\', "/");
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    for (name, source) in sources() {
        assert!(source.starts_with("//! "), "{name}");
    }
}

#[test]
fn no_file_is_long() {
    for (name, source) in sources() {
        let lines = source.lines().count();
        assert!(lines <= LINES_MAX, "{name} has {lines} lines");
    }
}

/// The compiler holds this where `no_std` reaches; here it is held that nothing reaches around it.
#[test]
fn the_core_has_no_door_to_the_outside_world() {
    let mut doors = 0;
    for (name, source) in sources() {
        if !name.contains("core/src/") {
            continue;
        }
        if name.ends_with("core/src/lib.rs") {
            assert!(source.contains("\n#![no_std]\n"), "{name}");
            assert!(source.contains("#![forbid(unsafe_code)]"), "{name}");
            assert!(source.contains("#[cfg(test)]\nextern crate std;"), "{name}");
            doors += source.matches("extern crate std").count();
        } else {
            doors += source.matches("extern crate std").count();
            assert!(!source.contains("std::net::Tcp"), "{name}");
        }
    }
    assert_eq!(doors, 1, "only tests see std");
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [
        "to".to_owned() + "do!(",
        "unimpl".to_owned() + "emented!(",
        "FIX".to_owned() + "ME",
    ];
    for (name, source) in sources() {
        for mark in &marks {
            assert!(!source.contains(mark.as_str()), "{name}: {mark}");
        }
        assert!(!source.contains(&("#[ign".to_owned() + "ore")), "{name}");
    }
}
