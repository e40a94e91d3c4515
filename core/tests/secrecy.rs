//! What the channel is for, in whole worlds: nobody takes the server's place, hints that anybody could send do no harm, keys are
//! renewed without a word being lost, and no password is needed twice.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

use std::time::Duration;

use simplechat_core::server::event::{Event as ServerEvent, Fault};
use simplechat_sim::World;

const HOUR: Duration = Duration::from_secs(60 * 60);

#[test]
fn somebody_in_the_server_s_place_is_told_nothing() {
    let mut w = World::new(1);
    let alice = w.join("alice");
    w.look_away();
    w.crash_server();
    w.operator_saw();
    w.start_impostor();
    w.run(Duration::from_secs(120));
    assert_eq!(w.server().online(), 0);
    assert_eq!(w.saw(alice), ["server away (other key), 0 peers"]);
    // Frames of a session that it does not know, and not even a ticket. Its word on them, which anybody could give, has the
    // client ask the server that it knows, and do nothing else.
    let heard = w.operator_saw();
    let is_nothing = |event: &ServerEvent| {
        let fault = Fault::UnknownSession;
        matches!(event, ServerEvent::Refused { fault: what, .. } if *what == fault)
    };
    assert!(heard.iter().all(is_nothing), "{heard:?}");
    assert!(!heard.is_empty(), "it was called");
    w.types(alice, "message bob waits for the real one");
    w.crash_server();
    w.start_server();
    w.run(Duration::from_secs(120));
    let seen = w.saw(alice);
    assert!(
        seen.contains(&"message bob waits for the real one: stored".to_owned()),
        "{seen:?}"
    );
}

#[test]
fn a_server_that_is_not_trusted_gets_no_password() {
    // Some know the server's key, the others are asked.
    for seed in 0..8 {
        let mut w = World::new(seed);
        w.crash_server();
        w.start_impostor();
        let alice = w.sit_down("alice");
        w.log_in(alice, "alice", "alice");
        w.run(Duration::from_secs(30));
        let ends = [
            "ended (not trusted), 0 unsent",
            "ended (unreachable), 0 unsent",
        ];
        let seen = w.saw(alice);
        assert!(ends.iter().any(|end| seen == [*end]), "{seen:?}");
        assert_eq!(w.password_checks(), 0);
        assert_eq!(w.operator_saw(), []);
    }
}

#[test]
fn keys_are_renewed_every_hour_and_nobody_notices() {
    let mut w = World::new(2);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.look_away();
    let checks_before = w.password_checks();
    let mut said = Vec::new();
    for number in 0..200 {
        w.types(alice, &format!("message bob m{number}"));
        w.types(alice, &format!("private bob p{number}"));
        said.push(format!("alice: m{number}"));
        w.run(Duration::from_secs(60));
    }
    let seen = w.saw(bob);
    let messages: Vec<_> = seen
        .iter()
        .filter(|line| line.starts_with("alice: m"))
        .cloned()
        .collect();
    assert_eq!(messages, said);
    let private = seen.iter().filter(|line| line.contains("private")).count();
    assert_eq!(private, 200, "{seen:?}");
    assert_eq!(seen.len(), 400, "and nothing else: {seen:?}");
    assert_eq!(w.password_checks(), checks_before, "tickets, not passwords");
    let logins = w
        .operator_saw()
        .iter()
        .filter(|event| matches!(event, ServerEvent::LoggedIn { .. }))
        .count();
    assert!((8..=20).contains(&logins), "{logins} logins in 3 h 20 min");
}

#[test]
fn after_a_restart_nobody_types_a_password() {
    let mut w = World::new(3);
    let (alice, _bob) = (w.join("alice"), w.join("bob"));
    let before = w.password_checks();
    w.crash_server();
    w.run(Duration::from_secs(10));
    w.start_server();
    w.look_away();
    w.run(Duration::from_secs(60));
    assert_eq!(w.server().online(), 2);
    assert_eq!(w.password_checks(), before);
    assert!(w.saw(alice).iter().all(|line| !line.contains("password")));
}

#[test]
fn after_a_day_away_the_password_is_asked_for_and_what_waited_goes_out() {
    let mut w = World::new(4);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.cut_from_server(alice);
    w.types(alice, "message bob from yesterday");
    w.run(25 * HOUR);
    w.heal_to_server(alice);
    w.look_away();
    // The people of a world type their password when they are asked.
    w.run(Duration::from_secs(120));
    let seen = w.saw(alice);
    assert!(
        seen.contains(&"password needed".to_owned()),
        "after a day: {seen:?}"
    );
    assert!(w.saw(bob).contains(&"alice: from yesterday".to_owned()));
}
