//! Handshakes, step by step: each step is a type, and gives the next one.
//!
//! ```text
//! caller                                            called
//! Calling  ── 1: fresh key, a payload for all ──▶   Called, Answering
//! Met      ◀── 2: fresh key, own key ────────────
//! Channel  ── 3: own key, what it wants ─────────▶  Met
//!          ◀── sealed frames from here on ───────   Channel
//! ```

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::protection::{Handshake, Part, Protection};
use super::{Channel, OpenError};
use crate::key::{PublicKey, StaticKey};
use crate::rng::SecretSource;
use crate::wire::frame::Frame;

/// We have called, and wait for the answer.
#[derive(Debug)]
pub struct Calling(Box<dyn Handshake>);

impl Calling {
    /// Calls, with a payload that everybody can read who listens. Gives the bytes of the frame to send.
    ///
    /// # Errors
    ///
    /// When whoever is called is known by something that is no key.
    pub fn start(
        protection: &dyn Protection,
        part: Part,
        own: &StaticKey,
        secrets: &mut dyn SecretSource,
        payload: &[u8],
    ) -> Result<(Self, Vec<u8>), OpenError> {
        let mut handshake = protection.handshake(part, own, secrets);
        let first = handshake.write(payload)?;
        Ok((Self(handshake), Frame::Handshake(&first).to_bytes()))
    }

    /// Takes the answer.
    ///
    /// # Errors
    ///
    /// When it is not the answer to this call, or not from whom we called.
    pub fn answered(mut self, message: &[u8]) -> Result<Met, OpenError> {
        self.0.read(message)?;
        let remote = self.0.remote().ok_or(OpenError::Forged)?;
        Ok(Met {
            handshake: self.0,
            remote,
        })
    }
}

/// We know whom we have called. They do not know us yet, and nothing that matters was said.
#[derive(Debug)]
pub struct Met {
    handshake: Box<dyn Handshake>,
    remote: PublicKey,
}

impl Met {
    /// Who answered, which they have proved.
    #[must_use]
    pub const fn remote(&self) -> PublicKey {
        self.remote
    }

    /// Says who we are and what we want. Gives the session, and the bytes of the frame to send.
    #[must_use]
    pub fn say(mut self, payload: &[u8]) -> (Channel, Vec<u8>) {
        let third = self
            .handshake
            .write(payload)
            .expect("the key that answered was used to read the answer");
        let established = self
            .handshake
            .finish()
            .expect("the third message is the last");
        (
            Channel::new(established),
            Frame::Handshake(&third).to_bytes(),
        )
    }
}

/// Somebody has called. In a login nothing was computed yet that costs much, so that they can be sent away cheaply.
#[derive(Debug)]
pub struct Called {
    handshake: Box<dyn Handshake>,
    payload: Vec<u8>,
}

impl Called {
    /// Takes a call.
    ///
    /// # Errors
    ///
    /// When it is none, or one for somebody else.
    pub fn take(
        protection: &dyn Protection,
        part: Part,
        own: &StaticKey,
        secrets: &mut dyn SecretSource,
        message: &[u8],
    ) -> Result<Self, OpenError> {
        let mut handshake = protection.handshake(part, own, secrets);
        let payload = handshake.read(message)?;
        Ok(Self { handshake, payload })
    }

    /// What came with the call. Nobody knows yet from whom.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Answers. Gives the bytes of the frame to send.
    ///
    /// # Errors
    ///
    /// When the caller's key is none.
    pub fn answer(mut self) -> Result<(Answering, Vec<u8>), OpenError> {
        let second = self.handshake.write(&[])?;
        let bytes = Frame::Handshake(&second).to_bytes();
        Ok((Answering(self.handshake), bytes))
    }
}

/// Somebody has called, and was answered.
#[derive(Debug)]
pub struct Answering(Box<dyn Handshake>);

impl Answering {
    /// Takes the caller's second message: the session, who they are, which they have proved, and what they want.
    ///
    /// # Errors
    ///
    /// When whoever called has not written it.
    pub fn finish(mut self, message: &[u8]) -> Result<(Channel, PublicKey, Vec<u8>), OpenError> {
        let payload = self.0.read(message)?;
        let remote = self.0.remote().ok_or(OpenError::Forged)?;
        let established = self.0.finish().ok_or(OpenError::Forged)?;
        Ok((Channel::new(established), remote, payload))
    }
}
