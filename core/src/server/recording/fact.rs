//! What a recording is made of: facts above the channel, and acts before sealing. None of it can hold a secret.

use alloc::vec::Vec;
use core::net::SocketAddr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Account, RecordedAccount};
use crate::id::{BatchNumber, EffectId, InstanceId, LoginNumber, Seq};
use crate::key::PublicKey;
use crate::limits::OWN_CANDIDATES_MAX;
use crate::machine::{CloseReason, ConnId, ConnectFailure};
use crate::name::Name;
use crate::server::Done;
use crate::server::event::{Event, Fault};
use crate::server::login::Shown;
use crate::server::record::Record;
use crate::server::{Missing, Verdict};
use crate::time::WallTime;
use crate::wire::frame::RefusalCode;
use crate::wire::item::{self, Bounded, Item, ItemError};
use crate::wire::login::{
    LinkChoice, Login, LoginAnswer, LoginCause, LoginRefusal, Proof, Welcome,
};

/// Something that the machine got, once it was known what it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Fact {
    /// Somebody connected.
    Accepted {
        /// The connection.
        conn: ConnId,
        /// The caller's end.
        remote: SocketAddr,
        /// Our end.
        local: SocketAddr,
    },
    /// A login came.
    Login {
        /// Where.
        conn: ConnId,
        /// What it says, but for what it shows.
        entrant: Entrant,
        /// What was known of what it shows.
        shown: ShownFacts,
    },
    /// A client's frame came, and its channel opened it.
    Request {
        /// Where.
        conn: ConnId,
        /// Whose session it belongs to.
        account: Account,
        /// What was in it: items of [`crate::wire::request::Request`].
        items: Items,
    },
    /// An answer came where the server had dialled.
    Answer {
        /// Where.
        conn: ConnId,
        /// What it says.
        answered: Answered,
    },
    /// What came is no use: no frame, or nothing that the channel opened.
    Unusable {
        /// Where.
        conn: ConnId,
        /// What the other side is told.
        code: RefusalCode,
        /// What was wrong.
        fault: Fault,
    },
    /// The other side sends no more.
    Finished {
        /// Where.
        conn: ConnId,
    },
    /// A connection is gone, or never was.
    Lost {
        /// Which.
        conn: ConnId,
        /// Why.
        loss: Loss,
    },
    /// An effect is done.
    Done(Done),
    /// The operator wished something.
    Command(Wish),
    /// A deadline has passed.
    Timeout,
}

/// What the operator wished, without what could be of use to guess a password.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Wish {
    /// To end in order.
    Shutdown,
    /// To end at once.
    ShutdownNow,
    /// To have other accounts.
    Reload {
        /// All of them.
        accounts: Vec<RecordedAccount>,
        /// Whether over half may be missing.
        missing: Missing,
    },
}

/// Why a connection is no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Loss {
    /// It could not be made.
    NotMade(ConnectFailure),
    /// It broke.
    Closed(CloseReason),
}

/// What a login shows, without its secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ShownFacts {
    /// A password, which has to be checked.
    Password,
    /// A ticket, which was good or not.
    Ticket(Verdict),
}

impl From<&Shown> for ShownFacts {
    fn from(shown: &Shown) -> Self {
        match shown {
            Shown::Password(_) => Self::Password,
            Shown::Ticket(verdict) => Self::Ticket(*verdict),
        }
    }
}

/// A login without what it shows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entrant {
    /// Who logs in.
    pub name: Name,
    /// What the client is known by.
    pub key: PublicKey,
    /// Where the client listens.
    pub port: u16,
    /// The client's outbox.
    pub instance: InstanceId,
    /// See [`Login::lowest_unanswered`].
    pub lowest_unanswered: Seq,
    /// Who started it.
    pub cause: LoginCause,
    /// See [`Login::candidates`].
    pub candidates: Bounded<SocketAddr, OWN_CANDIDATES_MAX>,
    /// See [`Login::link`].
    pub link: LinkChoice,
}

impl Entrant {
    /// Takes a login of the client with this key apart.
    pub(crate) fn of(login: Login, key: PublicKey) -> (Self, Proof) {
        let entrant = Self {
            name: login.name,
            key,
            port: login.port,
            instance: login.instance,
            lowest_unanswered: login.lowest_unanswered,
            cause: login.cause,
            candidates: login.candidates,
            link: login.link,
        };
        (entrant, login.proof)
    }
}

/// What came back where the server had dialled a client's listener.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Answered {
    /// Nothing that the session's channel opened.
    Forged,
    /// Genuine, and no answer that is known.
    Nonsense,
    /// The challenge came back.
    Proven,
    /// Another challenge came back.
    Disproven,
    /// A batch was shown.
    Taken(BatchNumber),
}

/// Something that the machine gave.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Act {
    /// Dial a client.
    Dial {
        /// The new connection.
        conn: ConnId,
        /// Whose listener.
        account: Account,
        /// Where it is.
        to: SocketAddr,
    },
    /// Send something.
    Say {
        /// Where.
        conn: ConnId,
        /// What, as it was before it was sealed.
        saying: Saying,
    },
    /// End a connection.
    Close {
        /// Which.
        conn: ConnId,
    },
    /// Have a password checked.
    CheckPassword {
        /// Which check.
        id: EffectId,
        /// The name that was given.
        name: Name,
    },
    /// A record for the store, of the batch that the next [`Act::Store`] ends.
    Keep(Record),
    /// Have the records before it stored.
    Store {
        /// Which batch.
        id: EffectId,
    },
    /// Tell the operator.
    Event(Event),
    /// The machine has ended.
    Stop,
}

/// What is sent, before it was sealed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Saying {
    /// A short no.
    Refusal(RefusalCode),
    /// Not logged in.
    LoginRefused(LoginRefusal),
    /// Logged in.
    Welcome(WelcomeFacts),
    /// Items of [`crate::wire::request::Answer`].
    Answers(Items),
    /// Items of [`crate::wire::push::Push`].
    Pushes(Items),
}

impl From<&LoginAnswer> for Saying {
    fn from(answer: &LoginAnswer) -> Self {
        match answer {
            LoginAnswer::Welcome(welcome) => Self::Welcome(welcome.into()),
            LoginAnswer::Refused(refusal) => Self::LoginRefused(*refusal),
        }
    }
}

/// A welcome without its ticket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WelcomeFacts {
    /// See [`Welcome::login`].
    pub login: LoginNumber,
    /// See [`Welcome::heartbeat_interval_ms`].
    pub heartbeat_interval_ms: u32,
    /// See [`Welcome::timeout_ms`].
    pub timeout_ms: u32,
    /// See [`Welcome::max_text`].
    pub max_text: u32,
    /// See [`Welcome::kept`].
    pub kept: u32,
    /// See [`Welcome::time`].
    pub time: WallTime,
}

impl From<&Welcome> for WelcomeFacts {
    fn from(welcome: &Welcome) -> Self {
        Self {
            login: welcome.login,
            heartbeat_interval_ms: welcome.heartbeat_interval_ms,
            timeout_ms: welcome.timeout_ms,
            max_text: welcome.max_text,
            kept: welcome.kept,
            time: welcome.time,
        }
    }
}

/// The items of a payload, without what a recording must not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Items(pub(super) Vec<u8>);

impl Items {
    /// The items, one by one.
    pub fn decoded<T: Item>(&self) -> impl Iterator<Item = Result<T, ItemError>> + '_ {
        item::Items::new(&self.0).map(|item| item.and_then(item::decode))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for Items {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&[u8]>::deserialize(deserializer).map(|bytes| Self(bytes.into()))
    }
}
