//! What protects frames on the network: the seam between the sessions of this protocol and the cryptography that they stand on.
//!
//! A protection knows keys and bytes, and nothing of what the bytes mean. The one that everything uses is
//! [`Noise`](super::Noise); the simulator puts a test double in its place, which is quicker and can be made bad on purpose.
//!
//! It adds at most [`SEAL_LEN_MAX`](crate::limits::SEAL_LEN_MAX) bytes to a frame, and at most
//! [`HANDSHAKE_SEAL_LEN_MAX`](crate::limits::HANDSHAKE_SEAL_LEN_MAX) to a message of a handshake.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::OpenError;
use crate::id::SessionId;
use crate::key::{PublicKey, StaticKey};
use crate::rng::SecretSource;

/// Starts handshakes.
pub trait Protection: fmt::Debug + Send + Sync {
    /// One side of a new handshake, known by its own key.
    fn handshake(
        &self,
        part: Part,
        own: &StaticKey,
        secrets: &mut dyn SecretSource,
    ) -> Box<dyn Handshake>;
}

/// Whose part a side plays in a handshake, and in which kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// A client that calls a server, whose key it looks at before it says anything.
    LoginInitiator,
    /// The server that is called, which shows its key to everybody.
    LoginResponder,
    /// A client that calls a peer, whose key it knows.
    PeerInitiator(PublicKey),
    /// The peer that is called, which says nothing to callers who do not know its key.
    PeerResponder,
    /// A client that seals a mail for a peer, whose key it knows. The first message is the only one.
    MailSender(PublicKey),
    /// The peer who opens it.
    MailRecipient,
}

/// A handshake of three messages, written in turns: the caller's, the answer, and the caller's again. When the second was
/// read, the one who answered is known; when the third was, the caller is, and what it says is fresh. A mail is a single message,
/// and whoever has read it knows its sender, but not that it is fresh.
pub trait Handshake: fmt::Debug + Send {
    /// The next message, which carries a payload. The first one's can be read by everybody.
    ///
    /// # Errors
    ///
    /// When what the other side gave for a key is none.
    fn write(&mut self, payload: &[u8]) -> Result<Vec<u8>, OpenError>;

    /// The payload of the next message.
    ///
    /// # Errors
    ///
    /// When the other side of this very handshake has not written it.
    fn read(&mut self, message: &[u8]) -> Result<Vec<u8>, OpenError>;

    /// The other side's key, once it has proved to have it.
    fn remote(&self) -> Option<PublicKey>;

    /// What both sides have when the third message is written or read. `None` before.
    fn finish(self: Box<Self>) -> Option<Established>;
}

/// What a handshake comes to.
#[derive(Debug)]
pub struct Established {
    /// The name that both sides have for it: nobody can guess it, and it says nothing of who they are.
    pub id: SessionId,
    /// Its keys.
    pub cipher: Box<dyn Cipher>,
}

/// The keys of a session as one of its two sides uses them. Wiped from memory when dropped.
pub trait Cipher: fmt::Debug + Send + Sync {
    /// What travels in place of a payload, under a label that is not used twice.
    fn seal(&self, label: Label, payload: &[u8]) -> Vec<u8>;

    /// The payload that the other side sealed with this label; `None` if it did not.
    fn open(&self, label: Label, sealed: &[u8]) -> Option<Vec<u8>>;
}

/// Who speaks with a frame: the one who made the connection, or the one who was called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// The first frame of a connection.
    Call,
    /// What comes back.
    Answer,
}

/// What a frame is, besides its payload. A frame opens only as what it was sealed as: an acknowledgement that was lost on
/// its way must not pass for a request when somebody else brings it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label {
    /// Its place among the frames of its sender.
    pub counter: u64,
    /// Not said in the frame: both sides know.
    pub turn: Turn,
}
