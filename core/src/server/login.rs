//! Logging in and out: from a login's first byte to a session, and how sessions end.

use alloc::boxed::Box;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::account::LatestLogin;
use super::connection::Connection;
use super::event::{Arrival, Departure, Event};
use super::intake::Intake;
use super::lane::Lane;
use super::lockout::{Attempt, Denied, Source};
use super::record::Record;
use super::recording::{Entrant, Fact, Saying};
use super::session::{Listener, Origination, Session};
use super::shutdown::Phase;
use super::{AccountId, Effect, Output, Server, TimerKind, Verdict};
use crate::channel::{Channel, LoginExchange, OpenedLogin, SessionKeys};
use crate::id::{EffectId, LoginNumber};
use crate::limits::{CLIENT_PORT_MIN, PASSWORD_CHECKS_MAX};
use crate::machine::ConnId;
use crate::name::Name;
use crate::time::{WallTime, whole_secs_up};
use crate::wire::EndReason;
use crate::wire::frame::{Frame, RefusalCode};
use crate::wire::item::{Payload, decode, encode};
use crate::wire::login::{Login, LoginAnswer, LoginCause, LoginRefusal, LoginRequest, Welcome};
use crate::wire::push::{Presence, Push, SessionEnd};

const BUSY_FOR: Duration = Duration::from_secs(1);

/// A login whose password is being checked.
#[derive(Debug)]
pub(super) struct PendingLogin {
    conn: ConnId,
    remote: SocketAddr,
    local: SocketAddr,
    login: Login,
    /// Whose name it was when it came.
    account: Option<AccountId>,
    /// Seals the answer.
    exchange: Box<dyn LoginExchange>,
    attempt: Attempt,
}

impl Server {
    pub(super) fn on_sealed_login(
        &mut self,
        conn: ConnId,
        remote: SocketAddr,
        local: SocketAddr,
        body: &[u8],
    ) {
        let opened = self.protection.open_login(&mut *self.secrets, body);
        let OpenedLogin { request, exchange } = match opened {
            Ok(opened) => opened,
            Err(error) => return self.on_unusable(conn, RefusalCode::Malformed, error.into()),
        };
        let login = match decode(&request) {
            Ok(LoginRequest::Password(login)) => login,
            Err(error) => return self.on_unusable(conn, RefusalCode::Malformed, error.into()),
        };
        self.tap.fact(self.clock, |_| Fact::Login {
            conn,
            entrant: Entrant::from(&login),
        });
        self.on_login(conn, remote, local, login, exchange);
    }

    /// A login that was opened.
    pub(super) fn on_login(
        &mut self,
        conn: ConnId,
        remote: SocketAddr,
        local: SocketAddr,
        login: Login,
        exchange: Box<dyn LoginExchange>,
    ) {
        match self.admit(&login, remote) {
            Ok(attempt) => {
                self.connections.insert(conn, Connection::LoggingIn);
                let id = EffectId(self.effects);
                self.effects += 1;
                let check = Effect::CheckPassword {
                    id,
                    name: login.name,
                    password: login.password.clone(),
                };
                let pending = PendingLogin {
                    conn,
                    remote,
                    local,
                    account: self.accounts.find(login.name),
                    login,
                    exchange,
                    attempt,
                };
                self.checks.insert(id, pending);
                self.output(Output::Effect(check));
            }
            Err(refusal) => self.refuse_login(conn, remote, login.name, exchange, refusal),
        }
    }

    /// Whether a login's password is to be checked at all.
    fn admit(&mut self, login: &Login, remote: SocketAddr) -> Result<Attempt, LoginRefusal> {
        let seconds = whole_secs_up(BUSY_FOR);
        if self.phase != Phase::Running {
            return Err(LoginRefusal::Stopping);
        }
        if login.port < CLIENT_PORT_MIN {
            return Err(LoginRefusal::Port(login.port));
        }
        if self.checks.len() >= PASSWORD_CHECKS_MAX || self.records.is_full() {
            return Err(LoginRefusal::Busy { seconds });
        }
        self.lockout
            .admit(self.clock.at, login.name, Source::of(remote.ip()))
            .map_err(|denied| match denied {
                Denied::Locked(rest) => LoginRefusal::Locked {
                    seconds: whole_secs_up(rest),
                },
                Denied::Busy => LoginRefusal::Busy { seconds },
            })
    }

    fn refuse_login(
        &mut self,
        conn: ConnId,
        from: SocketAddr,
        user: Name,
        exchange: Box<dyn LoginExchange>,
        refusal: LoginRefusal,
    ) {
        self.event(Event::LoginRefused {
            user,
            from,
            refusal,
        });
        self.answer_login(conn, exchange, &LoginAnswer::Refused(refusal));
        self.close(conn);
    }

    fn answer_login(
        &mut self,
        conn: ConnId,
        mut exchange: Box<dyn LoginExchange>,
        answer: &LoginAnswer,
    ) {
        let saying = self.tap.saying(|_| Saying::from(answer));
        let bytes = exchange.seal_answer(&encode(answer));
        self.send(conn, saying, Frame::Login(&bytes).to_bytes());
    }

    pub(super) fn on_password_checked(&mut self, id: EffectId, verdict: Verdict) {
        let Some(pending) = self.checks.remove(&id) else {
            return;
        };
        let now = self.clock.at;
        let (conn, remote) = (pending.conn, pending.remote);
        // An account that is no more is not continued by a later one of its name.
        let account = pending
            .account
            .filter(|account| self.accounts.find(pending.login.name) == Some(*account));
        let (Verdict::Right, Some(account)) = (verdict, account) else {
            let attempts_left = self.lockout.fail(now, pending.attempt);
            self.record_lockout(pending.login.name, remote.ip());
            let refusal = LoginRefusal::WrongCredentials { attempts_left };
            return self.refuse_login(conn, remote, pending.login.name, pending.exchange, refusal);
        };
        self.lockout.succeed(now, pending.attempt);
        if !self.connections.contains_key(&conn) {
            // Whoever knew the password is gone, and could not be told of a session.
            return;
        }
        if self.phase != Phase::Running {
            return self.refuse_login(
                conn,
                remote,
                pending.login.name,
                pending.exchange,
                LoginRefusal::Stopping,
            );
        }
        match self.login_number(account, &pending.login) {
            Some(number) => self.start_session(account, number, pending),
            None => self.refuse_login(
                conn,
                remote,
                pending.login.name,
                pending.exchange,
                LoginRefusal::TakenOver,
            ),
        }
    }

    /// A lockout holds over a restart too.
    fn record_lockout(&mut self, name: Name, from: IpAddr) {
        let now = self.clock.at;
        if let Some((until, source)) = self.lockout.locked(now, name, Source::of(from)) {
            let rest = u64::try_from(until.since(now).as_millis()).unwrap_or(u64::MAX);
            self.record(Record::LockedOut {
                name,
                from: source.map(|_| from),
                until: WallTime(self.clock.wall.0.saturating_add(rest)),
            });
        }
    }

    /// The number of a login. `None` if a person has logged in elsewhere since: only a person takes an account over, so
    /// two clients never throw each other out in turns.
    ///
    /// Numbers are never below the wall clock, so that they go on rising when a server has forgotten the last one.
    fn login_number(&self, account: AccountId, login: &Login) -> Option<LoginNumber> {
        let latest = self.accounts.get(account).latest_login;
        match (login.cause, latest) {
            (LoginCause::Person, latest) => {
                let after_latest = latest.map_or(0, |latest| latest.number.0.saturating_add(1));
                Some(LoginNumber(after_latest.max(self.clock.wall.0)))
            }
            (LoginCause::Automatic(number), Some(latest))
                if latest.instance != login.instance && latest.number >= number =>
            {
                None
            }
            (LoginCause::Automatic(number), _) => Some(number),
        }
    }

    fn start_session(&mut self, account: AccountId, number: LoginNumber, pending: PendingLogin) {
        let PendingLogin {
            conn,
            remote,
            local,
            login,
            exchange,
            ..
        } = pending;
        let arrival = self.end_previous_session(account, &login);
        let instance = login.instance;
        let keys = SessionKeys::generate(&mut *self.secrets);
        let id = keys.id;
        let owner = self.accounts.get_mut(account);
        owner.latest_login = Some(LatestLogin { number, instance });
        let user = owner.name;
        self.records.record(Record::LoggedIn {
            user,
            instance,
            number,
            from: remote.ip(),
            at: self.clock.wall,
        });
        owner
            .intakes
            .entry(instance, || Intake::new(login.lowest_unanswered))
            .confirm_below(login.lowest_unanswered);
        let lane = Lane::new(self.config.presence_interval, &owner.mailbox);
        let origination = Origination {
            instance,
            remote,
            local: local.ip().to_canonical(),
            port: login.port,
            own_candidates: login.candidates,
            login_conn: conn,
        };
        let channel = Channel::new(keys.mirrored(), self.protection.clone());
        let mut session = Session::new(channel, lane, origination);
        for missed in owner.missed.drain(..) {
            session.lane.notify(missed);
        }
        owner.session = Some(session);
        let kept = owner.mailbox.len();
        self.sessions.insert(id, account);
        self.online.insert(user, account);
        self.heartbeats.start(self.clock.at, account);
        self.connections
            .insert(conn, Connection::LoggedIn { account });
        let welcome = Welcome {
            keys,
            login: number,
            heartbeat_interval_ms: millis(self.config.heartbeat_interval),
            timeout_ms: millis(self.config.timeout),
            max_text: u32::try_from(self.config.max_text).unwrap_or(u32::MAX),
            kept: u32::try_from(kept).unwrap_or(u32::MAX),
            time: self.clock.wall,
        };
        self.answer_login(conn, exchange, &LoginAnswer::Welcome(welcome));
        self.event(Event::LoggedIn {
            user,
            from: remote,
            arrival,
        });
        self.ask_open_questions(account);
        let returns_after_restart = matches!(login.cause, LoginCause::Automatic(_))
            && self.clock.at.since(self.started) < self.config.timeout;
        if arrival == Arrival::New && !returns_after_restart {
            self.alert(account, Presence::Online);
        }
        self.probe(account);
    }

    /// Makes room for a new session of an account: whoever had the last one is told, unless it is the same client.
    fn end_previous_session(&mut self, account: AccountId, login: &Login) -> Arrival {
        let owner = self.accounts.get_mut(account);
        let is_same = owner
            .latest_login
            .is_some_and(|latest| latest.instance == login.instance);
        let previous = self.detach_session(account);
        if !is_same {
            // The new client does not have the address book of the old one.
            self.end_introductions(account, EndReason::OtherClient);
            self.accounts.get_mut(account).missed.clear();
        }
        match previous {
            None => Arrival::New,
            Some(_) if is_same => Arrival::Again,
            Some(previous) => {
                self.say_farewell(account, previous, SessionEnd::TakenOver);
                Arrival::TookOver
            }
        }
    }

    /// A client has been silent for too long.
    pub(super) fn time_out(&mut self, account: AccountId) {
        if let Some(session) = self.detach_session(account) {
            self.say_farewell(account, session, SessionEnd::TimedOut);
            self.depart(account, Departure::TimedOut);
        }
    }

    /// The user has left.
    pub(super) fn log_out(&mut self, account: AccountId) {
        if self.detach_session(account).is_some() {
            self.end_introductions(account, EndReason::LoggedOut);
            let owner = self.accounts.get_mut(account);
            owner.missed.clear();
            let user = owner.name;
            self.record(Record::LoggedOut { user });
            self.depart(account, Departure::LoggedOut);
        }
    }

    /// Those who may know are told that a user is gone.
    fn depart(&mut self, account: AccountId, departure: Departure) {
        self.withdraw_questions(account);
        self.alert(account, Presence::Offline);
        let user = self.accounts.get(account).name;
        self.event(Event::LoggedOut { user, departure });
    }

    /// Takes an account's session away. What was on its way to it is kept.
    pub(super) fn detach_session(&mut self, account: AccountId) -> Option<Session> {
        let owner = self.accounts.get_mut(account);
        let mut session = owner.session.take()?;
        if let Some(intake) = owner.intakes.peek_mut(&session.instance) {
            intake.drop_held();
        }
        let lane_conn = session.lane.connection();
        owner.missed = session.lane.take_notices();
        owner
            .missed
            .retain(|notice| notice.subject.outlives_the_server());
        self.online.remove(&owner.name);
        self.sessions.remove(&session.channel.id());
        self.heartbeats.stop(account);
        for timer in [
            TimerKind::Rest(account),
            TimerKind::Lazy(account),
            TimerKind::Probe(account),
        ] {
            self.timers.cancel(timer);
        }
        let probe_conn = match session.listener {
            Listener::Probing { conn, .. } => Some(conn),
            Listener::Unknown | Listener::Reachable | Listener::Unreachable => None,
        };
        for conn in [lane_conn, probe_conn, session.login_conn]
            .into_iter()
            .flatten()
        {
            self.close(conn);
        }
        self.store_messages(account, self.clock.at);
        self.note_handed_over(account);
        Some(session)
    }

    /// Tells a client that its session is over, where it could be reached until now. It may not be told, and it matters
    /// little: its next frame is refused.
    pub(super) fn say_farewell(
        &mut self,
        account: AccountId,
        mut session: Session,
        reason: SessionEnd,
    ) {
        if session.listener != Listener::Reachable {
            return;
        }
        let payload = Payload::of(&Push::SessionEnded { reason });
        let saying = self.tap.saying(|texts| Saying::pushes(&payload, texts));
        let bytes = session.channel.seal_call(payload.as_bytes());
        let conn = self.dial(account, session.address());
        self.connections.insert(conn, Connection::Farewell);
        self.send(conn, saying, bytes);
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
