//! A second implementation, made from `docs/PROTOCOL.md` alone: with nothing of ours, and with another implementation of Noise.
#![allow(
    clippy::unwrap_used,
    clippy::missing_assert_message,
    reason = "helpers of tests are tests"
)]

mod client;

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use data_encoding::BASE32_NOPAD;
use noise_protocol::patterns::{noise_x, noise_xk, noise_xx};
use noise_protocol::{CipherState, DH as _, HandshakeState, U8Array as _};
use noise_rust_crypto::sensitive::Sensitive;
use noise_rust_crypto::{Blake2s, ChaCha20Poly1305, X25519};
use sha2::{Digest as _, Sha256};

use crate::common::PATIENCE;
pub(crate) use client::{Call, Client, tell};

const HANDSHAKE: u8 = 0;
const SESSION: u8 = 1;

pub(crate) type Key = [u8; 32];

pub(crate) fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 128 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number /= 128;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

/// Bytes behind their length: a text, a ticket, an item in a payload.
pub(crate) fn counted(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [varint(bytes.len().try_into().unwrap()), bytes.into()].concat()
}

/// Reads values from the start of bytes.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        self.take(N).try_into().unwrap()
    }

    pub(crate) fn varint(&mut self) -> u64 {
        let mut number = 0;
        for place in 0.. {
            let byte = self.take(1)[0];
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                break;
            }
        }
        number
    }

    pub(crate) fn counted(&mut self) -> &'a [u8] {
        let count = self.varint().try_into().unwrap();
        self.take(count)
    }

    pub(crate) fn address(&mut self) -> SocketAddr {
        match self.varint() {
            0 => {
                let ip = self.array::<4>();
                (ip, self.varint().try_into().unwrap()).into()
            }
            _ => {
                let ip = self.array::<16>();
                (ip, self.varint().try_into().unwrap()).into()
            }
        }
    }
}

/// The items of a payload.
pub(crate) fn items(payload: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = Reader(payload);
    let mut items = Vec::new();
    while !reader.0.is_empty() {
        items.push(reader.counted().to_vec());
    }
    items
}

/// A frame: its length, version 1, its kind and its body.
fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&length[..], &[1, kind], body].concat()
}

/// The kind and the body of a frame.
pub(crate) type Frame = (u8, Vec<u8>);

pub(crate) fn read_frame(stream: &mut TcpStream) -> Frame {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut rest = vec![0; u32::from_be_bytes(length).try_into().unwrap()];
    stream.read_exact(&mut rest).unwrap();
    assert_eq!(rest[0], 1, "version");
    (rest[1], rest[2..].to_vec())
}

/// Whoever accepted a connection ends it after its answer.
pub(crate) fn read_to_end(mut stream: TcpStream) {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, [0; 0]);
}

pub(crate) fn send(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
}

/// What people compare of a key.
pub(crate) fn fingerprint(key: Key) -> String {
    let digest = Sha256::new_with_prefix("simplechat static key")
        .chain_update(key)
        .finalize();
    let digits = BASE32_NOPAD.encode(&digest[..20]).to_lowercase();
    let groups: Vec<_> = digits.as_bytes().chunks(4).collect();
    String::from_utf8(groups.join(&b'-')).unwrap()
}

pub(crate) fn random_key() -> Key {
    *X25519::genkey()
}

pub(crate) fn public(secret: Key) -> Key {
    X25519::pubkey(&Sensitive::from_slice(&secret))
}

/// Whose part a side plays.
pub(crate) enum Part {
    LoginCaller,
    LoginCalled,
    PeerCaller(Key),
    PeerCalled,
    MailSender(Key),
    MailRecipient,
}

/// One side of a handshake.
pub(crate) struct Handshake(HandshakeState<X25519, ChaCha20Poly1305, Blake2s>);

impl Handshake {
    pub(crate) fn new(part: &Part, own: Key, ephemeral: Key) -> Self {
        let (pattern, prologue) = match part {
            Part::LoginCaller | Part::LoginCalled => {
                (noise_xx(), b"SimpleChat\x01login".as_slice())
            }
            Part::PeerCaller(_) | Part::PeerCalled => {
                (noise_xk(), b"SimpleChat\x01peer".as_slice())
            }
            Part::MailSender(_) | Part::MailRecipient => {
                (noise_x(), b"SimpleChat\x01mail".as_slice())
            }
        };
        let calls = matches!(
            part,
            Part::LoginCaller | Part::PeerCaller(_) | Part::MailSender(_)
        );
        let remote = match part {
            Part::PeerCaller(remote) | Part::MailSender(remote) => Some(*remote),
            Part::LoginCaller | Part::LoginCalled | Part::PeerCalled | Part::MailRecipient => None,
        };
        let [own, ephemeral] = [own, ephemeral].map(|key| Sensitive::from_slice(&key));
        Self(HandshakeState::new(
            pattern,
            calls,
            prologue,
            Some(own),
            Some(ephemeral),
            remote,
            None,
        ))
    }

    /// The frame with the next message.
    pub(crate) fn write(&mut self, payload: &[u8]) -> Vec<u8> {
        frame(HANDSHAKE, &self.0.write_message_vec(payload).unwrap())
    }

    /// The payload of the next message.
    pub(crate) fn read(&mut self, (kind, body): &Frame) -> Vec<u8> {
        assert_eq!(*kind, HANDSHAKE);
        self.0.read_message_vec(body).unwrap()
    }

    /// Seals a mail, which is the one message of its handshake.
    pub(crate) fn seal(&mut self, payload: &[u8]) -> Vec<u8> {
        self.0.write_message_vec(payload).unwrap()
    }

    pub(crate) fn unseal(&mut self, sealed: &[u8]) -> Vec<u8> {
        self.0.read_message_vec(sealed).unwrap()
    }

    pub(crate) fn remote(&self) -> Key {
        self.0.get_rs().unwrap()
    }

    pub(crate) fn finish(self) -> Session {
        assert!(self.0.completed());
        let (calling, answering) = self.0.get_ciphers();
        let (calling, answering) = (*calling.extract().0, *answering.extract().0);
        let (send, receive) = if self.0.get_is_initiator() {
            (calling, answering)
        } else {
            (answering, calling)
        };
        Session {
            id: self.0.get_hash()[..16].try_into().unwrap(),
            send,
            receive,
            counter: 0,
            seen: BTreeSet::new(),
        }
    }
}

/// Who speaks with a frame: the last byte of what is sealed.
#[derive(Clone, Copy)]
pub(crate) enum Turn {
    Call = 0,
    Answer = 1,
}

/// One side of a session.
pub(crate) struct Session {
    pub(crate) id: [u8; 16],
    send: Key,
    receive: Key,
    counter: u64,
    seen: BTreeSet<u64>,
}

impl Session {
    pub(crate) fn seal(&mut self, turn: Turn, payload: &[u8]) -> Vec<u8> {
        let counter = self.counter;
        self.counter += 1;
        let plain = [payload, &[turn as u8]].concat();
        let sealed = CipherState::<ChaCha20Poly1305>::new(&self.send, counter).encrypt_vec(&plain);
        let body = [&self.id[..], &counter.to_be_bytes(), &sealed].concat();
        frame(SESSION, &body)
    }

    pub(crate) fn open(&mut self, turn: Turn, (kind, body): &Frame) -> Vec<u8> {
        assert_eq!((*kind, &body[..16]), (SESSION, &self.id[..]));
        let counter = u64::from_be_bytes(body[16..24].try_into().unwrap());
        let mut cipher = CipherState::<ChaCha20Poly1305>::new(&self.receive, counter);
        let mut plain = cipher.decrypt_vec(&body[24..]).unwrap();
        assert_eq!(plain.pop(), Some(turn as u8));
        assert!(self.seen.insert(counter), "a counter comes once");
        plain
    }
}
