//! The consent handshake: nobody learns an address without the other's yes.

use std::time::Duration;

use simplechat_sim::World;

#[test]
fn a_yes_introduces_both() {
    let mut w = World::new(1);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    w.types(alice, "getaddress bob");
    w.settle();
    assert_eq!(w.saw(alice), ["getaddress bob: asked"]);
    assert_eq!(w.saw(bob), ["alice asks for the address, 120 s"]);
    w.types(bob, "accept alice");
    w.settle();
    let mut seen = w.saw(bob);
    seen.sort();
    assert_eq!(seen, ["accept alice: done", "introduced to alice"]);
    assert_eq!(w.saw(alice), ["introduced to bob"]);
    w.types(alice, "addressbook");
    w.types(bob, "addressbook");
    assert_eq!(w.saw(alice), ["book: bob reachable 0 waiting"]);
    assert_eq!(w.saw(bob), ["book: alice reachable 0 waiting"]);
}

#[test]
fn a_no_is_a_no() {
    let mut w = World::new(2);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "getaddress bob");
    w.settle();
    w.look_away();
    w.types(bob, "deny alice");
    w.settle();
    assert_eq!(w.saw(bob), ["deny alice: done"]);
    assert_eq!(w.saw(alice), ["bob said no"]);
    w.types(alice, "addressbook");
    assert_eq!(w.saw(alice), ["book: "]);
}

#[test]
fn silent_away_and_blocking_look_the_same() {
    let mut w = World::new(3);
    let alice = w.join("alice");
    let _silent = w.join("bob");
    let blocking = w.join("carol");
    w.types(blocking, "block alice");
    w.settle();
    w.look_away();
    let mut seen = Vec::new();
    for (other, name) in [("bob", "silent"), ("carol", "blocking"), ("dave", "away")] {
        w.types(alice, &format!("getaddress {other}"));
        w.settle();
        w.types(alice, &format!("getaddress {other}"));
        w.settle();
        w.run(Duration::from_secs(120));
        let answers: Vec<_> = w
            .saw(alice)
            .iter()
            .map(|line| line.replace(other, "them"))
            .collect();
        seen.push((name, answers));
    }
    for (name, answers) in &seen {
        assert_eq!(
            answers,
            &[
                "getaddress them: asked",
                "getaddress them: refused, you have asked already, and the question is still open",
                "no answer from them",
            ],
            "{name}"
        );
    }
}

#[test]
fn an_unanswered_question_expires_on_both_sides() {
    let mut w = World::new(4);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "getaddress bob");
    w.settle();
    w.look_away();
    w.run(Duration::from_secs(120));
    assert_eq!(w.saw(alice), ["no answer from bob"]);
    assert_eq!(w.saw(bob), ["alice asks no more"]);
    assert_eq!(
        w.types_in_vain(bob, "accept alice").to_string(),
        "alice has not asked for your address, or the question is open no more"
    );
}

#[test]
fn crossing_questions_are_a_yes_from_both() {
    let mut w = World::new(5);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    w.types(alice, "getaddress bob");
    w.types(bob, "getaddress alice");
    w.settle();
    for (user, other) in [(alice, "bob"), (bob, "alice")] {
        let seen = w.saw(user);
        assert!(seen.contains(&format!("introduced to {other}")), "{seen:?}");
        assert_eq!(
            w.types_in_vain(user, &format!("accept {other}"))
                .to_string(),
            format!("{other} has not asked for your address, or the question is open no more")
        );
    }
}

#[test]
fn a_question_does_not_stop_messages_and_several_queue() {
    let mut w = World::new(6);
    let (alice, bob, carol) = (w.join("alice"), w.join("bob"), w.join("carol"));
    w.look_away();
    w.types(alice, "getaddress bob");
    w.settle();
    w.types(carol, "getaddress bob");
    w.types(carol, "message bob knock knock");
    w.settle();
    let mut seen = w.saw(bob);
    seen.sort();
    assert_eq!(
        seen,
        [
            "alice asks for the address, 120 s",
            "carol asks for the address, 120 s",
            "carol: knock knock"
        ]
    );
    let doubt = w.types_in_vain(bob, "y").to_string();
    assert_eq!(
        doubt,
        "whom do you answer? Say `accept NAME` or `deny NAME`; open: alice, carol"
    );
    w.types(bob, "deny carol");
    w.settle();
    // Now one is left, but another one was closed a moment ago.
    w.run(Duration::from_secs(1));
    w.types(bob, "y");
    w.settle();
    let seen = w.saw(alice);
    assert!(seen.contains(&"introduced to bob".into()), "{seen:?}");
    assert_eq!(
        w.types_in_vain(bob, "y").to_string(),
        "nobody asks for your address"
    );
}

#[test]
fn a_bare_answer_right_after_the_question_could_be_an_accident() {
    let mut w = World::new(7);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "getaddress bob");
    w.run(Duration::from_millis(500));
    assert_eq!(
        w.types_in_vain(bob, "y").to_string(),
        "whom do you answer? Say `accept NAME` or `deny NAME`; open: alice"
    );
    w.run(Duration::from_secs(1));
    w.types(bob, "n");
    w.settle();
    assert!(w.saw(alice).contains(&"bob said no".into()));
}

#[test]
fn a_question_is_shown_at_login_while_it_is_open() {
    let mut w = World::new(8);
    let alice = w.join("alice");
    w.types(alice, "getaddress bob");
    w.run(Duration::from_secs(60));
    let bob = w.join("bob");
    assert_eq!(
        w.saw(bob),
        [
            "logged in as bob, 0 kept",
            "alice asks for the address, 60 s"
        ]
    );
}

#[test]
fn an_asker_who_leaves_takes_the_question_back() {
    let mut w = World::new(9);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "getaddress bob");
    w.settle();
    w.look_away();
    w.types(alice, "logout");
    w.settle();
    let mut seen = w.saw(bob);
    seen.sort();
    assert_eq!(seen, ["alice asks no more", "alice offline"]);
}

#[test]
fn every_refusal_says_why() {
    let mut w = World::new(10);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.look_away();
    let mut refused = |line| w.types_in_vain(alice, line).to_string();
    assert_eq!(refused("getaddress alice"), "that is you");
    assert_eq!(
        refused("getaddress bob"),
        "bob is in your address book already"
    );
    assert_eq!(
        refused("removeaddress carol"),
        "carol is not in your address book: `getaddress carol` asks for an introduction"
    );
    assert_eq!(
        refused("accept carol"),
        "carol has not asked for your address, or the question is open no more"
    );
    w.types(alice, "getaddress nobody");
    w.settle();
    assert_eq!(
        w.saw(alice),
        ["getaddress nobody: refused, there is no such user"]
    );
}

#[test]
fn no_address_is_told_without_a_yes() {
    let mut w = World::new(11);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "getaddress bob");
    w.settle();
    w.types(bob, "deny alice");
    w.settle();
    w.run(Duration::from_secs(200));
    assert_eq!(
        w.net.connections_between(alice.host(), bob.host()),
        0,
        "neither has ever dialled the other"
    );
}

#[test]
fn a_peer_who_calls_before_the_introduction_has_come_is_no_stranger() {
    for seed in 0..30 {
        let mut w = World::new(seed);
        w.net.weather.jitter = Duration::from_millis(300);
        let (alice, bob) = (w.join("alice"), w.join("bob"));
        w.look_away();
        w.introduce(alice, bob);
        w.settle();
        let seen = w.saw(alice);
        assert!(
            !seen.iter().any(|line| line.contains("stranger")),
            "seed {seed}: {seen:?}"
        );
        for (user, other) in [(alice, "bob"), (bob, "alice")] {
            w.look_away();
            w.types(user, "addressbook");
            assert_eq!(
                w.saw(user),
                [format!("book: {other} reachable 0 waiting")],
                "seed {seed}"
            );
        }
    }
}

/// Who removes somebody may have been introduced to them anew meanwhile.
#[test]
fn a_removal_that_crosses_an_introduction_ends_it_on_both_sides() {
    for pause in 0..80 {
        let mut w = World::new(20);
        let (alice, bob) = (w.join("alice"), w.join("bob"));
        w.types(alice, "getaddress bob");
        w.settle();
        if pause % 2 == 0 {
            // He has not heard of the first introduction when the second one is over.
            w.close_listener(bob);
        }
        w.types(bob, "accept alice");
        w.types(bob, "getaddress alice");
        w.run(Duration::from_millis(pause));
        for line in ["accept bob", "removeaddress bob"] {
            // Whether it makes sense yet depends on the pause.
            let _ = w.command(alice, simplechat_sim::script::parse(line));
        }
        w.run(Duration::from_millis(20));
        w.open_listener(bob);
        w.run(Duration::from_secs(200));
        w.look_away();
        w.types(alice, "addressbook");
        w.types(bob, "addressbook");
        let is_empty = |book: Vec<String>| book == ["book: "];
        let books = (is_empty(w.saw(alice)), is_empty(w.saw(bob)));
        assert_eq!(books.0, books.1, "after {pause} ms: {}", w.log());
    }
}

/// The server tells of an introduction again if it did not hear that the client knows.
#[test]
fn an_introduction_that_was_ended_is_not_begun_again_by_a_late_word_of_it() {
    let mut removed = 0;
    for millis in 0..40 {
        let mut w = World::new(21);
        let (alice, bob) = (w.join("alice"), w.join("bob"));
        w.types(alice, "getaddress bob");
        w.settle();
        w.types(bob, "accept alice");
        w.run(Duration::from_millis(millis));
        w.cut_from_server(alice);
        w.run(Duration::from_millis(20));
        let removal = simplechat_sim::script::parse("removeaddress bob");
        if w.command(alice, removal).is_err() {
            continue;
        }
        removed += 1;
        w.run(Duration::from_secs(200));
        w.heal_to_server(alice);
        w.run(Duration::from_secs(200));
        let seen = w.saw(alice);
        let introduced = seen.iter().filter(|line| *line == "introduced to bob");
        assert_eq!(introduced.count(), 1, "cut after {millis} ms: {}", w.log());
    }
    assert!(removed > 0, "some were introduced before the cut");
}

#[test]
fn another_client_is_not_introduced_to_whom_the_last_one_had_agreed() {
    let mut w = World::new(30);
    let (alice, bob, carol) = (w.join("alice"), w.join("bob"), w.join("carol"));
    w.types(alice, "getaddress bob");
    w.types(carol, "getaddress alice");
    w.settle();
    w.look_away();
    let again = w.join("alice");
    w.settle();
    assert_eq!(
        w.saw(again),
        [
            "logged in as alice, 0 kept",
            "carol asks for the address, 115 s"
        ]
    );
    assert!(w.saw(bob).contains(&"alice asks no more".into()));
    assert!(w.has_ended(alice));
    w.introduce(carol, again);
}
