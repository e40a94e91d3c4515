//! What introduced peers tell each other directly, and the answers, which come back on the same connection.

use serde::{Deserialize, Serialize};

use super::EndReason;
use super::item::Item;
use super::login::LinkChoice;
use super::request::Reach;
use crate::id::{InstanceId, IntroductionId, Seq};
use crate::text::Text;
use crate::time::WallTime;

/// An item from a client to a peer's listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerPush {
    /// The sender is here, and wants to know whether it can be called too. Only in the last message of a handshake.
    Hello {
        /// How the two know each other.
        introduction: IntroductionId,
        /// Where the sender listens, at the address that this comes from.
        port: u16,
        /// How the sender is to be reached.
        link: LinkChoice,
    },
    /// A private message.
    Private(PrivateMessage),
    /// Take the sender out of the address book. Only in the last message of a handshake.
    Bye {
        /// How the two knew each other; if they have been introduced anew since, it is not that one.
        introduction: IntroductionId,
        /// Why.
        reason: EndReason,
    },
    /// The sender looks whether somebody is there, and asks for nothing. Only in the last message of a handshake.
    Probe {
        /// How the two know each other.
        introduction: IntroductionId,
    },
}

impl Item for PeerPush {
    const KINDS: u32 = 4;
}

impl PeerPush {
    /// How the sender says that the two know each other.
    pub(crate) const fn introduction(&self) -> Option<IntroductionId> {
        match self {
            Self::Hello { introduction, .. }
            | Self::Bye { introduction, .. }
            | Self::Probe { introduction } => Some(*introduction),
            Self::Private(_) => None,
        }
    }
}

/// A private message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateMessage {
    /// The sender's outbox.
    pub instance: InstanceId,
    /// Its number among those to this peer: whatever is not above the highest number shown is a repetition.
    pub seq: Seq,
    /// When it was written, by the sender's clock.
    pub sent: WallTime,
    /// What was written.
    pub text: Text,
}

/// An item from a peer that was dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerAnswer {
    /// The dialler is in the address book, and may write in this session.
    Welcome,
    /// All private messages up to this number were shown, now or before.
    Taken {
        /// The highest of them.
        seq: Seq,
    },
    /// The dialler is in the address book no more.
    NotInBook {
        /// Why.
        reason: EndReason,
    },
    /// The dialler was taken out of the address book.
    Bye,
    /// Behind the answer to a hello: how the dialler is reached from here.
    ListenerChecked {
        /// How.
        reach: Reach,
    },
}

impl Item for PeerAnswer {
    const KINDS: u32 = 5;
}
