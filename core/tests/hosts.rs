//! What happens to hosts: they sleep, move, are heard in one direction only, and have their clocks set.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::time::Duration;

use simplechat_sim::net::Listening;
use simplechat_sim::world::SERVER;
use simplechat_sim::{ClientId, World};

const A_NIGHT: Duration = Duration::from_secs(8 * 3_600);
const A_DAY_MS: i64 = 86_400_000;

fn two(seed: u64) -> (World, ClientId, ClientId) {
    let mut w = World::new(seed);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    (w, alice, bob)
}

#[test]
fn a_nap_is_not_noticed() {
    let (mut w, alice, bob) = two(1);
    w.put_to_sleep(bob.host());
    w.types(alice, "message bob are you there");
    w.run(Duration::from_secs(20));
    assert_eq!(w.saw(alice), ["message bob are you there: stored"]);
    w.wake(bob.host());
    w.run(Duration::from_secs(60));
    assert_eq!(w.saw(bob), ["alice: are you there"]);
    assert_eq!(w.saw(alice), ["delivered later to bob"]);
}

#[test]
fn who_slept_through_the_night_is_back_by_itself_and_has_missed_nothing() {
    let (mut w, alice, bob) = two(2);
    w.put_to_sleep(bob.host());
    w.run(A_NIGHT);
    assert_eq!(w.saw(alice), ["bob offline"], "and alice was told");
    w.types(alice, "message bob good morning");
    w.settle();
    w.wake(bob.host());
    w.run(Duration::from_secs(10));
    let seen = w.saw(bob);
    assert_eq!(
        seen,
        [
            "logged in again as bob, 1 kept",
            "1 kept:",
            "alice: good morning",
            "that was kept"
        ]
    );
}

#[test]
fn what_was_on_the_screen_when_the_host_fell_asleep_is_not_shown_again() {
    let (mut w, alice, bob) = two(3);
    w.stick_screen(bob);
    w.types(alice, "message bob once");
    w.run(Duration::from_millis(100));
    w.put_to_sleep(bob.host());
    w.loosen_screen(bob);
    w.run(A_NIGHT);
    w.wake(bob.host());
    w.run(Duration::from_secs(60));
    let shown = w.saw(bob);
    let times = shown.iter().filter(|line| *line == "alice: once").count();
    assert_eq!(times, 1, "{shown:?}");
}

#[test]
fn when_the_server_wakes_everybody_is_back_by_themselves() {
    let (mut w, alice, bob) = two(4);
    w.put_to_sleep(SERVER);
    w.run(Duration::from_secs(10));
    w.types(alice, "message bob anybody there");
    w.run(A_NIGHT);
    w.wake(SERVER);
    w.run(Duration::from_secs(60));
    assert_eq!(w.server().online(), 2);
    assert!(w.saw(bob).contains(&"alice: anybody there".to_owned()));
}

#[test]
fn peers_go_on_without_a_server_that_sleeps() {
    let (mut w, alice, bob) = two(5);
    w.introduce(alice, bob);
    w.look_away();
    w.put_to_sleep(SERVER);
    w.run(Duration::from_secs(200));
    w.look_away();
    w.types(alice, "private bob between us");
    w.run(Duration::from_secs(1));
    assert_eq!(w.saw(bob), ["alice privately: between us"]);
}

#[test]
fn who_moves_is_heard_from_the_new_address_and_reached_there_after_the_next_login() {
    let (mut w, alice, bob) = two(6);
    w.move_client(bob, Listening::There);
    w.types(bob, "message alice on the train");
    w.settle();
    assert_eq!(w.saw(alice), ["bob: on the train"]);
    w.crash_server();
    w.start_server();
    w.run(Duration::from_secs(60));
    w.look_away();
    w.types(alice, "message bob welcome back");
    w.settle();
    assert_eq!(w.saw(bob), ["alice: welcome back"]);
}

#[test]
fn who_moved_behind_a_router_has_a_held_link() {
    let (mut w, _, bob) = two(7);
    w.move_client(bob, Listening::Nowhere);
    w.crash_server();
    w.start_server();
    w.run(Duration::from_secs(60));
    let told = w.saw(bob);
    assert!(
        told.contains(&"listener at 40000 unreachable, link held".to_owned()),
        "{told:?}"
    );
}

#[test]
fn who_is_heard_in_one_direction_only_is_gone_and_comes_back() {
    for (seed, from_server) in [(8, false), (9, true)] {
        let (mut w, alice, bob) = two(seed);
        let (from, to) = if from_server {
            (SERVER, bob.host())
        } else {
            (bob.host(), SERVER)
        };
        w.net.cut_one_way(from, to);
        w.run(Duration::from_secs(130));
        assert_eq!(w.saw(alice), ["bob offline"]);
        w.net.heal(from, to);
        w.run(Duration::from_secs(60));
        assert_eq!(w.saw(alice), ["bob online"]);
    }
}

/// A conversation in which clocks are set by so much, as its log without the lines that say so.
fn conversation(jumps_ms: [i64; 2]) -> String {
    let (mut w, alice, bob) = two(10);
    for jump in jumps_ms {
        for host in [SERVER, alice.host(), bob.host()] {
            w.jump_wall_clock(host, jump);
        }
        w.types(alice, "message bob what time is it");
        w.run(Duration::from_secs(40));
        w.cut_from_server(bob);
        w.types(alice, "message bob hello?");
        w.run(Duration::from_secs(120));
        w.heal_to_server(bob);
        w.run(Duration::from_secs(60));
    }
    let lines = w.log().lines().filter(|line| !line.contains("clock set"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn wall_clocks_decide_nothing() {
    let quiet = conversation([0, 0]);
    for jumps in [
        [A_DAY_MS, -A_DAY_MS],
        [-A_DAY_MS, A_DAY_MS],
        [i64::MIN, i64::MAX],
    ] {
        assert_eq!(conversation(jumps), quiet, "{jumps:?}");
    }
}

#[test]
fn who_logs_in_elsewhere_takes_over_although_the_server_s_clock_went_back() {
    let (mut w, _, bob) = two(11);
    w.jump_wall_clock(SERVER, -A_DAY_MS);
    let elsewhere = w.join("bob");
    w.run(Duration::from_secs(200));
    assert!(w.has_ended(bob), "the first client was taken over");
    assert!(!w.has_ended(elsewhere), "and did not come back");
}
