//! Peers that cannot call each other: who of them is told so, and what they write arrives as long as one can call the other.

use std::time::Duration;

use simplechat_core::client::config::StoreKind;
use simplechat_core::wire::login::LinkChoice;
use simplechat_sim::World;
use simplechat_sim::net::{Kind, Listening};
use simplechat_sim::world::{ClientId, Place};

const SECOND: Duration = Duration::from_secs(1);

/// What somebody saw, in whatever order: two connections have none.
fn saw(w: &mut World, id: ClientId) -> Vec<String> {
    let mut seen = w.saw(id);
    seen.sort();
    seen
}

/// Logs somebody in whose listener nobody reaches.
fn join_behind_a_wall(w: &mut World, name: &str) -> ClientId {
    let id = w.sit_down(name);
    w.close_listener(id);
    w.log_in(id, name, name);
    w.settle();
    id
}

/// Alice, who can be called, and bob, who cannot. They are peers.
fn one_behind_a_wall(seed: u64) -> (World, ClientId, ClientId) {
    let mut w = World::new(seed);
    let alice = w.join("alice");
    let bob = join_behind_a_wall(&mut w, "bob");
    w.introduce(alice, bob);
    w.run(10 * SECOND);
    w.look_away();
    (w, alice, bob)
}

#[test]
fn whoever_cannot_be_called_is_written_to_on_the_link_that_they_hold() {
    let (mut w, alice, bob) = one_behind_a_wall(1);
    w.types(alice, "private bob come in");
    w.types(bob, "private alice here I am");
    w.settle();
    assert_eq!(
        saw(&mut w, bob),
        ["alice privately: come in", "private to alice: delivered"]
    );
    assert_eq!(
        saw(&mut w, alice),
        ["bob privately: here I am", "private to bob: delivered"]
    );
    w.types(alice, "why 1");
    w.settle();
    assert_eq!(
        w.saw(alice),
        ["1 to bob privately: delivered; link with peer: delivered"]
    );
    let before = w.net.connections();
    w.types(alice, "private bob again");
    w.settle();
    assert_eq!(w.net.connections(), before, "it goes on the link");
}

#[test]
fn they_go_on_without_the_server() {
    let (mut w, alice, bob) = one_behind_a_wall(2);
    w.crash_server();
    w.run(1_200 * SECOND);
    w.look_away();
    w.types(alice, "private bob still there?");
    w.settle();
    assert_eq!(w.saw(bob), ["alice privately: still there?"]);
}

#[test]
fn a_link_that_breaks_is_made_again_and_nothing_is_lost() {
    let (mut w, alice, bob) = one_behind_a_wall(3);
    w.cut_between(alice, bob);
    w.types(alice, "private bob one");
    w.types(bob, "private alice two");
    w.run(120 * SECOND);
    assert_eq!(
        w.saw(alice),
        ["private to bob: waiting (they cannot be called)"]
    );
    assert_eq!(
        w.saw(bob),
        ["private to alice: waiting (we cannot be called)"]
    );
    w.heal_between(alice, bob);
    w.run(70 * SECOND);
    assert_eq!(
        saw(&mut w, bob),
        ["alice privately: one", "private to alice: delivered"]
    );
    assert_eq!(
        saw(&mut w, alice),
        ["bob privately: two", "private to bob: delivered"]
    );
}

#[test]
fn who_has_nothing_to_say_notices_that_the_link_is_gone() {
    let (mut w, alice, bob) = one_behind_a_wall(4);
    w.cut_between(alice, bob);
    w.run(60 * SECOND);
    w.heal_between(alice, bob);
    w.run(60 * SECOND);
    w.types(alice, "private bob are you back?");
    w.settle();
    assert_eq!(w.saw(bob), ["alice privately: are you back?"]);
}

#[test]
fn two_who_cannot_be_called_are_told_that_neither_can() {
    let mut w = World::new(5);
    let alice = join_behind_a_wall(&mut w, "alice");
    let bob = join_behind_a_wall(&mut w, "bob");
    w.introduce(alice, bob);
    w.run(60 * SECOND);
    w.look_away();
    w.types(alice, "private bob hello?");
    w.settle();
    assert_eq!(
        w.saw(alice),
        ["private to bob: waiting (neither can be called)"]
    );
    w.types(alice, "addressbook");
    w.settle();
    assert_eq!(
        w.saw(alice),
        ["book: bob unreachable (neither can be called) 1 waiting"]
    );
    // A hole in the wall is enough for both.
    w.open_listener(bob);
    w.run(120 * SECOND);
    assert_eq!(w.saw(bob), ["alice privately: hello?"]);
    w.types(bob, "private alice hello!");
    w.settle();
    assert!(w.saw(alice).contains(&"bob privately: hello!".to_owned()));
}

#[test]
fn two_who_can_both_be_called_hold_no_link() {
    let mut w = World::new(13);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    for _ in 0..4 {
        w.types(alice, "private bob hello");
        w.types(bob, "private alice hello");
        w.run(1_000 * SECOND);
        assert_eq!(w.net.open_connections(), 0);
    }
}

#[test]
fn whoever_wants_a_link_has_one() {
    let mut w = World::new(14);
    let alice = w.join("alice");
    let bob = w.sit_down_with("bob", LinkChoice::Held);
    w.log_in(bob, "bob", "bob");
    w.settle();
    w.introduce(alice, bob);
    w.run(10 * SECOND);
    assert_eq!(
        w.net.open_connections(),
        2,
        "with the server and with alice"
    );
    w.look_away();
    w.types(alice, "private bob hello");
    w.settle();
    w.types(alice, "why");
    w.settle();
    let why = "1 to bob privately: delivered; link with peer: delivered";
    assert_eq!(w.saw(alice), ["private to bob: delivered", why]);
}

#[test]
fn whoever_wants_no_link_is_not_held() {
    let mut w = World::new(6);
    let alice = w.join("alice");
    let bob = w.sit_down_with("bob", LinkChoice::PerMessage);
    w.log_in(bob, "bob", "bob");
    w.settle();
    w.introduce(alice, bob);
    w.run(1_200 * SECOND);
    w.close_listener(bob);
    w.look_away();
    w.types(bob, "private alice no answer");
    w.run(20 * SECOND);
    assert_eq!(w.saw(alice), ["bob privately: no answer"]);
    assert_eq!(w.net.open_connections(), 0, "none is kept");
}

#[test]
fn a_link_ends_with_the_introduction() {
    let (mut w, alice, bob) = one_behind_a_wall(7);
    let held = w.net.open_connections();
    w.types(alice, "removeaddress bob");
    w.settle();
    assert_eq!(w.saw(bob), ["alice gone (removed), 0 undelivered"]);
    w.run(20 * SECOND);
    assert_eq!(w.net.open_connections(), held - 1);
    w.introduce(bob, alice);
    w.run(20 * SECOND);
    assert_eq!(w.net.open_connections(), held);
    w.types(bob, "logout");
    w.run(20 * SECOND);
    assert_eq!(w.net.open_connections(), 0);
}

#[test]
fn a_quiet_link_costs_little_and_stays() {
    let (mut w, alice, bob) = one_behind_a_wall(8);
    let (dials, steps) = (
        w.net.connections_between(alice.host(), bob.host()),
        w.steps(),
    );
    w.run(3_600 * SECOND);
    assert_eq!(
        w.net.connections_between(alice.host(), bob.host()),
        dials,
        "one connection lasts for an hour"
    );
    assert!(w.steps() - steps < 6_000, "{} steps", w.steps() - steps);
    w.types(alice, "private bob good morning");
    w.settle();
    assert_eq!(w.saw(bob), ["alice privately: good morning"]);
}

#[test]
fn a_peer_who_moves_behind_a_wall_is_reached_on_their_link() {
    let mut w = World::new(9);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.run(20 * SECOND);
    w.move_client(bob, Listening::Nowhere);
    w.run(60 * SECOND);
    w.look_away();
    w.types(alice, "private bob where are you?");
    w.settle();
    assert_eq!(w.saw(bob), ["alice privately: where are you?"]);
}

#[test]
fn a_peer_who_moves_is_written_to_where_they_are() {
    let mut w = World::new(10);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.run(20 * SECOND);
    w.move_client(bob, Listening::There);
    w.run(60 * SECOND);
    w.look_away();
    w.types(alice, "private bob hello over there");
    w.settle();
    assert_eq!(w.saw(bob), ["alice privately: hello over there"]);
    assert_eq!(w.saw(alice), ["private to bob: delivered"]);
}

#[test]
fn a_peer_who_moves_while_the_server_is_down_is_found_by_what_they_write() {
    let mut w = World::new(11);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.run(20 * SECOND);
    w.crash_server();
    w.move_client(bob, Listening::There);
    w.look_away();
    w.types(bob, "private alice I have moved");
    w.run(2 * SECOND);
    assert_eq!(w.saw(alice), ["bob privately: I have moved"]);
    w.types(alice, "private bob nice there?");
    w.run(2 * SECOND);
    assert!(
        w.saw(bob)
            .contains(&"alice privately: nice there?".to_owned())
    );
}

#[test]
fn a_peer_who_sleeps_while_the_other_moves_learns_it_when_they_wake() {
    let mut w = World::new(12);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.run(20 * SECOND);
    w.put_to_sleep(alice.host());
    w.run(3_600 * SECOND);
    w.move_client(bob, Listening::There);
    w.run(120 * SECOND);
    w.wake(alice.host());
    w.run(60 * SECOND);
    w.look_away();
    w.types(alice, "private bob did I miss anything?");
    w.settle();
    assert_eq!(w.saw(bob), ["alice privately: did I miss anything?"]);
}

/// Alice has a link with bob, who moves, and nobody is told. He notices by what he asks the server, and she has written to him
/// meanwhile.
fn alice_writes_on_a_dead_link(w: &mut World, alice: ClientId, bob: ClientId) {
    w.move_client(bob, Listening::Nowhere);
    w.types(bob, "online");
    w.run(10 * SECOND);
    w.types(alice, "private bob are you there?");
    w.run(13 * SECOND);
    assert_eq!(
        saw(w, bob),
        [
            "alice privately: are you there?",
            "logged in again as bob, 0 kept",
            "online: alice"
        ],
        "before what is on the dead link has taken too long"
    );
    assert_eq!(
        w.saw(alice),
        ["private to bob: delivered"],
        "she hears of it once"
    );
}

#[test]
fn a_message_on_a_dead_link_goes_by_the_new_one() {
    let (mut w, alice, bob) = one_behind_a_wall(13);
    w.types(alice, "private bob come in");
    w.settle();
    w.look_away();
    alice_writes_on_a_dead_link(&mut w, alice, bob);
    w.types(alice, "why 2");
    w.settle();
    assert_eq!(
        w.saw(alice),
        [
            "2 to bob privately: delivered; link with peer: connection lost; link with peer: delivered"
        ]
    );
}

/// As before, but alice has no keys for bob yet, and it is a handshake that gets no answer.
#[test]
fn a_handshake_on_a_dead_link_goes_by_the_new_one() {
    let (mut w, alice, bob) = one_behind_a_wall(14);
    alice_writes_on_a_dead_link(&mut w, alice, bob);
}

#[test]
fn whoever_cannot_call_any_more_from_where_they_are_now_is_called_by_the_other() {
    let mut w = World::new(15);
    let alice = w.join("alice");
    let places = Kind::BOTH.map(Place::Server);
    let bob = w.sit_down_knowing("bob", LinkChoice::Auto, StoreKind::None, &places);
    w.log_in(bob, "bob", "bob");
    w.settle();
    w.introduce(alice, bob);
    w.run(10 * SECOND);
    // He knows her IPv4 address, and has IPv6 only from now on.
    w.cut_from_server_at(bob, Kind::Ipv4);
    w.net.cut_kind(alice.host(), bob.host(), Kind::Ipv4);
    w.types(bob, "online");
    w.run(30 * SECOND);
    w.look_away();
    w.types(bob, "private alice can you hear me?");
    w.run(10 * SECOND);
    assert_eq!(w.saw(alice), ["bob privately: can you hear me?"]);
    assert_eq!(w.saw(bob), ["private to alice: delivered"]);
}
