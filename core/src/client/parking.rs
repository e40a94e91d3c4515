//! Parking: calls of somebody whom this client does not know yet.
//!
//! Who somebody is and what they say travel on different connections, and connections race: the server's check of our listener
//! may overtake the answer to our login, and a peer's first call the introduction. So an unknown caller waits a little for
//! word of them to come, and is sent away as a stranger only then.

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

/// How long a caller waits to be known.
const PARKED_FOR: Duration = Duration::from_secs(2);

impl Connection {
    /// From where a call that waits has come.
    pub(super) const fn parked_from(&self) -> Option<SocketAddr> {
        match self {
            Self::Parked { remote, .. } | Self::ParkedGreeting { remote, .. } => Some(*remote),
            Self::Call { .. }
            | Self::Showing
            | Self::Checking(_)
            | Self::Held(_)
            | Self::Login(_)
            | Self::Request { .. }
            | Self::Greeting { .. }
            | Self::PeerDelivery { .. } => None,
        }
    }
}

impl Client {
    pub(super) fn is_known_session(&self, id: SessionId) -> bool {
        let is_ours = self
            .link
            .session
            .as_ref()
            .is_some_and(|session| session.channel.id() == id);
        is_ours || self.peer_sessions.contains(id)
    }

    /// Somebody calls who is not known.
    pub(super) fn park(&mut self, conn: ConnId, remote: SocketAddr, call: Connection) {
        let caller = remote.ip().to_canonical();
        let (mut parked, mut by_caller) = (0, 0);
        for from in self
            .connections
            .values()
            .filter_map(Connection::parked_from)
        {
            parked += 1;
            by_caller += usize::from(from.ip().to_canonical() == caller);
        }
        if parked >= PARKED_MAX || by_caller >= PARKED_PER_ADDRESS_MAX {
            return self.refuse_stranger(conn, remote);
        }
        self.connections.insert(conn, call);
        let waited = self.clock.at + PARKED_FOR;
        self.timers.set(TimerKind::Parked(conn), waited);
    }

    /// Somebody new is known: looks again at the calls that wait.
    pub(super) fn unpark(&mut self) {
        let parked: Vec<_> = self
            .connections
            .extract_if(.., |_, connection| connection.parked_from().is_some())
            .collect();
        for (conn, connection) in parked {
            match connection {
                Connection::Parked { remote, frame } => {
                    self.timers.cancel(TimerKind::Parked(conn));
                    self.on_accepted(conn, remote);
                    self.on_received(conn, &frame);
                }
                Connection::ParkedGreeting { remote, call } => {
                    match call.push.introduction().filter(|id| self.knows(*id)) {
                        Some(introduction) => {
                            self.timers.cancel(TimerKind::Parked(conn));
                            self.on_accepted(conn, remote);
                            self.take_call(conn, remote, introduction, call);
                        }
                        None => {
                            let waiting = Connection::ParkedGreeting { remote, call };
                            self.connections.insert(conn, waiting);
                        }
                    }
                }
                Connection::Call { .. }
                | Connection::Showing
                | Connection::Checking(_)
                | Connection::Held(_)
                | Connection::Login(_)
                | Connection::Request { .. }
                | Connection::Greeting { .. }
                | Connection::PeerDelivery { .. } => {}
            }
        }
    }

    /// A call has waited long enough.
    pub(super) fn on_parked_for_long(&mut self, conn: ConnId) {
        let parked = self.connections.get(&conn);
        if let Some(remote) = parked.and_then(Connection::parked_from) {
            self.refuse_stranger(conn, remote);
        }
    }

    /// Somebody calls whom nobody here knows. The user is told once for each address.
    fn refuse_stranger(&mut self, conn: ConnId, remote: SocketAddr) {
        self.refuse(conn, RefusalCode::UnknownSession);
        let from = remote.ip().to_canonical();
        if self.strangers.peek(&from).is_none() {
            self.strangers.entry(from, || ());
            self.event(PeerEvent::RefusedStranger { from });
        }
    }
}
