//! Who agreed to exchange addresses with whom. A question is a yes of its asker's, for as long as it is open; an answer is
//! one of its author's. Two people may be introduced if there was a time at which both agreed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use simplechat_core::name::Name;
use simplechat_core::time::Timestamp;
use simplechat_core::wire::Term;
use simplechat_core::wire::request::Outcome;

use crate::world::ClientId;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Question,
    Answer,
}

/// One person's yes to another, from the wish until it cannot count any more.
#[derive(Clone, Copy, Debug)]
struct Yes {
    kind: Kind,
    from: Timestamp,
    until: Option<Timestamp>,
    /// When its author was told that the question is put.
    put: Option<Timestamp>,
}

impl Yes {
    fn meets(&self, other: &Self) -> bool {
        let is_before =
            |one: &Self, other: &Self| one.until.is_none_or(|until| other.from <= until);
        (self.kind == Kind::Question || other.kind == Kind::Question)
            && is_before(self, other)
            && is_before(other, self)
    }
}

/// All that people agreed to.
#[derive(Debug)]
pub struct Consents {
    expiry: Duration,
    said: BTreeMap<(Name, Name), Vec<Yes>>,
    /// Who ever chose that it should last, and with whom.
    lasting: BTreeSet<(Name, Name)>,
    agreed: BTreeSet<(Name, Name)>,
    introduced: BTreeMap<(ClientId, Name), usize>,
    servers_gone: usize,
}

impl Consents {
    pub(super) fn new(expiry: Duration) -> Self {
        Self {
            expiry,
            said: BTreeMap::new(),
            lasting: BTreeSet::new(),
            agreed: BTreeSet::new(),
            introduced: BTreeMap::new(),
            servers_gone: 0,
        }
    }

    fn say(&mut self, user: Name, other: Name, kind: Kind, from: Timestamp, term: Term) {
        if term == Term::Lasting {
            self.lasting.insert((user, other));
        }
        let yes = Yes {
            kind,
            from,
            until: None,
            put: None,
        };
        self.said.entry((user, other)).or_default().push(yes);
    }

    fn said(&self, user: Name, other: Name) -> &[Yes] {
        self.said
            .get(&(user, other))
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    fn meet(&self, user: Name, other: Name) -> bool {
        let back = self.said(other, user);
        self.said(user, other)
            .iter()
            .any(|yes| back.iter().any(|other| yes.meets(other)))
    }

    pub(super) fn ask(&mut self, at: Timestamp, user: Name, other: Name, term: Term) {
        self.say(user, other, Kind::Question, at, term);
    }

    pub(super) fn say_yes(&mut self, at: Timestamp, user: Name, asker: Name, term: Term) {
        self.say(user, asker, Kind::Answer, at, term);
    }

    /// The final word on a question: it is put, and expires; or it is not.
    pub(super) fn asked(
        &mut self,
        at: Timestamp,
        user: Name,
        other: Name,
        wished: Timestamp,
        outcome: Outcome,
    ) {
        let until = if outcome == Outcome::Asked {
            at + self.expiry
        } else {
            at
        };
        self.end(user, other, Kind::Question, wished, |yes| {
            yes.until = Some(until);
            yes.put = (outcome == Outcome::Asked).then_some(at);
            outcome == Outcome::Asked
        });
    }

    /// The final word on a yes.
    pub(super) fn said_yes(
        &mut self,
        at: Timestamp,
        user: Name,
        asker: Name,
        wished: Timestamp,
        outcome: Outcome,
    ) {
        self.end(user, asker, Kind::Answer, wished, |yes| {
            yes.until = Some(at);
            outcome == Outcome::Done
        });
    }

    /// The final word on a no: the question that it was said to is over.
    pub(super) fn said_no(
        &mut self,
        at: Timestamp,
        user: Name,
        asker: Name,
        wished: Timestamp,
        outcome: Outcome,
    ) {
        let asked = self.said.get_mut(&(asker, user));
        for yes in asked.into_iter().flatten() {
            if outcome == Outcome::Done && yes.put.is_some_and(|put| put <= wished) {
                yes.until = yes.until.map(|until| until.min(at));
            }
        }
    }

    fn end(
        &mut self,
        user: Name,
        other: Name,
        kind: Kind,
        wished: Timestamp,
        keep: impl Fn(&mut Yes) -> bool,
    ) {
        let Some(said) = self.said.get_mut(&(user, other)) else {
            return;
        };
        // Of two at once the first one has its word first.
        let place = said
            .iter()
            .position(|yes| yes.kind == kind && yes.from == wished && yes.until.is_none());
        if let Some(place) = place
            && !keep(&mut said[place])
        {
            said.remove(place);
        }
    }

    pub(super) fn introduced(&mut self, client: ClientId, user: Name, peer: Name) {
        self.agreed.insert((user.min(peer), user.max(peer)));
        *self.introduced.entry((client, peer)).or_default() += 1;
    }

    /// A server went, and may have introduced people without having kept it: the next one does so again.
    pub(super) fn server_is_gone(&mut self) {
        self.servers_gone += 1;
    }

    /// An account is no more: what it asked and was asked is over.
    pub(super) fn account_is_gone(&mut self, at: Timestamp, user: Name) {
        for ((by, other), said) in &mut self.said {
            if *by == user || *other == user {
                for yes in said.iter_mut().filter(|yes| yes.put.is_some()) {
                    yes.until = yes.until.map(|until| until.min(at));
                }
            }
        }
    }

    /// Whether there ever was a time at which both agreed.
    #[must_use]
    pub fn agreed(&self, user: Name, other: Name) -> bool {
        self.agreed.contains(&(user.min(other), user.max(other))) || self.meet(user, other)
    }

    /// Whether both ever chose that it should last.
    #[must_use]
    pub fn may_last(&self, user: Name, other: Name) -> bool {
        let chose = |one, other| self.lasting.contains(&(one, other));
        chose(user, other) && chose(other, user)
    }

    /// Whether `user` ever asked `other`, and was not refused.
    #[must_use]
    pub fn has_asked(&self, user: Name, other: Name) -> bool {
        self.said(user, other)
            .iter()
            .any(|yes| yes.kind == Kind::Question)
    }

    /// Whether `user` ever asked `other` or said yes to them, and was not refused.
    #[must_use]
    pub fn has_agreed(&self, user: Name, other: Name) -> bool {
        !self.said(user, other).is_empty()
    }

    /// Whether a client may be told of an introduction once more: each needs a question of its own.
    #[must_use]
    pub fn may_introduce(&self, client: ClientId, user: Name, peer: Name) -> bool {
        let questions = |said: &[Yes]| said.iter().filter(|yes| yes.kind == Kind::Question).count();
        let put = questions(self.said(user, peer)) + questions(self.said(peer, user));
        let introduced = self.introduced.get(&(client, peer)).copied().unwrap_or(0);
        self.meet(user, peer) && introduced < put + self.servers_gone
    }
}
