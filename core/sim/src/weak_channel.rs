//! Bad channels: a good one with one thing wrong, to see that it would be noticed.
//!
//! They stand around the protection of a world, so that no build of the machines has a switch to weaken theirs.

use std::sync::Arc;

use simplechat_core::channel::{
    Cipher, Established, Handshake, Label, OpenError, Part, Protection,
};
use simplechat_core::key::{PublicKey, StaticKey};
use simplechat_core::rng::SecretSource;

/// What is wrong with a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// Two frames in a row are sealed under one nonce.
    ReusedNonces,
    /// A frame opens under the number behind its own too, and so twice.
    NumbersOffByOne,
    /// Whoever answers a client that logs in is taken for who has this key.
    AnybodyIs(PublicKey),
    /// Frames are not sealed at all.
    NoSeal,
}

/// A channel with a flaw.
#[derive(Clone, Debug)]
pub struct WeakChannel {
    inner: Arc<dyn Protection>,
    flaw: Flaw,
}

impl WeakChannel {
    /// A channel that is good but for this.
    #[must_use]
    pub fn new(inner: Arc<dyn Protection>, flaw: Flaw) -> Self {
        Self { inner, flaw }
    }
}

impl Protection for WeakChannel {
    fn handshake(
        &self,
        part: Part,
        own: &StaticKey,
        secrets: &mut dyn SecretSource,
    ) -> Box<dyn Handshake> {
        let inner = self.inner.handshake(part, own, secrets);
        let flaw = self.flaw;
        Box::new(WeakHandshake { inner, part, flaw })
    }
}

#[derive(Debug)]
struct WeakHandshake {
    inner: Box<dyn Handshake>,
    part: Part,
    flaw: Flaw,
}

impl Handshake for WeakHandshake {
    fn write(&mut self, payload: &[u8]) -> Result<Vec<u8>, OpenError> {
        self.inner.write(payload)
    }

    fn read(&mut self, message: &[u8]) -> Result<Vec<u8>, OpenError> {
        self.inner.read(message)
    }

    fn remote(&self) -> Option<PublicKey> {
        let remote = self.inner.remote()?;
        match (self.flaw, self.part) {
            (Flaw::AnybodyIs(key), Part::LoginInitiator) => Some(key),
            _ => Some(remote),
        }
    }

    fn finish(self: Box<Self>) -> Option<Established> {
        let flaw = self.flaw;
        let Established { id, cipher } = self.inner.finish()?;
        let cipher = Box::new(WeakCipher {
            inner: cipher,
            flaw,
        });
        Some(Established { id, cipher })
    }
}

#[derive(Debug)]
struct WeakCipher {
    inner: Box<dyn Cipher>,
    flaw: Flaw,
}

impl WeakCipher {
    /// What a frame is sealed under in place of its label.
    const fn sealed_as(&self, label: Label) -> Label {
        let counter = match self.flaw {
            Flaw::ReusedNonces => label.counter / 2,
            Flaw::NumbersOffByOne | Flaw::AnybodyIs(_) | Flaw::NoSeal => label.counter,
        };
        Label { counter, ..label }
    }
}

impl Cipher for WeakCipher {
    fn seal(&self, label: Label, payload: &[u8]) -> Vec<u8> {
        if self.flaw == Flaw::NoSeal {
            return payload.to_vec();
        }
        self.inner.seal(self.sealed_as(label), payload)
    }

    fn open(&self, label: Label, sealed: &[u8]) -> Option<Vec<u8>> {
        if self.flaw == Flaw::NoSeal {
            return Some(sealed.to_vec());
        }
        let opened = self.inner.open(self.sealed_as(label), sealed);
        let before = label.counter.checked_sub(1);
        match (opened, before) {
            (None, Some(counter)) if self.flaw == Flaw::NumbersOffByOne => {
                self.inner.open(Label { counter, ..label }, sealed)
            }
            (opened, _) => opened,
        }
    }
}
