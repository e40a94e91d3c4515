//! Introductions: the handshake by which two users learn each other's address, which needs the yes of both.
//!
//! One asks, the other answers; two questions that cross are a yes from both. A question that nobody answers expires for
//! both sides. One that its addressee may not see is *hidden*: it stays open and expires like any other, so that the
//! asker cannot tell someone silent from someone who is away or has blacklisted them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use super::AccountId;
use super::record::QuestionState;
use crate::limits::{INTRODUCTIONS_MAX, QUESTIONS_MAX};
use crate::time::Timestamp;
use crate::timers::Timers;

/// Who asked whom.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Pair {
    pub(super) asked: AccountId,
    pub(super) asker: AccountId,
}

impl Pair {
    /// The question the other way.
    pub(super) const fn crossing(self) -> Self {
        Self {
            asked: self.asker,
            asker: self.asked,
        }
    }
}

/// What became of a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// It is open.
    Open(QuestionState),
    /// The other had asked too: both have said yes.
    Crossed,
    /// It was open already.
    Already,
    /// The asker has too many open.
    TooMany,
}

#[derive(Debug)]
struct Question {
    state: QuestionState,
    expires: Timestamp,
}

/// The open questions, and the introductions in force.
#[derive(Debug)]
pub(super) struct Introductions {
    expiry: Duration,
    questions: BTreeMap<Pair, Question>,
    by_asker: BTreeSet<(AccountId, AccountId)>,
    deadlines: Timers<Pair>,
    /// Both directions of each pair.
    in_force: BTreeSet<(AccountId, AccountId)>,
}

fn all_of(account: AccountId) -> core::ops::RangeInclusive<(AccountId, AccountId)> {
    (account, AccountId(0))..=(account, AccountId(u32::MAX))
}

impl Introductions {
    pub(super) fn new(expiry: Duration) -> Self {
        Self {
            expiry,
            questions: BTreeMap::new(),
            by_asker: BTreeSet::new(),
            deadlines: Timers::default(),
            in_force: BTreeSet::new(),
        }
    }

    /// How many questions are open.
    pub(super) fn questions(&self) -> usize {
        self.questions.len()
    }

    /// How many introductions are in force, each counted from both sides.
    pub(super) fn in_force(&self) -> usize {
        self.in_force.len()
    }

    /// All open questions: how each stands, and until when.
    pub(super) fn all_questions(&self) -> impl Iterator<Item = (Pair, QuestionState, Timestamp)> {
        let row = |(pair, question): (&Pair, &Question)| (*pair, question.state, question.expires);
        self.questions.iter().map(row)
    }

    /// All introductions in force, from both sides.
    pub(super) fn all_in_force(&self) -> impl Iterator<Item = (AccountId, AccountId)> {
        self.in_force.iter().copied()
    }

    /// One user asks another, who may be shown it or not.
    pub(super) fn ask(&mut self, now: Timestamp, pair: Pair, state: QuestionState) -> Asked {
        if self.remove(pair.crossing()).is_some() {
            return Asked::Crossed;
        }
        if self.questions.contains_key(&pair) {
            return Asked::Already;
        }
        if self.by_asker.range(all_of(pair.asker)).count() >= QUESTIONS_MAX {
            return Asked::TooMany;
        }
        let state = if self.open_for(pair.asked).count() >= QUESTIONS_MAX {
            QuestionState::Hidden
        } else {
            state
        };
        let expires = now + self.expiry;
        self.open(pair, state, expires);
        Asked::Open(state)
    }

    /// A question is open until it is answered or that time has come.
    pub(super) fn open(&mut self, pair: Pair, state: QuestionState, expires: Timestamp) {
        let question = Question { state, expires };
        self.questions.insert(pair, question);
        self.by_asker.insert((pair.asker, pair.asked));
        self.deadlines.set(pair, expires);
    }

    /// The questions that concern a user and that both have said yes to.
    pub(super) fn agreed_with(&self, account: AccountId) -> Vec<Pair> {
        let asked_by = self.by_asker.range(all_of(account));
        let own = asked_by.map(|(asker, asked)| Pair {
            asked: *asked,
            asker: *asker,
        });
        own.chain(self.asked_of(account).map(|(pair, _)| pair))
            .filter(|pair| {
                self.questions
                    .get(pair)
                    .is_some_and(|question| question.state == QuestionState::Agreed)
            })
            .collect()
    }

    fn asked_of(&self, asked: AccountId) -> impl Iterator<Item = (Pair, &Question)> {
        let first = Pair {
            asked,
            asker: AccountId(0),
        };
        self.questions
            .range(first..)
            .take_while(move |(pair, _)| pair.asked == asked)
            .map(|(pair, question)| (*pair, question))
    }

    /// The addressee answers: whether there was such a question to answer.
    pub(super) fn answer(&mut self, pair: Pair) -> bool {
        let is_shown = self
            .questions
            .get(&pair)
            .is_some_and(|question| question.state == QuestionState::Shown);
        is_shown && self.remove(pair).is_some()
    }

    /// The addressee has blacklisted the asker: the question stays open for the asker alone.
    pub(super) fn hide(&mut self, pair: Pair) {
        if let Some(question) = self.questions.get_mut(&pair) {
            question.state = QuestionState::Hidden;
        }
    }

    /// The asker takes a question back. Gives whether its addressee had been shown it.
    pub(super) fn withdraw(&mut self, pair: Pair) -> Option<QuestionState> {
        self.remove(pair)
    }

    /// The asker is gone: takes back all their questions, and gives whom they had asked and who had been shown it.
    pub(super) fn withdraw_all_of(&mut self, asker: AccountId) -> Vec<(AccountId, QuestionState)> {
        let all: Vec<_> = self.by_asker.range(all_of(asker)).copied().collect();
        let mut withdrawn = Vec::new();
        for (asker, asked) in all {
            let state = self.remove(Pair { asked, asker });
            withdrawn.extend(state.map(|state| (asked, state)));
        }
        withdrawn
    }

    /// The addressee is gone: takes back all questions to them, and gives who had asked and how each stood.
    pub(super) fn withdraw_all_to(&mut self, asked: AccountId) -> Vec<(AccountId, QuestionState)> {
        let all: Vec<_> = self.asked_of(asked).map(|(pair, _)| pair).collect();
        let mut withdrawn = Vec::new();
        for pair in all {
            let state = self.remove(pair);
            withdrawn.extend(state.map(|state| (pair.asker, state)));
        }
        withdrawn
    }

    /// The questions that a user is shown: who asks, and until when it may be answered.
    pub(super) fn open_for(
        &self,
        asked: AccountId,
    ) -> impl Iterator<Item = (AccountId, Timestamp)> {
        self.asked_of(asked)
            .filter(|(_, question)| question.state == QuestionState::Shown)
            .map(|(pair, question)| (pair.asker, question.expires))
    }

    /// When to call [`Self::pop_expired`] next.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.next().map(|(at, _)| at)
    }

    /// Takes out one question that nobody answered in time.
    pub(super) fn pop_expired(&mut self, now: Timestamp) -> Option<(Pair, QuestionState)> {
        let pair = self.deadlines.pop_due(now)?;
        let state = self.remove(pair)?;
        Some((pair, state))
    }

    fn remove(&mut self, pair: Pair) -> Option<QuestionState> {
        let question = self.questions.remove(&pair)?;
        self.by_asker.remove(&(pair.asker, pair.asked));
        self.deadlines.cancel(pair);
        Some(question.state)
    }

    /// Whether a user may have another introduction, if all comes of those that they have asked for or agreed to.
    pub(super) fn has_room(&self, account: AccountId) -> bool {
        let is_agreed = |(_, question): &(Pair, &Question)| question.state == QuestionState::Agreed;
        let agreed = self.asked_of(account).filter(is_agreed).count();
        let asked = self.by_asker.range(all_of(account)).count();
        self.in_force.range(all_of(account)).count() + asked + agreed < INTRODUCTIONS_MAX
    }

    /// Both said yes: they are peers from now on, under these keys in place of any that they had.
    pub(super) fn introduce(&mut self, a: AccountId, b: AccountId) {
        self.in_force.extend([(a, b), (b, a)]);
    }

    /// Ends what is between two users: whether there was anything.
    pub(super) fn end(&mut self, a: AccountId, b: AccountId) -> bool {
        self.in_force.remove(&(b, a));
        self.in_force.remove(&(a, b))
    }

    /// Ends all introductions of a user, and gives with whom they were.
    pub(super) fn end_all_of(&mut self, account: AccountId) -> Vec<AccountId> {
        let all: Vec<_> = self.peers_of(account).collect();
        for peer in &all {
            self.end(account, *peer);
        }
        all
    }

    /// The peers of a user.
    pub(super) fn peers_of(&self, account: AccountId) -> impl Iterator<Item = AccountId> {
        self.in_force.range(all_of(account)).map(|(_, peer)| *peer)
    }
}

#[cfg(test)]
mod tests;
