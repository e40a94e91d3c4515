//! What a client asks of the server, and the answers, which come back on the same connection.
//!
//! What changes something is an [`Operation`]: numbered, done exactly once and in order. The rest may be repeated.

use serde::{Deserialize, Serialize};

use super::Term;
use super::item::{Bounded, Item};
use super::mail::Sealed;
use crate::id::{IntroductionId, QueryNumber, Seq};
use crate::key::PublicKey;
use crate::limits::{ADDRESS_BOOK_MAX, ONLINE_PAGE_MAX};
use crate::name::Name;
use crate::text::Text;

/// An item from a client to the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// I am here. Any other request says so too.
    Heartbeat,
    /// All operations below this number have been answered: their outcomes can be forgotten.
    LowestUnanswered {
        /// The lowest number that waits for its answer, or the next one to be used.
        seq: Seq,
    },
    /// Do this.
    Submit {
        /// Its number.
        seq: Seq,
        /// What to do.
        operation: Operation,
    },
    /// Who is online?
    ListOnline {
        /// Comes back with the answer.
        query: QueryNumber,
        /// Only names after this one: the last of the page before.
        after: Option<Name>,
    },
    /// End this session.
    Logout,
    /// These are all who are in the client's address book. Said in all frames of a session until one of them is answered.
    Holds {
        /// The entries. Without those of which the server has said that they are over.
        entries: Bounded<Held, ADDRESS_BOOK_MAX>,
    },
}

impl Item for Request {
    const KINDS: u32 = 6;
}

/// An entry of a client's address book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Who.
    pub peer: Name,
    /// How the two know each other.
    pub introduction: IntroductionId,
    /// What the other's client is known by.
    pub key: PublicKey,
    /// For how long.
    pub term: Term,
}

/// What a user has the server do, exactly once and in the order of the numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Tell a user something.
    Message {
        /// Whom.
        to: Name,
        /// What.
        text: Text,
    },
    /// Tell everybody online something.
    Broadcast {
        /// What.
        text: Text,
    },
    /// Hear nothing of a user and be hidden from them.
    Block {
        /// Whom.
        user: Name,
    },
    /// Take that back.
    Unblock {
        /// Whom.
        user: Name,
    },
    /// Ask a user to exchange addresses.
    GetAddress {
        /// Whom.
        user: Name,
        /// For how long at most.
        term: Term,
    },
    /// Say yes to a user who asked.
    Accept {
        /// To whom.
        user: Name,
        /// For how long at most.
        term: Term,
    },
    /// Say no to a user who asked.
    Deny {
        /// To whom.
        user: Name,
    },
    /// End the introduction with a user.
    RemoveAddress {
        /// With whom.
        user: Name,
    },
    /// Do nothing: an earlier server did it and has answered. The number is sent so that the next ones get their turn.
    Skip,
    /// Keep a sealed mail for a peer of a lasting introduction, and hand it only to the client with this key.
    Mail {
        /// For whom.
        to: Name,
        /// What their client is known by.
        key: PublicKey,
        /// How many private messages are in it: none in an answer to a mail.
        messages: u16,
        /// What only that client can read.
        sealed: Sealed,
    },
}

impl Operation {
    /// Whether it cannot be done without the server's store; a message can, if its recipient is there.
    pub(crate) const fn changes_what_is_kept(&self) -> bool {
        match self {
            Self::Block { .. }
            | Self::Unblock { .. }
            | Self::GetAddress { .. }
            | Self::Accept { .. }
            | Self::Deny { .. }
            | Self::RemoveAddress { .. } => true,
            Self::Message { .. } | Self::Broadcast { .. } | Self::Mail { .. } | Self::Skip => false,
        }
    }
}

/// An item from the server to a client that asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The heartbeat was heard.
    Alive,
    /// The final word on an operation.
    Outcome {
        /// Which.
        seq: Seq,
        /// The word.
        outcome: Outcome,
    },
    /// A page of who is online, without the asker and without those who have blacklisted the asker.
    Online {
        /// The question.
        query: QueryNumber,
        /// The names, in order.
        users: Bounded<Name, ONLINE_PAGE_MAX>,
        /// Whether there are more after the last one.
        more: bool,
    },
    /// On the login's connection: whether the server could reach the client's listener.
    ListenerChecked {
        /// What came of it.
        reach: Reach,
    },
    /// The session has ended as asked.
    LoggedOut,
    /// The server is shutting down and took nothing of what this connection brought.
    Stopping,
    /// The request is of a kind that this server does not know.
    Unsupported,
    /// Too many pages of who is online were asked for: this one is to be asked for again.
    OnlineLater {
        /// The question.
        query: QueryNumber,
        /// When: in so many milliseconds.
        milliseconds: u32,
    },
    /// The server does not reach the client any more: this came from another address than the login, where it looks for the client,
    /// or the listener does not answer. A new login tells it where the client is now, and how it is reached.
    Unreached,
}

impl Item for Answer {
    const KINDS: u32 = 9;
}

/// Whether a listener could be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    /// It answered with proof of the session.
    Reachable,
    /// It did not.
    Unreachable,
    /// It did not, or was not tried: this connection is a held link from now on.
    Held,
}

/// The final word on an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The recipient's client has the message.
    Delivered,
    /// The message is kept for the recipient.
    Stored,
    /// What became of a broadcast.
    Broadcast {
        /// So many have it.
        delivered: u32,
        /// So many went before they had it; it is kept for them.
        stored: u32,
        /// So many will not get it: their mailboxes are full.
        refused: u32,
    },
    /// The question has been put.
    Asked,
    /// Done.
    Done,
    /// Not done.
    Refused(Refusal),
}

/// Why an operation is refused. It travels as a code and a number, so that a code of a later version can be read too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(into = "(u8, u32)", from = "(u8, u32)")]
pub enum Refusal {
    /// No account of that name.
    #[error("there is no such user")]
    NoSuchUser,
    /// The operation makes no sense with oneself.
    #[error("that is you")]
    Yourself,
    /// The other has blacklisted the user.
    #[error("you are blocked")]
    Blocked,
    /// The text is longer than the server takes.
    #[error("the text is too long: at most {max} bytes are taken")]
    TextTooLong {
        /// The limit in bytes.
        max: u32,
    },
    /// The recipient's mailbox has no more room.
    #[error("the mailbox is full")]
    MailboxFull,
    /// The user is on the blacklist already.
    #[error("already blocked")]
    AlreadyBlocked,
    /// The user is not on the blacklist.
    #[error("not blocked")]
    NotBlocked,
    /// The blacklist has no more room.
    #[error("the blacklist is full: at most {max} users")]
    BlacklistFull {
        /// The limit.
        max: u32,
    },
    /// The other is on the user's own blacklist.
    #[error("you have blocked this user: unblock first")]
    BlockedByYou,
    /// The question is open.
    #[error("you have asked already, and the question is still open")]
    AlreadyAsked,
    /// Too many questions are open.
    #[error("too many questions are open: at most {max}")]
    TooManyQuestions {
        /// The limit.
        max: u32,
    },
    /// No such question is open.
    #[error("no such question is open")]
    NoQuestion,
    /// There is no introduction to end.
    #[error("not introduced")]
    NotIntroduced,
    /// The address book has no more room.
    #[error("too many introductions: at most {max}")]
    TooManyIntroductions {
        /// The limit.
        max: u32,
    },
    /// The server's store keeps nothing just now, and without it this cannot be done.
    #[error("the server cannot keep anything now: try again later")]
    NotKept,
    /// The account has the server do too much. Alone among refusals it is not final: the number is not used up, and what
    /// comes behind it is refused in the same way.
    #[error("too much at once: try again in {milliseconds} ms")]
    Later {
        /// When to try again: in so many milliseconds.
        milliseconds: u32,
    },
    /// As much of the sender's as one may have there waits in the recipient's mailbox.
    #[error("your share of the mailbox is full")]
    ShareFull,
    /// A reason of a later version.
    #[error("the server says no, for a reason that this version does not know ({code})")]
    Other {
        /// Its code.
        code: u8,
        /// Its number.
        detail: u32,
    },
}

impl From<Refusal> for (u8, u32) {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchUser => (0, 0),
            Refusal::Yourself => (1, 0),
            Refusal::Blocked => (2, 0),
            Refusal::TextTooLong { max } => (3, max),
            Refusal::MailboxFull => (4, 0),
            Refusal::AlreadyBlocked => (5, 0),
            Refusal::NotBlocked => (6, 0),
            Refusal::BlacklistFull { max } => (7, max),
            Refusal::BlockedByYou => (8, 0),
            Refusal::AlreadyAsked => (9, 0),
            Refusal::TooManyQuestions { max } => (10, max),
            Refusal::NoQuestion => (11, 0),
            Refusal::NotIntroduced => (12, 0),
            Refusal::TooManyIntroductions { max } => (13, max),
            Refusal::NotKept => (14, 0),
            Refusal::Later { milliseconds } => (15, milliseconds),
            Refusal::ShareFull => (16, 0),
            Refusal::Other { code, detail } => (code, detail),
        }
    }
}

impl From<(u8, u32)> for Refusal {
    fn from((code, detail): (u8, u32)) -> Self {
        match code {
            0 => Self::NoSuchUser,
            1 => Self::Yourself,
            2 => Self::Blocked,
            3 => Self::TextTooLong { max: detail },
            4 => Self::MailboxFull,
            5 => Self::AlreadyBlocked,
            6 => Self::NotBlocked,
            7 => Self::BlacklistFull { max: detail },
            8 => Self::BlockedByYou,
            9 => Self::AlreadyAsked,
            10 => Self::TooManyQuestions { max: detail },
            11 => Self::NoQuestion,
            12 => Self::NotIntroduced,
            13 => Self::TooManyIntroductions { max: detail },
            14 => Self::NotKept,
            15 => Self::Later {
                milliseconds: detail,
            },
            16 => Self::ShareFull,
            code => Self::Other { code, detail },
        }
    }
}
