//! Disks that are full, that can only be read, and that fail: what was said holds, what cannot be kept is refused or waits, and
//! all goes on when the disk does.
//!
//! File systems are made by `.ci/disks`; without them the tests that need one do nothing.
#![cfg(target_os = "linux")]
#![allow(
    clippy::missing_assert_message,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use common::device::{Device, fill};
use common::{ACCOUNTS, Process, Server, file, folder, run};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// A file system that `.ci/disks` makes.
fn disk(variable: &str) -> Option<PathBuf> {
    let disk = env::var_os(variable).map(PathBuf::from);
    if disk.is_none() {
        eprintln!("skipped: {variable} names no such file system");
    }
    disk
}

/// From now on every write of a process to a file fails, or no more so.
fn limit_files(process: &Process, most: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(process.id()).unwrap());
    let limit = Rlimit {
        current: most,
        maximum: None,
    };
    prlimit(pid, Resource::Fsize, limit).unwrap();
}

/// A server whose disk fails says so, refuses what it cannot keep, goes on with the rest, and keeps things again once the disk does.
fn a_server_fails_and_is_mended(
    mut server: Server,
    complaint: &str,
    fail: impl FnOnce(&Server),
    mend: impl FnOnce(&Server),
) {
    let (mut alice, mut carol) = (server.join("alice"), server.join("carol"));
    alice.types("message bob one");
    alice.sees("  kept for bob");
    fail(&server);
    alice.types("message bob two");
    server.process.sees(complaint);
    alice.sees(REFUSED);
    // What needs no store goes on.
    alice.types("message carol hi");
    carol.sees("alice: hi");
    mend(&server);
    server.process.sees(AGAIN);
    alice.types("message bob three");
    alice.sees("  kept for bob");
    server.process.kill();
    simplechat_store::check(server.data()).unwrap();
    server.start_again();
    let mut bob = server.join("bob");
    bob.sees("alice: one");
    bob.sees("alice: three");
    assert!(!bob.has_seen("alice: two"));
}

const REFUSED: &str = "  not sent to bob: the server cannot keep anything now";
const AGAIN: &str = "the store keeps what it is given again";

#[test]
fn a_server_whose_files_may_not_grow_refuses_and_goes_on_when_they_may() {
    a_server_fails_and_is_mended(
        Server::start(&[]),
        "disk I/O error",
        |server| limit_files(&server.process, Some(0)),
        |server| limit_files(&server.process, None),
    );
}

#[test]
fn a_server_on_a_full_disk_refuses_and_goes_on_when_it_is_emptied() {
    let Some(disk) = disk("SIMPLECHAT_SMALL_DISK") else {
        return;
    };
    let filler = disk.join("filler");
    a_server_fails_and_is_mended(
        Server::start_in(disk.join("data"), &[]),
        "database or disk is full",
        |_| fill(&filler),
        |_| fs::remove_file(&filler).unwrap(),
    );
}

/// `.ci/disks` takes writing away from a file system that has the data of a server.
#[test]
fn a_disk_that_can_only_be_read_is_named_and_the_server_does_not_start() {
    let Some(disk) = disk("SIMPLECHAT_READ_ONLY_DISK") else {
        return;
    };
    let accounts = file("credentials.txt", ACCOUNTS);
    let data = disk.join("data");
    let data = data.to_str().unwrap();
    let mut arguments = vec!["serve", "--listen", "127.0.0.1:0", "--data", data];
    arguments.extend(["--credentials", accounts.to_str().unwrap()]);
    let (code, _, errors) = run(&arguments, "");
    assert!(
        code == 1 && errors.contains("Read-only file system"),
        "{errors}"
    );
    // It can be looked at.
    let (code, said, errors) = run(&["store", "check", "--data", data], "");
    assert_eq!((code, &*errors), (0, ""), "{said}");
}

/// Somebody whose messages to bob have numbers.
struct Writer {
    client: Process,
    written: u64,
    /// Those of which the server has said that they are kept.
    kept: Vec<u64>,
}

impl Writer {
    /// Writes one, and gives whether it is kept.
    fn writes_one(&mut self) -> bool {
        self.written += 1;
        self.client
            .types(&format!("message bob number {}", self.written));
        let word = self.client.sees_one_of(&["  kept for bob", REFUSED]);
        let is_kept = word.contains("kept for bob");
        if is_kept {
            self.kept.push(self.written);
        }
        is_kept
    }

    fn writes_until_refused(&mut self) {
        while self.writes_one() {}
    }

    fn writes_until_kept(&mut self, server: &mut Server) {
        while !self.writes_one() {
            server.process.sees(AGAIN);
        }
    }
}

/// The numbers in what somebody was shown of somebody, in order.
fn shown(reader: &Process, author: &str) -> Vec<u64> {
    let lines = reader.all_with(&format!("] {author}: number "));
    let number = |line: &str| line.rsplit(' ').next().unwrap().parse().unwrap();
    lines.into_iter().map(number).collect()
}

#[test]
fn a_server_whose_device_fails_keeps_its_word() {
    let Some(device) = Device::find() else {
        return;
    };
    let settings = [
        "heartbeat_interval=100ms",
        "timeout=60s",
        "store_after=10s",
        "operations_burst=1000000",
        "mailbox_sender_percent=100",
    ];
    let mut server = Server::start_in(device.disk.join("data"), &settings);
    let (client, mut carol) = (server.join("alice"), server.join("carol"));
    let mut alice = Writer {
        client,
        written: 0,
        kept: Vec::new(),
    };
    alice.writes_until_kept(&mut server);
    device.fails();
    alice.writes_until_refused();
    server.process.sees("disk I/O error");
    // What needs no store goes on.
    alice.client.types("message carol hi");
    carol.sees("alice: hi");
    device.is_mended();
    alice.writes_until_kept(&mut server);
    device.fails();
    alice.writes_until_refused();
    server.process.kill();
    device.is_mended();
    server.start_again();
    alice.client.sees("Logged in again as alice.");
    alice.writes_until_kept(&mut server);
    alice.writes_until_kept(&mut server);
    server.process.kill();
    simplechat_store::check(server.data()).unwrap();
    device.forgets(server.data());
    simplechat_store::check(server.data()).unwrap();
    server.start_again();
    let mut bob = server.join("bob");
    bob.sees(&format!("alice: number {}", alice.written));
    assert_eq!(shown(&bob, "alice"), alice.kept);
    assert!(alice.kept.len() < usize::try_from(alice.written).unwrap());
}

/// The directory of the only store on a device.
fn store(device: &Path) -> PathBuf {
    let entries = fs::read_dir(device).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    paths.find(|path| path.is_dir()).unwrap()
}

/// A client whose disk fails says so, acknowledges and sends nothing, and goes on once the disk does.
fn a_client_fails_and_is_mended(
    device: &Path,
    fail: impl FnOnce(&Process),
    mend: impl FnOnce(&Process),
) {
    // So soon that it may be before bob has acknowledged, too.
    let server = Server::start(&["store_after=100ms"]);
    let at_the_server = ["  delivered to bob", "  kept for bob"];
    let mut bob = server.join("bob");
    let mut alice = server.join_on(device, "alice", &[]);
    alice.types("message bob one");
    alice.sees_one_of(&at_the_server);
    fail(&alice);
    bob.types("message alice two");
    alice.sees("! What you write and get cannot be kept:");
    // Nobody is told that she has it.
    bob.sees("  kept for alice");
    alice.types("message bob three");
    bob.types("online");
    bob.sees("  online (1): alice");
    assert!(!alice.has_seen("bob: two") && !bob.has_seen("alice: three"));
    mend(&alice);
    alice.sees("! What you write and get is kept again.");
    alice.sees("bob: two");
    alice.sees_one_of(&at_the_server);
    bob.sees("  alice has your message now");
    bob.sees("alice: three");
    alice.kill();
    simplechat_store::client::check(&store(device)).unwrap();
}

#[test]
fn a_client_whose_files_may_not_grow_waits_and_goes_on_when_they_may() {
    a_client_fails_and_is_mended(
        &folder().join("client"),
        |alice| limit_files(alice, Some(0)),
        |alice| limit_files(alice, None),
    );
}

#[test]
fn a_client_on_a_full_disk_waits_and_goes_on_when_it_is_emptied() {
    let Some(disk) = disk("SIMPLECHAT_SMALL_DISK") else {
        return;
    };
    let (device, filler) = (disk.join("client"), disk.join("filler"));
    a_client_fails_and_is_mended(
        &device,
        |_| fill(&filler),
        |_| fs::remove_file(&filler).unwrap(),
    );
    fs::remove_dir_all(device).unwrap();
}

/// The numbers in the messages of a client's history with bob, by author, in its order.
fn history(client: &mut Process) -> BTreeMap<String, Vec<u64>> {
    let file = folder().join("history");
    client.types(&format!("export bob json {}", file.display()));
    client.sees(&format!("{} has ", file.display()));
    let mut numbers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in fs::read_to_string(file).unwrap().lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        let author = message["from"].as_str().unwrap_or("alice").to_owned();
        let number = message["text"].as_str().unwrap().strip_prefix("number ");
        let numbers = numbers.entry(author).or_default();
        numbers.push(number.unwrap().parse().unwrap());
    }
    numbers
}

/// Alice, whose device fails, and bob, who write to each other.
struct Pair {
    alice: Process,
    bob: Process,
    written: u64,
}

impl Pair {
    /// Each writes one to the other.
    fn writes(&mut self) {
        self.written += 1;
        self.alice
            .types(&format!("message bob number {}", self.written));
        self.bob
            .types(&format!("message alice number {}", self.written));
    }

    fn writes_and_gets(&mut self) {
        self.writes();
        self.alice.sees(&format!("] bob: number {}", self.written));
        self.bob.sees(&format!("] alice: number {}", self.written));
    }

    fn writes_until_nothing_is_kept(&mut self) {
        let trouble = "! What you write and get cannot be kept:";
        loop {
            self.writes();
            let shown = format!("] bob: number {}", self.written);
            if self.alice.sees_one_of(&[&shown, trouble]).contains(trouble) {
                return;
            }
        }
    }
}

#[test]
fn a_client_whose_device_fails_has_everything_once() {
    let Some(device) = Device::find() else {
        return;
    };
    let home = device.disk.join("client");
    let server = Server::start(&[
        "heartbeat_interval=100ms",
        "timeout=60s",
        "operations_burst=1000000",
        "mailbox_sender_percent=100",
    ]);
    let mut pair = Pair {
        bob: server.join("bob"),
        alice: server.join_on(&home, "alice", &[]),
        written: 0,
    };
    pair.writes_and_gets();
    device.fails();
    pair.writes_until_nothing_is_kept();
    device.is_mended();
    pair.alice.sees("! What you write and get is kept again.");
    pair.writes_and_gets();
    device.fails();
    pair.writes_until_nothing_is_kept();
    pair.alice.kill();
    device.is_mended();
    pair.alice = server.join_on(&home, "alice", &[]);
    pair.writes_and_gets();
    pair.alice.kill();
    let store = store(&home);
    simplechat_store::client::check(&store).unwrap();
    device.forgets(&store);
    simplechat_store::client::check(&store).unwrap();
    pair.alice = server.join_on(&home, "alice", &[]);
    pair.writes_and_gets();
    let history = history(&mut pair.alice);
    assert_eq!(history["bob"], (1..=pair.written).collect::<Vec<_>>());
    // What was typed just before the kill may not have been kept.
    assert_eq!(history["alice"], shown(&pair.bob, "alice"));
    assert!(history["alice"].is_sorted_by(|a, b| a < b));
    drop(pair);
    fs::remove_dir_all(home).unwrap();
}
