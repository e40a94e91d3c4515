//! Recordings of servers in worlds: they replay, they notice a change, and nothing is in them that must stay secret.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::time::Duration;

use proptest::prelude::*;
use simplechat_core::server::Command;
use simplechat_core::server::config::Config;
use simplechat_core::server::recording::tape::{Decoder, Unreadable};
use simplechat_core::server::recording::{Act, Difference, Entry, Fact, Header, Replay, Texts};
use simplechat_core::wire::login::LinkChoice;
use simplechat_sim::dice::Dice;
use simplechat_sim::net::Listening;
use simplechat_sim::store::Health;
use simplechat_sim::tape::Tape;
use simplechat_sim::{ClientId, World};

/// Reads a recording as far as it goes.
fn read(bytes: &[u8]) -> Result<(Header, Vec<Entry>), Unreadable> {
    let mut decoder = Decoder::default();
    let mut entries = Vec::new();
    let mut header = None;
    // Where a file is cut into reads means nothing.
    for piece in bytes.chunks(777) {
        decoder.push(piece);
        if header.is_none() {
            header = decoder.header()?;
        }
        while header.is_some() {
            match decoder.entry()? {
                Some(entry) => entries.push(entry),
                None => break,
            }
        }
    }
    Ok((header.expect("the whole header is there"), entries))
}

fn replay(header: &Header, entries: &[Entry]) -> Result<(), Box<Difference>> {
    let mut replay = Replay::new(header);
    entries.iter().try_for_each(|entry| replay.take(entry))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Everything that a server can meet, once.
fn an_eventful_day(texts: Texts) -> (World, Tape) {
    let mut w = World::new(7);
    let tape = w.record(texts);
    w.start_server();
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "message bob the cake is a lie");
    w.types(alice, "message carol for later");
    w.types(bob, "broadcast anybody there?");
    w.types(bob, "online");
    w.settle();
    w.introduce(alice, bob);
    let carol = w.join("carol");
    w.types(carol, "block bob");
    w.types(bob, "getaddress carol");
    w.settle();
    let mallory = w.sit_down("mallory");
    w.log_in(mallory, "alice", "open sesame");
    w.settle();
    w.stranger_sends(None, &[b"GET / HTTP/1.1\r\n\r\n"]);
    let elsewhere = w.sit_down("bob at work");
    w.log_in(elsewhere, "bob", "bob");
    w.settle();
    w.cut_from_server(carol);
    w.types(alice, "message carol are you there?");
    w.run(Duration::from_secs(200));
    w.types(elsewhere, "logout");
    w.settle();
    w.operate(Command::Shutdown);
    w.settle();
    (w, tape)
}

/// A few people who do this and that on a bad network.
fn a_wild_world(seed: u64) -> Tape {
    let mut w = World::new(seed);
    let tape = w.record(Texts::Filled);
    w.start_server();
    let mut dice = Dice::new(seed);
    let names = ["alice", "bob", "carol", "dave"];
    let links = [LinkChoice::PerMessage, LinkChoice::Held];
    let people: Vec<ClientId> = (names.iter().zip(links.into_iter().cycle()))
        .map(|(name, link)| {
            let client = w.sit_down_with(name, link);
            w.log_in(client, name, name);
            w.settle();
            client
        })
        .collect();
    w.net.weather.breaks_per_mille = 100;
    w.net.weather.jitter = Duration::from_millis(400);
    for step in 0..60 {
        if step % 20 == 10 {
            w.move_client(people[dice.below(4)], Listening::There);
            w.run(Duration::from_secs(50));
        }
        let (who, whom) = (people[dice.below(4)], names[dice.below(4)]);
        let line = match dice.below(9) {
            0 => format!("block {whom}"),
            1 => format!("unblock {whom}"),
            2 => format!("getaddress {whom}"),
            3 => format!("accept {whom}"),
            4 => "online".to_owned(),
            5 => "broadcast to everybody".to_owned(),
            _ => format!("message {whom} hi"),
        };
        // Some of it makes no sense, and the client says so.
        let _ = w.command(who, simplechat_sim::script::parse(&line));
        w.run(dice.fraction_of(Duration::from_secs(3)));
    }
    w.run(Duration::from_secs(100));
    tape
}

#[test]
fn a_recorded_server_does_the_same_again() {
    for texts in [Texts::Filled, Texts::Kept] {
        let (_, tape) = an_eventful_day(texts);
        let (header, entries) = read(&tape.bytes()).unwrap();
        assert!(entries.len() > 200, "{} entries", entries.len());
        assert_eq!(replay(&header, &entries), Ok(()));
    }
}

#[test]
fn wild_worlds_replay() {
    for seed in 0..8 {
        let (header, entries) = read(&a_wild_world(seed).bytes()).unwrap();
        assert_eq!(replay(&header, &entries), Ok(()), "seed {seed}");
    }
}

/// A server that has to hand on what an earlier one promised: a message, and the keys of a pair.
fn a_restart(texts: Texts) -> Tape {
    let mut w = World::new(5);
    let tape = w.record(texts);
    w.start_server();
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "message carol for later");
    w.types(alice, "getaddress bob");
    w.settle();
    w.crash(alice);
    w.types(bob, "accept alice");
    w.run(Duration::from_secs(1));
    w.crash_server();
    w.start_server();
    w.store.health = Health::Failing;
    w.types(bob, "message dave is anybody there?");
    w.run(Duration::from_secs(60));
    w.store.health = Health::Working;
    w.run(Duration::from_secs(60));
    let _ = w.join("carol");
    w.settle();
    tape
}

#[test]
fn a_server_that_goes_on_where_another_ended_does_the_same_again() {
    let (header, entries) = read(&a_restart(Texts::Filled).bytes()).unwrap();
    assert_eq!(replay(&header, &entries), Ok(()));
    let count = |of: fn(&Entry) -> bool| entries.iter().filter(|entry| of(entry)).count();
    assert!(count(|entry| matches!(entry, Entry::Restored(_))) > 5);
    assert!(count(|entry| matches!(entry, Entry::Act(Act::Store { .. }))) > 2);
    // What an earlier server left is a part of what happened.
    let forgotten: Vec<_> = entries
        .iter()
        .filter(|entry| !matches!(entry, Entry::Restored(_)))
        .cloned()
        .collect();
    assert!(replay(&header, &forgotten).is_err());
}

/// What protects frames, and what comes in frames that are not believed, makes no difference above the channel.
#[test]
fn a_besieged_server_behind_another_channel_replays() {
    let mut w = World::with_attacker(3, Config::default());
    let tape = w.record(Texts::Filled);
    w.start_server();
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    for _ in 0..100 {
        w.types(alice, "message bob hi");
        w.attack();
        w.run(Duration::from_millis(300));
    }
    let (header, entries) = read(&tape.bytes()).unwrap();
    assert_eq!(replay(&header, &entries), Ok(()));
    let is_unusable = |entry: &&Entry| matches!(entry, Entry::Fact(_, Fact::Unusable { .. }));
    assert!(entries.iter().filter(is_unusable).count() > 10);
}

#[test]
fn another_machine_is_noticed() {
    let (_, tape) = an_eventful_day(Texts::Filled);
    let (header, entries) = read(&tape.bytes()).unwrap();
    let changes: [fn(&mut Header); 5] = [
        |header| header.config.max_text = 5,
        |header| header.config.timeout *= 2,
        |header| header.config.lockout.attempts_max = 1,
        |header| {
            header
                .accounts
                .retain(|account| account.name.as_str() != "carol")
        },
        |header| header.seed = [0; 32],
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut other = header.clone();
        change(&mut other);
        assert!(replay(&other, &entries).is_err(), "change {number}");
    }
}

#[test]
fn a_missing_or_additional_entry_is_noticed() {
    let (_, tape) = an_eventful_day(Texts::Filled);
    let (header, entries) = read(&tape.bytes()).unwrap();
    let place = |of: fn(&Entry) -> bool| entries.iter().position(of).unwrap();
    let an_act = place(|entry| matches!(entry, Entry::Act(_)));
    for changed in [
        {
            let mut entries = entries.clone();
            entries.remove(an_act);
            entries
        },
        {
            let mut entries = entries.clone();
            entries.insert(an_act, entries[an_act].clone());
            entries
        },
    ] {
        assert!(replay(&header, &changed).is_err());
    }
}

#[test]
fn no_secret_is_in_a_recording() {
    for tape in [an_eventful_day(Texts::Kept).1, a_restart(Texts::Kept)] {
        let bytes = tape.bytes();
        let secrets = tape.secrets();
        // Each login and introduction draws three, and each probe one.
        assert!(secrets.len() >= 12, "{} secrets", secrets.len());
        for secret in secrets {
            assert!(!contains(&bytes, &secret), "{secret:?}");
        }
        assert!(!contains(&bytes, b"open sesame"), "a password");
        assert!(contains(&bytes, b"alice"), "names are in it");
    }
}

#[test]
fn texts_are_in_a_recording_only_when_wanted() {
    for (texts, kept) in [(Texts::Filled, false), (Texts::Kept, true)] {
        let bytes = an_eventful_day(texts).1.bytes();
        for text in ["the cake is a lie", "for later", "anybody there?"] {
            assert_eq!(contains(&bytes, text.as_bytes()), kept, "{text}");
        }
        let restored = a_restart(texts).bytes();
        assert_eq!(contains(&restored, b"for later"), kept, "a restored text");
    }
}

#[test]
fn a_recording_is_as_long_with_texts_as_without() {
    let [filled, kept] = [Texts::Filled, Texts::Kept].map(|texts| {
        let tape = an_eventful_day(texts).1;
        tape.bytes().len()
    });
    assert_eq!(filled, kept);
}

#[test]
fn a_recording_that_is_cut_is_a_shorter_one() {
    let (_, tape) = an_eventful_day(Texts::Filled);
    let bytes = tape.bytes();
    let (_, all) = read(&bytes).unwrap();
    for cut in (bytes.len() / 2..bytes.len()).step_by(101) {
        let (header, entries) = read(&bytes[..cut]).unwrap();
        assert_eq!(entries, all[..entries.len()]);
        assert_eq!(replay(&header, &entries), Ok(()));
    }
}

#[test]
fn what_is_no_recording_says_so() {
    let (_, tape) = an_eventful_day(Texts::Filled);
    let mut bytes = tape.bytes();
    assert_eq!(read(b"\x7fELF").unwrap_err(), Unreadable::Foreign);
    bytes[21] += 1;
    assert_eq!(read(&bytes).unwrap_err(), Unreadable::Version(bytes[21]));
    bytes[0] = b'S';
    assert_eq!(read(&bytes).unwrap_err(), Unreadable::Foreign);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A recording from somewhere may hold anything.
    #[test]
    fn no_bytes_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        thread_local! {
            static BYTES: Vec<u8> = an_eventful_day(Texts::Filled).1.bytes();
        }
        let mut bytes = BYTES.with(Clone::clone);
        for (place, byte) in flips {
            let place = place.index(bytes.len() - 22) + 22;
            bytes[place] = byte;
        }
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        if let Ok(Some(header)) = decoder.header() {
            let mut replay = Replay::new(&header);
            while let Ok(Some(entry)) = decoder.entry() {
                let _ = replay.take(&entry);
            }
        }
    }
}
