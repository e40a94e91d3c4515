//! A user's mailbox: the messages on their way to them, in the order in which the server took them.
//!
//! Every message goes through it. While its recipient is online a message stands here only until the client has it; one
//! that stays longer, or whose recipient is away, goes to the store, and is *stored* once that has kept it. From here
//! they leave in order, which keeps the order between each two people whatever their connections do.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::AccountId;
use crate::id::{InstanceId, Seq};
use crate::key::PublicKey;
use crate::time::Timestamp;
use crate::wire::push::Audience;

/// How much a mailbox holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxLimits {
    /// So many messages.
    pub messages: usize,
    /// So many bytes.
    pub bytes: usize,
    /// One sender may have so many hundredths of both there, so that nobody can fill it alone; one message in any case.
    pub sender_percent: usize,
    /// So long; then a message that nobody fetched expires.
    pub age: Duration,
}

impl Default for MailboxLimits {
    fn default() -> Self {
        Self {
            messages: 1_000,
            bytes: 4 * 1024 * 1024,
            sender_percent: 10,
            age: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

impl MailboxLimits {
    /// What one sender may have of so much.
    fn share_of(self, whole: usize) -> usize {
        // In this order also the largest number has its share.
        let percent = self.sender_percent.min(100);
        whole / 100 * percent + whole % 100 * percent / 100
    }
}

/// A message's place in its mailbox: later ones have higher places.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Place(pub(super) u64);

/// Which operation of which client a message came from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Origin {
    pub(super) account: AccountId,
    pub(super) instance: InstanceId,
    pub(super) seq: Seq,
}

/// How well a message is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    /// Only here, until its recipient's client has it or is too slow.
    Passing,
    /// On its way to the store.
    Storing,
    /// In the store, and its sender knows.
    Stored,
}

/// What is different with a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mailing {
    /// The only client that gets it; other messages go to whichever is there.
    pub(super) key: PublicKey,
    /// How many messages its recipient is told that it is.
    pub(super) messages: u16,
}

/// A message for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The encoded push, which all recipients of a broadcast share.
    pub(super) item: Arc<[u8]>,
    pub(super) origin: Origin,
    pub(super) audience: Audience,
    /// What is different if it is a mail. Few are, and mailboxes hold many, so it stands elsewhere.
    pub(super) mail: Option<Box<Mailing>>,
    pub(super) accepted: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) keeping: Keeping,
}

impl Entry {
    /// Whether the client with this key gets it.
    pub(super) fn is_for(&self, client: PublicKey) -> bool {
        let mail = self.mail.as_ref();
        mail.is_none_or(|mail| mail.key == client)
    }

    /// How many messages its recipient is told that it is.
    pub(super) fn messages(&self) -> u32 {
        let mail = self.mail.as_ref();
        mail.map_or(1, |mail| mail.messages.into())
    }
}

/// A message for the store: its place, the client that it is for, if it is a mail, and the encoded push.
pub(super) type ToStore = (Place, Option<PublicKey>, Arc<[u8]>);

/// Why there is no room for another message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Full {
    /// For nobody's.
    Mailbox,
    /// For none of this sender's.
    Share,
}

/// How much there is of a sender's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Held {
    messages: usize,
    bytes: usize,
}

/// The messages for one user.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    entries: BTreeMap<Place, Entry>,
    bytes: usize,
    /// How much of it is whose; nobody who has nothing there.
    by_sender: BTreeMap<AccountId, Held>,
    next: Place,
    /// No message before this place is passing.
    passing_from: Place,
    /// No message from this place on has been sent to a client.
    unseen_from: Place,
}

impl Mailbox {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many bytes its messages have.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a message in behind all others.
    pub(super) fn push(&mut self, entry: Entry, limits: MailboxLimits) -> Result<(), Full> {
        let length = entry.item.len();
        if self.entries.len() >= limits.messages || self.bytes + length > limits.bytes {
            return Err(Full::Mailbox);
        }
        if let Some(held) = self.by_sender.get(&entry.origin.account)
            && (held.messages >= limits.share_of(limits.messages)
                || held.bytes + length > limits.share_of(limits.bytes))
        {
            return Err(Full::Share);
        }
        self.note_in(&entry);
        let place = self.next;
        self.next = Place(place.0 + 1);
        self.entries.insert(place, entry);
        Ok(())
    }

    /// Puts a message back to where it stood in an earlier life of the server.
    pub(super) fn restore(&mut self, place: Place, entry: Entry) {
        self.note_in(&entry);
        self.next = self.next.max(Place(place.0.saturating_add(1)));
        self.passing_from = self.next;
        if let Some(twice) = self.entries.insert(place, entry) {
            self.note_out(&twice);
        }
    }

    fn note_in(&mut self, entry: &Entry) {
        let length = entry.item.len();
        self.bytes += length;
        let held = self.by_sender.entry(entry.origin.account).or_default();
        held.messages += 1;
        held.bytes += length;
    }

    fn note_out(&mut self, entry: &Entry) {
        let length = entry.item.len();
        self.bytes -= length;
        if let Some(held) = self.by_sender.get_mut(&entry.origin.account) {
            held.messages -= 1;
            held.bytes -= length;
            if held.messages == 0 {
                self.by_sender.remove(&entry.origin.account);
            }
        }
    }

    pub(super) fn get(&self, place: Place) -> Option<&Entry> {
        self.entries.get(&place)
    }

    /// All messages, in order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (Place, &Entry)> {
        self.entries.iter().map(|(place, entry)| (*place, entry))
    }

    /// How many messages a client gets.
    pub(super) fn count_of_client(&self, client: PublicKey) -> u32 {
        let messages = self.of_client(client).map(|(_, entry)| entry.messages());
        messages.fold(0, u32::saturating_add)
    }

    /// The messages that a client gets, in order.
    pub(super) fn of_client(
        &self,
        client: PublicKey,
    ) -> impl DoubleEndedIterator<Item = (Place, &Entry)> {
        self.iter().filter(move |(_, entry)| entry.is_for(client))
    }

    /// When the oldest passing message was taken.
    pub(super) fn oldest_passing(&self) -> Option<Timestamp> {
        let (_, entry) = self.entries.range(self.passing_from..).next()?;
        Some(entry.accepted)
    }

    /// When the oldest message expires.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        let (_, entry) = self.entries.first_key_value()?;
        Some(entry.expires)
    }

    /// Takes out the stored messages that have expired, and gives the place of the last one too.
    pub(super) fn take_expired(&mut self, now: Timestamp) -> Option<(Place, Vec<Entry>)> {
        let is_over = |entry: &Entry| entry.expires <= now && entry.keeping == Keeping::Stored;
        let over = self.entries.iter().take_while(|(_, entry)| is_over(entry));
        let through = over.last().map(|(place, _)| *place)?;
        Some((through, self.take_all_up_to(through)))
    }

    /// Marks all passing messages that were taken up to a time as on their way to the store, and gives them.
    pub(super) fn start_storing(&mut self, accepted_up_to: Timestamp) -> Vec<ToStore> {
        let mut storing = Vec::new();
        for (place, entry) in self.entries.range_mut(self.passing_from..) {
            if entry.accepted > accepted_up_to {
                break;
            }
            self.passing_from = Place(place.0 + 1);
            if entry.keeping == Keeping::Passing {
                entry.keeping = Keeping::Storing;
                let key = entry.mail.as_ref().map(|mail| mail.key);
                storing.push((*place, key, entry.item.clone()));
            }
        }
        storing
    }

    /// The store has kept a message. Gives whose it is, if it still stands here.
    pub(super) fn stored(&mut self, place: Place) -> Option<Origin> {
        let entry = self.entries.get_mut(&place)?;
        entry.keeping = Keeping::Stored;
        Some(entry.origin)
    }

    /// The messages up to a place are being sent to a client, which may show them whatever we hear of it.
    pub(super) fn mark_seen(&mut self, through: Place) {
        self.unseen_from = self.unseen_from.max(Place(through.0 + 1));
    }

    /// Takes a message out that was written to this user alone and that no client can have shown.
    pub(super) fn take_back_unseen(&mut self, place: Place) -> Option<Entry> {
        let entry = self.entries.get(&place)?;
        if place < self.unseen_from || entry.audience != Audience::You {
            return None;
        }
        let entry = self.entries.remove(&place)?;
        self.note_out(&entry);
        Some(entry)
    }

    /// Takes out the messages up to a place that a client gets: it has them.
    pub(super) fn take_up_to(&mut self, place: Place, client: PublicKey) -> Vec<Entry> {
        self.take(place, |entry| entry.is_for(client))
    }

    /// Takes out all messages up to a place, whoever gets them.
    pub(super) fn take_all_up_to(&mut self, place: Place) -> Vec<Entry> {
        self.take(place, |_| true)
    }

    fn take(&mut self, through: Place, is_taken: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let taken = self
            .entries
            .extract_if(..=through, |_, entry| is_taken(entry));
        let taken: Vec<_> = taken.map(|(_, entry)| entry).collect();
        for entry in &taken {
            self.note_out(entry);
        }
        taken
    }

    /// All messages, in order.
    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.entries.into_values().collect()
    }

    /// Takes out everything that a user wrote.
    pub(super) fn discard_from(&mut self, sender: AccountId) -> Vec<Entry> {
        let discarded: Vec<_> = self
            .entries
            .extract_if(.., |_, entry| entry.origin.account == sender)
            .map(|(_, entry)| entry)
            .collect();
        for entry in &discarded {
            self.note_out(entry);
        }
        discarded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KEY_LEN;
    use alloc::vec;
    use proptest::prelude::*;

    const LIMITS: MailboxLimits = MailboxLimits {
        messages: 5,
        bytes: 100,
        sender_percent: 60,
        age: Duration::from_secs(1),
    };
    /// Without bounds for one sender.
    const ALL: MailboxLimits = MailboxLimits {
        sender_percent: 100,
        ..LIMITS
    };

    const CLIENTS: [PublicKey; 2] = [PublicKey([0; KEY_LEN]), PublicKey([1; KEY_LEN])];

    fn mailing(key: Option<PublicKey>) -> Option<Box<Mailing>> {
        key.map(|key| Box::new(Mailing { key, messages: 1 }))
    }

    fn entry(sender: u32, seq: u64, bytes: usize, at: u64) -> Entry {
        Entry {
            item: vec![0; bytes].into(),
            origin: Origin {
                account: AccountId(sender),
                instance: InstanceId([0; 16]),
                seq: Seq(seq),
            },
            audience: Audience::You,
            mail: None,
            accepted: Timestamp::from_millis(at),
            expires: Timestamp::from_millis(at + 1_000),
            keeping: Keeping::Passing,
        }
    }

    fn last(mailbox: &Mailbox) -> Place {
        mailbox.iter().next_back().unwrap().0
    }

    fn seqs<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<u64> {
        entries
            .into_iter()
            .map(|entry| entry.origin.seq.0)
            .collect()
    }

    #[test]
    fn both_limits_hold() {
        let mut mailbox = Mailbox::default();
        for seq in 0..5 {
            assert_eq!(mailbox.push(entry(1, seq, 1, 0), ALL), Ok(()));
        }
        assert_eq!(mailbox.push(entry(1, 5, 1, 0), ALL), Err(Full::Mailbox));
        let mut mailbox = Mailbox::default();
        assert_eq!(mailbox.push(entry(1, 0, 100, 0), ALL), Ok(()));
        assert_eq!(mailbox.push(entry(1, 1, 1, 0), ALL), Err(Full::Mailbox));
        let _ = mailbox.take_all_up_to(last(&mailbox));
        assert_eq!(mailbox.push(entry(1, 1, 100, 0), ALL), Ok(()));
    }

    #[test]
    fn one_sender_fills_no_more_than_a_share() {
        let mut mailbox = Mailbox::default();
        for seq in 0..3 {
            assert_eq!(mailbox.push(entry(1, seq, 1, 0), LIMITS), Ok(()));
        }
        assert_eq!(mailbox.push(entry(1, 3, 1, 0), LIMITS), Err(Full::Share));
        assert_eq!(mailbox.push(entry(2, 0, 1, 0), LIMITS), Ok(()));
        let _ = mailbox.take_all_up_to(Place(0));
        assert_eq!(mailbox.push(entry(1, 3, 58, 0), LIMITS), Ok(()));
        let _ = mailbox.take_all_up_to(Place(1));
        assert_eq!(mailbox.push(entry(1, 4, 2, 0), LIMITS), Err(Full::Share));
    }

    #[test]
    fn everybody_can_have_one_message_there() {
        let none = MailboxLimits {
            sender_percent: 0,
            ..LIMITS
        };
        let mut mailbox = Mailbox::default();
        assert_eq!(mailbox.push(entry(1, 0, 70, 0), none), Ok(()));
        assert_eq!(mailbox.push(entry(1, 1, 1, 0), none), Err(Full::Share));
        assert_eq!(mailbox.push(entry(2, 0, 1, 0), none), Ok(()));
    }

    #[test]
    fn a_share_is_exact_and_no_bound_is_too_large_for_one() {
        let share = |percent, whole| {
            let limits = MailboxLimits {
                sender_percent: percent,
                ..LIMITS
            };
            limits.share_of(whole)
        };
        assert_eq!([share(10, 1_000), share(10, 55), share(1, 99)], [100, 5, 0]);
        assert_eq!(share(100, usize::MAX), usize::MAX);
    }

    #[test]
    fn what_was_taken_long_enough_ago_is_stored_once() {
        let mut mailbox = Mailbox::default();
        for (seq, at) in [(1, 10), (2, 20), (3, 30)] {
            mailbox.push(entry(1, seq, 1, at), LIMITS).unwrap();
        }
        assert_eq!(mailbox.oldest_passing(), Some(Timestamp::from_millis(10)));
        let storing = mailbox.start_storing(Timestamp::from_millis(20));
        let origins = storing.iter().map(|(place, ..)| mailbox.stored(*place));
        let seqs: Vec<_> = origins.flatten().map(|origin| origin.seq.0).collect();
        assert_eq!(seqs, [1, 2]);
        assert_eq!(mailbox.start_storing(Timestamp::from_millis(20)), []);
        assert_eq!(mailbox.oldest_passing(), Some(Timestamp::from_millis(30)));
    }

    #[test]
    fn what_was_taken_meanwhile_is_not_stored() {
        let mut mailbox = Mailbox::default();
        mailbox.push(entry(1, 1, 1, 0), LIMITS).unwrap();
        let place = last(&mailbox);
        assert_eq!(mailbox.start_storing(Timestamp::ZERO).len(), 1);
        let _ = mailbox.take_all_up_to(place);
        assert_eq!(mailbox.stored(place), None);
    }

    #[test]
    fn what_is_stored_expires_in_order() {
        let mut mailbox = Mailbox::default();
        for (place, at) in [(0, 500), (1, 700), (2, 600)] {
            let keeping = Keeping::Stored;
            let entry = entry(1, place, 1, at);
            mailbox.restore(Place(place), Entry { keeping, ..entry });
        }
        mailbox.push(entry(1, 3, 1, 800), ALL).unwrap();
        let mut expired = |at| {
            let taken = mailbox.take_expired(Timestamp::from_millis(at));
            taken.map(|(through, entries)| (through, seqs(&entries)))
        };
        assert_eq!(expired(1_499), None);
        assert_eq!(expired(1_600), Some((Place(0), vec![0])));
        assert_eq!(expired(1_700), Some((Place(2), vec![1, 2])));
        assert_eq!(expired(9_999), None, "it is not stored");
        assert_eq!(mailbox.expires(), Some(Timestamp::from_millis(1_800)));
    }

    #[test]
    fn what_comes_after_a_restart_stands_behind_what_was_kept() {
        let mut mailbox = Mailbox::default();
        let kept = Entry {
            keeping: Keeping::Stored,
            ..entry(1, 7, 1, 0)
        };
        mailbox.restore(Place(41), kept);
        assert_eq!(mailbox.oldest_passing(), None);
        mailbox.push(entry(1, 8, 1, 5), LIMITS).unwrap();
        assert_eq!(last(&mailbox), Place(42));
        assert_eq!(seqs(mailbox.entries.values()), [7, 8]);
        assert_eq!(mailbox.oldest_passing(), Some(Timestamp::from_millis(5)));
    }

    #[test]
    fn a_place_holds_one_message_however_often_it_is_restored() {
        let mut mailbox = Mailbox::default();
        mailbox.restore(Place(3), entry(1, 7, 40, 0));
        mailbox.restore(Place(3), entry(1, 7, 30, 0));
        assert_eq!((mailbox.len(), mailbox.bytes()), (1, 30));
    }

    #[test]
    fn what_a_client_may_have_shown_is_not_taken_back() {
        let mut mailbox = Mailbox::default();
        mailbox.push(entry(1, 1, 10, 0), LIMITS).unwrap();
        let seen = last(&mailbox);
        mailbox.push(entry(1, 2, 20, 0), LIMITS).unwrap();
        let unseen = last(&mailbox);
        mailbox.mark_seen(seen);
        assert_eq!(mailbox.take_back_unseen(seen), None);
        assert_eq!(seqs(&mailbox.take_back_unseen(unseen)), [2]);
        assert_eq!((mailbox.len(), mailbox.bytes()), (1, 10));
    }

    #[test]
    fn a_mail_waits_for_its_client_and_expires_with_the_rest() {
        let mut mailbox = Mailbox::default();
        let [ours, other] = CLIENTS;
        for (seq, key) in [(1, None), (2, Some(ours)), (3, None)] {
            let keeping = Keeping::Stored;
            let entry = entry(1, seq, 10, seq);
            mailbox.restore(
                Place(seq),
                Entry {
                    mail: mailing(key),
                    keeping,
                    ..entry
                },
            );
        }
        let of = |mailbox: &Mailbox, client| {
            let entries = mailbox.of_client(client).map(|(_, entry)| entry);
            seqs(entries)
        };
        assert_eq!(of(&mailbox, ours), [1, 2, 3]);
        assert_eq!(of(&mailbox, other), [1, 3]);
        assert_eq!(seqs(&mailbox.take_up_to(Place(3), other)), [1, 3]);
        assert_eq!((mailbox.len(), mailbox.bytes()), (1, 10));
        let (_, expired) = mailbox.take_expired(Timestamp::from_secs(2)).unwrap();
        assert_eq!(seqs(&expired), [2]);
    }

    proptest! {
        /// Against a plain list: order, bounds and bytes hold whatever is put in, acknowledged, stored and discarded.
        #[test]
        fn it_is_a_bounded_queue(steps in prop::collection::vec((0u8..4, 0u32..3, 1usize..40, 0usize..4), 1..100)) {
            let mut mailbox = Mailbox::default();
            let mut model: Vec<Entry> = Vec::new();
            for (number, (action, sender, size, client)) in steps.into_iter().enumerate() {
                let now = u64::try_from(number).unwrap();
                match action {
                    0 | 1 => {
                        // Half of them are mails.
                        let new = Entry { mail: mailing(CLIENTS.get(client).copied()), ..entry(sender, now, size, now) };
                        let bytes: usize = model.iter().map(|entry| entry.item.len()).sum();
                        let own: Vec<_> = model.iter().filter(|entry| entry.origin.account == AccountId(sender)).collect();
                        let own_bytes: usize = own.iter().map(|entry| entry.item.len()).sum();
                        let has_share = own.is_empty() || (own.len() < 3 && own_bytes + size <= 60);
                        let fits = model.len() < LIMITS.messages && bytes + size <= LIMITS.bytes && has_share;
                        prop_assert_eq!(mailbox.push(new.clone(), LIMITS).is_ok(), fits);
                        if fits {
                            model.push(new);
                        }
                    }
                    2 => {
                        let reader = CLIENTS[client % 2];
                        let through = mailbox.of_client(reader).take(size).last();
                        if let Some((place, last)) = through.map(|(place, entry)| (place, entry.origin.seq)) {
                            let is_taken = |entry: &mut Entry| entry.is_for(reader) && entry.origin.seq <= last;
                            let expected: Vec<_> = model.extract_if(.., is_taken).collect();
                            prop_assert_eq!(seqs(&mailbox.take_up_to(place, reader)), seqs(&expected));
                        }
                    }
                    _ => {
                        let (gone, kept) = model.into_iter().partition(|entry| entry.origin.account == AccountId(sender));
                        model = kept;
                        let gone: Vec<Entry> = gone;
                        prop_assert_eq!(seqs(&mailbox.discard_from(AccountId(sender))), seqs(&gone));
                    }
                }
                prop_assert_eq!(seqs(mailbox.entries.values()), seqs(&model));
                prop_assert_eq!(mailbox.bytes, model.iter().map(|entry| entry.item.len()).sum::<usize>());
            }
        }
    }
}
