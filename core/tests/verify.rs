//! Safety codes: both sides see the same one, a mark belongs to the key that was compared, and a changed key is told.

#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

use std::time::Duration;

use simplechat_sim::World;
use simplechat_sim::world::ClientId;

/// The code that somebody's client shows.
fn code(w: &mut World, id: ClientId, peer: &str) -> String {
    w.look_away();
    w.types(id, &format!("verify {peer}"));
    let seen = w.saw(id);
    let [line] = &seen[..] else {
        panic!("one line: {seen:?}");
    };
    let (what, code) = line.split_once(": ").unwrap();
    assert!(what.starts_with(&format!("code with {peer}")), "{line}");
    code.into()
}

fn verify(w: &mut World, id: ClientId, peer: &str) {
    code(w, id, peer);
    w.types(id, &format!("verify {peer} ok"));
    assert_eq!(w.saw(id), [format!("{peer} is verified")]);
}

/// Bob is gone, and comes back with another key.
fn with_new_bob(w: &mut World, bob: ClientId) -> ClientId {
    w.crash(bob);
    w.run(Duration::from_secs(100));
    w.join("bob")
}

#[test]
fn both_sides_see_the_same_code_and_others_another() {
    let mut w = World::new(1);
    let (alice, bob, carol) = (w.join("alice"), w.join("bob"), w.join("carol"));
    w.introduce(alice, bob);
    w.introduce(alice, carol);
    let with_bob = code(&mut w, alice, "bob");
    assert_eq!(with_bob.split(' ').count(), 12);
    assert_eq!(with_bob, code(&mut w, bob, "alice"));
    assert_ne!(with_bob, code(&mut w, alice, "carol"));
}

#[test]
fn a_mark_shows_with_messages_and_in_the_address_book_on_the_side_that_made_it() {
    let mut w = World::new(2);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    verify(&mut w, alice, "bob");
    w.look_away();
    w.types(bob, "private alice it is me");
    w.types(alice, "private bob I know");
    w.settle();
    w.types(alice, "addressbook");
    assert_eq!(
        w.saw(alice),
        [
            "bob (verified) privately: it is me",
            "private to bob: delivered",
            "book: bob (verified) reachable 0 waiting"
        ]
    );
    assert_eq!(
        w.saw(bob),
        ["alice privately: I know", "private to alice: delivered"]
    );
}

#[test]
fn it_needs_no_server() {
    let mut w = World::new(3);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.crash_server();
    w.run(Duration::from_secs(60));
    verify(&mut w, alice, "bob");
}

#[test]
fn only_what_was_shown_can_be_marked() {
    let mut w = World::new(4);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    for line in ["verify bob", "verify bob ok"] {
        assert_eq!(
            w.types_in_vain(alice, line).to_string(),
            "bob is not in your address book: `getaddress bob` asks for an introduction"
        );
    }
    w.introduce(alice, bob);
    assert_eq!(
        w.types_in_vain(alice, "verify bob ok").to_string(),
        "`verify bob` shows the code of bob's present key: compare it with bob before you mark it"
    );
    assert_eq!(
        w.types_in_vain(alice, "verify alice").to_string(),
        "that is you"
    );
}

#[test]
fn a_key_that_came_after_the_code_was_shown_is_not_marked() {
    let mut w = World::new(5);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    code(&mut w, alice, "bob");
    let bob = with_new_bob(&mut w, bob);
    w.introduce(alice, bob);
    assert_eq!(
        w.types_in_vain(alice, "verify bob ok").to_string(),
        "`verify bob` shows the code of bob's present key: compare it with bob before you mark it"
    );
}

#[test]
fn a_mark_stays_when_the_same_key_comes_again() {
    let mut w = World::new(6);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    verify(&mut w, alice, "bob");
    w.types(alice, "removeaddress bob");
    w.settle();
    w.introduce(alice, bob);
    assert!(
        !w.saw(alice).iter().any(|line| line.contains("another key")),
        "nothing has changed"
    );
    w.types(bob, "private alice hi");
    w.settle();
    assert_eq!(w.saw(alice), ["bob (verified) privately: hi"]);
}

#[test]
fn a_mark_falls_when_another_key_comes_and_the_user_is_told() {
    let mut w = World::new(7);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    let before = code(&mut w, alice, "bob");
    w.types(alice, "verify bob ok");
    let bob = with_new_bob(&mut w, bob);
    w.look_away();
    w.introduce(alice, bob);
    let seen = w.saw(alice);
    let told = [
        "introduced to bob",
        "bob (verified) has another key, 0 undelivered",
    ];
    assert!(seen.ends_with(&told.map(String::from)), "{seen:?}");
    w.types(bob, "private alice really me");
    w.settle();
    assert_eq!(w.saw(alice), ["bob privately: really me"]);
    let now = code(&mut w, alice, "bob");
    assert_ne!(before, now);
    assert_eq!(now, code(&mut w, bob, "alice"));
}

#[test]
fn another_key_is_told_to_who_never_verified_too_and_after_the_peer_had_left() {
    let mut w = World::new(8);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.types(bob, "logout");
    w.settle();
    let bob = w.join("bob");
    w.look_away();
    w.introduce(alice, bob);
    let seen = w.saw(alice);
    assert!(
        seen.contains(&"bob has another key, 0 undelivered".into()),
        "{seen:?}"
    );
}

#[test]
fn what_was_written_for_a_verified_key_does_not_go_to_another_one() {
    let mut w = World::new(9);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    verify(&mut w, alice, "bob");
    let bob = with_new_bob(&mut w, bob);
    w.types(alice, "private bob for your eyes only");
    w.settle();
    w.look_away();
    w.introduce(alice, bob);
    w.run(Duration::from_secs(60));
    let told = "bob (verified) has another key, 1 undelivered".to_owned();
    assert!(w.saw(alice).contains(&told));
    w.types(alice, "addressbook");
    assert_eq!(w.saw(alice), ["book: bob reachable 0 waiting"]);
    assert!(!w.log().contains("privately: for your eyes"));
}

#[test]
fn who_answers_in_a_peers_place_gets_nothing_and_the_user_is_told_once() {
    let mut w = World::new(10);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    let place = w.net.home(bob.host()).unwrap();
    w.crash(bob);
    let mallory = w.join("carol");
    w.net.place(mallory.host(), place);
    w.look_away();
    w.types(alice, "private bob for your eyes only");
    w.run(Duration::from_secs(600));
    let seen = w.saw(alice);
    let told = format!("bob: somebody else answers at {}", place.ip());
    let count = |line: &str| seen.iter().filter(|seen| *seen == line).count();
    assert_eq!(count(&told), 1, "{seen:?}");
    w.types(alice, "addressbook");
    assert_eq!(
        w.saw(alice),
        ["book: bob other key 1 waiting"],
        "he is not forgotten"
    );
    assert!(!w.log().contains("privately: for your eyes"));

    // A new introduction brings the right key.
    let bob = w.join("bob");
    w.introduce(alice, bob);
    assert!(w.log().contains("alice privately: for your eyes only"));
    w.look_away();
    w.types(alice, "addressbook");
    assert_eq!(w.saw(alice), ["book: bob reachable 0 waiting"]);
}
