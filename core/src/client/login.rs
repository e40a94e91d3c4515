//! Logging in: the one exchange with the server before there is a session, and the word on our listener behind it.

use core::net::SocketAddr;
use core::time::Duration;

use super::connection::{Connection, LoginConnection};
use super::event::{AwayCause, End, Occasion, SessionEvent};
use super::link::{Session, State};
use super::{Client, TimerKind};
use crate::channel::Channel;
use crate::machine::ConnId;
use crate::wire::deframer::Deframer;
use crate::wire::frame::{Frame, SealedFrame};
use crate::wire::item::{Bounded, Items, decode, encode};
use crate::wire::login::{Login, LoginAnswer, LoginCause, LoginRefusal, LoginRequest, Welcome};
use crate::wire::request::{Answer, Reach};

/// No server makes a client send heartbeats without end.
const HEARTBEAT_INTERVAL_MIN: Duration = Duration::from_millis(10);

impl Client {
    pub(super) fn start_login(&mut self, cause: LoginCause) {
        let Some(&to) = self.config.servers.get(self.link.server) else {
            return self.end(End::Unreachable(AwayCause::Silent));
        };
        let connection = LoginConnection {
            deframer: Deframer::default(),
            exchange: None,
            session: None,
        };
        let conn = self.dial(to, Connection::Login(connection));
        self.link.state = State::LoggingIn { conn, cause };
    }

    /// The connection stands, and shows at which address we reach the server.
    pub(super) fn send_login(&mut self, conn: ConnId, local: SocketAddr) {
        let State::LoggingIn { cause, .. } = self.link.state else {
            return;
        };
        let Some((name, password)) = self.user.clone() else {
            return;
        };
        let listener = self.config.listener;
        let own = if listener.ip().is_unspecified() {
            SocketAddr::new(local.ip(), listener.port())
        } else {
            listener
        };
        let login = Login {
            name,
            password,
            port: listener.port(),
            instance: self.instance,
            lowest_unanswered: self.outbox.lowest_unanswered(),
            cause,
            candidates: Bounded::first_of([own]),
        };
        let request = encode(&LoginRequest::Password(login));
        let (sealed, exchange) = self.protection.seal_login(&mut *self.secrets, &request);
        if let Some(Connection::Login(login)) = self.connections.get_mut(&conn) {
            login.exchange = Some(exchange);
        }
        self.send(conn, Frame::Login(&sealed).to_bytes());
    }

    pub(super) fn on_login_answer(&mut self, conn: ConnId, body: &[u8]) {
        let is_current =
            matches!(self.link.state, State::LoggingIn { conn: current, .. } if current == conn);
        match self.open_login_answer(conn, body) {
            Some(LoginAnswer::Welcome(welcome)) if is_current => self.on_welcome(conn, welcome),
            Some(LoginAnswer::Refused(refusal)) if is_current => {
                self.on_login_refused(conn, refusal);
            }
            _ => self.on_finished(conn),
        }
    }

    fn open_login_answer(&mut self, conn: ConnId, body: &[u8]) -> Option<LoginAnswer> {
        let Some(Connection::Login(login)) = self.connections.get_mut(&conn) else {
            return None;
        };
        let answer = login.exchange.as_mut()?.open_answer(body)?;
        decode(&answer).ok()
    }

    fn on_welcome(&mut self, conn: ConnId, welcome: Welcome) {
        let session = welcome.keys.id;
        if let Some(Connection::Login(login)) = self.connections.get_mut(&conn) {
            login.session = Some(session);
        }
        let occasion = if self.link.login.is_none() {
            Occasion::First
        } else {
            Occasion::Again
        };
        self.link.session = Some(Session {
            channel: Channel::new(welcome.keys, self.protection.clone()),
            heartbeat_interval: Duration::from_millis(welcome.heartbeat_interval_ms.into())
                .max(HEARTBEAT_INTERVAL_MIN),
            timeout: Duration::from_millis(welcome.timeout_ms.into()),
            max_text: usize::try_from(welcome.max_text).unwrap_or(usize::MAX),
            heard: self.clock.at,
            over: false,
        });
        self.link.login = Some(welcome.login);
        self.link.state = State::Ready;
        self.link.failed_servers = 0;
        self.link.away = None;
        self.inbox.start_session();
        self.outbox.send_all_again();
        self.query_again();
        self.on_server_heard();
        if let Some((user, _)) = self.user {
            let kept = welcome.kept;
            self.event(SessionEvent::LoggedIn {
                user,
                kept,
                occasion,
            });
        }
        self.plan_heartbeat();
        self.unpark();
        self.flush();
    }

    fn on_login_refused(&mut self, conn: ConnId, refusal: LoginRefusal) {
        self.close(conn);
        let is_first = self.link.login.is_none();
        self.link.failed_servers = 0;
        match refusal {
            _ if is_first => {
                self.link.state = State::Idle;
                self.event(SessionEvent::LoginRefused { refusal });
            }
            LoginRefusal::TakenOver => self.end(End::TakenOver),
            LoginRefusal::Locked { seconds } | LoginRefusal::Busy { seconds } => {
                self.tell_away(AwayCause::Silent);
                self.rest(Duration::from_secs(seconds.max(1).into()));
            }
            LoginRefusal::Stopping => {
                self.on_server_failed(AwayCause::Stopping);
            }
            LoginRefusal::WrongCredentials { .. }
            | LoginRefusal::Port(_)
            | LoginRefusal::Other { .. } => self.end(End::LoginRefused(refusal)),
        }
    }

    /// What follows the answer to a login: whether the server could reach our listener.
    pub(super) fn on_login_follow_up(&mut self, conn: ConnId, sealed: &SealedFrame<'_>) {
        let session = self.link.session.as_mut();
        let opened = session
            .filter(|session| session.channel.id() == sealed.session)
            .and_then(|session| session.channel.open_answer(sealed).ok());
        let answer = opened.and_then(|opened| {
            let item = Items::new(&opened.payload).next()?.ok()?;
            decode(item).ok()
        });
        if let Some(Answer::ListenerChecked { reach }) = answer
            && reach == Reach::Unreachable
        {
            let port = self.config.listener.port();
            self.event(SessionEvent::ListenerUnreachable { port });
        }
        self.close(conn);
    }

    pub(super) fn on_login_lost(&mut self, login: &LoginConnection, cause: AwayCause) {
        let State::LoggingIn {
            cause: login_cause, ..
        } = self.link.state
        else {
            return;
        };
        if login.session.is_some() {
            return;
        }
        let servers = self.config.servers.len();
        self.link.server = (self.link.server + 1) % servers.max(1);
        self.link.failed_servers += 1;
        if self.link.failed_servers < servers {
            return self.start_login(login_cause);
        }
        self.link.failed_servers = 0;
        match login_cause {
            LoginCause::Person => self.end(End::Unreachable(cause)),
            LoginCause::Automatic(_) => self.on_server_failed(cause),
        }
    }

    pub(super) fn plan_heartbeat(&mut self) {
        if let Some(session) = &self.link.session {
            let at = self.clock.at + session.heartbeat_interval;
            self.timers.set(TimerKind::Heartbeat, at);
        }
    }
}
