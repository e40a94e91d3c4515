//! Sealed mail: what a client leaves at the server for a peer who cannot be met, sealed for the peer's key.
//!
//! The server sees from whom and to whom a mail goes, and how long it is. What is in it is a row of items, as in a frame, and only
//! the peer's client can read them (see `channel::mail`). They are the same private messages that the two would exchange
//! directly, with the same numbers, so it makes no difference if they come both ways.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::item::Item;
use super::peer::PrivateMessage;
use crate::id::{InstanceId, IntroductionId, Seq};
use crate::limits::MAIL_LEN_MAX;
use crate::name::Name;
use crate::time::WallTime;

/// What was sealed: bytes that only one client can open.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Sealed(Vec<u8>);

/// Longer than the server takes, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the mail has {0} bytes, and at most {MAIL_LEN_MAX} are taken")]
pub struct TooLong(pub usize);

impl Sealed {
    /// Takes what was sealed.
    ///
    /// # Errors
    ///
    /// When it is too long for a mail.
    pub fn new(bytes: Vec<u8>) -> Result<Self, TooLong> {
        match bytes.len() {
            0..=MAIL_LEN_MAX => Ok(Self(bytes)),
            len => Err(TooLong(len)),
        }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A mail on its way to the client that it is sealed for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Whose client left it, as the server says; what is inside shows whether that is true.
    pub from: Name,
    /// The sender's outbox.
    pub instance: InstanceId,
    /// The number of the operation there.
    pub seq: Seq,
    /// When the server took it.
    pub sent: WallTime,
    /// How many private messages are in it, as the sender says.
    pub messages: u16,
    /// What only the recipient can read.
    pub sealed: Sealed,
}

/// An item inside a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MailItem {
    /// What follows is from the peer of this introduction. The first item; a mail that does not begin with it is dropped.
    Opening {
        /// How the two know each other.
        introduction: IntroductionId,
        /// The private messages in this mail come right after this one, which the recipient has from another mail or has to get
        /// first; 0 if they are the first that the sender knows to be missing.
        after: Seq,
    },
    /// A private message.
    Private(PrivateMessage),
    /// The answer to a mail with private messages: what was shown.
    Taken {
        /// The outbox that they came from.
        instance: InstanceId,
        /// All private messages up to this number were shown, now or before.
        through: Seq,
        /// The last number that was in the mail. If it is higher, a mail before it was lost.
        of: Seq,
    },
}

impl Item for MailItem {
    const KINDS: u32 = 3;
}
