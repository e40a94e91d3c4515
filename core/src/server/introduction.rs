//! Introductions: the handshake by which two users learn each other's address, which needs the yes of both.
//!
//! One asks, the other answers; two questions that cross are a yes from both. A question that nobody answers expires for
//! both sides. One that its addressee may not see is *hidden*: it stays open and expires like any other, so that the
//! asker cannot tell someone silent from someone who is away or has blacklisted them.
//!
//! An introduction is *lasting* if both chose that: it outlives logouts and logins from other clients, and so the client that has
//! it in its address book may not be the one that is logged in.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use super::AccountId;
use super::record::QuestionState;
use crate::id::IntroductionId;
use crate::limits::{INTRODUCTIONS_MAX, QUESTIONS_MAX};
use crate::time::Timestamp;
use crate::timers::Timers;
use crate::wire::Term;

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
    /// The other had asked too: both have said yes, to so much.
    Crossed(Term),
    /// It was open already.
    Already,
    /// The asker has too many open.
    TooMany,
}

#[derive(Debug)]
struct Question {
    state: QuestionState,
    term: Term,
    expires: Timestamp,
}

/// What one user has of an introduction that is in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct InForce {
    pub(super) id: IntroductionId,
    pub(super) term: Term,
    /// Whether the user's latest client is known to have it.
    is_held: bool,
}

/// The open questions, and the introductions in force.
#[derive(Debug)]
pub(super) struct Introductions {
    expiry: Duration,
    questions: BTreeMap<Pair, Question>,
    by_asker: BTreeSet<(AccountId, AccountId)>,
    deadlines: Timers<Pair>,
    /// Both directions of each pair.
    in_force: BTreeMap<(AccountId, AccountId), InForce>,
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
            in_force: BTreeMap::new(),
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

    /// All open questions: how each stands, for how long the two would know each other, and until when it is open.
    pub(super) fn all_questions(
        &self,
    ) -> impl Iterator<Item = (Pair, QuestionState, Term, Timestamp)> {
        self.questions
            .iter()
            .map(|(pair, question)| (*pair, question.state, question.term, question.expires))
    }

    /// All introductions in force, from both sides.
    pub(super) fn all_in_force(&self) -> impl Iterator<Item = (AccountId, AccountId, InForce)> {
        self.in_force
            .iter()
            .map(|((user, peer), in_force)| (*user, *peer, *in_force))
    }

    /// One user asks another, who may be shown it or not.
    pub(super) fn ask(
        &mut self,
        now: Timestamp,
        pair: Pair,
        state: QuestionState,
        term: Term,
    ) -> Asked {
        if let Some(crossing) = self.remove(pair.crossing()) {
            return Asked::Crossed(term.agreed(crossing.term));
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
        self.open(pair, state, term, expires);
        Asked::Open(state)
    }

    /// A question is open until it is answered or that time has come.
    pub(super) fn open(
        &mut self,
        pair: Pair,
        state: QuestionState,
        term: Term,
        expires: Timestamp,
    ) {
        let question = Question {
            state,
            term,
            expires,
        };
        self.questions.insert(pair, question);
        self.by_asker.insert((pair.asker, pair.asked));
        self.deadlines.set(pair, expires);
    }

    /// The questions that concern a user and that both have said yes to, and to how much.
    pub(super) fn agreed_with(&self, account: AccountId) -> Vec<(Pair, Term)> {
        let asked_by = self.by_asker.range(all_of(account));
        let own = asked_by.map(|(asker, asked)| Pair {
            asked: *asked,
            asker: *asker,
        });
        own.chain(self.asked_of(account).map(|(pair, _)| pair))
            .filter_map(|pair| {
                let question = self.questions.get(&pair)?;
                (question.state == QuestionState::Agreed).then_some((pair, question.term))
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

    /// The addressee answers. Gives what the asker had chosen, if there was such a question to answer.
    pub(super) fn answer(&mut self, pair: Pair) -> Option<Term> {
        let is_shown = self
            .questions
            .get(&pair)
            .is_some_and(|question| question.state == QuestionState::Shown);
        let question = is_shown.then(|| self.remove(pair))??;
        Some(question.term)
    }

    /// The addressee has blacklisted the asker: the question stays open for the asker alone.
    pub(super) fn hide(&mut self, pair: Pair) {
        if let Some(question) = self.questions.get_mut(&pair) {
            question.state = QuestionState::Hidden;
        }
    }

    /// The asker takes a question back. Gives whether its addressee had been shown it.
    pub(super) fn withdraw(&mut self, pair: Pair) -> Option<QuestionState> {
        Some(self.remove(pair)?.state)
    }

    /// The asker is gone: takes back all their questions, and gives whom they had asked and who had been shown it.
    pub(super) fn withdraw_all_of(&mut self, asker: AccountId) -> Vec<(AccountId, QuestionState)> {
        let all: Vec<_> = self.by_asker.range(all_of(asker)).copied().collect();
        let mut withdrawn = Vec::new();
        for (asker, asked) in all {
            let question = self.remove(Pair { asked, asker });
            withdrawn.extend(question.map(|question| (asked, question.state)));
        }
        withdrawn
    }

    /// The addressee is gone: takes back all questions to them, and gives who had asked and how each stood.
    pub(super) fn withdraw_all_to(&mut self, asked: AccountId) -> Vec<(AccountId, QuestionState)> {
        let all: Vec<_> = self.asked_of(asked).map(|(pair, _)| pair).collect();
        let mut withdrawn = Vec::new();
        for pair in all {
            let question = self.remove(pair);
            withdrawn.extend(question.map(|question| (pair.asker, question.state)));
        }
        withdrawn
    }

    /// The questions that a user is shown: who asks for how much, and until when it may be answered.
    pub(super) fn open_for(
        &self,
        asked: AccountId,
    ) -> impl Iterator<Item = (AccountId, Term, Timestamp)> {
        self.asked_of(asked)
            .filter(|(_, question)| question.state == QuestionState::Shown)
            .map(|(pair, question)| (pair.asker, question.term, question.expires))
    }

    /// When to call [`Self::pop_expired`] next.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.next().map(|(at, _)| at)
    }

    /// Takes out one question that nobody answered in time.
    pub(super) fn pop_expired(&mut self, now: Timestamp) -> Option<(Pair, QuestionState)> {
        let pair = self.deadlines.pop_due(now)?;
        let question = self.remove(pair)?;
        Some((pair, question.state))
    }

    fn remove(&mut self, pair: Pair) -> Option<Question> {
        let question = self.questions.remove(&pair)?;
        self.by_asker.remove(&(pair.asker, pair.asked));
        self.deadlines.cancel(pair);
        Some(question)
    }

    /// Whether a user may have another introduction, if all comes of those that they have asked for or agreed to.
    pub(super) fn has_room(&self, account: AccountId) -> bool {
        let is_agreed = |(_, question): &(Pair, &Question)| question.state == QuestionState::Agreed;
        let agreed = self.asked_of(account).filter(is_agreed).count();
        let asked = self.by_asker.range(all_of(account)).count();
        self.in_force.range(all_of(account)).count() + asked + agreed < INTRODUCTIONS_MAX
    }

    /// Both said yes: they are peers from now on, under these keys in place of any that they had.
    pub(super) fn introduce(&mut self, a: AccountId, b: AccountId, id: IntroductionId, term: Term) {
        let in_force = InForce {
            id,
            term,
            is_held: true,
        };
        self.in_force
            .extend([((a, b), in_force), ((b, a), in_force)]);
    }

    /// What an earlier server had introduced: their clients will say whether they have it.
    pub(super) fn restore(&mut self, a: AccountId, b: AccountId, id: IntroductionId, term: Term) {
        self.introduce(a, b, id, term);
        self.set_held(a, b, false);
        self.set_held(b, a, false);
    }

    /// What a user has with another.
    pub(super) fn get(&self, user: AccountId, peer: AccountId) -> Option<InForce> {
        self.in_force.get(&(user, peer)).copied()
    }

    /// A user's client says that it has the introduction to a peer.
    pub(super) fn hold(&mut self, user: AccountId, peer: AccountId) {
        self.set_held(user, peer, true);
    }

    /// A user's client is another one, which may have none of the introductions. Gives the peers whose clients have them.
    pub(super) fn let_go(&mut self, user: AccountId) -> Vec<AccountId> {
        let peers: Vec<_> = self.peers_of(user).collect();
        for peer in &peers {
            self.set_held(user, *peer, false);
        }
        peers
            .into_iter()
            .filter(|peer| self.is_held(*peer, user))
            .collect()
    }

    fn set_held(&mut self, user: AccountId, peer: AccountId, is_held: bool) {
        if let Some(in_force) = self.in_force.get_mut(&(user, peer)) {
            in_force.is_held = is_held;
        }
    }

    /// Whether the latest client of a user is known to have the introduction to a peer.
    pub(super) fn is_held(&self, user: AccountId, peer: AccountId) -> bool {
        self.get(user, peer)
            .is_some_and(|in_force| in_force.is_held)
    }

    /// Ends what is between two users: what it was.
    pub(super) fn end(&mut self, a: AccountId, b: AccountId) -> Option<IntroductionId> {
        self.in_force.remove(&(b, a));
        Some(self.in_force.remove(&(a, b))?.id)
    }

    /// Ends the introductions of a user that are for no longer than a term, and gives with whom they were.
    pub(super) fn end_up_to(&mut self, account: AccountId, term: Term) -> Vec<AccountId> {
        let of_account = self.in_force.range(all_of(account));
        let ended: Vec<_> = of_account
            .filter(|(_, in_force)| in_force.term <= term)
            .map(|((_, peer), _)| *peer)
            .collect();
        for peer in &ended {
            self.end(account, *peer);
        }
        ended
    }

    /// The peers of a user.
    pub(super) fn peers_of(&self, account: AccountId) -> impl Iterator<Item = AccountId> {
        self.in_force
            .range(all_of(account))
            .map(|((_, peer), _)| *peer)
    }
}

#[cfg(test)]
mod tests;
