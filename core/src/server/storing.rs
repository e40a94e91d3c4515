//! Storing: what the server has the store keep, and what it says only once that is kept.
//!
//! An operation that changed what is kept is answered when the change is stored, and a message that is not delivered soon
//! is *stored* when the store says so. With every batch go the outcomes of the clients that wait for it, so that after a
//! restart none of their operations is done twice, nor one of them answered that left no trace.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::account::LatestLogin;
use super::event::Event;
use super::intake::Fate;
use super::mailbox::Place;
use super::record::Record;
use super::record_queue::{News, Waiting};
use super::shutdown::Phase;
use super::{AccountId, Effect, Output, Server, TimerKind};
use crate::id::{EffectId, InstanceId, Seq};
use crate::key::PublicKey;
use crate::name::Name;
use crate::time::Timestamp;
use crate::wire::item::decode;
use crate::wire::push::{Audience, Push};
use crate::wire::request::{Outcome, Refusal};

/// The store did not keep a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("the store did not keep what it was given")]
pub struct StoreFailed;

impl Server {
    pub(super) fn record(&mut self, record: Record) {
        self.records.record(record);
    }

    /// Has the store keep a user's messages that were taken up to a time, and sees to the others when theirs has come.
    pub(super) fn store_messages(&mut self, account: AccountId, accepted_up_to: Timestamp) {
        let owner = self.accounts.get_mut(account);
        let to = owner.name;
        let storing = owner.mailbox.start_storing(accepted_up_to);
        match owner.mailbox.oldest_passing() {
            Some(oldest) => {
                let store_at = oldest + self.config.store_after;
                self.timers.set(TimerKind::Store(account), store_at);
            }
            None => self.timers.cancel(TimerKind::Store(account)),
        }
        self.watch_mailbox(account);
        for (place, key, item) in storing {
            if let Some(record) = kept(to, place, key, &item) {
                self.record(record);
                self.records.wait(Waiting::Copy { to: account, place });
            }
        }
    }

    /// Gives the store what was recorded, if it has nothing to do.
    pub(super) fn flush_records(&mut self) {
        if self.phase == Phase::Stopped {
            return;
        }
        let id = EffectId(self.effects);
        let Some((mut records, waiting)) = self.records.next_batch(id) else {
            return;
        };
        self.effects += 1;
        records.extend(self.outcomes_with(&waiting));
        self.output(Output::Effect(Effect::Store { id, records }));
    }

    /// What the clients that wait for a batch will have been answered once it is stored.
    fn outcomes_with(&self, waiting: &[Waiting]) -> Vec<Record> {
        let mut settled: BTreeMap<(AccountId, InstanceId), BTreeMap<Seq, Outcome>> =
            BTreeMap::new();
        for waiting in waiting {
            let (origin, outcome) = match *waiting {
                Waiting::Operation { origin, outcome } => (origin, Some(outcome)),
                Waiting::Copy { to, place } => match self.accounts.get(to).mailbox.get(place) {
                    Some(entry) if entry.audience == Audience::You => {
                        (entry.origin, Some(Outcome::Stored))
                    }
                    // Its outcome hangs on other copies too: if it is forgotten, it is sent again to those without it.
                    Some(entry) => (entry.origin, None),
                    None => continue,
                },
                Waiting::Removal { .. } | Waiting::Expired { .. } | Waiting::Notice { .. } => {
                    continue;
                }
            };
            let outcomes = settled
                .entry((origin.account, origin.instance))
                .or_default();
            outcomes.extend(outcome.map(|outcome| (origin.seq, outcome)));
        }
        settled
            .into_iter()
            .filter_map(|((account, instance), mut outcomes)| {
                let owner = self.accounts.get(account);
                let intake = owner.intakes.peek(&instance)?;
                // What was said is final, whatever was going to be said.
                outcomes.extend(intake.outcomes());
                Some(Record::Outcomes {
                    user: owner.name,
                    instance,
                    lowest_unanswered: intake.lowest_unanswered(),
                    outcomes: outcomes.into_iter().collect(),
                })
            })
            .collect()
    }

    pub(super) fn on_stored(&mut self, id: EffectId, result: Result<(), StoreFailed>) {
        match result {
            Ok(()) => {
                let (waited, news) = self.records.stored(id);
                self.tell_store_news(news);
                for waiting in waited {
                    self.on_kept(waiting);
                }
                self.proceed_stopping();
            }
            Err(StoreFailed) => {
                if let Some((rest, news)) = self.records.failed(id, &mut self.rng) {
                    self.timers.set(TimerKind::StoreAgain, self.clock.at + rest);
                    self.tell_store_news(news);
                    self.refuse_unseen();
                }
            }
        }
    }

    /// Refuses the messages that wait for a failing store, as later ones are: those to users who are away, and that no
    /// client can have shown.
    fn refuse_unseen(&mut self) {
        let waiting: Vec<_> = self.records.copies().collect();
        let mut refused = Vec::new();
        let mut taken_back = BTreeMap::new();
        for (to, place) in waiting {
            let owner = self.accounts.get_mut(to);
            if owner.session.is_none()
                && let Some(entry) = owner.mailbox.take_back_unseen(place)
            {
                refused.push(entry.origin);
                taken_back.insert((owner.name, place), to);
            }
        }
        self.records.take_back(&taken_back);
        for origin in refused {
            self.resolve(origin, Outcome::Refused(Refusal::NotKept));
        }
    }

    fn on_kept(&mut self, waiting: Waiting) {
        match waiting {
            Waiting::Operation { origin, outcome } => self.resolve(origin, outcome),
            Waiting::Copy { to, place } => {
                let origin = self.accounts.get_mut(to).mailbox.stored(place);
                if let Some(origin) = origin {
                    self.resolve_copy(origin, Fate::Stored);
                }
            }
            Waiting::Removal { user } => self.event(Event::AccountErased { user }),
            Waiting::Expired {
                author,
                client,
                mut word,
            } => {
                let owner = self.accounts.get_mut(author);
                if owner.latest_login.map(|latest| latest.instance) != client {
                    word.forget_numbers();
                }
                // What is left of an account that was removed has nobody to tell.
                if self.accounts.is_current(author) {
                    self.accounts.get_mut(author).untold.add(&word);
                    self.pump(author);
                }
            }
            Waiting::Notice { to, client, notice } => {
                let owner = self.accounts.get_mut(to);
                let is_latest = |latest: LatestLogin| latest.instance == client;
                if owner.latest_login.is_some_and(is_latest) {
                    let introduced = notice.introduced();
                    owner.notify(notice);
                    // They may have gone before the store had it.
                    if let Some(peer) = introduced.and_then(|peer| self.accounts.find(peer)) {
                        self.tell_if_absent(peer, to);
                    }
                    self.pump(to);
                }
            }
        }
    }

    fn tell_store_news(&mut self, news: Option<News>) {
        match news {
            Some(News::Failing) => self.event(Event::StoreFailing),
            Some(News::Working) => self.event(Event::StoreWorking),
            None => {}
        }
    }
}

/// The record of what is in a mailbox: an item of ours, so it is a message or a mail.
fn kept(to: Name, place: Place, key: Option<PublicKey>, item: &[u8]) -> Option<Record> {
    let place = place.0;
    match (decode(item).ok()?, key) {
        (Push::Message(message), _) => Some(Record::Kept { to, place, message }),
        (Push::Mail(mail), Some(key)) => Some(Record::KeptMail {
            to,
            key,
            place,
            mail,
        }),
        _ => None,
    }
}
