//! The questions that others ask the user: which are open, and when a bare `y` or `n` is clear enough.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::command::Rejected;
use crate::limits::QUESTIONS_MAX;
use crate::name::Name;
use crate::time::Timestamp;

/// A bare answer counts only when its question has been on the screen for this long.
const READ_FOR: Duration = Duration::from_secs(1);
/// A bare answer counts only when no other question came or went for this long: it may be meant for that one.
const QUIET_FOR: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Question {
    shown: Option<Timestamp>,
}

/// The open questions.
#[derive(Debug, Default)]
pub(super) struct Questions {
    open: BTreeMap<Name, Question>,
    /// Which came or went lately.
    changes: Vec<(Name, Timestamp)>,
}

impl Questions {
    /// Somebody asks. Whether that is news.
    pub(super) fn open(&mut self, now: Timestamp, by: Name) -> bool {
        if self.open.contains_key(&by) || self.open.len() >= QUESTIONS_MAX {
            return false;
        }
        self.open.insert(by, Question { shown: None });
        self.changed(now, by);
        true
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn is_open(&self, by: Name) -> bool {
        self.open.contains_key(&by)
    }

    /// The question is on the screen.
    pub(super) fn shown(&mut self, now: Timestamp, by: Name) {
        if let Some(question) = self.open.get_mut(&by) {
            question.shown.get_or_insert(now);
        }
    }

    /// A question is open no more: whether it was.
    pub(super) fn close(&mut self, now: Timestamp, by: Name) -> bool {
        let was_open = self.open.remove(&by).is_some();
        if was_open {
            self.changed(now, by);
        }
        was_open
    }

    /// Whose question a bare answer is for, if that is beyond doubt.
    pub(super) fn beyond_doubt(&self, now: Timestamp) -> Result<Name, Rejected> {
        let mut open = self.open.iter();
        let (name, question) = open.next().ok_or(Rejected::NoQuestions)?;
        let is_read = question
            .shown
            .is_some_and(|shown| now.since(shown) >= READ_FOR);
        let others_quiet = self
            .changes
            .iter()
            .all(|(other, at)| other == name || now.since(*at) >= QUIET_FOR);
        if open.next().is_none() && is_read && others_quiet {
            Ok(*name)
        } else {
            Err(Rejected::WhichQuestion(self.open.keys().copied().collect()))
        }
    }

    fn changed(&mut self, now: Timestamp, name: Name) {
        self.changes.retain(|(_, at)| now.since(*at) < QUIET_FOR);
        if self.changes.len() >= 4 * QUESTIONS_MAX {
            self.changes.remove(0);
        }
        self.changes.push((name, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn asked(by: &str, at_millis: u64) -> Questions {
        let mut questions = Questions::default();
        assert!(questions.open(at(at_millis), name(by)));
        questions.shown(at(at_millis), name(by));
        questions
    }

    #[test]
    fn a_bare_answer_needs_a_second_on_the_screen() {
        let mut questions = Questions::default();
        questions.open(at(0), name("bob"));
        assert!(questions.beyond_doubt(at(9_000)).is_err(), "never shown");
        questions.shown(at(9_000), name("bob"));
        assert!(questions.beyond_doubt(at(9_999)).is_err());
        assert_eq!(questions.beyond_doubt(at(10_000)), Ok(name("bob")));
    }

    #[test]
    fn two_open_questions_leave_doubt() {
        let mut questions = asked("bob", 0);
        questions.open(at(0), name("carol"));
        questions.shown(at(0), name("carol"));
        assert_eq!(
            questions.beyond_doubt(at(60_000)),
            Err(Rejected::WhichQuestion([name("bob"), name("carol")].into()))
        );
    }

    #[test]
    fn another_question_that_just_went_leaves_doubt_for_five_seconds() {
        let mut questions = asked("bob", 0);
        questions.open(at(10_000), name("carol"));
        questions.close(at(11_000), name("carol"));
        assert!(questions.beyond_doubt(at(15_999)).is_err());
        assert_eq!(questions.beyond_doubt(at(16_000)), Ok(name("bob")));
    }

    #[test]
    fn without_a_question_there_is_nothing_to_answer() {
        let mut questions = asked("bob", 0);
        assert!(questions.close(at(1), name("bob")));
        assert!(!questions.close(at(2), name("bob")));
        assert_eq!(
            questions.beyond_doubt(at(9_000)),
            Err(Rejected::NoQuestions)
        );
    }

    #[test]
    fn open_questions_are_bounded() {
        let mut questions = Questions::default();
        for number in 0..QUESTIONS_MAX {
            assert!(questions.open(at(0), name(&alloc::format!("user{number}"))));
        }
        assert!(!questions.open(at(0), name("onemore")));
    }

    #[test]
    fn a_change_is_not_forgotten_for_the_next_one() {
        let mut questions = asked("carol", 0);
        questions.close(at(10_000), name("carol"));
        questions.open(at(11_000), name("bob"));
        questions.shown(at(11_000), name("bob"));
        assert!(questions.beyond_doubt(at(14_999)).is_err(), "carol's went");
        assert_eq!(questions.beyond_doubt(at(15_000)), Ok(name("bob")));
    }
}
