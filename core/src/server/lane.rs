//! The lane to one client: what waits to be pushed to it, one batch at a time.
//!
//! A batch is sent again, unchanged and under the same number, until the client has acknowledged it; only then comes the
//! next one. So order needs no further care, and a client that was too slow to answer only has to compare a number.
//!
//! *Notices* (questions, introductions) and messages go at once. Who came and went and what was delivered meanwhile are
//! *lazy*: they wait until the last of their kind is long enough ago, and only their net effect is told.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use super::expiry::Untold;
use super::mailbox::{Mailbox, Place};
use super::record::Subject;
use crate::backoff::Backoff;
use crate::id::{BatchNumber, Seq};
use crate::key::PublicKey;
use crate::limits::{NOTICES_MAX, RECEIPTS_MAX};
use crate::machine::ConnId;
use crate::name::Name;
use crate::rng::Rng;
use crate::time::Timestamp;
use crate::wire::item::{Payload, encode};
use crate::wire::push::{Expired, Presence, Push};

const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_LONGEST: Duration = Duration::from_secs(15);

/// Something to tell, that must not get lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Notice {
    pub(super) subject: Subject,
    pub(super) push: Push,
}

impl Notice {
    /// Who is introduced by it.
    pub(super) const fn introduced(&self) -> Option<Name> {
        if let Push::Introduced(introduction) = &self.push {
            Some(introduction.peer)
        } else {
            None
        }
    }
}

/// What came of composing.
#[derive(Debug)]
pub(super) enum Next<'a> {
    /// Send this, on a connection of its own.
    Send(&'a Payload),
    /// Nothing before that time.
    Wait(Timestamp),
    /// Nothing at all.
    Nothing,
}

/// A batch that the client has.
#[derive(Debug)]
pub(super) struct Taken {
    /// All messages up to this place were in it or in those before.
    pub(super) through: Option<Place>,
    /// On what it was told something and nothing newer waits.
    pub(super) told: Vec<Subject>,
    /// What it was told of messages that expired.
    pub(super) expired: Vec<Expired>,
}

#[derive(Debug)]
struct Batch {
    number: BatchNumber,
    payload: Payload,
    through: Option<Place>,
    notices: Vec<Notice>,
    expired: Vec<Expired>,
}

/// How far the messages that were kept until the login have been told.
#[derive(Debug, Clone, Copy)]
enum Kept {
    Nothing,
    Announce { through: Place },
    Telling { through: Place },
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// A connection with the batch is under way.
    Sending(ConnId),
    /// The last one failed; a timer ends the rest.
    Resting,
}

/// What waits for one session.
#[derive(Debug)]
pub(super) struct Lane {
    /// What the client is known by.
    client: PublicKey,
    lazy_interval: Duration,
    lazy_from: Timestamp,
    notices: VecDeque<Notice>,
    presence: BTreeMap<Name, Presence>,
    receipts: VecDeque<(Seq, Name)>,
    kept: Kept,
    last_number: BatchNumber,
    batch: Option<Batch>,
    state: State,
    backoff: Backoff,
}

impl Lane {
    /// The lane of a session that starts with what is in its mailbox.
    pub(super) fn new(client: PublicKey, lazy_interval: Duration, mailbox: &Mailbox) -> Self {
        let last = mailbox.of_client(client).next_back();
        Self {
            client,
            lazy_interval,
            lazy_from: Timestamp::ZERO,
            notices: VecDeque::new(),
            presence: BTreeMap::new(),
            receipts: VecDeque::new(),
            kept: last.map_or(Kept::Nothing, |(through, _)| Kept::Announce { through }),
            last_number: BatchNumber(0),
            batch: None,
            state: State::Idle,
            backoff: Backoff::new(RETRY_FIRST, RETRY_LONGEST),
        }
    }

    /// How many notices wait.
    pub(super) fn notices(&self) -> usize {
        self.notices.len()
    }

    /// How many receipts wait.
    pub(super) fn receipts(&self) -> usize {
        self.receipts.len()
    }

    pub(super) fn notify(&mut self, notice: Notice) {
        push_notice(&mut self.notices, notice);
    }

    /// Whether the client is to be told, or being told, something on a subject.
    pub(super) fn has_notice(&self, subject: Subject) -> bool {
        let in_batch = self.batch.iter().flat_map(|batch| &batch.notices);
        let mut all = in_batch.chain(&self.notices);
        all.any(|notice| notice.subject == subject)
    }

    /// Somebody came or went; with an untold change the other way it is as if nothing had happened.
    pub(super) fn note_presence(&mut self, user: Name, presence: Presence) {
        match self.presence.get(&user) {
            Some(untold) if *untold != presence => {
                self.presence.remove(&user);
            }
            _ => {
                self.presence.insert(user, presence);
            }
        }
    }

    /// A stored message of this user has been delivered.
    pub(super) fn note_receipt(&mut self, seq: Seq, to: Name) {
        if self.receipts.len() < RECEIPTS_MAX {
            self.receipts.push_back((seq, to));
        }
    }

    /// Forgets what waits about somebody the user has blocked: their coming, going and questions.
    pub(super) fn forget(&mut self, user: Name) {
        self.presence.remove(&user);
        self.notices
            .retain(|notice| notice.subject != Subject::Question(user));
    }

    /// Forgets where somebody may be reached who is no peer any more.
    pub(super) fn forget_addresses(&mut self, peer: Name) {
        self.notices
            .retain(|notice| notice.subject != Subject::Addresses(peer));
    }

    /// Forgets an untold change of somebody who hides from the user now.
    pub(super) fn forget_presence(&mut self, user: Name) {
        self.presence.remove(&user);
    }

    /// What to send next. A batch that was not acknowledged comes again, whatever has come since.
    pub(super) fn next(&mut self, now: Timestamp, mailbox: &Mailbox, untold: &Untold) -> Next<'_> {
        if self.state != State::Idle {
            return Next::Nothing;
        }
        if self.batch.is_none() {
            self.batch = self.compose(now, mailbox, untold);
        }
        match &self.batch {
            Some(batch) => Next::Send(&batch.payload),
            None if self.presence.is_empty() && self.receipts.is_empty() => Next::Nothing,
            None => Next::Wait(self.lazy_from),
        }
    }

    /// The batch is on its way. Gives the last message in it.
    pub(super) fn sending(&mut self, conn: ConnId) -> Option<Place> {
        self.state = State::Sending(conn);
        self.batch.as_ref().and_then(|batch| batch.through)
    }

    /// Whether this is the batch that the client is to acknowledge.
    pub(super) fn is_under_way(&self, number: BatchNumber) -> bool {
        self.batch
            .as_ref()
            .is_some_and(|batch| batch.number == number)
    }

    /// The client has a batch. `None` if it is not the one that is on its way.
    pub(super) fn taken(&mut self, number: BatchNumber) -> Option<Taken> {
        let batch = self.batch.take_if(|batch| batch.number == number)?;
        self.state = State::Idle;
        self.backoff.reset();
        let is_news =
            |subject: &Subject| !self.notices.iter().any(|newer| newer.subject == *subject);
        let told = batch.notices.iter().map(|notice| notice.subject);
        Some(Taken {
            through: batch.through,
            told: told.filter(is_news).collect(),
            expired: batch.expired,
        })
    }

    /// The connection with the batch failed: how long to rest. `None` if it was another connection.
    pub(super) fn failed(&mut self, conn: ConnId, rng: &mut Rng) -> Option<Duration> {
        if self.state != State::Sending(conn) {
            return None;
        }
        self.state = State::Resting;
        Some(self.backoff.after_failure(rng))
    }

    /// The rest is over: by time, or because the client was heard of.
    pub(super) fn wake(&mut self) {
        if self.state == State::Resting {
            self.state = State::Idle;
        }
    }

    /// Failures in a row.
    pub(super) fn failures(&self) -> u32 {
        self.backoff.failures()
    }

    /// The connection that a batch is on.
    pub(super) fn connection(&self) -> Option<ConnId> {
        match self.state {
            State::Sending(conn) => Some(conn),
            State::Idle | State::Resting => None,
        }
    }

    /// Whether the client has everything that must not get lost.
    pub(super) fn is_drained(&self, mailbox: &Mailbox) -> bool {
        let mut messages = mailbox.of_client(self.client);
        self.batch.is_none() && self.notices.is_empty() && messages.next().is_none()
    }

    /// Takes out the notices that the client may not have, for the session that follows.
    pub(super) fn take_notices(&mut self) -> VecDeque<Notice> {
        let in_batch = self.batch.take().map(|batch| batch.notices);
        let waiting = core::mem::take(&mut self.notices);
        in_batch.into_iter().flatten().chain(waiting).collect()
    }

    fn compose(&mut self, now: Timestamp, mailbox: &Mailbox, untold: &Untold) -> Option<Batch> {
        let number = BatchNumber(self.last_number.0 + 1);
        let mut payload = Payload::of(&Push::Batch { number });
        let empty = payload.len();

        let mut notices = Vec::new();
        while let Some(notice) = self.notices.front() {
            if !push_if_it_fits(&mut payload, &notice.push) {
                break;
            }
            notices.extend(self.notices.pop_front());
        }
        let expired = untold
            .iter()
            .take_while(|word| push_if_it_fits(&mut payload, &Push::Expired((*word).clone())))
            .cloned()
            .collect();
        let through = self.add_messages(&mut payload, mailbox);
        if self.lazy_from <= now {
            self.add_lazy(&mut payload, now);
        }
        if payload.len() == empty {
            return None;
        }
        self.last_number = number;
        Some(Batch {
            number,
            payload,
            through,
            notices,
            expired,
        })
    }

    fn add_messages(&mut self, payload: &mut Payload, mailbox: &Mailbox) -> Option<Place> {
        // Room for the two marks around the messages that were kept.
        const MARKS: usize = 16;
        let mut last = None;
        if let Kept::Announce { through } = self.kept {
            let count = mailbox
                .of_client(self.client)
                .take_while(|(place, _)| *place <= through)
                .map(|(_, entry)| entry.messages())
                .fold(0, u32::saturating_add);
            self.kept = Kept::Nothing;
            if count > 0 {
                payload.push(&Push::KeptStart { count });
                self.kept = Kept::Telling { through };
            }
        }
        for (place, entry) in mailbox.of_client(self.client) {
            self.end_kept_before(payload, Some(place));
            if !payload.has_room_for(entry.item.len() + MARKS) {
                return last;
            }
            payload.push_encoded(&entry.item);
            last = Some(place);
        }
        self.end_kept_before(payload, None);
        last
    }

    /// Says that the kept messages end here, if the next place is behind them.
    fn end_kept_before(&mut self, payload: &mut Payload, next: Option<Place>) {
        if let Kept::Telling { through } = self.kept
            && next.is_none_or(|next| next > through)
        {
            payload.push(&Push::KeptEnd);
            self.kept = Kept::Nothing;
        }
    }

    fn add_lazy(&mut self, payload: &mut Payload, now: Timestamp) {
        let before = payload.len();
        while let Some((user, presence)) = self.presence.pop_first() {
            if !push_if_it_fits(payload, &Push::Presence { user, presence }) {
                self.presence.insert(user, presence);
                break;
            }
        }
        while let Some((seq, to)) = self.receipts.pop_front() {
            if !push_if_it_fits(payload, &Push::Delivered { seq, to }) {
                self.receipts.push_front((seq, to));
                break;
            }
        }
        if payload.len() > before {
            self.lazy_from = now + self.lazy_interval;
        }
    }
}

/// Puts a notice behind the others, in place of one on the same subject that it makes stale.
pub(super) fn push_notice(notices: &mut VecDeque<Notice>, notice: Notice) {
    if notice.subject != Subject::Server {
        notices.retain(|waiting| waiting.subject != notice.subject);
    }
    if notices.len() >= NOTICES_MAX {
        notices.pop_front();
    }
    notices.push_back(notice);
}

fn push_if_it_fits(payload: &mut Payload, push: &Push) -> bool {
    let item = encode(push);
    let fits = payload.has_room_for(item.len());
    if fits {
        payload.push_encoded(&item);
    }
    fits
}

#[cfg(test)]
mod tests;
