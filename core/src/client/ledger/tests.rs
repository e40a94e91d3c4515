//! Tests of the ledger: what the virtual world does not bring about in a given order.

use super::*;

const A: ConnId = ConnId::Dialled(1);
const B: ConnId = ConnId::Dialled(2);
const NOW: WallTime = WallTime(9);

fn bob() -> Name {
    "bob".parse().unwrap()
}

const fn operation(seq: u64) -> Key {
    Key::Operation(Seq(seq))
}

fn with_message() -> Ledger {
    let mut ledger = Ledger::new();
    ledger.written(operation(1), Addressee::User(bob()), NOW);
    ledger
}

fn last(ledger: &Ledger) -> (MessageState, Vec<AttemptResult>) {
    let (_, entry) = ledger.look_up(None).unwrap();
    let results = entry.attempts.iter().map(|attempt| attempt.result);
    (entry.state, results.collect())
}

const DELIVERED: AttemptResult = AttemptResult::Settled(MessageState::Delivered);

#[test]
fn the_first_word_counts() {
    let mut ledger = with_message();
    ledger.sent(operation(1), NOW, Route::Server, A);
    ledger.answered(operation(1), NOW, Outcome::Delivered);
    ledger.answered(operation(1), NOW, Outcome::Stored);
    ledger.sent(operation(1), NOW, Route::Server, B);
    ledger.lost(B, AttemptResult::ConnectionLost);
    assert_eq!(
        last(&ledger),
        (MessageState::Delivered, [DELIVERED].to_vec())
    );
}

#[test]
fn that_it_has_arrived_may_be_heard_before_that_it_was_kept() {
    let mut ledger = with_message();
    ledger.sent(operation(1), NOW, Route::Server, A);
    ledger.arrived(operation(1), NOW);
    ledger.answered(operation(1), NOW, Outcome::Stored);
    assert_eq!(
        last(&ledger),
        (MessageState::Delivered, [DELIVERED].to_vec())
    );
}

#[test]
fn what_an_old_connection_says_is_not_about_the_new_one() {
    let mut ledger = with_message();
    ledger.sent(operation(1), NOW, Route::Server, A);
    ledger.session_over();
    ledger.sent(operation(1), NOW, Route::HeldLink, B);
    ledger.lost(A, AttemptResult::ConnectionLost);
    ledger.put_off(operation(1), A);
    let expected = [AttemptResult::SessionOver, AttemptResult::UnderWay];
    assert_eq!(last(&ledger), (MessageState::Waiting, expected.to_vec()));
}

#[test]
fn an_answer_counts_when_its_connection_was_given_up() {
    let mut ledger = with_message();
    ledger.sent(operation(1), NOW, Route::Server, A);
    ledger.lost(A, AttemptResult::ConnectionLost);
    ledger.answered(operation(1), NOW, Outcome::Stored);
    let expected = [
        AttemptResult::ConnectionLost,
        AttemptResult::Settled(MessageState::Stored),
    ];
    assert_eq!(last(&ledger), (MessageState::Stored, expected.to_vec()));
}

#[test]
fn a_peer_has_what_was_for_them_and_no_later_one() {
    let mut ledger = Ledger::new();
    let carol = "carol".parse().unwrap();
    for (seq, peer) in [(1, carol), (2, bob()), (3, bob())] {
        ledger.written(Key::Private(Seq(seq)), Addressee::Peer(peer), NOW);
    }
    ledger.sent_to_peer(bob(), Seq(2), NOW, Route::Direct, A);
    ledger.not_found(bob(), NOW);
    ledger.taken(bob(), Seq(2), NOW);
    ledger.given_up(bob());
    let state = |number| {
        let (_, entry) = ledger.look_up(Some(MessageNumber(number))).unwrap();
        (entry.state, entry.attempts.len())
    };
    assert_eq!(state(1), (MessageState::Waiting, 0));
    assert_eq!(state(2), (MessageState::Delivered, 1));
    assert_eq!(state(3), (MessageState::GivenUp, 1));
}

#[test]
fn what_is_forgotten_is_not_written_on() {
    let mut ledger = Ledger::new();
    for seq in 0..=u64::try_from(LEDGER_MAX).unwrap() {
        ledger.written(operation(seq), Addressee::Everyone, NOW);
    }
    assert_eq!(
        (ledger.len(), ledger.numbers.len()),
        (LEDGER_MAX, LEDGER_MAX)
    );
    ledger.answered(operation(0), NOW, Outcome::Stored);
    assert_eq!(ledger.number(operation(0)), None);
    let (_, oldest) = ledger.look_up(Some(MessageNumber(2))).unwrap();
    assert_eq!(oldest.state, MessageState::Waiting);
}

#[test]
fn the_latest_attempts_are_listed() {
    let mut ledger = with_message();
    for number in 0..20 {
        let conn = ConnId::Dialled(number);
        ledger.sent(operation(1), WallTime(number), Route::Server, conn);
    }
    let (_, entry) = ledger.look_up(None).unwrap();
    assert_eq!(entry.attempts.len(), LEDGER_ATTEMPTS_MAX);
    assert_eq!(entry.earlier, 4);
    assert_eq!(
        entry.attempts.first().map(|first| first.at),
        Some(WallTime(4))
    );
}
