//! Logging in and out: from a login's first byte to a session, and how sessions end.

use alloc::collections::VecDeque;
use core::net::IpAddr;
use core::time::Duration;

use super::account::{CredentialsDigest, LatestLogin};
use super::admission::AccountTag;
use super::connection::Connection;
use super::event::{Arrival, Departure, Event};
use super::handshake::Caller;
use super::intake::Intake;
use super::lane::{Lane, Notice};
use super::lockout::{Attempt, Denied, Provenance};
use super::record::Record;
use super::recording::{Entrant, Fact, Saying};
use super::session::{Listener, Origination, Session};
use super::shutdown::Phase;
use super::ticket::Holder;
use super::{AccountId, Effect, Output, Server, TimerKind, Verdict};
use crate::channel::Channel;
use crate::held::Ends;
use crate::id::{EffectId, LoginNumber};
use crate::limits::{CLIENT_PORT_MIN, PASSWORD_CHECKS_MAX};
use crate::machine::ConnId;
use crate::name::Name;
use crate::source::Source;
use crate::text::Password;
use crate::time::{WallTime, whole_secs_up};
use crate::wire::frame::RefusalCode;
use crate::wire::item::{Payload, decode, encode};
use crate::wire::login::{
    Cookie, LinkChoice, LoginAnswer, LoginCause, LoginRefusal, LoginRequest, Proof, Ticket, Welcome,
};
use crate::wire::push::{Presence, Push, SessionEnd};
use crate::wire::{EndReason, Term};

const BUSY_FOR: Duration = Duration::from_secs(1);

/// A login whose password is being checked.
#[derive(Debug)]
pub(super) struct PendingLogin {
    caller: Caller,
    entrant: Entrant,
    /// Whose name it was when it came, and by which credentials the password is judged.
    account: Option<(AccountId, CredentialsDigest)>,
    attempt: Attempt,
}

/// What somebody comes back with.
#[derive(Debug)]
struct Pass {
    ticket: Ticket,
    cookie: Cookie,
}

/// What a login shows, as far as it was looked at.
#[derive(Debug)]
pub(super) enum Shown {
    /// A password, which has to be checked.
    Password(Password),
    /// A ticket.
    Ticket(Verdict),
}

impl Server {
    pub(super) fn on_login_request(&mut self, caller: Caller, request: &[u8]) {
        let login = match decode(request) {
            Ok(LoginRequest::Login(login)) => login,
            Err(error) => {
                return self.on_unusable(caller.conn, RefusalCode::Malformed, error.into());
            }
        };
        let (entrant, proof) = Entrant::of(login, caller.key);
        let shown = match proof {
            Proof::Password(password) => Shown::Password(password),
            Proof::Ticket(ticket) => Shown::Ticket(self.judge(&ticket, &entrant)),
        };
        self.tap.fact(self.clock, |_| Fact::Login {
            conn: caller.conn,
            entrant: entrant.clone(),
            shown: (&shown).into(),
        });
        self.on_login(caller, entrant, shown);
    }

    fn credentials_of(&self, name: Name) -> Option<(AccountId, CredentialsDigest)> {
        let account = self.accounts.find(name)?;
        Some((account, self.accounts.get(account).credentials))
    }

    fn judge(&self, ticket: &Ticket, entrant: &Entrant) -> Verdict {
        let account = self.accounts.find(entrant.name);
        let account = account.map(|account| self.accounts.get(account));
        // Looked at also if there is no such account: the time that it takes must not tell.
        let credentials = account.map_or(CredentialsDigest([0; 32]), |account| account.credentials);
        let holder = Holder::of(entrant, credentials);
        let period =
            account.map_or(WallTime(0), |account| account.tickets_from)..self.ticket_time();
        if self.identity.tickets.is_good(ticket, &holder, period) & account.is_some() {
            Verdict::Right
        } else {
            Verdict::Wrong
        }
    }

    /// A login that was opened.
    pub(super) fn on_login(&mut self, caller: Caller, entrant: Entrant, shown: Shown) {
        if let Some(refusal) = self.find_obstacle(&entrant) {
            return self.refuse_login(caller, entrant.name, refusal);
        }
        match shown {
            Shown::Password(password) => self.check_password(caller, entrant, password),
            Shown::Ticket(Verdict::Right) => match self.credentials_of(entrant.name) {
                Some((_, credentials)) => self.let_in(caller, entrant, credentials),
                None => self.refuse_login(caller, entrant.name, LoginRefusal::TicketRefused),
            },
            Shown::Ticket(Verdict::Wrong) => {
                self.refuse_login(caller, entrant.name, LoginRefusal::TicketRefused);
            }
        }
    }

    /// Why nobody is let in with this now, whatever they show.
    fn find_obstacle(&self, entrant: &Entrant) -> Option<LoginRefusal> {
        if self.phase != Phase::Running {
            Some(LoginRefusal::Stopping)
        } else if entrant.port < CLIENT_PORT_MIN {
            Some(LoginRefusal::Port(entrant.port))
        } else if self.records.is_full() {
            Some(LoginRefusal::Busy {
                seconds: whole_secs_up(BUSY_FOR),
            })
        } else {
            None
        }
    }

    fn check_password(&mut self, caller: Caller, entrant: Entrant, password: Password) {
        let name = entrant.name;
        let attempt = match self.admit(name, caller.provenance()) {
            Ok(attempt) => attempt,
            Err(refusal) => return self.refuse_login(caller, name, refusal),
        };
        self.connections.insert(caller.conn, Connection::LoggingIn);
        let id = EffectId(self.effects);
        self.effects += 1;
        let pending = PendingLogin {
            caller,
            entrant,
            account: self.credentials_of(name),
            attempt,
        };
        self.checks.insert(id, pending);
        self.output(Output::Effect(Effect::CheckPassword { id, name, password }));
    }

    /// Whether a password is to be checked at all.
    fn admit(&mut self, name: Name, provenance: Provenance) -> Result<Attempt, LoginRefusal> {
        let seconds = whole_secs_up(BUSY_FOR);
        if self.checks.len() >= PASSWORD_CHECKS_MAX {
            return Err(LoginRefusal::Busy { seconds });
        }
        self.lockout
            .admit(self.clock.at, name, provenance)
            .map_err(|denied| match denied {
                Denied::Locked(rest) => LoginRefusal::Locked {
                    seconds: whole_secs_up(rest),
                },
                Denied::Busy => LoginRefusal::Busy { seconds },
            })
    }

    fn refuse_login(&mut self, mut caller: Caller, user: Name, refusal: LoginRefusal) {
        self.event(Event::LoginRefused {
            user,
            from: caller.remote,
            refusal,
        });
        let answer = LoginAnswer::Refused(refusal);
        self.answer_login(caller.conn, &mut caller.channel, &answer);
        self.close(caller.conn);
    }

    fn answer_login(&mut self, conn: ConnId, channel: &mut Channel, answer: &LoginAnswer) {
        let saying = self.tap.saying(|_| Saying::from(answer));
        let bytes = channel.seal_answer(&encode(answer));
        self.send(conn, saying, bytes);
    }

    pub(super) fn on_password_checked(&mut self, id: EffectId, verdict: Verdict) {
        let Some(pending) = self.checks.remove(&id) else {
            return;
        };
        let PendingLogin {
            caller,
            entrant,
            account,
            attempt,
        } = pending;
        let now = self.clock.at;
        // An account that is no more is not continued by a later one of its name, nor a password by another one.
        let account = account.filter(|_| self.credentials_of(entrant.name) == account);
        let (Verdict::Right, Some((_, credentials))) = (verdict, account) else {
            let attempts_left = self.lockout.fail(now, attempt);
            self.record_lockout(entrant.name, caller.remote.ip());
            let refusal = LoginRefusal::WrongCredentials { attempts_left };
            return self.refuse_login(caller, entrant.name, refusal);
        };
        self.lockout.succeed(now, attempt);
        if !self.connections.contains_key(&caller.conn) {
            // Whoever knew the password is gone, and could not be told of a session.
            return;
        }
        if self.phase != Phase::Running {
            return self.refuse_login(caller, entrant.name, LoginRefusal::Stopping);
        }
        self.let_in(caller, entrant, credentials);
    }

    /// Somebody has shown that they are who they say.
    fn let_in(&mut self, caller: Caller, entrant: Entrant, credentials: CredentialsDigest) {
        let Some(account) = self.accounts.find(entrant.name) else {
            return self.refuse_login(caller, entrant.name, LoginRefusal::TicketRefused);
        };
        match self.login_number(account, &entrant) {
            Some(number) => {
                let pass = self.issue_pass(&entrant, credentials);
                self.start_session(account, number, caller, entrant, pass);
            }
            None => self.refuse_login(caller, entrant.name, LoginRefusal::TakenOver),
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
    fn login_number(&self, account: AccountId, entrant: &Entrant) -> Option<LoginNumber> {
        let latest = self.accounts.get(account).latest_login;
        match (entrant.cause, latest) {
            (LoginCause::Person, latest) => {
                let after_latest = latest.map_or(0, |latest| latest.number.0.saturating_add(1));
                Some(LoginNumber(after_latest.max(self.clock.wall.0)))
            }
            (LoginCause::Automatic(number), Some(latest))
                if latest.instance != entrant.instance && latest.number >= number =>
            {
                None
            }
            (LoginCause::Automatic(number), _) => Some(number),
        }
    }

    fn start_session(
        &mut self,
        account: AccountId,
        number: LoginNumber,
        caller: Caller,
        entrant: Entrant,
        pass: Pass,
    ) {
        let provenance = caller.provenance();
        let Caller {
            conn,
            remote,
            local,
            key,
            channel,
        } = caller;
        let ends = Ends { remote, local };
        let arrival = self.end_previous_session(account, &entrant);
        let instance = entrant.instance;
        let id = channel.id();
        let owner = self.accounts.get_mut(account);
        owner.latest_login = Some(LatestLogin {
            number,
            instance,
            key,
        });
        let user = owner.name;
        self.lockout.note_known(self.clock.at, user, provenance);
        self.records.record(Record::LoggedIn {
            user,
            instance,
            key,
            number,
            from: remote.ip(),
            at: self.clock.wall,
        });
        owner
            .intakes
            .entry(instance, || Intake::new(entrant.lowest_unanswered))
            .confirm_below(entrant.lowest_unanswered);
        let lane = Lane::new(key, self.config.presence_interval, &owner.mailbox);
        let origination = Origination {
            since: self.clock.at,
            instance,
            key,
            remote,
            local: local.ip().to_canonical(),
            port: entrant.port,
            own_candidates: entrant.candidates,
            login_conn: conn,
            link: entrant.link,
        };
        let mut session = Session::new(channel, lane, origination);
        for missed in owner.missed.drain(..) {
            session.lane.notify(missed);
        }
        owner.session = Some(session);
        let kept = owner.mailbox.count_of_client(key);
        self.sessions.insert(id, account);
        self.online.insert(user, account);
        self.heartbeats.start(self.clock.at, account);
        self.connections
            .insert(conn, Connection::LoggedIn { account, ends });
        self.welcome(account, conn, number, kept, pass);
        self.event(Event::LoggedIn {
            user,
            from: remote,
            arrival,
        });
        self.ask_open_questions(account);
        let returns_after_restart =
            matches!(entrant.cause, LoginCause::Automatic(_)) && self.is_young();
        if arrival == Arrival::New && !returns_after_restart {
            self.alert(account, Presence::Online);
        }
        self.find_way(account, entrant.link);
    }

    /// Whether those who were logged in when the last server went may still come back.
    pub(super) fn is_young(&self) -> bool {
        self.clock.at.since(self.started.at) < self.config.timeout
    }

    /// Settles how a client is reached.
    fn find_way(&mut self, account: AccountId, link: LinkChoice) {
        match link {
            LinkChoice::Auto | LinkChoice::PerMessage => self.probe(account),
            LinkChoice::Held => {
                self.hold_link(account);
                self.wake_lane(account);
                self.introduce_agreed(account);
                self.tell_whereabouts(account);
            }
        }
    }

    fn issue_pass(&mut self, entrant: &Entrant, credentials: CredentialsDigest) -> Pass {
        let holder = Holder::of(entrant, credentials);
        let now = self.ticket_time();
        let tickets = &self.identity.tickets;
        Pass {
            ticket: tickets.issue(holder, now, &mut *self.secrets),
            cookie: tickets.cookie(AccountTag::of(entrant.name), now, &mut *self.secrets),
        }
    }

    /// The time of day by which tickets expire: as long as the server runs it goes on evenly, however the clock is set.
    pub(super) fn ticket_time(&self) -> WallTime {
        let runs_for = self.clock.at.since(self.started.at).as_millis();
        let runs_for = u64::try_from(runs_for).unwrap_or(u64::MAX);
        WallTime(self.started.wall.0.saturating_add(runs_for))
    }

    /// The first word in a new session.
    fn welcome(
        &mut self,
        account: AccountId,
        conn: ConnId,
        number: LoginNumber,
        kept: u32,
        pass: Pass,
    ) {
        let welcome = Welcome {
            ticket: pass.ticket,
            cookie: pass.cookie,
            login: number,
            heartbeat_interval_ms: millis(self.config.heartbeat_interval),
            timeout_ms: millis(self.config.timeout),
            max_text: u32::try_from(self.config.max_text).unwrap_or(u32::MAX),
            kept,
            time: self.clock.wall,
        };
        let answer = LoginAnswer::Welcome(welcome);
        let saying = self.tap.saying(|_| Saying::from(&answer));
        if let Some(session) = &mut self.accounts.get_mut(account).session {
            let bytes = session.channel.seal_answer(&encode(&answer));
            self.send(conn, saying, bytes);
        }
    }

    /// Makes room for a new session of an account: whoever had the last one is told, unless it is the same client.
    fn end_previous_session(&mut self, account: AccountId, entrant: &Entrant) -> Arrival {
        let owner = self.accounts.get_mut(account);
        let is_same = owner
            .latest_login
            .is_some_and(|latest| latest.instance == entrant.instance);
        let previous = self.detach_session(account);
        if !is_same {
            // The new client does not have the address book of the old one, and has not agreed to what that one had.
            self.end_introductions(account, Term::UntilLogout, EndReason::OtherClient);
            self.suspend_introductions(account);
            self.withdraw_consents(account);
            let owner = self.accounts.get_mut(account);
            owner.missed.clear();
            owner.untold.forget_numbers();
        }
        match previous {
            None => Arrival::New,
            Some(previous) if is_same => {
                self.release_link(&previous);
                Arrival::Again
            }
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
        if let Some(session) = self.detach_session(account) {
            self.release_link(&session);
            self.end_introductions(account, Term::UntilLogout, EndReason::LoggedOut);
            self.tell_away(account);
            self.forget_passing_notices(account);
            self.depart(account, Departure::LoggedOut);
        }
    }

    /// Of what a client that has logged out was not told only lasting introductions matter to it when it comes back, and which of
    /// its introductions are over.
    fn forget_passing_notices(&mut self, account: AccountId) {
        let owner = self.accounts.get_mut(account);
        let to = owner.name;
        let lasts = |notice: &Notice| {
            let push = &notice.push;
            matches!(push, Push::Introduced(introduction) if introduction.term == Term::Lasting)
                || matches!(
                    push,
                    Push::IntroductionEnded { .. } | Push::MailExpired { .. }
                )
        };
        let missed = core::mem::take(&mut owner.missed);
        let (lasting, passing): (VecDeque<_>, VecDeque<_>) = missed.into_iter().partition(lasts);
        owner.missed = lasting;
        for Notice { subject, .. } in passing {
            self.record(Record::Told { to, subject });
        }
    }

    /// Those who may know are told that a user is gone.
    pub(super) fn depart(&mut self, account: AccountId, departure: Departure) {
        self.withdraw_questions(account);
        self.alert(account, Presence::Offline);
        self.accounts.get_mut(account).place = None;
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
        self.claims.withdraw_all_of(account);
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
            Listener::Unknown
            | Listener::Reachable
            | Listener::Unreachable
            | Listener::Held { .. } => None,
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
        if !session.can_be_reached() {
            return;
        }
        let payload = Payload::of(&Push::SessionEnded { reason });
        let saying = self.tap.saying(|texts| Saying::pushes(&payload, texts));
        let bytes = session.channel.seal_call(payload.as_bytes());
        let conn = self.dial(account, session.way());
        self.connections.insert(conn, Connection::Farewell);
        self.send(conn, saying, bytes);
        self.release_link(&session);
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
