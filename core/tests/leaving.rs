//! How long somebody who leaves waits, for what, and who hears of it.

use std::time::Duration;

use simplechat_sim::World;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn who_has_nothing_to_wait_for_leaves_at_once() {
    let mut w = World::new(1);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.look_away();
    w.types(alice, "logout");
    w.run(SECOND);
    assert!(w.has_ended(alice));
    assert_eq!(w.saw(alice), ["ended (left), 0 unsent"]);
}

#[test]
fn nobody_waits_for_a_server_that_is_away_and_a_peer_who_was_not_found() {
    let mut w = World::new(2);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.crash_server();
    w.close_listener(bob);
    w.types(alice, "message bob hello?");
    w.types(alice, "private bob hello?");
    w.run(Duration::from_secs(60));
    w.look_away();
    w.types(alice, "logout");
    w.run(SECOND);
    assert_eq!(w.saw(alice), ["ended (left), 2 unsent"]);
}

#[test]
fn who_waits_in_vain_for_a_peer_says_goodbye_in_time() {
    let mut w = World::new(3);
    let (alice, bob, carol) = (w.join("alice"), w.join("bob"), w.join("carol"));
    w.introduce(alice, bob);
    w.introduce(alice, carol);
    w.look_away();
    w.cut_between(alice, bob);
    w.types(alice, "private bob are you there?");
    w.types(alice, "logout");
    w.run(SECOND);
    assert!(!w.has_ended(alice), "a text is on its way");
    w.settle();
    assert_eq!(w.saw(alice), ["ended (left), 1 unsent"]);
    let mut seen = w.saw(carol);
    seen.sort();
    assert_eq!(
        seen,
        ["alice gone (logged out), 0 undelivered", "alice offline"]
    );
}

#[test]
fn the_end_of_input_after_a_refused_login_ends_the_client() {
    let mut w = World::new(4);
    let alice = w.sit_down("alice");
    w.log_in(alice, "alice", "wrong");
    w.types(alice, "end-of-input");
    w.settle();
    assert_eq!(
        w.saw(alice),
        [
            "login refused: wrong name or password",
            "ended (left), 0 unsent"
        ]
    );
}

#[test]
fn at_the_end_of_input_without_a_server_the_peers_hear_a_goodbye() {
    let mut w = World::new(5);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.crash_server();
    w.run(Duration::from_secs(60));
    w.look_away();
    w.types(alice, "end-of-input");
    w.settle();
    assert_eq!(w.saw(alice), ["ended (left), 0 unsent"]);
    assert_eq!(w.saw(bob), ["alice gone (logged out), 0 undelivered"]);
}

/// As a script does that only fetches what is there.
#[test]
fn who_says_nothing_gets_what_was_kept_before_they_leave() {
    let mut w = World::new(6);
    let (alice, bob) = (w.sit_down("alice"), w.join("bob"));
    w.types(bob, "message alice to be kept");
    w.settle();
    w.log_in(alice, "alice", "alice");
    w.types(alice, "end-of-input");
    w.settle();
    assert_eq!(
        w.saw(alice),
        [
            "logged in as alice, 1 kept",
            "1 kept:",
            "bob: to be kept",
            "that was kept",
            "ended (left), 0 unsent"
        ]
    );
}

#[test]
fn nobody_waits_for_ever_for_what_was_kept() {
    let mut w = World::new(7);
    let (alice, bob) = (w.sit_down("alice"), w.join("bob"));
    w.types(bob, "message alice to be kept");
    w.settle();
    w.close_listener(alice);
    w.log_in(alice, "alice", "alice");
    w.types(alice, "end-of-input");
    w.run(Duration::from_secs(10));
    assert!(w.has_ended(alice));
}
