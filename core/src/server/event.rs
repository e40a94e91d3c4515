//! What a server tells its operator.

use core::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::name::Name;
use crate::wire::login::LoginRefusal;

/// Something the operator may want to know. Holds no text of users but their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A user is online.
    LoggedIn {
        /// Who.
        user: Name,
        /// From where.
        from: SocketAddr,
        /// Whether there was a session before.
        arrival: Arrival,
    },
    /// A login was refused.
    LoginRefused {
        /// The name that was given, which may be no account.
        user: Name,
        /// From where.
        from: SocketAddr,
        /// Why.
        refusal: LoginRefusal,
    },
    /// A user's listener did not answer: messages wait in the mailbox until it does.
    ListenerUnreachable {
        /// Whose.
        user: Name,
        /// Where it should be.
        listener: SocketAddr,
    },
    /// A user is offline.
    LoggedOut {
        /// Who.
        user: Name,
        /// Why.
        departure: Departure,
    },
    /// There is a new account.
    AccountAdded {
        /// Whose.
        user: Name,
    },
    /// An account is no more.
    AccountRemoved {
        /// Whose it was.
        user: Name,
    },
    /// What was kept for an account that is no more is gone from the store too.
    AccountErased {
        /// Whose it was.
        user: Name,
    },
    /// An account has another password, or another hash of it.
    CredentialsChanged {
        /// Whose.
        user: Name,
    },
    /// The accounts are those that the operator has given last. What changed was said before; what is checked from now on
    /// is checked against these.
    Reloaded,
    /// The store did not keep what it was given. It is tried again; until then messages to users who are away are refused.
    StoreFailing,
    /// The store keeps what it is given again.
    StoreWorking,
    /// A connection brought what no client of ours sends.
    Refused {
        /// From where.
        from: SocketAddr,
        /// What was wrong.
        fault: Fault,
    },
    /// The shutdown has begun.
    Stopping,
    /// The server has ended.
    Stopped {
        /// So many messages were neither delivered nor are they in a store that lasts.
        undelivered: u64,
        /// So many are in one, for users who were away.
        kept: u64,
    },
}

/// How a session began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arrival {
    /// The user was offline.
    New,
    /// The same client was logged in.
    Again,
    /// Another client was logged in, and has been told.
    TookOver,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Departure {
    /// As the user wished.
    LoggedOut,
    /// After a silence.
    TimedOut,
    /// Their account is no more.
    Removed,
    /// Their password is another one now, and they have to log in with it.
    CredentialsChanged,
}

/// What was wrong with what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Fault {
    /// No frame.
    #[error("{0}")]
    Frame(#[from] crate::wire::frame::FrameError),
    /// A frame that does not belong to its session.
    #[error("{0}")]
    Seal(#[from] crate::channel::OpenError),
    /// No message.
    #[error("{0}")]
    Item(#[from] crate::wire::item::ItemError),
    /// No session of that id: a client from before a restart, or a guess.
    #[error("an unknown session")]
    UnknownSession,
    /// More handshakes than one source, or all together, may begin.
    #[error("too many handshakes")]
    TooManyHandshakes,
    /// A handshake that was begun and not gone on with.
    #[error("a handshake that takes too long")]
    SlowHandshake,
    /// A frame of a kind that is not expected here.
    #[error("an unexpected frame")]
    Unexpected,
}
