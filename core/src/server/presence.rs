//! Presence: who is online, and who is told of whose coming and going.

use super::{AccountId, Server};
use crate::id::QueryNumber;
use crate::limits::ONLINE_PAGE_MAX;
use crate::name::Name;
use crate::wire::item::Bounded;
use crate::wire::push::Presence;
use crate::wire::request::Answer;

use alloc::vec::Vec;
use core::ops::Bound;
use core::time::Duration;

/// How long an exchange of messages makes two users acquainted.
const ACQUAINTED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

impl Server {
    /// Tells those who may know that a user came or went: nobody whom the user has blacklisted, and on a crowded server
    /// only those who know the user.
    pub(super) fn alert(&mut self, account: AccountId, presence: Presence) {
        let subject = self.accounts.get(account);
        let name = subject.name;
        let is_crowded = self.online.len() > self.config.presence_alerts_max;
        let audience: Vec<_> = if is_crowded {
            self.acquaintances_online(account)
        } else {
            self.online.values().copied().collect()
        };
        for other in audience {
            if other == account || self.accounts.get(account).blacklist.contains(other) {
                continue;
            }
            if let Some(session) = &mut self.accounts.get_mut(other).session {
                session.lane.note_presence(name, presence);
                self.pump(other);
            }
        }
    }

    fn acquaintances_online(&self, account: AccountId) -> Vec<AccountId> {
        let now = self.clock.at;
        let mut acquaintances: Vec<_> = self
            .accounts
            .get(account)
            .acquaintances
            .iter()
            .filter(|(_, last)| now.since(**last) < ACQUAINTED_FOR)
            .map(|(other, _)| *other)
            .chain(self.introductions.peers_of(account))
            .collect();
        acquaintances.sort_unstable();
        acquaintances.dedup();
        acquaintances
    }

    /// Notes that two users have to do with each other.
    pub(super) fn acquaint(&mut self, a: AccountId, b: AccountId) {
        let now = self.clock.at;
        for (one, other) in [(a, b), (b, a)] {
            *self
                .accounts
                .get_mut(one)
                .acquaintances
                .entry(other, || now) = now;
        }
    }

    /// A page of who is online, as one user may see it: without themselves and without those who have blacklisted them.
    pub(super) fn online_page(
        &self,
        asker: AccountId,
        query: QueryNumber,
        after: Option<Name>,
    ) -> Answer {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut visible = self
            .online
            .range((from, Bound::Unbounded))
            .filter(|(_, user)| **user != asker)
            .filter(|(_, user)| !self.accounts.get(**user).blacklist.contains(asker))
            .map(|(name, _)| *name);
        let users = Bounded::first_of(visible.by_ref().take(ONLINE_PAGE_MAX));
        let more = visible.next().is_some();
        Answer::Online { query, users, more }
    }
}
