//! What people type and see in a world, as short lines: the words of the tests.

use simplechat_core::client::command::{Command, Consent};
use simplechat_core::client::event::{
    AwayCause, BookEntry, End, Event, GoneCause, KeyMismatch, MessageEvent, Occasion, PeerEvent,
    PeerReach, SessionEvent, Uncallable, Verification,
};
use simplechat_core::client::ledger::{
    Addressee, AttemptResult, Entry, MessageNumber, MessageState, NextTry, Route,
};
use simplechat_core::wire::push::{Audience, Presence};
use simplechat_core::wire::request::{Operation, Outcome};
use simplechat_core::wire::{EndReason, Term};

/// Reads a line such as `message bob hi`.
///
/// # Panics
///
/// When it is none: the test is wrong.
#[must_use]
pub fn parse(line: &str) -> Command {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (first, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let user = || first.parse().expect("a name");
    let text_after_user = || text.parse().expect("a text");
    match word {
        "message" => Command::Message {
            to: user(),
            text: text_after_user(),
        },
        "private" => Command::Private {
            to: user(),
            text: text_after_user(),
        },
        "broadcast" => Command::Broadcast {
            text: rest.parse().expect("a text"),
        },
        "block" => Command::Block { user: user() },
        "unblock" => Command::Unblock { user: user() },
        "online" => Command::Online,
        "getaddress" => Command::GetAddress {
            user: user(),
            term: term(text),
        },
        "removeaddress" => Command::RemoveAddress { user: user() },
        "addressbook" => Command::AddressBook,
        "why" => Command::Why {
            message: (!rest.is_empty()).then(|| MessageNumber(rest.parse().expect("a number"))),
        },
        "verify" if text == "ok" => Command::MarkVerified { user: user() },
        "verify" => Command::Verify { user: user() },
        "accept" | "deny" => Command::Answer {
            user: user(),
            consent: if word == "accept" {
                Consent::Yes(term(text))
            } else {
                Consent::No
            },
        },
        "y" => Command::BareAnswer(Consent::Yes(Term::UntilLogout)),
        "n" => Command::BareAnswer(Consent::No),
        "logout" => Command::Leave,
        "end-of-input" => Command::EndOfInput,
        other => panic!("no such word: {other}"),
    }
}

fn term(word: &str) -> Term {
    if word == "always" {
        Term::Lasting
    } else {
        Term::UntilLogout
    }
}

fn show_term(term: Term) -> &'static str {
    match term {
        Term::UntilLogout => "",
        Term::Lasting => " always",
    }
}

/// A command as somebody would have typed it.
#[must_use]
pub fn show_command(command: &Command) -> String {
    match command {
        Command::Login { user, .. } => format!("login {user}"),
        Command::Message { to, text } => format!("message {to} {}", short(text.as_str())),
        Command::Broadcast { text } => format!("broadcast {}", short(text.as_str())),
        Command::Private { to, text } => format!("private {to} {}", short(text.as_str())),
        Command::Block { user } => format!("block {user}"),
        Command::Unblock { user } => format!("unblock {user}"),
        Command::Online => "online".into(),
        Command::GetAddress { user, term } => format!("getaddress {user}{}", show_term(*term)),
        Command::RemoveAddress { user } => format!("removeaddress {user}"),
        Command::AddressBook => "addressbook".into(),
        Command::Why { message: None } => "why".into(),
        Command::Why {
            message: Some(number),
        } => format!("why {number}"),
        Command::Verify { user } => format!("verify {user}"),
        Command::MarkVerified { user } => format!("verify {user} ok"),
        Command::Answer {
            user,
            consent: Consent::Yes(term),
        } => format!("accept {user}{}", show_term(*term)),
        Command::Answer {
            user,
            consent: Consent::No,
        } => format!("deny {user}"),
        Command::BareAnswer(Consent::Yes(_)) => "y".into(),
        Command::BareAnswer(Consent::No) => "n".into(),
        Command::Leave => "logout".into(),
        Command::EndOfInput => "end-of-input".into(),
    }
}

/// An event in one line.
#[must_use]
pub fn show_event(event: &Event) -> String {
    match event {
        Event::Session(event) => show_session(event),
        Event::Message(event) => show_message(event),
        Event::Peer(event) => show_peer(event),
        Event::Outcome {
            operation, outcome, ..
        } => {
            format!("{}: {}", show_operation(operation), show_outcome(outcome))
        }
        Event::Presence { user, presence } => match presence {
            Presence::Online => format!("{user} online"),
            Presence::Offline => format!("{user} offline"),
        },
        Event::Online { users } => {
            let names: Vec<_> = users.iter().map(ToString::to_string).collect();
            format!("online: {}", names.join(" "))
        }
        Event::AddressBook { entries } => {
            let entries: Vec<_> = entries.iter().map(show_entry).collect();
            format!("book: {}", entries.join(", "))
        }
        Event::Ledger(entry) => show_ledger(entry),
        Event::SafetyCode {
            peer,
            code,
            verification,
        } => format!("code with {peer}{}: {code}", show_mark(*verification)),
    }
}

fn show_ledger(entry: &Entry) -> String {
    let to = match entry.to {
        Addressee::User(to) => to.to_string(),
        Addressee::Everyone => "all".into(),
        Addressee::Peer(to) => format!("{to} privately"),
    };
    let mut shown = format!("{} to {to}: {}", entry.number, show_state(entry.state));
    if entry.earlier > 0 {
        shown += &format!("; {} earlier", entry.earlier);
    }
    for attempt in &entry.attempts {
        let route = match attempt.route {
            Route::Server => "server",
            Route::HeldLink => "held link",
            Route::Direct => "direct",
            Route::PeerLink => "link with peer",
            Route::Mail => "mail",
        };
        shown += &format!("; {route}: {}", show_result(attempt.result));
    }
    match entry.next {
        Some(NextTry::In { seconds }) => shown + &format!("; next in {seconds} s"),
        Some(next) => shown + &format!("; next {next:?}"),
        None => shown,
    }
}

fn show_state(state: MessageState) -> String {
    match state {
        MessageState::Waiting => "waiting".into(),
        MessageState::Delivered => "delivered".into(),
        MessageState::Stored => "stored".into(),
        MessageState::Broadcast {
            delivered,
            stored,
            refused,
        } => show_outcome(&Outcome::Broadcast {
            delivered,
            stored,
            refused,
        }),
        MessageState::Refused(refusal) => format!("refused, {refusal}"),
        MessageState::Expired => "expired".into(),
        MessageState::GivenUp => "given up".into(),
    }
}

fn show_result(result: AttemptResult) -> String {
    match result {
        AttemptResult::UnderWay => "under way".into(),
        AttemptResult::NotConnected(failure) => failure.to_string(),
        AttemptResult::ConnectionLost => "connection lost".into(),
        AttemptResult::SessionOver => "session over".into(),
        AttemptResult::Undecided => "undecided".into(),
        AttemptResult::Later => "later".into(),
        AttemptResult::NotFound => "not found".into(),
        AttemptResult::Settled(state) => show_state(state),
    }
}

fn show_session(event: &SessionEvent) -> String {
    match event {
        SessionEvent::LoggedIn {
            user,
            kept,
            occasion,
            time: _,
        } => {
            let again = match occasion {
                Occasion::First => "",
                Occasion::Again => " again",
            };
            format!("logged in{again} as {user}, {kept} kept")
        }
        SessionEvent::LoginRefused { refusal } => format!("login refused: {refusal}"),
        SessionEvent::LinkHeld { port } => format!("listener at {port} unreachable, link held"),
        SessionEvent::ListenerUnreachable { port } => format!("listener at {port} unreachable"),
        SessionEvent::ServerAway { cause, peers } => {
            format!("server away ({}), {peers} peers", show_away(*cause))
        }
        SessionEvent::Impostor { at, .. } => format!("other key at {at}"),
        SessionEvent::ServerBack => "server back".into(),
        SessionEvent::Slowed => "slowed".into(),
        SessionEvent::TimedOut => "timed out".into(),
        SessionEvent::PasswordNeeded => "password needed".into(),
        SessionEvent::Ended { end, unsent } => {
            format!("ended ({}), {unsent} unsent", show_end(*end))
        }
    }
}

fn show_message(event: &MessageEvent) -> String {
    match event {
        MessageEvent::KeptStart { count } => format!("{count} kept:"),
        MessageEvent::KeptEnd => "that was kept".into(),
        MessageEvent::Message {
            from,
            audience,
            text,
            ..
        } => match audience {
            Audience::You => format!("{from}: {}", short(text.as_str())),
            Audience::Everyone => format!("{from} to all: {}", short(text.as_str())),
        },
        MessageEvent::Private {
            from,
            text,
            verification,
            ..
        } => {
            let mark = show_mark(*verification);
            format!("{from}{mark} privately: {}", short(text.as_str()))
        }
        MessageEvent::Waiting { .. } => "waits for the server".into(),
        MessageEvent::PrivateDelivered { to } => format!("private to {to}: delivered"),
        MessageEvent::PrivateWaiting { to, uncallable } => {
            format!("private to {to}: waiting{}", show_uncallable(*uncallable))
        }
        MessageEvent::PrivateStored { to } => format!("private to {to}: kept sealed"),
        MessageEvent::MailUnreadable { from } => format!("a mail of {from} cannot be read"),
        MessageEvent::Delivered { to, .. } => format!("delivered later to {to}"),
        MessageEvent::Expired { to, count, .. } => format!("expired to {to}: {count}"),
        MessageEvent::Undelivered { to, count } => format!("undelivered to {to}: {count}"),
    }
}

fn show_peer(event: &PeerEvent) -> String {
    match event {
        PeerEvent::AddressAsked {
            by,
            expires_in_secs,
            term,
        } => format!(
            "{by} asks for the address{}, {expires_in_secs} s",
            show_term(*term)
        ),
        PeerEvent::QuestionClosed { by } => format!("{by} asks no more"),
        PeerEvent::Introduced { peer, term } => {
            format!("introduced to {peer}{}", show_term(*term))
        }
        PeerEvent::IntroducedUnasked { peer } => format!("{peer} was introduced unasked"),
        PeerEvent::KeyChanged {
            peer,
            was,
            undelivered,
        } => format!(
            "{peer}{} has another key, {undelivered} undelivered",
            show_mark(*was)
        ),
        PeerEvent::Verified { peer } => format!("{peer} is verified"),
        PeerEvent::AddressDenied { by } => format!("{by} said no"),
        PeerEvent::NoAnswer { from } => format!("no answer from {from}"),
        PeerEvent::PeerGone {
            peer,
            cause,
            undelivered,
        } => format!(
            "{peer} gone ({}), {undelivered} undelivered",
            show_gone(*cause)
        ),
        PeerEvent::PeerAway { peer } => format!("{peer} is away"),
        PeerEvent::PeerElsewhere { peer } => format!("{peer} is elsewhere"),
        PeerEvent::RefusedFormerPeer { peer } => format!("refused {peer}, not in the book"),
        PeerEvent::KeyMismatch { peer, at, mismatch } => {
            let what = match mismatch {
                KeyMismatch::Answers => "somebody else answers",
                KeyMismatch::Calls => "somebody else calls",
                KeyMismatch::Refuses => "our key is refused",
            };
            format!("{peer}: {what} at {at}")
        }
        PeerEvent::RefusedStranger { from } => format!("refused a stranger at {from}"),
    }
}

fn show_operation(operation: &Operation) -> String {
    match operation {
        Operation::Message { to, text } => format!("message {to} {}", short(text.as_str())),
        Operation::Broadcast { text } => format!("broadcast {}", short(text.as_str())),
        Operation::Block { user } => format!("block {user}"),
        Operation::Unblock { user } => format!("unblock {user}"),
        Operation::GetAddress { user, term } => format!("getaddress {user}{}", show_term(*term)),
        Operation::Accept { user, term } => format!("accept {user}{}", show_term(*term)),
        Operation::Deny { user } => format!("deny {user}"),
        Operation::RemoveAddress { user } => format!("removeaddress {user}"),
        Operation::Mail { to, .. } => format!("mail {to}"),
        Operation::Skip => "skip".into(),
    }
}

fn show_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Delivered => "delivered".into(),
        Outcome::Stored => "stored".into(),
        Outcome::Broadcast {
            delivered,
            stored,
            refused,
        } => format!("{delivered} delivered, {stored} stored, {refused} refused"),
        Outcome::Asked => "asked".into(),
        Outcome::Done => "done".into(),
        Outcome::Refused(refusal) => format!("refused, {refusal}"),
    }
}

const fn show_away(cause: AwayCause) -> &'static str {
    match cause {
        AwayCause::Stopping => "stopping",
        AwayCause::Unreachable(_) => "unreachable",
        AwayCause::Silent => "silent",
        AwayCause::OtherKey(_) => "other key",
    }
}

const fn show_gone(cause: GoneCause) -> &'static str {
    match cause {
        GoneCause::Own => "own doing",
        GoneCause::Theirs(EndReason::Removed) => "removed",
        GoneCause::Theirs(EndReason::LoggedOut) => "logged out",
        GoneCause::Theirs(EndReason::OtherClient) => "other client",
    }
}

fn show_entry(entry: &BookEntry) -> String {
    let (reach, uncallable) = match entry.reach {
        PeerReach::Reachable => ("reachable", ""),
        PeerReach::Unknown => ("unknown", ""),
        PeerReach::Unreachable(uncallable) => ("unreachable", show_uncallable(uncallable)),
        PeerReach::Away => ("away", ""),
        PeerReach::Elsewhere => ("elsewhere", ""),
        PeerReach::OtherKey => ("other key", ""),
    };
    let mark = show_mark(entry.verification);
    format!(
        "{}{mark}{} {reach}{uncallable} {} waiting",
        entry.peer,
        show_term(entry.term),
        entry.waiting
    )
}

const fn show_uncallable(uncallable: Uncallable) -> &'static str {
    match uncallable {
        Uncallable::Neither => "",
        Uncallable::Us => " (we cannot be called)",
        Uncallable::Them => " (they cannot be called)",
        Uncallable::Both => " (neither can be called)",
    }
}

const fn show_mark(verification: Verification) -> &'static str {
    match verification {
        Verification::Verified => " (verified)",
        Verification::Unverified => "",
    }
}

fn show_end(end: End) -> String {
    match end {
        End::Left => "left".into(),
        End::TakenOver => "taken over".into(),
        End::Removed => "removed".into(),
        End::LoginRefused(refusal) => format!("refused: {refusal}"),
        End::Unreachable(_) => "unreachable".into(),
        End::ServerNotTrusted => "not trusted".into(),
    }
}

/// A text short enough for a line of a log.
fn short(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.into(),
    }
}
