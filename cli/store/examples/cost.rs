//! What the store costs, beside SQLite as it is: batches with fsync, a lone message, and a start with much that is kept.
//!
//! `cargo run --release -p simplechat-store --example cost -- [DIRECTORY] [ACCOUNTS] [MESSAGES]`: by default 100,000 accounts and a
//! million messages in a folder under the directory for temporary files, which must be on a disk to mean anything.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement")]

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use rusqlite::Connection;
use simplechat_core::id::{InstanceId, LoginNumber, Seq};
use simplechat_core::key::PublicKey;
use simplechat_core::name::Name;
use simplechat_core::rng::SeededSecrets;
use simplechat_core::server::config::Config;
use simplechat_core::server::record::Record;
use simplechat_core::server::{AccountEntry, CredentialsDigest, Server};
use simplechat_core::text::Text;
use simplechat_core::time::{Moment, Timestamp, WallTime};
use simplechat_core::wire::push::{Audience, Delivery};
use simplechat_core::wire::request::Outcome;
use simplechat_store::{FILE, Store};

const NOW: WallTime = WallTime(1_800_000_000_000);
const TEXT: usize = 100;

fn name(number: u64) -> Name {
    format!("user{number}").parse().unwrap()
}

/// A message to a user, and the outcome that goes with it.
fn message(number: u64, to: u64, from: u64) -> [Record; 2] {
    let instance = InstanceId([from.to_be_bytes()[7]; 16]);
    let seq = Seq(number + 1);
    let kept = Record::Kept {
        to: name(to),
        place: number,
        message: Delivery {
            from: name(from),
            instance,
            seq,
            sent: NOW,
            audience: Audience::You,
            text: Text::new("x".repeat(TEXT)).unwrap(),
        },
    };
    let outcomes = Record::Outcomes {
        user: name(from),
        instance,
        lowest_unanswered: seq,
        outcomes: vec![(seq, Outcome::Stored)],
    };
    [kept, outcomes]
}

fn login(number: u64) -> Record {
    Record::LoggedIn {
        user: name(number),
        instance: InstanceId([1; 16]),
        key: PublicKey([2; 32]),
        number: LoginNumber(NOW.0),
        from: [192, 0, 2, 1].into(),
        at: NOW,
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Batches of so many messages: the store and SQLite with one insert for each message take turns, so whatever else the disk
/// does it does to both.
fn batches(directory: &Path, size: u64, turns: u64) {
    let folder = fresh(&directory.join("batches"));
    let mut store = Store::open(&folder).unwrap();
    let mut raw = raw(&folder);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for turn in 0..turns {
        let numbers = turn * size..(turn + 1) * size;
        // Senders take turns, so each batch has outcomes of as many of them as there are, up to 50.
        let kept = numbers
            .clone()
            .map(|number| message(number, 1_000, number % 50));
        let (kept, outcomes): (Vec<_>, Vec<_>) =
            kept.map(|[kept, outcome]| (kept, outcome)).unzip();
        let outcomes = outcomes.into_iter().rev().take(50);
        let records: Vec<_> = kept.into_iter().chain(outcomes).collect();
        ours.push(timed(|| store.apply(&records).unwrap()));
        theirs.push(timed(|| insert(&mut raw, numbers)));
    }
    fs::remove_dir_all(folder).unwrap();
    let (ours, theirs) = (median(ours), median(theirs));
    let rate = |time: Duration| f64::from(u32::try_from(size).unwrap()) / time.as_secs_f64();
    println!(
        "{turns} batches of {size}: {ours:?} each, {:.0} messages/s; plain SQLite {theirs:?}, {:.0} messages/s",
        rate(ours),
        rate(theirs)
    );
}

fn insert(raw: &mut Connection, numbers: Range<u64>) {
    let transaction = raw.transaction().unwrap();
    for number in numbers {
        let mut insert = transaction
            .prepare_cached("INSERT INTO t VALUES (?1, ?2, ?3)")
            .unwrap();
        let row = ("user1000", number.cast_signed(), [b'x'; TEXT + 40]);
        insert.execute(row).unwrap();
    }
    transaction.commit().unwrap();
}

/// A table with the key that the mailbox has, opened as the store opens its own.
fn raw(folder: &Path) -> Connection {
    let raw = Connection::open(folder.join("raw.sqlite")).unwrap();
    raw.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
        .unwrap();
    raw.pragma_update(None, "synchronous", "FULL").unwrap();
    raw.execute_batch("CREATE TABLE t (owner TEXT, place INTEGER, message BLOB, PRIMARY KEY (owner, place)) STRICT, WITHOUT ROWID")
        .unwrap();
    raw
}

fn fresh(folder: &Path) -> PathBuf {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).unwrap();
    folder.to_owned()
}

/// The most memory that this process has had, in MiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn fill(folder: &Path, accounts: u64, messages: u64) {
    let mut store = Store::open(folder).unwrap();
    let numbers: Vec<_> = (0..accounts).collect();
    for chunk in numbers.chunks(10_000) {
        store
            .apply(&chunk.iter().copied().map(login).collect::<Vec<_>>())
            .unwrap();
    }
    let numbers: Vec<_> = (0..messages).collect();
    for chunk in numbers.chunks(10_000) {
        let kept = chunk.iter().map(|number| {
            let [kept, _] = message(
                number / accounts,
                number % accounts,
                (number + 1) % accounts,
            );
            kept
        });
        store.apply(&kept.collect::<Vec<_>>()).unwrap();
    }
    store.close().unwrap();
}

/// A start: the store is opened and a server restored from it. Then SQLite reads all rows of the mailbox.
fn start(folder: &Path, accounts: u64) {
    let before = Instant::now();
    let store = Store::open(folder).unwrap();
    let opened = before.elapsed();
    let known = store.accounts().unwrap().len();
    let entries = (0..accounts).map(|number| AccountEntry {
        name: name(number),
        credentials: CredentialsDigest([0; 32]),
    });
    let now = Moment {
        at: Timestamp::from_secs(1),
        wall: NOW,
    };
    let secrets = Box::new(SeededSecrets::new(1));
    let mut server = Server::new(Config::default(), entries, [1; 32], secrets, now);
    let mut count = 0;
    let restored = store.load_each(|record| {
        count += 1;
        server.restore_next(record);
    });
    restored.unwrap();
    println!(
        "start with {known} accounts, {count} records: opened and checked in {opened:?}, restored at {:?}; peak {} MiB",
        before.elapsed(),
        peak()
    );
    drop((server, store));
    let before = Instant::now();
    let raw = Connection::open(folder.join(FILE)).unwrap();
    let mut select = raw.prepare("SELECT * FROM mailbox").unwrap();
    let mut rows = select.query([]).unwrap();
    let mut bytes = 0;
    while let Some(row) = rows.next().unwrap() {
        bytes += row.get::<_, Vec<u8>>(3).unwrap().len();
    }
    println!(
        "plain SQLite reads the {bytes} bytes of its messages in {:?}",
        before.elapsed()
    );
}

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let directory = arguments
        .first()
        .map_or_else(env::temp_dir, PathBuf::from)
        .join(format!("simplechat-store-cost-{}", std::process::id()));
    let number = |place: usize, default| {
        let given = arguments.get(place);
        given.map_or(default, |text| text.parse().unwrap())
    };
    let (accounts, messages) = (number(1, 100_000), number(2, 1_000_000));
    for (size, turns) in [(1, 500), (50, 200), (500, 50)] {
        batches(&directory, size, turns);
    }
    let folder = fresh(&directory.join("much"));
    fill(&folder, accounts, messages);
    let size = fs::metadata(folder.join(FILE)).unwrap().len();
    println!(
        "the file of {accounts} accounts and {messages} messages of {TEXT} bytes: {} MiB, {} bytes a message",
        size / 1024 / 1024,
        size / messages.max(1)
    );
    start(&folder, accounts);
    fs::remove_dir_all(&directory).unwrap();
}
