//! What a client tells its user.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::ledger::{Entry, MessageNumber};
use crate::key::PublicKey;
use crate::machine::ConnectFailure;
use crate::name::Name;
use crate::safety_code::SafetyCode;
use crate::text::Text;
use crate::time::WallTime;
use crate::wire::login::LoginRefusal;
use crate::wire::push::{Audience, Presence};
use crate::wire::request::{Operation, Outcome};
use crate::wire::{EndReason, Term};

/// Something to show to the user. Texts are as their senders wrote them: clean them before a terminal sees them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The session with the server begins, breaks off, goes on or ends.
    Session(SessionEvent),
    /// Messages come, or arrive where they were sent.
    Message(MessageEvent),
    /// Addresses are exchanged, and peers come and go.
    Peer(PeerEvent),
    /// The final word on a command.
    Outcome {
        /// Which of the user's messages it was, if it was one of the latest.
        number: Option<MessageNumber>,
        /// What was asked.
        operation: Operation,
        /// What came of it.
        outcome: Outcome,
    },
    /// Somebody came or went.
    Presence {
        /// Who.
        user: Name,
        /// Which.
        presence: Presence,
    },
    /// Who is online.
    Online {
        /// Their names, in order.
        users: Vec<Name>,
    },
    /// Who is in the address book.
    AddressBook {
        /// The entries, by name.
        entries: Vec<BookEntry>,
    },
    /// What became of a message.
    Ledger(Entry),
    /// What the user and a peer compare by voice.
    SafetyCode {
        /// Who.
        peer: Name,
        /// The digits that both see.
        code: SafetyCode,
        /// Whether the peer's key is marked already.
        verification: Verification,
    },
}

/// The session with the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SessionEvent {
    /// There is a session.
    LoggedIn {
        /// As whom.
        user: Name,
        /// So many messages were kept and follow.
        kept: u32,
        /// Whether this is news.
        occasion: Occasion,
        /// The server's clock, when it said so.
        time: WallTime,
    },
    /// A login that the user asked for was refused. They may try again.
    LoginRefused {
        /// Why.
        refusal: LoginRefusal,
    },
    /// The server cannot reach this client's listener: messages wait until it can.
    ListenerUnreachable {
        /// The listener's port.
        port: u16,
    },
    /// The server cannot reach this client's listener, so the connection to it stays open. Peers cannot call.
    LinkHeld {
        /// The listener's port.
        port: u16,
    },
    /// The server does not answer, or said that it goes.
    ServerAway {
        /// Which of the two.
        cause: AwayCause,
        /// So many peers can still be written to.
        peers: usize,
    },
    /// Somebody answers at one of the server's addresses who has another key: nothing was said to them, and the other addresses are
    /// tried. Told once of each, until the server is found there again.
    Impostor {
        /// Where they are.
        at: SocketAddr,
        /// Their key.
        key: PublicKey,
    },
    /// The server answers again, and the session goes on.
    ServerBack,
    /// The user wishes more at once than the server does for one user: what waits is sent by and by, in order. Told once,
    /// until nothing waits any more.
    Slowed,
    /// The server had given this client up, and it logs in again.
    TimedOut,
    /// This client has been away for so long, or so much has changed, that the server wants the password again.
    PasswordNeeded,
    /// The client has ended.
    Ended {
        /// Why.
        end: End,
        /// So many messages were not sent.
        unsent: usize,
    },
}

/// Messages, through the server and direct.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MessageEvent {
    /// Messages that were kept follow.
    KeptStart {
        /// So many.
        count: u32,
    },
    /// That were all messages that were kept.
    KeptEnd,
    /// Somebody wrote, through the server.
    Message {
        /// Who.
        from: Name,
        /// When the server took it.
        sent: WallTime,
        /// To whom.
        audience: Audience,
        /// What.
        text: Text,
    },
    /// A peer wrote, directly.
    Private {
        /// Who.
        from: Name,
        /// When, by their clock.
        sent: WallTime,
        /// Whether the user has compared the key that it came under.
        verification: Verification,
        /// What.
        text: Text,
    },
    /// What the user has just written waits, as the server is away.
    Waiting {
        /// The message.
        number: Option<MessageNumber>,
    },
    /// A private message has arrived.
    PrivateDelivered {
        /// Where.
        to: Name,
    },
    /// A peer cannot be reached now: private messages wait.
    PrivateWaiting {
        /// Who.
        to: Name,
        /// Who of the two cannot be called.
        uncallable: Uncallable,
    },
    /// The server keeps sealed what waits for a peer who cannot be met. It waits here too, until the peer has it.
    PrivateStored {
        /// For whom.
        to: Name,
    },
    /// Somebody has left a mail that this client cannot open, or make sense of.
    MailUnreadable {
        /// Who, as the server says.
        from: Name,
    },
    /// A message that the server had kept has arrived.
    Delivered {
        /// Where.
        to: Name,
        /// Which of the user's messages it was, if it was one of the latest.
        number: Option<MessageNumber>,
    },
    /// The server has kept messages as long as it keeps any, and their recipient has not fetched them.
    Expired {
        /// Whom they were for.
        to: Name,
        /// Which of the user's messages they were, as far as they were among the latest ones of this client.
        numbers: Vec<MessageNumber>,
        /// How many they are.
        count: u32,
    },
    /// The server has ended with undelivered messages.
    Undelivered {
        /// Whom they were for.
        to: Name,
        /// How many they are.
        count: u32,
    },
}

/// Peers and strangers, and the questions that make peers of users.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PeerEvent {
    /// Somebody asks for the user's address.
    AddressAsked {
        /// Who.
        by: Name,
        /// The question is open for so many more seconds.
        expires_in_secs: u32,
        /// For how long they would have the two know each other.
        term: Term,
    },
    /// A question is open no more, unanswered.
    QuestionClosed {
        /// Whose it was.
        by: Name,
    },
    /// Somebody is in the address book.
    Introduced {
        /// Who.
        peer: Name,
        /// For how long.
        term: Term,
    },
    /// The server introduced somebody whom the user has not agreed to be introduced to: nothing has changed.
    IntroducedUnasked {
        /// Who.
        peer: Name,
    },
    /// Somebody came with another key than at their last introduction to this client. Now they are in the address book with it,
    /// and a mark of theirs has fallen.
    KeyChanged {
        /// Who.
        peer: Name,
        /// Whether the key that they had was verified.
        was: Verification,
        /// So many private messages were written for the key that was verified, and are not sent.
        undelivered: usize,
    },
    /// A peer's key is marked as verified.
    Verified {
        /// Whose.
        peer: Name,
    },
    /// Somebody said no.
    AddressDenied {
        /// Who.
        by: Name,
    },
    /// Nobody answered.
    NoAnswer {
        /// Who was asked.
        from: Name,
    },
    /// Somebody is in the address book no more.
    PeerGone {
        /// Who.
        peer: Name,
        /// Why.
        cause: GoneCause,
        /// So many private messages to them were not delivered.
        undelivered: usize,
    },
    /// A peer is not logged in, and stays in the address book.
    PeerAway {
        /// Who.
        peer: Name,
    },
    /// A peer is logged in from another client, which does not know this one.
    PeerElsewhere {
        /// Who.
        peer: Name,
    },
    /// Somebody who is in the address book no more wrote and was refused.
    RefusedFormerPeer {
        /// Who.
        peer: Name,
    },
    /// Somebody is in a peer's place who has another key, or a peer has another one for this client: nothing is said to them or
    /// taken from them. The peer stays in the address book, and what was written for them waits. Told once until the peer is
    /// found again; a new introduction brings the keys that hold now.
    KeyMismatch {
        /// Who.
        peer: Name,
        /// Where the other one is.
        at: IpAddr,
        /// What does not agree.
        mismatch: KeyMismatch,
    },
    /// Somebody unknown called and was refused.
    RefusedStranger {
        /// From where.
        from: IpAddr,
    },
}

impl From<SessionEvent> for Event {
    fn from(event: SessionEvent) -> Self {
        Self::Session(event)
    }
}

impl From<MessageEvent> for Event {
    fn from(event: MessageEvent) -> Self {
        Self::Message(event)
    }
}

impl From<PeerEvent> for Event {
    fn from(event: PeerEvent) -> Self {
        Self::Peer(event)
    }
}

/// How keys do not agree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum KeyMismatch {
    /// Somebody answers where the peer should be, and does not have the peer's key. This is not proved: who is on the way can
    /// make it look so.
    Answers,
    /// Somebody calls who knows of the introduction to the peer, and has proved to have another key.
    Calls,
    /// Somebody answers who has the peer's key, and it seems that they know this client by another key.
    Refuses,
}

/// What a login is to the user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Occasion {
    /// The one they asked for.
    First,
    /// The server was away, or had forgotten this client.
    Again,
}

/// Why the server counts as away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AwayCause {
    /// It said that it is shutting down.
    Stopping,
    /// It cannot be reached.
    Unreachable(ConnectFailure),
    /// It does not answer.
    Silent,
    /// Somebody answers in its place who has this key, and not the server's.
    OtherKey(PublicKey),
}

/// Why a peer is in the address book no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GoneCause {
    /// The user removed or blocked them.
    Own,
    /// They removed the user, or left.
    Theirs(EndReason),
}

/// Someone in the address book.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BookEntry {
    /// Who.
    pub peer: Name,
    /// Whether they can be written to.
    pub reach: PeerReach,
    /// For how long they are in the address book.
    pub term: Term,
    /// So many private messages wait.
    pub waiting: usize,
    /// Whether the user has compared their key.
    pub verification: Verification,
}

/// Whether the user has compared a peer's key with the peer, and said so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verification {
    /// They have: nobody is in between.
    Verified,
    /// They have not: the key is what the server says it is.
    Unverified,
}

/// Whether a peer can be written to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PeerReach {
    /// Their listener has answered.
    Reachable,
    /// It is being looked for.
    Unknown,
    /// It could not be reached the last time.
    Unreachable(Uncallable),
    /// They are not logged in.
    Away,
    /// They are logged in from another client.
    Elsewhere,
    /// Somebody else answers in their place, or they do not know this client by its key.
    OtherKey,
}

/// Who of the user and a peer cannot be called, as far as the server could find out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Uncallable {
    /// It could call both.
    Neither,
    /// The user: the peer has to be called by them.
    Us,
    /// The peer, who has to call.
    Them,
    /// Both: neither can call the other.
    Both,
}

/// Why a client has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The user left.
    Left,
    /// The account was logged in from another client.
    TakenOver,
    /// The account is no more.
    Removed,
    /// The server does not take this client any more.
    LoginRefused(LoginRefusal),
    /// The server could not be reached.
    Unreachable(AwayCause),
    /// The server is not who the user means, or may not be.
    ServerNotTrusted,
}
