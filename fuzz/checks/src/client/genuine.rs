//! What the server brings of peers: introductions to keys that are somebody's, and mail that one of them has sealed.

use arbitrary::{Result, Unstructured};
use simplechat_core::channel::mail;
use simplechat_core::id::IntroductionId;
use simplechat_core::key::StaticKey;
use simplechat_core::wire::item::payload_of;
use simplechat_core::wire::mail::{MailItem, Sealed};
use simplechat_core::wire::push::{Introduction, Push};

use super::Party;
use crate::any;

impl Party {
    /// Has a push be what a peer has had to do with.
    pub(super) fn make_genuine(&mut self, u: &mut Unstructured<'_>, push: &mut Push) -> Result<()> {
        if let Push::Introduced(Introduction { id, key, .. }) = push {
            *key = self.introduce_by_key(*id);
        } else if let Push::Mail(mail) = push
            && u.ratio(7, 8)?
        {
            mail.sealed = self.sealed(u)?;
        }
        Ok(())
    }

    /// A mail of a peer, mostly of one who was introduced.
    fn sealed(&mut self, u: &mut Unstructured<'_>) -> Result<Sealed> {
        let introduced: Vec<_> = self.introduced.iter().map(|(id, _)| *id).collect();
        let introduction = if introduced.is_empty() {
            any::introduction(u)?
        } else {
            *u.choose(&introduced)?
        };
        let after = any::seq(u)?;
        let mut payload = payload_of(&MailItem::Opening {
            introduction,
            after,
        });
        for _ in 0..u.int_in_range(0..=3)? {
            payload.extend(payload_of(&any::mail_item(u)?));
        }
        let peer = self.peer(introduction).clone();
        let (to, secrets) = (self.own.public(), &mut self.secrets);
        let sealed = mail::seal(&*self.protection, &peer, to, secrets, &payload);
        Ok(Sealed::new(sealed.expect("a genuine key")).expect("a few texts"))
    }

    /// The peer to whom an introduction leads: always the same.
    pub(super) fn peer(&self, id: IntroductionId) -> &StaticKey {
        &self.peers[usize::from(id.0[0]) % self.peers.len()]
    }
}
