//! Logging in: the one exchange with the server before there is a session, and the word on our listener behind it.

use alloc::boxed::Box;
use core::net::SocketAddr;
use core::time::Duration;

use zeroize::Zeroizing;

use super::connection::{Connection, LoginConnection, LoginStage};
use super::event::{AwayCause, End, Occasion, SessionEvent};
use super::leaving::Phase;
use super::link::{Session, State};
use super::{Client, Effect, Output, TimerKind, Trust};
use crate::channel::{Calling, Channel, Met, Part};
use crate::id::EffectId;
use crate::key::PublicKey;
use crate::limits::SESSION_LIFETIME;
use crate::machine::ConnId;
use crate::wire::frame::{RefusalCode, SealedFrame};
use crate::wire::item::{Bounded, Items, decode, encode};
use crate::wire::login::{
    Login, LoginAnswer, LoginCause, LoginRefusal, LoginRequest, Proof, Welcome,
};
use crate::wire::request::Answer;

/// How often a first login comes again by itself to a server that has no place for it now.
const BUSY_TRIES_MAX: u32 = 5;
/// In seconds; who waits to be let in is not kept waiting for longer.
const BUSY_REST_MAX: u32 = 5;
/// After new keys could not be had, they are tried for again within this time.
const RENEWAL_RETRY: Duration = Duration::from_secs(60);
/// No server makes a client send heartbeats without end.
const HEARTBEAT_INTERVAL_MIN: Duration = Duration::from_millis(10);

impl Client {
    pub(super) fn start_login(&mut self, cause: LoginCause) {
        if self.config.servers.is_empty() {
            return self.end(End::Unreachable(AwayCause::Silent));
        }
        self.link.state = State::LoggingIn { cause };
        self.start_race();
    }

    fn login_stage(&mut self, conn: ConnId) -> Option<&mut LoginStage> {
        match self.connections.get_mut(&conn) {
            Some(Connection::Login(login)) => Some(&mut login.stage),
            _ => None,
        }
    }

    /// The stage of a login, to be gone on from.
    fn take_login_stage(&mut self, conn: ConnId) -> Option<LoginStage> {
        let stage = self.login_stage(conn)?;
        Some(core::mem::replace(stage, LoginStage::Over))
    }

    /// The connection stands, and shows at which address we reach the server.
    pub(super) fn call_server(&mut self, conn: ConnId, local: SocketAddr) {
        self.win_race(conn);
        let listener = self.config.listener;
        let own = if listener.ip().is_unspecified() {
            SocketAddr::new(local.ip(), listener.port())
        } else {
            listener
        };
        let called = Calling::start(
            &*self.protection,
            Part::LoginInitiator,
            &self.key,
            &mut *self.secrets,
            self.link
                .cookie
                .as_ref()
                .map_or(&[], |cookie| cookie.as_bytes()),
        );
        let Ok((calling, bytes)) = called else {
            return self.refuse(conn, RefusalCode::Malformed);
        };
        if let Some(stage @ LoginStage::Dialling) = self.login_stage(conn) {
            *stage = LoginStage::Calling { calling, own };
            self.send(conn, bytes);
        }
    }

    /// The server shows its key. Nothing was said to it yet that matters.
    pub(super) fn on_server_met(&mut self, conn: ConnId, message: &[u8]) {
        let Some(LoginStage::Calling { calling, own }) = self.take_login_stage(conn) else {
            return self.refuse(conn, RefusalCode::Malformed);
        };
        let Ok(met) = calling.answered(message) else {
            return self.refuse(conn, RefusalCode::Malformed);
        };
        let key = met.remote();
        let server = self.link.race.won_by(conn).unwrap_or(self.link.server);
        let Some(&address) = self.config.servers.get(server) else {
            return self.refuse(conn, RefusalCode::Malformed);
        };
        match (self.link.server_key, self.link.state) {
            (Some(known), _) if known == key => {
                self.link.impostors.remove(&server);
                self.ask_to_log_in(conn, met, own);
            }
            (None, State::LoggingIn { cause }) => {
                self.link.server = server;
                // This may take a person's time, and which key we are known by depends on it: we call again afterwards.
                self.close(conn);
                let id = self.next_effect();
                self.link.state = State::Judging { id, key, cause };
                self.output(Output::Effect(Effect::JudgeServer { id, key, address }));
            }
            _ => {
                self.close(conn);
                self.on_impostor(conn, key);
            }
        }
    }

    /// Somebody answers in the server's place who has another key. Nothing is said to them; the server may be elsewhere.
    fn on_impostor(&mut self, conn: ConnId, key: PublicKey) {
        let (State::LoggingIn { .. }, Some(server)) =
            (self.link.state, self.link.race.won_by(conn))
        else {
            return;
        };
        if let Some(cause) = self.drop_out_of_race(conn, AwayCause::OtherKey(key)) {
            return self.on_no_address_left(cause);
        }
        if self.link.impostors.insert(server, key) != Some(key)
            && let Some(&at) = self.config.servers.get(server)
        {
            self.event(SessionEvent::Impostor { at, key });
        }
    }

    /// It is decided whether the server is who the user means.
    pub(super) fn on_server_judged(&mut self, id: EffectId, trust: Trust) {
        let State::Judging {
            id: asked,
            key,
            cause,
        } = self.link.state
        else {
            return;
        };
        if id != asked {
            return;
        }
        match (trust, self.link.race.winner()) {
            (Trust::Trusted(own), _) => {
                self.key = own;
                self.link.server_key = Some(key);
                self.start_login(cause);
            }
            (Trust::OtherKey, Some(conn)) => {
                self.link.state = State::LoggingIn { cause };
                self.on_impostor(conn, key);
            }
            (Trust::OtherKey, None) | (Trust::Refused, _) => self.end(End::ServerNotTrusted),
        }
    }

    /// The server is who we mean: it learns who we are.
    fn ask_to_log_in(&mut self, conn: ConnId, met: Met, own: SocketAddr) {
        self.note_own_address(own);
        let (State::LoggingIn { cause, .. }, Some(name), Some(proof)) =
            (self.link.state, self.user, self.proof())
        else {
            return self.refuse(conn, RefusalCode::Malformed);
        };
        let login = Login {
            name,
            proof,
            port: self.config.listener.port(),
            instance: self.instance,
            lowest_unanswered: self.outbox.lowest_unanswered(),
            cause,
            candidates: Bounded::first_of([own]),
            link: self.config.link,
        };
        let request = Zeroizing::new(encode(&LoginRequest::Login(login)));
        let (channel, bytes) = met.say(&request);
        if let Some(stage) = self.login_stage(conn) {
            *stage = LoginStage::Asked(Box::new(channel));
        }
        self.send(conn, bytes);
    }

    /// The server does not take the ticket any more: only the user can go on, and what they wish meanwhile waits.
    pub(super) fn need_password(&mut self) {
        self.link.ticket = None;
        self.lose_session();
        if self.phase != Phase::Running {
            return self.end(End::LoginRefused(LoginRefusal::TicketRefused));
        }
        self.timers.cancel(TimerKind::Retry);
        self.link.state = State::Idle;
        self.event(SessionEvent::PasswordNeeded);
    }

    pub(super) fn proof(&self) -> Option<Proof> {
        let ticket = self.link.ticket.clone().map(Proof::Ticket);
        ticket.or_else(|| self.password.clone().map(Proof::Password))
    }

    pub(super) fn on_login_answer(&mut self, conn: ConnId, sealed: &SealedFrame<'_>) {
        if let Some(LoginStage::LoggedIn) = self.login_stage(conn) {
            return self.on_login_follow_up(conn, sealed);
        }
        let is_current = matches!(self.link.state, State::LoggingIn { .. })
            && self.link.race.won_by(conn).is_some();
        let Some(LoginStage::Asked(mut channel)) = self.take_login_stage(conn) else {
            return self.refuse(conn, RefusalCode::Malformed);
        };
        let opened = channel.open_answer(sealed).ok();
        let answer = opened.and_then(|opened| decode(&opened.payload).ok());
        match answer {
            Some(LoginAnswer::Welcome(welcome)) if is_current => {
                self.on_welcome(conn, *channel, welcome);
            }
            Some(LoginAnswer::Refused(refusal)) if is_current => {
                self.on_login_refused(conn, refusal);
            }
            _ => self.on_finished(conn),
        }
    }

    fn on_welcome(&mut self, conn: ConnId, channel: Channel, welcome: Welcome) {
        if let Some(stage) = self.login_stage(conn) {
            *stage = LoginStage::LoggedIn;
        }
        let occasion = self.occasion();
        self.link.session = Some(Session {
            channel,
            heartbeat_interval: Duration::from_millis(welcome.heartbeat_interval_ms.into())
                .max(HEARTBEAT_INTERVAL_MIN),
            timeout: Duration::from_millis(welcome.timeout_ms.into()),
            max_text: usize::try_from(welcome.max_text).unwrap_or(usize::MAX),
            since: self.clock.at,
            heard: self.clock.at,
            has_said_book: false,
            over: false,
        });
        self.link.login = Some(welcome.login);
        self.link.ticket = Some(welcome.ticket);
        self.link.cookie = Some(welcome.cookie);
        // The ticket takes its place.
        self.password = None;
        self.link.state = State::Ready;
        if let Some(server) = self.link.race.won_by(conn) {
            self.link.server = server;
        }
        let former_link = self.link.held.take();
        self.link.away = None;
        self.inbox.start_session();
        self.await_kept(welcome.kept);
        self.outbox.send_all_again();
        if let Some(link) = former_link {
            // The server ends it too; but no server has us keep links without end.
            self.drop_link(link);
        }
        self.ledger.session_over();
        self.query_again();
        self.on_server_heard();
        if let (Some(user), Some(occasion)) = (self.user, occasion) {
            let kept = welcome.kept;
            self.event(SessionEvent::LoggedIn {
                user,
                kept,
                occasion,
                time: welcome.time,
            });
        }
        self.plan_heartbeat();
        self.plan_renewal(SESSION_LIFETIME);
        if occasion == Some(Occasion::First) {
            // Those that an earlier life of this client knew.
            self.seek_peers();
        }
        self.post_all_mail();
        self.unpark();
        self.flush();
    }

    /// What a login is to the user: nothing, if it only brings new keys.
    fn occasion(&self) -> Option<Occasion> {
        match self.link.login {
            None => Some(Occasion::First),
            Some(_) if self.has_usable_session() && self.link.away.is_none() => None,
            Some(_) => Some(Occasion::Again),
        }
    }

    pub(super) fn on_login_refused(&mut self, conn: ConnId, refusal: LoginRefusal) {
        self.close(conn);
        let is_first = self.link.login.is_none();
        if let LoginRefusal::Busy { seconds } = refusal
            && is_first
            && self.link.busy < BUSY_TRIES_MAX
        {
            self.link.busy += 1;
            return self.rest(Duration::from_secs(seconds.clamp(1, BUSY_REST_MAX).into()));
        }
        self.link.busy = 0;
        if is_first || matches!(refusal, LoginRefusal::WrongCredentials { .. }) {
            self.password = None;
        }
        match refusal {
            _ if is_first => {
                self.link.state = State::Idle;
                self.event(SessionEvent::LoginRefused { refusal });
            }
            LoginRefusal::TicketRefused => self.need_password(),
            // What the user was asked for after that.
            LoginRefusal::WrongCredentials { .. } if self.link.ticket.is_none() => {
                self.link.state = State::Idle;
                self.event(SessionEvent::LoginRefused { refusal });
            }
            LoginRefusal::TakenOver => self.end(End::TakenOver),
            LoginRefusal::Busy { .. } if self.has_usable_session() => {
                // It was about new keys, which can wait.
                self.link.state = State::Ready;
                self.plan_renewal(RENEWAL_RETRY);
                self.plan_heartbeat();
                self.flush();
            }
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
        match answer {
            Some(Answer::ListenerChecked { reach }) => self.on_checked(conn, reach),
            _ => self.close(conn),
        }
    }

    pub(super) fn on_login_lost(
        &mut self,
        conn: ConnId,
        login: &LoginConnection,
        cause: AwayCause,
    ) {
        let is_under_way = matches!(self.link.state, State::LoggingIn { .. });
        if !is_under_way || matches!(login.stage, LoginStage::LoggedIn) {
            return;
        }
        if let Some(cause) = self.drop_out_of_race(conn, cause) {
            self.on_no_address_left(cause);
        }
    }

    /// A login has come to nothing, at all addresses of the server.
    fn on_no_address_left(&mut self, cause: AwayCause) {
        let State::LoggingIn { cause: login_cause } = self.link.state else {
            return;
        };
        match login_cause {
            LoginCause::Person
                if self.link.server_key.is_none() && matches!(cause, AwayCause::OtherKey(_)) =>
            {
                self.end(End::ServerNotTrusted);
            }
            // Whoever was logged in before was asked for the password again, and has more to lose than this try.
            LoginCause::Person if !self.has_begun() => self.end(End::Unreachable(cause)),
            LoginCause::Person if self.link.login.is_none() => {
                self.on_server_failed(cause);
                self.tell_away(cause);
            }
            LoginCause::Person | LoginCause::Automatic(_) => self.on_server_failed(cause),
        }
        self.plan_renewal(RENEWAL_RETRY);
    }

    /// The keys of the session are to be replaced in good time.
    fn plan_renewal(&mut self, within: Duration) {
        let at = self.clock.at + self.rng.jitter(within);
        self.timers.set(TimerKind::Renewal, at);
    }

    /// New keys: the old ones go, and what was recorded under them stays closed whatever becomes known later.
    pub(super) fn renew(&mut self) {
        if self.is_ready() {
            self.log_in_again();
        } else {
            self.plan_renewal(RENEWAL_RETRY);
        }
    }

    pub(super) fn plan_heartbeat(&mut self) {
        if let Some(session) = &self.link.session {
            let at = self.clock.at + session.heartbeat_interval;
            self.timers.set(TimerKind::Heartbeat, at);
        }
    }
}
