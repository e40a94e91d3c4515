//! Introductions that last: who chose so, who is away meanwhile, and how they end on both sides all the same.

use std::time::Duration;

use simplechat_sim::net::Listening;
use simplechat_sim::store::Store;
use simplechat_sim::{ClientId, World};

const MINUTE: Duration = Duration::from_secs(60);

/// Two whose clients have a store, and who are in each other's address books for good.
fn lasting_pair(w: &mut World) -> (ClientId, ClientId) {
    let (alice, bob) = (w.join_keeping("alice"), w.join_keeping("bob"));
    introduce_lastingly(w, alice, bob);
    (alice, bob)
}

fn introduce_lastingly(w: &mut World, asker: ClientId, asked: ClientId) {
    w.types(asker, "getaddress bob always");
    w.settle();
    w.types(asked, "accept alice always");
    w.settle();
}

fn leave(w: &mut World, client: ClientId) {
    w.types(client, "logout");
    w.run(MINUTE);
    assert!(w.has_ended(client), "it has left");
}

fn come_back(w: &mut World, client: ClientId, name: &str) {
    w.start_again(client);
    w.log_in(client, name, name);
    w.run(MINUTE);
}

fn book(w: &mut World, client: ClientId) -> String {
    w.look_away();
    w.types(client, "addressbook");
    w.saw(client).join("; ")
}

#[test]
fn it_lasts_if_both_choose_it_and_both_are_told() {
    for (asks, answers, says) in [
        ("always", "always", " always"),
        ("always", "", ""),
        ("", "always", ""),
    ] {
        let mut w = World::new(1);
        let (alice, bob) = (w.join("alice"), w.join("bob"));
        w.look_away();
        w.types(alice, &format!("getaddress bob {asks}"));
        w.settle();
        let asked = format!("alice asks for the address {asks}");
        assert!(w.saw(bob)[0].starts_with(asked.trim()), "{:?}", w.saw(bob));
        w.types(bob, &format!("accept alice {answers}"));
        w.settle();
        for (client, peer) in [(alice, "bob"), (bob, "alice")] {
            let introduced = format!("introduced to {peer}{says}");
            assert!(w.saw(client).contains(&introduced), "{:?}", w.saw(client));
        }
    }
}

#[test]
fn crossing_questions_that_both_want_to_last_do() {
    let mut w = World::new(2);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    w.types(alice, "getaddress bob always");
    w.types(bob, "getaddress alice always");
    w.settle();
    let introduced = "introduced to bob always".to_owned();
    assert!(w.saw(alice).contains(&introduced), "{:?}", w.saw(alice));
}

#[test]
fn who_leaves_is_away_and_gets_what_waited_when_they_are_back() {
    let mut w = World::new(3);
    let (alice, bob) = lasting_pair(&mut w);
    leave(&mut w, bob);
    assert!(w.saw(alice).contains(&"bob is away".to_owned()));
    assert_eq!(book(&mut w, alice), "book: bob always away 0 waiting");
    w.types(alice, "private bob welcome back");
    w.run(10 * MINUTE);
    w.look_away();
    w.types(alice, "why");
    assert!(
        w.saw(alice)[0].ends_with("next WhenBack"),
        "{:?}",
        w.saw(alice)
    );
    w.move_client(bob, Listening::There);
    come_back(&mut w, bob, "bob");
    let seen = w.saw(bob);
    assert_eq!(
        seen.iter()
            .filter(|line| line.ends_with("welcome back"))
            .count(),
        1,
        "{seen:?}"
    );
    assert_eq!(book(&mut w, alice), "book: bob always reachable 0 waiting");
    assert_eq!(book(&mut w, bob), "book: alice always reachable 0 waiting");
}

#[test]
fn who_leaves_before_they_were_found_is_said_to_be_away() {
    let mut w = World::new(3);
    let (alice, bob) = (w.join_keeping("alice"), w.join_keeping("bob"));
    w.cut_between(alice, bob);
    w.types(alice, "getaddress bob always");
    w.settle();
    w.types(bob, "accept alice always");
    w.settle();
    w.look_away();
    leave(&mut w, bob);
    let away = |line: &String| line == "bob is away";
    assert_eq!(w.saw(alice).iter().filter(|line| away(line)).count(), 1);
    leave(&mut w, alice);
    come_back(&mut w, alice, "alice");
    assert!(!w.saw(alice).iter().any(away), "it is no news");
}

#[test]
fn an_entry_until_a_logout_ends_there_beside_one_that_lasts() {
    let mut w = World::new(4);
    let (alice, bob) = lasting_pair(&mut w);
    let carol = w.join_keeping("carol");
    w.introduce(carol, bob);
    leave(&mut w, bob);
    assert_eq!(book(&mut w, carol), "book: ");
    assert_eq!(book(&mut w, alice), "book: bob always away 0 waiting");
}

#[test]
fn what_is_ended_while_the_other_is_away_they_learn_when_they_are_back() {
    for (seed, ending) in [(5, "removeaddress bob"), (6, "block bob")] {
        let mut w = World::new(seed);
        let (alice, bob) = lasting_pair(&mut w);
        leave(&mut w, bob);
        w.types(alice, ending);
        w.settle();
        leave(&mut w, alice);
        come_back(&mut w, bob, "bob");
        let gone = "alice gone (removed), 0 undelivered".to_owned();
        assert!(w.saw(bob).contains(&gone), "{:?}", w.saw(bob));
        assert_eq!(book(&mut w, bob), "book: ");
    }
}

/// Another client of the account comes between, which does not have the entry and cannot be told that it is over.
#[test]
fn the_word_that_it_is_over_waits_for_the_client_that_has_it() {
    let mut w = World::new(7);
    let (alice, bob) = lasting_pair(&mut w);
    leave(&mut w, bob);
    let other = w.join("bob");
    assert!(book(&mut w, alice).contains("elsewhere"));
    w.types(alice, "removeaddress bob");
    w.settle();
    leave(&mut w, other);
    come_back(&mut w, bob, "bob");
    assert_eq!(book(&mut w, bob), "book: ");
}

#[test]
fn another_client_of_a_peer_leaves_the_entry_for_the_one_that_has_it() {
    let mut w = World::new(8);
    let (alice, bob) = lasting_pair(&mut w);
    leave(&mut w, bob);
    let other = w.join("bob");
    w.run(MINUTE);
    assert_eq!(book(&mut w, alice), "book: bob always elsewhere 0 waiting");
    leave(&mut w, other);
    come_back(&mut w, bob, "bob");
    assert_eq!(book(&mut w, alice), "book: bob always reachable 0 waiting");
    assert_eq!(book(&mut w, bob), "book: alice always reachable 0 waiting");
}

/// The introduction that is in force then is another one, which another client of the account has.
#[test]
fn who_was_introduced_anew_at_another_client_is_elsewhere_for_the_first() {
    let mut w = World::new(11);
    let (alice, bob) = lasting_pair(&mut w);
    leave(&mut w, bob);
    let other = w.join("bob");
    w.types(alice, "getaddress bob always");
    w.settle();
    w.types(other, "accept alice always");
    w.settle();
    leave(&mut w, other);
    come_back(&mut w, bob, "bob");
    assert_eq!(book(&mut w, bob), "book: alice always elsewhere 0 waiting");
    introduce_lastingly(&mut w, alice, bob);
    assert_eq!(book(&mut w, bob), "book: alice always reachable 0 waiting");
}

/// The server was started again without its store: it knows of no introduction, and the clients tell it.
#[test]
fn a_server_that_has_forgotten_everything_learns_what_both_have() {
    let mut w = World::new(9);
    let (alice, bob) = lasting_pair(&mut w);
    w.crash_server();
    w.store = Store::default();
    w.start_server();
    w.run(2 * MINUTE);
    leave(&mut w, bob);
    assert_eq!(book(&mut w, alice), "book: bob always away 0 waiting");
    w.move_client(bob, Listening::There);
    come_back(&mut w, bob, "bob");
    assert_eq!(book(&mut w, alice), "book: bob always reachable 0 waiting");
}

#[test]
fn a_server_that_has_forgotten_everything_learns_what_only_one_has() {
    for was_removed_before in [true, false] {
        let mut w = World::new(10);
        let (alice, bob) = lasting_pair(&mut w);
        leave(&mut w, bob);
        if was_removed_before {
            w.types(alice, "removeaddress bob");
            w.settle();
        }
        w.crash_server();
        w.store = Store::default();
        w.start_server();
        w.run(2 * MINUTE);
        if !was_removed_before {
            w.types(alice, "removeaddress bob");
            w.settle();
        }
        come_back(&mut w, bob, "bob");
        assert_eq!(book(&mut w, bob), "book: ", "{was_removed_before}");
    }
}
