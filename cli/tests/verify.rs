//! Two people compare what their clients show, and mark each other's keys.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;

use common::{Process, Server, introduce};

/// The digits that a client shows.
fn code(client: &mut Process, peer: &str) -> String {
    client.types(&format!("verify {peer}"));
    client.sees(&format!("  your safety code with {peer}"));
    let lines: [String; 3] = core::array::from_fn(|_| client.sees("    "));
    client.sees(&format!("The same digits: verify {peer} ok."));
    lines.concat()
}

#[test]
fn two_people_see_the_same_code_and_the_mark_shows() {
    let server = Server::start(&[]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    alice.types("verify bob");
    alice.sees("! bob is not in your address book");
    introduce(&mut alice, "alice", &mut bob, "bob");
    alice.types("verify bob ok");
    alice.sees("! `verify bob` shows the code of bob's present key");
    let seen = code(&mut alice, "bob");
    assert_eq!(seen, code(&mut bob, "alice"));
    assert_eq!(seen.chars().filter(char::is_ascii_digit).count(), 60);
    bob.types("private alice before");
    alice.sees("bob privately: before");
    alice.types("verify bob ok");
    alice.sees("  bob is verified");
    bob.types("private alice after");
    alice.sees("bob (verified) privately: after");
    alice.types("addressbook");
    alice.sees("reachable, verified");
}

#[test]
fn another_key_is_told_and_the_mark_is_gone() {
    let server = Server::start(&[]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    introduce(&mut alice, "alice", &mut bob, "bob");
    code(&mut alice, "bob");
    alice.types("verify bob ok");
    alice.sees("  bob is verified");
    bob.types("logout");
    alice.sees("* bob has logged out");
    // Another device: each client of these tests has a data directory of its own.
    let mut bob = server.join("bob");
    introduce(&mut alice, "alice", &mut bob, "bob");
    alice.sees("! bob has another key than the one that you verified");
    bob.types("private alice me again");
    alice.sees("bob privately: me again");
}
