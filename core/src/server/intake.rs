//! The intake of one client instance: takes its operations strictly in the order of their numbers, each once.
//!
//! Each operation travels in a connection of its own, and connections race, so a few may come early: they are held. One
//! that comes again gets the outcome it had. Outcomes are kept until the client says that it knows them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::id::Seq;
use crate::limits::SEQ_WINDOW;
use crate::machine::ConnId;
use crate::wire::request::{Operation, Outcome, Refusal};

/// What becomes of a submitted operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Submitted {
    /// It was done before, with this outcome.
    Answered(Outcome),
    /// Its outcome comes later, through [`Intake::resolve`]. This connection waited for it until now, if one did.
    Waiting(Option<ConnId>),
    /// Its number is too far ahead, or its answer was confirmed: nothing is said of it.
    OutOfWindow,
}

/// What is known of an operation that was taken.
#[derive(Debug)]
enum State {
    /// Held until its predecessors have come.
    Held(Operation),
    /// Taken; the word is not final.
    Pending,
    /// A broadcast that has not reached everybody.
    Counting {
        undecided: u32,
        delivered: u32,
        stored: u32,
        refused: u32,
    },
    Final(Outcome),
}

#[derive(Debug)]
struct Slot {
    state: State,
    waiting: Option<ConnId>,
}

/// What became of one recipient's copy of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Delivered,
    Stored,
    /// Discarded, because it cannot be delivered any more.
    Discarded(Refusal),
}

/// A final word, and the connection that waits for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Resolved {
    pub(super) outcome: Outcome,
    pub(super) waiting: Option<ConnId>,
}

/// The operations of one client instance.
#[derive(Debug)]
pub(super) struct Intake {
    /// The number that is done next.
    next: Seq,
    /// All below have been answered, the client says.
    lowest_unanswered: Seq,
    slots: BTreeMap<Seq, Slot>,
}

impl Intake {
    pub(super) const fn new(lowest_unanswered: Seq) -> Self {
        Self {
            next: lowest_unanswered,
            lowest_unanswered,
            slots: BTreeMap::new(),
        }
    }

    /// How many operations it remembers.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The intake of a client whose operations an earlier life of the server had these outcomes for.
    pub(super) fn restored(
        lowest_unanswered: Seq,
        outcomes: impl IntoIterator<Item = (Seq, Outcome)>,
    ) -> Self {
        let mut intake = Self::new(lowest_unanswered);
        intake.slots = outcomes
            .into_iter()
            .map(|(seq, outcome)| {
                let state = State::Final(outcome);
                let waiting = None;
                (seq, Slot { state, waiting })
            })
            .collect();
        intake
    }

    /// The number from which on the client wants to know outcomes.
    pub(super) const fn lowest_unanswered(&self) -> Seq {
        self.lowest_unanswered
    }

    /// The final outcomes that the client may not know.
    pub(super) fn outcomes(&self) -> impl Iterator<Item = (Seq, Outcome)> {
        self.slots
            .iter()
            .filter_map(|(seq, slot)| match slot.state {
                State::Final(outcome) => Some((*seq, outcome)),
                State::Held(_) | State::Pending | State::Counting { .. } => None,
            })
    }

    /// The client knows the outcomes of all operations below `seq`. A server that lost its memory goes on from there.
    pub(super) fn confirm_below(&mut self, seq: Seq) {
        if seq > self.lowest_unanswered {
            self.lowest_unanswered = seq;
            self.slots = self.slots.split_off(&seq);
        }
        self.next = self.next.max(seq);
    }

    /// Takes an operation that came on a connection. Then do what [`Self::pop_ready`] gives.
    pub(super) fn submit(&mut self, seq: Seq, operation: Operation, conn: ConnId) -> Submitted {
        if seq < self.lowest_unanswered || seq.distance_from(self.lowest_unanswered) >= SEQ_WINDOW {
            return Submitted::OutOfWindow;
        }
        let slot = self.slots.entry(seq).or_insert_with(|| Slot {
            state: State::Held(operation),
            waiting: None,
        });
        match slot.state {
            State::Final(outcome) => Submitted::Answered(outcome),
            State::Held(_) | State::Pending | State::Counting { .. } => {
                Submitted::Waiting(slot.waiting.replace(conn))
            }
        }
    }

    /// The operation whose turn it is, if it has come. Then [`Self::pop_ready`] or [`Self::put_off`] it.
    pub(super) fn ready(&mut self) -> Option<&Operation> {
        for (seq, slot) in self.slots.range(self.next..) {
            if *seq != self.next {
                return None;
            }
            if let State::Held(operation) = &slot.state {
                return Some(operation);
            }
            // An earlier life of the server did it, or it is the last number that there is.
            self.next = seq.next();
        }
        None
    }

    /// Takes the operation whose turn it is.
    pub(super) fn pop_ready(&mut self) -> Option<(Seq, Operation)> {
        self.ready()?;
        let seq = self.next;
        let slot = self.slots.get_mut(&seq)?;
        self.next = seq.next();
        match core::mem::replace(&mut slot.state, State::Pending) {
            State::Held(operation) => Some((seq, operation)),
            State::Pending | State::Counting { .. } | State::Final(_) => None,
        }
    }

    /// Gives back everything that is held, in order, with the connections that wait for it: none of their numbers is used
    /// up, and they come again.
    pub(super) fn put_off(&mut self) -> Vec<(Seq, Option<ConnId>)> {
        let is_held = |_: &Seq, slot: &mut Slot| matches!(slot.state, State::Held(_));
        self.slots
            .extract_if(.., is_held)
            .map(|(seq, slot)| (seq, slot.waiting))
            .collect()
    }

    /// A broadcast went to so many, and could not go to so many more; its word is final when all is decided.
    pub(super) fn count(&mut self, seq: Seq, undecided: u32, refused: u32) {
        if let Some(slot) = self.slots.get_mut(&seq) {
            slot.state = State::Counting {
                undecided,
                delivered: 0,
                stored: 0,
                refused,
            };
        }
    }

    /// The final word on an operation.
    pub(super) fn resolve(&mut self, seq: Seq, outcome: Outcome) -> Option<Resolved> {
        let slot = self.slots.get_mut(&seq)?;
        if matches!(slot.state, State::Final(_)) {
            return None;
        }
        slot.state = State::Final(outcome);
        Some(Resolved {
            outcome,
            waiting: slot.waiting.take(),
        })
    }

    /// What became of one copy of a message: its outcome, or a part of a broadcast's.
    pub(super) fn resolve_copy(&mut self, seq: Seq, fate: Fate) -> Option<Resolved> {
        let slot = self.slots.get_mut(&seq)?;
        let outcome = match &mut slot.state {
            State::Counting {
                undecided,
                delivered,
                stored,
                refused,
            } => {
                *undecided = undecided.saturating_sub(1);
                match fate {
                    Fate::Delivered => *delivered += 1,
                    Fate::Stored => *stored += 1,
                    Fate::Discarded(_) => {}
                }
                if *undecided > 0 {
                    return None;
                }
                Outcome::Broadcast {
                    delivered: *delivered,
                    stored: *stored,
                    refused: *refused,
                }
            }
            State::Held(_) | State::Pending | State::Final(_) => match fate {
                Fate::Delivered => Outcome::Delivered,
                Fate::Stored => Outcome::Stored,
                Fate::Discarded(why) => Outcome::Refused(why),
            },
        };
        self.resolve(seq, outcome)
    }

    /// Forgets what is held: its client is gone, and sends it again if it comes back.
    pub(super) fn drop_held(&mut self) {
        self.slots
            .retain(|_, slot| !matches!(slot.state, State::Held(_)));
    }

    /// A connection is gone: nobody waits there any more.
    pub(super) fn forget_connection(&mut self, seq: Seq, conn: ConnId) {
        if let Some(slot) = self.slots.get_mut(&seq)
            && slot.waiting == Some(conn)
        {
            slot.waiting = None;
        }
    }
}

#[cfg(test)]
mod tests;
