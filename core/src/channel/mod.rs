//! The channel: what makes a frame belong to a session, so that nobody can listen, speak for another or say anything twice.
//!
//! Two sides shake hands ([`Calling`], [`Called`]), on a connection that ends with the first answer. What they have then is a
//! [`Channel`]: it seals and opens frames, each in a connection of its own and with its own counter, in any order, because
//! connections race. The cryptography is behind the seam of [`Protection`], and is [`Noise`].

mod handshake;
pub mod mail;
mod noise;
mod protection;
mod replay;

pub use handshake::{Answering, Called, Calling, Met};
pub use noise::Noise;
pub use protection::{Cipher, Established, Handshake, Label, Part, Protection, Turn};

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::id::SessionId;
use crate::wire::frame::{Frame, SealedFrame};
use replay::ReplayWindow;

/// Why a frame is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum OpenError {
    /// Its sender does not have the session's keys.
    #[error("the frame was not sealed with the session's keys")]
    Forged,
    /// It was here before, or is so old that this cannot be told.
    #[error("the frame was seen before")]
    Replayed,
}

/// A frame's place in the order in which one side of a session sealed its frames.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Counter(u64);

/// What was in a genuine frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// When its sender sealed it, against its other frames.
    pub counter: Counter,
    /// What its sender wrote.
    pub payload: Vec<u8>,
}

/// One side of a session.
pub struct Channel {
    id: SessionId,
    cipher: Box<dyn Cipher>,
    sealed: u64,
    opened: u64,
    received: ReplayWindow,
}

impl Channel {
    /// One side of a session at its start.
    #[must_use]
    pub fn new(established: Established) -> Self {
        Self {
            id: established.id,
            cipher: established.cipher,
            sealed: 0,
            opened: 0,
            received: ReplayWindow::new(),
        }
    }

    /// A session without keys, to stand for one where its frames must not be seen: nothing opens, and nothing is sealed.
    pub(crate) fn blank(id: SessionId) -> Self {
        let cipher = Box::new(Blank);
        Self::new(Established { id, cipher })
    }

    /// The session's name.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// How many frames this side has sealed and opened.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.sealed.saturating_add(self.opened)
    }

    /// The bytes of a frame to begin a connection with. Each time it is another frame: sealing twice is not a replay.
    #[must_use]
    pub fn seal_call(&mut self, payload: &[u8]) -> Vec<u8> {
        self.seal(Turn::Call, payload)
    }

    /// The bytes of a frame that answers one.
    #[must_use]
    pub fn seal_answer(&mut self, payload: &[u8]) -> Vec<u8> {
        self.seal(Turn::Answer, payload)
    }

    fn seal(&mut self, turn: Turn, payload: &[u8]) -> Vec<u8> {
        let counter = self.sealed;
        self.sealed += 1;
        let sealed = self.cipher.seal(Label { counter, turn }, payload);
        Frame::Session(SealedFrame {
            session: self.id,
            counter,
            sealed: &sealed,
        })
        .to_bytes()
    }

    /// What is in a frame of this session with which somebody called, once.
    ///
    /// # Errors
    ///
    /// When the other side did not seal it as a call, or it was opened before.
    pub fn open_call(&mut self, frame: &SealedFrame<'_>) -> Result<Opened, OpenError> {
        self.open(Turn::Call, frame)
    }

    /// What is in a frame of this session that answers us, once.
    ///
    /// # Errors
    ///
    /// When the other side did not seal it as an answer, or it was opened before.
    pub fn open_answer(&mut self, frame: &SealedFrame<'_>) -> Result<Opened, OpenError> {
        self.open(Turn::Answer, frame)
    }

    /// The window is looked at first, which costs nothing, and marked last: a forged frame must not use up a counter.
    fn open(&mut self, turn: Turn, frame: &SealedFrame<'_>) -> Result<Opened, OpenError> {
        let counter = frame.counter;
        if frame.session != self.id {
            return Err(OpenError::Forged);
        }
        if !self.received.is_new(counter) {
            return Err(OpenError::Replayed);
        }
        let payload = self
            .cipher
            .open(Label { counter, turn }, frame.sealed)
            .ok_or(OpenError::Forged)?;
        self.received.mark(counter);
        self.opened += 1;
        Ok(Opened {
            counter: Counter(counter),
            payload,
        })
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({:?})", self.id)
    }
}

/// No keys at all.
#[derive(Debug)]
struct Blank;

impl Cipher for Blank {
    fn seal(&self, _: Label, _: &[u8]) -> Vec<u8> {
        Vec::new()
    }

    fn open(&self, _: Label, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

#[cfg(test)]
pub(crate) mod tests;
