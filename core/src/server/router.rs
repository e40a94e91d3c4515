//! Routing: which mailboxes a text goes to, and which senders are turned away.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::mailbox::{Entry, Full, Keeping, Origin};
use super::{AccountId, Server, TimerKind};
use crate::name::Name;
use crate::text::Text;
use crate::wire::item::encode;
use crate::wire::push::{Audience, Delivery, Push};
use crate::wire::request::{Outcome, Refusal};

impl Server {
    /// A message to one user. `None` while it is on its way.
    pub(super) fn message(&mut self, origin: Origin, to: Name, text: Text) -> Option<Outcome> {
        let recipient = match self.recipient(origin.account, to, &text) {
            Ok(recipient) => recipient,
            Err(refusal) => return Some(Outcome::Refused(refusal)),
        };
        let item = self.encode_delivery(origin, Audience::You, text);
        let is_online = self.accounts.get(recipient).session.is_some();
        if !is_online && self.records.is_failing() {
            return Some(Outcome::Refused(Refusal::NotKept));
        }
        if let Err(full) = self.enqueue(recipient, origin, Audience::You, item) {
            return Some(Outcome::Refused(match full {
                Full::Mailbox => Refusal::MailboxFull,
                Full::Share => Refusal::ShareFull,
            }));
        }
        self.acquaint(origin.account, recipient);
        if is_online {
            self.pump(recipient);
        } else {
            self.store_messages(recipient, self.clock.at);
        }
        None
    }

    /// A message to everybody online. `None` while it is on its way.
    pub(super) fn broadcast(&mut self, origin: Origin, text: Text) -> Option<Outcome> {
        if let Err(refusal) = self.check_text(&text) {
            return Some(Outcome::Refused(refusal));
        }
        let sender = origin.account;
        let recipients: Vec<_> = self
            .online
            .values()
            .copied()
            .filter(|user| *user != sender)
            .filter(|user| !self.accounts.get(*user).blacklist.contains(sender))
            .collect();
        self.accounts.get_mut(sender).allowance.draw_deliveries(
            self.clock.at,
            &self.config.allowance,
            recipients.len(),
        );
        let item = self.encode_delivery(origin, Audience::Everyone, text);
        let (mut undecided, mut refused) = (0, 0);
        for recipient in &recipients {
            match self.enqueue(*recipient, origin, Audience::Everyone, item.clone()) {
                Ok(()) => undecided += 1,
                Err(Full::Mailbox | Full::Share) => refused += 1,
            }
        }
        if undecided == 0 {
            return Some(Outcome::Broadcast {
                delivered: 0,
                stored: 0,
                refused,
            });
        }
        if let Some(intake) = self.intake(sender, origin.instance) {
            intake.count(origin.seq, undecided, refused);
        }
        for recipient in recipients {
            self.pump(recipient);
        }
        None
    }

    /// To whom a message may go.
    fn recipient(&self, sender: AccountId, to: Name, text: &Text) -> Result<AccountId, Refusal> {
        self.check_text(text)?;
        let recipient = self.other(sender, to)?;
        if self.accounts.get(recipient).blacklist.contains(sender) {
            return Err(Refusal::Blocked);
        }
        Ok(recipient)
    }

    fn check_text(&self, text: &Text) -> Result<(), Refusal> {
        let max = self.config.max_text;
        if text.len() > max {
            let max = u32::try_from(max).unwrap_or(u32::MAX);
            return Err(Refusal::TextTooLong { max });
        }
        Ok(())
    }

    /// The account of that name, which must not be the user's own.
    pub(super) fn other(&self, user: AccountId, name: Name) -> Result<AccountId, Refusal> {
        match self.accounts.find(name) {
            Some(other) if other == user => Err(Refusal::Yourself),
            Some(other) => Ok(other),
            None => Err(Refusal::NoSuchUser),
        }
    }

    fn encode_delivery(&self, origin: Origin, audience: Audience, text: Text) -> Arc<[u8]> {
        let delivery = Delivery {
            from: self.accounts.get(origin.account).name,
            instance: origin.instance,
            seq: origin.seq,
            sent: self.clock.wall,
            audience,
            text,
        };
        encode(&Push::Message(delivery)).into()
    }

    fn enqueue(
        &mut self,
        recipient: AccountId,
        origin: Origin,
        audience: Audience,
        item: Arc<[u8]>,
    ) -> Result<(), Full> {
        let accepted = self.clock.at;
        let entry = Entry {
            item,
            origin,
            audience,
            accepted,
            expires: accepted + self.config.mailbox.age,
            keeping: Keeping::Passing,
        };
        let mailbox = &mut self.accounts.get_mut(recipient).mailbox;
        mailbox.push(entry, self.config.mailbox)?;
        let store_at = accepted + self.config.store_after;
        self.timers
            .set_if_unset(TimerKind::Store(recipient), store_at);
        Ok(())
    }
}
