//! A client made from `docs/PROTOCOL.md` alone talks to the real programs, and comes to the test vectors that stand there: what
//! the document says is what the program does.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;
mod second;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use common::{Process, Server};
use data_encoding::HEXLOWER;
use second::{
    Call, Client, Frame, Handshake, Key, Part, Reader, Session, Turn, counted, fingerprint, public,
    tell, varint,
};

const DOCUMENT: &str = include_str!("../../docs/PROTOCOL.md");
const KEYS: &str = "## Test vectors\n";

/// Whole frames with a refusal (2).
const UNKNOWN_SESSION: [u8; 7] = [0, 0, 0, 3, 1, 2, 1];
const MALFORMED: [u8; 7] = [0, 0, 0, 3, 1, 2, 3];

/// A block of test vectors.
struct Vectors(BTreeMap<&'static str, &'static str>);

impl Vectors {
    /// The first block under a heading.
    fn under(heading: &str) -> Self {
        let (_, section) = DOCUMENT.split_once(heading).unwrap();
        let block = section.split("```\n").nth(1).unwrap();
        let line = |line: &'static str| {
            let (what, value) = line.split_once(':').unwrap();
            (what, value.trim_start())
        };
        Self(block.lines().map(line).collect())
    }

    fn hex(&self, what: &str) -> Vec<u8> {
        HEXLOWER.decode(self.0[what].as_bytes()).unwrap()
    }

    fn key(&self, what: &str) -> Key {
        self.hex(what).try_into().unwrap()
    }

    fn frame(&self, what: &str) -> Frame {
        let bytes = self.hex(what);
        (bytes[5], bytes[6..].to_vec())
    }

    /// What one side writes is in the document, and the other can read it.
    fn written(&self, message: &str, writer: &mut Handshake, reader: &mut Handshake) {
        let payload = match message {
            "message 2" => Vec::new(),
            _ => self.hex(&format!("{message} payload")),
        };
        let frame = format!("{message} frame");
        assert_eq!(writer.write(&payload), self.hex(&frame), "{message}");
        assert_eq!(reader.read(&self.frame(&frame)), payload, "{message}");
    }

    /// What one side seals is in the document, and the other can open it.
    fn sealed(&self, what: &str, turn: Turn, sealer: &mut Session, opener: &mut Session) {
        let payload = self.hex(&format!("{what} payload"));
        let frame = format!("{what} frame");
        assert_eq!(sealer.seal(turn, &payload), self.hex(&frame), "{what}");
        assert_eq!(opener.open(turn, &self.frame(&frame)), payload, "{what}");
    }

    /// The handshake, the welcome, and what is sealed after it.
    fn check(&self, [caller, called]: [Part; 2], then: &[(&str, Turn)]) {
        let keys = Self::under(KEYS);
        let side = |who: &str, part| {
            let [own, ephemeral] =
                ["static", "ephemeral"].map(|kind| keys.key(&format!("{who} {kind} secret")));
            Handshake::new(&part, own, ephemeral)
        };
        let (mut ours, mut theirs) = (side("caller", caller), side("called", called));
        self.written("message 1", &mut ours, &mut theirs);
        self.written("message 2", &mut theirs, &mut ours);
        self.written("message 3", &mut ours, &mut theirs);
        assert_eq!(theirs.remote(), keys.key("caller static public"));
        let (mut ours, mut theirs) = (ours.finish(), theirs.finish());
        assert_eq!(ours.id, self.hex("session id")[..]);
        self.sealed("welcome", Turn::Answer, &mut theirs, &mut ours);
        for (what, turn) in then {
            match turn {
                Turn::Call => self.sealed(what, Turn::Call, &mut ours, &mut theirs),
                Turn::Answer => self.sealed(what, Turn::Answer, &mut theirs, &mut ours),
            }
        }
    }
}

#[test]
fn another_implementation_comes_to_the_same_vectors() {
    let keys = Vectors::under(KEYS);
    for who in ["caller", "called"] {
        let key = keys.key(&format!("{who} static public"));
        assert_eq!(public(keys.key(&format!("{who} static secret"))), key);
        assert_eq!(fingerprint(key), keys.0[&*format!("{who} fingerprint")]);
    }
    let login = Vectors::under("### A login in bytes\n");
    login.check(
        [Part::LoginCaller, Part::LoginCalled],
        &[
            ("heartbeat", Turn::Call),
            ("alive", Turn::Answer),
            ("holds", Turn::Call),
        ],
    );
    let peer = Vectors::under("### Two peers in bytes\n");
    let called = keys.key("called static public");
    peer.check(
        [Part::PeerCaller(called), Part::PeerCalled],
        &[
            ("checked", Turn::Answer),
            ("private", Turn::Call),
            ("taken", Turn::Answer),
        ],
    );
}

#[test]
fn another_implementation_seals_the_same_mail_and_opens_it() {
    let (keys, mail) = (
        Vectors::under(KEYS),
        Vectors::under("### A mail in bytes\n"),
    );
    let secret = |what: &str| keys.key(&format!("{what} secret"));
    let to = keys.key("called static public");
    let (own, ephemeral) = (secret("caller static"), secret("caller ephemeral"));
    let mut sender = Handshake::new(&Part::MailSender(to), own, ephemeral);
    let (payload, sealed) = (mail.hex("mail payload"), mail.hex("mail sealed"));
    assert_eq!(sender.seal(&payload), sealed);
    let (own, ephemeral) = (secret("called static"), secret("called ephemeral"));
    let mut recipient = Handshake::new(&Part::MailRecipient, own, ephemeral);
    assert_eq!(recipient.unseal(&sealed), payload);
    assert_eq!(recipient.remote(), keys.key("caller static public"));
}

fn message_to_alice(text: &str) -> Vec<u8> {
    [vec![0], counted("alice"), counted(text)].concat()
}

/// Sends alice a message through the server.
fn write_to_alice(client: &mut Client, alice: &mut Process, text: &str) {
    let (number, items) = client.operation(&message_to_alice(text));
    let conn = client.start_request(&items);
    alice.sees(&format!("bob: {text}"));
    let outcome = [vec![1], varint(number), vec![0]].concat();
    assert_eq!(client.finish_request(conn), [outcome], "delivered");
}

/// Waits for a batch with an item of this kind.
fn batch_item(client: &mut Client, kind: u8) -> Vec<u8> {
    loop {
        if let Call::Batch(items) = client.take_call()
            && let Some(item) = items.into_iter().find(|item| item[0] == kind)
        {
            return item;
        }
    }
}

#[test]
fn a_client_written_from_the_document_is_understood() {
    let server = Server::start(&[]);
    let mut bob = Client::log_in(&server, "bob", "b-pw");
    let conn = bob.start_request(&[vec![0]]);
    assert_eq!(bob.finish_request(conn), [[0]], "alive");
    let beat = bob.session.seal(Turn::Call, &counted([0]));
    assert_eq!(server.stranger_sends(&beat)[5], 1, "a session frame");
    assert_eq!(server.stranger_sends(&beat), MALFORMED, "a replay");
    let answer = bob.session.seal(Turn::Answer, &counted([0]));
    assert_eq!(server.stranger_sends(&answer), MALFORMED, "no call");

    let mut alice = server.join("alice");
    write_to_alice(&mut bob, &mut alice, "by hand ✋");

    alice.types("message bob hello hand");
    let message = batch_item(&mut bob, 2);
    assert!(message.starts_with(&[&[2][..], &counted("alice")].concat()));
    assert!(message.ends_with(&counted("hello hand")));
    alice.sees("  delivered to bob");

    let mut former = bob.log_in_again();
    let beat = former.seal(Turn::Call, &counted([0]));
    assert_eq!(server.stranger_sends(&beat), UNKNOWN_SESSION);
    write_to_alice(&mut bob, &mut alice, "with a ticket");
}

/// The term of an introduction that outlives a logout.
const LASTING: u8 = 1;

/// What an introduction says.
struct Introduction {
    id: [u8; 16],
    key: Key,
    address: SocketAddr,
}

fn read_introduction(item: &[u8]) -> Introduction {
    let mut reader = Reader(item);
    assert_eq!((reader.varint(), reader.counted()), (8, &b"alice"[..]));
    let (id, key) = (reader.array(), reader.array());
    assert_eq!(reader.varint(), 0, "the server can call her");
    assert_ne!(reader.varint(), 0, "there are addresses");
    Introduction {
        id,
        key,
        address: reader.address(),
    }
}

/// Waits until the server has introduced alice, and for her first call, whichever is first. Answers it.
fn meet_alice(bob: &mut Client) -> Introduction {
    let (mut introduction, mut greeting) = (None, None);
    while introduction.is_none() || greeting.is_none() {
        match bob.take_call() {
            Call::Batch(items) => {
                if let Some(item) = items.iter().find(|item| item[0] == 8) {
                    introduction = Some(read_introduction(item));
                }
            }
            Call::Greeting {
                conn,
                session,
                key,
                said,
            } => greeting = Some((conn, session, key, said)),
            Call::Private(_) => panic!("nobody may write yet"),
        }
    }
    let introduction = introduction.unwrap();
    let (conn, session, key, said) = greeting.unwrap();
    assert_eq!(key, introduction.key, "it is who was introduced");
    let port = varint(introduction.address.port().into());
    let hello = [&[0], &introduction.id[..], &port, &[0]].concat();
    assert_eq!(second::items(&said), [hello], "hello");
    bob.welcome_peer(conn, session);
    introduction
}

#[test]
fn a_client_written_from_the_document_has_peers() {
    let server = Server::start(&[]);
    let mut alice = server.join("alice");
    let mut bob = Client::log_in(&server, "bob", "b-pw");
    alice.types("getaddress bob always");
    let asked = batch_item(&mut bob, 6);
    assert!(asked.starts_with(&[&[6][..], &counted("alice")].concat()));
    assert!(asked.ends_with(&[LASTING]), "for how long");

    // Accept (5), for as long. Its outcome is done (4).
    let (number, items) = bob.operation(&[vec![5], counted("alice"), vec![LASTING]].concat());
    let conn = bob.start_request(&items);
    let outcome = [vec![1], varint(number), vec![4]].concat();
    assert_eq!(bob.finish_request(conn), [outcome], "done");

    let introduction = meet_alice(&mut bob);
    let (id, key) = (introduction.id, introduction.key);
    let held = [&counted("alice")[..], &id, &key, &[LASTING]].concat();
    let holds = bob.start_request(&[[vec![5, 1], held].concat()]);
    assert!(bob.finish_request(holds).is_empty(), "nothing to say to it");
    alice.types("private bob psst");
    let psst = loop {
        if let Call::Private(message) = bob.take_call() {
            break message;
        }
    };
    assert!(psst.ends_with(&counted("psst")));
    alice.sees("  delivered to bob, privately");

    let Introduction { id, key, address } = introduction;
    let mut ours = bob.greet(address, key, &id);
    let answer = tell(&mut ours, address, 1, "by hand, and by the way");
    assert_eq!(answer, [[1, 1]], "taken through number 1");
    alice.sees("bob privately: by hand, and by the way");

    alice.types("removeaddress bob");
    let said = loop {
        if let Call::Greeting { said, .. } = bob.take_call() {
            break said;
        }
    };
    let bye = [&[2], &id[..], &[0]].concat();
    assert_eq!(second::items(&said), [bye], "bye: removed");
}
