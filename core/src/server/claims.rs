//! Claims: introductions that a client says it has, and that this server knows nothing of.
//!
//! Either the other side has ended them, and the client was away and has not heard; or they are of an earlier server, which kept
//! nothing. The server cannot tell, and the client of the other side can: if that has the introduction too it is in force, and if
//! it has not it is over. So a claim stands until that client says who is in its address book, as long as its own is there.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::AccountId;
use crate::wire::request::Held;

/// What clients that are there say that they have.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// By whom it is about, and who says so.
    about: BTreeMap<(AccountId, AccountId), Held>,
    /// By who says so, and whom it is about.
    by: BTreeSet<(AccountId, AccountId)>,
}

fn all_of(account: AccountId) -> core::ops::RangeInclusive<(AccountId, AccountId)> {
    (account, AccountId(0))..=(account, AccountId(u32::MAX))
}

impl Claims {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.about.len()
    }

    /// A user's client says that it has an introduction to another user.
    pub(super) fn make(&mut self, by: AccountId, about: AccountId, held: Held) {
        self.about.insert((about, by), held);
        self.by.insert((by, about));
    }

    /// It is decided, or the user has ended it.
    pub(super) fn withdraw(&mut self, by: AccountId, about: AccountId) -> Option<Held> {
        self.by.remove(&(by, about));
        self.about.remove(&(about, by))
    }

    /// A user's client is gone.
    pub(super) fn withdraw_all_of(&mut self, by: AccountId) {
        let all: Vec<_> = self.by.range(all_of(by)).copied().collect();
        for (by, about) in all {
            self.withdraw(by, about);
        }
    }

    /// Who says that they have an introduction to a user, and what.
    pub(super) fn about(&self, about: AccountId) -> Vec<(AccountId, Held)> {
        let claims = self.about.range(all_of(about));
        claims.map(|((_, by), held)| (*by, *held)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::IntroductionId;
    use crate::key::{KEY_LEN, PublicKey};
    use crate::wire::Term;

    const ALICE: AccountId = AccountId(1);
    const BOB: AccountId = AccountId(2);
    const CAROL: AccountId = AccountId(3);

    fn held(number: u8) -> Held {
        Held {
            peer: "bob".parse().unwrap(),
            introduction: IntroductionId([number; 16]),
            key: PublicKey([number; KEY_LEN]),
            term: Term::Lasting,
        }
    }

    #[test]
    fn a_claim_stands_until_it_is_withdrawn_or_its_client_goes() {
        let mut claims = Claims::default();
        claims.make(ALICE, BOB, held(1));
        claims.make(ALICE, CAROL, held(2));
        claims.make(CAROL, BOB, held(3));
        claims.make(ALICE, BOB, held(4));
        assert_eq!(claims.about(BOB), [(ALICE, held(4)), (CAROL, held(3))]);
        assert_eq!(claims.about(ALICE), []);
        assert_eq!(claims.withdraw(CAROL, BOB), Some(held(3)));
        assert_eq!(claims.withdraw(CAROL, BOB), None);
        claims.withdraw_all_of(ALICE);
        assert_eq!((claims.len(), claims.by.len()), (0, 0));
    }
}
