//! Clients that start without the server, from their store: peers find each other, and nothing is lost or comes twice when the
//! server is back.

use std::time::Duration;

use simplechat_core::client::config::Start;
use simplechat_sim::{ClientId, World};

const MINUTE: Duration = Duration::from_secs(60);

/// Two whose clients have a store, know each other, and are gone without a word, as is the server.
fn all_gone(w: &mut World) -> (ClientId, ClientId) {
    let (alice, bob) = (w.join_keeping("alice"), w.join_keeping("bob"));
    w.introduce(alice, bob);
    for client in [alice, bob] {
        w.crash(client);
    }
    w.crash_server();
    (alice, bob)
}

fn start_offline(w: &mut World, client: ClientId, name: &str) {
    w.start_again_as(client, Start::Offline);
    w.log_in(client, name, name);
    w.settle();
}

/// How often somebody has seen each of some lines since anybody last looked.
fn counts<const N: usize>(w: &mut World, client: ClientId, lines: [&str; N]) -> [usize; N] {
    let seen = w.saw(client);
    lines.map(|line| seen.iter().filter(|shown| *shown == line).count())
}

#[test]
fn peers_who_start_without_the_server_write_to_each_other() {
    let mut w = World::new(1);
    let (alice, bob) = all_gone(&mut w);
    w.look_away();
    start_offline(&mut w, alice, "alice");
    let seen = w.saw(alice);
    assert!(seen[0].starts_with("server away"), "{seen:?}");
    w.types(alice, "private bob are you there?");
    w.run(MINUTE);
    start_offline(&mut w, bob, "bob");
    w.types(bob, "private alice since now");
    w.run(MINUTE);
    assert_eq!(
        counts(&mut w, bob, ["alice privately: are you there?"]),
        [1]
    );
    let lines = ["bob privately: since now", "private to bob: delivered"];
    assert_eq!(counts(&mut w, alice, lines), [1, 1]);
}

#[test]
fn the_login_is_done_when_the_server_is_back_and_nothing_comes_twice() {
    let mut w = World::new(2);
    let (alice, bob) = all_gone(&mut w);
    w.look_away();
    start_offline(&mut w, alice, "alice");
    start_offline(&mut w, bob, "bob");
    w.types(alice, "private bob one");
    w.types(alice, "message bob two");
    w.run(MINUTE);
    w.start_server();
    w.run(2 * MINUTE);
    w.types(alice, "private bob three");
    w.run(MINUTE);
    let lines = [
        "alice privately: one",
        "alice: two",
        "alice privately: three",
    ];
    assert_eq!(counts(&mut w, bob, lines), [1; 3]);
    let lines = ["message bob two: delivered", "message bob two: stored"];
    let [delivered, stored] = counts(&mut w, alice, lines);
    assert_eq!(delivered + stored, 1);
    w.types(alice, "addressbook");
    assert_eq!(
        w.saw(alice).last().unwrap(),
        "book: bob reachable 0 waiting"
    );
}

#[test]
fn what_the_server_is_needed_for_is_refused_or_waits() {
    let mut w = World::new(3);
    let (alice, _) = all_gone(&mut w);
    start_offline(&mut w, alice, "alice");
    for line in ["online", "getaddress carol"] {
        let refusal = w.types_in_vain(alice, line).to_string();
        assert_eq!(refusal, "the server is away: try again when it is back");
    }
    w.types(alice, "message bob later");
    w.types(alice, "removeaddress bob");
    w.look_away();
    w.types(alice, "addressbook");
    assert_eq!(w.saw(alice), ["book: "]);
}

#[test]
fn who_leaves_without_having_had_the_server_says_goodbye_to_peers() {
    let mut w = World::new(4);
    let (alice, bob) = all_gone(&mut w);
    start_offline(&mut w, alice, "alice");
    start_offline(&mut w, bob, "bob");
    w.run(MINUTE);
    w.types(alice, "logout");
    w.run(MINUTE);
    assert!(w.has_ended(alice), "she has left");
    let gone = ["alice gone (logged out), 0 undelivered"];
    assert_eq!(counts(&mut w, bob, gone), [1]);
}

#[test]
fn a_wrong_password_is_said_when_the_server_is_back_and_can_be_given_again() {
    let mut w = World::new(5);
    let (alice, _) = all_gone(&mut w);
    w.start_again_as(alice, Start::Offline);
    w.log_in(alice, "alice", "wrong");
    w.run(MINUTE);
    w.look_away();
    w.start_server();
    w.run(MINUTE);
    let refused = w
        .saw(alice)
        .iter()
        .any(|line| line.starts_with("login refused"));
    assert!(refused && !w.has_ended(alice), "{:?}", w.saw(alice));
    w.log_in(alice, "alice", "alice");
    w.settle();
    assert_eq!(counts(&mut w, alice, ["logged in as alice, 0 kept"]), [1]);
}
