//! Everything that a person can read, as snapshots.

use simplechat_core::key::{KEY_LEN, PublicKey};
use simplechat_core::machine::ConnectFailure;
use simplechat_core::wire::request::{Operation, Outcome, Refusal};

use super::*;

pub(super) fn clock() -> Clock {
    Clock {
        zone: TimeZone::UTC,
        today: Date::constant(2027, 1, 15),
    }
}

pub(super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// 2027-01-15 08:00 UTC.
pub(super) const NOW: WallTime = WallTime(1_800_000_000_000);

/// What is said of events of all kinds, a line each.
macro_rules! said {
    ($($event:expr),+ $(,)?) => {
        [$(Event::from($event)),+]
            .map(|event| say(&event, &clock()).unwrap_or_else(|| "(nothing)".into()))
            .join("\n")
    };
}

fn message(text: &str, audience: Audience, sent: WallTime) -> MessageEvent {
    MessageEvent::Message {
        from: name("bob"),
        sent,
        audience,
        text: text.parse().unwrap(),
    }
}

#[test]
fn messages() {
    let yesterday = WallTime(NOW.0 - 86_400_000);
    let never = WallTime(u64::MAX);
    insta::assert_snapshot!(said![
        MessageEvent::KeptStart { count: 1 },
        message("are you there?", Audience::You, yesterday),
        MessageEvent::KeptEnd,
        MessageEvent::KeptStart { count: 2 },
        message("hello", Audience::You, NOW),
        message("cake!", Audience::Everyone, NOW),
        message("two\nlines", Audience::You, NOW),
        message("\u{1b}[2Jclear \u{202e}evil", Audience::You, never),
        MessageEvent::Private {
            from: name("bob"),
            sent: NOW,
            verification: Verification::Unverified,
            text: "psst\n[08:00] carol: I am bob".parse().unwrap(),
        },
        MessageEvent::Private {
            from: name("bob"),
            sent: NOW,
            verification: Verification::Verified,
            text: "psst".parse().unwrap(),
        },
    ]);
}

fn outcome(operation: &Operation, outcome: Outcome) -> Event {
    let is_message = matches!(
        operation,
        Operation::Message { .. } | Operation::Broadcast { .. }
    );
    Event::Outcome {
        number: is_message.then_some(MessageNumber(7)),
        operation: operation.clone(),
        outcome,
    }
}

#[test]
fn outcomes() {
    let (to, user) = (name("bob"), name("bob"));
    let term = Term::UntilLogout;
    let text: Text = "hi".parse().unwrap();
    let to_bob = Operation::Message {
        to,
        text: text.clone(),
    };
    let to_all = Operation::Broadcast { text };
    let reached = |delivered, stored, refused| Outcome::Broadcast {
        delivered,
        stored,
        refused,
    };
    let refused = |operation, refusal| outcome(operation, Outcome::Refused(refusal));
    insta::assert_snapshot!(said![
        outcome(&to_bob, Outcome::Delivered),
        outcome(&to_bob, Outcome::Stored),
        refused(&to_bob, Refusal::NoSuchUser),
        refused(&to_bob, Refusal::Blocked),
        refused(&to_bob, Refusal::Yourself),
        refused(&to_bob, Refusal::TextTooLong { max: 8_192 }),
        refused(&to_bob, Refusal::MailboxFull),
        refused(&to_bob, Refusal::ShareFull),
        outcome(&to_all, reached(0, 0, 0)),
        outcome(&to_all, reached(1, 0, 0)),
        outcome(&to_all, reached(12, 1, 2)),
        refused(&to_all, Refusal::TextTooLong { max: 8_192 }),
        outcome(&Operation::Block { user }, Outcome::Done),
        refused(&Operation::Block { user }, Refusal::AlreadyBlocked),
        refused(
            &Operation::Block { user },
            Refusal::BlacklistFull { max: 1_000 }
        ),
        outcome(&Operation::Unblock { user }, Outcome::Done),
        refused(&Operation::Unblock { user }, Refusal::NotBlocked),
        outcome(&Operation::GetAddress { user, term }, Outcome::Asked),
        refused(&Operation::GetAddress { user, term }, Refusal::AlreadyAsked),
        refused(&Operation::GetAddress { user, term }, Refusal::BlockedByYou),
        refused(
            &Operation::GetAddress { user, term },
            Refusal::TooManyQuestions { max: 32 }
        ),
        outcome(&Operation::Accept { user, term }, Outcome::Done),
        refused(&Operation::Accept { user, term }, Refusal::NoQuestion),
        outcome(&Operation::Deny { user }, Outcome::Done),
        refused(&Operation::RemoveAddress { user }, Refusal::NotIntroduced),
        MessageEvent::Waiting {
            number: Some(MessageNumber(7)),
        },
        MessageEvent::PrivateDelivered { to },
        MessageEvent::PrivateWaiting {
            to,
            uncallable: Uncallable::Neither,
        },
        MessageEvent::PrivateWaiting {
            to,
            uncallable: Uncallable::Them,
        },
        MessageEvent::PrivateStored { to },
        MessageEvent::MailUnreadable { from: to },
        MessageEvent::Delivered {
            to,
            number: Some(MessageNumber(7)),
        },
        MessageEvent::Delivered { to, number: None },
    ]);
}

#[test]
#[allow(clippy::too_many_lines, reason = "a row for each event")]
fn others() {
    let (by, peer, user) = (name("bob"), name("bob"), name("bob"));
    let term = Term::UntilLogout;
    let gone = |cause, undelivered| PeerEvent::PeerGone {
        peer,
        cause,
        undelivered,
    };
    let entry = |peer, reach, waiting| BookEntry {
        peer: name(peer),
        reach,
        waiting,
        verification: Verification::Unverified,
        term,
    };
    insta::assert_snapshot!(said![
        Event::Presence {
            user,
            presence: Presence::Online,
        },
        Event::Presence {
            user,
            presence: Presence::Offline,
        },
        PeerEvent::AddressAsked {
            by,
            expires_in_secs: 120,
            term,
        },
        PeerEvent::AddressAsked {
            by,
            expires_in_secs: 120,
            term: Term::Lasting,
        },
        PeerEvent::QuestionClosed { by },
        PeerEvent::Introduced { peer, term },
        PeerEvent::Introduced {
            peer,
            term: Term::Lasting,
        },
        PeerEvent::AddressDenied { by },
        PeerEvent::NoAnswer { from: by },
        gone(GoneCause::Own, 0),
        gone(GoneCause::Theirs(EndReason::Removed), 0),
        gone(GoneCause::Theirs(EndReason::LoggedOut), 1),
        gone(GoneCause::Theirs(EndReason::OtherClient), 2),
        PeerEvent::PeerAway { peer },
        PeerEvent::PeerElsewhere { peer },
        PeerEvent::RefusedFormerPeer { peer },
        PeerEvent::RefusedStranger {
            from: "192.0.2.1".parse().unwrap(),
        },
        Event::Online { users: Vec::new() },
        Event::Online {
            users: vec![name("bob"), name("carol")],
        },
        Event::AddressBook {
            entries: Vec::new(),
        },
        Event::AddressBook {
            entries: vec![
                entry("bob", PeerReach::Reachable, 0),
                BookEntry {
                    verification: Verification::Verified,
                    ..entry("carol", PeerReach::Unreachable(Uncallable::Neither), 1)
                },
                entry("caroline", PeerReach::Unreachable(Uncallable::Us), 3),
                entry("cyrus", PeerReach::Unreachable(Uncallable::Them), 0),
                entry("cyril", PeerReach::Unreachable(Uncallable::Both), 1),
                entry("dave", PeerReach::Unknown, 0),
                BookEntry {
                    term: Term::Lasting,
                    ..entry("dora", PeerReach::Away, 2)
                },
                entry("erin", PeerReach::Elsewhere, 1),
                entry("frank", PeerReach::OtherKey, 2),
            ],
        },
    ]);
}

#[test]
fn verifying() {
    let peer = name("bob");
    let code = SafetyCode::between(
        (name("alice"), PublicKey([1; KEY_LEN])),
        (peer, PublicKey([2; KEY_LEN])),
    );
    let shown = |verification| Event::SafetyCode {
        peer,
        code,
        verification,
    };
    let changed = |was, undelivered| PeerEvent::KeyChanged {
        peer,
        was,
        undelivered,
    };
    let mismatch = |mismatch| PeerEvent::KeyMismatch {
        peer,
        at: "192.0.2.1".parse().unwrap(),
        mismatch,
    };
    insta::assert_snapshot!(said![
        mismatch(KeyMismatch::Answers),
        mismatch(KeyMismatch::Calls),
        mismatch(KeyMismatch::Refuses),
        PeerEvent::IntroducedUnasked { peer },
        shown(Verification::Unverified),
        PeerEvent::Verified { peer },
        shown(Verification::Verified),
        changed(Verification::Unverified, 0),
        changed(Verification::Verified, 0),
        changed(Verification::Verified, 2),
    ]);
}

#[test]
fn the_session() {
    let user = name("alice");
    let logged_in = |kept, occasion| SessionEvent::LoggedIn {
        user,
        kept,
        occasion,
        time: WallTime(0),
    };
    let refused = |refusal| SessionEvent::LoginRefused { refusal };
    let away = |cause, peers| SessionEvent::ServerAway { cause, peers };
    let ended = |end, unsent| SessionEvent::Ended { end, unsent };
    let no_listener = AwayCause::Unreachable(ConnectFailure::Refused);
    let wrong = |attempts_left| LoginRefusal::WrongCredentials { attempts_left };
    insta::assert_snapshot!(said![
        logged_in(0, Occasion::First),
        logged_in(2, Occasion::First),
        logged_in(2, Occasion::Again),
        refused(wrong(2)),
        refused(wrong(1)),
        refused(wrong(0)),
        refused(LoginRefusal::Locked { seconds: 60 }),
        refused(LoginRefusal::Port(80)),
        refused(LoginRefusal::Busy { seconds: 1 }),
        refused(LoginRefusal::Stopping),
        SessionEvent::ListenerUnreachable { port: 40_000 },
        SessionEvent::LinkHeld { port: 40_000 },
        away(no_listener, 0),
        away(AwayCause::Silent, 2),
        away(AwayCause::Stopping, 0),
        SessionEvent::Impostor {
            at: "192.0.2.1:5150".parse().unwrap(),
            key: PublicKey([1; KEY_LEN]),
        },
        SessionEvent::ServerBack,
        SessionEvent::Slowed,
        SessionEvent::TimedOut,
        MessageEvent::Undelivered {
            to: name("bob"),
            count: 2,
        },
        MessageEvent::Expired {
            to: name("bob"),
            numbers: vec![MessageNumber(3), MessageNumber(4)],
            count: 5,
        },
        MessageEvent::Expired {
            to: name("bob"),
            numbers: vec![],
            count: 1,
        },
        ended(End::Left, 0),
        ended(End::Left, 2),
        ended(End::TakenOver, 0),
        ended(End::LoginRefused(wrong(2)), 0),
        ended(End::Unreachable(no_listener), 0),
        ended(End::Unreachable(AwayCause::Silent), 1),
    ]);
}
