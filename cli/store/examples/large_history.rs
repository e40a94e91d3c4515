//! What a long history costs, beside SQLite as it is: to write it, to search it, to start with it, and to forget some of it.
//!
//! `cargo run --release -p simplechat-store --example large_history -- [DIRECTORY] [MESSAGES]`: by default a million messages in a
//! folder under the directory for temporary files, which must be on a disk to mean anything.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use rusqlite::Connection;
use simplechat_core::client::event::{Event, MessageEvent};
use simplechat_core::client::record::{Record, Route};
use simplechat_core::id::{InstanceId, Seq};
use simplechat_core::name::Name;
use simplechat_core::text::Text;
use simplechat_core::time::WallTime;
use simplechat_core::wire::push::Audience;
use simplechat_store::client::{Forgotten, Kept, Search, Store};

const NOW: WallTime = WallTime(1_800_000_000_000);
/// Half a minute lies between two messages, so a million are a year.
const APART: u64 = 30_000;
/// Those who write to the user.
const AUTHORS: u64 = 50;
/// Messages in a batch, as when much was kept.
const BATCH: u64 = 500;
/// How often everything is measured; the median counts.
const ROUNDS: usize = 5;
/// What a search shows.
const FOUND_MAX: usize = 20;
/// Words of a message.
const WORDS: u64 = 12;
/// The words that there are, of which low numbers are common.
const VOCABULARY: u64 = 20_000;
/// One that is in about one message of ten thousand.
const RARE: u64 = 19_500;

fn author(number: u64) -> Name {
    format!("user{}", number % AUTHORS).parse().unwrap()
}

/// Numbers that look like chance and are the same in each run.
fn scatter(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 16
}

/// A word, of three to eight letters: few begin as others do.
fn word(number: u64) -> String {
    let mut letters = scatter(number ^ 0x5eed);
    let len = 3 + number % 6;
    let mut word = String::new();
    for _ in 0..len {
        word.push(char::from(b'a' + letters.to_be_bytes()[7] % 26));
        letters /= 26;
    }
    word
}

/// Words as people use them: a few come again and again, and most are rare.
fn words(number: u64) -> String {
    let chosen = |place| {
        let chance = scatter(number * WORDS + place);
        word((chance % VOCABULARY) % (chance / VOCABULARY % VOCABULARY + 1))
    };
    (0..WORDS).map(chosen).collect::<Vec<_>>().join(" ")
}

fn record(number: u64) -> Record {
    Record::Shown {
        route: Route::Server,
        from: author(number),
        instance: InstanceId([(number % AUTHORS).to_be_bytes()[7]; 16]),
        seq: Seq(number / AUTHORS + 1),
    }
}

fn event(number: u64) -> Event {
    MessageEvent::Message {
        from: author(number),
        sent: WallTime(NOW.0 + number * APART),
        audience: Audience::You,
        text: Text::new(words(number)).unwrap(),
    }
    .into()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn timed<T>(act: impl FnOnce() -> T) -> (Duration, T) {
    let began = Instant::now();
    let done = act();
    (began.elapsed(), done)
}

/// What something took, in the median, and how much it gave.
fn say(what: &str, mut act: impl FnMut() -> usize) {
    let mut count = 0;
    let times = (0..ROUNDS).map(|_| {
        let (time, found) = timed(&mut act);
        count = found;
        time
    });
    let time = median(times.collect());
    println!("{what:<52} {:>9.2} ms  ({count} found)", millis(time));
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn folder(parent: &Path, name: &str) -> PathBuf {
    let folder = parent.join(format!("simplechat-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn size(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).unwrap();
    files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum()
}

fn search(store: &Store, words: &str, user: Option<Name>, since: Option<WallTime>) -> usize {
    let search = Search {
        words: words.into(),
        user,
        since,
    };
    store.search(&search, FOUND_MAX).unwrap().len()
}

fn main() {
    let mut arguments = env::args().skip(1);
    let parent = arguments.next().map_or_else(env::temp_dir, PathBuf::from);
    let messages: u64 = arguments
        .next()
        .map_or(1_000_000, |count| count.parse().unwrap());
    println!(
        "{messages} messages of {WORDS} words, {} bytes the first",
        words(0).len()
    );

    let own = folder(&parent, "history");
    write(&own, messages);
    read(&own, messages);
    let bare = folder(&parent, "bare");
    compare(&bare, messages);
    forget(&own);
    for folder in [own, bare] {
        fs::remove_dir_all(folder).unwrap();
    }
}

fn write(folder: &Path, messages: u64) {
    let mut store = Store::open(folder).unwrap();
    let (time, ()) = timed(|| {
        for first in (0..messages).step_by(usize::try_from(BATCH).unwrap()) {
            let numbers = first..messages.min(first + BATCH);
            let records: Vec<_> = numbers.clone().map(record).collect();
            let shown: Vec<_> = numbers.map(event).collect();
            let kept = Kept {
                records: &records,
                shown: &shown,
            };
            store.apply(&[kept]).unwrap();
        }
    });
    println!(
        "{:<52} {:>9.2} µs a message, {BATCH} in a batch",
        "written",
        time.as_secs_f64() * 1e6 / messages as f64
    );
    store.close().unwrap();
    println!(
        "{:<52} {:>9.0} bytes a message",
        "the file",
        size(folder) as f64 / messages as f64
    );
}

fn read(folder: &Path, messages: u64) {
    say("opened and loaded, as at a start", || {
        let store = Store::open(folder).unwrap();
        store.load().unwrap().len()
    });
    let store = Store::open(folder).unwrap();
    say("the ends of ten conversations", || {
        store.recent(10, 5).unwrap().len()
    });
    say("the last 100 messages", || {
        store.history(None, 100).unwrap().len()
    });
    let since = WallTime(NOW.0 + messages * APART * 9 / 10);
    let (common, other, rare) = (word(0), word(1), word(RARE));
    for (what, words, user, since) in [
        ("searched: a common word", &*common, None, None),
        ("searched: a rare word", &*rare, None, None),
        ("searched: how many words begin", "a", None, None),
        (
            "searched: two common words",
            &*format!("{common} {other}"),
            None,
            None,
        ),
        (
            "searched: a common and a rare word",
            &*format!("{common} {rare}"),
            None,
            None,
        ),
        ("searched: a word that is not there", "nothing", None, None),
        (
            "searched: a rare word of one user",
            &*rare,
            Some(author(1)),
            None,
        ),
        (
            "searched: a rare word of the last tenth",
            &*rare,
            None,
            Some(since),
        ),
    ] {
        say(what, || search(&store, words, user, since));
    }
    store.close().unwrap();
}

/// A table with the same messages and no index of words, as the figure beside.
fn compare(folder: &Path, messages: u64) {
    let mut connection = Connection::open(folder.join("bare.sqlite")).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE message (nr INTEGER PRIMARY KEY, author TEXT, at INTEGER, text TEXT)",
        )
        .unwrap();
    let (time, ()) = timed(|| {
        for first in (0..messages).step_by(usize::try_from(BATCH).unwrap()) {
            let transaction = connection.transaction().unwrap();
            for number in first..messages.min(first + BATCH) {
                transaction
                    .prepare_cached("INSERT INTO message (author, at, text) VALUES (?1, ?2, ?3)")
                    .unwrap()
                    .execute((
                        author(number).as_str(),
                        (NOW.0 + number * APART).cast_signed(),
                        words(number),
                    ))
                    .unwrap();
            }
            transaction.commit().unwrap();
        }
    });
    println!(
        "{:<52} {:>9.2} µs a message",
        "bare SQLite: written",
        time.as_secs_f64() * 1e6 / messages as f64
    );
    let like = |word: &str| {
        let mut select = connection
            .prepare_cached(
                "SELECT nr FROM message WHERE ' ' || text || ' ' LIKE ?1 ORDER BY nr DESC LIMIT ?2",
            )
            .unwrap();
        let rows = select.query_map((format!("% {word} %"), FOUND_MAX.cast_signed()), |_| Ok(()));
        rows.unwrap().count()
    };
    say("bare SQLite: a rare word, by LIKE", || like(&word(RARE)));
    drop(connection);
    println!(
        "{:<52} {:>9.0} bytes a message",
        "bare SQLite: the file",
        size(folder) as f64 / messages as f64
    );
}

fn forget(folder: &Path) {
    let mut store = Store::open(folder).unwrap();
    for (what, which) in [
        (
            "forgotten: one of fifty conversations",
            Forgotten::User(author(1)),
        ),
        ("forgotten: all", Forgotten::All),
    ] {
        let (time, count) = timed(|| store.forget(which).unwrap());
        println!("{what:<52} {:>9.2} ms  ({count} forgotten)", millis(time));
    }
    store.close().unwrap();
    println!("{:<52} {:>9} bytes", "the file then", size(folder));
}
