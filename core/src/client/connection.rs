//! Connections and what each of them is for: calls that we get, and calls that we make.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::Client;
use super::event::AwayCause;
use super::link::Exchange;
use crate::channel::LoginExchange;
use crate::id::{Seq, SessionId};
use crate::machine::{ConnId, ConnectFailure};
use crate::wire::Challenge;
use crate::wire::deframer::Deframer;
use crate::wire::frame::{Frame, RefusalCode};

/// What a connection is for.
#[derive(Debug)]
pub(super) enum Connection {
    /// Somebody calls our listener, and nothing whole has come yet.
    Call {
        remote: SocketAddr,
        deframer: Deframer,
    },
    /// A call in a session that we do not know yet.
    Parked { remote: SocketAddr, frame: Vec<u8> },
    /// A call whose answer waits until what it brought has been shown.
    Showing,
    /// Our login.
    Login(LoginConnection),
    /// A request to the server.
    Request {
        exchange: Exchange,
        deframer: Deframer,
    },
    /// Is this where a peer listens?
    PeerProbe {
        link: SessionId,
        address: SocketAddr,
        challenge: Challenge,
        deframer: Deframer,
    },
    /// Private messages to a peer.
    PeerDelivery {
        link: SessionId,
        through: Seq,
        deframer: Deframer,
    },
    /// The last word to somebody who is no peer any more.
    PeerBye { link: SessionId, deframer: Deframer },
}

/// A login under way.
#[derive(Debug)]
pub(super) struct LoginConnection {
    pub(super) deframer: Deframer,
    /// What opens the answer, once the request is sent.
    pub(super) exchange: Option<Box<dyn LoginExchange>>,
    /// The session, once there is one: then this connection waits for word of our listener.
    pub(super) session: Option<SessionId>,
}

impl Client {
    pub(super) fn on_accepted(&mut self, conn: ConnId, remote: SocketAddr) {
        let deframer = Deframer::default();
        self.connections
            .insert(conn, Connection::Call { remote, deframer });
    }

    pub(super) fn on_connected(&mut self, conn: ConnId, local: SocketAddr) {
        if let Some(Connection::Login(_)) = self.connections.get(&conn) {
            self.send_login(conn, local);
        }
    }

    pub(super) fn on_received(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(deframer) = self.deframer(conn) else {
            return;
        };
        deframer.push(bytes);
        // Only the answer to a login is followed by another frame; else the first one ends this.
        while let Some(deframer) = self.deframer(conn) {
            match deframer.next_frame() {
                Ok(Some(frame)) => self.on_frame(conn, frame),
                Ok(None) => return,
                Err(error) => return self.refuse(conn, error.refusal()),
            }
        }
    }

    /// Where the bytes of a connection go. `None` once its exchange is complete: what comes behind is nobody's.
    fn deframer(&mut self, conn: ConnId) -> Option<&mut Deframer> {
        match self.connections.get_mut(&conn)? {
            Connection::Call { deframer, .. }
            | Connection::Login(LoginConnection { deframer, .. })
            | Connection::Request { deframer, .. }
            | Connection::PeerProbe { deframer, .. }
            | Connection::PeerDelivery { deframer, .. }
            | Connection::PeerBye { deframer, .. } => Some(deframer),
            Connection::Parked { .. } | Connection::Showing => None,
        }
    }

    fn on_frame(&mut self, conn: ConnId, bytes: Vec<u8>) {
        let frame = match Frame::parse(&bytes) {
            Ok(frame) => frame,
            Err(error) => return self.refuse(conn, error.refusal()),
        };
        match (self.connections.get(&conn), frame) {
            (Some(&Connection::Call { remote, .. }), Frame::Session(sealed)) => {
                if self.is_known_session(sealed.session) {
                    self.on_call(conn, &sealed);
                } else {
                    self.park(conn, remote, bytes);
                }
            }
            (Some(Connection::Login(_)), Frame::Login(body)) => self.on_login_answer(conn, body),
            (Some(Connection::Login(_)), Frame::Session(sealed)) => {
                self.on_login_follow_up(conn, &sealed);
            }
            (Some(Connection::Request { .. }), Frame::Session(sealed)) => {
                self.on_answer(conn, &sealed);
            }
            (Some(Connection::Request { exchange, .. }), Frame::Refusal(code)) => {
                let session = exchange.session;
                self.on_request_refused(conn, session, code);
            }
            (
                Some(
                    Connection::PeerProbe { .. }
                    | Connection::PeerDelivery { .. }
                    | Connection::PeerBye { .. },
                ),
                Frame::Session(sealed),
            ) => self.on_peer_answer(conn, &sealed),
            _ => self.refuse(conn, RefusalCode::Malformed),
        }
    }

    /// Gives up a connection that brought nothing of use. Who called us is told why.
    pub(super) fn refuse(&mut self, conn: ConnId, code: RefusalCode) {
        match self.connections.get(&conn) {
            Some(Connection::Call { .. } | Connection::Parked { .. } | Connection::Showing) => {
                self.send(conn, Frame::Refusal(code).to_bytes());
                self.close(conn);
            }
            Some(
                Connection::Login(_)
                | Connection::Request { .. }
                | Connection::PeerProbe { .. }
                | Connection::PeerDelivery { .. }
                | Connection::PeerBye { .. },
            ) => {
                self.on_lost(conn, AwayCause::Silent);
                self.close(conn);
            }
            None => {}
        }
    }

    pub(super) fn on_connect_failed(&mut self, conn: ConnId, failure: ConnectFailure) {
        self.on_lost(conn, AwayCause::Unreachable(failure));
    }

    pub(super) fn on_closed(&mut self, conn: ConnId) {
        self.on_lost(conn, AwayCause::Silent);
    }

    /// The other side sends no more: who owes us an answer will not give it.
    pub(super) fn on_finished(&mut self, conn: ConnId) {
        match self.connections.get(&conn) {
            Some(Connection::Parked { .. } | Connection::Showing) | None => {}
            Some(
                Connection::Call { .. }
                | Connection::Login(_)
                | Connection::Request { .. }
                | Connection::PeerProbe { .. }
                | Connection::PeerDelivery { .. }
                | Connection::PeerBye { .. },
            ) => {
                self.on_lost(conn, AwayCause::Silent);
                self.close(conn);
            }
        }
    }

    /// A connection is gone, or as good as gone.
    fn on_lost(&mut self, conn: ConnId, cause: AwayCause) {
        match self.connections.remove(&conn) {
            Some(Connection::Login(login)) => self.on_login_lost(&login, cause),
            Some(Connection::Request { exchange, .. }) => {
                self.on_request_lost(conn, &exchange, cause);
            }
            Some(Connection::PeerProbe { link, .. }) => self.on_peer_probe_failed(link),
            Some(Connection::PeerDelivery { link, .. }) => self.on_peer_delivery_failed(link, conn),
            Some(Connection::PeerBye { link, .. }) => self.on_bye_failed(link),
            Some(Connection::Call { .. } | Connection::Parked { .. } | Connection::Showing)
            | None => {}
        }
    }
}
