//! A client with a store that starts again is the same client: nothing that it took is lost, nothing is done or shown twice.

use std::time::Duration;

use simplechat_core::client::record::Record;
use simplechat_sim::store::{Health, Store};
use simplechat_sim::{ClientId, World};

/// Somebody's client starts again, and they log in.
fn come_back(w: &mut World, id: ClientId, name: &str) {
    w.start_again(id);
    w.log_in(id, name, name);
    w.run(Duration::from_secs(60));
}

/// Somebody's client is gone without a word, with what its disk had not written yet.
fn kill(w: &mut World, id: ClientId) {
    disk(w, id).health = Health::Failing;
    w.crash(id);
    disk(w, id).health = Health::Working;
}

fn disk(w: &mut World, id: ClientId) -> &mut Store<Record> {
    &mut w.disk(id).expect("it has a store").store
}

/// What somebody saw that others wrote, or what became of what they wrote.
fn saw_of(w: &mut World, id: ClientId, word: &str) -> Vec<String> {
    let seen = w.saw(id);
    seen.into_iter()
        .filter(|line| line.contains(word))
        .collect()
}

/// Alice, whose client has a store, and bob; each in the other's address book.
fn peers(seed: u64) -> (World, ClientId, ClientId) {
    let mut w = World::new(seed);
    let alice = w.join_keeping("alice");
    let bob = w.join("bob");
    w.introduce(alice, bob);
    w.look_away();
    (w, alice, bob)
}

#[test]
fn a_client_that_is_killed_sends_what_it_has_not_when_it_starts_again() {
    let mut w = World::new(1);
    let (alice, bob) = (w.join_keeping("alice"), w.join("bob"));
    w.cut_from_server(alice);
    w.types(alice, "message bob one");
    w.types(alice, "message bob two");
    w.settle();
    kill(&mut w, alice);
    w.heal_to_server(alice);
    w.look_away();
    come_back(&mut w, alice, "alice");
    assert_eq!(
        saw_of(&mut w, alice, "message"),
        ["message bob one: delivered", "message bob two: delivered"]
    );
    assert_eq!(saw_of(&mut w, bob, "alice:"), ["alice: one", "alice: two"]);
}

#[test]
fn nothing_is_sent_before_it_is_stored() {
    let (mut w, alice, bob) = peers(2);
    disk(&mut w, alice).takes = Duration::from_secs(4);
    w.types(alice, "message bob one");
    w.types(alice, "private bob two");
    w.run(Duration::from_secs(3));
    assert_eq!(saw_of(&mut w, bob, "alice"), [""; 0]);
    w.run(Duration::from_secs(3));
    assert_eq!(saw_of(&mut w, bob, "alice"), ["alice: one"]);
    w.settle();
    let seen = saw_of(&mut w, bob, "alice");
    assert_eq!(seen, ["alice privately: two"], "it was in the next batch");
}

#[test]
fn what_a_block_hides_is_acknowledged_only_once_the_block_is_stored() {
    let (mut w, alice, bob) = peers(3);
    disk(&mut w, alice).takes = Duration::from_secs(4);
    w.types(alice, "block bob");
    w.types(bob, "message alice one");
    w.run(Duration::from_secs(2));
    assert_eq!(saw_of(&mut w, alice, "bob:"), [""; 0]);
    kill(&mut w, alice);
    disk(&mut w, alice).takes = Duration::ZERO;
    come_back(&mut w, alice, "alice");
    let seen = saw_of(&mut w, alice, "bob:");
    assert_eq!(seen, ["bob: one"], "there never was a block");
}

#[test]
fn what_was_never_stored_was_never_sent_and_its_number_is_free() {
    let (mut w, alice, bob) = peers(3);
    disk(&mut w, alice).health = Health::Failing;
    w.types(alice, "message bob lost");
    w.types(alice, "private bob lost");
    w.settle();
    kill(&mut w, alice);
    come_back(&mut w, alice, "alice");
    w.types(alice, "message bob kept");
    w.types(alice, "private bob kept");
    w.settle();
    let seen = saw_of(&mut w, bob, "alice");
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen.iter().all(|line| line.ends_with("kept")), "{seen:?}");
}

#[test]
fn a_store_that_fails_holds_up_what_is_sent_and_acknowledged_until_it_works() {
    let (mut w, alice, bob) = peers(4);
    disk(&mut w, alice).health = Health::Failing;
    w.types(alice, "message bob hi");
    w.types(bob, "message alice hello");
    w.run(Duration::from_secs(20));
    assert_eq!(saw_of(&mut w, alice, "hello"), [""; 0]);
    assert_eq!(saw_of(&mut w, bob, "h"), ["message alice hello: stored"]);
    disk(&mut w, alice).health = Health::Working;
    w.run(Duration::from_secs(60));
    assert_eq!(saw_of(&mut w, bob, "alice: "), ["alice: hi"]);
    let seen = saw_of(&mut w, alice, "bob");
    assert_eq!(seen, ["bob: hello", "message bob hi: delivered"]);
}

#[test]
fn what_is_stored_and_not_acknowledged_is_not_shown_again() {
    let (mut w, alice, bob) = peers(5);
    w.stick_screen(alice);
    w.types(bob, "message alice one");
    w.types(bob, "private alice two");
    w.settle();
    let mut seen = saw_of(&mut w, alice, "bob");
    seen.sort();
    assert_eq!(seen, ["bob privately: two", "bob: one"]);
    kill(&mut w, alice);
    come_back(&mut w, alice, "alice");
    assert_eq!(saw_of(&mut w, alice, "bob"), [""; 0]);
    let seen = saw_of(&mut w, bob, "deliver");
    assert_eq!(seen.len(), 2, "both are told to have arrived: {seen:?}");
}

#[test]
fn what_is_not_stored_is_shown_by_the_next_client() {
    let (mut w, alice, bob) = peers(6);
    disk(&mut w, alice).health = Health::Failing;
    w.types(bob, "message alice one");
    w.types(bob, "private alice two");
    w.settle();
    kill(&mut w, alice);
    assert_eq!(saw_of(&mut w, alice, "bob"), [""; 0]);
    come_back(&mut w, alice, "alice");
    let mut seen = saw_of(&mut w, alice, "bob");
    seen.sort();
    assert_eq!(seen, ["bob privately: two", "bob: one"]);
}

#[test]
fn an_answer_that_was_lost_is_given_when_it_starts_again() {
    let mut w = World::new(7);
    let (alice, bob) = (w.join_keeping("alice"), w.join("bob"));
    w.look_away();
    w.types(alice, "message bob one");
    w.types(alice, "block carol");
    while saw_of(&mut w, bob, "alice:").is_empty() {
        w.run(Duration::from_millis(1));
    }
    kill(&mut w, alice);
    assert_eq!(w.saw(alice), [""; 0]);
    come_back(&mut w, alice, "alice");
    let seen = saw_of(&mut w, alice, ": d");
    assert_eq!(seen, ["message bob one: delivered", "block carol: done"]);
    assert_eq!(saw_of(&mut w, bob, "alice:"), [""; 0], "it is done once");
}

#[test]
fn an_answer_that_was_told_and_not_stored_is_asked_for_again() {
    let mut w = World::new(8);
    let (alice, bob) = (w.join_keeping("alice"), w.join("bob"));
    w.types(alice, "message bob zero");
    w.settle();
    w.look_away();
    w.types(alice, "message bob one");
    w.run(Duration::from_millis(1));
    disk(&mut w, alice).health = Health::Failing;
    w.settle();
    let word = ["message bob one: delivered"];
    assert_eq!(saw_of(&mut w, alice, "one"), word);
    // It goes on telling the server which answers it may still need.
    w.run(Duration::from_secs(120));
    kill(&mut w, alice);
    come_back(&mut w, alice, "alice");
    assert_eq!(saw_of(&mut w, alice, "one"), word);
    w.types(alice, "message bob two");
    w.settle();
    assert_eq!(saw_of(&mut w, bob, "alice:"), ["alice: one", "alice: two"]);
}

#[test]
fn what_was_answered_is_not_sent_again() {
    let mut w = World::new(9);
    let (alice, bob) = (w.join_keeping("alice"), w.join("bob"));
    w.types(alice, "message bob one");
    w.types(alice, "message nobody two");
    w.settle();
    kill(&mut w, alice);
    w.look_away();
    come_back(&mut w, alice, "alice");
    assert_eq!(w.saw(alice), ["logged in as alice, 0 kept"]);
    assert_eq!(saw_of(&mut w, bob, "alice:"), [""; 0]);
}

#[test]
fn private_messages_that_wait_go_on_waiting() {
    let (mut w, alice, bob) = peers(10);
    w.cut_between(alice, bob);
    w.types(alice, "private bob one");
    w.types(alice, "private bob two");
    w.settle();
    kill(&mut w, alice);
    come_back(&mut w, alice, "alice");
    w.look_away();
    w.types(alice, "addressbook");
    let book = w.saw(alice);
    assert_eq!(book, ["book: bob unreachable 2 waiting"]);
    w.heal_between(alice, bob);
    w.types(alice, "private bob three");
    w.run(Duration::from_secs(120));
    let seen = saw_of(&mut w, bob, "privately");
    let told = ["one", "two", "three"].map(|text| format!("alice privately: {text}"));
    assert_eq!(seen, told);
}

#[test]
fn peers_find_each_other_again_without_a_word_of_theirs() {
    let (mut w, alice, bob) = peers(11);
    kill(&mut w, alice);
    w.types(bob, "private alice are you there?");
    w.run(Duration::from_secs(30));
    come_back(&mut w, alice, "alice");
    let seen = saw_of(&mut w, alice, "privately");
    assert_eq!(seen, ["bob privately: are you there?"]);
}

#[test]
fn whoever_calls_before_the_client_knows_its_own_key_is_not_told_of_another_one() {
    for seed in 0..6 {
        let (mut w, alice, bob) = peers(seed);
        kill(&mut w, alice);
        w.start_again(alice);
        w.types(bob, "private alice hi");
        w.settle();
        assert_eq!(saw_of(&mut w, bob, "somebody else"), [""; 0]);
        w.log_in(alice, "alice", "alice");
        w.run(Duration::from_secs(60));
        let seen = saw_of(&mut w, alice, "privately");
        assert_eq!(seen, ["bob privately: hi"], "seed {seed}");
    }
}

#[test]
fn marks_are_kept_and_fall_with_the_key() {
    let (mut w, alice, bob) = peers(12);
    w.types(alice, "verify bob");
    w.types(alice, "verify bob ok");
    w.settle();
    kill(&mut w, alice);
    come_back(&mut w, alice, "alice");
    w.look_away();
    w.types(alice, "addressbook");
    assert_eq!(w.saw(alice), ["book: bob (verified) reachable 0 waiting"]);
    w.crash(bob);
    let other = w.join("bob");
    w.introduce(alice, other);
    let seen = saw_of(&mut w, alice, "another key");
    assert_eq!(seen, ["bob (verified) has another key, 0 undelivered"]);
}

#[test]
fn the_key_of_somebody_who_was_met_is_kept() {
    let (mut w, alice, bob) = peers(13);
    w.types(alice, "removeaddress bob");
    w.settle();
    w.crash(bob);
    kill(&mut w, alice);
    come_back(&mut w, alice, "alice");
    let other = w.join("bob");
    w.look_away();
    w.introduce(alice, other);
    let seen = saw_of(&mut w, alice, "another key");
    assert_eq!(seen, ["bob has another key, 0 undelivered"]);
}

#[test]
fn an_introduction_that_was_agreed_to_is_taken_after_a_start() {
    let mut w = World::new(14);
    let (alice, bob) = (w.join_keeping("alice"), w.join("bob"));
    w.types(alice, "getaddress bob");
    w.settle();
    kill(&mut w, alice);
    w.types(bob, "accept alice");
    w.settle();
    w.look_away();
    come_back(&mut w, alice, "alice");
    let seen = saw_of(&mut w, alice, "introduced");
    assert_eq!(seen, ["introduced to bob"]);
    w.types(alice, "private bob hi");
    w.settle();
    assert_eq!(saw_of(&mut w, bob, "privately"), ["alice privately: hi"]);
}

#[test]
fn whoever_leaves_finds_what_was_not_sent_when_they_come_back() {
    let mut w = World::new(15);
    let (alice, bob) = (w.join_keeping("alice"), w.join("bob"));
    w.cut_from_server(alice);
    w.types(alice, "message bob hi");
    w.types(alice, "logout");
    w.settle();
    assert_eq!(saw_of(&mut w, alice, "ended"), ["ended (left), 1 unsent"]);
    w.heal_to_server(alice);
    come_back(&mut w, alice, "alice");
    assert_eq!(saw_of(&mut w, bob, "alice:"), ["alice: hi"]);
}

#[test]
fn private_messages_of_one_who_has_left_wait_for_another_introduction() {
    let (mut w, alice, bob) = peers(16);
    w.cut_between(alice, bob);
    w.types(alice, "private bob hi");
    w.types(alice, "logout");
    w.settle();
    w.heal_between(alice, bob);
    come_back(&mut w, alice, "alice");
    w.look_away();
    w.types(alice, "addressbook");
    w.types(alice, "why");
    assert_eq!(
        w.saw(alice),
        [
            "book: ",
            "1 to bob privately: waiting; next AfterIntroduction"
        ]
    );
    w.introduce(alice, bob);
    w.settle();
    let seen = saw_of(&mut w, alice, "private to");
    assert_eq!(seen, ["private to bob: delivered"]);
}

#[test]
fn private_messages_of_one_who_has_left_can_be_given_up() {
    let (mut w, alice, bob) = peers(17);
    w.cut_between(alice, bob);
    w.types(alice, "private bob hi");
    w.types(alice, "logout");
    w.settle();
    come_back(&mut w, alice, "alice");
    w.look_away();
    w.types(alice, "removeaddress bob");
    assert_eq!(w.saw(alice), ["bob gone (own doing), 1 undelivered"]);
    w.heal_between(alice, bob);
    w.introduce(alice, bob);
    w.settle();
    assert_eq!(saw_of(&mut w, alice, "private"), [""; 0]);
}

#[test]
fn a_goodbye_that_the_server_did_not_hear_is_said_at_the_next_start() {
    let (mut w, alice, bob) = peers(18);
    w.cut_from_server(alice);
    w.cut_between(alice, bob);
    w.types(alice, "logout");
    w.settle();
    w.heal_to_server(alice);
    w.heal_between(alice, bob);
    come_back(&mut w, alice, "alice");
    w.look_away();
    for id in [alice, bob] {
        w.types(id, "addressbook");
        assert_eq!(w.saw(id), ["book: "]);
    }
    w.introduce(alice, bob);
}

/// The end of each introduction is kept for the next start. It must not overtake the goodbye, which says more.
#[test]
fn whoever_leaves_is_said_to_have_logged_out_and_not_to_have_removed_anybody() {
    for seed in 0..32 {
        let (mut w, alice, bob) = peers(seed);
        // What is said between them comes to nothing, so that the server tells.
        w.cut_between(alice, bob);
        w.types(alice, "logout");
        w.settle();
        assert_eq!(
            saw_of(&mut w, bob, "gone"),
            ["alice gone (logged out), 0 undelivered"],
            "seed {seed}"
        );
    }
}

#[test]
fn whoever_is_blocked_stays_hidden_though_the_server_has_not_heard_of_it() {
    let mut w = World::new(19);
    let (alice, bob) = (w.join_keeping("alice"), w.join("bob"));
    w.cut_from_server(alice);
    w.types(bob, "message alice before");
    w.types(alice, "block bob");
    w.settle();
    kill(&mut w, alice);
    w.heal_to_server(alice);
    w.look_away();
    come_back(&mut w, alice, "alice");
    assert_eq!(saw_of(&mut w, alice, "bob"), ["block bob: done"]);
}

#[test]
fn what_waits_can_be_asked_about_after_a_start() {
    let (mut w, alice, bob) = peers(20);
    w.types(alice, "message bob done");
    w.settle();
    w.cut_between(alice, bob);
    w.types(alice, "private bob one");
    w.settle();
    w.cut_from_server(alice);
    w.types(alice, "message bob two");
    w.settle();
    kill(&mut w, alice);
    w.start_again(alice);
    w.heal_to_server(alice);
    w.log_in(alice, "alice", "alice");
    w.settle();
    w.look_away();
    w.types(alice, "why 1");
    w.types(alice, "why 2");
    let seen = w.saw(alice);
    assert!(
        seen[0].starts_with("1 to bob privately: waiting"),
        "{seen:?}"
    );
    assert!(seen[1].starts_with("2 to bob: delivered"), "{seen:?}");
}

#[test]
fn the_same_client_comes_back_to_a_server_that_has_forgotten_it() {
    let mut w = World::new(21);
    let (alice, bob) = (w.join_keeping("alice"), w.join("bob"));
    for text in ["one", "two", "three"] {
        w.types(alice, &format!("message bob {text}"));
    }
    w.settle();
    kill(&mut w, alice);
    w.crash_server();
    w.store.forget();
    w.start_server();
    w.run(Duration::from_secs(60));
    w.look_away();
    come_back(&mut w, alice, "alice");
    w.types(alice, "message bob four");
    w.settle();
    assert_eq!(saw_of(&mut w, bob, "alice:"), ["alice: four"]);
}

#[test]
fn a_client_without_a_store_has_nothing_kept() {
    let mut w = World::new(22);
    let alice = w.join("alice");
    w.types(alice, "message bob hi");
    w.settle();
    assert!(w.disk(alice).is_none());
    assert_eq!(w.client(alice).sizes().records, 0);
}

#[test]
fn more_than_the_window_is_sent_though_answers_are_stored_slowly() {
    let mut w = World::new(23);
    let (alice, bob) = (w.join_keeping("alice"), w.join("bob"));
    disk(&mut w, alice).takes = Duration::from_millis(500);
    for number in 0..200 {
        w.types(alice, &format!("message bob {number}"));
    }
    w.run(Duration::from_secs(60));
    let seen = saw_of(&mut w, bob, "alice:");
    let written: Vec<_> = (0..200).map(|number| format!("alice: {number}")).collect();
    assert_eq!(seen, written);
}

#[test]
fn whoever_comes_back_learns_that_a_lasting_peer_is_at_another_client() {
    let mut w = World::new(24);
    let (alice, bob) = (w.join_keeping("alice"), w.join("bob"));
    w.types(alice, "getaddress bob always");
    w.settle();
    w.types(bob, "accept alice always");
    w.settle();
    w.types(alice, "logout");
    w.settle();
    let other = w.join("bob");
    w.look_away();
    come_back(&mut w, alice, "alice");
    assert_eq!(saw_of(&mut w, alice, "elsewhere"), ["bob is elsewhere"]);
    assert!(!w.has_ended(other), "bob is there");
}
