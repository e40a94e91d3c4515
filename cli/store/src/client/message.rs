//! A message of the history, and how it stands in its table.

use rusqlite::Row;
use simplechat_core::client::event::Verification;
use simplechat_core::client::ledger::MessageState;
use simplechat_core::id::Seq;
use simplechat_core::name::Name;
use simplechat_core::time::WallTime;
use simplechat_core::wire::item::{decode, encode};
use simplechat_core::wire::request::{Answer, Outcome};

use crate::columns::{get, number};
use crate::error::Trouble;

/// A message of the history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its place: later ones have higher ones.
    pub nr: i64,
    /// When it was sent: by the server's clock if the server took it, by the author's if it came directly, by the user's own if
    /// they wrote it.
    pub at: WallTime,
    /// Where it belongs.
    pub conversation: Conversation,
    /// Whose it is.
    pub author: Author,
    /// How it went.
    pub route: Route,
    /// What was written, as it was written: clean it before a terminal sees it.
    pub text: String,
}

/// What belongs together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Conversation {
    /// Between the user and somebody.
    With(Name),
    /// What is to everybody.
    Everyone,
}

/// Whose a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Author {
    /// The user's own, which stands so.
    Own(MessageState),
    /// Somebody else's.
    Other(Name),
}

/// How a message went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Route {
    /// Through the server, to one user.
    Server,
    /// Through the server, to everybody online.
    Broadcast,
    /// Directly. Whether the author's key was marked when it came; the user's own are never.
    Private(Verification),
}

/// The conversation and author that stand for everybody and for the user: no name is empty.
pub(super) const NOBODY: &str = "";

impl Conversation {
    pub(super) fn column(&self) -> &str {
        match self {
            Self::With(name) => name.as_str(),
            Self::Everyone => NOBODY,
        }
    }

    fn from_column(text: &str) -> Option<Self> {
        if text == NOBODY {
            return Some(Self::Everyone);
        }
        text.parse().ok().map(Self::With)
    }
}

impl Route {
    pub(super) const fn column(self) -> i64 {
        match self {
            Self::Server => 0,
            Self::Broadcast => 1,
            Self::Private(Verification::Unverified) => PRIVATE,
            Self::Private(Verification::Verified) => 3,
        }
    }

    const fn from_column(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Server),
            1 => Some(Self::Broadcast),
            PRIVATE => Some(Self::Private(Verification::Unverified)),
            3 => Some(Self::Private(Verification::Verified)),
            _ => None,
        }
    }
}

/// The route of the user's own private messages.
pub(super) const PRIVATE: i64 = 2;

pub(super) const WAITING: i64 = 0;
pub(super) const DELIVERED: i64 = 1;
pub(super) const STORED: i64 = 2;
const ANSWERED: i64 = 3;
pub(super) const GIVEN_UP: i64 = 4;
pub(super) const EXPIRED: i64 = 5;

/// Where a message stands after the server's final word, with the word where it says more.
pub(super) fn answered(seq: Seq, outcome: Outcome) -> (i64, Option<Vec<u8>>) {
    match outcome {
        Outcome::Stored => (STORED, None),
        Outcome::Delivered | Outcome::Asked | Outcome::Done => (DELIVERED, None),
        Outcome::Broadcast { .. } | Outcome::Refused(_) => {
            (ANSWERED, Some(encode(&Answer::Outcome { seq, outcome })))
        }
    }
}

fn state(number: i64, outcome: Option<Vec<u8>>) -> Option<MessageState> {
    match (number, outcome) {
        (WAITING, None) => Some(MessageState::Waiting),
        (DELIVERED, None) => Some(MessageState::Delivered),
        (STORED, None) => Some(MessageState::Stored),
        (GIVEN_UP, None) => Some(MessageState::GivenUp),
        (EXPIRED, None) => Some(MessageState::Expired),
        (ANSWERED, Some(item)) => match decode(&item) {
            Ok(Answer::Outcome { outcome, .. }) => Some(MessageState::after(outcome)),
            Ok(_) | Err(_) => None,
        },
        _ => None,
    }
}

/// A row of the table.
pub(super) fn message(row: &Row<'_>) -> Result<Message, Trouble> {
    let nonsense = || Trouble::nonsense("message");
    let author: String = get(row, "author")?;
    let conversation: String = get(row, "conversation")?;
    let author = if author == NOBODY {
        let state = state(get(row, "state")?, get(row, "outcome")?);
        Author::Own(state.ok_or_else(nonsense)?)
    } else {
        Author::Other(author.parse().map_err(|_| nonsense())?)
    };
    Ok(Message {
        nr: get(row, "nr")?,
        at: WallTime(number(row, "at")?),
        conversation: Conversation::from_column(&conversation).ok_or_else(nonsense)?,
        author,
        route: Route::from_column(get(row, "route")?).ok_or_else(nonsense)?,
        text: get(row, "text")?,
    })
}
