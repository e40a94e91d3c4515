//! A server that starts again with what its store has kept: nothing that was said is taken back, nothing is done twice.

use std::time::Duration;

use simplechat_core::key::{KEY_LEN, PublicKey};
use simplechat_core::server::event::Event;
use simplechat_core::server::record::Record;
use simplechat_sim::World;
use simplechat_sim::store::Health;

/// The server's machine is gone and starts again; everybody logs in again by themselves.
fn restart(w: &mut World) {
    w.crash_server();
    w.start_server();
    w.run(Duration::from_secs(60));
}

#[test]
fn stored_is_said_when_the_store_has_it_and_no_sooner() {
    let mut w = World::new(1);
    let alice = w.join("alice");
    w.look_away();
    w.store.takes = Duration::from_secs(2);
    w.types(alice, "message bob hi");
    w.run(Duration::from_secs(1));
    assert_eq!(w.saw(alice), [""; 0]);
    w.settle();
    assert_eq!(w.saw(alice), ["message bob hi: stored"]);
}

#[test]
fn what_was_stored_is_delivered_after_a_crash() {
    let mut w = World::new(2);
    let alice = w.join("alice");
    for text in ["one", "two", "three"] {
        w.types(alice, &format!("message bob {text}"));
    }
    w.settle();
    restart(&mut w);
    let bob = w.join("bob");
    assert_eq!(
        w.saw(bob),
        [
            "logged in as bob, 3 kept",
            "3 kept:",
            "alice: one",
            "alice: two",
            "alice: three",
            "that was kept"
        ]
    );
    restart(&mut w);
    w.look_away();
    let again = w.join("bob");
    w.settle();
    assert_eq!(w.saw(again), ["logged in as bob, 0 kept"]);
}

#[test]
fn a_crash_before_the_store_has_it_loses_nothing_and_doubles_nothing() {
    for seed in 0..40 {
        let mut w = World::new(seed);
        let alice = w.join("alice");
        w.store.takes = Duration::from_millis(seed % 3 * 10);
        w.types(alice, "message bob before");
        w.types(alice, "block carol");
        w.types(alice, "message bob after");
        w.run(Duration::from_millis(7 + seed));
        restart(&mut w);
        let seen = w.saw(alice);
        let outcomes: Vec<_> = seen.iter().filter(|line| line.contains(": ")).collect();
        assert_eq!(
            outcomes,
            [
                "message bob before: stored",
                "block carol: done",
                "message bob after: stored"
            ],
            "seed {seed}: {}",
            w.log()
        );
        let bob = w.join("bob");
        let read: Vec<_> = w.saw(bob);
        let read: Vec<_> = read
            .iter()
            .filter(|line| line.starts_with("alice"))
            .collect();
        assert_eq!(read, ["alice: before", "alice: after"], "seed {seed}");
    }
}

#[test]
fn an_earlier_refusal_does_not_become_a_yes_behind_a_later_message() {
    let mut w = World::new(3);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(bob, "block alice");
    w.settle();
    // The answers to both get lost, and the server with them.
    w.types(alice, "message bob refused");
    w.types(bob, "unblock alice");
    w.run(Duration::from_millis(300));
    w.types(bob, "logout");
    w.settle();
    w.types(alice, "message bob taken");
    w.settle();
    restart(&mut w);
    let bob = w.join("bob");
    let read = w.saw(bob);
    let told = w.saw(alice);
    let accepted = told.iter().filter(|line| line.ends_with("stored")).count();
    let shown = read
        .iter()
        .filter(|line| line.starts_with("alice:"))
        .count();
    assert_eq!(accepted, shown, "{told:?} {read:?}");
}

#[test]
fn a_block_outlives_the_server() {
    let mut w = World::new(4);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "block bob");
    w.settle();
    restart(&mut w);
    w.look_away();
    w.types(bob, "message alice hello?");
    w.settle();
    w.types(bob, "online");
    w.settle();
    assert_eq!(
        w.saw(bob),
        ["message alice hello?: refused, you are blocked", "online: "]
    );
    w.types(alice, "unblock bob");
    w.settle();
    assert_eq!(w.saw(alice), ["unblock bob: done"]);
}

#[test]
fn who_missed_an_introduction_is_told_after_a_restart() {
    let mut w = World::new(5);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "getaddress bob");
    w.settle();
    w.cut_from_server(alice);
    w.types(bob, "accept alice");
    w.settle();
    w.crash_server();
    w.heal_to_server(alice);
    w.look_away();
    w.start_server();
    w.run(Duration::from_secs(120));
    assert!(w.saw(alice).contains(&"introduced to bob".to_owned()));
    w.look_away();
    w.types(alice, "private bob at last");
    w.settle();
    assert_eq!(w.saw(bob), ["alice privately: at last"]);
}

#[test]
fn a_question_outlives_the_server_and_expires_in_its_time() {
    let mut w = World::new(6);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "getaddress bob");
    w.settle();
    restart(&mut w);
    w.look_away();
    w.run(Duration::from_secs(50));
    assert_eq!(w.saw(alice), [""; 0]);
    w.run(Duration::from_secs(20));
    assert_eq!(w.saw(alice), ["no answer from bob"]);
    assert_eq!(w.saw(bob), ["alice asks no more"]);
}

#[test]
fn a_client_that_was_taken_over_stays_out_after_a_restart() {
    let mut w = World::new(7);
    let old = w.join("alice");
    w.cut_from_server(old);
    let new = w.join("alice");
    w.settle();
    w.crash_server();
    w.heal_to_server(old);
    w.start_server();
    w.run(Duration::from_secs(200));
    assert!(w.has_ended(old));
    assert!(!w.has_ended(new));
}

#[test]
fn a_failing_store_refuses_what_needs_it_and_nothing_else() {
    let mut w = World::new(8);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.store.health = Health::Failing;
    w.look_away();
    w.types(alice, "message carol first");
    w.settle();
    assert_eq!(w.operator_saw().last(), Some(&Event::StoreFailing));
    w.types(alice, "message carol second");
    w.types(alice, "block bob");
    w.types(alice, "message bob hello");
    w.settle();
    let refusal = "refused, the server cannot keep anything now: try again later";
    assert_eq!(w.saw(bob), ["alice: hello"]);
    assert_eq!(
        w.saw(alice),
        [
            format!("message carol first: {refusal}"),
            format!("message carol second: {refusal}"),
            format!("block bob: {refusal}"),
            "message bob hello: delivered".to_owned(),
        ]
    );
    assert_eq!(w.operator_saw(), [], "the operator is told once");
    w.store.health = Health::Working;
    w.types(alice, "message carol third");
    w.run(Duration::from_secs(40));
    w.types(alice, "message carol fourth");
    w.settle();
    assert_eq!(w.operator_saw(), [Event::StoreWorking]);
    let carol = w.join("carol");
    let read = w.saw(carol);
    assert!(read.contains(&"alice: fourth".to_owned()));
    assert!(!read.contains(&"alice: first".to_owned()), "{read:?}");
}

#[test]
fn an_orderly_end_waits_for_the_store() {
    let mut w = World::new(9);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "message carol kept");
    w.settle();
    w.types(bob, "logout");
    w.settle();
    w.store.takes = Duration::from_millis(500);
    let carol = w.join("carol");
    w.operate(simplechat_core::server::Command::Shutdown);
    w.settle();
    w.start_server();
    w.run(Duration::from_secs(60));
    w.look_away();
    w.types(carol, "logout");
    w.settle();
    let again = w.join("carol");
    assert_eq!(w.saw(again), ["logged in as carol, 0 kept"]);
}

#[test]
fn a_lockout_holds_over_a_restart_and_no_longer() {
    let mut w = World::new(10);
    let mallory = w.sit_down("mallory");
    for _ in 0..3 {
        w.log_in(mallory, "alice", "wrong");
        w.run(Duration::from_secs(1));
    }
    w.crash_server();
    w.run(Duration::from_secs(30));
    w.start_server();
    w.look_away();
    w.log_in(mallory, "alice", "alice");
    w.run(Duration::from_secs(1));
    assert_eq!(
        w.saw(mallory),
        ["login refused: too many failed logins: try again in 30 s"]
    );
    w.run(Duration::from_secs(30));
    w.log_in(mallory, "alice", "alice");
    w.run(Duration::from_secs(1));
    assert!(
        w.saw(mallory)
            .contains(&"logged in as alice, 0 kept".to_owned())
    );
}

/// An address is what an introduction is for: without the asker there is none.
#[test]
fn a_yes_to_somebody_who_is_not_back_yet_introduces_both_when_they_are() {
    let mut w = World::new(11);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "getaddress bob");
    w.settle();
    w.cut_from_server(alice);
    w.crash_server();
    w.start_server();
    w.run(Duration::from_secs(40));
    w.look_away();
    w.types(bob, "accept alice");
    w.settle();
    assert_eq!(w.saw(bob), ["accept alice: done"]);
    w.heal_to_server(alice);
    w.run(Duration::from_secs(40));
    assert!(w.saw(bob).contains(&"introduced to alice".to_owned()));
    w.look_away();
    w.types(bob, "private alice hello");
    w.settle();
    assert!(w.saw(alice).contains(&"bob privately: hello".to_owned()));
}

#[test]
fn a_yes_to_somebody_who_does_not_come_back_expires() {
    let mut w = World::new(12);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "getaddress bob");
    w.settle();
    w.crash(alice);
    w.crash_server();
    w.start_server();
    w.run(Duration::from_secs(40));
    w.types(bob, "accept alice");
    w.settle();
    w.look_away();
    w.run(Duration::from_secs(130));
    assert_eq!(w.saw(bob), ["no answer from alice"]);
}

#[test]
fn nobody_is_introduced_before_the_store_has_it() {
    let mut w = World::new(13);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "getaddress bob");
    w.settle();
    w.look_away();
    w.store.takes = Duration::from_secs(2);
    w.types(bob, "accept alice");
    w.run(Duration::from_secs(1));
    assert_eq!(w.saw(alice), [""; 0]);
    w.settle();
    assert_eq!(w.saw(alice), ["introduced to bob"]);
}

/// What is read from a store may be damaged.
#[test]
fn a_place_at_the_end_of_the_numbers_is_ignored() {
    let mut w = World::new(14);
    let alice = w.join("alice");
    w.types(alice, "message bob before");
    w.settle();
    let damaged = Record::Taken {
        to: "bob".parse().expect("a name"),
        key: PublicKey([0; KEY_LEN]),
        through: u64::MAX,
    };
    w.store.keep(vec![damaged]).expect("it works");
    restart(&mut w);
    w.types(alice, "message bob after");
    w.settle();
    let bob = w.join("bob");
    let read = w.saw(bob);
    let read: Vec<_> = read
        .iter()
        .filter(|line| line.starts_with("alice"))
        .collect();
    assert_eq!(read, ["alice: before", "alice: after"]);
}
