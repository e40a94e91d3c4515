//! The link to the server: whether there is a session that can be used, and how to get one back.
//!
//! A request that fails says little: a connection broke. So the link *rests* a moment and tries again with the same
//! session. Only when the server does not know the session, or must have given it up, is there a new login.

use alloc::collections::BTreeMap;
use core::net::SocketAddr;
use core::time::Duration;

use super::event::{AwayCause, SessionEvent};
use super::race::Race;
use super::{Client, TimerKind};
use crate::backoff::Backoff;
use crate::channel::Channel;
use crate::id::{EffectId, LoginNumber, SessionId};
use crate::key::PublicKey;
use crate::machine::{ConnId, ConnectFailure};
use crate::time::Timestamp;
use crate::wire::login::{Cookie, LoginCause, Ticket};
use crate::wire::request::Reach;

const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_LONGEST: Duration = Duration::from_secs(30);
/// Failures in a row until the user is told that the server is away: one is a broken connection.
const FAILURES_UNTIL_AWAY: u32 = 2;

/// A session with the server, as the client knows it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) channel: Channel,
    pub(super) heartbeat_interval: Duration,
    pub(super) timeout: Duration,
    pub(super) max_text: usize,
    /// When it began.
    pub(super) since: Timestamp,
    /// When the server last answered.
    pub(super) heard: Timestamp,
    /// Whether the server knows who is in the address book: it has answered a frame that said so.
    pub(super) has_said_book: bool,
    /// Whether the server is known to have given it up. What it sealed before may still arrive.
    pub(super) over: bool,
}

/// What a request was for, besides operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Exchange {
    pub(super) session: SessionId,
    pub(super) errand: Errand,
}

/// What a request is made for, besides the operations that go with every one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Errand {
    /// Nothing else.
    Operations,
    /// To be heard of.
    Heartbeat,
    /// To end the session.
    Logout,
}

/// What the link is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Nobody has asked for a login, or it was refused.
    Idle,
    /// A login is under way.
    LoggingIn { cause: LoginCause },
    /// A login is under way, and waits until it is decided whether the server is who the user means.
    Judging {
        id: EffectId,
        key: PublicKey,
        cause: LoginCause,
    },
    /// Requests can be made.
    Ready,
    /// A timer ends the rest.
    Resting,
}

/// The link to the server.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) state: State,
    pub(super) session: Option<Session>,
    /// What the server is known by, once it is trusted.
    pub(super) server_key: Option<PublicKey>,
    /// What the server gave at the last login, for the next one.
    pub(super) ticket: Option<Ticket>,
    pub(super) cookie: Option<Cookie>,
    /// The connection that everything travels on, if not each exchange has its own.
    pub(super) held: Option<ConnId>,
    /// What the user knows of how the server reaches them.
    pub(super) reach: Option<Reach>,
    /// From where the server was reached.
    pub(super) own: Option<SocketAddr>,
    /// The last login that was granted.
    pub(super) login: Option<LoginNumber>,
    /// Why the server counts as away, once the user was told.
    pub(super) away: Option<AwayCause>,
    /// Which of the server's addresses is used.
    pub(super) server: usize,
    /// Those of its addresses at which somebody has shown this other key, of which the user was told.
    pub(super) impostors: BTreeMap<usize, PublicKey>,
    /// How often a first login was put off.
    pub(super) busy: u32,
    /// How the login that is under way looks for one.
    pub(super) race: Race,
    backoff: Backoff,
}

impl Link {
    pub(super) fn new() -> Self {
        Self {
            state: State::Idle,
            session: None,
            server_key: None,
            ticket: None,
            cookie: None,
            held: None,
            reach: None,
            own: None,
            login: None,
            away: None,
            server: 0,
            impostors: BTreeMap::new(),
            busy: 0,
            race: Race::default(),
            backoff: Backoff::new(RETRY_FIRST, RETRY_LONGEST),
        }
    }
}

impl Client {
    pub(super) fn is_ready(&self) -> bool {
        self.link.state == State::Ready
    }

    /// The server has answered.
    pub(super) fn on_server_heard(&mut self) {
        let Some(session) = &mut self.link.session else {
            return;
        };
        if session.over {
            return;
        }
        session.heard = self.clock.at;
        self.link.backoff.reset();
        if self.link.state == State::Resting {
            self.timers.cancel(TimerKind::Retry);
            self.link.state = State::Ready;
            self.plan_heartbeat();
        }
        if self.link.away.take().is_some() {
            self.event(SessionEvent::ServerBack);
        }
    }

    /// Something between us and the server failed: rest, then try again.
    pub(super) fn on_server_failed(&mut self, cause: AwayCause) {
        if matches!(
            self.link.state,
            State::Idle | State::Resting | State::Judging { .. }
        ) {
            return;
        }
        let is_out_of_reach = matches!(
            cause,
            AwayCause::Unreachable(ConnectFailure::TimedOut | ConnectFailure::Unreachable)
        );
        if is_out_of_reach && self.is_ready() {
            // The session is as good at the server's other addresses, and this host may have lost its IPv6, or its IPv4.
            self.link.server = (self.link.server + 1) % self.config.servers.len().max(1);
        }
        let rest = self.link.backoff.after_failure(&mut self.rng);
        self.rest(rest);
        if self.link.backoff.failures() >= FAILURES_UNTIL_AWAY {
            self.tell_away(cause);
        }
    }

    /// The user learns once that the server is away.
    pub(super) fn tell_away(&mut self, cause: AwayCause) {
        if self.link.away.replace(cause).is_none() {
            let peers = self.book.len();
            self.event(SessionEvent::ServerAway { cause, peers });
        }
    }

    pub(super) fn rest(&mut self, duration: Duration) {
        self.link.state = State::Resting;
        let rested = self.clock.at + duration;
        self.timers.set(TimerKind::Retry, rested);
        self.timers.cancel(TimerKind::Heartbeat);
    }

    /// Whether there is a session that the server should still know.
    pub(super) fn has_usable_session(&self) -> bool {
        self.link.session.as_ref().is_some_and(|session| {
            !session.over && self.clock.at.since(session.heard) < session.timeout
        })
    }

    /// The rest is over.
    pub(super) fn retry(&mut self) {
        if self.has_usable_session() {
            self.link.state = State::Ready;
            self.send_heartbeat();
        } else if self.link.login.is_none() {
            self.start_login(LoginCause::Person);
        } else {
            self.log_in_again();
        }
    }

    /// The server does not know the session any more.
    pub(super) fn lose_session(&mut self) {
        if let Some(session) = &mut self.link.session {
            session.over = true;
        }
    }

    /// Gets a new session without asking the user.
    pub(super) fn log_in_again(&mut self) {
        let is_under_way = matches!(
            self.link.state,
            State::LoggingIn { .. } | State::Judging { .. }
        );
        // Without a proof it is the user's turn.
        if let (Some(login), false, Some(_)) = (self.link.login, is_under_way, self.proof()) {
            self.timers.cancel(TimerKind::Retry);
            self.start_login(LoginCause::Automatic(login));
        }
    }

    /// The server said that it is going. What it has for us it still hands over; nothing new is asked of it.
    pub(super) fn on_server_stopping(&mut self) {
        if matches!(self.link.state, State::Ready | State::Resting) {
            self.lose_session();
            let rest = self.link.backoff.after_failure(&mut self.rng);
            // It needs a moment to go and come back.
            self.rest(rest + Duration::from_secs(1));
            self.tell_away(AwayCause::Stopping);
        }
    }
}
