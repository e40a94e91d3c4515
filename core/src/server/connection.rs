//! Connections and what each of them is for, from its first byte to its end.

use core::net::SocketAddr;

use super::event::{Event, Fault};
use super::handshake::UnderWay;
use super::recording::{Answered, Fact, Saying};
use super::requests::Exchange;
use super::session::Listener;
use super::{Output, Server};
use crate::held::Ends;
use crate::id::SessionId;
use crate::machine::ConnId;
use crate::wire::deframer::Deframer;
use crate::wire::frame::{Frame, RefusalCode};

use super::AccountId;

/// What a connection is for.
#[derive(Debug)]
pub(super) enum Connection {
    /// Accepted, and what it is for has not come yet.
    Fresh {
        remote: SocketAddr,
        local: SocketAddr,
        deframer: Deframer,
        /// A handshake that was answered.
        handshake: Option<UnderWay>,
    },
    /// A login whose password is being checked.
    LoggingIn,
    /// A login that was answered, waiting for word of the listener.
    LoggedIn { account: AccountId, ends: Ends },
    /// A held link: what comes there is taken apart before it is looked at here.
    Held {
        account: AccountId,
        session: SessionId,
    },
    /// A request whose answer waits for outcomes.
    Exchange(Exchange),
    /// Dialled, to find out whether a listener belongs to its session.
    Probe {
        account: AccountId,
        session: SessionId,
        deframer: Deframer,
    },
    /// Dialled, with a batch.
    Delivery {
        account: AccountId,
        session: SessionId,
        deframer: Deframer,
    },
    /// Dialled, with the last word to a session that is over. Nothing is expected back.
    Farewell,
}

impl Server {
    pub(super) fn on_accepted(&mut self, conn: ConnId, remote: SocketAddr, local: SocketAddr) {
        let fresh = Connection::Fresh {
            remote,
            local,
            deframer: Deframer::default(),
            handshake: None,
        };
        self.connections.insert(conn, fresh);
    }

    pub(super) fn on_received(&mut self, conn: ConnId, bytes: &[u8]) {
        let deframer = match self.connections.get_mut(&conn) {
            Some(
                Connection::Fresh { deframer, .. }
                | Connection::Probe { deframer, .. }
                | Connection::Delivery { deframer, .. },
            ) => deframer,
            // One exchange a connection: what comes behind it is nobody's.
            Some(
                Connection::LoggingIn
                | Connection::LoggedIn { .. }
                | Connection::Held { .. }
                | Connection::Exchange(_)
                | Connection::Farewell,
            )
            | None => return,
        };
        deframer.push(bytes);
        match deframer.next_frame() {
            Ok(Some(frame)) => self.on_frame(conn, &frame),
            Ok(None) => {
                // A stranger is sent away before the rest of a long frame is waited for.
                let session = deframer.session();
                if session.is_some_and(|session| !self.sessions.contains_key(&session)) {
                    self.on_unusable(conn, RefusalCode::UnknownSession, Fault::UnknownSession);
                }
            }
            Err(error) => self.on_unusable(conn, error.refusal(), error.into()),
        }
    }

    fn on_frame(&mut self, conn: ConnId, bytes: &[u8]) {
        let frame = match Frame::parse(bytes) {
            Ok(frame) => frame,
            Err(error) => return self.on_unusable(conn, error.refusal(), error.into()),
        };
        match (self.connections.get_mut(&conn), frame) {
            (Some(Connection::Fresh { handshake, .. }), Frame::Handshake(message)) => {
                match handshake.take() {
                    None => self.on_called(conn, message),
                    Some(under_way) => self.on_introduced(conn, under_way, message),
                }
            }
            (
                Some(Connection::Fresh {
                    handshake: None, ..
                }),
                Frame::Session(sealed),
            ) => {
                self.on_sealed_request(conn, &sealed);
            }
            (
                Some(
                    Connection::Probe {
                        account, session, ..
                    }
                    | Connection::Delivery {
                        account, session, ..
                    },
                ),
                Frame::Session(sealed),
            ) => {
                let (account, session) = (*account, *session);
                let answered = self.open_answer(account, session, &sealed);
                let answer = |_| Fact::Answer { conn, answered };
                self.tap.fact(self.clock, answer);
                self.on_answer(conn, answered);
            }
            // From where we dialled: nobody there has what we brought.
            _ => self.on_unusable(conn, RefusalCode::Malformed, Fault::Unexpected),
        }
    }

    /// What came is no use, whoever sent it.
    pub(super) fn on_unusable(&mut self, conn: ConnId, code: RefusalCode, fault: Fault) {
        let unusable = |_| Fact::Unusable { conn, code, fault };
        self.tap.fact(self.clock, unusable);
        self.refuse(conn, code, fault);
    }

    /// The answer on a connection that the server dialled.
    pub(super) fn on_answer(&mut self, conn: ConnId, answered: Answered) {
        match self.connections.get(&conn) {
            Some(&Connection::Probe {
                account, session, ..
            }) => self.on_probe_answer(conn, account, session, answered),
            Some(&Connection::Delivery { account, .. }) => {
                self.on_delivery_answer(conn, account, answered);
            }
            _ => {}
        }
    }

    /// Sends a connection away with a word why.
    pub(super) fn refuse(&mut self, conn: ConnId, code: RefusalCode, fault: Fault) {
        match self.connections.get(&conn) {
            Some(&Connection::Fresh { remote, .. }) => {
                let saying = self.tap.saying(|_| Saying::Refusal(code));
                self.send(conn, saying, Frame::Refusal(code).to_bytes());
                let from = remote;
                self.event(Event::Refused { from, fault });
            }
            // Where we dialled, an unusable answer is no answer.
            Some(_) => self.on_connection_lost(conn),
            None => {}
        }
        self.close(conn);
    }

    /// The peer sends no more. Who waits for an answer may still read it; who owes us one will not give it.
    pub(super) fn on_finished(&mut self, conn: ConnId) {
        match self.connections.get(&conn) {
            Some(Connection::Fresh { .. }) => self.close(conn),
            Some(
                Connection::Probe { .. }
                | Connection::Delivery { .. }
                | Connection::Held { .. }
                | Connection::Farewell,
            ) => {
                self.on_connection_lost(conn);
                self.close(conn);
            }
            Some(Connection::LoggingIn | Connection::LoggedIn { .. } | Connection::Exchange(_))
            | None => {}
        }
    }

    /// A connection is gone, or as good as gone.
    pub(super) fn on_connection_lost(&mut self, conn: ConnId) {
        match self.connections.remove(&conn) {
            Some(Connection::Probe {
                account, session, ..
            }) => {
                if self.is_probed_on(account, session, conn) {
                    self.on_probed(account, Listener::Unreachable);
                }
            }
            Some(Connection::Delivery {
                account, session, ..
            }) => self.on_delivery_failed(conn, account, session),
            Some(Connection::Exchange(exchange)) => self.forget_exchange(conn, &exchange),
            Some(Connection::Held { account, session }) => {
                self.on_link_lost(conn, account, session);
            }
            Some(Connection::LoggedIn { account, .. }) => {
                if let Some(session) = &mut self.accounts.get_mut(account).session
                    && session.login_conn == Some(conn)
                {
                    session.login_conn = None;
                }
            }
            Some(Connection::Fresh { handshake, .. }) => self.give_up_handshake(conn, handshake),
            Some(Connection::LoggingIn | Connection::Farewell) | None => {}
        }
    }

    fn give_up_handshake(&mut self, conn: ConnId, handshake: Option<UnderWay>) {
        if let Some(under_way) = handshake {
            let _ = self.finish_handshake(conn, under_way);
        }
    }

    /// Ends a connection once what was sent there is out.
    pub(super) fn close(&mut self, conn: ConnId) {
        if let Some(Connection::Fresh { handshake, .. }) = self.connections.remove(&conn) {
            self.give_up_handshake(conn, handshake);
        }
        self.output(Output::Close { conn });
    }
}
