//! Sessions with peers: the keys that private messages travel under.
//!
//! Whoever calls has a session of their own making: what a client sends goes under the one that it began, what it receives
//! under the ones that the peer began. So two who call each other at the same time need not agree whose handshake counts.

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::channel::Channel;
use crate::id::{IntroductionId, SessionId};
use crate::limits::{PEER_SESSION_LIFETIME, PEER_SESSIONS_MAX, SESSION_FRAMES_MAX};
use crate::time::Timestamp;

/// Sessions that a peer began and that are kept: the newest, and the one before, whose frames may still be on their way.
const THEIRS_MAX: usize = 2;
/// A session opens nothing after this long.
const KEPT_FOR: Duration = Duration::from_secs(2 * PEER_SESSION_LIFETIME.as_secs());

/// Who began a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Begun {
    Here,
    There,
}

/// A session with a peer.
#[derive(Debug)]
pub(super) struct PeerSession {
    pub(super) introduction: IntroductionId,
    pub(super) channel: Channel,
    begun: Begun,
    since: Timestamp,
}

/// The sessions with all peers, and with who was one.
#[derive(Debug, Default)]
pub(super) struct PeerSessions {
    by_id: BTreeMap<SessionId, PeerSession>,
    /// The newest that began here.
    ours: BTreeMap<IntroductionId, SessionId>,
}

impl PeerSessions {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn contains(&self, id: SessionId) -> bool {
        self.by_id.contains_key(&id)
    }

    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut PeerSession> {
        self.by_id.get_mut(&id)
    }

    /// A session that began here takes the place of the one before.
    pub(super) fn begin(&mut self, now: Timestamp, introduction: IntroductionId, channel: Channel) {
        self.forget_ours(introduction);
        self.ours.insert(introduction, channel.id());
        self.insert(now, introduction, channel, Begun::Here);
    }

    /// A session that the peer began.
    pub(super) fn admit(&mut self, now: Timestamp, introduction: IntroductionId, channel: Channel) {
        let theirs = |session: &&PeerSession| {
            session.introduction == introduction && session.begun == Begun::There
        };
        if self.by_id.values().filter(theirs).count() >= THEIRS_MAX {
            self.forget_oldest(theirs);
        }
        self.insert(now, introduction, channel, Begun::There);
    }

    fn insert(
        &mut self,
        now: Timestamp,
        introduction: IntroductionId,
        channel: Channel,
        begun: Begun,
    ) {
        if self.by_id.len() >= PEER_SESSIONS_MAX {
            self.forget_oldest(|_| true);
        }
        let id = channel.id();
        let session = PeerSession {
            introduction,
            channel,
            begun,
            since: now,
        };
        self.by_id.insert(id, session);
    }

    fn forget_oldest(&mut self, among: impl Fn(&&PeerSession) -> bool) {
        let oldest = self
            .by_id
            .values()
            .filter(among)
            .min_by_key(|session| session.since)
            .map(|session| session.channel.id());
        if let Some(id) = oldest {
            self.by_id.remove(&id);
        }
    }

    /// What goes to a peer is sealed with this, unless it is time for new keys.
    pub(super) fn ours(
        &mut self,
        now: Timestamp,
        introduction: IntroductionId,
    ) -> Option<&mut Channel> {
        let session = self.by_id.get_mut(self.ours.get(&introduction)?)?;
        let is_fresh = now.since(session.since) < PEER_SESSION_LIFETIME
            && session.channel.frames() < SESSION_FRAMES_MAX;
        is_fresh.then_some(&mut session.channel)
    }

    /// Nothing more goes out under what began here.
    pub(super) fn forget_ours(&mut self, introduction: IntroductionId) {
        if let Some(id) = self.ours.remove(&introduction) {
            self.by_id.remove(&id);
        }
    }

    /// Forgets what is too old to open anything.
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.by_id
            .retain(|_, session| now.since(session.since) < KEPT_FOR);
        let by_id = &self.by_id;
        self.ours.retain(|_, id| by_id.contains_key(id));
    }

    /// When there is something to forget.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        let since = self.by_id.values().map(|session| session.since).min()?;
        Some(since + KEPT_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::tests::pair;

    const PEER: IntroductionId = IntroductionId([1; 16]);

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_micros(secs * 1_000_000)
    }

    fn channel(seed: u64) -> Channel {
        pair(seed).0
    }

    #[test]
    fn keys_are_renewed_in_time() {
        let mut sessions = PeerSessions::default();
        sessions.begin(at(0), PEER, channel(1));
        assert!(sessions.ours(at(15 * 60 - 1), PEER).is_some());
        assert!(sessions.ours(at(15 * 60), PEER).is_none());
    }

    #[test]
    fn a_new_session_takes_the_place_of_ours() {
        let mut sessions = PeerSessions::default();
        let (first, second) = (channel(1), channel(2));
        let (old, new) = (first.id(), second.id());
        sessions.begin(at(0), PEER, first);
        sessions.begin(at(1), PEER, second);
        assert!(!sessions.contains(old));
        assert_eq!(sessions.ours(at(1), PEER).map(|ours| ours.id()), Some(new));
    }

    #[test]
    fn of_theirs_the_last_two_are_kept() {
        let mut sessions = PeerSessions::default();
        let channels: [Channel; 3] = [1, 2, 3].map(channel);
        let ids = channels.each_ref().map(Channel::id);
        for (second, channel) in (0..).zip(channels) {
            sessions.admit(at(second), PEER, channel);
        }
        assert_eq!(ids.map(|id| sessions.contains(id)), [false, true, true]);
        assert!(sessions.ours(at(3), PEER).is_none());
    }

    #[test]
    fn old_keys_are_forgotten() {
        let mut sessions = PeerSessions::default();
        sessions.begin(at(0), PEER, channel(1));
        sessions.admit(at(60), PEER, channel(2));
        assert_eq!(sessions.next_expiry(), Some(at(30 * 60)));
        sessions.expire(at(30 * 60));
        assert_eq!((sessions.len(), sessions.ours.len()), (1, 0));
    }
}
