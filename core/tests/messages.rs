//! Messages through the server: delivered, kept, refused, each once and in order.

use std::time::Duration;

use simplechat_core::limits::{COMMAND_CONNECTIONS_MAX, SEQ_WINDOW};
use simplechat_core::server::config::Config;
use simplechat_sim::World;

/// The texts in what somebody saw.
fn texts(seen: &[String]) -> Vec<&str> {
    seen.iter()
        .filter_map(|line| line.strip_prefix("alice: "))
        .collect()
}

fn numbers(count: u64) -> Vec<String> {
    (1..=count).map(|number| number.to_string()).collect()
}

#[test]
fn a_message_to_somebody_online_is_delivered() {
    let mut w = World::new(1);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    w.types(alice, "message bob hi there");
    w.settle();
    assert_eq!(w.saw(alice), ["message bob hi there: delivered"]);
    assert_eq!(w.saw(bob), ["alice: hi there"]);
}

#[test]
fn messages_to_somebody_away_are_kept_between_marks() {
    let mut w = World::new(2);
    let alice = w.join("alice");
    w.types(alice, "message bob one");
    w.settle();
    w.types(alice, "message bob two");
    w.settle();
    assert_eq!(
        w.saw(alice),
        [
            "logged in as alice, 0 kept",
            "message bob one: stored",
            "message bob two: stored"
        ]
    );
    let bob = w.join("bob");
    assert_eq!(
        w.saw(bob),
        [
            "logged in as bob, 2 kept",
            "2 kept:",
            "alice: one",
            "alice: two",
            "that was kept"
        ]
    );
    assert_eq!(
        w.saw(alice),
        [
            "bob online",
            "delivered later to bob",
            "delivered later to bob"
        ]
    );
}

#[test]
fn every_refusal_says_why() {
    let config = Config {
        max_text: 10,
        mailbox: simplechat_core::server::MailboxLimits {
            messages: 3,
            bytes: 1_000_000,
            sender_percent: 70,
            ..Default::default()
        },
        ..Config::default()
    };
    let mut w = World::with_config(3, config);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(bob, "block alice");
    w.settle();
    w.look_away();
    w.types(alice, "message nobody hi");
    w.types(alice, "message bob hi");
    w.types(alice, "message carol 1");
    w.types(alice, "message carol 2");
    w.types(alice, "message carol 3");
    w.settle();
    w.types(bob, "message carol 4");
    w.types(bob, "message carol 5");
    assert_eq!(
        w.types_in_vain(alice, "message carol 12345678901")
            .to_string(),
        "the text has 11 bytes, and the server takes at most 10"
    );
    assert_eq!(
        w.types_in_vain(alice, "message alice hi").to_string(),
        "that is you"
    );
    w.settle();
    let mut seen = w.saw(alice);
    seen.sort();
    assert_eq!(
        seen,
        [
            "message bob hi: refused, you are blocked",
            "message carol 1: stored",
            "message carol 2: stored",
            "message carol 3: refused, your share of the mailbox is full",
            "message nobody hi: refused, there is no such user",
        ]
    );
    let mut seen = w.saw(bob);
    seen.sort();
    assert_eq!(
        seen,
        [
            "message carol 4: stored",
            "message carol 5: refused, the mailbox is full",
        ]
    );
}

#[test]
fn a_burst_over_racing_connections_stays_in_order() {
    for seed in 0..20 {
        let mut w = World::new(seed);
        w.net.weather.jitter = Duration::from_millis(80);
        let (alice, bob) = (w.join("alice"), w.join("bob"));
        w.look_away();
        for number in numbers(3 * SEQ_WINDOW) {
            w.types(alice, &format!("message bob {number}"));
        }
        w.run(Duration::from_secs(60));
        assert_eq!(texts(&w.saw(bob)), numbers(3 * SEQ_WINDOW), "seed {seed}");
    }
}

#[test]
fn connections_that_break_lose_and_double_nothing() {
    for seed in 0..20 {
        let mut w = World::new(seed);
        let (alice, bob) = (w.join("alice"), w.join("bob"));
        w.look_away();
        w.net.weather.breaks_per_mille = 300;
        for number in numbers(50) {
            w.types(alice, &format!("message bob {number}"));
            w.run(Duration::from_millis(300));
        }
        w.net.weather.breaks_per_mille = 0;
        w.run(Duration::from_secs(120));
        assert_eq!(texts(&w.saw(bob)), numbers(50), "seed {seed}");
        let words = w.saw(alice);
        let final_words = words
            .iter()
            .filter(|line| line.ends_with(": delivered") || line.ends_with(": stored"))
            .count();
        assert_eq!(final_words, 50, "seed {seed}: one word each: {words:?}");
    }
}

#[test]
fn a_recipient_who_goes_while_messages_are_on_their_way_gets_them_later() {
    let mut w = World::new(4);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    w.crash(bob);
    w.types(alice, "message bob are you there");
    w.settle();
    assert_eq!(w.saw(alice), ["message bob are you there: stored"]);
    let bob = w.join("bob");
    assert_eq!(
        w.saw(bob),
        [
            "logged in as bob, 1 kept",
            "1 kept:",
            "alice: are you there",
            "that was kept"
        ]
    );
}

#[test]
fn a_slow_network_still_brings_the_final_word_on_the_same_connection() {
    let mut w = World::new(5);
    w.net.weather.latency = Duration::from_millis(200);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    w.types(alice, "message bob slowly");
    w.settle();
    // It takes longer than a message may wait to be stored.
    assert_eq!(
        w.saw(alice),
        ["message bob slowly: stored", "delivered later to bob"]
    );
    assert_eq!(w.saw(bob), ["alice: slowly"]);
}

#[test]
fn a_screen_that_is_stuck_holds_messages_back_and_loses_none() {
    let mut w = World::new(6);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    w.stick_screen(bob);
    for number in numbers(5) {
        w.types(alice, &format!("message bob {number}"));
        w.settle();
    }
    assert_eq!(
        w.saw(alice)
            .iter()
            .filter(|line| line.ends_with(": stored"))
            .count(),
        5,
        "what is not shown is not delivered"
    );
    // Bob's screen hangs for ten minutes, and his session does not end for it.
    w.run(Duration::from_secs(600));
    w.loosen_screen(bob);
    w.run(Duration::from_secs(30));
    assert_eq!(texts(&w.saw(bob)), numbers(5));
    assert_eq!(w.saw(alice), ["delivered later to bob"; 5]);
}

#[test]
fn a_broadcast_reaches_everybody_online_who_has_not_blocked_the_sender() {
    let mut w = World::new(7);
    let alice = w.join("alice");
    let (bob, carol, dave) = (w.join("bob"), w.join("carol"), w.join("dave"));
    w.types(bob, "block alice");
    w.settle();
    w.look_away();
    w.types(alice, "broadcast lunch?");
    w.settle();
    assert_eq!(
        w.saw(alice),
        ["broadcast lunch?: 2 delivered, 0 stored, 0 refused"]
    );
    assert_eq!(w.saw(bob), [""; 0]);
    assert_eq!(w.saw(carol), ["alice to all: lunch?"]);
    assert_eq!(w.saw(dave), ["alice to all: lunch?"]);
}

#[test]
fn a_broadcast_says_who_could_not_be_reached_and_is_kept_for_them() {
    let mut w = World::new(8);
    let (alice, bob, _carol) = (w.join("alice"), w.join("bob"), w.join("carol"));
    w.look_away();
    w.crash(bob);
    w.types(alice, "broadcast fire drill");
    w.settle();
    assert_eq!(
        w.saw(alice),
        ["broadcast fire drill: 1 delivered, 1 stored, 0 refused"]
    );
    let bob = w.join("bob");
    assert!(w.saw(bob).contains(&"alice to all: fire drill".into()));
}

#[test]
fn messages_and_broadcasts_share_one_order() {
    let mut w = World::new(9);
    w.net.weather.jitter = Duration::from_millis(50);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    for number in 0..10 {
        w.types(alice, &format!("message bob m{number}"));
        w.types(alice, &format!("broadcast b{number}"));
    }
    w.settle();
    let expected: Vec<_> = (0..10)
        .flat_map(|number| {
            [
                format!("alice: m{number}"),
                format!("alice to all: b{number}"),
            ]
        })
        .collect();
    assert_eq!(w.saw(bob), expected);
}

#[test]
fn a_broadcast_to_nobody_is_said() {
    let mut w = World::new(10);
    let alice = w.join("alice");
    w.look_away();
    w.types(alice, "broadcast hello?");
    w.settle();
    assert_eq!(
        w.saw(alice),
        ["broadcast hello?: 0 delivered, 0 stored, 0 refused"]
    );
}

/// Of the virtual world itself: a client that cannot be called any more goes on with its own calls.
#[test]
fn an_answer_comes_although_the_listener_closes_meanwhile() {
    let mut w = World::new(20);
    let (alice, _bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    w.types(alice, "message bob hi");
    w.close_listener(alice);
    w.settle();
    assert_eq!(w.saw(alice), ["message bob hi: delivered"]);
}

#[test]
fn a_client_whose_input_has_ended_stays_until_it_has_shown_what_came() {
    let mut w = World::new(16);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.stick_screen(bob);
    w.types(alice, "message bob wait for it");
    w.settle();
    w.types(bob, "end-of-input");
    w.run(Duration::from_secs(60));
    assert!(!w.has_ended(bob), "it is not on the screen");
    w.loosen_screen(bob);
    w.settle();
    assert!(w.has_ended(bob));
}

#[test]
fn who_types_fast_has_few_connections_at_once() {
    let mut w = World::new(14);
    w.net.weather.latency = Duration::from_millis(100);
    let alice = w.join("alice");
    for number in numbers(3 * SEQ_WINDOW) {
        w.types(alice, &format!("message bob {number}"));
    }
    assert_eq!(w.client(alice).sizes().connections, COMMAND_CONNECTIONS_MAX);
}
