//! Records on their way to the store: in order, one batch at a time, and who waits for them.
//!
//! Whatever was recorded while a batch is with the store makes up the next one, so under load many wait for one write. A
//! batch that the store failed to keep is tried again after a rest, so nothing that was recorded is skipped; until it is
//! kept the store counts as *failing*, and operations that need it are refused.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use super::AccountId;
use super::lane::Notice;
use super::mailbox::{Origin, Place};
use super::record::Record;
use crate::backoff::Backoff;
use crate::id::{EffectId, InstanceId};
use crate::limits::{RECORDS_MAX, RECORDS_PER_BATCH};
use crate::name::Name;
use crate::rng::Rng;
use crate::wire::push::Expired;
use crate::wire::request::Outcome;

const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LONGEST: Duration = Duration::from_secs(30);

/// What is said once all that was recorded before it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Waiting {
    /// That a message is kept.
    Copy { to: AccountId, place: Place },
    /// The outcome of an operation.
    Operation { origin: Origin, outcome: Outcome },
    /// To the operator, that what was kept for an account is gone.
    Removal { user: Name },
    /// To a user, that messages expired, by the numbers of the client that they had then.
    Expired {
        author: AccountId,
        client: Option<InstanceId>,
        word: Expired,
    },
    /// A notice to a user's client.
    Notice {
        to: AccountId,
        client: InstanceId,
        notice: Notice,
    },
}

/// How the store did, when that is news.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum News {
    Failing,
    Working,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// The first so many records are with the store.
    Writing {
        id: EffectId,
        count: usize,
    },
    /// The store failed; a timer ends the rest.
    Resting,
}

/// The records that are not stored yet.
#[derive(Debug)]
pub(super) struct RecordQueue {
    /// `None` in the place of one that was taken back.
    records: VecDeque<Option<Record>>,
    /// How many were recorded in all.
    recorded: u64,
    /// Each with how many had been recorded in all when it began to wait.
    waiting: VecDeque<(u64, Waiting)>,
    state: State,
    backoff: Backoff,
}

impl RecordQueue {
    pub(super) const fn new() -> Self {
        Self {
            records: VecDeque::new(),
            recorded: 0,
            waiting: VecDeque::new(),
            state: State::Idle,
            backoff: Backoff::new(RETRY_FIRST, RETRY_LONGEST),
        }
    }

    pub(super) fn record(&mut self, record: Record) {
        self.records.push_back(Some(record));
        self.recorded += 1;
    }

    /// How many records there have been.
    pub(super) const fn recorded(&self) -> u64 {
        self.recorded
    }

    /// Whether the store is too far behind for more to be begun.
    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= RECORDS_MAX
    }

    /// How many records are not stored.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether all records are stored.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Says this once everything that was recorded until now is stored.
    pub(super) fn wait(&mut self, waiting: Waiting) {
        self.waiting.push_back((self.recorded, waiting));
    }

    /// Whether the store did not keep what it was last given.
    pub(super) fn is_failing(&self) -> bool {
        self.backoff.failures() > 0
    }

    /// The records to store next, if the store has nothing to do, and who waits for no more than these.
    pub(super) fn next_batch(&mut self, id: EffectId) -> Option<(Vec<Record>, Vec<Waiting>)> {
        if self.state != State::Idle || self.records.is_empty() {
            return None;
        }
        let count = self.records.len().min(RECORDS_PER_BATCH);
        self.state = State::Writing { id, count };
        let records = self.records.iter().take(count).flatten().cloned();
        let records = records.collect();
        let through = self.stored_with(count);
        let waiting = self
            .waiting
            .iter()
            .take_while(|(after, _)| *after <= through)
            .map(|(_, waiting)| waiting.clone())
            .collect();
        Some((records, waiting))
    }

    /// The store has kept a batch: what may be said now.
    pub(super) fn stored(&mut self, id: EffectId) -> (Vec<Waiting>, Option<News>) {
        let State::Writing { id: current, count } = self.state else {
            return (Vec::new(), None);
        };
        if current != id {
            return (Vec::new(), None);
        }
        let through = self.stored_with(count);
        self.records.drain(..count);
        self.state = State::Idle;
        let news = self.is_failing().then_some(News::Working);
        self.backoff.reset();
        let ready = self.waiting.partition_point(|(after, _)| *after <= through);
        let said = self.waiting.drain(..ready).map(|(_, waiting)| waiting);
        (said.collect(), news)
    }

    /// The store has not kept a batch: how long to let it rest.
    pub(super) fn failed(
        &mut self,
        id: EffectId,
        rng: &mut Rng,
    ) -> Option<(Duration, Option<News>)> {
        if !matches!(self.state, State::Writing { id: current, .. } if current == id) {
            return None;
        }
        let news = (!self.is_failing()).then_some(News::Failing);
        self.state = State::Resting;
        Some((self.backoff.after_failure(rng), news))
    }

    /// Takes messages back that the store is not at.
    pub(super) fn take_back(&mut self, copies: &BTreeMap<(Name, Place), AccountId>) {
        for record in &mut self.records {
            record.take_if(|record| {
                matches!(*record, Record::Kept { to, place, .. } | Record::KeptMail { to, place, .. } if copies.contains_key(&(to, Place(place))))
            });
        }
        let copies: BTreeSet<_> = copies
            .iter()
            .map(|((_, place), to)| (*to, *place))
            .collect();
        self.waiting.retain(|(_, waiting)| match *waiting {
            Waiting::Copy { to, place } => !copies.contains(&(to, place)),
            Waiting::Operation { .. }
            | Waiting::Removal { .. }
            | Waiting::Expired { .. }
            | Waiting::Notice { .. } => true,
        });
    }

    /// The messages that wait for the store.
    pub(super) fn copies(&self) -> impl Iterator<Item = (AccountId, Place)> {
        self.waiting
            .iter()
            .filter_map(|(_, waiting)| match *waiting {
                Waiting::Copy { to, place } => Some((to, place)),
                Waiting::Operation { .. }
                | Waiting::Removal { .. }
                | Waiting::Expired { .. }
                | Waiting::Notice { .. } => None,
            })
    }

    /// The rest is over.
    pub(super) fn wake(&mut self) {
        if self.state == State::Resting {
            self.state = State::Idle;
        }
    }

    /// How many will have been stored in all, once the first so many of the waiting ones are.
    fn stored_with(&self, count: usize) -> u64 {
        let left = u64::try_from(self.records.len() - count).unwrap_or(u64::MAX);
        self.recorded - left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Seq;
    use crate::key::{KEY_LEN, PublicKey};

    fn record(number: u64) -> Record {
        Record::Taken {
            to: "alice".parse().unwrap(),
            key: PublicKey([0; KEY_LEN]),
            through: number,
        }
    }

    fn waiting(number: u64) -> Waiting {
        Waiting::Operation {
            origin: Origin {
                account: AccountId(0),
                instance: InstanceId([0; 16]),
                seq: Seq(number),
            },
            outcome: Outcome::Done,
        }
    }

    #[test]
    fn what_comes_while_the_store_writes_goes_together() {
        let mut queue = RecordQueue::new();
        queue.record(record(1));
        queue.wait(waiting(1));
        let first = queue.next_batch(EffectId(1)).unwrap();
        assert_eq!(first, (alloc::vec![record(1)], alloc::vec![waiting(1)]));
        queue.record(record(2));
        queue.wait(waiting(2));
        queue.record(record(3));
        assert_eq!(queue.next_batch(EffectId(2)), None, "one at a time");
        assert_eq!(queue.stored(EffectId(1)).0, [waiting(1)]);
        let (records, waits) = queue.next_batch(EffectId(2)).unwrap();
        assert_eq!(records, [record(2), record(3)]);
        assert_eq!(waits, [waiting(2)]);
        assert_eq!(queue.stored(EffectId(1)).0, [], "that was the other one");
        assert_eq!(queue.stored(EffectId(2)).0, [waiting(2)]);
        assert_eq!(queue.next_batch(EffectId(3)), None);
    }

    #[test]
    fn nobody_is_told_before_the_last_record_they_wait_for() {
        let mut queue = RecordQueue::new();
        for number in 0..=RECORDS_PER_BATCH {
            queue.record(record(u64::try_from(number).unwrap()));
        }
        queue.wait(waiting(1));
        let (records, waits) = queue.next_batch(EffectId(1)).unwrap();
        assert_eq!((records.len(), waits.len()), (RECORDS_PER_BATCH, 0));
        assert_eq!(queue.stored(EffectId(1)).0, []);
        assert_eq!(queue.next_batch(EffectId(2)).unwrap().0.len(), 1);
        assert_eq!(queue.stored(EffectId(2)).0, [waiting(1)]);
    }

    #[test]
    fn a_batch_that_was_not_kept_comes_again_after_a_rest() {
        let mut queue = RecordQueue::new();
        let mut rng = Rng::new([0; 32]);
        queue.record(record(1));
        queue.wait(waiting(1));
        let _ = queue.next_batch(EffectId(1));
        let (_, news) = queue.failed(EffectId(1), &mut rng).unwrap();
        assert_eq!(news, Some(News::Failing));
        assert!(queue.is_failing());
        queue.record(record(2));
        assert_eq!(queue.next_batch(EffectId(2)), None, "it rests");
        queue.wake();
        let (records, _) = queue.next_batch(EffectId(2)).unwrap();
        assert_eq!(records, [record(1), record(2)]);
        let (_, news) = queue.failed(EffectId(2), &mut rng).unwrap();
        assert_eq!(news, None, "known already");
        queue.wake();
        let _ = queue.next_batch(EffectId(3));
        assert_eq!(
            queue.stored(EffectId(3)),
            (alloc::vec![waiting(1)], Some(News::Working))
        );
        assert!(!queue.is_failing());
    }
}
