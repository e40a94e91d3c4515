//! Roaming: this client, or a peer of it, has moved to another address.
//!
//! A frame from a new address proves who sent it, and not the address: anybody on the way can send on what they caught. So a peer is
//! where they were until they were called at the new address and have shown their key there (RFC 9000, section 8.2).

use core::net::SocketAddr;
use core::time::Duration;

use super::connection::Connection;
use super::peer_link::Word;
use super::{Client, TimerKind};
use crate::machine::ConnId;
use crate::name::Name;
use crate::wire::push::Whereabouts;

/// Peers are not greeted all at once.
const SEEK_WITHIN: Duration = Duration::from_secs(2);

impl Client {
    /// This client may be reached in another way than before: all peers are greeted anew, and find out.
    pub(super) fn seek_peers(&mut self) {
        for name in self.book.names() {
            if let Some(peer) = self.book.get_mut(name) {
                peer.word = Word::None;
                let link = peer.links.ours.take();
                let at = self.clock.at + self.rng.jitter(SEEK_WITHIN);
                self.timers.set(TimerKind::PeerLink(name), at);
                if let Some(link) = link {
                    self.drop_link(link);
                }
            }
        }
    }

    /// This client reaches the server from another address of its host than before.
    pub(super) fn note_own_address(&mut self, own: SocketAddr) {
        if self
            .link
            .own
            .replace(own)
            .is_some_and(|before| before.ip() != own.ip())
        {
            self.seek_peers();
        }
    }

    /// The server says where a peer may be reached from now on.
    pub(super) fn on_whereabouts(&mut self, name: Name, whereabouts: Whereabouts) {
        let Some(peer) = self.book.get_mut(name) else {
            return;
        };
        let places = whereabouts.candidates.as_slice().to_vec();
        let before = peer.places.all();
        peer.places.learn(whereabouts);
        let was_absent = peer.is_back();
        if peer.places.all() != before {
            self.record_peer(name);
        }
        self.try_mail_again(name);
        let Some(peer) = self.book.get_mut(name) else {
            return;
        };
        if peer.way().is_none() && (peer.is_resting || was_absent) {
            self.timers.cancel(TimerKind::Peer(name));
            return self.wake_peer(name);
        }
        let is_there = |place| peer.places.is_at(place);
        if peer.way().is_some() && !places.iter().copied().any(is_there) {
            self.look_at(name, places);
        }
    }

    /// From where somebody calls whose connection has not been answered.
    pub(super) fn caller(&self, conn: ConnId) -> Option<SocketAddr> {
        match self.connections.get(&conn) {
            Some(Connection::Call { remote, .. }) if !self.held.is_stream(conn) => Some(*remote),
            _ => None,
        }
    }

    /// A peer has called us from an address. If they were elsewhere they may have moved.
    pub(super) fn on_peer_called_from(&mut self, name: Name, remote: Option<SocketAddr>) {
        if let Some(remote) = remote
            && let Some(peer) = self.book.get_mut(name)
            && let Some(port) = peer.places.listens_at()
        {
            let at = SocketAddr::new(remote.ip().to_canonical(), port);
            if peer.links.any().is_none() && !peer.places.may_be_on(at.ip()) {
                self.look_at(name, [at]);
            }
        }
    }
}
