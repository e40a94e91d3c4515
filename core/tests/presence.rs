//! Who is online, and who is told of whose coming and going.

use std::sync::Arc;
use std::time::Duration;

use simplechat_core::server::config::Config;
use simplechat_sim::World;
use simplechat_sim::crowd::Crowd;
use simplechat_sim::test_channel::TestChannel;

#[test]
fn those_online_hear_of_who_comes_and_goes() {
    let mut w = World::new(1);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    let carol = w.join("carol");
    w.types(carol, "logout");
    w.settle();
    for other in [alice, bob] {
        assert_eq!(w.saw(other), ["carol online", "carol offline"]);
    }
}

#[test]
fn the_list_has_everybody_but_oneself_and_those_who_have_blocked_one() {
    let mut w = World::new(2);
    let (alice, bob, carol) = (w.join("alice"), w.join("bob"), w.join("carol"));
    w.types(bob, "block alice");
    w.settle();
    w.look_away();
    for user in [alice, bob, carol] {
        w.types(user, "online");
    }
    w.settle();
    assert_eq!(w.saw(alice), ["online: carol"]);
    assert_eq!(w.saw(bob), ["online: alice carol"]);
    assert_eq!(w.saw(carol), ["online: alice bob"]);
}

#[test]
fn a_long_list_comes_in_pages_and_is_shown_whole() {
    let mut w = World::new(3);
    w.add_accounts(1_030);
    let all: Vec<_> = (0..1_030).map(|number| format!("user{number}")).collect();
    let seats: Vec<_> = all
        .iter()
        .map(|name| {
            let seat = w.sit_down(name);
            w.log_in(seat, name, name);
            // Not all at the same moment: there is an end to the handshakes that may be under way.
            w.run(Duration::from_millis(10));
            seat
        })
        .collect();
    w.settle();
    w.look_away();
    w.types(seats[0], "online");
    w.settle();
    let mut expected = all;
    expected.remove(0);
    expected.sort();
    assert_eq!(w.saw(seats[0]), [format!("online: {}", expected.join(" "))]);
}

#[test]
fn a_thousand_logins_at_once_are_not_a_million_deliveries() {
    let config = Config {
        presence_alerts_max: 5_000,
        ..Config::default()
    };
    let mut w = World::with_config(4, config);
    w.add_accounts(300);
    let witness = w.join("alice");
    w.look_away();
    let before = w.net.connections();
    for number in 0..300 {
        let name = format!("user{number}");
        let seat = w.sit_down(&name);
        w.log_in(seat, &name, &name);
    }
    w.run(Duration::from_secs(6));
    assert_eq!(w.saw(witness).len(), 300, "every change is told");
    // Each new user: a login, a probe, and at most one delivery in 2 s; without coalescing it would be 90,000.
    let made = w.net.connections() - before;
    assert!(made <= 300 * (2 + 3), "{made} connections");
}

#[test]
fn only_acquaintances_hear_of_anybody_on_a_crowded_server() {
    let config = Config {
        presence_alerts_max: 2,
        ..Config::default()
    };
    let mut w = World::with_config(5, config);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(bob, "message carol read this");
    w.settle();
    w.look_away();
    let carol = w.join("carol");
    assert_eq!(w.saw(alice), [""; 0], "alice does not know carol");
    let seen = w.saw(bob);
    assert!(seen.contains(&"carol online".into()), "{seen:?}");
    w.look_away();
    w.types(carol, "online");
    w.settle();
    assert_eq!(w.saw(carol), ["online: alice bob"], "the list has all");
}

#[test]
fn who_wrote_to_each_other_are_acquainted_for_a_day() {
    let config = Config {
        presence_alerts_max: 0,
        ..Config::default()
    };
    let mut w = World::with_config(8, config);
    let bob = w.join("bob");
    w.types(bob, "message alice a day from now");
    w.settle();
    let hour = Duration::from_secs(60 * 60);
    w.run(23 * hour);
    w.look_away();
    let alice = w.join("alice");
    assert_eq!(w.saw(bob), ["alice online", "delivered later to alice"]);
    w.crash(alice);
    w.run(2 * hour);
    w.look_away();
    let _alice = w.join("alice");
    assert_eq!(w.saw(bob), [""; 0], "that was yesterday");
}

#[test]
fn a_flicker_is_not_told() {
    let mut w = World::new(6);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    // Alice hears of somebody, so the next alert waits two seconds; in these bob goes and comes.
    let carol = w.sit_down("carol");
    w.log_in(carol, "carol", "carol");
    w.run(Duration::from_millis(100));
    assert_eq!(w.saw(alice), ["carol online"]);
    w.types(bob, "logout");
    w.run(Duration::from_millis(200));
    let bob = w.sit_down("bob");
    w.log_in(bob, "bob", "bob");
    w.settle();
    assert_eq!(w.saw(alice), [""; 0]);
    assert_eq!(w.server().online(), 3);
}

#[test]
fn a_server_that_restarts_is_no_reason_for_alerts() {
    let mut w = World::new(7);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.crash_server();
    w.run(Duration::from_secs(20));
    w.start_server();
    w.look_away();
    w.run(Duration::from_secs(60));
    assert_eq!(w.saw(alice), ["logged in again as alice, 0 kept"]);
    assert_eq!(w.saw(bob), ["logged in again as bob, 0 kept"]);
    let _carol = w.join("carol");
    assert_eq!(
        w.saw(alice),
        ["carol online"],
        "a person's login is news also then"
    );
}

/// A measure, not a timing: no heartbeat costs a look at every user.
#[test]
fn a_hundred_thousand_users_can_be_online() {
    let config = Config {
        presence_alerts_max: 0,
        ..Config::default()
    };
    let protection = Arc::new(TestChannel::new([1; 16]));
    let mut crowd = Crowd::gather(100_000, config, protection);
    assert_eq!(crowd.online(), 100_000);
    crowd.beat_all();
    crowd.pass(Duration::from_secs(94));
    assert_eq!(crowd.online(), 100_000);
    crowd.pass(Duration::from_secs(2));
    assert_eq!(crowd.online(), 0, "all were silent for the timeout");
}
