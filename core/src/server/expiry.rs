//! Expiry: a message that nobody has fetched for too long leaves its mailbox, and its author is told.
//!
//! It leaves only while its recipient is away: what they are online for is on its way to them. What authors have not been
//! told yet is kept for their account as messages are, whichever client they log in with next; numbers mean something only
//! to the client that sent them, so for another one they become a count.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::lane::Notice;
use super::mailbox::{Entry, Origin};
use super::record::{Record, Subject};
use super::record_queue::Waiting;
use super::{AccountId, Server, TimerKind};
use crate::limits::{EXPIRED_NUMBERS_MAX, EXPIRED_RECIPIENTS_MAX, RECORDS_MAX};
use crate::name::Name;
use crate::wire::item::{Bounded, decode};
use crate::wire::push::{Expired, Push};

/// Nothing more expires while so many records wait for the store: who logs in now is more important.
const BACKLOG_MAX: usize = RECORDS_MAX / 4;
/// A mailbox is looked at so long after its oldest message has expired, so that what was written together expires together.
const TOGETHER: Duration = Duration::from_secs(10);

impl Expired {
    /// Of one message more.
    fn one(to: Name, origin: Option<Origin>) -> Self {
        Self {
            to,
            numbers: Bounded::first_of(origin.map(|origin| origin.seq)),
            others: u32::from(origin.is_none()),
        }
    }

    /// How many messages they are.
    #[must_use]
    pub fn count(&self) -> u32 {
        let numbers = u32::try_from(self.numbers.as_slice().len()).unwrap_or(u32::MAX);
        self.others.saturating_add(numbers)
    }

    /// Takes in what expired since, for the same recipient. What there is no room for the numbers of is counted.
    pub fn add(&mut self, more: &Self) {
        let mut numbers = self.numbers.as_slice().to_vec();
        let new = more.numbers.as_slice().iter();
        numbers.extend(new.filter(|seq| !self.numbers.as_slice().contains(seq)));
        let uncounted = numbers.len().saturating_sub(EXPIRED_NUMBERS_MAX);
        let uncounted = u32::try_from(uncounted).unwrap_or(u32::MAX);
        self.numbers = Bounded::first_of(numbers);
        self.others = self.others.saturating_add(more.others);
        self.others = self.others.saturating_add(uncounted);
    }

    /// The author has been told this much of it.
    pub fn subtract(&mut self, told: &Self) {
        let known = told.numbers.as_slice();
        let before = self.numbers.as_slice();
        let rest: Vec<_> = before.iter().filter(|seq| !known.contains(seq)).collect();
        // Numbers that were told, and stand here only in the count.
        let counted = known.len().saturating_sub(before.len() - rest.len());
        let counted = u32::try_from(counted).unwrap_or(u32::MAX);
        self.others = self.others.saturating_sub(told.others);
        self.others = self.others.saturating_sub(counted);
        self.numbers = Bounded::first_of(rest.into_iter().copied());
    }

    /// The author has another client now, to which the numbers say nothing.
    pub fn forget_numbers(&mut self) {
        self.others = self.count();
        self.numbers = Bounded::first_of([]);
    }
}

/// What a user has not been told yet of messages that expired, by recipient.
#[derive(Debug, Default)]
pub(super) struct Untold(BTreeMap<Name, Expired>);

impl Untold {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Expired> {
        self.0.values()
    }

    pub(super) fn add(&mut self, more: &Expired) {
        if let Some(known) = self.0.get_mut(&more.to) {
            known.add(more);
        } else if self.0.len() < EXPIRED_RECIPIENTS_MAX {
            self.0.insert(more.to, more.clone());
        }
    }

    pub(super) fn told(&mut self, told: &Expired) {
        if let Some(known) = self.0.get_mut(&told.to) {
            known.subtract(told);
            if known.count() == 0 {
                self.0.remove(&told.to);
            }
        }
    }

    pub(super) fn forget_numbers(&mut self) {
        self.0.values_mut().for_each(Expired::forget_numbers);
    }
}

impl Server {
    /// Sees to it that a mailbox is looked at when its oldest message expires.
    pub(super) fn watch_mailbox(&mut self, recipient: AccountId) {
        if let Some(expires) = self.accounts.get(recipient).mailbox.expires() {
            let at = expires.max(self.clock.at) + TOGETHER;
            let timer = TimerKind::Expire(recipient);
            if self.timers.deadline(timer).is_none_or(|set| at < set) {
                self.timers.set(timer, at);
            }
        }
    }

    /// Takes out of a mailbox what has been there for too long.
    pub(super) fn expire_messages(&mut self, recipient: AccountId) {
        if self.accounts.get(recipient).session.is_some() {
            return;
        }
        if !self.records.is_failing() && self.records.len() < BACKLOG_MAX {
            self.take_expired(recipient);
        }
        self.watch_mailbox(recipient);
    }

    fn take_expired(&mut self, recipient: AccountId) {
        let owner = self.accounts.get_mut(recipient);
        let (to, now) = (owner.name, self.clock.at);
        let Some((through, expired)) = owner.mailbox.take_expired(now) else {
            return;
        };
        let mut untold: BTreeMap<AccountId, Expired> = BTreeMap::new();
        for entry in &expired {
            let author = entry.origin.account;
            if entry.mail.is_some() {
                self.tell_mail_expired(to, entry);
            } else if self.is_author(author, entry) {
                let word = Expired::one(to, self.known_at_client(entry.origin));
                let words = untold.entry(author);
                words.and_modify(|known| known.add(&word)).or_insert(word);
            }
        }
        let name = |(author, word): (&AccountId, &Expired)| {
            (self.accounts.get(*author).name, word.clone())
        };
        let record = Record::Expired {
            to,
            through: Some(through.0),
            untold: untold.iter().map(name).collect(),
        };
        self.record(record);
        for (author, word) in untold {
            let client = self.accounts.get(author).latest_login;
            let client = client.map(|latest| latest.instance);
            self.records.wait(Waiting::Expired {
                author,
                client,
                word,
            });
        }
    }

    /// Tells the client that left a mail, and has the messages in it still. For another one it means nothing.
    fn tell_mail_expired(&mut self, to: Name, mail: &Entry) {
        let author = mail.origin.account;
        if self.is_author(author, mail)
            && let Some(Origin { seq, .. }) = self.known_at_client(mail.origin)
        {
            let (subject, push) = (Subject::Mail(to), Push::MailExpired { to, seq });
            self.notify(author, Notice { subject, push });
        }
    }

    /// Whether an account wrote that, and not an earlier one of its name.
    fn is_author(&self, account: AccountId, entry: &Entry) -> bool {
        let sent = match decode(&entry.item) {
            Ok(Push::Message(message)) => message.sent,
            Ok(Push::Mail(mail)) => mail.sent,
            Ok(_) | Err(_) => return false,
        };
        self.accounts.is_current(account) && self.accounts.get(account).tickets_from <= sent
    }

    /// An operation, if the client that its author uses now knows its number.
    fn known_at_client(&self, origin: Origin) -> Option<Origin> {
        let latest = self.accounts.get(origin.account).latest_login?;
        (latest.instance == origin.instance).then_some(origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Seq;
    use proptest::prelude::*;

    fn word(numbers: impl IntoIterator<Item = u64>, others: u32) -> Expired {
        Expired {
            to: "bob".parse().unwrap(),
            numbers: Bounded::first_of(numbers.into_iter().map(Seq)),
            others,
        }
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let most = u64::try_from(EXPIRED_NUMBERS_MAX).unwrap();
        let mut known = word(0..most, 0);
        known.add(&word([3, most, most + 1], 2));
        assert_eq!(known, word(0..most, 4));
        known.subtract(&word([0, most], 1));
        assert_eq!(known, word(1..most, 2));
    }

    #[test]
    fn for_another_client_numbers_are_a_count() {
        let mut known = word([4, 7], 1);
        known.forget_numbers();
        assert_eq!(known, word([], 3));
    }

    #[test]
    fn who_was_told_all_has_nothing_left() {
        let mut untold = Untold::default();
        untold.add(&word([1], 0));
        untold.add(&word([2], 1));
        untold.told(&word([1, 2], 0));
        assert_eq!(untold.iter().collect::<Vec<_>>(), [&word([], 1)]);
        untold.told(&word([], 1));
        assert_eq!(untold.len(), 0);
    }

    proptest! {
        /// Whatever expires while something is being told, as much is told as expired.
        #[test]
        fn nothing_is_told_twice_or_forgotten(steps in prop::collection::vec((0u64..300, any::<bool>()), 1..400)) {
            let mut untold = Untold::default();
            let (mut expired, mut told) = (alloc::collections::BTreeSet::new(), 0);
            let mut under_way: Option<Expired> = None;
            for (number, is_told) in steps {
                if is_told {
                    if let Some(word) = under_way.take() {
                        told += word.count();
                        untold.told(&word);
                    }
                    under_way = untold.iter().next().cloned();
                } else if expired.insert(number) {
                    untold.add(&word([number], 0));
                }
            }
            let mut next = under_way;
            while let Some(word) = next.take().or_else(|| untold.iter().next().cloned()) {
                told += word.count();
                untold.told(&word);
            }
            prop_assert_eq!(told, u32::try_from(expired.len()).unwrap());
            prop_assert_eq!(untold.len(), 0);
        }
    }
}
