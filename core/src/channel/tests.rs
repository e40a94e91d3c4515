//! Sessions over real handshakes.

use super::*;
use crate::key::{PublicKey, StaticKey};
use crate::limits::{FRAME_LEN_MAX, PAYLOAD_LEN_MAX};
use crate::rng::SeededSecrets;

/// Both sides of a new session between two peers.
pub(crate) fn pair(seed: u64) -> (Channel, Channel) {
    let mut secrets = SeededSecrets::new(seed);
    let (caller, called) = (
        StaticKey::generate(&mut secrets),
        StaticKey::generate(&mut secrets),
    );
    shake(&caller, Part::PeerInitiator(called.public()), &called)
        .unwrap()
        .0
}

fn answer_call(
    protection: &dyn Protection,
    part: Part,
    own: &StaticKey,
    secrets: &mut SeededSecrets,
    message: &[u8],
) -> Result<(Answering, Vec<u8>), OpenError> {
    Called::take(protection, part, own, secrets, message)?.answer()
}

fn body(bytes: &[u8]) -> &[u8] {
    match Frame::parse(bytes) {
        Ok(Frame::Handshake(body)) => body,
        other => panic!("{other:?} is no message of a handshake"),
    }
}

/// A whole handshake between peers, and who the called one was told is calling.
#[allow(clippy::type_complexity, reason = "one test helper")]
fn shake(
    caller: &StaticKey,
    part: Part,
    called: &StaticKey,
) -> Result<((Channel, Channel), PublicKey), OpenError> {
    let mut secrets = SeededSecrets::new(99);
    let answering = match part {
        Part::LoginInitiator | Part::LoginResponder => Part::LoginResponder,
        Part::PeerInitiator(_) | Part::PeerResponder => Part::PeerResponder,
        Part::MailSender(_) | Part::MailRecipient => panic!("a mail is no handshake of two"),
    };
    let (calling, first) = Calling::start(&Noise, part, caller, &mut secrets, b"for all")?;
    let (answer, second) = answer_call(&Noise, answering, called, &mut secrets, body(&first))?;
    let met = calling.answered(body(&second))?;
    assert_eq!(met.remote(), called.public());
    let (ours, third) = met.say(b"for you");
    let (theirs, who, said) = answer.finish(body(&third))?;
    assert_eq!(said, b"for you");
    Ok(((ours, theirs), who))
}

fn keys() -> [StaticKey; 3] {
    let mut secrets = SeededSecrets::new(5);
    core::array::from_fn(|_| StaticKey::generate(&mut secrets))
}

fn sealed(bytes: &[u8]) -> SealedFrame<'_> {
    let Ok(Frame::Session(frame)) = Frame::parse(bytes) else {
        panic!("{bytes:?} is no sealed frame");
    };
    frame
}

#[test]
fn both_sides_of_a_handshake_know_each_other() {
    let [alice, bob, _] = keys();
    for part in [Part::LoginInitiator, Part::PeerInitiator(bob.public())] {
        let ((ours, theirs), who) = shake(&alice, part, &bob).unwrap();
        assert_eq!(who, alice.public());
        assert_eq!(ours.id(), theirs.id());
    }
}

#[test]
fn a_peer_does_not_answer_who_looks_for_another() {
    let [alice, bob, carol] = keys();
    let mut secrets = SeededSecrets::new(1);
    let part = Part::PeerInitiator(carol.public());
    let (_, first) = Calling::start(&Noise, part, &alice, &mut secrets, b"").unwrap();
    let answer = answer_call(
        &Noise,
        Part::PeerResponder,
        &bob,
        &mut secrets,
        body(&first),
    );
    assert_eq!(answer.map(|_| ()), Err(OpenError::Forged));
}

/// What was recorded of one handshake is of no use in another, not even with the same keys.
#[test]
fn a_recorded_third_message_opens_nothing() {
    let [alice, bob, _] = keys();
    let mut secrets = SeededSecrets::new(1);
    let part = Part::LoginInitiator;
    let (calling, first) = Calling::start(&Noise, part, &alice, &mut secrets, b"").unwrap();
    let mut answer = || {
        answer_call(
            &Noise,
            Part::LoginResponder,
            &bob,
            &mut secrets,
            body(&first),
        )
        .unwrap()
    };
    let (_, second) = answer();
    let (another, _) = answer();
    let (_, third) = calling.answered(body(&second)).unwrap().say(b"login");
    assert_eq!(
        another.finish(body(&third)).map(|_| ()),
        Err(OpenError::Forged)
    );
}

/// A point of low order: with it everybody agrees on the same secret.
const NO_KEY: [u8; 32] = [0; 32];

#[test]
fn a_call_with_what_is_no_key_is_not_answered() {
    let [_, bob, _] = keys();
    let mut secrets = SeededSecrets::new(1);
    let part = Part::LoginResponder;
    let answer = answer_call(&Noise, part, &bob, &mut secrets, &NO_KEY);
    assert_eq!(answer.map(|_| ()), Err(OpenError::Forged));
}

#[test]
fn nobody_is_called_by_what_is_no_key() {
    let [alice, _, _] = keys();
    let mut secrets = SeededSecrets::new(1);
    let part = Part::PeerInitiator(PublicKey(NO_KEY));
    let call = Calling::start(&Noise, part, &alice, &mut secrets, b"");
    assert_eq!(call.map(|_| ()), Err(OpenError::Forged));
}

#[test]
fn no_changed_byte_of_a_handshake_goes_unnoticed() {
    let [alice, bob, _] = keys();
    let part = Part::PeerInitiator(bob.public());
    for place in 0..96 {
        let mut secrets = SeededSecrets::new(1);
        let (calling, first) = Calling::start(&Noise, part, &alice, &mut secrets, b"").unwrap();
        let changed = |bytes: &[u8]| {
            let mut bytes = body(bytes).to_vec();
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1;
            }
            bytes
        };
        let answer = |message: &[u8], secrets: &mut SeededSecrets| {
            answer_call(&Noise, Part::PeerResponder, &bob, secrets, message)
        };
        if place < body(&first).len() {
            assert!(answer(&changed(&first), &mut secrets).is_err(), "{place}");
        }
        let (answering, second) = answer(body(&first), &mut secrets).unwrap();
        let met = calling.answered(body(&second)).unwrap();
        let (_, third) = met.say(b"hello, and some more");
        if place < body(&third).len() {
            assert!(answering.finish(&changed(&third)).is_err(), "{place}");
        }
    }
}

#[test]
fn each_side_opens_what_the_other_sealed() {
    let (mut a, mut b) = pair(1);
    let frame = a.seal_call(b"hello");
    assert_eq!(b.open_call(&sealed(&frame)).unwrap().payload, b"hello");
    let frame = b.seal_call(b"hi");
    assert_eq!(a.open_call(&sealed(&frame)).unwrap().payload, b"hi");
    assert_eq!((a.frames(), b.frames()), (2, 2));
}

#[test]
fn a_frame_opens_once_and_only_for_the_other_side() {
    let (mut a, mut b) = pair(1);
    let frame = a.seal_call(b"hello");
    assert_eq!(a.open_call(&sealed(&frame)), Err(OpenError::Forged));
    assert!(b.open_call(&sealed(&frame)).is_ok());
    assert_eq!(b.open_call(&sealed(&frame)), Err(OpenError::Replayed));
}

/// Numbers of requests and of acknowledgements mean different things, and both begin with the same byte.
#[test]
fn an_answer_does_not_open_as_a_call() {
    let (mut a, mut b) = pair(1);
    let (call, answer) = (a.seal_call(b"x"), a.seal_answer(b"x"));
    assert_eq!(b.open_call(&sealed(&answer)), Err(OpenError::Forged));
    assert_eq!(b.open_answer(&sealed(&call)), Err(OpenError::Forged));
    assert!(b.open_answer(&sealed(&answer)).is_ok());
}

#[test]
fn a_frame_of_another_session_is_forged() {
    let ((mut a, _), (_, mut b)) = (pair(1), pair(2));
    let frame = a.seal_call(b"hello");
    let mut renamed = frame.clone();
    renamed[6..22].copy_from_slice(&b.id().0);
    for frame in [&frame, &renamed] {
        assert_eq!(b.open_call(&sealed(frame)), Err(OpenError::Forged));
    }
}

#[test]
fn a_forged_frame_does_not_use_up_its_counter() {
    let (mut a, mut b) = pair(1);
    let frame = a.seal_call(b"hello");
    for place in 22..frame.len() {
        let mut forged = frame.clone();
        forged[place] ^= 1;
        assert_eq!(b.open_call(&sealed(&forged)), Err(OpenError::Forged));
    }
    assert!(b.open_call(&sealed(&frame)).is_ok());
}

#[test]
fn counters_tell_the_order_of_sealing() {
    let (mut a, mut b) = pair(1);
    let (first, second) = (a.seal_call(b"1"), a.seal_call(b"2"));
    let second = b.open_call(&sealed(&second)).unwrap().counter;
    let first = b.open_call(&sealed(&first)).unwrap().counter;
    assert!(first < second);
}

#[test]
fn a_blank_session_opens_nothing() {
    let (mut a, _) = pair(1);
    let frame = a.seal_call(b"hello");
    let mut blank = Channel::blank(a.id());
    assert_eq!(blank.open_call(&sealed(&frame)), Err(OpenError::Forged));
    assert_eq!(sealed(&blank.seal_call(b"hello")).sealed, b"");
}

/// A counter that came twice would be a nonce used twice.
#[test]
fn no_counter_comes_twice() {
    let (mut a, _) = pair(1);
    let frames: Vec<_> = (0..100)
        .map(|number| match number % 2 {
            0 => a.seal_call(b"x"),
            _ => a.seal_answer(b"x"),
        })
        .collect();
    let counters: Vec<_> = frames.iter().map(|frame| sealed(frame).counter).collect();
    assert_eq!(counters, (0..100).collect::<Vec<_>>());
}

#[test]
fn the_longest_payload_fills_the_longest_frame() {
    let (mut ours, _) = pair(1);
    let frame = ours.seal_call(&[0; PAYLOAD_LEN_MAX]);
    let length = u32::from_be_bytes(*frame.first_chunk().unwrap());
    assert_eq!(usize::try_from(length).unwrap(), FRAME_LEN_MAX);
}
