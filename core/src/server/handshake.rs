//! Handshakes: how callers become known before they say what they want.

use core::fmt;
use core::net::SocketAddr;

use zeroize::Zeroizing;

use super::Server;
use super::admission::{Admitted, Budget, Denied};
use super::connection::Connection;
use super::event::Fault;
use super::lockout::Provenance;
use crate::channel::{Answering, Called, Channel, Part};
use crate::key::PublicKey;
use crate::limits::HANDSHAKE_WITHIN;
use crate::machine::ConnId;
use crate::source::Source;
use crate::wire::frame::RefusalCode;

/// Somebody who has shaken hands.
pub(super) struct Caller {
    pub(super) conn: ConnId,
    /// From where.
    pub(super) remote: SocketAddr,
    /// Our address, as they reached it.
    pub(super) local: SocketAddr,
    /// What they are known by.
    pub(super) key: PublicKey,
    /// Their session, if there is to be one.
    pub(super) channel: Channel,
}

/// A handshake that was answered.
#[derive(Debug)]
pub(super) struct UnderWay {
    answering: Answering,
    admitted: Admitted,
}

impl Caller {
    /// What their tries to log in are counted by.
    pub(super) fn provenance(&self) -> Provenance {
        Provenance {
            source: Source::of(self.remote.ip()),
            key: self.key,
        }
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caller({:?} from {})", self.key, self.remote)
    }
}

impl Server {
    /// Somebody begins a handshake.
    pub(super) fn on_called(&mut self, conn: ConnId, message: &[u8]) {
        let called = Called::take(
            &*self.protection,
            Part::LoginResponder,
            &self.identity.key,
            &mut *self.secrets,
            message,
        );
        let called = match called {
            Ok(called) => called,
            Err(error) => return self.on_unusable(conn, RefusalCode::Malformed, error.into()),
        };
        let Some(&Connection::Fresh { remote, .. }) = self.connections.get(&conn) else {
            return;
        };
        let Ok(admitted) = self.admit_call(&called, remote) else {
            return self.on_unusable(conn, RefusalCode::Busy, Fault::TooManyHandshakes);
        };
        let (answering, bytes) = match called.answer() {
            Ok(answered) => answered,
            Err(error) => {
                self.admission.finish(admitted);
                return self.on_unusable(conn, RefusalCode::Malformed, error.into());
            }
        };
        let Some(Connection::Fresh { handshake, .. }) = self.connections.get_mut(&conn) else {
            return self.admission.finish(admitted);
        };
        *handshake = Some(UnderWay {
            answering,
            admitted,
        });
        let until = self.clock.at + HANDSHAKE_WITHIN;
        self.handshakes.set(conn, until);
        // What is said before anybody is known is no part of a recording.
        self.send(conn, None, bytes);
    }

    /// Whether a handshake may go on that has cost nothing yet.
    fn admit_call(&mut self, called: &Called, remote: SocketAddr) -> Result<Admitted, Denied> {
        let now = self.ticket_time();
        let cookie = self.identity.tickets.open_cookie(called.payload(), now);
        let budget = cookie.map_or(Budget::Strangers, Budget::Returning);
        let source = Source::of(remote.ip());
        self.admission.admit(self.clock.at, source, budget)
    }

    /// A handshake has come to its end, or its connection has.
    pub(super) fn finish_handshake(&mut self, conn: ConnId, under_way: UnderWay) -> Answering {
        self.handshakes.cancel(conn);
        self.admission.finish(under_way.admitted);
        under_way.answering
    }

    /// Sends those away who take too long. They are not in a recording, and so this is a fact of its own in it.
    pub(super) fn expire_handshakes(&mut self) {
        while let Some(conn) = self.handshakes.pop_due(self.clock.at) {
            self.on_unusable(conn, RefusalCode::Busy, Fault::SlowHandshake);
        }
    }

    /// The last message of a handshake: the caller is known, and wants to log in.
    pub(super) fn on_introduced(&mut self, conn: ConnId, under_way: UnderWay, message: &[u8]) {
        let answering = self.finish_handshake(conn, under_way);
        let Some(&Connection::Fresh { remote, local, .. }) = self.connections.get(&conn) else {
            return;
        };
        match answering.finish(message) {
            Ok((channel, key, request)) => {
                // There may be a password in it.
                let request = Zeroizing::new(request);
                let caller = Caller {
                    conn,
                    remote,
                    local,
                    key,
                    channel,
                };
                self.on_login_request(caller, &request);
            }
            Err(error) => self.on_unusable(conn, RefusalCode::Malformed, Fault::from(error)),
        }
    }
}
