//! A server on one transport and clients on the other: nobody can tell which it is.

mod common;

use common::{Process, Server, introduce};

fn join(server: &Server, name: &str, transport: &str) -> Process {
    let mut client = server.client(name, &["--user", name, "--transport", transport]);
    client.types(&format!("{}-pw", &name[..1]));
    client.sees(&format!("Logged in as {name}."));
    client
}

/// A conversation with all kinds of connections.
fn talk(server_on: &str, alice_on: &str, bob_on: &str) {
    let mut server = Server::start_with(&["--transport", server_on]);
    let mut alice = join(&server, "alice", alice_on);
    let mut bob = join(&server, "bob", bob_on);
    alice.types("message bob hello");
    bob.sees("alice: hello");
    alice.sees("  delivered to bob");
    introduce(&mut bob, "bob", &mut alice, "alice");
    bob.types("private alice psst");
    alice.sees("bob privately: psst");
    alice.types("private bob hm?");
    bob.sees("alice privately: hm?");
    server.process.signal(rustix::process::Signal::TERM);
    alice.sees("! The server is shutting down.");
    assert_eq!(server.process.ends(), 0, "it ends in order");
    for client in [&mut alice, &mut bob] {
        client.types("logout");
        assert_eq!(client.ends(), 0, "it ends in order");
    }
}

#[test]
fn a_server_on_std_has_clients_on_both() {
    talk("std", "async", "std");
}

#[test]
fn a_server_on_async_has_clients_on_both() {
    talk("async", "std", "async");
}
