//! The corpora are replayed by the ordinary tests: what a fuzzer once found interesting stays right.
#![allow(
    clippy::missing_assert_message,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use simplechat_fuzz_checks::TARGETS;

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What is in a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn replay(target: &str) {
    let (_, check) = TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let corpus = files(&fuzz_folder().join("corpus").join(target));
    assert!(corpus.len() >= 10, "{} files for {target}", corpus.len());
    for file in corpus {
        // Shown only if the check fails: which file to look at.
        eprintln!("{}", file.display());
        check(&fs::read(file).unwrap());
    }
    check(&[]);
}

macro_rules! replayed {
    ($($target:ident),+) => {
        const REPLAYED: &[&str] = &[$(stringify!($target)),+];
        $(
            #[test]
            fn $target() {
                replay(stringify!($target));
            }
        )+
    };
}

replayed!(
    clean,
    client,
    command_line,
    credentials,
    deframer,
    handshake,
    items,
    recording,
    round_trip,
    sealed,
    server,
    settings,
    world
);

#[test]
fn every_check_is_a_target_and_is_replayed() {
    let checks: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let replayed: BTreeSet<_> = REPLAYED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(replayed, checks);
    let stems = |folder: &str| -> BTreeSet<_> {
        files(&fuzz_folder().join(folder))
            .iter()
            .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(stems("corpus"), checks);
    assert_eq!(stems("fuzz_targets"), checks);
    let manifest = fs::read_to_string(fuzz_folder().join("Cargo.toml")).unwrap();
    for name in checks {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")));
    }
}
