//! The keys of peers, past and present: whose the user has compared and marked as verified, and whose has changed.
//!
//! A mark belongs to a key. It stays when the same person is introduced again with the same key, even after they had left the
//! address book, and falls when they come with another one. Nobody but the user can fill the table of marks or take one out
//! of it, so a server that introduces many people cannot make this client forget what was compared.

use alloc::collections::BTreeMap;

use super::event::Verification;
use crate::key::PublicKey;
use crate::limits::{MET_MAX, VERIFIED_MAX};
use crate::lru::LruMap;
use crate::name::Name;

/// There is no place for another mark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Full;

/// The last key of everybody who was introduced.
#[derive(Debug)]
pub(super) struct PeerKeys {
    verified: BTreeMap<Name, PublicKey>,
    /// Of those who have no mark, whoever was met longest ago is forgotten first.
    met: LruMap<Name, PublicKey>,
}

impl PeerKeys {
    pub(super) fn new() -> Self {
        Self {
            verified: BTreeMap::new(),
            met: LruMap::new(MET_MAX),
        }
    }

    pub(super) fn verified(&self) -> usize {
        self.verified.len()
    }

    pub(super) fn met(&self) -> usize {
        self.met.len()
    }

    /// Somebody is introduced. If their key is not the one that they had: whether that one was verified.
    pub(super) fn meet(&mut self, name: Name, key: PublicKey) -> Option<Verification> {
        match self.verified.get(&name) {
            Some(verified) if *verified == key => None,
            Some(_) => {
                self.verified.remove(&name);
                self.met.entry(name, || key);
                Some(Verification::Verified)
            }
            None => {
                let before = core::mem::replace(self.met.entry(name, || key), key);
                (before != key).then_some(Verification::Unverified)
            }
        }
    }

    /// Somebody was introduced with a key that is not marked, in an earlier life of this client.
    pub(super) fn restore(&mut self, name: Name, key: PublicKey) {
        self.verified.remove(&name);
        *self.met.entry(name, || key) = key;
    }

    /// Everybody whose key is known, and whether it is marked.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Name, PublicKey, Verification)> {
        let verified = self.verified.iter();
        let verified = verified.map(|(name, key)| (*name, *key, Verification::Verified));
        let met = self.met.iter();
        verified.chain(met.map(|(name, key)| (*name, *key, Verification::Unverified)))
    }

    /// Whether this key of theirs is marked.
    pub(super) fn verification(&self, name: Name, key: PublicKey) -> Verification {
        if self.verified.get(&name) == Some(&key) {
            Verification::Verified
        } else {
            Verification::Unverified
        }
    }

    /// The user has compared this key of theirs.
    pub(super) fn mark(&mut self, name: Name, key: PublicKey) -> Result<(), Full> {
        if self.verified.len() >= VERIFIED_MAX && !self.verified.contains_key(&name) {
            return Err(Full);
        }
        self.verified.insert(name, key);
        self.met.remove(&name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Verification::{Unverified, Verified};
    use super::*;
    use crate::key::KEY_LEN;
    use alloc::format;

    const OLD: PublicKey = PublicKey([1; KEY_LEN]);
    const NEW: PublicKey = PublicKey([2; KEY_LEN]);

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn a_mark_belongs_to_a_key() {
        let mut keys = PeerKeys::new();
        let bob = name("bob");
        assert_eq!(keys.meet(bob, OLD), None);
        keys.mark(bob, OLD).unwrap();
        assert_eq!(keys.meet(bob, OLD), None);
        assert_eq!(keys.verification(bob, OLD), Verified);
        assert_eq!(keys.verification(bob, NEW), Unverified);
        assert_eq!(keys.meet(bob, NEW), Some(Verified));
        assert_eq!(keys.verification(bob, NEW), Unverified);
        assert_eq!(keys.meet(bob, OLD), Some(Unverified));
        assert_eq!(keys.verification(bob, OLD), Unverified, "it has fallen");
    }

    #[test]
    fn however_many_are_introduced_marks_stay() {
        let mut keys = PeerKeys::new();
        let bob = name("bob");
        keys.meet(bob, OLD);
        keys.mark(bob, OLD).unwrap();
        for number in 0..2 * MET_MAX {
            keys.meet(name(&format!("user{number}")), OLD);
        }
        assert_eq!((keys.met(), keys.verified()), (MET_MAX, 1));
        assert_eq!(keys.verification(bob, OLD), Verified);
        assert_eq!(keys.meet(bob, NEW), Some(Verified));
    }

    #[test]
    fn marks_are_bounded() {
        let mut keys = PeerKeys::new();
        for number in 0..VERIFIED_MAX {
            keys.mark(name(&format!("user{number}")), OLD).unwrap();
        }
        assert_eq!(keys.mark(name("bob"), OLD), Err(Full));
        assert_eq!(keys.mark(name("user0"), NEW), Ok(()));
    }
}
