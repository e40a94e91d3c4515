//! The address book: the peers who may be written to directly, and what waits for those who were in it.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::event::BookEntry;
use super::peer::Peer;
use super::peer_keys::PeerKeys;
use crate::id::{IntroductionId, Seq};
use crate::limits::ADDRESS_BOOK_MAX;
use crate::name::Name;
use crate::wire::peer::PrivateMessage;
use crate::wire::push::Introduction;
use crate::wire::request::Reach;

/// The peers.
#[derive(Debug, Default)]
pub(super) struct AddressBook {
    peers: BTreeMap<Name, Peer>,
    introductions: BTreeMap<IntroductionId, Name>,
    /// What waits for those whose entries ended when this client was left: for another introduction.
    left: BTreeMap<Name, VecDeque<PrivateMessage>>,
}

impl AddressBook {
    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    /// The most texts that wait for any of them.
    pub(super) fn most_waiting(&self) -> usize {
        self.peers.values().map(Peer::waiting).max().unwrap_or(0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.peers.len() >= ADDRESS_BOOK_MAX
    }

    /// Takes a peer in, with this key in place of any that they had. What waits for them goes on waiting. Gives what they were
    /// before.
    pub(super) fn introduce(&mut self, introduction: Introduction) -> Option<Peer> {
        let name = introduction.peer;
        let mut previous = self.remove(name);
        self.introductions.insert(introduction.id, name);
        let mut peer = Peer::new(introduction);
        if let Some(previous) = &mut previous {
            peer.is_code_shown = previous.is_code_shown && previous.key == peer.key;
            peer.waiting = core::mem::take(&mut previous.waiting);
            peer.stored_through = previous.stored_through;
        }
        if let Some(left) = self.left.remove(&name) {
            peer.stored_through = left.back().map_or(Seq(0), |last| last.seq);
            peer.waiting = left;
        }
        self.peers.insert(name, peer);
        previous
    }

    /// Takes somebody out, for whom what waits goes on waiting.
    pub(super) fn part(&mut self, name: Name) -> Option<Peer> {
        let mut peer = self.remove(name)?;
        if !peer.waiting.is_empty() {
            self.left.insert(name, core::mem::take(&mut peer.waiting));
        }
        Some(peer)
    }

    /// Takes a message in that an earlier life of this client had stored, and that waits.
    pub(super) fn restore_waiting(&mut self, name: Name, message: PrivateMessage) {
        match self.peers.get_mut(&name) {
            Some(peer) => {
                peer.stored(message.seq);
                // It was not full when this was recorded, so it is not full now.
                let _ = peer.push(message);
            }
            None => self.left.entry(name).or_default().push_back(message),
        }
    }

    /// Somebody took the messages up to a number, in an earlier life of this client.
    pub(super) fn restore_taken(&mut self, name: Name, through: Seq) {
        if let Some(peer) = self.peers.get_mut(&name) {
            peer.taken(through);
        }
    }

    /// The server did not take a mail.
    pub(super) fn mail_refused(&mut self, wish: Seq) {
        for peer in self.peers.values_mut() {
            peer.mails.refused(wish);
        }
    }

    /// Gives up what waits for somebody: how many messages they were.
    pub(super) fn give_up(&mut self, name: Name) -> usize {
        let peer = self.peers.get_mut(&name);
        let waiting = peer.map(|peer| {
            peer.mails.lose();
            core::mem::take(&mut peer.waiting)
        });
        let left = self.left.remove(&name);
        waiting.into_iter().chain(left).map(|some| some.len()).sum()
    }

    /// What waits for somebody who is not in it.
    pub(super) fn left_for(&self, name: Name) -> usize {
        self.left.get(&name).map_or(0, VecDeque::len)
    }

    /// All messages that wait, with whom they are for.
    pub(super) fn all_waiting(&self) -> impl Iterator<Item = (Name, &PrivateMessage)> {
        let peers = self.peers.iter().map(|(name, peer)| (*name, &peer.waiting));
        let left = self.left.iter().map(|(name, left)| (*name, left));
        peers
            .chain(left)
            .flat_map(|(name, waiting)| waiting.iter().map(move |message| (name, message)))
    }

    /// How many messages wait that are in no mail.
    pub(super) fn unmailed(&self) -> usize {
        let left = self.left.values().map(VecDeque::len);
        let peers = self.peers.values();
        peers.map(Peer::unmailed).chain(left).sum()
    }

    /// The messages up to a number are stored: for whom some may be sent now.
    pub(super) fn stored(&mut self, through: Seq) -> Vec<Name> {
        for peer in self.peers.values_mut() {
            peer.stored(through);
        }
        let has_to_send = self.peers.values().filter(|peer| peer.has_to_send());
        has_to_send.map(|peer| peer.name).collect()
    }

    pub(super) fn remove(&mut self, name: Name) -> Option<Peer> {
        let peer = self.peers.remove(&name)?;
        self.introductions.remove(&peer.introduction);
        Some(peer)
    }

    pub(super) fn get(&self, name: Name) -> Option<&Peer> {
        self.peers.get(&name)
    }

    pub(super) fn get_mut(&mut self, name: Name) -> Option<&mut Peer> {
        self.peers.get_mut(&name)
    }

    pub(super) fn has(&self, introduction: IntroductionId) -> bool {
        self.introductions.contains_key(&introduction)
    }

    pub(super) fn by_introduction(&mut self, introduction: IntroductionId) -> Option<&mut Peer> {
        let name = self.introductions.get(&introduction)?;
        self.peers.get_mut(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.peers.values()
    }

    pub(super) fn names(&self) -> Vec<Name> {
        self.peers.keys().copied().collect()
    }

    /// The book as the user reads it, whose own listener is reached so.
    pub(super) fn entries(&self, keys: &PeerKeys, ours: Option<Reach>) -> Vec<BookEntry> {
        let entry = |peer: &Peer| BookEntry {
            peer: peer.name,
            reach: peer.reach(ours),
            term: peer.term,
            waiting: peer.waiting(),
            verification: keys.verification(peer.name, peer.key),
        };
        self.peers.values().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::peer::tests::{bob, introduction, private};
    use crate::key::{KEY_LEN, PublicKey};

    #[test]
    fn a_new_introduction_replaces_the_key_and_keeps_what_waits() {
        let mut book = AddressBook::default();
        let (first, second) = (introduction(1), introduction(2));
        let (old, new) = (first.id, second.id);
        book.introduce(first);
        book.get_mut(bob()).unwrap().push(private(1)).unwrap();
        book.introduce(second);
        assert!(!book.has(old));
        let peer = book.by_introduction(new).unwrap();
        assert_eq!((peer.waiting(), peer.key), (1, PublicKey([2; KEY_LEN])));
        assert_eq!(book.len(), 1);
    }
}
