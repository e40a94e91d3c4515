//! Which of the messages for a peer are in sealed mails, besides waiting here.
//!
//! A mail is a copy: what is in it waits until the peer says that they have it, whatever becomes of the mail. Mails are posted one
//! after the other, each when the server has taken the one before, so that those that are kept hold the messages in order.

use alloc::collections::VecDeque;

use crate::id::Seq;

/// A mail that was given to the outbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Posted {
    /// Its number there.
    wish: Seq,
    /// The last message in it.
    through: Seq,
}

/// The mails for one peer.
#[derive(Debug, Default)]
pub(super) struct Mails {
    /// In order, of messages that the peer may not have.
    posted: VecDeque<Posted>,
    /// Whether nothing follows for a while, or until something may have changed.
    is_put_off: bool,
}

impl Mails {
    /// The last message that is in a mail, or 0.
    pub(super) fn through(&self) -> Seq {
        self.posted.back().map_or(Seq(0), |last| last.through)
    }

    /// The mail that may have no answer yet.
    pub(super) fn last(&self) -> Option<Seq> {
        self.posted.back().map(|last| last.wish)
    }

    pub(super) const fn is_put_off(&self) -> bool {
        self.is_put_off
    }

    pub(super) const fn put_off(&mut self) {
        self.is_put_off = true;
    }

    /// The server may take now what it did not take before.
    pub(super) const fn try_again(&mut self) {
        self.is_put_off = false;
    }

    pub(super) fn post(&mut self, wish: Seq, through: Seq) {
        self.posted.push_back(Posted { wish, through });
    }

    /// The messages in a mail: those after the first number up to the second one.
    pub(super) fn range(&self, wish: Seq) -> Option<(Seq, Seq)> {
        let place = self.posted.iter().position(|mail| mail.wish == wish)?;
        let before = place
            .checked_sub(1)
            .and_then(|place| self.posted.get(place));
        let after = before.map_or(Seq(0), |mail| mail.through);
        Some((after, self.posted.get(place)?.through))
    }

    /// The server did not take a mail.
    pub(super) fn refused(&mut self, wish: Seq) {
        if let Some(place) = self.posted.iter().position(|mail| mail.wish == wish) {
            self.posted.truncate(place);
        }
    }

    /// The peer has all messages up to a number.
    pub(super) fn taken(&mut self, through: Seq) {
        self.posted.retain(|mail| mail.through > through);
    }

    /// A mail was lost, or kept for too long: all messages have to be in later ones, in order.
    pub(super) fn lose(&mut self) {
        self.posted.clear();
    }

    /// The mails, by their numbers in the outbox, each with the last message in it.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Seq, Seq)> {
        self.posted.iter().map(|mail| (mail.wish, mail.through))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mails<const N: usize>(posted: [(u64, u64); N]) -> Mails {
        let mut mails = Mails::default();
        for (wish, through) in posted {
            mails.post(Seq(wish), Seq(through));
        }
        mails
    }

    #[test]
    fn each_mail_has_the_messages_after_the_one_before() {
        let mails = mails([(10, 3), (14, 5)]);
        assert_eq!(mails.range(Seq(10)), Some((Seq(0), Seq(3))));
        assert_eq!(mails.range(Seq(14)), Some((Seq(3), Seq(5))));
        assert_eq!(mails.range(Seq(11)), None);
        assert_eq!((mails.last(), mails.through()), (Some(Seq(14)), Seq(5)));
    }

    #[test]
    fn after_a_refusal_its_messages_are_in_no_mail() {
        let mut mails = mails([(10, 3), (14, 5)]);
        mails.refused(Seq(14));
        assert_eq!(mails.through(), Seq(3));
        mails.refused(Seq(99));
        assert_eq!(mails.through(), Seq(3));
    }

    #[test]
    fn what_was_taken_is_in_no_mail_any_more() {
        let mut mails = mails([(10, 3), (14, 5)]);
        mails.taken(Seq(4));
        assert_eq!(
            mails.iter().collect::<alloc::vec::Vec<_>>(),
            [(Seq(14), Seq(5))]
        );
        mails.lose();
        assert_eq!(mails.through(), Seq(0));
    }
}
