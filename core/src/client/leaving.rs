//! Leaving in order: what waits is sent, then the server and the peers are told, then the client ends.

use super::connection::Connection;
use super::event::{End, SessionEvent};
use super::link::{Errand, State};
use super::{Client, Output, TimerKind};
use crate::wire::peer::PeerPush;

/// Where in its life the client is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Running,
    /// No command will follow: it leaves once nothing waits.
    EndOfInput,
    /// It leaves, and waits a little for what is not sent.
    Leaving,
    /// It has said goodbye, and waits a little for that to arrive. So many messages stay behind.
    SaidGoodbye {
        unsent: usize,
    },
    Ended,
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
        if self.link.login.is_none() {
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
        server && peers && !self.inbox.is_showing()
    }

    pub(super) fn say_goodbye(&mut self) {
        if self.phase != Phase::Leaving {
            return;
        }
        let unsent = self.count_unsent();
        self.phase = Phase::SaidGoodbye { unsent };
        self.timers.cancel(TimerKind::Goodbye);
        for name in self.book.names() {
            self.say_bye(name);
        }
        if self.link.state == State::Ready {
            self.request(Errand::Logout);
        }
        self.proceed_leaving();
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

    fn count_unsent(&self) -> usize {
        let private: usize = self
            .book
            .iter()
            .map(super::address_book::Peer::waiting)
            .sum();
        self.outbox.len() + private
    }

    /// The client ends.
    pub(super) fn end(&mut self, end: End) {
        let unsent = match self.phase {
            Phase::Running | Phase::EndOfInput | Phase::Leaving => self.count_unsent(),
            Phase::SaidGoodbye { unsent } => unsent,
            Phase::Ended => return,
        };
        self.phase = Phase::Ended;
        self.event(SessionEvent::Ended { end, unsent });
        self.output(Output::Stop);
    }
}
