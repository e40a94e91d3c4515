//! `simplechat doctor` against real servers, and against what is none.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;

use std::io::Write as _;
use std::net::{TcpListener, ToSocketAddrs as _};
use std::thread;

use common::{Server, file, run};

/// A fingerprint of no server here.
const ANOTHER: &str = "aaaq-eayd-aucq-mbyi-beaq-yba4-bafa-wcya";

/// What the doctor says of a place to somebody who logs in.
fn examine(place: &str, password: &str, args: &[&str]) -> (i32, String) {
    let secret = file("password", password);
    let login = ["--user", "bob", "--password-file", secret.to_str().unwrap()];
    let (code, output, errors) = run(&[&["doctor", place], &login[..], args].concat(), "");
    assert_eq!(errors, "");
    (code, output)
}

#[test]
fn all_is_well() {
    let server = Server::start(&[]);
    let (code, output) = examine(&server.place, "b-pw", &[]);
    assert_eq!(code, 0, "{output}");
    let key = format!("ok      {} has the key that you gave", server.address);
    for line in [
        &key,
        "ok      logged in as bob",
        "ok      the clocks are 0.",
        "ok      the server can call this client, at port ",
    ] {
        assert!(output.contains(line), "{output}");
    }
    assert!(!output.contains("note"), "{output}");
}

#[test]
fn what_was_kept_is_kept_until_somebody_reads_it() {
    let server = Server::start(&[]);
    let mut alice = server.join("alice");
    alice.types("message bob for your eyes");
    alice.sees("  kept for bob");
    let (code, output) = examine(&server.place, "b-pw", &[]);
    assert_eq!(code, 0, "{output}");
    let mut bob = server.join("bob");
    bob.sees("alice: for your eyes");
}

#[test]
fn without_a_name_it_goes_as_far_as_the_key() {
    let server = Server::start(&[]);
    let place = server.address.to_string();
    let (code, output, _) = run(&["doctor", &place, "--json"], "");
    assert_eq!(code, 0, "{output}");
    assert!(output.starts_with(r#"{"exit":0,"steps":[{"step":"resolve","state":"ok","#));
    let fingerprint = server.place.split('#').nth(1).unwrap();
    let note = format!(
        r#"{{"step":"key","state":"note","text":"{place} has a key that is not known here. Its fingerprint is {fingerprint}"#
    );
    assert!(output.contains(&note), "{output}");
    assert!(!output.contains("login"), "{output}");
}

#[test]
fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    drop(listener);
    let (code, output, _) = run(&["doctor", &place], "");
    assert_eq!(code, 4, "{output}");
    let said = format!("failed  {place} cannot be reached: Connection refused");
    assert!(output.contains(&said), "{output}");
    assert!(output.contains("Does the server run"), "{output}");
}

/// Which addresses this name has depends on the machine. The server is at one of them.
#[test]
fn each_address_is_visited_and_one_is_enough() {
    let server = Server::start(&[]);
    let place = format!("localhost:{}", server.address.port());
    let (code, output, _) = run(&["doctor", &place], "");
    assert_eq!(code, 0, "{output}");
    let (mut well, mut others) = (0, 0);
    for address in place.to_socket_addrs().unwrap() {
        if address == server.address {
            well += 1;
            assert!(output.contains(&format!("ok      {address} answers; ")));
            assert!(output.contains(&format!(
                "note    {address} has a key that is not known here."
            )));
        } else {
            others += 1;
            let said = format!("note    {address} cannot be reached: ");
            assert!(output.contains(&said), "{output}");
        }
    }
    assert_eq!(well, 1, "{output}");
    let notes = output.matches("note    ").count();
    assert_eq!(notes, well + others, "{output}");
}

#[test]
fn somebody_listens_who_is_no_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let other = thread::spawn(move || {
        // Once it is seen whether somebody listens, and once hands are to be shaken.
        listener.accept().unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
    });
    let (code, output, _) = run(&["doctor", &place], "");
    other.join().unwrap();
    assert_eq!(code, 4, "{output}");
    let said = format!("failed  {place} answers, but not as a server does: ");
    assert!(output.contains(&said), "{output}");
}

#[test]
fn who_answers_is_not_the_server() {
    let server = Server::start(&[]);
    let place = format!("{}#{ANOTHER}", server.address);
    let (code, output) = examine(&place, "b-pw", &[]);
    assert_eq!(code, 7, "{output}");
    let said = format!(
        "failed  {} does not have the key that you gave.",
        server.address
    );
    assert!(output.contains(&said), "{output}");
    // Nor does a server get a password that nothing is known of.
    let (code, output) = examine(&server.address.to_string(), "b-pw", &[]);
    assert_eq!(code, 7, "{output}");
    assert!(output.contains("so it got no password"), "{output}");
}

#[test]
fn the_password_is_wrong() {
    let server = Server::start(&[]);
    let (code, output) = examine(&server.place, "wrong", &[]);
    assert_eq!(code, 3, "{output}");
    assert!(
        output.contains("failed  Wrong name or password."),
        "{output}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn the_server_cannot_call() {
    let server = Server::start(&[]);
    // The server sees bob come from 127.0.0.1, and nothing listens there.
    let away = ["--listen", "127.0.0.2:0"];
    let (code, output) = examine(&server.place, "b-pw", &away);
    assert_eq!(code, 0, "{output}");
    assert!(
        output.contains("note    the server cannot call this client"),
        "{output}"
    );
    let without_link = [&away[..], &["--set", "join.link=per_message"]].concat();
    let (code, output) = examine(&server.place, "b-pw", &without_link);
    assert_eq!(code, 1, "{output}");
    assert!(
        output.contains("failed  the server cannot call this client"),
        "{output}"
    );
}
