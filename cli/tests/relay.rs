//! What somebody learns who carries the bytes of real processes: a relay stands in every way between the server and its
//! clients, in both directions, and no name, password or word of any message is in what it hears.
//!
//! The clients join at relays. The server dials them at the address that the login came from, which is a relay's, at the
//! port that the client named: a relay listens there, and the client behind it at the same port of IPv6. The clients tell
//! each other their true addresses too, so their own dials may pass by the relays: those ways are heard in
//! `core/tests/eavesdropper.rs`.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use common::{Process, Server, file, introduce, program};
use rustix::process::Signal;

/// All that goes one way through a relay, connection behind connection.
type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

/// Carries what comes to its listener to somebody else, and what comes back, and remembers all of it.
struct Relay {
    address: SocketAddr,
    there: Heard,
    back: Heard,
}

impl Relay {
    fn before(to: impl FnOnce(u16) -> SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let to = to(address.port());
        let (there, back) = (Heard::default(), Heard::default());
        let relay = Self {
            address,
            there: Arc::clone(&there),
            back: Arc::clone(&back),
        };
        thread::spawn(move || {
            for caller in listener.incoming().flatten() {
                // Nobody there: the caller sees that the connection ends.
                let Ok(called) = TcpStream::connect(to) else {
                    continue;
                };
                let (caller_too, called_too) =
                    (caller.try_clone().unwrap(), called.try_clone().unwrap());
                carry(caller, called, &there);
                carry(called_too, caller_too, &back);
            }
        });
        relay
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, heard: &Heard) {
    let place = {
        let mut heard = heard.lock().unwrap();
        heard.push(Vec::new());
        heard.len() - 1
    };
    let heard = Arc::clone(heard);
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            heard.lock().unwrap()[place].extend_from_slice(&bytes[..read]);
            if to.write_all(&bytes[..read]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}

/// A client with relays on both sides.
struct Tapped {
    client: Process,
    to_server: Relay,
    to_client: Relay,
}

impl Tapped {
    fn join(server: &Server, name: &str, password: &str) -> Self {
        let to_server = Relay::before(|_| server.address);
        let mut behind = String::new();
        let to_client = Relay::before(|port| {
            behind = format!("[::1]:{port}");
            behind.parse().unwrap()
        });
        let (_, fingerprint) = server.place.split_once('#').unwrap();
        let place = format!("{}#{fingerprint}", to_server.address);
        let command = program(&["join", &place, "--listen", &behind]);
        let mut client = Process::start(name, command);
        client.types(name);
        client.types(password);
        client.sees(&format!("Logged in as {name}."));
        Self {
            client,
            to_server,
            to_client,
        }
    }

    /// What was heard each way.
    fn heard(&self) -> [Vec<Vec<u8>>; 4] {
        let (server, client) = (&self.to_server, &self.to_client);
        [&server.there, &server.back, &client.there, &client.back]
            .map(|heard| heard.lock().unwrap().clone())
    }
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes
        .to_ascii_lowercase()
        .windows(word.len())
        .any(|part| part == word.to_ascii_lowercase().as_bytes())
}

#[test]
fn who_carries_every_byte_reads_no_name_password_or_word() {
    const NAMES: [&str; 2] = ["q7vhx2kwp9zt", "n4bym8rjc3gd"];
    const PASSWORDS: [&str; 2] = ["T3gLw0RzBy8m", "f6QxVd1KeN5s"];
    const WORDS: [&str; 4] = [
        "Xk4vTn9bQe2s",
        "pW7rYc5hGu1j",
        "zM0dFa8oLi6q",
        "J3tBw9xEv2Hn",
    ];
    let [ann, ben] = NAMES;
    let accounts = format!("{ann} {}\n{ben} {}\n", PASSWORDS[0], PASSWORDS[1]);
    let mut server = Server::start_for(file("credentials.txt", accounts));
    let mut first = Tapped::join(&server, ann, PASSWORDS[0]);
    let mut second = Tapped::join(&server, ben, PASSWORDS[1]);
    let (a, b) = (&mut first.client, &mut second.client);
    a.types(&format!("message {ben} {}", WORDS[0]));
    b.sees(WORDS[0]);
    b.types(&format!("broadcast {}", WORDS[1]));
    a.sees(WORDS[1]);
    introduce(a, ann, b, ben);
    a.types(&format!("private {ben} {}", WORDS[2]));
    b.sees(WORDS[2]);
    // Both come back with their tickets.
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.ends(), 0);
    server.start_again();
    a.sees(&format!("Logged in again as {ann}."));
    b.sees(&format!("Logged in again as {ben}."));
    b.types(&format!("message {ann} {}", WORDS[3]));
    a.sees(WORDS[3]);

    for tapped in [&first, &second] {
        for (way, heard) in tapped.heard().iter().enumerate() {
            assert!(heard.len() > 1, "the relay is in way {way}");
            let bytes = heard.concat();
            assert!(!bytes.is_empty(), "it hears way {way}");
            for word in NAMES.iter().chain(&PASSWORDS).chain(&WORDS) {
                assert!(!holds(&bytes, word), "{word} was heard in way {way}");
            }
        }
    }
}

#[test]
fn a_relay_hears_what_is_said_in_plain_text() {
    let echo = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = echo.local_addr().unwrap();
    let relay = Relay::before(|_| there);
    let mut caller = TcpStream::connect(relay.address).unwrap();
    caller.write_all(b"a Xk4vTn9bQe2s b").unwrap();
    caller.shutdown(Shutdown::Write).unwrap();
    let (mut called, _) = echo.accept().unwrap();
    let mut arrived = Vec::new();
    called.read_to_end(&mut arrived).unwrap();
    let heard = relay.there.lock().unwrap().concat();
    assert_eq!(heard, arrived);
    assert!(holds(&heard, "xk4vtn9bqe2s"));
}
