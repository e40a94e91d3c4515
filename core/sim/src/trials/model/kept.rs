//! What a client's store is known to have kept, and what is left of a client when it starts again from there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use simplechat_core::client::record::Record;
use simplechat_core::id::{IntroductionId, Seq};
use simplechat_core::name::Name;
use simplechat_core::time::{Timestamp, WallTime};
use simplechat_core::wire::request::{Operation, Outcome, Refusal};

use super::letters::{LetterId, Route};
use super::{Client, Entry, Life, Model, Op};
use crate::world::ClientId;

/// What comes of the records of a client.
#[derive(Debug, Default)]
pub struct Kept {
    /// Wishes whose answer is not kept, in order.
    wishes: VecDeque<(Seq, WallTime, Op)>,
    /// Private texts that wait, in order.
    privates: BTreeMap<Name, VecDeque<(Seq, WallTime, LetterId)>>,
    book: BTreeMap<Name, (IntroductionId, Entry)>,
    /// Whose key is marked.
    pub marked: BTreeSet<Name>,
}

impl Model {
    /// The store of a client has kept something.
    pub(super) fn keep(&mut self, at: Timestamp, id: ClientId, records: &[Record]) {
        for record in records {
            self.keep_one(at, id, record);
        }
    }

    #[allow(clippy::too_many_lines, reason = "a row for each record")]
    fn keep_one(&mut self, at: Timestamp, id: ClientId, record: &Record) {
        let letters = &mut self.letters;
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        match record {
            // A copy of texts that the client knows as private ones.
            Record::Wished {
                operation: Operation::Mail { .. },
                ..
            } => {}
            Record::Wished {
                seq,
                operation,
                at: written,
            } => {
                let op = client.note_kept(*seq, operation).unwrap_or_else(|| Op {
                    operation: operation.clone(),
                    letter: None,
                    wished: at,
                    kept: Some(*seq),
                    was_told: false,
                });
                client.kept.wishes.push_back((*seq, *written, op));
            }
            Record::Answered { seq, .. } => client.kept.wishes.retain(|(wish, ..)| wish != seq),
            Record::Written { to, message } => {
                if let Some(letter) = letters.find(message.text.as_str()) {
                    let waiting = client.kept.privates.entry(*to).or_default();
                    waiting.push_back((message.seq, message.sent, letter));
                }
            }
            Record::Taken { by, through } => {
                if let Some(waiting) = client.kept.privates.get_mut(by) {
                    waiting.retain(|(seq, ..)| seq > through);
                }
            }
            Record::GivenUp { to } => {
                client.kept.privates.remove(to);
            }
            Record::Peer {
                peer,
                introduction,
                term,
                ..
            } => {
                let is_known = |(known, _): &(IntroductionId, Entry)| known == introduction;
                if !client.kept.book.get(peer).is_some_and(is_known) {
                    let entry = Entry {
                        since: at,
                        term: *term,
                        is_elsewhere: false,
                    };
                    client.kept.book.insert(*peer, (*introduction, entry));
                }
            }
            Record::Elsewhere { peer } => {
                if let Some((_, entry)) = client.kept.book.get_mut(peer) {
                    entry.is_elsewhere = true;
                }
            }
            Record::PeerGone { peer } => {
                client.kept.book.remove(peer);
            }
            Record::Met { peer, .. } => {
                client.kept.marked.remove(peer);
            }
            Record::Verified { peer, .. } => {
                client.kept.marked.insert(*peer);
            }
            Record::Began { .. }
            | Record::Fulfilled { .. }
            | Record::Delivered { .. }
            | Record::Expired { .. }
            | Record::Shown { .. }
            | Record::Posted { .. }
            | Record::MailLost { .. }
            | Record::Consented { .. } => {}
        }
    }

    /// This is the one place that says what is lost with a client: what its store has not kept. What was not kept was not
    /// sent either.
    pub(super) fn starts_again(&mut self, at: Timestamp, id: ClientId) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        // What was given up before is not lost: it may be on its way to a screen.
        let waited: BTreeSet<_> = client.privates.values().flatten().copied().collect();
        let lost_ops = client.start_again();
        let kept: BTreeSet<_> = client.privates.values().flatten().copied().collect();
        let user = client.user;
        for letter in waited.difference(&kept) {
            self.letters.get_mut(*letter).is_lost = true;
        }
        for op in &lost_ops {
            if let Some(letter) = op.letter {
                self.letters.get_mut(letter).is_lost = true;
            }
            if let Some(user) = user {
                self.forget_wish(at, id, user, op);
            }
        }
        let client = &self.clients[&id];
        let again: Vec<_> = client.open.iter().cloned().collect();
        self.letters.renumber(id, client.kept.waiting());
        // Their answers come again.
        for op in again {
            if let Some(letter) = op.letter {
                self.letters.get_mut(letter).word = None;
            }
            if let (Some(user), Operation::Block { user: other }) = (user, &op.operation) {
                self.blocks.wish_again(user, *other);
            }
        }
    }

    /// Whether two clients that were introduced at that time must still know each other: neither user has another client since,
    /// nor another account.
    #[must_use]
    pub fn are_still_the_same(&self, ids: [ClientId; 2], since: Timestamp) -> bool {
        let users = ids.map(|id| self.user(id));
        let is_other = |(id, client): (&ClientId, &Client)| {
            !ids.contains(id)
                && users.contains(&client.user)
                && client.last_login.is_some_and(|login| login >= since)
        };
        !self.clients.iter().any(is_other)
            && !users
                .iter()
                .flatten()
                .any(|user| self.was_changed_since(*user, since))
    }

    /// A wish was lost before anybody heard of it.
    fn forget_wish(&mut self, at: Timestamp, id: ClientId, user: Name, op: &Op) {
        let outcome = Outcome::Refused(Refusal::NotKept);
        match op.operation {
            Operation::Block { user: other } => {
                self.blocks.block_done(at, id, user, other, outcome);
            }
            Operation::Unblock { user: other } => {
                self.blocks.unblock_done(at, user, other, outcome);
            }
            Operation::GetAddress { user: other, .. } => {
                self.consents.asked(at, user, other, op.wished, outcome);
            }
            Operation::Accept { user: other, .. } => {
                self.consents.said_yes(at, user, other, op.wished, outcome);
            }
            Operation::Message { .. }
            | Operation::Broadcast { .. }
            | Operation::Deny { .. }
            | Operation::RemoveAddress { .. }
            | Operation::Mail { .. }
            | Operation::Skip => {}
        }
    }
}

impl Kept {
    /// The texts that wait, in the order in which they were written.
    fn waiting(&self) -> Vec<LetterId> {
        let wishes = self.wishes.iter();
        let wishes =
            wishes.filter_map(|(seq, at, op)| Some((*at, Route::Server, *seq, op.letter?)));
        let privates = self.privates.values().flatten();
        let privates = privates.map(|(seq, at, letter)| (*at, Route::Direct, *seq, *letter));
        let mut waiting: Vec<_> = wishes.chain(privates).collect();
        waiting.sort_unstable();
        waiting.into_iter().map(|(.., letter)| letter).collect()
    }
}

impl Client {
    /// A wish is kept: which one, with its number.
    fn note_kept(&mut self, seq: Seq, operation: &Operation) -> Option<Op> {
        let is_it = |op: &&mut Op| op.kept.is_none() && op.operation == *operation;
        let op = self.open.iter_mut().find(is_it)?;
        op.kept = Some(seq);
        Some(op.clone())
    }

    /// Goes back to what is kept. Gives the wishes that are lost.
    fn start_again(&mut self) -> Vec<Op> {
        let untold = |op: &&Op| !op.was_told;
        let untold: BTreeSet<_> = self
            .open
            .iter()
            .filter(untold)
            .filter_map(|op| op.kept)
            .collect();
        let wishes = self.kept.wishes.iter().map(|(seq, _, op)| Op {
            was_told: !untold.contains(seq),
            ..op.clone()
        });
        let open = std::mem::replace(&mut self.open, wishes.collect());
        let privates = self.kept.privates.iter();
        self.privates = privates
            .map(|(to, waiting)| (*to, waiting.iter().map(|(.., letter)| *letter).collect()))
            .collect();
        let book = self.kept.book.iter();
        self.book = book.map(|(peer, (_, entry))| (*peer, *entry)).collect();
        self.questions.clear();
        self.online_asked = None;
        self.showing.clear();
        self.life = Life::Running;
        self.logged_in = false;
        self.was_logged_in = false;
        self.has_started_again = true;
        open.into_iter().filter(|op| op.kept.is_none()).collect()
    }
}
