//! Leaving in order: what waits is sent, then the server and the peers are told, then the client ends.
//!
//! With a store what could not be sent is kept, and sent by the client that starts there again. Whether the server has heard the
//! goodbye is not sure before it has answered: until then the end of each introduction waits in the outbox, too.

use super::config::StoreKind;
use super::connection::Connection;
use super::event::{End, SessionEvent};
use super::link::{Errand, State};
use super::outbox::Answered;
use super::record::Record;
use super::{Client, Output, TimerKind};
use crate::channel::Counter;
use crate::id::Seq;
use crate::name::Name;
use crate::wire::Term;
use crate::wire::peer::PeerPush;
use crate::wire::request::{Operation, Outcome};

/// Where in its life the client is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Running,
    /// No command will follow: it leaves once nothing waits.
    EndOfInput,
    /// It leaves, and waits a little for what is not sent.
    Leaving,
    /// It has said goodbye, and waits a little for that to arrive. So many messages stay behind. From that number on wishes are
    /// its own, and done by the goodbye.
    SaidGoodbye {
        unsent: usize,
        goodbye: Seq,
    },
    Ended,
}

impl Phase {
    /// Whether the goodbye is said: nothing else is after it.
    pub(super) const fn is_over(self) -> bool {
        match self {
            Self::Running | Self::EndOfInput | Self::Leaving => false,
            Self::SaidGoodbye { .. } | Self::Ended => true,
        }
    }
}

impl Client {
    /// The user leaves. Asked for a second time, at once.
    pub(super) fn leave(&mut self) {
        match self.phase {
            Phase::Running | Phase::EndOfInput => self.start_leaving(),
            Phase::Leaving | Phase::SaidGoodbye { .. } => self.end(End::Left),
            Phase::Ended => {}
        }
    }

    fn start_leaving(&mut self) {
        if !self.has_begun() {
            return self.end(End::Left);
        }
        let (now, within) = (self.clock.at, self.config.leave_within);
        self.phase = Phase::Leaving;
        self.timers.set(TimerKind::Goodbye, now + within / 3 * 2);
        self.timers.set(TimerKind::End, now + within);
    }

    pub(super) fn end_of_input(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::EndOfInput;
        }
    }

    /// Goes on with leaving, if it has come to that. Called after everything that happens.
    pub(super) fn proceed_leaving(&mut self) {
        match self.phase {
            Phase::EndOfInput => self.proceed_at_end_of_input(),
            Phase::Leaving if self.nothing_to_wait_for() => self.say_goodbye(),
            Phase::SaidGoodbye { .. } if !self.is_saying_goodbye() => self.end_leaving(),
            Phase::Running | Phase::Leaving | Phase::SaidGoodbye { .. } | Phase::Ended => {}
        }
    }

    fn proceed_at_end_of_input(&mut self) {
        match (self.link.state, self.link.away) {
            // A login that was refused cannot be tried again.
            (State::Idle, _) => self.end(End::Left),
            (_, Some(cause)) if self.is_idle() && self.book.is_empty() => {
                self.end(End::Unreachable(cause));
            }
            (State::Ready, _) | (_, Some(_)) if self.is_idle() => self.start_leaving(),
            _ => {}
        }
        if self.phase == Phase::Leaving {
            self.proceed_leaving();
        }
    }

    /// Who leaves at once waits a little for what was kept for them.
    pub(super) fn await_kept(&mut self, kept: u32) {
        if kept > 0 {
            let within = self.clock.at + self.config.leave_within;
            self.timers.set(TimerKind::Kept, within);
        } else {
            self.timers.cancel(TimerKind::Kept);
        }
    }

    /// Whether everything that the user wished is done, and everything that came, or should come, is shown.
    fn is_idle(&self) -> bool {
        self.outbox.is_empty()
            && self.query.is_none()
            && !self.timers.is_set(TimerKind::Kept)
            && !self.inbox.is_showing()
            && self.storing.is_idle()
            && self.book.iter().all(|peer| {
                // Nobody knows when who is away comes back.
                peer.waiting() == 0 || peer.absence.is_some()
            })
    }

    /// Whether waiting longer would hardly help.
    fn nothing_to_wait_for(&self) -> bool {
        let server =
            self.link.state != State::Ready || (self.outbox.is_empty() && self.query.is_none());
        let peers = self
            .book
            .iter()
            .all(|peer| peer.waiting() == 0 || peer.is_resting || peer.absence.is_some());
        server && peers && !self.inbox.is_showing() && self.storing.is_idle()
    }

    pub(super) fn say_goodbye(&mut self) {
        if self.phase != Phase::Leaving {
            return;
        }
        let (unsent, goodbye) = (self.count_unsent(), self.outbox.next());
        self.phase = Phase::SaidGoodbye { unsent, goodbye };
        self.timers.cancel(TimerKind::Goodbye);
        for name in self.book.names() {
            self.end_lastingly(name);
            self.say_bye(name);
        }
        if self.link.state == State::Ready {
            self.request(Errand::Logout);
        }
        self.proceed_leaving();
    }

    /// Sees to it that the introduction to a peer is over for a client that starts again, and for the server, unless it lasts.
    fn end_lastingly(&mut self, name: Name) {
        let lasts = self.book.get(name).map(|peer| peer.term) == Some(Term::Lasting);
        if self.config.store == StoreKind::None || lasts {
            return;
        }
        let operation = Operation::RemoveAddress { user: name };
        // In a full outbox there is no place for it: then it has to be enough that the server hears the goodbye.
        if let Ok(seq) = self.outbox.push(operation.clone()) {
            let at = self.clock.wall;
            self.record(Record::Wished { seq, operation, at });
        }
        self.record(Record::PeerGone { peer: name });
    }

    /// The server has ended the session, and all introductions with it.
    pub(super) fn on_logged_out(&mut self, frame: Counter) {
        if let Phase::SaidGoodbye { goodbye, .. } = self.phase {
            let outcome = Outcome::Done;
            let own = goodbye.0..self.outbox.next().0;
            for seq in own {
                self.outbox.answered(Seq(seq), Answered { outcome, frame });
            }
        }
    }

    fn is_saying_goodbye(&self) -> bool {
        self.connections
            .values()
            .any(|connection| match connection {
                Connection::Greeting { greeting, .. } => {
                    matches!(greeting.saying, PeerPush::Bye { .. })
                }
                Connection::Request { exchange, .. } => exchange.errand == Errand::Logout,
                Connection::Call { .. }
                | Connection::Parked { .. }
                | Connection::ParkedGreeting { .. }
                | Connection::Showing
                | Connection::Checking(_)
                | Connection::Held(_)
                | Connection::Login(_)
                | Connection::PeerDelivery { .. } => false,
            })
    }

    pub(super) fn end_leaving(&mut self) {
        self.end(End::Left);
    }

    /// How many wishes and private messages nobody else has. What is in a mail counts as long as the mail is here.
    fn count_unsent(&self) -> usize {
        let wishes = self.outbox.unanswered().map(|(_, wish)| {
            if let Operation::Mail { messages, .. } = wish {
                usize::from(*messages)
            } else {
                1
            }
        });
        wishes.sum::<usize>() + self.book.unmailed()
    }

    /// The client ends.
    pub(super) fn end(&mut self, end: End) {
        let unsent = match self.phase {
            Phase::Running | Phase::EndOfInput | Phase::Leaving => self.count_unsent(),
            Phase::SaidGoodbye { unsent, .. } => unsent,
            Phase::Ended => return,
        };
        self.phase = Phase::Ended;
        self.give_records();
        self.event(SessionEvent::Ended { end, unsent });
        self.output(Output::Stop);
    }
}
