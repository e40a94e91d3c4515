//! Logging in, being taken over, falling silent, leaving: real processes over real TCP.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;

use common::{Process, Server, file, introduce, program, run};
use rustix::process::Signal;

#[test]
fn a_wrong_password_and_an_unknown_name_get_the_same_answer() {
    let server = Server::start(&[]);
    for name in ["alice", "nobody"] {
        let mut client = server.try_join(name, "wrong");
        client.sees("! Wrong name or password. 2 attempts are left.");
        assert_eq!(client.ends(), 3);
    }
}

/// Three in a row, and what is said of them.
fn fail_three_times(server: &Server) {
    for left in ["2 attempts are", "One more attempt is", "That was the last"] {
        let mut client = server.try_join("alice", "wrong");
        client.sees(left);
        assert_eq!(client.ends(), 3);
    }
}

#[test]
fn three_wrong_passwords_lock_the_account() {
    let server = Server::start(&[]);
    fail_three_times(&server);
    let mut client = server.try_join("alice", "a-pw");
    client.sees("! Not logged in: too many failed logins: try again in ");
    assert_eq!(client.ends(), 3);
}

#[test]
fn a_lock_passes() {
    let server = Server::start(&["block_time=1s"]);
    fail_three_times(&server);
    // Without anybody having to wait for a certain time.
    loop {
        let mut client = server.try_join("alice", "a-pw");
        let answer = client.sees_one_of(&["too many failed logins", "Logged in as alice"]);
        if answer.contains("Logged in") {
            break;
        }
    }
}

#[test]
fn the_rule_of_the_lockout_can_be_set() {
    let server = Server::start(&["max_login_attempts=1", "lockout=account"]);
    let mut client = server.try_join("alice", "wrong");
    client.sees("! Wrong name or password. That was the last attempt for now.");
    let mut client = server.try_join("alice", "a-pw");
    client.sees("! Not logged in: too many failed logins: try again in 60 s.");
}

#[test]
fn a_stranger_s_failures_do_not_end_a_session() {
    let server = Server::start(&["max_login_attempts=1"]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    let mut stranger = server.try_join("alice", "wrong");
    assert_eq!(stranger.ends(), 3);
    bob.types("message alice all well?");
    alice.sees("bob: all well?");
}

#[test]
fn a_second_login_takes_over_and_nobody_else_notices() {
    let server = Server::start(&["presence_interval=1ms"]);
    let (mut first, mut bob) = (server.join("alice"), server.join("bob"));
    let mut second = server.join("alice");
    first.sees("! Your account was logged in from another client");
    assert_eq!(first.ends(), 5);
    bob.types("message alice which one?");
    second.sees("bob: which one?");
    let _carol = server.join("carol");
    bob.sees("* carol is online");
    assert!(!bob.has_seen("* alice"), "no flicker");
}

#[test]
fn a_silent_client_is_logged_out_and_comes_back_by_itself() {
    let server = Server::start(&["heartbeat_interval=100ms", "timeout=3s"]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    alice.sees("* bob is online");
    bob.signal(Signal::STOP);
    alice.sees("* bob is offline");
    alice.types("message bob wake up");
    alice.sees("  kept for bob");
    bob.signal(Signal::CONT);
    bob.sees("Logged in again as bob.");
    bob.sees("alice: wake up");
    alice.sees("* bob is online");
}

#[test]
fn every_way_to_leave_is_in_order() {
    let server = Server::start(&[]);
    let mut alice = server.join("alice");
    let mut leave = |how: fn(&mut Process)| {
        let mut bob = server.join("bob");
        introduce(&mut alice, "alice", &mut bob, "bob");
        how(&mut bob);
        bob.sees("Goodbye.");
        assert_eq!(bob.ends(), 0);
        alice.sees("* bob has logged out");
    };
    leave(|bob| bob.types("logout"));
    leave(|bob| bob.signal(Signal::TERM));
    leave(|bob| bob.signal(Signal::INT));
    leave(|bob| bob.signal(Signal::HUP));
    leave(Process::ends_input);
}

#[test]
fn a_script_is_carried_out_to_its_end() {
    let server = Server::start(&[]);
    let mut alice = server.join("alice");
    let place = server.place.as_str();
    let script = "bob\nb-pw\nmessage alice from a script\nonline\nmessage nobody hi\n";
    let (code, output, errors) = run(&["join", place], script);
    assert_eq!((code, errors.as_str()), (0, ""));
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(
        lines.first(),
        Some(&"Logged in as bob. Type help for the commands.")
    );
    assert_eq!(lines.last(), Some(&"Goodbye."));
    // A question and a message are under way at the same time.
    let mut between: Vec<_> = lines[1..lines.len() - 1].to_vec();
    between.sort_unstable();
    assert_eq!(
        between,
        [
            "  delivered to alice",
            "  not sent to nobody: there is no such user (message 2)",
            "  online (1): alice",
            "No messages while you were away.",
        ]
    );
    alice.sees("bob: from a script");
}

#[test]
fn name_and_password_can_be_given_without_being_asked() {
    let server = Server::start(&[]);
    let place = server.place.as_str();
    let secret = file("password", "a-pw\nwhatever follows\n");
    let secret = secret.to_str().unwrap();
    let args = ["join", place, "--user", "alice", "--password-file", secret];
    let (code, output, _) = run(&args, "online\n");
    assert_eq!(code, 0);
    assert!(output.contains("nobody else is online"), "{output}");
    let args = [
        "join",
        place,
        "--user",
        "alice",
        "--password-file",
        "/nowhere",
    ];
    let (code, _, errors) = run(&args, "");
    assert_eq!(code, 2);
    assert!(errors.starts_with("simplechat: the password file /nowhere cannot be read: "));
}

#[test]
fn input_that_ends_too_soon_is_said() {
    let server = Server::start(&[]);
    let place = server.place.as_str();
    for (input, missing) in [("", "a name"), ("alice\n", "a password")] {
        let (code, _, errors) = run(&["join", place], input);
        assert_eq!(code, 2);
        assert_eq!(
            errors,
            format!("simplechat: {missing} was expected, and the input ended\n")
        );
    }
    let (code, _, errors) = run(&["join", place], "no name\nx\n");
    assert_eq!(code, 2);
    assert!(errors.contains("' ' is none of them"), "{errors}");
}

#[test]
fn a_client_listens_where_it_is_told() {
    let server = Server::start(&[]);
    let mut alice = server.client("alice", &["--listen", "127.0.0.1:0", "--user", "alice"]);
    alice.types("a-pw");
    alice.sees("Logged in as alice.");
    let mut bob = server.join("bob");
    bob.types("message alice there?");
    alice.sees("bob: there?");
    let place = server.place.as_str();
    // 192.0.2.0/24 is for documentation: nobody has such an address.
    let args = ["join", place, "--listen", "192.0.2.1:0", "--user", "alice"];
    let (code, _, errors) = run(&args, "a-pw\n");
    assert_eq!(code, 1);
    assert!(
        errors.contains("this machine does not have that address"),
        "{errors}"
    );
}

#[test]
fn a_server_listens_at_several_places() {
    let mut server = Server::start_on(&["127.0.0.1:0", "[::1]:0"]);
    let (_, fingerprint) = server.place.split_once('#').unwrap();
    let fingerprint = format!("#{fingerprint}");
    let mut clients = Vec::new();
    for (name, host) in [("alice", "127.0.0.1:"), ("bob", "[::1]:")] {
        let line = server.process.sees(&format!("join {host}"));
        let (_, place) = line.split_once("join ").unwrap();
        assert!(place.ends_with(&fingerprint), "{place}");
        server.place = place.to_owned();
        clients.push(server.join(name));
    }
    clients[0].types("broadcast everybody there?");
    clients[1].sees("alice to all: everybody there?");
}

#[test]
fn ipv6_and_names_work() {
    let server = Server::start_on(&["[::1]:0"]);
    assert!(server.address.is_ipv6());
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    introduce(&mut alice, "alice", &mut bob, "bob");
    alice.types("private bob over IPv6");
    bob.sees("alice privately: over IPv6");
    let server = Server::start(&[]);
    let place = server.place.replace("127.0.0.1:", "localhost:");
    assert!(place.starts_with("localhost:"), "{place}");
    let mut carol = Process::start("carol", program(&["join", &place, "--user", "carol"]));
    carol.types("c-pw");
    carol.sees("Logged in as carol.");
    carol.types("message carol hi");
    carol.sees("! that is you");
}
