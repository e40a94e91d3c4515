//! What no client of ours sends: each gets one clear no, or a clean end, and nobody else notices.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests are tests"
)]

use std::time::Duration;

use proptest::prelude::*;
use simplechat_core::channel::Channel;
use simplechat_core::id::{InstanceId, Seq, SessionId};
use simplechat_core::limits::{FRAME_LEN_MAX, PAYLOAD_LEN_MAX};
use simplechat_core::text::Password;
use simplechat_core::wire::deframer::Deframer;
use simplechat_core::wire::frame::{Frame, RefusalCode, SealedFrame, VERSION};
use simplechat_core::wire::item::{Bounded, payload_of};
use simplechat_core::wire::login::{
    Login, LoginAnswer, LoginCause, LoginRefusal, LoginRequest, Proof,
};
use simplechat_core::wire::request::{Operation, Request};
use simplechat_sim::{ClientId, World};

/// The one frame that came back.
fn frame(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut deframer = Deframer::default();
    deframer.push(bytes);
    let frame = deframer.next_frame().unwrap();
    assert!(deframer.is_empty(), "one frame at most: {bytes:?}");
    frame
}

fn refusal(bytes: &[u8]) -> RefusalCode {
    match Frame::parse(&frame(bytes).unwrap()) {
        Ok(Frame::Refusal(code)) => code,
        other => panic!("{other:?}"),
    }
}

fn login(port: u16) -> LoginRequest {
    LoginRequest::Login(Login {
        name: "alice".parse().unwrap(),
        proof: Proof::Password(Password::new("alice".into()).unwrap()),
        port,
        instance: InstanceId([9; 16]),
        lowest_unanswered: Seq::FIRST,
        cause: LoginCause::Person,
        candidates: Bounded::first_of([]),
    })
}

/// Two people chat while something hostile goes on; afterwards they still do.
fn undisturbed(hostile: impl FnOnce(&mut World, ClientId)) {
    let mut w = World::new(1);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    hostile(&mut w, bob);
    assert_eq!(w.saw(alice), [""; 0], "nobody notices");
    w.types(alice, "message bob all well?");
    w.settle();
    w.types(bob, "message alice all well");
    w.settle();
    assert_eq!(
        w.saw(alice),
        ["message bob all well?: delivered", "bob: all well"]
    );
}

#[test]
fn each_kind_of_nonsense_gets_its_own_no() {
    undisturbed(|w, bob| {
        let too_long = u32::try_from(FRAME_LEN_MAX + 1).unwrap().to_be_bytes();
        let cases: [(&[u8], RefusalCode); 6] = [
            (&too_long, RefusalCode::TooLong),
            (&[0, 0, 4, 1, VERSION, 0], RefusalCode::TooLong),
            (&[0, 0, 0, 9, 7], RefusalCode::Version),
            (&[0, 0, 0, 9, VERSION, 9], RefusalCode::Malformed),
            (&[0, 0, 0, 0], RefusalCode::Malformed),
            (b"GET / HTTP/1.1\r\n\r\n", RefusalCode::TooLong),
        ];
        for (bytes, expected) in cases {
            for to in [None, Some(bob)] {
                let (received, ended) = w.stranger_sends(to, &[bytes]);
                assert_eq!(refusal(&received), expected, "{bytes:?} to {to:?}");
                assert!(ended);
            }
        }
        let handshake = Frame::Handshake(&[0, 1, 2, 3]).to_bytes();
        for to in [None, Some(bob)] {
            let (received, _) = w.stranger_sends(to, &[&handshake]);
            assert_eq!(refusal(&received), RefusalCode::Malformed);
        }
        let answer = Frame::Refusal(RefusalCode::Busy).to_bytes();
        let (received, _) = w.stranger_sends(None, &[&answer]);
        assert_eq!(refusal(&received), RefusalCode::Malformed);
    });
}

#[test]
fn an_unknown_session_is_refused_before_its_frame_is_whole() {
    undisturbed(|w, bob| {
        let whole = Frame::Session(SealedFrame {
            session: SessionId([5; 16]),
            counter: 0,
            sealed: &[0; 1_000],
        })
        .to_bytes();
        let (received, ended) = w.stranger_sends(None, &[&whole[..30]]);
        assert_eq!(refusal(&received), RefusalCode::UnknownSession);
        assert!(ended);
        let (received, _) = w.stranger_sends(Some(bob), &[&whole]);
        assert_eq!(refusal(&received), RefusalCode::UnknownSession);
    });
}

#[test]
fn a_stranger_s_call_is_told_once() {
    let mut w = World::new(2);
    let bob = w.join("bob");
    w.look_away();
    for counter in 0..3 {
        let frame = Frame::Session(SealedFrame {
            session: SessionId([5; 16]),
            counter,
            sealed: b"hello",
        });
        w.stranger_sends(Some(bob), &[&frame.to_bytes()]);
    }
    assert_eq!(w.saw(bob), ["refused a stranger at 10.0.1.1"]);
}

#[test]
fn half_a_frame_and_then_nothing_disturbs_nobody() {
    undisturbed(|w, bob| {
        for to in [None, Some(bob)] {
            let (received, _) = w.stranger_sends(to, &[&[0, 0], &[0]]);
            assert_eq!(received, [0; 0]);
        }
    });
}

#[test]
fn a_login_may_come_byte_by_byte() {
    let mut w = World::new(3);
    let (answer, _) = w.stranger_logs_in(&login(40_000), 1);
    assert!(matches!(answer, LoginAnswer::Welcome(_)), "{answer:?}");
}

#[test]
fn a_port_that_belongs_to_the_system_is_not_dialled() {
    let mut w = World::new(4);
    let (answer, _) = w.stranger_logs_in(&login(80), 1_000);
    assert_eq!(answer, LoginAnswer::Refused(LoginRefusal::Port(80)));
}

/// A stranger logs in by hand, and so has genuine keys to misuse.
fn logged_in(w: &mut World) -> Channel {
    match w.stranger_logs_in(&login(40_000), 1_000) {
        (LoginAnswer::Welcome(_), channel) => channel,
        (LoginAnswer::Refused(refusal), _) => panic!("{refusal}"),
    }
}

#[test]
fn a_captured_frame_does_nothing_a_second_time() {
    let mut w = World::new(5);
    let mut channel = logged_in(&mut w);
    let beat = channel.seal_call(&payload_of(&Request::Heartbeat));
    let (received, _) = w.stranger_sends(None, &[&beat]);
    assert!(matches!(
        Frame::parse(&frame(&received).unwrap()),
        Ok(Frame::Session(_))
    ));
    let (received, _) = w.stranger_sends(None, &[&beat]);
    assert_eq!(refusal(&received), RefusalCode::Malformed);
    // Replays do not count as a sign of life either.
    for _ in 0..25 {
        w.stranger_sends(None, &[&beat]);
    }
    assert_eq!(w.server().online(), 0, "125 s of replays are silence");
}

#[test]
fn who_does_not_renew_their_keys_is_asked_to_log_in_again() {
    let mut w = World::new(9);
    let mut channel = logged_in(&mut w);
    let begun = w.moment().at;
    let mut beats = |w: &mut World| {
        let beat = channel.seal_call(&payload_of(&Request::Heartbeat));
        let (received, _) = w.stranger_sends(None, &[&beat]);
        let received = frame(&received).unwrap();
        matches!(Frame::parse(&received), Ok(Frame::Session(_)))
    };
    while beats(&mut w) {
        w.run(Duration::from_secs(60));
    }
    let lived = w.moment().at.since(begun);
    let hours = Duration::from_secs(2 * 60 * 60);
    assert!(
        lived >= hours && lived < hours + Duration::from_secs(80),
        "{lived:?}"
    );
    w.run(Duration::from_secs(100));
    assert!(!beats(&mut w));
    assert_eq!(w.server().online(), 0, "what is not opened is silence");
}

#[test]
fn a_frame_under_another_s_keys_is_not_believed() {
    let mut w = World::new(6);
    // The second login takes the first one's session over.
    let mut forger = logged_in(&mut w);
    let channel = logged_in(&mut w);
    let mut frame = forger.seal_call(&payload_of(&Request::Logout));
    frame[6..22].copy_from_slice(&channel.id().0);
    let (received, _) = w.stranger_sends(None, &[&frame]);
    assert_eq!(refusal(&received), RefusalCode::Malformed);
    assert_eq!(w.server().online(), 1);
}

#[test]
fn genuine_frames_with_nonsense_in_them_are_refused_or_answered() {
    let mut w = World::new(7);
    let mut channel = logged_in(&mut w);
    let (received, _) = w.stranger_sends(None, &[&channel.seal_call(&[9, 1])]);
    assert_eq!(refusal(&received), RefusalCode::Malformed);
    // A kind of a later version is not an error.
    let (received, _) = w.stranger_sends(None, &[&channel.seal_call(&[2, 99, 1])]);
    assert!(matches!(
        Frame::parse(&frame(&received).unwrap()),
        Ok(Frame::Session(_))
    ));
    let (received, _) = w.stranger_sends(None, &[&channel.seal_call(&[])]);
    assert!(
        frame(&received).is_some(),
        "nothing asked, nothing answered"
    );
}

#[test]
fn an_answer_fits_a_frame_however_often_it_is_asked_for() {
    let mut w = World::new(9);
    let mut channel = logged_in(&mut w);
    let to_nobody = Request::Submit {
        seq: Seq::FIRST,
        operation: Operation::Unblock {
            user: "nobody".parse().unwrap(),
        },
    };
    w.stranger_sends(None, &[&channel.seal_call(&payload_of(&to_nobody))]);
    // Its outcome is longer than this question for it.
    let again = payload_of(&Request::Submit {
        seq: Seq::FIRST,
        operation: Operation::Skip,
    });
    let payload = again.repeat(PAYLOAD_LEN_MAX / again.len());
    let (received, _) = w.stranger_sends(None, &[&channel.seal_call(&payload)]);
    assert!(matches!(
        Frame::parse(&frame(&received).unwrap()),
        Ok(Frame::Session(_))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Random bytes, raw or under genuine keys, cut anywhere: no machine panics, and the chat goes on.
    #[test]
    fn random_bytes_disturb_nobody(
        raw in prop::collection::vec(any::<u8>(), 0..200),
        payload in prop::collection::vec(any::<u8>(), 0..200),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut w = World::new(8);
        let (bob, carol) = (w.join("bob"), w.join("carol"));
        let mut channel = logged_in(&mut w);
        let sealed = channel.seal_call(&payload);
        let handshake = Frame::Handshake(&payload).to_bytes();
        for bytes in [&raw, &sealed, &handshake] {
            let (head, tail) = bytes.split_at(cut.index(bytes.len() + 1));
            for to in [None, Some(bob)] {
                w.stranger_sends(to, &[head, tail]);
            }
        }
        w.look_away();
        w.types(carol, "message bob hi");
        w.settle();
        prop_assert_eq!(w.saw(carol), ["message bob hi: delivered"]);
    }
}
