//! Blocked is blocked: text, presence, questions and address, from the acknowledgement on.

use std::time::Duration;

use simplechat_sim::World;

#[test]
fn a_blocked_user_cannot_write_or_see_but_can_be_written_to_and_seen() {
    let mut w = World::new(1);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    w.types(alice, "block bob");
    w.settle();
    assert_eq!(w.saw(alice), ["block bob: done"]);
    w.types(bob, "message alice hi");
    w.types(bob, "broadcast hi all");
    w.types(bob, "online");
    w.types(alice, "message bob still here");
    w.types(alice, "online");
    w.settle();
    assert_eq!(
        w.saw(alice),
        ["online: bob", "message bob still here: delivered"]
    );
    let mut seen = w.saw(bob);
    seen.sort();
    assert_eq!(
        seen,
        [
            "alice: still here",
            "broadcast hi all: 0 delivered, 0 stored, 0 refused",
            "message alice hi: refused, you are blocked",
            "online: ",
        ]
    );
}

#[test]
fn a_blocked_user_hears_nothing_of_coming_and_going() {
    let mut w = World::new(2);
    let (alice, bob, carol) = (w.join("alice"), w.join("bob"), w.join("carol"));
    w.types(alice, "block bob");
    w.settle();
    w.look_away();
    w.types(alice, "logout");
    w.settle();
    let alice = w.join("alice");
    w.settle();
    assert_eq!(w.saw(bob), [""; 0]);
    assert_eq!(w.saw(carol), ["alice offline", "alice online"]);
    w.types(alice, "unblock bob");
    w.settle();
    w.types(alice, "logout");
    w.settle();
    assert_eq!(w.saw(bob), ["alice offline"]);
}

#[test]
fn every_refusal_says_why() {
    let mut w = World::new(3);
    let alice = w.join("alice");
    w.look_away();
    assert_eq!(
        w.types_in_vain(alice, "block alice").to_string(),
        "that is you"
    );
    for line in [
        "block nobody",
        "unblock bob",
        "block bob",
        "block bob",
        "unblock bob",
        "unblock bob",
        "unblock nobody",
    ] {
        w.types(alice, line);
        w.settle();
    }
    assert_eq!(
        w.saw(alice),
        [
            "block nobody: refused, there is no such user",
            "unblock bob: refused, not blocked",
            "block bob: done",
            "block bob: refused, already blocked",
            "unblock bob: done",
            "unblock bob: refused, not blocked",
            "unblock nobody: refused, there is no such user",
        ]
    );
}

#[test]
fn what_was_on_its_way_is_discarded_without_notice() {
    let mut w = World::new(4);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    w.types(bob, "message carol for carol");
    w.close_listener(alice);
    w.types(bob, "message alice too late");
    w.settle();
    let seen = w.saw(bob);
    assert!(
        seen.contains(&"message alice too late: stored".into()),
        "{seen:?}"
    );
    w.types(alice, "block bob");
    w.settle();
    w.open_listener(alice);
    w.run(Duration::from_secs(60));
    let link = "listener at 40000 unreachable, link held";
    assert_eq!(w.saw(alice), ["block bob: done", link]);
    assert_eq!(w.saw(bob), [""; 0]);
    let carol = w.join("carol");
    assert!(w.saw(carol).contains(&"bob: for carol".into()));
}

#[test]
fn nothing_sent_before_an_unblock_is_shown_after_it_however_late_it_comes() {
    let mut overtaken = 0;
    for seed in 0..30 {
        let mut w = World::new(seed);
        w.net.weather.latency = Duration::from_millis(1);
        w.net.weather.jitter = Duration::ZERO;
        let (alice, bob) = (w.join("alice"), w.join("bob"));
        w.look_away();
        w.types(bob, "message alice early");
        w.run(Duration::from_micros(900));
        // The server takes it in this moment, and its delivery is slow; block and unblock overtake it.
        w.net.weather.jitter = Duration::from_millis(240);
        w.run(Duration::from_micros(200));
        w.net.weather.jitter = Duration::ZERO;
        w.types(alice, "block bob");
        w.types(alice, "unblock bob");
        w.run(Duration::from_secs(10));
        let seen = w.saw(alice);
        let is_early = |line: &String| line == "bob: early";
        assert!(
            !seen
                .iter()
                .skip_while(|line| *line != "block bob: done")
                .any(is_early),
            "seed {seed}: {seen:?}"
        );
        overtaken += usize::from(!seen.iter().any(is_early));
        w.types(bob, "message alice late");
        w.run(Duration::from_secs(10));
        assert_eq!(w.saw(alice), ["bob: late"], "seed {seed}");
    }
    assert!(overtaken > 20, "the case is met in {overtaken} worlds");
}

#[test]
fn blocking_ends_what_is_between_the_two() {
    let mut w = World::new(6);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.look_away();
    w.types(alice, "block bob");
    w.settle();
    assert_eq!(
        w.saw(alice),
        ["bob gone (own doing), 0 undelivered", "block bob: done"]
    );
    assert_eq!(w.saw(bob), ["alice gone (removed), 0 undelivered"]);
    w.types(bob, "getaddress alice");
    w.settle();
    w.run(Duration::from_secs(120));
    assert_eq!(
        w.saw(alice),
        [""; 0],
        "a blocked user's question is not shown"
    );
    assert_eq!(
        w.saw(bob),
        ["getaddress alice: asked", "no answer from alice"],
        "and looks like no answer"
    );
    w.types(alice, "getaddress bob");
    w.settle();
    assert_eq!(
        w.saw(alice),
        ["getaddress bob: refused, you have blocked this user: unblock first"]
    );
}

#[test]
fn unblocking_holds_also_when_the_server_has_forgotten_the_block() {
    let mut w = World::new(8);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "block bob");
    w.settle();
    w.crash_server();
    w.store.forget();
    w.start_server();
    w.run(Duration::from_secs(60));
    w.look_away();
    w.types(alice, "unblock bob");
    w.settle();
    w.types(bob, "message alice hello");
    w.settle();
    assert_eq!(
        w.saw(alice),
        ["unblock bob: refused, not blocked", "bob: hello"]
    );
}

#[test]
fn blocking_while_the_server_is_away_holds_at_once_and_is_told_later() {
    let mut w = World::new(7);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.crash_server();
    w.run(Duration::from_secs(60));
    w.look_away();
    w.types(alice, "block bob");
    w.settle();
    assert_eq!(w.saw(alice), ["bob gone (own doing), 0 undelivered"]);
    assert_eq!(w.saw(bob), ["alice gone (removed), 0 undelivered"]);
    w.start_server();
    w.run(Duration::from_secs(60));
    w.look_away();
    w.types(bob, "message alice hello?");
    w.settle();
    assert_eq!(
        w.saw(bob),
        ["message alice hello?: refused, you are blocked"]
    );
}

#[test]
fn a_block_that_the_server_has_refused_hides_nobody() {
    let mut w = World::new(9);
    let alice = w.join("alice");
    w.types(alice, "block zoe");
    w.settle();
    w.look_away();
    w.set_account("zoe", "zoe");
    w.reload().expect("the server takes the accounts");
    let zoe = w.join("zoe");
    w.types(zoe, "message alice i am new here");
    w.settle();
    assert_eq!(w.saw(alice), ["zoe online", "zoe: i am new here"]);
}
