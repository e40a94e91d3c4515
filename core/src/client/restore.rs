//! Restoring: what each record means to a client that starts where it ended.

use alloc::collections::BTreeMap;
use core::time::Duration;

use super::Client;
use super::ledger::{Addressee, Key};
use super::record::Record;
use crate::id::Seq;
use crate::time::WallTime;
use crate::wire::item::Bounded;
use crate::wire::push::{Absence, Introduction, Whereabouts};
use crate::wire::request::{Operation, Outcome, Reach};

impl Client {
    /// The client as the records of its earlier life make it, which waits for a login as a new one does. To be called before
    /// anything else, with the records in their order. Records that no client has written are ignored.
    #[must_use]
    pub fn restore(mut self, records: impl IntoIterator<Item = Record>) -> Self {
        let mut wished = BTreeMap::new();
        for record in records {
            if record.is_damaged() {
                continue;
            }
            if let Record::Wished { seq, at, .. } = record {
                wished.insert(seq, at);
            }
            self.apply(record);
        }
        self.restore_ledger(&wished);
        self.restore_blocks();
        self
    }

    #[allow(clippy::too_many_lines, reason = "a row for each record")]
    fn apply(&mut self, record: Record) {
        match record {
            Record::Began {
                instance,
                next_wish,
                next_private,
            } => {
                self.instance = instance;
                self.outbox.restore_next(next_wish);
                self.next_private = self.next_private.max(next_private);
                self.storing.has_begun = true;
            }
            Record::Wished {
                seq,
                operation,
                at: _,
            } => self.outbox.restore(seq, operation),
            Record::Answered { seq, outcome } => {
                self.outbox.restore_answered(seq);
                if let Outcome::Refused(_) = outcome {
                    self.book.mail_refused(seq);
                }
            }
            Record::Posted { to, through, wish } => {
                if let Some(peer) = self.book.get_mut(to) {
                    peer.mails.post(wish, through);
                }
            }
            Record::MailLost { to } => {
                if let Some(peer) = self.book.get_mut(to) {
                    peer.mails.lose();
                }
            }
            Record::Fulfilled { seq } => self.outbox.fulfil(seq),
            // It is told, and waits for nothing.
            Record::Delivered { seq: _ } | Record::Expired { seq: _ } => {}
            Record::Written { to, message } => {
                self.next_private = self.next_private.max(message.seq.next());
                self.book.restore_waiting(to, message);
            }
            Record::Taken { by, through } => self.book.restore_taken(by, through),
            Record::GivenUp { to } => {
                self.book.give_up(to);
            }
            Record::Shown {
                route,
                from,
                instance,
                seq,
            } => {
                self.inbox.is_new(route, from, instance, seq);
            }
            Record::Peer {
                peer,
                introduction,
                key,
                candidates,
                term,
            } => self.apply_peer(Introduction {
                peer,
                id: introduction,
                key,
                whereabouts: Whereabouts {
                    // Until the server says how it is.
                    reach: Reach::Reachable,
                    candidates: Bounded::first_of(candidates),
                },
                term,
            }),
            Record::Elsewhere { peer } => {
                if let Some(peer) = self.book.get_mut(peer) {
                    peer.absence = Some(Absence::Elsewhere);
                }
            }
            Record::PeerGone { peer } => {
                self.book.part(peer);
            }
            Record::Met { peer, key } => self.peer_keys.restore(peer, key),
            Record::Verified { peer, key } => {
                // There was a place for it when this was recorded, so there is now.
                let _ = self.peer_keys.mark(peer, key);
            }
            Record::Consented {
                to,
                introductions,
                until,
            } => {
                let rest = until.0.saturating_sub(self.clock.wall.0);
                let rest = Duration::from_millis(rest);
                self.consents
                    .restore(self.clock.at, to, introductions, rest);
            }
        }
    }

    fn apply_peer(&mut self, introduction: Introduction) {
        let is_full = self.book.is_full() && self.book.get(introduction.peer).is_none();
        match self.book.by_introduction(introduction.id) {
            Some(peer) => peer.places.learn(introduction.whereabouts),
            None if is_full => {}
            None => {
                self.book.introduce(introduction);
            }
        }
    }

    /// The messages that wait are numbered anew, in the order in which they were written.
    fn restore_ledger(&mut self, wished: &BTreeMap<Seq, WallTime>) {
        let operations = self.outbox.unanswered().filter_map(|(seq, operation)| {
            let at = wished.get(&seq)?;
            Some((*at, Key::Operation(seq), Addressee::of(operation)?))
        });
        let privates = self.book.all_waiting().map(|(to, message)| {
            let key = Key::Private(message.seq);
            (message.sent, key, Addressee::Peer(to))
        });
        let mut waiting: alloc::vec::Vec<_> = operations.chain(privates).collect();
        waiting.sort_by_key(|(at, key, _)| (*at, *key));
        for (at, key, to) in waiting {
            self.ledger.written(key, to, at);
        }
    }

    /// Nothing is shown of those whom the user has wished to block, even if the server does not know it yet.
    fn restore_blocks(&mut self) {
        for (_, operation) in self.outbox.unanswered() {
            if let Operation::Block { user } = operation {
                self.inbox.block(*user);
            }
        }
    }
}
