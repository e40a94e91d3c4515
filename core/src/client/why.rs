//! Why a message is where it is: what the ledger knows of it, and what it waits for.

use super::command::Rejected;
use super::event::Event;
use super::ledger::{Addressee, Key, MessageNumber, MessageState, NextTry};
use super::link::State;
use super::{Client, TimerKind};
use crate::id::Seq;
use crate::name::Name;
use crate::time::{Timestamp, whole_secs_up};

impl Client {
    pub(super) fn tell_why(&mut self, message: Option<MessageNumber>) -> Result<(), Rejected> {
        let (key, mut entry) = self.ledger.look_up(message)?;
        entry.next = match (key, entry.to, entry.state) {
            (Key::Operation(seq), _, MessageState::Waiting) => self.next_submission(seq),
            (
                Key::Private(seq),
                Addressee::Peer(peer),
                MessageState::Waiting | MessageState::Stored,
            ) => self.next_delivery(peer, seq),
            _ => None,
        };
        self.event(Event::Ledger(entry));
        Ok(())
    }

    /// What an operation waits for that is not on its way.
    fn next_submission(&self, seq: Seq) -> Option<NextTry> {
        if self.outbox.awaits_store(seq) {
            return Some(NextTry::AfterStored);
        }
        let until = self.outbox.waits_until(seq)?;
        Some(match self.link.state {
            State::Idle => NextTry::AfterPassword,
            State::LoggingIn { .. } | State::Judging { .. } => NextTry::AfterLogin,
            State::Resting => self.next_at(self.timers.deadline(TimerKind::Retry)?.max(until)),
            State::Ready if until > self.clock.at => self.next_at(until),
            State::Ready => NextTry::InTurn,
        })
    }

    /// What private messages for a peer wait for that are not on their way.
    fn next_delivery(&self, peer: Name, seq: Seq) -> Option<NextTry> {
        let Some(entry) = self.book.get(peer) else {
            return Some(NextTry::AfterIntroduction);
        };
        if entry.awaits_store(seq) {
            Some(NextTry::AfterStored)
        } else if entry.is_elsewhere() {
            Some(NextTry::AfterIntroduction)
        } else if entry.absence.is_some() {
            Some(NextTry::WhenBack)
        } else if entry.is_resting {
            let at = self.timers.deadline(TimerKind::Peer(peer))?;
            Some(self.next_at(at))
        } else if entry.greetings > 0 {
            Some(NextTry::WhenFound)
        } else {
            None
        }
    }

    fn next_at(&self, at: Timestamp) -> NextTry {
        let seconds = whole_secs_up(at.since(self.clock.at));
        NextTry::In { seconds }
    }
}
