//! The bytes of every kind of item, as snapshots: a change here breaks clients of other versions and languages.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::fmt::Write as _;

use super::item::{Bounded, Item, ItemError, decode, encode};
use super::login::{
    Cookie, LinkChoice, Login, LoginAnswer, LoginCause, LoginRefusal, LoginRequest, Proof, Ticket,
    Welcome,
};
use super::mail::{Mail, MailItem, Sealed};
use super::peer::{PeerAnswer, PeerPush, PrivateMessage};
use super::push::{
    Absence, Audience, Delivery, Expired, Introduction, Presence, Push, PushAnswer, SessionEnd,
    Whereabouts,
};
use super::request::{Answer, Held, Operation, Outcome, Reach, Refusal, Request};
use super::{Challenge, EndReason, Term};
use crate::id::{BatchNumber, InstanceId, IntroductionId, LoginNumber, QueryNumber, Seq};
use crate::key::{KEY_LEN, PublicKey};
use crate::limits::COOKIE_LEN;
use crate::name::Name;
use crate::text::{Password, Text};
use crate::time::WallTime;

/// One line an item; checks on the way that it reads back and that no kind is missing.
fn golden<T: Item + Debug + PartialEq>(items: &[T]) -> String {
    let mut lines = String::new();
    let mut kinds = Vec::new();
    for item in items {
        let bytes = encode(item);
        assert_eq!(decode::<T>(&bytes).as_ref(), Ok(item));
        kinds.push(u32::from(bytes[0]));
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(lines, "{item:?}\n    {hex}").unwrap();
    }
    kinds.dedup();
    assert_eq!(
        kinds,
        (0..T::KINDS).collect::<Vec<_>>(),
        "every kind is in the list, in order"
    );
    let unknown = [u8::try_from(T::KINDS).unwrap()];
    assert_eq!(decode::<T>(&unknown), Err(ItemError::Unsupported(T::KINDS)));
    lines
}

fn name() -> Name {
    "alice".parse().unwrap()
}

fn text() -> Text {
    "hi".parse().unwrap()
}

fn ticket() -> Ticket {
    Ticket::new(b"ticket".to_vec()).unwrap()
}

const INTRODUCTION: IntroductionId = IntroductionId([0xbb; 16]);

const INSTANCE: InstanceId = InstanceId([0xaa; 16]);
const SEQ: Seq = Seq(300);

#[test]
fn login_items() {
    let login = Login {
        name: name(),
        proof: Proof::Password(Password::new("secret".into()).unwrap()),
        port: 40_000,
        instance: INSTANCE,
        lowest_unanswered: Seq::FIRST,
        cause: LoginCause::Automatic(LoginNumber(7)),
        candidates: Bounded::first_of([
            "192.0.2.1:40000".parse().unwrap(),
            "[2001:db8::1]:40000".parse().unwrap(),
        ]),
        link: LinkChoice::Held,
    };
    let again = Login {
        proof: Proof::Ticket(ticket()),
        ..login.clone()
    };
    insta::assert_snapshot!(golden(&[
        LoginRequest::Login(login),
        LoginRequest::Login(again)
    ]));
    let welcome = Welcome {
        ticket: ticket(),
        cookie: Cookie::new([0xdd; COOKIE_LEN]),
        login: LoginNumber(7),
        heartbeat_interval_ms: 30_000,
        timeout_ms: 95_000,
        max_text: 8_192,
        kept: 2,
        time: WallTime(1_800_000_000_000),
    };
    let refused = [
        LoginRefusal::WrongCredentials { attempts_left: 2 },
        LoginRefusal::Locked { seconds: 60 },
        LoginRefusal::TakenOver,
        LoginRefusal::Port(80),
        LoginRefusal::Busy { seconds: 1 },
        LoginRefusal::Stopping,
        LoginRefusal::TicketRefused,
        LoginRefusal::Other {
            code: 99,
            detail: 7,
        },
    ];
    let mut answers = alloc::vec![LoginAnswer::Welcome(welcome)];
    answers.extend(refused.map(LoginAnswer::Refused));
    insta::assert_snapshot!(golden(&answers));
}

fn sealed() -> Sealed {
    Sealed::new(alloc::vec![0xee; 4]).unwrap()
}

#[test]
fn request_items() {
    let user = name();
    let operations = [
        Operation::Message {
            to: user,
            text: text(),
        },
        Operation::Broadcast { text: text() },
        Operation::Block { user },
        Operation::Unblock { user },
        Operation::GetAddress {
            user,
            term: Term::UntilLogout,
        },
        Operation::Accept {
            user,
            term: Term::Lasting,
        },
        Operation::Deny { user },
        Operation::RemoveAddress { user },
        Operation::Skip,
        Operation::Mail {
            to: user,
            key: PublicKey([0xbb; KEY_LEN]),
            messages: 2,
            sealed: sealed(),
        },
    ];
    let mut requests = alloc::vec![Request::Heartbeat, Request::LowestUnanswered { seq: SEQ },];
    requests.extend(operations.map(|operation| Request::Submit {
        seq: SEQ,
        operation,
    }));
    requests.push(Request::ListOnline {
        query: QueryNumber(1),
        after: Some(user),
    });
    requests.push(Request::Logout);
    requests.push(Request::Holds {
        entries: Bounded::first_of([Held {
            peer: user,
            introduction: INTRODUCTION,
            key: PublicKey([0xcc; KEY_LEN]),
            term: Term::Lasting,
        }]),
    });
    insta::assert_snapshot!(golden(&requests));
}

#[test]
fn answer_items() {
    let refusals = [
        Refusal::NoSuchUser,
        Refusal::Yourself,
        Refusal::Blocked,
        Refusal::TextTooLong { max: 8_192 },
        Refusal::MailboxFull,
        Refusal::ShareFull,
        Refusal::AlreadyBlocked,
        Refusal::NotBlocked,
        Refusal::BlacklistFull { max: 1_000 },
        Refusal::BlockedByYou,
        Refusal::AlreadyAsked,
        Refusal::TooManyQuestions { max: 32 },
        Refusal::NoQuestion,
        Refusal::NotIntroduced,
        Refusal::TooManyIntroductions { max: 500 },
        Refusal::NotKept,
        Refusal::Later { milliseconds: 300 },
        Refusal::Other {
            code: 99,
            detail: 7,
        },
    ];
    let mut outcomes = alloc::vec![
        Outcome::Delivered,
        Outcome::Stored,
        Outcome::Broadcast {
            delivered: 3,
            stored: 2,
            refused: 1
        },
        Outcome::Asked,
        Outcome::Done,
    ];
    outcomes.extend(refusals.map(Outcome::Refused));
    let mut answers = alloc::vec![Answer::Alive];
    answers.extend(
        outcomes
            .into_iter()
            .map(|outcome| Answer::Outcome { seq: SEQ, outcome }),
    );
    answers.extend([
        Answer::Online {
            query: QueryNumber(1),
            users: Bounded::first_of([name()]),
            more: true,
        },
        Answer::ListenerChecked {
            reach: Reach::Reachable,
        },
        Answer::ListenerChecked {
            reach: Reach::Unreachable,
        },
        Answer::ListenerChecked { reach: Reach::Held },
        Answer::LoggedOut,
        Answer::Stopping,
        Answer::Unsupported,
        Answer::OnlineLater {
            query: QueryNumber(1),
            milliseconds: 300,
        },
        Answer::Unreached,
    ]);
    insta::assert_snapshot!(golden(&answers));
}

fn whereabouts() -> Whereabouts {
    Whereabouts {
        reach: Reach::Reachable,
        candidates: Bounded::first_of(["192.0.2.1:40000".parse().unwrap()]),
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a line for each item")]
fn push_items() {
    let user = name();
    let delivery = |audience| {
        Push::Message(Delivery {
            from: user,
            instance: INSTANCE,
            seq: SEQ,
            sent: WallTime(1_800_000_000_000),
            audience,
            text: text(),
        })
    };
    let ended = |reason| Push::IntroductionEnded {
        peer: user,
        reason,
        introduction: (reason == EndReason::OtherClient).then_some(INTRODUCTION),
    };
    let over = |reason| Push::SessionEnded { reason };
    insta::assert_snapshot!(golden(&[
        Push::Probe {
            challenge: Challenge([0xcc; 16])
        },
        Push::Batch {
            number: BatchNumber(1)
        },
        delivery(Audience::You),
        delivery(Audience::Everyone),
        Push::KeptStart { count: 2 },
        Push::KeptEnd,
        Push::Presence {
            user,
            presence: Presence::Online
        },
        Push::Presence {
            user,
            presence: Presence::Offline
        },
        Push::AddressAsked {
            by: user,
            expires_in_ms: 120_000,
            term: Term::Lasting,
        },
        Push::QuestionClosed { by: user },
        Push::Introduced(Introduction {
            peer: user,
            id: INTRODUCTION,
            key: PublicKey([0xcc; KEY_LEN]),
            whereabouts: whereabouts(),
            term: Term::Lasting,
        }),
        Push::AddressDenied { by: user },
        Push::NoAnswer { from: user },
        ended(EndReason::Removed),
        ended(EndReason::LoggedOut),
        ended(EndReason::OtherClient),
        Push::Delivered { seq: SEQ, to: user },
        over(SessionEnd::TakenOver),
        over(SessionEnd::TimedOut),
        over(SessionEnd::Removed),
        over(SessionEnd::CredentialsChanged),
        Push::Stopping,
        Push::Undelivered { to: user, count: 3 },
        Push::Addresses {
            peer: user,
            whereabouts: whereabouts(),
        },
        Push::Absent {
            peer: user,
            absence: Absence::Away,
        },
        Push::Absent {
            peer: user,
            absence: Absence::Elsewhere,
        },
        Push::Expired(Expired {
            to: user,
            numbers: Bounded::first_of([SEQ, Seq(9)]),
            others: 2,
        }),
        Push::Mail(Mail {
            from: user,
            instance: INSTANCE,
            seq: SEQ,
            sent: WallTime(1_800_000_000_000),
            messages: 2,
            sealed: sealed(),
        }),
        Push::MailExpired { to: user, seq: SEQ },
    ]));
    insta::assert_snapshot!(golden(&[
        PushAnswer::Probed {
            challenge: Challenge([0xcc; 16])
        },
        PushAnswer::Taken {
            number: BatchNumber(1)
        },
    ]));
}

#[test]
fn mail_items() {
    insta::assert_snapshot!(golden(&[
        MailItem::Opening {
            introduction: INTRODUCTION,
            after: Seq(6),
        },
        MailItem::Private(PrivateMessage {
            instance: INSTANCE,
            seq: SEQ,
            sent: WallTime(1_800_000_000_000),
            text: text(),
        }),
        MailItem::Taken {
            instance: INSTANCE,
            through: SEQ,
            of: Seq(9),
        },
    ]));
}

#[test]
fn peer_items() {
    insta::assert_snapshot!(golden(&[
        PeerPush::Hello {
            introduction: INTRODUCTION,
            port: 40_000,
            link: LinkChoice::Auto,
        },
        PeerPush::Private(PrivateMessage {
            instance: INSTANCE,
            seq: SEQ,
            sent: WallTime(1_800_000_000_000),
            text: text(),
        }),
        PeerPush::Bye {
            introduction: INTRODUCTION,
            reason: EndReason::LoggedOut
        },
        PeerPush::Probe {
            introduction: INTRODUCTION,
        },
    ]));
    insta::assert_snapshot!(golden(&[
        PeerAnswer::Welcome,
        PeerAnswer::Taken { seq: SEQ },
        PeerAnswer::NotInBook {
            reason: EndReason::LoggedOut
        },
        PeerAnswer::Bye,
        PeerAnswer::ListenerChecked { reach: Reach::Held },
    ]));
}
