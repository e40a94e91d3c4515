//! What no client of ours sends, to real sockets: each gets a clear no or a clean end, and nobody else notices.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use common::{PATIENCE, Server, stranger_sends};
use simplechat_core::wire::frame::{Frame, RefusalCode};

/// The code of the refusal that came back.
fn refusal(bytes: &[u8]) -> RefusalCode {
    let Ok(Frame::Refusal(code)) = Frame::parse(bytes) else {
        panic!("{bytes:?} is no refusal");
    };
    code
}

/// Two people chat before and after something hostile.
fn undisturbed(server: &Server, hostile: impl FnOnce()) {
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    alice.types("message bob before");
    bob.sees("alice: before");
    hostile();
    alice.types("message bob after");
    bob.sees("alice: after");
    assert!(!bob.has_seen("!"), "bob notices nothing");
}

#[test]
fn nonsense_is_refused() {
    let server = Server::start(&["log=debug"]);
    undisturbed(&server, || {
        let cases: [(&[u8], RefusalCode); 4] = [
            (&[0xff; 4], RefusalCode::TooLong),
            (b"GET / HTTP/1.0\r\n\r\n", RefusalCode::TooLong),
            (&[0, 0, 0, 9, 2, 0], RefusalCode::Version),
            (
                &[
                    0, 0, 0, 30, 1, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
                ],
                RefusalCode::UnknownSession,
            ),
        ];
        for (bytes, expected) in cases {
            assert_eq!(refusal(&server.stranger_sends(bytes)), expected);
        }
    });
}

#[test]
fn random_bytes_disturb_nobody() {
    let server = Server::start(&["connection_deadline=5s"]);
    undisturbed(&server, || {
        let mut state = 1_u64;
        for length in 1..60_usize {
            let bytes: Vec<u8> = (0..length * 7)
                .map(|_| {
                    // A xorshift generator: the same bytes in every run.
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    state.to_le_bytes()[0]
                })
                .collect();
            let mut stream = TcpStream::connect(server.address).unwrap();
            let _ = stream.write_all(&bytes);
        }
    });
}

#[test]
fn a_client_s_listener_bears_nonsense_too() {
    let server = Server::start(&[]);
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut alice = server.client("alice", &["--user", "alice", "--listen", &listen]);
    alice.types("a-pw");
    alice.sees("Logged in as alice.");
    let listener: SocketAddr = listen.parse().unwrap();
    assert_eq!(
        refusal(&stranger_sends(listener, &[0xff; 9])),
        RefusalCode::TooLong
    );
    let mut unknown = vec![0, 0, 0, 30, 1, 1];
    unknown.extend([7; 28]);
    assert_eq!(
        refusal(&stranger_sends(listener, &unknown)),
        RefusalCode::UnknownSession
    );
    alice.sees("* somebody at 127.0.0.1 called this client and was refused");
    let mut bob = server.join("bob");
    bob.types("message alice well?");
    alice.sees("bob: well?");
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn connections_that_say_nothing_end_at_their_deadline() {
    let server = Server::start(&["dial_timeout=1s", "connection_deadline=5s"]);
    undisturbed(&server, || {
        let mut silent: Vec<_> = (0..200)
            .map(|_| TcpStream::connect(server.address).unwrap())
            .collect();
        for stream in &mut silent {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut rest = Vec::new();
            // The end or a reset: both are an end.
            let _ = stream.read_to_end(&mut rest);
            assert_eq!(rest, [0; 0]);
        }
    });
}

#[test]
fn a_full_server_says_so() {
    let server = Server::start(&["connections_max=2"]);
    let held: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.write_all(&[0]).unwrap();
            stream
        })
        .collect();
    assert_eq!(refusal(&server.stranger_sends(&[])), RefusalCode::Busy);
    drop(held);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    alice.types("message bob there is room again");
    bob.sees("alice: there is room again");
}

#[test]
fn a_line_of_a_megabyte_is_dropped_and_the_next_one_is_read() {
    let server = Server::start(&[]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    let mut line = b"message bob ".to_vec();
    line.resize(1024 * 1024, b'x');
    line.push(b'\n');
    alice.writes(&line);
    alice.sees("! a line of 1048576 bytes is too long, and was dropped");
    alice.writes(b"message bob \xff\xfe bytes\n");
    assert!(bob.sees("bytes").ends_with("alice: \u{fffd}\u{fffd} bytes"));
}

#[test]
fn an_output_that_nobody_reads_any_more_ends_the_client_in_order() {
    let server = Server::start(&[]);
    let mut alice = server.join("alice");
    let mut command = common::program(&["join", &server.place, "--user", "bob"]);
    let mut bob = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(bob.stdin.as_mut().unwrap(), "b-pw").unwrap();
    alice.sees("* bob is online");
    drop(bob.stdout.take());
    alice.types("message bob nobody reads this");
    alice.sees("* bob is offline");
    bob.wait().unwrap();
    let mut bob = server.join("bob");
    bob.sees("alice: nobody reads this");
}

/// Several things that cannot be shown are one reason to leave: it still says goodbye.
#[test]
fn an_output_that_nobody_reads_any_more_is_one_reason_to_leave() {
    let server = Server::start(&[]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    let mut carol = server.join("carol");
    common::introduce(&mut carol, "carol", &mut bob, "bob");
    bob.stops_reading();
    alice.types("message bob this ends the reading");
    alice.sees("  delivered to bob");
    // Both are on their way to the screen when the client finds that there is none.
    alice.types("message bob nobody reads this");
    carol.types("private bob nor this");
    alice.sees("* bob is offline");
}

#[cfg(target_os = "linux")]
#[test]
fn nobody_keeps_a_connection_open() {
    let server = Server::start(&[]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    alice.types("message bob hi");
    bob.sees("alice: hi");
    alice.sees("  delivered to bob");
    let port = format!("{:04X}", server.address.port());
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let established = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|fields| fields.get(3) == Some(&"01"))
            .any(|fields| fields[1].ends_with(&port) || fields[2].ends_with(&port));
        if !established {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{table}");
    }
}

#[test]
fn a_server_that_is_none_is_said() {
    let answers: [&[u8]; 4] = [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        &[0, 0, 0, 3, 1, 0, 9],
        &[0; 64],
    ];
    for answer in answers {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let fake = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(answer).unwrap();
            // A real server would read the login; this one has said all that it has to say.
        });
        let (code, output, _) = common::run(&["join", &address], "alice\na-pw\n");
        fake.join().unwrap();
        assert_eq!(
            (code, output.as_str()),
            (4, "! The server does not answer.\n"),
            "{answer:?}"
        );
    }
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let deadline = "join.connection_deadline=3s";
    let args = [
        "join",
        &address,
        "--set",
        "join.dial_timeout=2s",
        "--set",
        deadline,
    ];
    let (code, output, _) = common::run(&args, "alice\na-pw\n");
    assert_eq!(
        (code, output.as_str()),
        (4, "! The server does not answer.\n")
    );
}
