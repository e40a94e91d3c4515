//! A peer: how they stand to this client, how they are called, and what waits for them.

use alloc::collections::{BTreeSet, VecDeque};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::event::{KeyMismatch, PeerReach, Uncallable};
use super::mails::Mails;
use super::peer_link::{PeerLinks, Word};
use super::peer_places::PeerPlaces;
use crate::backoff::Backoff;
use crate::id::{IntroductionId, Seq};
use crate::key::{KEY_LEN, PublicKey};
use crate::limits::{HANDSHAKE_SEAL_LEN_MAX, MAIL_LEN_MAX, OUTBOX_MAX};
use crate::machine::ConnId;
use crate::name::Name;
use crate::time::Timestamp;
use crate::wire::Term;
use crate::wire::item::{Payload, encode};
use crate::wire::mail::MailItem;
use crate::wire::peer::{PeerPush, PrivateMessage};
use crate::wire::push::{Absence, Introduction};
use crate::wire::request::Reach;

const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_LONGEST: Duration = Duration::from_secs(60);
/// After so many failures in a row all addresses of the introduction are tried again.
const FAILURES_UNTIL_SEARCH: u32 = 3;
/// What fits into a mail, before it is sealed.
const MAIL_PAYLOAD_MAX: usize = MAIL_LEN_MAX - KEY_LEN - HANDSHAKE_SEAL_LEN_MAX - LEN_LEN_MAX;
/// Bytes of the length in front of an item.
const LEN_LEN_MAX: usize = 3;
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
    pub(super) places: PeerPlaces,
    /// What they say of our listener.
    pub(super) word: Word,
    /// The connection on which they wait for what we say of theirs.
    pub(super) checking: Option<ConnId>,
    pub(super) links: PeerLinks,
    /// For how long they are in the book.
    pub(super) term: Term,
    /// Why they are not there, if it is known that they are not.
    pub(super) absence: Option<Absence>,
    /// Whether the user has reason to take them for there, by what they were told or what arrived.
    pub(super) seems_there: bool,
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
    pub(super) waiting: VecDeque<PrivateMessage>,
    /// Which of them are in mails, too.
    pub(super) mails: Mails,
    /// Up to this number they may be sent: these are stored, or need not be.
    pub(super) stored_through: Seq,
    /// The connection that messages are on.
    on: Option<ConnId>,
}

impl Peer {
    pub(super) fn new(introduction: Introduction) -> Self {
        Self {
            name: introduction.peer,
            introduction: introduction.id,
            key: introduction.key,
            is_code_shown: false,
            places: PeerPlaces::new(introduction.whereabouts),
            word: Word::None,
            checking: None,
            links: PeerLinks::default(),
            term: introduction.term,
            absence: None,
            seems_there: false,
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
        link.or_else(|| self.places.address().map(Way::Address))
    }

    /// Whether the keys of their introduction may not be the ones that hold now.
    pub(super) fn needs_introduction(&self) -> bool {
        self.is_elsewhere() || !self.mismatches.is_empty()
    }

    /// They were found, with their key.
    pub(super) fn found(&mut self, now: Timestamp, way: Way) {
        if let Way::Address(address) = way
            && self.places.found(now, address)
        {
            // There may be no way from there to us.
            self.word = Word::None;
        }
        self.is_back();
        self.seems_there = true;
        self.is_resting = false;
        self.backoff.reset();
        self.met_instead = None;
        self.mismatches.clear();
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn unmailed(&self) -> usize {
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
                self.places.lose_address();
            }
        }
        was_on_it
    }

    /// Who of the two cannot be called.
    pub(super) fn uncallable(&self, ours: Option<Reach>) -> Uncallable {
        let is_callable = |reach| reach == Reach::Reachable;
        match (
            ours.is_none_or(is_callable),
            is_callable(self.places.reach()),
        ) {
            (true, true) => Uncallable::Neither,
            (false, true) => Uncallable::Us,
            (true, false) => Uncallable::Them,
            (false, false) => Uncallable::Both,
        }
    }

    pub(super) fn reach(&self, ours: Option<Reach>) -> PeerReach {
        if self.is_elsewhere() {
            PeerReach::Elsewhere
        } else if self.absence == Some(Absence::Away) {
            PeerReach::Away
        } else if self.places.address().is_none() && !self.mismatches.is_empty() {
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

#[cfg(test)]
pub(super) mod tests;
