//! What the server tells a client by dialling its listener, and the client's answers on that connection.

use core::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::item::{Bounded, Item};
use super::mail::Mail;
use super::request::Reach;
use super::{Challenge, EndReason, Term};
use crate::id::{BatchNumber, InstanceId, IntroductionId, Seq};
use crate::key::PublicKey;
use crate::limits::{CANDIDATES_MAX, EXPIRED_NUMBERS_MAX};
use crate::name::Name;
use crate::text::Text;
use crate::time::WallTime;

/// An item from the server to a client's listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Push {
    /// Prove that this listener belongs to the session.
    Probe {
        /// Comes back with the proof.
        challenge: Challenge,
    },
    /// What follows in this frame is this batch. It is sent again, unchanged, until it is acknowledged.
    Batch {
        /// Its number: a batch that was taken before is only acknowledged.
        number: BatchNumber,
    },
    /// Somebody wrote.
    Message(Delivery),
    /// The messages that were kept follow.
    KeptStart {
        /// So many.
        count: u32,
    },
    /// That were the messages that were kept.
    KeptEnd,
    /// Somebody came or went.
    Presence {
        /// Who.
        user: Name,
        /// Which.
        presence: Presence,
    },
    /// Somebody asks for the user's address.
    AddressAsked {
        /// Who.
        by: Name,
        /// The question is open for so many more milliseconds.
        expires_in_ms: u32,
        /// For how long they would have the two know each other.
        term: Term,
    },
    /// A question that was put to the user is open no more.
    QuestionClosed {
        /// Whose it was.
        by: Name,
    },
    /// Both said yes.
    Introduced(Introduction),
    /// The other said no.
    AddressDenied {
        /// Who.
        by: Name,
    },
    /// Nobody answered in time.
    NoAnswer {
        /// Who was asked.
        from: Name,
    },
    /// An introduction is over.
    IntroductionEnded {
        /// With whom.
        peer: Name,
        /// Why.
        reason: EndReason,
        /// Whether only this one is over; otherwise it is whichever the last one was.
        introduction: Option<IntroductionId>,
    },
    /// A message that had been kept has arrived.
    Delivered {
        /// Its number.
        seq: Seq,
        /// Its recipient.
        to: Name,
    },
    /// The session is over.
    SessionEnded {
        /// Why.
        reason: SessionEnd,
    },
    /// The server is shutting down.
    Stopping,
    /// The server ends before it could deliver messages of the user.
    Undelivered {
        /// Whom they were for.
        to: Name,
        /// How many they are.
        count: u32,
    },
    /// Where a peer may be reached from now on.
    Addresses {
        /// Whose they are.
        peer: Name,
        /// Where.
        whereabouts: Whereabouts,
    },
    /// A peer of a lasting introduction is not to be found where they were, until their addresses come.
    Absent {
        /// Who.
        peer: Name,
        /// Why not.
        absence: Absence,
    },
    /// Messages of the user's that were kept are kept no more: nobody fetched them in time.
    Expired(Expired),
    /// A peer has left a sealed mail for this client.
    Mail(Mail),
    /// Nobody has fetched a mail of this client's in time: it is kept no more.
    MailExpired {
        /// For whom it was.
        to: Name,
        /// Its number. Those before it that were not fetched are kept no more either.
        seq: Seq,
    },
}

impl Item for Push {
    const KINDS: u32 = 21;
}

/// Why a peer is not there, whose introduction is in force all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Absence {
    /// They are not logged in.
    Away,
    /// They are logged in from another client, which does not have this introduction.
    Elsewhere,
}

/// A message on its way to one of its recipients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Who wrote it.
    pub from: Name,
    /// The sender's outbox.
    pub instance: InstanceId,
    /// Its number there: whatever is not above the highest number shown is a repetition.
    pub seq: Seq,
    /// When the server took it.
    pub sent: WallTime,
    /// To whom it was written.
    pub audience: Audience,
    /// What was written.
    pub text: Text,
}

/// Messages that were kept for a recipient until it was too late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expired {
    /// Whom they were for.
    pub to: Name,
    /// The numbers of those that this client sent.
    pub numbers: Bounded<Seq, EXPIRED_NUMBERS_MAX>,
    /// So many more are of earlier clients, or too many for their numbers to be known.
    pub others: u32,
}

/// To whom a message was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audience {
    /// This user alone.
    You,
    /// Everybody online.
    Everyone,
}

/// Whether a user is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presence {
    /// Logged in.
    Online,
    /// Logged out.
    Offline,
}

/// What makes two users peers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// The other.
    pub peer: Name,
    /// Tells this introduction from others of the same two.
    pub id: IntroductionId,
    /// What the other's client is known by.
    pub key: PublicKey,
    /// Where the other may be reached.
    pub whereabouts: Whereabouts,
    /// What both have chosen.
    pub term: Term,
}

/// Where a peer may be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whereabouts {
    /// How the server reaches them.
    pub reach: Reach,
    /// Their addresses, best first.
    pub candidates: Bounded<SocketAddr, CANDIDATES_MAX>,
}

/// Why the server ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionEnd {
    /// The account was logged in from another client.
    TakenOver,
    /// The client was silent for too long.
    TimedOut,
    /// The account is no more.
    Removed,
    /// The account's password is another one now.
    CredentialsChanged,
}

/// An item from a client to the server that dialled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PushAnswer {
    /// The listener belongs to the session.
    Probed {
        /// The server's challenge.
        challenge: Challenge,
    },
    /// All of the batch was shown, now or before.
    Taken {
        /// The batch.
        number: BatchNumber,
    },
}

impl Item for PushAnswer {
    const KINDS: u32 = 2;
}
