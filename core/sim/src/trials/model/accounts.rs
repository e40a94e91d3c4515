//! Which accounts there are and were: the operator adds and removes them while the server runs.

use simplechat_core::name::Name;
use simplechat_core::time::Timestamp;

use super::Model;

impl Model {
    /// Whether there was an account of that name at some time since then.
    #[must_use]
    pub fn existed_since(&self, name: Name, since: Timestamp) -> bool {
        self.accounts.contains(&name) || self.was_changed_since(name, since)
    }

    /// Whether an account of that name was added or removed since then.
    #[must_use]
    pub fn was_changed_since(&self, name: Name, since: Timestamp) -> bool {
        self.changed.get(&name).is_some_and(|at| *at >= since)
    }

    /// Whether any account was.
    #[must_use]
    pub fn was_any_changed_since(&self, since: Timestamp) -> bool {
        self.changed.values().any(|at| *at >= since)
    }

    /// When the account before the one of this name was removed, if that is sure: a server that goes before it could store so
    /// may be followed by one that has never heard of it.
    #[must_use]
    pub fn surely_removed(&self, name: Name) -> Option<Timestamp> {
        let removed = self.removed.get(&name).copied();
        removed.filter(|removed| self.server_went < *removed)
    }

    /// Whether what `other` wrote since then may have been dropped at a client of `user`: for a block, or for one of an account
    /// that is no more, which a client that is still the same still keeps to.
    #[must_use]
    pub fn may_have_dropped(&self, user: Name, other: Name, since: Timestamp) -> bool {
        let since = if self.removed.contains_key(&user) {
            Timestamp::ZERO
        } else {
            since
        };
        self.blocks.was_possible_since(user, other, since)
    }

    /// This is the one place that says what ends with an account: all that is its own. What is others' stays, such as what it
    /// wrote to them, and that they have blocked its name.
    pub(super) fn account_is_gone(&mut self, at: Timestamp, user: Name) {
        self.accounts.remove(&user);
        self.changed.insert(user, at);
        self.removed.insert(user, at);
        self.blocks.account_is_gone(at, user);
        self.consents.account_is_gone(at, user);
    }
}
