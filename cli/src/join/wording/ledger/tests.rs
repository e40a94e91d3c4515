//! What is said of messages, as snapshots.

use simplechat_core::client::ledger::MessageNumber;
use simplechat_core::machine::ConnectFailure;
use simplechat_core::name::Name;
use simplechat_core::wire::request::Refusal;

use super::super::tests::{NOW, clock, name};
use super::*;

/// Attempts, a second after each other.
fn entry(to: Addressee, state: MessageState, results: &[(Route, AttemptResult)]) -> Entry {
    let at = (0_u64..).map(|second| simplechat_core::time::WallTime(NOW.0 + 1_000 * second));
    let attempts = at
        .zip(results)
        .map(|(at, &(route, result))| Attempt { at, route, result });
    Entry {
        number: MessageNumber(3),
        to,
        written: NOW,
        state,
        earlier: 0,
        attempts: attempts.collect(),
        next: None,
    }
}

fn bob() -> Name {
    name("bob")
}

fn said(entries: &[Entry]) -> String {
    let said: Vec<_> = entries.iter().map(|entry| say(entry, &clock())).collect();
    said.join("\n")
}

const STORED: MessageState = MessageState::Stored;
const DELIVERED: MessageState = MessageState::Delivered;

#[test]
fn a_message_on_its_way() {
    let failed = |failure| (Route::Server, AttemptResult::NotConnected(failure));
    let waiting = entry(
        Addressee::User(bob()),
        MessageState::Waiting,
        &[
            failed(ConnectFailure::TimedOut),
            (Route::Server, AttemptResult::ConnectionLost),
            (Route::Server, AttemptResult::SessionOver),
            (Route::HeldLink, AttemptResult::Undecided),
            (Route::Server, AttemptResult::Later),
        ],
    );
    let under_way = entry(
        Addressee::User(bob()),
        MessageState::Waiting,
        &[(Route::Server, AttemptResult::UnderWay)],
    );
    insta::assert_snapshot!(said(&[
        Entry {
            earlier: 12,
            next: Some(NextTry::In { seconds: 4 }),
            ..waiting
        },
        under_way,
    ]));
}

#[test]
fn what_became_of_messages() {
    let to = Addressee::User(bob());
    let settled = |state| (Route::Server, AttemptResult::Settled(state));
    let refused = MessageState::Refused(Refusal::Blocked);
    let reached = MessageState::Broadcast {
        delivered: 2,
        stored: 1,
        refused: 0,
    };
    insta::assert_snapshot!(said(&[
        entry(to, DELIVERED, &[settled(STORED), settled(DELIVERED)]),
        entry(to, STORED, &[settled(STORED)]),
        entry(to, refused, &[settled(refused)]),
        entry(Addressee::Everyone, reached, &[settled(reached)]),
    ]));
}

#[test]
fn private_messages() {
    let to = Addressee::Peer(bob());
    let direct = |result| (Route::Direct, result);
    let waiting = entry(
        to,
        MessageState::Waiting,
        &[
            direct(AttemptResult::NotFound),
            direct(AttemptResult::NotConnected(ConnectFailure::Refused)),
        ],
    );
    let given_up = MessageState::GivenUp;
    let mailed = (Route::Mail, AttemptResult::Settled(STORED));
    insta::assert_snapshot!(said(&[
        waiting,
        entry(to, STORED, &[direct(AttemptResult::NotFound), mailed]),
        entry(to, DELIVERED, &[direct(AttemptResult::Settled(DELIVERED))]),
        entry(to, given_up, &[direct(AttemptResult::Settled(given_up))]),
    ]));
}

#[test]
fn what_a_message_waits_for() {
    let all = [
        NextTry::In { seconds: 1 },
        NextTry::AfterStored,
        NextTry::InTurn,
        NextTry::AfterLogin,
        NextTry::AfterPassword,
        NextTry::WhenFound,
        NextTry::WhenBack,
        NextTry::AfterIntroduction,
    ];
    let entries = all.map(|next| Entry {
        next: Some(next),
        ..entry(Addressee::Peer(bob()), MessageState::Waiting, &[])
    });
    insta::assert_snapshot!(said(&entries));
}
