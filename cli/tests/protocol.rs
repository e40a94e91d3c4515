//! A client made from `docs/PROTOCOL.md` alone, byte by byte and with nothing of ours, talks to the real server: what the
//! document says is what the program does.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use common::{PATIENCE, Server};

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 128 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number /= 128;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [varint(text.len().try_into().unwrap()), text.into()].concat()
}

/// A frame: its length, version 1, its kind and its body.
fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&length[..], &[1, kind], body].concat()
}

fn read_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut rest = vec![0; u32::from_be_bytes(length).try_into().unwrap()];
    stream.read_exact(&mut rest).unwrap();
    assert_eq!(rest[0], 1, "version");
    (rest[1], rest[2..].to_vec())
}

/// The keys of a session, as they came in the answer to the login.
struct Session {
    id: [u8; 16],
    send: [u8; 16],
    receive: [u8; 16],
    counter: u64,
}

impl Session {
    fn from_welcome(body: &[u8]) -> Self {
        let key = |at: usize| body[at..at + 16].try_into().unwrap();
        Self {
            id: key(1),
            send: key(17),
            receive: key(33),
            counter: 0,
        }
    }

    /// A session frame with these items, each behind its length.
    fn seal(&mut self, items: &[Vec<u8>]) -> Vec<u8> {
        let mut body = [&self.id[..], &self.counter.to_be_bytes(), &self.send].concat();
        self.counter += 1;
        for item in items {
            body.extend(varint(item.len().try_into().unwrap()));
            body.extend(item);
        }
        frame(1, &body)
    }

    /// The first items of a session frame; here all are shorter than 128 bytes.
    fn open(&self, (kind, body): (u8, Vec<u8>)) -> Vec<Vec<u8>> {
        assert_eq!(
            (kind, &body[..16], &body[24..40]),
            (1, &self.id[..], &self.receive[..])
        );
        let mut rest = &body[40..];
        let mut items = Vec::new();
        while let Some((&length, after)) = rest.split_first() {
            let (item, after) = after.split_at(length.into());
            items.push(item.to_vec());
            rest = after;
        }
        items
    }
}

fn read_to_end(mut stream: TcpStream) {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(
        rest, [0; 0],
        "whoever accepted the connection ends it after its answer"
    );
}

#[test]
fn a_client_written_from_the_document_is_understood() {
    let server = Server::start(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();

    // Login: by password (0), name, password, port, instance, lowest unanswered, by a person (0), no candidates.
    let login = [
        &[0][..],
        &text("bob"),
        &text("b-pw"),
        &varint(port.into()),
        &[7; 16],
        &varint(1),
        &[0],
        &[0],
    ]
    .concat();
    let mut login_conn = TcpStream::connect(server.address).unwrap();
    login_conn.write_all(&frame(0, &login)).unwrap();
    let (kind, welcome) = read_frame(&mut login_conn);
    assert_eq!((kind, welcome[0]), (0, 0), "a welcome");
    let mut session = Session::from_welcome(&welcome);

    // The server probes the listener: probe (0) and a challenge, which comes back as probed (0).
    let (mut probe, _) = listener.accept().unwrap();
    let items = session.open(read_frame(&mut probe));
    assert_eq!((items.len(), items[0].len(), items[0][0]), (1, 17, 0));
    let answer = session.seal(&[items[0].clone()]);
    probe.write_all(&answer).unwrap();
    drop(probe);
    let checked = session.open(read_frame(&mut login_conn));
    assert_eq!(checked, [[3, 0]], "listener checked (3): reachable (0)");
    read_to_end(login_conn);

    // A heartbeat (0) is answered with alive (0).
    let mut request = TcpStream::connect(server.address).unwrap();
    let beat = session.seal(&[vec![0]]);
    request.write_all(&beat).unwrap();
    assert_eq!(session.open(read_frame(&mut request)), [[0]]);
    read_to_end(request);

    // Lowest unanswered (1), submit (2) number 1: a message (0) to alice.
    let mut alice = server.join("alice");
    let submit = [&[2, 1, 0][..], &text("alice"), &text("by hand ✋")].concat();
    let mut request = TcpStream::connect(server.address).unwrap();
    let sealed = session.seal(&[vec![1, 1], submit]);
    request.write_all(&sealed).unwrap();
    alice.sees("bob: by hand ✋");
    let outcome = session.open(read_frame(&mut request));
    assert_eq!(
        outcome,
        [[1, 1, 0]],
        "outcome (1) of number 1: delivered (0)"
    );

    // Alice answers. Before it may come that she is online; each batch (1) is taken (1).
    alice.types("message bob hello hand");
    loop {
        let (mut push, _) = listener.accept().unwrap();
        let items = session.open(read_frame(&mut push));
        assert_eq!(items[0][0], 1, "a batch");
        let taken = session.seal(&[vec![1, items[0][1]]]);
        push.write_all(&taken).unwrap();
        let message = items.iter().find(|item| item[0] == 2);
        if let Some(message) = message {
            assert!(message.starts_with(&[&[2][..], &text("alice")].concat()));
            assert!(message.ends_with(&text("hello hand")));
            break;
        }
    }
    alice.sees("  delivered to bob");
}
