//! What a server keeps on disk: it is there when the server starts again, and for accounts that are gone it is not.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;

use std::fs;

use common::{ACCOUNTS, Server, file, run};
use rustix::process::Signal;

#[test]
fn a_killed_server_has_forgotten_nothing() {
    let mut server = Server::start(&["heartbeat_interval=100ms", "timeout=60s"]);
    let mut alice = server.join("alice");
    for text in ["one", "two"] {
        alice.types(&format!("message bob {text}"));
        alice.sees("  kept for bob");
    }
    alice.types("block carol");
    alice.sees("carol is blocked");
    server.process.kill();
    server.start_again();
    alice.sees("Logged in again as alice.");
    let mut bob = server.join("bob");
    bob.sees("alice: one");
    bob.sees("alice: two");
    let mut carol = server.join("carol");
    carol.types("message alice hello?");
    carol.sees("you are blocked");
    // What was delivered is delivered once.
    alice.sees("  bob has your message now");
    server.process.signal(Signal::TERM);
    server
        .process
        .sees("The server has ended; every message was delivered.");
    assert_eq!(server.process.ends(), 0);
}

#[test]
fn a_store_is_looked_at_and_copied_while_its_server_runs_and_the_copy_restored() {
    let mut server = Server::start(&[]);
    let mut alice = server.join("alice");
    alice.types("message bob hi");
    alice.sees("  kept for bob");
    let data = server.data().to_str().unwrap().to_owned();
    let shown = |text: String| text.replace(&data, "DIR");
    let (code, said, _) = run(&["store", "check", "--data", &data], "");
    assert_eq!((code, &*shown(said)), (0, "DIR/store.sqlite is sound.\n"));
    let (code, said, _) = run(&["store", "stats", "--data", &data], "");
    assert_eq!(code, 0);
    let figures: Vec<_> = said.lines().take(3).collect();
    insta::assert_snapshot!(figures.join("\n"), @r"
    user                              messages        bytes  blocked  notices
    alice                                    0            0        0        0
    bob                                      1           34        0        0
    ");
    let copy = common::folder().join("copy");
    let arguments = ["store", "backup", copy.to_str().unwrap(), "--data", &data];
    let (code, _, errors) = run(&arguments, "");
    assert_eq!(code, 0, "{errors}");
    let (code, _, errors) = run(&arguments, "");
    assert!(code == 1 && errors.contains("File exists"), "{errors}");
    // All is lost but the copy.
    server.process.kill();
    for name in ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm"] {
        fs::remove_file(server.data().join(name)).unwrap();
    }
    let (code, _, errors) = run(&["store", "check", "--data", &data], "");
    assert!(code == 1 && errors.contains("there is none"), "{errors}");
    fs::copy(&copy, server.data().join("store.sqlite")).unwrap();
    server.start_again();
    server.join("bob").sees("alice: hi");
}

#[test]
fn a_damaged_store_is_named_and_the_server_does_not_start() {
    let mut server = Server::start(&[]);
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.ends(), 0);
    let path = server.data().join("store.sqlite");
    fs::write(
        &path,
        "no database at all, and long enough to be read as one".repeat(100),
    )
    .unwrap();
    let credentials = server.credentials().to_str().unwrap();
    let data = server.data().to_str().unwrap();
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--credentials",
        credentials,
        "--data",
        data,
    ];
    let (code, _, errors) = run(&arguments, "");
    assert_eq!(code, 1);
    insta::assert_snapshot!(errors.replace(data, "DIR"), @"simplechat: the store DIR/store.sqlite: it is damaged, and nothing was changed in it: restore it from a backup, as docs/OPERATIONS.md says (file is not a database)");
}

#[test]
fn with_memory_nothing_is_kept_but_the_keys() {
    let server = Server::start_with(&["--memory"]);
    let files: Vec<_> = fs::read_dir(server.data())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("store"))
        .collect();
    assert_eq!(files, [""; 0]);
}

#[test]
fn two_servers_cannot_share_a_store() {
    let server = Server::start(&[]);
    let accounts = file("credentials.txt", ACCOUNTS);
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--credentials",
        accounts.to_str().unwrap(),
        "--data",
        server.data().to_str().unwrap(),
    ];
    let (code, _, errors) = run(&arguments, "");
    let process = format!("another server (process {})", server.process.id());
    assert!(code == 1 && errors.contains(&process), "{errors}");
}

#[test]
fn what_is_kept_for_an_account_that_is_gone_is_erased() {
    let mut server = Server::start_for(file("credentials.txt", ACCOUNTS));
    let mut alice = server.join("alice");
    for user in ["bob", "carol"] {
        alice.types(&format!("message {user} hi"));
        alice.sees(&format!("  kept for {user}"));
    }
    server.process.kill();
    fs::write(server.credentials(), "alice a-pw\ncarol c-pw\n").unwrap();
    server.start_again();
    server
        .process
        .sees("INFO all that was kept for the removed account is erased user=bob");
    // A new account of that name has nothing of the old one.
    fs::write(server.credentials(), ACCOUNTS).unwrap();
    server.process.signal(Signal::HUP);
    server.process.sees("INFO a new account user=bob");
    server.process.kill();
    server.start_again();
    let mut bob = server.join("bob");
    bob.sees("No messages while you were away.");
    server.join("carol").sees("alice: hi");
}

#[test]
fn an_accounts_file_that_lacks_most_accounts_erases_nothing_unless_that_is_meant() {
    let mut server = Server::start_for(file("credentials.txt", ACCOUNTS));
    let mut alice = server.join("alice");
    for user in ["bob", "carol"] {
        alice.types(&format!("message {user} hi"));
        alice.sees(&format!("  kept for {user}"));
    }
    server.process.kill();
    fs::write(server.credentials(), "zoe z-pw\nbob b-pw\n").unwrap();
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let (credentials, data) = (path(server.credentials()), path(server.data()));
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--credentials",
        &credentials,
        "--data",
        &data,
    ];
    let (code, _, errors) = run(&arguments, "");
    assert_eq!(code, 2);
    let errors = errors.replace(&credentials, "FILE");
    insta::assert_snapshot!(errors, @"simplechat: 2 of 3 accounts are missing in FILE, which may be a mistake, and what is kept for them would be erased. If it is none, start the server with --forget-missing");
    server.start_again_with(&["--forget-missing"]);
    server.process.sees("erased user=carol");
    server.join("bob").sees("alice: hi");
}

#[test]
fn a_life_that_goes_on_from_the_store_can_be_replayed() {
    let mut server = Server::start_for(file("credentials.txt", ACCOUNTS));
    let mut alice = server.join("alice");
    for user in ["bob", "carol"] {
        alice.types(&format!("message {user} hi"));
        alice.sees(&format!("  kept for {user}"));
    }
    server.process.kill();
    fs::write(server.credentials(), "alice a-pw\nbob b-pw\n").unwrap();
    let recording = common::folder().join("recording");
    let recording = recording.to_str().unwrap();
    server.start_again_with(&["--record", recording]);
    server.process.sees("erased user=carol");
    server.join("bob").sees("alice: hi");
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.ends(), 0);
    let (code, timeline, errors) = run(&["replay", recording], "");
    assert_eq!((code, &*errors), (0, ""), "{timeline}");
    assert!(timeline.contains("account removed"), "{timeline}");
}
