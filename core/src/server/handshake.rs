//! Handshakes: how callers become known before they say what they want.

use core::fmt;
use core::net::SocketAddr;

use super::Server;
use super::connection::Connection;
use super::event::Fault;
use crate::channel::{Answering, Channel, Part};
use crate::key::PublicKey;
use crate::machine::ConnId;
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

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caller({:?} from {})", self.key, self.remote)
    }
}

impl Server {
    /// Somebody begins a handshake.
    pub(super) fn on_called(&mut self, conn: ConnId, message: &[u8]) {
        let answered = Answering::start(
            &*self.protection,
            Part::LoginResponder,
            &self.identity.key,
            &mut *self.secrets,
            message,
        );
        match answered {
            Ok((answering, bytes)) => {
                if let Some(Connection::Fresh { handshake, .. }) = self.connections.get_mut(&conn) {
                    *handshake = Some(answering);
                }
                // What is said before anybody is known is no part of a recording.
                self.send(conn, None, bytes);
            }
            Err(error) => self.on_unusable(conn, RefusalCode::Malformed, error.into()),
        }
    }

    /// The last message of a handshake: the caller is known, and wants to log in.
    pub(super) fn on_introduced(&mut self, conn: ConnId, answering: Answering, message: &[u8]) {
        let Some(&Connection::Fresh { remote, local, .. }) = self.connections.get(&conn) else {
            return;
        };
        match answering.finish(message) {
            Ok((channel, key, request)) => {
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
