//! Heartbeat expiry: a client of which nothing was heard for the timeout is gone.
//!
//! A sign of life only notes the time, and a session's place in the queue is put right when it comes up, once a timeout
//! at most. So a heartbeat costs one look-up, and nothing ever goes through all users.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use super::AccountId;
use crate::time::Timestamp;

#[derive(Debug)]
struct Watched {
    heard: Timestamp,
    /// Where in the queue it stands: at its deadline or before it.
    queued: Timestamp,
}

/// Knows who was heard of when.
#[derive(Debug)]
pub(super) struct Heartbeats {
    timeout: Duration,
    watched: BTreeMap<AccountId, Watched>,
    queue: BTreeSet<(Timestamp, AccountId)>,
}

impl Heartbeats {
    pub(super) const fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            watched: BTreeMap::new(),
            queue: BTreeSet::new(),
        }
    }

    /// Starts to watch a session, or starts anew for the session that follows it.
    pub(super) fn start(&mut self, now: Timestamp, account: AccountId) {
        self.stop(account);
        let queued = now + self.timeout;
        self.watched.insert(account, Watched { heard: now, queued });
        self.queue.insert((queued, account));
    }

    /// Something new came from that session.
    pub(super) fn heard(&mut self, now: Timestamp, account: AccountId) {
        if let Some(watched) = self.watched.get_mut(&account) {
            watched.heard = watched.heard.max(now);
        }
    }

    pub(super) fn stop(&mut self, account: AccountId) {
        if let Some(watched) = self.watched.remove(&account) {
            self.queue.remove(&(watched.queued, account));
        }
    }

    /// When to call [`Self::pop_expired`] next.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes out one session that has been silent for the timeout.
    pub(super) fn pop_expired(&mut self, now: Timestamp) -> Option<AccountId> {
        while let Some(&(queued, account)) = self.queue.first()
            && queued <= now
        {
            self.queue.remove(&(queued, account));
            let Some(watched) = self.watched.get_mut(&account) else {
                continue;
            };
            let deadline = watched.heard + self.timeout;
            if deadline <= now {
                self.watched.remove(&account);
                return Some(account);
            }
            watched.queued = deadline;
            self.queue.insert((deadline, account));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const TIMEOUT: Duration = Duration::from_secs(95);

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn silence_for_the_timeout_expires_and_not_a_moment_less() {
        let mut heartbeats = Heartbeats::new(TIMEOUT);
        let alice = AccountId(1);
        heartbeats.start(at(0), alice);
        heartbeats.heard(at(30), alice);
        assert_eq!(heartbeats.next_deadline(), Some(at(95)));
        assert_eq!(heartbeats.pop_expired(at(95)), None);
        assert_eq!(heartbeats.next_deadline(), Some(at(125)));
        let just_before = at(125) - Duration::from_micros(1);
        assert_eq!(heartbeats.pop_expired(just_before), None);
        assert_eq!(heartbeats.pop_expired(at(125)), Some(alice));
        assert_eq!(heartbeats.pop_expired(at(999)), None);
        assert_eq!(heartbeats.next_deadline(), None);
    }

    #[test]
    fn a_stopped_session_never_expires() {
        let mut heartbeats = Heartbeats::new(TIMEOUT);
        heartbeats.start(at(0), AccountId(1));
        heartbeats.stop(AccountId(1));
        heartbeats.heard(at(1), AccountId(1));
        assert_eq!(heartbeats.next_deadline(), None);
    }

    proptest! {
        /// Against the obvious rule: whoever was last heard of a timeout ago or more is gone, nobody else, and the next
        /// deadline lies ahead.
        #[test]
        fn expiry_follows_the_last_sign_of_life(
            steps in prop::collection::vec((0u32..8, 0u64..40, 0u8..4), 1..120),
        ) {
            let mut heartbeats = Heartbeats::new(TIMEOUT);
            let mut model: BTreeMap<AccountId, Timestamp> = BTreeMap::new();
            let mut now = at(0);
            for (id, passes, action) in steps {
                now = now + Duration::from_secs(passes);
                let account = AccountId(id);
                let mut expired = Vec::new();
                while let Some(gone) = heartbeats.pop_expired(now) {
                    expired.push(gone);
                }
                expired.sort_unstable();
                let expected: Vec<_> = model
                    .iter()
                    .filter(|(_, heard)| now.since(**heard) >= TIMEOUT)
                    .map(|(account, _)| *account)
                    .collect();
                prop_assert_eq!(&expired, &expected);
                model.retain(|account, _| !expected.contains(account));
                prop_assert!(heartbeats.next_deadline().is_none_or(|deadline| deadline > now));
                match action {
                    0 => {
                        heartbeats.start(now, account);
                        model.insert(account, now);
                    }
                    1 => {
                        heartbeats.stop(account);
                        model.remove(&account);
                    }
                    _ => {
                        heartbeats.heard(now, account);
                        model.entry(account).and_modify(|heard| *heard = now);
                    }
                }
            }
        }
    }
}
