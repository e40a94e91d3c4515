//! Address books: what clients say of theirs when they have logged in, and what that tells of introductions.
//!
//! The book is the client's. The server knows what is in force, of lasting introductions also while one side is away or logged in
//! from another client; that a client has one is known when it says so. What it has and the server does not know of is a claim
//! (see `claims`), which the client of the other side decides.

use alloc::vec::Vec;

use super::lane::Notice;
use super::record::Subject;
use super::{AccountId, Server};
use crate::key::PublicKey;
use crate::wire::EndReason;
use crate::wire::push::Push;
use crate::wire::request::Held;

impl Server {
    /// A client says who is in its address book. It says so in all its first frames; what it said in a later one may have come before.
    pub(super) fn on_address_book(&mut self, user: AccountId, entries: &[Held]) {
        let Some(session) = &mut self.accounts.get_mut(user).session else {
            return;
        };
        if core::mem::replace(&mut session.has_said_book, true) {
            return;
        }
        for held in entries {
            self.on_held(user, *held);
        }
        // It is another client than the one that has the others.
        let peers: Vec<_> = self.introductions.peers_of(user).collect();
        for peer in peers {
            self.tell_if_absent(user, peer);
        }
        // Whoever says that they have what this client has not learns that it is over.
        for (other, claim) in self.claims.about(user) {
            if self.has_key(user, claim.key) {
                self.claims.withdraw(other, user);
                self.tell_over(other, user, claim, EndReason::Removed);
            }
        }
    }

    fn on_held(&mut self, user: AccountId, held: Held) {
        let Some(peer) = self.accounts.find(held.peer).filter(|peer| *peer != user) else {
            return;
        };
        match self.introductions.get(user, peer) {
            Some(in_force) if in_force.id == held.introduction => {
                self.introductions.hold(user, peer);
                self.tell_each_other(user, peer);
            }
            // The client was or will be told of the one in force.
            Some(_) if self.introductions.is_held(user, peer) => {}
            // Another client of the user has it.
            Some(_) => self.tell_over(user, peer, held, EndReason::OtherClient),
            None => self.on_claim(user, peer, held),
        }
    }

    fn on_claim(&mut self, user: AccountId, peer: AccountId, held: Held) {
        let crosses = |(by, claim): &(AccountId, Held)| {
            *by == peer && claim.introduction == held.introduction
        };
        let crossing = self.claims.about(user).into_iter().find(crosses);
        let has_blocked = |one, other| self.accounts.get(one).blacklist.contains(other);
        if has_blocked(user, peer) || has_blocked(peer, user) {
            // Nor does whether the other is there make a difference.
            self.tell_over(user, peer, held, EndReason::Removed);
        } else if let Some((_, claim)) = crossing {
            self.claims.withdraw(peer, user);
            let has_room = |account| self.introductions.has_room(account);
            if has_room(user) && has_room(peer) {
                let term = held.term.agreed(claim.term);
                self.bring_into_force(user, peer, held.introduction, term);
                self.tell_each_other(user, peer);
            }
        } else if self.has_key(peer, held.key) && self.has_said_book(peer) {
            self.tell_over(user, peer, held, EndReason::Removed);
        } else {
            self.claims.make(user, peer, held);
        }
    }

    fn has_said_book(&self, account: AccountId) -> bool {
        let session = self.accounts.get(account).session.as_ref();
        session.is_some_and(|session| session.has_said_book)
    }

    /// Whether a user's latest client is known by this key: what another one does not have says nothing.
    fn has_key(&self, account: AccountId, key: PublicKey) -> bool {
        let latest = self.accounts.get(account).latest_login;
        latest.is_some_and(|latest| latest.key == key)
    }

    /// Tells a user's client that what it has is over, unless it is about to be told something newer. Nothing of it has to be kept:
    /// a client that does not hear of it says again that it has it.
    fn tell_over(&mut self, user: AccountId, peer: AccountId, held: Held, reason: EndReason) {
        let subject = Subject::Introduction(self.accounts.get(peer).name);
        let Some(session) = &mut self.accounts.get_mut(user).session else {
            return;
        };
        if session.lane.has_notice(subject) {
            return;
        }
        let push = Push::IntroductionEnded {
            peer: held.peer,
            reason,
            introduction: held.introduction,
        };
        session.lane.notify(Notice { subject, push });
        self.pump(user);
    }
}
