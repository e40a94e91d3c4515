//! The address book: the peers who may be written to directly, where they are, and what waits for them.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::event::{BookEntry, KeyMismatch, PeerReach};
use super::peer_keys::PeerKeys;
use crate::backoff::Backoff;
use crate::id::{IntroductionId, Seq};
use crate::key::PublicKey;
use crate::limits::{ADDRESS_BOOK_MAX, OUTBOX_MAX};
use crate::machine::ConnId;
use crate::name::Name;
use crate::time::Timestamp;
use crate::wire::item::{Payload, encode};
use crate::wire::peer::{PeerPush, PrivateMessage};
use crate::wire::push::Introduction;

const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_LONGEST: Duration = Duration::from_secs(60);
/// After so many failures in a row all addresses of the introduction are tried again.
const FAILURES_UNTIL_SEARCH: u32 = 3;

/// A peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) name: Name,
    /// How the server made us peers.
    pub(super) introduction: IntroductionId,
    /// What their client is known by.
    pub(super) key: PublicKey,
    /// Whether the user has seen what to compare of this key.
    pub(super) is_code_shown: bool,
    /// Where the introduction says that they may be.
    pub(super) candidates: Vec<SocketAddr>,
    /// Where they proved to be.
    pub(super) address: Option<SocketAddr>,
    /// Whether they are logged in from another client, which has another key.
    pub(super) is_elsewhere: bool,
    /// Who was met in their place since they are looked for.
    pub(super) met_instead: Option<(IpAddr, KeyMismatch)>,
    /// What the user was told of keys that do not agree, since they were found the last time.
    pub(super) mismatches: BTreeSet<KeyMismatch>,
    /// Greetings under way.
    pub(super) greetings: usize,
    pub(super) searched: Option<Timestamp>,
    pub(super) backoff: Backoff,
    /// Whether a timer ends a rest after a failure.
    pub(super) is_resting: bool,
    /// Whether the user knows that messages wait.
    pub(super) told_waiting: bool,
    waiting: VecDeque<PrivateMessage>,
    /// The connection that messages are on.
    on: Option<ConnId>,
}

impl Peer {
    fn new(introduction: Introduction) -> Self {
        Self {
            name: introduction.peer,
            introduction: introduction.id,
            key: introduction.key,
            is_code_shown: false,
            candidates: introduction.candidates.as_slice().to_vec(),
            address: None,
            is_elsewhere: false,
            met_instead: None,
            mismatches: BTreeSet::new(),
            greetings: 0,
            searched: None,
            backoff: Backoff::new(RETRY_FIRST, RETRY_LONGEST),
            is_resting: false,
            told_waiting: false,
            waiting: VecDeque::new(),
            on: None,
        }
    }

    /// Whether something waits that nothing is being done for.
    pub(super) fn wants_attention(&self) -> bool {
        !self.waiting.is_empty() && self.on.is_none() && !self.is_resting && !self.is_elsewhere
    }

    /// Whether the keys of their introduction may not be the ones that hold now.
    pub(super) fn needs_introduction(&self) -> bool {
        self.is_elsewhere || !self.mismatches.is_empty()
    }

    /// They were found, with their key.
    pub(super) fn found(&mut self, address: SocketAddr) {
        self.greetings = self.greetings.saturating_sub(1);
        self.address.get_or_insert(address);
        self.is_resting = false;
        self.backoff.reset();
        self.met_instead = None;
        self.mismatches.clear();
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a message to be sent. Gives it back if too many wait.
    pub(super) fn push(&mut self, message: PrivateMessage) -> Result<(), PrivateMessage> {
        if self.waiting.len() >= OUTBOX_MAX {
            return Err(message);
        }
        self.waiting.push_back(message);
        Ok(())
    }

    /// Gives up what waits: how many messages they were.
    pub(super) fn give_up(&mut self) -> usize {
        core::mem::take(&mut self.waiting).len()
    }

    /// The messages that go into the next frame, and the number of the last of them.
    pub(super) fn batch(&self) -> (Payload, Seq) {
        let mut payload = Payload::default();
        let mut through = Seq(0);
        for message in &self.waiting {
            let item = encode(&PeerPush::Private(message.clone()));
            if !payload.has_room_for(item.len()) {
                break;
            }
            payload.push_encoded(&item);
            through = message.seq;
        }
        (payload, through)
    }

    pub(super) fn sending(&mut self, conn: ConnId) {
        self.on = Some(conn);
    }

    /// The peer has all messages up to a number: how many of them are news.
    pub(super) fn delivered(&mut self, through: Seq) -> usize {
        let before = self.waiting.len();
        self.waiting.retain(|message| message.seq > through);
        self.on = None;
        self.is_resting = false;
        self.told_waiting = false;
        self.backoff.reset();
        before - self.waiting.len()
    }

    /// A connection with messages failed: whether it was the one that they are on.
    pub(super) fn failed(&mut self, conn: ConnId) -> bool {
        let was_on_it = self.on == Some(conn);
        if was_on_it {
            self.on = None;
            if self.backoff.failures() + 1 >= FAILURES_UNTIL_SEARCH {
                self.address = None;
            }
        }
        was_on_it
    }

    fn reach(&self) -> PeerReach {
        if self.is_elsewhere {
            PeerReach::Elsewhere
        } else if self.address.is_none() && !self.mismatches.is_empty() {
            PeerReach::OtherKey
        } else if self.greetings > 0 {
            PeerReach::Unknown
        } else if self.address.is_some() && self.backoff.failures() == 0 {
            PeerReach::Reachable
        } else {
            PeerReach::Unreachable
        }
    }
}

/// The peers.
#[derive(Debug, Default)]
pub(super) struct AddressBook {
    peers: BTreeMap<Name, Peer>,
    introductions: BTreeMap<IntroductionId, Name>,
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

    /// Takes a peer in, with this key in place of any that they had. What waits for them goes on waiting.
    pub(super) fn introduce(&mut self, introduction: Introduction) {
        let name = introduction.peer;
        let previous = self.remove(name);
        self.introductions.insert(introduction.id, name);
        let mut peer = Peer::new(introduction);
        if let Some(previous) = previous {
            peer.is_code_shown = previous.is_code_shown && previous.key == peer.key;
            peer.waiting = previous.waiting;
        }
        self.peers.insert(name, peer);
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

    /// The book as the user reads it.
    pub(super) fn entries(&self, keys: &PeerKeys) -> Vec<BookEntry> {
        let entry = |peer: &Peer| BookEntry {
            peer: peer.name,
            reach: peer.reach(),
            waiting: peer.waiting(),
            verification: keys.verification(peer.name, peer.key),
        };
        self.peers.values().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::InstanceId;
    use crate::key::KEY_LEN;
    use crate::time::WallTime;
    use crate::wire::item::Bounded;

    fn bob() -> Name {
        "bob".parse().unwrap()
    }

    fn introduction(number: u8) -> Introduction {
        Introduction {
            peer: bob(),
            id: IntroductionId([number; 16]),
            key: PublicKey([number; KEY_LEN]),
            candidates: Bounded::first_of([]),
        }
    }

    fn private(seq: u64) -> PrivateMessage {
        PrivateMessage {
            instance: InstanceId([0; 16]),
            seq: Seq(seq),
            sent: WallTime(0),
            text: "x".parse().unwrap(),
        }
    }

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

    #[test]
    fn what_waits_is_bounded() {
        let mut peer = Peer::new(introduction(1));
        for seq in 0..u64::try_from(OUTBOX_MAX).unwrap() {
            peer.push(private(seq)).unwrap();
        }
        assert!(peer.push(private(9_999)).is_err());
    }

    #[test]
    fn a_late_receipt_counts_nothing_twice() {
        let mut peer = Peer::new(introduction(1));
        peer.push(private(1)).unwrap();
        peer.push(private(2)).unwrap();
        assert_eq!(peer.delivered(Seq(1)), 1);
        assert_eq!(peer.delivered(Seq(1)), 0);
        assert_eq!(peer.waiting(), 1);
    }

    #[test]
    fn nobody_knows_whether_a_peer_is_reachable_while_they_are_looked_for() {
        let mut peer = Peer::new(introduction(1));
        assert_eq!(peer.reach(), PeerReach::Unreachable);
        peer.greetings = 1;
        assert_eq!(peer.reach(), PeerReach::Unknown);
    }
}
