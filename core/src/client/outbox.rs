//! The outbox: what the user wished of the server, in order, until the server has answered it.
//!
//! Each operation has a number and keeps it however often it is sent, so that the server does it once. What waits here
//! when the server is away is sent when it is back. Answers are given out in the order of the wishes.

use alloc::collections::BTreeMap;

use crate::channel::Counter;
use crate::id::Seq;
use crate::limits::{OUTBOX_MAX, SEQ_WINDOW};
use crate::machine::ConnId;
use crate::name::Name;
use crate::time::Timestamp;
use crate::wire::item::{Payload, encode};
use crate::wire::request::{Operation, Outcome, Request};

#[derive(Debug)]
struct Outgoing {
    operation: Operation,
    /// The connection that it is on.
    on: Option<ConnId>,
    /// Before this time the server does not take it.
    not_before: Timestamp,
    /// The answer, which waits until all before it are answered.
    answer: Option<Answered>,
    /// Whether the server of this session has answered it: another one may have forgotten, and waits for the number.
    is_settled: bool,
    /// Whether it was a yes to an introduction that has come already.
    has_introduced: bool,
}

impl Outgoing {
    const fn is_unsent(&self) -> bool {
        self.on.is_none() && !self.is_settled
    }

    /// What is sent: what has its answer only fills its place.
    fn request(&self, seq: Seq) -> Request {
        let operation = if self.answer.is_some() {
            Operation::Skip
        } else {
            self.operation.clone()
        };
        Request::Submit { seq, operation }
    }
}

/// The server's final word, and the frame in which it came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Answered {
    pub(super) outcome: Outcome,
    pub(super) frame: Counter,
}

/// An operation that is done with.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) seq: Seq,
    pub(super) operation: Operation,
    pub(super) answer: Answered,
    /// Whether it was a yes to an introduction that has come already.
    pub(super) has_introduced: bool,
}

/// There is no more room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Full;

/// Operations that have no answer yet.
#[derive(Debug)]
pub(super) struct Outbox {
    next: Seq,
    open: BTreeMap<Seq, Outgoing>,
    /// Whether the server put something off since it was last empty.
    is_slowed: bool,
}

impl Outbox {
    pub(super) const fn new() -> Self {
        Self {
            next: Seq::FIRST,
            open: BTreeMap::new(),
            is_slowed: false,
        }
    }

    /// Takes an operation, and gives its number.
    pub(super) fn push(&mut self, operation: Operation) -> Result<Seq, Full> {
        if self.open.len() >= OUTBOX_MAX {
            return Err(Full);
        }
        let outgoing = Outgoing {
            operation,
            on: None,
            not_before: Timestamp::ZERO,
            answer: None,
            is_settled: false,
            has_introduced: false,
        };
        let seq = self.next;
        self.open.insert(seq, outgoing);
        self.next = seq.next();
        Ok(seq)
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The lowest number that has no answer, or the next one to be used.
    pub(super) fn lowest_unanswered(&self) -> Seq {
        self.open
            .first_key_value()
            .map_or(self.next, |(seq, _)| *seq)
    }

    /// When something can be sent that is not on its way, which may be long past.
    pub(super) fn next_send(&self) -> Option<Timestamp> {
        let end = self.window_end();
        self.open
            .range(..end)
            .find(|(_, outgoing)| outgoing.is_unsent())
            .map(|(_, outgoing)| outgoing.not_before)
    }

    /// Before which time an operation is not sent, if nothing is under way for it: what follows something that was put off would
    /// be put off too.
    pub(super) fn waits_until(&self, seq: Seq) -> Option<Timestamp> {
        self.open.get(&seq).filter(|own| own.is_unsent())?;
        self.open
            .range(..=seq)
            .filter(|(_, outgoing)| outgoing.is_unsent())
            .map(|(_, outgoing)| outgoing.not_before)
            .max()
    }

    /// Puts what can be sent into a frame, in order, as far as it fits, and says of each that it is sent. What follows
    /// something that was put off would be put off too.
    pub(super) fn send(
        &mut self,
        now: Timestamp,
        payload: &mut Payload,
        conn: ConnId,
        mut sent: impl FnMut(Seq),
    ) {
        let seq = self.lowest_unanswered();
        payload.push(&Request::LowestUnanswered { seq });
        let end = self.window_end();
        for (&seq, outgoing) in self.open.range_mut(..end) {
            if !outgoing.is_unsent() {
                continue;
            }
            let item = encode(&outgoing.request(seq));
            if outgoing.not_before > now || !payload.has_room_for(item.len()) {
                break;
            }
            payload.push_encoded(&item);
            outgoing.on = Some(conn);
            sent(seq);
        }
    }

    /// The server has answered. Then take what [`Self::pop_answered`] gives.
    pub(super) fn answered(&mut self, seq: Seq, answer: Answered) {
        if let Some(outgoing) = self.open.get_mut(&seq) {
            outgoing.answer.get_or_insert(answer);
            outgoing.is_settled = true;
        }
    }

    /// Takes out the next operation that is done with: answers are given in the order of the wishes.
    pub(super) fn pop_answered(&mut self) -> Option<Done> {
        let first = self.open.first_entry()?;
        let seq = *first.key();
        let answer = first.get().answer?;
        let outgoing = first.remove();
        self.is_slowed &= !self.open.is_empty();
        Some(Done {
            seq,
            operation: outgoing.operation,
            answer,
            has_introduced: outgoing.has_introduced,
        })
    }

    /// Somebody is introduced: whether the user has wished it in an operation that has no answer yet.
    pub(super) fn introduces(&mut self, name: Name) -> bool {
        let mut consents = self.open.values_mut().filter(|outgoing| {
            matches!(
                outgoing.operation,
                Operation::GetAddress { user, .. } | Operation::Accept { user, .. } if user == name
            )
        });
        match consents.next() {
            Some(consent) => {
                consent.has_introduced = true;
                true
            }
            None => false,
        }
    }

    /// The server does not take it before that time, it said on this connection. Gives whether this is the first that it
    /// puts off since nothing waited here.
    pub(super) fn put_off(&mut self, seq: Seq, conn: ConnId, until: Timestamp) -> bool {
        let Some(outgoing) = self.open.get_mut(&seq) else {
            return false;
        };
        // If it was sent again meanwhile, another connection brings the word on it.
        if outgoing.on != Some(conn) || outgoing.is_settled {
            return false;
        }
        outgoing.on = None;
        outgoing.not_before = until;
        !core::mem::replace(&mut self.is_slowed, true)
    }

    /// A connection is over: what has no answer yet is to be sent again. Gives whether there is such.
    pub(super) fn connection_over(&mut self, conn: ConnId) -> bool {
        let mut left_open = false;
        for outgoing in self.open.values_mut() {
            if outgoing.on == Some(conn) {
                outgoing.on = None;
                left_open |= !outgoing.is_settled;
            }
        }
        left_open
    }

    /// There is a new session: everything is to be sent again.
    pub(super) fn send_all_again(&mut self) {
        for outgoing in self.open.values_mut() {
            outgoing.on = None;
            outgoing.is_settled = false;
        }
    }

    /// Whether the user has wished since to block this user.
    pub(super) fn will_block(&self, name: Name) -> bool {
        self.open
            .values()
            .any(|outgoing| matches!(outgoing.operation, Operation::Block { user } if user == name))
    }

    fn window_end(&self) -> Seq {
        Seq(self.lowest_unanswered().0.saturating_add(SEQ_WINDOW))
    }
}

#[cfg(test)]
mod tests;
