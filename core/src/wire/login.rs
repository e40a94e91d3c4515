//! The login: its request is in the last message of a handshake, its answer in the first frame of the session.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::item::{Bounded, Item};
use crate::id::{InstanceId, LoginNumber, Seq};
use crate::limits::{COOKIE_LEN, OWN_CANDIDATES_MAX, TICKET_LEN_MAX};
use crate::name::Name;
use crate::text::Password;
use crate::time::WallTime;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use zeroize::Zeroizing;

/// What a client sends to log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoginRequest {
    /// By name and a proof.
    Login(Login),
}

impl Item for LoginRequest {
    const KINDS: u32 = 1;
}

/// A login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Who logs in.
    pub name: Name,
    /// Why it is them.
    pub proof: Proof,
    /// Where the client listens, at the address from which this comes. 1024 or above.
    pub port: u16,
    /// The client's outbox.
    pub instance: InstanceId,
    /// The lowest number of this instance that has no answer yet. The server goes on from there.
    pub lowest_unanswered: Seq,
    /// Who started this login.
    pub cause: LoginCause,
    /// Further addresses of the client's listener, told to peers whom the user accepts; the server never dials them.
    pub candidates: Bounded<SocketAddr, OWN_CANDIDATES_MAX>,
    /// How the server is to reach the client.
    pub link: LinkChoice,
}

/// How a client and its server are to reach each other after the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum LinkChoice {
    /// A connection for each exchange, if the server can reach the client's listener; otherwise a held link.
    #[default]
    Auto,
    /// A connection for each exchange, whatever comes of it.
    PerMessage,
    /// A held link: the login's connection stays open and carries everything.
    Held,
}

/// What shows that a login is the account's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proof {
    /// The account's password.
    Password(Password),
    /// What the server gave at an earlier login to the same client.
    Ticket(Ticket),
}

/// What a server gives a client that has logged in, so that it can come back without the password (in the manner of RFC
/// 5077). Only the server can read it, and it is of use only to who has the client's key. Wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket(Zeroizing<Vec<u8>>);

impl Ticket {
    /// A ticket of these bytes; `None` if they are too many.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() <= TICKET_LEN_MAX).then(|| Self(Zeroizing::new(bytes)))
    }

    /// Its bytes, for the server that made it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket")
    }
}

impl Serialize for Ticket {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Ticket {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(deserializer)?;
        Self::new(bytes.into()).ok_or_else(|| de::Error::custom("the ticket is too long"))
    }
}

/// An admission cookie: shows a server that whoever calls has logged in lately, and says nothing of who they are. Everybody on
/// the way can read it; all that it is good for is a larger budget of handshakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie([u8; COOKIE_LEN]);

impl Cookie {
    /// The cookie with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; COOKIE_LEN]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; COOKIE_LEN] {
        &self.0
    }
}

impl Serialize for Cookie {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Cookie {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(deserializer)?;
        let bytes = bytes.try_into();
        bytes
            .map(Self)
            .map_err(|_| de::Error::custom("no cookie has that length"))
    }
}

/// Who started a login: only a person's login takes an account over from another client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoginCause {
    /// A person.
    Person,
    /// A client by itself, that lost its session and was logged in last under this number.
    Automatic(LoginNumber),
}

/// The answer, on the same connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoginAnswer {
    /// Logged in.
    Welcome(Welcome),
    /// Not logged in.
    Refused(LoginRefusal),
}

impl Item for LoginAnswer {
    const KINDS: u32 = 2;
}

/// What a client needs to know once it is logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Logs this client in again, for some time.
    pub ticket: Ticket,
    /// Goes with the first message of the next handshake.
    pub cookie: Cookie,
    /// The number of this login, or of the one that this continues.
    pub login: LoginNumber,
    /// How often to send a heartbeat, in milliseconds.
    pub heartbeat_interval_ms: u32,
    /// A client silent for so many milliseconds is logged out.
    pub timeout_ms: u32,
    /// The longest text that is taken, in bytes.
    pub max_text: u32,
    /// Messages that were kept while the user was away.
    pub kept: u32,
    /// The server's clock.
    pub time: WallTime,
}

/// Why a login is refused. It travels as a code and a number, so that a code of a later version can be read too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(into = "(u8, u32)", from = "(u8, u32)")]
pub enum LoginRefusal {
    /// The name and password do not belong together, or there is no such account.
    #[error("wrong name or password")]
    WrongCredentials {
        /// Attempts left before the account is locked for this source.
        attempts_left: u32,
    },
    /// Too many failed attempts.
    #[error("too many failed logins: try again in {seconds} s")]
    Locked {
        /// For how many more seconds.
        seconds: u32,
    },
    /// The account has been logged in from another client since.
    #[error("the account was logged in from another client")]
    TakenOver,
    /// The client named a port that the server does not dial.
    #[error("the server does not dial port {0}: use one from 1024 on")]
    Port(u16),
    /// No place for another login now.
    #[error("the server is busy: try again in {seconds} s")]
    Busy {
        /// Try again after so many seconds.
        seconds: u32,
    },
    /// The server is shutting down.
    #[error("the server is shutting down")]
    Stopping,
    /// The ticket has expired, or the account's password was changed, or it is not this client's.
    #[error("this client has to log in with the password again")]
    TicketRefused,
    /// A reason of a later version.
    #[error("the server says no, for a reason that this version does not know ({code})")]
    Other {
        /// Its code.
        code: u8,
        /// Its number.
        detail: u32,
    },
}

impl From<LoginRefusal> for (u8, u32) {
    fn from(refusal: LoginRefusal) -> Self {
        match refusal {
            LoginRefusal::WrongCredentials { attempts_left } => (0, attempts_left),
            LoginRefusal::Locked { seconds } => (1, seconds),
            LoginRefusal::TakenOver => (2, 0),
            LoginRefusal::Port(port) => (3, port.into()),
            LoginRefusal::Busy { seconds } => (4, seconds),
            LoginRefusal::Stopping => (5, 0),
            LoginRefusal::TicketRefused => (6, 0),
            LoginRefusal::Other { code, detail } => (code, detail),
        }
    }
}

impl From<(u8, u32)> for LoginRefusal {
    fn from((code, detail): (u8, u32)) -> Self {
        match code {
            0 => Self::WrongCredentials {
                attempts_left: detail,
            },
            1 => Self::Locked { seconds: detail },
            2 => Self::TakenOver,
            3 => Self::Port(u16::try_from(detail).unwrap_or(0)),
            4 => Self::Busy { seconds: detail },
            5 => Self::Stopping,
            6 => Self::TicketRefused,
            code => Self::Other { code, detail },
        }
    }
}
