//! What logged-in clients ask, and when they are answered: on the same connection, once all outcomes are known.

use alloc::collections::BTreeSet;
use core::time::Duration;

use super::event::Fault;
use super::intake::{Fate, Submitted};
use super::mailbox::Origin;
use super::record_queue::Waiting;
use super::recording::{Account, Fact, Items as RecordedItems, Saying};
use super::session::Listener;
use super::shutdown::Phase;
use super::{AccountId, Server, TimerKind};
use crate::id::{InstanceId, QueryNumber, Seq, SessionId};
use crate::limits::ANSWER_WITHIN;
use crate::machine::ConnId;
use crate::name::Name;
use crate::time::whole_millis_up;
use crate::wire::frame::{RefusalCode, SealedFrame};
use crate::wire::item::{ItemError, Items, Payload, decode, encode};
use crate::wire::login::LinkChoice;
use crate::wire::request::{Answer, Operation, Outcome, Refusal, Request};

use super::connection::Connection;

/// After so many failures in a row a listener that has answered before may not be reached any more.
const DELIVERIES_IN_VAIN: u32 = 3;

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Exchange {
    account: AccountId,
    session: SessionId,
    instance: InstanceId,
    answers: Payload,
    waiting: BTreeSet<Seq>,
}

impl Exchange {
    /// Adds an answer, unless the frame is full: what has no answer is asked for again.
    fn add(&mut self, answer: &Answer) {
        let item = encode(answer);
        if self.answers.has_room_for(item.len()) {
            self.answers.push_encoded(&item);
        }
    }
}

/// What a frame asks for besides operations; each kind is answered once a frame.
#[derive(Debug, Default)]
struct Asked {
    heartbeat: bool,
    unsupported: bool,
    submits_while_stopping: bool,
    logout: bool,
    online: Option<(QueryNumber, Option<Name>)>,
}

impl Server {
    pub(super) fn on_sealed_request(&mut self, conn: ConnId, sealed: &SealedFrame<'_>) {
        let account = self.sessions.get(&sealed.session).copied();
        let now = self.clock.at;
        let session = account.and_then(|account| {
            let session = self.accounts.get_mut(account).session.as_mut();
            let session = session.filter(|session| !session.is_worn_out(now))?;
            Some((account, session))
        });
        let Some((account, session)) = session else {
            return self.on_unusable(conn, RefusalCode::UnknownSession, Fault::UnknownSession);
        };
        let payload = match session.channel.open_call(sealed) {
            Ok(opened) => opened.payload,
            // Whoever replays or forges frames is told nothing that the session's owner is.
            Err(error) => return self.on_unusable(conn, RefusalCode::Malformed, error.into()),
        };
        self.tap.fact(self.clock, |texts| Fact::Request {
            conn,
            account: Account(account.0),
            items: RecordedItems::of_request(&payload, texts),
        });
        self.on_request(conn, account, &payload);
    }

    /// What a user's client asks, in a frame of its session that was opened.
    pub(super) fn on_request(&mut self, conn: ConnId, account: AccountId, payload: &[u8]) {
        let Some(session) = &self.accounts.get(account).session else {
            return;
        };
        let (instance, session) = (session.instance, session.channel.id());
        // A sign of life has the listener looked at again.
        let is_out_of_reach = self.is_out_of_reach(conn, account);
        self.on_sign_of_life(account);
        let exchange = Exchange {
            account,
            session,
            instance,
            answers: Payload::default(),
            waiting: BTreeSet::new(),
        };
        let asked = match self.take_items(conn, exchange, payload) {
            Ok(asked) => asked,
            Err(error) => return self.refuse(conn, RefusalCode::Malformed, error.into()),
        };
        if is_out_of_reach {
            self.answer(conn, &Answer::Unreached);
        }
        self.answer_asked(conn, account, &asked);
        self.run_intake(account, instance);
        if asked.logout {
            self.answer(conn, &Answer::LoggedOut);
            self.finish_exchange(conn);
            self.log_out(account);
        } else if self
            .exchange(conn)
            .is_some_and(|exchange| exchange.waiting.is_empty())
        {
            self.finish_exchange(conn);
        } else if self.exchange(conn).is_some() {
            let answer_at = self.clock.at + ANSWER_WITHIN;
            self.timers.set(TimerKind::Answer(conn), answer_at);
        }
    }

    /// Whether the server does not reach a client any more, and a new login could change that: a request comes from elsewhere than
    /// the server looks for the client, or its listener has not answered lately and it would take a held link. Where a request comes
    /// from is not believed: who is on the way can bring it from their own address. The client is told, and a new login, with its
    /// probe, shows where it is and how it is reached.
    fn is_out_of_reach(&self, conn: ConnId, account: AccountId) -> bool {
        let (Some(Connection::Fresh { remote, .. }), Some(session)) = (
            self.connections.get(&conn),
            &self.accounts.get(account).session,
        ) else {
            return false;
        };
        let has_moved = remote.ip().to_canonical() != session.host();
        let takes_link = session.link == LinkChoice::Auto;
        match session.listener {
            Listener::Reachable => {
                has_moved || (takes_link && session.lane.failures() >= DELIVERIES_IN_VAIN)
            }
            Listener::Unreachable => has_moved || takes_link,
            Listener::Unknown | Listener::Probing { .. } | Listener::Held { .. } => false,
        }
    }

    /// Takes in what a frame brings, and has the connection wait for what is not decided at once.
    fn take_items(
        &mut self,
        conn: ConnId,
        mut exchange: Exchange,
        payload: &[u8],
    ) -> Result<Asked, ItemError> {
        let mut asked = Asked::default();
        for item in Items::new(payload) {
            match decode(item?) {
                Ok(Request::Heartbeat) => asked.heartbeat = true,
                Ok(Request::LowestUnanswered { seq }) => {
                    if let Some(intake) = self.intake(exchange.account, exchange.instance) {
                        intake.confirm_below(seq);
                    }
                }
                Ok(Request::Submit { .. }) if self.phase != Phase::Running => {
                    asked.submits_while_stopping = true;
                }
                Ok(Request::Submit { seq, operation }) => {
                    self.submit(conn, &mut exchange, seq, operation);
                }
                Ok(Request::ListOnline { query, after }) => asked.online = Some((query, after)),
                Ok(Request::Logout) => asked.logout = true,
                Ok(Request::Holds { entries }) => {
                    self.on_address_book(exchange.account, entries.as_slice());
                }
                Err(ItemError::Unsupported(_)) => asked.unsupported = true,
                Err(error @ ItemError::Malformed) => return Err(error),
            }
        }
        self.connections
            .insert(conn, Connection::Exchange(exchange));
        Ok(asked)
    }

    fn submit(&mut self, conn: ConnId, exchange: &mut Exchange, seq: Seq, operation: Operation) {
        let Some(intake) = self.intake(exchange.account, exchange.instance) else {
            return;
        };
        match intake.submit(seq, operation, conn) {
            Submitted::Answered(outcome) => {
                exchange.add(&Answer::Outcome { seq, outcome });
            }
            Submitted::Waiting(previous) => {
                exchange.waiting.insert(seq);
                if let Some(previous) = previous
                    && previous != conn
                {
                    self.stop_waiting(previous, seq);
                }
            }
            Submitted::OutOfWindow => {}
        }
    }

    fn answer_asked(&mut self, conn: ConnId, account: AccountId, asked: &Asked) {
        if asked.heartbeat {
            self.answer(conn, &Answer::Alive);
        }
        if asked.unsupported {
            self.answer(conn, &Answer::Unsupported);
        }
        if asked.submits_while_stopping {
            self.answer(conn, &Answer::Stopping);
        }
        if let Some((query, after)) = asked.online {
            let page = self.answer_who_is_online(account, query, after);
            self.answer(conn, &page);
        }
    }

    /// A page of who is online, if the account may have one now.
    fn answer_who_is_online(
        &mut self,
        account: AccountId,
        query: QueryNumber,
        after: Option<Name>,
    ) -> Answer {
        let allowance = &mut self.accounts.get_mut(account).allowance;
        match allowance.take_page(self.clock.at, &self.config.allowance) {
            Ok(()) => self.online_page(account, query, after),
            Err(wait) => Answer::OnlineLater {
                query,
                milliseconds: whole_millis_up(wait),
            },
        }
    }

    /// Does all operations whose turn it is, as far as the account may have them done.
    fn run_intake(&mut self, account: AccountId, instance: InstanceId) {
        loop {
            let now = self.clock.at;
            let owner = self.accounts.get_mut(account);
            let Some(intake) = owner.intakes.peek_mut(&instance) else {
                return;
            };
            let Some(operation) = intake.ready() else {
                return;
            };
            let taken = owner.allowance.take(now, &self.config.allowance, operation);
            if let Err(wait) = taken {
                return self.put_off(account, instance, wait);
            }
            let Some((seq, operation)) = intake.pop_ready() else {
                return;
            };
            let origin = Origin {
                account,
                instance,
                seq,
            };
            let recorded = self.records.recorded();
            match self.perform(origin, operation) {
                Some(outcome) if self.records.recorded() > recorded => {
                    self.records.wait(Waiting::Operation { origin, outcome });
                }
                Some(outcome) => self.resolve(origin, outcome),
                None => {}
            }
        }
    }

    /// Refuses the operations of an instance for now. Each is told the time at which there is a token for it, so that a
    /// client that keeps to it sends none of them in vain again.
    fn put_off(&mut self, account: AccountId, instance: InstanceId, wait: Duration) {
        let Some(intake) = self.intake(account, instance) else {
            return;
        };
        let mut wait = wait;
        for (seq, waiting) in intake.put_off() {
            let milliseconds = whole_millis_up(wait);
            wait = wait.saturating_add(self.config.allowance.operations.interval);
            if let Some(conn) = waiting {
                let outcome = Outcome::Refused(Refusal::Later { milliseconds });
                self.answer(conn, &Answer::Outcome { seq, outcome });
                self.stop_waiting(conn, seq);
            }
        }
    }

    /// Does an operation. `None` while a message is on its way.
    fn perform(&mut self, origin: Origin, operation: Operation) -> Option<Outcome> {
        let user = origin.account;
        if self.records.is_failing() && operation.changes_what_is_kept() {
            return Some(Outcome::Refused(Refusal::NotKept));
        }
        match operation {
            Operation::Message { to, text } => self.message(origin, to, text),
            Operation::Mail {
                to,
                key,
                messages,
                sealed,
            } => self.mail(origin, to, key, messages, sealed),
            Operation::Broadcast { text } => self.broadcast(origin, text),
            Operation::Block { user: other } => Some(decided(self.block(user, other))),
            Operation::Unblock { user: other } => Some(decided(self.unblock(user, other))),
            Operation::GetAddress { user: other, term } => Some(
                self.ask_address(user, other, term)
                    .map_or_else(Outcome::Refused, |()| Outcome::Asked),
            ),
            Operation::Accept { user: other, term } => {
                Some(decided(self.accept(user, other, term)))
            }
            Operation::Deny { user: other } => Some(decided(self.deny(user, other))),
            Operation::RemoveAddress { user: other } => {
                Some(decided(self.remove_address(user, other)))
            }
            Operation::Skip => Some(Outcome::Done),
        }
    }

    /// The final word on an operation, for the connection that waits for it.
    pub(super) fn resolve(&mut self, origin: Origin, outcome: Outcome) {
        let resolved = self
            .intake(origin.account, origin.instance)
            .and_then(|intake| intake.resolve(origin.seq, outcome));
        self.tell_resolved(origin.seq, resolved);
    }

    /// A copy of a message that was on its way never arrives.
    pub(super) fn discard_copy(&mut self, origin: Origin, why: Refusal) {
        self.resolve_copy(origin, Fate::Discarded(why));
    }

    /// What became of a copy of a message that was on its way.
    pub(super) fn resolve_copy(&mut self, origin: Origin, fate: Fate) {
        let resolved = self
            .intake(origin.account, origin.instance)
            .and_then(|intake| intake.resolve_copy(origin.seq, fate));
        self.tell_resolved(origin.seq, resolved);
    }

    fn tell_resolved(&mut self, seq: Seq, resolved: Option<super::intake::Resolved>) {
        let Some(resolved) = resolved else {
            return;
        };
        if let Some(conn) = resolved.waiting {
            let outcome = resolved.outcome;
            self.answer(conn, &Answer::Outcome { seq, outcome });
            self.stop_waiting(conn, seq);
        }
    }

    fn stop_waiting(&mut self, conn: ConnId, seq: Seq) {
        if let Some(exchange) = self.exchange(conn)
            && exchange.waiting.remove(&seq)
            && exchange.waiting.is_empty()
        {
            self.finish_exchange(conn);
        }
    }

    fn answer(&mut self, conn: ConnId, answer: &Answer) {
        if let Some(exchange) = self.exchange(conn) {
            exchange.add(answer);
        }
    }

    /// Answers with what is known, and ends the connection. What is not known yet is asked for again.
    pub(super) fn finish_exchange(&mut self, conn: ConnId) {
        self.timers.cancel(TimerKind::Answer(conn));
        let Some(Connection::Exchange(exchange)) = self.connections.remove(&conn) else {
            return;
        };
        self.forget_waiting(conn, &exchange);
        let session = self.accounts.get_mut(exchange.account).session.as_mut();
        if let Some(session) = session
            && session.channel.id() == exchange.session
        {
            let saying = self.tap.saying(|_| Saying::answers(&exchange.answers));
            let bytes = session.channel.seal_answer(exchange.answers.as_bytes());
            self.send(conn, saying, bytes);
        }
        self.close(conn);
    }

    /// The connection of a request is gone.
    pub(super) fn forget_exchange(&mut self, conn: ConnId, exchange: &Exchange) {
        self.timers.cancel(TimerKind::Answer(conn));
        self.forget_waiting(conn, exchange);
    }

    fn forget_waiting(&mut self, conn: ConnId, exchange: &Exchange) {
        if let Some(intake) = self.intake(exchange.account, exchange.instance) {
            for seq in &exchange.waiting {
                intake.forget_connection(*seq, conn);
            }
        }
    }

    fn exchange(&mut self, conn: ConnId) -> Option<&mut Exchange> {
        match self.connections.get_mut(&conn) {
            Some(Connection::Exchange(exchange)) => Some(exchange),
            Some(
                Connection::Fresh { .. }
                | Connection::LoggingIn
                | Connection::LoggedIn { .. }
                | Connection::Held { .. }
                | Connection::Probe { .. }
                | Connection::Delivery { .. }
                | Connection::Farewell,
            )
            | None => None,
        }
    }

    pub(super) fn intake(
        &mut self,
        account: AccountId,
        instance: InstanceId,
    ) -> Option<&mut super::intake::Intake> {
        self.accounts.get_mut(account).intakes.peek_mut(&instance)
    }
}

fn decided(result: Result<(), Refusal>) -> Outcome {
    result.map_or_else(Outcome::Refused, |()| Outcome::Done)
}
