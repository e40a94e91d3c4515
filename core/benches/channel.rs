//! What the secure channel costs by itself: sealing and opening a frame, the ciphers that could do it, and handshakes.
//!
//! `cargo bench -p simplechat-core --bench channel`. Figures that were measured are in docs/SECURITY.md.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "whoever runs it sees what went wrong"
)]

use chacha20poly1305::aead::AeadInPlace as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use simplechat_core::channel::{Called, Calling, Channel, Noise, Part};
use simplechat_core::key::StaticKey;
use simplechat_core::rng::SeededSecrets;
use simplechat_core::wire::frame::{Frame, SealedFrame};

fn main() {
    divan::main();
}

/// A message of 256 bytes, as the survey of ciphers has it.
const MESSAGE: [u8; 256] = [7; 256];

fn body(bytes: &[u8]) -> &[u8] {
    match Frame::parse(bytes) {
        Ok(Frame::Handshake(body)) => body,
        other => panic!("{other:?} is no message of a handshake"),
    }
}

fn sealed(bytes: &[u8]) -> SealedFrame<'_> {
    match Frame::parse(bytes) {
        Ok(Frame::Session(frame)) => frame,
        other => panic!("{other:?} is no sealed frame"),
    }
}

/// Two hosts that can shake hands, again and again alike.
struct Hosts {
    caller: StaticKey,
    called: StaticKey,
    parts: (Part, Part),
}

impl Hosts {
    fn login() -> Self {
        Self::new(|_| (Part::LoginInitiator, Part::LoginResponder))
    }

    fn peers() -> Self {
        Self::new(|called| {
            let caller = Part::PeerInitiator(called.public());
            (caller, Part::PeerResponder)
        })
    }

    fn new(parts: impl FnOnce(&StaticKey) -> (Part, Part)) -> Self {
        let mut secrets = SeededSecrets::new(1);
        let caller = StaticKey::generate(&mut secrets);
        let called = StaticKey::generate(&mut secrets);
        let parts = parts(&called);
        Self {
            caller,
            called,
            parts,
        }
    }

    /// The caller's messages. The second is the right one because the called side draws the same chance each time.
    fn messages(&self) -> (Vec<u8>, Vec<u8>) {
        let mut secrets = SeededSecrets::new(2);
        let (calling, first) =
            Calling::start(&Noise, self.parts.0, &self.caller, &mut secrets, &[]).unwrap();
        let (_, second) = self.take(&first).answer().unwrap();
        let (_, third) = calling.answered(body(&second)).unwrap().say(b"login");
        (first, third)
    }

    fn take(&self, first: &[u8]) -> Called {
        let mut secrets = SeededSecrets::new(3);
        let part = self.parts.1;
        Called::take(&Noise, part, &self.called, &mut secrets, body(first)).unwrap()
    }

    fn shake(&self) -> (Channel, Channel) {
        let mut secrets = SeededSecrets::new(2);
        let (calling, first) =
            Calling::start(&Noise, self.parts.0, &self.caller, &mut secrets, &[]).unwrap();
        let (answering, second) = self.take(&first).answer().unwrap();
        let (ours, third) = calling.answered(body(&second)).unwrap().say(b"login");
        let (theirs, _, _) = answering.finish(body(&third)).unwrap();
        (ours, theirs)
    }
}

/// A frame from payload to payload: sealed, framed, parsed, looked up in the window, opened.
#[divan::bench]
fn seal_and_open(bencher: Bencher<'_, '_>) {
    let (mut ours, mut theirs) = Hosts::login().shake();
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| {
        let frame = ours.seal_call(black_box(&MESSAGE));
        theirs.open_call(&sealed(&frame)).unwrap()
    });
}

#[divan::bench]
fn refuse_a_forgery(bencher: Bencher<'_, '_>) {
    let (mut ours, mut theirs) = Hosts::login().shake();
    let mut frame = ours.seal_call(&MESSAGE);
    *frame.last_mut().unwrap() ^= 1;
    bencher
        .counter(ItemsCount::new(1u32))
        .bench_local(|| theirs.open_call(&sealed(black_box(&frame))).unwrap_err());
}

/// The cipher in use, alone.
#[divan::bench]
fn cipher_rust_crypto(bencher: Bencher<'_, '_>) {
    let key = [5; 32];
    let mut text = MESSAGE;
    let mut counter = 0_u64;
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| {
        counter += 1;
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&counter.to_le_bytes());
        let seal = ChaCha20Poly1305::new(black_box(&key).into());
        let tag = seal
            .encrypt_in_place_detached(&nonce.into(), &[], &mut text)
            .unwrap();
        let open = ChaCha20Poly1305::new(black_box(&key).into());
        open.decrypt_in_place_detached(&nonce.into(), &[], &mut text, &tag)
            .unwrap();
    });
}

/// The same cipher in assembly, for comparison.
#[divan::bench]
fn cipher_ring(bencher: Bencher<'_, '_>) {
    use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &[5; 32]).unwrap());
    let mut text = Vec::with_capacity(MESSAGE.len() + 16);
    let mut counter = 0_u64;
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| {
        counter += 1;
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&counter.to_le_bytes());
        let nonce = || Nonce::assume_unique_for_key(nonce);
        text.clear();
        text.extend_from_slice(&MESSAGE);
        key.seal_in_place_append_tag(nonce(), Aad::empty(), &mut text)
            .unwrap();
        key.open_in_place(nonce(), Aad::empty(), &mut text)
            .unwrap()
            .len()
    });
}

/// A login's handshake, both sides.
#[divan::bench]
fn login_handshake_both_sides(bencher: Bencher<'_, '_>) {
    let hosts = Hosts::login();
    bencher
        .counter(ItemsCount::new(1u32))
        .bench_local(|| hosts.shake());
}

/// What a login's handshake costs the server.
#[divan::bench]
fn login_handshake_of_the_server(bencher: Bencher<'_, '_>) {
    called_side(bencher, &Hosts::login());
}

/// What a peer's handshake costs the one who is called.
#[divan::bench]
fn peer_handshake_of_the_called(bencher: Bencher<'_, '_>) {
    called_side(bencher, &Hosts::peers());
}

fn called_side(bencher: Bencher<'_, '_>, hosts: &Hosts) {
    let (first, third) = hosts.messages();
    bencher.counter(ItemsCount::new(1u32)).bench_local(|| {
        let (answering, second) = hosts.take(&first).answer().unwrap();
        (answering.finish(body(&third)).unwrap(), second)
    });
}
