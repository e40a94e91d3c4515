//! What a client keeps on its device: there when it starts again, found, written to a file and erased, and handed on to a
//! second client.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Process, Server, folder, introduce, introduce_for_good};
use rustix::process::Signal;

/// A device that has never been used.
fn device() -> PathBuf {
    folder().join("client")
}

/// The directories of stores on a device.
fn stores(device: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(device).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_dir()).collect()
}

/// Ends a client that is done with, and gives what it showed since it was let in.
fn leaves(mut client: Process) -> String {
    client.types("logout");
    assert_eq!(client.ends(), 0);
    let shown = client.all_with("").join("\n");
    // The time of day is that of the test.
    let mut masked = String::new();
    for line in shown.lines() {
        let mask = |rest: &str| {
            format!(
                "{}[HH:MM]{}\n",
                if line.starts_with(' ') { "  " } else { "" },
                rest
            )
        };
        let stamped = line
            .trim_start()
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'));
        masked += &stamped.map_or_else(|| format!("{line}\n"), |(_, rest)| mask(rest));
    }
    masked
}

#[test]
fn a_client_that_starts_again_shows_where_it_was() {
    let server = Server::start(&[]);
    let device = device();
    let mut bob = server.join("bob");
    let mut alice = server.join_on(&device, "alice", &[]);
    alice.types("message bob shall we?");
    alice.sees("  delivered to bob");
    bob.types("message alice yes");
    bob.types("broadcast we will");
    alice.sees("bob: yes");
    alice.sees("bob to all: we will");
    alice.types("message carol and you?");
    alice.sees("  kept for carol");
    introduce(&mut alice, "alice", &mut bob, "bob");
    alice.types("private bob not her");
    alice.sees("  delivered to bob, privately");
    leaves(alice);
    let alice = server.join_on(&device, "alice", &[]);
    insta::assert_snapshot!(leaves(alice), @r#"
    --- to all ---
    [HH:MM] bob to all: we will
    --- with carol ---
    [HH:MM] you > carol (kept by the server): and you?
    --- with bob ---
    [HH:MM] you > bob: shall we?
    [HH:MM] bob: yes
    [HH:MM] you > bob privately: not her
    Logged in as alice. Type help for the commands.
    No messages while you were away.
    Goodbye.
    "#);
    let few = [
        "--set",
        "join.recent_conversations=1",
        "--set",
        "join.recent_messages=1",
    ];
    let alice = server.join_on(&device, "alice", &few);
    insta::assert_snapshot!(leaves(alice), @r#"
    --- with bob ---
    [HH:MM] you > bob privately: not her
    Logged in as alice. Type help for the commands.
    No messages while you were away.
    Goodbye.
    "#);
}

#[test]
#[allow(clippy::too_many_lines, reason = "one story")]
fn what_was_said_is_shown_found_written_and_erased() {
    let server = Server::start(&[]);
    let device = device();
    let mut bob = server.join("bob");
    let mut alice = server.join_on(&device, "alice", &[]);
    for text in ["shall we deploy?", "on friday", "\u{1b}[2Jor not"] {
        bob.types(&format!("message alice {text}"));
        bob.sees("  delivered to alice");
    }
    alice.types("broadcast deployed");
    alice.sees("  delivered to 1 user");
    alice.types("history 2");
    alice.types("history bob");
    alice.types("search deploy");
    alice.types("search deploy --user bob --since 2027-01-31");
    alice.types("search friday --since 2020-01-31");
    alice.types("search nowhere");
    let out = folder();
    let (text, json) = (out.join("my messages.txt"), out.join("messages.json"));
    alice.types(&format!("export text {}", text.display()));
    alice.types(&format!("export bob json {}", json.display()));
    alice.types(&format!("export json {}", json.display()));
    alice.types("export text /nowhere/at/all");
    alice.types("forget carol");
    alice.types("forget 2020-01-31");
    alice.types("forget bob");
    alice.types("history");
    alice.types("forget all");
    alice.types("history");
    let shown = leaves(alice).replace(out.to_str().unwrap(), "DIR");
    insta::assert_snapshot!(shown, @r#"
    Logged in as alice. Type help for the commands.
    No messages while you were away.
    [HH:MM] bob: shall we deploy?
    [HH:MM] bob: on friday
    [HH:MM] bob: �[2Jor not
      delivered to 1 user
    [HH:MM] bob: �[2Jor not
    [HH:MM] you > all: deployed
    [HH:MM] bob: shall we deploy?
    [HH:MM] bob: on friday
    [HH:MM] bob: �[2Jor not
    --- to all ---
    [HH:MM] you > all: deployed
    --- with bob ---
    [HH:MM] bob: shall we deploy?
      [HH:MM] bob: on friday
      nothing was found
    --- with bob ---
      [HH:MM] bob: shall we deploy?
    [HH:MM] bob: on friday
      [HH:MM] bob: �[2Jor not
      nothing was found
      DIR/my messages.txt has 4 messages
      DIR/messages.json has 3 messages
    ! DIR/messages.json was not written: there is such a file already: name a new one
    ! /nowhere/at/all was not written: No such file or directory (os error 2)
      0 messages erased
      0 messages erased
      3 messages erased
    [HH:MM] you > all: deployed
      1 message erased
      there are no messages
    Goodbye.
    "#);
    let text = fs::read_to_string(text).unwrap();
    assert_eq!(text.lines().count(), 4);
    assert!(text.contains("] bob: \u{fffd}[2Jor not\n"), "{text}");
    assert!(text.starts_with("[20"), "with the date: {text}");
    let json = fs::read_to_string(json).unwrap();
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["text"], "shall we deploy?");
    assert_eq!(first["from"], "bob");
    assert_eq!(json.lines().count(), 3);
    for store in stores(&device) {
        for entry in fs::read_dir(store).unwrap() {
            let content = fs::read(entry.unwrap().path()).unwrap();
            for word in ["deploy", "friday"] {
                let word = word.as_bytes();
                assert!(!content.windows(word.len()).any(|window| window == word));
            }
        }
    }
}

#[test]
fn messages_that_wait_outlive_a_client_that_is_killed() {
    let mut server = Server::start(&["heartbeat_interval=100ms", "timeout=60s"]);
    let device = device();
    let mut bob = server.join("bob");
    let mut alice = server.join_on(&device, "alice", &[]);
    alice.types("message bob one");
    alice.sees("  delivered to bob");
    server.process.kill();
    alice.sees("The server cannot be reached");
    for text in ["two", "three"] {
        alice.types(&format!("message bob {text}"));
    }
    // What is kept is in the history.
    alice.asks_until("history 1", "you > bob (waiting): ", "three");
    alice.kill();
    server.start_again();
    let mut alice = server.join_on(&device, "alice", &[]);
    for text in ["alice: one", "alice: two", "alice: three"] {
        bob.sees(text);
    }
    alice.sees("you > bob (waiting): three");
    for _ in 0..2 {
        // Bob may be back before or after her.
        alice.sees_one_of(&["  delivered to bob", "  kept for bob"]);
    }
    alice.types("message bob four");
    bob.sees("alice: four");
    assert_eq!(bob.all_with("alice: ").len(), 4);
}

#[test]
fn who_leaves_with_messages_unsent_is_told_that_they_are_kept() {
    let mut server = Server::start(&["heartbeat_interval=100ms", "timeout=60s"]);
    let device = device();
    let mut alice = server.join_on(&device, "alice", &[]);
    server.process.kill();
    alice.types("message bob one");
    alice.sees("The server cannot be reached");
    alice.types("logout");
    alice.sees("1 message is not sent yet: it is kept, and sent when you join again.");
    assert_eq!(alice.ends(), 0);
    server.start_again();
    let mut alice = server.join_on(&device, "alice", &[]);
    alice.sees("  kept for bob");
    let mut bob = server.join("bob");
    bob.sees("alice: one");
}

#[test]
fn without_a_history_nothing_is_left() {
    let server = Server::start(&[]);
    let device = device();
    let mut alice = server.join_on(&device, "alice", &["--no-history"]);
    alice.types("message bob one");
    alice.sees("  kept for bob");
    alice.types("history");
    alice.sees("! nothing is kept: this client was started with --no-history");
    leaves(alice);
    assert_eq!(stores(&device), Vec::<PathBuf>::new());
    let alice = server.join_on(&device, "alice", &["--set", "join.store=memory"]);
    assert!(!leaves(alice).contains("one"));
}

#[test]
fn a_second_client_on_a_device_goes_on_where_the_first_was() {
    let server = Server::start(&[]);
    let device = device();
    let mut bob = server.join("bob");
    let mut first = server.join_on(&device, "alice", &[]);
    first.types("message bob one");
    first.sees("  delivered to bob");
    let mut second = server.join_on(&device, "alice", &[]);
    first.sees("! Another client on this device goes on with your account, so this one ends.");
    assert_eq!(first.ends(), 5);
    second.sees("you > bob: one");
    bob.types("message alice two");
    second.sees("bob: two");
    second.types("message bob three");
    bob.sees("alice: three");
}

#[test]
fn a_client_that_does_not_answer_keeps_its_store() {
    let server = Server::start(&[]);
    let device = device();
    let mut first = server.join_on(&device, "alice", &[]);
    first.types("message bob one");
    first.sees("  kept for bob");
    first.signal(Signal::STOP);
    let mut second = server.begin_on(&device, "alice", &[]);
    second.sees(&format!("another client (process {}) uses", first.id()));
    second.sees("join with --no-history");
    assert_eq!(second.ends(), 1);
    first.signal(Signal::CONT);
}

#[test]
fn the_same_server_at_another_place_has_the_same_past() {
    let server = Server::start(&[]);
    let device = device();
    let mut alice = server.join_on(&device, "alice", &[]);
    alice.types("message bob one");
    alice.sees("  kept for bob");
    leaves(alice);
    let (_, port) = server.place.split_once(':').unwrap();
    let place = format!("localhost:{port}");
    let mut command = common::program(&["join", &place, "--data", device.to_str().unwrap()]);
    command.args(["--user", "alice", "--link", "held"]);
    let mut alice = Process::start("alice", command);
    alice.types("a-pw");
    alice.sees("you > bob (kept by the server): one");
    alice.sees("Logged in as alice.");
    assert_eq!(stores(&device).len(), 1);
}

#[test]
fn a_client_that_starts_without_the_server_finds_its_peers() {
    let mut server = Server::start(&["heartbeat_interval=100ms", "timeout=60s"]);
    let device = device();
    let mut bob = server.join("bob");
    let mut alice = server.begin_on(&device, "alice", &["--offline"]);
    alice.sees("nothing is kept here of alice at 127.0.0.1:");
    assert_eq!(alice.ends(), 1);
    let mut alice = server.join_on(&device, "alice", &[]);
    introduce_for_good(&mut alice, "alice", &mut bob, "bob");
    alice.types("private bob one");
    bob.sees("alice privately: one");
    alice.sees("  delivered to bob, privately");
    leaves(alice);
    server.process.kill();
    bob.sees("The server cannot be reached");
    let mut alice = server.begin_on(&device, "alice", &["--offline"]);
    alice.sees("you > bob privately: one");
    alice.types("private bob two");
    bob.sees("alice privately: two");
    bob.types("private alice three");
    alice.sees("bob privately: three");
    alice.types("message bob four");
    server.start_again();
    alice.sees("Logged in");
    bob.sees("alice: four");
}

/// Two on devices of their own, who are in each other's address books for good.
fn lasting_pair(server: &Server, devices: &[PathBuf; 2]) -> (Process, Process) {
    let mut bob = server.join_on(&devices[1], "bob", &[]);
    let mut alice = server.join_on(&devices[0], "alice", &[]);
    introduce_for_good(&mut alice, "alice", &mut bob, "bob");
    // They have found each other.
    alice.asks_until("addressbook", "    bob  ", "  reachable, lasting");
    bob.asks_until("addressbook", "    alice  ", "  reachable, lasting");
    (alice, bob)
}

#[test]
fn two_who_are_never_there_together_write_to_each_other_privately() {
    let server = Server::start(&["heartbeat_interval=100ms", "timeout=60s"]);
    let devices = [device(), device()];
    let (mut alice, bob) = lasting_pair(&server, &devices);
    leaves(bob);
    alice.sees("* bob has left");
    alice.types("private bob one");
    alice.sees("  kept for bob at the server, sealed: only bob can read it");
    alice.types("private bob two");
    alice.sees("  kept for bob at the server, sealed");
    alice.types("why");
    alice.sees("message 2 to bob, privately: kept by the server");
    alice.sees(" sealed, by the server: not delivered yet, kept there");
    alice.sees("    next try when they are back");
    leaves(alice);
    let mut bob = server.join_on(&devices[1], "bob", &[]);
    bob.sees("--- 2 messages while you were away ---");
    bob.sees("alice privately: one");
    bob.sees("alice privately: two");
    bob.types("history alice");
    bob.sees("alice privately: two");
    leaves(bob);
    let mut alice = server.join_on(&devices[0], "alice", &[]);
    alice.sees("you > bob privately (kept by the server): two");
    alice.sees("No messages while you were away.");
    alice.sees("  delivered to bob, privately");
    alice.sees("  delivered to bob, privately");
    alice.types("history bob");
    alice.sees("you > bob privately: two");
}

#[test]
fn peers_who_all_start_without_the_server_find_each_other_where_they_were() {
    let mut server = Server::start(&["heartbeat_interval=100ms", "timeout=60s"]);
    let devices = [device(), device()];
    let (mut alice, mut bob) = lasting_pair(&server, &devices);
    alice.types("private bob one");
    bob.sees("alice privately: one");
    alice.sees("  delivered to bob, privately");
    bob.types("private alice two");
    bob.sees("  delivered to alice, privately");
    leaves(bob);
    leaves(alice);
    server.process.kill();
    let mut bob = server.begin_on(&devices[1], "bob", &["--offline"]);
    bob.sees("The server cannot be reached");
    let mut alice = server.begin_on(&devices[0], "alice", &["--offline"]);
    alice.sees("The server cannot be reached");
    alice.types("private bob three");
    bob.sees("alice privately: three");
    bob.types("private alice four");
    alice.sees("bob privately: four");
}
