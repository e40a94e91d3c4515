//! Writes the recordings of `fuzz/corpus/recording` anew, which is needed when they have a new version:
//! `cargo run -p simplechat-fuzz-checks --example recordings`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use simplechat_core::server::Command;
use simplechat_core::server::config::Config;
use simplechat_core::server::recording::tape::{Decoder, Encoder};
use simplechat_core::server::recording::{Entry, Header, Texts};
use simplechat_sim::World;
use simplechat_sim::world::Secrecy;

const DAYS: u8 = 16;

fn main() {
    for number in 0..DAYS {
        write(&format!("day-{number:02}"), number * 7, &a_day(number));
    }
    let (mut header, entries) = read(&a_day(5));
    if let [first, .., last] = &mut header.accounts[..] {
        *last = *first;
    }
    let mut bytes = Vec::new();
    let mut encoder = Encoder::start(&header, &mut bytes);
    for entry in &entries {
        encoder.entry(entry, &mut bytes);
    }
    write("an_account_twice", 35, &bytes);
}

/// A short recording, with another thing in it for each number.
fn a_day(number: u8) -> Vec<u8> {
    let names = ["alice", "bob", "carol"]
        .map(|name| (name.parse().expect("it is a name"), name.to_owned()));
    let seed = number.into();
    let mut w = World::with_accounts(seed, Config::default(), names, Secrecy::Quick);
    let tape = w.record(if number % 2 == 1 {
        Texts::Kept
    } else {
        Texts::Filled
    });
    w.start_server();
    let alice = w.join("alice");
    match number / 2 {
        0 => w.types(alice, "message bob for later"),
        1 => w.types(alice, "broadcast is anybody there?"),
        2 => {
            let bob = w.join("bob");
            w.introduce(alice, bob);
        }
        3 => {
            let elsewhere = w.sit_down("alice at work");
            w.log_in(elsewhere, "alice", "alice");
        }
        4 => {
            let mallory = w.sit_down("mallory");
            w.log_in(mallory, "bob", "open sesame");
        }
        5 => {
            w.cut_from_server(alice);
            w.run(Duration::from_secs(200));
        }
        6 => {
            w.types(alice, "block bob");
            w.crash_server();
            w.start_server();
        }
        _ => w.operate(Command::Shutdown),
    }
    w.settle();
    tape.bytes()
}

fn read(bytes: &[u8]) -> (Header, Vec<Entry>) {
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    let header = decoder.header().ok().flatten().expect("a header");
    let entries = std::iter::from_fn(|| decoder.entry().ok().flatten());
    (header, entries.collect())
}

/// The first byte decides how the target cuts the file.
fn write(name: &str, cut: u8, recording: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/recording");
    let bytes = [&[cut][..], recording].concat();
    fs::write(folder.join(name), bytes).expect("the corpus can be written");
}
