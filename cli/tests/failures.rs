//! The server goes, by wish or without a word, and comes back: real processes over real TCP.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;

use common::{Server, introduce};
use rustix::process::Signal;

/// Clients find out about a new server by their next heartbeat.
const QUICK: [&str; 2] = ["heartbeat_interval=100ms", "timeout=60s"];

#[test]
fn a_server_that_is_killed_and_comes_back_finds_its_clients_again() {
    let mut server = Server::start(&QUICK);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    introduce(&mut alice, "alice", &mut bob, "bob");
    server.process.kill();
    alice.types("message bob typed while it was away");
    alice.sees("! The server cannot be reached");
    alice.types("online");
    alice.sees("! the server is away");
    alice.types("private bob this goes all the same");
    bob.sees("alice privately: this goes all the same");
    alice.sees("  delivered to bob, privately");
    server.start_again();
    alice.sees("! The server is back. Logged in again as alice.");
    bob.sees("alice: typed while it was away");
    // The address book has outlived it.
    bob.types("private alice still here");
    alice.sees("bob privately: still here");
}

#[test]
fn blocking_and_removing_work_without_the_server() {
    let mut server = Server::start(&QUICK);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    let mut carol = server.join("carol");
    introduce(&mut alice, "alice", &mut bob, "bob");
    introduce(&mut alice, "alice", &mut carol, "carol");
    server.process.kill();
    alice.types("removeaddress bob");
    alice.sees("* bob is not in your address book any more");
    bob.sees("* alice has taken you out of the address book");
    alice.types("block carol");
    carol.sees("* alice has taken you out of the address book");
    server.start_again();
    alice.sees("  carol is blocked");
    carol.sees("! The server is back.");
    carol.types("message alice hello?");
    carol.sees("  not sent to alice: you are blocked");
}

#[test]
fn a_shutdown_tells_everybody_and_hands_over() {
    let mut server = Server::start(&[]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    introduce(&mut alice, "alice", &mut bob, "bob");
    let mut carol = server.join("carol");
    alice.types("message dave you are away");
    alice.sees("  kept for dave");
    server.process.signal(Signal::TERM);
    server
        .process
        .sees("The server has ended; 1 message is kept for its recipient.");
    assert_eq!(server.process.ends(), 0);
    alice.sees("! The server is shutting down. Private messages go on");
    carol.sees("! The server is shutting down. Waiting until it is back");
    bob.types("private alice we go on");
    alice.sees("bob privately: we go on");
    carol.types("logout");
    assert_eq!(carol.ends(), 0);
}

#[test]
fn a_second_interrupt_ends_the_server_at_once() {
    let mut server = Server::start(&["store_after=1ms"]);
    let (mut alice, bob) = (server.join("alice"), server.join("bob"));
    bob.signal(Signal::STOP);
    alice.types("message bob never read");
    alice.sees("  kept for bob");
    server.process.signal(Signal::INT);
    alice.sees("! The server is shutting down.");
    server.process.signal(Signal::INT);
    server
        .process
        .sees("The server has ended; 1 message is kept for its recipient.");
    assert_eq!(server.process.ends(), 0);
    bob.signal(Signal::CONT);
}

#[test]
fn the_shutdown_takes_no_longer_than_it_may() {
    let mut server = Server::start(&["shutdown_deadline=1s", "store_after=1ms", "store=memory"]);
    let (mut alice, bob) = (server.join("alice"), server.join("bob"));
    bob.signal(Signal::STOP);
    alice.types("message bob never read");
    alice.sees("  kept for bob");
    server.process.signal(Signal::INT);
    alice.sees("! The server ends before it could deliver 1 message to bob.");
    server
        .process
        .sees("The server has ended; 1 message was not delivered.");
    assert_eq!(server.process.ends(), 0);
    bob.signal(Signal::CONT);
}

#[test]
fn at_the_end_of_input_a_message_waits_for_the_server() {
    let mut server = Server::start(&QUICK);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    server.process.kill();
    alice.types("message bob as soon as you can");
    alice.sees("! The server cannot be reached");
    alice.ends_input();
    server.start_again();
    bob.sees("alice: as soon as you can");
    alice.sees("Goodbye.");
    assert_eq!(alice.ends(), 0);
}

#[test]
fn a_server_that_is_gone_for_good_ends_with_a_code_of_its_own() {
    let mut server = Server::start(&QUICK);
    let mut alice = server.join("alice");
    server.process.kill();
    alice.sees("! The server cannot be reached");
    alice.ends_input();
    assert_eq!(alice.ends(), 4);
}

#[test]
fn what_stays_unsent_is_counted() {
    let mut server = Server::start(&[]);
    let mut alice = server.join_on(&common::folder(), "alice", &["--no-history"]);
    server.process.kill();
    alice.types("message bob x");
    alice.sees("! The server cannot be reached");
    alice.types("logout");
    alice.sees("! 1 message not sent.");
    assert_eq!(alice.ends(), 1);
}
