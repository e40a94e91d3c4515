//! What a client remembers of its earlier life, as text: two that were restored from records that come to the same thing say
//! the same. So a store can be tested against the records themselves.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Client;
use crate::name::Name;

impl Client {
    /// What was restored, a line for each thing; for tests.
    #[must_use]
    pub fn remembered(&self) -> Vec<String> {
        let numbers = format!(
            "{:?}: next {:?}, privately {:?}",
            self.instance,
            self.outbox.next(),
            self.next_private
        );
        let wishes = self.outbox.unanswered().map(|(seq, operation)| {
            let fulfilled = self.outbox.is_fulfilled(seq);
            format!("wish {seq:?}, fulfilled {fulfilled}: {operation:?}")
        });
        let waiting = self.book.all_waiting();
        let waiting = waiting.map(|(to, message)| format!("to {to}: {message:?}"));
        let shown = self.inbox.shown_through();
        let shown = shown.map(|(whose, seq)| format!("shown {whose:?} through {seq:?}"));
        let peers = self.book.names().into_iter();
        let peers = peers.filter_map(|name| self.remembered_peer(name));
        let keys = self.peer_keys.iter();
        let keys = keys.map(|(name, key, mark)| format!("{name} is {mark:?} with {key:?}"));
        let consents = self.consents.iter();
        let consents = consents.map(|(to, count)| format!("{count} introductions to {to}"));
        core::iter::once(numbers)
            .chain(wishes)
            .chain(waiting)
            .chain(shown)
            .chain(peers)
            .chain(keys)
            .chain(consents)
            .collect()
    }

    fn remembered_peer(&self, name: Name) -> Option<String> {
        let peer = self.book.get(name)?;
        let (introduction, key) = (peer.introduction, peer.key);
        let (term, elsewhere) = (peer.term, peer.is_elsewhere());
        let (places, mails) = (peer.places.all(), peer.mails.iter().collect::<Vec<_>>());
        Some(format!(
            "{name} by {introduction:?} with {key:?}, {term:?}, elsewhere {elsewhere}, at {places:?}, mails {mails:?}"
        ))
    }
}
