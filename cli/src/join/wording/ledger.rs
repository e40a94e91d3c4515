//! What became of a message, line by line: where it stands, each attempt, and what comes next.

use std::fmt::Write as _;

use simplechat_core::client::ledger::{
    Addressee, Attempt, AttemptResult, Entry, MessageState, NextTry, Route,
};

use super::Clock;
use super::outcome::broadcast;

pub(super) fn say(entry: &Entry, clock: &Clock) -> String {
    let mut said = format!(
        "  message {} {}: {}",
        entry.number,
        addressee(entry.to),
        state(entry.state)
    );
    if entry.earlier > 0 {
        let _ = write!(said, "\n    earlier attempts: {}", entry.earlier);
    }
    for attempt in &entry.attempts {
        let _ = write!(said, "\n    {}", show(attempt, clock));
    }
    if let Some(next) = entry.next {
        let _ = write!(said, "\n    next try {}", next_try(next, entry.to));
    }
    said
}

fn addressee(to: Addressee) -> String {
    match to {
        Addressee::User(to) => format!("to {to}"),
        Addressee::Everyone => "to all".into(),
        Addressee::Peer(to) => format!("to {to}, privately"),
    }
}

pub(super) fn state(state: MessageState) -> String {
    match state {
        MessageState::Waiting => "waiting".into(),
        MessageState::Delivered => "delivered".into(),
        MessageState::Stored => "kept by the server".into(),
        MessageState::Broadcast {
            delivered,
            stored,
            refused,
        } => broadcast(delivered, stored, refused).trim_start().into(),
        MessageState::Refused(refusal) => format!("refused, {refusal}"),
        MessageState::Expired => "not fetched in time, and not kept any more".into(),
        MessageState::GivenUp => "not delivered, and not sent any more".into(),
    }
}

fn show(attempt: &Attempt, clock: &Clock) -> String {
    let at = clock.show_exactly(attempt.at);
    let route = match attempt.route {
        Route::Server => "by the server",
        Route::HeldLink => "by the server, on the held link",
        Route::Direct => "directly",
        Route::PeerLink => "directly, on a held link",
        Route::Mail => "sealed, by the server",
    };
    format!("{at} {route}: {}", result(attempt.result))
}

fn result(result: AttemptResult) -> String {
    match result {
        AttemptResult::UnderWay => "no answer yet".into(),
        AttemptResult::NotConnected(failure) => failure.to_string(),
        AttemptResult::ConnectionLost => "connection lost before an answer".into(),
        AttemptResult::SessionOver => "session over before an answer".into(),
        AttemptResult::Undecided => "not decided yet".into(),
        AttemptResult::Later => "too much at once, put off".into(),
        AttemptResult::NotFound => "not found where they should be".into(),
        AttemptResult::Settled(MessageState::Stored) => "not delivered yet, kept there".into(),
        AttemptResult::Settled(MessageState::Broadcast { .. }) => "sent to everybody online".into(),
        AttemptResult::Settled(MessageState::Expired) => "expired".into(),
        AttemptResult::Settled(MessageState::GivenUp) => "given up".into(),
        AttemptResult::Settled(settled) => state(settled),
    }
}

fn next_try(next: NextTry, to: Addressee) -> String {
    match (next, to) {
        (NextTry::In { seconds }, _) => format!("in {seconds} s"),
        (NextTry::AfterStored, _) => "once it is stored".into(),
        (NextTry::InTurn, _) => "when it is its turn".into(),
        (NextTry::AfterLogin, _) => "after the login that is under way".into(),
        (NextTry::AfterPassword, _) => "when you have given your password again: login".into(),
        (NextTry::WhenFound, _) => "when they are found: looking for them now".into(),
        (NextTry::WhenBack, _) => "when they are back".into(),
        (NextTry::AfterIntroduction, Addressee::Peer(peer)) => {
            format!("after another introduction: getaddress {peer}")
        }
        (NextTry::AfterIntroduction, Addressee::User(_) | Addressee::Everyone) => {
            "after another introduction".into()
        }
    }
}

#[cfg(test)]
mod tests;
