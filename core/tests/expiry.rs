//! Messages that nobody fetches: they leave the mailbox in time, and whoever wrote them is told, whatever restarts and whichever
//! client they use then.

use std::time::Duration;

use simplechat_core::server::MailboxLimits;
use simplechat_core::server::config::Config;
use simplechat_sim::World;
use simplechat_sim::store::Health;
use simplechat_sim::world::SERVER;

const HOUR: Duration = Duration::from_secs(60 * 60);
const HOUR_MS: i64 = 60 * 60 * 1_000;

/// A world in which messages are kept for two hours.
fn world(seed: u64) -> World {
    let mailbox = MailboxLimits {
        age: 2 * HOUR,
        ..MailboxLimits::default()
    };
    let config = Config {
        mailbox,
        ..Config::default()
    };
    World::with_config(seed, config)
}

/// The server's machine is gone and starts again; everybody logs in again by themselves.
fn restart(w: &mut World) {
    w.crash_server();
    w.start_server();
    w.run(Duration::from_secs(60));
}

#[test]
fn who_is_online_is_told_at_once_and_nobody_gets_the_message() {
    let mut w = world(1);
    let alice = w.join("alice");
    w.types(alice, "message bob one");
    w.types(alice, "message bob two");
    w.run(HOUR);
    w.types(alice, "message bob three");
    w.run(HOUR - Duration::from_secs(60));
    w.look_away();
    w.run(Duration::from_secs(90));
    assert_eq!(w.saw(alice), ["expired to bob: 2"]);
    let bob = w.join("bob");
    assert_eq!(
        w.saw(bob),
        [
            "logged in as bob, 1 kept",
            "1 kept:",
            "alice: three",
            "that was kept"
        ]
    );
    w.look_away();
    w.types(alice, "why 1");
    w.settle();
    assert!(w.saw(alice)[0].contains("expired"), "{}", w.log());
}

#[test]
fn who_was_away_is_told_at_the_next_login_whatever_client_they_have_then() {
    let mut w = world(2);
    let alice = w.join("alice");
    w.types(alice, "message bob one");
    w.types(alice, "message carol two");
    w.settle();
    w.types(alice, "logout");
    w.run(2 * HOUR + Duration::from_secs(10));
    restart(&mut w);
    let again = w.join("alice");
    let told = [
        "logged in as alice, 0 kept",
        "expired to bob: 1",
        "expired to carol: 1",
    ];
    assert_eq!(w.saw(again), told);
    // Once told it is over, also for a server that starts again, and for the next client.
    restart(&mut w);
    w.types(again, "logout");
    w.settle();
    let third = w.join("alice");
    assert_eq!(w.saw(third), told[..1]);
}

#[test]
fn time_counts_while_no_server_runs() {
    let mut w = world(3);
    let alice = w.join("alice");
    w.types(alice, "message bob one");
    w.settle();
    w.crash_server();
    w.jump_wall_clock(SERVER, 3 * HOUR_MS);
    w.look_away();
    w.start_server();
    w.run(Duration::from_secs(60));
    assert!(
        w.saw(alice).contains(&"expired to bob: 1".into()),
        "{}",
        w.log()
    );
}

#[test]
fn a_clock_that_is_set_while_the_server_runs_expires_nothing() {
    let mut w = world(4);
    let alice = w.join("alice");
    w.types(alice, "message bob one");
    w.settle();
    w.look_away();
    w.jump_wall_clock(SERVER, 30 * HOUR_MS);
    w.run(HOUR);
    assert_eq!(w.saw(alice), [""; 0]);
    // One that was set back does not keep it for longer than a new one.
    w.jump_wall_clock(SERVER, -60 * HOUR_MS);
    restart(&mut w);
    w.look_away();
    w.run(2 * HOUR);
    assert_eq!(w.saw(alice), ["expired to bob: 1"]);
}

#[test]
fn nothing_expires_while_the_store_fails_and_a_crash_forgets_no_word() {
    for seed in 0..20 {
        let mut w = world(100 + seed);
        let alice = w.join("alice");
        w.types(alice, "message bob one");
        w.run(2 * HOUR - Duration::from_secs(1));
        w.look_away();
        w.store.takes = Duration::from_millis(400);
        if seed % 2 == 0 {
            w.store.health = Health::Failing;
        }
        w.run(Duration::from_millis(900 + 60 * seed));
        w.crash_server();
        w.store.health = Health::Working;
        w.start_server();
        w.run(Duration::from_secs(60));
        let told = w.saw(alice);
        let told = told.iter().filter(|line| line.starts_with("expired"));
        assert_eq!(
            told.collect::<Vec<_>>(),
            ["expired to bob: 1"],
            "seed {seed}: {}",
            w.log()
        );
    }
}

#[test]
fn what_somebody_online_has_not_taken_expires_when_they_are_gone() {
    let mut w = world(5);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.stick_screen(bob);
    w.types(alice, "message bob one");
    w.run(3 * HOUR);
    assert!(!w.log().contains("expired"), "it is on its way");
    w.crash(bob);
    w.run(Duration::from_secs(200));
    assert!(
        w.saw(alice).contains(&"expired to bob: 1".into()),
        "{}",
        w.log()
    );
}

#[test]
fn an_account_that_was_added_later_hears_nothing_of_an_earlier_one() {
    let mut w = world(6);
    let alice = w.join("alice");
    w.types(alice, "message bob one");
    w.settle();
    w.remove_account("alice");
    w.reload().unwrap();
    w.run(HOUR);
    w.set_account("alice", "alice-password");
    w.reload().unwrap();
    restart(&mut w);
    let later = w.sit_down("alice");
    w.log_in(later, "alice", "alice-password");
    w.settle();
    w.look_away();
    w.run(2 * HOUR);
    assert_eq!(w.saw(later), [""; 0]);
    let bob = w.join("bob");
    assert_eq!(w.saw(bob), ["logged in as bob, 0 kept"]);
}
