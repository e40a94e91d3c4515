//! The channel: what makes a frame belong to a session, so that nobody can speak for another and no frame counts twice.
//!
//! Everything between a client and the server after the login, and everything between peers, goes through
//! a [`Channel`], which seals and opens calls and the answers to them. How a frame is protected on its way is behind the seam of [`Protection`].
//! Today's is [`Plain`] text under a secret token, one for each direction: whoever can read the network can read it and
//! speak for others. Encryption takes its place there, and nothing else changes: sessions, counters and the replay window
//! stay.

mod protection;
mod replay;

pub use protection::{Label, LoginExchange, OpenedLogin, Plain, Protection, Turn, plain};

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::id::SessionId;
use crate::rng::SecretSource;
use crate::wire::frame::{Frame, SealedFrame};
use replay::ReplayWindow;

const TOKEN_LEN: usize = 16;

/// The secret of one direction of a session.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token(Zeroizing<[u8; TOKEN_LEN]>);

impl Token {
    /// The secret itself, for a [`Protection`].
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; TOKEN_LEN] {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// The keys of a session as one of its two sides uses them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SessionKeys {
    /// Names the session; no secret.
    pub id: SessionId,
    /// Seals what this side sends.
    send: Token,
    /// Opens what this side receives.
    receive: Token,
}

impl SessionKeys {
    /// New keys that nobody can guess.
    pub fn generate(secrets: &mut dyn SecretSource) -> Self {
        let mut fresh = || {
            let mut bytes = [0; TOKEN_LEN];
            secrets.fill(&mut bytes);
            bytes
        };
        Self {
            id: SessionId(fresh()),
            send: Token(Zeroizing::new(fresh())),
            receive: Token(Zeroizing::new(fresh())),
        }
    }

    /// The same keys for the other side.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        Self {
            id: self.id,
            send: self.receive.clone(),
            receive: self.send.clone(),
        }
    }
}

/// Why a frame is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
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
pub struct Opened<'a> {
    /// When its sender sealed it, against its other frames.
    pub counter: Counter,
    /// What its sender wrote.
    pub payload: Cow<'a, [u8]>,
}

/// One side of a session.
pub struct Channel {
    keys: SessionKeys,
    protection: Arc<dyn Protection>,
    next_counter: u64,
    received: ReplayWindow,
}

impl Channel {
    /// The side of a session that has these keys, at the session's start.
    #[must_use]
    pub const fn new(keys: SessionKeys, protection: Arc<dyn Protection>) -> Self {
        Self {
            keys,
            protection,
            next_counter: 0,
            received: ReplayWindow::new(),
        }
    }

    /// The session's name.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.keys.id
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
        let label = Label {
            session: self.keys.id,
            counter: self.next_counter,
            turn,
        };
        self.next_counter += 1;
        let sealed = self.protection.seal(&self.keys.send, label, payload);
        Frame::Session(SealedFrame {
            session: label.session,
            counter: label.counter,
            sealed: &sealed,
        })
        .to_bytes()
    }

    /// What is in a frame of this session with which somebody called, once.
    ///
    /// # Errors
    ///
    /// When the other side did not seal it as a call, or it was opened before.
    pub fn open_call<'a>(&mut self, frame: &SealedFrame<'a>) -> Result<Opened<'a>, OpenError> {
        self.open(Turn::Call, frame)
    }

    /// What is in a frame of this session that answers us, once.
    ///
    /// # Errors
    ///
    /// When the other side did not seal it as an answer, or it was opened before.
    pub fn open_answer<'a>(&mut self, frame: &SealedFrame<'a>) -> Result<Opened<'a>, OpenError> {
        self.open(Turn::Answer, frame)
    }

    fn open<'a>(&mut self, turn: Turn, frame: &SealedFrame<'a>) -> Result<Opened<'a>, OpenError> {
        if !self.received.is_new(frame.counter) {
            return Err(OpenError::Replayed);
        }
        let label = Label {
            session: frame.session,
            counter: frame.counter,
            turn,
        };
        let payload = self
            .protection
            .open(&self.keys.receive, label, frame.sealed)
            .ok_or(OpenError::Forged)?;
        self.received.mark(frame.counter);
        Ok(Opened {
            counter: Counter(frame.counter),
            payload,
        })
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({:?})", self.keys.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SeededSecrets;

    fn pair() -> (Channel, Channel) {
        let keys = SessionKeys::generate(&mut SeededSecrets::new(1));
        (
            Channel::new(keys.mirrored(), plain()),
            Channel::new(keys, plain()),
        )
    }

    fn sealed(bytes: &[u8]) -> SealedFrame<'_> {
        let Ok(Frame::Session(frame)) = Frame::parse(bytes) else {
            panic!("{bytes:?} is no sealed frame");
        };
        frame
    }

    #[test]
    fn each_side_opens_what_the_other_sealed() {
        let (mut a, mut b) = pair();
        let frame = a.seal_call(b"hello");
        assert_eq!(b.open_call(&sealed(&frame)).unwrap().payload, &b"hello"[..]);
        let frame = b.seal_call(b"hi");
        assert_eq!(a.open_call(&sealed(&frame)).unwrap().payload, &b"hi"[..]);
    }

    #[test]
    fn a_frame_opens_once_and_only_for_the_other_side() {
        let (mut a, mut b) = pair();
        let frame = a.seal_call(b"hello");
        assert_eq!(a.open_call(&sealed(&frame)), Err(OpenError::Forged));
        assert!(b.open_call(&sealed(&frame)).is_ok());
        assert_eq!(b.open_call(&sealed(&frame)), Err(OpenError::Replayed));
    }

    #[test]
    fn a_forged_frame_does_not_use_up_its_counter() {
        let (mut a, mut b) = pair();
        let frame = a.seal_call(b"hello");
        let mut forged = frame.clone();
        forged[31] ^= 1;
        assert_eq!(b.open_call(&sealed(&forged)), Err(OpenError::Forged));
        assert!(b.open_call(&sealed(&frame)).is_ok());
    }

    #[test]
    fn counters_tell_the_order_of_sealing() {
        let (mut a, mut b) = pair();
        let (first, second) = (a.seal_call(b"1"), a.seal_call(b"2"));
        let second = b.open_call(&sealed(&second)).unwrap().counter;
        let first = b.open_call(&sealed(&first)).unwrap().counter;
        assert!(first < second);
    }
}
