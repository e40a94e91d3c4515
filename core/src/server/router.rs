//! Routing: which mailboxes a text goes to, and which senders are turned away.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::mailbox::{Entry, Full, Keeping, Mailing, Origin};
use super::{AccountId, Server, TimerKind};
use crate::key::PublicKey;
use crate::name::Name;
use crate::text::Text;
use crate::wire::Term;
use crate::wire::item::encode;
use crate::wire::mail::{Mail, Sealed};
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
        let message = self.entry(origin, Audience::You, None, item);
        let refused = self.post(recipient, message).err();
        if refused.is_none() {
            self.acquaint(origin.account, recipient);
        }
        refused.map(Outcome::Refused)
    }

    /// A mail for one client of a peer. `None` while it is on its way.
    pub(super) fn mail(
        &mut self,
        origin: Origin,
        to: Name,
        key: PublicKey,
        messages: u16,
        sealed: Sealed,
    ) -> Option<Outcome> {
        let recipient = match self.correspondent(origin.account, to) {
            Ok(recipient) => recipient,
            Err(refusal) => return Some(Outcome::Refused(refusal)),
        };
        let mail = Mail {
            from: self.accounts.get(origin.account).name,
            instance: origin.instance,
            seq: origin.seq,
            sent: self.clock.wall,
            messages,
            sealed,
        };
        let item = encode(&Push::Mail(mail)).into();
        let mailing = Mailing { key, messages };
        let mail = self.entry(origin, Audience::You, Some(mailing), item);
        self.post(recipient, mail).err().map(Outcome::Refused)
    }

    /// Puts a message into a mailbox, from where it goes to a client that is there for it, or to the store.
    fn post(&mut self, recipient: AccountId, message: Entry) -> Result<(), Refusal> {
        let session = self.accounts.get(recipient).session.as_ref();
        let is_there = session.is_some_and(|session| message.is_for(session.key));
        if !is_there && self.records.is_failing() {
            return Err(Refusal::NotKept);
        }
        self.enqueue(recipient, message)
            .map_err(|full| match full {
                Full::Mailbox => Refusal::MailboxFull,
                Full::Share => Refusal::ShareFull,
            })?;
        if is_there {
            self.pump(recipient);
        } else {
            self.store_messages(recipient, self.clock.at);
        }
        Ok(())
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
            let message = self.entry(origin, Audience::Everyone, None, item.clone());
            match self.enqueue(*recipient, message) {
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

    /// To whom a mail may go: to those who know the sender for good.
    fn correspondent(&self, sender: AccountId, to: Name) -> Result<AccountId, Refusal> {
        let recipient = self.other(sender, to)?;
        if self.accounts.get(recipient).blacklist.contains(sender) {
            return Err(Refusal::Blocked);
        }
        let introduction = self.introductions.get(sender, recipient);
        match introduction {
            Some(in_force) if in_force.term == Term::Lasting => Ok(recipient),
            Some(_) | None => Err(Refusal::NotIntroduced),
        }
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

    /// A message that was taken just now.
    pub(super) fn entry(
        &self,
        origin: Origin,
        audience: Audience,
        mail: Option<Mailing>,
        item: Arc<[u8]>,
    ) -> Entry {
        Entry {
            item,
            origin,
            audience,
            mail: mail.map(Box::new),
            accepted: self.clock.at,
            expires: self.clock.at + self.config.mailbox.age,
            keeping: Keeping::Passing,
        }
    }

    fn enqueue(&mut self, recipient: AccountId, message: Entry) -> Result<(), Full> {
        let store_at = message.accepted + self.config.store_after;
        let mailbox = &mut self.accounts.get_mut(recipient).mailbox;
        mailbox.push(message, self.config.mailbox)?;
        self.timers
            .set_if_unset(TimerKind::Store(recipient), store_at);
        Ok(())
    }
}
