//! What the client wishes of the server of its own accord: it is wished when all that happens now is dealt with.
//!
//! A wish has to be stored on its own before it is sent. What is recorded while something is taken in that is to be shown goes with
//! that, and may wait for a person to look.

use alloc::collections::BTreeSet;

use super::Client;
use super::record::Record;
use crate::id::Seq;
use crate::limits::OUTBOX_MAX;
use crate::name::Name;
use crate::wire::request::Operation;

/// Such wishes do not take the room in the outbox that the user's own need.
const OUTBOX_ROOM: usize = OUTBOX_MAX / 2;

/// What may have to be wished.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// For whom a mail may have to be left.
    pub(super) mail: BTreeSet<Name>,
    /// Who were introduced and are not in the address book, and have this user in theirs.
    pub(super) declined: BTreeSet<Name>,
}

impl Client {
    /// Called after everything that happens.
    pub(super) fn do_due(&mut self) {
        if self.phase.is_over() {
            self.due = Due::default();
        }
        while let Some(name) = self.due.mail.pop_first() {
            self.leave_mail(name);
        }
        while let Some(name) = self.due.declined.pop_first() {
            self.decline(name);
        }
    }

    /// Whether there is room for a wish that the user has not wished.
    pub(super) fn has_room_for_due(&self) -> bool {
        self.outbox.len() < OUTBOX_ROOM
    }

    /// Has the server do something that the user has not wished.
    pub(super) fn wish_due(&mut self, operation: Operation) -> Option<Seq> {
        let seq = self.outbox.push(operation.clone()).ok()?;
        let at = self.clock.wall;
        self.record(Record::Wished { seq, operation, at });
        self.flush();
        Some(seq)
    }

    /// Ends an introduction that this client does not take: else the other would have somebody in the address book who has not them.
    fn decline(&mut self, user: Name) {
        if self.book.get(user).is_none() && self.has_room_for_due() {
            self.wish_due(Operation::RemoveAddress { user });
        }
    }
}
