//! Tests of the intake.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

const CONN: ConnId = ConnId::Accepted(1);

fn operation(seq: Seq) -> Operation {
    Operation::Broadcast {
        text: alloc::format!("{}", seq.0).parse().unwrap(),
    }
}

fn submit(intake: &mut Intake, seq: u64) -> Submitted {
    intake.submit(Seq(seq), operation(Seq(seq)), CONN)
}

fn ready(intake: &mut Intake) -> Vec<u64> {
    core::iter::from_fn(|| intake.pop_ready())
        .map(|(seq, taken)| {
            assert_eq!(taken, operation(seq));
            seq.0
        })
        .collect()
}

#[test]
fn early_ones_wait_for_their_turn() {
    let mut intake = Intake::new(Seq(1));
    assert_eq!(submit(&mut intake, 3), Submitted::Waiting(None));
    assert_eq!(submit(&mut intake, 2), Submitted::Waiting(None));
    assert_eq!(ready(&mut intake), [0; 0]);
    assert_eq!(submit(&mut intake, 1), Submitted::Waiting(None));
    assert_eq!(ready(&mut intake), [1, 2, 3]);
}

#[test]
fn a_known_number_gets_its_outcome_again() {
    let mut intake = Intake::new(Seq(1));
    submit(&mut intake, 1);
    assert_eq!(ready(&mut intake), [1]);
    assert_eq!(
        submit(&mut intake, 1),
        Submitted::Waiting(Some(CONN)),
        "still undecided"
    );
    intake.resolve(Seq(1), Outcome::Stored);
    assert_eq!(submit(&mut intake, 1), Submitted::Answered(Outcome::Stored));
    assert_eq!(ready(&mut intake), [0; 0], "and is not done twice");
    intake.confirm_below(Seq(2));
    assert_eq!(submit(&mut intake, 1), Submitted::OutOfWindow);
}

#[test]
fn the_word_is_final() {
    let mut intake = Intake::new(Seq(1));
    submit(&mut intake, 1);
    let _ = intake.pop_ready();
    let resolved = intake.resolve(Seq(1), Outcome::Stored).unwrap();
    assert_eq!(resolved.waiting, Some(CONN));
    assert_eq!(intake.resolve(Seq(1), Outcome::Delivered), None);
}

#[test]
fn no_more_than_the_window_is_held() {
    let mut intake = Intake::new(Seq(10));
    assert_eq!(submit(&mut intake, 10 + SEQ_WINDOW), Submitted::OutOfWindow);
    assert_eq!(
        submit(&mut intake, 9 + SEQ_WINDOW),
        Submitted::Waiting(None)
    );
    assert_eq!(submit(&mut intake, u64::MAX), Submitted::OutOfWindow);
}

#[test]
fn what_is_held_is_forgotten_with_its_client_and_can_come_again() {
    let mut intake = Intake::new(Seq(1));
    submit(&mut intake, 2);
    intake.drop_held();
    submit(&mut intake, 1);
    assert_eq!(ready(&mut intake), [1]);
    intake.drop_held();
    assert_eq!(submit(&mut intake, 2), Submitted::Waiting(None));
    assert_eq!(ready(&mut intake), [2]);
}

#[test]
fn a_server_without_memory_goes_on_where_the_client_is() {
    let mut intake = Intake::new(Seq(40));
    assert_eq!(submit(&mut intake, 40), Submitted::Waiting(None));
    assert_eq!(ready(&mut intake), [40]);
    intake.confirm_below(Seq(50));
    assert_eq!(submit(&mut intake, 50), Submitted::Waiting(None));
    assert_eq!(ready(&mut intake), [50]);
}

#[test]
fn a_broadcast_is_final_when_every_copy_is() {
    let mut intake = Intake::new(Seq(1));
    submit(&mut intake, 1);
    let _ = intake.pop_ready();
    intake.count(Seq(1), 3, 1);
    assert_eq!(intake.resolve_copy(Seq(1), Fate::Delivered), None);
    assert_eq!(
        intake.resolve_copy(Seq(1), Fate::Discarded(Refusal::Blocked)),
        None
    );
    let last = intake.resolve_copy(Seq(1), Fate::Stored);
    let outcome = Outcome::Broadcast {
        delivered: 1,
        stored: 1,
        refused: 1,
    };
    assert_eq!(last.map(|last| last.outcome), Some(outcome));
}

proptest! {
    /// However numbers come, again and out of order: each is done once and in order, up to the first gap.
    #[test]
    fn each_is_done_once_and_in_order(
        numbers in prop::collection::vec(1u64..30, 0..120),
        confirmed in prop::collection::vec(0usize..120, 0..5),
    ) {
        let mut intake = Intake::new(Seq::FIRST);
        let mut done = Vec::new();
        let mut arrived = alloc::collections::BTreeSet::new();
        for (step, seq) in numbers.into_iter().enumerate() {
            submit(&mut intake, seq);
            arrived.insert(seq);
            for seq in ready(&mut intake) {
                intake.resolve(Seq(seq), Outcome::Done);
                done.push(seq);
            }
            if confirmed.contains(&step) {
                let lowest = done.last().map_or(1, |last| last + 1);
                intake.confirm_below(Seq(lowest));
            }
            let gap = (1..).find(|seq| !arrived.contains(seq)).unwrap_or(1);
            prop_assert_eq!(&done, &(1..gap).collect::<Vec<_>>());
            prop_assert!(u64::try_from(intake.slots.len()).unwrap() <= SEQ_WINDOW);
        }
    }
}

#[test]
fn what_an_earlier_life_answered_is_not_done_again() {
    let outcomes = [(Seq(2), Outcome::Stored), (Seq(3), Outcome::Done)];
    let mut intake = Intake::restored(Seq(1), outcomes);
    assert_eq!(submit(&mut intake, 2), Submitted::Answered(Outcome::Stored));
    assert_eq!(submit(&mut intake, 4), Submitted::Waiting(None));
    assert_eq!(ready(&mut intake), [0; 0], "the first is missing");
    assert_eq!(submit(&mut intake, 1), Submitted::Waiting(None));
    assert_eq!(ready(&mut intake), [1, 4]);
    assert_eq!(intake.outcomes().collect::<Vec<_>>(), outcomes);
}

/// Found by fuzzing: behind the last number there is none.
#[test]
fn the_last_number_there_is_is_taken_once_too() {
    let mut intake = Intake::new(Seq(u64::MAX));
    assert_eq!(submit(&mut intake, u64::MAX), Submitted::Waiting(None));
    assert_eq!(ready(&mut intake), [u64::MAX]);
    intake.resolve(Seq(u64::MAX), Outcome::Stored);
    let answered = Submitted::Answered(Outcome::Stored);
    assert_eq!(submit(&mut intake, u64::MAX), answered);
    assert_eq!(ready(&mut intake), [0; 0]);
    assert_eq!(submit(&mut intake, u64::MAX), answered);
}

#[test]
fn the_end_of_an_earlier_connection_takes_no_answer_from_the_one_that_waits() {
    let mut intake = Intake::new(Seq(1));
    let later = ConnId::Accepted(2);
    submit(&mut intake, 1);
    let _ = intake.pop_ready();
    let again = intake.submit(Seq(1), operation(Seq(1)), later);
    assert_eq!(again, Submitted::Waiting(Some(CONN)));
    intake.forget_connection(Seq(1), CONN);
    let resolved = intake.resolve(Seq(1), Outcome::Done).unwrap();
    assert_eq!(resolved.waiting, Some(later));
}

#[test]
fn nobody_is_answered_on_a_connection_that_is_gone() {
    let mut intake = Intake::new(Seq(1));
    submit(&mut intake, 1);
    let _ = intake.pop_ready();
    intake.forget_connection(Seq(1), CONN);
    let resolved = intake.resolve(Seq(1), Outcome::Done).unwrap();
    assert_eq!(resolved.waiting, None);
}

#[test]
fn what_was_put_off_keeps_its_number_and_what_was_done_its_outcome() {
    let mut intake = Intake::new(Seq(1));
    for seq in [1, 2, 3, 5] {
        submit(&mut intake, seq);
    }
    assert_eq!(intake.pop_ready().map(|(seq, _)| seq), Some(Seq(1)));
    let waiting = Some(CONN);
    assert_eq!(
        intake.put_off(),
        [(Seq(2), waiting), (Seq(3), waiting), (Seq(5), waiting)]
    );
    assert_eq!(intake.ready(), None);
    submit(&mut intake, 3);
    assert_eq!(intake.ready(), None, "3 does not come before 2");
    submit(&mut intake, 2);
    let done: Vec<_> = core::iter::from_fn(|| intake.pop_ready()).collect();
    assert_eq!(
        done.iter().map(|(seq, _)| seq.0).collect::<Vec<_>>(),
        [2, 3]
    );
    let resolved = intake.resolve(Seq(1), Outcome::Done).unwrap();
    assert_eq!(resolved.waiting, waiting);
}
