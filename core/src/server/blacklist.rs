//! A user's blacklist: whom they hear nothing of, and who hears nothing of their presence and address.
//!
//! It works one way: the owner still sees the blocked user and may write to them.

use alloc::collections::BTreeSet;

use super::AccountId;
use crate::limits::BLACKLIST_MAX;

/// The users whom one user has blocked.
#[derive(Debug, Default)]
pub(super) struct Blacklist {
    blocked: BTreeSet<AccountId>,
}

/// Why a user was not blocked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NotAdded {
    /// They are blocked already.
    Already,
    /// There is no more room.
    Full,
}

impl Blacklist {
    pub(super) fn len(&self) -> usize {
        self.blocked.len()
    }

    pub(super) fn add(&mut self, user: AccountId) -> Result<(), NotAdded> {
        if self.blocked.contains(&user) {
            return Err(NotAdded::Already);
        }
        if self.blocked.len() >= BLACKLIST_MAX {
            return Err(NotAdded::Full);
        }
        self.blocked.insert(user);
        Ok(())
    }

    /// Whether the user was blocked, and now is no more.
    pub(super) fn remove(&mut self, user: AccountId) -> bool {
        self.blocked.remove(&user)
    }

    /// One user takes another's place, if that one was blocked.
    pub(super) fn replace(&mut self, user: AccountId, by: AccountId) {
        if self.blocked.remove(&user) {
            self.blocked.insert(by);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = AccountId> {
        self.blocked.iter().copied()
    }

    pub(super) fn contains(&self, user: AccountId) -> bool {
        self.blocked.contains(&user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_is_bounded() {
        let mut blacklist = Blacklist::default();
        for user in 0..u32::try_from(BLACKLIST_MAX).unwrap() {
            assert_eq!(blacklist.add(AccountId(user)), Ok(()));
        }
        assert_eq!(blacklist.add(AccountId(0)), Err(NotAdded::Already));
        assert_eq!(blacklist.add(AccountId(u32::MAX)), Err(NotAdded::Full));
        assert!(blacklist.remove(AccountId(0)));
        assert_eq!(blacklist.add(AccountId(u32::MAX)), Ok(()));
    }

    proptest! {
        #[test]
        fn it_holds_whom_it_was_told(steps in prop::collection::vec((any::<bool>(), 0u32..10), 0..60)) {
            let mut blacklist = Blacklist::default();
            let mut model = BTreeSet::new();
            for (adds, user) in steps {
                let user = AccountId(user);
                if adds {
                    prop_assert_eq!(blacklist.add(user).is_ok(), model.insert(user));
                } else {
                    prop_assert_eq!(blacklist.remove(user), model.remove(&user));
                }
                prop_assert_eq!(blacklist.contains(user), model.contains(&user));
                prop_assert_eq!(blacklist.len(), model.len());
            }
        }
    }
}
