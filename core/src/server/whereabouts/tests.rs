//! Which addresses are told to whom.

use alloc::string::{String, ToString};
use core::time::Duration;

use super::*;
use crate::channel::tests::pair;
use crate::id::InstanceId;
use crate::key::{KEY_LEN, PublicKey};
use crate::machine::ConnId;
use crate::server::lane::Lane;
use crate::server::mailbox::Mailbox;
use crate::server::session::Origination;
use crate::time::Timestamp;
use crate::wire::login::LinkChoice;

const PORT: u16 = 40_000;
const CLIENT: PublicKey = PublicKey([1; KEY_LEN]);

/// A client that came from `remote` to the server at `local`, and says that it is also at `own`.
fn session(remote: &str, local: &str, own: &[&str]) -> Session {
    let lane = Lane::new(CLIENT, Duration::ZERO, &Mailbox::default());
    let origination = Origination {
        link: LinkChoice::Auto,
        since: Timestamp::ZERO,
        instance: InstanceId([0; 16]),
        key: CLIENT,
        remote: SocketAddr::new(remote.parse().unwrap(), 30_000),
        local: local.parse().unwrap(),
        port: PORT,
        own_candidates: Bounded::first_of(own.iter().map(|own| own.parse().unwrap())),
        login_conn: ConnId::Accepted(1),
    };
    let mut session = Session::new(pair(1).0, lane, origination);
    session.listener = Listener::Reachable;
    session
}

fn told(subject: &Session, viewer: &Session) -> Vec<String> {
    candidates(subject, viewer)
        .iter()
        .map(ToString::to_string)
        .collect()
}

const SERVER: &str = "192.0.2.1";

#[test]
fn what_the_server_saw_comes_first() {
    let alice = session("192.0.2.7", SERVER, &["10.1.1.7:40000"]);
    let bob = session("192.0.2.8", SERVER, &[]);
    assert_eq!(told(&alice, &bob), ["192.0.2.7:40000", "10.1.1.7:40000"]);
}

#[test]
fn a_listener_that_did_not_answer_is_not_told() {
    let mut alice = session("192.0.2.7", SERVER, &["192.0.2.9:40000"]);
    alice.listener = Listener::Unreachable;
    let bob = session("192.0.2.8", SERVER, &[]);
    assert_eq!(told(&alice, &bob), ["192.0.2.9:40000"]);
}

#[test]
fn loopback_is_for_the_same_host_only() {
    let alice = session("127.0.0.1", "127.0.0.1", &["127.0.0.1:40000"]);
    let neighbour = session("127.0.0.1", "127.0.0.1", &[]);
    assert_eq!(told(&alice, &neighbour), ["127.0.0.1:40000"]);
    // To somebody elsewhere she is where they reach the server, as she runs on its host.
    let bob = session("192.0.2.8", SERVER, &[]);
    assert_eq!(told(&alice, &bob), ["192.0.2.1:40000"]);
}

#[test]
fn a_client_on_the_server_s_host_is_on_the_same_host_by_whichever_address() {
    let alice = session("127.0.0.1", "127.0.0.1", &[]);
    let bob = session(SERVER, SERVER, &[]);
    assert_eq!(told(&alice, &bob), ["127.0.0.1:40000"]);
    assert_eq!(told(&bob, &alice), ["192.0.2.1:40000"]);
}

#[test]
fn link_local_is_for_the_same_link_only() {
    let alice = session("192.0.2.7", SERVER, &["169.254.1.7:40000"]);
    let afar = session("198.51.100.8", SERVER, &[]);
    assert_eq!(told(&alice, &afar), ["192.0.2.7:40000"]);
    let behind_the_same_router = session("192.0.2.7", SERVER, &[]);
    assert_eq!(
        told(&alice, &behind_the_same_router),
        ["192.0.2.7:40000", "169.254.1.7:40000"]
    );
}

#[test]
fn what_cannot_be_a_listener_is_not_told() {
    let own = [
        "0.0.0.0:40000",
        "224.0.0.1:40000",
        "10.0.0.7:80",
        "192.0.2.7:40000",
    ];
    let alice = session("192.0.2.7", SERVER, &own);
    let bob = session("192.0.2.8", SERVER, &[]);
    assert_eq!(told(&alice, &bob), ["192.0.2.7:40000"], "and nothing twice");
}
