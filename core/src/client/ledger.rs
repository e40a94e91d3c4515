//! The ledger: what became of the user's own messages, attempt by attempt, for a user who asks why one is where it is.
//!
//! Messages have numbers here, as their author sees them: 1, 2, 3 … in this client. The ledger holds what has happened, and nothing
//! is decided by it; it is told by those who send (`exchange`, `direct`) and those who hear (`pushes`). What is to happen
//! next they know themselves: `why` puts both together.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::fmt;

use super::command::Rejected;
use super::event::AwayCause;
use crate::id::Seq;
use crate::limits::{LEDGER_ATTEMPTS_MAX, LEDGER_MAX};
use crate::machine::{ConnId, ConnectFailure};
use crate::name::Name;
use crate::time::WallTime;
use crate::wire::request::{Operation, Outcome, Refusal};

/// The number of a message of the user's own, the first one is 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct MessageNumber(pub u64);

impl fmt::Display for MessageNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whom a message is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Addressee {
    /// A user, through the server.
    User(Name),
    /// Everybody online, through the server.
    Everyone,
    /// A peer, directly.
    Peer(Name),
}

impl Addressee {
    /// Whom an operation is for, if it is a message.
    pub(super) const fn of(operation: &Operation) -> Option<Self> {
        match operation {
            Operation::Message { to, .. } => Some(Self::User(*to)),
            Operation::Broadcast { .. } => Some(Self::Everyone),
            Operation::Block { .. }
            | Operation::Unblock { .. }
            | Operation::GetAddress { .. }
            | Operation::Accept { .. }
            | Operation::Deny { .. }
            | Operation::RemoveAddress { .. }
            | Operation::Mail { .. }
            | Operation::Skip => None,
        }
    }
}

/// What is known of a message of the user's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Which it is.
    pub number: MessageNumber,
    /// Whom it is for.
    pub to: Addressee,
    /// When the user wrote it.
    pub written: WallTime,
    /// Where it stands.
    pub state: MessageState,
    /// So many attempts came before those that are listed.
    pub earlier: u64,
    /// The latest attempts, in order.
    pub attempts: Vec<Attempt>,
    /// What it waits for, unless it is on its way or done with.
    pub next: Option<NextTry>,
}

/// Where a message stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageState {
    /// There is no final word on it.
    Waiting,
    /// The recipient has it.
    Delivered,
    /// The server keeps it for the recipient.
    Stored,
    /// It went to everybody online.
    Broadcast {
        /// So many have it.
        delivered: u32,
        /// So many went before they had it; it is kept for them.
        stored: u32,
        /// So many will not get it: their mailboxes are full.
        refused: u32,
    },
    /// The server kept it for as long as it keeps anything, and the recipient has not fetched it.
    Expired,
    /// The server does not take it.
    Refused(Refusal),
    /// It is not sent any more: the peer is in the address book no more, or has another key than the one that was verified.
    GivenUp,
}

impl MessageState {
    /// What the server's final word makes of a message.
    #[must_use]
    pub const fn after(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Stored => Self::Stored,
            Outcome::Broadcast {
                delivered,
                stored,
                refused,
            } => Self::Broadcast {
                delivered,
                stored,
                refused,
            },
            Outcome::Refused(refusal) => Self::Refused(refusal),
            Outcome::Delivered | Outcome::Asked | Outcome::Done => Self::Delivered,
        }
    }
}

/// An attempt to bring a message on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// When it began, or what came by itself was heard.
    pub at: WallTime,
    /// Which way.
    pub route: Route,
    /// What came of it.
    pub result: AttemptResult,
}

/// Which way a message goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Route {
    /// Through the server, in a connection of its own.
    Server,
    /// Through the server, on the held link.
    HeldLink,
    /// Straight to the peer, in a connection of its own.
    Direct,
    /// Straight to the peer, on the link that one of the two holds.
    PeerLink,
    /// Sealed, in a mail that the server keeps for the peer.
    Mail,
}

/// What came of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttemptResult {
    /// It is not over.
    UnderWay,
    /// The connection could not be made.
    NotConnected(ConnectFailure),
    /// The connection ended, and there was no answer.
    ConnectionLost,
    /// The session ended, and there was no answer.
    SessionOver,
    /// The server has heard of it, and had nothing to say of it yet.
    Undecided,
    /// The server takes it later: it was too much at once.
    Later,
    /// The peer was at none of the addresses at which they could be.
    NotFound,
    /// It is done with.
    Settled(MessageState),
}

impl From<AwayCause> for AttemptResult {
    fn from(cause: AwayCause) -> Self {
        match cause {
            AwayCause::Unreachable(failure) => Self::NotConnected(failure),
            AwayCause::Silent | AwayCause::Stopping | AwayCause::OtherKey(_) => {
                Self::ConnectionLost
            }
        }
    }
}

/// What a message waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NextTry {
    /// It is tried again then.
    In {
        /// In so many seconds.
        seconds: u32,
    },
    /// It is being stored, and sent only then.
    AfterStored,
    /// Others are before it.
    InTurn,
    /// This client is logging in.
    AfterLogin,
    /// The user has to give their password.
    AfterPassword,
    /// The peer is being looked for.
    WhenFound,
    /// The peer is away, and is heard of when they are back.
    WhenBack,
    /// The peer is at another client, and has to be introduced again.
    AfterIntroduction,
}

/// By what others know a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Key {
    /// An operation of this number.
    Operation(Seq),
    /// A private message of this number.
    Private(Seq),
}

#[derive(Debug)]
struct Record {
    key: Key,
    to: Addressee,
    written: WallTime,
    state: MessageState,
    earlier: u64,
    attempts: VecDeque<Attempt>,
    /// The connection of the attempt that is under way, which is the last one.
    on: Option<ConnId>,
}

impl Record {
    fn is_waiting(&self) -> bool {
        self.state == MessageState::Waiting
    }

    /// Whether a private message may have to be sent. What is in a mail waits for the peer all the same.
    fn is_undelivered(&self) -> bool {
        matches!(self.state, MessageState::Waiting | MessageState::Stored)
    }

    fn is_private_to(&self, peer: Name) -> bool {
        self.to == Addressee::Peer(peer)
    }

    fn note(&mut self, at: WallTime, route: Route, result: AttemptResult) {
        if self.attempts.len() >= LEDGER_ATTEMPTS_MAX {
            self.attempts.pop_front();
            self.earlier = self.earlier.saturating_add(1);
        }
        self.attempts.push_back(Attempt { at, route, result });
    }

    /// What happened besides an attempt that may be under way, which stays the last one.
    fn note_aside(&mut self, at: WallTime, route: Route, result: AttemptResult) {
        let under_way = self.on.and_then(|_| self.attempts.pop_back());
        self.note(at, route, result);
        self.attempts.extend(under_way);
    }

    fn begin(&mut self, at: WallTime, route: Route, conn: ConnId) {
        self.conclude(AttemptResult::SessionOver);
        self.note(at, route, AttemptResult::UnderWay);
        self.on = Some(conn);
    }

    /// The attempt that is under way is over: whether there was one.
    fn conclude(&mut self, result: AttemptResult) -> bool {
        let was_under_way = self.on.take().is_some();
        if let Some(attempt) = self.attempts.back_mut().filter(|_| was_under_way) {
            attempt.result = result;
        }
        was_under_way
    }

    /// There is news of where it stands.
    fn settle(&mut self, at: WallTime, state: MessageState) {
        self.state = state;
        let result = AttemptResult::Settled(state);
        if !self.conclude(result) {
            let route = self.last_route();
            self.note(at, route, result);
        }
    }

    fn last_route(&self) -> Route {
        match (self.attempts.back(), self.to) {
            (Some(attempt), _) => attempt.route,
            (None, Addressee::Peer(_)) => Route::Direct,
            (None, Addressee::User(_) | Addressee::Everyone) => Route::Server,
        }
    }

    fn entry(&self, number: MessageNumber) -> Entry {
        Entry {
            number,
            to: self.to,
            written: self.written,
            state: self.state,
            earlier: self.earlier,
            attempts: self.attempts.iter().copied().collect(),
            next: None,
        }
    }
}

/// The user's latest messages.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Without a gap, the last one before `next`.
    records: VecDeque<Record>,
    next: MessageNumber,
    numbers: BTreeMap<Key, MessageNumber>,
}

impl Ledger {
    pub(super) const fn new() -> Self {
        Self {
            records: VecDeque::new(),
            next: MessageNumber(1),
            numbers: BTreeMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// The user has written a message.
    pub(super) fn written(&mut self, key: Key, to: Addressee, at: WallTime) {
        if self.records.len() >= LEDGER_MAX
            && let Some(oldest) = self.records.pop_front()
        {
            self.numbers.remove(&oldest.key);
        }
        self.records.push_back(Record {
            key,
            to,
            written: at,
            state: MessageState::Waiting,
            earlier: 0,
            attempts: VecDeque::new(),
            on: None,
        });
        self.numbers.insert(key, self.next);
        self.next = MessageNumber(self.next.0.saturating_add(1));
    }

    /// The number of a message, unless that was long ago.
    pub(super) fn number(&self, key: Key) -> Option<MessageNumber> {
        self.numbers.get(&key).copied()
    }

    /// A message is sent on this connection.
    pub(super) fn sent(&mut self, key: Key, at: WallTime, route: Route, conn: ConnId) {
        if let Some(record) = self.record(key).filter(|record| record.is_waiting()) {
            record.begin(at, route, conn);
        }
    }

    /// The private messages for a peer up to a number are sent on this connection.
    pub(super) fn sent_to_peer(
        &mut self,
        peer: Name,
        through: Seq,
        at: WallTime,
        route: Route,
        conn: ConnId,
    ) {
        for record in self.waiting_for(peer, through) {
            record.begin(at, route, conn);
        }
    }

    /// What was under way on a connection is not any more.
    pub(super) fn lost(&mut self, conn: ConnId, result: AttemptResult) {
        for record in &mut self.records {
            if record.on == Some(conn) {
                record.conclude(result);
            }
        }
    }

    /// The server takes it later, it said on this connection.
    pub(super) fn put_off(&mut self, key: Key, conn: ConnId) {
        if let Some(record) = self.record(key).filter(|record| record.on == Some(conn)) {
            record.conclude(AttemptResult::Later);
        }
    }

    /// There is a new session: what was under way to the server in the former one is sent again.
    pub(super) fn session_over(&mut self) {
        for record in &mut self.records {
            if !matches!(record.to, Addressee::Peer(_)) {
                record.conclude(AttemptResult::SessionOver);
            }
        }
    }

    /// The server's final word on a message. It may come several times, and the first one counts.
    pub(super) fn answered(&mut self, key: Key, at: WallTime, outcome: Outcome) {
        if let Some(record) = self.record(key).filter(|record| record.is_waiting()) {
            record.settle(at, MessageState::after(outcome));
        }
    }

    /// A user has what the server had kept for them. That may be heard before the word that it was kept.
    pub(super) fn arrived(&mut self, key: Key, at: WallTime) {
        let Some(record) = self.record(key) else {
            return;
        };
        if let (Addressee::User(_), MessageState::Waiting | MessageState::Stored) =
            (record.to, record.state)
        {
            record.settle(at, MessageState::Delivered);
        }
    }

    /// Nobody has fetched what the server had kept. Whether that is news.
    pub(super) fn expired(&mut self, key: Key, at: WallTime) -> bool {
        let Some(record) = self.record(key) else {
            return true;
        };
        let was_known = record.state == MessageState::Expired;
        // What went to everybody has reached others.
        if let (Addressee::User(_), MessageState::Waiting | MessageState::Stored) =
            (record.to, record.state)
        {
            record.settle(at, MessageState::Expired);
        }
        !was_known
    }

    /// A peer was looked for in vain.
    pub(super) fn not_found(&mut self, peer: Name, at: WallTime) {
        for record in self.waiting_for(peer, Seq(u64::MAX)) {
            if record.on.is_none() {
                record.note(at, Route::Direct, AttemptResult::NotFound);
            }
        }
    }

    /// The server takes a mail with the private messages for a peer after a number up to another, or does not: for how many that is
    /// news. They go on waiting.
    pub(super) fn mailed(
        &mut self,
        peer: Name,
        after: Seq,
        through: Seq,
        at: WallTime,
        state: MessageState,
    ) -> usize {
        let mut news = 0;
        let mailed = self.waiting_for(peer, through);
        for record in mailed.filter(|record| record.key > Key::Private(after)) {
            record.note_aside(at, Route::Mail, AttemptResult::Settled(state));
            if state == MessageState::Stored {
                news += usize::from(record.state != state);
                record.state = state;
            }
        }
        news
    }

    /// The server keeps none of the private messages for a peer any more.
    pub(super) fn mail_lost(&mut self, peer: Name) {
        for record in self.waiting_for(peer, Seq(u64::MAX)) {
            record.state = MessageState::Waiting;
        }
    }

    /// A peer has all private messages up to a number.
    pub(super) fn taken(&mut self, peer: Name, through: Seq, at: WallTime) {
        for record in self.waiting_for(peer, through) {
            record.settle(at, MessageState::Delivered);
        }
    }

    /// What waits for a peer is not sent any more.
    pub(super) fn given_up(&mut self, peer: Name) {
        for record in self.waiting_for(peer, Seq(u64::MAX)) {
            record.state = MessageState::GivenUp;
            record.conclude(AttemptResult::Settled(MessageState::GivenUp));
        }
    }

    /// What is known of a message, without what comes next. Without a number, of the last one.
    pub(super) fn look_up(&self, message: Option<MessageNumber>) -> Result<(Key, Entry), Rejected> {
        let last = MessageNumber(self.next.0 - 1);
        let (Some(newest), Some(oldest)) = (self.records.back(), self.oldest()) else {
            return Err(Rejected::NothingWritten);
        };
        let number = match message {
            None => return Ok((newest.key, newest.entry(last))),
            Some(MessageNumber(0)) => return Err(Rejected::NoSuchMessage { last }),
            Some(number) if number > last => return Err(Rejected::NoSuchMessage { last }),
            Some(number) if number < oldest => return Err(Rejected::MessageLongAgo { oldest }),
            Some(number) => number,
        };
        let record = self.place(number).and_then(|place| self.records.get(place));
        let record = record.ok_or(Rejected::NoSuchMessage { last })?;
        Ok((record.key, record.entry(number)))
    }

    fn waiting_for(&mut self, peer: Name, through: Seq) -> impl Iterator<Item = &mut Record> {
        self.records.iter_mut().filter(move |record| {
            record.is_undelivered()
                && record.is_private_to(peer)
                && record.key <= Key::Private(through)
        })
    }

    fn record(&mut self, key: Key) -> Option<&mut Record> {
        let place = self.place(*self.numbers.get(&key)?)?;
        self.records.get_mut(place)
    }

    fn oldest(&self) -> Option<MessageNumber> {
        self.numbers.get(&self.records.front()?.key).copied()
    }

    /// Where the record of a message stands.
    fn place(&self, number: MessageNumber) -> Option<usize> {
        let place = number.0.checked_sub(self.oldest()?.0)?;
        usize::try_from(place).ok()
    }
}

#[cfg(test)]
mod tests;
