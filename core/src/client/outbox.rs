//! The outbox: what the user wished of the server, in order, until the server has answered it.
//!
//! Each operation has a number and keeps it however often it is sent, so that the server does it once. What waits here
//! when the server is away is sent when it is back. Answers are given out in the order of the wishes.
//!
//! With a store a wish is sent only once it is stored, and its number goes on being asked for until its answer is: else a
//! client that starts again would have numbers whose answers the server has forgotten, as nobody asked for them any more.

use alloc::collections::BTreeMap;

use super::config::StoreKind;
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

    const fn new(operation: Operation) -> Self {
        Self {
            operation,
            on: None,
            not_before: Timestamp::ZERO,
            answer: None,
            is_settled: false,
            has_introduced: false,
        }
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

/// Operations that have no answer yet, or whose answer is not stored.
#[derive(Debug)]
pub(super) struct Outbox {
    store: StoreKind,
    next: Seq,
    /// Without a gap, the last one before `next`.
    open: BTreeMap<Seq, Outgoing>,
    /// All below have been given out.
    given_below: Seq,
    /// All below are stored, or need not be.
    stored_below: Seq,
    /// Whether the server put something off since it was last empty.
    is_slowed: bool,
}

impl Outbox {
    pub(super) const fn new(store: StoreKind) -> Self {
        Self {
            store,
            next: Seq::FIRST,
            open: BTreeMap::new(),
            given_below: Seq::FIRST,
            stored_below: Seq::FIRST,
            is_slowed: false,
        }
    }

    /// Takes an operation, and gives its number.
    pub(super) fn push(&mut self, operation: Operation) -> Result<Seq, Full> {
        if self.open.len() >= OUTBOX_MAX {
            return Err(Full);
        }
        let seq = self.next;
        self.open.insert(seq, Outgoing::new(operation));
        self.next = seq.next();
        if self.store == StoreKind::None {
            self.stored_below = self.next;
        }
        Ok(seq)
    }

    /// How many wishes have no answer that was given out.
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.next.distance_from(self.given_below)).unwrap_or(usize::MAX)
    }

    /// How many are in the table.
    pub(super) fn size(&self) -> usize {
        self.open.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.given_below == self.next
    }

    /// The number of the next wish.
    pub(super) const fn next(&self) -> Seq {
        self.next
    }

    /// All answers below have been given out.
    pub(super) const fn given_below(&self) -> Seq {
        self.given_below
    }

    /// The wishes that have no answer, in order.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = (Seq, &Operation)> {
        let unanswered = self.open.range(self.given_below..);
        unanswered.map(|(seq, outgoing)| (*seq, &outgoing.operation))
    }

    /// Whether a wish has no answer that was given out.
    pub(super) fn is_unanswered(&self, seq: Seq) -> bool {
        (self.given_below..self.next).contains(&seq)
    }

    /// Whether a wish waits until it is stored.
    pub(super) fn awaits_store(&self, seq: Seq) -> bool {
        seq >= self.stored_below
    }

    /// The wishes below a number are stored, and so are the answers below another.
    pub(super) fn stored(&mut self, wished_below: Seq, given_below: Seq) {
        self.stored_below = self.stored_below.max(wished_below);
        self.open = self.open.split_off(&given_below);
    }

    /// The lowest number whose answer is not known, in the next life of this client too, or the next one to be used.
    pub(super) fn lowest_unanswered(&self) -> Seq {
        self.open
            .first_key_value()
            .map_or(self.next, |(seq, _)| *seq)
    }

    /// When something can be sent that is not on its way, which may be long past.
    pub(super) fn next_send(&self) -> Option<Timestamp> {
        self.open
            .range(..self.send_end())
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
        let end = self.send_end();
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
        let seq = self.given_below;
        let outgoing = self.open.get_mut(&seq)?;
        let done = Done {
            seq,
            answer: outgoing.answer?,
            operation: core::mem::replace(&mut outgoing.operation, Operation::Skip),
            has_introduced: outgoing.has_introduced,
        };
        self.given_below = seq.next();
        self.is_slowed &= !self.is_empty();
        if self.store == StoreKind::None {
            self.open.remove(&seq);
        }
        Some(done)
    }

    /// Somebody is introduced: the operation without an answer in which the user has wished it, if there is one.
    pub(super) fn introduces(&mut self, name: Name) -> Option<Seq> {
        let is_consent = |outgoing: &Outgoing| {
            matches!(
                outgoing.operation,
                Operation::GetAddress { user, .. } | Operation::Accept { user, .. } if user == name
            )
        };
        let mut open = self.open.iter_mut();
        let (seq, consent) = open.find(|(_, outgoing)| is_consent(outgoing))?;
        consent.has_introduced = true;
        Some(*seq)
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

    /// What has this number, or a higher one, may not be sent yet.
    fn send_end(&self) -> Seq {
        let window_end = self.lowest_unanswered().0.saturating_add(SEQ_WINDOW);
        self.stored_below.min(Seq(window_end))
    }
}

/// What an earlier life of this client had in its outbox.
impl Outbox {
    /// No number below was used for anything that still waits.
    pub(super) fn restore_next(&mut self, next: Seq) {
        if self.open.is_empty() && next > self.next {
            self.next = next;
            self.given_below = next;
            self.stored_below = next;
        }
    }

    /// A wish that was stored. One that no client has written is left out: numbers rise by one.
    pub(super) fn restore(&mut self, seq: Seq, operation: Operation) {
        self.restore_next(seq);
        if seq == self.next && self.open.len() < OUTBOX_MAX {
            self.open.insert(seq, Outgoing::new(operation));
            self.next = seq.next();
            self.stored_below = self.next;
        }
    }

    /// The answer to the first of them was given out.
    pub(super) fn restore_answered(&mut self, seq: Seq) {
        if self.lowest_unanswered() == seq {
            self.open.remove(&seq);
            self.given_below = seq.next();
        }
        self.restore_next(seq.next());
    }

    /// Somebody was introduced whom the user agrees to be introduced to in this wish.
    pub(super) fn fulfil(&mut self, seq: Seq) {
        if let Some(outgoing) = self.open.get_mut(&seq) {
            outgoing.has_introduced = true;
        }
    }

    /// Whether what was agreed to in this wish has come.
    pub(super) fn is_fulfilled(&self, seq: Seq) -> bool {
        self.open
            .get(&seq)
            .is_some_and(|outgoing| outgoing.has_introduced)
    }
}

#[cfg(test)]
mod tests;
