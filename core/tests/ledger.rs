//! The ledger: what a client can tell of its user's messages, whatever becomes of them on their way.

use std::time::Duration;

use simplechat_core::limits::{LEDGER_ATTEMPTS_MAX, LEDGER_MAX};
use simplechat_core::rate::Rate;
use simplechat_core::server::allowance::AllowanceConfig;
use simplechat_core::server::config::Config;
use simplechat_core::wire::login::LinkChoice;
use simplechat_sim::World;
use simplechat_sim::world::ClientId;

const SECOND: Duration = Duration::from_secs(1);

/// What a client tells when it is asked.
fn asked(w: &mut World, id: ClientId, line: &str) -> String {
    w.look_away();
    w.types(id, line);
    w.saw(id).join(" / ")
}

#[test]
fn a_message_that_arrives_at_once_took_one_attempt() {
    let mut w = World::new(1);
    let (alice, _bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "message bob hi");
    assert_eq!(
        asked(&mut w, alice, "why"),
        "1 to bob: waiting; server: under way"
    );
    w.settle();
    w.types(alice, "broadcast hi all");
    w.settle();
    assert_eq!(
        asked(&mut w, alice, "why 1"),
        "1 to bob: delivered; server: delivered"
    );
    assert_eq!(
        asked(&mut w, alice, "why"),
        "2 to all: 1 delivered, 0 stored, 0 refused; server: 1 delivered, 0 stored, 0 refused"
    );
}

#[test]
fn on_a_held_link_it_goes_that_way() {
    let mut w = World::new(2);
    let _bob = w.join("bob");
    let alice = w.sit_down_with("alice", LinkChoice::Held);
    w.log_in(alice, "alice", "alice");
    w.settle();
    w.types(alice, "message bob hi");
    w.settle();
    assert_eq!(
        asked(&mut w, alice, "why"),
        "1 to bob: delivered; held link: delivered"
    );
}

#[test]
fn while_the_server_is_away_each_try_is_told_and_when_the_next_one_comes() {
    let mut w = World::new(3);
    let (alice, _bob) = (w.join("alice"), w.join("bob"));
    w.crash_server();
    w.types(alice, "message bob hi");
    w.run(SECOND / 4);
    assert_eq!(
        asked(&mut w, alice, "why"),
        "1 to bob: waiting; server: connection refused: nothing listens there; next in 1 s"
    );
    w.run(20 * SECOND);
    let told = asked(&mut w, alice, "why");
    assert!(told.matches("nothing listens there").count() > 3, "{told}");
    w.start_server();
    w.run(60 * SECOND);
    let told = asked(&mut w, alice, "why");
    assert!(told.starts_with("1 to bob: delivered; "), "{told}");
    assert!(told.ends_with("; server: delivered"), "{told}");
}

#[test]
fn a_message_for_somebody_away_is_stored_and_later_delivered() {
    let mut w = World::new(4);
    let alice = w.join("alice");
    w.types(alice, "message bob hi");
    w.settle();
    assert_eq!(
        asked(&mut w, alice, "why"),
        "1 to bob: stored; server: stored"
    );
    let _bob = w.join("bob");
    assert_eq!(
        asked(&mut w, alice, "why"),
        "1 to bob: delivered; server: stored; server: delivered"
    );
}

#[test]
fn a_refusal_says_why() {
    let mut w = World::new(6);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(bob, "block alice");
    w.settle();
    w.types(alice, "message bob hi");
    w.settle();
    assert_eq!(
        asked(&mut w, alice, "why"),
        "1 to bob: refused, you are blocked; server: refused, you are blocked"
    );
}

#[test]
fn what_the_server_puts_off_says_when_it_is_sent_again() {
    let slow = Rate {
        burst: 1,
        interval: 5 * SECOND,
    };
    let config = Config {
        allowance: AllowanceConfig {
            operations: slow,
            ..AllowanceConfig::default()
        },
        ..Config::default()
    };
    let mut w = World::with_config(7, config);
    let (alice, _bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "message bob 1");
    w.types(alice, "message bob 2");
    w.run(2 * SECOND);
    assert_eq!(
        asked(&mut w, alice, "why 2"),
        "2 to bob: waiting; server: later; next in 4 s"
    );
    w.types(alice, "message bob 3");
    assert_eq!(
        asked(&mut w, alice, "why"),
        "3 to bob: waiting; next in 4 s",
        "it is not sent before the one that is put off"
    );
    w.run(10 * SECOND);
    assert_eq!(
        asked(&mut w, alice, "why 2"),
        "2 to bob: delivered; server: later; server: delivered"
    );
}

#[test]
fn a_private_message_goes_straight_to_a_peer_once_they_are_found() {
    let mut w = World::new(8);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.types(alice, "private bob psst");
    w.settle();
    assert_eq!(
        asked(&mut w, alice, "why"),
        "1 to bob privately: delivered; direct: delivered"
    );
    w.cut_between(alice, bob);
    w.types(alice, "private bob still there?");
    w.run(30 * SECOND);
    let told = asked(&mut w, alice, "why");
    assert!(
        told.starts_with("2 to bob privately: waiting; direct: "),
        "{told}"
    );
    assert!(
        told.contains("; next in ") || told.ends_with("WhenFound"),
        "{told}"
    );
    w.heal_between(alice, bob);
    w.run(75 * SECOND);
    let told = asked(&mut w, alice, "why");
    assert!(
        told.starts_with("2 to bob privately: delivered; direct: "),
        "{told}"
    );
    assert!(told.ends_with("; direct: delivered"), "{told}");
}

#[test]
fn a_private_message_is_given_up_with_its_peer() {
    let mut w = World::new(9);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.cut_between(alice, bob);
    w.types(alice, "private bob psst");
    w.types(alice, "removeaddress bob");
    w.settle();
    assert_eq!(
        asked(&mut w, alice, "why"),
        "1 to bob privately: given up; direct: given up"
    );
}

#[test]
fn a_peer_at_another_client_has_to_be_introduced_again() {
    let mut w = World::new(10);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    let elsewhere = w.sit_down("bob at work");
    w.log_in(elsewhere, "bob", "bob");
    w.run(10 * SECOND);
    w.look_away();
    w.types(alice, "private bob psst");
    assert_eq!(
        asked(&mut w, alice, "why"),
        "1 to bob privately: waiting; next AfterIntroduction"
    );
}

#[test]
fn only_messages_that_there_are_can_be_told_of() {
    let mut w = World::new(11);
    let alice = w.join("alice");
    let in_vain = |w: &mut World, line| w.types_in_vain(alice, line).to_string();
    assert_eq!(in_vain(&mut w, "why"), "you have not written anything yet");
    w.types(alice, "block bob");
    w.types(alice, "message carol hi");
    w.types(alice, "broadcast hi");
    for line in ["why 0", "why 3", "why 18446744073709551615"] {
        assert_eq!(
            in_vain(&mut w, line),
            "there is no such message: your last one is 2, and the first one was 1"
        );
    }
    w.types(alice, "why 1");
}

#[test]
fn it_remembers_the_last_messages() {
    let mut w = World::new(12);
    let alice = w.join("alice");
    for number in 0..LEDGER_MAX + 2 {
        // One mailbox does not hold so many of one sender.
        let to = if number < 2 { "carol" } else { "bob" };
        w.types(alice, &format!("message {to} hi"));
    }
    assert_eq!(w.client(alice).sizes().ledger, LEDGER_MAX);
    assert_eq!(
        w.types_in_vain(alice, "why 2").to_string(),
        "that was too long ago: only the last 100 messages are remembered, from 3 on"
    );
    w.run(60 * SECOND);
    assert_eq!(
        asked(&mut w, alice, "why 3").split(';').next(),
        Some("3 to bob: stored")
    );
    assert_eq!(
        asked(&mut w, alice, "why").split(';').next(),
        Some("102 to bob: stored")
    );
}

#[test]
fn it_lists_the_last_attempts_and_counts_those_before() {
    let mut w = World::new(13);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.crash(bob);
    w.types(alice, "private bob hi");
    w.run(3_600 * SECOND);
    let told = asked(&mut w, alice, "why");
    assert!(told.starts_with("1 to bob privately: waiting; "), "{told}");
    assert!(told.contains(" earlier; direct: not found"), "{told}");
    assert_eq!(
        told.matches("direct").count(),
        LEDGER_ATTEMPTS_MAX,
        "{told}"
    );
}

#[test]
fn whatever_happens_on_the_way_it_says_what_the_final_word_said() {
    for seed in 0..20 {
        let mut w = World::new(seed);
        w.net.weather.jitter = Duration::from_millis(80);
        let (alice, bob) = (w.join("alice"), w.join("bob"));
        w.introduce(alice, bob);
        w.look_away();
        w.net.weather.breaks_per_mille = 300;
        for number in 0..10 {
            w.types(alice, &format!("message bob {number}"));
            w.types(alice, &format!("message nobody {number}"));
            w.types(alice, &format!("private bob {number}"));
            w.run(SECOND / 2);
            if number == 5 {
                w.crash_server();
                w.run(5 * SECOND);
                w.start_server();
            }
        }
        w.net.weather.breaks_per_mille = 0;
        w.run(120 * SECOND);
        let words = w.saw(alice);
        for number in 0..10 {
            let told = asked(&mut w, alice, &format!("why {}", 3 * number + 1));
            let word = words
                .iter()
                .find_map(|line| line.strip_prefix(&format!("message bob {number}: ")))
                .unwrap_or("no word");
            let start = |state| format!("{} to bob: {state}; ", 3 * number + 1);
            // That it has arrived since is told, unless the server is gone with that word.
            let has_arrived = word == "stored" && told.starts_with(&start("delivered"));
            assert!(
                has_arrived || told.starts_with(&start(word)),
                "seed {seed}, {word}: {told}"
            );
            let told = asked(&mut w, alice, &format!("why {}", 3 * number + 2));
            assert!(
                told.contains("to nobody: refused, there is no such user; "),
                "seed {seed}: {told}"
            );
            let told = asked(&mut w, alice, &format!("why {}", 3 * number + 3));
            assert!(
                told.contains("to bob privately: delivered; "),
                "seed {seed}: {told}"
            );
        }
    }
}
