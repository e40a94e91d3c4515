//! A recording of a real server, and what `simplechat replay` makes of it.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use common::{ACCOUNTS, Server, file, folder, run};
use rustix::process::Signal;

/// Two people chat at a server that records, and it ends in order.
fn a_recording(args: &[&str]) -> PathBuf {
    let path = folder().join("recording");
    let mut server = Server::start_with(&[&["--record", path.to_str().unwrap()], args].concat());
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    alice.sees("* bob is online");
    alice.types("message bob the cake is a lie");
    bob.sees("alice: the cake is a lie");
    alice.sees("  delivered to bob");
    let mut mallory = server.try_join("carol", "open sesame");
    mallory.sees("password");
    for mut client in [alice, bob] {
        client.types("logout");
        assert_eq!(client.ends(), 0);
    }
    server.process.signal(Signal::INT);
    server.process.sees("The server has ended");
    assert_eq!(server.process.ends(), 0);
    path
}

fn contains(bytes: &[u8], part: &str) -> bool {
    bytes
        .windows(part.len())
        .any(|window| window == part.as_bytes())
}

#[test]
fn a_real_server_is_recorded_and_replayed() {
    let path = a_recording(&[]);
    let name = path.to_str().unwrap();
    let (code, timeline, errors) = run(&["replay", name], "");
    assert_eq!((code, errors.as_str()), (0, ""), "{timeline}");
    assert!(timeline.contains("the machine did the same again"));
    for line in ["message bob: 17 bytes", "the password is wrong", "stops"] {
        assert!(timeline.contains(line), "{line} in {timeline}");
    }
    let (code, of_carol, _) = run(&["replay", name, "--user", "Carol"], "");
    assert_eq!(code, 0);
    assert!(of_carol.contains("the password is wrong"), "{of_carol}");
    assert!(!of_carol.contains("alice"), "{of_carol}");

    let bytes = fs::read(&path).unwrap();
    for secret in ["the cake is a lie", "open sesame", "a-pw", "b-pw"] {
        assert!(!contains(&bytes, secret), "{secret}");
    }
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn texts_are_recorded_when_it_is_asked_for() {
    let path = a_recording(&["--record-text"]);
    let (code, timeline, _) = run(&["replay", path.to_str().unwrap()], "");
    assert_eq!(code, 0);
    assert!(timeline.contains("message bob: \"the cake is a lie\""));
    let bytes = fs::read(&path).unwrap();
    for secret in ["open sesame", "a-pw", "b-pw"] {
        assert!(!contains(&bytes, secret), "{secret}");
    }
}

#[test]
fn a_file_that_cannot_be_replayed_says_why() {
    let path = a_recording(&[]);
    let bytes = fs::read(&path).unwrap();
    let cut = file("cut", &bytes[..bytes.len() - 10]);
    let (code, timeline, errors) = run(&["replay", cut.to_str().unwrap()], "");
    assert_eq!(code, 1);
    assert!(timeline.contains("message bob: 17 bytes"), "{timeline}");
    assert!(
        errors.contains("the recording breaks off after"),
        "{errors}"
    );

    let foreign = file("foreign", "\u{7f}ELF and so on");
    let foreign = foreign.to_str().unwrap();
    let (code, timeline, errors) = run(&["replay", foreign], "");
    assert_eq!((code, timeline.as_str()), (1, ""));
    assert_eq!(
        errors,
        format!("simplechat: {foreign}: this is no recording of simplechat\n")
    );

    let (code, _, errors) = run(&["replay", "/no/such/file"], "");
    assert_eq!(code, 1);
    assert!(errors.contains("/no/such/file"), "{errors}");
    let (code, _, errors) = run(&["replay", foreign, "--user", "no name"], "");
    assert_eq!(code, 2);
    assert!(errors.contains("a name is made of"), "{errors}");
}

#[test]
fn a_recording_is_never_written_over() {
    let taken = file("recording", "precious");
    let taken = taken.to_str().unwrap();
    let accounts = file("credentials.txt", ACCOUNTS);
    let accounts = accounts.to_str().unwrap();
    let serve = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--credentials",
        accounts,
    ];
    let (code, _, errors) = run(&[&serve[..], &["--record", taken]].concat(), "");
    assert_eq!(code, 1);
    assert_eq!(
        errors,
        format!(
            "simplechat: cannot record to {taken}: there is such a file already; name a new one\n"
        )
    );
    assert_eq!(fs::read(taken).unwrap(), b"precious");
    let (code, _, errors) = run(&[&serve[..], &["--record-text"]].concat(), "");
    assert_eq!(code, 2);
    assert!(errors.contains("--record <FILE>"), "{errors}");
}
