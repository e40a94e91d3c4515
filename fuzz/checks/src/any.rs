//! Any value that the wire can carry, made from a fuzzer's bytes.

use std::net::{IpAddr, SocketAddr};

use arbitrary::{Result, Unstructured};
use simplechat_core::client::command::{Command, Consent};
use simplechat_core::client::ledger::MessageNumber;
use simplechat_core::id::{BatchNumber, InstanceId, IntroductionId, LoginNumber, QueryNumber, Seq};
use simplechat_core::key::StaticKey;
use simplechat_core::limits::COOKIE_LEN;
use simplechat_core::name::Name;
use simplechat_core::rng::SeededSecrets;
use simplechat_core::text::{Password, Text};
use simplechat_core::time::WallTime;
use simplechat_core::wire::item::Bounded;
use simplechat_core::wire::login::{
    Cookie, LinkChoice, Login, LoginAnswer, LoginCause, LoginRefusal, LoginRequest, Proof, Ticket,
    Welcome,
};
use simplechat_core::wire::mail::{Mail, Sealed};
use simplechat_core::wire::peer::{PeerAnswer, PeerPush, PrivateMessage};
use simplechat_core::wire::push::{
    Absence, Audience, Delivery, Expired, Introduction, Presence, Push, PushAnswer, SessionEnd,
    Whereabouts,
};
use simplechat_core::wire::request::{Answer, Held, Operation, Outcome, Reach, Refusal, Request};
use simplechat_core::wire::{Challenge, EndReason, Term};

/// Who may be talked of: few, so that a fuzzer makes them meet.
pub(crate) const NAMES: [&str; 4] = ["alice", "bob", "carol", "nobody"];

pub(crate) fn name(u: &mut Unstructured<'_>) -> Result<Name> {
    u.choose(&NAMES).map(|known| named(known))
}

/// The name that is written like this.
pub(crate) fn named(name: &str) -> Name {
    name.parse().expect("a name of ours")
}

/// The password that is written like this.
pub(crate) fn password(password: &str) -> Password {
    Password::new(password.to_owned()).expect("a password of ours")
}

/// Short ones mostly, and now and then one that reaches a limit.
pub(crate) fn text(u: &mut Unstructured<'_>) -> Result<Text> {
    let text = match u.arbitrary::<u8>()? {
        0xff => "x".repeat(9_000),
        0xfe => "€\u{202e}\u{1b}[2J\n".repeat(100),
        other => {
            let len = usize::from(other % 8).min(u.len());
            String::from_utf8_lossy(u.bytes(len)?).into_owned()
        }
    };
    Ok(Text::new(text).unwrap_or_else(|_| "?".parse().expect("a text")))
}

/// Small numbers mostly, and the ends of their range.
pub(crate) fn number(u: &mut Unstructured<'_>) -> Result<u64> {
    Ok(match u.arbitrary::<u8>()? {
        0xff => u64::MAX,
        0xfe => u64::MAX - 1,
        0xfd => u.arbitrary()?,
        small => small.into(),
    })
}

pub(crate) fn instance(u: &mut Unstructured<'_>) -> Result<InstanceId> {
    Ok(InstanceId([u.int_in_range(0..=15)?; 16]))
}

fn seq(u: &mut Unstructured<'_>) -> Result<Seq> {
    number(u).map(Seq)
}

fn challenge(u: &mut Unstructured<'_>) -> Result<Challenge> {
    u.arbitrary().map(Challenge)
}

/// Keys of a few people, always the same ones.
pub(crate) fn keys() -> [StaticKey; 3] {
    let mut secrets = SeededSecrets::new(7);
    [(); 3].map(|()| StaticKey::generate(&mut secrets))
}

pub(crate) fn introduction(u: &mut Unstructured<'_>) -> Result<IntroductionId> {
    Ok(IntroductionId([u.int_in_range(0..=5)?; 16]))
}

/// One that no server has made.
fn ticket(u: &mut Unstructured<'_>) -> Result<Ticket> {
    let len = usize::from(u.arbitrary::<u8>()?).min(u.len());
    Ok(ticket_of(u.bytes(len)?))
}

/// The ticket with these bytes, of which there are few.
pub(crate) fn ticket_of(bytes: &[u8]) -> Ticket {
    Ticket::new(bytes.to_vec()).expect("a short ticket")
}

fn address(u: &mut Unstructured<'_>) -> Result<SocketAddr> {
    let ip = if u.arbitrary()? {
        IpAddr::from(u.arbitrary::<[u8; 16]>()?)
    } else {
        IpAddr::from(u.arbitrary::<[u8; 4]>()?)
    };
    Ok(SocketAddr::new(ip, u.arbitrary()?))
}

fn addresses<const N: usize>(u: &mut Unstructured<'_>) -> Result<Bounded<SocketAddr, N>> {
    let count = u.int_in_range(0..=N)?;
    let addresses: Result<Vec<_>> = (0..count).map(|_| address(u)).collect();
    Ok(Bounded::first_of(addresses?))
}

pub(crate) fn login_request(u: &mut Unstructured<'_>) -> Result<LoginRequest> {
    login(u).map(LoginRequest::Login)
}

pub(crate) fn login(u: &mut Unstructured<'_>) -> Result<Login> {
    let name = name(u)?;
    let cause = if u.ratio(1, 4)? {
        LoginCause::Automatic(LoginNumber(number(u)?))
    } else {
        LoginCause::Person
    };
    // The right password, by the rule of the virtual world, or another one.
    let proof = match u.int_in_range(0..=15)? {
        0 => Proof::Password(password("wrong")),
        1 => Proof::Ticket(ticket(u)?),
        _ => Proof::Password(password(name.as_str())),
    };
    Ok(Login {
        name,
        proof,
        port: *u.choose(&[40_000, 40_001, 1_024, 80, 0])?,
        instance: instance(u)?,
        lowest_unanswered: if u.ratio(1, 4)? { seq(u)? } else { Seq::FIRST },
        cause,
        candidates: addresses(u)?,
        link: link_choice(u)?,
    })
}

fn link_choice(u: &mut Unstructured<'_>) -> Result<LinkChoice> {
    let all = [LinkChoice::Auto, LinkChoice::PerMessage, LinkChoice::Held];
    u.choose(&all).copied()
}

pub(crate) fn reach(u: &mut Unstructured<'_>) -> Result<Reach> {
    let all = [Reach::Reachable, Reach::Unreachable, Reach::Held];
    u.choose(&all).copied()
}

fn whereabouts(u: &mut Unstructured<'_>) -> Result<Whereabouts> {
    Ok(Whereabouts {
        reach: reach(u)?,
        candidates: addresses(u)?,
    })
}

/// An admission cookie that is none.
const COOKIE: Cookie = Cookie::new([7; COOKIE_LEN]);

pub(crate) fn login_answer(u: &mut Unstructured<'_>) -> Result<LoginAnswer> {
    if u.ratio(1, 4)? {
        let refusal = (u.int_in_range(0..=7)?, u.arbitrary()?);
        return Ok(LoginAnswer::Refused(LoginRefusal::from(refusal)));
    }
    Ok(LoginAnswer::Welcome(Welcome {
        ticket: ticket(u)?,
        cookie: COOKIE,
        login: LoginNumber(number(u)?),
        heartbeat_interval_ms: *u.choose(&[30_000, 0, 1, u32::MAX])?,
        timeout_ms: *u.choose(&[95_000, 0, 1, u32::MAX])?,
        max_text: *u.choose(&[8_192, 0, 1, u32::MAX])?,
        kept: u.arbitrary::<u8>()?.into(),
        time: WallTime(number(u)?),
    }))
}

/// How a server with the default settings greets.
pub(crate) fn welcome() -> Welcome {
    Welcome {
        ticket: ticket_of(b"of this server"),
        cookie: COOKIE,
        login: LoginNumber(7),
        heartbeat_interval_ms: 30_000,
        timeout_ms: 95_000,
        max_text: 8_192,
        kept: 0,
        time: WallTime(0),
    }
}

pub(crate) fn request(u: &mut Unstructured<'_>) -> Result<Request> {
    Ok(match u.int_in_range(0..=7)? {
        0 => Request::Heartbeat,
        1 => Request::LowestUnanswered { seq: seq(u)? },
        2 => Request::ListOnline {
            query: QueryNumber(u.arbitrary::<u8>()?.into()),
            after: if u.arbitrary()? { Some(name(u)?) } else { None },
        },
        3 if u.ratio(1, 4)? => Request::Logout,
        4 => {
            let count = u.int_in_range(0..=4)?;
            let entries: Result<Vec<_>> = (0..count).map(|_| held(u)).collect();
            Request::Holds {
                entries: Bounded::first_of(entries?),
            }
        }
        _ => Request::Submit {
            seq: seq(u)?,
            operation: operation(u)?,
        },
    })
}

fn held(u: &mut Unstructured<'_>) -> Result<Held> {
    Ok(Held {
        peer: name(u)?,
        introduction: introduction(u)?,
        key: u.choose(&keys())?.public(),
        term: term(u)?,
    })
}

pub(crate) fn term(u: &mut Unstructured<'_>) -> Result<Term> {
    u.choose(&[Term::UntilLogout, Term::Lasting]).copied()
}

fn operation(u: &mut Unstructured<'_>) -> Result<Operation> {
    Ok(match u.int_in_range(0..=11)? {
        0 => Operation::Broadcast { text: text(u)? },
        1 => Operation::Block { user: name(u)? },
        2 => Operation::Unblock { user: name(u)? },
        3 => Operation::GetAddress {
            user: name(u)?,
            term: term(u)?,
        },
        4 => Operation::Accept {
            user: name(u)?,
            term: term(u)?,
        },
        5 => Operation::Deny { user: name(u)? },
        6 => Operation::RemoveAddress { user: name(u)? },
        7 => Operation::Skip,
        8 => Operation::Mail {
            to: name(u)?,
            key: u.choose(&keys())?.public(),
            messages: u.arbitrary()?,
            sealed: sealed(u)?,
        },
        _ => Operation::Message {
            to: name(u)?,
            text: text(u)?,
        },
    })
}

/// Bytes that are no mail, as hardly any are.
fn sealed(u: &mut Unstructured<'_>) -> Result<Sealed> {
    let len = u.int_in_range(0..=200)?;
    Ok(Sealed::new(u.bytes(len)?.to_vec()).expect("short enough"))
}

pub(crate) fn answer(u: &mut Unstructured<'_>) -> Result<Answer> {
    Ok(match u.int_in_range(0..=9)? {
        0 => Answer::Alive,
        1 => {
            let count = u.int_in_range(0..=4)?;
            let users: Result<Vec<_>> = (0..count).map(|_| name(u)).collect();
            Answer::Online {
                query: QueryNumber(u.arbitrary::<u8>()?.into()),
                users: Bounded::first_of(users?),
                more: u.arbitrary()?,
            }
        }
        2 => Answer::ListenerChecked { reach: reach(u)? },
        3 => Answer::LoggedOut,
        4 => Answer::Stopping,
        5 => Answer::Unsupported,
        6 => Answer::Unreached,
        _ => Answer::Outcome {
            seq: seq(u)?,
            outcome: outcome(u)?,
        },
    })
}

fn outcome(u: &mut Unstructured<'_>) -> Result<Outcome> {
    Ok(match u.int_in_range(0..=5)? {
        0 => Outcome::Delivered,
        1 => Outcome::Stored,
        2 => Outcome::Broadcast {
            delivered: u.arbitrary()?,
            stored: u.arbitrary()?,
            refused: u.arbitrary()?,
        },
        3 => Outcome::Asked,
        4 => Outcome::Done,
        _ => Outcome::Refused(Refusal::from((u.int_in_range(0..=15)?, u.arbitrary()?))),
    })
}

fn end_reason(u: &mut Unstructured<'_>) -> Result<EndReason> {
    let reasons = [
        EndReason::Removed,
        EndReason::LoggedOut,
        EndReason::OtherClient,
    ];
    u.choose(&reasons).copied()
}

/// Any push but the first of a frame, which says what the frame is.
#[allow(clippy::too_many_lines, reason = "a row for each kind")]
pub(crate) fn push(u: &mut Unstructured<'_>) -> Result<Push> {
    Ok(match u.int_in_range(0..=21)? {
        0 => Push::Probe {
            challenge: challenge(u)?,
        },
        1 => Push::Batch {
            number: BatchNumber(number(u)?),
        },
        2 => Push::KeptStart {
            count: u.arbitrary()?,
        },
        3 => Push::KeptEnd,
        4 => Push::Presence {
            user: name(u)?,
            presence: *u.choose(&[Presence::Online, Presence::Offline])?,
        },
        5 => Push::AddressAsked {
            by: name(u)?,
            expires_in_ms: u.arbitrary()?,
            term: term(u)?,
        },
        6 => Push::QuestionClosed { by: name(u)? },
        7 => Push::Introduced(Introduction {
            peer: name(u)?,
            id: introduction(u)?,
            key: u.choose(&keys())?.public(),
            whereabouts: whereabouts(u)?,
            term: term(u)?,
        }),
        8 => Push::AddressDenied { by: name(u)? },
        9 => Push::NoAnswer { from: name(u)? },
        10 => Push::IntroductionEnded {
            peer: name(u)?,
            reason: end_reason(u)?,
            introduction: if u.arbitrary()? {
                Some(introduction(u)?)
            } else {
                None
            },
        },
        11 => Push::Delivered {
            seq: seq(u)?,
            to: name(u)?,
        },
        12 => Push::SessionEnded {
            reason: *u.choose(&[
                SessionEnd::TakenOver,
                SessionEnd::TimedOut,
                SessionEnd::Removed,
                SessionEnd::CredentialsChanged,
            ])?,
        },
        13 => Push::Stopping,
        16 => Push::Addresses {
            peer: name(u)?,
            whereabouts: whereabouts(u)?,
        },
        17 => Push::Absent {
            peer: name(u)?,
            absence: *u.choose(&[Absence::Away, Absence::Elsewhere])?,
        },
        20 => Push::MailExpired {
            to: name(u)?,
            seq: seq(u)?,
        },
        19 => Push::Mail(Mail {
            from: name(u)?,
            instance: instance(u)?,
            seq: seq(u)?,
            sent: WallTime(number(u)?),
            messages: u.arbitrary()?,
            sealed: sealed(u)?,
        }),
        18 => Push::Expired(Expired {
            to: name(u)?,
            numbers: Bounded::first_of([seq(u)?, seq(u)?]),
            others: u.arbitrary()?,
        }),
        14 => Push::Undelivered {
            to: name(u)?,
            count: u.arbitrary()?,
        },
        _ => Push::Message(Delivery {
            from: name(u)?,
            instance: instance(u)?,
            seq: seq(u)?,
            sent: WallTime(number(u)?),
            audience: *u.choose(&[Audience::You, Audience::Everyone])?,
            text: text(u)?,
        }),
    })
}

pub(crate) fn push_answer(u: &mut Unstructured<'_>) -> Result<PushAnswer> {
    Ok(if u.arbitrary()? {
        PushAnswer::Probed {
            challenge: challenge(u)?,
        }
    } else {
        PushAnswer::Taken {
            number: BatchNumber(number(u)?),
        }
    })
}

pub(crate) fn peer_push(u: &mut Unstructured<'_>) -> Result<PeerPush> {
    Ok(match u.int_in_range(0..=4)? {
        0 => PeerPush::Hello {
            introduction: introduction(u)?,
            port: u.arbitrary()?,
            link: link_choice(u)?,
        },
        4 => PeerPush::Probe {
            introduction: introduction(u)?,
        },
        1 => PeerPush::Bye {
            introduction: introduction(u)?,
            reason: end_reason(u)?,
        },
        _ => PeerPush::Private(PrivateMessage {
            instance: instance(u)?,
            seq: seq(u)?,
            sent: WallTime(number(u)?),
            text: text(u)?,
        }),
    })
}

pub(crate) fn peer_answer(u: &mut Unstructured<'_>) -> Result<PeerAnswer> {
    Ok(match u.int_in_range(0..=4)? {
        0 => PeerAnswer::Welcome,
        4 => PeerAnswer::ListenerChecked { reach: reach(u)? },
        1 => PeerAnswer::NotInBook {
            reason: end_reason(u)?,
        },
        2 => PeerAnswer::Bye,
        _ => PeerAnswer::Taken { seq: seq(u)? },
    })
}

/// Any wish but the login.
pub(crate) fn command(u: &mut Unstructured<'_>) -> Result<Command> {
    let consents = [
        Consent::Yes(Term::UntilLogout),
        Consent::Yes(Term::Lasting),
        Consent::No,
    ];
    Ok(match u.int_in_range(0..=15)? {
        0 => Command::Broadcast { text: text(u)? },
        1 => Command::Block { user: name(u)? },
        2 => Command::Unblock { user: name(u)? },
        3 => Command::Online,
        4 => Command::GetAddress {
            user: name(u)?,
            term: term(u)?,
        },
        5 => Command::RemoveAddress { user: name(u)? },
        6 => Command::AddressBook,
        7 => Command::Answer {
            user: name(u)?,
            consent: *u.choose(&consents)?,
        },
        8 => Command::BareAnswer(*u.choose(&consents)?),
        9 if u.ratio(1, 8)? => Command::Leave,
        10 if u.ratio(1, 8)? => Command::EndOfInput,
        11..=12 => Command::Private {
            to: name(u)?,
            text: text(u)?,
        },
        13 => Command::Why {
            message: u
                .arbitrary::<Option<u8>>()?
                .map(|n| MessageNumber(n.into())),
        },
        _ => Command::Message {
            to: name(u)?,
            text: text(u)?,
        },
    })
}
