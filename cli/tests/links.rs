//! How the server reaches clients: by calling them, or on the connection that they hold open.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;

use common::{Process, Server, introduce};

/// A client whose listener the server cannot call: it sees the client come from 127.0.0.1, and nothing listens there.
const OUT_OF_REACH: [&str; 2] = ["--listen", "127.0.0.2:0"];

fn join(server: &Server, name: &str, args: &[&str]) -> Process {
    let mut client = server.client(name, &[&["--user", name], args].concat());
    client.types(&format!("{}-pw", &name[..1]));
    client.sees(&format!("Logged in as {name}."));
    client
}

#[test]
fn a_held_link_carries_everything_and_outlives_the_server() {
    let mut server = Server::start(&["heartbeat_interval=100ms", "timeout=60s"]);
    let mut alice = server.join("alice");
    let mut bob = join(&server, "bob", &["--link", "held"]);
    alice.types("message bob hello");
    bob.sees("alice: hello");
    alice.sees("  delivered to bob");
    bob.types("message alice hi");
    alice.sees("bob: hi");
    introduce(&mut alice, "alice", &mut bob, "bob");
    server.process.kill();
    for client in [&mut alice, &mut bob] {
        client.sees("! The server cannot be reached");
    }
    bob.types("message alice typed while it was away");
    server.start_again();
    alice.sees("bob: typed while it was away");
    bob.sees("! The server is back. Logged in again as bob.");
    alice.types("message bob welcome back");
    bob.sees("alice: welcome back");
    assert!(
        !bob.has_seen("cannot call this client"),
        "bob has asked for it"
    );
    bob.types("logout");
    assert_eq!(bob.ends(), 0);
    alice.sees("* bob has logged out");
}

#[cfg(target_os = "linux")]
#[test]
fn who_cannot_be_called_holds_a_link() {
    let server = Server::start(&[]);
    let mut alice = server.join("alice");
    let mut bob = join(&server, "bob", &OUT_OF_REACH);
    bob.sees("* The server cannot call this client at port ");
    alice.types("message bob hi");
    bob.sees("alice: hi");
    alice.sees("  delivered to bob");
}

#[cfg(target_os = "linux")]
#[test]
fn who_cannot_be_called_and_holds_no_link_gets_messages_later() {
    let server = Server::start(&["store_after=1ms"]);
    let mut alice = server.join("alice");
    let mut bob = join(
        &server,
        "bob",
        &[&OUT_OF_REACH[..], &["--link", "per-message"]].concat(),
    );
    bob.sees("! The server cannot reach this client at port ");
    alice.types("message bob hi");
    alice.sees("  kept for bob");
    // What bob does himself needs no listener.
    bob.types("message alice I can write all the same");
    alice.sees("bob: I can write all the same");
    drop(bob);
    let mut bob = server.join("bob");
    bob.sees("alice: hi");
}
