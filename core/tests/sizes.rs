//! How much is in the tables, as operators and the simulator are told it: a size that is always 0 keeps to every bound.

use std::time::Duration;

use simplechat_core::client;
use simplechat_core::server::sizes::{AccountSizes, Sizes};
use simplechat_sim::World;

#[test]
fn a_client_counts_what_it_has() {
    let mut w = World::new(1);
    let (alice, bob, carol) = (w.join("alice"), w.join("bob"), w.join("carol"));
    w.introduce(alice, bob);
    w.introduce(alice, carol);
    w.types(alice, "removeaddress carol");
    w.types(alice, "verify bob");
    w.types(alice, "verify bob ok");
    w.types(alice, "block dave");
    w.types(bob, "message alice hi");
    w.settle();
    w.types(carol, "getaddress alice");
    w.settle();
    w.stick_screen(alice);
    w.types(bob, "private alice there?");
    w.run(Duration::from_secs(1));
    w.crash(bob);
    w.crash_server();
    w.types(alice, "private bob one");
    w.types(alice, "message bob two");
    w.types(alice, "message bob three");
    w.run(Duration::from_secs(10));
    let sizes = w.client(alice).sizes();
    let expected = client::sizes::Sizes {
        outbox: 2,
        ledger: 3,
        callers: 2,
        questions: 1,
        peers: 1,
        waiting: 1,
        former: 1,
        verified: 1,
        met: 1,
        shown: 2,
        showing: 1,
        blocked: 1,
        // How many of these there are just now is the machine's affair.
        peer_sessions: sizes.peer_sessions,
        connections: sizes.connections,
        timers: sizes.timers,
        ..client::sizes::Sizes::default()
    };
    assert_eq!(sizes, expected);
}

#[test]
fn a_server_counts_what_it_has() {
    let mut w = World::new(2);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    let mallory = w.sit_down("mallory");
    for name in ["carol", "dave", "erin"] {
        w.log_in(mallory, name, "wrong");
        w.settle();
    }
    w.types(alice, "block carol");
    w.types(alice, "block dave");
    w.types(alice, "message frank hi");
    w.types(alice, "getaddress frank");
    w.settle();
    let expected = Sizes {
        accounts: 10,
        sessions: 2,
        lockouts: 3,
        questions: 1,
        introductions: 2,
        // The message for frank expires.
        timers: 1,
        largest: AccountSizes {
            messages: 1,
            message_bytes: 34,
            blocked: 2,
            instances: 1,
            operations: 4,
            acquaintances: 2,
            ..AccountSizes::default()
        },
        ..Sizes::default()
    };
    assert_eq!(w.server().sizes(), expected);
}
