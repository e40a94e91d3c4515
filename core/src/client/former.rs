//! Former links: peers who are in the address book no more, and may not know it yet.
//!
//! They are told, and for some time: the network may be down just now. And should one write all the same, this is how
//! the client knows who it is, refuses, and lets their client know where they stand.

use core::net::SocketAddr;
use core::time::Duration;

use super::address_book::Peer;
use super::connection::Connection;
use super::event::{GoneCause, PeerEvent};
use super::{Client, TimerKind};
use crate::backoff::Backoff;
use crate::channel::Channel;
use crate::id::SessionId;
use crate::limits::FORMER_LINKS_MAX;
use crate::lru::LruMap;
use crate::machine::ConnId;
use crate::name::Name;
use crate::wire::EndReason;
use crate::wire::deframer::Deframer;
use crate::wire::frame::{RefusalCode, SealedFrame};
use crate::wire::item::{Items, Payload, decode};
use crate::wire::peer::{PeerAnswer, PeerPush};

const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LONGEST: Duration = Duration::from_secs(60);
/// After so many failures the other side is left to find out by itself.
const TRIES_MAX: u32 = 10;

#[derive(Debug)]
struct FormerLink {
    peer: Name,
    channel: Channel,
    address: Option<SocketAddr>,
    reason: EndReason,
    /// Whether the other side knows.
    is_told: bool,
    /// Whether the user knows that the other side still writes.
    has_refused: bool,
    backoff: Backoff,
}

/// The links of ended introductions, the oldest forgotten first.
#[derive(Debug)]
pub(super) struct FormerLinks {
    links: LruMap<SessionId, FormerLink>,
}

impl FormerLinks {
    pub(super) fn new() -> Self {
        Self {
            links: LruMap::new(FORMER_LINKS_MAX),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    pub(super) fn has_link(&self, link: SessionId) -> bool {
        self.links.peek(&link).is_some()
    }

    /// Whether it was a peer's.
    pub(super) fn has(&self, link: SessionId) -> bool {
        self.links.peek(&link).is_some()
    }

    pub(super) fn channel(&mut self, link: SessionId) -> Option<&mut Channel> {
        Some(&mut self.links.peek_mut(&link)?.channel)
    }
}

impl Client {
    /// Keeps the link of somebody who was taken out of the book, and tells them if it was our doing.
    pub(super) fn part(&mut self, removed: Peer, cause: GoneCause) {
        let link = removed.channel.id();
        let (reason, is_told) = match cause {
            GoneCause::Own => (EndReason::Removed, false),
            GoneCause::Theirs(reason) => (reason, true),
        };
        let former = FormerLink {
            peer: removed.name,
            channel: removed.channel,
            address: removed.address,
            reason,
            is_told,
            has_refused: false,
            backoff: Backoff::new(RETRY_FIRST, RETRY_LONGEST),
        };
        self.former.links.entry(link, || former);
        if !is_told {
            self.tell_former_peer(link);
        }
    }

    /// Leaving: says goodbye to a peer, once.
    pub(super) fn say_bye(&mut self, name: Name) {
        if let Some(peer) = self.book.remove(name) {
            let link = peer.channel.id();
            self.timers.cancel(TimerKind::Peer(name));
            self.part(peer, GoneCause::Theirs(EndReason::LoggedOut));
            self.tell(link);
        }
    }

    pub(super) fn tell_former_peer(&mut self, link: SessionId) {
        let untold = self
            .former
            .links
            .peek(&link)
            .is_some_and(|former| !former.is_told);
        if untold {
            self.tell(link);
        }
    }

    fn tell(&mut self, link: SessionId) {
        let Some(former) = self.former.links.peek_mut(&link) else {
            return;
        };
        let Some(address) = former.address else {
            return;
        };
        let bye = Payload::of(&PeerPush::Bye {
            reason: former.reason,
        });
        let bytes = former.channel.seal_call(bye.as_bytes());
        let deframer = Deframer::default();
        let conn = self.dial(address, Connection::PeerBye { link, deframer });
        self.send(conn, bytes);
    }

    pub(super) fn on_former_peer_told(&mut self, link: SessionId) {
        if let Some(former) = self.former.links.peek_mut(&link) {
            former.is_told = true;
        }
    }

    pub(super) fn on_bye_failed(&mut self, link: SessionId) {
        let Some(former) = self.former.links.peek_mut(&link) else {
            return;
        };
        if former.is_told || former.backoff.failures() >= TRIES_MAX {
            return;
        }
        let again = self.clock.at + former.backoff.after_failure(&mut self.rng);
        self.timers.set(TimerKind::Former(link), again);
    }

    /// Somebody who is in the book no more calls.
    pub(super) fn on_former_peer_call(&mut self, conn: ConnId, sealed: &SealedFrame<'_>) {
        let link = sealed.session;
        let Some(former) = self.former.links.peek_mut(&link) else {
            return self.refuse(conn, RefusalCode::UnknownSession);
        };
        let Ok(opened) = former.channel.open_call(sealed) else {
            return self.refuse(conn, RefusalCode::Malformed);
        };
        // They get to know by our answer.
        former.is_told = true;
        let peer = former.peer;
        let not_in_book = PeerAnswer::NotInBook {
            reason: former.reason,
        };
        match Items::new(&opened.payload).next().map(|item| decode(item?)) {
            Some(Ok(PeerPush::Bye { .. })) => self.answer_peer(conn, link, &PeerAnswer::Bye),
            Some(Ok(PeerPush::Private(_))) => {
                let is_first = !core::mem::replace(&mut former.has_refused, true);
                self.answer_peer(conn, link, &not_in_book);
                if is_first {
                    self.event(PeerEvent::RefusedFormerPeer { peer });
                }
            }
            Some(Ok(PeerPush::Probe { .. })) => {
                self.answer_peer(conn, link, &not_in_book);
            }
            _ => self.refuse(conn, RefusalCode::Malformed),
        }
    }
}
