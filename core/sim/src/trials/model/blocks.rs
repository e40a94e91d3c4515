//! Who has blocked whom, as far as an onlooker can know: a block is *sure* from when its user was told that it is done,
//! until one of their clients is asked to end it; it is *possible* from the first wish to the last word.

use std::collections::BTreeMap;

use simplechat_core::name::Name;
use simplechat_core::time::Timestamp;
use simplechat_core::wire::request::{Outcome, Refusal};

use crate::world::ClientId;

#[derive(Clone, Copy, Debug)]
struct Sure {
    by: ClientId,
    since: Timestamp,
}

#[derive(Clone, Copy, Debug, Default)]
struct Block {
    sure: Option<Sure>,
    /// Wishes without a final word.
    wishes: usize,
    /// So many of them may have been done for an account of that name which is no more.
    wishes_before: usize,
    /// Some of those were done since, for the one or the other; or it was in force for one that is no more.
    is_doubtful: bool,
    /// Wishes to end it without a final word.
    wishes_to_end: usize,
    /// When it was last possible.
    possible_until: Timestamp,
}

impl Block {
    const fn is_possible(&self) -> bool {
        self.sure.is_some() || self.is_doubtful || self.wishes > 0
    }

    const fn sure(&self) -> Option<Sure> {
        if self.wishes_to_end > 0 {
            return None;
        }
        self.sure
    }
}

/// All blocks.
#[derive(Debug, Default)]
pub struct Blocks {
    all: BTreeMap<(Name, Name), Block>,
}

impl Blocks {
    fn entry(&mut self, user: Name, other: Name) -> &mut Block {
        self.all.entry((user, other)).or_default()
    }

    fn sure(&self, user: Name, other: Name) -> Option<Sure> {
        self.all.get(&(user, other))?.sure()
    }

    /// An account is no more, and nor is its blacklist. Its name stays in those of others.
    pub(super) fn account_is_gone(&mut self, at: Timestamp, user: Name) {
        for ((by, _), block) in &mut self.all {
            if *by != user {
                continue;
            }
            block.wishes_before = block.wishes;
            if block.sure.take().is_some() {
                // A server that goes before it could store the removal brings it back.
                block.is_doubtful = true;
                block.possible_until = at;
            }
        }
    }

    pub(super) fn wish_block(&mut self, user: Name, other: Name) {
        self.entry(user, other).wishes += 1;
    }

    /// The answer to a wish will be given once more, after a client has started again.
    pub(super) fn wish_again(&mut self, user: Name, other: Name) {
        let block = self.entry(user, other);
        block.wishes = block.wishes.max(1);
    }

    pub(super) fn wish_unblock(&mut self, user: Name, other: Name) {
        self.entry(user, other).wishes_to_end += 1;
    }

    pub(super) fn block_done(
        &mut self,
        at: Timestamp,
        by: ClientId,
        user: Name,
        other: Name,
        outcome: Outcome,
    ) {
        let block = self.entry(user, other);
        block.possible_until = at;
        block.wishes = block.wishes.saturating_sub(1);
        if block.wishes_before > 0 {
            block.wishes_before -= 1;
            block.is_doubtful = true;
        } else if matches!(
            outcome,
            Outcome::Done | Outcome::Refused(Refusal::AlreadyBlocked)
        ) {
            block.sure = Some(Sure { by, since: at });
        }
    }

    pub(super) fn unblock_done(
        &mut self,
        at: Timestamp,
        user: Name,
        other: Name,
        outcome: Outcome,
    ) {
        let block = self.entry(user, other);
        block.possible_until = at;
        block.wishes_to_end = block.wishes_to_end.saturating_sub(1);
        if matches!(
            outcome,
            Outcome::Done | Outcome::Refused(Refusal::NotBlocked)
        ) {
            block.sure = None;
            block.is_doubtful = false;
        }
    }

    /// Whether nothing of `other` may be shown at this client of `user`: the one that blocked, or one that logged in since.
    #[must_use]
    pub(super) fn hides(
        &self,
        client: ClientId,
        user: Name,
        login: Timestamp,
        other: Name,
    ) -> bool {
        self.sure(user, other)
            .is_some_and(|sure| sure.by == client || login > sure.since)
    }

    /// Somebody whom `user` has blocked.
    #[must_use]
    pub fn any_of(&self, user: Name) -> Option<Name> {
        let all = self.all.iter();
        let mut sure =
            all.filter(|((blocker, _), block)| *blocker == user && block.sure().is_some());
        sure.next().map(|((_, other), _)| *other)
    }

    /// Since when it is sure that `user` has blocked `other`.
    #[must_use]
    pub fn sure_since(&self, user: Name, other: Name) -> Option<Timestamp> {
        self.sure(user, other).map(|sure| sure.since)
    }

    /// Whether `user` may have blocked `other` at some time since then.
    #[must_use]
    pub fn was_possible_since(&self, user: Name, other: Name, time: Timestamp) -> bool {
        self.all
            .get(&(user, other))
            .is_some_and(|block| block.is_possible() || block.possible_until >= time)
    }
}
