//! A real client is killed (SIGKILL) again and again under load: what it has acknowledged is in its history once and in order,
//! and what it has taken from its user arrives once and in order.
//!
//! `SIMPLECHAT_KILLS` says how often, `SIMPLECHAT_KILLS_SEED` at which moments (as far as threads and disks let them be the
//! same).
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::dice::{Dice, number_of};
use common::{Process, Server, folder};

/// Messages of each kind that are written between two kills.
const EACH: u64 = 12;
/// Kills of one client. With more, what carol writes while she cannot find alice for long would be more than may wait.
const IN_A_ROW: u64 = 50;

/// Where the client keeps what it keeps.
fn store(device: &Path) -> PathBuf {
    let entries = fs::read_dir(device).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    paths.find(|path| path.is_dir()).unwrap()
}

/// By author, conversation and way, the numbers in the texts of a history, in its order.
fn history(alice: &mut Process) -> BTreeMap<String, Vec<u64>> {
    let file = folder().join("history");
    alice.types(&format!("export json {}", file.display()));
    alice.sees(&format!("{} has ", file.display()));
    let mut numbers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in fs::read_to_string(file).unwrap().lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        let of = |key: &str| message[key].as_str().unwrap_or("alice").to_owned();
        let route = format!("{} {} {}", of("from"), of("with"), of("route"));
        let number = message["text"].as_str().unwrap().strip_prefix("number ");
        let numbers = numbers.entry(route).or_default();
        numbers.push(number.unwrap().parse().unwrap());
        if message["from"].is_null() {
            assert_ne!(message["state"], "waiting", "{line}");
        }
    }
    numbers
}

/// The numbers that somebody was shown of alice, in order.
fn shown(reader: &Process, how: &str) -> Vec<u64> {
    let lines = reader.all_with(&format!("] alice{how}: number "));
    let number = |line: &str| line.rsplit(' ').next().unwrap().parse().unwrap();
    lines.into_iter().map(number).collect()
}

fn words(client: &Process, word: &str) -> u64 {
    u64::try_from(client.all_with(word).len()).unwrap()
}

#[test]
fn a_client_that_is_killed_loses_nothing_and_has_nothing_twice() {
    let mut kills = number_of("SIMPLECHAT_KILLS", 10);
    let mut dice = Dice::new(number_of("SIMPLECHAT_KILLS_SEED", 1));
    while kills > 0 {
        let here = kills.min(IN_A_ROW);
        world(here, &mut dice);
        kills -= here;
    }
}

/// Everybody writes this number to everybody in each way.
fn write(number: u64, alice: &mut Process, bob: &mut Process, carol: &mut Process) {
    bob.types(&format!("message alice number {number}"));
    carol.types(&format!("private alice number {number}"));
    for way in [
        "message bob",
        "message dave",
        "private carol",
        "private dave",
    ] {
        alice.types(&format!("{way} number {number}"));
    }
}

/// A client that is killed so often, with those who write to it.
#[allow(clippy::too_many_lines, reason = "one story")]
fn world(kills: u64, dice: &mut Dice) {
    let server = Server::start(&[
        "operations_burst=1000000",
        "handshakes_per_minute=1000000",
        "handshakes_per_minute_returning=1000000",
        "mailbox_messages=1000000",
        "mailbox_bytes=1073741824",
        // Some of what alice gets goes through the store, and some does not.
        "store_after=2ms",
        "log=error",
    ]);
    let device = folder().join("client");
    let (mut bob, mut carol) = (server.join("bob"), server.join("carol"));
    let mut alice = server.join_on(&device, "alice", &[]);
    common::introduce(&mut carol, "carol", &mut alice, "alice");
    let daves = folder().join("client");
    let mut dave = server.join_on(&daves, "dave", &[]);
    common::introduce_for_good(&mut alice, "alice", &mut dave, "dave");
    dave.types("logout");
    assert_eq!(dave.ends(), 0);
    let (mut written, mut told) = (0, 0);
    for kill in 0..kills {
        for _ in 0..EACH {
            written += 1;
            write(written, &mut alice, &mut bob, &mut carol);
        }
        // In the middle of it, or before anything has come.
        if dice.below(5) > 0 {
            while told < written - dice.below(EACH) {
                bob.sees_one_of(&FINAL);
                told += 1;
            }
        }
        dice.pause();
        alice.kill();
        let sound = simplechat_store::client::check(&store(&device));
        assert!(sound.is_ok(), "after kill {kill}: {sound:?}");
        alice = server.join_on(&device, "alice", &[]);
    }
    // The last of each, which no kill has overtaken.
    written += 1;
    write(written, &mut alice, &mut bob, &mut carol);
    while told < written {
        bob.sees_one_of(&FINAL);
        told += 1;
    }
    bob.sees(&format!("] alice: number {written}"));
    carol.sees(&format!("] alice privately: number {written}"));
    alice.sees_all(&[
        &format!("] bob: number {written}"),
        &format!("] carol privately: number {written}"),
    ]);
    // She and dave are never there together: what she writes to him is left at the server, some of it sealed, and so is what he has.
    let last = format!("privately (kept by the server): number {written}");
    alice.asks_until("history dave 1", "you > dave ", &last);
    alice.kill();
    let mut dave = server.join_on(&daves, "dave", &[]);
    dave.sees_all(&[
        &format!("] alice: number {written}"),
        &format!("] alice privately: number {written}"),
    ]);
    dave.types("logout");
    assert_eq!(dave.ends(), 0);
    alice = server.join_on(&device, "alice", &[]);
    for _ in shown(&dave, " privately") {
        alice.sees("  delivered to dave, privately");
    }
    let history = history(&mut alice);
    let all: Vec<_> = (1..=written).collect();
    assert_eq!(history["bob bob server"], all);
    assert_eq!(history["carol carol private"], all);
    // What was typed just before a kill may not have been read.
    assert_eq!(history["alice bob server"], shown(&bob, ""));
    assert_eq!(history["alice carol private"], shown(&carol, " privately"));
    assert_eq!(history["alice dave server"], shown(&dave, ""));
    assert_eq!(history["alice dave private"], shown(&dave, " privately"));
    for numbers in history.values() {
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        assert_eq!(numbers.last(), Some(&written));
    }
    assert_eq!(
        FINAL.map(|word| words(&bob, word)).iter().sum::<u64>(),
        written
    );
}

/// The final words on bob's messages.
const FINAL: [&str; 2] = ["  kept for alice", "  delivered to alice"];
