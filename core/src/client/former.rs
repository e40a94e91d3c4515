//! Former peers: who is in the address book no more, and may not know it yet.
//!
//! They are told, and for some time: the network may be down just now. And should one write all the same, this is how
//! the client knows who it is, refuses, and lets their client know where they stand.

use core::time::Duration;

use super::event::{GoneCause, PeerEvent};
use super::peer::{Peer, Way};
use super::{Client, TimerKind};
use crate::backoff::Backoff;
use crate::id::{IntroductionId, SessionId};
use crate::key::PublicKey;
use crate::limits::FORMER_PEERS_MAX;
use crate::lru::LruMap;
use crate::machine::ConnId;
use crate::name::Name;
use crate::wire::frame::RefusalCode;
use crate::wire::peer::{PeerAnswer, PeerPush};
use crate::wire::{EndReason, Term};

const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LONGEST: Duration = Duration::from_secs(60);
/// After so many failures the other side is left to find out by itself.
const TRIES_MAX: u32 = 10;

/// Whether the other side knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Knowledge {
    /// It must not, before the end is stored: else it would be lost here by a crash, and stand there.
    AwaitsStore,
    Untold,
    Told,
}

#[derive(Debug)]
struct FormerPeer {
    name: Name,
    key: PublicKey,
    way: Option<Way>,
    reason: EndReason,
    knowledge: Knowledge,
    /// Whether the user knows that the other side still writes.
    has_refused: bool,
    backoff: Backoff,
}

/// Whose introductions have ended, the oldest forgotten first.
#[derive(Debug)]
pub(super) struct FormerPeers {
    peers: LruMap<IntroductionId, FormerPeer>,
}

impl FormerPeers {
    pub(super) fn new() -> Self {
        Self {
            peers: LruMap::new(FORMER_PEERS_MAX),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether this introduction has ended.
    pub(super) fn has(&self, introduction: IntroductionId) -> bool {
        self.peers.peek(&introduction).is_some()
    }

    pub(super) fn key(&self, introduction: IntroductionId) -> Option<PublicKey> {
        self.peers.peek(&introduction).map(|former| former.key)
    }
}

impl Client {
    /// Keeps in mind who was taken out of the book, and tells them if it was our doing.
    pub(super) fn part(&mut self, removed: &Peer, cause: GoneCause) {
        let introduction = removed.introduction;
        let (reason, knowledge) = match cause {
            GoneCause::Own if self.storing.is_idle() => (EndReason::Removed, Knowledge::Untold),
            GoneCause::Own => (EndReason::Removed, Knowledge::AwaitsStore),
            GoneCause::Theirs(reason) => (reason, Knowledge::Told),
        };
        self.peer_sessions.forget_ours(introduction);
        let former = FormerPeer {
            name: removed.name,
            key: removed.key,
            way: removed.way(),
            reason,
            knowledge,
            has_refused: false,
            backoff: Backoff::new(RETRY_FIRST, RETRY_LONGEST),
        };
        self.former.peers.entry(introduction, || former);
        match knowledge {
            Knowledge::AwaitsStore => self.storing.parted(introduction),
            Knowledge::Untold | Knowledge::Told => self.tell_former_peer(introduction),
        }
    }

    /// It is stored that an introduction has ended.
    pub(super) fn on_parting_stored(&mut self, introduction: IntroductionId) {
        if let Some(former) = self.former.peers.peek_mut(&introduction)
            && former.knowledge == Knowledge::AwaitsStore
        {
            former.knowledge = Knowledge::Untold;
            self.tell_former_peer(introduction);
        }
    }

    /// Leaving: says goodbye to a peer, once. Who has a lasting entry keeps it.
    pub(super) fn say_bye(&mut self, name: Name) {
        let lasting = |peer: &&Peer| peer.term == Term::Lasting;
        if let Some(peer) = self.book.get(name).filter(lasting) {
            let (introduction, key, way) = (peer.introduction, peer.key, peer.way());
            let bye = PeerPush::Bye {
                introduction,
                reason: EndReason::LoggedOut,
            };
            if let Some(way) = way {
                self.greet(introduction, key, way, bye);
            }
        } else if let Some(peer) = self.book.remove(name) {
            let introduction = peer.introduction;
            self.timers.cancel(TimerKind::Peer(name));
            self.part(&peer, GoneCause::Theirs(EndReason::LoggedOut));
            self.tell(introduction);
            self.release_peer_links(name, &peer);
        }
    }

    pub(super) fn tell_former_peer(&mut self, introduction: IntroductionId) {
        let untold = self
            .former
            .peers
            .peek(&introduction)
            .is_some_and(|former| former.knowledge == Knowledge::Untold);
        if untold {
            self.tell(introduction);
        }
    }

    fn tell(&mut self, introduction: IntroductionId) {
        let Some(former) = self.former.peers.peek(&introduction) else {
            return;
        };
        let bye = PeerPush::Bye {
            introduction,
            reason: former.reason,
        };
        if let (key, Some(way)) = (former.key, former.way) {
            self.greet(introduction, key, way, bye);
        }
    }

    pub(super) fn on_former_peer_told(&mut self, introduction: IntroductionId) {
        if let Some(former) = self.former.peers.peek_mut(&introduction) {
            former.knowledge = Knowledge::Told;
        }
    }

    pub(super) fn on_bye_failed(&mut self, introduction: IntroductionId) {
        let Some(former) = self.former.peers.peek_mut(&introduction) else {
            return;
        };
        if former.knowledge != Knowledge::Untold || former.backoff.failures() >= TRIES_MAX {
            return;
        }
        let again = self.clock.at + former.backoff.after_failure(&mut self.rng);
        self.timers.set(TimerKind::Former(introduction), again);
    }

    /// Somebody who is in the book no more calls.
    pub(super) fn on_former_peer_call(
        &mut self,
        conn: ConnId,
        session: SessionId,
        introduction: IntroductionId,
        push: &PeerPush,
    ) {
        let Some(former) = self.former.peers.peek_mut(&introduction) else {
            return self.refuse(conn, RefusalCode::UnknownSession);
        };
        if former.knowledge == Knowledge::AwaitsStore {
            return self.close(conn);
        }
        // They get to know by our answer.
        former.knowledge = Knowledge::Told;
        let peer = former.name;
        let not_in_book = PeerAnswer::NotInBook {
            reason: former.reason,
        };
        match push {
            PeerPush::Bye { .. } => self.answer_peer(conn, session, &PeerAnswer::Bye),
            PeerPush::Private(_) => {
                let is_first = !core::mem::replace(&mut former.has_refused, true);
                self.answer_peer(conn, session, &not_in_book);
                if is_first {
                    self.event(PeerEvent::RefusedFormerPeer { peer });
                }
            }
            PeerPush::Hello { .. } | PeerPush::Probe { .. } => {
                self.answer_peer(conn, session, &not_in_book);
            }
        }
    }
}
