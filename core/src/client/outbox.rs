//! The outbox: what the user wished of the server, in order, until the server has answered it.
//!
//! Each operation has a number and keeps it however often it is sent, so that the server does it once. What waits here
//! when the server is away is sent when it is back.

use alloc::collections::BTreeMap;

use crate::id::Seq;
use crate::limits::{OUTBOX_MAX, SEQ_WINDOW};
use crate::machine::ConnId;
use crate::name::Name;
use crate::wire::item::{Payload, encode};
use crate::wire::request::{Operation, Request};

#[derive(Debug)]
struct Outgoing {
    operation: Operation,
    /// The connection that it is on.
    on: Option<ConnId>,
}

/// There is no more room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Full;

/// Operations that have no answer yet.
#[derive(Debug)]
pub(super) struct Outbox {
    next: Seq,
    unanswered: BTreeMap<Seq, Outgoing>,
}

impl Outbox {
    pub(super) const fn new() -> Self {
        Self {
            next: Seq::FIRST,
            unanswered: BTreeMap::new(),
        }
    }

    pub(super) fn push(&mut self, operation: Operation) -> Result<(), Full> {
        if self.unanswered.len() >= OUTBOX_MAX {
            return Err(Full);
        }
        let outgoing = Outgoing {
            operation,
            on: None,
        };
        self.unanswered.insert(self.next, outgoing);
        self.next = self.next.next();
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.unanswered.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unanswered.is_empty()
    }

    /// The lowest number that has no answer, or the next one to be used.
    pub(super) fn lowest_unanswered(&self) -> Seq {
        self.unanswered
            .first_key_value()
            .map_or(self.next, |(seq, _)| *seq)
    }

    /// Whether something can be sent that is not on its way.
    pub(super) fn has_unsent(&self) -> bool {
        self.window().any(|(_, outgoing)| outgoing.on.is_none())
    }

    /// Puts what can be sent into a frame, in order, as far as it fits.
    pub(super) fn send(&mut self, payload: &mut Payload, conn: ConnId) {
        let seq = self.lowest_unanswered();
        payload.push(&Request::LowestUnanswered { seq });
        let end = Seq(seq.0.saturating_add(SEQ_WINDOW));
        for (&seq, outgoing) in self.unanswered.range_mut(..end) {
            if outgoing.on.is_some() {
                continue;
            }
            let item = encode(&Request::Submit {
                seq,
                operation: outgoing.operation.clone(),
            });
            if !payload.has_room_for(item.len()) {
                break;
            }
            payload.push_encoded(&item);
            outgoing.on = Some(conn);
        }
    }

    /// The server has answered: the operation is done with. `None` if it was before.
    pub(super) fn answered(&mut self, seq: Seq) -> Option<Operation> {
        Some(self.unanswered.remove(&seq)?.operation)
    }

    /// A connection is over: what has no answer yet is to be sent again. Gives whether there is such.
    pub(super) fn connection_over(&mut self, conn: ConnId) -> bool {
        let mut left_open = false;
        for outgoing in self.unanswered.values_mut() {
            if outgoing.on == Some(conn) {
                outgoing.on = None;
                left_open = true;
            }
        }
        left_open
    }

    /// There is a new session: everything is to be sent again.
    pub(super) fn send_all_again(&mut self) {
        for outgoing in self.unanswered.values_mut() {
            outgoing.on = None;
        }
    }

    /// Whether the user has wished since to block this user.
    pub(super) fn will_block(&self, name: Name) -> bool {
        self.unanswered
            .values()
            .any(|outgoing| matches!(outgoing.operation, Operation::Block { user } if user == name))
    }

    fn window(&self) -> impl Iterator<Item = (&Seq, &Outgoing)> {
        let end = Seq(self.lowest_unanswered().0.saturating_add(SEQ_WINDOW));
        self.unanswered.range(..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::item::{Items, decode};
    use alloc::vec::Vec;

    const A: ConnId = ConnId::Dialled(1);
    const B: ConnId = ConnId::Dialled(2);

    fn say(outbox: &mut Outbox, text: &str) {
        let text = text.parse().unwrap();
        outbox.push(Operation::Broadcast { text }).unwrap();
    }

    fn send(outbox: &mut Outbox, conn: ConnId) -> Vec<u64> {
        let mut payload = Payload::default();
        outbox.send(&mut payload, conn);
        Items::new(payload.as_bytes())
            .filter_map(|item| match decode::<Request>(item.unwrap()).unwrap() {
                Request::Submit { seq, .. } => Some(seq.0),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn what_is_on_its_way_is_not_sent_twice_until_its_connection_is_over() {
        let mut outbox = Outbox::new();
        say(&mut outbox, "1");
        say(&mut outbox, "2");
        assert_eq!(send(&mut outbox, A), [1, 2]);
        say(&mut outbox, "3");
        assert_eq!(send(&mut outbox, B), [3]);
        assert!(!outbox.has_unsent());
        outbox.answered(Seq(2));
        outbox.connection_over(A);
        assert_eq!(send(&mut outbox, B), [1]);
        assert_eq!(outbox.answered(Seq(2)), None);
        assert_eq!(outbox.lowest_unanswered(), Seq(1));
    }

    #[test]
    fn no_more_than_the_window_is_on_its_way() {
        let mut outbox = Outbox::new();
        for _ in 0..SEQ_WINDOW + 5 {
            say(&mut outbox, "x");
        }
        assert_eq!(send(&mut outbox, A).last(), Some(&SEQ_WINDOW));
        assert!(!outbox.has_unsent());
        outbox.answered(Seq(1));
        assert_eq!(send(&mut outbox, B), [SEQ_WINDOW + 1]);
    }

    #[test]
    fn a_frame_takes_what_fits() {
        let mut outbox = Outbox::new();
        for _ in 0..3 {
            say(&mut outbox, &"x".repeat(30_000));
        }
        assert_eq!(send(&mut outbox, A), [1, 2]);
        assert_eq!(send(&mut outbox, B), [3]);
    }

    #[test]
    fn it_is_bounded() {
        let mut outbox = Outbox::new();
        for _ in 0..OUTBOX_MAX {
            say(&mut outbox, "x");
        }
        let text = "x".parse().unwrap();
        assert_eq!(outbox.push(Operation::Broadcast { text }), Err(Full));
    }
}
