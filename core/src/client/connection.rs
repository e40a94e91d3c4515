//! Connections and what each of them is for: calls that we get, and calls that we make.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::Client;
use super::event::AwayCause;
use super::ledger::AttemptResult;
use super::link::Exchange;
use super::peer::Way;
use super::peer_link::PeerCheck;
use crate::channel::{Answering, Calling, Channel};
use crate::id::{IntroductionId, Seq, SessionId};
use crate::key::PublicKey;
use crate::machine::{ConnId, ConnectFailure};
use crate::wire::deframer::Deframer;
use crate::wire::frame::{Frame, RefusalCode};
use crate::wire::login::LoginRefusal;
use crate::wire::peer::PeerPush;

/// What a connection is for.
#[derive(Debug)]
pub(super) enum Connection {
    /// Somebody calls our listener, and what they want has not come yet.
    Call {
        remote: SocketAddr,
        deframer: Deframer,
        /// A handshake that was answered.
        handshake: Option<Answering>,
    },
    /// A call in a session that we do not know yet.
    Parked { remote: SocketAddr, frame: Vec<u8> },
    /// A call with regard to an introduction that we do not know yet.
    ParkedGreeting {
        remote: SocketAddr,
        call: Box<PeerCall>,
    },
    /// A call whose answer waits until what it brought has been shown.
    Showing,
    /// Somebody has greeted us, and waits there for word of how we reach them.
    Checking(PeerCheck),
    /// A held link: what comes there is taken apart before it is looked at here.
    Held(HeldWith),
    /// Our login.
    Login(LoginConnection),
    /// A request to the server.
    Request {
        exchange: Exchange,
        deframer: Deframer,
    },
    /// A handshake with a peer, who may be there or not.
    Greeting {
        greeting: Greeting,
        deframer: Deframer,
    },
    /// Private messages to a peer.
    PeerDelivery {
        introduction: IntroductionId,
        session: SessionId,
        through: Seq,
        deframer: Deframer,
    },
}

/// Who is at the other end of a held link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HeldWith {
    Server,
    Peer(IntroductionId),
}

/// A login under way.
#[derive(Debug)]
pub(super) struct LoginConnection {
    pub(super) deframer: Deframer,
    pub(super) stage: LoginStage,
}

/// How far a login has come.
#[derive(Debug)]
pub(super) enum LoginStage {
    /// The connection does not stand yet.
    Dialling,
    /// We have called from this address.
    Calling { calling: Calling, own: SocketAddr },
    /// The request is sent. Its answer comes in this session, which the server may refuse.
    Asked(Box<Channel>),
    /// There is a session: the connection waits for word of our listener.
    LoggedIn,
    /// Nothing is expected any more.
    Over,
}

/// A handshake with somebody to whom we were introduced.
#[derive(Debug)]
pub(super) struct Greeting {
    pub(super) introduction: IntroductionId,
    pub(super) way: Way,
    /// What we want of them.
    pub(super) saying: PeerPush,
    pub(super) stage: GreetingStage,
}

/// How far a greeting has come.
#[derive(Debug)]
pub(super) enum GreetingStage {
    /// We have called.
    Calling(Calling),
    /// They know who we are and what we want.
    Said(Box<Channel>),
    /// We are welcome: the connection waits for word of our listener.
    Welcomed,
    /// Nothing is expected any more.
    Over,
}

/// What somebody says of themselves who has called us and shaken hands.
#[derive(Debug)]
pub(super) struct PeerCall {
    /// What they are known by.
    pub(super) key: PublicKey,
    /// The session that they have begun.
    pub(super) channel: Channel,
    pub(super) push: PeerPush,
}

impl Client {
    pub(super) fn on_accepted(&mut self, conn: ConnId, remote: SocketAddr) {
        let call = Connection::Call {
            remote,
            deframer: Deframer::default(),
            handshake: None,
        };
        self.connections.insert(conn, call);
    }

    pub(super) fn on_connected(&mut self, conn: ConnId, local: SocketAddr) {
        if let Some(Connection::Login(_)) = self.connections.get(&conn) {
            self.call_server(conn, local);
        }
    }

    pub(super) fn on_received(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(deframer) = self.deframer(conn) else {
            return;
        };
        deframer.push(bytes);
        // Handshakes and logins have several frames; of all else the first one ends this.
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
            | Connection::Greeting { deframer, .. }
            | Connection::PeerDelivery { deframer, .. } => Some(deframer),
            Connection::Parked { .. }
            | Connection::ParkedGreeting { .. }
            | Connection::Showing
            | Connection::Checking(_)
            | Connection::Held(_) => None,
        }
    }

    fn on_frame(&mut self, conn: ConnId, bytes: Vec<u8>) {
        let frame = match Frame::parse(&bytes) {
            Ok(frame) => frame,
            Err(error) => return self.refuse(conn, error.refusal()),
        };
        match (self.connections.get_mut(&conn), frame) {
            (
                Some(Connection::Call {
                    remote, handshake, ..
                }),
                frame,
            ) => {
                let (remote, handshake) = (*remote, handshake.take());
                match (frame, handshake) {
                    (Frame::Handshake(message), None) => self.on_greeting(conn, remote, message),
                    (Frame::Handshake(message), Some(answering)) => {
                        self.on_introduced_itself(conn, remote, answering, message);
                    }
                    (Frame::Session(sealed), None) if self.is_known_session(sealed.session) => {
                        self.on_call(conn, &sealed);
                    }
                    (Frame::Session(_), None) => {
                        let frame = bytes;
                        self.park(conn, remote, Connection::Parked { remote, frame });
                    }
                    (
                        Frame::Session(_) | Frame::Refusal(_) | Frame::Stream(_) | Frame::End(_),
                        _,
                    ) => {
                        self.refuse(conn, RefusalCode::Malformed);
                    }
                }
            }
            (Some(Connection::Login(_)), Frame::Handshake(message)) => {
                self.on_server_met(conn, message);
            }
            (Some(Connection::Login(_)), Frame::Session(sealed)) => {
                self.on_login_answer(conn, &sealed);
            }
            // Anybody could say so: of a login that was granted it means nothing.
            (Some(Connection::Login(login)), Frame::Refusal(RefusalCode::Busy))
                if !matches!(login.stage, LoginStage::LoggedIn) =>
            {
                self.on_login_refused(conn, LoginRefusal::Busy { seconds: 1 });
            }
            (Some(Connection::Request { .. }), Frame::Session(sealed)) => {
                self.on_answer(conn, &sealed);
            }
            (Some(Connection::Request { exchange, .. }), Frame::Refusal(code)) => {
                let session = exchange.session;
                self.on_request_refused(conn, session, code);
            }
            (Some(Connection::Greeting { .. }), Frame::Handshake(message)) => {
                self.on_greeted(conn, message);
            }
            (Some(Connection::Greeting { .. }), Frame::Session(sealed)) => {
                self.on_greeting_answered(conn, &sealed);
            }
            (Some(Connection::Greeting { .. }), Frame::Refusal(code)) => {
                self.on_greeting_refused(conn, code);
            }
            (Some(Connection::PeerDelivery { .. }), Frame::Session(sealed)) => {
                self.on_delivery_answer(conn, &sealed);
            }
            (Some(Connection::PeerDelivery { introduction, .. }), Frame::Refusal(code)) => {
                let introduction = *introduction;
                self.on_delivery_refused(conn, introduction, code);
            }
            _ => self.refuse(conn, RefusalCode::Malformed),
        }
    }

    /// Gives up a connection that brought nothing of use. Who called us is told why.
    pub(super) fn refuse(&mut self, conn: ConnId, code: RefusalCode) {
        match self.connections.get(&conn) {
            Some(
                Connection::Call { .. }
                | Connection::Parked { .. }
                | Connection::ParkedGreeting { .. }
                | Connection::Showing,
            ) => {
                self.send(conn, Frame::Refusal(code).to_bytes());
                self.close(conn);
            }
            Some(
                Connection::Checking(_)
                | Connection::Held(_)
                | Connection::Login(_)
                | Connection::Request { .. }
                | Connection::Greeting { .. }
                | Connection::PeerDelivery { .. },
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
            Some(
                Connection::Parked { .. } | Connection::ParkedGreeting { .. } | Connection::Showing,
            )
            | None => {}
            Some(
                Connection::Call { .. }
                | Connection::Checking(_)
                | Connection::Held(_)
                | Connection::Login(_)
                | Connection::Request { .. }
                | Connection::Greeting { .. }
                | Connection::PeerDelivery { .. },
            ) => {
                self.on_lost(conn, AwayCause::Silent);
                self.close(conn);
            }
        }
    }

    /// A connection is gone, or as good as gone.
    fn on_lost(&mut self, conn: ConnId, cause: AwayCause) {
        match self.connections.remove(&conn) {
            Some(Connection::Held(HeldWith::Server)) => self.on_link_lost(conn, cause),
            Some(Connection::Held(HeldWith::Peer(introduction))) => {
                self.on_peer_link_lost(introduction, conn);
            }
            Some(Connection::Checking(check)) => self.on_check_lost(&check, conn),
            Some(Connection::Login(login)) => self.on_login_lost(conn, &login, cause),
            Some(Connection::Request { exchange, .. }) => {
                self.on_request_lost(conn, &exchange, cause);
            }
            Some(Connection::Greeting { greeting, .. }) => match greeting.stage {
                GreetingStage::Welcomed => self.on_word_lost(greeting.introduction, conn),
                GreetingStage::Calling(_) | GreetingStage::Said(_) | GreetingStage::Over => {
                    self.on_greeting_failed(&greeting);
                }
            },
            Some(Connection::PeerDelivery { introduction, .. }) => {
                self.ledger.lost(conn, AttemptResult::from(cause));
                self.on_peer_delivery_failed(introduction, conn);
            }
            Some(
                Connection::Call { .. }
                | Connection::Parked { .. }
                | Connection::ParkedGreeting { .. }
                | Connection::Showing,
            )
            | None => {}
        }
    }
}
