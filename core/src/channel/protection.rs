//! What protects frames on the network: the one seam behind which plain text and encryption can take each other's place.
//!
//! A protection knows keys and bytes, and nothing of what the bytes mean; nothing outside this module knows which one
//! it is. It adds at most [`SEAL_LEN_MAX`](crate::limits::SEAL_LEN_MAX) bytes to a frame, and at most
//! [`LOGIN_SEAL_LEN_MAX`](crate::limits::LOGIN_SEAL_LEN_MAX) to a login.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use subtle::ConstantTimeEq as _;

use super::{OpenError, TOKEN_LEN, Token};
use crate::id::SessionId;
use crate::rng::SecretSource;

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
    /// The session that it belongs to.
    pub session: SessionId,
    /// Its place among the frames of its sender.
    pub counter: u64,
    /// Not said in the frame: both sides know.
    pub turn: Turn,
}

/// Protects the frames of sessions, and the exchange that starts one.
pub trait Protection: fmt::Debug + Send + Sync {
    /// What travels in place of a payload, under a key and counter that are not used twice.
    fn seal(&self, key: &Token, label: Label, payload: &[u8]) -> Vec<u8>;

    /// The payload that was sealed with this key and label; `None` if it was not.
    fn open<'a>(&self, key: &Token, label: Label, sealed: &'a [u8]) -> Option<Cow<'a, [u8]>>;

    /// What a client sends in place of a login request, and what will open the answer to it.
    fn seal_login(
        &self,
        secrets: &mut dyn SecretSource,
        request: &[u8],
    ) -> (Vec<u8>, Box<dyn LoginExchange>);

    /// What is in the login request that a client sealed.
    ///
    /// A request that was sealed and never arrived opens later, whoever brings it: to tell that, a protection would need a
    /// word from the server first.
    ///
    /// # Errors
    ///
    /// When no client sealed it, or it was opened before.
    fn open_login<'a>(
        &self,
        secrets: &mut dyn SecretSource,
        sealed: &'a [u8],
    ) -> Result<OpenedLogin<'a>, OpenError>;
}

/// What was in a genuine login request.
#[derive(Debug)]
pub struct OpenedLogin<'a> {
    /// What the client wrote.
    pub request: Cow<'a, [u8]>,
    /// What seals the answer.
    pub exchange: Box<dyn LoginExchange>,
}

/// One login as one of its two sides has it, from the request to the answer.
pub trait LoginExchange: fmt::Debug + Send {
    /// What a server sends in place of its answer.
    fn seal_answer(&mut self, answer: &[u8]) -> Vec<u8>;

    /// The answer to this very request; `None` if it is not.
    fn open_answer<'a>(&mut self, sealed: &'a [u8]) -> Option<Cow<'a, [u8]>>;
}

/// No protection on the way: a session's frames carry the secret token of their direction, which says nothing of their
/// label, and logins nothing at all.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

/// [`Plain`], to be shared.
#[must_use]
pub fn plain() -> Arc<dyn Protection> {
    Arc::new(Plain)
}

impl Protection for Plain {
    fn seal(&self, key: &Token, _: Label, payload: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(TOKEN_LEN + payload.len());
        sealed.extend_from_slice(key.as_bytes());
        sealed.extend_from_slice(payload);
        sealed
    }

    fn open<'a>(&self, key: &Token, _: Label, sealed: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let (token, payload) = sealed.split_at_checked(TOKEN_LEN)?;
        bool::from(token.ct_eq(key.as_bytes())).then_some(Cow::Borrowed(payload))
    }

    fn seal_login(
        &self,
        _: &mut dyn SecretSource,
        request: &[u8],
    ) -> (Vec<u8>, Box<dyn LoginExchange>) {
        (request.to_vec(), Box::new(*self))
    }

    fn open_login<'a>(
        &self,
        _: &mut dyn SecretSource,
        sealed: &'a [u8],
    ) -> Result<OpenedLogin<'a>, OpenError> {
        Ok(OpenedLogin {
            request: Cow::Borrowed(sealed),
            exchange: Box::new(*self),
        })
    }
}

impl LoginExchange for Plain {
    fn seal_answer(&mut self, answer: &[u8]) -> Vec<u8> {
        answer.to_vec()
    }

    fn open_answer<'a>(&mut self, sealed: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        Some(Cow::Borrowed(sealed))
    }
}
