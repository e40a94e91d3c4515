//! The test vectors of `docs/PROTOCOL.md`: what stands there is what the code makes. `cli/tests/protocol.rs` checks the same
//! document with another implementation of Noise.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use simplechat_core::channel::{Called, Calling, Channel, Noise, Part, mail};
use simplechat_core::id::{InstanceId, IntroductionId, LoginNumber, Seq};
use simplechat_core::key::{KEY_LEN, StaticKey};
use simplechat_core::rng::SecretSource;
use simplechat_core::text::Password;
use simplechat_core::time::WallTime;
use simplechat_core::wire::Term;
use simplechat_core::wire::frame::Frame;
use simplechat_core::wire::item::{Bounded, encode, payload_of};
use simplechat_core::wire::login::{
    Cookie, LinkChoice, Login, LoginAnswer, LoginCause, LoginRequest, Proof, Ticket, Welcome,
};
use simplechat_core::wire::mail::MailItem;
use simplechat_core::wire::peer::{PeerAnswer, PeerPush, PrivateMessage};
use simplechat_core::wire::request::{Answer, Held, Reach, Request};
use zeroize::Zeroizing;

/// The secrets of the document: the static keys of RFC 7748, section 6.1, and ephemeral keys that count.
const ALICE: &str = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
const BOB: &str = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
const COUNTING_FROM_0: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const COUNTING_FROM_32: &str = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";

fn secret(hex: &str) -> [u8; KEY_LEN] {
    let bytes = HEXLOWER.decode(hex.as_bytes()).unwrap();
    bytes.try_into().unwrap()
}

fn static_key(hex: &str) -> StaticKey {
    StaticKey::from_secret(Zeroizing::new(secret(hex)))
}

/// Chance that is known.
#[derive(Debug)]
struct Fixed(&'static str);

impl SecretSource for Fixed {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&secret(self.0));
    }
}

/// One conversation after another, line by line.
#[derive(Default)]
struct Vectors(String);

impl Vectors {
    fn line(&mut self, what: &str, value: &str) {
        let line = format!("{what}: {value}");
        writeln!(self.0, "{}", line.trim_end()).unwrap();
    }

    fn hex(&mut self, what: &str, bytes: &[u8]) {
        self.line(what, &HEXLOWER.encode(bytes));
    }

    /// A handshake: the caller is Alice and the called one Bob. Both sides of the session.
    fn shake(
        &mut self,
        caller: Part,
        called: Part,
        first: &[u8],
        third: &[u8],
    ) -> (Channel, Channel) {
        let (alice, bob) = (static_key(ALICE), static_key(BOB));
        let (calling, message_1) =
            Calling::start(&Noise, caller, &alice, &mut Fixed(COUNTING_FROM_0), first).unwrap();
        let (answering, message_2) = Called::take(
            &Noise,
            called,
            &bob,
            &mut Fixed(COUNTING_FROM_32),
            body(&message_1),
        )
        .and_then(Called::answer)
        .unwrap();
        let met = calling.answered(body(&message_2)).unwrap();
        let (ours, message_3) = met.say(third);
        let (theirs, remote, said) = answering.finish(body(&message_3)).unwrap();
        assert_eq!((remote, &said[..]), (alice.public(), third), "who and what");

        self.hex("message 1 payload", first);
        self.hex("message 1 frame", &message_1);
        self.hex("message 2 frame", &message_2);
        self.hex("message 3 payload", third);
        self.hex("message 3 frame", &message_3);
        self.hex("session id", &ours.id().0);
        (ours, theirs)
    }

    /// The called one's answer.
    fn answer(&mut self, what: &str, called: &mut Channel, payload: &[u8]) {
        self.hex(&format!("{what} payload"), payload);
        self.hex(&format!("{what} frame"), &called.seal_answer(payload));
    }

    /// A later call.
    fn call(&mut self, what: &str, caller: &mut Channel, payload: &[u8]) {
        self.hex(&format!("{what} payload"), payload);
        self.hex(&format!("{what} frame"), &caller.seal_call(payload));
    }
}

fn body(bytes: &[u8]) -> &[u8] {
    match Frame::parse(bytes) {
        Ok(Frame::Handshake(body)) => body,
        other => panic!("{other:?} is no message of a handshake"),
    }
}

fn login() -> LoginRequest {
    LoginRequest::Login(Login {
        name: "alice".parse().unwrap(),
        proof: Proof::Password(Password::new("a-pw".into()).unwrap()),
        port: 40_000,
        instance: InstanceId([0xaa; 16]),
        lowest_unanswered: Seq(1),
        cause: LoginCause::Person,
        candidates: Bounded::first_of(["192.0.2.7:40000".parse().unwrap()]),
        link: LinkChoice::Auto,
    })
}

fn welcome() -> LoginAnswer {
    LoginAnswer::Welcome(Welcome {
        ticket: Ticket::new(b"ticket".to_vec()).unwrap(),
        cookie: Cookie::new([0xcc; 48]),
        login: LoginNumber(1),
        heartbeat_interval_ms: 30_000,
        timeout_ms: 95_000,
        max_text: 8_192,
        kept: 0,
        time: WallTime(1_700_000_000_000),
    })
}

fn holds() -> Request {
    Request::Holds {
        entries: Bounded::first_of([Held {
            peer: "bob".parse().unwrap(),
            introduction: IntroductionId([0xbb; 16]),
            key: static_key(BOB).public(),
            term: Term::Lasting,
        }]),
    }
}

fn message() -> PrivateMessage {
    PrivateMessage {
        instance: InstanceId([0xaa; 16]),
        seq: Seq(1),
        sent: WallTime(1_700_000_000_000),
        text: "hello".parse().unwrap(),
    }
}

fn mail_vectors() -> String {
    let mut payload = payload_of(&MailItem::Opening {
        introduction: IntroductionId([0xbb; 16]),
        after: Seq(0),
    });
    payload.extend(payload_of(&MailItem::Private(message())));
    let (alice, bob) = (static_key(ALICE), static_key(BOB));
    let mut secrets = Fixed(COUNTING_FROM_0);
    let sealed = mail::seal(&Noise, &alice, bob.public(), &mut secrets, &payload).unwrap();
    let mut vectors = Vectors::default();
    vectors.hex("mail payload", &payload);
    vectors.hex("mail sealed", &sealed);
    vectors.0
}

fn keys() -> String {
    let mut vectors = Vectors::default();
    vectors.line("caller static secret", ALICE);
    vectors.line("caller ephemeral secret", COUNTING_FROM_0);
    vectors.line("called static secret", BOB);
    vectors.line("called ephemeral secret", COUNTING_FROM_32);
    for (who, secret) in [("caller", ALICE), ("called", BOB)] {
        let public = static_key(secret).public();
        vectors.hex(&format!("{who} static public"), &public.0);
        let fingerprint = public.fingerprint().to_string();
        vectors.line(&format!("{who} fingerprint"), &fingerprint);
    }
    vectors.0
}

fn login_vectors() -> String {
    let mut vectors = Vectors::default();
    let cookie = [0xcc; 48];
    let (caller, called) = (Part::LoginInitiator, Part::LoginResponder);
    let (mut client, mut server) = vectors.shake(caller, called, &cookie, &encode(&login()));
    vectors.answer("welcome", &mut server, &encode(&welcome()));
    vectors.call("heartbeat", &mut client, &payload_of(&Request::Heartbeat));
    vectors.answer("alive", &mut server, &payload_of(&Answer::Alive));
    vectors.call("holds", &mut client, &payload_of(&holds()));
    vectors.0
}

fn peer_vectors() -> String {
    let mut vectors = Vectors::default();
    let introduction = IntroductionId([0xbb; 16]);
    let hello = payload_of(&PeerPush::Hello {
        introduction,
        port: 40_000,
        link: LinkChoice::Auto,
    });
    let caller = Part::PeerInitiator(static_key(BOB).public());
    let (mut alice, mut bob) = vectors.shake(caller, Part::PeerResponder, &[], &hello);
    vectors.answer("welcome", &mut bob, &payload_of(&PeerAnswer::Welcome));
    let checked = PeerAnswer::ListenerChecked {
        reach: Reach::Reachable,
    };
    vectors.answer("checked", &mut bob, &payload_of(&checked));
    vectors.call(
        "private",
        &mut alice,
        &payload_of(&PeerPush::Private(message())),
    );
    let taken = payload_of(&PeerAnswer::Taken { seq: Seq(1) });
    vectors.answer("taken", &mut bob, &taken);
    vectors.0
}

#[test]
fn the_vectors_of_the_document_are_what_the_code_makes() {
    let document = include_str!("../../docs/PROTOCOL.md");
    let missing: Vec<_> = [keys(), login_vectors(), peer_vectors(), mail_vectors()]
        .map(|vectors| format!("```\n{vectors}```\n"))
        .into_iter()
        .filter(|block| !document.contains(block))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/PROTOCOL.md should hold\n{}",
        missing.join("\n")
    );
}
