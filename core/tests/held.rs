//! Held links: for clients that the server cannot call, or that want it so.

use std::time::Duration;

use simplechat_core::wire::login::LinkChoice;
use simplechat_sim::World;
use simplechat_sim::net::Listening;
use simplechat_sim::world::ClientId;

const SECOND: Duration = Duration::from_secs(1);

/// Logs somebody in whose listener nobody reaches.
fn join_behind_a_wall(w: &mut World, name: &str) -> ClientId {
    let id = w.sit_down(name);
    w.close_listener(id);
    w.log_in(id, name, name);
    w.settle();
    id
}

#[test]
fn whoever_cannot_be_called_is_heard_and_hears_like_everybody() {
    let mut w = World::new(1);
    let bob = w.join("bob");
    let alice = join_behind_a_wall(&mut w, "alice");
    assert_eq!(
        w.saw(alice),
        [
            "logged in as alice, 0 kept",
            "listener at 40000 unreachable, link held"
        ]
    );
    assert_eq!(w.saw(bob), ["logged in as bob, 0 kept", "alice online"]);
    w.types(alice, "message bob hello");
    w.types(bob, "message alice hi");
    w.settle();
    assert_eq!(w.saw(alice), ["bob: hi", "message bob hello: delivered"]);
    assert_eq!(w.saw(bob), ["alice: hello", "message alice hi: delivered"]);
    w.run(600 * SECOND);
    assert_eq!(w.saw(alice), [""; 0], "nothing happens for ten minutes");
    w.types(bob, "message alice still there?");
    w.settle();
    assert_eq!(w.saw(alice), ["bob: still there?"]);
    w.types(alice, "logout");
    w.settle();
    assert_eq!(w.saw(alice), ["ended (left), 0 unsent"]);
}

#[test]
fn a_link_that_breaks_is_made_again_and_nothing_is_lost() {
    let mut w = World::new(2);
    let bob = w.join("bob");
    let alice = join_behind_a_wall(&mut w, "alice");
    w.look_away();
    w.move_client(alice, Listening::Nowhere);
    w.types(bob, "message alice in between");
    w.types(alice, "message bob from here");
    w.run(60 * SECOND);
    let mut seen = w.saw(bob);
    seen.sort();
    assert_eq!(
        seen,
        [
            "alice: from here",
            "delivered later to alice",
            "message alice in between: stored"
        ]
    );
    assert_eq!(
        w.saw(alice),
        [
            "logged in again as alice, 1 kept",
            "1 kept:",
            "bob: in between",
            "that was kept",
            "message bob from here: delivered"
        ]
    );
}

#[test]
fn a_link_is_held_for_whoever_wants_it() {
    let mut w = World::new(3);
    let bob = w.join("bob");
    let alice = w.sit_down_with("alice", LinkChoice::Held);
    w.log_in(alice, "alice", "alice");
    w.settle();
    assert_eq!(w.saw(alice), ["logged in as alice, 0 kept"]);
    w.look_away();
    w.types(bob, "message alice hi");
    w.settle();
    assert_eq!(w.saw(bob), ["message alice hi: delivered"]);
}

#[test]
fn whoever_wants_no_link_waits_for_their_messages() {
    let mut w = World::new(4);
    let bob = w.join("bob");
    let alice = w.sit_down_with("alice", LinkChoice::PerMessage);
    w.close_listener(alice);
    w.log_in(alice, "alice", "alice");
    w.settle();
    w.look_away();
    w.types(bob, "message alice hi");
    w.settle();
    assert_eq!(w.saw(bob), ["message alice hi: stored"]);
}

#[test]
fn a_link_does_not_outlive_its_session() {
    let mut w = World::new(5);
    let alice = join_behind_a_wall(&mut w, "alice");
    let elsewhere = join_behind_a_wall(&mut w, "alice");
    assert_eq!(
        w.saw(alice).last().map(String::as_str),
        Some("ended (taken over), 0 unsent")
    );
    w.look_away();
    let bob = w.join("bob");
    w.types(bob, "message alice hi");
    w.settle();
    assert_eq!(w.saw(elsewhere), ["bob online", "bob: hi"]);
    w.types(elsewhere, "logout");
    w.settle();
    assert_eq!(w.server().sizes().connections, 0);
}

/// Keys are renewed every hour, and each time there is a new link.
#[test]
fn a_link_goes_on_for_days() {
    let mut w = World::new(6);
    let bob = w.join("bob");
    let alice = join_behind_a_wall(&mut w, "alice");
    for hour in 0..48 {
        w.look_away();
        w.types(bob, &format!("message alice {hour}"));
        w.run(3_600 * SECOND);
        assert_eq!(w.saw(alice), [format!("bob: {hour}")]);
        assert_eq!(w.saw(bob), [format!("message alice {hour}: delivered")]);
    }
    assert_eq!(
        w.server().sizes().connections,
        1,
        "the link, and no former one"
    );
}

#[test]
fn silence_on_a_link_is_noticed() {
    let mut w = World::new(7);
    let bob = w.join("bob");
    let alice = join_behind_a_wall(&mut w, "alice");
    w.look_away();
    w.cut_from_server(alice);
    w.types(alice, "message bob are you there?");
    w.run(20 * SECOND);
    assert_eq!(w.saw(bob), [""; 0]);
    w.heal_to_server(alice);
    w.run(60 * SECOND);
    assert_eq!(w.saw(bob), ["alice: are you there?"]);
}

#[test]
fn whose_listener_is_closed_later_gets_a_link() {
    let mut w = World::new(8);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.run(20 * SECOND);
    w.close_listener(bob);
    w.look_away();
    w.types(alice, "message bob hello?");
    w.run(60 * SECOND);
    assert_eq!(
        w.saw(bob),
        [
            "listener at 40000 unreachable, link held",
            "1 kept:",
            "alice: hello?",
            "that was kept"
        ]
    );
    w.look_away();
    w.types(alice, "message bob good");
    w.settle();
    assert_eq!(w.saw(alice), ["message bob good: delivered"]);
}
