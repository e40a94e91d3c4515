//! Private messages, peer to peer, with and without the server.

use std::time::Duration;

use simplechat_sim::World;
use simplechat_sim::observation::Observation;

fn private(seen: &[String]) -> Vec<&str> {
    seen.iter()
        .filter_map(|line| line.strip_prefix("alice privately: "))
        .collect()
}

#[test]
fn private_messages_go_straight_to_the_peer() {
    let mut w = World::new(1);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.look_away();
    let through_server = w.net.connections_of_server();
    w.types(alice, "private bob psst");
    w.settle();
    assert_eq!(w.saw(alice), ["private to bob: delivered"]);
    assert_eq!(w.saw(bob), ["alice privately: psst"]);
    assert_eq!(
        w.net.connections_of_server(),
        through_server,
        "the server had nothing to do with it"
    );
}

#[test]
fn only_people_in_the_address_book_can_be_written_to() {
    let mut w = World::new(2);
    let alice = w.join("alice");
    assert_eq!(
        w.types_in_vain(alice, "private bob psst").to_string(),
        "bob is not in your address book: `getaddress bob` asks for an introduction"
    );
}

#[test]
fn they_go_on_while_the_server_is_down() {
    let mut w = World::new(3);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.crash_server();
    w.run(Duration::from_secs(300));
    w.look_away();
    w.types(alice, "private bob still here?");
    w.types(bob, "private alice yes");
    w.settle();
    assert_eq!(
        w.saw(bob),
        [
            "alice privately: still here?",
            "private to alice: delivered"
        ]
    );
    w.start_server();
    w.run(Duration::from_secs(60));
    w.look_away();
    w.types(alice, "private bob and now?");
    w.types(bob, "addressbook");
    w.settle();
    assert_eq!(
        w.saw(bob),
        [
            "book: alice reachable 0 waiting",
            "alice privately: and now?"
        ],
        "the book outlives the server's memory"
    );
}

#[test]
fn over_bad_connections_each_is_shown_once_and_in_order() {
    for seed in 0..20 {
        let mut w = World::new(seed);
        w.net.weather.jitter = Duration::from_millis(50);
        let (alice, bob) = (w.join("alice"), w.join("bob"));
        w.introduce(alice, bob);
        w.look_away();
        w.net.weather.breaks_per_mille = 300;
        let numbers: Vec<_> = (0..40).map(|number| number.to_string()).collect();
        for number in &numbers {
            w.types(alice, &format!("private bob {number}"));
            w.run(Duration::from_millis(200));
        }
        w.net.weather.breaks_per_mille = 0;
        w.run(Duration::from_secs(200));
        assert_eq!(private(&w.saw(bob)), numbers, "seed {seed}");
        let delivered = w
            .saw(alice)
            .iter()
            .filter(|line| *line == "private to bob: delivered")
            .count();
        assert_eq!(delivered, 40, "seed {seed}");
    }
}

#[test]
fn a_peer_who_cannot_be_reached_gets_them_later_and_one_is_told_once() {
    let mut w = World::new(4);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.look_away();
    w.cut_between(alice, bob);
    w.types(alice, "private bob one");
    w.run(Duration::from_secs(30));
    w.types(alice, "private bob two");
    w.run(Duration::from_secs(100));
    assert_eq!(w.saw(alice), ["private to bob: waiting"]);
    w.types(alice, "addressbook");
    assert_eq!(w.saw(alice), ["book: bob unreachable 2 waiting"]);
    w.heal_between(alice, bob);
    // A dial that hangs, and the longest rest.
    w.run(Duration::from_secs(75));
    assert_eq!(w.saw(alice), ["private to bob: delivered"; 2]);
    assert_eq!(private(&w.saw(bob)), ["one", "two"]);
}

#[test]
fn removing_an_address_removes_it_on_both_sides() {
    let mut w = World::new(5);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.look_away();
    w.types(alice, "removeaddress bob");
    w.settle();
    assert_eq!(w.saw(alice), ["bob gone (own doing), 0 undelivered"]);
    assert_eq!(w.saw(bob), ["alice gone (removed), 0 undelivered"]);
    assert_eq!(
        w.types_in_vain(bob, "private alice hm").to_string(),
        "alice is not in your address book: `getaddress alice` asks for an introduction"
    );
}

#[test]
fn removing_works_without_the_server_too() {
    let mut w = World::new(6);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.crash_server();
    w.run(Duration::from_secs(60));
    w.look_away();
    w.types(alice, "removeaddress bob");
    w.settle();
    assert_eq!(w.saw(bob), ["alice gone (removed), 0 undelivered"]);
}

#[test]
fn removing_reaches_a_peer_who_was_cut_off() {
    let mut w = World::new(7);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.look_away();
    w.cut_between(alice, bob);
    w.cut_from_server(bob);
    w.types(alice, "removeaddress bob");
    w.run(Duration::from_secs(40));
    w.heal_between(alice, bob);
    w.run(Duration::from_secs(65));
    let seen = w.saw(bob);
    assert!(
        seen.contains(&"alice gone (removed), 0 undelivered".into()),
        "{seen:?}"
    );
}

#[test]
fn a_message_of_somebody_who_was_removed_and_does_not_know_is_refused_and_told_once() {
    let mut w = World::new(8);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.crash_server();
    w.run(Duration::from_secs(60));
    w.look_away();
    // Alice removes bob, but can neither tell him nor the server; then it is he who calls, under keys that he has still.
    w.cut_between(alice, bob);
    w.types(alice, "removeaddress bob");
    w.run(Duration::from_secs(600));
    w.heal_between(alice, bob);
    w.types(bob, "private alice hello");
    w.types(bob, "private alice hello?");
    w.settle();
    assert_eq!(
        w.saw(alice),
        [
            "bob gone (own doing), 0 undelivered",
            "refused bob, not in the book"
        ]
    );
    let seen = w.saw(bob);
    let gone = seen
        .iter()
        .filter(|line| line.starts_with("alice gone (removed)"))
        .count();
    assert_eq!(gone, 1, "{seen:?}");
}

#[test]
fn a_peer_who_logs_out_disappears_from_the_book_also_without_the_server() {
    for server_up in [true, false] {
        let mut w = World::new(9);
        let (alice, bob) = (w.join("alice"), w.join("bob"));
        w.introduce(alice, bob);
        if !server_up {
            w.crash_server();
            w.run(Duration::from_secs(60));
        }
        w.look_away();
        w.types(alice, "logout");
        w.settle();
        let seen = w.saw(bob);
        assert!(
            seen.contains(&"alice gone (logged out), 0 undelivered".into()),
            "{server_up}: {seen:?}"
        );
        w.types(bob, "addressbook");
        assert_eq!(w.saw(bob), ["book: "]);
    }
}

#[test]
fn a_crash_or_a_timeout_removes_nobody() {
    let mut w = World::new(10);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.cut_from_server(bob);
    w.run(Duration::from_secs(300));
    w.look_away();
    w.types(alice, "private bob you were logged out");
    w.settle();
    assert_eq!(w.saw(alice), ["private to bob: delivered"]);
    w.heal_to_server(bob);
    w.run(Duration::from_secs(60));
    w.look_away();
    w.types(bob, "private alice and am back");
    w.settle();
    assert_eq!(w.saw(bob), ["private to alice: delivered"]);
}

#[test]
fn a_peer_at_another_client_is_shown_as_such_and_can_be_introduced_again() {
    let mut w = World::new(11);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.crash(bob);
    w.run(Duration::from_secs(100));
    let bob = w.join("bob");
    w.look_away();
    w.types(alice, "addressbook");
    w.types(alice, "private bob waits for you");
    w.settle();
    assert_eq!(
        w.saw(alice),
        ["book: bob elsewhere 0 waiting", "private to bob: waiting"]
    );
    w.types(alice, "getaddress bob");
    w.settle();
    w.types(bob, "accept alice");
    w.settle();
    assert!(w.saw(alice).contains(&"private to bob: delivered".into()));
    assert!(
        w.saw(bob)
            .contains(&"alice privately: waits for you".into())
    );
}

#[test]
fn the_server_s_way_and_the_direct_way_do_not_mix() {
    let mut w = World::new(12);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.look_away();
    for number in 0..5 {
        w.types(alice, &format!("message bob m{number}"));
        w.types(alice, &format!("private bob p{number}"));
    }
    w.settle();
    let seen = w.saw(bob);
    let messages = seen
        .iter()
        .filter(|line| line.starts_with("alice: "))
        .count();
    assert_eq!(messages, 5, "{seen:?}");
    assert_eq!(private(&seen), ["p0", "p1", "p2", "p3", "p4"]);
}

#[test]
fn who_cannot_be_told_that_an_introduction_has_ended_is_left_alone_after_some_tries() {
    let mut w = World::new(13);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.cut_between(alice, bob);
    let before = w.net.dials(alice.host(), bob.host());
    w.types(alice, "removeaddress bob");
    let half_an_hour = Duration::from_secs(1_800);
    w.run(half_an_hour);
    let tried = w.net.dials(alice.host(), bob.host());
    assert!(tried > before + 5, "{tried} tries");
    w.run(half_an_hour);
    assert_eq!(w.net.dials(alice.host(), bob.host()), tried);
}

#[test]
fn a_peer_who_was_not_found_is_not_looked_for_again_whenever_they_write() {
    let mut w = World::new(14);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.close_listener(bob);
    w.types(alice, "private bob where are you?");
    w.run(Duration::from_secs(200));
    w.watch();
    for _ in 0..120 {
        w.types(bob, "private alice here");
        w.run(Duration::from_secs(1));
    }
    let in_vain = |what: &Observation| matches!(what, Observation::Dialled { from, to: None } if *from == alice.host());
    let looks = w
        .observed()
        .iter()
        .filter(|seen| in_vain(&seen.what))
        .count();
    assert!((1..=5).contains(&looks), "{looks} looks in two minutes");
}

#[test]
fn what_came_on_both_ways_while_the_screen_was_stuck_is_acknowledged_on_both() {
    let mut w = World::new(15);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.look_away();
    w.stick_screen(bob);
    w.types(alice, "message bob by the server");
    w.types(alice, "private bob straight");
    w.run(Duration::from_millis(500));
    assert_eq!(w.client(bob).sizes().showing, 2);
    w.loosen_screen(bob);
    w.settle();
    let mut seen = w.saw(alice);
    seen.sort();
    assert_eq!(
        seen,
        [
            "delivered later to bob",
            "message bob by the server: stored",
            "private to bob: delivered"
        ]
    );
    assert_eq!(w.client(bob).sizes().showing, 0);
}
