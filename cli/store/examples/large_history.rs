//! What a large history costs: `cargo run --release -p simplechat-store --example large_history -- DIRECTORY [MESSAGES]` fills a
//! client's store in an empty directory, and says how long it takes to open, search and forget.
#![allow(clippy::print_stdout, reason = "it is what this is for")]

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use simplechat_core::client::event::{Event, MessageEvent};
use simplechat_core::client::record::{Record, Route};
use simplechat_core::id::{InstanceId, Seq};
use simplechat_core::name::Name;
use simplechat_core::time::WallTime;
use simplechat_core::wire::push::Audience;
use simplechat_store::FILE;
use simplechat_store::client::{Forgotten, Kept, Search, Store};

const MESSAGES: u64 = 1_000_000;
const AT_ONCE: u64 = 10_000;
const WORDS: u64 = 20_000;

type Done<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Done {
    let mut arguments = std::env::args().skip(1);
    let directory: PathBuf = arguments.next().ok_or("name a directory")?.into();
    let messages = arguments.next().map_or(Ok(MESSAGES), |text| text.parse())?;
    fs::create_dir(&directory)?;
    let mut store = Store::open(&directory)?;
    timed("fill", || {
        (0..messages / AT_ONCE).try_for_each(|round| fill(&mut store, round))
    })?;
    store.close()?;
    let length = fs::metadata(directory.join(FILE))?.len();
    println!("{} bytes a message", length / messages.max(1));
    let mut store = timed("open", || Ok(Store::open(&directory)?))?;
    timed("load and the last lines", || {
        store.load()?;
        Ok(drop(store.recent(10, 5)?))
    })?;
    for (what, words) in [
        ("search for a word", "word17"),
        ("search for a frequent word", "the"),
        ("search for two words", "word17 word4711"),
    ] {
        let search = Search {
            words: words.into(),
            user: None,
            since: None,
        };
        timed(what, || Ok(drop(store.search(&search, 20)?)))?;
    }
    timed("keep one more", || {
        fill_with(&mut store, messages, messages + 1)
    })?;
    let user: Name = "user7".parse()?;
    for (what, part) in [
        ("forget a user", Forgotten::User(user)),
        ("forget all", Forgotten::All),
    ] {
        let count = timed(what, || Ok(store.forget(part)?))?;
        println!("    {count} messages");
    }
    Ok(())
}

fn timed<T>(what: &str, work: impl FnOnce() -> Done<T>) -> Done<T> {
    let start = Instant::now();
    let done = work()?;
    println!("{what}: {:.1?}", start.elapsed());
    Ok(done)
}

fn fill(store: &mut Store, round: u64) -> Done {
    fill_with(store, round * AT_ONCE, (round + 1) * AT_ONCE)
}

/// A dozen words each, some of them frequent, of a hundred users.
fn fill_with(store: &mut Store, from: u64, to: u64) -> Done {
    let (mut records, mut shown) = (Vec::new(), Vec::new());
    for number in from..to {
        let author: Name = format!("user{}", number % 100).parse()?;
        let word = |place: u64| (number * 7_919 + place * 104_729) % (WORDS >> (place % 4 * 3));
        let words: Vec<_> = (0..9).map(|place| format!("word{}", word(place))).collect();
        records.push(Record::Shown {
            route: Route::Server,
            from: author,
            instance: InstanceId([1; 16]),
            seq: Seq(number + 1),
        });
        shown.push(Event::Message(MessageEvent::Message {
            from: author,
            sent: WallTime(1_800_000_000_000 + number * 1_000),
            audience: Audience::You,
            text: format!("so the answer is {}", words.join(" ")).parse()?,
        }));
    }
    store.apply(&[Kept {
        records: &records,
        shown: &shown,
    }])?;
    Ok(())
}
