//! The real server with its real store is killed again and again at whatever moment, under load: what it has said holds.
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
use std::path::PathBuf;
use std::thread;

use common::dice::{Dice, number_of};
use common::{Process, Server, folder};

/// So many servers are killed side by side.
const WORLDS: u64 = 5;
/// Messages that each sender writes to each recipient between two kills.
const EACH: u64 = 15;
/// Private messages that alice writes to dave between two kills: they wait with her until he is back, so there may not be too many.
const LETTERS: u64 = 5;

/// Somebody who writes to dave, who is away, and to carol, who is there.
struct Sender {
    name: &'static str,
    device: PathBuf,
    client: Process,
    /// How many messages it has written to each.
    written: u64,
    /// Of how many of those to dave it was told.
    told: u64,
    /// How many it has written to dave privately, which are left at the server.
    letters: u64,
}

impl Sender {
    fn new(server: &Server, name: &'static str) -> Self {
        let device = folder().join("client");
        Self {
            name,
            client: server.join_on(&device, name, &[]),
            device,
            written: 0,
            told: 0,
            letters: 0,
        }
    }

    fn writes(&mut self, count: u64) {
        for _ in 0..count {
            self.written += 1;
            for to in ["dave", "carol"] {
                self.client.types(&format!(
                    "message {to} number {} of {}",
                    self.written, self.name
                ));
            }
        }
    }

    fn writes_letters(&mut self, count: u64) {
        for _ in 0..count {
            self.letters += 1;
            self.client.types(&format!(
                "private dave letter {} of {}",
                self.letters, self.name
            ));
        }
    }

    /// Waits until it has had final words on so many messages to dave.
    fn is_told_of(&mut self, count: u64) {
        while self.told < count {
            self.client.sees(TO_DAVE);
            self.told += 1;
        }
    }

    /// Waits for the final words on all messages.
    fn is_told_of_all(&mut self) {
        self.is_told_of(self.written);
        for _ in 0..self.written {
            self.client.sees_one_of(&TO_CAROL);
        }
    }

    /// Waits until the last letter is at the server, and those before with it.
    fn has_left_all_letters(&mut self) {
        let (number, name) = (self.letters, self.name);
        let last = format!("(kept by the server): letter {number} of {name}");
        self.client
            .asks_until("history dave 1", "you > dave ", &last);
    }

    /// On each it had one final word.
    fn was_told_once(&self) {
        let words = |word| u64::try_from(self.client.all_with(word).len()).unwrap();
        assert_eq!(words(TO_DAVE), self.written);
        assert_eq!(TO_CAROL.map(words).iter().sum::<u64>(), self.written);
    }
}

/// The final word on a message to somebody who is away, and those on one to somebody who is there.
const TO_DAVE: &str = "  kept for dave, who";
const TO_CAROL: [&str; 2] = ["  kept for carol", "  delivered to carol"];

/// Which numbers of whom somebody was shown, in order, after this word.
fn shown(reader: &Process, word: &str) -> BTreeMap<String, Vec<u64>> {
    let mut shown: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in reader.all_with(&format!(": {word} ")) {
        let mut words = line.rsplit(' ');
        let (name, _, number) = (words.next(), words.next(), words.next());
        let numbers = shown.entry(name.unwrap().to_owned()).or_default();
        numbers.push(number.unwrap().parse().unwrap());
    }
    shown
}

fn all_of(senders: &[Sender]) -> BTreeMap<String, Vec<u64>> {
    let all = senders
        .iter()
        .map(|sender| (sender.name.to_owned(), (1..=sender.written).collect()));
    all.collect()
}

/// A server that is killed so often, with its senders and readers. Most of a kill's time everybody waits to be let in again.
fn world(kills: u64, mut dice: Dice) {
    let mut server = Server::start(&[
        "heartbeat_interval=100ms",
        "timeout=60s",
        "operations_burst=1000000",
        "handshakes_per_minute=1000000",
        "handshakes_per_minute_returning=1000000",
        "mailbox_messages=1000000",
        "mailbox_bytes=1073741824",
        // Some of what carol gets goes through the store, and some does not.
        "store_after=2ms",
        "log=error",
    ]);
    let mut carol = server.join("carol");
    let mut senders = ["alice", "bob"].map(|name| Sender::new(&server, name));
    let device = folder().join("client");
    let mut dave = server.join_on(&device, "dave", &[]);
    common::introduce_for_good(&mut senders[0].client, "alice", &mut dave, "dave");
    leaves(&mut dave);
    for kill in 0..kills {
        for sender in &mut senders {
            sender.writes(EACH);
        }
        senders[0].writes_letters(LETTERS);
        // In the middle of it, or before anybody is back.
        if dice.below(5) > 0 {
            let sender = &mut senders[usize::try_from(dice.below(2)).unwrap()];
            sender.is_told_of(sender.written - dice.below(EACH));
        }
        dice.pause();
        server.process.kill();
        let sound = simplechat_store::check(server.data());
        assert!(sound.is_ok(), "after kill {kill}: {sound:?}");
        server.start_again();
    }
    senders.iter_mut().for_each(Sender::is_told_of_all);
    senders.iter().for_each(Sender::was_told_once);
    // They are never there together, so what was written privately comes from the server.
    senders[0].writes_letters(1);
    senders[0].has_left_all_letters();
    leaves(&mut senders[0].client);
    let last = senders
        .each_ref()
        .map(|sender| format!("number {} of {}", sender.written, sender.name));
    // Once more, while dave gets what was kept.
    let mut dave = server.join_on(&device, "dave", &[]);
    dice.pause();
    server.process.kill();
    server.start_again();
    dave.sees("Logged in again as dave.");
    for reader in [&mut carol, &mut dave] {
        reader.sees_all(&last.each_ref().map(String::as_str));
        assert_eq!(shown(reader, "number"), all_of(&senders));
    }
    dave.sees(&format!("letter {} of alice", senders[0].letters));
    let letters: Vec<_> = (1..=senders[0].letters).collect();
    assert_eq!(shown(&dave, "letter")["alice"], letters);
    leaves(&mut dave);
    let mut alice = server.join_on(&senders[0].device, "alice", &[]);
    for _ in letters {
        alice.sees("  delivered to dave, privately");
    }
}

fn leaves(client: &mut Process) {
    client.types("logout");
    assert_eq!(client.ends(), 0);
}

#[test]
fn what_a_server_has_said_holds_whenever_it_is_killed() {
    let kills = number_of("SIMPLECHAT_KILLS", 10);
    let mut dice = Dice::new(number_of("SIMPLECHAT_KILLS_SEED", 1));
    let worlds = kills.clamp(1, WORLDS);
    thread::scope(|scope| {
        for world_number in 0..worlds {
            let kills = kills / worlds + u64::from(world_number < kills % worlds);
            let dice = Dice::new(dice.below(u64::MAX));
            scope.spawn(move || world(kills, dice));
        }
    });
}
