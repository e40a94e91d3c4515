//! Tests of the introductions.

use proptest::prelude::*;

use super::*;

const TERM: Term = Term::UntilLogout;
const ID: IntroductionId = IntroductionId([1; 16]);
const EXPIRY: Duration = Duration::from_secs(120);
const ALICE: AccountId = AccountId(1);
const BOB: AccountId = AccountId(2);

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn pair(asker: AccountId, asked: AccountId) -> Pair {
    Pair { asked, asker }
}

fn introductions() -> Introductions {
    Introductions::new(EXPIRY)
}

#[test]
fn a_question_is_answered_once() {
    let mut all = introductions();
    let question = pair(ALICE, BOB);
    assert_eq!(
        all.ask(at(0), question, QuestionState::Shown, TERM),
        Asked::Open(QuestionState::Shown)
    );
    assert_eq!(
        all.ask(at(0), question, QuestionState::Shown, TERM),
        Asked::Already
    );
    assert_eq!(all.answer(question), Some(TERM));
    assert_eq!(all.answer(question), None);
    assert_eq!(all.answer(pair(BOB, ALICE)), None, "nobody asked that");
    assert_eq!(all.next_deadline(), None);
}

#[test]
fn a_question_that_nobody_answers_expires() {
    let mut all = introductions();
    all.ask(at(5), pair(ALICE, BOB), QuestionState::Hidden, TERM);
    assert_eq!(all.pop_expired(at(125) - Duration::from_micros(1)), None);
    assert_eq!(
        all.pop_expired(at(125)),
        Some((pair(ALICE, BOB), QuestionState::Hidden))
    );
    assert_eq!(all.pop_expired(at(999)), None);
}

#[test]
fn a_hidden_question_cannot_be_answered_and_looks_open_to_its_asker() {
    let mut all = introductions();
    all.ask(at(0), pair(ALICE, BOB), QuestionState::Shown, TERM);
    all.hide(pair(ALICE, BOB));
    assert_eq!(all.answer(pair(ALICE, BOB)), None);
    assert_eq!(all.open_for(BOB).count(), 0);
    assert_eq!(
        all.ask(at(1), pair(ALICE, BOB), QuestionState::Shown, TERM),
        Asked::Already
    );
}

#[test]
fn crossing_questions_are_a_yes_from_both() {
    let mut all = introductions();
    all.ask(at(0), pair(ALICE, BOB), QuestionState::Shown, TERM);
    assert_eq!(
        all.ask(at(1), pair(BOB, ALICE), QuestionState::Shown, TERM),
        Asked::Crossed(TERM)
    );
    assert_eq!(all.next_deadline(), None, "both questions are closed");
}

#[test]
fn an_asker_who_goes_takes_the_questions_along() {
    let mut all = introductions();
    all.ask(at(0), pair(ALICE, BOB), QuestionState::Shown, TERM);
    all.ask(
        at(0),
        pair(ALICE, AccountId(3)),
        QuestionState::Hidden,
        TERM,
    );
    assert_eq!(
        all.withdraw_all_of(ALICE),
        [
            (BOB, QuestionState::Shown),
            (AccountId(3), QuestionState::Hidden)
        ]
    );
}

#[test]
fn open_questions_are_bounded_on_both_sides() {
    let mut all = introductions();
    let others = 10..10 + u32::try_from(QUESTIONS_MAX).unwrap();
    for other in others.map(AccountId) {
        all.ask(at(0), pair(ALICE, other), QuestionState::Shown, TERM);
        all.ask(at(0), pair(other, BOB), QuestionState::Shown, TERM);
    }
    assert_eq!(
        all.ask(at(0), pair(ALICE, BOB), QuestionState::Shown, TERM),
        Asked::TooMany
    );
    assert_eq!(
        all.ask(at(0), pair(AccountId(5), BOB), QuestionState::Shown, TERM),
        Asked::Open(QuestionState::Hidden),
        "one too many for bob looks like no answer"
    );
    assert_eq!(all.open_for(BOB).count(), QUESTIONS_MAX);
}

#[test]
fn introductions_end_on_both_sides() {
    let mut all = introductions();
    all.introduce(ALICE, BOB, ID, TERM);
    all.introduce(AccountId(3), ALICE, ID, TERM);
    assert_eq!(all.peers_of(BOB).collect::<Vec<_>>(), [ALICE]);
    assert_eq!(all.end(BOB, ALICE), Some(ID));
    assert_eq!(all.end(ALICE, BOB), None);
    assert_eq!(all.end_up_to(ALICE, TERM), [AccountId(3)]);
    assert_eq!(all.peers_of(AccountId(3)).count(), 0);
}

#[test]
fn introductions_in_force_are_bounded() {
    let mut all = introductions();
    let peers = 10..10 + u32::try_from(INTRODUCTIONS_MAX).unwrap();
    for peer in peers.map(AccountId) {
        assert!(all.has_room(ALICE), "{peer:?}");
        all.introduce(ALICE, peer, ID, TERM);
    }
    assert!(!all.has_room(ALICE));
    assert!(all.has_room(AccountId(10)), "her peers have room");
    assert_eq!(all.in_force(), 2 * INTRODUCTIONS_MAX, "from both sides");
    all.end(AccountId(10), ALICE);
    assert!(all.has_room(ALICE));
    // What she has asked for is hers once the others say yes, also all at once.
    let pair = Pair {
        asked: AccountId(10),
        asker: ALICE,
    };
    let asked = all.ask(
        Timestamp::ZERO,
        pair,
        QuestionState::Shown,
        Term::UntilLogout,
    );
    assert_eq!(asked, Asked::Open(QuestionState::Shown));
    assert!(!all.has_room(ALICE));
    assert!(all.withdraw(pair).is_some());
    assert!(all.has_room(ALICE));
    all.open(
        pair.crossing(),
        QuestionState::Agreed,
        Term::UntilLogout,
        Timestamp::ZERO,
    );
    assert!(!all.has_room(ALICE));
}

#[test]
fn it_is_lasting_only_if_both_chose_it() {
    use Term::{Lasting, UntilLogout};
    for (asker, asked, both) in [
        (Lasting, Lasting, Lasting),
        (Lasting, UntilLogout, UntilLogout),
        (UntilLogout, Lasting, UntilLogout),
    ] {
        let mut all = introductions();
        all.ask(at(0), pair(ALICE, BOB), QuestionState::Shown, asker);
        let crossing = all.ask(at(1), pair(BOB, ALICE), QuestionState::Shown, asked);
        assert_eq!(crossing, Asked::Crossed(both));
    }
}

#[test]
fn a_lasting_one_outlives_a_logout() {
    let mut all = introductions();
    all.introduce(ALICE, BOB, ID, Term::Lasting);
    all.introduce(ALICE, AccountId(3), ID, Term::UntilLogout);
    let ended = all.end_up_to(ALICE, Term::UntilLogout);
    assert_eq!(ended, [AccountId(3)]);
    assert_eq!(all.peers_of(BOB).collect::<Vec<_>>(), [ALICE]);
    let ended = all.end_up_to(ALICE, Term::Lasting);
    assert_eq!(ended, [BOB]);
    assert_eq!(all.in_force(), 0);
}

#[test]
fn another_client_of_a_user_holds_nothing_until_it_says_so() {
    let mut all = introductions();
    all.introduce(ALICE, BOB, ID, Term::Lasting);
    all.restore(ALICE, AccountId(3), ID, Term::Lasting);
    assert!(all.is_held(ALICE, BOB) && all.is_held(BOB, ALICE));
    assert!(!all.is_held(AccountId(3), ALICE), "not known yet");
    assert_eq!(all.let_go(ALICE), [BOB], "of whose client it is known");
    assert!(!all.is_held(ALICE, BOB) && all.is_held(BOB, ALICE));
    all.hold(ALICE, BOB);
    assert!(all.is_held(ALICE, BOB));
}

proptest! {
    /// Whatever is asked, answered, hidden and withdrawn: nobody is introduced without both having asked or answered,
    /// each question is open once, and none outlives its time.
    #[test]
    fn consent_comes_first(
        steps in prop::collection::vec((0u8..6, 0u32..4, 0u32..4, 0u64..50), 1..120),
    ) {
        let mut all = introductions();
        let mut model: BTreeMap<Pair, (QuestionState, Timestamp)> = BTreeMap::new();
        let mut now = at(0);
        for (action, a, b, passes) in steps {
            now = now + Duration::from_secs(passes);
            while let Some((pair, state)) = all.pop_expired(now) {
                let (expected, expires) = model.remove(&pair).unwrap();
                prop_assert_eq!(state, expected);
                prop_assert!(expires <= now);
            }
            prop_assert!(model.values().all(|(_, expires)| *expires > now));
            if a == b {
                continue;
            }
            let question = pair(AccountId(a), AccountId(b));
            let crossing = pair(AccountId(b), AccountId(a));
            match action {
                0 | 1 => {
                    let state = if action == 0 { QuestionState::Shown } else { QuestionState::Hidden };
                    let is_crossed = model.remove(&crossing).is_some();
                    let is_open = model.contains_key(&question);
                    if !is_crossed && !is_open {
                        model.insert(question, (state, now + EXPIRY));
                    }
                    let expected = match (is_crossed, is_open) {
                        (true, _) => Asked::Crossed(TERM),
                        (false, true) => Asked::Already,
                        (false, false) => Asked::Open(state),
                    };
                    prop_assert_eq!(all.ask(now, question, state, TERM), expected);
                }
                2 => {
                    let open = model.get(&question).is_some_and(|(state, _)| *state == QuestionState::Shown);
                    if open {
                        model.remove(&question);
                    }
                    prop_assert_eq!(all.answer(question).is_some(), open);
                }
                3 => {
                    all.hide(question);
                    model.entry(question).and_modify(|open| open.0 = QuestionState::Hidden);
                }
                4 => {
                    let state = model.remove(&question).map(|(state, _)| state);
                    prop_assert_eq!(all.withdraw(question), state);
                }
                _ => {
                    all.withdraw_all_of(AccountId(a));
                    model.retain(|pair, _| pair.asker != AccountId(a));
                }
            }
            let open: Vec<_> = all.open_for(AccountId(b)).map(|(asker, ..)| asker).collect();
            let expected: Vec<_> = model
                .iter()
                .filter(|(pair, open)| pair.asked == AccountId(b) && open.0 == QuestionState::Shown)
                .map(|(pair, _)| pair.asker)
                .collect();
            prop_assert_eq!(open, expected);
        }
    }
}
