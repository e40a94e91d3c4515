//! Whole conversations as logs, to be read: what each person types (`>`), sees (`<`), and when.

use std::time::Duration;

use simplechat_core::server::Command;
use simplechat_sim::World;

#[test]
fn an_afternoon() {
    let mut w = World::new(42);
    let alice = w.join("alice");
    w.types(alice, "message bob are you coming?");
    w.settle();
    let bob = w.join("bob");
    w.types(bob, "message alice on my way");
    w.types(bob, "online");
    w.settle();
    let carol = w.join("carol");
    w.types(carol, "broadcast cake in the kitchen");
    w.settle();
    w.types(alice, "getaddress bob");
    w.settle();
    w.types(bob, "y");
    w.settle();
    w.types(alice, "private bob between us: it is apple");
    w.settle();
    w.types(carol, "block bob");
    w.settle();
    w.types(bob, "message carol which cake?");
    w.settle();
    w.types(carol, "logout");
    w.settle();
    w.operate(Command::Shutdown);
    w.settle();
    w.types(bob, "private alice apple!");
    w.settle();
    w.types(bob, "message carol see you tomorrow");
    w.start_server();
    w.run(Duration::from_secs(60));
    w.types(alice, "logout");
    w.settle();
    insta::assert_snapshot!(w.log());
}

#[test]
fn a_bad_day() {
    let mut w = World::new(43);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    let mallory = w.sit_down("mallory");
    for password in ["123456", "password", "letmein", "alice"] {
        w.log_in(mallory, "alice", password);
        w.settle();
    }
    w.cut_from_server(bob);
    w.types(alice, "message bob can you hear me?");
    w.run(Duration::from_secs(120));
    w.heal_to_server(bob);
    w.run(Duration::from_secs(60));
    w.crash_server();
    w.types(bob, "message alice the server is down");
    w.run(Duration::from_secs(20));
    w.start_server();
    w.run(Duration::from_secs(60));
    let elsewhere = w.sit_down("alice at work");
    w.log_in(elsewhere, "alice", "alice");
    w.settle();
    w.types(elsewhere, "broadcast back again");
    w.settle();
    insta::assert_snapshot!(w.log());
}
