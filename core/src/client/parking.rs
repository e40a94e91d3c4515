//! Parking: calls in a session that this client does not know yet.
//!
//! Keys and those who use them travel on different connections, and connections race: the server's check of our listener
//! may overtake the answer to our login, and a peer's first call the introduction. So an unknown caller waits a little for
//! the keys to come, and is sent away as a stranger only then.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::connection::Connection;
use super::event::PeerEvent;
use super::{Client, TimerKind};
use crate::id::SessionId;
use crate::limits::{PARKED_MAX, PARKED_PER_ADDRESS_MAX};
use crate::machine::ConnId;
use crate::wire::frame::RefusalCode;

/// How long a caller waits for keys.
const PARKED_FOR: Duration = Duration::from_secs(2);

impl Client {
    pub(super) fn is_known_session(&self, id: SessionId) -> bool {
        let is_ours = self
            .link
            .session
            .as_ref()
            .is_some_and(|session| session.channel.id() == id);
        is_ours || self.book.has_link(id) || self.former.has_link(id)
    }

    /// A whole frame came in a session that is not known.
    pub(super) fn park(&mut self, conn: ConnId, remote: SocketAddr, frame: Vec<u8>) {
        let caller = remote.ip().to_canonical();
        let (mut parked, mut by_caller) = (0, 0);
        for connection in self.connections.values() {
            if let Connection::Parked { remote, .. } = connection {
                parked += 1;
                by_caller += usize::from(remote.ip().to_canonical() == caller);
            }
        }
        if parked >= PARKED_MAX || by_caller >= PARKED_PER_ADDRESS_MAX {
            return self.refuse_stranger(conn, remote);
        }
        self.connections
            .insert(conn, Connection::Parked { remote, frame });
        let waited = self.clock.at + PARKED_FOR;
        self.timers.set(TimerKind::Parked(conn), waited);
    }

    /// There are new keys: looks again at the calls that wait for some.
    pub(super) fn unpark(&mut self) {
        let parked: Vec<_> = self
            .connections
            .extract_if(.., |_, connection| {
                matches!(connection, Connection::Parked { .. })
            })
            .collect();
        for (conn, connection) in parked {
            if let Connection::Parked { remote, frame } = connection {
                self.timers.cancel(TimerKind::Parked(conn));
                self.on_accepted(conn, remote);
                self.on_received(conn, &frame);
            }
        }
    }

    /// A call has waited long enough.
    pub(super) fn on_parked_for_long(&mut self, conn: ConnId) {
        if let Some(&Connection::Parked { remote, .. }) = self.connections.get(&conn) {
            self.refuse_stranger(conn, remote);
        }
    }

    /// Somebody calls in a session that nobody here knows. The user is told once for each address.
    fn refuse_stranger(&mut self, conn: ConnId, remote: SocketAddr) {
        self.refuse(conn, RefusalCode::UnknownSession);
        let from = remote.ip().to_canonical();
        if self.strangers.peek(&from).is_none() {
            self.strangers.entry(from, || ());
            self.event(PeerEvent::RefusedStranger { from });
        }
    }
}
