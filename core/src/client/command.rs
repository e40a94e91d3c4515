//! What a user can wish of a client, and why a wish is refused on the spot.

use alloc::vec::Vec;

use super::ledger::MessageNumber;
use crate::limits::{ADDRESS_BOOK_MAX, LEDGER_MAX, OUTBOX_MAX, VERIFIED_MAX};
use crate::name::Name;
use crate::text::{Password, Text};
use crate::wire::Term;

/// A wish.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Log in. Again, if the last try was refused.
    Login {
        /// As whom.
        user: Name,
        /// The proof. Wiped from memory once there is a session.
        password: Password,
    },
    /// Tell a user something, through the server.
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
    /// Tell a peer something directly.
    Private {
        /// Whom.
        to: Name,
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
    /// Who is online?
    Online,
    /// Ask a user to exchange addresses.
    GetAddress {
        /// Whom.
        user: Name,
        /// For how long, if the other agrees.
        term: Term,
    },
    /// Remove a peer from the address book, and be removed from theirs.
    RemoveAddress {
        /// Whom.
        user: Name,
    },
    /// Who is in the address book?
    AddressBook,
    /// What is there to compare with a peer, to know that nobody is in between?
    Verify {
        /// Whom.
        user: Name,
    },
    /// It was compared, and is the same.
    MarkVerified {
        /// With whom.
        user: Name,
    },
    /// What became of a message of the user's own?
    Why {
        /// Which; without a number the last one.
        message: Option<MessageNumber>,
    },
    /// Answer a user who asked for the address.
    Answer {
        /// Who asked.
        user: Name,
        /// Yes or no.
        consent: Consent,
    },
    /// Answer the one question there is.
    BareAnswer(Consent),
    /// Leave: send what waits, tell the server and the peers, and end.
    Leave,
    /// No wish will follow: leave once nothing waits any more.
    EndOfInput,
}

/// A yes or a no.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Consent {
    /// Exchange addresses, for so long if the other agrees.
    Yes(Term),
    /// Do not.
    No,
}

/// Why a wish was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejected {
    /// There is no session yet.
    #[error("you are not logged in")]
    NotLoggedIn,
    /// What waits here is somebody else's.
    #[error("this client is {0}'s: end it to log in as somebody else")]
    OtherUser(Name),
    /// There is a session, or a login is under way.
    #[error("you are logged in already")]
    LoggedIn,
    /// The client is leaving.
    #[error("you are leaving")]
    Leaving,
    /// It makes no sense with oneself.
    #[error("that is you")]
    Yourself,
    /// The text is longer than the server takes.
    #[error("the text has {len} bytes, and the server takes at most {max}")]
    TextTooLong {
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// Only the server can do it, and it is away.
    #[error("the server is away: try again when it is back")]
    ServerAway,
    /// Too much waits already.
    #[error("{OUTBOX_MAX} messages wait to be sent already: try again when some are")]
    OutboxFull,
    /// Private messages go to peers only.
    #[error("{0} is not in your address book: `getaddress {0}` asks for an introduction")]
    NotInAddressBook(Name),
    /// There is no need to ask.
    #[error("{0} is in your address book already")]
    AlreadyInAddressBook(Name),
    /// There is no more room.
    #[error("your address book is full: it holds {ADDRESS_BOOK_MAX} people")]
    AddressBookFull,
    /// A mark would be for a key that was never looked at.
    #[error(
        "`verify {0}` shows the code of {0}'s present key: compare it with {0} before you mark it"
    )]
    NothingCompared(Name),
    /// There is no more room.
    #[error("{VERIFIED_MAX} people are marked as verified, and there is no place for more")]
    TooManyVerified,
    /// There is no message to tell of.
    #[error("you have not written anything yet")]
    NothingWritten,
    /// There never was such a message.
    #[error("there is no such message: your last one is {last}, and the first one was 1")]
    NoSuchMessage {
        /// The last one.
        last: MessageNumber,
    },
    /// There was, and it is forgotten.
    #[error(
        "that was too long ago: only the last {LEDGER_MAX} messages are remembered, from {oldest} on"
    )]
    MessageLongAgo {
        /// The first one that is remembered.
        oldest: MessageNumber,
    },
    /// The user has not asked.
    #[error("{0} has not asked for your address, or the question is open no more")]
    NoQuestion(Name),
    /// Nobody has asked.
    #[error("nobody asks for your address")]
    NoQuestions,
    /// A bare answer could be meant for another question than the one that is open.
    #[error("whom do you answer? Say `accept NAME` or `deny NAME`; open: {}", Names(.0))]
    WhichQuestion(Vec<Name>),
}

struct Names<'a>(&'a [Name]);

impl core::fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (place, name) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{name}")?;
        }
        Ok(())
    }
}
