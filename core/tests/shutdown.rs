//! The server shuts down in order, or is simply gone.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests are tests"
)]

use std::time::Duration;

use simplechat_core::server::Command;
use simplechat_core::server::config::{Config, StoreKind};
use simplechat_core::server::event::Event;
use simplechat_sim::World;
use simplechat_sim::store::Health;

fn undelivered(events: &[Event]) -> u64 {
    events
        .iter()
        .find_map(|event| match event {
            Event::Stopped { undelivered, .. } => Some(*undelivered),
            _ => None,
        })
        .expect("the server has ended")
}

/// So many are in a store that lasts.
fn kept(events: &[Event]) -> u64 {
    events
        .iter()
        .find_map(|event| match event {
            Event::Stopped { kept, .. } => Some(*kept),
            _ => None,
        })
        .expect("the server has ended")
}

/// A world whose server keeps nothing when it ends.
fn forgetful(seed: u64) -> World {
    let config = Config {
        store: StoreKind::Passing,
        ..Config::default()
    };
    World::with_config(seed, config)
}

#[test]
fn everybody_is_told_and_the_server_ends() {
    let mut w = World::new(1);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    let carol = w.join("carol");
    w.look_away();
    w.operate(Command::Shutdown);
    w.run(Duration::from_secs(1));
    assert_eq!(
        undelivered(&w.operator_saw()),
        0,
        "at once when nothing waits"
    );
    assert_eq!(w.saw(alice), ["server away (stopping), 1 peers"]);
    assert_eq!(w.saw(carol), ["server away (stopping), 0 peers"]);
    w.types(alice, "private bob we go on");
    w.settle();
    assert!(w.saw(bob).contains(&"alice privately: we go on".into()));
}

#[test]
fn what_can_be_handed_over_is_and_the_senders_hear_of_the_rest() {
    let mut w = forgetful(2);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "message carol you are away");
    w.types(alice, "message carol and again");
    w.settle();
    w.look_away();
    w.stick_screen(bob);
    w.types(alice, "message bob wait for it");
    w.run(Duration::from_secs(1));
    w.operate(Command::Shutdown);
    w.run(Duration::from_secs(1));
    w.loosen_screen(bob);
    w.run(Duration::from_secs(10));
    assert!(w.saw(bob).contains(&"alice: wait for it".into()));
    let seen = w.saw(alice);
    assert!(seen.contains(&"undelivered to carol: 2".into()), "{seen:?}");
    assert_eq!(undelivered(&w.operator_saw()), 2);
}

#[test]
fn the_deadline_holds_whoever_does_not_answer() {
    let mut w = forgetful(3);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.stick_screen(bob);
    w.types(alice, "message bob never shown");
    w.settle();
    w.operate(Command::Shutdown);
    w.run(Duration::from_secs(11));
    assert_eq!(undelivered(&w.operator_saw()), 1);
    let seen = w.saw(alice);
    assert!(seen.contains(&"undelivered to bob: 1".into()), "{seen:?}");
}

#[test]
fn with_a_store_that_lasts_nothing_is_lost_and_nobody_is_told_so() {
    let mut w = World::new(8);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "message carol you are away");
    w.settle();
    w.look_away();
    w.stick_screen(bob);
    w.types(alice, "message bob never shown");
    w.run(Duration::from_millis(100));
    assert_eq!(w.saw(alice), [""; 0]);
    w.operate(Command::Shutdown);
    w.run(Duration::from_secs(11));
    assert_eq!(w.saw(alice)[1..], ["message bob never shown: stored"]);
    let seen = w.operator_saw();
    assert_eq!((undelivered(&seen), kept(&seen)), (0, 2));
    w.start_server();
    let carol = w.join("carol");
    assert!(w.saw(carol).contains(&"alice: you are away".into()));
}

#[test]
fn an_ended_server_waits_for_its_store_and_not_for_ever() {
    for (health, lost) in [(Health::Working, 0), (Health::Failing, 1)] {
        let mut w = World::new(9);
        let (alice, bob) = (w.join("alice"), w.join("bob"));
        w.stick_screen(bob);
        w.store.takes = Duration::from_secs(1);
        w.store.health = health;
        w.types(alice, "message bob never shown");
        w.run(Duration::from_millis(100));
        w.operate(Command::Shutdown);
        w.run(Duration::from_secs(11));
        let seen = w.operator_saw();
        assert_eq!((undelivered(&seen), kept(&seen)), (lost, 1 - lost));
    }
}

#[test]
fn what_is_sent_during_the_shutdown_is_kept_for_the_next_server() {
    let mut w = World::new(4);
    let (alice, bob, carol) = (w.join("alice"), w.join("bob"), w.join("carol"));
    w.stick_screen(bob);
    w.types(carol, "message bob keeps the server busy");
    w.settle();
    w.look_away();
    w.operate(Command::Shutdown);
    w.types(alice, "message carol did you get this");
    w.run(Duration::from_secs(15));
    w.loosen_screen(bob);
    w.start_server();
    w.run(Duration::from_secs(60));
    let seen = w.saw(alice);
    assert!(
        seen.iter()
            .any(|line| line.starts_with("message carol did you get this: ")),
        "{seen:?}"
    );
    let got = w
        .saw(carol)
        .iter()
        .filter(|line| *line == "alice: did you get this")
        .count();
    assert_eq!(got, 1);
}

#[test]
fn now_is_now() {
    let mut w = forgetful(5);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.stick_screen(bob);
    w.types(alice, "message bob x");
    w.settle();
    w.operate(Command::Shutdown);
    w.operate(Command::ShutdownNow);
    assert_eq!(undelivered(&w.operator_saw()), 1);
}

#[test]
fn no_login_is_taken_during_the_shutdown() {
    let mut w = World::new(6);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.stick_screen(bob);
    w.types(alice, "message bob x");
    w.settle();
    let carol = w.sit_down("carol");
    w.operate(Command::Shutdown);
    w.log_in(carol, "carol", "carol");
    w.run(Duration::from_secs(1));
    assert_eq!(w.saw(carol), ["login refused: the server is shutting down"]);
}

#[test]
fn a_server_that_comes_back_finds_its_clients_again() {
    let mut w = World::new(7);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    w.crash_server();
    w.types(alice, "message bob are you there?");
    w.run(Duration::from_secs(30));
    assert_eq!(w.saw(alice), ["server away (unreachable), 0 peers"]);
    assert_eq!(
        w.types_in_vain(alice, "online").to_string(),
        "the server is away: try again when it is back"
    );
    w.start_server();
    w.run(Duration::from_secs(60));
    let mut seen = w.saw(alice);
    seen.sort();
    assert_eq!(
        seen[..1],
        ["logged in again as alice, 0 kept"],
        "nobody had to ask: {seen:?}"
    );
    assert!(w.saw(bob).contains(&"alice: are you there?".into()));
}
