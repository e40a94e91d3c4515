//! The address book: the peers who may be written to directly, where they are, and what waits for them.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::event::{BookEntry, KeyMismatch, PeerReach, Uncallable};
use super::mails::Mails;
use super::peer_keys::PeerKeys;
use super::peer_link::{PeerLinks, Word};
use crate::backoff::Backoff;
use crate::id::{IntroductionId, Seq};
use crate::key::{KEY_LEN, PublicKey};
use crate::limits::{
    ADDRESS_BOOK_MAX, CANDIDATES_MAX, HANDSHAKE_SEAL_LEN_MAX, MAIL_LEN_MAX, OUTBOX_MAX,
};
use crate::machine::ConnId;
use crate::name::Name;
use crate::time::Timestamp;
use crate::wire::Term;
use crate::wire::item::{Payload, encode};
use crate::wire::mail::MailItem;
use crate::wire::peer::{PeerPush, PrivateMessage};
use crate::wire::push::{Absence, Introduction, Whereabouts};
use crate::wire::request::Reach;

const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_LONGEST: Duration = Duration::from_secs(60);
/// After so many failures in a row all addresses of the introduction are tried again.
const FAILURES_UNTIL_SEARCH: u32 = 3;
/// What fits into a mail, before it is sealed.
const MAIL_PAYLOAD_MAX: usize = MAIL_LEN_MAX - KEY_LEN - HANDSHAKE_SEAL_LEN_MAX - LEN_LEN_MAX;
/// Bytes of the length in front of an item.
const LEN_LEN_MAX: usize = 3;
/// Where a peer says or is said to be is looked at no more often than this: whoever can say so has nobody dial without end.
const MOVE_INTERVAL: Duration = Duration::from_secs(10);

/// How a peer is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// By a connection to their listener.
    Address(SocketAddr),
    /// By a stream of the link that one of the two holds.
    Link(ConnId),
}

/// What goes into a mail.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) payload: Payload,
    /// How many messages it has.
    pub(super) messages: u16,
    /// The last one.
    pub(super) through: Seq,
}

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
    /// Where the server says that they may be.
    whereabouts: Whereabouts,
    /// Where they proved to be.
    address: Option<SocketAddr>,
    /// Where they were before they were not found there any more.
    last: Option<SocketAddr>,
    /// When they last proved to be where they are.
    proved: Option<Timestamp>,
    /// Where they listen, at the address that they call from.
    pub(super) port: Option<u16>,
    /// Where they may be now: if they are there, they have moved.
    moving_to: Vec<SocketAddr>,
    looked: Option<Timestamp>,
    /// What they say of our listener.
    pub(super) word: Word,
    /// The connection on which they wait for what we say of theirs.
    pub(super) checking: Option<ConnId>,
    pub(super) links: PeerLinks,
    /// For how long they are in the book.
    pub(super) term: Term,
    /// Why they are not there, if it is known that they are not.
    pub(super) absence: Option<Absence>,
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
    /// Which of them are in mails, too.
    pub(super) mails: Mails,
    /// Up to this number they may be sent: these are stored, or need not be.
    stored_through: Seq,
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
            whereabouts: introduction.whereabouts,
            address: None,
            last: None,
            proved: None,
            port: None,
            moving_to: Vec::new(),
            looked: None,
            word: Word::None,
            checking: None,
            links: PeerLinks::default(),
            term: introduction.term,
            absence: None,
            met_instead: None,
            mismatches: BTreeSet::new(),
            greetings: 0,
            searched: None,
            backoff: Backoff::new(RETRY_FIRST, RETRY_LONGEST),
            is_resting: false,
            told_waiting: false,
            waiting: VecDeque::new(),
            mails: Mails::default(),
            stored_through: Seq(0),
            on: None,
        }
    }

    /// Whether something waits that nothing is being done for: messages, or that they learn whether they can call us.
    pub(super) fn wants_attention(&self) -> bool {
        (self.has_to_send() || self.needs_word()) && !self.is_resting && !self.is_elsewhere()
    }

    /// Whether they may not know how to reach us. Whoever is at the other end of a link does, and who is away greets us when they
    /// are back.
    pub(super) fn needs_word(&self) -> bool {
        self.word == Word::None && self.links.any().is_none() && self.absence.is_none()
    }

    /// Whether they are logged in from another client, which has another key.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.absence == Some(Absence::Elsewhere)
    }

    /// They are there, if it is known that they were not: whether they were not.
    pub(super) fn is_back(&mut self) -> bool {
        self.may_return() && self.absence.take().is_some()
    }

    /// Whether this introduction may still bring them here.
    pub(super) fn may_return(&self) -> bool {
        self.term == Term::Lasting || !self.is_elsewhere()
    }

    /// Whether messages wait that may be sent, and none are on their way.
    pub(super) fn has_to_send(&self) -> bool {
        let may_be_sent = |message: &PrivateMessage| message.seq <= self.stored_through;
        self.waiting.front().is_some_and(may_be_sent) && self.on.is_none()
    }

    /// The messages up to a number are stored, or need not be.
    pub(super) fn stored(&mut self, through: Seq) {
        self.stored_through = self.stored_through.max(through);
    }

    /// Whether a message waits until it is stored.
    pub(super) fn awaits_store(&self, seq: Seq) -> bool {
        seq > self.stored_through
    }

    /// How they are called, as far as is known.
    pub(super) fn way(&self) -> Option<Way> {
        let link = self.links.any().map(Way::Link);
        link.or_else(|| self.address.map(Way::Address))
    }

    /// Where to look for them of whom nothing better is known.
    pub(super) fn candidates(&self) -> Vec<Way> {
        let told = self.whereabouts.candidates.as_slice().iter().copied();
        let last = self
            .last
            .filter(|last| !self.whereabouts.candidates.as_slice().contains(last));
        last.into_iter().chain(told).map(Way::Address).collect()
    }

    /// They are not where they were: next time they are looked for everywhere.
    pub(super) fn lose_address(&mut self) {
        self.last = self.address.take().or(self.last);
    }

    /// Whether they were found there.
    pub(super) fn is_at(&self, address: SocketAddr) -> bool {
        self.address == Some(address)
    }

    /// Whether they are, or may be, on that host, by all that is known.
    pub(super) fn may_be_on(&self, host: IpAddr) -> bool {
        let told = self.whereabouts.candidates.as_slice().iter();
        let mut all = told.chain(&self.address).chain(&self.last);
        all.any(|address| address.ip() == host)
    }

    /// The port of their listener, if they have said it or were found.
    pub(super) fn listens_at(&self) -> Option<u16> {
        self.port
            .or_else(|| self.address.map(|address| address.port()))
    }

    /// Whether they have shown a moment ago that they are at an address.
    pub(super) fn is_surely_at(&self, now: Timestamp, address: SocketAddr) -> bool {
        let is_recent = |proved| now.since(proved) < MOVE_INTERVAL;
        self.address == Some(address) && self.proved.is_some_and(is_recent)
    }

    /// They may have moved: where to look, if that was not done a moment ago. They are where they were until they are found there.
    pub(super) fn may_be_at(
        &mut self,
        now: Timestamp,
        places: impl IntoIterator<Item = SocketAddr>,
    ) -> Vec<SocketAddr> {
        let is_too_soon = |looked| now.since(looked) < MOVE_INTERVAL;
        if self.looked.is_some_and(is_too_soon) {
            return Vec::new();
        }
        let places: Vec<_> = places.into_iter().take(CANDIDATES_MAX).collect();
        if !places.is_empty() {
            self.looked = Some(now);
            self.moving_to.clone_from(&places);
        }
        places
    }

    /// All addresses at which they may be, the likeliest first.
    pub(super) fn places(&self) -> Vec<SocketAddr> {
        let told = self.whereabouts.candidates.as_slice();
        let mut places = Vec::new();
        for place in self.address.iter().chain(&self.last).chain(told) {
            if !places.contains(place) {
                places.push(*place);
            }
        }
        places.truncate(CANDIDATES_MAX);
        places
    }

    /// The server says where they may be from now on.
    pub(super) fn learn(&mut self, whereabouts: Whereabouts) {
        self.whereabouts = whereabouts;
    }

    /// Whether the keys of their introduction may not be the ones that hold now.
    pub(super) fn needs_introduction(&self) -> bool {
        self.is_elsewhere() || !self.mismatches.is_empty()
    }

    /// They were found, with their key.
    pub(super) fn found(&mut self, now: Timestamp, way: Way) {
        if let Way::Address(address) = way {
            if self.address.is_none() || self.moving_to.contains(&address) {
                self.address = Some(address);
                self.moving_to.clear();
            }
            self.proved = Some(now);
        }
        self.is_back();
        self.is_resting = false;
        self.backoff.reset();
        self.met_instead = None;
        self.mismatches.clear();
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn unmailed(&self) -> usize {
        let mailed = self.mails.through();
        let messages = self.waiting.iter();
        messages.filter(|message| message.seq > mailed).count()
    }

    /// Takes a message to be sent. Gives it back if too many wait.
    pub(super) fn push(&mut self, message: PrivateMessage) -> Result<(), PrivateMessage> {
        if self.waiting.len() >= OUTBOX_MAX {
            return Err(message);
        }
        self.waiting.push_back(message);
        Ok(())
    }

    /// The messages that go into the next frame, and the number of the last of them.
    pub(super) fn batch(&self) -> (Payload, Seq) {
        let mut payload = Payload::default();
        let mut through = Seq(0);
        let may_be_sent = |message: &&PrivateMessage| message.seq <= self.stored_through;
        for message in self.waiting.iter().take_while(may_be_sent) {
            let item = encode(&PeerPush::Private(message.clone()));
            if !payload.has_room_for(item.len()) {
                break;
            }
            payload.push_encoded(&item);
            through = message.seq;
        }
        (payload, through)
    }

    /// Whether what waits for them may be left at the server: they are known for good, and cannot be met.
    pub(super) fn gets_mail(&self) -> bool {
        let cannot_be_met =
            self.absence.is_some() || self.backoff.failures() >= FAILURES_UNTIL_SEARCH;
        self.term == Term::Lasting && cannot_be_met && !self.mails.is_put_off()
    }

    /// What waits for them and is in no mail, as far as a mail has room for it.
    pub(super) fn mail(&self) -> Option<Draft> {
        if !self.gets_mail() {
            return None;
        }
        let mailed = self
            .waiting
            .partition_point(|message| message.seq <= self.mails.through());
        let before = mailed
            .checked_sub(1)
            .and_then(|last| self.waiting.get(last));
        let mut payload = Payload::of(&MailItem::Opening {
            introduction: self.introduction,
            after: before.map_or(Seq(0), |message| message.seq),
        });
        let (mut messages, mut through) = (0, None);
        let may_be_sent = |message: &&PrivateMessage| message.seq <= self.stored_through;
        for message in self.waiting.iter().skip(mailed).take_while(may_be_sent) {
            let item = encode(&MailItem::Private(message.clone()));
            if payload.len() + item.len() > MAIL_PAYLOAD_MAX {
                break;
            }
            payload.push_encoded(&item);
            (messages, through) = (messages + 1, Some(message.seq));
        }
        through.map(|through| Draft {
            payload,
            messages,
            through,
        })
    }

    pub(super) fn sending(&mut self, conn: ConnId) {
        self.on = Some(conn);
    }

    /// What is on its way begins anew, and its connection is of no more use.
    pub(super) fn sends_again(&mut self) {
        self.on = None;
    }

    /// The peer has what was sent to them.
    pub(super) fn delivered(&mut self) {
        self.on = None;
        self.is_resting = false;
        self.told_waiting = false;
        self.backoff.reset();
    }

    /// The peer has all messages up to a number: how many of them are news.
    pub(super) fn taken(&mut self, through: Seq) -> usize {
        let before = self.waiting.len();
        self.waiting.retain(|message| message.seq > through);
        self.mails.taken(through);
        before - self.waiting.len()
    }

    /// A connection with messages failed: whether it was the one that they are on.
    pub(super) fn failed(&mut self, conn: ConnId) -> bool {
        let was_on_it = self.on == Some(conn);
        if was_on_it {
            self.on = None;
            if self.backoff.failures() + 1 >= FAILURES_UNTIL_SEARCH {
                self.lose_address();
            }
        }
        was_on_it
    }

    /// Who of the two cannot be called.
    pub(super) fn uncallable(&self, ours: Option<Reach>) -> Uncallable {
        let is_callable = |reach| reach == Reach::Reachable;
        match (
            ours.is_none_or(is_callable),
            is_callable(self.whereabouts.reach),
        ) {
            (true, true) => Uncallable::Neither,
            (false, true) => Uncallable::Us,
            (true, false) => Uncallable::Them,
            (false, false) => Uncallable::Both,
        }
    }

    fn reach(&self, ours: Option<Reach>) -> PeerReach {
        if self.is_elsewhere() {
            PeerReach::Elsewhere
        } else if self.absence == Some(Absence::Away) {
            PeerReach::Away
        } else if self.address.is_none() && !self.mismatches.is_empty() {
            PeerReach::OtherKey
        } else if self.greetings > 0 {
            PeerReach::Unknown
        } else if self.way().is_some() && self.backoff.failures() == 0 {
            PeerReach::Reachable
        } else {
            PeerReach::Unreachable(self.uncallable(ours))
        }
    }
}

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
mod tests;
