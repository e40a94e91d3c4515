//! Logging in and out, takeover, lockout and heartbeats.

use std::time::Duration;

use simplechat_core::server::event::{Arrival, Departure, Event};
use simplechat_core::wire::login::LinkChoice;
use simplechat_sim::World;

#[test]
fn nobody_is_told_of_messages_that_are_not_there() {
    let mut w = World::new(1);
    let alice = w.join("alice");
    assert_eq!(w.saw(alice), ["logged in as alice, 0 kept"]);
}

#[test]
fn a_wrong_password_and_an_unknown_name_get_the_same_answer_in_the_same_time() {
    let mut w = World::new(2);
    w.net.weather.jitter = Duration::ZERO;
    let mallory = w.sit_down("mallory");
    // The first time there is the server's key to be looked at.
    for name in ["bob", "alice", "nobody"] {
        w.log_in(mallory, name, "wrong");
        w.settle();
        assert_eq!(w.saw(mallory), ["login refused: wrong name or password"]);
    }
    let took: Vec<_> = w
        .log()
        .lines()
        .filter(|line| line.contains("login"))
        .skip(2)
        .map(|line| {
            line.split_whitespace()
                .next()
                .unwrap()
                .parse::<f64>()
                .unwrap()
        })
        .collect();
    let [asked, answered, asked_too, answered_too] = took[..] else {
        panic!("two logins and two answers: {took:?}");
    };
    assert!(
        ((answered - asked) - (answered_too - asked_too)).abs() < 1e-9,
        "{took:?}"
    );
}

#[test]
fn three_failures_lock_the_account_for_that_source_only() {
    let mut w = World::new(3);
    let mallory = w.sit_down("mallory");
    for _ in 0..3 {
        w.log_in(mallory, "alice", "wrong");
        w.settle();
    }
    w.log_in(mallory, "alice", "alice");
    w.settle();
    assert_eq!(
        w.saw(mallory).last().unwrap(),
        "login refused: too many failed logins: try again in 55 s"
    );
    let alice = w.join("alice");
    assert_eq!(w.saw(alice), ["logged in as alice, 0 kept"]);
    w.run(Duration::from_secs(60));
    w.log_in(mallory, "alice", "wrong");
    w.settle();
    assert_eq!(
        w.saw(mallory),
        ["login refused: wrong name or password"],
        "the lock has passed"
    );
    assert!(
        !w.has_ended(alice),
        "a stranger's failures end nobody's session"
    );
}

#[test]
fn guesses_at_once_get_no_more_tries_than_one_after_the_other() {
    let mut w = World::new(4);
    w.check_takes = Duration::from_millis(500);
    // One source: the server sees all of these at one address.
    let guessers: Vec<_> = (0..6).map(|_| w.sit_down("mallory")).collect();
    for guesser in &guessers {
        w.share_address(*guesser, guessers[0]);
        w.log_in(*guesser, "alice", "wrong");
    }
    w.settle();
    let answers: Vec<_> = guessers.iter().flat_map(|id| w.saw(*id)).collect();
    let wrong = answers
        .iter()
        .filter(|line| line.contains("wrong name"))
        .count();
    // There was no place for the others, and by the time they came again the account was locked.
    let locked = answers
        .iter()
        .filter(|line| line.contains("too many failed logins"))
        .count();
    assert_eq!((wrong, locked), (3, 3), "{answers:?}");
}

#[test]
fn a_person_s_login_takes_over_and_nobody_else_notices() {
    let mut w = World::new(5);
    let (first, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    w.operator_saw();
    let second = w.join("alice");
    assert_eq!(w.saw(first), ["ended (taken over), 0 unsent"]);
    assert!(w.has_ended(first));
    assert_eq!(w.saw(bob), [""; 0], "no logout and login is seen");
    w.types(bob, "message alice which one?");
    w.settle();
    assert_eq!(
        w.saw(second),
        ["logged in as alice, 0 kept", "bob: which one?"]
    );
    assert!(matches!(
        w.operator_saw()[..],
        [Event::LoggedIn {
            arrival: Arrival::TookOver,
            ..
        }]
    ));
}

#[test]
fn a_client_that_was_taken_over_while_cut_off_does_not_come_back() {
    let mut w = World::new(6);
    let first = w.join("alice");
    w.cut_from_server(first);
    w.run(Duration::from_secs(40));
    let second = w.join("alice");
    w.look_away();
    w.run(Duration::from_secs(300));
    w.heal_to_server(first);
    w.run(Duration::from_secs(60));
    assert_eq!(w.saw(first).last().unwrap(), "ended (taken over), 0 unsent");
    assert!(!w.has_ended(second));
    assert_eq!(w.saw(second), [""; 0]);
}

#[test]
fn of_two_clients_the_one_that_a_person_started_later_stays_after_a_server_restart() {
    let mut w = World::new(7);
    let first = w.join("alice");
    w.cut_from_server(first);
    w.run(Duration::from_secs(2));
    let second = w.join("alice");
    w.crash_server();
    w.start_server();
    w.heal_to_server(first);
    w.run(Duration::from_secs(200));
    assert!(w.has_ended(first));
    assert!(!w.has_ended(second));
    w.run(Duration::from_secs(200));
    assert!(!w.has_ended(second));
}

#[test]
fn a_silent_client_is_gone_after_the_timeout_and_the_others_hear_of_it() {
    let mut w = World::new(8);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.run(Duration::from_secs(200));
    w.look_away();
    w.operator_saw();
    w.crash(bob);
    w.run(Duration::from_secs(64));
    assert_eq!(w.saw(alice), [""; 0], "it may still come back");
    w.run(Duration::from_secs(33));
    assert_eq!(w.saw(alice), ["bob offline"]);
    assert!(matches!(
        w.operator_saw()[..],
        [Event::LoggedOut {
            departure: Departure::TimedOut,
            ..
        }]
    ));
    assert_eq!(w.server().online(), 1);
}

#[test]
fn a_client_that_was_given_up_logs_in_again_by_itself() {
    let mut w = World::new(9);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    w.cut_from_server(bob);
    w.run(Duration::from_secs(150));
    assert_eq!(w.saw(alice), ["bob offline"]);
    w.types(alice, "message bob come back");
    w.run(Duration::from_secs(5));
    w.look_away();
    w.heal_to_server(bob);
    w.run(Duration::from_secs(60));
    assert_eq!(
        w.saw(bob),
        [
            "logged in again as bob, 1 kept",
            "1 kept:",
            "alice: come back",
            "that was kept"
        ]
    );
    assert_eq!(w.saw(alice), ["bob online", "delivered later to bob"]);
}

#[test]
fn a_short_cut_costs_no_session() {
    let mut w = World::new(10);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    w.cut_from_server(bob);
    w.types(bob, "message alice over there");
    w.run(Duration::from_secs(20));
    assert_eq!(w.saw(bob), ["server away (unreachable), 0 peers"]);
    w.heal_to_server(bob);
    w.run(Duration::from_secs(40));
    assert_eq!(
        w.saw(bob),
        ["server back", "message alice over there: delivered"]
    );
    assert_eq!(w.saw(alice), ["bob: over there"], "and no alerts");
}

#[test]
fn an_unreachable_listener_is_said_and_checked_again() {
    let mut w = World::new(11);
    let alice = w.join("alice");
    let bob = w.sit_down_with("bob", LinkChoice::PerMessage);
    w.close_listener(bob);
    w.log_in(bob, "bob", "bob");
    w.settle();
    assert_eq!(
        w.saw(bob),
        ["logged in as bob, 0 kept", "listener at 40000 unreachable"]
    );
    w.look_away();
    w.types(alice, "message bob can you hear me");
    w.settle();
    assert_eq!(w.saw(alice), ["message bob can you hear me: stored"]);
    w.open_listener(bob);
    w.run(Duration::from_secs(40));
    assert_eq!(w.saw(bob), ["alice: can you hear me"]);
}

#[test]
fn logging_out_tells_the_others() {
    let mut w = World::new(12);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    w.types(bob, "logout");
    w.settle();
    assert_eq!(w.saw(bob), ["ended (left), 0 unsent"]);
    assert_eq!(w.saw(alice), ["bob offline"]);
}

#[test]
fn what_was_typed_just_before_leaving_is_sent() {
    let mut w = World::new(13);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    w.types(bob, "message alice one more thing");
    w.types(bob, "logout");
    w.settle();
    assert_eq!(
        w.saw(bob),
        [
            "message alice one more thing: delivered",
            "ended (left), 0 unsent"
        ]
    );
    assert_eq!(w.saw(alice), ["bob: one more thing", "bob offline"]);
}

#[test]
fn leaving_while_the_server_is_away_says_what_stays_unsent() {
    let mut w = World::new(14);
    let alice = w.join("alice");
    w.crash_server();
    w.look_away();
    w.types(alice, "message bob hello?");
    w.run(Duration::from_secs(10));
    w.types(alice, "logout");
    w.settle();
    assert_eq!(
        w.saw(alice),
        [
            "server away (unreachable), 0 peers",
            "ended (left), 1 unsent"
        ]
    );
}

#[test]
fn the_server_that_cannot_be_reached_at_all_ends_the_client() {
    let mut w = World::new(15);
    w.crash_server();
    let alice = w.sit_down("alice");
    w.log_in(alice, "alice", "alice");
    w.settle();
    assert_eq!(w.saw(alice), ["ended (unreachable), 0 unsent"]);
}

#[test]
fn a_refused_login_can_be_tried_again() {
    let mut w = World::new(16);
    let alice = w.sit_down("alice");
    w.log_in(alice, "alice", "oops");
    w.settle();
    w.log_in(alice, "alice", "alice");
    w.settle();
    assert_eq!(
        w.saw(alice),
        [
            "login refused: wrong name or password",
            "logged in as alice, 0 kept"
        ]
    );
    let again = w.types_in_vain_login(alice);
    assert_eq!(again.to_string(), "you are logged in already");
}

#[test]
fn without_a_session_there_is_nothing_to_do() {
    let mut w = World::new(17);
    let alice = w.sit_down("alice");
    for line in ["message bob hi", "online", "addressbook", "accept bob"] {
        assert_eq!(
            w.types_in_vain(alice, line).to_string(),
            "you are not logged in"
        );
    }
}

#[test]
fn at_the_end_of_input_everything_is_done_before_leaving() {
    let mut w = World::new(18);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    w.types(alice, "message bob from a script");
    w.types(alice, "online");
    w.types(alice, "end-of-input");
    w.settle();
    assert_eq!(
        w.saw(alice),
        [
            "online: bob",
            "message bob from a script: delivered",
            "ended (left), 0 unsent"
        ]
    );
    assert_eq!(w.saw(bob), ["alice: from a script", "alice offline"]);
}

#[test]
fn at_the_end_of_input_without_a_server_nothing_waiting_is_lost() {
    let mut w = World::new(19);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.crash_server();
    w.run(Duration::from_secs(60));
    w.look_away();
    w.types(alice, "message bob later");
    w.types(alice, "end-of-input");
    w.run(Duration::from_secs(100));
    assert!(!w.has_ended(alice), "a message waits");
    w.start_server();
    w.run(Duration::from_secs(100));
    assert_eq!(
        w.saw(alice),
        [
            "waits for the server",
            "logged in again as alice, 0 kept",
            "message bob later: delivered",
            "ended (left), 0 unsent"
        ]
    );
    w.crash_server();
    w.run(Duration::from_secs(60));
    w.look_away();
    w.types(bob, "end-of-input");
    w.settle();
    assert_eq!(w.saw(bob), ["ended (unreachable), 0 unsent"]);
}
