//! Looking for peers: where they were, where the server says that they may be, and where they seem to have moved to.
//!
//! It is done with handshakes only, and nothing is said before whoever is there has shown the peer's key.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::connection::{Connection, GreetingStage};
use super::event::MessageEvent;
use super::peer::Way;
use super::{Client, TimerKind};
use crate::id::IntroductionId;
use crate::machine::ConnId;
use crate::name::Name;
use crate::wire::peer::PeerPush;
use crate::wire::request::Reach;

/// The addresses of a peer are not tried more often than this.
const SEARCH_INTERVAL: Duration = Duration::from_secs(5);

/// Whether a peer is being looked for at an address.
fn is_sought_at(
    connections: &BTreeMap<ConnId, Connection>,
    introduction: IntroductionId,
    place: SocketAddr,
) -> bool {
    connections.values().any(|connection| {
        matches!(
            connection,
            Connection::Greeting { greeting, .. }
                if greeting.introduction == introduction
                    && greeting.way == Way::Address(place)
                    && !matches!(greeting.stage, GreetingStage::Welcomed)
        )
    })
}

impl Client {
    /// Looks for a peer, unless all their addresses were tried a moment ago.
    pub(super) fn search_if_due(&mut self, name: Name) {
        let now = self.clock.at;
        let Some(peer) = self.book.get_mut(name) else {
            return;
        };
        let is_too_soon = |searched| now.since(searched) < SEARCH_INTERVAL;
        if peer.way().is_some() || !peer.searched.is_some_and(is_too_soon) {
            self.search(name);
        } else if peer.greetings == 0 {
            self.on_peer_not_found(name);
        }
    }

    /// Looks for a peer where they were last, or else at all addresses that the server told, with a handshake only.
    pub(super) fn search(&mut self, name: Name) {
        let now = self.clock.at;
        let Some(peer) = self.book.get_mut(name) else {
            return;
        };
        if peer.greetings > 0 || peer.is_elsewhere() {
            return;
        }
        let ways = match peer.way() {
            Some(way) => alloc::vec![way],
            None => {
                peer.searched = Some(now);
                peer.places.candidates()
            }
        };
        peer.greetings = ways.len();
        peer.met_instead = None;
        let (introduction, key) = (peer.introduction, peer.key);
        if ways.is_empty() {
            return self.on_peer_not_found(name);
        }
        let (port, link) = (self.config.listener.port(), self.config.link);
        for way in ways {
            let saying = match way {
                Way::Address(_) => PeerPush::Hello {
                    introduction,
                    port,
                    link,
                },
                // Who holds a link with them knows how they reach us.
                Way::Link(_) => PeerPush::Probe { introduction },
            };
            self.greet(introduction, key, way, saying);
        }
    }

    /// Looks whether a peer is at other places than where they were.
    pub(super) fn look_at(&mut self, name: Name, places: impl IntoIterator<Item = SocketAddr>) {
        let now = self.clock.at;
        let Some(peer) = self.book.get_mut(name).filter(|peer| !peer.is_elsewhere()) else {
            return;
        };
        let (introduction, key) = (peer.introduction, peer.key);
        let places: Vec<_> = places
            .into_iter()
            .filter(|place| !is_sought_at(&self.connections, introduction, *place))
            .collect();
        let places = peer.places.may_be_at(now, places);
        peer.greetings += places.len();
        let is_looking = peer.greetings > 0;
        for place in places {
            let probe = PeerPush::Probe { introduction };
            self.greet(introduction, key, Way::Address(place), probe);
        }
        if !is_looking {
            // They were looked for a moment ago.
            self.conclude_check(name, Reach::Unreachable);
        }
    }

    /// A peer could not be reached: what waits goes on waiting, and the user learns so once.
    pub(super) fn on_peer_not_found(&mut self, name: Name) {
        let Some(peer) = self.book.get_mut(name) else {
            return;
        };
        let rest = peer.backoff.after_failure(&mut self.rng);
        let waits = peer.waiting() > 0;
        if !waits && !peer.needs_word() {
            return;
        }
        peer.is_resting = true;
        let rested = self.clock.at + rest.max(SEARCH_INTERVAL / 10);
        self.timers.set(TimerKind::Peer(name), rested);
        if waits {
            self.tell_waiting_once(name);
        }
        self.post_mail(name);
    }

    /// Tells the user that what they write to a peer waits, and who of the two cannot be called, unless they know or hear more soon.
    pub(super) fn tell_waiting_once(&mut self, to: Name) {
        let (ours, is_about_to_hear) = (self.own_reach(), self.is_about_to_leave_mail(to));
        if let Some(peer) = self.book.get_mut(to)
            && !is_about_to_hear
            && !core::mem::replace(&mut peer.told_waiting, true)
        {
            let uncallable = peer.uncallable(ours);
            self.event(MessageEvent::PrivateWaiting { to, uncallable });
        }
    }

    /// A peer is not where we looked.
    pub(super) fn on_peer_search_failed(&mut self, introduction: IntroductionId) {
        let Some(peer) = self.book.by_introduction(introduction) else {
            return;
        };
        peer.greetings = peer.greetings.saturating_sub(1);
        let name = peer.name;
        let has_keys = self
            .peer_sessions
            .ours(self.clock.at, introduction)
            .is_some();
        if peer.greetings > 0 {
            return;
        }
        let is_found = peer.way().is_some() && has_keys;
        if !is_found {
            // Perhaps they have moved.
            peer.places.lose_address();
            let met_instead = peer.met_instead.take();
            if let Some((at, mismatch)) = met_instead {
                self.tell_mismatch(introduction, at, mismatch);
            }
            self.ledger.not_found(name, self.clock.wall);
            self.on_peer_not_found(name);
        } else if peer.needs_word() {
            self.on_peer_not_found(name);
        }
        self.conclude_check(name, Reach::Unreachable);
    }

    pub(super) fn on_peer_found(&mut self, introduction: IntroductionId, way: Way) {
        let now = self.clock.at;
        let Some(peer) = self.book.by_introduction(introduction) else {
            return;
        };
        peer.greetings = peer.greetings.saturating_sub(1);
        let name = peer.name;
        let before = peer.places.all();
        peer.found(now, way);
        if peer.places.all() != before {
            self.record_peer(name);
        }
        self.conclude_check(name, Reach::Reachable);
        self.pump_peer(name);
    }
}
