//! Requests to the server and what its answers mean.
//!
//! Each wish goes out at once in a connection of its own. When too many are under way, those that follow share the next.

use alloc::vec::Vec;
use core::time::Duration;

use super::connection::Connection;
use super::event::{AwayCause, Event, SessionEvent};
use super::ledger::{AttemptResult, Key, Route};
use super::link::{Errand, Exchange};
use super::outbox::{Answered, Done};
use super::record::Record;
use super::{Client, TimerKind};
use crate::id::{QueryNumber, SessionId};
use crate::limits::{COMMAND_CONNECTIONS_MAX, LATER_MAX, SESSION_FRAMES_MAX};
use crate::machine::ConnId;
use crate::name::Name;
use crate::time::Timestamp;
use crate::wire::deframer::Deframer;
use crate::wire::frame::{RefusalCode, SealedFrame};
use crate::wire::item::{Items, Payload, decode};
use crate::wire::request::{Answer, Operation, Outcome, Refusal, Request};

/// How long to wait before asking again what an answer left open.
const UNANSWERED_REST: Duration = Duration::from_secs(1);
/// Anybody on the way can say that the server does not know the session. A login finds out; there is not one for each time.
const RELOGIN_INTERVAL: Duration = Duration::from_secs(1);
/// The least time between two logins because this client was seen at another address.
const MOVE_INTERVAL: Duration = Duration::from_secs(10);
/// However soon a server says that it will take something, it is not asked in a circle.
const LATER_MIN: Duration = Duration::from_millis(10);
/// Names that a list of who is online may have; a server that sends more is not believed.
const ONLINE_MAX: usize = 1_000_000;

/// The user's question who is online, while its pages come.
#[derive(Debug)]
pub(super) struct OnlineQuery {
    number: QueryNumber,
    users: Vec<Name>,
    /// The connection that the next page is asked for on.
    on: Option<ConnId>,
    /// Before this time the server does not give it.
    not_before: Timestamp,
}

impl Client {
    /// Sends what is not on its way yet.
    pub(super) fn flush(&mut self) {
        while self.may_ask() && self.has_unsent() && self.requests() < COMMAND_CONNECTIONS_MAX {
            self.request(Errand::Operations);
        }
        // What is due is sent when the link is ready and has a connection left, of which it hears.
        match self.next_send().filter(|at| *at > self.clock.at) {
            Some(at) => self.timers.set(TimerKind::PutOff, at),
            None => self.timers.cancel(TimerKind::PutOff),
        }
    }

    pub(super) fn send_heartbeat(&mut self) {
        if self.may_ask() {
            self.request(Errand::Heartbeat);
            self.plan_heartbeat();
        }
    }

    /// Whether requests may be made. After the goodbye nothing is: it could overtake the goodbye, which says more, and what stays
    /// behind has been counted.
    fn may_ask(&self) -> bool {
        self.is_ready() && !self.phase.is_over()
    }

    fn has_unsent(&self) -> bool {
        let is_due = self.next_send().is_some_and(|at| at <= self.clock.at);
        is_due || self.has_unsaid_book()
    }

    /// Whether the server does not know yet who is in the address book, and nothing is under way that says so.
    fn has_unsaid_book(&self) -> bool {
        let session = self.link.session.as_ref();
        session.is_some_and(|session| !session.has_said_book)
            && !self.book.is_empty()
            && self.requests() == 0
    }

    /// When something can be sent that is not on its way, which may be long past.
    fn next_send(&self) -> Option<Timestamp> {
        let query = self.query.as_ref().filter(|query| query.on.is_none());
        let page = query.map(|query| query.not_before);
        [self.outbox.next_send(), page].into_iter().flatten().min()
    }

    fn requests(&self) -> usize {
        self.connections
            .values()
            .filter(|connection| matches!(connection, Connection::Request { .. }))
            .count()
    }

    /// Makes a request: an errand, and all operations that wait.
    pub(super) fn request(&mut self, errand: Errand) {
        let Some(&to) = self.config.servers.get(self.link.server) else {
            return;
        };
        let Some(session) = self.link.session.as_ref().map(|s| s.channel.id()) else {
            return;
        };
        let route = match self.link.held {
            Some(_) => Route::HeldLink,
            None => Route::Server,
        };
        let exchange = Exchange { session, errand };
        let deframer = Deframer::default();
        let conn = self.dial_server(to, Connection::Request { exchange, deframer });
        let mut payload = Payload::default();
        let has_said_book = self.link.session.as_ref().is_some_and(|s| s.has_said_book);
        if !has_said_book {
            // In all frames until one is answered: they race, and the first to come shows the book as it was before what it asks.
            payload.push(&self.address_book_item());
        }
        match errand {
            Errand::Operations => {}
            Errand::Heartbeat => payload.push(&Request::Heartbeat),
            Errand::Logout => payload.push(&Request::Logout),
        }
        if let Some(query) = &mut self.query
            && query.on.is_none()
            && query.not_before <= self.clock.at
        {
            query.on = Some(conn);
            payload.push(&Request::ListOnline {
                query: query.number,
                after: query.users.last().copied(),
            });
        }
        let (ledger, now) = (&mut self.ledger, self.clock);
        self.outbox.send(now.at, &mut payload, conn, |seq| {
            ledger.sent(Key::Operation(seq), now.wall, route, conn);
        });
        if let Some(session) = &mut self.link.session {
            let bytes = session.channel.seal_call(payload.as_bytes());
            let is_used_up = session.channel.frames() >= SESSION_FRAMES_MAX;
            self.send(conn, bytes);
            if is_used_up {
                self.renew();
            }
        }
    }

    pub(super) fn on_answer(&mut self, conn: ConnId, sealed: &SealedFrame<'_>) {
        let Some(Connection::Request { exchange, .. }) = self.connections.get(&conn) else {
            return;
        };
        let exchange = *exchange;
        let session = self.link.session.as_mut();
        let opened = session
            .filter(|session| session.channel.id() == sealed.session)
            .filter(|_| sealed.session == exchange.session)
            .and_then(|session| session.channel.open_answer(sealed).ok());
        let Some(opened) = opened else {
            return self.refuse(conn, RefusalCode::Malformed);
        };
        self.close(conn);
        if let Some(session) = &mut self.link.session {
            session.has_said_book = true;
        }
        self.on_server_heard();
        let (mut stopping, mut unreached) = (false, false);
        for item in Items::new(&opened.payload).flatten() {
            match decode(item) {
                Ok(Answer::Outcome {
                    seq,
                    outcome: Outcome::Refused(Refusal::Later { milliseconds }),
                }) => {
                    let until = self.later(milliseconds);
                    self.ledger.put_off(Key::Operation(seq), conn);
                    if self.outbox.put_off(seq, conn, until) {
                        self.event(SessionEvent::Slowed);
                    }
                }
                Ok(Answer::Outcome { seq, outcome }) => {
                    let frame = opened.counter;
                    self.outbox.answered(seq, Answered { outcome, frame });
                    self.ledger
                        .answered(Key::Operation(seq), self.clock.wall, outcome);
                }
                Ok(Answer::Online { query, users, more }) => {
                    self.on_online_page(query, users.as_slice(), more);
                }
                Ok(Answer::OnlineLater {
                    query,
                    milliseconds,
                }) => self.on_online_page_put_off(query, milliseconds),
                Ok(Answer::Stopping) => stopping = true,
                Ok(Answer::Unreached) => unreached = true,
                Ok(Answer::LoggedOut) => self.on_logged_out(opened.counter),
                Ok(Answer::Alive | Answer::ListenerChecked { .. } | Answer::Unsupported)
                | Err(_) => {}
            }
        }
        self.give_answers();
        let left_open = self.outbox.connection_over(conn);
        self.query_lost_on(conn);
        if left_open {
            self.ledger.lost(conn, AttemptResult::Undecided);
        }
        if stopping {
            self.on_server_stopping();
        } else if unreached && self.has_stayed() {
            self.seek_peers();
            self.log_in_again();
        } else if left_open && self.is_ready() {
            // Asking again at once would be asking in a circle.
            self.rest(UNANSWERED_REST);
        } else {
            self.flush();
        }
    }

    /// Whether the session is old enough for another login to make sense: addresses that change all the time are not followed.
    fn has_stayed(&self) -> bool {
        let session = self.link.session.as_ref();
        session.is_some_and(|session| self.clock.at.since(session.since) >= MOVE_INTERVAL)
    }

    /// The server has no such session, or no time.
    pub(super) fn on_request_refused(
        &mut self,
        conn: ConnId,
        session: SessionId,
        code: RefusalCode,
    ) {
        let is_current = self
            .link
            .session
            .as_ref()
            .is_some_and(|current| current.channel.id() == session);
        let is_young = self
            .link
            .session
            .as_ref()
            .is_some_and(|current| self.clock.at.since(current.since) < RELOGIN_INTERVAL);
        if code == RefusalCode::UnknownSession && is_current && !is_young {
            self.connections.remove(&conn);
            self.close(conn);
            self.outbox.connection_over(conn);
            self.ledger.lost(conn, AttemptResult::SessionOver);
            self.query_lost_on(conn);
            self.lose_session();
            self.log_in_again();
        } else {
            self.refuse(conn, code);
        }
    }

    pub(super) fn on_request_lost(&mut self, conn: ConnId, exchange: &Exchange, cause: AwayCause) {
        self.outbox.connection_over(conn);
        self.ledger.lost(conn, AttemptResult::from(cause));
        self.query_lost_on(conn);
        let is_current = self
            .link
            .session
            .as_ref()
            .is_some_and(|session| session.channel.id() == exchange.session);
        if is_current && self.is_ready() {
            self.on_server_failed(cause);
        }
    }

    /// Gives out the answers whose turn it is.
    fn give_answers(&mut self) {
        while let Some(done) = self.outbox.pop_answered() {
            self.note_consent(&done);
            self.record(Record::Answered {
                seq: done.seq,
                outcome: done.answer.outcome,
            });
            let number = self.ledger.number(Key::Operation(done.seq));
            let Done {
                operation, answer, ..
            } = done;
            match (&operation, answer.outcome) {
                (Operation::Block { .. }, Outcome::Refused(Refusal::AlreadyBlocked)) => {}
                (Operation::Block { user }, Outcome::Refused(_)) => self.inbox.forget_block(*user),
                // A server that has forgotten the block says that there was none.
                (
                    Operation::Unblock { user },
                    Outcome::Done | Outcome::Refused(Refusal::NotBlocked),
                ) if !self.outbox.will_block(*user) => {
                    self.inbox.unblock(*user, answer.frame);
                }
                (Operation::Mail { to, .. }, outcome) => {
                    self.on_mail_answered(*to, done.seq, outcome);
                    continue;
                }
                // The address book has no such entry any more, and the user knows.
                (Operation::RemoveAddress { .. }, _) => continue,
                _ => {}
            }
            let outcome = answer.outcome;
            self.event(Event::Outcome {
                number,
                operation,
                outcome,
            });
        }
    }

    /// What the user has agreed to may come from now on.
    fn note_consent(&mut self, done: &Done) {
        let now = self.clock.at;
        let (Operation::GetAddress { user, .. } | Operation::Accept { user, .. }) = done.operation
        else {
            return;
        };
        if done.has_introduced {
            return;
        }
        match done.answer.outcome {
            Outcome::Refused(Refusal::AlreadyAsked) => self.consents.confirm(now, user),
            Outcome::Refused(_) => return,
            Outcome::Asked
            | Outcome::Done
            | Outcome::Delivered
            | Outcome::Stored
            | Outcome::Broadcast { .. } => self.consents.give(now, user),
        }
        self.record_consent(user);
    }

    pub(super) fn ask_who_is_online(&mut self) {
        if self.query.is_none() {
            self.queries = self.queries.wrapping_add(1);
            self.query = Some(OnlineQuery {
                number: QueryNumber(self.queries),
                users: Vec::new(),
                on: None,
                not_before: Timestamp::ZERO,
            });
        }
        self.flush();
    }

    fn on_online_page_put_off(&mut self, number: QueryNumber, milliseconds: u32) {
        let until = self.later(milliseconds);
        if let Some(query) = self.query.as_mut().filter(|query| query.number == number) {
            query.not_before = until;
        }
    }

    /// When that is which the server calls later. It is believed within reason.
    fn later(&self, milliseconds: u32) -> Timestamp {
        let wait = Duration::from_millis(milliseconds.into());
        self.clock.at + wait.clamp(LATER_MIN, LATER_MAX)
    }

    fn on_online_page(&mut self, number: QueryNumber, users: &[Name], more: bool) {
        let Some(mut query) = self.query.take_if(|query| query.number == number) else {
            return;
        };
        let progress = users.first() > query.users.last();
        if progress {
            query.users.extend_from_slice(users);
        }
        if more && progress && query.users.len() < ONLINE_MAX {
            query.on = None;
            self.query = Some(query);
        } else {
            let users = query.users;
            self.event(Event::Online { users });
        }
    }

    fn query_lost_on(&mut self, conn: ConnId) {
        if let Some(query) = &mut self.query
            && query.on == Some(conn)
        {
            query.on = None;
        }
    }

    pub(super) fn query_again(&mut self) {
        if let Some(query) = &mut self.query {
            query.on = None;
        }
    }
}
